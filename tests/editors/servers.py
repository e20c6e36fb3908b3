"""Starts and ends the servers of the editors."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from support.npm import NODE

BIN = Path(sys.executable).parent


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


class Server:
    """A process that answers on a port of the loopback interface."""

    def __init__(self, name, command, url, environ, cwd, log):
        self.name = name
        self.url = url
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                command,
                env=environ,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, patience=120):
        """Returns when the server answers."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(self.url, timeout=10):
                    return self
            except urllib.error.HTTPError:
                return self
            except OSError:
                time.sleep(0.1)
        words = self.log.read_text("utf-8", "replace").splitlines()[-10:]
        raise RuntimeError(f"{self.name} does not answer: {' | '.join(words)}")

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


class Servers:
    """The servers of one run, with a home of their own. Use as a context manager."""

    def __init__(self, root, folder, code_server):
        self.root = root
        self.folder = folder
        self.code_server = code_server
        self.home = folder / "editors-home"
        self.home.mkdir(parents=True)
        self._all = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self._all.values():
            server.stop()

    def environ(self, **more):
        keep = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE")
        environ = {name: os.environ[name] for name in keep if name in os.environ}
        environ.update(HOME=str(self.home), PATH=f"{BIN}:{environ['PATH']}", **more)
        return environ

    def _start(self, name, command, port, **environ):
        server = self._all[name] = Server(
            name,
            [str(word) for word in command],
            f"http://127.0.0.1:{port}/",
            self.environ(**environ),
            self.root,
            self.folder / f"{name}.log",
        )
        return server.wait()

    def jupyterlab(self, together=False, autosave=False):
        """Returns the JupyterLab on the root, of three: in one, several people work on one document, and
        one saves every few seconds by itself."""
        name = "jupyterlab" + ("-together" if together else "-autosave" if autosave else "")
        if server := self._all.get(name):
            return server
        port = free_port()
        config = self.folder / f"{name}-config"
        for plugin, values in {
            "notebook-extension/tracker": {
                "codeCellConfig": {"autoClosingBrackets": False},
                "windowingMode": "none",
            },
            "completer-extension/manager": {"autoCompletion": False},
            # In seconds, else two minutes.
            **({"docmanager-extension/plugin": {"autosaveInterval": 5}} if autosave else {}),
            "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        }.items():
            path = config / "lab" / "user-settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        command = [
            BIN / "jupyter",
            "lab",
            "--no-browser",
            f"--port={port}",
            "--IdentityProvider.token=",
            "--allow-root",
            f"--ServerApp.root_dir={self.root}",
        ]
        if not together:
            extensions = ["@jupyter/collaboration-extension", "@jupyter/docprovider-extension"]
            (config / "labconfig").mkdir()
            (config / "labconfig" / "page_config.json").write_text(
                json.dumps({"disabledExtensions": dict.fromkeys(extensions, True)})
            )
            command.append("--ServerApp.jpserver_extensions={'jupyter_server_ydoc': False}")
        return self._start(name, command, port, JUPYTER_CONFIG_DIR=str(config))

    def marimo(self, path, watch=True, watchdog=True):
        """Returns a new marimo that edits one notebook. Without watchdog it looks once a second."""
        port = free_port()
        command = [BIN / "marimo", "edit", "--headless", "--no-token", "--skip-update-check"]
        command += ["--port", port, *(["--watch"] if watch else []), path]
        environ = {}
        if not watchdog:
            # As if it were not installed.
            folder = self.folder / "no-watchdog"
            folder.mkdir(exist_ok=True)
            (folder / "sitecustomize.py").write_text('import sys; sys.modules["watchdog"] = None')
            environ["PYTHONPATH"] = str(folder)
        return self._start(f"marimo-{len(self._all)}", command, port, **environ)

    def vscode(self, autosave=False):
        """Returns the VS Code on the root, of two: one saves by itself."""
        name = "vscode-autosave" if autosave else "vscode"
        if server := self._all.get(name):
            return server
        port = free_port()
        data = self.folder / f"{name}-data"
        settings = {
            "chat.disableAIFeatures": True,
            "editor.acceptSuggestionOnEnter": "off",
            "editor.autoClosingBrackets": "never",
            "editor.autoClosingQuotes": "never",
            "editor.autoIndent": "none",
            "editor.minimap.enabled": False,
            "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
            "editor.suggestOnTriggerCharacters": False,
            "editor.wordBasedSuggestions": "off",
            "extensions.autoCheckUpdates": False,
            "files.autoSave": "afterDelay" if autosave else "off",
            "files.autoSaveDelay": 1000,
            # It asks about a repository that the folder is in.
            "git.enabled": False,
            "security.workspace.trust.enabled": False,
            "telemetry.telemetryLevel": "off",
            "update.mode": "none",
            "workbench.editorAssociations": {"*.ipynb": "jupyter-notebook"},
            "workbench.enableExperiments": False,
            "workbench.secondarySideBar.defaultVisibility": "hidden",
            "workbench.startupEditor": "none",
        }
        (data / "User").mkdir(parents=True)
        (data / "User" / "settings.json").write_text(json.dumps(settings))
        command = [
            NODE,
            self.code_server / "out" / "node" / "entry.js",
            "--auth=none",
            f"--bind-addr=127.0.0.1:{port}",
            "--disable-telemetry",
            "--disable-update-check",
            "--disable-workspace-trust",
            f"--user-data-dir={data}",
            f"--extensions-dir={data / 'extensions'}",
            self.root,
        ]
        # A closed port: no gallery of extensions is asked.
        nowhere = json.dumps({"serviceUrl": "http://127.0.0.1:9/", "itemUrl": "http://127.0.0.1:9/"})
        return self._start(name, command, port, EXTENSIONS_GALLERY=nowhere)
