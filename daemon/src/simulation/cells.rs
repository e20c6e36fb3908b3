//! Notebooks as lists of cells, whatever file they are in.
//!
//! In tests a notebook is one line: ` | ` separates cells, `+` separates the lines of one.
//! A cell that starts with `#` is markdown; `!` marks the other version of a conflict.

use std::sync::Arc;

use nbsync_formats::{Carry, Cell, CellKind, Change, Document, FormatName, Slot};

use crate::sync::align::align;
use crate::sync::conflict::is_conflict_cell;
use crate::sync::pairing::extension;

/// Reads a text in the format that it is in.
pub(crate) fn parse(path: &str, text: &str) -> Option<Box<dyn Document>> {
    let name = path.rsplit('/').next()?;
    let format = nbsync_formats::detect(name, text)?;
    nbsync_formats::format(format).parse(Arc::from(text), extension(name.into())).ok()
}

/// Returns the cells of a text, without the one that marimo adds.
pub(crate) fn shown(path: &str, text: &str) -> Option<String> {
    let document = parse(path, text)?;
    let cells = document.notebook().cells.iter().filter(|it| it.source != "import marimo as mo");
    let shown = cells.map(|cell| {
        // marimo has no tags, but the text says it too.
        if is_conflict_cell(cell) || cell.source.starts_with("**nbsync conflict**") {
            let lines: Vec<&str> = cell.source.lines().skip(3).collect();
            format!("!{}", lines[..lines.len().saturating_sub(1)].join("+"))
        } else {
            cell.source.trim_end().replace('\n', "+")
        }
    });
    Some(shown.collect::<Vec<_>>().join(" | "))
}

/// Makes cells.
pub(crate) fn cells(line: &str) -> Vec<Cell> {
    let cell = |source: &str| {
        let kind = if source.starts_with('#') { CellKind::Markdown } else { CellKind::Code };
        Cell::new(kind, source.replace('+', "\n"))
    };
    line.split(" | ").filter(|it| !it.is_empty()).map(cell).collect()
}

/// Returns a new text with these cells.
pub(crate) fn text(format: FormatName, extension: &str, line: &str) -> String {
    let notebook = nbsync_formats::Notebook { cells: cells(line), ..Default::default() };
    let format = nbsync_formats::format(format);
    format.print(&notebook, extension, Carry::All).unwrap().document.text().to_string()
}

/// Returns the text as an editor saves it that was used to make it have these cells.
pub(crate) fn edited(path: &str, text: &str, line: &str) -> String {
    let document = parse(path, text).unwrap();
    let old = &document.notebook().cells;
    let mut new = cells(line);
    // The cell that marimo adds stays where it is.
    if let Some(idx) = old.iter().position(|it| it.source == "import marimo as mo") {
        new.insert(idx.min(new.len()), old[idx].clone());
    }
    let slots: Vec<Slot> = align(old, &new)
        .into_iter()
        .zip(new)
        .map(|(origin, cell)| match origin {
            Some(idx) if old[idx].source.trim_end() == cell.source => Slot::Keep(idx),
            Some(origin) => Slot::Change { origin, changes: vec![Change::Source(cell.source)] },
            None => Slot::New(cell),
        })
        .collect();
    document.update(&slots, &[], Carry::All).unwrap().document.text().to_string()
}
