#!/usr/bin/env python3
"""What jupytext's own round trip through a percent script changes, and nbsync must not.

Each row is a cell that jupytext 1.19.6 reads back as something else. It stands between two others in
an ipynb that is paired with a script, written once by nbsync and once by jupytext. The others are
edited in both files, and in the end the cell itself in the script: in the ipynb it is what it was, but
for that edit.

Of some cells, nbsync writes a text that both read right (`is_exact`). Where there is none the text is
jupytext's, and what the files last agreed on tells what the cell is.
"""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import jupytext
import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.daemon import Daemon, Failure, Home, scratch
from support.editors import save
from support.report import Report

PYTHON = {"display_name": "Python 3", "language": "python", "name": "python3"}
R = {"display_name": "R", "language": "R", "name": "ir"}
OCAML = {"display_name": "OCaml", "language": "ocaml", "name": "ocaml"}
ML = {"kernel": OCAML, "extension": ".ml"}
QUOTES = {"options": {"cell_markers": '"""'}}


@dataclass
class Row:
    name: str
    kind: str
    # The word `knob` in it is what is edited.
    source: str
    # What jupytext makes of it.
    jupytext: str
    # Whether jupytext finds the cell in the text that nbsync writes.
    is_exact: bool = True
    # Another edit: of the line that is odd.
    odd: tuple | None = None
    # Whether the cell is the last one.
    is_last: bool = False
    # Whether jupytext's text hides other cells, so that nothing is done with it.
    is_held: bool = False
    metadata: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)
    kernel: dict = field(default_factory=lambda: PYTHON)
    extension: str = ".py"
    # What an editor does to the whole script.
    file: Callable | None = None


ROWS = [
    # Prose in which jupytext looks for magics.
    *(
        Row(f"prose `{line}`", "markdown", f"{line}\nknob", "the text without `# `", odd=(line, new))
        for line, new in [
            ("# Why?", "# Whence?"),
            ("# ls", "# list"),
            ("# cat files", "# dog files"),
            ("# cd ..", "# cd up"),
            ("# !x", "# !y"),
            ("# %timeit", "# %time"),
        ]
    ),
    Row("prose `# Why?` and line breaks", "markdown", "# Why?\nknob\n\n", "the text without `# `"),
    # Comments and markers in code.
    Row("code `# # + foo`", "code", "# # + foo\nknob = 1", "`# + foo`", is_exact=False, odd=("foo", "bar")),
    Row("code `##+ x`", "code", "##+ x\nknob = 1", "`#+ x`", is_exact=False, odd=("##+ x", "##+ y")),
    *(
        Row(f"code `{line}`", "code", f"x = 1\n{line}\nknob = 1", "two cells", is_exact=False)
        for line in ("#%%", "# %%", "# %% title", "# In[1]:", "# <codecell>")
    ),
    Row("code with a string that stays open", "code", "knob = '''", "all that follows is one cell", is_held=True),
    Row("magic with quotes", "code", "%%writefile a\ntext '''knob", "all that follows is one cell", is_held=True),
    # Magics that jupytext takes for the language of the cell.
    Row("first line `%%`", "code", "%%\nknob = 1", "no first line"),
    Row("first line `%% foo`", "code", "%% foo\nknob = 1", "no first line"),
    Row("first line `%%` of prose", "markdown", "%%\nknob", "no first line"),
    Row("`%%python` in Python", "code", "%%python\nknob = 1", "no first line"),
    Row("`%%R` and nothing else", "code", "%%R", "a line break more"),
    Row("`%%R` where comments have an end", "code", "%%R\nknob", "` *)` at each line", **ML),
    Row(
        "`active` where comments have an end", "code", "knob", "` *)` at each line", **ML,
        metadata={"active": "ipynb"}, is_exact=False,
    ),
    # Blanks and line breaks.
    Row("one line break at the end", "code", "knob = 1\n", "no line break", is_exact=False),
    Row("one line break at the end of all", "code", "knob = 1\n", "no line break", is_exact=False, is_last=True),
    Row("two line breaks at the end of all", "code", "knob = 1\n\n", "no line break", is_last=True),
    Row("blanks in the last line", "code", "knob = 1\n  ", "no blanks"),
    Row("nothing but blanks", "code", "  ", "nothing"),
    Row("form feed", "code", "knob = 1\x0cx = 2", "a line break", is_exact=False, odd=("x = 2", "x = 3")),
    Row("U+2028", "code", "knob = 1\u2028x = 2", "a line break", is_exact=False, odd=("x = 2", "x = 3")),
    Row("carriage return", "code", "knob = 1\rx = 2", "a line break", is_exact=False, odd=("x = 2", "x = 3")),
    # The option that puts text in quotes.
    Row("quotes around `%%bash`", "code", "%%bash\nknob", "quotes in the text", **QUOTES),
    Row("quotes outside of `.py`", "markdown", "knob", "quotes in the text", kernel=R, extension=".R", **QUOTES),
    Row("quotes around quotes", "markdown", 'knob """\ntext', "cells cut at wrong lines", is_held=True, **QUOTES),
    # Marker lines.
    Row("title with `=`", "code", "knob = 1", "another title", metadata={"title": "a = b"}, is_exact=False),
    Row("key without a value first", "code", "knob = 1", "a title", metadata={"b": None, "a": 1}),
    # Files.
    Row("BOM", "code", "knob = 1", "the header is a code cell", is_exact=False, file=lambda it: "\ufeff" + it),
    Row("CRLF", "code", "knob = 1", "LF at the next save", file=lambda it: it.replace("\n", "\r\n")),
]


