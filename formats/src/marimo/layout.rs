//! Where the parts of a marimo script are (`marimo 0.25.2 parse`).

use std::ops::Range;

use serde_json::{Map, Value};

use super::content::{is_blank, line_end, line_start};
use super::exact::Lines;
use super::extract::{self, Code, Reading};
use super::violation::ViolationKind;
use super::{options, recover};
use crate::lines::trim_end;
use crate::python::{
    self, Call, Definition, DefinitionKind, Literal, PythonError, Statement, StatementKind, With,
};
use crate::{ParseError, ParseErrorKind};

const MARIMO: &str = "marimo";

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
    /// What marimo would change or delete.
    pub(super) violations: Vec<Found>,
}

/// A violation, and where it stands in the text.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) offset: usize,
    pub(super) kind: ViolationKind,
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
    /// The names of its arguments.
    pub(super) arguments: Vec<String>,
    /// Comments in the block that are not in the code.
    pub(super) comments: Vec<Range<usize>>,
    /// Code in the block that is lost if it is written anew.
    pub(super) is_lossy: bool,
    /// What marimo would change or delete, until the layout takes it over.
    pub(super) found: Vec<Found>,
}

/// The forms in which a cell can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `@app.cell`.
    Cell,
    /// `with app.setup:`.
    Setup,
    /// `@app.function`.
    Function,
    /// `@app.class_definition`.
    Class,
    /// `app._unparsable_cell(...)`.
    Unparsable,
}

impl Role {
    /// Whether it is a function or class that stands alone.
    pub(super) fn is_definition(self) -> bool {
        matches!(self, Self::Function | Self::Class)
    }
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
    let (pieces, comments) = match python::parse_module(text) {
        Ok(module) => {
            let pieces = module.statements.into_iter().map(Piece::Statement).collect();
            (pieces, module.comments)
        }
        Err(error) => match recover::pieces(text, reading)? {
            Some(pieces) => pieces,
            None => return Err(python_error(text, error)),
        },
    };
    let lines = (reading == Reading::Exact).then(|| Lines::new(text));
    Reader { text, reading, lines, comments: &comments }.layout(pieces)
}

pub(super) fn python_error(text: &str, error: PythonError) -> ParseError {
    ParseError::at(text, error.offset, ParseErrorKind::Python(error.message))
}

struct Reader<'a> {
    text: &'a str,
    reading: Reading,
    /// What marimo's own way of reading needs.
    lines: Option<Lines<'a>>,
    comments: &'a [Range<usize>],
}

