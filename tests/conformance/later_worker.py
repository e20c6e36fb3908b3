"""Says what marimo makes of notebooks on the Python that runs it: of random ones with syntax of that Python,
or of those in `texts.json`.

Run by `later_python.mjs`. Writes to `answers.json` each notebook and what `marimo_judge` says, one a line.

usage: later_worker.py [FIRST LAST]
"""

import json
import logging
import sys

import msgspec_stub

msgspec_stub.install()

import marimo_code
import marimo_notebooks
from marimo_judge import judge


def texts():
    if sys.argv[1:]:
        marimo_code.LATER_SHARE = 0.4
        first, last = map(int, sys.argv[1:])
        return (marimo_notebooks.notebook(f"later {seed}") for seed in range(first, last))
    with open("texts.json", encoding="utf-8") as file:
        return json.load(file)


def main():
    logging.disable(logging.CRITICAL)
    with open("answers.json", "w", encoding="utf-8") as out:
        out.write(json.dumps(sys.version) + "\n")
        for text in texts():
            answer = judge(text, ("ir", "names", "regen"))
            answer["parses"] = marimo_code.parses(text.strip())
            out.write(json.dumps([text, answer], default=repr) + "\n")


main()
