#!/usr/bin/env python3
"""What nbsync does when something looks like an accident, on the real file system.

`ROWS` is every bad input that the design names, with where it is tested. `main` checks that each
place is there, and runs those that are here.
"""

import errno
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import unicodedata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import faults
from faults import Place, edit, shadow, snapshot, values
from support.notebooks import write_notebook
from support.daemon import PATIENCE, Daemon, Failure, Home
from support.editors import in_place, rename_over, save
from support.report import Report
from support.users import as_nobody

SOURCE = Path(__file__).resolve().parents[2]

# Each row: what happens, and the tests of it. `here:` and `faults:` are groups of this file and of
# faults.py; anything else is a function in a file of the sources.
ROWS = {
    "symlink loop, link to a folder": ["faults:odd-files", "daemon/src/walk/tests.rs"],
    "symlink out of the root": ["faults:odd-files", "daemon/src/disk/tests/refuse.rs"],
    "folder swapped for a link during work": ["daemon/src/disk/tests/refuse.rs"],
    "path traversal in metadata": ["daemon/src/sync/pairing/paths.rs"],
    "huge file": ["faults:huge-file"],
    "deep JSON": ["faults:bad-input"],
    "deep Python, long lines": ["faults:deep-python"],
    "no UTF-8": ["faults:bad-input", "faults:bad-scripts"],
    "odd names, terminal escapes": ["here:odd-names", "cli/src/ui.rs"],
    "FIFO, folder or socket named as a notebook": ["faults:odd-files", "here:odd-names"],
    "unreadable file, read-only folder": ["faults:odd-files", "here:permissions"],
    "immutable file": ["here:immutable"],
    "hard links": ["here:hard-links", "daemon/src/disk/tests/replace.rs"],
    "full disk, file size limit": ["faults:full-disk", "faults:file-size-limit"],
    "no watches or descriptors left": ["here:limits", "daemon/src/watch/tests.rs"],
    "lost events": ["daemon/src/engine/tests/edits.rs", "daemon/src/watch/tests.rs"],
    "clock jumps, times put back": ["here:times"],
    "two names that differ in case or normalisation": ["here:odd-names"],
    "tool folders": ["daemon/src/walk/tests.rs"],
    "git at work, checkout of many files": ["here:git", "daemon/src/git.rs"],
    "branch switch changes both sides": ["here:git"],
    "folder or notebook renamed or moved": ["here:renames", "daemon/src/engine/tests/renames.rs"],
    "editor that has an old text, and a restart": ["here:old-text", "daemon/src/engine/tests/edits.rs"],
    "deleted shadow": ["daemon/src/engine/tests/holds.rs"],
    "deleted source, mass deletion": ["here:mass-deletion", "daemon/src/engine/tests/holds.rs"],
    "rm -rf during the first scan": ["here:removal-in-scan"],
    "rm -rf": ["here:removal", "daemon/src/engine/tests/renames.rs"],
    "delete and create": ["daemon/src/engine/tests/holds.rs"],
    "emptied or vanished root, unmounted": ["here:vanished-root", "here:unmounted"],
    "merge markers": ["faults:bad-input", "faults:bad-scripts"],
    "half a file, a file that shrank to nothing": ["faults:bad-input", "daemon/src/engine/tests/holds.rs"],
    "JSON that is no notebook, nbformat 3": ["faults:bad-input"],
    "script that is no notebook": ["faults:odd-files"],
    "two daemons on one root": ["faults:second-daemon"],
    "nested roots": ["here:nested-roots"],
    "two tools that fight": ["here:fights", "daemon/src/engine/tests/fights.rs"],
    "store damaged or lost": ["faults:damaged-store", "daemon/src/store/tests/damage.rs"],
    "killed or power cut in a write": ["faults:crashes", "daemon/src/disk/tests/crash.rs"],
    "too many cells, long lines": ["here:caps", "faults:deep-python"],
    "socket abuse": ["here:socket-abuse", "daemon/src/control/tests.rs"],
    "panic in one pairing": ["daemon/src/engine/tests/panics.rs"],
}

GROUPS = {}


def group(function):
    GROUPS[function.__name__.replace("_", "-")] = function
    return function


def main():
    report = Report()
    for row, places in ROWS.items():
        for place in places:
            known = {"here": GROUPS, "faults": faults.GROUPS}
            kind, _, name = place.partition(":")
            there = name in known[kind] if kind in known else (SOURCE / place).is_file()
            report.check(there, f"rows: {row}: {place} is there")
    for name in sys.argv[1:] or GROUPS:
        place = Place(report, f"guards-{name}", None)
        try:
            GROUPS[name](place)
        except Exception as error:
            report.check(False, f"{name}: comes to its end", repr(error))
        finally:
            place.close()
    report.finish()


def wait_until(found, what, patience=PATIENCE):
    """Waits for something that no command can be asked to wait for."""
    deadline = time.monotonic() + patience
    while not found():
        if time.monotonic() > deadline:
            raise Failure(f"{what} within {patience:.0f} s")
        time.sleep(0.01)


