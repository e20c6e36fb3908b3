#!/usr/bin/env python3
"""Proofs that nothing is lost, on the real file system.

crash-points: the process ends at each of its steps in turn, in each of twelve scenarios.
race:         an editor that saves at the moment of a write, 20,000 times in each of four ways.
kills:        `kill -9` of the daemon at random moments while editors save.
"""

import argparse
import collections
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults import edit, shadow, values
from support.notebooks import write_notebook
from support.daemon import Daemon, Home, binary, scratch, target
from support.editors import in_place, in_place_durable, rename_over, save
from support.report import Report

PROOFS = {}


def proof(function):
    PROOFS[function.__name__.replace("_", "-")] = function
    return function


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("proofs", nargs="*", help=f"of {', '.join(PROOFS)}; default all")
    parser.add_argument("--kills", type=int, default=500, help="how often the daemon is killed")
    parser.add_argument("--saves", type=int, default=20_000, help="how often each editor meets a write")
    parser.add_argument("--seed", default=str(time.time_ns()), help="when the daemon is killed")
    args = parser.parse_args()
    report = Report()
    for name in args.proofs or PROOFS:
        try:
            PROOFS[name](report, args)
        except Exception as error:
            report.check(False, f"{name}: comes to its end", repr(error))
    report.finish()


# --- crash points ----------------------------------------------------------------------------


SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__.replace("_", "-")] = function
    return function


@scenario
def first_scan(root):
    """Without a base: all shadows are made."""
    for name in ("p.ipynb", "deep/er/q.ipynb"):
        write_notebook(root / name)
    (root / "text.py").write_text("# %%\na = 1\n\n# %%\nb = 2\n\n# %%\nc = 3\n")
    return {name: {"a": 1, "b": 2, "c": 3} for name in ("p.ipynb", "deep/er/q.ipynb", "text.py")}


@scenario
def source(root):
    edit(root / "nb.ipynb", "a = 1", "a = 10")
    return {"nb.ipynb": {"a": 10, "b": 2, "c": 3}}


@scenario
def percent_shadow(root):
    edit(shadow(root, "nb", "percent"), "b = 2", "b = 20", rename_over)
    return {"nb.ipynb": {"a": 1, "b": 20, "c": 3}}


@scenario
def marimo_shadow(root):
    edit(shadow(root, "nb", "marimo"), "c = 3", "c = 30")
    return {"nb.ipynb": {"a": 1, "b": 2, "c": 30}}


@scenario
def merge(root):
    edit(root / "nb.ipynb", "a = 1", "a = 10")
    edit(shadow(root, "nb", "percent"), "b = 2", "b = 20")
    edit(shadow(root, "nb", "marimo"), "c = 3", "c = 30")
    return {"nb.ipynb": {"a": 10, "b": 20, "c": 30}}


@scenario
def conflict(root):
    edit(root / "nb.ipynb", "a = 1", "a = 10")
    edit(shadow(root, "nb", "percent"), "a = 1", "a = 11")
    return {"nb.ipynb": {"a": 10, "b": 2, "c": 3}}


@scenario
def deleted_shadow(root):
    shadow(root, "nb", "percent").unlink()
    edit(shadow(root, "nb", "marimo"), "c = 3", "c = 30")
    return {"nb.ipynb": {"a": 1, "b": 2, "c": 30}}


@scenario
def deleted_source(root):
    (root / "nb.ipynb").unlink()
    return {"other.ipynb": {"a": 1, "b": 2, "c": 3}}


@scenario
def renamed_source(root):
    (root / "new").mkdir()
    os.rename(root / "nb.ipynb", root / "new" / "name.ipynb")
    edit(shadow(root, "nb", "percent"), "b = 2", "b = 20")
    return {"new/name.ipynb": {"a": 1, "b": 20, "c": 3}}


