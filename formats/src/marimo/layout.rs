//! Where the parts of a marimo script are (`marimo 0.25.2 parse`).

use std::ops::Range;

use serde_json::{Map, Value};

use super::content::{is_blank, line_end, line_start};
use super::extract::{self, Reading};
use super::{options, recover};
use crate::lines::trim_end;
use crate::python::{
    self, Call, Definition, DefinitionKind, PythonError, Statement, StatementKind, With,
};
use crate::{ParseError, ParseErrorKind};

/// The parts of a script, as ranges of the text that marimo sees.
#[derive(Debug)]
pub(super) struct Layout {
    /// Comments and strings above the first statement, without blanks at the
    /// end.
    pub(super) header: Range<usize>,
    /// Where the first statement starts.
    pub(super) body: usize,
    /// The name by which marimo is imported.
    pub(super) alias: String,
    /// The statement `__generated_with = ...`.
    pub(super) version: Option<Range<usize>>,
    /// The statement `app = marimo.App(...)`.
    pub(super) app: Range<usize>,
    /// The arguments of the app.
    pub(super) app_options: Map<String, Value>,
    /// The cells, in order.
    pub(super) blocks: Vec<Block>,
    /// Where `if __name__ == "__main__":` stands, or the end of the text.
    pub(super) guard: usize,
}

/// One cell of a script.
#[derive(Debug)]
pub(super) struct Block {
    /// All of the cell, with the comments that belong to it.
    pub(super) range: Range<usize>,
    /// In which form it is written.
    pub(super) role: Role,
    /// The name that the form gives it, empty if it has none.
    pub(super) name: String,
    /// The code, as marimo reads it.
    pub(super) code: String,
    /// The options, as they are written.
    pub(super) options: Map<String, Value>,
}

/// The forms in which a cell can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `@app.cell`.
    Cell,
    /// `with app.setup:`.
    Setup,
    /// `@app.function` or `@app.class_definition`.
    Definition,
    /// `app._unparsable_cell(...)`.
    Unparsable,
}

/// A statement at the top of the file.
pub(super) enum Piece {
    /// One that was read, but not looked at.
    Statement(Statement),
    /// A cell.
    Block(Block),
    /// Where `if __name__ == ...` stands.
    Guard(usize),
}

/// Reads a script.
pub(super) fn read(text: &str, reading: Reading) -> Result<Layout, ParseError> {
    let pieces = match python::parse_module(text) {
        Ok(module) => module.statements.into_iter().map(Piece::Statement).collect(),
        Err(error) => match recover::pieces(text, reading)? {
            Some(pieces) => pieces,
            None => return Err(python_error(text, error)),
        },
    };
    Reader { text, reading }.layout(pieces)
}

pub(super) fn python_error(text: &str, error: PythonError) -> ParseError {
    ParseError::at(text, error.offset, ParseErrorKind::Python(error.message))
}

struct Reader<'a> {
    text: &'a str,
    reading: Reading,
}

impl Reader<'_> {
    fn layout(&self, pieces: Vec<Piece>) -> Result<Layout, ParseError> {
        let not_a_notebook =
            |why: &str| ParseError::new(ParseErrorKind::NotANotebook(why.to_owned()));
        let mut pieces = pieces.into_iter().peekable();
        while pieces
            .next_if(|it| matches!(it.kind(), Some(StatementKind::StringConstant(_))))
            .is_some()
        {}
        let Some(first) = pieces.peek() else {
            return Err(not_a_notebook("it has no statements"));
        };
        let body = first.start();
        let alias = pieces
            .find_map(|it| alias(&it))
            .ok_or_else(|| not_a_notebook("it doesn't import marimo"))?;
        let version = pieces.next_if(is_version).map(|it| it.range());
        let (app, app_options) = pieces
            .find_map(|it| app(&it, &alias))
            .ok_or_else(|| not_a_notebook("it has no `app = marimo.App()`"))?;
        let mut blocks: Vec<Block> = Vec::new();
        let mut guard = self.text.len();
        for piece in pieces {
            match piece {
                Piece::Block(block) => blocks.push(block),
                Piece::Statement(it) => {
                    if let StatementKind::If { compares_name: true } = it.kind {
                        guard = it.range.start;
                        if !blocks.is_empty() {
                            break;
                        }
                    }
                    blocks.extend(self.block(&it, blocks.is_empty())?);
                }
                Piece::Guard(start) => {
                    guard = start;
                    break;
                }
            }
        }
        // A guard before the first cell isn't the end of the cells.
        if blocks.first().is_some_and(|it| guard < it.range.start) {
            guard = self.text.len();
        }
        if blocks.is_empty() && version.is_none() {
            return Err(not_a_notebook("it has no cells"));
        }
        let header = 0..trim_end(&self.text[..body]).len();
        Ok(Layout { header, body, alias, version, app, app_options, blocks, guard })
    }

    /// Returns the cell that a statement is, if it is one.
    fn block(&self, statement: &Statement, is_first: bool) -> Result<Option<Block>, ParseError> {
        let range = &statement.range;
        match &statement.kind {
            StatementKind::Definition(it) => self.definition(range, it),
            StatementKind::Call(call) => Ok(self.unparsable(range, call)),
            StatementKind::With(with) if is_first => Ok(self.setup(range, with)),
            _ => Ok(None),
        }
    }

    fn setup(&self, range: &Range<usize>, with: &With) -> Option<Block> {
        let [item] = with.items.as_slice() else { return None };
        if !item.path.is("app", "setup") {
            return None;
        }
        let options = item.call.as_ref().map(|it| options::read(&it.keywords));
        Some(Block {
            range: self.extent(range),
            role: Role::Setup,
            name: "setup".to_owned(),
            code: extract::setup(self.text, range, &with.body, self.reading),
            options: options.unwrap_or_default(),
        })
    }

    fn definition(
        &self,
        range: &Range<usize>,
        it: &Definition,
    ) -> Result<Option<Block>, ParseError> {
        let kind_of = |path: &python::Path| match path.attributes.last()?.as_str() {
            kind @ ("cell" | "function" | "class_definition") => Some(kind.to_owned()),
            _ => None,
        };
        let decorator = it.decorators.iter().find(|it| kind_of(&it.path).is_some());
        let Some(decorator) = decorator else { return Ok(None) };
        let Some(kind) = kind_of(&decorator.path) else { return Ok(None) };
        if !decorator.path.is("app", &kind) {
            return Ok(None);
        }
        let is_cell = kind == "cell";
        if is_cell && it.kind == DefinitionKind::Class {
            let kind = ParseErrorKind::Unsupported("`@app.cell` on a class".to_owned());
            return Err(ParseError::at(self.text, range.start, kind));
        }
        let options = decorator.call.as_ref().map(|it| options::read(&it.keywords));
        let code = if is_cell {
            extract::cell(self.text, &it.body, self.reading)
        } else {
            extract::definition(self.text, range, decorator.range.end, &it.body, self.reading)
        };
        Ok(Some(Block {
            range: self.extent(range),
            role: if is_cell { Role::Cell } else { Role::Definition },
            name: it.name.clone(),
            code,
            options: options.unwrap_or_default(),
        }))
    }

    fn unparsable(&self, range: &Range<usize>, call: &Call) -> Option<Block> {
        let [argument] = call.args.as_slice() else { return None };
        if !call.callee.is("app", "_unparsable_cell") {
            return None;
        }
        let mut options = options::read(&call.keywords);
        let name = options.shift_remove("name");
        Some(Block {
            range: self.extent(range),
            role: Role::Unparsable,
            name: name.and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default(),
            code: extract::unparsable(argument.as_str().unwrap_or_default()),
            options,
        })
    }

    /// Returns a statement with the rest of its last line and the indented
    /// comments below it, which would become part of another cell if they were
    /// left behind.
    fn extent(&self, range: &Range<usize>) -> Range<usize> {
        range.start..extent(self.text, range.end)
    }
}

