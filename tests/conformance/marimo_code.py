"""Random Python for the cells of marimo notebooks, from a grammar.

Names come from a small pool, so that cells share, shadow and redefine them. The code is made for what
marimo's analysis and its codegen look at; most of it could not run.
"""

import ast
import sys

NAMES = ["a", "b", "c", "df", "x", "y", "value", "total_amount", "Model", "helper"]
MODULES = ["os", "sys", "numpy", "pandas", "a", "x"]
BUILTINS = ["print", "len", "list", "id", "input", "Exception", "int", "super", "exit", "type"]
SPECIAL = ["__name__", "__file__", "__x", "__dunder__", "mo", "app", "marimo", "setup"]
PRIVATE = ["_", "_a", "_tmp", "__"]
UNICODE = ["é", "ñandú", "变量", "µ", "ﬁ"]
LONG = ["a_very_long_name_for_a_variable", "another_quite_long_name_of_a_thing"]

SINCE_12 = sys.version_info >= (3, 12)
SINCE_14 = sys.version_info >= (3, 14)

# How many of the statements and expressions have syntax of Python 3.12 to 3.14, where the Python that
# runs this knows it.
LATER_SHARE = 0

TEXTS = [
    "", "a", "it's", 'say "x"', "\\n", "\\", "é 变", "{x}", "a\tb", "#", "# not a comment", '""', "%d",
    "\\N{BULLET}", "\\x41", "SELECT * FROM t", "return", "@app.cell", "\u00a0", "\u2028", "mo.md('')",
]
COMMENTS = [
    "# comment", "#", "#!x", "# é", "# %time x", "# type: ignore", "# @app.cell", "#: x", "#\tx ", "# '''",
]


