//! The code of a cell (`marimo 0.25.2 parse`).

use std::ops::Range;

use super::content::{is_blank, line_end, line_start};
use super::dedent::dedent;
use super::layout::starts_line;
use crate::lines::{trim, trim_end, trim_start};
use crate::python::Body;

/// How the few comments are read that marimo loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// They are part of the cell: whoever wrote them wants them in the other
    /// files.
    Kept,
    /// As marimo does.
    Exact,
}

/// The code of a cell, and where it stands.
pub(super) struct Code {
    /// The code, without the indentation that it has in the file.
    pub(super) text: String,
    /// What it was read from. All else in a cell is marimo's.
    pub(super) range: Range<usize>,
}

impl Code {
    fn new(text: &str, range: Range<usize>) -> Self {
        Self { text: dedent(&text[range.clone()]), range }
    }
}

/// Returns the code of `@app.cell`, given what is in the function.
pub(super) fn cell(text: &str, body: &Body) -> Code {
    let is_one_line = !text[body.colon..body.first.start].contains('\n');
    if is_one_line {
        return match (body.ends_in_return, body.n_statements) {
            (true, 1) => Code { text: String::new(), range: body.first.start..body.first.start },
            (true, _) => Code::new(text, body.first.start..body.last.start),
            (false, _) => Code::new(text, body.first.start..body.last.end),
        };
    }
    let start = next_line(text, body.colon);
    if body.ends_in_return {
        let end = body.last.start;
        if !starts_line(text, end) {
            return Code::new(text, start..end);
        }
        // Without the line break before `return`.
        let end = line_start(text, end);
        return Code::new(text, start..end.saturating_sub(1).max(start));
    }
    let indent = indentation(text, start);
    let trailing = trailing_lines(text, body.last.end, indent);
    Code::new(text, start..start + trim_end(&text[start..trailing.end]).len())
}

/// Returns the code of `@app.function` or `@app.class_definition`: what follows
/// the decorator.
pub(super) fn definition(
    text: &str,
    range: &Range<usize>,
    decorator_end: usize,
    body: &Body,
) -> Code {
    let start = next_line(text, decorator_end);
    block(text, start.min(range.end), range.end, body)
}

/// Returns the code of `with app.setup:`.
pub(super) fn setup(text: &str, range: &Range<usize>, body: &Body) -> Code {
    let is_one_line = !text[body.colon..body.first.start].contains('\n');
    if is_one_line {
        return Code::new(text, body.first.start..range.end);
    }
    let start = next_line(text, body.colon);
    let mut code = block(text, start, range.end, body);
    if let Some(rest) = code.text.strip_suffix("\npass") {
        code.text.truncate(rest.len());
    }
    code
}

/// Returns the code of `app._unparsable_cell`, given its argument.
pub(super) fn unparsable(argument: &str) -> String {
    trim(&dedent(argument)).to_owned()
}

/// Returns a block with the comments that follow it and are indented like it.
fn block(text: &str, start: usize, end: usize, body: &Body) -> Code {
    let code_end = line_end(text, end);
    let mut indent = indentation(text, line_start(text, body.first.start));
    if indent.is_empty() {
        // The body is in the line of the header.
        let next = &text[next_line(text, end)..];
        indent = &next[..usize::from(next.starts_with([' ', '\t']))];
    }
    let trailing = match indent {
        "" => start..start,
        indent => trailing_lines(text, end, indent),
    };
    let range = start..code_end.max(trailing.end);
    let trailing = trim_end(&text[trailing]);
    Code { text: dedent(&format!("{}{trailing}", &text[start..code_end])), range }
}

/// Returns the lines after the one of `end` that are blank or start with the
/// indentation, each with the line break before it.
fn trailing_lines(text: &str, end: usize, indent: &str) -> Range<usize> {
    let start = line_end(text, end);
    let mut end = start;
    while end < text.len() {
        let next = line_end(text, end + 1);
        let line = &text[end + 1..next];
        if !is_blank(line) && !line.starts_with(indent) {
            break;
        }
        end = next;
    }
    start..end
}

fn indentation(text: &str, start: usize) -> &str {
    let rest = &text[start..];
    let rest = &rest[..rest.len() - trim_start(rest).len()];
    &rest[rest.rfind('\n').map_or(0, |at| at + 1)..]
}

fn next_line(text: &str, offset: usize) -> usize {
    (line_end(text, offset) + 1).min(text.len())
}
