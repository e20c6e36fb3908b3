#!/usr/bin/env python3
"""Which outputs go to which cell when nbsync sees a pair for the first time, beside what
`jupytext --update` does with the same files.

Every code cell has outputs that name it. The script is the notebook after random edits, of which the
test knows what became of each cell. An output counts as wrong if it is on a cell that is not what
became of its own.
"""

import random
import sys
from pathlib import Path

import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.daemon import Failure, Home, scratch
from support.report import Report

N_CASES = 400
FORMATS = "ipynb,py:percent"

NAMES = "alpha beta gamma delta epsilon zeta theta kappa lambda sigma omega".split()
LINES = [
    "{n} = load('{n}.csv')",
    "{n}.head()",
    "print({n})",
    "{n} = {n}.dropna()",
    "plot({n}, title='{n}')",
    "for row in {n}:\n    total += row",
    "{n}_mean = {n}.mean()",
    "assert len({n}) == {k}",
    "model.fit({n}, epochs={k})",
]


class Cell:
    """A cell of the script, with those of the notebook that it comes from."""

    def __init__(self, kind, source, origins):
        self.kind = kind
        self.source = source
        self.origins = frozenset(origins)


def any_source(rng):
    if rng.random() < 0.1:
        return rng.choice(["plt.show()", "%time run()", "df.head()"])
    name = rng.choice(NAMES)
    lines = rng.sample(LINES, rng.randint(1, 4))
    return "\n".join(lines).format(n=name, k=rng.randint(1, 99))


def edit_text(rng, source):
    """Changes a word, or adds a line."""
    if rng.random() < 0.5:
        return f"{source}\nprint({rng.randint(1, 99)})"
    return source.replace("(", f"({rng.choice(NAMES)}, ", 1) if "(" in source else source + " + 1"


def edited(rng, cells):
    """Returns the cells after some edits."""
    cells = [Cell("code", source, [idx]) for idx, source in enumerate(cells)]
    for _ in range(rng.randint(1, 4)):
        if not cells:
            break
        at = rng.randrange(len(cells))
        cell = cells[at]
        what = rng.choice(["edit", "edit", "insert", "delete", "move", "split", "merge", "kind"])
        if what == "edit":
            cells[at] = Cell(cell.kind, edit_text(rng, cell.source), cell.origins)
        elif what == "insert":
            cells.insert(at, Cell("code", any_source(rng), []))
        elif what == "delete":
            del cells[at]
        elif what == "move":
            cells.insert(rng.randrange(len(cells)), cells.pop(at))
        elif what == "split" and cell.source.count("\n") > 1:
            lines = cell.source.split("\n")
            cut = rng.randrange(1, len(lines))
            parts = ["\n".join(lines[:cut]), "\n".join(lines[cut:])]
            cells[at : at + 1] = [Cell(cell.kind, part, cell.origins) for part in parts]
        elif what == "merge" and at + 1 < len(cells) and cells[at + 1].kind == cell.kind:
            below = cells.pop(at + 1)
            both = f"{cell.source}\n{below.source}"
            cells[at] = Cell(cell.kind, both, cell.origins | below.origins)
        elif what == "kind":
            # It has no outputs any more.
            cells[at] = Cell("markdown", "Some words " + cell.source.replace("\n", " "), [])
    return cells


# What jupytext is known to get wrong, with what became of each cell.
SCENARIOS = {
    "S16 a cell is inserted between two that are edited": (
        ["a = 1\nprint(a)", "b = 2\nprint(b)", "c = 3\nprint(c)"],
        [
            ("a = 1\nprint(a)\nprint(0)", [0]),
            ("new = 5\nprint(new)", []),
            ("b = 2\nprint(b)\nprint(0)", [1]),
            ("c = 3\nprint(c)", [2]),
        ],
    ),
    "S17 the first of two equal cells is deleted, and a neighbour is edited": (
        ["plt.show()", "data = load('x')\nprint(data)", "plt.show()", "end()"],
        [("data = load('y')\nprint(data)", [1]), ("plt.show()", [2]), ("end()", [3])],
    ),
    "S35 a cell is split": (
        ["a = 1\nb = 2\nprint(a)\nprint(b)", "c = 3\nprint(c)"],
        [("a = 1\nb = 2", [0]), ("print(a)\nprint(b)", [0]), ("c = 3\nprint(c)", [1])],
    ),
    "S36 two cells are merged": (
        ["a = 1\nprint(a)", "b = 2\nprint(b)", "c = 3\nprint(c)"],
        [("a = 1\nprint(a)\nb = 2\nprint(b)", [0, 1]), ("c = 3\nprint(c)", [2])],
    ),
}


