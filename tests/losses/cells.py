"""Which cell is which: ids, outputs and attachments go to the cell that they belong to, or nowhere."""

import json

import nbformat
from nbformat.v4 import new_markdown_cell

from support import views
from support.editors import save
from support.notebooks import code_cell, notebook

from .cases import case


@case(
    "S15",
    jupytext="recognised by its content, nothing lost",
    nbsync="keeps id and outputs; only its place changes",
)
def moved_cell(pair):
    pair.arrange("c", "a", "text", "b")
    pair.flush()
    pair.equal(pair.ids(), ["cell-c", "cell-a", "cell-text", "cell-b"], "ids")
    pair.cells_kept()


@case("S15", nbsync="moved and edited in one save, beside a new cell: keeps id and outputs")
def moved_and_edited_cell(pair):
    a = pair.block("a =").replace("a = 1", "a = 10")
    pair.arrange("c", a, "# %%\nnew = 0", "text", "b")
    pair.flush()
    firsts = [source.split("\n")[0] for source in pair.sources()]
    expected = ["c = 3", "a = 10", "new = 0", "Some *text* with an image.", "b = 2"]
    pair.equal(firsts, expected, "cells")
    pair.cells_kept()


@case(
    "S16",
    jupytext="the new cell takes the id and the outputs of the edited cell below it",
    nbsync="edited cells keep theirs, the new cell has none",
)
def insert_between_two_edited_cells(pair):
    b = pair.block("b =").replace("b = 2", "b = 20")
    c = pair.block("c =").replace("c = 3", "c = 30")
    pair.arrange("a", "text", b, "# %%\nnew = 0\nprint(new)", c)
    pair.flush()
    pair.equal(pair.outputs(), ["1\n", "2\n", "", "3\n"], "outputs")
    ids = pair.ids()
    pair.check(not ids.pop(3).startswith("cell-"), "the new cell has a new id")
    pair.equal(ids, ["cell-a", "cell-text", "cell-b", "cell-c"], "ids")
    pair.cells_kept()


@case(
    "S17",
    jupytext="the first one's id and outputs stay, although it is the one that was deleted",
    nbsync="id and outputs of the other one stay",
    paired=False,
)
def one_of_two_equal_cells_deleted(pair):
    for no, gone in enumerate(("cell-first", "cell-second")):
        cells = [code_cell(name, no) for no, name in enumerate(("first", "a", "second"))]
        for cell in (cells[0], cells[2]):
            cell.source = "show()"
        twins = pair.other(f"twins{no}.ipynb", notebook(cells))
        blocks = [cell.block for cell in twins.view("percent").cells]
        del blocks[0 if gone == "cell-first" else 2]
        head = twins.view("percent").head
        save(twins.percent, head + "\n\n".join(blocks) + "\n")
        twins.flush()
        kept = [it.id for it in cells if it.id != gone]
        twins.equal(twins.ids(), kept, f"ids without {gone}")
        twins.cells_kept(*(id.removeprefix("cell-") for id in kept))


@case(
    "S22",
    jupytext="recognised by its position, nothing lost",
    nbsync="the attachments stay with the text",
)
def text_with_an_attachment(pair):
    pair.edit("percent", "Some *text*", "Other words")
    pair.arrives("Other words with an image.")


@case(
    "S23",
    jupytext="removed in the notebook",
    nbsync="removed in the notebook, and nothing else of the cell",
    paired=False,
)
def tag_removed(pair):
    cells = [code_cell("a", 1), code_cell("b", 2)]
    cells[0].metadata = {"tags": ["parameters", "slow"], "scrolled": True}
    tagged = pair.other("tagged.ipynb", notebook(cells))
    tagged.edit("percent", 'tags=["parameters", "slow"]', 'tags=["slow"]')
    tagged.flush()
    metadata = tagged.cell("a = 1").rest["metadata"]
    tagged.equal(metadata, {"scrolled": True, "tags": ["slow"]}, "metadata")
    tagged.edit("percent", ' tags=["slow"]', "")
    tagged.flush()
    tagged.equal(tagged.cell("a = 1").rest["metadata"], {"scrolled": True}, "metadata")
    tagged.equal(tagged.outputs(), ["1\n", "2\n"], "outputs")


