//! The code cells of a notebook, as marimo and Python see them.

use super::Place;
use crate::python::PythonError;
use crate::python::scope::{self, Analysis};
use crate::python::usage::{self, Usage};
use crate::{CellKind, CellPlace, Document, marimo};

/// A code cell.
pub(super) struct CodeCell<'a> {
    /// The position among all cells of the view.
    pub(super) idx: usize,
    /// The text of the cell.
    pub(super) source: &'a str,
    /// What marimo has for it: the same lines, with magics as comments.
    pub(super) code: String,
    /// What marimo makes of the code, or why it can't.
    pub(super) analysis: Result<Analysis, PythonError>,
    /// What Python does when it runs the code, if it is Python.
    pub(super) usage: Option<Usage>,
    /// Whether it is marimo's setup cell.
    pub(super) is_setup: bool,
    name: Option<&'a str>,
    at: CellPlace,
}

impl<'a> CodeCell<'a> {
    /// Reads the code cells of a notebook.
    pub(super) fn of(document: &'a dyn Document) -> Vec<Self> {
        let mut has_setup = false;
        let places = document.places();
        let cells = document.notebook().cells.iter().enumerate();
        let code_cells = cells.filter(|(_, cell)| cell.kind == CellKind::Code);
        code_cells
            .map(|(idx, cell)| {
                let code = marimo::code_of(cell);
                // Part of the names that marimo gives private definitions.
                let analysis = scope::analyze(&code, &idx.to_string());
                let name = cell.marimo.get("name").and_then(|it| it.as_str());
                let is_setup = name == Some("setup") && !has_setup && analysis.is_ok();
                has_setup |= is_setup;
                Self {
                    idx,
                    source: &cell.source,
                    usage: usage::usage(&code).ok(),
                    code,
                    analysis,
                    is_setup,
                    name,
                    at: places
                        .get(idx)
                        .copied()
                        .unwrap_or(CellPlace { number: idx + 1, line: None }),
                }
            })
            .collect()
    }

    /// The number of the cell in the file.
    pub(super) fn number(&self) -> usize {
        self.at.number
    }

    /// A line of the cell.
    pub(super) fn place(&self, line: usize) -> Place {
        Place {
            cell: Some(self.at.number),
            name: self.name.map(str::to_owned),
            cell_line: Some(line),
            line: self.at.line.map(|first| first + line - 1),
        }
    }

    /// Where the cell binds a name.
    pub(super) fn binding(&self, name: &str) -> Place {
        let line = self.usage.as_ref().and_then(|it| it.bound.get(name));
        self.place(line.copied().unwrap_or(1))
    }

    /// Where the cell reads a name.
    pub(super) fn reading(&self, name: &str) -> Place {
        let usage = self.usage.as_ref();
        let at_once = usage.and_then(|it| it.read.get(name)).map(|it| it.line);
        let later = || usage.and_then(|it| it.read_later.get(name)).copied();
        self.place(at_once.or_else(later).unwrap_or(1))
    }
}