@scenario
def renamed_folder(root):
    os.rename(root / "folder", root / "renamed")
    edit(shadow(root / "renamed", "text", "ipynb"), "b = 2", "b = 20")
    return {"renamed/text.py": {"a": 1, "b": 20, "c": 3}}


@scenario
def new_notebook(root):
    write_notebook(root / "new" / "one.ipynb")
    edit(root / "nb.ipynb", "a = 1", "a = 10")
    return {"new/one.ipynb": {"a": 1, "b": 2, "c": 3}, "nb.ipynb": {"a": 10, "b": 2, "c": 3}}


@scenario
def hard_links(root):
    """Written in place, because a new file would leave the other name behind."""
    os.link(root / "nb.ipynb", root / "link.txt")
    edit(shadow(root, "nb", "percent"), "b = 2", "b = 20")
    return {"nb.ipynb": {"a": 1, "b": 20, "c": 3}}


@proof
def crash_points(report, args):
    faulty = Path(os.environ.get("NBSYNC_FAULTY") or target() / "nbsync-faulty")
    n_crashes = n_lost = 0
    for name, change in SCENARIOS.items():
        folder = scratch(f"proofs-{name}")
        root = folder / "notebooks"
        home = Home(folder / "home")
        root.mkdir()
        if change is not first_scan:
            write_notebook(root / "nb.ipynb")
            write_notebook(root / "other.ipynb")
            (root / "folder").mkdir()
            (root / "folder" / "text.py").write_text("# %%\na = 1\n\n# %%\nb = 2\n\n# %%\nc = 3\n")
            home.run("sync", root=root, check=0)
        kept = folder / "kept"
        for part in ("notebooks", "home/state"):
            shutil.copytree(folder / part, kept / part, symlinks=True)
        n = 0
        while True:
            n += 1
            for part in ("notebooks", "home/state"):
                # A root of another inode would be another root.
                for path in (folder / part).iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                shutil.copytree(kept / part, folder / part, symlinks=True, dirs_exist_ok=True)
            if change is renamed_source or change is renamed_folder:
                # Copies are other files than those that were synced.
                home.run("sync", root=root, check=0)
            expected = change(root)
            saved = contents(root)
            res = subprocess.run(
                [faulty, "--root", root, "sync"],
                env=home.environ(NBSYNC_CRASH_AT=str(n)),
                capture_output=True,
                preexec_fn=no_core,
            )
            has_crashed = res.returncode == -signal.SIGABRT
            problems = []
            if not has_crashed and res.returncode not in (0, 1):
                problems.append(f"exit {res.returncode}: {res.stderr.decode()}")
            # Whatever was there is there, whole, or is a new text that can be read.
            for path, data in contents(root).items():
                if path.suffix in (".py", ".ipynb") and data not in saved.values():
                    try:
                        values(path, format_of(path))
                    except Exception as error:
                        problems.append(f"{path.name} is torn: {error!r}")
            res = home.run("sync", root=root)
            if res.returncode not in (0, 1):
                problems.append(f"the next start: {res.stderr.decode()}")
            # A conflict is not in sync, and stays as it is.
            res = home.run("sync", root=root)
            now = contents(root)
            for source, wanted in expected.items():
                for path, format in replicas(root, source):
                    try:
                        found = values(path, format)
                    except Exception as error:
                        found = repr(error)
                    if found != wanted:
                        problems.append(f"{path.name}: expected {wanted}, found {found}")
                    if change is conflict and b"a = 11" not in now.get(path, b""):
                        problems.append(f"{path.name}: the other version is lost")
            home.run("sync", root=root)
            if contents(root) != now:
                problems.append("it does not stand still")
            left = [path.name for path in now if path.name.endswith((".tmp", ".out"))]
            problems += [f"left behind: {left}"] if left else []
            n_lost += bool(problems)
            if problems or not has_crashed:
                report.check(not problems, f"crash-points: {name}, step {n}", "\n".join(problems))
            if not has_crashed:
                break
            n_crashes += 1
            report.passed += not problems
            if n_lost >= 5:
                break
        home.close()
        report.check(n > 3, f"crash-points: {name} has steps to crash at", n)
    report.note(
        f"crash-points: {len(SCENARIOS)} scenarios, a crash at each of {n_crashes} steps, LOST={n_lost}"
    )


