//! The cells of a script, as marimo has them in memory.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use super::layout::{Block, Role};
use super::options;
use crate::python::scope::{self, Analysis, MarkdownCall};

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
            Role::Function | Role::Class => format!("*{}", block.name),
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
    ///
    /// As if it was the first cell: see [`analysis_at`](Self::analysis_at).
    pub(super) fn analysis(&self) -> Option<&Analysis> {
        self.analysis.get_or_init(|| scope::analyze(&self.text, "0").ok()).as_ref()
    }

    /// The call of `mo.md`, if it is all that the code has.
    pub(super) fn markdown_call(&self) -> Option<&MarkdownCall> {
        // The analysis is of code in which no-break spaces are spaces, so its
        // ranges are of that code.
        let is_as_analyzed = !self.text.contains('\u{a0}');
        self.analysis()?.shape.markdown.as_ref().filter(|_| is_as_analyzed)
    }

    /// The same for the cell at a position.
    ///
    /// The position is part of the names that marimo gives private definitions
    /// (`_cell_0_x`), and some of these show: those that a function declares
    /// `global`.
    pub(super) fn analysis_at(&self, idx: usize) -> Option<Cow<'_, Analysis>> {
        let analysis = self.analysis()?;
        let is_private = |name: &String| name.starts_with("_cell_0_");
        if 0 < idx && analysis.defs.iter().chain(&analysis.refs).any(is_private) {
            return scope::analyze(&self.text, &idx.to_string()).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(analysis))
    }
}
