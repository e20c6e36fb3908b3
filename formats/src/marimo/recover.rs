//! Finds the cells of a script that isn't valid Python (`marimo 0.25.2
//! scanner`), so that a syntax error in one cell leaves the others alone.

use serde_json::{Map, Value};

use super::content::is_blank;
use super::dedent::{dedent, quotes};
use super::extract::Reading;
use super::layout::{self, Block, Found, Piece, Role, extent};
use super::violation::ViolationKind;
use crate::ParseError;
use crate::lines::{trim, trim_start};
use crate::python::{self, DefinitionKind, StatementKind};

/// How often the search starts again after a string that is never closed. Keeps
/// the time linear.
const MAX_RESTARTS: usize = 8;

/// Returns the top-level statements of a text, or `None` if it has no cells.
///
/// Fails if there is a syntax error above the first cell.
pub(super) fn pieces(text: &str, reading: Reading) -> Result<Option<Vec<Piece>>, ParseError> {
    let lines = Lines::new(text);
    let starts = lines.starts();
    let cells: Vec<usize> = starts.iter().filter(|it| !it.is_guard).map(|it| it.line).collect();
    let (Some(&first), Some(&last)) = (cells.first(), cells.last()) else { return Ok(None) };
    let preamble = &text[..lines.offset(lines.with_decorators(first))];
    let module =
        python::parse_module(preamble).map_err(|error| layout::python_error(text, error))?;
    let mut res: Vec<Piece> = module.statements.into_iter().map(Piece::Statement).collect();
    let guard = starts.iter().find(|it| it.is_guard && last < it.line).map(|it| it.line);
    for (idx, &line) in cells.iter().enumerate() {
        let start = lines.offset(lines.with_decorators(line));
        let end = match cells.get(idx + 1) {
            Some(&next) => lines.offset(lines.with_decorators(next)),
            None => guard.map_or(text.len(), |line| lines.offset(line)),
        };
        let source = &text[start..end];
        let block = match layout::read_cell(source, reading, idx == 0)? {
            Some(block) => block,
            None => broken(source),
        };
        res.push(Piece::Block(block.shifted(start)));
    }
    res.extend(guard.map(|line| Piece::Guard(lines.offset(line))));
    Ok(Some(res))
}

/// Reads a cell with a syntax error.
///
/// Unlike marimo, which keeps the name only, this keeps the options too: someone
/// is still typing, and wants them back.
fn broken(source: &str) -> Block {
    let end = trim_end_of_comments(source);
    let source = &source[..end];
    let lines: Vec<&str> = source.split('\n').collect();
    let is_header = |line: &&str| {
        ["def ", "async ", "class ", "with "].iter().any(|start| line.starts_with(start))
    };
    let block = |role, name: &str, code: String, options| Block {
        role,
        name: name.to_owned(),
        code,
        options,
        found: vec![Found { offset: 0, kind: ViolationKind::SyntaxError }],
        ..Block::new(0..end)
    };
    let header = lines.iter().position(is_header);
    let Some(header) = header.filter(|_| !source.starts_with("app.")) else {
        return block(Role::Unparsable, "", trim(source).to_owned(), Map::new());
    };
    let decorators = lines[..header].join("\n");
    if lines[header].starts_with("with ") {
        let (code, with) = body(&lines[header..]);
        return block(Role::Unparsable, "setup", code, with_options(&with));
    }
    let options = decorator_options(&decorators);
    if !decorators.contains("@app.cell") {
        let code = trim(&lines[header..].join("\n")).to_owned();
        return block(Role::Unparsable, "", code, options);
    }
    let (code, _) = body(&lines[header..]);
    let def = lines[header].trim_start_matches("async").trim_start();
    let name: String = def
        .strip_prefix("def")
        .map(trim_start)
        .unwrap_or_default()
        .chars()
        .take_while(|char| char.is_alphanumeric() || *char == '_')
        .collect();
    block(Role::Unparsable, &name, code, options)
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

/// Returns what follows the colon of a block's header, without `return` at its
/// end, and the header.
fn body(lines: &[&str]) -> (String, String) {
    let Some(n_header) = header_len(lines) else {
        return (trim(&lines.join("\n")).to_owned(), String::new());
    };
    let mut body = lines[n_header..].to_vec();
    while body.last().is_some_and(|line| is_blank(line)) {
        body.pop();
    }
    let indent = body
        .iter()
        .find(|line| !is_blank(line))
        .map_or("", |line| &line[..line.len() - trim_start(line).len()]);
    let is_return = |line: &str| {
        line.strip_prefix(indent)
            .and_then(|line| line.strip_prefix("return"))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '(']))
    };
    if body.last().is_some_and(|line| is_return(line)) {
        body.pop();
    } else if body.last().is_some_and(|line| line.trim_end() == format!("{indent})")) {
        // A `return (` over several lines.
        if let Some(at) = body.iter().rposition(|line| is_return(line)) {
            let is_list = body[at + 1..body.len() - 1].iter().all(|line| is_name_in_list(line));
            if is_list {
                body.truncate(at);
            }
        }
    }
    (trim(&dedent(&body.join("\n"))).to_owned(), lines[..n_header].join("\n"))
}

