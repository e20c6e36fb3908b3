"""What nbsync is to write and read where it differs from jupytext on purpose (docs/formats.md).

jupytext itself is the judge: its own text of a cell does not read back, so the cell gets the first
of nbsync's other ways whose text does, written by jupytext with that cell marked. Nothing here
looks at what nbsync wrote.
"""

import contextlib
import copy
import dataclasses
import re

import jupytext
import nbformat
from jupytext import cell_metadata, cell_reader, cell_to_text
from jupytext import stringparser
from jupytext.config import JupytextConfiguration
from nbformat.v4 import nbbase

# Under this key a cell says in which way it is to be written.
MARK = "nbsync-amend"
# What jupytext notes of the layout, and never writes.
LAYOUT = cell_metadata._JUPYTEXT_CELL_METADATA
GUARD = {"active": "ipynb", "nbsync": "open string"}


@dataclasses.dataclass
class Target:
    """What is written: scripts with an extension, in a format, by a configuration of jupytext."""

    extension: str
    name: str
    config: JupytextConfiguration | None

    def format(self):
        return {"extension": self.extension, "format_name": self.name}


filter_metadata = cell_to_text.filter_metadata
cell_language = cell_to_text.cell_language
print_options = cell_to_text.metadata_to_double_percent_options


def amended(notebook, target, usual):
    """Returns the classes of the differences, and the text that nbsync is to write."""
    classes = set()
    with patched(classes):
        below = []
        n_below, below_read = 0, []
        cells = notebook.cells
        for number in reversed(range(len(cells))):
            cell = cells[number]
            hides_own = hides_own_markers(notebook, cell, target, below)
            choices = (
                (way, lines)
                for way in ways(notebook, cell, target, below)
                for lines in (None, 1, 0)
                if not hides_own or way == "open string"
            )
            for way, lines in choices:
                marked = mark(cell, way, lines, below)
                read = reread_cells(notebook, [marked, *below], target)
                if len(read) == n_below + 1 and same(read[0], cell):
                    break
            else:
                # Not exact, but the cells below are seen, and all blank lines.
                way = None
                if "open string" in ways(notebook, cell, target, below):
                    again = reread_cells(notebook, [mark(cell, "open string"), *below], target)
                    seen = [(it.cell_type, it.source) for it in again[len(again) - n_below :]]
                    if not below or seen == below_read:
                        way = "open string"
                for lines in (None, 1, 0, None):
                    marked = mark(cell, way, lines, below)
                    read = reread_cells(notebook, [marked, *below], target)
                    if n_below < len(read) and blank_end(read[-1 - n_below]) == blank_end(cell):
                        break
            if way:
                classes.add(way)
            if lines is not None:
                classes.add("blank lines")
            below.insert(0, marked)
            n_below = len(read)
            below_read = [(it.cell_type, it.source) for it in read]
        header = below[0].metadata if below and is_header(below[0], notebook, target) else {}
        if header.get("lines_to_next_cell", 0) > 1 and len(below) > 1:
            # The second one would be a cell.
            header["lines_to_next_cell"] = 1
            classes.add("blank lines")
        classes -= {"key order", "depth"}
        text = write(notebook, below, target)
    return classes, text


def is_header(cell, notebook, target):
    """Whether the first cell is written as a part of the header."""
    as_cell = notebook.metadata.get("jupytext", {}).get("root_level_metadata_as_raw_cell", True)
    if target.config and not target.config.root_level_metadata_as_raw_cell:
        as_cell = False
    lines = cell.source.strip("\n\t ").splitlines()
    edges = len(lines) >= 2 and all(re.match(r"---\s*$", lines[edge]) for edge in (0, -1))
    return as_cell and cell.cell_type == "raw" and edges


def hides_own_markers(notebook, cell, target, below):
    """Whether the last cell, in a string that stays open, has what looks like markers of cells.

    jupytext reads it right, but so does it read the cells that somebody hides by typing a quote;
    nbsync refuses what looks like that."""
    comment = re.escape(cell_to_text._SCRIPT_EXTENSIONS[target.extension]["comment"])
    marker = rf"^\s*{comment}\s*(%%|<codecell>|In\[[0-9 ]*\]:?)(\s|%|$)"
    return (
        not below
        and target.extension == ".py"
        and cell.cell_type == "code"
        and opens_string(notebook, cell, target)
        and re.search(marker, cell.source, re.MULTILINE)
    )


def ways(notebook, cell, target, below):
    yield None
    if cell.cell_type != "code" and target.extension == ".py":
        yield "quotes"
    yield "comments"
    if cell.cell_type == "code":
        yield "plain magic"
        own = hides_own_markers(notebook, cell, target, below)
        if (below or own) and opens_string(notebook, cell, target):
            yield "open string"


def opens_string(notebook, cell, target):
    """Whether a string is open at the end of the cell, as jupytext writes it."""
    script = cell_to_text._SCRIPT_EXTENSIONS[target.extension]
    parser = stringparser.StringParser(script["language"])
    lines = write(notebook, [cell], target).split("\n")
    marker = rf"\s*{re.escape(script['comment'])} %%"
    first = next(number for number, line in enumerate(lines) if re.match(marker, line))
    for line in lines[first + 1 :]:
        parser.read_line(line)
    return parser.is_quoted()


