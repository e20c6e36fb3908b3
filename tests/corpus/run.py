#!/usr/bin/env python3
"""Edits real notebooks, in every replica, under the real daemon.

Each round makes one edit in each notebook, in the replica of one format, as that format's own tool
would save it. Then every other replica must show that edit and nothing else. `nbsync flush` is the
only thing that is waited for.
"""

import argparse
import itertools
import os
import shutil
import sys
import time
from pathlib import Path

import jupytext
import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import marimo_replicas
from support import edits, inotify, views
from support.daemon import Daemon, Failure, Home, scratch
from support.editors import ALL as STYLES
from support.editors import save
from support.report import Report

OPS = ["change", "insert", "delete", "move", "replace", "insert-markdown"]
FORMATS = ["ipynb", "percent", "hydrogen", "marimo"]
# After so many failures the replicas of a notebook tell nothing new.
ENOUGH = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="the folder that tests/corpus/fetch prints")
    parser.add_argument("--still", type=float, default=60.0, help="seconds without any write")
    parser.add_argument("--only", default="", help="only notebooks whose path has this text")
    parser.add_argument("--seed", default="1", help="chooses cells and ways of saving")
    parser.add_argument("--ops", default=",".join(OPS), help="the edits to make")
    args = parser.parse_args()

    folder = scratch("corpus")
    root = folder / "notebooks"
    copy(args.corpus, root, args.only)
    report = Report()
    home = Home(folder / "home")
    try:
        with Daemon(root, home, log=folder / "daemon.log") as daemon:
            report.note(f"{daemon.ready}")
            run = Run(report, daemon, args.corpus, folder / "failures", args.seed)
            run.check_start()
            for format in FORMATS:
                run.resave(format)
            for format in FORMATS:
                for op in args.ops.split(","):
                    run.round(format, op)
            for one, other in itertools.combinations(FORMATS, 2):
                run.both(one, other)
            check_arrival(report, daemon, args.corpus)
            check_still(report, root, home, args.still)
            report.check(daemon.stop() == 0, "the daemon exits 0 at SIGTERM")
        check_restart(report, root, home, folder / "daemon.log")
        marimo_replicas.check_all(
            report,
            home,
            folder,
            args.corpus,
            lambda daemon, start: Run(report, daemon, start, folder / "failures", args.seed),
            copy,
        )
        run.summary()
    except Failure as error:
        report.check(False, "the daemon works to the end", str(error))
    finally:
        home.close()
    report.finish()


def copy(corpus, root, only):
    root.mkdir()
    for file in sorted(corpus.rglob("*")):
        if file.is_file() and only in str(file.relative_to(corpus)):
            target = root / file.relative_to(corpus)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


