"""One edited cell in a notebook of a hundred: what `git diff` shows of it."""

import json
import re

from nbformat.v4 import new_markdown_cell

from support import views
from support.daemon import Failure
from support.editors import save
from support.notebooks import code_cell, notebook

from .cases import case

STYLES = {
    "as Jupyter writes it": lambda nb: views.write_ipynb(nb),
    "two blanks of indentation, unsorted": lambda nb: dumps(nb, indent=2),
    "tabs, ASCII only, no newline at the end": lambda nb: dumps(
        nb, indent="\t", ensure_ascii=True
    ).rstrip("\n"),
    "CRLF": lambda nb: views.write_ipynb(nb).replace("\n", "\r\n"),
}

# What replaces a line of the cell, and how many lines of the source go and come. The last line of a
# source has no `\n` in JSON, so an append changes it too.
EDITS = {
    "change of a line": ("value_{no} = {no}", ["value_{no} = {no} + 1"], 1, 1),
    "new first line": ("# step {no} ä", ["# new", "# step {no} ä"], 0, 1),
    "new last line": ("print(value_{no})", ["print(value_{no})", "print(-value_{no})"], 1, 2),
    "deletion of a line": ("# step {no} ä", [], 1, 0),
}
POSITIONS = (0, 50, 99)


@case(
    nbsync="git shows the lines of that cell's source that were edited, and nothing else",
    paired=False,
)
def diff_of_one_edited_cell(pair):
    pair.git("init", "--quiet")
    for no, (style, dump) in enumerate(STYLES.items()):
        large = pair.other(f"style{no}.ipynb", dump(large_notebook()))
        for format in ("percent", "marimo"):
            for position in POSITIONS:
                for edit in EDITS:
                    check(large, style, format, position, edit)


def check(pair, style, format, position, edit):
    """Edits a cell in a script, looks at the diff, and puts the script back."""
    old, new, n_removed, n_added = EDITS[edit]
    old, new = old.format(no=position), [line.format(no=position) for line in new]
    what = f"{edit} of cell {position} in {format}, {style}"
    pair.git("add", pair.ipynb.name)
    before, script = pair.read("ipynb"), pair.read(format)
    cell = json.loads(before)["cells"][position]
    line = re.search(rf"^( *){re.escape(old)}\n", script, re.M)
    if line is None or cell["cell_type"] != "code" or not cell["outputs"]:
        raise Failure(f"no {old!r} in {format}, or it is not a code cell with outputs")
    edited = "".join(f"{line[1]}{it}\n" for it in new)
    save(pair.paths[format], script[: line.start()] + edited + script[line.end() :])
    pair.flush()
    removed, added = hunks(pair.git("diff", "-U0", "--no-color", "--", pair.ipynb.name))
    after = pair.read("ipynb")
    pair.equal((len(removed), len(added)), (n_removed, n_added), f"lines in the diff, {what}")
    ok = removed <= source_lines(before, position) and added <= source_lines(after, position)
    pair.check(ok, f"all of them in the cell's source, {what}", f"-{removed} +{added}")
    expected = json.loads(before)
    source = views.joined(cell["source"]).split("\n")
    at = source.index(old)
    source[at : at + 1] = new
    expected["cells"][position]["source"] = "\n".join(source).splitlines(keepends=True)
    pair.check(json.loads(after) == expected, f"the rest is what it was, {what}")
    save(pair.paths[format], script)
    pair.flush()
    pair.check(pair.read("ipynb") == before, f"taking it back gives the old bytes, {what}")


def hunks(diff):
    """Returns the numbers of the lines that were removed, and of those that were added."""
    removed, added = set(), set()
    for start, n, new_start, new_n in re.findall(
        r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", diff, re.M
    ):
        removed.update(range(int(start), int(start) + int(n or 1)))
        added.update(range(int(new_start), int(new_start) + int(new_n or 1)))
    return removed, added


def source_lines(text, position):
    """Returns the numbers of the lines in which a cell's source stands."""
    start, _ = views.member(text, "cells")
    first, last = views.elements(text, start)[position]
    at, end = views.member(text[first:last], "source")
    line = text.count("\n", 0, first + at) + 1
    return set(range(line + 1, line + text.count("\n", first + at, first + end)))


def large_notebook():
    cells = []
    for no in range(100):
        if no % 7 == 3:
            cells.append(new_markdown_cell(f"## Part {no}\n\nWith *words*.", id=f"cell-{no}"))
            continue
        cell = code_cell(f"value_{no}", no)
        cell.source = f"# step {no} ä\nvalue_{no} = {no}\nprint(value_{no})"
        cells.append(cell)
    return notebook(cells)


def dumps(nb, indent, ensure_ascii=False):
    """Writes a notebook as other tools do: keys in the order in which they were set."""
    nb = json.loads(views.write_ipynb(nb))
    nb = {key: nb[key] for key in ("nbformat", "nbformat_minor", "metadata", "cells")}
    return json.dumps(nb, indent=indent, ensure_ascii=ensure_ascii) + "\n"