fn is_name_in_list(line: &str) -> bool {
    let name = trim(line).trim_end_matches(',');
    name.chars().all(|char| char.is_alphanumeric() || char == '_')
}

/// Counts the lines to the colon that ends a header.
fn header_len(lines: &[&str]) -> Option<usize> {
    let mut brackets = 0_i64;
    for (idx, line) in lines.iter().enumerate() {
        let mut quote = None;
        for char in line.chars() {
            match (char, quote) {
                (_, Some(open)) => quote = Some(open).filter(|_| char != open),
                ('"' | '\'', None) => quote = Some(char),
                ('#', None) => break,
                ('(' | '[' | '{', None) => brackets += 1,
                (')' | ']' | '}', None) => brackets -= 1,
                (':', None) if brackets == 0 => return Some(idx + 1),
                _ => {}
            }
        }
    }
    None
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

/// A line at which a cell or the run guard starts.
struct Start {
    line: usize,
    is_guard: bool,
}

struct Lines<'a> {
    lines: Vec<&'a str>,
    offsets: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let lines: Vec<&str> = text.split('\n').collect();
        let mut offset = 0;
        let mut offsets = Vec::with_capacity(lines.len());
        for line in &lines {
            offsets.push(offset);
            offset += line.len() + 1;
        }
        Self { lines, offsets }
    }

    fn offset(&self, line: usize) -> usize {
        self.offsets[line]
    }

    /// Returns the line where the decorators start that a line ends.
    fn with_decorators(&self, line: usize) -> usize {
        let mut res = line;
        if !self.lines[line].starts_with('@') {
            return res;
        }
        for (idx, before) in self.lines[..line].iter().enumerate().rev() {
            if start(before).is_some() {
                break;
            } else if before.starts_with('@') {
                res = idx;
            } else if !is_blank(before) {
                break;
            }
        }
        res
    }

    fn starts(&self) -> Vec<Start> {
        let mut res = Vec::new();
        let mut from = 0;
        for n_restarts in 0.. {
            let quotes = quotes(&self.lines[from..]);
            // Rather a line too many than half of the notebook in one cell.
            let is_last = n_restarts == MAX_RESTARTS;
            let open = quotes.open.map(|line| from + line);
            let end = open.filter(|_| !is_last).map_or(self.lines.len(), |line| line + 1);
            for line in from..end {
                let is_quoted = quotes.quoted[line - from] && open.is_none_or(|open| line < open);
                if let Some(is_guard) = start(self.lines[line]).filter(|_| !is_quoted) {
                    res.push(Start { line, is_guard });
                }
            }
            if end == self.lines.len() {
                break;
            }
            let next = (end..self.lines.len()).find(|line| start(self.lines[*line]).is_some());
            let Some(next) = next else { break };
            from = next;
        }
        res
    }
}

/// Whether a line starts a cell (`false`) or the run guard (`true`).
fn start(line: &str) -> Option<bool> {
    if let Some(rest) = line.strip_prefix("@app.") {
        let kinds = ["cell", "function", "class_definition"];
        let rest = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
        return matches!(rest.trim_start().chars().next(), None | Some('(' | '#')).then_some(false);
    }
    if line.starts_with("app._unparsable_cell(") {
        return Some(false);
    }
    let with = line.strip_prefix("async ").map_or(line, str::trim_start);
    if let Some(rest) = with.strip_prefix("with ") {
        let rest = rest.trim_start().strip_prefix("app.setup")?;
        return rest.trim_start().starts_with(['(', ':']).then_some(false);
    }
    let rest = line.strip_prefix("if ")?.trim_start().strip_prefix("__name__")?;
    rest.trim_start().starts_with("==").then_some(true)
}
