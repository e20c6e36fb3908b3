#!/usr/bin/env python3
"""Projects that use jupytext, with the real jupytext beside the real daemon.

Each project is made by jupytext in one of the ways in which it pairs files. nbsync starts on all of
them; then people edit, jupytext saves and syncs, and nothing may be lost or go back and forth.
"""

import contextlib
import io
import json
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import jupytext
import nbformat
from jupytext.cli import SynchronousModificationError
from jupytext.cli import jupytext as run_jupytext
from jupytext.config import load_jupytext_config
from jupytext.sync_pairs import write_pair

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.daemon import Daemon, Failure, Home, scratch
from support.editors import in_place, rename_over, save
from support.report import Report

PYTHON = {"display_name": "Python 3", "language": "python", "name": "python3"}
R = {"display_name": "R", "language": "R", "name": "ir"}
JULIA = {"display_name": "Julia 1.9", "language": "julia", "name": "julia-1.9"}


@dataclass
class Project:
    name: str
    ipynb: str
    script: str
    # Of the metadata, or None for a configuration.
    formats: str | None = None
    # Configuration files.
    files: dict = field(default_factory=dict)
    kernel: dict = field(default_factory=lambda: PYTHON)
    options: dict = field(default_factory=dict)
    # Other files that jupytext makes, which nbsync leaves alone.
    others: tuple = ()


TOML = "jupytext.toml"
PROJECTS = [
    Project("metadata", "nb.ipynb", "nb.py", "ipynb,py:percent"),
    Project("hydrogen", "nb.ipynb", "nb.py", "ipynb,py:hydrogen"),
    Project("suffix", "nb.ipynb", "nb.pct.py", "ipynb,.pct.py:percent"),
    Project("folder", "nb.ipynb", "scripts/nb.py", "ipynb,scripts//py:percent"),
    Project("prefix", "nb.ipynb", "scripts/s_nb.py", "ipynb,scripts/s_/py:percent"),
    Project(
        "tree", "notebooks/x/nb.ipynb", "scripts/x/nb.py", "notebooks///ipynb,scripts///py:percent"
    ),
    Project("r", "nb.ipynb", "nb.R", "ipynb,R:percent", kernel=R),
    Project("julia", "nb.ipynb", "nb.jl", "ipynb,auto:percent", kernel=JULIA),
    Project("triple", "nb.ipynb", "nb.py", "ipynb,md,py:percent", others=("nb.md",)),
    Project("config", "nb.ipynb", "nb.py", files={TOML: 'formats = "ipynb,py:percent"\n'}),
    Project("auto", "nb.ipynb", "nb.py", files={".jupytext.yml": "formats: ipynb,auto:percent\n"}),
    Project(
        "pyproject",
        "nb.ipynb",
        "nb.py",
        files={"pyproject.toml": '[tool.jupytext]\nformats = "ipynb,py:percent"\n'},
    ),
    Project(
        "table",
        "notebooks/x/nb.ipynb",
        "scripts/x/nb.py",
        files={TOML: '[formats]\n"notebooks/" = "ipynb"\n"scripts/" = "py:percent"\n'},
    ),
    Project(
        "options",
        "nb.ipynb",
        "nb.py",
        files={
            TOML: 'formats = "ipynb,py:percent"\ncomment_magics = false\ncell_markers = \'"""\'\n'
        },
    ),
    Project(
        "bare",
        "nb.ipynb",
        "nb.py",
        files={
            TOML: 'formats = "ipynb,py:percent"\nnotebook_metadata_filter = "-all"\n'
            'cell_metadata_filter = "-all"\n'
        },
    ),
    Project(
        "root level",
        "nb.ipynb",
        "nb.py",
        files={
            TOML: 'formats = "ipynb,py:percent"\nroot_level_metadata_as_raw_cell = false\n'
            "hide_notebook_metadata = true\nsplit_at_heading = true\n"
        },
        options={"root_level_metadata": {"title": "A title", "author": "Ada"}},
    ),
    Project(
        "preferred",
        "nb.ipynb",
        "nb.py",
        files={TOML: 'formats = "ipynb,py"\npreferred_jupytext_formats_save = "auto:hydrogen"\n'},
    ),
    Project(
        "groups",
        "notebooks/x/nb.ipynb",
        "scripts/x/nb.py",
        files={
            TOML: '[[formats]]\n"other/" = "ipynb"\n"text/" = "py:percent"\n'
            '[[formats]]\n"notebooks/" = "ipynb"\n"scripts/" = "py:percent"\n'
        },
    ),
    Project(
        "list",
        "nb.ipynb",
        "nb.py",
        files={"jupytext.json": '{"formats": ["other///ipynb,text///py", "ipynb,py:percent"]}'},
    ),
]


