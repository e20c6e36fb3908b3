#!/usr/bin/env python3
"""nbsync's marimo beside the real one: what is read, what is saved, what cells define and refer to.

Prints one line a set: how many notebooks are identical, of how many. Needs the example
`marimo-answers` of the crate `nbsync-formats`, and PYTHONHASHSEED=0.

usage: tests/conformance/marimo_run.py [--corpus DIR] [--notebooks N] [--mutants N] [--later N] [--show N] [SET]...
"""

import argparse
import concurrent.futures
import contextlib
import json
import logging
import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import later_python
import marimo_notebooks as notebooks
from marimo._convert.converters import MarimoConvert
from marimo_judge import judge
from support.daemon import target
from support.npm import default_cache
from support.report import Report

# marimo's sentences, by nbsync's words. What has none here, marimo does without a word.
VIOLATIONS = {
    "alias": "`marimo` is typically not imported with an alias. ",
    "missing-version": "Expected `__generated_with` assignment for marimo version number.",
    "missing-run-guard": "Expected run guard statement",
    "before-import": "Unexpected statement (expected marimo import)",
    "before-app": "Unexpected statement, expected App initialization.",
    "before-cells": "Unexpected statement, expected cell definitions.",
    "between-cells": "Unexpected statement, expected body cell definition.",
    "option": "Unexpected value for keyword argument",
    "syntax-error": "Cell contains a syntax error and could not be parsed",
}


# --- what nbsync says ----------------------------------------------------------------------------


def nbsync(texts):
    program = os.environ.get("NBSYNC_MARIMO_ANSWERS") or target() / "release/examples/marimo-answers"
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    res = subprocess.run([program], input=lines.encode(), capture_output=True, check=False)
    answers = [json.loads(line) for line in res.stdout.splitlines()]
    if res.returncode != 0 or len(answers) != len(texts):
        at = texts[len(answers)] if len(answers) < len(texts) else ""
        raise RuntimeError(f"exited {res.returncode} at {at!r}: {res.stderr.decode()[-2000:]}")
    return answers


# --- comparing -------------------------------------------------------------------------------------


def compare(judged, answer, asks):
    """Returns what differs, as pairs of a word and what marimo and nbsync say."""
    if "error" in judged:
        return [] if "error" in answer["ir"] else [("refused", "marimo: " + judged["error"])]
    if "ok" not in answer["ir"]:
        return [("refuses", "nbsync: " + answer["ir"]["error"])]
    res, expected, got = [], dict(judged["ir"]), answer["ir"]["ok"]
    names = [cell.pop("names") for cell in got["cells"]]
    for cell in got["cells"]:
        # An empty name is none.
        cell["name"] = cell["name"] or None
    got["violations"] = Counter(VIOLATIONS[code] for code, _ in got["violations"] if code in VIOLATIONS)
    expected["violations"] = Counter(
        {key: n for key, n in expected["violations"].items() if key in VIOLATIONS.values()}
    )
    for key in ("header", "app", "cells", "violations"):
        if got[key] != expected[key]:
            res.append((f"ir {key}", difference(expected[key], got[key])))
    if "names" in asks and not res:
        for cell, wanted, found in zip(expected["cells"], judged["names"], names, strict=True):
            if wanted != found:
                keys = [key for key in wanted or () if found and wanted[key] != found[key]]
                kind = "names async" if keys == ["is_async"] and found["is_async"] else "names"
                wanted = wanted and {key: wanted[key] for key in keys}
                found = found and {key: found[key] for key in keys}
                res.append((kind, f"{cell['code']}\n--- marimo: {wanted}\n--- nbsync: {found}"))
    if "regen" in asks:
        if "regen fails" in judged:
            res.append(("regen fails", "marimo: " + judged["regen fails"]))
        elif judged["regen"] != (found := answer["regen"].get("ok")):
            res.append(("regen", difference(judged["regen"], found or str(answer["regen"]))))
    return res


# What str.splitlines takes for the end of a line, and Python's grammar does not.
ODD_BREAKS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def known(text, judged, kinds):
    """Returns why a difference is one of docs/formats.md, if it is."""
    if ODD_BREAKS.search(text.strip()) and not notebooks.parses(text.strip()):
        return "form feeds and syntax errors"
    if kinds[0] == "refused":
        return "marimo crashes"
    if kinds[0] == "refuses" and not text.strip():
        return "empty files"
    if "parses" not in judged:
        return None
    # Python 3.14 differs from 3.11 here.
    if not judged["parses"] and kinds[0] == "ir cells":
        return "syntax errors"
    if "\x0c" in text and kinds[0] == "ir cells":
        return "form feeds"
    if "names async" in kinds and set(kinds) <= {"names async", "regen"}:
        return "asynchronous generators"
    return None


