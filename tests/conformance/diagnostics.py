"""What `nbsync doctor` says of notebooks, compared with marimo and with a real run.

`marimo check` has a rule for each thing that marimo itself refuses (`MB001` to `MB005`). nbsync must report
the same names and cells. And what it says of the order of cells is compared with a run of them, from top to
bottom, in one Python namespace.
"""

import random
from pathlib import Path

from marimo._ast import codegen
from marimo._ast.compiler import compile_cell
from marimo._ast.errors import ImportStarError
from marimo._lint.linter import Linter
from marimo._lint.rules.breaking import BREAKING_RULE_CODES
from marimo._lint.validate_graph import (
    check_for_cycles,
    check_for_invalid_root,
    check_for_multiple_definitions,
)
from marimo._runtime.dataflow import DirectedGraph
from marimo._schemas import serialization as ir
from support import views

N_GENERATED = 600
# What marimo's linter calls the same.
CODES = {
    "multiple-definition": "MB002",
    "cycle": "MB003",
    "setup-depends": "MB004",
}


def check_all(report, home, folder, corpus):
    root = folder / "diagnostics"
    root.mkdir()
    sources = sorted((corpus / "marimo").rglob("*.py"))
    for file in (it for it in sources if it.name != "__init__.py"):
        (root / f"corpus_{file.stem}.py").write_bytes(file.read_bytes())
    for seed in range(N_GENERATED):
        (root / f"generated_{seed}.py").write_text(generate(seed))
    found = home.json("doctor", root=root)
    diagnostics = {it["path"]: it["diagnostics"] for it in found["files"]}
    files = sorted(root.glob("*.py"))
    report.check(found["n_notebooks"] == len(files), "doctor knows all notebooks", found["findings"])

    linter = Linter(rules=[BREAKING_RULE_CODES[code]() for code in sorted(BREAKING_RULE_CODES)])
    linter.run_streaming(iter(files))
    linted = {Path(it.file).name: {one.code for one in it.diagnostics} for it in linter.files}

    n_same = n_reports = n_run = n_failing = 0
    for file in files:
        ours = diagnostics.get(file.name, [])
        notebook = views.load(file.read_text())
        problems = compare(notebook, ours, linted[file.name])
        n_same += not problems
        n_reports += sum(it["code"] in ("syntax-error", "import-star", *CODES) for it in ours)
        report.check(not problems, f"{file.name}: as marimo check", "\n".join(problems))
        # What is deleted or may come from a star is not followed.
        text = file.read_text()
        if file.name.startswith("generated_") and "del " not in text and "import *" not in text:
            failed = run(notebook)
            if failed is not None:
                said = order(ours)
                n_run += 1
                n_failing += failed[0] is not None
                detail = f"a run fails at {failed}, doctor says {said}"
                report.check(failed[0] == said, f"{file.name}: order", detail)
    report.note(
        f"doctor and marimo check: the same of {n_same} / {len(files)} notebooks, with {n_reports} "
        f"errors; doctor and a run from top to bottom: {n_run} notebooks, of which {n_failing} fail"
    )


def compare(notebook, ours, linted):
    """Returns what differs from marimo's own graph, cell by cell, and from its linter's codes."""
    graph, broken, stars = graph_of(notebook)
    problems = []

    def expect(what, got, wanted):
        if got != wanted:
            problems.append(f"{what}: doctor has {got}, marimo {wanted}")

    def cells(code):
        return [{it["cell"] for it in one["places"]} for one in ours if one["code"] == code]

    names = {}
    for cell, errors in check_for_multiple_definitions(graph).items():
        for error in errors:
            names.setdefault(error.name, set()).add(number(notebook, cell))
    expect("names of several cells", sorted(map(sorted, cells("multiple-definition"))), sorted(map(sorted, names.values())))
    named = sorted(it["message"].split("`")[1] for it in ours if it["code"] == "multiple-definition")
    expect("the names", named, sorted(names))

    # marimo finds a cycle for each edge that closes one; doctor has all cells that need each other.
    cycles = [
        {number(notebook, cell) for edge in error.edges_with_vars for cell in (edge[0], edge[2])}
        for errors in check_for_cycles(graph).values()
        for error in errors
    ]
    components = cells("cycle")
    for cycle in cycles:
        if not any(cycle <= it for it in components):
            problems.append(f"cycle: marimo has {cycle}, doctor {components}")
    for component in components:
        if not any(it <= component for it in cycles):
            problems.append(f"cycle: doctor has {component}, marimo {cycles}")

    setup = [it for errors in check_for_invalid_root(graph).values() for it in errors]
    # What it names are parents by a name; one that deletes is none.
    expect("setup", bool(cells("setup-depends")), bool(setup))
    expect("syntax errors", set().union(*cells("syntax-error")), broken)
    expect("import *", set().union(*cells("import-star")), stars)
    for code, theirs in CODES.items():
        expect(f"{theirs} of marimo check", bool(cells(code)), theirs in linted)
    expect("MB001 or MB005 of marimo check", bool(broken | stars), bool({"MB001", "MB005"} & linted))
    return problems


