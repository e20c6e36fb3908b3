"""Random notebooks, and random scripts with cell markers, from a seed.

The parts are chosen to meet in odd ways: what one language calls a comment, a magic or a marker
stands in the cells of the others too.
"""

import json

# Extension, the names that kernels give the language, comment prefix and suffix.
LANGUAGES = [
    (".py", ("python", "python", "Python"), "#", ""),
    (".coco", ("coconut",), "#", ""),
    (".R", ("R",), "#", ""),
    (".r", ("R",), "#", ""),
    (".jl", ("julia", "Julia"), "#", ""),
    (".cpp", ("c++", "C++17"), "//", ""),
    (".ss", ("scheme",), ";;", ""),
    (".clj", ("clojure",), ";;", ""),
    (".scm", ("scheme",), ";;", ""),
    (".sh", ("bash",), "#", ""),
    (".ps1", ("powershell", "PowerShell"), "#", ""),
    (".q", ("q",), "/", ""),
    (".m", ("matlab", "octave"), "%", ""),
    (".wolfram", ("wolfram language", "Wolfram Language"), "(*", "*)"),
    (".pro", ("idl",), ";", ""),
    (".js", ("javascript",), "//", ""),
    (".ts", ("typescript",), "//", ""),
    (".scala", ("scala",), "//", ""),
    (".rs", ("rust", "Rust"), "//", ""),
    (".robot", ("robotframework",), "#", ""),
    (".resource", ("robotframework",), "#", ""),
    (".cs", ("csharp", "C#"), "//", ""),
    (".fsx", ("fsharp", "F#"), "//", ""),
    (".fs", ("fsharp",), "//", ""),
    (".sos", ("sos",), "#", ""),
    (".java", ("java",), "//", ""),
    (".groovy", ("groovy",), "//", ""),
    (".sage", ("sage",), "#", ""),
    (".ml", ("ocaml", "OCaml"), "(*", "*)"),
    (".hs", ("haskell",), "--", ""),
    (".tcl", ("tcl",), "#", ""),
    (".mac", ("maxima",), "/*", "*/"),
    (".gp", ("gnuplot",), "#", ""),
    (".do", ("stata",), "//", ""),
    (".sas", ("sas", "SAS"), "/*", "*/"),
    (".jenner", ("jenner",), "/*", "*/"),
    (".xsh", ("xonsh",), "#", ""),
    (".lgt", ("logtalk",), "%", ""),
    (".logtalk", ("logtalk",), "%", ""),
    (".lua", ("lua",), "--", ""),
    (".go", ("go",), "//", ""),
]

WORDS = ["x = 1", "y", "print(x)", "text", "The end.", "a, b", "é日本", "😀", "f(x)?", "x?", "100 %"]

CODE = [
    "def f(x):\n    return x",
    "class A:\n    pass",
    "async def g():\n    await x",
    "@d\ndef f(): pass",
    "if x:\n    y",
    "    indented = 1",
    "\tx",
    "x = '''\ntext\n'''",
    'x = """a\n\nb"""',
    's = "it\'s"',
    "s = 'say \"hi\"'",
    "print('\\\\')",
    "r'\\''",
    "# a comment",
    "# + x",
    "#+ x",
    "# # + x",
    "# -",
    "#",
    "## two",
    "import os\nimport sys\n\n\nx = os",
    ")",
    "x = (\n    1,\n)",
    "x  # why?",
]

MAGICS = [
    "%matplotlib inline",
    "%time x = 1",
    "  %time x",
    "%%time\nx = 1",
    "%%timeit -n 1\nx",
    "%%html\n<b>bold</b>",
    "%%writefile a.txt\nit's '''quoted'''",
    "%load_ext autoreload\n%autoreload 2",
    "!ls -l",
    "!pip install x \\\n  y \\\n  z",
    "    !ls",
    "x = !ls",
    "x = %time 3",
    "a.b = !ls",
    "ls",
    "cd ..",
    "cat = 3",
    "echo hello",
    "?print",
    "print?",
    "x??",
    "# !ls",
    "# %time",
    "#%time",
    "# # %time",
    "# ls -l",
    "# x?",
    "%time x # escape",
    "%time x # noescape",
    "%%bash\nls\ncd x",
    "%%bash -s arg\necho 'hi'",
    "%%sh",
    "%%R -i x -o y\nplot(x)",
    "%%sql\nSELECT 1",
    "%%javascript\nalert('x')",
    "%%js\n// x",
    "%%latex\n$x$",
    "%%markdown\n# Title",
    "%%python3\nx",
    "%%python\nx",
    "%%perl\nprint 'x';",
    "%%cython\ncdef int x",
    "%%unknown\nx",
    "%%capture out\nx",
    "%%SQL\nselect",
    "%%r\nx",
    "%%octave\nx = 1",
    "%%spark\nx",
    "%%custom a\nx",
    ":dep x",
    "#!time",
    "#!fsharp\nlet x = 1",
    "#!javascript",
    "%% -x",
    "//gonb:%%",
    "!*go mod",
    "%%%% x",
]