def no_core():
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def contents(root):
    """All files but those that were replaced a moment ago."""
    return {
        path: path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".displaced" not in path.parts and path.name != ".gitignore"
    }


def format_of(path):
    if path.suffix == ".ipynb":
        return "ipynb"
    return "marimo" if path.name.endswith(".marimo.py") else "percent"


def replicas(root, source):
    path = root / source
    yield path, format_of(path)
    for format in {"ipynb", "percent", "marimo"} - {format_of(path)}:
        yield shadow(path.parent, path.stem, format), format


# --- races -----------------------------------------------------------------------------------


@proof
def race(report, args):
    """The writes of the real disk, in a test of the crate, because only there they can be made to
    meet an editor each time.

    The last way to replace a file is that for file systems without exchange and without links. It may lose
    a save, as the documentation says; how often is told. That it does also shows that a lost save is seen.
    """
    res = subprocess.run(
        # All packages, as in the tests of the crates: so nothing is built once more.
        ["cargo", "test", "--workspace", "--lib", "disk::tests::stress", "--", "--nocapture"],
        env={**os.environ, "NBSYNC_STRESS_SAVES": str(args.saves)},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
    )
    pattern = r"(\w+) against (\w+): (\d+) saves, (\d+) met the write, (\d+) rescued, LOST=(\d+)"
    lines = re.findall(pattern, res.stdout)
    report.check(res.returncode == 0 and len(lines) == 12, "race: runs", res.stdout + res.stderr)
    n_saves, n_met, n_rescued = (collections.Counter() for _ in range(3))
    lost = {}
    for editor, method, *figures in sorted(lines):
        saves, met, rescued, n_lost = map(int, figures)
        enough = args.saves if method == "Exchange" else args.saves // 10
        ok = met >= enough and (n_lost == 0 or method == "RenameOver")
        report.check(ok, f"race: {editor} against {method}: {met} saves met it, LOST={n_lost}")
        n_saves[method] += saves
        n_met[method] += met
        n_rescued[method] += rescued
        lost.setdefault(method, {})[editor] = n_lost
    has_teeth = sum(lost.get("RenameOver", {}).values()) > 0
    report.check(has_teeth, "race: a write that compares and then renames loses saves", lost)
    for method, of_editor in lost.items():
        told = ", ".join(f"{editor} {n}" for editor, n in of_editor.items())
        report.note(
            f"race: {method}, {n_saves[method]} saves, {n_met[method]} of them during a write,"
            f" {n_rescued[method]} rescued: LOST={told}"
        )


# --- kills -----------------------------------------------------------------------------------


class Writer(threading.Thread):
    """Edits one notebook in one replica, again and again."""

    def __init__(self, path, last, rng, stop):
        super().__init__(daemon=True)
        self.path = path
        self.last = dict(last)
        self.rng = rng
        self.stop = stop
        self.saves = 0
        # What was saved and was not in the file when that was edited next.
        self.missed = []
        self.error = None

    def run(self):
        end = "\\n" if self.path.suffix == ".ipynb" else "\n"
        try:
            while not self.stop.is_set():
                name = self.rng.choice("abc")
                style = self.rng.choice([in_place, in_place_durable, rename_over])
                text = self.path.read_text()
                old, new = self.last[name], self.last[name] + 1
                if text.count(f"{name} = {old}{end}") != 1:
                    # As somebody who looks at it: what is there is what is edited.
                    self.missed.append((name, old))
                    old = int(re.search(rf"\b{name} = (\d+)", text)[1])
                self.last[name] = new
                save(self.path, text.replace(f"{name} = {old}{end}", f"{name} = {new}{end}", 1), style)
                self.saves += 1
                self.stop.wait(self.rng.random() * 0.02)
        except Exception as error:
            self.error = error


