//! The little Python that the formats have to understand.
//!
//! **Invariant:** this module and its submodules are the only ones that name a
//! `ruff_*` crate. Their API is unstable and their versions are pinned, so an
//! upgrade has to be a change to these files and to `Cargo.toml`, and to
//! nothing else. Text comes in; owned values and byte ranges go out.
//!
//! - [`parse_module`] says what the top-level statements of a file are;
//! - [`scope::analyze`] says what a cell defines and refers to, as marimo
//!   sees it;
//! - [`usage::usage`] says which names a cell needs when it runs;
//! - [`builtins`] lists the names that every cell has.

mod builtins;
mod compile;
mod depth;
mod module;
mod parts;
pub(crate) mod scope;
mod statement;
mod syntax;
#[cfg(test)]
mod tests;
mod unparse;
pub(crate) mod usage;
mod value;

use std::ops::Range;

use ruff_python_ast::token::Tokens;
use ruff_python_ast::{ModModule, PythonVersion};
use ruff_python_parser::{Mode, ParseOptions, Parsed, parse_unchecked};
use ruff_text_size::Ranged;

pub(crate) use builtins::builtins;
pub(crate) use module::parse_module;
pub(crate) use statement::{
    Body, Decorator, Definition, DefinitionKind, Import, Module, Statement, StatementKind, With,
    WithItem,
};
pub(crate) use value::{Call, Keyword, Literal, Path, StringConstant, Value};

/// Why a text isn't Python, or not Python that can be handled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct PythonError {
    /// Where in the text, in bytes. At most the length of the text.
    pub(crate) offset: usize,
    /// What is wrong, in lower case and without a full stop.
    pub(crate) message: String,
}

impl PythonError {
    fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }
}

/// Parses a text and hands its syntax tree to `visit`.
///
/// The tree lives and dies in here. Parsing takes care of its own stack, but
/// walking a tree and dropping it recurse, so both happen on a stack that is
/// large enough for the depth which the tokens allow.
fn with_syntax<T>(
    text: &str,
    visit: impl FnOnce(&ModModule, &Tokens) -> Result<T, PythonError>,
) -> Result<T, PythonError> {
    if text.starts_with('\u{feff}') {
        return Err(PythonError::new(0, "invalid non-printable character U+FEFF"));
    }
    if let Some(offset) = text.find('\0') {
        return Err(PythonError::new(offset, "source code cannot contain null bytes"));
    }
    let depth = depth::check(text)?;
    depth::with_stack(depth, || {
        let parsed = parse(text);
        let error = parsed.errors().first().map(|it| (it.location, it.error.to_string()));
        // Syntax that no version of Python had so far, or has no longer.
        let unsupported = parsed.unsupported_syntax_errors().first();
        match error.or_else(|| unsupported.map(|it| (it.range, it.to_string()))) {
            None => {
                syntax::check(text, parsed.syntax(), parsed.tokens())?;
                visit(parsed.syntax(), parsed.tokens())
            }
            Some((range, message)) => {
                let offset = range.start().to_usize().min(text.len());
                Err(PythonError::new(offset, lower_first(&message)))
            }
        }
    })
}

/// Parses a text that was found to be shallow enough, errors and all.
fn parse(text: &str) -> Parsed<ModModule> {
    let options = ParseOptions::from(Mode::Module).with_target_version(PythonVersion::PY314);
    parse_unchecked(text, options).try_into_module().expect("the mode asks for a module")
}

/// Returns the message as part of a sentence.
fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// Whether a name is private to a cell (marimo 0.25.2: `is_local`).
pub(crate) fn is_private(name: &str) -> bool {
    name == "__" || (name.starts_with('_') && !name.starts_with("__"))
}

/// Returns where a node stands, in bytes.
fn range(node: &impl Ranged) -> Range<usize> {
    node.start().to_usize()..node.end().to_usize()
}
