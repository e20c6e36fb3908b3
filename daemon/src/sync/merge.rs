//! Brings the edits of several replicas together.

use std::collections::{BTreeMap, BTreeSet};

use nbsync_formats::{Attribute, Cell, Change, Notebook, NotebookAttribute};
use serde_json::Value;

use super::conflict::{About, Conflict, conflict_cell};
use super::edit::{CellKey, Edit, NextKey};
use super::lines::merge_lines;
use crate::planted::{Bug, is_planted};

/// A notebook whose cells have keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Keyed {
    /// The notebook.
    pub notebook: Notebook,
    /// The key of each cell.
    pub keys: Vec<CellKey>,
}

impl Keyed {
    /// Returns the position of a cell.
    pub fn position(&self, key: CellKey) -> Option<usize> {
        self.keys.iter().position(|it| *it == key)
    }

    fn insert(&mut self, idx: usize, key: CellKey, cell: Cell) {
        self.keys.insert(idx, key);
        self.notebook.cells.insert(idx, cell);
    }

    fn remove(&mut self, idx: usize) -> (CellKey, Cell) {
        (self.keys.remove(idx), self.notebook.cells.remove(idx))
    }
}

/// What a merge came to.
#[derive(Debug)]
pub struct Merged {
    /// The base with all edits made.
    pub model: Keyed,
    /// Edits that could not be made as they were.
    pub conflicts: Vec<Conflict>,
    /// Inserted cells that turned out to be the same as another replica's: from
    /// the key that was given to the one that stands.
    pub same_as: BTreeMap<CellKey, CellKey>,
}

/// Makes the edits of all replicas to the base.
///
/// `edits` are those of each replica, the source first; it has the first word on
/// the order of insertions and on what stands in place in a conflict. Different
/// cells never conflict; within one, different lines don't. `conflicts` are those
/// that are known already.
pub fn merge(
    base: &Keyed,
    edits: &[Vec<Edit>],
    conflicts: Vec<Conflict>,
    next_key: &mut NextKey,
) -> Merged {
    let mut merge = Merge {
        base,
        base_pos: base.keys.iter().enumerate().map(|(idx, key)| (*key, idx)).collect(),
        model: base.clone(),
        inserted_by: BTreeMap::new(),
        moved: BTreeSet::new(),
        set: BTreeMap::new(),
        set_notebook: BTreeMap::new(),
        conflicts,
        same_as: BTreeMap::new(),
    };
    // An edit of a cell that another replica deleted stands, so what is edited
    // has to be known before anything is deleted.
    let edited: BTreeSet<CellKey> = edits
        .iter()
        .flatten()
        .filter_map(|edit| match edit {
            Edit::Set(key, Change::Source(_) | Change::Kind(_)) => Some(*key),
            _ => None,
        })
        .collect();
    for (replica, edits) in edits.iter().enumerate() {
        for edit in edits {
            match edit {
                Edit::Insert { key, after, cell } => merge.insert(replica, *key, *after, cell),
                Edit::Move { key, after } => merge.shift(*key, *after),
                Edit::Set(key, change) => merge.set(replica, *key, change),
                Edit::SetNotebook(attribute, value) => {
                    merge.set_notebook(replica, attribute, value.as_ref());
                }
                Edit::Delete(_) => {}
            }
        }
    }
    for edit in edits.iter().flatten() {
        if let Edit::Delete(key) = edit
            && (!edited.contains(key) || is_planted(Bug::DeletionBeatsEdit))
            && let Some(idx) = merge.model.position(*key)
        {
            merge.model.remove(idx);
        }
    }
    merge.keep_other_versions(next_key);
    Merged { model: merge.model, conflicts: merge.conflicts, same_as: merge.same_as }
}

struct Merge<'a> {
    base: &'a Keyed,
    base_pos: BTreeMap<CellKey, usize>,
    model: Keyed,
    inserted_by: BTreeMap<CellKey, usize>,
    moved: BTreeSet<CellKey>,
    /// What was set, and by which replica.
    set: BTreeMap<(CellKey, Option<Attribute>), usize>,
    set_notebook: BTreeMap<NotebookAttribute, usize>,
    conflicts: Vec<Conflict>,
    same_as: BTreeMap<CellKey, CellKey>,
}

