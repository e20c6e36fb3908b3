"""Marimo notebooks to compare nbsync with marimo on: random ones, broken ones, and real Python cut
into cells. The same seed gives the same notebook."""

import ast
import io
import random
import sysconfig
import textwrap
import tokenize
from pathlib import Path

from marimo_code import LONG, NAMES, PRIVATE, TEXTS, UNICODE, Code, compiles, parses

GUARD = 'if __name__ == "__main__":\n    app.run()\n'


def notebook(seed):
    """Returns the text of a random notebook."""
    rng = random.Random(f"notebook {seed}")
    writer = Writer(rng)
    cells = [writer.cell() for _ in range(rng.choice([0, 1, 2, 3, 3, 4, 4, 5, 6, 8]))]
    return writer.file(cells)


class Writer:
    """Writes notebooks as marimo does, or as nobody does but marimo reads."""

    def __init__(self, rng):
        self.rng = rng
        self.code = Code(rng)
        # Half of the notebooks are laid out as by marimo, so that little hides little.
        self.is_plain = rng.random() < 0.5
        self.style = rng.choice(["new", "new", "old", "odd"])

    def chance(self, share):
        return self.rng.random() < share

    def pick(self, *choices):
        return self.rng.choice(choices)

    # --- code ----------------------------------------------------------------------------------

    def cell_code(self):
        kind = self.rng.random()
        if kind < 0.12:
            return "\n".join(self.code.function(2, self.rng.choice(NAMES + PRIVATE + UNICODE)))
        if kind < 0.2:
            return "\n".join(self.code.class_(2, self.rng.choice(NAMES + PRIVATE)))
        if kind < 0.27:
            return self.markdown()
        if kind < 0.31:
            return self.sql()
        if kind < 0.35:
            return "\n".join(self.code.import_() for _ in range(self.rng.randint(1, 3)))
        if kind < 0.38:
            return self.pick("", "", "\n", "# only a comment", "# a\n\n# b", "   ", "...", "pass", '"""text"""')
        if kind < 0.4:
            names = [f"{self.rng.choice(LONG)}_{n}" for n in range(self.rng.randint(1, 4))]
            return self.pick(" = ".join(names) + " = 1", "print(" + ", ".join(names) + ")")
        lines = []
        for _ in range(self.rng.choice([1, 1, 2, 2, 3, 4, 6])):
            if self.chance(0.1):
                lines.append(self.code.comment())
            if self.chance(0.12):
                lines += [""] * self.rng.randint(1, 2)
            lines += self.code.statement(2)
        if self.chance(0.06):
            lines.append(self.code.comment())
        if self.chance(0.04):
            lines += ["", self.code.comment()]
        return "\n".join(lines)

    def valid_code(self):
        for _ in range(20):
            code = self.cell_code()
            if compiles(code):
                return self.spoil(code)
        return "x"

    def spoil(self, code):
        """Blanks where they are easily lost."""
        if self.chance(0.97):
            return code
        lines = code.split("\n")
        at = self.rng.randrange(len(lines))
        new = list(lines)
        blank = self.pick("  ", "\t", "\x0c", "\u00a0", " \x0c")
        if self.chance(0.5):
            new.insert(at, blank)
        else:
            new[at] += blank
        code = "\n".join(new)
        return code if compiles(code) else "\n".join(lines)

    def markdown(self):
        text = self.rng.choice(
            [
                "# Title", "a\n\nb", "  a\n    b", "\n  a\n  b\n", 'say ""x""', "a\\(x\\)", "{x}", "é", "| a |\n|---|",
                "```python\nx = 1\n```", "a  \nb", "\ta\n\tb", 'ends with "', "\\", "a\\\nb", "", " ", "\x0c",
                "{{x}}", "'''", "-----\n" * 3, "\\N{BULLET}", "\\x41", "a\r\nb",
            ]
        )
        prefix = self.rng.choice(["r", "r", "r", "", "", "f", "rf", "fr", "R", "F", "u"])
        quote = self.rng.choice(['"""', '"""', '"""', "'''", '"'])
        if quote == '"':
            text = text.replace("\n", " ").replace('"', "")
        text = text.replace(quote, "").replace("\r", "")
        if "r" not in prefix.lower():
            text = text.replace("\\N{BULLET}", "x") if "f" in prefix.lower() else text
        if "f" in prefix.lower() and self.chance(0.5):
            text = text.replace("{{", "").replace("}}", "").replace("{x}", "")
        text = text.rstrip("\\")
        edge = self.rng.choice(["\n", "\n", "", "\n    "]) if quote != '"' else ""
        string = f"{prefix}{quote}{edge}{text}{edge}{quote}"
        if text.endswith('"') and not edge:
            string = f"{prefix}{quote}{text} {quote}"
        if self.chance(0.1):
            string += self.pick(" 'more'", "\n    r'more'", " f'{x}'")
        call = self.rng.choices(
            [
                f"mo.md({string})", f"mo.md(\n    {string}\n)", f"mo.md({string}, kind=1)", f"mo.md({string}).callout()",
                f"(mo.md({string}))", f"x = mo.md({string})", f"mo.md({string},)", f"mo.md({string});",
                f"mo.md(  # c\n    {string}\n)", f"marimo.md({string})", f"mo.md({string}), 1",
            ],
            (10, 5, 1, 1, 1, 1, 1, 1, 1, 1, 1),
        )[0]
        before = self.pick("", "", "", "# before\n", "\n", "# mo (x)\n")
        after = self.pick("", "", "", "  # after", "\n# after", "\n")
        return before + call + after

    def sql(self):
        query = self.rng.choice(
            [
                "SELECT * FROM df", "SELECT a FROM x JOIN value USING (id)", "CREATE TABLE t (a int)",
                "SELECT * FROM a.b.c", "INSERT INTO x VALUES (1)", "SELECT {x} FROM 'f.csv'", "",
                "CREATE OR REPLACE VIEW helper AS SELECT 1", "ATTACH 'a.db' AS y", "not sql at all",
            ]
        )
        prefix = "f" if "{" in query or self.chance(0.5) else ""
        string = f'{prefix}"""\n    {query}\n    """'
        callee = self.pick("mo.sql", "mo.sql", "duckdb.sql", "duckdb.execute", "marimo.sql")
        more = self.pick("", "", ",\n    output=False", ",\n    engine=x")
        target = self.pick("_df = ", "df = ", "value = ", "")
        return f"{target}{callee}(\n    {string}{more}\n)"

    def broken_code(self):
        """Code that Python refuses, when it parses or when it compiles."""
        code = self.cell_code()
        for _ in range(10):
            broken = self.pick(
                lambda: code + "\nx = (",
                lambda: code + "\nreturn",
                lambda: "from a import *\n" + code,
                lambda: code.replace("=", "= =", 1),
                lambda: "x =\n" + code,
                lambda: code + "\nif x:\n  y\n z",
                lambda: "%time " + code,
                lambda: "break\n" + code,
                lambda: code + '\n"""open' if self.chance(0.2) else code + "\n'open",
                lambda: "def f(:\n    pass",
                lambda: 'x = """a"""\ny = (\n',
                lambda: "x = $",
                lambda: "!ls",
                lambda: "1 = x",
                lambda: "nonlocal x",
                lambda: "f(x for x in y, 1)",
                lambda: "def f():\n    x = 1\n    global x",
                lambda: "await x; yield y",
                lambda: "class A:\n    await x",
            )()
            if not compiles(broken):
                return broken
        return "x = ("

    # --- cells ---------------------------------------------------------------------------------

    def cell(self):
        """Returns the text of a cell, without blank lines around it."""
        kind = self.rng.random()
        if kind < 0.72:
            return self.ordinary(self.valid_code())
        if kind < 0.8:
            return self.definition("function")
        if kind < 0.84:
            return self.definition("class_definition")
        if kind < 0.9:
            return self.unparsable(self.broken_code())
        if kind < 0.93:
            return self.unparsable(self.valid_code())
        if kind < 0.96:
            # Compiles as a function, but not as a cell.
            code = self.pick("return x\ny", "if x:\n    return", "yield x", "for i in x:\n    return i", "x = 1\nreturn x\ny = 2")
            return self.ordinary(code)
        return self.ordinary(self.broken_code()) if self.chance(0.3) else self.ordinary(self.valid_code())

    def name(self):
        pool = ["_"] * 12 + NAMES + ["__", "_a", "print", "é", "setup_", "x" * 70]
        return self.rng.choice(pool)

    def options(self, is_unparsable=False):
        if self.chance(0.75):
            return ""
        options = []
        for key, values in (
            ("column", ["1", "0", "None", "-1"]),
            ("disabled", ["True", "False"]),
            ("hide_code", ["True", "True", "False"]),
            ("expand_output", ["True"]),
            ("unknown", ["1", "x"]),
        ):
            if self.chance(0.3 if key != "unknown" else 0.05):
                options.append(f"{key}={self.rng.choice(values)}")
        if self.chance(0.2):
            self.rng.shuffle(options)
        return ", ".join(options)

    def decorator(self, kind):
        options = self.options()
        if options:
            if self.style == "odd" and self.chance(0.5):
                return f"@app.{kind}(\n    " + options.replace(", ", ",\n    ") + ",\n)"
            return f"@app.{kind}({options})"
        return f"@app.{kind}" + ("()" if self.chance(0.05) else "") + ("  # c" if self.chance(0.01) else "")

    def ordinary(self, code):
        is_async = "await " in code or "async " in code or self.chance(0.02)
        names = self.rng.sample(NAMES + ["mo", "_a"], self.rng.choice([0, 0, 1, 2, 3]))
        arguments = ", ".join(names)
        if self.style == "odd" and self.chance(0.3) and names:
            arguments = "\n    " + ",\n    ".join(names) + ",\n"
        if self.chance(0.03) and names:
            arguments = f"{names[0]}: int = (1)"
        header = f"{'async ' if is_async else ''}def {self.name()}({arguments})"
        if self.chance(0.02):
            header += " -> None"
        colon = ":  # c" if self.chance(0.01) else ":"
        returned = self.rng.sample(NAMES, self.rng.choice([0, 0, 1, 2, 4]))
        if not returned:
            returns = "return"
        elif self.style == "old":
            returns = "return " + ", ".join(returned) + ("," if len(returned) == 1 else "")
        elif self.style == "odd" and self.chance(0.3):
            returns = "return (\n        " + ",\n        ".join(returned) + ",\n    )"
        else:
            returns = "return " + (f"({returned[0]},)" if len(returned) == 1 else ", ".join(returned))
        if self.chance(0.02):
            returns += "  # c"
        indent = "    " if self.is_plain else self.pick("    ", "    ", "  ", "\t", "     ")
        body = textwrap.indent(code, indent)
        if not self.is_plain and self.chance(0.05):
            body = "\n" * self.rng.randint(1, 2) + body
        gap = "\n" * (self.rng.choice([0, 0, 0, 1, 2]) if not self.is_plain or self.chance(0.1) else 0)
        if not code.strip() and not body:
            gap = ""
        elif code:
            gap = "\n" + gap
        # Without a return, or with it in the same line.
        kind = self.rng.random() if not self.is_plain else 1
        if kind < 0.06 and code.strip():
            return f"{self.decorator('cell')}\n{header}{colon}\n{body}"
        if kind < 0.08 and code.strip() and "\n" not in code and not code.strip().startswith("#"):
            line = self.pick("; return", "", "; return x")
            return f"{self.decorator('cell')}\n{header}: {code.strip()}{line}"
        if kind < 0.1 and code.strip() and "\n" not in code and "#" not in code:
            return f"{self.decorator('cell')}\n{header}:\n{body.rstrip()}; {returns}"
        if kind < 0.11:
            return f"{self.decorator('cell')}\n{header}: return"
        if kind < 0.115:
            return f"@x\n{self.decorator('cell')}\n@y\n{header}:\n{body}{gap}{indent}{returns}"
        return f"{self.decorator('cell')}\n{header}{colon}\n{body}{gap}{indent}{returns}"

    def definition(self, kind):
        make = self.code.function if kind == "function" else self.code.class_
        for _ in range(20):
            code = "\n".join(make(2, self.rng.choice(NAMES + ["pure", "other", "print", "_private"])))
            if compiles(code):
                break
        else:
            code = "def f(x):\n    return x" if kind == "function" else "class f:\n    pass"
        if self.chance(0.3):
            # Pure ones, which stay functions.
            name, other = self.rng.sample(["pure", "other", "third", "print", "x"], 2)
            body = self.pick("return k", f"return {other}(k)", f"return len({name}(k))", "x = k\n    return x")
            default = self.pick("", f"={other}", "=1", "=len")
            code = f"def {name}(k{default}):\n    {body}"
            if kind != "function":
                code = f"class {name}{self.pick('', f'({other})')}:\n    k = {self.pick('1', other)}"
        if self.chance(0.04):
            # Parses, but doesn't compile.
            code = self.pick(
                "def f():\n    x = 1\n    global x", "class A:\n    return 1", "def f():\n    await x",
                "async def f():\n    yield x\n    return 1", "class A:\n    await x", "def f():\n    break",
            )
        if self.chance(0.05):
            code = "\n\n" + code
        if self.chance(0.05):
            code = "# above\n" + code
        if self.chance(0.08):
            code += self.pick("\n    # below", "\n\n    # below", "\n\n    # below\n    # more", "  # behind")
        return f"{self.decorator(kind)}\n{code}"

    def unparsable(self, code):
        options = self.options()
        name = self.pick('name="_"', 'name="a"', 'name="a b"', 'name="setup"', "", 'name=None', "name=x")
        keywords = ", ".join(it for it in (options, name) if it)
        is_raw = '"""' not in code and not code.endswith(("\\", '"'))
        if is_raw:
            string = f'r"""\n    {textwrap.indent(code, "    ").strip()}\n    """'
        else:
            escaped = code.replace("\\", "\\\\").replace('"', '\\"')
            string = f'"""\n{textwrap.indent(escaped, "    ")}\n    """'
        if self.chance(0.02):
            string = self.pick("x", "f'{x}'", "1", '"a" "b"')
        return f"app._unparsable_cell(\n    {string}{',' if keywords else ''}\n    {keywords}\n)"

    def setup(self):
        while True:
            code = self.pick(
                lambda: "\n".join(self.code.import_() for _ in range(self.rng.randint(1, 3))),
                self.valid_code,
                lambda: "# only a comment",
                lambda: "import os\npass",
                lambda: "import os\n\n# end",
            )()
            if code.strip() and compiles(code):
                break
        if not code.strip("\n#").strip() or all(it.strip().startswith("#") or not it.strip() for it in code.split("\n")):
            code += "\npass"
        prefix = "async " if "await " in code or "async " in code else ""
        options = self.pick("", "", "", "(hide_code=True)", "()", "(hide_code=False)", "(disabled=True)")
        return f"{prefix}with app.setup{options}:\n{textwrap.indent(code, '    ')}"

    # --- the file ------------------------------------------------------------------------------

    def header(self):
        return self.rng.choices(
            [
                "", "# comment\n", "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n\n", '"""Docs."""\n\n',
                "# /// script\n# requires-python = \">=3.11\"\n# dependencies = [\n#     \"marimo\",\n# ]\n# ///\n\n",
                "# Copyright\n\n'''a'''\n'b'\n# c\n\n\n", "# a: b\n", '"""\ntitle: x\n"""\n', "# é 变\n", "\n\n# late\n",
                '# a\n"""b"""; "c"\n',
            ],
            (50, 8, 4, 6, 10, 3, 3, 3, 3, 2, 1),
        )[0]

    def app(self, alias):
        options = []
        if self.chance(0.4):
            for key, values in (
                ("width", ['"medium"', "'full'", '"compact"', '"columns"']),
                ("app_title", ['"Title"', "'é'", "None", '"a\\\\b"', '"it\'s"', f'"{"long " * 14}"']),
                ("layout_file", ['"layouts/x.grid.json"', "None"]),
                ("css_file", ['"a.css"', "x"]),
                ("html_head_file", ["'head.html'"]),
                ("auto_download", ['["html"]', '["html", "ipynb"]', "[]", '["html", x]']),
                ("sql_output", ['"polars"', '"auto"']),
                ("unknown", ["1"]),
            ):
                if self.chance(0.25):
                    options.append(f"{key}={self.rng.choice(values)}")
            if self.chance(0.2):
                self.rng.shuffle(options)
        if self.style == "odd" and options and self.chance(0.5):
            return f"app = {alias}.App(\n    " + ",\n    ".join(options) + ",\n)"
        return f"app = {alias}.App({', '.join(options)})"

    def version(self):
        if self.style == "old" and self.chance(0.2):
            return ""
        version = self.pick('"0.25.2"', '"0.13.0"', '"0.1.0"', "'0.3.8'", '"0.20.1"')
        return f"__generated_with = {version}\n"

    def file(self, cells):
        alias = "marimo"
        imported = "import marimo"
        if self.style == "odd" and self.chance(0.3):
            imported, alias = self.pick(
                ("import marimo as mm", "mm"), ("import marimo, os", "marimo"), ("import marimo as mo", "mo")
            )
        parts = [f"{self.header()}{imported}\n\n{self.version()}{self.app(alias)}\n"]
        gap = "\n\n"
        if self.chance(0.2):
            parts.append(("\n" if self.style != "odd" else "") + self.setup() + "\n")
        for cell in cells:
            if self.style == "odd":
                gap = "\n" * self.rng.randint(0, 3)
                if self.chance(0.03):
                    gap += self.pick("# between\n", "x = 1\n", "def f(): pass\n")
            parts.append(gap + cell + "\n")
        if not self.chance(0.03):
            parts.append(gap + (GUARD if self.style != "odd" else self.pick(GUARD, GUARD, GUARD.replace('"', "'"), "if __name__ == 'x':\n    pass\n")))
        text = "".join(parts)
        if self.chance(0.01):
            text = text.rstrip("\n")
        if self.chance(0.01):
            text = text.replace("\n", "\r\n")
        return text


