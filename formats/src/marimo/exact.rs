//! The code of a cell, exactly as marimo cuts it out (`marimo 0.25.2 parse`).
//!
//! marimo counts lines and columns, and gets some of them wrong: the body of `def
//! f(): pass` is `s`, a comment that follows a cell without `return` is glued to
//! its last line, and lines between the decorator and `def` shift the body. What
//! is read for users doesn't follow it there (see [`super::extract`]); this is
//! for comparison.

use std::ops::Range;

use super::content::is_blank;
use super::dedent::dedent;
use super::tokens::{TokenKind, tokenize};
use crate::lines::{trim_end, trim_start};
use crate::python::{Body, Decorator, Definition};

/// A text as lines.
pub(super) struct Lines<'a> {
    lines: Vec<&'a str>,
    starts: Vec<usize>,
}

/// Where something is: the line from 0, and the column in bytes, which marimo
/// takes for characters.
#[derive(Clone, Copy)]
struct Place {
    line: usize,
    column: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let lines: Vec<&str> = text.split('\n').collect();
        let mut start = 0;
        let starts = lines.iter().map(|line| {
            let res = start;
            start += line.len() + 1;
            res
        });
        let starts = starts.collect();
        Self { lines, starts }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|it| *it <= offset).saturating_sub(1);
        Place { line, column: offset - self.starts[line] }
    }

    /// Returns the code of `@app.cell`, or `None` where marimo fails.
    pub(super) fn cell(
        &self,
        range: &Range<usize>,
        definition: &Definition,
        decorator: &Decorator,
    ) -> Option<String> {
        let body = &definition.body;
        let decorator = match definition.decorators.as_slice() {
            [_] => decorator,
            decorators => decorators.last()?,
        };
        let function = self.block(Some(decorator), range, body)?;
        let (n_lines, width) = self::body_start(&function)?;
        let def = self.place(definition.keyword).line;
        let first = self.place(body.first.start);
        let last = self.place(body.last.start);
        let start = def + n_lines;
        let column = match (def == first.line, body.first_is_ellipsis) {
            (false, _) => 0,
            (true, true) => width + i64::try_from(first.column).ok()? - 3,
            (true, false) => width + i64::try_from(first.column).ok()? - 1,
        };
        let end = self.place(range.end);
        if body.ends_in_return {
            let code = match body.before_last {
                Some(before_last) => {
                    let mut line = self.place(before_last).line.max(last.line.saturating_sub(1));
                    let mut end_column = None;
                    if self.place(body.last.end).line == line {
                        line = last.line;
                        end_column = Some(last.column);
                    }
                    self.slice(start, column, line, end_column)?
                }
                None if start == first.line => String::new(),
                None => self.slice(start, column, last.line.checked_sub(1)?, None)?,
            };
            return Some(dedent(&code));
        }
        let mut code = self.slice(start, column, end.line, Some(end.column))?;
        if def != last.line {
            let indent = code[..code.len() - trim_start(&code).len()].to_owned();
            let rest = self.lines.get(end.line + 1..).unwrap_or_default();
            let is_part = |line: &&&str| is_blank(line) || line.starts_with(&indent);
            let n_trailing = rest.iter().take_while(is_part).count();
            // A single line is dropped.
            if 1 < n_trailing {
                code.push_str(trim_end(&rest[..n_trailing].join("\n")));
            }
        }
        Some(dedent(&code))
    }

    /// Returns the code of `@app.function` or `@app.class_definition`, or of
    /// `with app.setup:` if there is no decorator.
    pub(super) fn block(
        &self,
        decorator: Option<&Decorator>,
        range: &Range<usize>,
        body: &Body,
    ) -> Option<String> {
        let (start, column) = match decorator {
            Some(it) => {
                let column = self.place(it.expression.start).column;
                (self.place(it.expression.end).line + 1, i64::try_from(column).ok()? - 1)
            }
            None => (self.place(range.start).line + 1, 0),
        };
        let end = self.place(range.end);
        let mut code = self.slice(start, column, end.line, Some(end.column))?;
        let first = self.lines[self.place(body.first.start).line];
        let indent = &first[..first.len() - trim_start(first).len()];
        if !indent.is_empty() {
            let rest = self.lines.get(end.line + 1..).unwrap_or_default();
            let is_part = |line: &&&str| is_blank(line) || line.starts_with(indent);
            let n_trailing = rest.iter().take_while(is_part).count();
            let trailing = rest[..n_trailing].join("\n");
            if !is_blank(&trailing) {
                code.push('\n');
                code.push_str(trim_end(&trailing));
            }
        }
        Some(dedent(&code))
    }

    /// Returns the text from one place to another, as Python's slices would
    /// have it when the second is before the first.
    fn slice(
        &self,
        line: usize,
        column: i64,
        end_line: usize,
        end_column: Option<usize>,
    ) -> Option<String> {
        let (first, last) = (self.lines.get(line)?, self.lines.get(end_line)?);
        let start = match usize::try_from(column) {
            Ok(column) => column,
            Err(_) => first.chars().count().saturating_sub(usize::try_from(-column).ok()?),
        };
        let end = end_column.unwrap_or(usize::MAX);
        if line == end_line {
            return Some(first.chars().take(end).skip(start).collect());
        }
        let mut res: String = first.chars().skip(start).collect();
        res.push('\n');
        if line + 1 != end_line {
            res.push_str(&self.lines.get(line + 1..end_line).unwrap_or_default().join("\n"));
            res.push('\n');
        }
        res.extend(last.chars().take(end));
        Some(res)
    }
}

/// Returns in which line of a function its body starts, and how wide the first
/// token of it is.
fn body_start(function: &str) -> Option<(usize, i64)> {
    let lines: Vec<&str> = function.split('\n').collect();
    let mut tokens = Vec::new();
    // An error is behind what is looked for.
    let _res: Result<(), _> = tokenize(&lines, |token| tokens.push(token));
    let is = |idx: usize, text: &str| {
        let token = tokens.get(idx);
        token.is_some_and(|it| it.kind == TokenKind::Operator && it.text == text)
    };
    let def = |it: &super::tokens::Token<'_>| it.kind == TokenKind::Name && it.text == "def";
    let mut at = tokens.iter().position(def)? + 1;
    let mut brackets: Option<i64> = None;
    loop {
        if tokens.len() <= at {
            return None;
        }
        if is(at, "(") {
            brackets = Some(brackets.map_or(1, |n| n + 1));
        } else if is(at, ")") {
            brackets = Some(brackets? - 1);
        }
        at += 1;
        if brackets == Some(0) || (brackets.is_none() && is(at, ":")) {
            break;
        }
    }
    while at < tokens.len() && !is(at, ":") {
        at += 1;
    }
    let mut token = tokens.get(at + 1)?;
    let is_one_line = !matches!(token.kind, TokenKind::Newline | TokenKind::Comment);
    if !is_one_line {
        at += if token.kind == TokenKind::Comment { 2 } else { 1 };
        token = tokens.get(at + 1)?;
    }
    let width = |line: usize, column: usize| {
        let chars = lines[line].get(..column).map_or(column, |it| it.chars().count());
        i64::try_from(chars).ok()
    };
    let end = width(token.last_line, token.end_column)?;
    Some((token.line, end - width(token.line, token.column)?))
}
