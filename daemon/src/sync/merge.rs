//! Brings the edits of several replicas together.

mod cells;
mod regroup;
mod values;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use nbsync_formats::{Attribute, Cell, Change, Notebook, NotebookAttribute};
use serde_json::Value;

use cells::Cells;
use regroup::Regroups;
use values::merge_values;

use super::conflict::{About, Conflict, conflict_cell, further_conflict_cell, is_conflict_cell};
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
    conflicts: &[Conflict],
    next_key: &mut NextKey,
) -> Merged {
    let mut plain = BTreeSet::new();
    loop {
        match try_merge(base, edits, conflicts, &plain, next_key) {
            Ok(merged) => return merged,
            Err(keys) => plain.extend(keys),
        }
    }
}

/// Merges, or returns split cells that another replica edited across a cut, whose texts have
/// to be merged as if nobody knew of that.
fn try_merge(
    base: &Keyed,
    edits: &[Vec<Edit>],
    conflicts: &[Conflict],
    plain: &BTreeSet<CellKey>,
    next_key: &mut NextKey,
) -> Result<Merged, Vec<CellKey>> {
    let regroups = Regroups::new(edits, plain);
    let mut merge = Merge {
        base,
        base_pos: base.keys.iter().enumerate().map(|(idx, key)| (*key, idx)).collect(),
        model: Cells::new(base),
        placed_by: BTreeMap::new(),
        set: BTreeMap::new(),
        set_notebook: BTreeMap::new(),
        conflicts: conflicts.to_vec(),
        same_as: BTreeMap::new(),
        is_same: BTreeSet::new(),
    };
    // An edit of a cell that another replica deleted stands, so what is edited
    // has to be known before anything is deleted.
    let edited: BTreeSet<CellKey> = edits
        .iter()
        .flatten()
        .filter_map(|edit| match edit {
            Edit::Set(key, change) if is_meant(change) => Some(*key),
            _ => None,
        })
        .collect();
    for (replica, edits) in edits.iter().enumerate() {
        for edit in edits {
            match edit {
                Edit::Insert { key, after, cell } => merge.insert(replica, *key, *after, cell),
                Edit::Move { key, after } => merge.shift(replica, *key, *after),
                Edit::Set(key, Change::Source(_)) if regroups.skips(replica, *key) => {}
                Edit::Set(key, change) => merge.set(replica, *key, change),
                Edit::SetNotebook(attribute, value) => {
                    merge.set_notebook(replica, attribute, value.as_ref());
                }
                Edit::Delete(_) | Edit::Split { .. } | Edit::Join { .. } => {}
            }
        }
    }
    let failed = merge.regroup(&regroups);
    if !failed.is_empty() {
        return Err(failed);
    }
    merge.glue(edits);
    for edit in edits.iter().flatten() {
        if let Edit::Delete(key) = edit
            && (!edited.contains(key) || is_planted(Bug::DeletionBeatsEdit))
        {
            merge.model.remove(*key);
        }
    }
    merge.keep_other_versions(next_key);
    let Merge { model, conflicts, same_as, .. } = merge;
    Ok(Merged { model: model.into_keyed(), conflicts, same_as })
}

/// Whether a change of a cell is one that somebody made, so that the cell stands although
/// another replica deleted it.
///
/// Jupyter and its extensions note on every run, and on every click on a fold, what they find.
fn is_meant(change: &Change) -> bool {
    match change {
        Change::Attribute(Attribute::Metadata(name), _) => !NOTED_BY_EDITORS.contains(&&**name),
        Change::Attribute(Attribute::Marimo(_), _) | Change::Source(_) | Change::Kind(_) => true,
    }
}

/// Metadata of cells that editors write by themselves: nbformat's, JupyterLab's, and those of
/// VS Code and of the extensions `ExecuteTime` and `collapsible headings`.
const NOTED_BY_EDITORS: [&str; 9] = [
    "ExecuteTime",
    "autoscroll",
    "collapsed",
    "execution",
    "heading_collapsed",
    "jupyter",
    "scrolled",
    "trusted",
    "vscode",
];

struct Merge<'a> {
    base: &'a Keyed,
    base_pos: BTreeMap<CellKey, usize>,
    model: Cells,
    /// Who inserted or moved a cell.
    placed_by: BTreeMap<CellKey, usize>,
    /// What was set, and by which replica.
    set: BTreeMap<(CellKey, Option<Attribute>), usize>,
    set_notebook: BTreeMap<NotebookAttribute, usize>,
    conflicts: Vec<Conflict>,
    same_as: BTreeMap<CellKey, CellKey>,
    /// The cells that others are the same as, and whose those are.
    is_same: BTreeSet<(CellKey, usize)>,
}

