"""Counts checks, prints the failed ones, and closes with the line that `tests/run` reads."""

import sys
import time


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self._started = time.monotonic()

    def check(self, ok, name, detail=""):
        """Counts a check, and returns whether it passed."""
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {name}", flush=True)
            for line in str(detail() if callable(detail) else detail).splitlines()[:40]:
                print(f"     {line[:400]}", flush=True)
        return bool(ok)

    def skip(self, name, why):
        self.skipped += 1
        print(f"skip {name}: {why}", flush=True)

    def note(self, text):
        print(f"[{time.monotonic() - self._started:6.1f} s] {text}", flush=True)

    def finish(self):
        """Prints the totals and exits."""
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{skipped}", flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)
