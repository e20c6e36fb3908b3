"""marimo -> ipynb -> marimo: what marimo's own converter makes of nbsync's ipynb.

Three texts of one notebook: what marimo saves, what `marimo convert` makes of the ipynb that nbsync
wrote, and what it makes of the ipynb that marimo itself exports. The second must be the first wherever
the third is: marimo's converter drops empty cells, renames what two cells define, and more. In generated
notebooks, which have nothing of that kind, the second must always be the first, also where marimo's own
export loses something: comments around Markdown, LaTeX delimiters, f-strings, escapes.
"""

import concurrent.futures
import itertools
import random

from marimo._ast import codegen
from marimo._ast.app import InternalApp
from marimo._ast.load import load_notebook_ir
from marimo._convert.converters import MarimoConvert
from marimo._convert.ipynb.from_ir import convert_from_ir_to_ipynb
from marimo._schemas import serialization as ir
from support import edits, views

N_GENERATED = 250
WHEEL = "marimo wheel"


def check_all(report, home, folder, corpus):
    """Checks the marimo notebooks of the corpus, and generated ones that use what those don't."""
    sets = {
        WHEEL: list(of_corpus(corpus)),
        "generated": [(f"generated {seed}", generate(seed)) for seed in range(N_GENERATED)],
    }
    for what, notebooks in sets.items():
        check_set(report, home, folder, what, notebooks)


def of_corpus(corpus):
    for file in sorted((corpus / "marimo").rglob("*.py")):
        text = file.read_bytes().decode()
        if "marimo.App(" in text and "@app." in text:
            yield str(file.relative_to(corpus)), views.save_marimo(views.load(text), text)


def check_set(report, home, folder, what, notebooks):
    """Converts with nbsync, two at a time, and compares."""

    def convert(text, source, target):
        args = ("convert", "-", "--from", source, "--to", target)
        return home.run(*args, check=0, stdin=text.encode(), cwd=folder).stdout.decode()

    def there_and_back(saved):
        ipynb = convert(saved, "marimo", "ipynb")
        return ipynb, convert(ipynb, "ipynb", "marimo")

    n_same = n_own_same = n_nbsync_same = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        converted = pool.map(there_and_back, (saved for _, saved in notebooks))
        for (name, saved), (ipynb, by_nbsync) in zip(notebooks, converted, strict=True):
            ours = MarimoConvert.from_ipynb(ipynb).to_py()
            own = MarimoConvert.from_ipynb(exported(saved)).to_py()
            n_same += ours == saved
            n_own_same += own == saved
            n_nbsync_same += by_nbsync == saved
            detail = edits.first_line(saved, ours)
            is_lost = what == WHEEL and own != saved
            report.check(is_lost or ours == saved, f"{name}: marimo convert of our ipynb", detail)
            detail = edits.first_line(saved, by_nbsync)
            report.check(by_nbsync == saved, f"{name}: nbsync convert of our ipynb", detail)
    report.note(
        f"marimo -> ipynb -> marimo, {what}: identical {n_same} / {len(notebooks)} through nbsync's "
        f"ipynb and marimo convert, {n_own_same} through marimo's own ipynb, {n_nbsync_same} through "
        "nbsync both ways"
    )


def exported(text):
    """Returns marimo's own ipynb of a notebook, in the order of the file."""
    app = InternalApp(load_notebook_ir(views.load(text), filepath="notebook.py"))
    app.cell_manager.ensure_one_cell()
    return convert_from_ir_to_ipynb(app, sort_mode="top-down")


# --- notebooks that use what those of the wheel don't -----------------------------------------------

