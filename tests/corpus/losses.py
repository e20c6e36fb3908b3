#!/usr/bin/env python3
"""Replays the ways in which pairs of files lose work today, against the real daemon.

The names S1, S2, ... are those of a list of what `jupytext --sync` was seen to do. Each case starts
with a notebook of three cells with outputs in sync with its percent and marimo replicas, does what
the user did, and checks that nothing is lost.
"""

import os
import sys
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import edits, views
from support.daemon import Daemon, Failure, Home, scratch
from support.editors import in_place, rename_over, save
from support.report import Report

CASES = []


def case(function):
    CASES.append(function)
    return function


def main():
    folder = scratch("losses")
    root = folder / "notebooks"
    root.mkdir()
    report = Report()
    home = Home(folder / "home")
    only = sys.argv[1:]
    cases = [it for it in CASES if not only or it.__name__ in only]
    try:
        # One folder a case, so that one daemon serves all of them.
        for it in cases:
            write_notebook(root / it.__name__ / "nb.ipynb")
        with Daemon(root, home, log=folder / "daemon.log") as daemon:
            daemon.flush()
            for it in cases:
                try:
                    it(Pair(report, daemon, root / it.__name__, it.__name__))
                except Exception as error:
                    report.check(False, it.__name__, repr(error))
                    if not daemon.alive:
                        raise Failure(daemon.last_words()) from None
            report.check(daemon.stop() == 0, "the daemon exits 0 at SIGTERM")
    except Failure as error:
        report.check(False, "the daemon works to the end", str(error))
    finally:
        home.close()
    report.finish()


def write_notebook(path):
    v4 = nbformat.v4
    cells = []
    for no, name in enumerate("abc", 1):
        cell = v4.new_code_cell(f"{name} = {no}\nprint({name})", id=f"cell-{name}")
        cell.execution_count = no
        cell.outputs = [v4.new_output("stream", name="stdout", text=f"{no}\n")]
        cells.append(cell)
    cells.insert(1, v4.new_markdown_cell("Some *text* with an image.", id="cell-text"))
    cells[1]["attachments"] = {"dot.png": {"image/png": "iVBORw0KGgo="}}
    language = {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
        "version": "3.11.7",
    }
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": language}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(views.write_ipynb(v4.new_notebook(cells=cells, metadata=metadata)))


class Pair:
    """One notebook and its replicas."""

    def __init__(self, report, daemon, folder, name):
        self.report = report
        self.daemon = daemon
        self.folder = folder
        self.name = name
        self.source = f"{name}/nb.ipynb"
        pairing = daemon.status()[self.source]
        self.paths = {
            replica["format"]: daemon.root / replica["path"] for replica in pairing["replicas"]
        }
        self.ipynb, self.percent, self.marimo = (
            self.paths[it] for it in ("ipynb", "percent", "marimo")
        )
        self.first = {format: path.read_text() for format, path in self.paths.items()}

    def check(self, ok, what, detail=""):
        return self.report.check(ok, f"{self.name}: {what}", detail)

    def view(self, format):
        path = self.paths[format]
        return views.view(format, path.suffix, path.read_text())

    def sources(self, format):
        return [cell.source for cell in self.view(format).cells if cell.key != edits.SYNTHETIC]

    def edit(self, format, old, new, style=in_place):
        """Replaces a text in a replica and saves it."""
        text = self.paths[format].read_text()
        if text.count(old) != 1:
            raise Failure(f"{format} has {old!r} {text.count(old)} times")
        save(self.paths[format], text.replace(old, new), style)

    def flush(self, *, state="synced"):
        """Waits, and checks the state of this notebook."""
        self.daemon.flush()
        pairing = self.daemon.status()[self.source]
        detail = pairing.get("reason", "")
        self.check(pairing["state"] == state, f"is {state}, found {pairing['state']}", detail)
        return pairing

    def held(self, *words):
        """Waits, and checks that the notebook is held with a reason that has these words."""
        pairing = self.flush(state="held")
        reason = pairing.get("reason") or ""
        for word in words:
            self.check(word in reason, f"the reason has {word!r}", reason)

    def everywhere(self, *texts):
        """Each text is in one cell of each replica."""
        for format in self.paths:
            for text in texts:
                n = sum(text in source for source in self.sources(format))
                self.check(n == 1, f"{format} has {text!r} once, found {n} times")

    def nowhere(self, *texts):
        for format, path in self.paths.items():
            for text in texts:
                self.check(text not in path.read_text(), f"{format} has no {text!r}")

    def cells_kept(self, *names):
        """Outputs, ids and attachments of these cells are those of the start."""
        first = views.view("ipynb", ".ipynb", self.first["ipynb"])
        before = {cell.rest["id"]: cell.rest for cell in first.cells}
        after = {cell.rest.get("id"): cell.rest for cell in self.view("ipynb").cells}
        for name in names or ("a", "b", "c", "text"):
            id = f"cell-{name}"
            ok = after.get(id) == before[id]
            self.check(ok, f"{id} keeps id and outputs", f"{after.get(id)}")

    def untouched(self, *formats):
        for format in formats:
            now = self.paths[format].read_text()
            detail = edits.first_line(self.first[format], now)
            self.check(now == self.first[format], f"{format} is untouched", detail)


