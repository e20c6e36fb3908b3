//! The cells of a script, as marimo has them in memory.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use super::layout::Block;
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
    /// The arguments that it has in the file.
    pub(super) arguments: Arc<[String]>,
}

impl Entry {
    /// Makes a cell.
    pub(super) fn new(code: String, name: &str, options: &Map<String, Value>) -> Self {
        let name = if matches!(name, "" | "__") { "_" } else { name };
        Self {
            code: Arc::new(Code::new(code)),
            name: name.to_owned(),
            options: options::of_cell(options),
            arguments: Arc::default(),
        }
    }

    /// Returns the cell that a block stands for.
    pub(super) fn of(block: &Block) -> Self {
        let mut res = Self::new(block.code.clone(), &block.name, &block.options);
        // One that doesn't compile becomes a cell with the name.
        if block.role.is_definition() && res.code.analysis().is_some() {
            res.name = format!("*{}", block.name);
        }
        res.arguments = block.arguments.clone().into();
        res
    }

    /// The names that only the SQL in the code refers to, as far as the file has
    /// them for arguments.
    ///
    /// marimo finds them if it has duckdb and sqlglot at hand; without them, as
    /// here, it would drop them. One that is no longer in the code is.
    pub(super) fn sql_refs(&self) -> impl Iterator<Item = &str> {
        let analysis = self.code.analysis().filter(|it| it.is_sql);
        let code = analysis.map_or_else(String::new, |_| self.code.text().to_lowercase());
        self.arguments.iter().map(String::as_str).filter(move |name| {
            let is_python =
                analysis.is_none_or(|it| it.defs.contains(*name) || it.refs.contains(*name));
            !is_python && has_word(&code, &name.to_lowercase())
        })
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
    /// `global`, and those in annotations.
    pub(super) fn analysis_at(&self, idx: usize) -> Option<Cow<'_, Analysis>> {
        let analysis = self.analysis()?;
        let is_private = |name: &String| name.starts_with("_cell_0_");
        let mut names = analysis.defs.iter().chain(&analysis.refs);
        // A name that the cell defines is in the text of an annotation only, and
        // in none of its references.
        let mut annotations =
            analysis.variables.values().filter_map(|it| it.first()?.annotation.as_ref());
        let shows = names.any(is_private) || annotations.any(|it| it.text.contains("_cell_0_"));
        if 0 < idx && shows {
            return scope::analyze(&self.text, &idx.to_string()).ok().map(Cow::Owned);
        }
        Some(Cow::Borrowed(analysis))
    }
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || char == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}