TEXT = [
    "# Title",
    "## Section 1",
    "Some prose.",
    "* a\n* b",
    "1. one\n2. two",
    "A [link](http://x.y/z?q=1).",
    "$x^2$ and \\alpha",
    "```python\nx = 1\n```",
    "```\n# %%\n```",
    "~~~\n%% x\n~~~",
    "``` unclosed",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "<div class='x'>\n\n</div>",
    "> quote",
    "---",
    "---\ntitle: x\n---",
    "It's \"quoted\"",
    "&nbsp;",
    "line  \nbreak",
    " leading",
    "a\n\n\n\nb",
    "\\begin{align}\nx\n\\end{align}",
    "    indented code",
    "!image",
    "-- x",
    "(* x *)",
    "*/",
    "x *)",
    "// x",
    "[markdown]",
]

# Texts that jupytext reads back as something else.
ODD = [
    "# Why?",
    "# ls",
    "# cat files",
    "# cd ..",
    "# !x",
    "# %timeit",
    "%%",
    "%% foo",
    "# %%",
    "# %% title",
    "#%%",
    "x\n# %% b\ny",
    "// %% x",
    "# In[1]:",
    "# <codecell>",
    "x = '''",
    '"""',
    "it's '''",
    "x\n",
    "x\n\n",
    "x\n\n\n",
    "\n",
    "\nx",
    " ",
    "  \n",
    "x\n  ",
    "a\x0cb",
    "a\u2028b",
    "a\x85b",
    "a\r\nb",
    "a\rb",
    "a\tb",
    '"""text"""',
    "'''\ntext\n'''",
    'r"""a"""',
    "##+ x",
    "# # + foo",
    "",
    "a\\",
    "\xa0",
    "x \xa0",
    "\u200b",
]

NASTY = [
    "yes",
    "no",
    "on",
    "~",
    "null",
    "1.3",
    "1e3",
    "0o7",
    "1_0",
    "12:30:45",
    "2020-01-01",
    "a: b",
    "a #b",
    "#x",
    "@x",
    "%x",
    "- x",
    "-",
    " x",
    "x ",
    "!x",
    "&a",
    "*a",
    "{a",
    "[a",
    "?",
    "|",
    "=",
    "<<",
    "`x",
    "x:",
    "---",
    "...",
    "it's",
    'q"q',
    "a\nb",
    "a\n\nb\n",
    "\ttab",
    "é",
    "日本語",
    "😀",
    "\xa0",
    "\u2028",
    "",
    "back\\slash",
    "\x07\x1b\x7f",
    "\ufeff",
    "R (conda: base)",
    ".NET (C#)",
    "Python [conda env:x] *",
    "long " * 20 + "end",
    "é long " * 14,
    "it's: long " * 10,
    "x" * 90 + " y" * 20,
    "a\nlong " * 12,
]

KEYS = ["tags", "label", "slideshow", "a", "b-c", "x.y", "@id", "a/b", "_u", "key with blank", "é", "id"]