def script(path, **values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(f"# %%\n{name} = {value}" for name, value in values.items()) + "\n")


def give_output(root, source):
    """Gives the ipynb shadow of a script an output, which only it and the base can hold."""
    path = shadow((root / source).parent, Path(source).stem, "ipynb")
    notebook = json.loads(path.read_text())
    notebook["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["kept\n"]}]
    save(path, json.dumps(notebook, indent=1) + "\n")


def has_output(root, source):
    path = shadow((root / source).parent, Path(source).stem, "ipynb")
    return path.exists() and '"kept\\n"' in path.read_text()


# --- renames ---------------------------------------------------------------------------------


@group
def renames(place):
    root = place.root
    script(root / "a.py", a=1, b=2)
    script(root / "other.py", k=1)
    for no in range(200):
        script(root / "many" / f"n{no:03}.py", a=no)
    with place.daemon() as daemon:
        daemon.flush()
        give_output(root, "a.py")
        give_output(root, "many/n007.py")
        daemon.flush()
        now = "a.py"
        (root / "sub").mkdir()
        moves = [
            ("renamed", "b.py"),
            ("in another case", "B.py"),
            ("moved", "sub/c.py"),
            ("moved to a new folder", "new/er/d.py"),
            ("moved back", "a.py"),
        ]
        for what, to in moves:
            (root / to).parent.mkdir(parents=True, exist_ok=True)
            os.rename(root / now, root / to)
            daemon.flush()
            check_move(place, daemon, what, now, to)
            now = to
        # Renamed and edited at once, in both ways to save.
        for style, value in ((in_place, 10), (rename_over, 11)):
            to = f"edited-{value}.py"
            os.rename(root / now, root / to)
            if style is in_place:
                edit(root / to, "b = 2", f"b = {value}", style)
                daemon.flush()
                check_move(place, daemon, "renamed and edited", now, to)
                text = shadow(root, Path(to).stem, "marimo").read_text()
                place.check(f"b = {value}" in text, "the edit is in the shadow", text)
                now = to
            else:
                daemon.flush()
                edit(root / to, "b = 10", f"b = {value}", style)
                daemon.flush()
                check_move(place, daemon, "renamed, and saved by rename", now, to)
                now = to
        # A copy is a notebook of its own.
        shutil.copy(root / now, root / "copy.py")
        daemon.flush()
        place.state(daemon, now, "synced")
        place.check(has_output(root, now) and not has_output(root, "copy.py"), "a copy is no rename")
        # The inode of a deleted file goes to the next new one.
        inode = (root / "copy.py").stat().st_ino
        give_output(root, "copy.py")
        daemon.flush()
        os.unlink(root / "copy.py")
        script(root / "fresh.py", q=1)
        place.report.note(f"inode given anew: {(root / 'fresh.py').stat().st_ino == inode}")
        daemon.flush()
        place.check(not has_output(root, "fresh.py"), "a new file with an old inode is new")
        # Over another notebook.
        os.rename(root / now, root / "other.py")
        daemon.flush()
        check_move(place, daemon, "renamed over another", now, "other.py")
        now = "other.py"
        # A shadow.
        path = shadow(root, "other", "ipynb")
        os.rename(path, path.with_name("mine.ipynb"))
        daemon.flush()
        place.check(has_output(root, now), "a renamed shadow is made again")
        # A folder with 200 notebooks.
        os.rename(root / "many", root / "moved")
        daemon.flush()
        status = daemon.status()
        moved = [it for it in status if it.startswith("moved/") and status[it]["state"] == "synced"]
        place.check(len(moved) == 200, "all of a renamed folder is in sync", len(moved))
        place.check(not any(it.startswith("many/") for it in status), "and nothing is left of it")
        place.check(has_output(root, "moved/n007.py"), "outputs go along with a folder")
        states = [it for it in daemon.events if it["event"] == "state" and it["state"] == "halted"]
        place.check(not states, "it does not halt", states)
        edit(shadow(root / "moved", "n199", "marimo"), "a = 199", "a = 1990")
        daemon.flush()
        place.check("a = 1990" in (root / "moved" / "n199.py").read_text(), "edits travel there")
        # Out of the root and back, for longer than any grace.
        os.rename(root / now, place.folder / "away.py")
        wait_until(lambda: not shadow(root, "other", "ipynb").exists(), "its shadows go")
        os.rename(place.folder / "away.py", root / "back.py")
        daemon.flush()
        place.check(has_output(root, "back.py"), "what comes back has its outputs")
        daemon.stop()
    # While no daemon runs.
    os.rename(root / "back.py", root / "down.py")
    os.rename(root / "moved", root / "while-down")
    before = {it.name: it.read_bytes() for it in root.rglob("*.marimo.py")}
    with place.daemon() as daemon:
        daemon.flush()
        place.check(has_output(root, "down.py"), "renamed while no daemon ran")
        place.check(has_output(root, "while-down/n007.py"), "as was its folder")
        after = {it.name: it.read_bytes() for it in root.rglob("*.marimo.py")}
        del before["back.marimo.py"], after["down.marimo.py"]
        place.check(before == after, "no shadow was written anew")
        # git moves as well.
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(root)]
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "add", "down.py"], check=True)
        subprocess.run([*git, "commit", "-qm", "one"], check=True)
        subprocess.run([*git, "mv", "down.py", "by-git.py"], check=True)
        daemon.flush()
        check_move(place, daemon, "git mv", "down.py", "by-git.py")
        subprocess.run([*git, "commit", "-qam", "two"], check=True)
        subprocess.run([*git, "checkout", "-q", "HEAD~"], check=True)
        daemon.flush()
        check_move(place, daemon, "git checkout", "by-git.py", "down.py")
        place.check(daemon.stop() == 0, "the daemon exits 0")


