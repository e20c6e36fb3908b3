use super::*;

fn names(map: &BTreeMap<String, usize>) -> Vec<String> {
    map.iter().map(|(name, line)| format!("{name}:{line}")).collect()
}

/// `bound | what is read at once and not bound above | what is read later`, each
/// name with its line.
#[track_caller]
fn check(code: &str, expected: &str) {
    let usage = usage(code).unwrap();
    let unbound = usage.read.iter().filter(|(_, read)| !read.is_bound);
    let unbound: BTreeMap<String, usize> =
        unbound.map(|(name, read)| (name.clone(), read.line)).collect();
    let parts = [names(&usage.bound), names(&unbound), names(&usage.read_later)];
    assert_eq!(parts.map(|it| it.join(" ")).join(" | "), expected, "{code}");
}

#[test]
fn order_decides_whether_a_name_is_needed() {
    check("x = 1\nx", "x:1 |  | ");
    check("print(x)\nx = 1", "x:2 | print:1 x:1 | ");
    check("x += 1", "x:1 | x:1 | ");
    check("del x", " | x:1 | ");
    check("x: T = y", "x:1 | T:1 y:1 | ");
    check("x: T", " | T:1 | ");
    check("a.b = c[d] = 1", " | a:1 c:1 d:1 | ");
    check("for i in r:\n    i\nelse:\n    j", "i:1 | j:4 r:1 | ");
    check("with a as b, b:\n    c", "b:1 | a:1 c:2 | ");
    check("import a.b, c as d\nfrom e import f as g, h", "a:1 d:1 g:2 h:2 |  | ");
    check("try:\n    a\nexcept E as e:\n    e", "e:3 | E:3 a:2 | ");
    check(
        "match x:\n    case [a, *b] | {'k': c, **d} if e: C\n",
        "a:2 b:2 c:2 d:2 | C:2 e:2 x:1 | ",
    );
    check("f'{a!r:{b}}'", " | a:1 b:1 | ");
    check("while (y := x):\n    y", "y:1 | x:1 | ");
}

#[test]
fn what_is_in_a_function_is_read_later() {
    check("def f(a, b=c, *d: E) -> F:\n    return a + g + h\n    g = 1", "f:1 | E:1 F:1 c:1 | h:2");
    check("@d\ndef f():\n    global x\n    x = y", "f:2 x:4 | d:1 | y:4");
    check("def f():\n    def g():\n        return x, z\n    x = 1", "f:1 |  | z:3");
    check("f = lambda a, b=c: a + d", "f:1 | c:1 | d:1");
    check("async def f():\n    await g()", "f:1 |  | g:2");
    check("def f[T: B](x: T) -> T: ...", "f:1 |  | ");
}

#[test]
fn classes_and_comprehensions_run_at_once() {
    check(
        "class A(B, metaclass=M):\n    x = y\n    z = x\n    def m(self):\n        return x",
        "A:1 | B:1 M:1 y:2 | x:5",
    );
    check("[x for x in y if x and z]", " | y:1 z:1 | ");
    check("{k: v for k, v in w for u in k}", " | w:1 | ");
    check("[y := x for x in z]\ny", "y:1 | z:1 | ");
    check("class A:\n    x = 1\n    y = [x for _ in z]", "A:1 | x:3 z:3 | ");
}

#[test]
fn functions_need_names_once_they_are_called() {
    let needs = |code: &str| {
        let needs = usage(code).unwrap().needs;
        needs
            .into_iter()
            .map(|(name, needs)| {
                format!("{name}: {}", needs.into_iter().collect::<Vec<_>>().join(" "))
            })
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert_eq!(needs("def f():\n    return g(x)\ny = z"), "f: g x");
    assert_eq!(needs("class A:\n    def m(self):\n        return g"), "A: g");
    assert_eq!(needs("f = g = lambda: h\nk = 1"), "f: h; g: h");
    assert_eq!(needs("if x:\n    def f():\n        return g\nelse:\n    f = h"), "f: g");
}

#[test]
fn names_may_come_from_anywhere_with_a_star() {
    assert!(usage("from a import *").unwrap().has_star_import);
    assert!(!usage("from a import b").unwrap().has_star_import);
    assert!(usage("x = (").is_err());
}
