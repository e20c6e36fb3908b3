//! Finds the cells of a script that isn't valid Python (`marimo 0.25.2
//! scanner`), so that a syntax error in one cell leaves the others alone.

use std::ops::Range;

use serde_json::{Map, Value};

use super::content::is_blank;
use super::dedent::dedent;
use super::extract::Reading;
use super::layout::{self, Block, Found, Piece, Role, extent};
use super::scan::{Kind, Scan, scan};
use super::violation::ViolationKind;
use crate::ParseError;
use crate::lines::{is_space, trim, trim_start};
use crate::python::{self, DefinitionKind, StatementKind};

/// What a text is made of, and its comments.
type Pieces = (Vec<Piece>, Vec<Range<usize>>);

/// Returns the top-level statements of a text, or `None` if it has no cells.
///
/// Fails if there is a syntax error above the first cell.
pub(super) fn pieces(text: &str, reading: Reading) -> Result<Option<Pieces>, ParseError> {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut offset = 0;
    let mut offsets: Vec<usize> = Vec::with_capacity(lines.len() + 1);
    for line in &lines {
        offsets.push(offset);
        offset += line.len() + 1;
    }
    offsets.push(text.len());
    let Scan { cells, mut guard } = scan(&lines);
    let (Some(first), Some(last)) = (cells.first(), cells.last()) else { return Ok(None) };
    if reading == Reading::Kept {
        // marimo drops the last cell if the guard is above it.
        guard = guard.filter(|line| last.line < *line);
    }
    let module = python::parse_module(&text[..offsets[first.line]])
        .map_err(|error| layout::python_error(text, error))?;
    let mut res: Vec<Piece> = module.statements.into_iter().map(Piece::Statement).collect();
    let mut comments = module.comments;
    for (idx, cell) in cells.iter().enumerate() {
        let start = offsets[cell.line];
        let end = cells.get(idx + 1).map(|it| it.line).or(guard).unwrap_or(lines.len());
        let Some(source) = text.get(start..offsets[end]) else { continue };
        let source = source.trim_end_matches('\n');
        if let Ok(module) = python::parse_module(source) {
            for mut statement in module.statements {
                statement.shift(start);
                res.push(Piece::Statement(statement));
            }
            let shifted = module.comments.iter().map(|it| start + it.start..start + it.end);
            comments.extend(shifted);
        } else {
            let block = match reading {
                Reading::Kept => broken(source, cell.kind),
                Reading::Exact => broken_exactly(source, cell.kind),
            };
            res.push(Piece::Block(block.shifted(start)));
        }
    }
    res.extend(guard.map(|line| Piece::Guard(offsets[line])));
    Ok(Some((res, comments)))
}

fn block(role: Role, name: &str, code: String, end: usize) -> Block {
    Block {
        role,
        name: name.to_owned(),
        code,
        found: vec![Found { offset: 0, kind: ViolationKind::SyntaxError }],
        ..Block::new(0..end)
    }
}

/// Reads a cell with a syntax error as marimo does.
fn broken_exactly(source: &str, kind: Kind) -> Block {
    let code = if kind == Kind::Unparsable {
        source.to_owned()
    } else {
        let lines: Vec<&str> = source.split('\n').collect();
        let mut body = lines[body_start(&lines, kind)..].to_vec();
        strip_return(&mut body);
        trim(&dedent(&body.join("\n"))).to_owned()
    };
    let name = match kind {
        Kind::Setup => None,
        Kind::Unparsable => source.split('\n').find_map(name_argument),
        Kind::Cell | Kind::Definition => source.split('\n').skip(1).find_map(defined_name),
    };
    let code = trim(&dedent(&code)).to_owned();
    block(Role::Unparsable, name.unwrap_or_default(), code, source.len())
}

/// Reads a cell with a syntax error.
///
/// Unlike marimo, which keeps the name only, this keeps the options too, and
/// `def f():` of a function: someone is still typing, and wants them back.
fn broken(source: &str, kind: Kind) -> Block {
    let end = trim_end_of_comments(source);
    let source = &source[..end];
    let lines: Vec<&str> = source.split('\n').collect();
    let is_header = |line: &&str| {
        ["def ", "async ", "class ", "with "].iter().any(|start| line.starts_with(start))
    };
    let header = lines.iter().position(is_header);
    let Some(header) = header.filter(|_| kind != Kind::Unparsable) else {
        return block(Role::Unparsable, "", trim(source).to_owned(), end);
    };
    let (lines, decorators) = (&lines[header..], lines[..header].join("\n"));
    let start = body_start(lines, Kind::Setup);
    let mut body = lines[start..].to_vec();
    strip_return(&mut body);
    strip_long_return(&mut body);
    let code = trim(&dedent(&body.join("\n"))).to_owned();
    match kind {
        Kind::Setup => {
            let options = with_options(&lines[..start].join("\n"));
            Block { options, ..block(Role::Unparsable, "setup", code, end) }
        }
        Kind::Definition => {
            let code = trim(&lines.join("\n")).to_owned();
            let options = decorator_options(&decorators);
            Block { options, ..block(Role::Unparsable, "", code, end) }
        }
        Kind::Cell | Kind::Unparsable => {
            let name = defined_name(lines[0]).unwrap_or_default();
            let options = decorator_options(&decorators);
            Block { options, ..block(Role::Unparsable, name, code, end) }
        }
    }
}