def check_move(place, daemon, what, old, new):
    root = place.root
    status = daemon.status()
    place.check(status.get(new, {}).get("state") == "synced", f"{what}: in sync", status.get(new))
    place.check(old not in status, f"{what}: nothing is left of it")
    place.check(has_output(root, new), f"{what}: the outputs go along")
    left = [it for it in ("ipynb", "marimo") if shadow((root / old).parent, Path(old).stem, it).exists()]
    place.check(not left, f"{what}: no shadow stays behind", left)


@group
def removal(place):
    """`rm -rf` of a folder succeeds, and nothing appears in it again."""
    root = place.root
    # So many that no folder is most of what there is.
    for no in range(30):
        write_notebook(root / f"stays{no}.ipynb")
    with place.daemon() as daemon:
        for no in range(20):
            folder = root / f"f{no}"
            for name in range(8):
                write_notebook(folder / f"n{name}.ipynb")
            (folder / "data").mkdir()
            daemon.flush()
            if no % 2:
                edit(shadow(folder, "n1", "percent"), "a = 1", "a = 10")
                daemon.flush()
            if no % 4 == 3:
                # Shadows first, slowly, as a large tree takes.
                for path in sorted((folder / "__marimo__" / "nbsync").glob("n*")):
                    path.unlink(missing_ok=True)
                    time.sleep(0.03)
            res = subprocess.run(["rm", "-rf", str(folder)], capture_output=True, text=True)
            place.check(res.returncode == 0, f"rm -rf, {no}", res.stderr)
            place.check(not folder.exists(), f"the folder is gone, {no}")
        daemon.flush()
        wait_until(lambda: len(daemon.status()) == 30, "the notebooks are forgotten")
        left = [str(it) for it in root.glob("f*")]
        place.check(not left, "nothing is made again", left)
        place.state(daemon, "stays0.ipynb", "synced")
        place.check(daemon.stop() == 0, "the daemon exits 0")


@group
def removal_in_scan(place):
    """`rm -rf` of everything in the root, or of the root, while shadows are being made for the
    first time."""
    for what, n_made in (("content", 0), ("content", 100), ("root", 0), ("root", 100)):
        root = place.folder / f"{what}-{n_made}"
        for no in range(300):
            write_notebook(root / f"d{no // 20}" / f"n{no % 20}.ipynb")
        away = place.folder / f"away-{what}-{n_made}"
        shutil.copytree(root, away)
        log = place.folder / f"{root.name}.log"
        with Daemon(root, place.home, log=log, wait=False) as daemon:
            daemon.wait_for("scanning")
            if n_made:
                shadows = lambda: sum(1 for _ in root.glob("d*/__marimo__/nbsync/n*.py"))
                wait_until(lambda: shadows() >= n_made, "shadows are made")
            targets = [root] if what == "root" else list(root.iterdir())
            # What is made in a folder that rm has read already is in its way, so it may say so.
            removed = ["rm", "-rf", *map(str, targets)]
            subprocess.run(removed, capture_output=True)
            halted = daemon.wait_for("state", where=lambda it: it["state"] == "halted")
            words = r"\d+ of \d+ notebooks are gone at once.*`nbsync resume`|the folder `.*` is gone"
            place.check(re.search(words, halted["reason"]), f"{root.name}: it halts and says why", halted)
            res = subprocess.run(removed, capture_output=True, text=True)
            place.check(res.returncode == 0, f"{root.name}: then all can be removed", res.stderr)
            if what == "content":
                place.home.run("sync", root=root)
                said = place.home.json("status", root=root)["daemon"]
                place.check(said["state"] == "halted", f"{root.name}: the status says so", said)
                left = [str(it) for it in root.rglob("*")]
                place.check(not left, f"{root.name}: nothing is made again", left[:5])
                shutil.copytree(away, root, dirs_exist_ok=True)
                daemon.wait_for("state", where=lambda it: it["state"] == "watching")
                daemon.flush()
                status = daemon.status()
                bad = [it for it in status.values() if it["state"] != "synced"]
                place.check(len(status) == 300 and not bad, f"{root.name}: back, it goes on", bad[:3])
            place.check(daemon.stop() == 0, f"{root.name}: the daemon exits 0")
        place.check(what == "content" or not root.exists(), f"{root.name}: it is not made again")
        place.check("panicked" not in log.read_text(), f"{root.name}: nothing panicked")


