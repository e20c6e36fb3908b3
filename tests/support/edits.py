"""Edits of one cell, made as the tools of each format make them, and what they have to do elsewhere."""

import copy
import hashlib
import re
from dataclasses import dataclass

import nbformat
from jupytext.languages import _SCRIPT_EXTENSIONS as SCRIPTS
from marimo._schemas import serialization as ir

from . import views

# Of marimo's replicas alone: other formats need no import to show markdown.
SYNTHETIC = ("code", "import marimo as mo")


class Unfit(Exception):
    """The edit can't be made in this text, so there is nothing to check."""


@dataclass
class Edit:
    # change, replace, insert, insert-markdown, delete or move
    op: str
    # The cell, or the cell before which one is inserted or to which one is moved.
    idx: int
    to: int = 0
    token: str = ""

    def __str__(self):
        to = f" -> {self.to}" if self.op == "move" else ""
        return f"{self.op} {self.idx}{to} ({self.token})"

    @property
    def line(self):
        """A line that is code in every language of the corpus, or close enough."""
        return f"{self.token} = 1"


def number(*words):
    """Returns a number that depends on nothing but the words."""
    return int.from_bytes(hashlib.sha256("\0".join(map(str, words)).encode()).digest()[:6], "big")


def choose(view, op, *seed, pinned=()):
    """Returns an edit of a cell, or raises `Unfit`. Cells that are pinned stay where they are."""
    pick = number(op, *seed)
    token = f"nbsync_{pick % 10**8:08}"
    keys = view.keys
    # Which of two equal cells was deleted or moved nobody can tell, so those are left out.
    fit = [
        idx
        for idx, cell in enumerate(view.cells)
        if keys.count(cell.key) == 1 and editable(view, cell) and idx not in pinned
    ]
    if op.startswith("insert"):
        # Anywhere before a cell that can be told apart, or at the end.
        places = [*fit, len(view.cells)]
        return Edit(op, places[pick % len(places)], token=token)
    if not fit or (op in ("delete", "move") and len(view.cells) < 2):
        raise Unfit("no cell that can be told apart")
    idx = fit[pick % len(fit)]
    if op == "move":
        places = [it for it in fit if it != idx]
        if not places:
            raise Unfit("no place to move a cell to")
        return Edit(op, idx, places[pick // 1000 % len(places)], token)
    return Edit(op, idx, token=token)


def editable(view, cell):
    if cell.key == SYNTHETIC or cell.kind in ("raw", "unparsable"):
        return False
    # In marimo's replicas, what can't run there stands in comments.
    if view.format == "marimo" and cell.source.startswith(("# Cell type: raw", "# %%")):
        return False
    # What stands in a header has no cell marker; setup stays the first cell, and a PEP 723 block
    # is a header in marimo.
    return bool(cell.block) and cell.rest.get("role") != "SetupCell" and not is_pep_723(cell)


def is_pep_723(cell):
    return cell.source.startswith("# /// script")


def intended(edit, keys):
    """Returns kinds and sources after the edit, for a view that has these before."""
    keys = list(keys)
    if edit.op == "change":
        kind, source = keys[edit.idx]
        keys[edit.idx] = (kind, appended(source, edit.line))
    elif edit.op == "replace":
        kind, _ = keys[edit.idx]
        keys[edit.idx] = (kind, edit.line)
    elif edit.op == "insert":
        keys.insert(edit.idx, ("code", edit.line))
    elif edit.op == "insert-markdown":
        keys.insert(edit.idx, ("markdown", edit.line))
    elif edit.op == "delete":
        del keys[edit.idx]
    elif edit.op == "move":
        keys.insert(edit.to, keys.pop(edit.idx))
    return keys


def appended(source, line):
    return f"{source}\n{line}" if source and not source.endswith("\n") else source + line


def is_appended(key, before, line):
    kind, source = key
    rest = source.removesuffix(line)
    # A cell that marimo can't run is a comment there, line by line.
    if before[1].startswith("# %%") and rest.endswith("\n# "):
        rest = rest.removesuffix("# ")
    return kind == before[0] and rest != source and rest.rstrip() == before[1].rstrip()


def apply(edit, view, extension):
    """Returns the text that the tool of the format saves, or raises `Unfit`."""
    if view.format == "ipynb":
        text = apply_ipynb(edit, view)
    elif view.format == "marimo":
        text = apply_marimo(edit, view)
    else:
        text = apply_script(edit, view, extension)
    try:
        after = views.view(view.format, extension, text)
    except Exception as error:
        raise Unfit(f"the edited text does not parse: {error}") from None
    if after.keys != intended(edit, view.keys):
        raise Unfit("the format reads the edited text otherwise")
    return text


def apply_ipynb(edit, view):
    notebook = nbformat.reads(view.text, as_version=nbformat.NO_CONVERT)
    cells = notebook.cells
    if edit.op == "change":
        cells[edit.idx].source = appended(cells[edit.idx].source, edit.line)
    elif edit.op == "replace":
        cells[edit.idx].source = edit.line
    elif edit.op.startswith("insert"):
        v4 = nbformat.v4
        make = v4.new_code_cell if edit.op == "insert" else v4.new_markdown_cell
        cell = make(edit.line, id=edit.token.replace("_", "-"))
        if notebook.nbformat_minor < 5:
            del cell["id"]
        cells.insert(edit.idx, cell)
    elif edit.op == "delete":
        del cells[edit.idx]
    elif edit.op == "move":
        cells.insert(edit.to, cells.pop(edit.idx))
    return views.write_ipynb(notebook)


def apply_marimo(edit, view):
    notebook = copy.deepcopy(views.load(view.text))
    cells = notebook.cells
    if edit.op in ("change", "replace"):
        cell = view.cells[edit.idx]
        source = edit.line if edit.op == "replace" else appended(cell.source, edit.line)
        if cell.kind == "markdown":
            if '"""' in source or "\\" in source:
                raise Unfit("a string that marimo changes when it saves")
            if edit.op == "replace" and not is_raw(cell.rest["code"]):
                # The new text would do with the usual prefix, and so the prefix is an edit too.
                raise Unfit("a string that isn't raw")
            source = marimo_markdown(source, cell.rest["code"])
        # A function with a statement behind it is an ordinary cell.
        options = cells[edit.idx].options
        name = cells[edit.idx].name if isinstance(cells[edit.idx], ir.CellDef) else "_"
        if type(cells[edit.idx]) is not ir.CellDef:
            name = "_"
        cells[edit.idx] = ir.CellDef(code=source, name=name, options=options)
    elif edit.op == "insert":
        cells.insert(edit.idx, ir.CellDef(code=edit.line, name="_"))
    elif edit.op == "insert-markdown":
        code = marimo_markdown(edit.line)
        cells.insert(edit.idx, ir.CellDef(code=code, name="_", options={"hide_code": True}))
    elif edit.op == "delete":
        del cells[edit.idx]
    elif edit.op == "move":
        cells.insert(edit.to, cells.pop(edit.idx))
    return views.save_marimo(notebook, view.text)


def marimo_markdown(source, old='mo.md(r"""'):
    """Returns the code of a Markdown cell, with the string prefix of the old one."""
    prefix = string_prefix(old)
    return f'mo.md({prefix}"""\n{source}\n""")'


def string_prefix(code):
    return re.match(r"[^\"']*\(\s*(\w*)", code).group(1)


def is_raw(code):
    return "r" in string_prefix(code).lower()


def apply_script(edit, view, extension):
    lines = view.text.splitlines(keepends=True)
    comment = SCRIPTS[extension]["comment"]
    marker = f"{comment} %%"
    if edit.op in ("change", "replace"):
        cell = view.cells[edit.idx]
        start, end = cell.start, cell.end
        while end > start and not lines[end - 1].strip():
            end -= 1
        has_marker = lines[start].lstrip().startswith((marker, comment + "%%"))
        # A body in comments: markdown, or a language that isn't the notebook's.
        commented = cell.kind == "markdown" or cell.source.startswith("%%")
        body = [line for line in lines[start + has_marker : end]]
        if commented and not all(line.startswith(comment) for line in body):
            raise Unfit("a cell in quotes")
        prefix = f"{comment} " if commented else ""
        lines[end - 1] = terminated(lines[end - 1])
        if edit.op == "change":
            lines.insert(end, f"{prefix}{edit.line}\n")
        else:
            if not has_marker:
                raise Unfit("a cell without a marker")
            lines[start + 1 : end] = [f"{prefix}{edit.line}\n"]
    elif edit.op.startswith("insert"):
        new = [f"{marker}\n", f"{edit.line}\n", "\n"]
        if edit.op == "insert-markdown":
            new = [f"{marker} [markdown]\n", f"{comment} {edit.line}\n", "\n"]
        if edit.idx < len(view.cells):
            place = view.cells[edit.idx].start
            if view.cells[edit.idx].block[: len(marker)].strip() != marker:
                raise Unfit("a cell without a marker")
        else:
            place = len(lines)
            lines = separated(lines)
            place, new = len(lines), new[:-1]
        lines[place:place] = new
    else:
        blocks = [lines[cell.start : cell.end] for cell in view.cells]
        if any(not block or not block[0].lstrip().startswith(comment) for block in blocks):
            raise Unfit("a cell without a marker")
        head = lines[: view.cells[0].start]
        if edit.op == "delete":
            del blocks[edit.idx]
        else:
            blocks.insert(edit.to, blocks.pop(edit.idx))
        blocks = [separated(block) for block in blocks[:-1]] + [stripped(blocks[-1])]
        lines = head + [line for block in blocks for line in block]
    return "".join(lines)


def terminated(line):
    return line if line.endswith("\n") else line + "\n"


def stripped(lines):
    """Returns the lines without blank ones at the end."""
    lines = list(lines)
    while lines and not lines[-1].strip():
        lines.pop()
    return [terminated(line) for line in lines]


def separated(lines):
    """Returns the lines with at least one blank line at the end."""
    if lines and lines[-1].strip():
        return [*lines[:-1], terminated(lines[-1]), "\n"]
    return list(lines)


# --- what an edit has to do in another replica ------------------------------------------------------


def visible(view):
    """Returns the indices of the cells that other replicas have too."""
    return [idx for idx, cell in enumerate(view.cells) if cell.key != SYNTHETIC]


def counterpart(from_view, to_view):
    """Returns for each cell of one view the cell of the other, or raises `Unfit`."""
    left, right = visible(from_view), visible(to_view)
    # A PEP 723 block is a cell of its own, or stands in the header of a marimo script.
    for these, view in ((left, from_view), (right, to_view)):
        other = to_view if view is from_view else from_view
        if (
            len(left) != len(right)
            and these
            and is_pep_723(view.cells[these[0]])
            and "# /// script" in other.head
        ):
            these.pop(0)
            break
    if is_nothing(from_view) or is_nothing(to_view):
        # A marimo notebook has at least one cell.
        left, right = ([] if is_nothing(it) else visible(it) for it in (from_view, to_view))
        if not left or not right:
            return {}
        left, right = visible(from_view), visible(to_view)
    if len(left) != len(right):
        raise Unfit(f"{len(left)} cells here, {len(right)} there")
    return dict(zip(left, right, strict=True))


def is_nothing(view):
    return not view.cells or (view.format == "marimo" and view.keys == [("code", "")])


def check_effect(edit, before, after, mapping):
    """Returns what is wrong with what an edit did in another replica."""
    old, new = before.cells, after.cells
    old_idx, new_idx = visible(before), visible(after)
    if not mapping and is_nothing(before):
        # The cell that an empty marimo notebook has may stay.
        old_idx = []
        new_idx = [it for it in new_idx if new[it].source]
    keys = [new[it].key for it in new_idx]
    # The edit, in cells of this replica that others have too.
    places = {it: no for no, it in enumerate(old_idx)}
    size = len(old_idx)

    def there(idx):
        if idx not in mapping:
            raise Unfit("the cell is none of the other replica")
        return places[mapping[idx]]

    kept = list(range(size))
    if edit.op in ("change", "replace"):
        where = there(edit.idx)
        expected = [old[it].key for it in old_idx]
        kind, source = expected[where]
        if edit.op == "replace":
            expected[where] = ("code" if kind == "unparsable" else kind, edit.line)
        else:
            expected[where] = (kind, appended(source, edit.line))
            # Formats differ in how many newlines at the end of a cell they keep.
            if where < len(keys) and is_appended(keys[where], (kind, source), edit.line):
                expected[where] = keys[where]
        kept[where] = None
    elif edit.op.startswith("insert"):
        where = there(edit.idx) if edit.idx in mapping else size
        kind = "code" if edit.op == "insert" else "markdown"
        expected = [old[it].key for it in old_idx]
        expected.insert(where, (kind, edit.line))
        kept.insert(where, None)
    elif edit.op == "delete":
        where = there(edit.idx)
        expected = [old[it].key for it in old_idx]
        del expected[where]
        del kept[where]
    else:
        expected = [old[it].key for it in old_idx]
        where, to = there(edit.idx), there(edit.to)
        expected.insert(to, expected.pop(where))
        kept.insert(to, kept.pop(where))
    if keys != expected:
        return [difference(expected, keys)]
    problems = []
    for no, origin in enumerate(kept):
        here = new[new_idx[no]]
        if origin is None:
            if edit.op in ("change", "replace"):
                problems += check_changed(old[old_idx[where]], here, after.format)
            continue
        was = old[old_idx[origin]]
        # In a script, what stood in the header is a cell of its own when it isn't the first any more.
        if was.block and here.block != was.block and not as_marimo_saves(here, after):
            problems.append(f"cell {no} was rewritten:\n{was.block}\n--- now\n{here.block}")
    if (before.head, before.tail) != (after.head, after.tail) and after.format != "marimo":
        problems.append(f"text around the cells: {before.head!r} -> {after.head!r}")
    if after.format == "marimo" and views.regen(before.text) == before.text:
        saved = views.regen(after.text)
        if saved != after.text:
            problems.append("marimo would save it otherwise\n" + first_line(saved, after.text))
    return problems


def check_both(changes, before, after):
    """Returns what is wrong after changes of different cells, made in different replicas at once.

    `changes` are pairs of an edit and what `counterpart` says for the replica that it was made in.
    """
    old = [before.cells[it] for it in visible(before)]
    new = [after.cells[it] for it in visible(after)]
    places = {it: no for no, it in enumerate(visible(before))}
    if len(old) != len(new):
        return [difference([it.key for it in old], [it.key for it in new])]
    lines = {places[mapping[edit.idx]]: edit.line for edit, mapping in changes}
    problems = []
    for no, (was, now) in enumerate(zip(old, new, strict=True)):
        if no in lines:
            if not is_appended(now.key, was.key, lines[no]):
                problems.append(f"cell {no}: no {lines[no]!r} in {now.key!r}")
        elif now.block != was.block and not as_marimo_saves(now, after):
            problems.append(f"cell {no} was rewritten:\n{was.block}\n--- now\n{now.block}")
    return problems


def as_marimo_saves(cell, view):
    """Signatures and returns of a marimo cell depend on the other cells."""
    if view.format != "marimo":
        return False
    saved = views.view("marimo", ".py", views.regen(view.text))
    return any(cell.block == it.block for it in saved.cells)


def check_changed(was, now, format):
    """Returns what changed in an edited cell beside its source."""
    if format == "marimo":
        # Of an unparsable cell marimo keeps the name among the options.
        was_rest = {key: it for key, it in was.rest["options"].items() if key != "name"}
        now_rest = {key: it for key, it in now.rest["options"].items() if key != "name"}
    else:
        was_rest, now_rest = without_raw(was.rest), without_raw(now.rest)
    if was_rest != now_rest:
        return [f"not only the source of the cell changed: {was_rest} -> {now_rest}"]
    return []


def without_raw(rest):
    """jupytext quotes a text with a backslash in it in a raw string."""
    metadata = dict(rest["metadata"])
    if "cell_marker" in metadata:
        metadata["cell_marker"] = metadata["cell_marker"].lstrip("rR")
    return {**rest, "metadata": metadata}


def difference(expected, got):
    for no, (left, right) in enumerate(zip(expected, got)):
        if left != right:
            return f"cell {no} of {len(got)} (expected {len(expected)}): expected {left!r}, got {right!r}"
    if len(expected) > len(got):
        return f"missing cell {len(got)}: {expected[len(got)]!r}"
    return f"too many cells, first {got[len(expected)]!r}"


def first_line(expected, got):
    left, right = expected.splitlines(), got.splitlines()
    for no, (a, b) in enumerate(zip(left, right), 1):
        if a != b:
            return f"line {no}: expected {a!r}, got {b!r}"
    return f"{len(left)} lines expected, {len(right)} got"
