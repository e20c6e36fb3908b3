"""What marimo's editor does when it opens and saves a script. Needs nothing but marimo."""

import ast
import re

from marimo._ast import codegen
from marimo._ast.app import InternalApp
from marimo._ast.load import load_notebook_ir
from marimo._ast.parse import is_non_marimo_python_script
from marimo._convert.converters import MarimoConvert
from marimo._schemas import serialization as ir


def load(text):
    """Parses as the editor does, which refuses a script that is not a notebook."""
    notebook = MarimoConvert.from_py(text.strip()).to_ir()
    if is_non_marimo_python_script(notebook):
        raise ValueError("not a marimo notebook")
    return notebook


def save_marimo(notebook, text):
    """Returns what marimo's editor saves for a parsed notebook whose file holds `text`."""
    app = InternalApp(load_notebook_ir(notebook, filepath="notebook.py"))
    app.cell_manager.ensure_one_cell()
    saved = app.to_ir()
    new = ir.NotebookSerializationV1(
        app=saved.app,
        header=header(text) or saved.header,
        cells=saved.cells,
        violations=saved.violations,
        valid=saved.valid,
        filename="notebook.py",
    )
    return codegen.generate_filecontents_from_ir(new)


def header(text):
    """The editor reads the header from the file again: all before the import of marimo."""
    before = []
    for line in text.splitlines(keepends=True):
        if line.startswith("import marimo"):
            break
        before.append(line)
    else:
        return None
    value = "".join(before)
    try:
        body = ast.parse(value).body
    except SyntaxError:
        return None
    if not value.strip() or not all(
        isinstance(it, ast.Expr) and isinstance(it.value, ast.Constant) for it in body
    ):
        return None
    return ir.Header(value=value)


_VERSION = re.compile(r'^__generated_with = .*$', re.M)


def keep_version(new, old):
    found = _VERSION.search(old)
    return _VERSION.sub(lambda _: found.group(), new, count=1) if found else new