@group
def old_text(place):
    """An editor that had loaded a notebook before an update saves it when another process watches."""
    root = place.root
    for name in ("while-it-runs.ipynb", "while-it-does-not.ipynb", "killed.ipynb"):
        write_notebook(root / name)
    loaded = {}

    def update(daemon, name):
        daemon.flush()
        path = shadow(root, name, "percent")
        loaded[name] = path.read_text()
        edit(root / f"{name}.ipynb", "b = 2", "b = 20")
        daemon.flush()
        place.check("b = 20" in path.read_text(), f"{name}: an update arrives")

    def save_old(name):
        save(shadow(root, name, "percent"), loaded[name].replace("c = 3", "c = 30"))

    def check(name):
        for format in ("ipynb", "percent", "marimo"):
            path = root / f"{name}.ipynb" if format == "ipynb" else shadow(root, name, format)
            found, wanted = values(path, format), {"a": 1, "b": 20, "c": 30}
            place.check(found == wanted, f"{name}: {format} has both", found)

    with place.daemon() as daemon:
        update(daemon, "while-it-runs")
        update(daemon, "while-it-does-not")
        place.check(daemon.stop() == 0, "the daemon exits 0")
    save_old("while-it-does-not")
    with place.daemon() as daemon:
        save_old("while-it-runs")
        daemon.flush()
        check("while-it-runs")
        check("while-it-does-not")
        update(daemon, "killed")
        daemon.kill()
    with place.daemon() as daemon:
        daemon.flush()
        save_old("killed")
        daemon.flush()
        check("killed")
        place.check(daemon.stop() == 0, "the daemon exits 0")


# --- fights ----------------------------------------------------------------------------------


FIGHTER = textwrap.dedent("""
    import sys, time
    path, wrong, right = sys.argv[1:]
    while True:
        try:
            text = open(path).read()
        except OSError:
            text = ""
        if wrong in text:
            open(path, "w").write(text.replace(wrong, right))
        time.sleep(0.005)
""")


@group
def fights(place):
    root = place.root
    write_notebook(root / "nb.ipynb")
    write_notebook(root / "fast.ipynb")
    fighters = []

    def start(path, wrong, right):
        command = [sys.executable, "-c", FIGHTER, str(path), wrong, right]
        fighters.append(subprocess.Popen(command))

    place.on_close.append(lambda: [it.kill() for it in fighters])
    with place.daemon() as daemon:
        daemon.flush()
        percent = shadow(root, "nb", "percent")
        marimo = shadow(root, "nb", "marimo")
        start(percent, "a = 1\n", "a=1\n")
        start(marimo, "a=1\n", "a = 1\n")
        held = daemon.wait_for("held", where=lambda it: it["notebook"] == "nb.ipynb")
        words = ["two programs", percent.name, marimo.name, "nbsync resume nb.ipynb"]
        words += [f"process {it.pid}" for it in fighters]
        for word in words:
            place.check(word in held["reason"], f"the reason has {word!r}", held["reason"])
        n_turns = sum(it["event"] == "propagated" for it in daemon.events)
        place.check(n_turns < 40, "it took a few rounds", n_turns)
        place.state(daemon, "nb.ipynb", "held", "two programs")
        # Somebody who saves fast is no fight.
        for no in range(100):
            edit(shadow(root, "fast", "percent"), f"a = {no + 1}\n", f"a = {no + 2}\n")
        place.state(daemon, "fast.ipynb", "synced")
        place.check("a = 101" in (root / "fast.ipynb").read_text(), "all of it arrived")
        for fighter in fighters:
            fighter.kill()
            fighter.wait()
        res = place.home.run("resume", str(root / "nb.ipynb"), root=root)
        place.check(res.returncode == 0, "resume NOTEBOOK", res.stderr)
        place.state(daemon, "nb.ipynb", "synced")
        edit(root / "nb.ipynb", "b = 2", "b = 20")
        daemon.flush()
        place.check("b = 20" in marimo.read_text(), "and it goes on")
        place.check(daemon.stop() == 0, "the daemon exits 0")


# --- halts -----------------------------------------------------------------------------------