impl Reader<'_> {
    fn layout(&self, pieces: Vec<Piece>) -> Result<Layout, ParseError> {
        let not_a_notebook =
            |why: &str| ParseError::new(ParseErrorKind::NotANotebook(why.to_owned()));
        let mut violations = Vec::new();
        let mut add = |offset, kind| violations.push(Found { offset, kind });
        let mut pieces = pieces.into_iter().peekable();
        while pieces
            .next_if(|it| matches!(it.kind(), Some(StatementKind::StringConstant(_))))
            .is_some()
        {}
        let Some(first) = pieces.peek() else {
            return Err(not_a_notebook("it has no statements"));
        };
        let body = match self.reading {
            Reading::Kept => first.start(),
            // marimo takes decorators for a part of the header.
            Reading::Exact => first.keyword(),
        };
        let mut import = None;
        for piece in pieces.by_ref() {
            import = alias(&piece);
            if let Some(alias) = &import {
                if alias != MARIMO {
                    add(piece.start(), ViolationKind::Alias);
                }
                break;
            }
            add(piece.keyword(), ViolationKind::BeforeImport);
        }
        let alias = import.ok_or_else(|| not_a_notebook("it doesn't import marimo"))?;
        let version = pieces.next_if(is_version).map(|it| it.range());
        if version.is_none() {
            let next = pieces.peek().map_or(self.text.len(), Piece::keyword);
            add(next, ViolationKind::MissingVersion);
        }
        let mut found = None;
        for piece in pieces.by_ref() {
            found = app(&piece, &alias);
            if let Some((_, call)) = &found {
                for offset in call.keywords.iter().flat_map(|it| &it.unexpected) {
                    add(*offset, ViolationKind::Option);
                }
                break;
            }
            add(piece.keyword(), ViolationKind::BeforeApp);
        }
        let (app, call) = found.ok_or_else(|| not_a_notebook("it has no `app = marimo.App()`"))?;
        let mut blocks: Vec<Block> = Vec::new();
        let mut guard = None;
        // The last one above the first cell, and whether it is right above it.
        let mut early_guard = None;
        let mut is_below_guard = false;
        for piece in pieces.by_ref() {
            let (start, keyword) = (piece.start(), piece.keyword());
            let is_guard = piece.is_guard();
            if is_guard && !blocks.is_empty() {
                guard = Some(start);
                break;
            }
            match self.take(piece, blocks.is_empty())? {
                // marimo stops here, as if the cells were below the guard.
                Some(block)
                    if is_below_guard
                        && blocks.is_empty()
                        && block.role != Role::Setup
                        && self.reading == Reading::Exact =>
                {
                    guard = early_guard;
                    break;
                }
                Some(block) => blocks.push(block),
                None if !blocks.is_empty() => add(keyword, ViolationKind::BetweenCells),
                None => add(keyword, ViolationKind::BeforeCells),
            }
            is_below_guard = is_guard;
            if is_guard {
                early_guard = Some(start);
            }
        }
        if guard.is_none() && (!blocks.is_empty() || self.reading == Reading::Exact) {
            add(self.text.len(), ViolationKind::MissingRunGuard);
        }
        for piece in pieces {
            add(piece.keyword(), ViolationKind::AfterRunGuard);
        }
        if blocks.is_empty() {
            if version.is_none() && self.reading == Reading::Kept {
                return Err(not_a_notebook("it has no cells"));
            }
            // There is nothing that it could be below of.
            guard = guard.or(early_guard);
        }
        for comment in self.comments_outside(body, &blocks) {
            add(comment.start, ViolationKind::Comment);
        }
        if blocks.is_empty() && self.reading == Reading::Kept {
            violations.retain(|it| Some(it.offset) != guard);
        }
        violations.extend(blocks.iter_mut().flat_map(|it| std::mem::take(&mut it.found)));
        violations.sort_by_key(|it| it.offset);
        Ok(Layout {
            header: 0..trim_end(&self.text[..body]).len(),
            body,
            alias,
            version,
            app,
            app_options: options::read(&call.keywords),
            blocks,
            guard: guard.unwrap_or(self.text.len()),
            violations,
        })
    }

    /// Returns the comments that are in no cell, nor in the header. Of comments
    /// that stand together, the first.
    fn comments_outside(&self, body: usize, blocks: &[Block]) -> Vec<Range<usize>> {
        let mut res: Vec<Range<usize>> = Vec::new();
        let mut blocks = blocks.iter().peekable();
        let mut last_end = None;
        for comment in self.comments.iter().filter(|it| body <= it.start) {
            while blocks.next_if(|it| it.range.end <= comment.start).is_some() {}
            if blocks.peek().is_some_and(|it| it.range.start <= comment.start) {
                continue;
            }
            let goes_on = last_end.is_some_and(|end| is_blank(&self.text[end..comment.start]));
            if !goes_on {
                res.push(comment.clone());
            }
            last_end = Some(comment.end);
        }
        res
    }

    /// Returns the cell that a piece is, if it is one.
    fn take(&self, piece: Piece, is_first: bool) -> Result<Option<Block>, ParseError> {
        match piece {
            Piece::Block(block) => Ok(Some(block)),
            Piece::Statement(it) => self.block(&it, is_first),
            Piece::Guard(_) => Ok(None),
        }
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
        let code = match &self.lines {
            None => extract::setup(self.text, range, &with.body),
            Some(lines) => {
                let code = lines.block(None, range, &with.body).unwrap_or_default();
                let code = code.strip_suffix("\npass").unwrap_or(&code);
                Code { text: code.to_owned(), range: range.clone() }
            }
        };
        let mut block = self.new_block(range, Role::Setup, &code.range, item.call.as_ref());
        if item.has_target {
            block.is_lossy = true;
            block.found.push(Found { offset: range.start, kind: ViolationKind::Decorator });
        }
        "setup".clone_into(&mut block.name);
        block.code = code.text;
        Some(block)
    }

    fn definition(
        &self,
        range: &Range<usize>,
        it: &Definition,
    ) -> Result<Option<Block>, ParseError> {
        let kind_of = |path: &python::Path| match path.attributes.last()?.as_str() {
            "cell" => Some(Role::Cell),
            "function" => Some(Role::Function),
            "class_definition" => Some(Role::Class),
            _ => None,
        };
        let mut decorators = it.decorators.iter().enumerate();
        let Some((idx, decorator, role)) =
            decorators.find_map(|(idx, it)| Some((idx, it, kind_of(&it.path)?)))
        else {
            return Ok(None);
        };
        if decorator.path.root.as_deref() != Some("app") || decorator.path.attributes.len() != 1 {
            return Ok(None);
        }
        if role == Role::Cell && it.kind == DefinitionKind::Class {
            let kind = ParseErrorKind::Unsupported("`@app.cell` on a class".to_owned());
            return Err(ParseError::at(self.text, range.start, kind));
        }
        let code = match (&self.lines, role) {
            (None, Role::Cell) => extract::cell(self.text, &it.body),
            (None, _) => extract::definition(self.text, range, decorator.range.end, &it.body),
            (Some(lines), _) => {
                let code = match role {
                    Role::Cell => lines.cell(range, it, decorator),
                    _ => lines.block(Some(decorator), range, &it.body),
                };
                let failed = || ParseErrorKind::Unsupported("marimo can't read this cell".into());
                let text = code.ok_or_else(|| ParseError::at(self.text, it.keyword, failed()))?;
                Code { text, range: range.clone() }
            }
        };
        let mut block = self.new_block(range, role, &code.range, decorator.call.as_ref());
        // Those below `@app.function` are part of the code.
        if 0 < idx || (role == Role::Cell && 1 < it.decorators.len()) {
            block.is_lossy = true;
            block
                .found
                .push(Found { offset: decorator.range.start, kind: ViolationKind::Decorator });
        }
        block.name.clone_from(&it.name);
        block.arguments.clone_from(&it.parameters);
        block.code = code.text;
        Ok(Some(block))
    }

    fn unparsable(&self, range: &Range<usize>, call: &Call) -> Option<Block> {
        let [argument] = call.args.as_slice() else { return None };
        if !call.callee.is("app", "_unparsable_cell") {
            return None;
        }
        let code = match argument {
            Literal::Str(it) => it.parts.first()?.start..it.parts.last()?.end,
            _ => range.start..range.start,
        };
        let mut block = self.new_block(range, Role::Unparsable, &code, Some(call));
        let name = block.options.shift_remove("name");
        block.name = name.and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default();
        if argument.as_str().is_none() {
            block.is_lossy = true;
            let kind = ViolationKind::UnparsableArgument;
            block.found.push(Found { offset: range.start, kind });
        }
        block.code = extract::unparsable(argument.as_str().unwrap_or_default());
        Some(block)
    }

    /// Makes a block without name and code, given where the code stands.
    fn new_block(
        &self,
        statement: &Range<usize>,
        role: Role,
        code: &Range<usize>,
        call: Option<&Call>,
    ) -> Block {
        // With the rest of its last line and the indented comments below it,
        // which would become part of another cell if they were left behind.
        let range = statement.start..extent(self.text, statement.end);
        let mut res = Block { role, ..Block::new(range) };
        let first = self.comments.partition_point(|it| it.start < res.range.start);
        let comments = self.comments[first..].iter().take_while(|it| it.start < res.range.end);
        let lost = comments.filter(|it| it.start < code.start || code.end <= it.start);
        res.comments = lost.cloned().collect();
        let comment = |it: &Range<usize>| Found { offset: it.start, kind: ViolationKind::Comment };
        res.found.extend(res.comments.iter().map(comment));
        if let Some(call) = call {
            res.options = options::read(&call.keywords);
            let unexpected: Vec<usize> =
                call.keywords.iter().flat_map(|it| it.unexpected.iter().copied()).collect();
            res.is_lossy = !unexpected.is_empty();
            let option = |offset| Found { offset, kind: ViolationKind::Option };
            res.found.extend(unexpected.into_iter().map(option));
        }
        res
    }
}

