//! How deep the syntax tree of a text can be, judged by its tokens.
//!
//! A tree is as deep as its text is nested, and text can be nested as deep as
//! it is long: brackets, unary operators, lambdas, `1+1+1`, `a.b.c`. Walking or
//! dropping such a tree would overflow the stack, which ends the process. So
//! the depth is estimated before there is a tree.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer};

use super::PythonError;

/// How many brackets may be open at once: as many as `CPython` allows.
const MAX_BRACKETS: usize = 200;

/// How many blocks may be open at once: as many as `CPython` allows.
const MAX_INDENTS: usize = 99;

/// How deep a tree may be.
///
/// `CPython` itself gives up on chains of some thousand operators, and marimo's
/// analysis, which recurses in Python, below a thousand.
const MAX_DEPTH: usize = 5_000;

/// What a level of a tree needs on the stack, in a build without
/// optimisations, where one level of the tree is several calls.
const STACK_PER_LEVEL: usize = 12 * 1024;

/// What everything else needs on the stack.
const STACK_BASE: usize = 128 * 1024;

/// Calls `f` with room for walking a tree of the given depth.
pub(super) fn with_stack<T>(depth: usize, f: impl FnOnce() -> T) -> T {
    let size = STACK_BASE + depth * STACK_PER_LEVEL;
    stacker::maybe_grow(size, size, f)
}

/// Returns an upper bound for the depth of the tree of a text.
///
/// Fails if the text is nested deeper than can be handled. Tokens that stand
/// one after the other without a comma between them are taken to be nested in
/// each other, as they may be.
pub(super) fn check(text: &str) -> Result<usize, PythonError> {
    if u32::try_from(text.len()).is_err() {
        return Err(PythonError::new(0, "the text is longer than 4 GiB"));
    }
    let mut estimate = Estimate::default();
    let mut lexer = lexer::lex(text, Mode::Module);
    loop {
        let kind = lexer.next_token();
        if kind.is_eof() {
            break;
        }
        estimate.add(kind);
        let message = if MAX_BRACKETS < estimate.outer.len() {
            "too many nested parentheses"
        } else if MAX_INDENTS < estimate.n_indents {
            "too many levels of indentation"
        } else if MAX_DEPTH < estimate.depth() {
            "the code is nested too deeply"
        } else {
            continue;
        };
        return Err(PythonError::new(0, message));
    }
    // The lexer doesn't see blocks inside brackets. The parser does, when a
    // bracket is never closed and it goes on at the next statement.
    let depth = estimate.max_depth + 2 * max_indents(text);
    if MAX_DEPTH < depth {
        return Err(PythonError::new(0, "the code is nested too deeply"));
    }
    Ok(depth)
}

/// The state of the estimate after some tokens.
#[derive(Debug, Default)]
struct Estimate {
    /// The brackets that are open, outermost first.
    outer: Vec<Level>,
    /// What stands inside the innermost bracket.
    level: Level,
    /// The sum of the lengths of the outer levels.
    outer_len: usize,
    n_indents: usize,
    max_depth: usize,
}

/// A place between two brackets.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// How many tokens that can nest there were since the last separator.
    len: usize,
    /// How many lambdas are still to get their colon. Commas before it
    /// separate parameters, and the body nests in all of them.
    n_lambdas: usize,
}

impl Estimate {
    /// How deep the tree can be at this point.
    fn depth(&self) -> usize {
        self.outer_len + self.level.len + self.outer.len() + 2 * self.n_indents
    }

    fn add(&mut self, kind: TokenKind) {
        match kind {
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => {
                // A chain of calls nests to the left.
                self.level.len += 1;
                self.outer_len += self.level.len;
                self.outer.push(std::mem::take(&mut self.level));
            }
            TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd => {
                if let Some(level) = self.outer.pop() {
                    self.outer_len -= level.len;
                    self.level = level;
                }
            }
            TokenKind::Comma => {
                if self.level.n_lambdas == 0 {
                    self.level.len = 0;
                }
            }
            TokenKind::Newline | TokenKind::Semi => {
                if self.outer.is_empty() {
                    self.level = Level::default();
                }
            }
            TokenKind::Indent => self.n_indents += 1,
            TokenKind::Dedent => self.n_indents = self.n_indents.saturating_sub(1),
            TokenKind::Lambda => {
                self.level.len += 1;
                self.level.n_lambdas += 1;
            }
            TokenKind::Colon => {
                self.level.len += 1;
                self.level.n_lambdas = self.level.n_lambdas.saturating_sub(1);
            }
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline => (),
            _ => self.level.len += 1,
        }
        self.max_depth = self.max_depth.max(self.depth());
    }
}

/// Returns how deep lines are indented below each other, whatever they hold.
fn max_indents(text: &str) -> usize {
    let mut widths: Vec<usize> = Vec::new();
    let mut max = 0;
    for line in text.split(['\n', '\r']) {
        let content = line.trim_start_matches([' ', '\t', '\x0c']);
        let width = line.len() - content.len();
        if content.is_empty() {
            continue;
        }
        while widths.last().is_some_and(|&last| width <= last) {
            widths.pop();
        }
        widths.push(width);
        max = max.max(widths.len());
    }
    max
}
