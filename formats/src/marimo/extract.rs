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
pub(super) fn cell(text: &str, body: &Body, reading: Reading) -> Code {
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
    match reading {
        Reading::Kept => {
            let range = start..start + trim_end(&text[start..trailing.end]).len();
            Code::new(text, range)
        }
        // marimo drops the rest of the last line, and glues what follows to it;
        // a single line that follows is dropped as well.
        Reading::Exact => {
            let code = &text[start..body.last.end];
            let glued = &text[trailing.clone()];
            let n_lines = glued.matches('\n').count();
            let glued = if 1 < n_lines { trim_end(glued) } else { "" };
            let code = format!("{code}{}", glued.strip_prefix('\n').unwrap_or(glued));
            Code { text: dedent(&code), range: start..trailing.end }
        }
    }
}

/// Returns the code of `@app.function` or `@app.class_definition`: what follows
/// the decorator.
pub(super) fn definition(
    text: &str,
    range: &Range<usize>,
    decorator_end: usize,
    body: &Body,
    reading: Reading,
) -> Code {
    let start = next_line(text, decorator_end);
    block(text, start.min(range.end), range.end, body, reading)
}

/// Returns the code of `with app.setup:`.
pub(super) fn setup(text: &str, range: &Range<usize>, body: &Body, reading: Reading) -> Code {
    let is_one_line = !text[body.colon..body.first.start].contains('\n');
    if is_one_line {
        return Code::new(text, body.first.start..range.end);
    }
    let start = next_line(text, body.colon);
    let mut code = block(text, start, range.end, body, reading);
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
fn block(text: &str, start: usize, end: usize, body: &Body, reading: Reading) -> Code {
    let code_end = match reading {
        Reading::Kept => line_end(text, end),
        Reading::Exact => end,
    };
    let indent = indentation(text, line_start(text, body.first.start));
    let trailing = match (indent, reading) {
        ("", Reading::Exact) => start..start,
        ("", Reading::Kept) => {
            // The body is in the line of the header.
            let next = &text[next_line(text, end)..];
            let is_indented = next.starts_with([' ', '\t']);
            let indent = &next[..usize::from(is_indented)];
            if is_indented { trailing_lines(text, end, indent) } else { start..start }
        }
        (indent, _) => trailing_lines(text, end, indent),
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