@case(
    "S29",
    jupytext="the script splits the cell; its next edit writes the split to the notebook, and the "
    "comment is gone",
    nbsync="the cell of the notebook stays one cell with its comment, whatever else is edited",
    paired=False,
)
def marker_in_a_cell(pair):
    cells = [code_cell("a", 1), code_cell("b", 2)]
    cells[0].source = "a = 1\n# %% section\nprint(a)"
    split = pair.other("split.ipynb", notebook(cells))
    split.edit("percent", "b = 2", "b = 20")
    split.flush()
    split.edit("marimo", "b = 20", "b = 21")
    split.flush()
    split.equal(split.sources(), [cells[0].source, "b = 21\nprint(b)"], "cells")
    split.equal(split.outputs(), ["1\n", "2\n"], "outputs")
    split.edit("percent", "print(a)", "print(a, a)")
    split.flush()
    split.equal(split.sources()[0], "a = 1\n# %% section\nprint(a, a)", "the edited cell")


@case(
    "S35",
    jupytext="the second half keeps the outputs, the first half gets a new id",
    nbsync="the second half keeps id and outputs together, since the last line made them; the first "
    "one has neither; no other cell changes",
)
def split_cell(pair):
    pair.arrange("# %%\na = 1", "# %%\nprint(a)", "text", "b", "c")
    pair.flush()
    pair.equal(pair.sources()[:2], ["a = 1", "print(a)"], "halves")
    ids = pair.ids()
    pair.equal(ids[1:], ["cell-a", "cell-text", "cell-b", "cell-c"], "ids but the first")
    pair.check(not ids[0].startswith("cell-"), "the first half has a new id")
    pair.equal(pair.outputs(), ["", "1\n", "2\n", "3\n"], "outputs")
    pair.cells_kept()


@case(
    "S36",
    jupytext="the outputs of the second cell are dropped, on disk they are nowhere",
    nbsync="the merged cell has id and outputs of the first one, no other cell changes; the notebook "
    "with the outputs of the second one is in the history",
)
def merged_cells(pair):
    pair.arrange("a", "text", "# %%\nb = 2\nprint(b)\nc = 3\nprint(c)")
    pair.flush()
    pair.equal(pair.sources()[2:], ["b = 2\nprint(b)\nc = 3\nprint(c)"], "merged cell")
    pair.equal(pair.ids(), ["cell-a", "cell-text", "cell-b"], "ids")
    pair.equal(pair.outputs(), ["1\n", "2\n"], "outputs")
    pair.cells_kept("a", "text", "b")
    comes_back(pair, '"3\\n"')


@case(nbsync="split and joined again: the cell has its id and its outputs", paired=False)
def split_and_joined_cell(pair):
    pair.arrange("# %%\na = 1", "# %%\nprint(a)", "text", "b", "c")
    pair.flush()
    pair.arrange("a", "text", "b", "c")
    pair.flush()
    pair.equal(pair.ids(), ["cell-a", "cell-text", "cell-b", "cell-c"], "ids")
    pair.equal(pair.outputs(), ["1\n", "2\n", "3\n"], "outputs")
    pair.cells_kept()


@case(nbsync="split in one copy and edited in another: it is split, and edited, and nothing is twice")
def split_and_edited_cell(pair):
    with pair.daemon.paused():
        pair.arrange("# %%\na = 1", "# %%\nprint(a)", "text", "b", "c")
        pair.edit("ipynb", "print(a)", "print(a, 2)")
    pair.flush()
    pair.equal(pair.sources()[:2], ["a = 1", "print(a, 2)"], "halves")
    pair.everywhere("print(a, 2)")
    pair.equal(pair.outputs(), ["", "1\n", "2\n", "3\n"], "outputs")