def difference(expected, got):
    if isinstance(expected, list):
        for idx, (left, right) in enumerate(zip(expected, got)):
            if left != right:
                return f"cell {idx}\n--- marimo: {left}\n--- nbsync: {right}"
        return f"{len(expected)} cells, nbsync {len(got)}"
    if not isinstance(expected, str):
        return f"\n--- marimo: {expected}\n--- nbsync: {got}"
    left, right = expected.split("\n"), got.split("\n")
    for no, (one, two) in enumerate(zip([*left, None], [*right, None])):
        if one != two:
            near = lambda lines: "\n".join(lines[max(0, no - 2) : no + 4])
            return f"line {no + 1}\n--- marimo:\n{near(left)}\n--- nbsync:\n{near(right)}"
    return "the same?"


def run_batch(made, asks):
    """Returns the number of notebooks, of cells, and for each that differs its text and what differs.

    What is given are texts, or pairs of a text and what marimo makes of it.
    """
    pairs = [it if isinstance(it, list) else (it, judge(it, asks)) for it in made]
    answers = nbsync([text for text, _ in pairs])
    differing, n_cells, reasons = [], 0, Counter()
    for (text, judged), answer in zip(pairs, answers, strict=True):
        n_cells += len(answer["ir"].get("ok", {}).get("cells", ()))
        found = compare(judged, answer, asks)
        if found and (reason := known(text, judged, [kind for kind, _ in found])):
            reasons[reason] += 1
        elif found:
            differing.append((text, found))
    return len(pairs), n_cells, differing, reasons


# --- the sets ----------------------------------------------------------------------------------------


def batched(make, n, size=100):
    return [(make, start, min(start + size, n)) for start in range(0, n, size)]


def generated(start, end):
    return [notebooks.notebook(seed) for seed in range(start, end)]


def mutants(start, end):
    res = []
    for seed in range(start, end):
        # Ten of each.
        text = notebooks.notebook(f"base {seed // 10}")
        res.append(notebooks.mutant(text, seed))
    return res


class Files:
    """The files of a corpus, as marimo notebooks. Picklable."""

    def __init__(self, files):
        self.files = files

    def __call__(self, start, end):
        res = []
        for file in self.files[start:end]:
            text = file.read_text(encoding="utf-8")
            if file.suffix == ".ipynb":
                try:
                    text = MarimoConvert.from_ipynb(text).to_py()
                except Exception:
                    continue
            res.append(text)
        return res


class RealPython(Files):
    """Python files with a cell for every top-level statement."""

    def __call__(self, start, end):
        res = []
        for file in self.files[start:end]:
            with contextlib.suppress(UnicodeDecodeError, RecursionError):
                res += notebooks.cut(file.read_text(encoding="utf-8"))
        return res


class MutantsOf(Files):
    def __init__(self, files, n_each):
        super().__init__(files)
        self.n_each = n_each

    def __call__(self, start, end):
        res = []
        for at, text in enumerate(super().__call__(start, end)):
            res += [notebooks.mutant(text, f"{start + at} {n}") for n in range(self.n_each)]
        return res


class Later:
    """Notebooks with syntax of Python 3.12 to 3.14, and what marimo on Python 3.14 makes of them."""

    def __init__(self, cache):
        self.cache = cache

    def __call__(self, start, end):
        return later_python.generated(later_python.set_up(self.cache), start, end)


