use super::super::scan::{DEPTH, Scanner};
use super::super::tree::TREE_DEPTH;
use crate::ParseErrorKind;

#[track_caller]
fn check(text: &str, end: Option<usize>) {
    let found = Scanner::new(text, 0).skip();
    assert_eq!(found.ok().map(|span| span.end), end, "{text}");
}

#[test]
fn skipping_takes_what_python_writes() {
    for text in ["NaN", "-Infinity", "[\"\\ud800\", 1e5, 0.1, -0, 1E+9]", "{\"a\": {}}"] {
        check(text, Some(text.len()));
    }
}

#[test]
fn skipping_refuses_what_is_not_json() {
    for text in [
        "",
        "[",
        "[1,]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\": 1,}",
        "{1: 2}",
        "[}",
        "01",
        "1.",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\n\"",
        "nan",
        "'a'",
        "{\"a\": 1 \"b\": 2}",
        "1e",
        "\"\\u+123\"",
    ] {
        check(text, None);
    }
}

#[test]
fn depth_is_limited() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    check(&nested(DEPTH), Some(2 * DEPTH));
    check(&nested(DEPTH + 2), None);
    check(&"[{\"a\":".repeat(100_000), None);
    assert!(Scanner::new(&nested(TREE_DEPTH), 0).tree().is_ok());
    assert!(Scanner::new(&nested(10_000), 0).tree().is_err());
}

#[test]
fn understanding_refuses_what_would_be_lost() {
    for text in ["NaN", "\"\\ud800\"", "{\"a\": {\"b\": 1, \"\\u0062\": 2}}"] {
        let error = Scanner::new(text, 0).tree().unwrap_err();
        assert!(matches!(error.kind, ParseErrorKind::Unsupported(_)), "{error}");
    }
}
