#!/usr/bin/env python3
"""Puts real editors on one notebook: VS Code, JupyterLab and marimo, in a real browser.

Not part of `tests/run` yet. It needs Debian's `chromium`, the packages of requirements.txt beside this file, and
code-server 4.139.1: `npm install --ignore-scripts code-server@4.139.1`, then `npm install --omit=dev --ignore-scripts`
in its `lib/vscode`. The release binary of nbsync has to be there.

Each scenario has a notebook of three code cells with outputs, its percent and marimo shadows, and the
editors in which its user types. Screenshots of the last state of every page are kept.
"""

import argparse
import statistics
import sys
import time
import traceback
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from browser import browser
from pages import JupyterLab, Marimo, VsCodeNotebook, VsCodeText, open_all
from servers import Servers
from support.daemon import Daemon, Failure, Home, scratch
from support.notebooks import KERNEL, LANGUAGE
from support.report import Report

SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


class Notebook:
    """The notebook of one scenario, its replicas, and the pages that have it open."""

    def __init__(self, stage, name):
        self.stage = stage
        self.name = name
        self.folder = stage.root / name
        self.ipynb = self.folder / "nb.ipynb"
        self.percent = self.folder / "__marimo__" / "nbsync" / "nb.percent.py"
        self.marimo_script = self.folder / "__marimo__" / "nbsync" / "nb.marimo.py"
        self.pages = []

    def _add(self, page):
        self.pages.append(page)
        return page

    def vscode_text(self, autosave=False):
        url = self.stage.vscode(autosave)
        return self._add(VsCodeText(self.stage.chromium, url, self.percent, self.stage.root))

    def vscode_notebook(self, autosave=False):
        url = self.stage.vscode(autosave)
        return self._add(VsCodeNotebook(self.stage.chromium, url, self.ipynb, self.stage.root))

    def jupyterlab(self):
        path = self.ipynb.relative_to(self.stage.root)
        return self._add(JupyterLab(self.stage.chromium, self.stage.jupyterlab(), path))

    def marimo(self, watch=True):
        url = self.stage.servers.marimo(self.marimo_script, watch)
        return self._add(Marimo(self.stage.chromium, url))

    def check(self, ok, what, detail=""):
        return self.stage.report.check(ok, f"{self.name}: {what}", detail)

    def texts(self):
        """Returns the text of every replica, once all that was saved is propagated."""
        self.stage.daemon.flush()
        return {
            path.name: path.read_text() for path in (self.ipynb, self.percent, self.marimo_script)
        }

    def status(self):
        return self.stage.daemon.status()[str(self.ipynb.relative_to(self.stage.root))]

    def check_tokens(self, tokens, once=True):
        """Every token is in every replica, and only once."""
        texts = self.texts()
        for token in tokens:
            # marimo's signatures name it as well.
            counts = {name: text.count(f"{token} =") for name, text in texts.items()}
            ok = all(count == 1 if once else count for count in counts.values())
            self.stage.lost += not ok
            self.check(ok, f"`{token}` is in every replica once", f"{counts}")
        self.stage.typed += len(tokens)

    def outputs(self):
        notebook = nbformat.read(self.ipynb, 4)
        return [
            "".join(output.get("text", "") for output in cell.outputs)
            for cell in notebook.cells
            if cell.cell_type == "code"
        ]

    def check_no_dialogs(self):
        for page in self.pages:
            found = page.dialogs()
            self.stage.dialogs += len(found)
            self.check(not found, f"{page.name} shows no dialog", f"{found}")

    def close(self):
        for no, page in enumerate(self.pages):
            page.screenshot(self.stage.shots / f"{self.name}-{no}-{page.name}.png")
            page.close()