def main():
    folder = scratch("corruptions")
    root = folder / "work"
    report = Report()
    home = Home(folder / "home")
    os.environ["XDG_CONFIG_HOME"] = str(home.folder / "config")
    names = sys.argv[1:]
    rows = [it for it in ROWS if not names or it.name in names]
    cases = [Case(report, root, row, by) for row in rows for by in ("nbsync", "jupytext")]
    try:
        with Daemon(root, home, log=folder / "daemon.log") as daemon:
            for stage in Case.STAGES:
                daemon.flush()
                status = daemon.status()
                for case in cases:
                    try:
                        stage(case, status)
                    except Exception as error:
                        report.check(False, f"{case.name}: {stage.__name__}", repr(error))
    except Failure as error:
        report.check(False, "the daemon works to the end", str(error))
    finally:
        home.close()
    n_exact = sum(row.is_exact for row in rows)
    report.note(f"{len(rows)} corruptions: {n_exact} are read back right, {len(rows) - n_exact} by the base")
    report.finish()


class Case:
    """A row, with the script written by nbsync or by jupytext."""

    def __init__(self, report, root, row, by):
        self.report = report
        self.row = row
        self.by = by
        self.name = f"{row.name} ({by})"
        self.folder = root / by / f"row-{ROWS.index(row):02}"
        self.folder.mkdir(parents=True)
        self.ipynb = self.folder / "nb.ipynb"
        self.script = self.folder / f"nb{row.extension}"
        v4 = nbformat.v4
        probe = v4.new_code_cell if row.kind == "code" else v4.new_markdown_cell
        probe = probe(row.source, id="probe", metadata=row.metadata)
        cells = [v4.new_code_cell("top = 0", id="top"), v4.new_code_cell("bottom = 0", id="bottom")]
        cells.insert(2 if row.is_last else 1, probe)
        for number, cell in enumerate(it for it in cells if it.cell_type == "code"):
            cell.execution_count = number
            cell.outputs = [v4.new_output("stream", name="stdout", text=f"{number}\n")]
        options = {"formats": f"ipynb,{row.extension[1:]}:percent", **row.options}
        metadata = {"kernelspec": row.kernel, "jupytext": options}
        nbformat.write(v4.new_notebook(cells=cells, metadata=metadata), self.ipynb)
        self.notebook = nbformat.read(self.ipynb, as_version=4)
        self.by_jupytext = self.jupytexts()
        if by == "jupytext":
            self.script.write_bytes(self.by_jupytext.encode())
        self.first = self.ipynb.read_text()
        self.expected = self.probe()

    def jupytexts(self):
        format = {"extension": self.row.extension, "format_name": "percent"}
        text = jupytext.writes(self.notebook, format)
        return text if text.endswith("\n") else text + "\n"

    def ok(self, condition, what, detail=""):
        return self.report.check(condition, f"{self.name}: {what}", detail)

    def probe(self):
        """The cell as it is in the ipynb, with its outputs."""
        return next(it for it in json.loads(self.ipynb.read_text())["cells"] if it["id"] == "probe")

    @property
    def is_held(self):
        return self.row.is_held and self.by == "jupytext"

    def read(self):
        return self.script.read_bytes().decode()

    def replace(self, path, old, new):
        text = path.read_bytes().decode()
        if text.count(old) != 1:
            raise Failure(f"{path.name} has {old!r} {text.count(old)} times")
        save(path, text.replace(old, new))

    def set_source(self, source):
        self.expected = {**self.expected, "source": source.splitlines(keepends=True)}

    # --- stages ------------------------------------------------------------------------------------

    def at_first(self, status):
        self.ok(self.ipynb.read_text() == self.first, "the ipynb is untouched at first")
        state = status[str(self.script.relative_to(self.folder.parents[1]))]
        expected = "held" if self.is_held else "synced"
        self.ok(state["state"] == expected, f"is {expected}", state)
        text = self.read()
        if self.by == "jupytext":
            self.ok(text == self.by_jupytext, "the script is untouched at first", text)
        else:
            self.is_read_back(text)
        if self.row.file:
            save(self.script, self.row.file(text))

    def is_read_back(self, text):
        read = jupytext.reads(text, {"extension": self.row.extension, "format_name": "percent"})
        found = [(it.cell_type, it.source, it.metadata) for it in read.cells]
        there = [(it.cell_type, it.source, it.metadata) for it in self.notebook.cells]
        for _, _, metadata in found:
            # How the text is laid out, and that it is in comments for now.
            for key in ("lines_to_next_cell", "cell_marker"):
                metadata.pop(key, None)
            if metadata.pop("nbsync", None) == "open string":
                del metadata["active"]
        if self.row.is_exact:
            self.ok(same(found, there), "jupytext reads the cell in nbsync's text", f"{found}\n{text}")
        elif not self.row.file:
            self.ok(not same(found, there), "jupytext reads something else", text)
            self.ok(text == self.by_jupytext, "the text is jupytext's", text)

    def script_elsewhere(self, status):
        self.stays("after it was seen")
        if not self.is_held:
            self.replace(self.script, "top = 0", "top = 1")

    def ipynb_elsewhere(self, status):
        self.stays("after an edit of the script above")
        if not self.is_held:
            self.replace(self.ipynb, "bottom = 0", "bottom = 1")

    def script_below(self, status):
        self.stays("after an edit of the ipynb below")
        if not self.is_held:
            self.replace(self.script, "bottom = 1", "bottom = 2")

    def ipynb_above(self, status):
        self.stays("after an edit of the script below")
        if not self.is_held:
            self.replace(self.ipynb, "top = 1", "top = 2")

    def the_cell(self, status):
        self.stays("after an edit of the ipynb above")
        if not self.is_held and "knob" in self.row.source:
            self.replace(self.script, "knob", "lever")
            self.set_source(self.row.source.replace("knob", "lever"))

    def its_odd_line(self, status):
        self.stays("but for an edit of itself")
        if self.row.odd and not self.is_held:
            old, new = self.row.odd
            self.replace(self.script, old, new)
            self.set_source(self.row.source.replace("knob", "lever").replace(old, new))

    def at_last(self, status):
        self.stays("but for an edit of its odd line")
        cells = json.loads(self.ipynb.read_text())["cells"]
        n_cells = len(self.notebook.cells)
        self.ok(len(cells) == n_cells, f"the ipynb has {n_cells} cells", cells)
        text = self.read()
        if self.row.name == "BOM":
            self.ok(text.startswith("\ufeff# ---"), "the BOM stays")
        if self.row.name == "CRLF":
            self.ok(text.count("\r\n") == text.count("\n"), "all line ends stay")

    STAGES = [at_first, script_elsewhere, ipynb_elsewhere, script_below, ipynb_above, the_cell, its_odd_line, at_last]

    def stays(self, when):
        found = self.probe()
        self.ok(found == self.expected, f"the cell is what it was {when}", f"{found}\n{self.expected}\n{self.read()}")


def same(left, right):
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


if __name__ == "__main__":
    main()