def work(job):
    make, start, end, asks = job
    started = time.monotonic()
    return *run_batch(make(start, end), asks), time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=os.environ.get("NBSYNC_CORPUS"))
    parser.add_argument("--notebooks", type=int, default=20_000)
    parser.add_argument("--mutants", type=int, default=50_000)
    parser.add_argument("--python", type=int, default=1_000, help="how many Python files, about")
    parser.add_argument("--later", type=int, default=500, help="notebooks with later syntax")
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--show", type=int, default=5, help="differences to print of each kind")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("sets", nargs="*")
    args = parser.parse_args()
    files = sorted(Path(args.corpus).rglob("*")) if args.corpus else []
    scripts = [it for it in files if "marimo" in it.parts and it.suffix == ".py" and it.name != "__init__.py"]
    ipynb = [it for it in files if it.suffix == ".ipynb"]
    python = notebooks.python_files()
    python = python[:: max(1, len(python) // args.python)]
    everything = ("ir", "names", "regen")
    sets = {
        "wheel": (batched(Files(scripts), len(scripts), 20), everything),
        "ipynb": (batched(Files(ipynb), len(ipynb), 20), everything),
        "generated": (batched(generated, args.notebooks), everything),
        "mutants": (batched(mutants, args.mutants, 500), ("ir",)),
        "wheel-mutants": (batched(MutantsOf(scripts, 20), len(scripts), 10), ("ir",)),
        "python": (batched(RealPython(python), len(python), 10), everything),
        "later": (batched(Later(args.cache), args.later, 250), everything),
    }
    pyodide = later_python.set_up(args.cache)
    # Notebooks are broken on purpose.
    logging.disable(logging.CRITICAL)
    report = Report()
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        for name in args.sets or sets:
            jobs, asks = sets[name]
            jobs = [(make, start + args.first, end + args.first, asks) for make, start, end in jobs]
            run_set(name, pool, jobs, report, args.show, pyodide)
    speed(report)
    report.finish()


def speed(report):
    """Prints how long a large notebook takes. That depends on the machine, so what is asked of it is only that
    an eighth of it takes no less than a third of an eighth of that time."""
    seconds = {}
    for n_cells in (2_500, 20_000):
        text = large(n_cells)
        # Processor time, the least of some: others may be using the machine.
        answers = [nbsync([text])[0] for _ in range(3)]
        for key in ("ir", "regen"):
            seconds[key, n_cells] = min(it[key]["seconds"] for it in answers)
    growth = {key: seconds[key, 20_000] / seconds[key, 2_500] for key in ("ir", "regen")}
    read, save = (f"{seconds[key, 20_000]:.2f} s" for key in ("ir", "regen"))
    summary = f"{len(text) / 1e6:.1f} MB in {n_cells} cells: {read} to read and analyse, {save} to read, analyse and save"
    print(f"{summary}; {growth['ir']:.1f} and {growth['regen']:.1f} times an eighth of it", flush=True)
    report.check(max(growth.values()) < 24, "reading and saving take linear time", summary)


def large(n_cells):
    """Returns a notebook of 500 bytes a cell, each of which needs names of the one before it."""
    lines = [f"    value_{{0}}_{n} = compute(value_{{1}}_{n}, 'some text', key={n})" for n in range(8)]
    body = "\n".join(lines)
    cells = (body.format(no, max(0, no - 1)) for no in range(n_cells))
    text = "\n\n\n".join(f"@app.cell\ndef _():\n{cell}\n    return" for cell in cells)
    start = 'import marimo\n\n__generated_with = "0.25.2"\napp = marimo.App()\n\n\n'
    return f"{start}{text}\n\n\n{notebooks.GUARD}"


def run_set(name, pool, jobs, report, n_shown, pyodide):
    started = time.monotonic()
    n_notebooks = n_cells = 0
    differing, kinds, reasons = [], Counter(), Counter()
    for total, cells, found, known_here, _ in pool.map(work, jobs):
        reasons.update(known_here)
        n_notebooks, n_cells = n_notebooks + total, n_cells + cells
        differing += found
    if differing and name != "later":
        # nbsync reads the syntax of Python 3.14 whatever is installed.
        n_before = len(differing)
        differing = differing_later(differing, jobs[0][-1], pyodide)
        reasons["as on Python 3.14"] += n_before - len(differing)
    for text, found in differing:
        for kind, detail in found[:1]:
            kinds[kind] += 1
            if kinds[kind] <= n_shown:
                print(f"DIFF {name} {kind}: {detail}\n=== text\n{text}\n===", flush=True)
    seconds = time.monotonic() - started
    n_identical = n_notebooks - len(differing) - reasons.total()
    summary = f"{name}: {n_identical} / {n_notebooks} identical, {n_cells} cells"
    if reasons := +reasons:
        summary += ", known: " + ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items()))
    print(f"{summary} {dict(kinds)} ({seconds:.0f} s)", flush=True)
    # Of those broken on purpose, a few may have a cause of their own (docs/formats.md).
    allowed = n_notebooks // 1000 if name.endswith("mutants") else 0
    report.check(len(differing) <= allowed, name, summary)


def differing_later(differing, asks, pyodide):
    """Returns those in which nbsync also differs from marimo on Python 3.14."""
    pairs = later_python.judged(pyodide, [text for text, _ in differing])
    answers = nbsync([text for text, _ in pairs])
    still = (bool(compare(judged, answer, asks)) for (_, judged), answer in zip(pairs, answers, strict=True))
    return [it for it, differs in zip(differing, still, strict=True) if differs]


if __name__ == "__main__":
    main()