@group
def mass_deletion(place):
    root = place.root
    names = [f"n{no}.ipynb" for no in range(8)]
    for name in names:
        write_notebook(root / name)
    kept = {name: (root / name).read_bytes() for name in names}
    with place.daemon() as daemon:
        daemon.flush()
        for name in names[:6]:
            (root / name).unlink()
        halted = daemon.wait_for("state", where=lambda it: it["state"] == "halted")
        for word in ("of 8 notebooks are gone at once", "nbsync resume"):
            place.check(word in halted["reason"], f"the reason has {word!r}", halted)
        place.home.run("sync", root=root)
        status = lambda: place.home.json("status", root=root)["daemon"]
        wait_until(lambda: "6 of 8 notebooks" in (status()["reason"] or ""), "the status counts all")
        place.check(status()["state"] == "halted", "and says that it halted", status())
        place.check(len(list((root / "__marimo__/nbsync").glob("n*"))) == 16, "all shadows are there")
        for name in names[:6]:
            (root / name).write_bytes(kept[name])
        place.home.run("sync", root=root)
        wait_until(
            lambda: place.home.json("status", root=root)["daemon"]["state"] == "watching",
            "it goes on when they are back",
        )
        for name in names[:6]:
            (root / name).unlink()
        daemon.wait_for("state", where=lambda it: it["state"] == "halted")
        place.home.run("resume", root=root, check=0)
        for _ in range(6):
            daemon.wait_for("unpaired")
        place.check(len(list((root / "__marimo__/nbsync").glob("n*"))) == 4, "resume means it")
        place.check(daemon.stop() == 0, "the daemon exits 0")


@group
def vanished_root(place):
    """The root is renamed away, emptied by that, and comes back."""
    root = place.root
    for no in range(3):
        write_notebook(root / f"n{no}.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        before = snapshot(root)
        away = place.folder / "away"
        os.rename(root, away)
        halted = daemon.wait_for("state", where=lambda it: it["state"] == "halted")
        place.check("is gone" in halted["reason"], "it halts and says so", halted)
        # Somebody makes an empty folder there, as a mount point is.
        root.mkdir()
        place.home.run("sync", root=root)
        said = place.home.json("status", root=root)["daemon"]
        place.check(said["state"] == "halted", "another folder in its place is no root", said)
        place.check(not list(root.iterdir()), "nothing is made there", list(root.iterdir()))
        root.rmdir()
        os.rename(away, root)
        daemon.wait_for("state", where=lambda it: it["state"] == "watching")
        daemon.flush()
        place.check(snapshot(root) == before, "nothing was lost or written")
        edit(shadow(root, "n1", "percent"), "a = 1", "a = 10")
        place.home.run("sync", root=root)
        place.check("a = 10" in (root / "n1.ipynb").read_text(), "and it goes on")
        place.check(daemon.stop() == 0, "the daemon exits 0")


@group
def unmounted(place):
    """A part of the tree is a file system of its own, and goes."""
    if os.geteuid() != 0:
        place.report.skip("unmounted", "only root can mount")
        return
    root = place.root
    mounted = root / "mounted"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(mounted)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        place.report.skip("unmounted", "no mount here")
        return
    place.on_close.append(lambda: subprocess.run(["umount", "-l", str(mounted)], capture_output=True))
    write_notebook(root / "n.ipynb")
    for no in range(6):
        write_notebook(mounted / f"n{no}.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        # What is mounted over it hides it as an unmount does, and it can come back.
        cover = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mounted)]
        subprocess.run(cover, check=True)
        place.home.run("sync", root=root)
        said = place.home.json("status", root=root)["daemon"]
        place.check(said["state"] == "halted" and "6 of 7" in said["reason"], "it halts", said)
        place.check(not list(mounted.iterdir()), "nothing is made there", list(mounted.iterdir()))
        subprocess.run(["umount", str(mounted)], check=True)
        wait_until(
            lambda: place.home.json("status", root=root)["daemon"]["state"] == "watching",
            "it goes on when it is mounted again",
        )
        daemon.flush()
        states = {it["state"] for it in daemon.status().values()}
        place.check(states == {"synced"}, "all are in sync", daemon.status())
        place.check(daemon.stop() == 0, "the daemon exits 0")


