#!/usr/bin/env python3
"""Whether notebooks stay trusted, asked of nbformat, which signs them for Jupyter."""

import os
import sqlite3
import sys
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.daemon import Daemon, Failure, Home, scratch
from support.report import Report


def make(path, minor=5):
    v4 = nbformat.v4
    rich = {"text/html": "<b>é</b>\n<script>1</script>", "application/json": {"a": [1, 1.5e-7, None]}}
    cell = v4.new_code_cell("x = 1\nx")
    cell.outputs = [
        v4.new_output("stream", name="stdout", text="1\n2\n"),
        v4.new_output("execute_result", data=rich, metadata={"f": 1e20, "t": True}),
    ]
    cells = [v4.new_markdown_cell("# Text"), cell, v4.new_code_cell("y = 2")]
    notebook = v4.new_notebook(cells=cells, metadata={"custom": {"z": 1, "a": [0.1, False]}})
    if minor < 5:
        notebook.nbformat_minor = minor
        for cell in notebook.cells:
            del cell["id"]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def main():
    folder = scratch("trust")
    root = folder / "work"
    report = Report()
    home = Home(folder / "home")
    data = home.folder / "data" / "jupyter"
    data.mkdir(parents=True)
    os.environ["JUPYTER_DATA_DIR"] = str(data)

    def is_trusted(path):
        with NotebookNotary(data_dir=str(data)) as notary:
            return notary.check_signature(nbformat.read(path, as_version=4))

    def trust(path):
        with NotebookNotary(data_dir=str(data)) as notary:
            notary.sign(nbformat.read(path, as_version=4))

    names = ["trusted", "untrusted", "outputs", "old", "busy"]
    paths = {name: root / f"{name}.ipynb" for name in names}
    for name, path in paths.items():
        make(path, 4 if name == "old" else 5)
        if name != "untrusted":
            trust(path)

    def shadow(name):
        return root / "__marimo__" / "nbsync" / f"{name}.percent.py"

    def edit(name, old="y = 2", new="y = 3"):
        text = shadow(name).read_text()
        shadow(name).write_text(text.replace(old, new))

    try:
        with Daemon(root, home, log=folder / "daemon.log") as daemon:
            daemon.flush()
            for name in ("trusted", "untrusted", "old"):
                report.check(is_trusted(paths[name]) == (name != "untrusted"), f"{name}: at first")
                for value in (3, 4):
                    edit(name, f"y = {value - 1}", f"y = {value}")
                    daemon.flush()
                    report.check(f"y = {value}" in paths[name].read_text(), f"{name}: is edited")
                    expected = name != "untrusted"
                    report.check(is_trusted(paths[name]) == expected, f"{name}: as it was")

            # Somebody changes an output and an edit follows: that is not what was trusted.
            with daemon.paused():
                text = paths["outputs"].read_text()
                paths["outputs"].write_text(text.replace("<script>1", "<script>2"))
                edit("outputs")
            daemon.flush()
            report.check("y = 3" in paths["outputs"].read_text(), "outputs: is edited")
            report.check(not is_trusted(paths["outputs"]), "outputs: changed ones are not trusted")

            # Jupyter has its database locked for long: the edit arrives all the same.
            lock = sqlite3.connect(data / "nbsignatures.db", isolation_level=None)
            lock.execute("BEGIN EXCLUSIVE")
            edit("busy")
            daemon.flush()
            report.check("y = 3" in paths["busy"].read_text(), "busy: is edited")
            lock.execute("ROLLBACK")
            lock.close()
            report.check(not is_trusted(paths["busy"]), "busy: is not signed")

            # Off by a key of the configuration.
            (root / "nbsync.toml").write_text("trust = false\n")
            daemon.home.run("stop", root=root, check=0)
        with Daemon(root, home, log=folder / "daemon.log") as daemon:
            edit("trusted", "y = 4", "y = 5")
            daemon.flush()
            report.check("y = 5" in paths["trusted"].read_text(), "off: is edited")
            report.check(not is_trusted(paths["trusted"]), "off: is not signed")
    except Failure as error:
        report.check(False, "the daemon works to the end", str(error))
    finally:
        home.close()
    report.finish()


if __name__ == "__main__":
    main()