class Stage:
    """What all scenarios share."""

    def __init__(self, report, root, daemon, servers, chromium, shots):
        self.report = report
        self.root = root
        self.daemon = daemon
        self.servers = servers
        self.chromium = chromium
        self.shots = shots
        self.typed = self.lost = self.dialogs = 0
        self.latencies = {}
        self._urls = {}

    def vscode(self, autosave):
        key = ("vscode", autosave)
        if key not in self._urls:
            self._urls[key] = self.servers.vscode(autosave)
        return self._urls[key]

    def jupyterlab(self):
        if "jupyterlab" not in self._urls:
            self._urls["jupyterlab"] = self.servers.jupyterlab()
        return self._urls["jupyterlab"]


def write_notebook(path):
    """Writes it as JupyterLab would, so that opening it changes nothing."""
    v4 = nbformat.v4
    cells = []
    for no, (source, output) in enumerate(
        [("x = 1\nprint(x)", "1\n"), ("y = x + 1\nprint(y)", "2\n"), ("z = y + 1\nprint(z)", "3\n")], 1
    ):
        cell = v4.new_code_cell(source, id=f"cell-{no}", execution_count=no)
        cell.outputs = [v4.new_output("stream", name="stdout", text=output)]
        cells.append(cell)
    # JupyterLab rewrites a notebook of another version of Python.
    language = {**LANGUAGE, "version": ".".join(map(str, sys.version_info[:3]))}
    metadata = {"kernelspec": dict(KERNEL), "language_info": language}
    path.parent.mkdir(parents=True)
    nbformat.write(v4.new_notebook(cells=cells, metadata=metadata), path)


@scenario
def typed_in_one_shown_in_all(nb):
    """Type and save in each; the others show it, JupyterLab after a reload."""
    pages = [nb.vscode_text(), nb.vscode_notebook(), nb.marimo(), nb.jupyterlab()]
    open_all(*pages)
    tokens = []
    for round_no in range(2):
        for author in pages:
            token = f"{author.name.replace('-', '_')}_{round_no}"
            tokens.append(token)
            author.type(round_no, f"\n{token} = 0")
            author.save()
            # All readers are watched at once: one after the other, each would only be seen late.
            shown = watch_all([it for it in pages if it is not author], token)
            for reader, ms in shown.items():
                nb.check(ms is not None, f"{reader.name} shows what was typed in {author.name}")
                if ms is not None:
                    pair = (author.name, reader.name)
                    nb.stage.latencies.setdefault(pair, []).append(ms)
    nb.check_tokens(tokens)
    nb.check(nb.outputs() == ["1\n", "2\n", "3\n"], "outputs stay", nb.outputs())
    nb.check_no_dialogs()


@scenario
def two_editors_within_a_second(nb):
    """Different cells in two editors, saved at once."""
    text, marimo = nb.vscode_text(), nb.marimo()
    text.type(0, "\nfrom_text = 0")
    marimo.type(2, "\nfrom_marimo = 0")
    text.save()
    marimo.save()
    shown = watch_all([text], "from_marimo") | watch_all([marimo], "from_text")
    for page, ms in shown.items():
        nb.check(ms is not None, f"{page.name} shows the edit of the other")
    nb.check_tokens(["from_text", "from_marimo"])
    nb.check(nb.status()["state"] == "synced", "no conflict", nb.status())
    nb.check_no_dialogs()


@scenario
def the_same_cell_in_two_editors(nb):
    """Both lines at the end of one cell, saved at once: both are kept, and the user is told."""
    text, marimo = nb.vscode_text(), nb.marimo()
    text.type(1, "\nfrom_text = 0")
    marimo.type(1, "\nfrom_marimo = 0")
    text.save()
    marimo.save()
    nb.check_tokens(["from_text", "from_marimo"], once=False)
    nb.check_no_dialogs()