# --- what jupytext --sync loses ------------------------------------------------------------------


@case
def s1_script_then_notebook(pair):
    with pair.daemon.paused():
        pair.edit("percent", "a = 1", "a = 10")
        pair.edit("ipynb", "c = 3", "c = 30")
    pair.flush()
    pair.everywhere("a = 10", "c = 30")
    pair.cells_kept()


@case
def s2_notebook_then_script(pair):
    with pair.daemon.paused():
        pair.edit("ipynb", "c = 3", "c = 30")
        pair.edit("percent", "a = 1", "a = 10")
    pair.flush()
    pair.everywhere("a = 10", "c = 30")
    pair.cells_kept()


@case
def s3_outputs_then_script(pair):
    with pair.daemon.paused():
        pair.edit("ipynb", '"3\\n"', '"three\\n"')
        pair.edit("percent", "a = 1", "a = 10")
    pair.flush()
    pair.everywhere("a = 10")
    pair.cells_kept("a", "b", "text")
    pair.check('"three\\n"' in pair.ipynb.read_text(), "the new output stands")


@case
def script_then_outputs(pair):
    with pair.daemon.paused():
        pair.edit("percent", "a = 1", "a = 10")
        pair.edit("ipynb", '"3\\n"', '"three\\n"')
    pair.flush()
    pair.everywhere("a = 10")
    pair.check('"three\\n"' in pair.ipynb.read_text(), "the new output stands")


@case
def s4_equal_times(pair):
    with pair.daemon.paused():
        pair.edit("ipynb", "c = 3", "c = 30")
        pair.edit("percent", "a = 1", "a = 10")
        for path in pair.paths.values():
            os.utime(path, (1_700_000_000, 1_700_000_000))
    pair.flush()
    pair.everywhere("a = 10", "c = 30")
    pair.cells_kept()


@case
def s5_old_time(pair):
    # As `rsync -t` or `cp -p` leave it: a new content with a time long ago.
    staged = pair.folder / "staged.txt"
    staged.write_text(pair.percent.read_text().replace("a = 1", "a = 10"))
    os.utime(staged, (1_000_000_000, 1_000_000_000))
    os.replace(staged, pair.percent)
    pair.flush()
    pair.everywhere("a = 10")
    pair.cells_kept()


