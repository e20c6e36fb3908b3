#!/usr/bin/env python3
"""`nbsync convert` on real notebooks, compared with what jupytext, marimo and nbformat make."""

import concurrent.futures
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "corpus"))

import diagnostics
import jupytext
import marimo_ipynb
import nbformat
from jupytext.formats import check_auto_ext
from run import alike, language_of
from support import edits, views
from support.daemon import Home, scratch
from support.report import Report


def main():
    corpus = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["NBSYNC_CORPUS"])
    folder = scratch("conformance")
    home = Home(folder / "home")
    report = Report()
    files = [it for it in sorted(corpus.rglob("*")) if it.is_file() and it.name != "__init__.py"]
    examples = Path(__file__).resolve().parents[2] / "examples"
    files += [it for it in sorted(examples.iterdir()) if it.suffix in (".py", ".ipynb")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {}
        for file in files:
            for format in ("ipynb", "percent", "hydrogen", "marimo"):
                job = pool.submit(home.run, "convert", file, "--to", format, cwd=folder)
                jobs[file, format] = job
        for (file, format), job in jobs.items():
            base = corpus if file.is_relative_to(corpus) else examples.parent
            name = f"{file.relative_to(base)} -> {format}"
            try:
                problems = check(file, format, job.result())
            except Exception as error:
                problems = [repr(error)]
            report.check(not problems, name, "\n".join(problems))
    marimo_ipynb.check_all(report, home, folder, corpus)
    diagnostics.check_all(report, home, folder, corpus)
    home.close()
    report.finish()


def check(file, format, res):
    text = file.read_bytes().decode()
    own = views.view(own_format(file, text), file.suffix, text)
    language = language_of(own)
    if res.returncode != 0:
        said = res.stderr.decode().strip()
        if format == "marimo" and language and said:
            return []
        return [f"exited {res.returncode}: {said}"]
    if format == "marimo" and language:
        return [f"a marimo notebook in {language}"]
    got = res.stdout.decode()
    if own.format == format:
        return [] if got == text else ["not the same bytes: " + edits.first_line(text, got)]
    check_target = {"ipynb": check_ipynb, "marimo": check_marimo}.get(format, check_script)
    return check_target(own, got, format)


def own_format(file, text):
    if file.suffix == ".ipynb":
        return "ipynb"
    if "marimo.App(" in text and "@app." in text:
        return "marimo"
    # As jupytext decides: one magic that is not commented.
    name, _ = jupytext.formats.guess_format(text, file.suffix)
    return "hydrogen" if name == "hydrogen" else "percent"


def check_script(own, got, format):
    """An ipynb gives jupytext's bytes; a script with another convention, the same cells."""
    if own.format == "ipynb":
        notebook = nbformat.reads(own.text, as_version=4)
        # Without a language it is Python.
        extension = ".auto" if "language_info" in notebook.metadata else ".py"
        target = {"extension": extension, "format_name": format}
        target = check_auto_ext(target, notebook.metadata, "")
        expected = jupytext.writes(notebook, target)
        if not expected.endswith("\n"):
            expected += "\n"
        return [] if got == expected else [edits.first_line(expected, got)]
    view = views.read_script(got, ".py", format)
    return same_cells(own, view)


def check_ipynb(own, got, _):
    notebook = json.loads(got)
    nbformat.validate(nbformat.from_dict(notebook))
    problems = []
    again = views.write_ipynb(nbformat.reads(got, as_version=nbformat.NO_CONVERT))
    if again != got:
        problems.append("Jupyter would save " + edits.first_line(again, got))
    if "codemirror_mode" not in notebook["metadata"].get("language_info", {}):
        problems.append("a short language_info, which JupyterLab fills in at open")
    return problems + same_cells(own, views.read_ipynb(got))


def check_marimo(own, got, _):
    saved = views.regen(got)
    if saved != got:
        return ["marimo would save " + edits.first_line(saved, got)]
    view = views.read_marimo(got)
    problems = [] if own.format == "ipynb" else same_cells(own, view)
    return problems + view.problems


def same_cells(own, view):
    try:
        mapping = edits.counterpart(own, view)
    except edits.Unfit as error:
        return [str(error)]
    with_marimo = "marimo" in (own.format, view.format)
    return [
        f"cell {there}: expected {own.cells[here].key!r}, got {view.cells[there].key!r}"
        for here, there in mapping.items()
        if not alike(own.cells[here].key, view.cells[there].key, with_marimo)
    ]


if __name__ == "__main__":
    main()
