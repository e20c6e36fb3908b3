"""What people do with several editors on one notebook."""

import os
import random

from pages import poll
from support.editors import save
from typists import Typist, type_beside_each_other

SCENARIOS = []


def scenario(n_cells=3, height=1600, by_name=False):
    """Adds a scenario, which is told of a notebook with so many cells, in pages of such a height.

    One may run only if it is named.
    """

    def add(function):
        function.n_cells = n_cells
        function.height = height
        function.by_name = by_name
        SCENARIOS.append(function)
        return function

    return add


@scenario()
def typed_in_one_shown_in_all(nb):
    """Type and save in each; the others show it, JupyterLab after a reload."""
    pages = [nb.vscode_text(), nb.vscode_notebook(), nb.marimo(), nb.jupyterlab()]
    tokens = []
    for round_no in range(nb.stage.options.rounds):
        for author in pages:
            token = f"{author.name.replace('-', '_')}_{round_no}"
            tokens.append(token)
            readers = [it for it in pages if it is not author]
            author.type(round_no % 3, f"\n{token} = 0")
            for reader in readers:
                reader.expect(token)
            nb.save(author, token)
            nb.check_shown(token, readers)
            nb.note_latencies(author, readers)
    nb.check_tokens(tokens)
    nb.check(nb.outputs() == ["1\n", "2\n", "3\n"], "outputs stay", nb.outputs())
    nb.check_no_dialogs()


def type_in_both(nb, text_cell, marimo_cell):
    """Types in two editors before either saves, and saves both at once."""
    text, marimo = nb.vscode_text(), nb.marimo()
    text.type(text_cell, "\nfrom_text = 0")
    marimo.type(marimo_cell, "\nfrom_marimo = 0")
    # First: what is not saved in marimo when an update comes, it takes back.
    nb.save(marimo, "from_marimo")
    nb.save(text, "from_text", insist="Overwrite")
    return text, marimo


@scenario()
def two_editors_within_a_second(nb):
    """Different cells in two editors: both are kept, and there is nothing to resolve."""
    text, marimo = type_in_both(nb, 0, 2)
    nb.check_shown("from_text", [marimo])
    nb.check_tokens(["from_text", "from_marimo"])
    nb.check(nb.status()["state"] == "synced", "no conflict", nb.status())
    nb.check_no_dialogs()


def save_in_two_at_once(nb, is_shown_at_once):
    """Has two editors save at the same moment, again and again.

    VS Code looks what became of its save, and takes a merge that it finds there for its own text. Every
    other time it is refused, and its user insists: such a save is merged within milliseconds.
    """
    text, marimo = nb.vscode_text(), nb.marimo()
    tokens = []
    for no in range(nb.stage.options.tries):
        pair = [f"text_{no}", f"marimo_{no}"]
        text.type(0, f"\n{pair[0]} = 0")
        marimo.type(2, f"\n{pair[1]} = 0")
        marimo.press_save()
        if no % 2:
            nb.wait_in_file(nb.percent, pair[1])
        text.press_save()
        nb.settle([text, marimo])
        nb.wait_everywhere(pair)
        is_shown_at_once(text, pair[1])
        nb.check_shown(pair[0], [marimo])
        tokens += pair
    # Whatever was not shown is so with the next change.
    marimo.type(2, "\nlast = 0")
    nb.save(marimo, "last")
    for token in tokens:
        nb.check_shown(token, [text])
    nb.check_tokens([*tokens, "last"])
    nb.check_no_dialogs()


@scenario()
def saved_in_two_at_once(nb):
    """Two editors save at the same moment: nothing is lost, and each shows it all in the end."""
    missed = []

    def is_shown_at_once(text, token):
        if not poll(lambda: text.shows(token), 5):
            missed.append(token)

    save_in_two_at_once(nb, is_shown_at_once)
    nb.note(f"VS Code missed {len(missed)} of {nb.stage.options.tries} merges until the next: {missed}")


@scenario(by_name=True)
def saved_in_two_and_shown_at_once(nb):
    """The same, and VS Code shows each merge. On a machine with much else to do it may look too late."""
    save_in_two_at_once(nb, lambda text, token: nb.check_shown(token, [text]))


