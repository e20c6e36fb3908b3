use std::fmt;

/// Why a text could not be read as a notebook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    /// The line where reading stopped, from 1, if there is one.
    pub line: Option<usize>,
    /// The reason.
    pub kind: ParseErrorKind,
}

impl ParseError {
    /// Makes an error that belongs to no single line.
    pub fn new(kind: ParseErrorKind) -> Self {
        Self { line: None, kind }
    }

    /// Makes an error at a byte offset of the text.
    pub fn at(text: &str, offset: usize, kind: ParseErrorKind) -> Self {
        let line = 1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count();
        Self { line: Some(line), kind }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.kind),
            None => self.kind.fmt(f),
        }
    }
}

/// The reason of a [`ParseError`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The file has no text at all. Editors that save in place pass through
    /// this state.
    #[error("the file is empty")]
    Empty,
    /// The text is of another kind than the format.
    #[error("not a notebook: {0}")]
    NotANotebook(String),
    /// The text isn't JSON.
    #[error("not valid JSON: {0}")]
    Json(String),
    /// The text isn't Python.
    #[error("not valid Python: {0}")]
    Python(String),
    /// The YAML header can't be read.
    #[error("the YAML header cannot be read: {0}")]
    Header(String),
    /// A merge left its markers in the file.
    #[error("a merge left conflict markers (`<<<<<<<`); resolve them first")]
    ConflictMarkers,
    /// The notebook is valid, but nbsync can't carry it without loss.
    #[error("not supported: {0}")]
    Unsupported(String),
}

/// Why a text could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrintError {
    /// The format can't hold the notebook at all, say for its language.
    #[error("{format} cannot hold this notebook: {reason}")]
    Unsupported {
        /// The format.
        format: &'static str,
        /// What it can't hold.
        reason: String,
    },
    /// A cell has to be written anew, and has code that would be lost: other
    /// decorators, options that are no constants.
    #[error(
        "the cell at line {line} has to be written anew, which would delete decorators or options \
         that marimo doesn't know; remove them first"
    )]
    Lossy {
        /// The line of the cell, from 1.
        line: usize,
    },
    /// The text would not read back as what was meant, so it must not be
    /// written.
    #[error("the text would not read back as the intended cells: {0}")]
    Unfaithful(String),
}
