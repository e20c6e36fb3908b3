#!/usr/bin/env python3
"""What a conflict looks like to the real marimo, jupytext and nbformat, and to Python.

Two copies of a notebook get different texts of the same cells. The notebook has to stay one in every
format, and to run as the version that stands in place, until it is decided.
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import jupytext
import nbformat
from support import views
from support.daemon import Home, scratch
from support.report import Report

SOURCES = {"ipynb": "a.ipynb", "percent": "a.py", "marimo": "a.py"}
SHADOWS = {"ipynb": "a.ipynb", "percent": "a.percent.py", "marimo": "a.marimo.py"}
WORKDIR = "__marimo__/nbsync"

# What is in the cells, and what the source and another copy make of it.
CODE = ("a = 1", "a = 10", "a = 20")
TEXT = ("Some *text*.", "Some *words*.", "Some *other words*.")
RAW = ("raw one", "raw two", "raw three")
NOTE = ("first", "second", "third")


def notebook(with_raw):
    new = nbformat.v4
    cells = [
        new.new_markdown_cell(TEXT[0]),
        new.new_code_cell(f"{CODE[0]}\nprint('a is', a)", metadata={"note": NOTE[0]}),
        new.new_code_cell("b = a + 1\nprint('b is', b)"),
    ]
    if with_raw:
        cells.insert(1, new.new_raw_cell(RAW[0]))
    for idx, cell in enumerate(cells):
        cell["id"] = f"cell-{idx}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new.new_notebook(cells=cells, metadata={"kernelspec": kernel})


class Place:
    def __init__(self, folder, source, report):
        self.root = folder / "notebooks"
        self.root.mkdir(parents=True)
        self.home = Home(folder / "home")
        self.source, self.report = source, report
        self.paths = {
            format: self.root / (SOURCES[format] if format == source else f"{WORKDIR}/{name}")
            for format, name in SHADOWS.items()
        }

    def check(self, ok, what, detail=""):
        self.report.check(ok, f"{self.source} source: {what}", detail)

    def sync(self):
        return self.home.run("sync", root=self.root).returncode

    def edit(self, format, before, after):
        text = self.paths[format].read_text()
        if before not in text:
            raise ValueError(f"`{before}` is not in {self.paths[format]}:\n{text}")
        self.paths[format].write_text(text.replace(before, after))

    def conflicts(self):
        res = self.home.run("conflicts", "--json", root=self.root)
        return json.loads(res.stdout)["conflicts"]


def prepare(place):
    original = notebook(with_raw=place.source != "marimo")
    if place.source == "ipynb":
        nbformat.write(original, place.paths["ipynb"])
    elif place.source == "percent":
        jupytext.write(original, place.paths["percent"], fmt="py:percent")
    else:
        first = place.root / "first.ipynb"
        nbformat.write(original, first)
        converted = place.home.run("convert", first, "--to", "marimo", check=0).stdout
        first.unlink()
        place.paths["marimo"].write_bytes(converted)
    place.check(place.sync() == 0, "is in sync at first")


def run_python(path):
    res = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120)
    return res.stdout if res.returncode == 0 else res.stderr


def run_ipynb(path):
    cells = nbformat.read(path, as_version=4).cells
    script = path.with_name("ipynb-as-script.txt")
    script.write_text("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    out = run_python(script)
    script.unlink()
    return out


def is_extra(cell):
    return "nbsync-conflict" in cell.metadata.get("tags", [])


def check_formats(place, n_conflicts, expected):
    for format, path in place.paths.items():
        text = path.read_text()
        place.check("<<<<<<<" not in text, f"{format} has no markers of a merge")
        out = run_ipynb(path) if format == "ipynb" else run_python(path)
        place.check(out == expected, f"{format} runs", f"{out!r}, not {expected!r}")

    read = nbformat.read(place.paths["ipynb"], as_version=4)
    nbformat.validate(read)
    extra = [cell for cell in read.cells if is_extra(cell)]
    place.check(len(extra) == n_conflicts, "nbformat sees the extra cells", len(extra))
    place.check(all(it.cell_type == "markdown" for it in extra), "and they are markdown")

    text = place.paths["percent"].read_text()
    read = jupytext.reads(text, fmt="py:percent")
    extra = [cell for cell in read.cells if is_extra(cell)]
    place.check(len(extra) == n_conflicts, "jupytext sees the extra cells", len(extra))
    place.check(all(it.cell_type == "markdown" for it in extra), "and they are markdown to it")
    place.check(jupytext.writes(read, fmt="py:percent") == text, "jupytext writes the same again")

    text = place.paths["marimo"].read_text()
    read = views.load(text)
    place.check(read.valid and not read.violations, "marimo reads it", read.violations)
    extra = [cell for cell in read.cells if "**nbsync conflict**" in cell.code]
    place.check(len(extra) == n_conflicts, "marimo sees the extra cells", len(extra))
    place.check(all(it.code.startswith("mo.md(") for it in extra), "and they are markdown to it")
    place.check(views.regen(text) == text, "marimo saves the same again")


def conflict(place):
    """Edits the same cells in the source and in another copy."""
    prepare(place)
    # Formats that show all of it; marimo has no metadata and no raw cells of its own.
    other = "percent" if place.source == "ipynb" else "ipynb"
    pairs = [CODE, TEXT]
    if place.source != "marimo":
        pairs += [RAW, NOTE]
    for before, ours, theirs in pairs:
        place.edit(place.source, before, ours)
        place.edit(other, before, theirs)
    place.check(place.sync() == 1, "is in conflict")
    check_formats(place, len(pairs), "a is 10\nb is 11\n")
    listed = place.conflicts()
    lines = sorted((it["source"]["line"], it["other"]["line"]) for it in listed)
    quoted = {NOTE[1]: f'"{NOTE[1]}"', NOTE[2]: f'"{NOTE[2]}"'}
    expected = sorted((quoted.get(it[1], it[1]), quoted.get(it[2], it[2])) for it in pairs)
    place.check(lines == expected, "all are listed", lines)
    for it in listed:
        kept = (place.root / it["file"]).read_text().rstrip("\n")
        place.check(it["other"]["line"] in kept, f"the file of cell {it['cell']}", kept)
    return pairs


def decide(place, pairs):
    """Takes the other version of all but one, and deletes the cell of that one by hand in percent."""
    by_hand = [it for it in place.conflicts() if it["other"]["line"] == TEXT[2]][0]
    for it in reversed(place.conflicts()):
        if it["shown_in"] != by_hand["shown_in"]:
            number = str(it["shown_in"])
            res = place.home.run("resolve", place.paths["marimo"], number, "--take", "other")
            place.check(res.returncode in (0, 1), f"cell {number} is decided", res.stderr.decode())
    check_formats(place, 1, "a is 20\nb is 21\n")
    path = place.paths["percent"]
    read = jupytext.reads(path.read_text(), fmt="py:percent")
    read.cells = [cell for cell in read.cells if not is_extra(cell)]
    path.write_text(jupytext.writes(read, fmt="py:percent"))
    place.check(place.sync() == 0, "no conflict is left")
    check_formats(place, 0, "a is 20\nb is 21\n")
    for before, ours, theirs in pairs:
        stands = ours if before == TEXT[0] else theirs
        text = place.paths[place.source].read_text()
        place.check(stands in text, f"{stands!r} stands", text)
    left = list((place.root / WORKDIR).glob("*conflict*"))
    place.check(not left, "no file of a conflict is left", left)


def main():
    report = Report()
    for source in SOURCES:
        place = Place(scratch(f"conflicts-{source}"), source, report)
        try:
            decide(place, conflict(place))
        except Exception as error:
            report.check(False, f"{source} source", repr(error))
        place.home.close()
    report.finish()


if __name__ == "__main__":
    main()
