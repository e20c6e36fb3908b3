"""What a scenario works on: a notebook, its replicas, and the pages that have them open."""

import sys
import time

import nbformat
from pages import JupyterLab, JupyterLabTogether, Marimo, VsCodeNotebook, VsCodeText, poll
from support.daemon import Failure
from support.kernel import KERNEL, LANGUAGE

# A key that an editor does not take is pressed again after so many seconds.
PRESS_AGAIN = 10


def write_notebook(path, n_cells=3):
    """Writes code cells with outputs, as JupyterLab would, so that opening them changes nothing."""
    v4 = nbformat.v4
    cells = []
    names = "xyzuvw"[:n_cells]
    for no, (name, before) in enumerate(zip(names, " " + names), 1):
        source = f"{name} = {before} + 1\nprint({name})" if no > 1 else "x = 1\nprint(x)"
        output = f"{no}\n"
        cell = v4.new_code_cell(source, id=f"cell-{no}", execution_count=no)
        cell.outputs = [v4.new_output("stream", name="stdout", text=output)]
        cells.append(cell)
    # JupyterLab rewrites a notebook of another version of Python.
    language = {**LANGUAGE, "version": ".".join(map(str, sys.version_info[:3]))}
    metadata = {"kernelspec": dict(KERNEL), "language_info": language}
    path.parent.mkdir(parents=True)
    nbformat.write(v4.new_notebook(cells=cells, metadata=metadata), path)


class Stage:
    """What all scenarios share."""

    def __init__(self, report, root, daemon, servers, chromium, shots, options):
        self.report = report
        self.root = root
        self.daemon = daemon
        self.servers = servers
        self.chromium = chromium
        self.shots = shots
        # How often, how long and how at random: see `run.py --help`.
        self.options = options
        # Of each pair of author and reader, in ms.
        self.latencies = {}


