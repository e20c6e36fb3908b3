//! Tells an edit in words, for people who watch.

use std::collections::BTreeSet;

use nbsync_formats::{Attribute, Cell, Change, NotebookAttribute};

use crate::sync::edit::{CellKey, Edit};
use crate::sync::merge::Keyed;

/// How much of a cell's first line is shown.
const MAX_CHARS: usize = 40;

/// Returns one line for each change. `before` is the notebook that was edited, and
/// `after` what it became; cells are numbered from 1, in `before` where they were
/// there.
pub(super) fn describe(edits: &[Vec<Edit>], before: Option<&Keyed>, after: &Keyed) -> Vec<String> {
    let mut res = Vec::new();
    for edits in edits {
        // The lines of a cell that was split or joined are no news in each of its parts.
        let regrouped = edits.iter().filter_map(|edit| match edit {
            Edit::Split { parts, .. } | Edit::Join { parts, .. } => Some(parts),
            _ => None,
        });
        let told: BTreeSet<CellKey> = regrouped.flatten().copied().collect();
        let is_told = |edit: &Edit| match edit {
            Edit::Insert { key, .. } | Edit::Delete(key) | Edit::Set(key, Change::Source(_)) => {
                told.contains(key)
            }
            _ => false,
        };
        let news = edits.iter().filter(|it| !is_told(it));
        res.extend(news.map(|edit| describe_one(edit, before, after)));
    }
    res
}

/// Returns one line for each cell that has the outputs of a run in marimo now.
pub(super) fn describe_runs(ran: &[CellKey], model: &Keyed) -> Vec<String> {
    ran.iter().map(|key| format!("cell {} ran in marimo", number(model, *key))).collect()
}

fn describe_one(edit: &Edit, before: Option<&Keyed>, after: &Keyed) -> String {
    let was = |key: &CellKey| number(before.unwrap_or(after), *key);
    match edit {
        Edit::Insert { key, cell, .. } => {
            format!("new {} cell {}: {}", cell.kind.as_str(), number(after, *key), beginning(cell))
        }
        Edit::Delete(key) => format!("cell {} deleted", was(key)),
        Edit::Move { key, .. } => format!("cell {} moved to {}", was(key), number(after, *key)),
        Edit::Split { key, parts, .. } => {
            format!("cell {} split into {}", was(key), numbers(after, parts))
        }
        Edit::Join { key, parts, .. } => {
            let model = before.unwrap_or(after);
            format!("cells {} joined into {}", numbers(model, parts), number(after, *key))
        }
        Edit::Set(key, Change::Source(source)) => {
            let cell = Cell::new(nbsync_formats::CellKind::Code, source.clone());
            format!("cell {} edited: {}", was(key), beginning(&cell))
        }
        Edit::Set(key, Change::Kind(kind)) => {
            format!("cell {} is {} now", was(key), kind.as_str())
        }
        Edit::Set(key, Change::Attribute(attribute, value)) => {
            let (Attribute::Metadata(name) | Attribute::Marimo(name)) = attribute;
            match value {
                Some(value) => format!("cell {}: {name} = {value}", was(key)),
                None => format!("cell {}: no {name} any more", was(key)),
            }
        }
        Edit::SetNotebook(attribute, value) => {
            let name = match attribute {
                NotebookAttribute::Metadata(name) | NotebookAttribute::Marimo(name) => name,
                NotebookAttribute::Script => "PEP 723 block",
            };
            let verb = if value.is_some() { "changed" } else { "removed" };
            format!("notebook: {name} {verb}")
        }
    }
}

fn number(model: &Keyed, key: CellKey) -> String {
    model.position(key).map_or_else(|| "?".to_owned(), |idx| (idx + 1).to_string())
}

fn numbers(model: &Keyed, keys: &[CellKey]) -> String {
    let numbers: Vec<String> = keys.iter().map(|key| number(model, *key)).collect();
    match &*numbers {
        [head @ .., last] if !head.is_empty() => format!("{} and {last}", head.join(", ")),
        _ => numbers.concat(),
    }
}

/// The first line that says something, cut to a length.
fn beginning(cell: &Cell) -> String {
    let line = cell.source.lines().find(|line| !line.trim().is_empty()).unwrap_or("").trim();
    let mut res: String = line.chars().take(MAX_CHARS).collect();
    if res.len() < line.len() || res.len() < cell.source.trim().len() {
        res.push_str(" ...");
    }
    res
}
