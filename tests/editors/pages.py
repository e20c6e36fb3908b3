"""The editors as their users see them: pages with cells in which one types."""

import contextlib
import json
import time
import urllib.parse

from browser import PATIENCE, new_page

# Slow enough for an editor on a loaded machine, in ms a key.
PACE = 25

# Notes when the page shows a text, in ms since 1970, by the clock that all pages share.
EXPECT = """text => {
    window.shownAt = null;
    clearInterval(window.looking);
    const timer = window.looking = setInterval(() => {
        if ((%s)().some(it => it.includes(text))) {
            window.shownAt = Date.now();
            clearInterval(timer);
        }
    }, 10);
}"""

# The same for the moment at which its user last pressed a key, which may be what saves.
NOTE_KEYS = """() => window.addEventListener("keydown", () => window.pressedAt = Date.now(), true)"""


def poll(condition, patience=PATIENCE / 1000):
    """Returns what a condition gives once it holds, or else None."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        if time.monotonic() > deadline:
            return None
        time.sleep(0.02)
    return found


class Page:
    """One notebook, open in one editor."""

    name = "?"
    # Returns the source of each cell.
    CELLS = "() => []"
    # Is there while something is not saved.
    DIRTY = "?"
    DIALOG = "?"
    # Whether it shows what came from elsewhere only when its user asks for it.
    is_told_to_look = False

    def __init__(self, chromium, path, height=1600):
        self.path = path
        self.page = new_page(chromium, height)

    def open(self, url, root):
        """Returns when the page shows cells, so that one can type."""
        self.load(url, root)
        self.page.evaluate(NOTE_KEYS)

    def load(self, url, root):
        raise NotImplementedError

    def cells(self):
        """Returns the source of each cell, as the page shows it."""
        return self.page.evaluate(self.CELLS)

    def shows(self, text):
        return any(text in cell for cell in self.cells())

    def focus(self, cell):
        """Places the caret at the end of a cell."""
        raise NotImplementedError

    def has_caret(self, cell):
        """Whether keys go into a cell."""
        raise NotImplementedError

    def type(self, cell, text):
        """Types at the end of a cell, without saving."""
        self.focus(cell)
        self.page.keyboard.type(text, delay=PACE)

    def press_until(self, keys, condition):
        """Presses keys, each a word, and again if they have no effect for long."""
        for _ in range(6):
            for key in keys.split():
                self.page.keyboard.press(key)
            if poll(condition, PATIENCE / 6000):
                return
        raise RuntimeError(f"{self.name} does not do what {keys} stands for")

    def press_save(self):
        self.page.keyboard.press("Control+s")

    def is_dirty(self):
        return self.page.locator(self.DIRTY).count() > 0

    def dialogs(self):
        """Returns what dialogs and warnings say that are shown now."""
        return self.page.eval_on_selector_all(self.DIALOG, "all => all.map(it => it.innerText)")

    def answer(self, button):
        """Presses a button of a dialog."""
        raise NotImplementedError

    def expect(self, text):
        """Begins to look for a text; see `shown_at`."""
        self.page.evaluate(EXPECT % self.CELLS, text)

    def shown_at(self):
        """Returns when the expected text was first seen, in ms since 1970, or None."""
        return self.page.evaluate("() => window.shownAt")

    def pressed_at(self):
        """Returns when its user last pressed a key, in ms since 1970."""
        return self.page.evaluate("() => window.pressedAt")

    def watch_saves(self):
        """Returns a list that gets the text of every save, as far as it can be seen in the page."""
        return []

    @contextlib.contextmanager
    def patience(self, ms):
        """Makes what is done in a block fail after so long."""
        self.page.set_default_timeout(ms)
        try:
            yield
        finally:
            self.page.set_default_timeout(PATIENCE)

    def screenshot(self, path):
        self.page.screenshot(path=path)

    def close(self):
        self.page.context.close()


class VsCode(Page):
    """What the two editors of VS Code share."""

    DIRTY = ".tab.active.dirty"
    DIALOG = ".notification-list-item-message, .monaco-dialog-box .dialog-message-text"

    def load(self, url, root):
        self.page.goto(f"{url}?{urllib.parse.urlencode({'folder': str(root)})}")
        # The file that a link names would be opened before the editors for it are there.
        self.page.wait_for_selector(".explorer-viewlet .monaco-list-row")
        self.open_box("Control+p")
        self.page.keyboard.type(str(self.path))
        self.page.wait_for_selector(f".quick-input-list-row >> text={self.path.name}")
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(self.READY)

    def open_box(self, keys):
        """Opens the box in which one types where to go."""
        # A page that is just there may not listen to keys yet.
        self.press_until(keys, lambda: self.page.locator(".quick-input-widget input:focus").count())

    def answer(self, button):
        item = self.page.locator(".notification-list-item")
        item.get_by_role("button", name=button).first.click()
        item.first.wait_for(state="detached")


# VS Code keeps lines in any order, each at its place.
LINES = """lines => [...lines.querySelectorAll(':scope > .view-line')]
    .sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top))
    .map(it => it.innerText.replaceAll('\\u00a0', ' ').replace(/\\n$/, '')).join('\\n')"""


# The line of the caret, from 1; 0 if keys go elsewhere.
CARET_LINE = """() => {
    const editor = document.querySelector(".editor-instance .monaco-editor.focused");
    const top = editor?.querySelector(".cursors-layer > .cursor")?.style.top;
    const lines = [...(editor?.querySelectorAll(".view-lines > .view-line") ?? [])]
        .map(it => parseFloat(it.style.top)).sort((a, b) => a - b);
    return lines.indexOf(parseFloat(top)) + 1;
}"""


class VsCodeText(VsCode):
    """VS Code with a percent script as text."""

    name = "vscode-text"
    READY = ".monaco-editor .view-lines .view-line"
    CELLS = f"""() => ({LINES})(document.querySelector('.editor-instance .view-lines'))
        .split(/^# %%.*$/m).slice(1).map(it => it.trim())"""

    def focus(self, cell):
        # What arrives meanwhile may move the lines.
        for _ in range(6):
            self.page.click(".editor-instance .view-lines")
            self.open_box("Control+g")
            self.page.keyboard.type(f"{self.last_line(cell)}")
            self.page.keyboard.press("Enter")
            self.page.wait_for_selector(".quick-input-widget", state="hidden")
            self.page.keyboard.press("End")
            if poll(lambda: self.has_caret(cell), PATIENCE / 6000):
                return
        raise RuntimeError(f"{self.name} takes no caret in cell {cell}")

    def last_line(self, cell):
        """Returns the number of the last line of a cell in what the page shows, from its first line on."""
        lines = self.page.eval_on_selector(".editor-instance .view-lines", LINES)
        markers = -1
        last = 0
        for no, line in enumerate(lines.split("\n"), 1):
            if line.startswith("# %%"):
                markers += 1
            elif markers == cell and line.strip():
                last = no
        return last

    def has_caret(self, cell):
        return self.page.evaluate(CARET_LINE) == self.last_line(cell)


class VsCodeNotebook(VsCode):
    """VS Code with an ipynb in its notebook editor."""

    name = "vscode-notebook"
    READY = ".notebookOverlay .code-cell-row .view-lines .view-line"
    CELL = ".notebookOverlay .cell-list-container .code-cell-row .cell-editor-container .view-lines"
    CELLS = f"() => [...document.querySelectorAll('{CELL}')].map({LINES})"

    def focus(self, cell):
        self.page.locator(self.CELL).nth(cell).click()
        self.page.keyboard.press("Control+End")


def code_mirror(cells):
    """Returns what reads the cells of an editor on CodeMirror."""
    # A line that is empty has a <br>, which innerText counts twice.
    return f"""() => [...document.querySelectorAll("{cells}")].map(
        it => [...it.querySelectorAll(".cm-line")].map(it => it.textContent).join("\\n"))"""


class CodeMirror(Page):
    """What the editors on CodeMirror share."""

    CELL = ".cm-content"

    def focus(self, cell):
        # What a page still does, as after a rename, may take the caret away again.
        for _ in range(6):
            self.page.locator(self.CELL).nth(cell).click()
            if poll(lambda: self.has_caret(cell), PATIENCE / 6000):
                break
        else:
            raise RuntimeError(f"{self.name} takes no caret in cell {cell}")
        self.page.keyboard.press("Control+End")

    def has_caret(self, cell):
        return self.page.locator(self.CELL).nth(cell).evaluate("it => it.contains(document.activeElement)")


class JupyterLab(CodeMirror):
    """JupyterLab with an ipynb."""

    name = "jupyterlab"
    CELL = ".jp-Notebook .jp-CodeCell .jp-InputArea-editor .cm-content"
    CELLS = code_mirror(CELL)
    DIRTY = ".lm-TabBar-tab.jp-mod-current.jp-mod-dirty"
    DIALOG = ".jp-Dialog-content"
    is_told_to_look = True

    def load(self, url, root):
        self.page.goto(f"{url}lab/tree/{self.path.relative_to(root)}?reset")
        self.page.wait_for_selector(self.CELL)
        # The kernel fills in `language_info`; typing before that is kept as well.
        self.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']", state="attached")

    def answer(self, button):
        self.page.locator(".jp-Dialog-button", has_text=button).first.click()
        self.page.wait_for_selector(".jp-Dialog", state="detached")

    def command(self, name):
        """Runs a command by its name in the palette."""
        box = self.page.locator(".lm-CommandPalette-input")
        self.press_until("Control+Shift+c", box.is_visible)
        box.fill(name)
        self.page.locator(".lm-CommandPalette-item", has_text=name).first.click()

    def reload(self):
        """Loads what is on disk, as its user does to see what came from elsewhere."""
        self.command("Reload Notebook from Disk")

    def run(self, cell):
        self.focus(cell)
        self.page.keyboard.press("Control+Enter")

    def delete(self, cell):
        self.focus(cell)
        # From here on keys are commands.
        self.page.keyboard.press("Escape")
        self.page.wait_for_selector(".jp-Notebook.jp-mod-commandMode")
        n_cells = len(self.cells())
        self.press_until("d d", lambda: len(self.cells()) < n_cells)

    def undo_deletion(self):
        n_cells = len(self.cells())
        self.press_until("z", lambda: len(self.cells()) > n_cells)

    def printed(self):
        """Returns what each cell printed."""
        return self.page.eval_on_selector_all(
            ".jp-Notebook .jp-CodeCell",
            """all => all.map(it => [...it.querySelectorAll(".jp-OutputArea-output")]
                .map(it => it.innerText).join(""))""",
        )

    def is_running(self):
        """Whether the kernel is at work."""
        return self.page.locator(".jp-Notebook-ExecutionIndicator[data-status='busy']").count() > 0

    def rename(self, name):
        """Renames the notebook in the file browser."""
        item = self.page.locator(f".jp-DirListing-item[data-file-type='notebook'][title*='{self.path.name}']")
        item.click()
        editor = self.page.locator(".jp-DirListing-editor")
        self.press_until("F2", editor.is_visible)
        editor.fill(name)
        editor.press("Enter")
        editor.wait_for(state="detached")
        # Its tab follows, and then the keys are the notebook's again.
        self.page.wait_for_selector(f".lm-TabBar-tab.jp-mod-current >> text={name}")
        self.path = self.path.with_name(name)


class JupyterLabTogether(JupyterLab):
    """JupyterLab with jupyter-collaboration, which saves by itself."""

    name = "jupyterlab-together"
    is_told_to_look = False

    def press_save(self):
        # It saves one second after the last key. Whoever saves by hand may be asked about its own save.
        pass


class Marimo(CodeMirror):
    """marimo's own editor."""

    name = "marimo"
    CELL = ".cm.mathjax_ignore .cm-content"
    CELLS = code_mirror(CELL)
    DIRTY = "#save-button.yellow"
    DIALOG = "[role=dialog], [role=alertdialog]"

    def load(self, url, root):
        self.page.goto(url)
        self.page.wait_for_selector(self.CELL)

    def watch_saves(self):
        saves = []

        def note(request):
            if request.url.partition("?")[0].endswith("/api/kernel/save"):
                saves.append("\n".join(json.loads(request.post_data)["codes"]))

        self.page.on("requestfinished", note)
        return saves
