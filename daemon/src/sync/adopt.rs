//! Takes up a pairing whose files are there, but not what they last agreed on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use nbsync_formats::{Attribute, Cell, Change, Document, PrintError};

use super::base::{Base, Dialect};
use super::conflict::{About, Conflict};
use super::edit::{CellKey, Edit, diff};
use super::merge::Keyed;
use super::reconcile::{Outcome, ReconcileError, Seen, reconcile_edits};
use crate::planted::{Bug, is_planted};

/// Finds what the replicas agree on, without a base.
///
/// `found` are the replicas in the order of the pairing, the source first; those
/// that have no file yet have no document and get one. Equal content is adopted
/// as it is, so no file changes. Where the files differ both versions are kept:
/// with no common ancestor there is no telling which is newer, and picking one
/// would throw the other away.
pub fn adopt(
    found: &[(Dialect, Option<Arc<dyn Document>>)],
) -> Result<Option<Outcome>, ReconcileError> {
    // The replica with outputs also has the most faithful text of each cell.
    let richest = found
        .iter()
        .position(|(dialect, document)| document.is_some() && dialect.format().has_outputs())
        .or_else(|| found.iter().position(|(_, document)| document.is_some()));
    let Some(richest) = richest else { return Ok(None) };
    let (dialect, Some(document)) = &found[richest] else { return Ok(None) };
    let mut base = Base::of_source(dialect.clone(), Arc::clone(document));
    for (idx, (dialect, _)) in found.iter().enumerate() {
        if idx != richest {
            base.add_replica(dialect.clone())
                .map_err(|source: PrintError| ReconcileError { replica: idx, source })?;
        }
    }
    let model = base.replicas.remove(0);
    base.replicas.insert(richest, model);

    let positions = positions(&base.model);
    let mut next_key = base.next_key;
    let mut seen = Vec::new();
    let mut edits = Vec::new();
    for (replica, (_, document)) in base.replicas.iter().zip(found) {
        match document {
            None => {
                seen.push(Seen::Unchanged);
                edits.push((Vec::new(), replica.keys.clone()));
            }
            Some(document) => {
                let found = diff(
                    &base.model,
                    replica.document.notebook(),
                    &replica.keys,
                    document.as_ref(),
                    &mut next_key,
                );
                let mut shown = HashMap::new();
                for (key, cell) in replica.keys.iter().zip(&replica.document.notebook().cells) {
                    if let Some(key) = key {
                        shown.entry(*key).or_insert(cell);
                    }
                }
                let mut here = HashMap::new();
                for (idx, key) in found.keys.iter().enumerate() {
                    if let Some(key) = key {
                        here.entry(*key).or_insert(idx);
                    }
                }
                let is =
                    |key: &CellKey| positions.get(key).map(|idx| &base.model.notebook.cells[*idx]);
                let steps = found
                    .edits
                    .into_iter()
                    .filter(|edit| is_kept(edit, &base.model, is, &shown))
                    .filter(|edit| !is_misread(edit, is, document.as_ref(), &here))
                    .collect();
                seen.push(Seen::Changed(Arc::clone(document)));
                edits.push((steps, found.keys));
            }
        }
    }
    let conflicts = conflicts(&edits, &base.model, &positions, richest);
    base.next_key = next_key;
    reconcile_edits(&base, &seen, edits, &conflicts).map(Some)
}

/// Whether a difference to what the richest replica would give counts.
///
/// `is` gives the cell of the richest replica, and `shown` has what this one would show.
fn is_kept<'a>(
    edit: &Edit,
    model: &Keyed,
    is: impl Fn(&CellKey) -> Option<&'a Cell>,
    shown: &HashMap<CellKey, &Cell>,
) -> bool {
    match edit {
        // What only one side has may be new there or deleted here.
        Edit::Delete(_) => is_planted(Bug::BelieveDeletionsWithoutBase),
        // A text format can't say how many newlines a cell ends in.
        Edit::Set(key, Change::Source(source)) => {
            shown.get(key).is_some_and(|cell| cell.source.trim() != source.trim())
        }
        Edit::Set(key, Change::Attribute(attribute @ Attribute::Metadata(_), value)) => {
            value.is_some() && is(key).is_some_and(|cell| cell.attribute(attribute).is_none())
        }
        Edit::SetNotebook(attribute, value) => {
            value.is_some() && model.notebook.attribute(attribute).is_none()
        }
        // With both versions kept, nothing is to be split.
        Edit::Split { .. } | Edit::Join { .. } => false,
        Edit::Set(..) | Edit::Insert { .. } | Edit::Move { .. } => true,
    }
}

/// Whether a difference is only what the tool of the format makes of its own text.
fn is_misread<'a>(
    edit: &Edit,
    is: impl Fn(&CellKey) -> Option<&'a Cell>,
    document: &dyn Document,
    here: &HashMap<CellKey, usize>,
) -> bool {
    let Edit::Set(key, _) = edit else { return false };
    let (Some(is), Some(here)) = (is(key), here.get(key)) else { return false };
    document.is_written_for(*here, is)
}

fn positions(model: &Keyed) -> HashMap<CellKey, usize> {
    model.keys.iter().enumerate().map(|(idx, key)| (*key, idx)).collect()
}

/// Every text that differs from the richest replica's is a conflict with it. The
/// source's version stands in place.
fn conflicts(
    edits: &[(Vec<Edit>, Vec<Option<CellKey>>)],
    model: &Keyed,
    positions: &HashMap<CellKey, usize>,
    richest: usize,
) -> Vec<Conflict> {
    // For each cell, what each replica has for it, the source first.
    let mut versions: BTreeMap<CellKey, Vec<(usize, &String)>> = BTreeMap::new();
    for (replica, (edits, _)) in edits.iter().enumerate() {
        for edit in edits {
            if let Edit::Set(key, Change::Source(source)) = edit {
                versions.entry(*key).or_default().push((replica, source));
            }
        }
    }
    let mut res: Vec<Conflict> = Vec::new();
    for (key, mut texts) in versions {
        let Some(idx) = positions.get(&key) else { continue };
        texts.push((richest, &model.notebook.cells[*idx].source));
        let mut known: BTreeSet<&String> = BTreeSet::new();
        // The source's, if it differs from the richest replica's, else that.
        let standing = if texts[0].0 == 0 { 0 } else { texts.len() - 1 };
        let (_, stands) = texts.remove(standing);
        for (replica, text) in texts {
            if text != stands && known.insert(text) {
                res.push(Conflict {
                    key: Some(key),
                    replica,
                    about: About::Source,
                    text: text.clone(),
                    stands: Some(stands.clone()),
                    shown_in: None,
                });
            }
        }
    }
    res
}