@group
def git(place):
    root = place.root
    names = [f"n{no:04}.py" for no in range(2000)]
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(root)]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    for no, name in enumerate(names):
        script(root / name, a=no, b=2)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    subprocess.run([*git, "checkout", "-qb", "other"], check=True)
    for name in names:
        path = root / name
        path.write_text(path.read_text().replace("b = 2", "b = 3"))
    subprocess.run([*git, "commit", "-qam", "two"], check=True)
    with place.daemon() as daemon:
        daemon.flush()
        give_output(root, names[0])
        daemon.flush()
        # A lock that somebody holds.
        (root / ".git" / "index.lock").write_text("")
        edit(shadow(root, "n0001", "marimo"), "a = 1", "a = 100")
        wait_until(
            lambda: daemon.status()["n0001.py"]["state"] == "pending", "an edit waits for git"
        )
        reason = daemon.status()["n0001.py"]["reason"]
        place.check("a git command is running" in reason, "and the status says so", reason)
        place.check("a = 100" not in (root / "n0001.py").read_text(), "nothing is written meanwhile")
        (root / ".git" / "index.lock").unlink()
        daemon.flush()
        place.check("a = 100" in (root / "n0001.py").read_text(), "then it arrives")
        subprocess.run([*git, "checkout", "-q", "--", "."], check=True)
        # Thousands of files at once.
        subprocess.run([*git, "checkout", "-q", "main"], check=True)
        daemon.flush()
        status = daemon.status()
        bad = [it for it in status.values() if it["state"] != "synced"]
        place.check(len(status) == 2000 and not bad, "all are in sync after a checkout", bad[:3])
        texts = [shadow(root, Path(it).stem, "marimo").read_text() for it in names[::100]]
        place.check(all("b = 2" in it for it in texts), "and have what was checked out")
        clean = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True)
        place.check(clean.stdout == "", "git sees no change", clean.stdout[:300])
        place.check(has_output(root, names[0]), "outputs are still there")
        # Another branch has not what has just arrived, and something else: that is no stale editor.
        edit(shadow(root, "n0001", "marimo"), "a = 1", "a = 7")
        daemon.flush()
        subprocess.run([*git, "commit", "-qam", "seven"], check=True)
        subprocess.run([*git, "checkout", "-q", "other"], check=True)
        daemon.flush()
        clean = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True)
        place.check(clean.stdout == "", "git sees no change on another branch", clean.stdout[:300])
        text = shadow(root, "n0001", "marimo").read_text()
        place.check("a = 1\n" in text and "b = 3" in text, "whose text is in the copies", text)
        subprocess.run([*git, "checkout", "-q", "main"], check=True)
        daemon.flush()
        # A merge with markers, until it is done.
        save(root / names[5], (root / names[5]).read_text().replace("b = 2", "b = 4"))
        subprocess.run([*git, "commit", "-qam", "three"], check=True)
        daemon.flush()
        merge = subprocess.run([*git, "merge", "-q", "other"], capture_output=True)
        place.check(merge.returncode != 0, "the merge has a conflict", merge.stdout)
        wait_until(
            lambda: "a git merge is going on" in (daemon.status()[names[5]].get("reason") or ""),
            "the status says that a merge is going on",
        )
        text = shadow(root, "n0005", "marimo").read_text()
        place.check("b = 4" in text and "<<<<" not in text, "markers do not travel", text)
        subprocess.run([*git, "merge", "--abort"], check=True)
        daemon.flush()
        place.state(daemon, names[5], "synced")
        place.check(daemon.stop() == 0, "the daemon exits 0")


# --- names, permissions, limits --------------------------------------------------------------


@group
def odd_names(place):
    root = place.root
    names = [
        "caf\u00e9",
        unicodedata.normalize("NFD", "caf\u00e9"),
        "case",
        "CASE",
        "with space",
        "a\x1b[2Jb",
        "new\nline",
        "quote'\"",
        "-dash",
        "%s{}$(x)",
    ]
    for no, name in enumerate(names):
        script(root / f"{name}.py", a=no)
    (root / os.fsdecode(b"bad\xff.py")).write_text("# %%\na = 1\n")
    listening = socket.socket(socket.AF_UNIX)
    os.chdir(root)
    listening.bind("socket.ipynb")
    os.chdir(SOURCE)
    with place.daemon() as daemon:
        daemon.flush()
        status = daemon.status()
        for no, name in enumerate(names):
            found = status.get(f"{name}.py")
            place.check(found and found["state"] == "synced", f"{name!r} is in sync", found)
            path = shadow(root, name, "marimo")
            place.check(path.exists(), f"{name!r} has a shadow of the same spelling")
            edit(path, f"a = {no}", f"a = {no}00")
        daemon.flush()
        for no, name in enumerate(names):
            text = (root / f"{name}.py").read_text()
            place.check(f"a = {no}00" in text, f"an edit of {name!r} arrives", text)
        place.check("socket.ipynb" not in status or status["socket.ipynb"]["state"] == "held", "a socket is left alone")
        for command in (["status"], ["flush"], ["sync", "--check"], ["-v", "status"]):
            res = place.home.run(*command, root=root)
            place.check(b"\x1b[2J" not in res.stdout + res.stderr, f"{command}: no escape gets out")
            place.check(b"new\nline" not in res.stdout + res.stderr, f"{command}: no line break either")
        place.check(daemon.stop() == 0, "the daemon exits 0")
    listening.close()


