"""A user who may less than root."""

import json
import os
import shutil
import tempfile
import traceback
from pathlib import Path

from support.daemon import binary
from support.notebooks import sample

NOBODY = 65534


def as_nobody(place, test):
    """Runs a test in a place of its own as a user who is not root, and counts its checks.

    In a process that was forked, since such a user may not be allowed to read this Python.
    """
    folder = Path(tempfile.mkdtemp(prefix="nbsync-nobody-"))
    place.on_close.append(lambda: shutil.rmtree(folder, ignore_errors=True))
    program = folder / "nbsync"
    shutil.copy(binary(), program)
    program.chmod(0o755)
    os.chown(folder, NOBODY, NOBODY)
    counts = folder / "counts"
    # Loads all that nbformat loads when it is needed first.
    sample()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.environ.update(NBSYNC=str(program), CARGO_TARGET_DIR=str(folder), HOME=str(folder))
            os.chdir(folder)
            report = type(place.report)()
            other = type(place)(report, place.name, place.args)
            try:
                test(other)
            finally:
                other.close()
            counts.write_text(json.dumps([report.passed, report.failed, report.skipped]))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    if not place.check(counts.exists(), "as another user: comes to its end"):
        return
    passed, failed, skipped = json.loads(counts.read_text())
    place.report.passed += passed
    place.report.failed += failed
    place.report.skipped += skipped
