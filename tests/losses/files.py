"""Names, modes, links, encodings and layouts of files."""

import os
import signal
import stat

from nbformat.v4 import new_code_cell

from support import views
from support.daemon import Daemon
from support.editors import rename_over, save
from support.notebooks import code_cell, notebook, sample, write_notebook

from .cases import case
from .git_diff import dumps
from .pair import Pair


@case(
    "S13",
    jupytext="the script is no longer paired: its edits are ignored, or it is written over",
    nbsync="the script stays a replica: the edit is in all copies, the kernel stays",
)
def header_deleted(pair):
    text = pair.first["percent"]
    headless = text[text.index("# %%") :].replace("a = 1", "a = 10")
    save(pair.percent, headless)
    pair.arrives("a = 10")
    metadata = views.view("ipynb", ".ipynb", pair.first["ipynb"]).metadata
    pair.equal(pair.view("ipynb").metadata, metadata, "the notebook's metadata")
    pair.edit("ipynb", "c = 3", "c = 30")
    pair.flush()
    pair.equal(pair.read("percent"), headless.replace("c = 3", "c = 30"), "the script")


@case(
    "S18",
    jupytext="makes it again",
    nbsync="makes it again, with the same text",
)
def deleted_script(pair):
    pair.percent.unlink()
    pair.marimo.unlink()
    pair.flush()
    pair.untouched()


@case(
    "S19",
    jupytext="makes it again, without ids and outputs",
    nbsync="of a script: makes it again, with ids and outputs",
    paired=False,
)
def deleted_notebook_of_a_script(pair):
    script = pair.other("script.py", "# %%\na = 1\nprint(a)\n\n# %%\nb = 2\n")
    # Somebody runs it in Jupyter.
    nb = notebook([code_cell("a", 1), new_code_cell("b = 2", id="cell-b")])
    save(script.ipynb, views.write_ipynb(nb))
    script.flush()
    before = script.read("ipynb")
    script.equal(script.outputs(), ["1\n", ""], "outputs")
    script.ipynb.unlink()
    script.flush()
    script.equal(script.read("ipynb"), before, "the notebook")
    script.untouched("percent")


@case(
    "S20",
    jupytext="the notebook gets the cells of the branch, and keeps outputs by their text",
    nbsync="the notebook gets the cells of the branch; ids and outputs stay with their cells",
    paired=False,
)
def git_switch_of_a_script(pair):
    script = pair.other("script.py", "# %%\na = 1\nprint(a)\n\n# %%\nb = 2\nprint(b)\n")
    save(script.ipynb, views.write_ipynb(notebook([code_cell("a", 1), code_cell("b", 2)])))
    script.flush()
    # Only the script is in git; nbsync's folder ignores itself.
    script.git("init", "--quiet", "--initial-branch", "main")
    script.git("add", ".")
    script.git("commit", "--quiet", "--message", "start")
    script.equal(script.git("ls-files").split(), ["script.py"], "files in git")
    script.git("switch", "--quiet", "--create", "other")
    script.edit("percent", "a = 1\nprint(a)\n", "a = 10\nprint(a)\n\n# %%\nnew = 0\n")
    script.flush()
    script.git("commit", "--quiet", "--all", "--message", "edit")
    script.git("switch", "--quiet", "main")
    script.flush()
    script.untouched("percent")
    script.equal(script.ids(), ["cell-a", "cell-b"], "ids")
    script.equal(script.outputs(), ["1\n", "2\n"], "outputs")
    script.git("switch", "--quiet", "other")
    script.flush()
    script.everywhere("a = 10", "new = 0", "b = 2")
    script.equal(script.outputs(), ["1\n", "", "2\n"], "outputs")


@case(
    "S24",
    jupytext="reads it, and writes the file with other line ends one day",
    nbsync="line ends stay what they are",
)
def crlf(pair):
    data = pair.first["percent"].replace("\n", "\r\n").encode()
    save(pair.percent, data)
    pair.flush()
    pair.untouched("ipynb", "marimo")
    pair.equal(pair.percent.read_bytes(), data, "the script as it was saved")
    pair.edit("ipynb", "c = 3", "c = 30")
    pair.flush()
    pair.equal(pair.percent.read_bytes(), data.replace(b"c = 3", b"c = 30"), "the script")


@case(
    "S25",
    jupytext="the header becomes a code cell in both files",
    nbsync="the mark is no edit, and stays",
)
def byte_order_mark(pair):
    data = b"\xef\xbb\xbf" + pair.first["percent"].encode()
    save(pair.percent, data)
    pair.flush()
    pair.untouched("ipynb", "marimo")
    pair.edit("ipynb", "c = 3", "c = 30")
    pair.flush()
    pair.equal(pair.percent.read_bytes(), data.replace(b"c = 3", b"c = 30"), "the script")


