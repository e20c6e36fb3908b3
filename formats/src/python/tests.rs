//! What the parts of this module promise together.

use super::*;

#[track_caller]
fn definition(text: &str) -> Definition {
    let mut module = parse_module(text).unwrap();
    match module.statements.remove(0).kind {
        StatementKind::Definition(it) => it,
        kind => panic!("{kind:?}"),
    }
}

#[test]
fn definitions_know_their_parts() {
    let text = "@app.cell(a=1)\n# c\n@ b . c\nasync def f(x: (int), y=lambda: 0) -> (int): # d\n    # e\n    x = 1\n    return x,\n";
    let it = definition(text);
    assert_eq!((it.kind, it.name.as_str()), (DefinitionKind::AsyncFunction, "f"));
    assert!(text[it.keyword..].starts_with("async def f("));
    assert!(text[it.body.colon..].starts_with(" # d\n"));
    assert_eq!(&text[it.body.first.clone()], "x = 1");
    assert_eq!(&text[it.body.last.clone()], "return x,");
    assert_eq!((it.body.n_statements, it.body.ends_in_return), (2, true));
    let [cell, other] = it.decorators.as_slice() else { panic!("{it:?}") };
    assert!(cell.path.is("app", "cell"));
    assert_eq!(cell.call.as_ref().unwrap().keywords[0].value, Literal::Int(1));
    assert_eq!(&text[cell.range.clone()], "@app.cell(a=1)");
    assert_eq!((other.path.is("b", "c"), &other.call), (true, &None));

    let it = definition("class A[T](B, c=(1)): x: int");
    assert_eq!((it.kind, it.body.colon), (DefinitionKind::Class, 21));
    assert_eq!(definition("class A: pass").body.colon, 8);
    assert_eq!(definition("def f() -> lambda: 0: pass").body.colon, 21);
}

#[test]
fn statements_are_told_apart() {
    let text = "'a' 'b'\nimport x.y as z, w\nv = '1.0'\napp = m.App(w='f', l=[1, 'a', x], n=-1, **k)\n\
                app._unparsable_cell('c', name='d')\nwith a.b(c=True), d as e:\n  pass\n\
                if __name__ == 'm': pass\nif x: pass\na: int = 1\na = b = 1\nb'c'\nf'd'";
    let module = parse_module(text).unwrap();
    let [doc, import, version, app, unparsable, with, guard, test, rest @ ..] =
        module.statements.as_slice()
    else {
        panic!("{module:?}")
    };
    let StatementKind::StringConstant(doc) = &doc.kind else { panic!("{doc:?}") };
    assert_eq!((doc.value.as_str(), doc.parts.len()), ("ab", 2));
    let StatementKind::Import(imports) = &import.kind else { panic!("{import:?}") };
    assert_eq!(imports[0], Import { module: "x.y".to_owned(), alias: Some("z".to_owned()) });
    let StatementKind::Assign { name, value: Value::Literal(it) } = &version.kind else {
        panic!("{version:?}")
    };
    assert_eq!((name.as_str(), it.as_str()), ("v", Some("1.0")));
    let StatementKind::Assign { value: Value::Call(it), .. } = &app.kind else { panic!("{app:?}") };
    assert!(it.callee.is("m", "App"));
    let keywords: Vec<_> = it.keywords.iter().map(|it| (it.name.as_deref(), &it.value)).collect();
    assert_eq!(keywords[0].1.as_str(), Some("f"));
    let Literal::List(items) = keywords[1].1 else { panic!("{keywords:?}") };
    assert_eq!(
        (&items[0], items[1].as_str(), &items[2]),
        (&Literal::Int(1), Some("a"), &Literal::Other)
    );
    assert_eq!(keywords[2..], [(Some("n"), &Literal::Other), (None, &Literal::Other)]);
    let StatementKind::Call(it) = &unparsable.kind else { panic!("{unparsable:?}") };
    assert_eq!((it.args[0].as_str(), it.args.len()), (Some("c"), 1));
    let StatementKind::With(it) = &with.kind else { panic!("{with:?}") };
    assert_eq!((it.items.len(), it.items[0].has_target, it.items[1].has_target), (2, false, true));
    assert!(it.items[0].call.is_some());
    assert!(matches!(guard.kind, StatementKind::If { compares_name: true }));
    assert!(matches!(test.kind, StatementKind::If { compares_name: false }));
    assert!(rest.iter().all(|it| it.kind == StatementKind::Other), "{rest:?}");
}

