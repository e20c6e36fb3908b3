"""The notebook that most tests start with."""

import nbformat

from . import views
from .kernel import KERNEL, LANGUAGE


def code_cell(name, number):
    """Returns a code cell with an id and an output of its own."""
    v4 = nbformat.v4
    cell = v4.new_code_cell(f"{name} = {number}\nprint({name})", id=f"cell-{name}")
    cell.execution_count = number
    cell.outputs = [v4.new_output("stream", name="stdout", text=f"{number}\n")]
    return cell


def sample():
    """Returns three code cells with outputs, the second one below a text with an image."""
    cells = [code_cell(name, number) for number, name in enumerate("abc", 1)]
    text = nbformat.v4.new_markdown_cell("Some *text* with an image.", id="cell-text")
    text["attachments"] = {"dot.png": {"image/png": "iVBORw0KGgo="}}
    cells.insert(1, text)
    return notebook(cells)


def notebook(cells):
    metadata = {"kernelspec": dict(KERNEL), "language_info": dict(LANGUAGE)}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def write_notebook(path, notebook=None):
    """Writes a notebook as Jupyter does, by default the sample."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(views.write_ipynb(notebook or sample()))
