//! Finds where cells start in a text that isn't valid Python (`marimo 0.25.2
//! scanner`).

use super::content::is_blank;
use super::tokens::{Token, TokenKind, tokenize};

/// How often the search starts again after what can't be cut into tokens. Keeps
/// the time linear.
const MAX_RESTARTS: usize = 32;

/// Where the cells of a text start.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The cells, in order.
    pub(super) cells: Vec<Start>,
    /// The line of the first run guard, from 0.
    pub(super) guard: Option<usize>,
}

/// A place where a cell starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// The line of its first decorator, from 0.
    pub(super) line: usize,
    /// Its form.
    pub(super) kind: Kind,
}

/// The form of a cell, as far as its first line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Cell,
    /// A function or class that stands alone.
    Definition,
    Setup,
    Unparsable,
}

/// Finds the cells.
pub(super) fn scan(lines: &[&str]) -> Scan {
    let mut res = Scan::default();
    let mut from = 0;
    for _ in 0..MAX_RESTARTS {
        let mut detector = Detector { from, state: State::Idle, ..Detector::default() };
        let end = tokenize(&lines[from..], |token| detector.feed(&token));
        let has_found = !detector.cells.is_empty() || detector.guard.is_some();
        res.cells.extend(detector.cells);
        res.guard = res.guard.or(detector.guard);
        let Err(error) = end else { break };
        // A line that looks like a start but is none is passed over.
        let next = if has_found || from == 0 { from + error.line + 1 } else { from + 1 };
        let Some(next) = (next..lines.len()).find(|no| is_start(lines[*no])) else { break };
        from = next;
    }
    res.cells.sort_by_key(|it| it.line);
    // The line of the one before, and where its decorators start.
    let mut before = (0, 0);
    for start in &mut res.cells {
        if matches!(start.kind, Kind::Cell | Kind::Definition) {
            let line = start.line;
            start.line = with_decorators(lines, line, before);
            before = (line, start.line);
        }
    }
    res
}

/// Whether it is worth the time to look for a cell from this line on.
fn is_start(line: &str) -> bool {
    let after = |word: &str| line.strip_prefix(word).filter(|rest| rest.starts_with([' ', '\t']));
    line.starts_with("@app.")
        || line.starts_with("app._unparsable_cell")
        || after("with").is_some_and(|rest| rest.trim_start().starts_with("app."))
        || after("if").is_some_and(|rest| {
            let rest = rest.trim_start().strip_prefix("__name__");
            rest.is_some_and(|rest| rest.trim_start().starts_with("=="))
        })
}

/// Returns the line where the decorators start that a line ends, given the same
/// for a line before.
fn with_decorators(lines: &[&str], line: usize, before: (usize, usize)) -> usize {
    let mut res = line;
    for (idx, above) in lines[..line].iter().enumerate().rev() {
        if idx == before.0 && above.starts_with('@') {
            return before.1;
        } else if above.trim_start().starts_with('@') {
            res = idx;
        } else if !is_blank(above) {
            break;
        }
    }
    res
}

/// What was seen of a start, token by token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Idle,
    At,
    AtApp,
    AtAppDot,
    AtAppKind(Kind),
    /// Within the brackets of a decorator, with their depth.
    Arguments(Kind, usize),
    With,
    WithApp,
    WithAppDot,
    WithSetup,
    App,
    AppDot,
    AppUnparsable,
    If,
    IfName,
}

#[derive(Default)]
struct Detector {
    /// The first line of the tokens.
    from: usize,
    state: State,
    /// The line where what is being looked at starts.
    start: usize,
    cells: Vec<Start>,
    guard: Option<usize>,
}

impl Detector {
    fn feed(&mut self, token: &Token<'_>) {
        if self.state == State::Idle && token.column == 0 {
            self.start = self.from + token.line;
        }
        self.state = self.next(token);
    }

    fn next(&mut self, token: &Token<'_>) -> State {
        let name = if token.kind == TokenKind::Name { token.text } else { "" };
        let operator = if token.kind == TokenKind::Operator { token.text } else { "" };
        let ends_line = matches!(token.kind, TokenKind::Newline | TokenKind::Break);
        match (self.state, name, operator) {
            (State::Idle, _, _) if token.column != 0 => State::Idle,
            (State::Idle, _, "@") => State::At,
            (State::Idle, "with", _) => State::With,
            (State::Idle, "app", _) => State::App,
            (State::Idle, "if", _) => State::If,
            (State::At, "app", _) => State::AtApp,
            (State::AtApp, _, ".") => State::AtAppDot,
            (State::AtAppDot, "cell", _) => State::AtAppKind(Kind::Cell),
            (State::AtAppDot, "function" | "class_definition", _) => {
                State::AtAppKind(Kind::Definition)
            }
            (State::AtAppKind(kind), _, "(") => State::Arguments(kind, 1),
            (State::AtAppKind(kind), ..) if ends_line || token.kind == TokenKind::Comment => {
                self.found(kind)
            }
            (State::Arguments(kind, depth), _, "(") => State::Arguments(kind, depth + 1),
            (State::Arguments(kind, 1), _, ")") => self.found(kind),
            (State::Arguments(kind, depth), _, ")") => State::Arguments(kind, depth - 1),
            (State::Arguments(..), ..) => self.state,
            (State::With, "app", _) => State::WithApp,
            (State::WithApp, _, ".") => State::WithAppDot,
            (State::WithAppDot, "setup", _) => State::WithSetup,
            (State::WithSetup, _, ":") => self.found(Kind::Setup),
            (State::WithSetup, ..) if !ends_line => State::WithSetup,
            (State::App, _, ".") => State::AppDot,
            (State::AppDot, "_unparsable_cell", _) => State::AppUnparsable,
            (State::AppUnparsable, _, "(") => self.found(Kind::Unparsable),
            (State::If, "__name__", _) => State::IfName,
            (State::IfName, _, "==") => {
                self.guard = Some(self.start);
                State::Idle
            }
            _ => State::Idle,
        }
    }

    fn found(&mut self, kind: Kind) -> State {
        self.cells.push(Start { line: self.start, kind });
        State::Idle
    }
}