#[test]
fn errors_have_a_place() {
    let error = parse_module("x = 1\ny = = 2\n").unwrap_err();
    assert_eq!((error.offset, error.message.as_str()), (10, "expected an expression"));
    assert_eq!(parse_module("\u{feff}x").unwrap_err().offset, 0);
    assert_eq!(parse_module("x = '\0'").unwrap_err().offset, 5);
    // Only compiling finds fault with it.
    assert!(parse_module("return").is_ok());
}

/// Texts that are nested `n` deep, each in its own way.
fn deep(n: usize) -> Vec<String> {
    let blocks = |head: &str| {
        let mut text = String::new();
        for depth in 0..n.min(300) {
            text.push_str(&" ".repeat(depth));
            text.push_str(head);
            text.push('\n');
        }
        text + &" ".repeat(n.min(300)) + "pass"
    };
    vec![
        "(".repeat(n),
        "(".repeat(n) + &")".repeat(n),
        "[".repeat(n) + &"]".repeat(n),
        "{0:".repeat(n) + &"}".repeat(n),
        "f(".repeat(n) + &")".repeat(n),
        "f".to_owned() + &"()".repeat(n),
        "f".to_owned() + &"[0]".repeat(n),
        "f".to_owned() + &".a".repeat(n),
        "-".repeat(n) + "1",
        "not ".repeat(n) + "1",
        "x: ".to_owned() + &"-".repeat(n) + "1",
        "x: ".to_owned() + &"1+".repeat(n) + "1",
        "await ".repeat(n) + "1",
        "1+".repeat(n) + "1",
        "1**".repeat(n) + "1",
        "1<".repeat(n) + "1",
        "1 and 0 or ".repeat(n) + "1",
        "lambda:".repeat(n) + "1",
        "lambda x,y:".repeat(n) + "1",
        "1 if 1 else ".repeat(n) + "1",
        "x=".repeat(n) + "1",
        "f'{".repeat(n) + &"}'".repeat(n),
        "f'{1:".repeat(n),
        "(\nif 1:\n".repeat(n),
        "(yield ".repeat(n) + &")".repeat(n),
        "*".repeat(n) + "a",
        "@".repeat(n),
        "async ".repeat(n),
        "match x:\n case ".to_owned() + &"[".repeat(n) + &"]".repeat(n) + ": pass",
        "match x:\n case ".to_owned() + &"A(".repeat(n) + &")".repeat(n) + ": pass",
        "try:pass\n".repeat(n),
        "if 1: pass\n".to_owned() + &"elif 1: pass\n".repeat(n),
        blocks("if 1:"),
        blocks("if a,:"),
        blocks("for a in b:"),
        blocks("def f():"),
        blocks("class A:"),
        format!("(\n{}", blocks("if a,:")),
    ]
}

#[test]
fn depth_is_no_danger() {
    // Test threads have 2 MiB of stack.
    for n in [90, 1_000, 4_900, 100_000] {
        for text in deep(n) {
            let module = parse_module(&text);
            assert!(
                module.is_err() || n < 5_000 || text.starts_with("if 1: pass"),
                "{}",
                &text[..20]
            );
            drop(scope::analyze(&text, "0"));
        }
    }
    // Chains that no person writes, but programs do.
    assert!(parse_module(&("1+".repeat(4_900) + "1")).is_ok());
    assert!(parse_module(&("x = [".to_owned() + &"-1, ".repeat(100_000) + "]")).is_ok());
}
