//! One line for each rule of marimo's analysis.

use std::collections::BTreeSet;

use super::*;

#[track_caller]
fn analysis(code: &str) -> Analysis {
    analyze(code, "0").unwrap_or_else(|error| panic!("{code:?}: {error}"))
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Checks the public names that a cell defines and reads.
#[track_caller]
fn check(code: &str, defs: &str, refs: &str) {
    let it = analysis(code);
    assert_eq!((join(&it.defs), join(&it.refs)), (defs.into(), refs.into()), "{code:?}");
}

/// Checks the private names that a cell defines.
#[track_caller]
fn check_private(code: &str, temporaries: &str, refs: &str) {
    let it = analysis(code);
    let got = (join(&it.temporaries), join(&it.defs), join(&it.refs));
    assert_eq!(got, (temporaries.into(), String::new(), refs.into()), "{code:?}");
}

/// Checks what the definition of `name` needs, at all and at once.
#[track_caller]
fn check_needs(code: &str, name: &str, required: &str, unbounded: &str) {
    let it = analysis(code);
    let variable = &it.variables[name][0];
    let got = (join(&variable.required_refs), join(&variable.unbounded_refs));
    assert_eq!(got, (required.into(), unbounded.into()), "{code:?}");
}

#[test]
fn assignments() {
    check("x = y", "x", "y");
    check("x = x", "x", "x");
    check("x = y; z = x", "x z", "y");
    check("(a, [*b, c]) = d = e", "a b c d", "e");
    check("x += y", "x", "y");
    check("x: T = v", "x", "T v");
    check("x: T", "x", "T");
    check("x: 'T' = 1", "x", "");
    check("a.b = c", "", "a c");
    check("a[i] = c", "", "a c i");
    check("a.b: T = c", "", "T a c");
    check("(x := y)", "x", "y");
    check("print(x); x = 1", "x", "print x");
}

#[test]
fn statements() {
    check("for x, a.b in y: z\nelse: w", "x", "a w y z");
    check("for x in x: pass", "x", "");
    check("async for x in y: pass", "x", "y");
    check("while a: b\nelse: c", "", "a b c");
    check("if a: b = 1\nelif c: d = b\nelse: e", "b d", "a c e");
    check("with a as b, c as (d, e): f", "b d e", "a c f");
    check("raise a from b", "", "a b");
    check("assert a, b", "", "a b");
    check("x", "", "x");
    check("await x", "", "x");
    check("import a.b.c, d as e", "a e", "");
    check("from a import b, c as d\nfrom . import e", "b d e", "");
    check("from a.b import c", "c", "");
    check("", "", "");
    check("# nothing", "", "");
}

#[test]
fn deletions() {
    let deleted = |code| join(&analysis(code).deleted_refs);
    check("del x", "", "x");
    assert_eq!(deleted("del x"), "x");
    check("x = 1; del x", "x", "");
    assert_eq!(deleted("x = 1; del x"), "");
    check("del a.b, c[d]", "", "a c d");
    assert_eq!(deleted("del a.b, c[d]"), "");
    check("x; del x", "", "x");
    assert_eq!(deleted("x; del x"), "x");
}

#[test]
fn functions() {
    check("def f(): return x", "f", "x");
    check("def f(): return x\nx = 1", "f x", "");
    check("def f(): return f()", "f", "");
    check("def f(a, b=c, *d, e: g = h, **i): return a, b, d, e, i", "f", "c g h");
    check("def f(x=x): pass", "f", "x");
    check("def f(x: x): pass", "f", "");
    check("def f(a: T) -> R: pass", "f", "R T");
    check("@g\ndef f(): pass\ng = 1", "f g", "");
    check("g = 1\n@g\ndef f(): pass", "f g", "");
    check("def f():\n  x\n  x = 1", "f", "x");
    check("def f():\n  x = 1\n  def g(): return x, g\n  return g", "f", "");
    check("async def f(): await x", "f", "x");
    check("def f():\n  for i in y: z = i", "f", "y");
    check("def f():\n  global x\n  x = 1", "f x", "");
    check("def f():\n  global x\n  return x", "f", "x");
    check("global x\nx = 1", "x", "x");
    check("def f():\n  x = 1\n  def g():\n    nonlocal x\n    x = 2", "f", "");
}

#[test]
fn lambdas_and_comprehensions() {
    check("lambda a, b=c: a + b + d", "", "c d");
    check("f = lambda: x\nx = 1", "f x", "");
    check("[x for x in y if z]", "", "y z");
    check("[x for x in x]", "", "x");
    check("{k: v for k, v in d.items()}", "", "d");
    check("(a for b in c for a in b)", "", "c");
    check("[y := x for x in z]", "y", "z");
    check("def f(): return [y := x for x in z]", "f", "z");
    check("[x for x in y]\ny = 1", "y", "");
    check("{x async for x in y}", "", "y");
}

#[test]
fn classes() {
    check("class A(B, m=C):\n  x = D\n  def f(self): return E", "A", "B C D E");
    check("class A:\n  x = 1\n  def f(self): return x", "A", "");
    check("class A(A): pass", "A", "");
    check("class A:\n  def f(self): return A", "A", "");
    check("class A:\n  def f(self): return f", "A", "f");
    check("@d\nclass A: pass", "A", "d");
    check("class A:\n  x = x", "A", "x");
    check("class A(object):\n  class B(object): y = z", "A", "object z");
}

#[test]
fn exceptions() {
    check("try: a\nexcept E as e: e, b\nelse: c\nfinally: d", "", "E a b c d");
    check("try: pass\nexcept E as e: pass\ne", "", "E e");
    check("try: pass\nexcept* E as e: e = 1", "", "E");
    check("try: pass\nexcept: x = 1", "x", "");
}

#[test]
fn patterns() {
    check("match a:\n  case [b, *c]: b", "b c", "a");
    check("match a:\n  case {'k': v, K.x: _, **r}: pass", "r v", "K a");
    check("match a:\n  case P(b, c=d) as e if f: pass", "b d e", "P a f");
    check("match a:\n  case M.v | None | 1: pass", "", "M a");
    check("match a:\n  case _: pass", "", "a");
}

#[test]
fn strings() {
    check("f'{a} {b:{c}} {d=} {e!r}'", "", "a b c d e");
    check("f'{(x := 1)}'", "x", "");
    check("'{a}' 'b'", "", "");
    check("t'{a:{b}}'", "", "a b");
    check("exec('x = 1')", "", "exec");
}

#[test]
fn type_parameters() {
    check("def f[T: B](x: T) -> T: return T", "f", "B");
    check("type A[T: B] = list[T] | C", "A", "B C list");
    // The body comes before the parameters.
    check("class A[T](list[T]):\n  x: T", "A", "T list");
    check_needs("def f[T](x: T) -> T: pass", "f", "", "");
}

#[test]
fn private_names() {
    check_private("_x = 1; _x", "_x", "");
    check_private("_x, _", "", "");
    check_private("__ = 1", "__", "");
    check("__x = __y", "__x", "__y");
    check_private("from a import _p", "_p", "");
    check_private("import a as _b", "_b", "");
    check_private("def _f(): return _f, _g, x", "_f", "x");
    check_private("class _A: _b = c", "_A", "c");
    check_private("for _i in x: pass", "_i", "x");
    check_private("[_y := x for x in z]", "_y", "z");
    check("def f(_a): return _a", "f", "");
}

#[test]
fn blocks_that_hold_the_same_count_as_one() {
    // The second `x` is taken for the first, which is a capture.
    check("def f():\n  (lambda: x)\n  print(x)\n  x = 1", "f", "print");
    check("def f():\n  print(x)\n  x = 1", "f", "print x");
}

#[test]
fn needs_of_definitions() {
    check_needs("def f(a: T = d) -> R: return x", "f", "R T d x", "R T d");
    check_needs("@g\ndef f(): return x", "f", "g x", "g");
    check_needs("def f(): return f()", "f", "f", "");
    check_needs("def f(): return lambda: x", "f", "_lambda x", "");
    check_needs("class A(B):\n  x = D\n  def f(self, a: T): return E", "A", "B D E T", "B D T");
    check_needs("class A:\n  a = 1\n  b = a + c", "A", "c", "c");
    check_needs("class A:\n  def f(self): return x\n  y = x", "A", "x", "x");
    check_needs("x = y + z", "x", "y z", "");
    check_needs("def f():\n  return _x", "f", "", "");
}

#[test]
fn kinds_of_bindings() {
    let kinds = |code, name: &str| -> Vec<VariableKind> {
        analysis(code).variables[name].iter().map(|it| it.kind).collect()
    };
    assert_eq!(
        kinds("def f(): pass\nf = 1", "f"),
        [VariableKind::Function, VariableKind::Variable]
    );
    assert_eq!(kinds("import a\nclass a: pass", "a"), [VariableKind::Import, VariableKind::Class]);
    assert!(analysis("_x = 1").variables.is_empty());
}

#[test]
fn annotations() {
    let text = |code: &str| {
        let it = analysis(code);
        it.variables["x"][0]
            .annotation
            .clone()
            .map(|it| format!("{} | {}", it.text, join(&it.refs)))
    };
    let check = |code: &str, expected: &str| {
        assert_eq!(text(code).as_deref(), Some(expected).filter(|it| !it.is_empty()), "{code:?}");
    };
    check("x: int = 1", "int | int");
    check("x: int", "int | int");
    check("x: Literal['a',\n  'b'] = 'a'", "Literal[\"a\", \"b\"] | Literal");
    check("x: 'a\"b'", "'a\"b' | ");
    check("x: \"it's\"", "\"it's\" | ");
    check("x: a.b[c, int|None]", "a.b[c, int | None] | a c int");
    check("x: _T", "_cell_0_T | ");
    check("x: (_t := T)", "(_cell_0_t := T) | T");
    check("x = 1\nx: int", "");
    check("def f(): x: int\nx = 1", "");
    check("x: Callable[[int], (str)] = 1; y: int", "Callable[[int], str] | Callable int str");
}

#[test]
fn event_loop() {
    let is_async = |code| analysis(code).is_async;
    for code in [
        "await x",
        "async for a in b: pass",
        "async with a: pass",
        "[x async for x in y]",
        "(x async for x in y)",
        "(await x for x in y)",
        "[[z async for z in x] for x in y]",
        "def f(a=await x): pass",
        "@(await x)\ndef f(): pass",
        "class A(await x): pass",
        "lambda a=await x: a",
        "if 0: f'{await x}'",
    ] {
        assert!(is_async(code), "{code:?}");
    }
    for code in [
        "x",
        "async def f(): await x",
        "[(z async for z in x) for x in y]",
        "def f(): (a async for a in b)",
    ] {
        assert!(!is_async(code), "{code:?}");
    }
}

#[test]
fn sql() {
    for code in
        ["mo.sql(f'{x}')", "y = marimo.sql(x, engine=z)", "duckdb.sql(*x)", "duckdb.execute('')"]
    {
        assert!(analysis(code).is_sql, "{code:?}");
    }
    for code in ["mo.sql()", "mo.sql(a, b)", "sql(x)", "a.mo.sql(x)", "mo.md(x)"] {
        assert!(!analysis(code).is_sql, "{code:?}");
    }
}

#[test]
fn ends_of_cells() {
    let shape = |code| analysis(code).shape;
    let needs_blank_line = |code| shape(code).last.is_some_and(|it| it.binds_name && it.ends_cell);
    for code in ["import a", "x\nfrom a import b # c\n\n", "def f(): pass", "class A:\n  x = 1\n"] {
        assert!(needs_blank_line(code), "{code:?}");
    }
    for code in ["import a\n# c", "if a: import b", "x = 1", "", "import a; x"] {
        assert!(!needs_blank_line(code), "{code:?}");
    }
    assert_eq!(shape("@d\nasync def f(): pass\n").only_definition.as_deref(), Some("f"));
    assert_eq!(shape("class A: pass").only_definition.as_deref(), Some("A"));
    assert_eq!(shape("class A: pass\nx").only_definition, None);
    assert_eq!(shape("a\n\nb;c").n_statements, 3);
    for (code, expected) in [
        ("def f(): pass\n# c", true),
        ("def f():\n  pass\n  # c\n", false),
        ("# c\nx", false),
        ("x # c", false),
        ("  # c", true),
    ] {
        assert_eq!(shape(code).ends_in_comment, expected, "{code:?}");
    }
}

#[test]
fn markdown() {
    let show = |code: &str| {
        let it = analysis(code).shape.markdown?;
        Some(format!("{} | {} | {}", &code[it.range], &code[it.string], it.value))
    };
    let check = |code: &str, expected: &str| assert_eq!(show(code).as_deref(), Some(expected));
    check("mo.md('a')", "mo.md('a') | 'a' | a");
    check("# c\n(mo.md(r'''a\\b''')) # d", "mo.md(r'''a\\b''') | r'''a\\b''' | a\\b");
    check("mo.md('a' 'b\\n')", "mo.md('a' 'b\\n') | 'b\\n' | ab\n");
    check("mo.md(rf'a{{b}}')", "mo.md(rf'a{{b}}') | rf'a{{b}}' | a{b}");
    check("mo.md('a', x=1)", "mo.md('a', x=1) | 'a' | a");
    check("mo.md('a', x=mo.y('b'))", "mo.y('b') | 'b' | a");
    for code in [
        "mo.md(f'{a}')",
        "mo.md(f'')",
        "mo.md(a)",
        "mo.md()",
        "mo.md('a', 'b')",
        "x = mo.md('a')",
        "mo.md('a').b()",
        "await mo.md('a')",
        "md('a')",
        "marimo.md('a')",
        "mo.md('a')\nx",
        "mo.md('\\ud800')",
        "mo.md(b'a')",
    ] {
        assert_eq!(show(code), None, "{code:?}");
    }
}

#[test]
fn no_break_spaces_are_spaces() {
    check("x\u{a0}=\u{a0}y", "x", "y");
}

#[test]
fn classes_in_classes_take_no_exponential_time() {
    let line = |depth| " ".repeat(depth) + "class A:\n";
    let code = (0..90).map(line).collect::<String>() + &" ".repeat(90) + "x = y";
    check(&code, "A", "y");
}