@scenario(n_cells=6, height=4000)
def typed_at_random_in_three(nb):
    """All of them save by themselves, and their users type for two minutes, each in cells of their own."""
    options = nb.stage.options
    pages = [nb.vscode_text(autosave=True), nb.jupyterlab(autosave=True), nb.marimo()]
    text, _, marimo = pages
    typists = [
        Typist(nb, page, [no, no + 3], random.Random(f"{options.seed} {page.name}"))
        for no, page in enumerate(pages)
    ]
    type_beside_each_other(typists, options.seconds)
    nb.settle(pages)
    tokens = []
    for it in typists:
        taken_back = it.taken_back()
        nb.note(
            f"{it.page.name}: {len(it.typed)} lines, of which it took {len(taken_back)} back;"
            f" {len(it.broken)} more broken off by a question"
        )
        nb.check(len(it.typed) >= options.seconds / 10, f"{it.page.name} lets its user type", it.typed)
        nb.check(it.page is marimo or not taken_back, f"{it.page.name} takes nothing back", taken_back)
        tokens += [token for token in it.typed if token not in taken_back]
    nb.wait_everywhere(tokens)
    nb.check_tokens(tokens)
    nb.check(nb.status()["state"] == "synced", "no conflict", nb.status())
    for page in pages:
        if page.is_told_to_look:
            page.reload()
        poll(lambda page=page: all(page.shows(f"{token} = 0") for token in tokens))
        missing = [token for token in tokens if not page.shows(f"{token} = 0")]
        nb.check(not missing, f"{page.name} shows all that was typed", missing)
        nb.check(page.cells() == text.cells(), f"{page.name} shows what VS Code does", page.cells())
    nb.check(nb.outputs() == [f"{no}\n" for no in range(1, 7)], "outputs stay", nb.outputs())
    nb.check_no_dialogs()


@scenario()
def the_same_cell_in_two_editors(nb):
    """Both lines at the end of one cell: both are kept, and the user is told."""
    type_in_both(nb, 1, 1)
    nb.check_tokens(["from_text", "from_marimo"], once=False)
    nb.check(nb.status()["state"] == "conflict", "there is a conflict", nb.status())
    nb.check_no_dialogs()


@scenario()
def marimo_without_watch(nb):
    """An editor that never loads what came from elsewhere, and saves."""
    text, marimo = nb.vscode_text(), nb.marimo(watch=False)
    for no in range(3):
        text.type(0, f"\nfrom_text_{no} = 0")
        nb.save(text, f"from_text_{no}")
        nb.stage.daemon.flush()
        marimo.type(2, f"\nfrom_marimo_{no} = 0")
        nb.save(marimo, f"from_marimo_{no}")
        nb.check_shown(f"from_marimo_{no}", [text])
    nb.check_tokens([f"from_{name}_{no}" for name in ("text", "marimo") for no in range(3)])
    nb.check_no_dialogs()


def edit_under(nb, page, typed, other, token):
    """Types in a page, does not save, and lets an edit from another one come."""
    page.type(2, f"\n{typed} = 0")
    other.type(0, f"\n{token} = 0")
    nb.save(other, token)
    nb.wait_in_file(page.path, token)


@scenario()
def vscode_overwrites(nb):
    """Unsaved typing in VS Code when an edit arrives: its save is refused, and its user insists."""
    text, marimo = nb.vscode_text(), nb.marimo()
    edit_under(nb, text, "from_text", marimo, "from_marimo")
    said = nb.save(text, "from_text", insist="Overwrite")
    nb.check(said and "newer" in said, "VS Code says that the file is newer", said)
    nb.check_shown("from_text", [marimo])
    nb.check_tokens(["from_text", "from_marimo"])
    nb.check_no_dialogs()


def edit_under_jupyter(nb):
    """Types in JupyterLab, does not save, and lets an edit from VS Code come."""
    text, lab = nb.vscode_text(), nb.jupyterlab()
    edit_under(nb, lab, "from_lab", text, "from_text")
    nb.stage.daemon.flush()
    nb.check(not lab.dialogs(), "JupyterLab asks nothing until it saves", lab.dialogs())
    return text, lab


@scenario()
def jupyter_overwrites(nb):
    """JupyterLab says that the file has changed; its user insists."""
    text, lab = edit_under_jupyter(nb)
    said = nb.save(lab, "from_lab", insist="Overwrite")
    nb.check(said and "changed on disk" in said, "JupyterLab says that the file has changed", said)
    nb.check_tokens(["from_text", "from_lab"])
    nb.check_shown("from_lab", [text])
    nb.check_shown("from_text", [lab])
    nb.check(lab.shows("from_lab"), "JupyterLab still shows its own edit", lab.cells())
    nb.check(nb.outputs() == ["1\n", "2\n", "3\n"], "outputs stay", nb.outputs())
    nb.check_no_dialogs()


@scenario()
def jupyter_reverts(nb):
    """JupyterLab says that the file has changed; its user takes what is there."""
    _, lab = edit_under_jupyter(nb)
    lab.press_save()
    said = nb.wait_for("JupyterLab asks", lab.dialogs)[0]
    nb.check("changed on disk" in said, "JupyterLab says that the file has changed", said)
    lab.answer("Revert")
    nb.wait_for("JupyterLab shows what is on disk", lambda: lab.shows("from_text"))
    nb.check(not lab.shows("from_lab"), "JupyterLab gives up its own edit", lab.cells())
    nb.check_tokens(["from_text"])
    nb.check("from_lab" not in nb.percent.read_text(), "what was given up is nowhere")
    nb.check_no_dialogs()