class Run:
    def __init__(self, report, daemon, corpus, failures, seed):
        self.report = report
        self.daemon = daemon
        self.root = daemon.root
        self.corpus = corpus
        self.failures = failures
        self.seed = seed
        self.pairings = {}
        self.n_failures = {}
        self.n_edits = 0
        self.n_unfit = 0

    # --- the first scan ---------------------------------------------------------------------

    def check_start(self):
        """Every notebook has its shadows, valid for their own tools, and no source was touched."""
        self.daemon.flush()
        self.pairings = self.daemon.status()
        known = {
            replica["path"] for it in self.pairings.values() for replica in it["replicas"]
        }
        for file in sorted(self.corpus.rglob("*")):
            path = file.relative_to(self.corpus).as_posix()
            target = self.root / path
            if not file.is_file() or not target.exists():
                continue
            self.report.check(
                file.read_bytes() == target.read_bytes(), f"{path}: untouched by the first scan"
            )
            if file.name == "__init__.py":
                self.report.check(path not in known, f"{path}: plain Python is no notebook")
            else:
                self.report.check(path in known, f"{path}: has a pairing")
        for source, pairing in sorted(self.pairings.items()):
            self.check_pairing(source, pairing)
        n_replicas = sum(len(it["replicas"]) for it in self.pairings.values())
        self.report.note(f"{len(self.pairings)} pairings with {n_replicas} replicas checked")

    def check_pairing(self, source, pairing):
        if pairing["state"] != "synced":
            self.fail(source, f"is {pairing['state']} at start", pairing.get("reason", ""))
            self.n_failures[source] = ENOUGH
            return
        formats = [replica["format"] for replica in pairing["replicas"]]
        own = self.read(pairing, pairing["replicas"][0])
        language = language_of(own)
        expected = {"ipynb", "percent"} if language else {"ipynb", "percent", "marimo"}
        if "hydrogen" in formats:
            # The other script format may come with it.
            expected = expected - {"percent"} | set(formats) & {"hydrogen", "percent"}
        if set(formats) != expected:
            self.fail(source, f"has {formats}, language {language or 'python'}")
        try:
            res = {it["format"]: self.read(pairing, it) for it in pairing["replicas"]}
        except Exception as error:
            self.fail(source, "has a shadow that its tool refuses", repr(error))
            self.n_failures[source] = ENOUGH
            return
        for format, view in res.items():
            if view is not own:
                problems = check_shadow(own, view, res)
                self.expect(source, not problems, f"{format} shadow", "\n".join(problems))

    # --- edits ----------------------------------------------------------------------------------

    def resave(self, format):
        """What the tool of a format changes by opening and saving is no edit of a cell."""
        if format not in ("ipynb", "marimo"):
            return
        work = []
        for source, pairing, replica in self.with_format(format):
            view = self.read(pairing, replica)
            if format == "marimo":
                text = views.regen(view.text)
                same = views.view(format, ".py", text).keys == view.keys
            else:
                text = views.write_ipynb(nbformat.reads(view.text, as_version=nbformat.NO_CONVERT))
                same = True
            if text != view.text:
                before = self.read_all(pairing)
                del before[replica["path"]]
                save(self.path(replica), text)
                work.append((source, pairing, replica, text, before, same))
        self.flush({source for source, *_ in work}, f"resave of {format}")
        for source, pairing, replica, text, before, same in work:
            for other, view in before.items():
                now = self.read_path(pairing, other)
                # marimo can't save all texts as they were; then the change travels.
                unchanged = now.text == view.text if same else True
                name = f"{format} saved unchanged -> {view.format}"
                self.expect(source, unchanged, name, lambda: edits.first_line(view.text, now.text))
            kept = self.text(replica) == text
            self.expect(source, kept, f"the saved {format} stays as it was saved")
        self.report.note(f"resave of {format}: {len(work)} notebooks")

    def round(self, format, op):
        """One edit in each notebook, made in the replica of one format."""
        work = []
        for source, pairing, replica in self.with_format(format):
            view = self.read(pairing, replica)
            extension = Path(replica["path"]).suffix
            try:
                pinned = self.pinned(pairing, view)
                edit = edits.choose(view, op, self.seed, source, format, pinned=pinned)
                text = edits.apply(edit, view, extension)
            except edits.Unfit:
                self.n_unfit += 1
                continue
            style = STYLES[edits.number(self.seed, source, format, op) % len(STYLES)]
            before = self.read_all(pairing)
            work.append((source, pairing, replica, edit, text, before))
            save(self.path(replica), text, style)
        self.n_edits += len(work)
        if not work:
            return
        started = time.monotonic()
        self.flush({source for source, *_ in work}, f"{op} in {format}")
        took = time.monotonic() - started
        for source, pairing, replica, edit, text, before in work:
            if self.n_failures.get(source, 0) >= ENOUGH:
                continue
            extension = Path(replica["path"]).suffix
            old = before.pop(replica["path"])
            kept = self.text(replica) == text
            detail = lambda: edits.first_line(text, self.text(replica))
            self.expect(source, kept, f"{edit} in {format}: stays as it was saved", detail)
            for path, view in before.items():
                self.check_effect(source, pairing, edit, format, old, path, view)
        self.report.note(f"{op} in {format}: {len(work)} notebooks, flush {took:.2f} s")

    def both(self, one, other):
        """Two cells of each notebook change at once, in two replicas: both edits stand."""
        what = f"change in {one} and in {other}"
        work, saves = [], []
        for source, pairing, replica in self.with_format(one):
            second = [it for it in pairing["replicas"] if it["format"] == other]
            if not second:
                continue
            before = self.read_all(pairing)
            try:
                changes = self.choose_both(source, what, before, [replica, *second])
            except edits.Unfit:
                self.n_unfit += 1
                continue
            saves += [(self.path(it), text) for it, _, text in changes]
            work.append((source, pairing, before, [(it["path"], edit) for it, edit, _ in changes]))
        if not work:
            return
        with self.daemon.paused():
            for path, text in saves:
                save(path, text)
        self.n_edits += 2 * len(work)
        self.flush({source for source, *_ in work}, what)
        for source, pairing, before, changes in work:
            if self.n_failures.get(source, 0) >= ENOUGH:
                continue
            for path, view in before.items():
                mapped = [
                    (edit, edits.counterpart(before[edited], view)) for edited, edit in changes
                ]
                problems = edits.check_both(mapped, view, self.read_path(pairing, path))
                name = f"{what} ({changes[0][1]}, {changes[1][1]}) -> {view.format}"
                self.expect(source, not problems, name, "\n".join(problems))
        self.report.note(f"{what}: {len(work)} notebooks")

    def choose_both(self, source, what, before, replicas):
        """Returns an edit and a text for each replica, such that the edits have nothing in common."""
        views = [before[it["path"]] for it in replicas]
        mapping = edits.counterpart(*views)
        for other in before.values():
            edits.counterpart(views[0], other)
        res, taken = [], set()
        for no, (replica, view) in enumerate(zip(replicas, views, strict=True)):
            pinned = self.pinned(self.pairings[source], view)
            # Neighbours have a line in common in a diff.
            near = {it + by for it in taken for by in (-1, 0, 1)}
            edit = edits.choose(view, "change", self.seed, source, what, no, pinned=pinned | near)
            text = edits.apply(edit, view, Path(replica["path"]).suffix)
            if no == 0 and edit.idx not in mapping:
                raise edits.Unfit("a cell of one replica alone")
            taken = {mapping[edit.idx]} if no == 0 else taken
            res.append((replica, edit, text))
        return res

    def check_effect(self, source, pairing, edit, format, old, path, view):
        name = f"{edit} in {format} -> {view.format}"
        try:
            now = self.read_path(pairing, path)
            mapping = edits.counterpart(old, view)
            problems = edits.check_effect(edit, view, now, mapping)
            problems += [it for it in now.problems if it not in view.problems]
        except edits.Unfit:
            self.n_unfit += 1
            return
        except Exception as error:
            problems = [repr(error)]
        if not self.expect(source, not problems, name, "\n".join(problems)):
            self.keep(source, name, old.text, view.text, self.root / path)

    def flush(self, edited, what):
        out = self.daemon.flush()["out_of_sync"]
        for notebook in out:
            source = notebook["source"]
            if source in edited and self.n_failures.get(source, 0) < ENOUGH:
                self.fail(source, f"is {notebook['state']} after {what}", notebook.get("reason"))
                self.n_failures[source] = ENOUGH

    # --- reading --------------------------------------------------------------------------------

    def with_format(self, format):
        for source, pairing in sorted(self.pairings.items()):
            if self.n_failures.get(source, 0) < ENOUGH:
                for replica in pairing["replicas"]:
                    if replica["format"] == format:
                        yield source, pairing, replica

    def path(self, replica):
        return self.root / replica["path"]

    def text(self, replica):
        return self.path(replica).read_bytes().decode("utf-8")

    def read(self, pairing, replica):
        return views.view(replica["format"], Path(replica["path"]).suffix, self.text(replica))

    def read_path(self, pairing, path):
        (replica,) = [it for it in pairing["replicas"] if it["path"] == path]
        return self.read(pairing, replica)

    def read_all(self, pairing):
        """Returns all views by path."""
        return {it["path"]: self.read(pairing, it) for it in pairing["replicas"]}

    def pinned(self, pairing, view):
        """Returns the cells that are marimo's setup cell there, which is always the first."""
        for replica in pairing["replicas"]:
            if replica["format"] == "marimo" != view.format:
                other = self.read(pairing, replica)
                setup = [it for it, cell in enumerate(other.cells) if cell.rest["role"] == "SetupCell"]
                if setup:
                    mapping = edits.counterpart(other, view)
                    return {mapping[it] for it in setup if it in mapping}
        return set()

    # --- counting -------------------------------------------------------------------------------

    def expect(self, source, ok, name, detail=""):
        if not ok:
            self.n_failures[source] = self.n_failures.get(source, 0) + 1
        return self.report.check(ok, f"{source}: {name}", detail)

    def fail(self, source, name, detail=""):
        self.expect(source, False, name, detail or "")

    def keep(self, source, name, edited_before, before, path):
        """Keeps what a failure can be looked at with."""
        folder = self.failures / f"{len(list(self.failures.glob('*'))):03}"
        folder.mkdir(parents=True)
        (folder / "what").write_text(f"{source}: {name}\n")
        (folder / "edited-replica-before").write_text(edited_before)
        (folder / "before").write_text(before)
        shutil.copyfile(path, folder / "after")

    def summary(self):
        n_bad = sum(1 for n in self.n_failures.values() if n)
        self.report.note(
            f"{len(self.pairings)} notebooks, {self.n_edits} edits, {self.n_unfit} not checked, "
            f"{n_bad} notebooks with failures"
        )