def blank_end(cell):
    """The blanks at the end of a cell."""
    return cell.source[len(cell.source.rstrip()) :]


def mark(cell, way, lines=None, below=()):
    """Marks a cell as one that is written in a way, with so many blank lines behind it."""
    marked = copy.deepcopy(cell)
    if lines is not None:
        # At the end of a file, its last line break counts as one.
        marked.metadata["lines_to_next_cell"] = lines + (not below)
    if way == "quotes":
        quote = '"""' if '"""' not in cell.source else "'''"
        marked.metadata["cell_marker"] = ("r" if "\\" in cell.source else "") + quote
        if cell.source.endswith("\n"):
            # jupytext doesn't read one of the blank lines before the closing quotes.
            marked.source += "\n"
    elif way in ("comments", "open string"):
        marked.metadata["cell_marker"] = "+,-"
    if way:
        marked.metadata[MARK] = way
    return marked


def same(read, cell):
    return (read.cell_type, read.source) == (cell.cell_type, cell.source)


def reread_cells(notebook, cells, target):
    # So that no cell stands at the top, where it could be a header.
    first = nbformat.v4.new_code_cell("pass")
    # Nor does what stands in the header become a cell.
    plain = copy.deepcopy(notebook)
    plain.metadata.get("jupytext", {}).pop("root_level_metadata", None)
    try:
        text = write(plain, [first, *cells], target)
        return jupytext.reads(text, target.format(), config=target.config).cells[1:]
    except Exception:
        return []


def write(notebook, cells, target):
    part = copy.deepcopy(notebook)
    part.cells = copy.deepcopy(cells)
    text = jupytext.writes(part, target.format(), config=target.config)
    return text if text.endswith("\n") else text + "\n"


@contextlib.contextmanager
def patched(classes):
    def filtered(metadata, *args, **options):
        way = metadata.get(MARK)
        if way is None:
            return filter_metadata(metadata, *args, **options)
        plain = {key: value for key, value in metadata.items() if key not in (MARK, "cell_marker")}
        shown = filter_metadata(plain, *args, **options)
        if way == "open string":
            for key, value in GUARD.items():
                shown.setdefault(key, value)
        return shown

    def language(source, default, custom):
        # jupytext drops a first line `%%`, as its list of magics has an empty name.
        if source and re.match(r"%%( |$)", source[0]):
            classes.add("first line `%%`")
            return None, None
        return cell_language(source, default, custom)

    def options(metadata, plain_json=False):
        printed = print_options(metadata.copy(), plain_json)
        metadata = {key: value for key, value in metadata.items() if key not in LAYOUT}
        if plain_json or parse(printed) == without_type(metadata):
            pass
        else:
            reordered = {key: value for key, value in metadata.items() if value is not None}
            reordered |= {key: None for key, value in metadata.items() if value is None}
            again = print_options(reordered.copy(), plain_json)
            if parse(again) == without_type(metadata):
                if again != printed:
                    classes.add("key order")
                printed = again
        return printed

    # Metadata that jupytext misreads may break the schema.
    validate, nbbase.validate = nbbase.validate, lambda *_, **__: None
    exporter = cell_to_text.DoublePercentCellExporter
    original_init, original_to_text = exporter.__init__, exporter.cell_to_text

    def init(self, cell, *args, **options):
        if cell.metadata.get(MARK) == "plain magic":
            self.parse_cell_language = False
        original_init(self, cell, *args, **options)

    def to_text(self):
        lines = original_to_text(self)
        # Percent signs alone are no marker.
        if lines and re.fullmatch(rf"\s*{re.escape(self.comment)} %%%+", lines[0]):
            classes.add("depth")
            lines[0] += " "
        return lines

    cell_to_text.filter_metadata = filtered
    cell_to_text.cell_language = language
    cell_to_text.metadata_to_double_percent_options = options
    exporter.__init__, exporter.cell_to_text = init, to_text
    try:
        yield
    finally:
        nbbase.validate = validate
        cell_to_text.filter_metadata = filter_metadata
        cell_to_text.cell_language = cell_language
        cell_to_text.metadata_to_double_percent_options = print_options
        exporter.__init__, exporter.cell_to_text = original_init, original_to_text


def parse(options):
    reader = cell_reader.DoublePercentScriptCellReader({"extension": ".py"})
    try:
        return without_type(reader.options_to_metadata(options)[1])
    except Exception:
        return None


def without_type(metadata):
    return {key: value for key, value in metadata.items() if key != "cell_type"}


def loses_cells(notebook, target):
    """Whether jupytext reads other cells in its own text of a notebook."""
    with patched(set()):
        read = reread_cells(notebook, notebook.cells, target)
    cells = [(cell.cell_type, cell.source) for cell in notebook.cells]
    return [(cell.cell_type, cell.source) for cell in read] != cells


def refusal(error, text):
    """Says why a text that jupytext reads is refused, if it is one of the documented reasons."""
    if "the file is empty" in error and not text.strip():
        return "empty"
    if "conflict markers" in error and re.search(r"^<<<<<<<", text, re.MULTILINE):
        return "conflict markers"
    if "a string is opened in this cell and closed nowhere" in error:
        return "open string"
    if "NUL byte" in error and "\0" in text:
        return "NUL"
    return None

