#!/usr/bin/env python3
"""Measures how often `marimo edit --watch` takes back what its user types while somebody else edits.

One types a short line in marimo, rests for a random time, and types the next one; a script changes another cell in the
percent copy at random times. Not a test: it needs a real browser, and prints what it counted.
"""

import argparse
import random
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from browser import browser
from pages import Marimo
from servers import Servers
from stage import write_notebook
from support.daemon import Daemon, Home, scratch


class Assistant(threading.Thread):
    """Changes the first cell at random times, and notes how long each change took to arrive."""

    def __init__(self, percent, marimo, seed):
        super().__init__()
        self.percent, self.marimo = percent, marimo
        self.rng = random.Random(seed)
        self.is_over = threading.Event()
        self.latencies = []

    def run(self):
        no = 0
        while not self.is_over.wait(self.rng.uniform(0.5, 2.5)):
            no += 1
            text = self.percent.read_text()
            self.percent.write_text(text.replace(f"x = {no}\n", f"x = {no + 1}\n"))
            started = time.monotonic()
            while f"x = {no + 1}\n" not in self.marimo.read_text() and time.monotonic() - started < 30:
                time.sleep(0.005)
            self.latencies.append((time.monotonic() - started) * 1000)


def measure(n_lines, seed, patience):
    folder = scratch("window")
    root = folder / "notebooks"
    write_notebook(root / "nb.ipynb")
    if patience is not None:
        (root / "nbsync.toml").write_text(f'marimo_patience = "{patience}"\n')
    percent, marimo = (root / "__marimo__" / "nbsync" / f"nb.{name}.py" for name in ("percent", "marimo"))
    home = Home(folder / "home")
    rng = random.Random(seed)
    try:
        with Daemon(root, home) as daemon, Servers(root, folder, None) as servers, browser() as chromium:
            daemon.flush()
            page = Marimo(chromium, marimo)
            page.open(servers.marimo(marimo).url, root)
            page.type(2, "\nwarm = 0")
            page.press_save()
            assistant = Assistant(percent, marimo, seed)
            assistant.start()
            for no in range(n_lines):
                page.type(2, f"\nt{no} = 0")
                page.page.wait_for_timeout(rng.uniform(300, 1500))
            assistant.is_over.set()
            assistant.join()
            page.page.wait_for_timeout(2500)
            daemon.flush()
            text = percent.read_text()
            lost = [no for no in range(n_lines) if f"t{no} = 0" not in text]
            ms = sorted(assistant.latencies)
            print(
                f"{n_lines} lines typed, {len(lost)} taken back; {len(ms)} edits from elsewhere,"
                f" to marimo's file p50 {ms[len(ms) // 2]:.0f} ms, max {ms[-1]:.0f} ms",
                flush=True,
            )
    finally:
        home.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", help="the key `marimo_patience`, as 1500ms")
    args = parser.parse_args()
    measure(args.lines, args.seed, args.patience)


if __name__ == "__main__":
    main()
