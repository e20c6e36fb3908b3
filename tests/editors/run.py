#!/usr/bin/env python3
"""Puts real editors on one notebook: VS Code, JupyterLab and marimo, in a real browser.

Each scenario has a notebook of three code cells with outputs, its percent and marimo shadows, and the
editors in which its user types. Screenshots of the last state of every page are kept in the scratch folder.
Needs Debian's `chromium`, the packages of requirements.txt beside this file, and what `code_server.py` fetches.
"""

import argparse
import os
import statistics
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from browser import browser
from scenarios import SCENARIOS
from servers import Servers
from stage import Notebook, Stage, write_notebook
from support.daemon import Daemon, Home, scratch
from support.report import Report


def play(stage, scenario):
    """Runs a scenario, and prints what became of what was typed."""
    nb = Notebook(stage, scenario.__name__, scenario.n_cells, scenario.height)
    try:
        scenario(nb)
    except Exception:
        stage.report.check(False, scenario.__name__, traceback.format_exc())
    finally:
        nb.close()
    n_typed, n_lost = len(nb.typed), len(nb.lost)
    stage.report.note(
        f"{nb.name}: {n_typed} typed, {n_typed - n_lost} arrived, {n_lost} lost,"
        f" {nb.n_dialogs} unexpected dialogs ({nb.n_expected_dialogs} expected)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--code-server", type=Path, required=True, help="its folder, from npm")
    parser.add_argument("--rounds", type=int, default=2, help="of what is timed")
    parser.add_argument("--tries", type=int, default=20, help="of two saves at once")
    parser.add_argument("--seconds", type=float, default=120, help="of typing at random")
    parser.add_argument("--seed", type=int, default=1, help="of that")
    parser.add_argument("scenario", nargs="*")
    args = parser.parse_args()
    folder = scratch("editors")
    root = folder / "notebooks"
    shots = folder / "screenshots"
    shots.mkdir()
    chosen = [it for it in SCENARIOS if (it.__name__ in args.scenario if args.scenario else not it.by_name)]
    for it in chosen:
        write_notebook(root / it.__name__ / "nb.ipynb", it.n_cells)
    report = Report()
    home = Home(folder / "home")
    try:
        with (
            Daemon(root, home, log=folder / "daemon.log", NBSYNC_LOG="info") as daemon,
            Servers(root, folder, args.code_server) as servers,
            browser() as chromium,
        ):
            daemon.flush()
            stage = Stage(report, root, daemon, servers, chromium, shots, args)
            for it in chosen:
                play(stage, it)
            report.note(f"load {os.getloadavg()[0]:.1f}")
            for (author, reader), times in sorted(stage.latencies.items()):
                report.note(
                    f"{author} -> {reader}: p50 {statistics.median(times):.0f} ms,"
                    f" max {max(times):.0f} ms ({len(times)})"
                )
    except Exception:
        report.check(False, "everything works to the end", traceback.format_exc())
    finally:
        home.close()
    report.finish()


if __name__ == "__main__":
    main()