def main():
    folder = scratch("jupytext")
    root = folder / "work"
    report = Report()
    home = Home(folder / "home")
    only = sys.argv[1:]
    projects = [it for it in PROJECTS if not only or it.name in only]
    os.environ["XDG_CONFIG_HOME"] = str(home.folder / "config")
    try:
        for project in projects:
            make(root / project.name, project)
        before = snapshot(root)
        with Daemon(root, home, log=folder / "daemon.log") as daemon:
            daemon.flush()
            for project in projects:
                try:
                    Check(report, daemon, root / project.name, project).run(before)
                except Exception as error:
                    report.check(False, project.name, repr(error))
                    if not daemon.alive:
                        raise Failure(daemon.last_words()) from None
            report.check(daemon.stop() == 0, "the daemon exits 0 at SIGTERM")
        if not only:
            refusals(report, home, folder)
    except Failure as error:
        report.check(False, "the daemon works to the end", str(error))
    finally:
        home.close()
    report.finish()


REFUSED = {
    "outside": ("ipynb,../../outside//py:percent", "outside of the watched folder"),
    "absolute": ("ipynb,/outside//py:percent", "a path in it has to be relative"),
    "hidden": ("ipynb,.hidden//py:percent", "it is hidden"),
    "linked folder": ("ipynb,linked//py:percent", "the way to it has a symbolic link"),
    "linked file": ("ipynb,py:percent", "it is a symbolic link"),
}


def refusals(report, home, folder):
    """Pairs that lead out of the folder, or to where nobody looks: the notebook goes on without."""
    root, outside = folder / "refused", folder / "outside"
    outside.mkdir()
    script = "# %%\nx = 'not yours'\n"
    (outside / "nb.py").write_text(script)
    for name, (formats, _) in REFUSED.items():
        place = root / name
        (place / ".hidden").mkdir(parents=True)
        (place / ".hidden" / "nb.py").write_text(script)
        if name == "linked folder":
            (place / "linked").symlink_to(outside)
        if name == "linked file":
            (place / "nb.py").symlink_to(outside / "nb.py")
        notebook = nbformat.v4.new_notebook(metadata={"jupytext": {"formats": formats}})
        notebook.cells = [nbformat.v4.new_code_cell("x = 1", id="x")]
        nbformat.write(notebook, place / "nb.ipynb")
    before = snapshot(root) | snapshot(outside)
    with Daemon(root, home, log=folder / "refused.log") as daemon:
        daemon.flush()
        report.check(snapshot(root) | snapshot(outside) == before, "refused: nothing changes")
        for name, (_, expected) in REFUSED.items():
            notebook = daemon.status().get(f"{name}/nb.ipynb", {})
            notes = " ".join(notebook.get("notes", []))
            report.check(expected in notes, f"refused: {name}: it is told why", notes)
            report.check(notebook.get("state") == "synced", f"refused: {name}: the notebook goes on", notebook)
            path = root / name / "nb.ipynb"
            path.write_text(path.read_text().replace("x = 1", "x = 2"))
        daemon.flush()
        for name in REFUSED:
            shadow = root / name / "__marimo__" / "nbsync" / "nb.percent.py"
            report.check("x = 2" in shadow.read_text(), f"refused: {name}: an edit arrives in the shadow")
            hidden = root / name / ".hidden" / "nb.py"
            report.check(hidden.read_text() == script, f"refused: {name}: what is hidden stays")
        report.check((outside / "nb.py").read_text() == script, "refused: what is outside stays")