impl Merge<'_> {
    /// Returns the position behind a cell, or behind what stood above it in the
    /// base if it is no longer there.
    fn behind(&self, after: Option<CellKey>) -> usize {
        let Some(after) = after else { return 0 };
        let after = self.same_as.get(&after).copied().unwrap_or(after);
        if let Some(idx) = self.model.position(after) {
            return idx + 1;
        }
        let above = self.base_pos.get(&after).copied().unwrap_or(0);
        self.base.keys[..above]
            .iter()
            .rev()
            .find_map(|key| self.model.position(*key))
            .map_or(0, |idx| idx + 1)
    }

    fn insert(&mut self, replica: usize, key: CellKey, after: Option<CellKey>, cell: &Cell) {
        let mut idx = self.behind(after);
        // What other replicas inserted here stands first; the same cell counts
        // once.
        while let Some(other) = self.model.keys.get(idx).copied()
            && self.inserted_by.get(&other).is_some_and(|by| *by != replica)
        {
            if same_content(&self.model.notebook.cells[idx], cell)
                && !self.same_as.values().any(|it| *it == other)
            {
                self.same_as.insert(key, other);
                return;
            }
            idx += 1;
        }
        self.model.insert(idx, key, cell.clone());
        self.inserted_by.insert(key, replica);
    }

    fn shift(&mut self, key: CellKey, after: Option<CellKey>) {
        if !self.moved.insert(key) {
            return;
        }
        if let Some(idx) = self.model.position(key) {
            let (key, cell) = self.model.remove(idx);
            let idx = self.behind(after);
            self.model.insert(idx, key, cell);
        }
    }

    fn set(&mut self, replica: usize, key: CellKey, change: &Change) {
        let (Some(idx), Some(base_idx)) =
            (self.model.position(key), self.base_pos.get(&key).copied())
        else {
            return;
        };
        let base = &self.base.notebook.cells[base_idx];
        let slot = match change {
            Change::Attribute(attribute, _) => Some(attribute.clone()),
            // The kind goes with the source: text of another kind is another text.
            Change::Source(_) | Change::Kind(_) => None,
        };
        let present = &mut self.model.notebook.cells[idx];
        let first = *self.set.entry((key, slot)).or_insert(replica);
        if first == replica {
            change.apply(present);
            return;
        }
        let lost = match change {
            Change::Source(source) => match merge_lines(&base.source, &present.source, source) {
                Some(merged) => {
                    present.source = merged;
                    return;
                }
                None => source.clone(),
            },
            Change::Kind(kind) if present.kind == base.kind || present.kind == *kind => {
                present.kind = *kind;
                return;
            }
            Change::Kind(_) => base.source.clone(),
            Change::Attribute(attribute, value) => {
                let before = base.attribute(attribute);
                let merged = merge_values(before, present.attribute(attribute), value.as_ref());
                if let Some(merged) = merged {
                    present.set_attribute(attribute, merged);
                    return;
                }
                value.as_ref().map_or_else(String::new, Value::to_string)
            }
        };
        let about = match change {
            Change::Source(_) => About::Source,
            Change::Kind(kind) => About::Kind(*kind),
            Change::Attribute(attribute, _) => About::Attribute(attribute.clone()),
        };
        self.conflicts.push(Conflict {
            key: Some(key),
            replica,
            about,
            text: lost,
            stands: None,
            shown_in: None,
        });
    }

    fn set_notebook(
        &mut self,
        replica: usize,
        attribute: &NotebookAttribute,
        value: Option<&Value>,
    ) {
        let present = self.model.notebook.attribute(attribute);
        let first = *self.set_notebook.entry(attribute.clone()).or_insert(replica);
        if first == replica {
            self.model.notebook.set_attribute(attribute, value.cloned());
            return;
        }
        let before = self.base.notebook.attribute(attribute);
        if let Some(merged) = merge_values(before.as_ref(), present.as_ref(), value) {
            self.model.notebook.set_attribute(attribute, merged);
            return;
        }
        let text = value.map_or_else(String::new, |value| {
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        });
        self.conflicts.push(Conflict {
            key: None,
            replica,
            about: About::Notebook(attribute.clone()),
            text,
            stands: None,
            shown_in: None,
        });
    }

    /// Puts the version that doesn't stand in place of every conflict right
    /// behind its cell.
    fn keep_other_versions(&mut self, next_key: &mut NextKey) {
        let mut conflicts = std::mem::take(&mut self.conflicts);
        if is_planted(Bug::DropOtherVersion) {
            return;
        }
        for idx in 0..conflicts.len() {
            let (before, [conflict, ..]) = conflicts.split_at_mut(idx) else { break };
            let same = before.iter().find(|it| {
                (it.key, &it.about, &it.text) == (conflict.key, &conflict.about, &conflict.text)
            });
            conflict.shown_in = match same {
                Some(same) => same.shown_in,
                None => Some(self.keep_other_version(conflict, next_key)),
            };
        }
        self.conflicts = conflicts;
    }

    fn keep_other_version(&mut self, conflict: &Conflict, next_key: &mut NextKey) -> CellKey {
        let (idx, kind) = match conflict.key.and_then(|key| self.model.position(key)) {
            Some(idx) => {
                let cell = &mut self.model.notebook.cells[idx];
                if let Some(stands) = &conflict.stands {
                    cell.source.clone_from(stands);
                }
                (idx + 1, Some(cell.kind))
            }
            None => (0, None),
        };
        let cell = conflict_cell(&conflict.about, &conflict.text, kind);
        // It may be there already, after a crash between two writes.
        if let (Some(present), Some(key)) =
            (self.model.notebook.cells.get(idx), self.model.keys.get(idx))
            && same_content(present, &cell)
        {
            return *key;
        }
        let key = next_key.take();
        self.model.insert(idx, key, cell);
        key
    }
}