@scenario()
def edited_while_a_cell_runs(nb):
    """A cell runs in JupyterLab while the script is edited: kernel and outputs are left alone."""
    lab, text = nb.jupyterlab(), nb.vscode_text()
    gate = nb.stage.shots / f"{nb.name}.fifo"
    os.mkfifo(gate)
    lab.type(0, f"\nprint('before')\nopen({str(gate)!r}).read()\nprint('after')")
    nb.save(lab, "'after'")
    nb.check_shown("'after'", [text])
    lab.run(0)
    nb.wait_for("the cell prints", lambda: "before" in lab.printed()[0])
    text.type(2, "\nfrom_text = 0")
    nb.save(text, "from_text")
    nb.wait_in_file(nb.ipynb, "from_text")
    nb.stage.daemon.flush()
    nb.check(lab.is_running(), "the cell still runs")
    gate.write_text("")
    nb.wait_for("the cell ends", lambda: "after" in lab.printed()[0])
    lab.type(1, "\nfrom_lab = 0")
    said = nb.save(lab, "from_lab", insist="Overwrite")
    nb.check(said and "changed on disk" in said, "JupyterLab says that the file has changed", said)
    nb.check_tokens(["from_text", "from_lab"])
    printed = ["1\nbefore\nafter\n", "2\n", "3\n"]
    nb.check(nb.outputs() == printed, "all outputs are in the notebook", nb.outputs())
    nb.check_no_dialogs()


@scenario()
def deleted_and_brought_back(nb):
    """A cell is deleted in JupyterLab, and the deletion taken back."""
    lab, text, marimo = nb.jupyterlab(), nb.vscode_text(), nb.marimo()
    lab.delete(1)
    lab.press_save()
    nb.wait_in_file(nb.ipynb, "y = x + 1", is_there=False)
    nb.wait_clean(lab)
    for page in (text, marimo):
        nb.wait_for(f"{page.name} shows two cells", lambda page=page: len(page.cells()) == 2)
    nb.stage.daemon.flush()
    lab.undo_deletion()
    lab.press_save()
    nb.wait_in_file(nb.ipynb, "y = x + 1")
    nb.wait_clean(lab)
    nb.check_shown("y = x + 1", [text, marimo])
    for page in (lab, text, marimo):
        cells = [cell.split(" ")[0] for cell in page.cells()]
        nb.check(cells == ["x", "y", "z"], f"{page.name} shows the cells in their order", cells)
    nb.check(nb.outputs() == ["1\n", "2\n", "3\n"], "outputs are back", nb.outputs())
    nb.check_no_dialogs()


@scenario()
def renamed_in_jupyter(nb):
    """The notebook is renamed in the file browser of JupyterLab, and edited on."""
    lab = nb.jupyterlab()
    lab.type(0, "\nbefore_it = 0")
    nb.save(lab, "before_it")
    nb.check_tokens(["before_it"])
    lab.rename("other.ipynb")
    nb.rename("other")
    nb.wait_for("the other copies have its new name", lambda: nb.percent.exists() and nb.marimo_script.exists())
    lab.type(1, "\nfrom_lab = 0")
    nb.save(lab, "from_lab")
    nb.wait_in_file(nb.percent, "from_lab")
    save(nb.percent, nb.percent.read_text().replace("print(z)", "print(z)\nfrom_text = 0"))
    nb.wait_in_file(nb.ipynb, "from_text")
    nb.check_shown("from_text", [lab])
    nb.check_tokens(["before_it", "from_lab", "from_text"])
    nb.check(nb.outputs() == ["1\n", "2\n", "3\n"], "outputs stay", nb.outputs())
    nb.check_no_dialogs()


@scenario()
def jupyter_with_collaboration(nb):
    """JupyterLab that saves by itself and shows what comes from elsewhere."""
    lab, text, marimo = nb.jupyterlab_together(), nb.vscode_text(), nb.marimo()
    tokens = []
    for round_no in range(nb.stage.options.rounds):
        for author in (text, lab, marimo):
            token = f"{author.name.replace('-', '_')}_{round_no}"
            tokens.append(token)
            readers = [it for it in (text, lab, marimo) if it is not author]
            author.type(round_no % 3, f"\n{token} = 0")
            for reader in readers:
                reader.expect(token)
            nb.save(author, token)
            nb.check_shown(token, readers)
            nb.note_latencies(author, readers)
            nb.stage.daemon.flush()
    nb.check_tokens(tokens)
    nb.check(nb.outputs() == ["1\n", "2\n", "3\n"], "outputs stay", nb.outputs())
    nb.check_no_dialogs()


@scenario()
def marimo_without_watchdog(nb):
    """marimo that looks once a second whether its file has changed."""
    text, marimo = nb.vscode_text(), nb.marimo(watchdog=False)
    text.type(0, "\nfrom_text = 0")
    nb.save(text, "from_text")
    nb.check_shown("from_text", [marimo])
    marimo.type(2, "\nfrom_marimo = 0")
    nb.save(marimo, "from_marimo")
    nb.check_shown("from_marimo", [text])
    nb.check_tokens(["from_text", "from_marimo"])
    nb.check_no_dialogs()
