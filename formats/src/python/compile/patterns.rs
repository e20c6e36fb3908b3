//! Patterns that `CPython` refuses and ruff's parser accepts.

use ruff_python_ast::{Expr, Pattern};

/// Returns what is wrong with a pattern, apart from those inside it.
pub(super) fn error(pattern: &Pattern) -> Option<&'static str> {
    match pattern {
        Pattern::MatchValue(it) => value_error(&it.value),
        Pattern::MatchMapping(it) => it.keys.iter().find_map(value_error),
        Pattern::MatchClass(it) => value_error(&it.cls),
        Pattern::MatchOr(it) => {
            let (_, others) = it.patterns.split_last()?;
            let hides_others = others.iter().any(Pattern::is_irrefutable);
            hides_others.then_some("pattern makes remaining patterns unreachable")
        }
        _ => None,
    }
}

fn value_error(value: &Expr) -> Option<&'static str> {
    if value.is_f_string_expr() || value.is_t_string_expr() {
        return Some("patterns may only match literals and attribute lookups");
    }
    let mut root = value;
    while let Expr::Attribute(it) = root {
        root = &it.value;
    }
    // `_` is taken for a wildcard, which nothing can follow.
    let is_wildcard = root.as_name_expr().is_some_and(|it| it.id == "_");
    is_wildcard.then_some("invalid syntax")
}