def sync(path):
    """Runs `jupytext --sync`, in this process, which saves its second of starting."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        run_jupytext(["--sync", str(path)])
    return said.getvalue()


def make(folder, project):
    v4 = nbformat.v4
    cells = [v4.new_markdown_cell("# Some *text*", id="text")]
    for no, name in enumerate("abc", 1):
        cell = v4.new_code_cell(f"{name} = {no}\nprint({name})", id=f"cell-{name}")
        cell.execution_count = no
        cell.outputs = [v4.new_output("stream", name="stdout", text=f"{no}\n")]
        cells.append(cell)
    if project.kernel is PYTHON:
        cells.insert(1, v4.new_code_cell("%matplotlib inline", id="magic"))
    metadata = {"kernelspec": project.kernel, "custom": {"kept": [1, 2]}}
    options = {**({"formats": project.formats} if project.formats else {}), **project.options}
    if options:
        metadata["jupytext"] = options
    for name, text in project.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    path = folder / project.ipynb
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(v4.new_notebook(cells=cells, metadata=metadata), path)
    sync(path)
    # Of what it changes on its own, it changes some only now.
    sync(path)
    for name in (project.script, *project.others):
        if not (folder / name).is_file():
            raise Failure(f"jupytext made no {name} in {project.name}")


def snapshot(root):
    """Bytes and times of all files that are not nbsync's."""
    files = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__marimo__" not in path.parts:
            files[path] = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
    return files


