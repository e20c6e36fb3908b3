"""Copies that differ, and nobody knows what they last agreed on: ids and outputs go to the cell that
they belong to, or nowhere, and no text is dropped."""

from support import views

from .cases import case


def belongs(pair, *texts):
    """No output is at another cell, and all lines of both versions are in the notebook."""
    pair.daemon.flush()
    state = pair.daemon.status()[pair.source]["state"]
    pair.check(state in ("synced", "conflict"), f"is synced or in conflict, found {state}")
    first = views.view("ipynb", ".ipynb", pair.first["ipynb"])
    before = {cell.rest["id"]: cell.rest for cell in first.cells}
    cells = pair.view("ipynb").cells
    for cell in cells:
        outputs = cell.rest.get("outputs") or []
        expected = before.get(cell.rest["id"], {}).get("outputs", [])
        pair.check(outputs in ([], expected), f"outputs of {cell.source!r} are its own", outputs)
    everything = "\n".join(cell.source for cell in cells)
    for line in (*texts, *(line for cell in first.cells for line in cell.source.split("\n"))):
        pair.check(line in everything, f"{line!r} is in the notebook")
    for path in pair.paths.values():
        pair.check("<<<<<<<" not in path.read_text(), f"{path.name} has no conflict markers")


@case("S1", nbsync="without a base: both edits are kept", without_base=True)
def both_edited_without_a_base(pair):
    pair.edit("percent", "a = 1", "a = 10")
    pair.edit("ipynb", "c = 3", "c = 30")
    yield
    belongs(pair, "a = 10", "c = 30")
    pair.equal(pair.outputs().count("1\n"), 1, "outputs of a")


@case("S16", nbsync="without a base: the new cell has no outputs", without_base=True)
def insert_between_two_edited_cells_without_a_base(pair):
    b = pair.block("b =").replace("b = 2", "b = 20")
    c = pair.block("c =").replace("c = 3", "c = 30")
    pair.arrange("a", "text", b, "# %%\nnew = 0\nprint(new)", c)
    yield
    belongs(pair, "b = 20", "c = 30", "new = 0")
    new = pair.cell("new = 0")
    pair.check(not new.rest["outputs"] and new.rest["id"] not in pair.first_ids, "a new cell")
    pair.cells_kept()


@case("S17", nbsync="without a base: the other cells keep what they have", without_base=True)
def cell_deleted_without_a_base(pair):
    pair.arrange("a", "text", "c")
    yield
    belongs(pair)
    pair.cells_kept()


@case("S35", nbsync="without a base: no output is twice or at a wrong cell", without_base=True)
def split_cell_without_a_base(pair):
    pair.arrange("# %%\na = 1", "# %%\nprint(a)", "text", "b", "c")
    yield
    belongs(pair)
    pair.cells_kept("text", "b", "c")


@case("S36", nbsync="without a base: no output is twice or at a wrong cell", without_base=True)
def merged_cells_without_a_base(pair):
    pair.arrange("a", "text", "# %%\nb = 2\nprint(b)\nc = 3\nprint(c)")
    yield
    belongs(pair)
    pair.cells_kept("a", "text")


@case("S37", nbsync="without a base: no output is twice or at a wrong cell", without_base=True)
def code_becomes_markdown_without_a_base(pair):
    pair.arrange("a", "text", "# %% [markdown]\n# b = 2\n# print(b)", "c")
    yield
    belongs(pair)
    pair.cells_kept("a", "text", "c")