impl Merge<'_> {
    /// Returns the cell itself, or what stood above it in the base if it is no longer there.
    fn above(&self, after: Option<CellKey>) -> Option<CellKey> {
        let after = after?;
        let after = self.same_as.get(&after).copied().unwrap_or(after);
        if self.model.has(after) {
            return Some(after);
        }
        let above = self.base_pos.get(&after).copied().unwrap_or(0);
        self.base.keys[..above].iter().rev().copied().find(|key| self.model.has(*key))
    }

    /// Puts a new cell in its place. The same one, inserted by another replica, counts once.
    fn insert(&mut self, replica: usize, key: CellKey, after: Option<CellKey>, cell: &Cell) {
        let mut above = self.above(after);
        while let Some(other) = self.placed_below(above, replica) {
            let is_new = !self.base_pos.contains_key(&other);
            if is_new
                && self.model.get(other).is_some_and(|it| same_content(it, cell))
                && self.is_same.insert((other, replica))
            {
                self.same_as.insert(key, other);
                self.take_attributes(other, cell);
                return;
            }
            above = Some(other);
        }
        self.model.insert(above, key, cell.clone());
        self.placed_by.insert(key, replica);
    }

    /// Returns the cell below another one, if it is another replica that put it there. What
    /// that put there stands first.
    fn placed_below(&self, above: Option<CellKey>, replica: usize) -> Option<CellKey> {
        let other = self.model.below(above)?;
        self.placed_by.get(&other).is_some_and(|by| *by != replica).then_some(other)
    }

    /// Gives an inserted cell what only another replica says of it.
    fn take_attributes(&mut self, key: CellKey, cell: &Cell) {
        let Some(present) = self.model.get_mut(key) else { return };
        for attribute in cell.attributes() {
            let merged =
                merge_values(None, present.attribute(&attribute), cell.attribute(&attribute));
            if let Some(merged) = merged {
                present.set_attribute(&attribute, merged);
            }
        }
    }

    fn shift(&mut self, replica: usize, key: CellKey, after: Option<CellKey>) {
        // The first one to move it has the word.
        if self.placed_by.contains_key(&key) {
            return;
        }
        if let Some(cell) = self.model.remove(key) {
            let mut above = self.above(after);
            while let Some(other) = self.placed_below(above, replica) {
                above = Some(other);
            }
            self.model.insert(above, key, cell);
            self.placed_by.insert(key, replica);
        }
    }

    fn set(&mut self, replica: usize, key: CellKey, change: &Change) {
        let (Some(present), Some(base_idx)) = (self.model.get_mut(key), self.base_pos.get(&key))
        else {
            return;
        };
        let base = &self.base.notebook.cells[*base_idx];
        let slot = match change {
            Change::Attribute(attribute, _) => Some(attribute.clone()),
            // The kind goes with the source: text of another kind is another text.
            Change::Source(_) | Change::Kind(_) => None,
        };
        let first = *self.set.entry((key, slot)).or_insert(replica);
        if first == replica {
            change.apply(present);
            return;
        }
        let lost = match change {
            Change::Source(source) => match merge_sources(&base.source, &present.source, source) {
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
        let mut shown: HashMap<(Option<CellKey>, About, String), CellKey> = HashMap::new();
        for conflict in &mut conflicts {
            let what = (conflict.key, conflict.about.clone(), conflict.text.clone());
            let cell =
                *shown.entry(what).or_insert_with(|| self.keep_other_version(conflict, next_key));
            conflict.shown_in = Some(cell);
        }
        self.conflicts = conflicts;
    }

    fn keep_other_version(&mut self, conflict: &Conflict, next_key: &mut NextKey) -> CellKey {
        let above = conflict.key.filter(|key| self.model.has(*key));
        let mut kind = None;
        let mut is_further = false;
        if let Some(cell) = above.and_then(|key| self.model.get_mut(key)) {
            kind = Some(cell.kind);
            is_further = conflict.about == About::Source && is_conflict_cell(cell);
            if let Some(stands) = &conflict.stands {
                cell.source.clone_from(stands);
            }
        }
        let cell = if is_further {
            further_conflict_cell(&conflict.text)
        } else {
            conflict_cell(&conflict.about, &conflict.text, kind)
        };
        // It may be there already, after a crash between two writes.
        if let Some(below) = self.model.below(above)
            && self.model.get(below).is_some_and(|it| same_content(it, &cell))
        {
            return below;
        }
        let key = next_key.take();
        self.model.insert(above, key, cell);
        key
    }
}

/// Merges two edits of a cell's text, or returns `None` if they overlap.
///
/// Scripts do not show the white space that a cell ends in, so two that differ in nothing else are the
/// same edit.
fn merge_sources(base: &str, ours: &str, theirs: &str) -> Option<String> {
    merge_lines(base, ours, theirs).or_else(|| {
        let [base, our_text, their_text] = [base, ours, theirs].map(str::trim_end);
        let merged = merge_lines(base, our_text, their_text)?;
        let whole = [(our_text, ours), (their_text, theirs)].into_iter();
        let whole = whole.filter(|(text, _)| *text == merged).map(|it| it.1);
        Some(whole.max_by_key(|it| it.len()).map_or(merged.clone(), str::to_owned))
    })
}

fn same_content(a: &Cell, b: &Cell) -> bool {
    a.kind == b.kind && a.source.trim_end() == b.source.trim_end()
}
