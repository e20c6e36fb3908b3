"""What each format's own tool reads in a text, with the exact text of every cell.

A view has the same shape for all formats, so that a check can be written once: cells with kind and
source as nbformat, jupytext or marimo read them, and the bytes that stand for each.
"""

import ast
import functools
import json
import re
import textwrap
import warnings
from dataclasses import dataclass, field

import jupytext
import nbformat
from jupytext import cell_reader
from marimo._schemas import serialization as ir

from .marimo_editor import keep_version, load, save_marimo

warnings.simplefilter("ignore")


@dataclass
class Cell:
    kind: str
    source: str
    # The bytes that stand for the cell in the text, without blank lines around it.
    block: str
    # All that the format knows of it beside kind and source.
    rest: dict = field(default_factory=dict)
    # Where it begins and ends in the text, in lines. Unset for ipynb.
    start: int = 0
    end: int = 0

    @property
    def key(self):
        return (self.kind, self.source)


@dataclass
class View:
    format: str
    text: str
    cells: list
    # The text before the first cell and behind the last.
    head: str
    tail: str
    metadata: dict = field(default_factory=dict)
    # What the tool complains about.
    problems: list = field(default_factory=list)

    @property
    def keys(self):
        return [cell.key for cell in self.cells]


@functools.lru_cache(maxsize=4096)
def view(format, extension, text):
    """Reads a text. Raises what the tool raises."""
    if format == "ipynb":
        return read_ipynb(text)
    if format == "marimo":
        return read_marimo(text)
    return read_script(text, extension, format)


# --- ipynb -------------------------------------------------------------------------------------


def read_ipynb(text):
    notebook = json.loads(text)
    start, end = member(text, "cells")
    spans = elements(text, start)
    cells = []
    for (first, last), cell in zip(spans, notebook["cells"], strict=True):
        rest = {key: value for key, value in cell.items() if key not in ("cell_type", "source")}
        kind, source = cell["cell_type"], joined(cell["source"])
        cells.append(Cell(kind, source, text[first:last], rest))
    problems = []
    try:
        nbformat.validate(nbformat.from_dict(notebook))
    except nbformat.ValidationError as error:
        problems = [str(error).splitlines()[0]]
    return View(
        "ipynb", text, cells, text[:start], text[end:], notebook.get("metadata", {}), problems
    )


def joined(source):
    return source if isinstance(source, str) else "".join(source)


_decode = json.JSONDecoder().raw_decode
_blank = re.compile(r"[ \t\r\n]*")


def skip_blank(text, pos):
    return _blank.match(text, pos).end()


def member(text, name):
    """Returns where a member of the outermost object begins and ends."""
    pos = skip_blank(text, skip_blank(text, 0) + 1)
    while text[pos] != "}":
        key, pos = _decode(text, pos)
        start = skip_blank(text, skip_blank(text, pos) + 1)
        _, end = _decode(text, start)
        if key == name:
            return start, end
        pos = skip_blank(text, end)
        if text[pos] == ",":
            pos = skip_blank(text, pos + 1)
    raise ValueError(f"no {name}")


def elements(text, start):
    """Returns where the elements of an array begin and end."""
    res = []
    pos = skip_blank(text, start + 1)
    while text[pos] != "]":
        _, end = _decode(text, pos)
        res.append((pos, end))
        pos = skip_blank(text, end)
        if text[pos] == ",":
            pos = skip_blank(text, pos + 1)
    return res


def write_ipynb(notebook):
    """Returns what Jupyter writes."""
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT)
    return text if text.endswith("\n") else text + "\n"


# --- percent and hydrogen ----------------------------------------------------------------------


class Positions:
    """Notes how many lines each cell takes while jupytext reads."""

    def __enter__(self):
        self.lines = []
        self._read = cell_reader.BaseCellReader.read

        def read(reader, lines):
            cell, n_lines = self._read(reader, lines)
            self.lines.append(n_lines)
            return cell, n_lines

        cell_reader.BaseCellReader.read = read
        return self

    def __exit__(self, *_):
        cell_reader.BaseCellReader.read = self._read


def read_script(text, extension, format):
    with Positions() as positions:
        notebook = jupytext.reads(text, {"extension": extension, "format_name": format})
    lines = text.splitlines(keepends=True)
    pos = len(lines) - sum(positions.lines)
    head = "".join(lines[:pos])
    cells = []
    # Root-level YAML of the header is a cell without lines of its own.
    for cell in notebook.cells[: len(notebook.cells) - len(positions.lines)]:
        cells.append(Cell(cell.cell_type, cell.source, "", {"metadata": dict(cell.metadata)}))
    for n_lines, cell in zip(positions.lines, notebook.cells[len(cells) :], strict=True):
        block = "".join(lines[pos : pos + n_lines]).rstrip("\r\n")
        rest = {"metadata": dict(cell.metadata)}
        cells.append(Cell(cell.cell_type, cell.source, block, rest, pos, pos + n_lines))
        pos += n_lines
    return View(format, text, cells, head, "", dict(notebook.metadata))


# --- marimo ------------------------------------------------------------------------------------


def read_marimo(text):
    notebook = load(text)
    lines = text.splitlines(keepends=True)
    starts = block_starts(text)
    cells = []
    n_cells = len(notebook.cells)
    if len(starts) < n_cells:
        raise ValueError(f"{n_cells} cells, but {len(starts)} blocks")
    for idx, cell in enumerate(notebook.cells):
        end = starts[idx + 1] if idx + 1 < len(starts) else len(lines)
        block = "".join(lines[starts[idx] : end]).rstrip()
        kind, source = "code", cell.code
        shown = markdown(cell.code)
        if isinstance(cell, ir.UnparsableCell):
            kind = "unparsable"
        elif shown is not None:
            kind, source = "markdown", shown
        name = type(cell).__name__
        rest = {"role": name, "name": cell.name, "options": cell.options, "code": cell.code}
        cells.append(Cell(kind, source, block, rest, starts[idx], end))
    head = "".join(lines[: starts[0]] if starts else lines)
    tail = "".join(lines[cells[-1].end :]) if cells else ""
    problems = [violation.description for violation in notebook.violations]
    return View("marimo", text, cells, head, tail, notebook.app.options, problems)


_BLOCK = re.compile(r"@app\.|app\._unparsable_cell\(|(async )?with app\.setup|if __name__ ==")


def block_starts(text):
    """Returns the first lines of the cells, and of what follows them."""
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return [no for no, line in enumerate(text.splitlines()) if _BLOCK.match(line)]
    lines = text.splitlines()
    res = []
    for statement in body:
        decorators = getattr(statement, "decorator_list", [])
        first = min([statement.lineno, *(it.lineno for it in decorators)]) - 1
        if _BLOCK.match(lines[first]):
            res.append(first)
    return res


def markdown(code):
    """Returns the text of a cell that is nothing but `mo.md` of a string."""
    if "mo.md(" not in code:
        return None
    try:
        body = ast.parse(code).body
    except SyntaxError:
        return None
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        return None
    call = body[0].value
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != "mo.md":
        return None
    if len(call.args) != 1 or call.keywords or not isinstance(call.args[0], ast.Constant):
        return None
    value = call.args[0].value
    if not isinstance(value, str):
        return None
    lines = [line.rstrip() for line in value.split("\n")]
    return "\n".join([lines[0].lstrip(), textwrap.dedent("\n".join(lines[1:]))]).strip()


@functools.lru_cache(maxsize=4096)
def regen(text):
    """Returns what marimo's editor saves when nothing was edited, but for its version line."""
    return keep_version(save_marimo(load(text), text), text)
