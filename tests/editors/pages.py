"""The editors as their users see them: pages with cells in which one types."""

import time
import urllib.parse

from browser import PATIENCE, new_page

# Slow enough for an editor on a loaded machine, in ms a key.
PACE = 25


class Page:
    """One notebook, open in one editor."""

    name = "?"

    def __init__(self, chromium):
        self.page = new_page(chromium)

    def cells(self):
        """Returns the source of each cell, as the page shows it."""
        raise NotImplementedError

    def focus(self, cell):
        """Places the caret at the end of a cell."""
        raise NotImplementedError

    def type(self, cell, text):
        """Types at the end of a cell, without saving."""
        self.focus(cell)
        self.page.keyboard.type(text, delay=PACE)

    def save(self):
        self.page.keyboard.press("Control+s")

    def dialogs(self):
        """Returns what dialogs and warnings say that are shown now."""
        raise NotImplementedError

    def answer(self, button):
        """Presses a button of a dialog."""
        raise NotImplementedError

    def wait_shows(self, text, patience=20.0):
        """Returns the ms until some cell has the text, or None."""
        started = time.monotonic()
        while time.monotonic() - started < patience:
            if any(text in cell for cell in self.cells()):
                return (time.monotonic() - started) * 1000
            self.page.wait_for_timeout(5)
        return None

    def wait_dialog(self, patience=20.0):
        """Returns what the next dialog says, or None."""
        started = time.monotonic()
        while time.monotonic() - started < patience:
            if found := self.dialogs():
                return found[0]
            self.page.wait_for_timeout(50)
        return None

    def screenshot(self, path):
        self.page.screenshot(path=path)

    def close(self):
        self.page.context.close()


class VsCode(Page):
    """What the two editors of VS Code share."""

    def __init__(self, chromium, url, path, root):
        super().__init__(chromium)
        self.page.goto(f"{url}?{urllib.parse.urlencode({'folder': str(root)})}")
        # The file that a link names would be opened before the editors for it are there.
        self.page.wait_for_selector(".explorer-viewlet .monaco-list-row")
        self.page.keyboard.press("Control+p")
        self.page.wait_for_selector(".quick-input-widget input:focus")
        self.page.keyboard.type(str(path))
        self.page.wait_for_selector(f".quick-input-list-row >> text={path.name}")
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(self.READY)

    def dialogs(self):
        return self.page.eval_on_selector_all(
            ".notification-list-item-message, .monaco-dialog-box .dialog-message-text",
            "all => all.map(it => it.innerText)",
        )

    def answer(self, button):
        self.page.locator(".notification-list-item").get_by_role("button", name=button).first.click()


# VS Code keeps lines in any order, each at its place.
LINES = """lines => [...lines.querySelectorAll(':scope > .view-line')]
    .sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top))
    .map(it => it.innerText.replaceAll('\\u00a0', ' ').replace(/\\n$/, '')).join('\\n')"""


class VsCodeText(VsCode):
    """VS Code with a percent script as text."""

    name = "vscode-text"
    READY = ".monaco-editor .view-lines .view-line"

    def text(self):
        return self.page.eval_on_selector(".editor-instance .view-lines", LINES)

    def cells(self):
        cells = []
        for line in self.text().split("\n"):
            if line.startswith("# %%"):
                cells.append([])
            elif cells:
                cells[-1].append(line)
        return ["\n".join(cell).strip("\n") for cell in cells]

    def focus(self, cell):
        # A line is found by its number in what the page shows, which starts at the first line.
        markers = -1
        last = 0
        for no, line in enumerate(self.text().split("\n"), 1):
            if line.startswith("# %%"):
                markers += 1
            elif markers == cell and line.strip():
                last = no
        self.page.click(".editor-instance .view-lines")
        self.page.keyboard.press("Control+g")
        self.page.wait_for_selector(".quick-input-widget input:focus")
        self.page.keyboard.type(f"{last}")
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(".quick-input-widget", state="hidden")
        self.page.keyboard.press("End")


class VsCodeNotebook(VsCode):
    """VS Code with an ipynb in its notebook editor."""

    name = "vscode-notebook"
    READY = ".notebookOverlay .code-cell-row .view-lines .view-line"

    def cells(self):
        lines = f"all => all.map({LINES})"
        rows = ".notebookOverlay .cell-list-container .code-cell-row .cell-editor-container .view-lines"
        return self.page.eval_on_selector_all(rows, lines)

    def focus(self, cell):
        row = self.page.locator(
            ".notebookOverlay .cell-list-container .code-cell-row .cell-editor-container .view-lines"
        )
        row.nth(cell).click()
        self.page.keyboard.press("Control+End")


class CodeMirror(Page):
    """What the editors on CodeMirror share."""

    CELL = ".cm-content"

    def cells(self):
        # A line that is empty has a <br>, which innerText counts twice.
        return self.page.eval_on_selector_all(
            self.CELL,
            "all => all.map(it => [...it.querySelectorAll('.cm-line')].map(it => it.textContent).join('\\n'))",
        )

    def focus(self, cell):
        self.page.locator(self.CELL).nth(cell).click()
        self.page.keyboard.press("Control+End")


class JupyterLab(CodeMirror):
    """JupyterLab with an ipynb."""

    name = "jupyterlab"
    CELL = ".jp-Notebook .jp-CodeCell .jp-InputArea-editor .cm-content"

    def __init__(self, chromium, url, path):
        super().__init__(chromium)
        self.page.goto(f"{url}lab/tree/{path}?reset")
        self.page.wait_for_selector(self.CELL)
        # The kernel fills in `language_info`; typing before that is kept as well.
        self.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']", state="attached")

    def dialogs(self):
        return self.page.eval_on_selector_all(
            ".jp-Dialog-content", "all => all.map(it => it.innerText)"
        )

    def answer(self, button):
        self.page.locator(".jp-Dialog-button", has_text=button).first.click()
        self.page.wait_for_selector(".jp-Dialog", state="detached")

    def command(self, name):
        """Runs a command by its name in the palette."""
        self.page.keyboard.press("Control+Shift+c")
        box = self.page.locator(".lm-CommandPalette-input")
        box.wait_for(state="visible")
        box.fill(name)
        self.page.locator(".lm-CommandPalette-item", has_text=name).first.click()

    def reload(self):
        """Loads what is on disk, as its user does to see what came from elsewhere."""
        self.command("Reload Notebook from Disk")
        self.page.wait_for_timeout(300)
        if self.dialogs():
            self.answer("Reload")


class Marimo(CodeMirror):
    """marimo's own editor."""

    name = "marimo"
    CELL = ".cm.mathjax_ignore .cm-content"

    def __init__(self, chromium, url):
        super().__init__(chromium)
        self.page.goto(url)
        self.page.wait_for_selector(self.CELL)

    def dialogs(self):
        return self.page.eval_on_selector_all(
            "[role=dialog], [role=alertdialog]", "all => all.map(it => it.innerText)"
        )


def open_all(*pages, patience=PATIENCE):
    """Waits until every page shows cells."""
    deadline = time.monotonic() + patience / 1000
    for page in pages:
        while not page.cells() and time.monotonic() < deadline:
            page.page.wait_for_timeout(100)
