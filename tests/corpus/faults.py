#!/usr/bin/env python3
"""Bad input, full disks, damaged state and crashes, against the real daemon.

Whatever happens: `status` gives a reason, nothing bad travels, the daemon lives, and it goes on by
itself when the input is mended.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import views
from support.daemon import Daemon, Failure, Home, scratch
from support.editors import in_place, rename_over, save
from support.notebooks import write_notebook
from support.report import Report

GROUPS = {}


def group(function):
    GROUPS[function.__name__.replace("_", "-")] = function
    return function


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}; default all")
    parser.add_argument("--rounds", type=int, default=100, help="how often the daemon is killed")
    parser.add_argument("--seed", default=str(time.time_ns()), help="when it is killed")
    args = parser.parse_args()
    report = Report()
    report.note(f"seed {args.seed}")
    for name in args.groups or GROUPS:
        place = Place(report, name, args)
        try:
            GROUPS[name](place)
        except Exception as error:
            report.check(False, f"{name}: comes to its end", repr(error))
        finally:
            place.close()
    report.finish()


class Place:
    """A root, a home, and a prefix for the names of checks."""

    def __init__(self, report, name, args):
        self.report = report
        self.name = name
        self.args = args
        self.folder = scratch(f"faults-{name}")
        self.root = self.folder / "notebooks"
        self.root.mkdir()
        self.home = Home(self.folder / "home")
        self.on_close = []

    def close(self):
        for undo in reversed(self.on_close):
            undo()
        self.home.close()

    def check(self, ok, what, detail=""):
        return self.report.check(ok, f"{self.name}: {what}", detail)

    def daemon(self, **options):
        return Daemon(self.root, self.home, log=self.folder / "daemon.log", **options)

    def state(self, daemon, source, state, *words):
        """Waits, and checks the state of a notebook and that its reason has the words."""
        daemon.flush()
        found = daemon.status().get(source)
        if not self.check(found is not None, f"{source} is in the status"):
            return None
        reason = found.get("reason") or ""
        self.check(found["state"] == state, f"{source} is {state}, found {found['state']}", reason)
        if state == "held":
            self.check(len(reason) > 10, f"{source} has a reason", reason)
        for word in words:
            ok = any(it in reason.lower() for it in word.split("|"))
            self.check(ok, f"the reason of {source} has {word!r}", reason)
        return found


def shadow(root, name, format):
    ending = {"marimo": ".marimo.py", "percent": ".percent.py", "ipynb": ".ipynb"}[format]
    return root / "__marimo__" / "nbsync" / f"{name}{ending}"


# --- bad input -------------------------------------------------------------------------------


@group
def bad_input(place):
    """Texts that no replica may take over, in files that were in sync."""
    root = place.root
    good = {}
    bad = {
        "half": (lambda t: t[: len(t) // 2], ()),
        "empty": (lambda t: b"", ("empty",)),
        "blank": (lambda t: b" \n\n", ("empty",)),
        "utf8": (lambda t: t.replace(b"Some", b"S\xf6me"), ("utf-8",)),
        "nul": (lambda t: t.replace(b"Some", b"So\0e"), ()),
        "markers": (lambda t: b"<<<<<<< HEAD\n" + t + b"\n=======\n>>>>>>> b\n", ("conflict",)),
        "deep": (lambda t: b"[" * 10_000, ()),
        "deep-output": (deep_output, ()),
        "list": (lambda t: b"[1, 2, 3]\n", ()),
        "no-cells": (lambda t: b'{"metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n', ()),
        "v3": (lambda t: t.replace(b'"nbformat": 4', b'"nbformat": 3'), ("nbformat",)),
    }
    for name in bad:
        write_notebook(root / f"{name}.ipynb")
        good[name] = (root / f"{name}.ipynb").read_bytes()
    write_notebook(root / "control.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        before = snapshot(root)
        for name, (damage, _) in bad.items():
            save(root / f"{name}.ipynb", damage(good[name]))
        damaged = {name: (root / f"{name}.ipynb").read_bytes() for name in bad}
        for name, (_, words) in bad.items():
            place.state(daemon, f"{name}.ipynb", "held", *words)
            now = snapshot(root)
            for format in ("percent", "marimo"):
                path = shadow(root, name, format)
                place.check(now[path] == before[path], f"{path.name} is untouched")
            kept = (root / f"{name}.ipynb").read_bytes() == damaged[name]
            place.check(kept, f"{name}.ipynb is left to its editor")
        # The others go on.
        edit(shadow(root, "control", "percent"), "a = 1", "a = 10")
        place.state(daemon, "control.ipynb", "synced")
        place.check("a = 10" in (root / "control.ipynb").read_text(), "another notebook goes on")
        report = place.home.run("status", root=root)
        text = report.stdout.decode()
        place.check("half.ipynb" in text and report.returncode in (0, 1), "status says it", text)
        code = place.home.run("status", "--exit-code", root=root).returncode
        place.check(code == 1, "status --exit-code exits 1", code)
        code = place.home.run("flush", root=root).returncode
        place.check(code == 1, "flush exits 1", code)
        for name in bad:
            text = good[name].replace(b"c = 3", b"c = 30")
            save(root / f"{name}.ipynb", text, rename_over if name == "half" else in_place)
        for name in bad:
            place.state(daemon, f"{name}.ipynb", "synced")
            for format in ("percent", "marimo"):
                path = shadow(root, name, format)
                place.check("c = 30" in path.read_text(), f"{path.name} goes on when it is mended")
        place.check(daemon.stop() == 0, "the daemon exits 0")


def deep_output(text):
    data = b'{"a": ' * 10_000 + b"1" + b"}" * 10_000
    return text.replace(b'"metadata": {},', b'"metadata": {"deep": ' + data + b"},", 1)


@group
def bad_scripts(place):
    """Damage in the marimo and percent shadows."""
    root = place.root
    damage = {
        "marimo-syntax": ("marimo", lambda t: t.replace(b"import marimo\n", b"import marimo as\n")),
        "marimo-half": ("marimo", lambda t: t[: t.index(b"print(a)") + 3]),
        "marimo-empty": ("marimo", lambda t: b""),
        "marimo-no-app": ("marimo", lambda t: b"print('hello')\n"),
        "marimo-utf8": ("marimo", lambda t: t.replace(b"a = 1", b"a = '\xff'")),
        "marimo-markers": ("marimo", lambda t: t.replace(b"@app", b"<<<<<<< HEAD\n@app", 1)),
        "percent-empty": ("percent", lambda t: b""),
        "percent-utf8": ("percent", lambda t: t.replace(b"a = 1", b"a = '\xff'")),
        "percent-nul": ("percent", lambda t: t.replace(b"a = 1", b"a = '\0'")),
        "percent-header": ("percent", lambda t: t.replace(b"#   kernelspec:", b"#   kernelspec: [")),
    }
    for name in damage:
        write_notebook(root / f"{name}.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        good = snapshot(root)
        for name, (format, change) in damage.items():
            path = shadow(root, name, format)
            save(path, change(good[path]))
        for name, (format, _) in damage.items():
            place.state(daemon, f"{name}.ipynb", "held")
            now = snapshot(root)
            others = {"percent", "marimo"} - {format}
            for path in [root / f"{name}.ipynb", *(shadow(root, name, it) for it in others)]:
                place.check(now[path] == good[path], f"{name}: {path.name} is untouched")
        for name, (format, _) in damage.items():
            path = shadow(root, name, format)
            save(path, good[path].replace(b"a = 1", b"a = 10"))
        for name in damage:
            place.state(daemon, f"{name}.ipynb", "synced")
            text = (root / f"{name}.ipynb").read_text()
            place.check("a = 10" in text, f"{name}.ipynb goes on when the shadow is mended")
        place.check(daemon.stop() == 0, "the daemon exits 0")


@group
def deep_python(place):
    """Code that no Python parser likes is a cell as any other, and stays in its cell."""
    root = place.root
    hard = {
        "parens": "(" * 100_000,
        "minus": "x = " + "-" * 100_000 + "1",
        "lists": "x = " + "[" * 5_000 + "]" * 5_000,
        "lambdas": "x = " + "lambda: " * 20_000 + "1",
        "line": "x = '" + "a" * 5_000_000 + "'",
        "sum": "x = " + "1 + " * 50_000 + "1",
        "ifs": "\n".join(" " * no + "if x:" for no in range(1_000)),
        "fstring": "x = " + "f'{" * 3_000,
    }
    for name in hard:
        write_notebook(root / f"{name}.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        good = snapshot(root)
        for name, code in hard.items():
            path = shadow(root, name, "percent")
            save(path, good[path] + f"\n# %%\n{code}\n".encode())
        daemon.flush()
        status = daemon.status()
        for name in hard:
            state = status[f"{name}.ipynb"]["state"]
            place.check(state in ("synced", "held"), f"{name} is {state}")
            text = (root / f"{name}.ipynb").read_text()
            kept = all(it in text for it in ("a = 1", "b = 2", "c = 3"))
            place.check(kept, f"{name}.ipynb has its other cells")
            path = shadow(root, name, "percent")
            save(path, good[path].replace(b"a = 1", b"a = 10"))
        for name in hard:
            place.state(daemon, f"{name}.ipynb", "synced")
            text = (root / f"{name}.ipynb").read_text()
            place.check("a = 10" in text, f"{name}.ipynb goes on")
        place.check(daemon.stop() == 0, "the daemon exits 0")


@group
def odd_files(place):
    """Things named as notebooks that aren't, and folders that can't be read."""
    root = place.root
    outside = place.folder / "outside"
    write_notebook(outside / "secret.ipynb")
    secret = (outside / "secret.ipynb").read_bytes()
    write_notebook(root / "fine.ipynb")
    write_notebook(root / "closed" / "inside.ipynb")
    write_notebook(root / "locked.ipynb")
    os.mkfifo(root / "pipe.ipynb")
    (root / "folder.ipynb").mkdir()
    (root / "link.ipynb").symlink_to(outside / "secret.ipynb")
    (root / "gone.ipynb").symlink_to(root / "nowhere.ipynb")
    (root / "loop").symlink_to(root)
    (root / "away").symlink_to(outside)
    (root / "plain.py").write_text("print('not a notebook')\n")
    (root / "new.ipynb").write_text("")
    os.chmod(root / "closed", 0)
    place.on_close.append(lambda: os.chmod(root / "closed", 0o755))
    with place.daemon() as daemon:
        daemon.flush()
        place.state(daemon, "fine.ipynb", "synced")
        status = daemon.status()
        for name in ("plain.py", "folder.ipynb", "loop/fine.ipynb", "away/secret.ipynb"):
            place.check(name not in status, f"{name} is no notebook")
        for name in ("pipe.ipynb", "link.ipynb", "gone.ipynb"):
            ok = name not in status or status[name]["state"] == "held"
            place.check(ok, f"{name} is left alone", status.get(name))
        place.check(not (outside / "__marimo__").exists(), "nothing is written outside the root")
        place.check((outside / "secret.ipynb").read_bytes() == secret, "nor changed there")
        made = [path.name for path in (root / "__marimo__" / "nbsync").glob("*.py")]
        names = ("pipe", "folder", "link", "gone", "plain")
        bad = [name for name in made if name.split(".")[0] in names]
        place.check(not bad, "nothing was made of them", bad)
        # They turn into notebooks.
        os.unlink(root / "pipe.ipynb")
        write_notebook(root / "pipe.ipynb")
        (root / "folder.ipynb").rmdir()
        write_notebook(root / "folder.ipynb")
        write_notebook(root / "new.ipynb")
        os.chmod(root / "closed", 0o755)
        for name in ("pipe.ipynb", "folder.ipynb", "new.ipynb"):
            place.state(daemon, name, "synced")
        place.home.run("sync", root=root)
        place.state(daemon, "closed/inside.ipynb", "synced")
        place.check(daemon.stop() == 0, "the daemon exits 0")


@group
def huge_file(place):
    """A notebook of 200 MB is held without being read into memory, or carried on."""
    root = place.root
    write_notebook(root / "fine.ipynb")
    notebook = json.loads((root / "fine.ipynb").read_text())
    image = "A" * (200 << 20)
    notebook["cells"][0]["outputs"] = [
        {"output_type": "display_data", "data": {"image/png": image}, "metadata": {}}
    ]
    (root / "huge.ipynb").write_text(json.dumps(notebook))
    with place.daemon() as daemon:
        found = place.state(daemon, "huge.ipynb", "held", "limit|large|size")
        peak = peak_memory(daemon.process.pid)
        place.check(peak < 850, f"at most 4 x the file in memory, {peak:.0f} MB", found)
        edit(shadow(root, "fine", "percent"), "a = 1", "a = 10")
        place.state(daemon, "fine.ipynb", "synced")
        write_notebook(root / "huge.ipynb")
        place.state(daemon, "huge.ipynb", "synced")
        place.check(daemon.stop() == 0, "the daemon exits 0")


def peak_memory(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise ValueError("no VmHWM")


# --- writes that fail ------------------------------------------------------------------------


@group
def full_disk(place):
    """On a full file system nothing is torn, and the edit goes on once there is room."""
    if os.geteuid() != 0:
        place.report.skip("full-disk", "only root can mount a small file system")
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place.root)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        place.report.skip("full-disk", "no mount here")
        return
    place.on_close.append(lambda: subprocess.run(["umount", "-l", str(place.root)]))
    root = place.root
    write_notebook(root / "nb.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        percent = shadow(root, "nb", "percent")
        text = percent.read_text().replace("a = 1", "a = 10")
        fill(root / "filler")
        # In place and no longer than before, so that the editor itself doesn't fail.
        with open(percent, "r+b") as file:
            file.write(text.replace("a = 10\n", "a = 7\n").encode())
            file.truncate()
        place.state(daemon, "nb.ipynb", "held", "space|disk|full")
        for path in (root / "nb.ipynb", shadow(root, "nb", "marimo")):
            path_text = path.read_text()
            place.check("a = 1" in path_text and "a = 7" not in path_text, f"{path.name} is whole")
        place.check("a = 7" in percent.read_text(), "the edit is still there")
        left = [it.name for it in root.rglob("*") if ".tmp" in it.name]
        place.check(not left, "no temporary file is left", left)
        (root / "filler").unlink()
        # It tries again by itself, with pauses of up to a minute.
        daemon.wait_for("resumed", "propagated", timeout=90)
        place.state(daemon, "nb.ipynb", "synced")
        for path in (root / "nb.ipynb", shadow(root, "nb", "marimo")):
            place.check("a = 7" in path.read_text(), f"{path.name} has the edit")
        place.check(daemon.stop() == 0, "the daemon exits 0")


def fill(path):
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass


@group
def file_size_limit(place):
    """RLIMIT_FSIZE fails writes in the middle of a file."""
    root = place.root
    write_notebook(root / "nb.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        daemon.stop()
    before = snapshot(root)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = (root / "nb.ipynb").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - 100, size - 100))

    # Stores of nbsync are larger than that, so this may stop it at start. It must not harm files.
    edit(shadow(root, "nb", "percent"), "a = 1", "a = 10")
    changed = snapshot(root)
    try:
        with place.daemon(prepare=limit) as daemon:
            daemon.flush()
    except Failure as error:
        place.report.note(f"file-size-limit: {error}")
    after = snapshot(root)
    for path in before:
        if path.suffix in (".py", ".ipynb"):
            whole = after.get(path) in (changed[path], before[path]) or b"a = 10" in after[path]
            place.check(whole, f"{path.name} is whole", after.get(path, b"")[:200])
            if path.suffix == ".ipynb":
                nbformat.validate(nbformat.reads(after[path].decode(), as_version=4))
    with place.daemon() as daemon:
        place.state(daemon, "nb.ipynb", "synced")
        place.check("a = 10" in (root / "nb.ipynb").read_text(), "the edit arrives without limit")


# --- state -----------------------------------------------------------------------------------


@group
def second_daemon(place):
    write_notebook(place.root / "nb.ipynb")
    with place.daemon() as daemon:
        res = place.home.run("watch", place.root, timeout=30)
        said = res.stderr.decode()
        place.check(res.returncode == 2, f"the second exits 2, found {res.returncode}", said)
        place.check(str(daemon.process.pid) in said, "and names the first by its pid", said)
        place.state(daemon, "nb.ipynb", "synced")
        place.check(place.home.run("stop", root=place.root).returncode == 0, "stop stops it")
        place.check(daemon.process.wait(60) == 0, "with the code 0")
    place.check(
        place.home.run("flush", root=place.root).returncode == 4, "flush without a daemon exits 4"
    )


@group
def damaged_store(place):
    """State that is damaged is set aside; files are neither lost nor rewritten."""
    root = place.root
    for name in "pqrs":
        write_notebook(root / f"{name}.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        edit(shadow(root, "p", "percent"), "a = 1", "a = 10")
        daemon.flush()
        daemon.stop()
    before = snapshot(root)
    for name, damage in DAMAGES.items():
        (state,) = [it for it in (place.home.state / "nbsync").iterdir() if it.is_dir()]
        index = state / "index"
        if not place.check(index.is_dir(), "the index is where it should be", list(state.iterdir())):
            return
        damage(index)
        with place.daemon() as daemon:
            daemon.flush()
            states = {it["state"] for it in daemon.status().values()}
            place.check(states == {"synced"}, f"{name}: all in sync", daemon.status())
            place.check(snapshot(root) == before, f"{name}: no file was rewritten")
            if name != "removed":
                aside = [it.name for it in state.rglob("*") if "corrupt" in it.name]
                place.check(aside, f"{name}: the damaged store is set aside", list(state.iterdir()))
                for path in state.rglob("*corrupt*"):
                    shutil.rmtree(path, ignore_errors=True)
            edit(shadow(root, "q", "marimo"), "b = 2", "b = 3")
            daemon.flush()
            ok = "b = 3" in (root / "q.ipynb").read_text()
            place.check(ok, f"{name}: edits travel again")
            edit(shadow(root, "q", "marimo"), "b = 3", "b = 2")
            daemon.flush()
            daemon.stop()
        place.check(snapshot(root) == before, f"{name}: back to what it was")
    # Edits made while there is no base: both versions must survive.
    shutil.rmtree(place.home.state)
    place.home.state.mkdir()
    edit(shadow(root, "r", "percent"), "a = 1", "a = 70")
    with place.daemon() as daemon:
        daemon.flush()
        texts = [it.read_text() for it in root.rglob("r.*") if it.is_file()]
        place.check(any("a = 70" in text for text in texts), "no base: the shadow's edit is kept")
        place.check(any("a = 1\n" in text or 'a = 1\\n' in text for text in texts), "and the source's")
        place.check(daemon.status()["r.ipynb"]["state"] == "conflict", "as a conflict")


def overwrite(index):
    for path in index.rglob("*"):
        if path.is_file():
            size = path.stat().st_size
            path.write_bytes(b"\xa5" * size)


def truncate(index):
    for path in index.rglob("*"):
        if path.is_file() and path.stat().st_size:
            os.truncate(path, path.stat().st_size // 2)


def empty(index):
    for path in index.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)


DAMAGES = {
    "overwritten": overwrite,
    "truncated": truncate,
    "emptied": empty,
    "removed": shutil.rmtree,
}


# --- crashes ---------------------------------------------------------------------------------


@group
def crashes(place):
    """`kill -9` at random moments while editors save, again and again.

    Each round saves a new text in one replica of each notebook. After the next start, all
    replicas parse, agree, and have every text that was saved.
    """
    root = place.root
    rng = random.Random(place.args.seed)
    names = [f"n{no}" for no in range(4)]
    for name in names:
        write_notebook(root / f"{name}.ipynb")
    with place.daemon() as daemon:
        daemon.flush()
        daemon.stop()
    expected = {name: {"a": 1, "b": 2, "c": 3} for name in names}
    n_bad = 0
    for no in range(place.args.rounds):
        daemon = place.daemon()
        daemon.flush()
        saved = threading.Event()
        delay = rng.random() ** 2 * 0.03

        def kill():
            saved.wait()
            # Not a synchronisation: the moment is meant to be any.
            time.sleep(delay)
            daemon.process.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        for name in names:
            format = rng.choice(["ipynb", "percent", "marimo"])
            variable = rng.choice("abc")
            path = root / f"{name}.ipynb" if format == "ipynb" else shadow(root, name, format)
            old = expected[name][variable]
            new = 1000 + no
            edit(path, f"{variable} = {old}", f"{variable} = {new}", rng.choice([in_place, rename_over]))
            expected[name][variable] = new
            saved.set()
        killer.join()
        daemon.kill()
        # The next start mends what the crash left.
        with place.daemon() as daemon:
            problems = [
                f"{it['source']} is {it['state']}: {it.get('reason')}"
                for it in daemon.flush()["out_of_sync"]
            ]
            for name in names:
                problems += check_values(root, name, expected[name])
            daemon.stop()
        left = [it.name for it in root.rglob("*") if it.name.endswith((".tmp", ".new"))]
        problems += [f"left behind: {left}"] if left else []
        if problems:
            n_bad += 1
            place.check(False, f"round {no}, seed {place.args.seed}", "\n".join(problems))
            if n_bad >= 3:
                break
            for name in names:
                expected[name] = values(root / f"{name}.ipynb", "ipynb")
        else:
            place.check(True, f"round {no}")


def check_values(root, name, expected):
    problems = []
    for format in ("ipynb", "percent", "marimo"):
        path = root / f"{name}.ipynb" if format == "ipynb" else shadow(root, name, format)
        try:
            found = values(path, format)
        except Exception as error:
            problems.append(f"{path.name}: {error!r}")
            continue
        if found != expected:
            problems.append(f"{path.name}: expected {expected}, found {found}")
    return problems


def values(path, format):
    view = views.view(format, path.suffix, path.read_text())
    res = {}
    for cell in view.cells:
        first = cell.source.split("\n")[0]
        if cell.kind == "code" and " = " in first:
            name, value = first.split(" = ")
            res[name] = int(value)
    return res


# --- what the groups share -------------------------------------------------------------------


def edit(path, old, new, style=in_place):
    text = path.read_text()
    if text.count(old) != 1:
        raise Failure(f"{path.name} has {old!r} {text.count(old)} times")
    save(path, text.replace(old, new), style)


def snapshot(root):
    """All files but those that were replaced a moment ago."""
    return {
        path: path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".displaced" not in path.parts
    }


if __name__ == "__main__":
    main()
