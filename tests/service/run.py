#!/usr/bin/env python3
"""The systemd units, and the protocol with systemd over a real socket."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.daemon import Daemon, Home, NotifySocket, binary, scratch
from support.editors import save
from support.notebooks import write_notebook
from support.report import Report

UNITS = Path(__file__).resolve().parents[2] / "systemd"


def main():
    report = Report()
    for step in (verify_units, notify, reload, install):
        folder = scratch(f"service-{step.__name__}")
        home = Home(folder / "home")
        try:
            step(report, folder, home)
        except Exception as error:
            report.check(False, f"{step.__name__}: comes to its end", repr(error))
        finally:
            home.close()
    report.finish()


def verify_units(report, folder, home):
    """`systemd-analyze verify` reads the units as the user's manager would."""
    for name in ("nbsync.service", "nbsync@.service"):
        if not report.check((UNITS / name).is_file(), f"systemd/{name} is there"):
            continue
        # The units start the binary from where cargo installs it, which is not there in a test.
        text = (UNITS / name).read_text()
        verify(report, folder, home, name, text)
        for line in ("Type=notify", "ExecReload=", "WatchdogSec=", "Restart=on-failure"):
            report.check(line in text, f"systemd/{name} has {line}")


def verify(report, folder, home, name, text):
    lines = []
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "ExecStart":
            line = f"{key}={binary()} {' '.join(value.split()[1:])}"
        lines.append(line)
    file = folder / name.replace("@.", "@home-x.")
    file.write_text("\n".join(lines) + "\n")
    res = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "verify", str(file)],
        env=home.environ(),
        capture_output=True,
        text=True,
    )
    # It speaks about other units of the machine too; those are not ours.
    said = [line for line in res.stderr.splitlines() if "nbsync" in line]
    report.check(res.returncode == 0 and not said, f"{name} passes verify", res.stderr)


def notify(report, folder, home):
    """READY after the first scan, pings of the watchdog, and an orderly end."""
    root = folder / "notebooks"
    for no in range(20):
        write_notebook(root / f"n{no}.ipynb")
    listener = NotifySocket(home.runtime)
    environ = {"NOTIFY_SOCKET": listener.path, "WATCHDOG_USEC": "600000"}
    with Daemon(root, home, wait=False, **environ) as daemon:
        listener.wait_for("READY=1")
        shadows = list((root / "__marimo__" / "nbsync").glob("*.py"))
        report.check(len(shadows) == 40, "READY comes after the first scan", len(shadows))
        started = time.monotonic()
        for _ in range(3):
            listener.wait_for("WATCHDOG=1", timeout=5)
        took = time.monotonic() - started
        report.check(took < 3 * 0.6, f"pings come within half of the time, 3 in {took:.2f} s")
        # systemd sets the id of the process that it watches; another one must not ping.
        daemon.flush()
        daemon.process.send_signal(signal.SIGTERM)
        listener.wait_for("STOPPING=1", timeout=20)
        report.check(daemon.process.wait(20) == 0, "SIGTERM: exits 0")
    listener.close()
    with Daemon(root, home) as daemon:
        daemon.process.send_signal(signal.SIGINT)
        report.check(daemon.process.wait(20) == 0, "SIGINT: exits 0")


def reload(report, folder, home):
    """SIGHUP reads the configuration again."""
    root = folder / "notebooks"
    write_notebook(root / "nb.ipynb")
    write_notebook(root / "drafts" / "draft.ipynb")
    config = root / "nbsync.toml"
    config.write_text('exclude = ["drafts/**"]\n')
    with Daemon(root, home) as daemon:
        daemon.flush()
        known = set(daemon.status())
        report.check(known == {"nb.ipynb"}, "the configuration excludes a folder", known)
        config.write_text("")
        daemon.process.send_signal(signal.SIGHUP)
        known = until(daemon, {"nb.ipynb", "drafts/draft.ipynb"})
        report.check(len(known) == 2, "SIGHUP: reads the configuration again", known)
        config.write_text("exlude = []\n")
        daemon.process.send_signal(signal.SIGHUP)
        event = daemon.wait_for("error", timeout=20)
        report.check("exlude" in event["reason"], "says what is wrong with it", event)
        report.check(daemon.alive, "a wrong configuration doesn't end the daemon")
        save(root / "nb.ipynb", (root / "nb.ipynb").read_text().replace("c = 3", "c = 30"))
        daemon.flush()
        text = (root / "__marimo__" / "nbsync" / "nb.percent.py").read_text()
        report.check("c = 30" in text, "and edits travel with the old one")
        report.check(daemon.stop() == 0, "exits 0")
    res = home.run("watch", root, timeout=30)
    said = res.stderr.decode()
    report.check(res.returncode == 2, "a wrong configuration at start exits 2", said)
    report.check("exlude" in said and "exclude" in said, "names the key and the nearest", said)


def until(daemon, expected, timeout=20):
    """Returns the known notebooks, as soon as they are the expected ones."""
    deadline = time.monotonic() + timeout
    while (known := set(daemon.status())) != expected and time.monotonic() < deadline:
        daemon.flush()
    return known


def install(report, folder, home):
    """`nbsync service install` writes a unit that systemd accepts."""
    res = home.run("service", "install", folder, cwd=folder)
    said = (res.stdout + res.stderr).decode()
    units = home.folder / "config" / "systemd" / "user"
    if res.returncode != 0:
        # Containers and CI have no manager of the user.
        ok = res.returncode == 3 and "systemd" in said and "hint" in said
        report.check(ok, "install says what is missing", f"{res.returncode}: {said}")
        return
    files = sorted(units.glob("nbsync*.service"))
    report.check(files, "install writes units", said)
    for file in files:
        verify(report, folder, home, file.name, file.read_text())
    res = home.run("service", "status", folder, cwd=folder)
    report.check(res.returncode in (0, 1, 3, 4), "status answers", res.returncode)
    res = home.run("service", "uninstall", folder, cwd=folder)
    said = (res.stdout + res.stderr).decode()
    report.check(not list(units.glob("nbsync*.service")), "uninstall removes them", said)


if __name__ == "__main__":
    os.umask(0o022)
    main()