@scenario
def marimo_without_watch(nb):
    """An editor that never loads what came from elsewhere, and saves."""
    text, marimo = nb.vscode_text(), nb.marimo(watch=False)
    for no in range(3):
        text.type(0, f"\nfrom_text_{no} = 0")
        text.save()
        nb.stage.daemon.flush()
        marimo.type(2, f"\nfrom_marimo_{no} = 0")
        marimo.save()
        ms = text.wait_shows(f"from_marimo_{no}")
        nb.check(ms is not None, f"{text.name} shows edit {no} of {marimo.name}")
    nb.check_tokens([f"from_{name}_{no}" for name in ("text", "marimo") for no in range(3)])
    nb.check_no_dialogs()


@scenario
def vscode_overwrites(nb):
    """Unsaved typing in VS Code when an edit arrives: its save is refused, and its user insists."""
    text, marimo = nb.vscode_text(), nb.marimo()
    text.type(0, "\nfrom_text = 0")
    marimo.type(2, "\nfrom_marimo = 0")
    marimo.save()
    wait_for(nb.percent, "from_marimo")
    text.save()
    said = text.wait_dialog()
    if nb.check(said and "newer" in said, "VS Code says that the file is newer", said):
        text.answer("Overwrite")
    nb.check(marimo.wait_shows("from_text") is not None, "marimo shows the edit of VS Code")
    nb.check_tokens(["from_text", "from_marimo"])


def wait_for(path, text, there=True, patience=20.0):
    """Returns once a file has a text, or no longer has it."""
    deadline = time.monotonic() + patience
    while (text in path.read_text()) != there:
        if time.monotonic() > deadline:
            raise Failure(f"`{text}` is {'not' if there else 'still'} in {path.name}")
        time.sleep(0.01)


def watch_all(pages, text, patience=20.0):
    """Returns for each page the ms until it shows the text; JupyterLab has to be told to look."""
    started = time.monotonic()
    shown = dict.fromkeys(pages)
    while time.monotonic() - started < patience and None in shown.values():
        for page in pages:
            if shown[page] is None:
                if isinstance(page, JupyterLab) and time.monotonic() - started > 1.0:
                    page.reload()
                if any(text in cell for cell in page.cells()):
                    shown[page] = (time.monotonic() - started) * 1000
        pages[0].page.wait_for_timeout(5)
    return shown


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--code-server", type=Path, required=True, help="its folder, from npm")
    parser.add_argument("scenario", nargs="*")
    args = parser.parse_args()
    folder = scratch("editors")
    root = folder / "notebooks"
    shots = folder / "screenshots"
    shots.mkdir()
    chosen = [it for it in SCENARIOS if not args.scenario or it.__name__ in args.scenario]
    for it in chosen:
        write_notebook(root / it.__name__ / "nb.ipynb")
    report = Report()
    home = Home(folder / "home")
    try:
        with (
            Daemon(root, home, log=folder / "daemon.log") as daemon,
            Servers(root, folder, args.code_server) as servers,
            browser() as chromium,
        ):
            daemon.flush()
            stage = Stage(report, root, daemon, servers, chromium, shots)
            for it in chosen:
                before = (stage.typed, stage.lost, stage.dialogs)
                nb = Notebook(stage, it.__name__)
                try:
                    it(nb)
                except Exception:
                    report.check(False, it.__name__, traceback.format_exc())
                    for no, context in enumerate(chromium.contexts):
                        context.pages[0].screenshot(path=shots / f"{it.__name__}-failed-{no}.png")
                finally:
                    nb.close()
                typed, lost, dialogs = (
                    now - then
                    for now, then in zip((stage.typed, stage.lost, stage.dialogs), before, strict=True)
                )
                report.note(
                    f"{it.__name__}: {typed} typed, {typed - lost} arrived, {lost} lost,"
                    f" {dialogs} unexpected dialogs"
                )
            for (author, reader), times in sorted(stage.latencies.items()):
                report.note(
                    f"{author} -> {reader}: p50 {statistics.median(times):.0f} ms,"
                    f" max {max(times):.0f} ms ({len(times)})"
                )
    except Failure as error:
        report.check(False, "the daemon works to the end", str(error))
    finally:
        home.close()
    report.finish()


if __name__ == "__main__":
    main()