class Generator:
    def __init__(self, rng):
        self.rng = rng

    def pick(self, items):
        return items[self.rng.randrange(len(items))]

    def chance(self, percent):
        return self.rng.randrange(100) < percent

    # --- notebooks -----------------------------------------------------------------------------

    def notebook(self):
        """Returns an ipynb, and the extension of its scripts."""
        rng = self.rng
        # Half of the notebooks are Python's.
        language = LANGUAGES[0] if self.chance(50) else self.pick(LANGUAGES)
        odd = self.pick([0, 0, 5, 30])
        cells = [self.cell(language, odd) for _ in range(self.pick([0, 1, 2, 3, 3, 4, 5, 6, 9]))]
        if cells and self.chance(5):
            cells[0] = {"cell_type": "raw", "metadata": {}, "source": self.front_matter()}
        minor = self.pick([0, 2, 4, 5, 5, 5])
        for number, cell in enumerate(cells):
            if minor >= 5:
                cell["id"] = f"cell-{number}"
        notebook = {
            "cells": cells,
            "metadata": self.notebook_metadata(language),
            "nbformat": 4,
            "nbformat_minor": minor,
        }
        return notebook, language[0]

    def front_matter(self):
        inner = self.pick(["title: x", "title: x\nauthor: y", "a:\n  - b", "", "jupyter: x", "x"])
        return self.pick(["---\n{}\n---", "---\n{}\n---\n", "\n---\n{}\n---", "--- \n{}\n---"]).format(inner)

    def cell(self, language, odd):
        kind = self.pick(["code", "code", "code", "markdown", "markdown", "raw"])
        cell = {"cell_type": kind, "metadata": self.cell_metadata(), "source": self.source(kind, odd)}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        if kind == "markdown" and self.chance(3):
            cell["attachments"] = {"x.png": {"image/png": "AA=="}}
        return cell

    def source(self, kind, odd):
        parts = []
        for _ in range(self.pick([0, 1, 1, 1, 2, 2, 3, 4])):
            if self.chance(odd):
                pool = ODD
            elif kind == "code":
                pool = self.pick([CODE, CODE, WORDS, MAGICS])
            else:
                pool = self.pick([TEXT, TEXT, WORDS])
            parts.append(self.pick(pool))
        return self.pick(["\n", "\n", "\n\n", "\n\n\n"]).join(parts)

    def cell_metadata(self):
        metadata = {}
        if self.chance(55):
            return metadata
        if self.chance(35):
            metadata["tags"] = self.pick(
                [["a"], ["parameters"], [], ["a", "b-c"], ["remove-input", "é"], ["active-ipynb"],
                 ["active-py"], ["active-ipynb-py"], ["active-ipynb-md"], ["it's", 'q"q']]
            )
        if self.chance(15):
            metadata["title"] = self.pick(
                ["Title", "A longer title", "T = 1", "a.b", ".x", "t [markdown]", "{x}", "é", "x  y", "Why?"]
            )
        if self.chance(8):
            metadata["cell_depth"] = self.pick([1, 2, 0])
        if self.chance(8):
            metadata["active"] = self.pick(["ipynb", "py", "ipynb,py", "ipynb.md", "", "R", "jl,ipynb"])
        if self.chance(8):
            metadata["region_name"] = self.pick(["md", "markdown", "x"])
        if self.chance(8):
            metadata["lines_to_next_cell"] = self.pick([0, 1, 2])
        if self.chance(6):
            metadata["cell_marker"] = self.pick(['"""', "'''", 'r"""', '"""\n,\n"""', 'r""","""', "x", "+,-"])
        if self.chance(6):
            metadata["language"] = self.pick(["R", "bash", "python", "julia", "x", "octave", "c#"])
        if self.chance(5):
            metadata["run_control"] = {"frozen": self.pick([True, False])}
        for key in ("collapsed", "scrolled", "trusted", "ExecuteTime", "execution", "autoscroll"):
            if self.chance(4):
                metadata[key] = self.value(1)
        for _ in range(self.pick([0, 0, 1, 2])):
            key = self.pick(KEYS)
            if key != "tags":
                metadata[key] = self.value(2)
        items = list(metadata.items())
        self.rng.shuffle(items)
        return dict(items)

    def value(self, depth):
        kind = self.rng.randrange(12 if depth else 9)
        if kind == 0:
            return None
        if kind == 1:
            return self.chance(50)
        if kind == 2:
            return self.pick([0, 1, -1, 17, 10**25, -(2**63)])
        if kind == 3:
            return self.pick([0.5, 1.0, 1e20, 1e-7, 1.5e300, -0.0, 0.1])
        if kind < 9:
            return self.pick(NASTY)
        if kind == 9:
            return [self.value(depth - 1) for _ in range(self.rng.randrange(3))]
        return {self.pick(["k", "a b", "é", "n:", "#", "yes", "1"]): self.value(depth - 1)
                for _ in range(self.rng.randrange(3))}

    def notebook_metadata(self, language):
        extension, names, _, _ = language
        metadata = {}
        name = self.pick(names)
        if self.chance(85) or extension != ".py":
            metadata["kernelspec"] = {
                "display_name": self.pick(NASTY) if self.chance(30) else "Kernel 3",
                "language": name,
                "name": "kernel",
            }
            if self.chance(10):
                metadata["kernelspec"][self.pick(KEYS)] = self.value(2)
            if extension == ".py" and self.chance(10):
                del metadata["kernelspec"]["language"]
        if self.chance(40):
            metadata["language_info"] = {"file_extension": extension, "name": name, "version": "3.12.0"}
        if self.chance(20):
            metadata[self.pick(["title", "authors", "toc", "widgets", "kernel_info", "orphan", "tocdepth", "a b"])] = self.value(3)
        if self.chance(30):
            options = metadata["jupytext"] = self.options(name, language[2])
            if "formats" in options:
                # What `auto` stands for in a notebook with contradicting languages is not compared.
                options["formats"] = options["formats"].replace("auto", extension[1:])
        items = list(metadata.items())
        self.rng.shuffle(items)
        return dict(items)

    def options(self, name, comment):
        options = {}
        extension = "ipynb,auto:percent"
        for key, values in {
            "formats": ["ipynb,py:percent", "ipynb,py", extension, "notebooks///ipynb,scripts///py:percent", "ipynb"],
            "comment_magics": [True, False],
            "cell_markers": ['"""', "'''", 'r"""', "region,endregion", '"""\n,\n"""'],
            "cell_metadata_json": [True, False],
            "cell_metadata_filter": ["-all", "tags,-all", "all", "-tags", "collapsed", "all,-a", "name,-all", "slideshow.k,-all"],
            "notebook_metadata_filter": ["-all", "all", "title", "-kernelspec", "kernelspec,-all", "toc,-jupytext", "all,-jupytext",
                                         "-jupytext.text_representation.jupytext_version", "kernelspec.name"],
            "custom_cell_magics": ["custom", "custom,unknown", "kql"],
            "custom_language_magics": ["unknown"],
            "main_language": [name, "python", "R"],
            "executable": ["/usr/bin/env python", " /bin/x"],
            "encoding": [f"{comment} -*- coding: utf-8 -*-"],
            "root_level_metadata_as_raw_cell": [True, False],
            "split_at_heading": [True],
            "default_lexer": ["ipython3"],
            "text_representation": [{"extension": ".md", "format_name": "markdown", "format_version": "1.3", "jupytext_version": "1.14.0"}],
        }.items():
            if self.chance(14):
                options[key] = self.pick(values)
        return options

    # --- scripts -------------------------------------------------------------------------------

    def script(self):
        """Returns a text, and the extension that it is to be read with."""
        language = LANGUAGES[0] if self.chance(60) else self.pick(LANGUAGES)
        extension, names, comment, suffix = language
        tail = f" {suffix}" if suffix else ""
        lines = []
        if self.chance(40):
            lines += self.header(language)
        for number in range(self.pick([0, 1, 2, 3, 4, 6])):
            if number or self.chance(80):
                lines.append(self.marker(comment) + (tail if self.chance(90) else ""))
            kind = self.pick(["code", "code", "text"])
            odd = self.pick([0, 5, 20])
            body = self.source("code" if kind == "code" else "markdown", odd).split("\n")
            if kind == "text" and self.chance(80):
                body = [f"{comment} {line}{tail}" if line else comment for line in body]
            elif kind == "text" and extension == ".py":
                quote = self.pick(['"""', "'''"])
                before = self.pick(["", "r", "R"])
                edge = self.pick(["\n", "\n", ""])
                body = f"{before}{quote}{edge}{chr(10).join(body)}{edge}{quote}".split("\n")
            lines += body
            lines += [""] * self.pick([0, 1, 1, 1, 2, 2, 3])
        text = "\n".join(lines)
        if self.chance(85):
            text += "\n"
        if self.chance(15):
            text = self.mutated(text)
        if self.chance(4):
            text = text.replace("\n", "\r\n")
        return text, extension

    def marker(self, comment):
        start = self.pick(["# %%", "# %%", "# %%", "# %%", "#%%", "#  %%", "  # %%", "# %%%%", "# In[3]:", "# In[ ]:", "# <codecell>"])
        start = start.replace("#", comment)
        if "%%" not in start or self.chance(30):
            return start
        options = []
        if self.chance(30):
            options.append(self.pick(["Title", "A title", "t.u", ".t", "T = x", "[x]", "%%", "- dash", "é"]))
        if self.chance(45):
            options.append(self.pick(["[markdown]", "[raw]", "[md]", "[markdown]", "[Markdown]"]))
        for _ in range(self.pick([0, 0, 1, 1, 2])):
            options.append(
                self.pick(
                    ['tags=["a"]', "a=1", "b", "c='x y'", "d={'k': 1}", 'e = "f"', 'active="ipynb"', 'active="py"',
                     'language="bash"', 'language="R" magic_args="-i x"', 'language="python"', "x=[1", "y=", '{"j": 1}',
                     '{"j": 1, "tags": ["b"]}', "k=1.50", "n=None", "t=True", 'cell_type="raw"', 'title="x"', ".cls",
                     '--x=1', "a.b=2", 'u="\\u00e9"', "lines_to_next_cell=2", 'region_name="x"', "é=1", "m=1 n=2 o",
                     'active=""', 'run_control={"frozen": true}', 'tags=["active-ipynb"]', "x=1e5", "big=100000000000000000000"]
                )
            )
        return start + self.pick([" ", " ", " ", "  ", "\t"]) + " ".join(options)

    def header(self, language):
        extension, names, comment, suffix = language
        tail = f" {suffix}" if suffix else ""
        lines = []
        if self.chance(15):
            lines.append("#!/usr/bin/env x")
        if self.chance(15):
            lines.append(f"{comment} -*- coding: utf-8 -*-")
        inner = []
        if self.chance(20):
            inner += self.pick([["title: x"], ["title: x", "author: y"], ["a:", "  - b"]])
        if self.chance(85):
            inner.append("jupyter:")
            if self.chance(70):
                inner.append("  jupytext:")
                if self.chance(30):
                    inner.append(f"    formats: ipynb,{extension[1:]}:percent")
                if self.chance(15):
                    inner.append(self.pick(["    comment_magics: false", "    comment_magics: true"]))
                if self.chance(15):
                    inner.append("    cell_metadata_filter: " + self.pick(["-all", "tags,-all", "all"]))
                if self.chance(10):
                    inner.append("    notebook_metadata_filter: " + self.pick(["all", "-all", "title"]))
                if self.chance(10):
                    inner.append("    custom_cell_magics: kql")
                inner += [
                    "    text_representation:",
                    f"      extension: {extension}",
                    "      format_name: percent",
                    "      format_version: '1.3'",
                    "      jupytext_version: " + self.pick(["1.19.6", "1.11.2", "1.4.0"]),
                ]
            if self.chance(70):
                inner += [
                    "  kernelspec:",
                    "    display_name: " + self.pick(["Python 3", "'it''s'", '"\\xE9"', "R (conda)", "x"]),
                    f"    language: {self.pick(names)}",
                    "    name: k",
                ]
            if self.chance(10):
                inner += ["  title: " + self.pick(["y", "1.3", "[a, b]", "{a: 1}", "2020-01-01", "on", "0x1f"])]
            if inner[-1] == "jupyter:":
                inner.append("  orphan: true")
        if inner:
            lines += [f"{comment} {line}{tail}" for line in ["---", *inner, "---"]]
            lines += [""] * self.pick([0, 1, 1, 1, 1, 2])
        return lines

    # --- configurations ------------------------------------------------------------------------

    def config(self):
        """Returns the options of a folder."""
        options = {}
        if self.chance(85):
            return options
        for key, values in {
            "root_level_metadata_as_raw_cell": [False],
            "comment_magics": [True, False],
            "cell_markers": ['"""', "'''", "region,endregion"],
            "cell_metadata_filter": ["-all", "tags,-all", "all"],
            "notebook_metadata_filter": ["-all", "all", "title", "-jupytext"],
            "custom_cell_magics": ["custom", "kql"],
            "hide_notebook_metadata": [True, False],
            "split_at_heading": [True],
        }.items():
            if self.chance(30):
                options[key] = self.pick(values)
        return options

    def root_level_metadata(self):
        """Returns what stands outside of `jupyter:` in a header, if it is no cell."""
        keys = ["title", "author", "z", "Key", "a b", "jupyte", "jupyterx"]
        return {self.pick(keys): self.value(2) for _ in range(self.pick([1, 2, 3]))}

    def mutated(self, text):
        """Returns the text with a few lines or characters changed."""
        for _ in range(self.pick([1, 1, 2, 4])):
            lines = text.split("\n")
            at = self.rng.randrange(len(lines))
            what = self.rng.randrange(7)
            if what == 0:
                del lines[at]
            elif what == 1:
                lines.insert(at, lines[self.rng.randrange(len(lines))])
            elif what == 2:
                lines.insert(at, self.pick(["", "", "  ", "'''", '"""', "# %%", "# ---", "#", "```", "# ```", "\x0c"]))
            elif what == 3:
                other = self.rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            elif what == 4 and lines[at]:
                place = self.rng.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:place] + self.pick(list("#% '\"[]={}\\\t!?-\u2028é")) + lines[at][place:]
            elif what == 5 and lines[at]:
                place = self.rng.randrange(len(lines[at]))
                lines[at] = lines[at][:place] + lines[at][place + 1 :]
            else:
                lines[at] = lines[at].strip()
            text = "\n".join(lines)
        return text


def dump(notebook):
    """Returns an ipynb as text, keys in the order that they have."""
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
