#!/usr/bin/env python3
"""Answers what marimo and jupytext make of a text, for tests in other languages.

One JSON object a line on stdin, one on stdout: `{"op": OP, "text": TEXT}` gives
`{"ok": true, "text": ANSWER}` or `{"ok": false, "error": MESSAGE}`. An `id` comes back.

  regen      marimo script -> what marimo's editor saves
  defsrefs   marimo script -> JSON: for each cell its kind, name, code, options, defs and refs
  ir         marimo script -> JSON: header, options, violations and cells
  to         ipynb and `format`, `extension` -> script, as jupytext writes it
  from       script and `format`, `extension` -> ipynb, as jupytext reads it, with ids c0, c1, ...
  validate   ipynb -> nothing, or the error of nbformat

Run it with PYTHONHASHSEED=0: some of marimo's answers depend on the order of sets.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import jupytext
import nbformat
from marimo._ast.compiler import compile_cell
from marimo._schemas import serialization as ir
from support import views

KINDS = {
    ir.SetupCell: "setup",
    ir.FunctionCell: "function",
    ir.ClassCell: "class",
    ir.UnparsableCell: "unparsable",
}


def regen(request):
    text = request["text"]
    return views.save_marimo(views.load(text), text)


def cells_of(notebook):
    for cell in notebook.cells:
        kind = KINDS.get(type(cell), "cell")
        yield {"kind": kind, "name": cell.name, "code": cell.code, "options": cell.options}


def defsrefs(request):
    res = []
    for no, cell in enumerate(cells_of(views.load(request["text"]))):
        try:
            compiled = compile_cell(cell["code"], cell_id=str(no))
            cell.update(defs=sorted(compiled.defs), refs=sorted(compiled.refs))
        except Exception as error:
            cell["error"] = f"{type(error).__name__}: {error}"
        res.append(cell)
    return json.dumps(res, ensure_ascii=False)


def parsed(request):
    notebook = views.load(request["text"])
    header = notebook.header.value if notebook.header else None
    violations = [[it.description, it.lineno] for it in notebook.violations]
    res = {"header": header, "app": notebook.app.options, "violations": violations}
    return json.dumps({**res, "cells": list(cells_of(notebook))}, ensure_ascii=False, default=str)


def format_of(request):
    extension = request.get("extension", ".py")
    return {"extension": extension, "format_name": request.get("format", "percent")}


def to_script(request):
    notebook = nbformat.reads(request["text"], as_version=4)
    text = jupytext.writes(notebook, format_of(request))
    return text if text.endswith("\n") else text + "\n"


def from_script(request):
    notebook = jupytext.reads(request["text"], format_of(request))
    for no, cell in enumerate(notebook.cells):
        cell["id"] = f"c{no}"
    text = jupytext.writes(notebook, "ipynb")
    return text if text.endswith("\n") else text + "\n"


def validate(request):
    nbformat.validate(nbformat.from_dict(json.loads(request["text"])))
    return ""


OPS = {
    "regen": regen,
    "defsrefs": defsrefs,
    "ir": parsed,
    "to": to_script,
    "from": from_script,
    "validate": validate,
}


def answer(line):
    reply = {}
    try:
        request = json.loads(line)
        if "id" in request:
            reply["id"] = request["id"]
        reply |= {"ok": True, "text": OPS[request["op"]](request)}
    except Exception as error:
        reply |= {"ok": False, "error": f"{type(error).__name__}: {error}"}
    return reply


def main():
    # What the tools print themselves must not come between the answers.
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    for line in sys.stdin:
        if line.strip():
            out.write(json.dumps(answer(line)) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