def graph_of(notebook):
    graph, broken, stars = DirectedGraph(), set(), set()
    for no, cell in enumerate(notebook.cells):
        name = "setup" if isinstance(cell, ir.SetupCell) else str(no)
        try:
            compiled = compile_cell(cell.code, cell_id=name)
            if isinstance(cell, ir.UnparsableCell):
                raise SyntaxError
            graph.register_cell(name, compiled)
        except ImportStarError:
            stars.add(no + 1)
        except SyntaxError:
            broken.add(no + 1)
    return graph, broken, stars


def number(notebook, cell):
    if cell != "setup":
        return int(cell) + 1
    (no,) = [no for no, it in enumerate(notebook.cells) if isinstance(it, ir.SetupCell)]
    return no + 1


def run(notebook):
    """Runs the cells one after the other. Returns the number of the first that fails because a cell below
    defines what it needs, or `None` in its place; nothing if the run tells nothing."""
    namespace = {}
    for no, cell in enumerate(notebook.cells):
        try:
            exec(cell.code, namespace)
        except NameError as error:
            below = any(defines(it.code, error.name) for it in notebook.cells[no + 1 :])
            return (no + 1, error.name) if below else None
        except Exception:
            return None
    return (None, None)


def defines(code, name):
    try:
        return name in compile_cell(code, cell_id="0").defs
    except SyntaxError:
        return False


def order(diagnostics):
    cells = [it["cell"] for one in diagnostics if one["code"] == "order" for it in one["places"]]
    return min(cells, default=None)


# --- notebooks with few names, so that they meet -----------------------------------------------------

NAMES = "abcdexy"
FUNCTIONS = "fgh"
CELLS = [
    "{a} = 1",
    "{a} = 1\n{b} = {a}",
    "{a} = {b}",
    "{a} = {b} if {c} else 0",
    "{a}",
    "print({a}, {b})",
    "{a} += 1",
    "{a}: int = {b}",
    "def {f}():\n    return {a}",
    "def {f}():\n    return {g}()",
    "def {f}(x={a}):\n    {b} = 1\n    return {b}",
    "def {f}():\n    global {a}\n    {a} = 2\n    return {b}",
    "{f}()",
    "{a} = {f}()",
    "{f} = lambda: {a}",
    "class Class_{a}:\n    {a} = {b}",
    "class Class_{a}:\n    def method(self):\n        return {b}",
    "[{a} for {a} in range(2)]",
    "{a} = [{b} for _ in range(2)]",
    "for {a} in range(2):\n    {b} = {a}",
    "_{a} = {b}",
    "_{a} = 1\n{b} = _{a}",
    "import math as {a}",
    "with open('/dev/null') as {a}:\n    {b} = 1",
    "try:\n    {a} = 1\nexcept ValueError as {b}:\n    pass",
    "if ({a} := 1):\n    {b} = {a}",
    "f'{{{a}!r}}'",
    "match 1:\n    case {a}:\n        pass",
]
RARE = ["from math import *", "{a} = (", "del {a}", "return {a}", "{a} = 1\ndel {a}", "await {a}"]


def generate(seed):
    rng = random.Random(seed)
    cells = []
    for _ in range(rng.randint(1, 9)):
        pool = RARE if rng.random() < 0.06 else CELLS
        letters = {key: rng.choice(NAMES) for key in "abc"}
        functions = {key: rng.choice(FUNCTIONS) for key in "fg"}
        code = rng.choice(pool).format(**letters, **functions)
        cells.append(ir.CellDef(code=code, name="_", options={}))
    if rng.random() < 0.15:
        code = rng.choice(["import os", "a = b", "x = 1", "def f():\n    return y"])
        cells.insert(0, ir.SetupCell(code=code, name="setup", options={}))
    notebook = ir.NotebookSerializationV1(
        app=ir.AppInstantiation(options={}),
        header=None,
        cells=cells,
        violations=[],
        valid=True,
        filename="notebook.py",
    )
    return codegen.generate_filecontents_from_ir(notebook)
