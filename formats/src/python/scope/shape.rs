//! What the text of a cell looks like.

use std::ops::Range;

use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_python_ast::{Expr, FStringPart, ModModule, Stmt};
use ruff_text_size::Ranged as _;

use super::{LastStatement, MarkdownCall, Shape};
use crate::python::range;

pub(super) fn shape(code: &str, tree: &ModModule, tokens: &Tokens) -> Shape {
    Shape {
        n_statements: tree.body.len(),
        last: tree.body.last().map(|it| last_statement(code, it)),
        only_definition: match tree.body.as_slice() {
            [Stmt::FunctionDef(it)] => Some(it.name.to_string()),
            [Stmt::ClassDef(it)] => Some(it.name.to_string()),
            _ => None,
        },
        ends_in_comment: ends_in_comment(code, tokens),
        markdown: markdown_call(tree, code, tokens),
    }
}

fn last_statement(code: &str, stmt: &Stmt) -> LastStatement {
    // Python ends a line at `\r` as well; marimo, when it counts the lines of
    // the cell, does not (`_needs_trailing_blank_line`).
    let end = stmt.end().to_usize();
    let before = code[..end].replace("\r\n", "\n");
    let end_line = 1 + before.matches(['\n', '\r']).count();
    let n_lines = 1 + code.trim_end().matches('\n').count();
    LastStatement {
        binds_name: matches!(
            stmt,
            Stmt::Import(_) | Stmt::ImportFrom(_) | Stmt::FunctionDef(_) | Stmt::ClassDef(_)
        ),
        ends_cell: end_line == n_lines,
    }
}

/// Whether the last token is a comment at the start of a line, once the code
/// is stripped (marimo: `has_trailing_comment`).
fn ends_in_comment(code: &str, tokens: &Tokens) -> bool {
    let is_layout = |kind| {
        matches!(
            kind,
            TokenKind::Newline
                | TokenKind::NonLogicalNewline
                | TokenKind::Indent
                | TokenKind::Dedent
                | TokenKind::EndOfFile
        )
    };
    let Some(last) = tokens.iter().rev().find(|it| !is_layout(it.kind())) else {
        return false;
    };
    let before = &code[..last.start().to_usize()];
    let starts_line = before.is_empty() || before.ends_with(['\n', '\r']);
    last.kind() == TokenKind::Comment && (starts_line || before.trim().is_empty())
}

/// Returns the call of `mo.md` that is all of a cell
/// (marimo: `_extract_markdown`, `format_markdown`).
fn markdown_call(tree: &ModModule, code: &str, tokens: &Tokens) -> Option<MarkdownCall> {
    let [Stmt::Expr(stmt)] = tree.body.as_slice() else {
        return None;
    };
    let call = stmt.value.as_call_expr()?;
    let func = call.func.as_attribute_expr()?;
    if func.attr != *"md" || func.value.as_name_expr()?.id != *"mo" {
        return None;
    }
    let [arg] = &*call.arguments.args else {
        return None;
    };
    let value = constant(arg)?;
    if value.contains('\u{fffd}') && !code.contains('\u{fffd}') {
        // It stands for a lone surrogate, which no file can hold.
        return None;
    }
    let (range, string) = spliced(code, tokens)?;
    Some(MarkdownCall { range, string, value })
}

/// Returns the value of a string that has no parts to be computed.
fn constant(expr: &Expr) -> Option<String> {
    let mut value = String::new();
    match expr {
        Expr::StringLiteral(it) => return Some(it.value.to_str().to_owned()),
        Expr::FString(it) => {
            for part in &it.value {
                match part {
                    FStringPart::Literal(it) => value.push_str(it),
                    FStringPart::FString(it) => {
                        for element in &it.elements {
                            value.push_str(&element.as_literal()?.value);
                        }
                    }
                }
            }
        }
        Expr::TString(it) => {
            for element in it.value.elements() {
                value.push_str(&element.as_literal()?.value);
            }
        }
        _ => return None,
    }
    // An f-string without text has no constant in it.
    Some(value).filter(|it| !it.is_empty())
}

/// Returns what marimo replaces when it writes the call anew, and the string
/// whose prefix it keeps.
///
/// marimo looks at tokens here: the last `mo`, the parenthesis that closes what
/// was opened since, and the last string. That is the call, unless keyword
/// arguments mention `mo` or have strings of their own.
fn spliced(code: &str, tokens: &Tokens) -> Option<(Range<usize>, Range<usize>)> {
    let mut start = 0;
    let mut end = code.len();
    let mut string = None;
    let mut depth = 0_i64;
    let mut n_strings = 0_usize;
    for token in tokens {
        match token.kind() {
            TokenKind::FStringStart | TokenKind::TStringStart => {
                if n_strings == 0 {
                    string = Some(range(token));
                }
                n_strings += 1;
            }
            TokenKind::FStringEnd | TokenKind::TStringEnd => {
                n_strings = n_strings.saturating_sub(1);
                if let (0, Some(string)) = (n_strings, &mut string) {
                    string.end = token.end().to_usize();
                }
            }
            _ if 0 < n_strings => (),
            TokenKind::String => string = Some(range(token)),
            TokenKind::Name if &code[range(token)] == "mo" => {
                start = token.start().to_usize();
                depth = 0;
            }
            TokenKind::Lpar => depth += 1,
            TokenKind::Rpar => {
                depth -= 1;
                if depth == 0 {
                    end = token.end().to_usize();
                }
            }
            _ => (),
        }
    }
    (start <= end).then_some((start..end, string?))
}