@group
def permissions(place):
    """Files and folders that may not be read or written, by a user who is not root."""
    if os.geteuid() == 0:
        as_nobody(place, permissions)
        return
    root = place.root
    names = ("shut/nb.ipynb", "closed.ipynb", "unreadable.ipynb", "fine.ipynb")
    for name in names:
        write_notebook(root / name)
    os.chmod(root / "shut", 0o555)
    os.chmod(root / "closed.ipynb", 0)
    place.on_close.append(lambda: os.chmod(root / "shut", 0o755))
    with place.daemon() as daemon:
        place.state(daemon, "shut/nb.ipynb", "held", "permission")
        place.state(daemon, "closed.ipynb", "held", "permission")
        place.state(daemon, "unreadable.ipynb", "synced")
        before = (root / "unreadable.ipynb").read_bytes()
        os.chmod(root / "unreadable.ipynb", 0)
        edit(shadow(root, "unreadable", "percent"), "a = 1", "a = 10")
        place.state(daemon, "unreadable.ipynb", "held", "permission")
        edit(shadow(root, "fine", "percent"), "a = 1", "a = 10")
        place.state(daemon, "fine.ipynb", "synced")
        place.check("a = 10" in (root / "fine.ipynb").read_text(), "another notebook goes on")
        os.chmod(root / "unreadable.ipynb", 0o644)
        kept = (root / "unreadable.ipynb").read_bytes()
        place.check(kept == before or b"a = 10" in kept, "what could not be read is as it was", kept)
        os.chmod(root / "shut", 0o755)
        os.chmod(root / "closed.ipynb", 0o644)
        place.home.run("sync", root=root)
        for name in names:
            place.state(daemon, name, "synced")
        place.check("a = 10" in (root / "unreadable.ipynb").read_text(), "then the edit arrives")
        place.check(daemon.stop() == 0, "the daemon exits 0")


