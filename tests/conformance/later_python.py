"""marimo on a later Python than the machine's: CPython 3.14, which Pyodide brings for Node.

Both come from package registries and are pinned. marimo is that of this environment; of what it is
compiled with only msgspec is needed, for which `msgspec_stub.py` stands in.
"""

import json
import sysconfig
import tempfile
from pathlib import Path

from support.npm import fetch, node

TESTS = Path(__file__).resolve().parents[1]
PACKAGE = "pyodide@314.0.7"
DIGEST = "66b7949e5a0cba2250b586d7e368bf12fb482800748d182c4618254b685ffaa0"


def set_up(cache):
    """Returns the folder of Pyodide, fetched unless it is there."""
    return fetch(PACKAGE, DIGEST, cache)


def generated(pyodide, first, last):
    """Returns random notebooks with later syntax, each with what marimo makes of it (`marimo_judge`)."""
    with tempfile.TemporaryDirectory() as folder:
        return run(pyodide, folder, first, last)


def judged(pyodide, texts):
    """Returns notebooks, each with what marimo makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
        return run(pyodide, folder)


def run(pyodide, folder, *args):
    site, file = sysconfig.get_path("purelib"), "conformance/later_worker.py"
    node(Path(__file__).with_suffix(".mjs"), pyodide, site, TESTS, folder, file, *args)
    with open(Path(folder) / "answers.json", encoding="utf-8") as answers:
        version = json.loads(next(answers))
        if not version.startswith("3.14."):
            raise RuntimeError(f"Pyodide runs Python {version}")
        return [json.loads(line) for line in answers]
