//! The cells of a script, as marimo has them in memory.

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use super::layout::{Block, Role};
use super::options;
use crate::python::scope::{self, Analysis};

/// A cell, in whatever form it is written.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The code.
    pub(super) code: Arc<Code>,
    /// The name, `_` if there is none. That of a function or class starts with
    /// `*`.
    pub(super) name: String,
    /// The options that differ from their defaults.
    pub(super) options: Map<String, Value>,
}

impl Entry {
    /// Makes a cell.
    pub(super) fn new(code: String, name: &str, options: &Map<String, Value>) -> Self {
        let name = if matches!(name, "" | "__") { "_" } else { name };
        Self {
            code: Arc::new(Code::new(code)),
            name: name.to_owned(),
            options: options::of_cell(options),
        }
    }

    /// Returns the cell that a block stands for.
    pub(super) fn of(block: &Block) -> Self {
        let name = match block.role {
            Role::Definition => format!("*{}", block.name),
            Role::Cell | Role::Setup | Role::Unparsable => block.name.clone(),
        };
        Self::new(block.code.clone(), &name, &block.options)
    }

    /// Whether two cells are the same in all that is written.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.code.text() == other.code.text()
            && self.name == other.name
            && self.options == other.options
    }
}

/// The code of a cell, and what it defines and refers to once someone asks.
#[derive(Debug)]
pub(super) struct Code {
    text: String,
    analysis: OnceLock<Option<Analysis>>,
}

impl Code {
    fn new(text: String) -> Self {
        Self { text, analysis: OnceLock::new() }
    }

    /// The code.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What the code defines and refers to, or `None` if it doesn't compile.
    pub(super) fn analysis(&self) -> Option<&Analysis> {
        // The id counts in the names of private definitions only.
        self.analysis.get_or_init(|| scope::analyze(&self.text, "0").ok()).as_ref()
    }
}