class Notebook:
    """The notebook of one scenario."""

    def __init__(self, stage, name, n_cells, height):
        self.stage = stage
        self.name = name
        self.n_cells = n_cells
        self.height = height
        self.folder = stage.root / name
        self.pages = []
        self.own_servers = []
        # Of what was typed, what was looked for, and what was not found.
        self.typed = set()
        self.lost = set()
        self.n_dialogs = 0
        self.n_expected_dialogs = 0
        self.rename("nb")

    def rename(self, stem):
        """Takes note that the notebook has another name."""
        shadows = self.folder / "__marimo__" / "nbsync"
        self.ipynb = self.folder / f"{stem}.ipynb"
        self.percent = shadows / f"{stem}.percent.py"
        self.marimo_script = shadows / f"{stem}.marimo.py"

    def _open(self, kind, server, path):
        page = kind(self.stage.chromium, path, self.height)
        self.pages.append(page)
        page.open(server.url, self.stage.root)
        if poll(lambda: len(page.cells()) == self.n_cells) is None:
            raise Failure(f"{page.name} does not show {self.n_cells} cells, but {page.cells()}")
        return page

    def vscode_text(self, autosave=False):
        return self._open(VsCodeText, self.stage.servers.vscode(autosave), self.percent)

    def vscode_notebook(self, autosave=False):
        return self._open(VsCodeNotebook, self.stage.servers.vscode(autosave), self.ipynb)

    def jupyterlab(self, autosave=False):
        return self._open(JupyterLab, self.stage.servers.jupyterlab(autosave=autosave), self.ipynb)

    def jupyterlab_together(self):
        return self._open(JupyterLabTogether, self.stage.servers.jupyterlab(together=True), self.ipynb)

    def marimo(self, watch=True, watchdog=True):
        server = self.stage.servers.marimo(self.marimo_script, watch, watchdog)
        self.own_servers.append(server)
        return self._open(Marimo, server, self.marimo_script)

    def note(self, what):
        self.stage.report.note(f"{self.name}: {what}")

    def check(self, ok, what, detail=""):
        return self.stage.report.check(ok, f"{self.name}: {what}", detail)

    def wait_in_file(self, path, text, is_there=True):
        """Returns once a replica has a text, or no longer has it."""
        if poll(lambda: (text in path.read_text()) == is_there) is None:
            raise Failure(f"`{text}` is {'not' if is_there else 'still'} in {path.name}")

    def wait_for(self, what, condition):
        """Returns what a condition gives once it holds."""
        if not (found := poll(condition)):
            raise Failure(f"not within the time: {what}")
        return found

    def save(self, page, text, insist=None):
        """Saves, and returns once the file has a text that was typed in the page.

        A dialog that refuses the save is answered with the button `insist`. Returns what it said.
        """
        page.press_save()
        pressed_at = time.monotonic()

        def is_saved_or_refused():
            nonlocal pressed_at
            if text in page.path.read_text() or page.dialogs():
                return True
            if PRESS_AGAIN < time.monotonic() - pressed_at:
                pressed_at = time.monotonic()
                page.press_save()
            return False

        if poll(is_saved_or_refused) is None:
            raise Failure(f"{page.name} does not save `{text}`")
        said = None if text in page.path.read_text() else page.dialogs()[0]
        if said is not None:
            if insist is None:
                raise Failure(f"{page.name} refuses to save: {said}")
            page.answer(insist)
            self.n_expected_dialogs += 1
            self.wait_in_file(page.path, text)
        self.wait_clean(page)
        return said

    def settle(self, pages):
        """Returns once the pages have saved everything. Who may not is told to insist."""
        pressed_at = time.monotonic()

        def are_clean():
            nonlocal pressed_at
            dirty = [page for page in pages if not self.insist(page) and page.is_dirty()]
            if PRESS_AGAIN < time.monotonic() - pressed_at:
                pressed_at = time.monotonic()
                for page in dirty:
                    page.press_save()
            return not any(page.dialogs() or page.is_dirty() for page in pages)

        if poll(are_clean) is None:
            dirty = [page.name for page in pages if page.is_dirty()]
            raise Failure(f"not saved: {dirty}")

    def insist(self, page):
        """Answers what an editor asks whose file has changed. Returns whether it did."""
        said = page.dialogs()
        if not said:
            return False
        if not any(it in said[0] for it in ("newer", "changed on disk")):
            raise Failure(f"{page.name} says: {said}")
        page.answer("Overwrite")
        self.n_expected_dialogs += 1
        return True

    def wait_clean(self, page):
        """Returns once a page has nothing that is not saved."""
        if poll(lambda: not page.is_dirty()) is None:
            raise Failure(f"{page.name} has something that is not saved")

    def check_shown(self, text, readers):
        """Every reader shows a text that was saved.

        JupyterLab is told to look, as its user has to, once its file has the text.
        """
        for reader in readers:
            if reader.is_told_to_look and not reader.shows(text):
                self.wait_in_file(reader.path, text)
                reader.reload()
            shown = poll(lambda reader=reader: reader.shows(text))
            self.check(shown, f"{reader.name} shows `{text}`", reader.cells())

    def note_latencies(self, author, readers):
        """Notes how long it took from the last key in the author's page to the text that each reader expected."""
        for reader in readers:
            if not reader.is_told_to_look and (shown := poll(reader.shown_at)):
                pair = (author.name, reader.name)
                self.stage.latencies.setdefault(pair, []).append(shown - author.pressed_at())

    def check_tokens(self, tokens, once=True):
        """Every token is in every replica, and only once; each is typed as `TOKEN = 0`."""
        self.stage.daemon.flush()
        texts = {path.name: path.read_text() for path in self.files()}
        for token in tokens:
            # marimo's signatures name it as well.
            counts = {name: text.count(f"{token} =") for name, text in texts.items()}
            is_there = all(count == 1 if once else count for count in counts.values())
            if not is_there:
                self.lost.add(token)
            self.check(is_there, f"`{token}` is in every replica once", f"{counts}")
        self.typed.update(tokens)

    def files(self):
        return self.ipynb, self.percent, self.marimo_script

    def wait_everywhere(self, tokens):
        """Waits until every copy has all tokens. Unlike a flush this leaves it to nbsync when to write."""

        def are_there():
            texts = [path.read_text() for path in self.files()]
            return all(f"{token} =" in text for token in tokens for text in texts)

        return poll(are_there)

    def status(self):
        return self.stage.daemon.status()[str(self.ipynb.relative_to(self.stage.root))]

    def outputs(self):
        """Returns what each code cell printed, from the ipynb."""
        notebook = nbformat.read(self.ipynb, 4)
        return [
            "".join(output.get("text", "") for output in cell.outputs)
            for cell in notebook.cells
            if cell.cell_type == "code"
        ]

    def check_no_dialogs(self):
        for page in self.pages:
            found = page.dialogs()
            self.n_dialogs += len(found)
            self.check(not found, f"{page.name} shows no dialog", f"{found}")

    def close(self):
        """Keeps a picture of each page and closes it."""
        for no, page in enumerate(self.pages):
            page.screenshot(self.stage.shots / f"{self.name}-{no}-{page.name}.png")
            page.close()
        for server in self.own_servers:
            server.stop()
