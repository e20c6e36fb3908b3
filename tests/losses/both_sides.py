"""Edits of two copies between two looks, in whatever order and with whatever file times."""

import os
import time

from support.editors import rename_over, save

from .cases import case


@case(
    "S1",
    jupytext="the notebook wins as a whole: the edit of the script is lost, exit code 0",
    nbsync="both edits are in all copies",
)
def script_then_notebook(pair):
    pair.edit_at_once(("percent", "a = 1", "a = 10"), ("ipynb", "c = 3", "c = 30"))
    pair.arrives("a = 10", "c = 30")


@case(
    "S2",
    jupytext="the script wins: the edit of the notebook is lost, exit code 0",
    nbsync="both edits are in all copies",
)
def notebook_then_script(pair):
    pair.edit_at_once(("ipynb", "c = 3", "c = 30"), ("percent", "a = 1", "a = 10"))
    pair.arrives("a = 10", "c = 30")


@case(
    "S3",
    jupytext="new outputs and new text, nothing lost",
    nbsync="new outputs and new text",
)
def outputs_then_script(pair):
    pair.edit_at_once(("ipynb", '"3\\n"', '"three\\n"'), ("percent", "a = 1", "a = 10"))
    pair.flush()
    pair.everywhere("a = 10")
    pair.cells_kept("a", "b", "text")
    pair.equal(pair.outputs(), ["1\n", "2\n", "three\n"], "outputs")


@case("S3", nbsync="the other order: new outputs and new text")
def script_then_outputs(pair):
    pair.edit_at_once(("percent", "a = 1", "a = 10"), ("ipynb", '"3\\n"', '"three\\n"'))
    pair.flush()
    pair.everywhere("a = 10")
    pair.cells_kept("a", "b", "text")
    pair.equal(pair.outputs(), ["1\n", "2\n", "three\n"], "outputs")


@case(
    "S4",
    jupytext="the script wins: the edit of the notebook is lost",
    nbsync="both edits are in all copies; times are not looked at",
)
def equal_times(pair):
    with pair.daemon.paused():
        pair.edit("ipynb", "c = 3", "c = 30")
        pair.edit("percent", "a = 1", "a = 10")
        for path in pair.paths.values():
            os.utime(path, (1_700_000_000, 1_700_000_000))
    pair.arrives("a = 10", "c = 30")


@case(
    "S5",
    jupytext="the notebook wins: the edit of the script is lost",
    nbsync="the edit is in all copies",
)
def old_time(pair):
    # As `rsync -t` or `cp -p` leave it: a new content with a time long ago.
    staged = pair.folder / "staged.txt"
    save(staged, pair.read("percent").replace("a = 1", "a = 10"))
    os.utime(staged, (1_000_000_000, 1_000_000_000))
    os.replace(staged, pair.percent)
    pair.arrives("a = 10")


