"""What marimo makes of a script, as data that can be compared or sent. Needs nothing but marimo, so
that it runs on another Python as well (`later_python.py`)."""

import sys
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from marimo._ast.compiler import compile_cell
from marimo._ast.toplevel import TopLevelStatus
from marimo._schemas import serialization as ir
from support import marimo_editor

warnings.simplefilter("ignore")

# Of several annotations of a name, marimo takes that of the status that comes last in a set of objects, which
# depends on where they are in memory. Here it is the last cell.
TopLevelStatus.__hash__ = lambda self: int(self.cell_id)

KINDS = {
    ir.SetupCell: "setup",
    ir.FunctionCell: "function",
    ir.ClassCell: "class",
    ir.UnparsableCell: "unparsable",
}


def judge(text, asks):
    """Returns what marimo reads (`ir`), and if that is asked, for each cell its `names`, and what is saved
    (`regen`); or why it reads nothing (`error`) or can't save (`regen fails`)."""
    try:
        notebook, res = read(text)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    res = {"ir": res}
    if "names" in asks:
        res["names"] = [names(idx, cell["code"]) for idx, cell in enumerate(res["ir"]["cells"])]
    if "regen" in asks:
        lf = text.replace("\r\n", "\n")
        try:
            res["regen"] = marimo_editor.keep_version(marimo_editor.save_marimo(notebook, lf), lf)
        except Exception as error:
            res["regen fails"] = f"{type(error).__name__}: {error}"
    return res


def read(text):
    notebook = marimo_editor.load(text)
    if not notebook.valid:
        raise ValueError("only a header")
    cells = []
    for cell in notebook.cells:
        kind, options = KINDS.get(type(cell), "cell"), dict(cell.options)
        name = options.pop("name", None) if kind == "unparsable" else cell.name
        if kind == "unparsable" and not isinstance(name, str):
            name = None
        # An empty name is none.
        cells.append({"kind": kind, "name": name or None, "code": cell.code, "options": options})
    violations = Counter(it.description for it in notebook.violations)
    header = notebook.header.value if notebook.header else ""
    return notebook, {
        "header": header,
        "app": notebook.app.options,
        "cells": cells,
        "violations": dict(violations),
    }


def names(idx, code):
    """Returns what a cell defines and refers to, or nothing if it doesn't compile."""
    try:
        cell = compile_cell(code, cell_id=str(idx))
    except Exception:
        return None
    prefix = f"_cell_{idx}"
    # As they are written; those of imports are never mangled.
    temporaries = {it.removeprefix(prefix) if it.startswith(prefix + "_") else it for it in cell.temporaries}
    return {
        "defs": sorted(cell.defs),
        "refs": sorted(cell.refs),
        "temporaries": sorted(temporaries),
        "deleted_refs": sorted(cell.deleted_refs),
        "is_async": cell.is_coroutine(),
        "is_sql": cell.language == "sql",
    }