@case
def s5_time_put_back(pair):
    # The same size and time: only the content tells.
    stat = pair.percent.stat()
    pair.edit("percent", "a = 1", "a = 7")
    os.utime(pair.percent, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    pair.flush()
    pair.everywhere("a = 7")


@case
def s21_autosave_of_the_notebook(pair):
    with pair.daemon.paused():
        pair.edit("percent", "a = 1", "a = 10")
        # Jupyter's autosave of what it loaded before the edit arrived there.
        save(pair.ipynb, pair.ipynb.read_bytes())
        os.utime(pair.ipynb)
    pair.flush()
    pair.everywhere("a = 10")
    pair.cells_kept()


@case
def s21_touch_only(pair):
    pair.edit("percent", "a = 1", "a = 10")
    os.utime(pair.ipynb)
    pair.flush()
    pair.everywhere("a = 10")


@case
def s30_checkout_of_the_notebook(pair):
    with pair.daemon.paused():
        pair.edit("percent", "a = 1", "a = 10")
        # git puts the old notebook in place as a new file.
        save(pair.ipynb, pair.first["ipynb"], rename_over)
    pair.flush()
    pair.everywhere("a = 10")
    pair.cells_kept()


@case
def s31_three_replicas(pair):
    with pair.daemon.paused():
        pair.edit("percent", "a = 1", "a = 10")
        pair.edit("marimo", "b = 2", "b = 20")
        pair.edit("ipynb", "c = 3", "c = 30")
    pair.flush()
    pair.everywhere("a = 10", "b = 20", "c = 30")
    pair.cells_kept()


@case
def s31_second_text(pair):
    with pair.daemon.paused():
        pair.edit("percent", "a = 1", "a = 10")
        pair.edit("marimo", "b = 2", "b = 20")
    pair.flush()
    pair.everywhere("a = 10", "b = 20")
    pair.cells_kept()


# --- files that are not whole --------------------------------------------------------------------


@case
def s6_torn_script(pair):
    # The beginning of a save: it ends within a word, and most cells are missing.
    text = pair.first["percent"]
    torn = text[: text.index("print(a)") + len("pri")]
    save(pair.percent, torn)
    pair.held()
    pair.untouched("ipynb", "marimo")
    pair.check(pair.percent.read_text() == torn, "the torn file is left to its editor")
    save(pair.percent, text.replace("c = 3", "c = 30"))
    pair.flush()
    pair.everywhere("c = 30")
    pair.cells_kept()


@case
def s7_empty_script(pair):
    save(pair.percent, "")
    pair.held("empty")
    pair.untouched("ipynb", "marimo")
    save(pair.percent, pair.first["percent"].replace("a = 1", "a = 10"))
    pair.flush()
    pair.everywhere("a = 10")
    pair.cells_kept()


@case
def s7_empty_marimo(pair):
    save(pair.marimo, "")
    pair.held("empty")
    pair.untouched("ipynb", "percent")
    save(pair.marimo, pair.first["marimo"])
    pair.flush()
    pair.untouched("ipynb", "percent", "marimo")


@case
def s7_header_only(pair):
    # The YAML header and nothing else: all cells gone at once.
    head = views.view("percent", ".py", pair.first["percent"]).head
    save(pair.percent, head)
    pair.held()
    pair.untouched("ipynb", "marimo")
    save(pair.percent, pair.first["percent"])
    pair.flush()
    pair.untouched("ipynb", "percent", "marimo")


@case
def s8_torn_notebook(pair):
    text = pair.first["ipynb"]
    save(pair.ipynb, text[: len(text) // 2])
    pair.held()
    pair.untouched("percent", "marimo")
    save(pair.ipynb, text.replace("c = 3", "c = 30"))
    pair.flush()
    pair.everywhere("c = 30")
    pair.cells_kept()


@case
def s9_empty_notebook(pair):
    save(pair.ipynb, "")
    pair.held("empty")
    pair.untouched("percent", "marimo")
    # Meanwhile somebody goes on in a script; that edit must not be forgotten.
    pair.edit("percent", "a = 1", "a = 10")
    pair.held()
    pair.check(pair.ipynb.read_text() == "", "the empty notebook is left to its editor")
    save(pair.ipynb, pair.first["ipynb"])
    pair.flush()
    pair.everywhere("a = 10")
    pair.cells_kept()


@case
def s10_conflict_markers(pair):
    text = pair.first["percent"]
    ours = "<<<<<<< HEAD\na = 10\n=======\na = 11\n>>>>>>> theirs"
    save(pair.percent, text.replace("a = 1", ours))
    pair.held("conflict")
    pair.untouched("ipynb", "marimo")
    save(pair.percent, text.replace("a = 1", "a = 11"))
    pair.flush()
    pair.everywhere("a = 11")
    pair.cells_kept()


@case
def s12_open_quotes(pair):
    # All that follows is in the string now; half of the notebook seems to be gone.
    pair.edit("percent", "print(a)", "print(a)\ntext = '''")
    pair.daemon.flush()
    pair.check("print(c)" in pair.ipynb.read_text(), "the notebook keeps its last cell")
    pair.edit("percent", "text = '''", "text = '''closed'''")
    pair.flush()
    pair.everywhere("'''closed'''")
    pair.cells_kept()


@case
def broken_marimo_then_mended(pair):
    pair.edit("marimo", "b = 2", "b = (2")
    pair.daemon.flush()
    pair.check("a = 1" in pair.ipynb.read_text(), "the notebook keeps its cells")
    pair.edit("marimo", "b = (2", "b = (20)")
    pair.flush()
    pair.everywhere("b = (20)")
    pair.cells_kept()


# --- what users ask for ---------------------------------------------------------------------------


@case
def edit_of_a_cell_keeps_id_and_output(pair):
    pair.edit("percent", "b = 2", "b = 20")
    pair.flush()
    pair.everywhere("b = 20")
    pair.cells_kept()


@case
def move_edit_and_insert(pair):
    view = views.view("percent", ".py", pair.first["percent"])
    a, text, b, c = (cell.block for cell in view.cells)
    new = [c, a.replace("a = 1", "a = 10"), "# %%\nnew = 0", text, b]
    save(pair.percent, view.head + "\n\n".join(new) + "\n")
    pair.flush()
    sources = [source.split("\n")[0] for source in pair.sources("ipynb")]
    expected = ["c = 3", "a = 10", "new = 0", "Some *text* with an image.", "b = 2"]
    pair.check(sources == expected, "the notebook has the new order", sources)
    pair.cells_kept()


@case
def same_cell_in_two_ways(pair):
    with pair.daemon.paused():
        pair.edit("percent", "a = 1", "a = 10")
        pair.edit("marimo", "a = 1", "a = 11")
    pair.daemon.flush()
    texts = [path.read_text() for path in pair.paths.values()]
    for version in ("a = 10", "a = 11"):
        pair.check(any(version in text for text in texts), f"{version!r} is kept")
    for path, text in zip(pair.paths.values(), texts, strict=True):
        pair.check("<<<<<<<" not in text, f"{path.name} has no conflict markers")
    state = pair.daemon.status()[pair.source]["state"]
    pair.check(state == "conflict", "is in conflict", state)


@case
def same_edit_twice(pair):
    with pair.daemon.paused():
        pair.edit("percent", "a = 1", "a = 10")
        pair.edit("marimo", "a = 1", "a = 10")
    pair.flush()
    pair.everywhere("a = 10")
    pair.cells_kept()


@case
def delete_against_edit(pair):
    view = views.view("percent", ".py", pair.first["percent"])
    blocks = [cell.block for cell in view.cells if "c = 3" not in cell.block]
    with pair.daemon.paused():
        save(pair.percent, view.head + "\n\n".join(blocks) + "\n")
        pair.edit("marimo", "c = 3", "c = 30")
    pair.daemon.flush()
    pair.everywhere("c = 30")


@case
def save_without_edit(pair):
    for path in pair.paths.values():
        save(path, path.read_bytes())
    pair.flush()
    pair.untouched("ipynb", "percent", "marimo")


@case
def deleted_shadow_comes_back(pair):
    pair.percent.unlink()
    pair.flush()
    pair.untouched("ipynb", "marimo")
    pair.check(pair.percent.exists(), "the percent shadow is there again")
    pair.everywhere("a = 1")


@case
def renamed_notebook_takes_its_shadows_along(pair):
    pair.edit("percent", "a = 1", "a = 10")
    pair.flush()
    os.rename(pair.ipynb, pair.folder / "renamed.ipynb")
    pair.daemon.flush()
    # Scans settle for two seconds before a deletion counts; a rename is known at once.
    status = pair.daemon.status()
    found = status.get(f"{pair.name}/renamed.ipynb")
    pair.check(found is not None, "the new name has a pairing")
    if found:
        paths = [pair.daemon.root / it["path"] for it in found["replicas"]]
        for path in paths:
            pair.check(path.exists() and "a = 10" in path.read_text(), f"{path.name} has the edit")


@case
def renamed_folder_takes_all_along(pair):
    os.rename(pair.folder, pair.folder.with_name("renamed-folder"))
    pair.daemon.flush()
    found = pair.daemon.status().get("renamed-folder/nb.ipynb")
    if pair.check(found is not None and found["state"] == "synced", "the new path is in sync", found):
        pair.paths = {it["format"]: pair.daemon.root / it["path"] for it in found["replicas"]}
        pair.source = "renamed-folder/nb.ipynb"
        pair.untouched("ipynb", "percent", "marimo")
        pair.edit("marimo", "b = 2", "b = 20")
        pair.flush()
        pair.everywhere("b = 20")
        pair.cells_kept()


@case
def mode_is_kept(pair):
    os.chmod(pair.ipynb, 0o600)
    pair.edit("percent", "a = 1", "a = 10")
    pair.flush()
    pair.everywhere("a = 10")
    mode = pair.ipynb.stat().st_mode & 0o777
    pair.check(mode == 0o600, "the notebook keeps its mode", oct(mode))


@case
def crlf_is_kept(pair):
    text = pair.first["percent"].replace("\n", "\r\n")
    save(pair.percent, text.encode())
    pair.flush()
    pair.untouched("ipynb", "marimo")
    pair.check(pair.percent.read_bytes() == text.encode(), "the script stays as it was saved")
    pair.edit("ipynb", "c = 3", "c = 30")
    pair.flush()
    data = pair.percent.read_bytes()
    pair.check(b"c = 30" in data, "the edit arrives")
    pair.check(data.count(b"\n") == data.count(b"\r\n"), "all lines end as before", data)


@case
def byte_order_mark_is_kept(pair):
    data = b"\xef\xbb\xbf" + pair.first["percent"].encode()
    save(pair.percent, data)
    pair.flush()
    pair.untouched("ipynb", "marimo")
    pair.edit("ipynb", "c = 3", "c = 30")
    pair.flush()
    now = pair.percent.read_bytes()
    pair.check(now.startswith(b"\xef\xbb\xbf#") and b"c = 30" in now, "mark and edit", now[:80])


@case
def edits_in_a_row(pair):
    # Each replica in turn, each time a cell that another replica changed before.
    values = {"a": 1, "b": 2, "c": 3}
    for no in range(30):
        format, name = ("ipynb", "percent", "marimo")[no % 3], "abc"[no // 3 % 3]
        pair.edit(format, f"{name} = {values[name]}", f"{name} = {100 + no}")
        values[name] = 100 + no
        pair.daemon.flush()
    pair.everywhere(*(f"{name} = {value}" for name, value in values.items()))
    pair.cells_kept()


@case
def stale_editor(pair):
    # An editor that didn't load the last update saves its old text with one more edit.
    loaded = pair.percent.read_text()
    pair.edit("ipynb", "b = 2", "b = 20")
    pair.flush()
    save(pair.percent, loaded.replace("c = 3", "c = 30"))
    pair.flush()
    pair.everywhere("b = 20", "c = 30")
    pair.cells_kept()


@case
def stale_editor_by_several_updates(pair):
    loaded = pair.marimo.read_text()
    for no in range(3):
        pair.edit("ipynb", f"b = {'2' * (no + 1)}", f"b = {'2' * (no + 2)}")
        pair.flush()
        pair.edit("percent", f"a = {'1' * (no + 1)}\n", f"a = {'1' * (no + 2)}\n")
        pair.flush()
    save(pair.marimo, loaded.replace("c = 3", "c = 30"))
    pair.flush()
    pair.everywhere("b = 2222", "a = 1111", "c = 30")


@case
def undo_in_an_editor_that_is_up_to_date(pair):
    # Not stale: it shows the update, and the user takes it back.
    pair.edit("ipynb", "b = 2", "b = 20")
    pair.flush()
    pair.edit("ipynb", "b = 20", "b = 2")
    pair.flush()
    pair.untouched("ipynb", "percent", "marimo")


@case
def pep_723_travels(pair):
    folder = pair.folder / "inline"
    folder.mkdir()
    block = '# /// script\n# dependencies = ["numpy"]\n# ///'
    text = f"{block}\n\n# %%\nimport numpy as np\n\n# %%\nnp.arange(3)\n"
    save(folder / "deps.py", text)
    pair.daemon.flush()
    status = pair.daemon.status()[f"{pair.name}/inline/deps.py"]
    pair.check(status["state"] == "synced", "is in sync", status.get("reason"))
    pair.check((folder / "deps.py").read_text() == text, "the script is untouched")
    for replica in status["replicas"]:
        text = (pair.daemon.root / replica["path"]).read_text()
        pair.check("# dependencies = [" in text, f"the {replica['format']} replica has the block")


if __name__ == "__main__":
    main()