def language_of(view):
    """Returns the language of a notebook if it isn't Python."""
    spec = view.metadata.get("kernelspec", {})
    info = view.metadata.get("language_info", {})
    name = (spec.get("language") or info.get("name") or "python").lower()
    return None if name.startswith("python") or name == "ipython" else name


def check_shadow(own, view, replicas):
    """Returns what is wrong with a shadow that was just made."""
    problems = [it for it in view.problems if it not in own.problems]
    if view.format == "marimo":
        saved = views.regen(view.text)
        if saved != view.text:
            problems.append("marimo would save " + edits.first_line(saved, view.text))
    try:
        mapping = edits.counterpart(own, view)
    except edits.Unfit as error:
        return [*problems, str(error)]
    allowed = [own.keys]
    if own.format == "ipynb" and view.format in ("percent", "hydrogen"):
        allowed.append(jupytext_round_trip(own, view))
    for here, there in mapping.items():
        got = view.cells[there].key
        wanted = [keys[here] for keys in allowed if here < len(keys)]
        if not any(alike(it, got, "marimo" in (own.format, view.format)) for it in wanted):
            problems.append(f"cell {there}: expected {wanted[-1]!r}, got {got!r}")
    return problems


def jupytext_round_trip(own, view):
    """What jupytext makes of the notebook; it doesn't keep all texts."""
    notebook = nbformat.reads(own.text, as_version=4)
    found = jupytext.reads(view.text, ".py").metadata.get("jupytext", {})
    extension = found.get("text_representation", {}).get("extension", ".py")
    format = {"extension": extension, "format_name": view.format}
    text = jupytext.writes(notebook, dict(format))
    return [(it.cell_type, it.source) for it in jupytext.reads(text, dict(format)).cells]