@proof
def kills(report, args):
    """Each notebook is edited in one replica, while the daemon is killed and started. Then all
    replicas must agree, and have what was saved last.

    A save that comes at the very moment of a write, of which the daemon is then killed before it has looked
    at what it replaced, need only be in the history.
    """
    folder = scratch("proofs-kills")
    root = folder / "notebooks"
    root.mkdir()
    home = Home(folder / "home")
    rng = random.Random(args.seed)
    saves = rounds = n_lost = n_conflicts = n_kept = 0
    while rounds < args.kills and n_lost == 0:
        names = [f"n{rounds}-{no}" for no in range(4)]
        for name in names:
            write_notebook(root / f"{name}.ipynb")
        home.run("sync", root=root)
        stop = threading.Event()
        writers = {}
        for name in names:
            format = rng.choice(["ipynb", "percent", "marimo"])
            path = root / f"{name}.ipynb" if format == "ipynb" else shadow(root, name, format)
            first = {"a": 1, "b": 2, "c": 3}
            writers[name] = Writer(path, first, random.Random(rng.random()), stop)
        for writer in writers.values():
            writer.start()
        for _ in range(min(25, args.kills - rounds)):
            # Also in the middle of its start.
            daemon = Daemon(root, home, log=folder / "daemon.log", wait=False)
            daemon.wait_for("scanning")
            # No synchronisation: the moment is meant to be any.
            time.sleep(rng.random() * 0.3)
            daemon.kill()
            rounds += 1
        stop.set()
        for writer in writers.values():
            writer.join()
            saves += writer.saves
            report.check(writer.error is None, "kills: editors can edit", repr(writer.error))
        problems = []
        with Daemon(root, home, log=folder / "daemon.log") as daemon:
            for it in daemon.flush()["out_of_sync"]:
                n_conflicts += it["state"] == "conflict"
                if it["state"] != "conflict":
                    problems.append(f"{it['source']} is {it['state']}: {it.get('reason')}")
            daemon.stop()
        for name, writer in writers.items():
            texts = {}
            for path, format in replicas(root, f"{name}.ipynb"):
                texts[path] = path.read_text()
                found = values(path, format)
                agreed = values(root / f"{name}.ipynb", "ipynb")
                if found != agreed:
                    problems.append(f"{path.name} has {found}, the source {agreed}")
            for variable, value in [*writer.last.items(), *writer.missed]:
                pattern = re.compile(rf"\b{variable} = {value}\b")
                if all(pattern.search(text) for text in texts.values()):
                    continue
                if is_kept(home, root, f"{name}.ipynb", pattern):
                    n_kept += 1
                else:
                    problems.append(f"{name}: {variable} = {value} is lost")
        left = [it.name for it in root.rglob("*") if it.name.endswith(".tmp")]
        problems += [f"left behind: {left}"] if left else []
        n_lost += bool(problems)
        report.check(not problems, f"kills: round {rounds}, seed {args.seed}", "\n".join(problems))
    home.close()
    report.note(
        f"kills: {rounds} rounds, {saves} saves, {n_conflicts} conflicts, {n_kept} only in the history, LOST={n_lost}"
    )


def is_kept(home, root, notebook, pattern):
    """Whether a text is in the history, or waits to go there."""
    waiting = (root / "__marimo__" / "nbsync" / ".displaced").glob("*.kept")
    if any(pattern.search(path.read_text("utf-8", "replace")) for path in waiting):
        return True
    for version in home.json("log", root / notebook, root=root)["versions"]:
        shown = home.run("show", f"{root / notebook}@{version['id']}", root=root).stdout
        if pattern.search(shown.decode("utf-8", "replace")):
            return True
    return False


if __name__ == "__main__":
    main()
