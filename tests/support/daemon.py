"""Runs the real `nbsync`, with folders of its own for everything outside the notebooks."""

import contextlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

# Longer than anything that works takes on a loaded machine with two cores.
PATIENCE = 120.0


class Failure(Exception):
    """nbsync did something that it must not do."""


def binary():
    """Returns the release binary that `tests/run` built."""
    if "NBSYNC" in os.environ:
        return Path(os.environ["NBSYNC"]).resolve()
    return target() / "release" / "nbsync"


def target():
    """Returns the build folder. Scratch folders go there and not to /tmp, below which marimo takes
    a notebook for one without a name."""
    workspace = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("CARGO_TARGET_DIR") or workspace / "target").resolve()


def scratch(name):
    """Returns an empty folder."""
    folder = target() / "test-scratch" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


class Home:
    """A HOME and the XDG folders, for one or several runs of nbsync."""

    def __init__(self, folder):
        self.folder = folder
        # A socket's path has at most 108 bytes, which a deep target folder would exceed.
        self.runtime = Path(tempfile.mkdtemp(prefix="nbsync-"))
        self.state = folder / "state"
        for part in ("state", "config", "cache", "data"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    def environ(self, **more):
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NBSYNC", "RUST_LOG", "NOTIFY_", "WATCHDOG_", "XDG_"))
        }
        environ.update(
            HOME=str(self.folder),
            XDG_STATE_HOME=str(self.state),
            XDG_CONFIG_HOME=str(self.folder / "config"),
            XDG_CACHE_HOME=str(self.folder / "cache"),
            XDG_DATA_HOME=str(self.folder / "data"),
            XDG_RUNTIME_DIR=str(self.runtime),
            RUST_BACKTRACE="1",
        )
        environ.update(more)
        return environ

    def run(self, *args, root=None, check=None, timeout=PATIENCE, stdin=None, cwd=None, **environ):
        """Runs a command to its end. `check` is the exit code that it must have."""
        command = [str(binary()), *(["--root", str(root)] if root else []), *map(str, args)]
        res = subprocess.run(
            command,
            env=self.environ(**environ),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=timeout,
            cwd=cwd or root or self.folder,
        )
        if check is not None and res.returncode != check:
            said = (res.stderr or res.stdout).decode("utf-8", "replace").strip()
            raise Failure(f"`nbsync {' '.join(map(str, args))}` exited {res.returncode}: {said}")
        return res

    def json(self, *args, **options):
        """Runs a command and returns what it prints."""
        res = self.run(*args, "--json", **options)
        try:
            return json.loads(res.stdout)
        except ValueError:
            said = res.stderr.decode("utf-8", "replace").strip()
            words = " ".join(map(str, args))
            raise Failure(f"`nbsync {words} --json` exited {res.returncode}: {said}") from None

    def close(self):
        shutil.rmtree(self.runtime, ignore_errors=True)


class Daemon:
    """`nbsync watch` on one root. Use as a context manager."""

    def __init__(self, root, home, log=None, wait=True, prepare=None, **environ):
        self.root = Path(root)
        self.home = home
        self.events = []
        self._fresh = queue.Queue()
        self.log = log or home.folder / "daemon.log"
        self._errors = open(self.log, "ab")
        self.process = subprocess.Popen(
            [str(binary()), "watch", str(root), "--log-format", "json"],
            env=home.environ(**environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=home.folder,
            preexec_fn=prepare,
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.ready = self.wait_for("ready") if wait else None

    def _read(self):
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "not json", "line": line.decode("utf-8", "replace")}
            event["seen"] = time.monotonic()
            self.events.append(event)
            self._fresh.put(event)
        self._fresh.put(None)

    def wait_for(self, *names, where=lambda event: True, timeout=PATIENCE):
        """Returns the next event with one of these names, of those not yet waited for."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                event = self._fresh.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Failure(f"no event {'/'.join(names)} within {timeout:.0f} s") from None
            if event is None:
                self.process.wait(PATIENCE)
                code = self.process.returncode
                raise Failure(f"the daemon exited {code}, see {self.log}: {self.last_words()}")
            if event["event"] in names and where(event):
                return event

    def last_words(self):
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        return " | ".join(lines[-5:])

    @property
    def alive(self):
        return self.process.poll() is None

    def flush(self, timeout=PATIENCE):
        """Returns when everything saved before the call is propagated, with the report."""
        report = self.home.json("flush", root=self.root, timeout=timeout)
        if not self.alive:
            raise Failure(f"the daemon died: {self.last_words()}")
        return report

    def status(self):
        """Returns the pairings, by the path of the source."""
        report = self.home.json("status", root=self.root)
        return {notebook["source"]: notebook for notebook in report["notebooks"]}

    @contextlib.contextmanager
    def paused(self):
        """Makes the daemon see all saves of a block at once."""
        self.home.run("pause", root=self.root, check=0)
        try:
            yield
        finally:
            self.home.run("resume", root=self.root, check=0)

    def stop(self, timeout=PATIENCE):
        """Ends the daemon as systemd does, and returns its exit code."""
        if self.alive:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        self._errors.close()
        return code

    def kill(self):
        """Ends it as a crash does."""
        self.process.kill()
        self.process.wait()
        self._errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.alive:
            try:
                self.stop(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()


class NotifySocket:
    """A real `NOTIFY_SOCKET`, as systemd listens at."""

    def __init__(self, folder):
        self.path = str(Path(folder) / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)

    def receive(self, timeout):
        """Returns the lines of the next message, or nothing after the time-out."""
        self._socket.settimeout(max(timeout, 0.001))
        try:
            return self._socket.recv(65536).decode().splitlines()
        except TimeoutError:
            return []

    def wait_for(self, line, timeout=PATIENCE):
        """Returns all messages up to the one with a line that starts so."""
        deadline = time.monotonic() + timeout
        seen = []
        while time.monotonic() < deadline:
            lines = self.receive(deadline - time.monotonic())
            seen.append(lines)
            if any(it.startswith(line) for it in lines):
                return seen
        raise Failure(f"no `{line}` within {timeout:.0f} s, only {seen}")

    def close(self):
        self._socket.close()
        os.unlink(self.path)
