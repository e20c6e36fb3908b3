//! What `CPython` doesn't parse, and ruff's parser does.

use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{self as ast, Stmt};

use super::{PythonError, range};

/// Fails on syntax errors that ruff's parser takes no notice of.
pub(super) fn check(text: &str, tree: &ast::ModModule, tokens: &Tokens) -> Result<(), PythonError> {
    if text.contains('\t')
        && let Some(offset) = inconsistent_indent(text, tokens)
    {
        return Err(PythonError::new(offset, "inconsistent use of tabs and spaces in indentation"));
    }
    if text.contains("finally") {
        let mut finder = ElseWithoutExcept { found: None };
        finder.visit_body(&tree.body);
        if let Some(offset) = finder.found {
            return Err(PythonError::new(offset, "expected `except` or `finally` block"));
        }
    }
    Ok(())
}

/// The width of an indentation with tabs to every eighth column, and with tabs
/// as wide as blanks. Python wants both to say the same.
type Widths = (usize, usize);

/// Returns the first line whose indentation depends on how wide a tab is.
fn inconsistent_indent(text: &str, tokens: &Tokens) -> Option<usize> {
    let mut open: Vec<Widths> = vec![(0, 0)];
    let mut starts_line = true;
    for token in tokens {
        match token.kind() {
            TokenKind::Newline => starts_line = true,
            TokenKind::NonLogicalNewline
            | TokenKind::Comment
            | TokenKind::Indent
            | TokenKind::Dedent
            | TokenKind::EndOfFile => {}
            _ if starts_line => {
                starts_line = false;
                let start = range(token).start;
                let line = text[..start].rfind(['\n', '\r']).map_or(0, |at| at + 1);
                if text[..line].trim_end_matches(['\n', '\r']).ends_with('\\') {
                    // The statement starts in a line above.
                    continue;
                }
                let new = widths(&text[line..start]);
                let n_open = open.len();
                while open.last().is_some_and(|last| new.0 < last.0) {
                    open.pop();
                }
                let last = open.last().copied().unwrap_or_default();
                if new == last {
                    continue;
                }
                if open.len() < n_open || new.0 <= last.0 || new.1 <= last.1 {
                    return Some(start);
                }
                open.push(new);
            }
            _ => {}
        }
    }
    None
}

fn widths(indent: &str) -> Widths {
    let mut res = (0, 0);
    for byte in indent.bytes() {
        res = match byte {
            b' ' => (res.0 + 1, res.1 + 1),
            b'\t' => ((res.0 / 8 + 1) * 8, res.1 + 1),
            b'\x0c' => (0, 0),
            _ => return res,
        };
    }
    res
}

/// Looks for a `try` with `else` and without `except`.
struct ElseWithoutExcept {
    found: Option<usize>,
}

impl<'a> Visitor<'a> for ElseWithoutExcept {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if let Stmt::Try(it) = stmt
            && it.handlers.is_empty()
            && !it.orelse.is_empty()
        {
            self.found.get_or_insert(range(it).start);
        }
        walk_stmt(self, stmt);
    }

    /// Expressions hold no statements.
    fn visit_expr(&mut self, _: &'a ast::Expr) {}
}

#[cfg(test)]
mod tests {
    use crate::python::parse_module;

    #[track_caller]
    fn check(code: &str, parses: bool) {
        assert_eq!(parse_module(code).is_ok(), parses, "{code:?}");
    }

    /// What `CPython` was seen to do.
    #[test]
    fn an_indentation_must_not_depend_on_the_width_of_tabs() {
        check("if x:\n\ty\n\tz", true);
        check("if x:\n\ty\n        z", false);
        check("if x:\n        y\n\tz", false);
        check("if x:\n\tif y:\n\t    z\n\tw", true);
        check("if x:\n\tif y:\n            z", true);
        check("def f():\n\tif x:\n     y", false);
        check("if x:\n \ty\n\tz", false);
        check("if x:\n\ty\nif x:\n    y", true);
        check("if x:\n\ty(\n    z)\n\tw", true);
        check("if x:\n\ty\n    # comment\n\tz", true);
        check("if x:\n    y = '''\n\t'''\n    z", true);
        check("if x:\n\ty\n\x0c\tz", true);
    }

    #[test]
    fn an_else_needs_an_except() {
        check("try: x\nelse: y\nfinally: z", false);
        check("def f():\n  for x in y:\n    try: x\n    else: y\n    finally: z", false);
        check("try: x\nexcept y: z\nelse: y\nfinally: z", true);
        check("try: x\nfinally: z", true);
        check("finally_ = 1", true);
    }
}
