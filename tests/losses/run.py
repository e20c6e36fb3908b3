#!/usr/bin/env python3
"""Replays the ways in which pairs of files lose work today, against the real daemon.

Each case starts with a notebook of three cells with outputs and a text with an image, in sync with
its percent and marimo replicas, does what a user did, and checks that nothing is lost. Most are done
twice: with nbsync's own shadows, and with files that jupytext has paired. `--list` prints what is
expected.
"""

import argparse
import sys
from pathlib import Path

import jupytext

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from losses import both_sides, broken_files, cells, files, first_sight, git_diff, users  # noqa: F401
from losses.cases import CASES, STUDY
from losses.pair import Pair, forget
from support.daemon import Daemon, Failure, Home, scratch
from support.notebooks import sample, write_notebook
from support.report import Report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help="names or numbers (S1); default all")
    parser.add_argument("--list", action="store_true", help="only print what is expected")
    args = parser.parse_args()
    CASES.sort(key=lambda case: case.order)
    if args.list:
        print_table()
        return
    chosen = [it for it in CASES if not args.cases or {it.id, it.name} & set(args.cases)]
    report = Report()
    missing = set(STUDY) - {it.id for it in CASES}
    report.check(not missing, "every number of the study has a case", sorted(missing))
    folder = scratch("losses")
    home = Home(folder / "home")
    try:
        warm = [it for it in chosen if not it.without_base]
        cold = [it for it in chosen if it.without_base]
        run(report, home, folder / "shadows", warm, write_notebook)
        run(report, home, folder / "paired", [it for it in warm if it.paired], write_pair)
        run_without_base(report, home, folder / "cold", cold, write_notebook)
        paired = [it for it in cold if it.paired]
        run_without_base(report, home, folder / "cold-paired", paired, write_pair)
    except Failure as error:
        report.check(False, "the daemon works to the end", str(error))
    finally:
        home.close()
    report.finish()


def write_pair(path):
    """Writes a notebook and its script as `jupytext --set-formats` leaves them."""
    notebook = sample()
    notebook.metadata["jupytext"] = {"formats": "ipynb,py:percent"}
    write_notebook(path, notebook)
    jupytext.write(notebook, path.with_suffix(".py"), fmt="py:percent")


def run(report, home, root, cases, write):
    """One folder a case, so that one daemon serves all of them."""
    if not cases:
        return
    with started(home, root, cases, write) as daemon:
        for it in cases:
            perform(report, daemon, it, lambda it=it: it.function(pair_of(report, daemon, it)))
        report.check(daemon.stop() == 0, "the daemon exits 0 at SIGTERM")


def run_without_base(report, home, root, cases, write):
    """Runs the first halves, takes away what nbsync knows, and runs the second halves."""
    if not cases:
        return
    with started(home, root, cases, write) as daemon:
        pairs = [pair_of(report, daemon, it) for it in cases]
        daemon.stop()
    halves = [(it, pair, it.function(pair)) for it, pair in zip(cases, pairs, strict=True)]
    for _, _, steps in halves:
        next(steps)
    forget(home)
    with Daemon(root, home, log=root.with_suffix(".log")) as daemon:
        daemon.flush()
        for it, pair, steps in halves:
            pair.daemon = daemon
            perform(report, daemon, it, lambda steps=steps: next(steps, None))


def started(home, root, cases, write):
    for it in cases:
        write(root / it.name / "nb.ipynb")
    daemon = Daemon(root, home, log=root.with_suffix(".log"))
    daemon.flush()
    return daemon


def pair_of(report, daemon, case):
    folder = daemon.root / case.name
    # Of a pair, the script is what teams keep in git.
    source = "nb.py" if (folder / "nb.py").exists() else "nb.ipynb"
    name = f"{case.id} {case.name} ({daemon.root.name})".strip()
    return Pair(report, daemon, folder, name, source)


def perform(report, daemon, case, steps):
    try:
        steps()
    except Exception as error:
        report.check(False, f"{case.id} {case.name} ({daemon.root.name})", repr(error))
        if not daemon.alive:
            raise Failure(daemon.last_words()) from None


def print_table():
    for it in CASES:
        print(f"{it.id or '-':4} {it.name.replace('_', ' ')}")
        if it.jupytext:
            print(f"     jupytext: {it.jupytext}")
        print(f"     nbsync:   {it.nbsync}")


if __name__ == "__main__":
    main()