@case("S5", nbsync="the edit is in all copies although size and time are the old ones")
def time_put_back(pair):
    stat = pair.percent.stat()
    pair.edit("percent", "a = 1", "a = 7")
    os.utime(pair.percent, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    pair.arrives("a = 7")


@case(
    "S21",
    jupytext="the notebook wins: the edit of the script is lost",
    nbsync="the edit is in all copies; a save of the same content is no edit",
)
def autosave_of_the_notebook(pair):
    with pair.daemon.paused():
        pair.edit("percent", "a = 1", "a = 10")
        # Jupyter's autosave of what it loaded before the edit arrived there.
        save(pair.ipynb, pair.ipynb.read_bytes())
        os.utime(pair.ipynb)
    pair.arrives("a = 10")


@case("S21", nbsync="the edit is in all copies; a touch is no edit")
def touch_of_the_notebook(pair):
    pair.edit("percent", "a = 1", "a = 10")
    os.utime(pair.ipynb)
    pair.arrives("a = 10")


@case(
    "S27",
    jupytext="stops, with the notebook already written from the older script",
    nbsync="the last text of each save is in all copies",
)
def saves_during_a_sync(pair):
    # Each time a little later into the cycle that the first save starts. The second editor has
    # loaded what it sees before.
    for no in range(40):
        loaded = pair.read("ipynb")
        pair.edit("percent", f"a = {1 if no == 0 else 99 + no}\n", f"a = {100 + no}\n")
        until = time.monotonic() + no * 0.0002
        while time.monotonic() < until:
            pass
        save(pair.ipynb, loaded.replace(f"c = {3 if no == 0 else 199 + no}", f"c = {200 + no}"))
        pair.daemon.flush()
        pair.everywhere(f"a = {100 + no}", f"c = {200 + no}")
    pair.flush()
    pair.cells_kept()


@case(
    "S30",
    jupytext="the old notebook wins: the edit of the script is lost",
    nbsync="the edit is in all copies; the notebook that git put in place is what it was",
)
def checkout_of_the_notebook(pair):
    pair.git("init", "--quiet")
    pair.git("add", "nb.ipynb")
    pair.git("commit", "--quiet", "--message", "start")
    with pair.daemon.paused():
        pair.edit("percent", "a = 1", "a = 10")
        # Without this, git sees an unchanged file and leaves it alone.
        pair.edit("ipynb", "c = 3", "c = 30", rename_over)
        pair.git("checkout", "--quiet", "--", "nb.ipynb")
        pair.untouched("ipynb")
    pair.arrives("a = 10", "c = 3")


@case(
    "S31",
    jupytext="the text that was saved last wins: the edit of the other one is lost",
    nbsync="both edits are in all copies",
)
def two_texts(pair):
    pair.edit_at_once(("percent", "a = 1", "a = 10"), ("marimo", "b = 2", "b = 20"))
    pair.arrives("a = 10", "b = 20")


@case("S31", nbsync="the edits of all three are in all copies")
def three_copies(pair):
    pair.edit_at_once(
        ("percent", "a = 1", "a = 10"),
        ("marimo", "b = 2", "b = 20"),
        ("ipynb", "c = 3", "c = 30"),
    )
    pair.arrives("a = 10", "b = 20", "c = 30")


@case(
    "S34",
    jupytext="the kernel in the script's header wins: the new kernel is lost",
    nbsync="the new kernel stands, and the header of the script has it",
)
def new_kernel_then_script(pair):
    with pair.daemon.paused():
        text = pair.read("ipynb")
        text = text.replace('"Python 3 (ipykernel)"', '"Analysis"')
        text = text.replace('"name": "python3"', '"name": "analysis"')
        save(pair.ipynb, text)
        pair.edit("percent", "a = 1", "a = 10")
    pair.flush()
    pair.everywhere("a = 10")
    for format in ("ipynb", "percent"):
        kernel = pair.view(format).metadata["kernelspec"]
        expected = {"display_name": "Analysis", "language": "python", "name": "analysis"}
        pair.equal(dict(kernel), expected, f"kernel in {format}")
    pair.cells_kept()


@case("S34", nbsync="no save of the script before or after takes the new kernel back")
def new_kernel_between_two_saves(pair):
    pair.edit("percent", "a = 1", "a = 10")
    pair.flush()
    pair.edit("ipynb", '"name": "python3"', '"name": "analysis"')
    pair.flush()
    pair.edit("percent", "a = 10", "a = 11")
    pair.flush()
    pair.equal(pair.view("ipynb").metadata["kernelspec"]["name"], "analysis", "kernel")
    pair.everywhere("a = 11")


# --- beyond the study ------------------------------------------------------------------------------


@case(nbsync="both versions are kept, one of them in a cell of its own; no conflict markers")
def same_cell_in_two_ways(pair):
    pair.edit_at_once(("percent", "a = 1", "a = 10"), ("marimo", "a = 1", "a = 11"))
    pair.flush(state="conflict")
    pair.everywhere("a = 10", "a = 11")
    for path in pair.paths.values():
        pair.check("<<<<<<<" not in path.read_text(), f"{path.name} has no conflict markers")
    pair.cells_kept()


@case(nbsync="equal edits are one")
def same_edit_twice(pair):
    pair.edit_at_once(("percent", "a = 1", "a = 10"), ("marimo", "a = 1", "a = 10"))
    pair.arrives("a = 10")


@case(nbsync="the edit wins over the deletion")
def delete_against_edit(pair):
    with pair.daemon.paused():
        pair.arrange("a", "text", "b")
        pair.edit("marimo", "c = 3", "c = 30")
    pair.arrives("c = 30")


@case(nbsync="a save of the same content writes nothing")
def save_without_edit(pair):
    for path in pair.paths.values():
        save(path, path.read_bytes())
    pair.flush()
    pair.untouched()


@case(nbsync="30 edits, each of what another copy changed before, are in all copies")
def edits_in_a_row(pair):
    values = {"a": 1, "b": 2, "c": 3}
    for no in range(30):
        format, name = ("ipynb", "percent", "marimo")[no % 3], "abc"[no // 3 % 3]
        pair.edit(format, f"{name} = {values[name]}", f"{name} = {100 + no}")
        values[name] = 100 + no
        pair.daemon.flush()
    pair.arrives(*(f"{name} = {value}" for name, value in values.items()))


@case(nbsync="an editor that did not load the last update takes nothing back")
def stale_editor(pair):
    loaded = pair.read("percent")
    pair.edit("ipynb", "b = 2", "b = 20")
    pair.flush()
    save(pair.percent, loaded.replace("c = 3", "c = 30"))
    pair.arrives("b = 20", "c = 30")


@case(nbsync="nor does one that missed six updates")
def stale_editor_by_several_updates(pair):
    loaded = pair.read("marimo")
    for no in range(3):
        pair.edit("ipynb", f"b = {'2' * (no + 1)}", f"b = {'2' * (no + 2)}")
        pair.flush()
        pair.edit("percent", f"a = {'1' * (no + 1)}\n", f"a = {'1' * (no + 2)}\n")
        pair.flush()
    save(pair.marimo, loaded.replace("c = 3", "c = 30"))
    pair.flush()
    pair.everywhere("b = 2222", "a = 1111", "c = 30")


@case(nbsync="an undo in the editor that made the edit is an undo")
def undo(pair):
    pair.edit("ipynb", "b = 2", "b = 20")
    pair.flush()
    pair.edit("ipynb", "b = 20", "b = 2")
    pair.flush()
    pair.untouched()