# --- broken notebooks ----------------------------------------------------------------------------


def mutant(text, seed):
    """Returns a notebook with lines or tokens deleted, doubled or swapped."""
    rng = random.Random(f"mutant {seed}")
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        text = (mutate_lines if rng.random() < 0.5 else mutate_tokens)(text, rng)
    return text


def mutate_lines(text, rng):
    lines = text.split("\n")
    mutate(lines, rng)
    return "\n".join(lines)


def mutate(parts, rng):
    if not parts:
        return
    at, other = rng.randrange(len(parts)), rng.randrange(len(parts))
    n = rng.choice([1, 1, 1, 2, 5])
    match rng.randrange(4):
        case 0:
            del parts[at : at + n]
        case 1:
            parts[other:other] = parts[at : at + n]
        case 2:
            parts[at], parts[other] = parts[other], parts[at]
        case 3 if at + 1 < len(parts):
            parts[at], parts[at + 1] = parts[at + 1], parts[at]


def mutate_tokens(text, rng):
    """Pieces are tokens with the blanks before them, so that they put together give the text."""
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    ends = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
            row, column = token.end
            if row <= len(lines) and token.string:
                ends.append(min(starts[row - 1] + column, len(text)))
    except (tokenize.TokenError, SyntaxError):
        pass
    ends = sorted({*ends, len(text)})
    pieces = [text[start:end] for start, end in zip([0, *ends], ends)]
    mutate(pieces, rng)
    return "".join(pieces)


# --- real Python -----------------------------------------------------------------------------------


def python_files():
    """The standard library and what is installed, in order."""
    folders = [Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))]
    files = []
    for folder in folders:
        for file in folder.rglob("*.py"):
            if "site-packages" in file.relative_to(folder).parts or "lib2to3" in file.parts:
                continue
            files.append(file)
    return sorted(set(files))


def cut(source, n_cells=25):
    """Returns notebooks that have the top-level statements of a module for cells."""
    source = source.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "")
    if not parses(source):
        return
    lines = source.split("\n")
    cells, last = [], 0
    for statement in ast.parse(source).body:
        # Several in a line stay together.
        if statement.end_lineno <= last:
            continue
        cells.append("\n".join(lines[last : statement.end_lineno]).strip("\n"))
        last = statement.end_lineno
    for start in range(0, len(cells), n_cells):
        group = [it for it in cells[start : start + n_cells] if parses(it)]
        bodies = (f"@app.cell\ndef _():\n{textwrap.indent(it, '    ')}\n    return" for it in group)
        start_text = 'import marimo\n\n__generated_with = "0.25.2"\napp = marimo.App()\n\n\n'
        yield start_text + "\n\n\n".join(bodies) + "\n\n\n" + GUARD