BLOCK = '# /// script\n# requires-python = ">=3.11"\n# dependencies = [\n#     "marimo",\n# ]\n# ///'
HEADERS = [
    None,
    BLOCK,
    '"""What it is about."""',
    "# A licence.\n# Two lines of it.",
    f"#!/usr/bin/env -S uv run\n{BLOCK}\n\n# A licence.",
    f'# A licence.\n\n{BLOCK}\n\n"""What it is about."""',
]
APPS = [
    {},
    {"width": "full"},
    {"app_title": "A title"},
    {"width": "columns", "auto_download": ["html", "ipynb"], "sql_output": "pandas"},
    {"layout_file": "layouts/a.grid.json", "css_file": "a.css", "html_head_file": "head.html"},
]
OPTIONS = [{}] * 4 + [
    {"hide_code": True},
    {"disabled": True},
    {"column": 0},
    {"column": 2, "hide_code": True},
    {"expand_output": True},
    {"column": 1, "disabled": True, "hide_code": True, "expand_output": True},
]
CODE = [
    "v{n} = {n}",
    "v{n} = [it * {n} for it in range(3)]  # a comment\n\nprint(v{n})",
    "# only a comment {n}",
    "_private = {n}\n_private + {ref}",
    "{ref}",
    'v{n} = """\n  of several lines {n}\n"""\nv{n}',
    "import module{n}",
    "v{n}: int = {n}\nw{n} = {ref} + v{n}",
    "async def v{n}():\n    await {ref}",
    "await {ref}",
    "mo.md(f'{{{ref}}}')",
    "mo.md('a{n}').callout()",
    "with open('{n}') as v{n}:\n    pass",
    # What marimo's own export shows as Markdown, and loses a part of.
    '# above\nmo.md(r"""\n# Heading {n}\n""")',
    'mo.md(r"""\n# Heading {n}\n""")  # beside',
    'mo.md(r"""\n# Heading {n}\n""")\n# below',
    'mo.md(r"""\n\\(x_{n}\\) and \\[y\\]\n""")',
    'mo.md(f"""\n{{{{{n}}}}} in braces\n""")',
    'mo.md("""\na \\\\alpha {n}\n""")',
    'mo.md(r"""\na ""quoted"" {n}\n""")',
    'mo.md(f"""\n{{{ref}}} of {n}\n""")',
    "mo.md('a {n}', name={ref})",
    'mo.md(\n    # within\n    r"""\n    a {n}\n    """\n)',
]
FUNCTIONS = [
    "def f{n}(x):\n    return x + {n}",
    'def f{n}(x: int = 1, *rest) -> int:\n    """Of {n}."""\n    return f{n}(x - 1)',
    "class F{n}:\n    def method(self):\n        return {n}",
    "@decorated{n}\ndef f{n}():\n    return {ref}",
]
UNPARSABLE = ["v{n} = (", "if {n}\n    pass", "{n} +"]
MARKDOWN = [
    "# Heading {n}",
    "Text {n} with `code`, $x_{n}$ and \\alpha.",
    "- a\n- b\n\n  {n}\n\n| a | b |\n|---|---|",
    "a 'quoted' \"word\" {n}",
    "```python\nx = {n}\n```",
    "<b>{n}</b> &amp; ü 漢 🎲",
]
PREFIXES = ["r", "r", "r", ""]


def generate(seed):
    """Returns a notebook as marimo saves it."""
    rng = random.Random(seed)
    numbers = itertools.count(1)
    last = "1"
    cells = [ir.CellDef(code="import marimo as mo", name="_", options={})]
    if rng.random() < 0.5:
        options = rng.choice([{}, {"hide_code": True}])
        code = rng.choice(["import os", "import sys\n\nLIMIT = 3", "# nothing yet"])
        cells.insert(0, ir.SetupCell(code=code, name="setup", options=options))
    for _ in range(rng.randint(1, 12)):
        n = next(numbers)
        options = dict(rng.choice(OPTIONS))
        name = rng.choice(["_", "_", f"cell_{n}", "plot" if n == 1 else f"plot{n}"])
        kind = rng.choices(["code", "markdown", "function", "unparsable"], [6, 4, 2, 0.4])[0]
        if kind == "markdown":
            text, prefix = rng.choice(MARKDOWN), rng.choice(PREFIXES)
            text = text.replace("{n}", str(n))
            if "\\" in text:
                prefix = "r"
            code = codegen.construct_markdown_call(text, '"""', prefix)
            # Half of them as marimo makes them, hidden.
            options = rng.choice([options, {"hide_code": True}])
        else:
            pool = {"code": CODE, "function": FUNCTIONS, "unparsable": UNPARSABLE}[kind]
            code = rng.choice(pool).format(n=n, ref=last)
        if f"v{n} = " in code or f"v{n}: " in code:
            last = f"v{n}"
        cells.append(ir.CellDef(code=code, name=name, options=options))
    header = rng.choice(HEADERS)
    notebook = ir.NotebookSerializationV1(
        app=ir.AppInstantiation(options=rng.choice(APPS)),
        header=ir.Header(value=header) if header else None,
        cells=cells,
        violations=[],
        valid=True,
        filename="notebook.py",
    )
    text = codegen.generate_filecontents_from_ir(notebook)
    return views.save_marimo(views.load(text), text)