class Check:
    def __init__(self, report, daemon, folder, project):
        self.report = report
        self.daemon = daemon
        self.folder = folder
        self.project = project
        self.ipynb = folder / project.ipynb
        self.script = folder / project.script

    def ok(self, condition, what, detail=""):
        return self.report.check(condition, f"{self.project.name}: {what}", detail)

    def run(self, before):
        here = {path: it for path, it in before.items() if path.is_relative_to(self.folder)}
        self.ok(snapshot(self.folder) == here, "nothing changes when nbsync starts")
        self.is_paired()
        self.edits()
        if "root_level_metadata" in self.project.options:
            self.edit_of_the_root_level()
        self.jupytext_finds_nothing()
        self.jupytext_syncs_under_the_daemon()
        self.jupyter_saves()
        self.is_paired()

    def is_paired(self):
        source = str(self.script.relative_to(self.daemon.root))
        notebook = self.daemon.status().get(source)
        if not self.ok(notebook is not None, "the script is the source"):
            return
        roles = {it["path"]: it["role"] for it in notebook["replicas"]}
        paired = str(self.ipynb.relative_to(self.daemon.root))
        self.ok(roles.get(paired) == "paired", "the ipynb is paired", roles)
        self.ok(notebook["state"] == "synced", "is in sync", notebook)
        notes = " ".join(notebook.get("notes", []))
        for other in self.project.others:
            self.ok(other in notes, f"`{other}` is told to be left alone", notes)

    def sources(self):
        """What jupytext reads in the script, and nbformat in the ipynb."""
        config = load_jupytext_config(str(self.script))
        script = jupytext.read(self.script, config=config)
        ipynb = nbformat.read(self.ipynb, as_version=4)
        nbformat.validate(ipynb)
        return [[(cell.cell_type, cell.source) for cell in it.cells] for it in (script, ipynb)]

    def same(self, what):
        script, ipynb = self.sources()
        return self.ok(script == ipynb, f"{what}: both have the same cells", f"{script}\n{ipynb}")

    def results(self):
        """The id and the outputs of each cell, by the first word of its source."""
        notebook = nbformat.read(self.ipynb, as_version=4)
        return {
            cell.source.split(" ")[0]: (cell.id, json.dumps(cell.outputs))
            for cell in notebook.cells
            if cell.cell_type == "code" and cell.outputs
        }

    def edit(self, path, old, new, style):
        text = path.read_text()
        if text.count(old) != 1:
            raise Failure(f"{path.name} has {old!r} {text.count(old)} times")
        save(path, text.replace(old, new), style)

    def edits(self):
        was = self.results()
        self.edit(self.ipynb, "a = 1", "a = 10", rename_over)
        self.daemon.flush()
        self.same("an edit of the ipynb")
        self.ok("a = 10\n" in self.script.read_text(), "the edit of the ipynb is in the script")
        self.edit(self.script, "c = 3", "c = 30", in_place)
        self.daemon.flush()
        self.same("an edit of the script")
        self.ok("c = 30" in self.ipynb.read_text(), "the edit of the script is in the ipynb")
        with self.daemon.paused():
            self.edit(self.ipynb, "b = 2", "b = 20", in_place)
            self.edit(self.script, "Some *text*", "Some *words*", in_place)
        self.daemon.flush()
        self.same("edits of both")
        keys = {source for _, source in self.sources()[1]}
        self.ok("# Some *words*" in keys and "b = 20\nprint(b)" in keys, "both edits stand", keys)
        self.ok(self.results() == was, "ids and outputs stay", f"{was}\n{self.results()}")

    def edit_of_the_root_level(self):
        for path, old, new in (
            (self.script, "# title: A title", "# title: Another title"),
            (self.ipynb, '"author": "Ada"', '"author": "Eve"'),
        ):
            self.edit(path, old, new, in_place)
            self.daemon.flush()
        metadata = nbformat.read(self.ipynb, as_version=4).metadata.jupytext.root_level_metadata
        expected = {"title": "Another title", "author": "Eve"}
        self.ok(dict(metadata) == expected, "what the header says is in the ipynb", metadata)
        text = self.script.read_text()
        self.ok("# title: Another title\n# ---" in text, "the title is in the header", text)
        self.ok("# ---\n# author: Eve\n# jupyter:" in text, "the author is in the header", text)

    def jupytext_finds_nothing(self):
        """After an edit by nbsync, jupytext changes no cell, whichever file it starts from."""
        before, results = self.sources(), self.results()
        for path in (self.ipynb, self.script):
            sync(path)
            self.daemon.flush()
            self.ok(self.sources() == before, f"jupytext --sync {path.name} changes no cell")
        self.ok(self.results() == results, "jupytext --sync keeps ids and outputs")
        still = snapshot(self.folder)
        sync(self.script)
        self.daemon.flush()
        after = snapshot(self.folder)
        changed = [path.name for path in still if still[path][0] != after.get(path, [None])[0]]
        self.ok(not changed, "a second jupytext --sync changes no byte", changed)

    def jupytext_syncs_under_the_daemon(self):
        """An editor extension: every save of the script is followed by `jupytext --sync`."""
        results = self.results()
        for round in range(3):
            self.edit(self.script, f"c = {30 + round}", f"c = {31 + round}", in_place)
            # As long as it takes to start jupytext, nbsync has written the edit.
            self.daemon.flush()
            sync(self.script)
        n_refused = 0
        for round in range(3, 6):
            self.edit(self.script, f"c = {30 + round}", f"c = {31 + round}", in_place)
            try:
                sync(self.script)
            except SynchronousModificationError:
                # Both write at the same moment; jupytext gives up, and nbsync doesn't.
                n_refused += 1
            # Who types the next edit takes longer than both.
            self.daemon.flush()
        self.report.note(f"{self.project.name}: jupytext gave up {n_refused} times of 3")
        self.same("jupytext --sync after each save")
        self.ok("c = 36" in self.ipynb.read_text(), "the last save is in the ipynb")
        self.ok(self.results() == results, "ids and outputs stay under jupytext --sync")
        self.stands_still("jupytext --sync")

    def jupyter_saves(self):
        """Jupyter with jupytext's contents manager: each save writes all files of the pair."""
        results = self.results()
        for round in range(3):
            notebook = nbformat.read(self.ipynb, as_version=4)
            cell = next(it for it in notebook.cells if it.source.startswith("b = 2"))
            cell.source = f"b = {20 + round}\nprint(b)"
            self.save_pair(notebook)
            self.daemon.flush()
        self.same("saves of Jupyter")
        self.ok("b = 22" in self.script.read_text(), "the last save of Jupyter is in the script")
        self.ok(self.results() == results, "ids and outputs stay when Jupyter saves")
        self.stands_still("Jupyter")

    def save_pair(self, notebook):
        config = load_jupytext_config(str(self.ipynb))
        formats = notebook.metadata.get("jupytext", {}).get("formats")
        if not formats:
            formats = config.default_formats(str(self.ipynb))
        extension = self.script.suffix.removeprefix(".")
        formats = formats.replace("auto:", f"{extension}:")

        def write_one_file(path, fmt, force_update_timestamp=False):
            text = jupytext.writes(notebook, fmt=fmt, config=config)
            in_place(path, (text if text.endswith("\n") else text + "\n").encode())
            return {"modified": True}

        write_pair(str(self.ipynb), formats, write_one_file)

    def stands_still(self, who):
        started = datetime.now(UTC).isoformat()
        before = snapshot(self.folder)
        # Longer than what the daemon waits for when jupytext is at work.
        time.sleep(0.5)
        self.daemon.flush()
        # What was told before may only be read now.
        told = [event for event in list(self.daemon.events) if started < event["time"]]
        self.ok(not told, f"nothing goes back and forth after {who}", told)
        self.ok(snapshot(self.folder) == before, f"no file changes after {who}")


if __name__ == "__main__":
    main()