/// Reads a cell that stands alone.
pub(super) fn read_cell(
    text: &str,
    reading: Reading,
    is_first: bool,
) -> Result<Option<Block>, ParseError> {
    let Ok(module) = python::parse_module(text) else { return Ok(None) };
    let reader = Reader { text, reading };
    for statement in &module.statements {
        if let Some(block) = reader.block(statement, is_first)? {
            return Ok(Some(block));
        }
    }
    Ok(None)
}

/// Returns where a cell ends whose statement ends at `end`.
pub(super) fn extent(text: &str, end: usize) -> usize {
    // What follows a semicolon is another statement, if anything does.
    let line = line_end(text, end);
    let rest = text[end..line].trim_start_matches([' ', '\t']);
    let rest = rest.strip_prefix(';').unwrap_or(rest).trim_start();
    let mut end = if rest.is_empty() || rest.starts_with('#') { line } else { end };
    let mut at = line_end(text, end);
    if !is_blank(&text[end..at]) {
        return end;
    }
    while at < text.len() {
        let next = line_end(text, at + 1);
        let line = &text[at + 1..next];
        if !is_blank(line) {
            if !line.starts_with([' ', '\t']) {
                break;
            }
            end = next;
        }
        at = next;
    }
    end
}

impl Piece {
    fn kind(&self) -> Option<&StatementKind> {
        match self {
            Self::Statement(it) => Some(&it.kind),
            Self::Block(_) | Self::Guard(_) => None,
        }
    }

    fn range(&self) -> Range<usize> {
        match self {
            Self::Statement(it) => it.range.clone(),
            Self::Block(it) => it.range.clone(),
            Self::Guard(start) => *start..*start,
        }
    }

    fn start(&self) -> usize {
        self.range().start
    }
}

/// The name by which marimo is imported, if that is what a statement does
/// first.
fn alias(piece: &Piece) -> Option<String> {
    let Some(StatementKind::Import(imports)) = piece.kind() else { return None };
    let first = imports.first().filter(|it| it.module == "marimo")?;
    Some(first.alias.clone().unwrap_or_else(|| first.module.clone()))
}

fn is_version(piece: &Piece) -> bool {
    let Some(StatementKind::Assign { name, value }) = piece.kind() else { return false };
    name == "__generated_with"
        && matches!(
            value,
            python::Value::Literal(literal)
                if !matches!(literal, python::Literal::List(_) | python::Literal::Other)
        )
}

fn app(piece: &Piece, alias: &str) -> Option<(Range<usize>, Map<String, Value>)> {
    let Some(StatementKind::Assign { name, value: python::Value::Call(call) }) = piece.kind()
    else {
        return None;
    };
    let is_app = name == "app" && call.callee.is(alias, "App");
    is_app.then(|| (piece.range(), options::read(&call.keywords)))
}

/// Whether there is nothing but blanks before an offset in its line.
pub(super) fn starts_line(text: &str, offset: usize) -> bool {
    is_blank(&text[line_start(text, offset)..offset])
}