def alike(left, right, with_marimo):
    """Whether two cells are the same, as far as both formats can tell."""
    if left == right:
        return True
    if not with_marimo:
        return False
    # marimo has neither raw cells nor magics, and drops blank space around Markdown.
    if left[0] == "raw" or right[0] == "raw" or "unparsable" in (left[0], right[0]):
        return True
    if left[0] != right[0]:
        return False
    if left[0] == "markdown":
        return normal(left[1]) == normal(right[1])
    return left[1].strip() == right[1].strip() or has_magic(left[1]) or has_magic(right[1])


def normal(text):
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def has_magic(source):
    starts = ("%", "!", "?", "# %", "# !", "# ?")
    return any(
        line.strip().startswith(starts) or line.rstrip().endswith("?") or "= %" in line
        or "= !" in line
        for line in source.splitlines()
    ) or source.split(" ", 1)[0].lstrip("# ") in ("ls", "cat", "cd", "cp", "mv", "rm", "mkdir", "echo")


def check_arrival(report, daemon, corpus):
    """Folders full of notebooks that come while the daemon runs, as with `git clone`."""
    copy(corpus, daemon.root / "arrived", "")
    daemon.flush()
    status = daemon.status()
    expected = [it for it in daemon.root.glob("arrived/**/*.ipynb") if "__marimo__" not in it.parts]
    for file in sorted(expected):
        source = file.relative_to(daemon.root).as_posix()
        found = status.get(source)
        state = found["state"] if found else "unknown"
        report.check(state == "synced", f"{source} arrives, is {state}", found)
    report.note(f"{len(expected)} notebooks arrived")


def check_still(report, root, home, seconds):
    """When nobody edits, nothing is written: neither notebooks, nor the daemon's own state."""
    with inotify.Inotify(*inotify.folders(root), *inotify.folders(home.state)) as watcher:
        # What was replaced is kept beside the notebook for some seconds, and put away then.
        deadline = time.monotonic() + 60
        while any(root.rglob(".displaced/*")) and time.monotonic() < deadline:
            watcher.read(0.5)
        report.check(time.monotonic() < deadline, "replaced files are put away")
        watcher.read()
        events = watcher.collect(seconds)
    said = "\n".join(f"{path} {mask:#x}" for path, mask, _ in events[:20])
    report.check(not events, f"no write within {seconds:.0f} s", said)


def check_restart(report, root, home, log):
    """A start on notebooks that are in sync writes none of them."""
    before = {
        path: (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in root.rglob("*")
        if path.is_file()
    }
    with Daemon(root, home, log=log) as daemon:
        report.note(f"again: {daemon.ready}")
        daemon.flush()
        after = {
            path: (path.stat().st_mtime_ns, path.stat().st_ino)
            for path in root.rglob("*")
            if path.is_file()
        }
        changed = [str(path) for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
        report.check(not changed, "a second start writes nothing", "\n".join(changed[:20]))
        report.check(daemon.stop() == 0, "the daemon exits 0 at SIGTERM again")


if __name__ == "__main__":
    os.umask(0o022)
    main()