def make(folder, sources, cells):
    v4 = nbformat.v4
    notebook = v4.new_notebook()
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    notebook.metadata["jupytext"] = {"formats": FORMATS}
    for idx, source in enumerate(sources):
        cell = v4.new_code_cell(source, id=f"id-{idx}")
        cell.outputs = [v4.new_output("stream", name="stdout", text=f"{idx}")]
        notebook.cells.append(cell)
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "nb.ipynb")
    script = v4.new_notebook(metadata=notebook.metadata)
    for cell in cells:
        new = v4.new_code_cell if cell.kind == "code" else v4.new_markdown_cell
        script.cells.append(new(cell.source))
    jupytext.write(script, folder / "nb.py", fmt="py:percent")


def wrong(notebook, sources, cells):
    """Returns the outputs that are on a cell that is not what became of their own.

    nbsync believes no deletion that it hasn't seen, so a cell may still be what it was.
    """
    # What the script has for each text; of equal texts any place will do that is right for one.
    right = {}
    for cell in cells:
        right.setdefault(cell.source.strip(), set()).update(cell.origins)
    res = []
    for cell in notebook.cells:
        source = cell.source.strip()
        for output in cell.get("outputs", []):
            origin = int(output.text)
            is_as_it_was = source == sources[origin].strip()
            if source in right and origin not in right[source] and not is_as_it_was:
                res.append((output.text, cell.source))
    return res


def by_jupytext(folder):
    ipynb = nbformat.read(folder / "nb.ipynb", as_version=4)
    script = jupytext.read(folder / "nb.py")
    return combine_inputs_with_outputs(script, ipynb, fmt={"extension": ".py"})


def main():
    folder = scratch("matching")
    root = folder / "work"
    root.mkdir()
    report = Report()
    home = Home(folder / "home")
    cases = {}
    for number in range(N_CASES):
        rng = random.Random(number)
        sources = [any_source(rng) for _ in range(rng.randint(2, 8))]
        cases[f"case-{number}"] = (sources, edited(rng, sources))
    for name, (sources, expected) in SCENARIOS.items():
        cells = [Cell("code", source, origins) for source, origins in expected]
        cases[name.split(" ")[0]] = (sources, cells)
    n_wrong, n_wrong_jupytext, worse = 0, 0, []
    try:
        jupytexts = {}
        for name, (sources, cells) in cases.items():
            make(root / name, sources, cells)
            jupytexts[name] = wrong(by_jupytext(root / name), sources, cells)
        home.run("sync", root=root)
        for name, (sources, cells) in cases.items():
            notebook = nbformat.read(root / name / "nb.ipynb", as_version=4)
            ours = wrong(notebook, sources, cells)
            kept = sorted(
                int(output.text) for it in notebook.cells for output in it.get("outputs", [])
            )
            report.check(len(set(kept)) == len(kept), f"{name}: no output is there twice", kept)
            n_wrong += len(ours)
            n_wrong_jupytext += len(jupytexts[name])
            if len(ours) > len(jupytexts[name]):
                worse.append(name)
                report.note(f"{name}: {ours}, and of jupytext {jupytexts[name]}")
            if not name.startswith("case-"):
                report.check(not ours, f"{name}: all outputs are where they belong", ours)
        # Of a cell that is split, and one that is deleted beside it, jupytext's rule for the
        # end of a cell may happen to be right.
        report.check(len(worse) * 100 <= len(cases), "hardly a pair is matched worse", worse)
        report.check(n_wrong * 2 <= n_wrong_jupytext, "half as many outputs are on a wrong cell")
        notebook = nbformat.read(root / "S17" / "nb.ipynb", as_version=4)
        outputs = [it.text for cell in notebook.cells for it in cell.get("outputs", [])]
        report.check(outputs == ["0", "1", "2", "3"], "S17: equal cells keep their places", outputs)
    except Failure as error:
        report.check(False, "nbsync works to the end", str(error))
    finally:
        home.close()
    report.note(
        f"{len(cases)} pairs: {n_wrong} outputs on a wrong cell, and by jupytext {n_wrong_jupytext}"
    )
    report.finish()


if __name__ == "__main__":
    main()
