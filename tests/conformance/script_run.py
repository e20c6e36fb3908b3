#!/usr/bin/env python3
"""Generated notebooks and scripts: what nbsync and jupytext make of them, compared.

An ipynb gives the same bytes, as percent and as hydrogen; a script gives the same cells. Where
nbsync differs on purpose (docs/formats.md), the difference is one of the classes that are counted
here, and is checked too: what jupytext reads in nbsync's text is closer to the notebook, and the
text is what jupytext itself writes once the cell is marked.

usage: tests/conformance/script_run.py [--notebooks N] [--texts N] [--seed S] [--jobs N] [--only N]
                                        [--corpus DIR]

Needs the example `script-answers` of the crate `nbsync-formats`.
"""

import argparse
import collections
import copy
import difflib
import json
import logging
import multiprocessing
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import amend
import jupytext
import nbformat
import script_cases
from jupytext.config import JupytextConfiguration
from jupytext.formats import check_auto_ext
from support.daemon import target
from support.report import Report

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

# How many cases one job does. Each has a seed of its own, so that it doesn't matter who does it.
PORTION = 250


def program():
    answers = os.environ.get("NBSYNC_SCRIPT_ANSWERS") or target() / "release/examples/script-answers"
    return Path(answers)


class Nbsync:
    def __init__(self):
        self.process = subprocess.Popen(
            [program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"nbsync ended with {self.process.wait()}")
        return json.loads(line)


class Result:
    """What came out of a portion: counts, and the cases that failed."""

    def __init__(self):
        self.counts = collections.Counter()
        self.failures = []

    def fail(self, name, detail):
        self.failures.append((name, detail))


# --- notebooks -----------------------------------------------------------------------------------


def check_notebook(nbsync, seed, number, res):
    generator = script_cases.Generator(random.Random(f"{seed} notebook {number}"))
    notebook, extension = generator.notebook()
    generator = script_cases.Generator(random.Random(f"{seed} config {number}"))
    options = generator.config()
    if options and generator.chance(50):
        own = notebook["metadata"].setdefault("jupytext", {})
        own["root_level_metadata"] = generator.root_level_metadata()
    text = script_cases.dump(notebook)
    for format in ("percent", "hydrogen"):
        name = f"notebook {number} -> {format}"
        check_written(nbsync, text, extension, format, options, name, format, res)


def check_written(nbsync, text, extension, format, options, name, kind, res):
    """Compares the script that is made of an ipynb."""
    reply = nbsync.ask(
        **{"from": "ipynb"}, extension=".ipynb", text=text, to=format, to_extension=extension, options=options
    )
    target = amend.Target(extension, format, config(options))
    try:
        expected = write(text, target)
    except Exception as error:
        res.counts[f"{kind}: jupytext fails ({type(error).__name__})"] += 1
        return
    if "error" in reply:
        notebook = nbformat.reads(text, as_version=4)
        if "not read back" in reply["error"] and amend.loses_cells(notebook, target):
            res.counts[f"{kind}: refused (jupytext loses cells)"] += 1
            return
        res.counts[f"{kind}: failed"] += 1
        res.fail(name, reply["error"] + "\n" + text)
    elif reply["text"] == expected:
        res.counts[f"{kind}: identical"] += 1
    elif not expected.strip():
        # Readers refuse an empty file, which half of a save looks like.
        res.counts[f"{kind}: on purpose (empty)"] += 1
        comment = next(it[2] for it in script_cases.LANGUAGES if it[0] == extension)
        if not reply["text"].startswith(f"{comment} %%") or reply["text"].count("\n") != 1:
            res.fail(name, repr(reply["text"]))
    else:
        classes, expected = amend.amended(nbformat.reads(text, as_version=4), target, expected)
        if reply["text"] == expected:
            res.counts[f"{kind}: on purpose ({', '.join(sorted(classes))})"] += 1
        else:
            res.counts[f"{kind}: different"] += 1
            res.fail(name, diff(expected, reply["text"]))


def write(text, target):
    notebook = nbformat.reads(text, as_version=4)
    return amend.write(notebook, notebook.cells, target)


def config(options):
    """The configuration of jupytext with these options."""
    return JupytextConfiguration(**options) if options else None


# --- scripts -------------------------------------------------------------------------------------


def check_text(nbsync, seed, number, res):
    generator = script_cases.Generator(random.Random(f"{seed} text {number}"))
    text, extension = generator.script()
    format = generator.pick(["percent", "percent", "percent", "hydrogen"])
    options = script_cases.Generator(random.Random(f"{seed} options {number}")).config()
    name = f"text {number} ({format}, {extension})"
    check_script(nbsync, text, extension, format, options, name, res)


def check_script(nbsync, text, extension, format, options, name, res):
    # Files are opened with universal newlines.
    opened = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        target = amend.Target(extension, format, config(options))
        expected = jupytext.reads(opened, target.format(), config=target.config)
    except Exception as error:
        res.counts[f"text: jupytext fails ({type(error).__name__})"] += 1
        return
    reply = nbsync.ask(**{"from": format}, extension=extension, text=text, options=options)
    if "error" in reply:
        why = amend.refusal(reply["error"], opened)
        res.counts[f"text: refused ({why})" if why else "text: failed"] += 1
        if not why:
            res.fail(name, reply["error"] + "\n" + text)
        return
    if not reply["same"]:
        res.fail(name, "an update without a change is another text\n" + text)
    reply = nbsync.ask(**{"from": format}, extension=extension, text=text, to="ipynb", options=options)
    if "error" in reply:
        res.fail(name, reply["error"] + "\n" + text)
        return
    ipynb = nbformat.reads(reply["text"], as_version=4)
    if nbformat.writes(ipynb) + "\n" != reply["text"]:
        res.fail(name, diff(nbformat.writes(ipynb) + "\n", reply["text"]))
    got, wanted = outline(ipynb), outline(expected)
    if extension == ".py" and "kernelspec" not in wanted["metadata"]:
        # nbsync names the kernel of a Python notebook.
        got["metadata"].pop("kernelspec", None)
    for key, value in options.items():
        # jupytext notes in every ipynb what the configuration says anyway.
        for side in (got, wanted):
            if side["options"].get(key) == value or key.endswith("_filter"):
                side["options"].pop(key, None)
    if not wanted["cells"]:
        # To jupytext, a script without cells has no language.
        got["options"].pop("main_language", None)
    if got == wanted:
        res.counts["text: identical"] += 1
        # And back again, with what was noted of the script.
        check_written(nbsync, reply["text"], extension, format, options, name, "back", res)
    else:
        res.counts["text: different"] += 1
        res.fail(name, diff(show(wanted), show(got)) + "\n" + text)


# --- real files ----------------------------------------------------------------------------------


def check_file(nbsync, _, file, res):
    text = Path(file).read_bytes().decode()
    name = Path(file).name
    if not file.endswith(".ipynb"):
        format, _ = jupytext.formats.guess_format(text, Path(file).suffix)
        if format in ("percent", "hydrogen"):
            check_script(nbsync, text, Path(file).suffix, format, {}, name, res)
        return
    notebook = json.loads(text)
    metadata = nbformat.from_dict(notebook["metadata"])
    for format in ("percent", "hydrogen"):
        target = {"extension": ".auto", "format_name": format}
        try:
            extension = check_auto_ext(target, metadata, "")["extension"]
        except ValueError:
            extension = ".py"
        check_written(nbsync, text, extension, format, {}, f"{name} -> {format}", f"file {format}", res)
    for style, text in {"as it is": text, **styles(notebook)}.items():
        reply = nbsync.ask(**{"from": "ipynb"}, extension=".ipynb", text=text)
        res.counts["update without a change: " + ("identical" if reply.get("same") else "different")] += 1
        if not reply.get("same"):
            res.fail(f"{name} ({style})", reply.get("error", "an update without a change is another text"))


def styles(notebook):
    """Returns an ipynb as different programs write it."""
    unsorted = json.loads(json.dumps(notebook), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    one = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        one.encode()
    except UnicodeEncodeError:
        one = json.dumps(notebook, indent=1, sort_keys=True) + "\n"
    return {
        "indent 1": one,
        "indent 2": json.dumps(notebook, indent=2) + "\n",
        "tabs": json.dumps(notebook, indent="\t"),
        "compact": json.dumps(notebook, separators=(",", ":")),
        "unsorted": json.dumps(unsorted, indent=1) + "\n",
        "CRLF": one.replace("\n", "\r\n"),
    }


def outline(notebook):
    cells = [[cell.cell_type, cell.source, cell.metadata] for cell in notebook.cells]
    metadata = copy.deepcopy(dict(notebook.metadata))
    options = dict(metadata.pop("jupytext", {}))
    options.pop("text_representation", None)
    if "cell_metadata_filter" in options:
        # In the order of a set.
        options["cell_metadata_filter"] = sorted(options["cell_metadata_filter"].split(","))
    if options.get("main_language") == "python":
        del options["main_language"]
    metadata.pop("language_info", None)
    return {"cells": cells, "metadata": metadata, "options": options}


def show(outline):
    return json.dumps(outline, ensure_ascii=False, indent=1, sort_keys=True)


def diff(expected, got):
    lines = difflib.unified_diff(expected.split("\n"), got.split("\n"), "jupytext", "nbsync", lineterm="", n=2)
    return "\n".join(repr(line)[1:-1] for line in lines)


# --- all of it -----------------------------------------------------------------------------------

NBSYNC = None

CHECKS = {"notebook": check_notebook, "text": check_text, "file": check_file}


def start():
    global NBSYNC
    NBSYNC = Nbsync()


def portion(job):
    what, seed, numbers = job
    res = Result()
    for number in numbers:
        try:
            CHECKS[what](NBSYNC, seed, number, res)
        except Exception as error:
            res.fail(f"{what} {number}", f"{type(error).__name__}: {error}")
    return res


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default=os.environ.get("NBSYNC_CORPUS"))
    parser.add_argument("--notebooks", type=int, default=20_000)
    parser.add_argument("--texts", type=int, default=50_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, help="one case of each kind, by its number")
    args = parser.parse_args()

    # A pool whose workers can't start would start them for ever.
    if not program().exists():
        sys.exit(f"error: no {program()}")
    jobs = []
    for what, total in (("notebook", args.notebooks), ("text", args.texts)):
        if args.only is not None:
            jobs.append((what, args.seed, [args.only]))
            continue
        for first in range(0, total, PORTION):
            jobs.append((what, args.seed, range(first, min(first + PORTION, total))))
    if args.corpus and args.only is None:
        folder = Path(args.corpus)
        files = sorted(str(it) for it in folder.rglob("*") if it.suffix in (".ipynb", ".py"))
        jobs += [("file", None, files[first : first + 10]) for first in range(0, len(files), 10)]
    report = Report()
    counts = collections.Counter()
    with multiprocessing.Pool(args.jobs, start) as pool:
        for res in pool.imap(portion, jobs):
            counts += res.counts
            for name, detail in res.failures:
                report.check(False, name, detail)
    report.passed = sum(counts.values()) - report.failed
    for name, count in sorted(counts.items()):
        report.note(f"{count:6} {name}")
    for what in ("percent", "hydrogen", "text", "back", "file percent", "file hydrogen", "update without a change"):
        own = {name: count for name, count in counts.items() if name.startswith(f"{what}: ")}
        same = own.get(f"{what}: identical", 0)
        report.note(f"{what}: identical {same} / {sum(own.values())}")
    report.finish()


if __name__ == "__main__":
    main()