@group
def immutable(place):
    root = place.root
    write_notebook(root / "nb.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        path = root / "nb.ipynb"
        if subprocess.run(["chattr", "+i", str(path)], capture_output=True).returncode != 0:
            place.report.skip("immutable", "no chattr here, or not root")
            return
        place.on_close.append(lambda: subprocess.run(["chattr", "-i", str(path)], capture_output=True))
        before = path.read_bytes()
        edit(shadow(root, "nb", "percent"), "a = 1", "a = 10")
        place.state(daemon, "nb.ipynb", "held", "permission|permitted")
        place.check(path.read_bytes() == before, "it is as it was")
        left = [it.name for it in root.rglob("*.tmp")]
        place.check(not left, "no temporary file is left", left)
        subprocess.run(["chattr", "-i", str(path)], check=True)
        daemon.flush()
        place.state(daemon, "nb.ipynb", "synced")
        place.check("a = 10" in path.read_text(), "the edit arrives when it may be written")
        place.check(daemon.stop() == 0, "the daemon exits 0")


@group
def hard_links(place):
    root = place.root
    write_notebook(root / "nb.ipynb")
    os.link(root / "nb.ipynb", place.folder / "link.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        edit(shadow(root, "nb", "percent"), "a = 1", "a = 10")
        place.state(daemon, "nb.ipynb", "synced")
        place.check("a = 10" in (place.folder / "link.ipynb").read_text(), "both names have the edit")
        place.check((root / "nb.ipynb").stat().st_nlink == 2, "and are still one file")
        # Through the other name, of which no event tells.
        edit(place.folder / "link.ipynb", "b = 2", "b = 20")
        daemon.flush()
        place.check("b = 20" in shadow(root, "nb", "marimo").read_text(), "an edit of the other name arrives")
        place.check(daemon.stop() == 0, "the daemon exits 0")


@group
def times(place):
    """Times of long ago and of tomorrow change nothing; only contents count."""
    root = place.root
    write_notebook(root / "nb.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        before = snapshot(root)
        for when in (0, 4_000_000_000, 1_000_000_000):
            for path in before:
                os.utime(path, (when, when))
            daemon.flush()
            place.check(snapshot(root) == before, f"a time of {when} changes nothing")
        path = shadow(root, "nb", "percent")
        stat = path.stat()
        edit(path, "a = 1", "a = 7")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        daemon.flush()
        place.check("a = 7" in (root / "nb.ipynb").read_text(), "an edit of the same size and time arrives")
        place.check(daemon.stop() == 0, "the daemon exits 0")


@group
def limits(place):
    """Few descriptors, and no inotify watches."""
    root = place.root
    for no in range(60):
        write_notebook(root / f"d{no}" / "nb.ipynb")

    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    with place.daemon(prepare=few_files) as daemon:
        daemon.flush()
        status = daemon.status()
        bad = [it for it in status.values() if it["state"] != "synced"]
        place.check(len(status) == 60 and not bad, "with 40 descriptors all are in sync", bad[:3])
        for no in range(60):
            edit(shadow(root / f"d{no}", "nb", "percent"), "a = 1", "a = 10")
        daemon.flush()
        missing = [no for no in range(60) if "a = 10" not in (root / f"d{no}" / "nb.ipynb").read_text()]
        place.check(not missing, "and edits travel", missing)
        place.check(daemon.stop() == 0, "the daemon exits 0")


@group
def caps(place):
    """A notebook of very many cells, and one with a very long line, cost time but no other edit.
    With more of either they are held."""
    root = place.root
    write_notebook(root / "fine.ipynb")

    def many(n):
        return "\n\n".join(f"# %%\nv{no} = {no}" for no in range(n)) + "\n"

    def long(n):
        return "# %%\na = 1\n\n# %%\nx = '" + "y" * n + "'\n"

    (root / "many.py").write_text(many(20_000))
    (root / "long.py").write_text(long(9 << 20))
    (root / "too-many.py").write_text(many(50_001))
    (root / "too-long.py").write_text(long(10 << 20))
    (root / "grows.py").write_text(many(5))
    with place.daemon() as daemon:
        daemon.flush()
        for name in ("many.py", "long.py", "grows.py"):
            place.state(daemon, name, "synced")
        place.state(daemon, "too-many.py", "held", "50001 cells", "split the notebook")
        place.state(daemon, "too-long.py", "held", "cell 2", "bytes", "10485760")
        made = [it.name for it in (root / "__marimo__/nbsync").glob("too-*")]
        place.check(not made, "nothing is made of what is too much", made)
        edit(shadow(root, "many", "marimo"), "v777 = 777\n", "v777 = 778\n")
        edit(shadow(root, "long", "ipynb"), "a = 1", "a = 10")
        edit(shadow(root, "fine", "percent"), "a = 1", "a = 10")
        daemon.flush()
        place.check("v777 = 778" in (root / "many.py").read_text(), "an edit in 20,000 cells arrives")
        place.check("a = 10" in (root / "long.py").read_text()[:100], "an edit beside 9 MiB arrives")
        place.check("a = 10" in (root / "fine.ipynb").read_text(), "as does one of another notebook")
        before = shadow(root, "grows", "marimo").read_bytes()
        save(root / "grows.py", many(50_001))
        place.state(daemon, "grows.py", "held", "50001 cells")
        kept = shadow(root, "grows", "marimo").read_bytes() == before
        place.check(kept, "a notebook that gets too many cells is left alone")
        save(root / "grows.py", many(6))
        place.state(daemon, "grows.py", "synced")
        place.check("v5 = 5" in shadow(root, "grows", "marimo").read_text(), "until it has fewer")
        place.check(daemon.stop() == 0, "the daemon exits 0")


@group
def nested_roots(place):
    root = place.root
    write_notebook(root / "team" / "nb.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        res = place.home.run("watch", root / "team", timeout=60)
        said = res.stderr.decode()
        place.check(res.returncode == 2, f"a root in a root is refused, found {res.returncode}", said)
        place.check(str(root) in said and str(daemon.process.pid) in said, "and it is said why", said)
        res = place.home.run("watch", place.folder, timeout=60)
        place.check(res.returncode == 2, f"a root above a root is, too, found {res.returncode}", res.stderr)
        place.state(daemon, "team/nb.ipynb", "synced")
        # One beside it is not.
        other = place.folder / "other"
        write_notebook(other / "nb.ipynb")
        with Daemon(other, place.home, log=place.folder / "other.log") as second:
            second.flush()
            place.check(second.stop() == 0, "a root beside it is fine")
        place.check(daemon.stop() == 0, "the daemon exits 0")
    with Daemon(root / "team", place.home, log=place.folder / "team.log") as daemon:
        daemon.flush()
        place.check(daemon.stop() == 0, "and so is it once the other has stopped")


@group
def socket_abuse(place):
    root = place.root
    write_notebook(root / "nb.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        (path,) = place.home.runtime.rglob("*.sock")
        mode = path.stat().st_mode & 0o777
        place.check(mode == 0o600, f"the socket is nobody else's, {mode:o}")
        place.check(path.parent.stat().st_mode & 0o077 == 0, "nor is its folder")
        for abuse in (
            b"\n" * 10,
            b"{" * 100_000 + b"\n",
            b"x" * (4 << 20),
            b'{"version":1,"command":"flush","paths":["/etc/passwd"]}\n',
            b'{"version":1,"command":"flush","paths":["' + str(root).encode() + b'/../x"]}\n',
            b'{"version":1,"command":"reboot"}\n',
            b"\xff\xfe\0\0\n",
        ):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(PATIENCE)
            client.connect(str(path))
            try:
                client.sendall(abuse)
                client.shutdown(socket.SHUT_WR)
                answer = client.recv(1 << 16)
            except OSError as error:
                answer = b"" if error.errno in (errno.EPIPE, errno.ECONNRESET) else repr(error).encode()
            place.check(answer == b"" or b'"error"' in answer, f"{abuse[:40]!r} is refused", answer[:200])
            client.close()
        idle = [socket.socket(socket.AF_UNIX) for _ in range(10)]
        for client in idle:
            client.connect(str(path))
        edit(shadow(root, "nb", "percent"), "a = 1", "a = 10")
        place.state(daemon, "nb.ipynb", "synced")
        for client in idle:
            client.close()
        place.check("a = 10" in (root / "nb.ipynb").read_text(), "and it goes on")
        place.check(daemon.stop() == 0, "the daemon exits 0")


if __name__ == "__main__":
    main()