@case(
    "S28",
    jupytext="puts a file in the place of the link",
    nbsync="the link stays, the file that it leads to has the edit",
    paired=False,
)
def link(pair):
    target = pair.folder / "linked" / "data.json"
    write_notebook(target)
    target.with_name("nb.ipynb").symlink_to("data.json")
    pair.daemon.flush()
    linked = Pair(pair.report, pair.daemon, target.parent, pair.name)
    linked.edit("percent", "a = 1", "a = 10")
    linked.flush()
    linked.everywhere("a = 10")
    pair.check(linked.ipynb.is_symlink(), "the link is one")
    pair.check('"a = 10\\n"' in target.read_text(), "the file has the edit")
    linked.cells_kept()


@case(
    "S38",
    jupytext="the mode becomes that of a new file",
    nbsync="the mode stays",
)
def mode(pair):
    pair.ipynb.chmod(0o600)
    pair.percent.chmod(0o640)
    pair.edit("marimo", "a = 1", "a = 10")
    pair.flush()
    pair.everywhere("a = 10")
    for path, expected in ((pair.ipynb, 0o600), (pair.percent, 0o640)):
        pair.equal(oct(stat.S_IMODE(path.stat().st_mode)), oct(expected), f"mode of {path.name}")


@case(
    "S33",
    jupytext="gives the new cell an id, which nbformat 4.4 does not have",
    nbsync="the new cell has no id",
    paired=False,
)
def new_cell_in_nbformat_4_4(pair):
    nb = sample()
    for cell in nb.cells:
        del cell["id"]
    nb.nbformat_minor = 4
    old = pair.other("old.ipynb", nb)
    save(old.percent, old.read("percent") + "\n# %%\nnew = 0\n")
    old.flush()
    view = old.view("ipynb")
    old.equal(view.problems, [], "nbformat's complaints")
    old.check('"id"' not in old.read("ipynb"), "no cell has an id")
    old.everywhere("new = 0")
    old.equal(old.outputs(), ["1\n", "2\n", "3\n", ""], "outputs")


@case(
    "S51",
    jupytext="a touch of the script rewrites the whole notebook in nbformat's layout",
    nbsync="a touch does nothing; an edit changes the line that was edited",
    paired=False,
)
def layout_of_another_tool(pair):
    text = dumps(sample(), indent=2)
    foreign = pair.other("foreign.ipynb", text)
    os.utime(foreign.percent)
    save(foreign.percent, foreign.read("percent"), rename_over)
    foreign.flush()
    foreign.untouched()
    foreign.edit("percent", "a = 1", "a = 10")
    foreign.flush()
    foreign.equal(foreign.read("ipynb"), text.replace("a = 1", "a = 10"), "the notebook")


@case(
    "S40",
    jupytext="the file at the old place stays, and is never updated again",
    nbsync="the files at the old place stay, and stay in sync as long as they are there",
    paired=False,
)
def other_layout(pair):
    root = pair.daemon.root.with_name("other_layout")
    write_notebook(root / "nb.ipynb")
    old = root / "__marimo__" / "nbsync" / "nb.percent.py"
    with Daemon(root, pair.daemon.home, log=root.with_suffix(".log")) as daemon:
        daemon.flush()
        (root / "nbsync.toml").write_text('layout = "sibling"\n')
        daemon.process.send_signal(signal.SIGHUP)
        daemon.flush()
        new = root / "nb.percent.py"
        save(old, old.read_text().replace("a = 1", "a = 10"))
        daemon.flush()
        for path in (root / "nb.ipynb", old, new):
            pair.check("a = 10" in path.read_text(), f"{path.relative_to(root)} has the edit")


# --- beyond the study ------------------------------------------------------------------------------


@case(nbsync="the new name has all copies, with the edits that the old one had", paired=False)
def renamed_notebook(pair):
    pair.edit("percent", "a = 1", "a = 10")
    pair.flush()
    os.rename(pair.ipynb, pair.folder / "renamed.ipynb")
    pair.daemon.flush()
    renamed = Pair(pair.report, pair.daemon, pair.folder, pair.name, "renamed.ipynb")
    renamed.everywhere("a = 10")
    renamed.cells_kept()


@case(nbsync="everything comes along, and goes on at the new place", paired=False)
def renamed_folder(pair):
    os.rename(pair.folder, pair.folder.with_name("new_name"))
    pair.daemon.flush()
    pair.find("new_name/nb.ipynb")
    pair.untouched()
    pair.edit("marimo", "b = 2", "b = 20")
    pair.arrives("b = 20")
