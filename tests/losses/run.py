#!/usr/bin/env python3
"""Replays the ways in which pairs of files lose work today, against the real daemon.

Each case starts with a notebook of three cells with outputs and a text with an image, in sync with
its percent and marimo replicas, does what a user did, and checks that nothing is lost. `--list`
prints what is expected.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from losses import both_sides, broken_files, cells, files, git_diff, users  # noqa: F401
from losses.cases import CASES, STUDY
from losses.pair import Pair, forget
from support.daemon import Daemon, Failure, Home, scratch
from support.notebooks import write_notebook
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
        live = [it for it in chosen if not it.without_base]
        run_live(report, home, folder / "live", live)
        cold = [it for it in chosen if it.without_base]
        run_without_base(report, home, folder / "cold", cold)
    except Failure as error:
        report.check(False, "the daemon works to the end", str(error))
    finally:
        home.close()
    report.finish()


def run_live(report, home, root, cases):
    """One folder a case, so that one daemon serves all of them."""
    if not cases:
        return
    with started(home, root, cases) as daemon:
        for it in cases:
            perform(report, daemon, it, lambda: it.function(pair_of(report, daemon, it)))
        report.check(daemon.stop() == 0, "the daemon exits 0 at SIGTERM")


def run_without_base(report, home, root, cases):
    """Runs the first halves, takes away what nbsync knows, and runs the second halves."""
    if not cases:
        return
    halves = []
    with started(home, root, cases) as daemon:
        pairs = [pair_of(report, daemon, it) for it in cases]
        daemon.stop()
    for it, pair in zip(cases, pairs, strict=True):
        steps = it.function(pair)
        next(steps)
        halves.append((it, pair, steps))
    forget(home)
    with Daemon(root, home, log=root.with_suffix(".log")) as daemon:
        daemon.flush()
        for it, pair, steps in halves:
            pair.daemon = daemon
            perform(report, daemon, it, lambda: next(steps, None))


def started(home, root, cases):
    for it in cases:
        write_notebook(root / it.name / "nb.ipynb")
    daemon = Daemon(root, home, log=root.with_suffix(".log"))
    daemon.flush()
    return daemon


def pair_of(report, daemon, case):
    return Pair(report, daemon, daemon.root / case.name, f"{case.id} {case.name}".strip())


def perform(report, daemon, case, steps):
    try:
        steps()
    except Exception as error:
        report.check(False, f"{case.id} {case.name}", repr(error))
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