@case(nbsync="joined in one copy and edited in another: it is joined, and edited, and nothing is twice")
def joined_and_edited_cells(pair):
    with pair.daemon.paused():
        pair.arrange("a", "text", "# %%\nb = 2\nprint(b)\nc = 3\nprint(c)")
        pair.edit("marimo", "print(c)", "print(c, 3)")
    pair.flush()
    pair.equal(pair.sources()[2:], ["b = 2\nprint(b)\nc = 3\nprint(c, 3)"], "joined cell")
    pair.everywhere("print(c, 3)")


@case(nbsync="deleted in one copy, and tagged in another: the cell stays, with the tag")
def deleted_and_tagged_cell(pair):
    with pair.daemon.paused():
        pair.arrange("a", "text", "c")
        view = json.loads(pair.read("ipynb"))
        cell = next(it for it in view["cells"] if it["id"] == "cell-b")
        cell["metadata"]["tags"] = ["keep"]
        save(pair.ipynb, json.dumps(view, indent=1, ensure_ascii=False) + "\n")
    pair.flush()
    pair.everywhere("b = 2")
    pair.equal(pair.cell("b = 2").rest["metadata"].get("tags"), ["keep"], "tags")


@case(
    "S37",
    jupytext="the id is lost with the outputs",
    nbsync="the id stays; outputs have no place in a text and are in the history",
)
def code_becomes_markdown(pair):
    pair.arrange("a", "text", "# %% [markdown]\n# b = 2\n# print(b)", "c")
    pair.flush()
    pair.equal(pair.ids(), ["cell-a", "cell-text", "cell-b", "cell-c"], "ids")
    pair.equal(pair.view("ipynb").cells[2].kind, "markdown", "kind")
    pair.cells_kept("a", "text", "c")
    comes_back(pair, '"2\\n"')


@case("S37", nbsync="the other way: the id stays; the other cells keep what they have")
def markdown_becomes_code(pair):
    pair.arrange("a", "# %%\nSome *text* with an image.", "b", "c")
    pair.flush()
    pair.equal(pair.ids(), ["cell-a", "cell-text", "cell-b", "cell-c"], "ids")
    pair.equal(pair.view("ipynb").cells[1].kind, "code", "kind")
    pair.cells_kept("a", "b", "c")


def comes_back(pair, gone):
    """What the last edit took out of the notebook is in the history, and comes back from there."""
    pair.check(gone not in pair.read("ipynb"), f"{gone} is not in the notebook")
    home, root = pair.daemon.home, pair.daemon.root
    log = home.run("log", pair.source, root=root, check=0).stdout.decode().splitlines()
    pair.check(len(log) == 2 and log[0].split()[3].endswith("py"), "the log has the edit", log)
    version = f"{pair.ipynb.relative_to(root)}@~1"
    shown = home.run("show", version, root=root, check=0).stdout.decode()
    pair.check(shown == pair.first["ipynb"], "`show` prints the notebook as it was", shown)
    home.run("restore", f"{pair.source}@~1", root=root, check=0)
    pair.flush()
    pair.untouched()
    pair.cells_kept()


@case(
    "S52",
    jupytext="puts the keys of a marker line in another order after a save of the notebook",
    nbsync="the marker line stays as it is",
    paired=False,
)
def order_of_metadata(pair):
    text = new_markdown_cell("Text", id="cell-text")
    text.metadata = {"zeta": 1, "alpha": [2], "tags": ["x"]}
    nb = notebook([text, code_cell("a", 1)])
    unsorted = pair.other("unsorted.ipynb", unsorted_json(nb))
    marker = '# %% [markdown] zeta=1 alpha=[2] tags=["x"]\n'
    unsorted.check(marker in unsorted.read("percent"), "the order is the notebook's at first")
    # Jupyter sorts the keys.
    save(unsorted.ipynb, views.write_ipynb(nb))
    unsorted.flush()
    unsorted.untouched("percent", "marimo")
    unsorted.edit("ipynb", "a = 1", "a = 10")
    unsorted.flush()
    unsorted.check(marker in unsorted.read("percent"), "the order stays")
    unsorted.everywhere("a = 10")


def unsorted_json(nb):
    return json.dumps(nbformat.v4.rwbase.split_lines(nb), indent=1) + "\n"