class Code:
    """Makes code from a source of random numbers."""

    def __init__(self, random):
        self.random = random
        # What may stand here: `await`, `yield`, `return`, `break`.
        self.is_async = True
        self.is_function = False
        self.is_loop = False
        self.is_class = False

    # --- names and literals --------------------------------------------------------------------

    def chance(self, share):
        return self.random.random() < share

    def pick(self, *choices):
        return self.random.choice(choices)()

    def name(self):
        pool = self.random.choices(
            (NAMES, BUILTINS, PRIVATE, SPECIAL, UNICODE, LONG), (60, 10, 12, 6, 3, 3)
        )[0]
        return self.random.choice(pool)

    def target_name(self):
        name = self.name()
        return name if name not in ("__debug__",) else "x"

    def names(self, least=1, most=3):
        n = self.random.randint(least, most)
        return self.random.sample(NAMES + PRIVATE, n)

    def string(self, depth=1):
        kind = self.random.random()
        if kind < 0.35 and 0 < depth:
            return self.f_string(depth - 1)
        text = self.random.choice(TEXTS)
        prefix = self.random.choice(["", "", "", "r", "R", "u", "b", "rb"])
        if "b" in prefix:
            text = text.encode("ascii", "ignore").decode()
        if kind < 0.5:
            quote = self.random.choice(['"""', "'''"])
            lines = [self.random.choice(TEXTS) for _ in range(self.random.randint(1, 4))]
            if "b" in prefix:
                lines = [line.encode("ascii", "ignore").decode() for line in lines]
            indents = ["", "", "    ", "  ", "      ", "\t"]
            text = "\n".join(self.random.choice(indents) + line for line in lines)
            text = text.replace("\\N", "").replace(quote, "").rstrip("\\\"'")
            return f"{prefix}{quote}{text}{quote}"
        if kind < 0.55:
            return f"{prefix}'a\\\n  b'"
        if "b" in prefix or "r" in prefix.lower():
            text = text.replace("\\N{BULLET}", "").rstrip("\\")
        quote = '"' if "'" in text else "'"
        if quote in text or text.endswith("\\"):
            return repr(text)
        return f"{prefix}{quote}{text}{quote}"

    def f_string(self, depth):
        prefix = self.random.choice(["f", "f", "F", "rf", "fr"] + (["t"] if SINCE_14 else []))
        parts = []
        for _ in range(self.random.randint(0, 3)):
            kind = self.random.random()
            if kind < 0.3:
                parts.append(self.random.choice(["a", "{{x}}", " é ", "%", "#"]))
            elif kind < 0.7:
                parts.append("{" + self.simple() + self.random.choice(["", "!r", "!s", "="]) + "}")
            elif kind < 0.8:
                parts.append("{" + self.name() + ":{" + self.name() + "}.2f}")
            elif kind < 0.9:
                parts.append("{(" + self.name() + " := " + self.simple() + ")}")
            else:
                parts.append("{" + f"[{self.name()} for {self.name()} in {self.name()}]" + "}")
        if self.chance(0.2):
            return prefix + '"""' + self.random.choice(["\n", "\n    ", ""]).join(parts) + '\n"""'
        return prefix + '"' + "".join(parts) + '"'

    def number(self):
        return self.random.choice(["0", "1", "-1", "1_000", "0x1F", "1.5e-3", "2j", "10**3", "..."])

    # --- expressions ---------------------------------------------------------------------------

    def simple(self):
        return self.name() if self.chance(0.8) else self.number()

    def expr(self, depth=2):
        if depth <= 0 or self.chance(0.2):
            return self.random.choice([self.name, self.name, self.name, self.number])()
        if LATER_SHARE and self.chance(LATER_SHARE / 4):
            return self.later_expr(depth)
        e = lambda: self.expr(depth - 1)
        return self.pick(
            lambda: self.string(depth),
            lambda: f"{e()}.{self.random.choice(NAMES)}" if self.chance(0.9) else f"({e()}).real",
            lambda: f"{self.name()}.{self.random.choice(NAMES)}.{self.random.choice(NAMES)}",
            lambda: f"{self.name()}[{e()}]",
            lambda: f"{self.name()}[{e()}:{e()}, ::{e()}]",
            lambda: self.call(depth),
            lambda: self.call(depth),
            lambda: f"({e()} {self.random.choice('+ - * / // % @ ** & | ^ << >>'.split())} {e()})",
            lambda: f"({e()} {self.random.choice(['and', 'or'])} {e()})",
            lambda: f"({e()} {self.random.choice(['<', '==', 'is', 'is not', 'in', 'not in'])} {e()})",
            lambda: f"({e()} if {e()} else {e()})",
            lambda: f"(not {e()})",
            lambda: f"(-{e()})",
            lambda: self.lambda_(depth),
            lambda: self.comprehension(depth),
            lambda: self.comprehension(depth),
            lambda: f"({self.walrus(depth)})",
            lambda: "[" + ", ".join(self.maybe_starred(depth) for _ in range(self.random.randint(0, 3))) + "]",
            lambda: "(" + "".join(e() + ", " for _ in range(self.random.randint(0, 3))) + ")",
            lambda: "{" + f"{e()}: {e()}, **{self.name()}" + "}",
            lambda: "{" + f"{e()}, *{self.name()}" + "}",
            lambda: f"(await {e()})" if self.is_async else e(),
            lambda: f"(yield {e()})" if self.is_function and not self.is_async else e(),
        )

    def walrus(self, depth):
        return f"{self.random.choice(NAMES + PRIVATE)} := {self.expr(depth - 1)}"

    def maybe_starred(self, depth):
        return ("*" if self.chance(0.1) else "") + self.expr(depth - 1)

    def call(self, depth):
        arguments = [self.maybe_starred(depth) for _ in range(self.random.randint(0, 2))]
        if self.chance(0.3):
            arguments.append(f"{self.random.choice(NAMES)}={self.expr(depth - 1)}")
        if self.chance(0.1):
            arguments.append(f"**{self.name()}")
        if self.chance(0.1):
            return f"{self.name()}({self.expr(depth - 1)} for {self.target()} in {self.name()})"
        callee = self.name() if self.chance(0.7) else f"{self.name()}.{self.random.choice(NAMES)}"
        separator = ",\n        " if self.chance(0.1) else ", "
        return f"{callee}({separator.join(arguments)})"

    def lambda_(self, depth):
        parameters = self.parameters(depth - 1, is_lambda=True)
        return f"(lambda {parameters}: {self.expr(depth - 1)})"

    def comprehension(self, depth):
        element = self.expr(depth - 1)
        clauses = ""
        for _ in range(self.random.choice([1, 1, 1, 2])):
            prefix = " async" if self.is_async and self.chance(0.05) else ""
            clauses += f"{prefix} for {self.target()} in {self.expr(depth - 1)}"
            if self.chance(0.3):
                condition = f"({self.walrus(depth)})" if self.chance(0.2) else self.expr(depth - 1)
                clauses += f" if {condition}"
        return self.pick(
            lambda: f"[{element}{clauses}]",
            lambda: "{" + f"{element}{clauses}" + "}",
            lambda: "{" + f"{self.expr(depth - 1)}: {element}{clauses}" + "}",
            lambda: f"({element}{clauses})",
        )

    def target(self, depth=1):
        kind = self.random.random()
        if kind < 0.6 or depth == 0:
            return self.target_name()
        if kind < 0.75:
            return f"({self.target(depth - 1)}, {self.target(depth - 1)})"
        if kind < 0.8:
            return f"[{self.target(depth - 1)}, *{self.target_name()}]"
        if kind < 0.9:
            return f"{self.name()}.{self.random.choice(NAMES)}"
        return f"{self.name()}[{self.expr(1)}]"

    def annotation(self):
        return self.random.choice(
            [
                "int", "str", "x", "Model", "list[int]", "dict[str, 'Model']", "'Model'", "a.b.C", "int | None",
                "'x | \"y\"'", "Literal['a', \"b\"]", "Callable[[int], str]", "Literal['it\\'s']", "(int)",
                "tuple[int,   ...]", "x[\n    a\n]", "b'x'", "-1", "lambda: x", "f'{x}'", "None", "Annotated[int, x > 1]",
            ]
        )

    def parameters(self, depth, is_lambda=False):
        def parameter(name):
            res = name
            if not is_lambda and self.chance(0.25):
                res += f": {self.annotation()}"
            return res

        names = self.random.sample(NAMES + ["_a", "self", "args", "kw", "__x"], self.random.randint(0, 4))
        parts, has_default = [], False
        for name in names:
            res = parameter(name)
            if has_default or self.chance(0.25):
                has_default = True
                res += f"={self.expr(depth)}"
            parts.append(res)
        if 1 < len(parts) and self.chance(0.15):
            parts.insert(self.random.randint(1, len(parts)), "/")
        if self.chance(0.15):
            parts.append("*" + parameter("rest"))
            if self.chance(0.5):
                parts.append(parameter("keyword"))
        elif self.chance(0.1):
            parts += ["*", parameter("keyword") + f"={self.expr(depth)}"]
        if self.chance(0.1):
            parts.append("**" + parameter("options"))
        return ", ".join(parts)

    # --- statements ----------------------------------------------------------------------------

    def comment(self):
        return self.random.choice(COMMENTS)

    def block(self, depth, indent, least=1):
        """Returns the lines of a block, indented."""
        lines = []
        for _ in range(self.random.randint(least, 3)):
            if self.chance(0.08):
                lines.append(self.comment())
            if self.chance(0.05):
                lines.append("")
            lines += self.statement(depth - 1)
        if self.chance(0.05):
            lines.append(self.comment())
            lines.append("pass")
        return [f"{indent}{line}" if line else line for line in lines]

    def statement(self, depth=2):
        """Returns the lines of a statement."""
        if LATER_SHARE and self.chance(LATER_SHARE):
            return self.later_statement(depth)
        simple = self.chance(0.65) or depth <= 0
        lines = self.simple_statement() if simple else self.compound(depth)
        if simple and "\n" not in lines[-1] and self.chance(0.06):
            lines[-1] += self.random.choice(["  " + self.comment(), ";", " ;", "; " + self.name(), "  "])
        return lines

    def simple_statement(self):
        e = self.expr
        choice = self.random.choices(
            [
                lambda: f"{self.target()} = {e()}",
                lambda: f"{self.target()}, {self.target()} = {e()}",
                lambda: f"{self.target()} = {self.target()} = {e()}",
                lambda: f"*{self.target_name()}, {self.target()} = {e()}",
                lambda: f"{self.target_name()} {self.random.choice(['+=', '-=', '@=', '//='])} {e()}",
                lambda: f"{self.name()}.a += {e()}",
                lambda: f"{self.random.choice(NAMES + PRIVATE)}: {self.annotation()} = {e()}",
                lambda: f"{self.random.choice(NAMES)}: {self.annotation()}",
                lambda: f"{self.name()}.a: {self.annotation()} = {e()}",
                lambda: e(),
                lambda: self.call(2),
                lambda: f"del {self.name()}",
                lambda: f"del {self.name()}.a, {self.name()}[{e()}]",
                lambda: f"assert {e()}, {e()}",
                lambda: f"raise {e()} from {self.name()}",
                lambda: "pass",
                lambda: self.import_(),
                lambda: f"global {', '.join(self.names(1, 2))}",
                lambda: f"nonlocal {self.random.choice(NAMES)}" if self.is_function else "...",
                lambda: f"return {e()}" if self.is_function else e(),
                lambda: "continue" if self.is_loop else "pass",
                lambda: "type " + f"{self.random.choice(NAMES)}{self.type_parameters()} = {self.annotation()}"
                if SINCE_12
                else "pass",
            ],
            (30, 4, 3, 2, 5, 2, 5, 3, 1, 12, 8, 3, 2, 2, 1, 2, 8, 3, 1, 4, 2, 2),
        )[0]
        return [choice()]

    def type_parameters(self):
        if not SINCE_12 or self.chance(0.6):
            return ""
        return self.random.choice(["[T]", "[T: int]", "[T, *Ts]", "[**P]", "[T: (x, Model)]", "[a]"])

    # --- Python 3.12 to 3.14 -------------------------------------------------------------------

    def later_parameters(self):
        """Returns type parameters, whose bounds and defaults refer to names."""
        names = self.random.sample(["T", "U", "a", "x", "Model", "_T", "__", "value"], self.random.randint(1, 3))
        n = self.name
        parts = []
        for name in names:
            bound = self.pick(
                lambda: "", lambda: "", lambda: f": {n()}", lambda: f": ({n()}, {n()})", lambda: f": list[{names[0]}]",
                lambda: f": [{n()} for {n()} in {n()}]", lambda: f": (lambda: {n()})", lambda: f": '{n()}'",
            )
            parts.append(name + bound)
        if self.chance(0.2):
            parts.append(self.random.choice(["*Ts", "**P"]))
        if self.chance(0.25):
            kind = self.random.choice(["D = {}", "D: int = {}", "*Ds = *{}", "**Q = [{}]"])
            parts.append(kind.format(n()))
        return f"[{', '.join(parts)}]"

    def later_statement(self, depth):
        """Returns the lines of a statement with syntax that came with 3.12 to 3.14."""
        n, e = self.name, lambda: self.expr(1)
        indent = self.indent()
        name = self.random.choice(NAMES + PRIVATE + ["T"])
        choices = [
            lambda: [f"type {name} = {e()}"],
            lambda: [f"type {name}{self.later_parameters()} = {n()}[{self.random.choice(['T', 'U', 'a', 'x'])}] | {e()}"],
            lambda: self.generic(f"def {name}{self.later_parameters()}", depth),
            lambda: self.generic(f"async def {name}{self.later_parameters()}", depth),
            lambda: [
                *self.decorators(), f"class {name}{self.later_parameters()}{self.random.choice(['', f'({n()}[T])', f'({n()}, metaclass={n()})'])}:",
                *self.random.choice([[f"{indent}{n()}: T = {n()}"], [f"{indent}def {n()}(self, k: T) -> U: return {n()}"],
                                     [f"{indent}type {n()} = T"], [f"{indent}pass"]]),
            ],
            lambda: [self.random.choice([f"{n()} = {self.later_expr(2)}", self.later_expr(2), f"{n()}: {n()}[T] = {self.later_expr(1)}"])],
        ]
        if SINCE_14:
            star = self.random.choice(["", "", "*"])
            choices.append(
                lambda: [
                    "try:", *self.block(0, indent), f"except{star} {n()}, {n()}.Error:", *self.block(0, indent),
                    *(["finally:", *self.block(0, indent)] if self.chance(0.2) else []),
                ]
            )
        return "\n".join(self.random.choice(choices)()).split("\n")

    def generic(self, start, depth):
        was = self.is_async, self.is_function, self.is_loop
        self.is_async, self.is_function, self.is_loop = start.startswith("async"), True, False
        parameters = self.random.choice([self.parameters(1), "k: T, *args: *Ts", "k: T = x, **options: U"])
        returns = self.random.choice(["", " -> T", f" -> {self.annotation()}"])
        lines = self.body(f"{start}({parameters}){returns}:", depth)
        self.is_async, self.is_function, self.is_loop = was
        return lines

    def later_expr(self, depth):
        """Returns a string with variable parts that an older tokenizer would not take."""
        n = self.name
        prefix = self.random.choice(["f", "f", "rf"] + (["t", "t", "rt", "Tr"] if SINCE_14 else []))
        part = self.pick(
            lambda: '{' + n() + '["k"]}', lambda: '{f"{' + n() + '}"}', lambda: '{f"{f"{' + n() + '}"}"}',
            lambda: "{'\\n'.join(" + n() + ")}", lambda: "{" + n() + "!r:{" + n() + "}}", lambda: "{" + n() + "=}",
            lambda: "{\n" + n() + "  # comment }\n}", lambda: "{" + n() + ":%H:%M {" + n() + ":>{" + n() + "}}}",
            lambda: "{[" + n() + " for " + n() + " in " + n() + "]}", lambda: "{(" + n() + " := " + n() + ")}",
            lambda: "{(lambda x: " + n() + ")}", lambda: "{" + self.expr(depth - 1) + "}", lambda: "{{" + n() + "}}",
        )
        quote = self.random.choice(['"', '"', '"""'])
        text = self.random.choice(["", "a ", "# ", "'", "{{", "é"]) + part + self.random.choice(["", part, " b"])
        if quote == '"""':
            text = self.random.choice(["\n", "\n    ", ""]) + text + self.random.choice(["\n", "\n  ", " "])
        return f"{prefix}{quote}{text}{quote}"

    def import_(self):
        module = self.random.choice(MODULES)
        name = self.random.choice(NAMES + PRIVATE + ["_p"])
        return self.random.choice(
            [
                f"import {module}",
                f"import {module}.path",
                f"import {module}.path as {name}",
                f"import {module}, sys as {name}",
                f"from {module} import {name}",
                f"from {module}.b import {name} as {self.random.choice(NAMES + PRIVATE)}",
                f"from . import {name}",
                f"from ..a import (\n    {name},\n    b,\n)",
                "import marimo as mo",
            ]
        )

    def compound(self, depth):
        pick = self.random.choices(
            [
                self.if_, self.for_, self.while_, self.with_, self.try_, self.function, self.class_, self.match_,
            ],
            (5, 4, 1, 3, 3, 6, 4, 2),
        )[0]
        return pick(depth)

    def indent(self):
        return self.random.choice(["    "] * 8 + ["  ", "\t"])

    def body(self, header, depth, indent=None):
        indent = indent or self.indent()
        if self.chance(0.05):
            return [f"{header} {self.random.choice(['pass', '...', self.name()])}"]
        return [header, *self.block(depth, indent)]

    def in_loop(self, header, depth, indent):
        was, self.is_loop = self.is_loop, True
        lines = self.body(header, depth, indent)
        self.is_loop = was
        return lines

    def if_(self, depth):
        indent = self.indent()
        lines = self.body(f"if {self.expr()}:", depth, indent)
        if self.chance(0.3):
            lines += self.body(f"elif {self.expr()}:", depth, indent)
        if self.chance(0.3):
            lines += self.body("else:", depth, indent)
        return lines

    def for_(self, depth):
        indent = self.indent()
        prefix = "async " if self.is_async and self.chance(0.1) else ""
        lines = self.in_loop(f"{prefix}for {self.target()} in {self.expr()}:", depth, indent)
        if self.chance(0.1):
            lines += self.body("else:", depth, indent)
        return lines

    def while_(self, depth):
        return self.in_loop(f"while {self.expr()}:", depth, self.indent())

    def with_(self, depth):
        prefix = "async " if self.is_async and self.chance(0.1) else ""
        items = [self.expr() + (f" as {self.target()}" if self.chance(0.6) else "")]
        if self.chance(0.2):
            items.append(f"{self.name()}() as {self.target_name()}")
        listed = ", ".join(items)
        return self.body(f"{prefix}with {listed}:", depth)

    def try_(self, depth):
        indent = self.indent()
        lines = self.body("try:", depth, indent)
        star = "*" if sys.version_info >= (3, 11) and self.chance(0.2) else ""
        if self.chance(0.85):
            for _ in range(self.random.choice([1, 1, 2])):
                error = self.random.choice(["Exception", "x.Error", "(ValueError, a)"])
                name = f" as {self.random.choice(NAMES + ['e', '_e'])}" if self.chance(0.6) else ""
                was, self.is_loop = self.is_loop, self.is_loop and not star
                lines += self.body(f"except{star} {error}{name}:", depth, indent)
                self.is_loop = was
            if self.chance(0.15):
                lines += self.body("else:", depth, indent)
            if self.chance(0.15):
                lines += self.body("finally:", depth, indent)
        else:
            lines += self.body("finally:", depth, indent)
        return lines

    def decorators(self):
        if self.chance(0.75):
            return []
        choices = ["@staticmethod", "@x", "@a.b", "@helper(x, y=c)", "@functools.cache", "@(lambda f: f)"]
        return [self.random.choice(choices) for _ in range(self.random.choice([1, 1, 2]))]

    def function(self, depth, name=None):
        was = self.is_async, self.is_function, self.is_loop
        decorators = self.decorators()
        is_async = self.chance(0.15)
        name = name or (self.target_name() if self.chance(0.9) else "__init__")
        returns = f" -> {self.annotation()}" if self.chance(0.15) else ""
        self.is_async = False
        parameters = self.parameters(1)
        if self.chance(0.1):
            parameters = "\n        " + parameters.replace(", ", ",\n        ") + "\n    "
        header = f"{'async ' if is_async else ''}def {name}{self.type_parameters()}({parameters}){returns}:"
        self.is_async, self.is_function, self.is_loop = is_async, True, False
        lines = self.body(header, depth)
        if 1 < len(lines) and self.chance(0.15):
            indent = lines[1][: len(lines[1]) - len(lines[1].lstrip())]
            lines.insert(1, f'{indent}"""Docs.\n\n{indent}More: {self.name()}\n{indent}"""')
        if self.chance(0.4) and lines[-1].lstrip() != lines[-1]:
            indent = lines[1][: len(lines[1]) - len(lines[1].lstrip())]
            lines.append(f"{indent}return {self.expr()}")
        self.is_async, self.is_function, self.is_loop = was
        return decorators + lines

    def class_(self, depth, name=None):
        decorators = self.decorators()
        name = name or self.target_name()
        bases = self.random.choice(["", "", "()", "(x)", "(Model, metaclass=a)", "(a.b[T])", f"({self.expr(1)})"])
        was = self.is_async, self.is_function, self.is_loop
        self.is_async, self.is_function, self.is_loop = False, False, False
        lines = [f"class {name}{self.type_parameters()}{bases}:"]
        for _ in range(self.random.randint(1, 3)):
            kind = self.random.random()
            if kind < 0.4:
                body = self.function(depth - 1)
            elif kind < 0.6:
                body = [f"{self.random.choice(NAMES)}: {self.annotation()} = {self.expr(1)}"]
            else:
                body = self.statement(depth - 1)
            lines += [f"    {line}" if line else line for line in body]
        self.is_async, self.is_function, self.is_loop = was
        return decorators + lines

    def match_(self, depth):
        lines = [f"match {self.expr(1)}:"]
        for _ in range(self.random.randint(1, 3)):
            guard = f" if {self.expr(1)}" if self.chance(0.3) else ""
            lines += [f"    {line}" for line in self.body(f"case {self.pattern()}{guard}:", depth, "    ")]
        return lines

    def pattern(self, depth=2):
        names = iter(self.random.sample(NAMES + ["_a", "é"], 6))
        if self.chance(0.1):
            name = next(names)
            return f"[{name}, 1] | (2, {name})"
        return self.pattern_of(depth, names)

    def pattern_of(self, depth, names):
        p = lambda: self.pattern_of(depth - 1, names)
        capture = lambda: next(names, "_")
        if depth == 0:
            return self.random.choice([capture(), "1", "'a'", "None", "x.y"])
        return self.pick(
            lambda: self.random.choice(["1", "-1", "'a'", "None", "x.y.z", "1 | 2", "'a' 'b'"]),
            lambda: f"[{p()}, *{capture()}]",
            lambda: f"({p()}, *_)",
            lambda: "{" + f"'k': {p()}, **{capture()}" + "}",
            lambda: "{" + f"x.y: {p()}" + "}",
            lambda: f"Model({p()}, value={p()})",
            lambda: f"a.B({p()})",
            lambda: f"({p()}) as {capture()}" if self.chance(0.5) else f"[{p()}] as {capture()}",
        )


def compiles(code):
    """Whether marimo could run the cell."""
    try:
        compile(code, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True


def parses(code):
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return False
    return True