fn same_content(a: &Cell, b: &Cell) -> bool {
    a.kind == b.kind && a.source.trim_end() == b.source.trim_end()
}

/// Merges two edits of a JSON value, or returns `None` if they overlap.
///
/// Objects merge key by key, and lists of strings (tags) as sets.
#[allow(clippy::option_option, reason = "the outer says whether, the inner what")]
fn merge_values(
    base: Option<&Value>,
    ours: Option<&Value>,
    theirs: Option<&Value>,
) -> Option<Option<Value>> {
    if ours == theirs || theirs == base {
        return Some(ours.cloned());
    }
    if ours == base {
        return Some(theirs.cloned());
    }
    match (ours, theirs) {
        (Some(Value::Object(ours)), Some(Value::Object(theirs))) => {
            let empty = serde_json::Map::new();
            let base = base.and_then(Value::as_object).unwrap_or(&empty);
            let mut res = ours.clone();
            let keys: BTreeSet<&String> =
                base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
            for key in keys {
                match merge_values(base.get(key), ours.get(key), theirs.get(key))? {
                    Some(value) => {
                        res.insert(key.clone(), value);
                    }
                    None => {
                        res.shift_remove(key);
                    }
                }
            }
            Some(Some(Value::Object(res)))
        }
        (Some(Value::Array(ours)), Some(Value::Array(theirs)))
            if ours.iter().chain(theirs).all(Value::is_string) =>
        {
            let empty = Vec::new();
            let base = base.and_then(Value::as_array).unwrap_or(&empty);
            let mut res: Vec<Value> = ours
                .iter()
                .filter(|it| theirs.contains(it) || !base.contains(it))
                .cloned()
                .collect();
            for value in theirs {
                if !base.contains(value) && !res.contains(value) {
                    res.push(value.clone());
                }
            }
            Some(Some(Value::Array(res)))
        }
        _ => None,
    }
}