impl Block {
    /// Makes a block that has nothing.
    pub(super) fn new(range: Range<usize>) -> Self {
        Self {
            range,
            role: Role::Cell,
            name: String::new(),
            code: String::new(),
            options: Map::new(),
            arguments: Vec::new(),
            comments: Vec::new(),
            is_lossy: false,
            found: Vec::new(),
        }
    }

    /// Moves all places, for a block that was read from a part of the text.
    pub(super) fn shifted(mut self, by: usize) -> Self {
        for range in std::iter::once(&mut self.range).chain(&mut self.comments) {
            *range = range.start + by..range.end + by;
        }
        for found in &mut self.found {
            found.offset += by;
        }
        self
    }
}

impl Layout {
    /// Returns the line of each violation, from 0.
    pub(super) fn violation_lines(&self, text: &str) -> Vec<usize> {
        let (mut line, mut at) = (0, 0);
        let mut line_of = |it: &Found| {
            line += text[at..it.offset].matches('\n').count();
            at = it.offset;
            line
        };
        self.violations.iter().map(&mut line_of).collect()
    }
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

    /// Where it starts without decorators, which is where marimo says it is.
    fn keyword(&self) -> usize {
        match self.kind() {
            Some(StatementKind::Definition(it)) => it.keyword,
            _ => self.start(),
        }
    }

    fn is_guard(&self) -> bool {
        matches!(self.kind(), Some(StatementKind::If { compares_name: true }))
            || matches!(self, Self::Guard(_))
    }
}

/// The name by which marimo is imported, if that is what a statement does
/// first.
fn alias(piece: &Piece) -> Option<String> {
    let Some(StatementKind::Import(imports)) = piece.kind() else { return None };
    let first = imports.first().filter(|it| it.module == MARIMO)?;
    Some(first.alias.clone().unwrap_or_else(|| MARIMO.to_owned()))
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

fn app(piece: &Piece, alias: &str) -> Option<(Range<usize>, Call)> {
    let Some(StatementKind::Assign { name, value: python::Value::Call(call) }) = piece.kind()
    else {
        return None;
    };
    let is_app = name == "app" && call.callee.is(alias, "App");
    is_app.then(|| (piece.range(), call.clone()))
}

/// Whether there is nothing but blanks before an offset in its line.
pub(super) fn starts_line(text: &str, offset: usize) -> bool {
    is_blank(&text[line_start(text, offset)..offset])
}