/// Returns the name that a line defines, whether it is a function or a class.
fn defined_name(line: &str) -> Option<&str> {
    let line = trim_start(line);
    let blank = |rest: &'_ str| rest.starts_with(is_space);
    let line = match line.strip_prefix("async").filter(|rest| blank(rest)) {
        Some(rest) => trim_start(rest),
        None => line,
    };
    let rest = line.strip_prefix("def").or_else(|| line.strip_prefix("class"))?;
    let rest = trim_start(Some(rest).filter(|rest| blank(rest))?);
    Some(word(rest)).filter(|name| !name.is_empty())
}

/// Returns the value of `name="..."` in a line.
fn name_argument(line: &str) -> Option<&str> {
    line.match_indices("name").find_map(|(at, key)| {
        let rest = trim_start(trim_start(&line[at + key.len()..]).strip_prefix('=')?);
        let rest = rest.strip_prefix(['"', '\''])?;
        let name = word(rest);
        let is_closed = rest[name.len()..].starts_with(['"', '\'']);
        Some(name).filter(|name| is_closed && !name.is_empty())
    })
}

fn word(text: &str) -> &str {
    let end = text.find(|char: char| !(char.is_alphanumeric() || char == '_'));
    &text[..end.unwrap_or(text.len())]
}

/// Returns where a cell ends that can't be parsed: at its last line that isn't
/// blank and isn't a comment at the left margin.
fn trim_end_of_comments(source: &str) -> usize {
    let mut end = 0;
    let mut at = 0;
    for line in source.split('\n') {
        if !is_blank(line) && (!line.starts_with('#') || at == 0) {
            end = at + line.len();
        }
        at += line.len() + 1;
    }
    extent(source, end)
}

/// Returns the line after the colon that ends the header of a cell, or 0 if
/// there is none (`marimo 0.25.2 scanner`).
fn body_start(lines: &[&str], kind: Kind) -> usize {
    let mut first = 0;
    if kind != Kind::Setup {
        let is_above = |line: &&&str| is_blank(line) || trim_start(line).starts_with('@');
        first = lines.iter().take_while(is_above).count();
    }
    let mut brackets = 0_i64;
    for (idx, line) in lines.iter().enumerate().skip(first) {
        let bytes = line.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'"' | b'\'' => {
                    let quotes = [byte; 3];
                    if bytes[at..].starts_with(&quotes) {
                        let rest = &bytes[at + 3..];
                        let end = rest.windows(3).position(|it| it == quotes);
                        at = end.map_or(bytes.len(), |end| at + 3 + end + 3);
                        continue;
                    }
                    at += 1;
                    while at < bytes.len() && bytes[at] != byte {
                        at += 1 + usize::from(bytes[at] == b'\\');
                    }
                }
                b'#' => break,
                b'(' | b'[' | b'{' => brackets += 1,
                b')' | b']' | b'}' => brackets -= 1,
                b':' if brackets == 0 => return idx + 1,
                _ => {}
            }
            at += 1;
        }
    }
    0
}

/// Takes off `return` at the end, if it is as far in as the first line.
fn strip_return(body: &mut Vec<&str>) {
    let Some(last) = body.iter().rposition(|line| !is_blank(line)) else { return };
    if is_return(body[last], indent_of(body)) {
        body.truncate(last);
    }
}

/// Takes off a `return (` that goes over several lines.
fn strip_long_return(body: &mut Vec<&str>) {
    let Some(last) = body.iter().rposition(|line| !is_blank(line)) else { return };
    let indent = indent_of(body);
    let ends_list = body[last].strip_prefix(indent).is_some_and(|it| it.trim_end() == ")");
    let Some(at) = body.iter().rposition(|line| is_return(line, indent)) else { return };
    if ends_list && at < last && body[at + 1..last].iter().all(|line| is_name_in_list(line)) {
        body.truncate(at);
    }
}

fn indent_of<'a>(body: &[&'a str]) -> &'a str {
    let first = body.iter().find(|line| !is_blank(line));
    first.map_or("", |line| &line[..line.len() - trim_start(line).len()])
}

fn is_return(line: &str, indent: &str) -> bool {
    let statement = trim_start(line);
    let rest = statement.strip_prefix("return");
    line.len() - statement.len() == indent.len()
        && line.starts_with(indent)
        && rest.is_some_and(|rest| is_blank(rest) || rest.starts_with([' ', '\t', '(']))
}

fn is_name_in_list(line: &str) -> bool {
    let name = trim(line).trim_end_matches(',');
    name.chars().all(|char| char.is_alphanumeric() || char == '_')
}

fn decorator_options(decorators: &str) -> Map<String, Value> {
    let Ok(module) = python::parse_module(&format!("{decorators}\ndef _():\n    pass")) else {
        return Map::new();
    };
    let read = |kind: &StatementKind| match kind {
        StatementKind::Definition(it) if it.kind == DefinitionKind::Function => {
            let call = it.decorators.iter().find_map(|it| it.call.as_ref())?;
            Some(super::options::read(&call.keywords))
        }
        _ => None,
    };
    module.statements.iter().find_map(|it| read(&it.kind)).unwrap_or_default()
}

fn with_options(header: &str) -> Map<String, Value> {
    let Ok(module) = python::parse_module(&format!("{header}\n    pass")) else {
        return Map::new();
    };
    let read = |kind: &StatementKind| match kind {
        StatementKind::With(it) => {
            let call = it.items.first()?.call.as_ref()?;
            Some(super::options::read(&call.keywords))
        }
        _ => None,
    };
    module.statements.iter().find_map(|it| read(&it.kind)).unwrap_or_default()
}
