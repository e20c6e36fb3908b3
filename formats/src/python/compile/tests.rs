//! What Python compiles, and what it only parses.

use crate::python::parse_module;
use crate::python::scope::analyze;

#[track_caller]
fn check(code: &str, compiles: bool) {
    assert_eq!(analyze(code, "0").is_ok(), compiles, "{code:?}");
}

#[test]
fn refuses_what_only_parses() {
    for code in [
        "return",
        "yield x",
        "class A: return",
        "class A: yield",
        "class A: await x",
        "lambda: await x",
        "def f(): await x",
        "def f():\n  async for x in y: pass",
        "def f(): [x async for x in y]",
        "[(yield) for x in y]",
        "async def f():\n  yield from x",
        "async def f():\n  yield\n  return 1",
        "break",
        "continue",
        "if x: break",
        "for x in y:\n  def f(): break",
        "for x in y:\n  class A: continue",
        "for x in y: pass\nelse: break",
        "def f(x, x): pass",
        "lambda x, x: 0",
        "f(a=1, a=2)",
        "class A(a=1, a=2): pass",
        "from a import *",
        "def f():\n  from a import *",
        "x\nfrom __future__ import annotations",
        "from __future__ import braces",
        "nonlocal x",
        "def f(): nonlocal x",
        "def f(x): global x",
        "def f(x):\n  def g():\n    nonlocal x\n    x: int",
        "def f():\n  x\n  global x",
        "x = 1\nglobal x",
        "def f():\n  [0 for a in d if (b := y)]\n  global b",
        "def f():\n  global x\n  x: int",
        "def f(x):\n  def g():\n    global x\n    nonlocal x",
        "def f[T](y=x): pass\nglobal x",
        "@x\ndef f[T](): pass\nglobal x",
        "__debug__ = 1",
        "def f(__debug__): pass",
        "*a = b",
        "*a, *b = c",
        "x = *a",
        "[x := 1 for x in y]",
        "[x for x in (y := z)]",
        "class A: [x := 1 for y in z]",
        "match x:\n  case y: pass\n  case z: pass",
        "match x:\n  case [y, y]: pass",
        "match x:\n  case y | 1: pass",
        "match x:\n  case {1: a, 1: b}: pass",
        "match x:\n  case A(b=1, b=2): pass",
        "match x:\n  case _.a: pass",
        "match x:\n  case (None | _) | _: pass",
        "match x:\n  case f'': pass",
        "*a",
        "f'{*a}'",
        "f(__debug__=1)",
        "a.__debug__ = 1",
        "for x in y:\n  try: x\n  except* E: break",
        "def f():\n  try: x\n  except* E: return",
    ] {
        assert!(parse_module(code).is_ok(), "{code:?}");
        check(code, false);
    }
}

#[test]
fn refuses_syntax_of_no_version() {
    for code in ["f((x)=1)", "[*x for x in y]", "{**x for x in y}", "lazy import x"] {
        assert!(parse_module(code).is_err(), "{code:?}");
    }
    for code in
        ["try: x\nexcept A, B: pass", "f'{f'{'x'}'}'", "type X[T = int] = list[T]", "t'{x}'"]
    {
        check(code, true);
    }
}

#[test]
fn accepts_what_compiles() {
    for code in [
        "await x",
        "async with a: pass",
        "[await x for x in y]",
        "[(b := 1) for a[[b for b in c]] in d]",
        "def f(): (await x for x in y)",
        "async def f(): return [x async for x in y]",
        "lambda: (yield)",
        "def f(): yield from x",
        "for x in y:\n  if x: break",
        "while x:\n  try: continue\n  finally: pass",
        "'doc'\nfrom __future__ import annotations",
        "def f(x):\n  def g(): nonlocal x",
        "def f():\n  def g(): nonlocal x\n  x = 1",
        "class A:\n  def f(self): nonlocal __class__",
        "global x\nx: int",
        "def f[T](*y: x) -> x: pass\nglobal x",
        "def f():\n  class A[T](x): pass\n  global x",
        "def f():\n  type A[T: x] = x\n  global x",
        "[0 for a in d if (b := y)]\nglobal b",
        "def f():\n  import x\n  global x",
        "def f():\n  try: a\n  except x: b\n  else: global x",
        "def f():\n  global x\n  def g(x): return x",
        "[y := x for x in z]",
        "[_x := 1 for _x in y]",
        "(*a,) = b",
        "print(__debug__, a.__debug__)",
        "try: x\nexcept* E:\n  for x in y: break",
        "try: x\nexcept* E:\n  def f(): return",
        "match x:\n  case _ if y: pass\n  case _: pass",
    ] {
        check(code, true);
    }
}
