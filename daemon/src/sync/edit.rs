//! What somebody did to a notebook, as data.

use std::collections::{BTreeMap, BTreeSet};

use nbsync_formats::{Attribute, Cell, Change, Document, Notebook, NotebookAttribute};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::align::align_others;
use super::merge::Keyed;
use super::parts::{Parts, parts};
use super::regroup::regroup;

/// Names a cell of a pairing for as long as the pairing exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CellKey(pub u32);

/// Gives out keys that were never used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NextKey(pub u32);

impl NextKey {
    /// Returns a new key.
    pub fn take(&mut self) -> CellKey {
        let key = CellKey(self.0);
        self.0 += 1;
        key
    }
}

/// One step of an edit, on the cells of the base.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// A new cell stands behind the cell `after`, or at the top.
    Insert {
        /// The new cell's key.
        key: CellKey,
        /// Its neighbour above.
        after: Option<CellKey>,
        /// The cell.
        cell: Cell,
    },
    /// The cell is gone.
    Delete(CellKey),
    /// The cell stands behind the cell `after` now, or at the top.
    Move {
        /// The cell.
        key: CellKey,
        /// Its neighbour above.
        after: Option<CellKey>,
    },
    /// Something about the cell has changed.
    Set(CellKey, Change),
    /// Something about the notebook has changed.
    SetNotebook(NotebookAttribute, Option<Value>),
    /// Nothing but the cell's lines went to several cells.
    ///
    /// Says what the inserts and sets beside it come from.
    Split {
        /// The cell, which is one of the parts now.
        key: CellKey,
        /// All parts, top to bottom.
        parts: Vec<CellKey>,
        /// The line of the old text at which each part but the first begins.
        at: Vec<usize>,
    },
    /// The lines of several cells are in one now, and nothing else is.
    ///
    /// Says what the set and the deletions beside it come from.
    Join {
        /// The cell that has all, one of those that were there.
        key: CellKey,
        /// Those, top to bottom.
        parts: Vec<CellKey>,
        /// How many blank lines there are above each part but the first.
        gaps: Vec<usize>,
    },
}

impl Edit {
    /// Returns the cell that the step is about.
    pub fn key(&self) -> Option<CellKey> {
        match self {
            Self::Insert { key, .. }
            | Self::Delete(key)
            | Self::Move { key, .. }
            | Self::Set(key, _)
            | Self::Split { key, .. }
            | Self::Join { key, .. } => Some(*key),
            Self::SetNotebook(..) => None,
        }
    }
}

/// What one replica did since the base, and which cell each of its cells is.
#[derive(Debug)]
pub struct ReplicaEdits {
    /// The steps, inserts and moves from top to bottom.
    pub edits: Vec<Edit>,
    /// The key of each cell in the replica's present view; `None` for cells that
    /// its format needs for itself.
    pub keys: Vec<Option<CellKey>>,
}

/// Compares two views of one replica.
///
/// `old_keys` says which cell of the base each cell of the old view stands for.
/// What the format doesn't show is in neither view and so in no edit. The model is
/// needed for cells that the format shows in several parts.
pub fn diff(
    model: &Keyed,
    old: &Notebook,
    old_keys: &[Option<CellKey>],
    document: &dyn Document,
    next_key: &mut NextKey,
) -> ReplicaEdits {
    let own = own_cells(&old.cells, old_keys, &document.notebook().cells);
    let old_of = align_others(&old.cells, &document.notebook().cells, &own);
    diff_aligned(model, (old, old_keys), document, old_of, next_key)
}

/// The same, for a replica that has the cells of another one, of which is known which ones they
/// are; `None` if it has others.
///
/// Not every format knows what became of a cell that was edited and moved. Seen in two ways, one
/// edit would count as two.
pub(super) fn diff_like(
    like: (&Notebook, &[Option<CellKey>]),
    model: &Keyed,
    (old, old_keys): (&Notebook, &[Option<CellKey>]),
    document: &dyn Document,
    next_key: &mut NextKey,
) -> Option<ReplicaEdits> {
    let new = &document.notebook().cells;
    let own = own_cells(&old.cells, old_keys, new);
    let mut old_of = vec![None; new.len()];
    for &(old_idx, new_idx) in &own {
        old_of[new_idx] = Some(old_idx);
    }
    let mut idxs: BTreeMap<CellKey, usize> = BTreeMap::new();
    for (idx, key) in old_keys.iter().enumerate() {
        // One that is shown in parts has no equal.
        if let Some(key) = key
            && idxs.insert(*key, idx).is_some()
        {
            return None;
        }
    }
    let mut others = like.0.cells.iter().zip(like.1).filter(|(_, key)| key.is_some());
    for (new_idx, cell) in
        new.iter().enumerate().filter(|(idx, _)| old_of[*idx].is_none()).collect::<Vec<_>>()
    {
        let (other, key) = others.next()?;
        if other.kind != cell.kind || other.source.trim_end() != cell.source.trim_end() {
            return None;
        }
        old_of[new_idx] = key.and_then(|key| idxs.get(&key).copied());
    }
    others
        .next()
        .is_none()
        .then(|| diff_aligned(model, (old, old_keys), document, old_of, next_key))
}

/// Compares two views of a replica of which is known which cells are the same.
fn diff_aligned(
    model: &Keyed,
    (old, old_keys): (&Notebook, &[Option<CellKey>]),
    document: &dyn Document,
    mut old_of: Vec<Option<usize>>,
    next_key: &mut NextKey,
) -> ReplicaEdits {
    let new = document.notebook();
    let single = single_cells(model, &old.cells, old_keys);
    let regroups = regroup(&old.cells, &new.cells, &mut old_of, &single);
    let parts = parts(model, (&old.cells, old_keys), (&new.cells, &old_of));

    let mut keys: Vec<Option<CellKey>> = Vec::with_capacity(new.cells.len());
    let mut edits = Vec::new();
    let mut sets = Vec::new();
    let mut is_inserted = vec![false; new.cells.len()];
    let mut seen = BTreeSet::new();
    for (new_idx, cell) in new.cells.iter().enumerate() {
        let old_idx = old_of[new_idx];
        let old_cell = old_idx.map(|idx| &old.cells[idx]);
        let key = match (old_idx.map(|idx| old_keys[idx]), old_cell) {
            (Some(Some(key)), Some(old_cell)) if parts.contains_key(&key) => {
                let is_first = seen.insert(key);
                match &parts[&key] {
                    Parts::Intact => Some(key),
                    Parts::Edited(source) => {
                        if is_first {
                            sets.push(Edit::Set(key, Change::Source(source.clone())));
                        }
                        Some(key)
                    }
                    // The first part that is left stands for the cell.
                    Parts::Apart if is_first => {
                        let changes = changes(old_cell, cell, true);
                        sets.extend(changes.map(|change| Edit::Set(key, change)));
                        Some(key)
                    }
                    Parts::Apart => {
                        is_inserted[new_idx] = true;
                        Some(next_key.take())
                    }
                }
            }
            (Some(Some(key)), Some(old_cell)) => {
                seen.insert(key);
                sets.extend(changes(old_cell, cell, false).map(|change| Edit::Set(key, change)));
                Some(key)
            }
            // The format's own cell stays its own until somebody edits or uses it.
            (Some(None), Some(old_cell)) if old_cell == cell && !document.is_used(new_idx) => None,
            _ => {
                is_inserted[new_idx] = true;
                Some(next_key.take())
            }
        };
        keys.push(key);
    }

    let found = regroups.splits.into_iter().filter_map(|it| {
        let parts = keys[it.parts].iter().copied().collect::<Option<_>>()?;
        Some(Edit::Split { key: old_keys[it.whole]?, parts, at: it.at })
    });
    let regrouped: Vec<Edit> = found
        .chain(regroups.joins.into_iter().filter_map(|it| {
            let parts = old_keys[it.parts].iter().copied().collect::<Option<_>>()?;
            Some(Edit::Join { key: keys[it.whole]?, parts, gaps: it.gaps })
        }))
        .collect();

    let moved = moved_cells(&keys, &is_inserted, old_keys);
    let mut after = None;
    for (new_idx, key) in keys.iter().enumerate() {
        let Some(key) = *key else { continue };
        if after == Some(key) {
            continue;
        }
        if is_inserted[new_idx] {
            edits.push(Edit::Insert { key, after, cell: new.cells[new_idx].clone() });
        } else if moved.contains(&key) {
            edits.push(Edit::Move { key, after });
        }
        after = Some(key);
    }
    edits.extend(sets);
    let mut deleted: Vec<CellKey> =
        old_keys.iter().flatten().copied().filter(|key| !seen.contains(key)).collect();
    deleted.dedup();
    edits.extend(deleted.into_iter().map(Edit::Delete));
    edits.extend(regrouped);

    let mut attributes: Vec<NotebookAttribute> = old.attributes().chain(new.attributes()).collect();
    attributes.sort();
    attributes.dedup();
    for attribute in attributes {
        let value = new.attribute(&attribute);
        let is_hidden =
            matches!(attribute, NotebookAttribute::Metadata(_)) && !document.shows_metadata();
        if old.attribute(&attribute) != value && !is_hidden {
            edits.push(Edit::SetNotebook(attribute, value));
        }
    }
    ReplicaEdits { edits, keys }
}

/// Returns the cells of the format's own, where they were and where they are, of which there is just one.
///
/// It moves them as it likes, so that their places say nothing of the cells around them.
fn own_cells(old: &[Cell], old_keys: &[Option<CellKey>], new: &[Cell]) -> Vec<(usize, usize)> {
    let own = old.iter().zip(old_keys).enumerate().filter(|(_, (_, key))| key.is_none());
    own.filter_map(|(old_idx, (cell, _))| {
        let is_it = |it: &Cell| it.kind == cell.kind && it.source == cell.source;
        let mut found = new.iter().enumerate().filter(|(_, it)| is_it(it));
        let (new_idx, _) = found.next()?;
        let is_only_one = found.next().is_none() && old.iter().filter(|it| is_it(it)).count() == 1;
        is_only_one.then_some((old_idx, new_idx))
    })
    .collect()
}

/// Returns the keys of the old cells that are all of one cell, and shown as it is: of others
/// the lines can't be told apart.
fn single_cells(model: &Keyed, old: &[Cell], old_keys: &[Option<CellKey>]) -> Vec<Option<CellKey>> {
    let is: BTreeMap<CellKey, &Cell> =
        model.keys.iter().copied().zip(&model.notebook.cells).collect();
    let mut n_shown: BTreeMap<CellKey, usize> = BTreeMap::new();
    for key in old_keys.iter().flatten() {
        *n_shown.entry(*key).or_default() += 1;
    }
    let is_single = |key: CellKey, shown: &Cell| {
        n_shown.get(&key) == Some(&1)
            && is.get(&key).is_some_and(|is| {
                is.kind == shown.kind && is.source.trim_end() == shown.source.trim_end()
            })
    };
    old.iter().zip(old_keys).map(|(cell, key)| key.filter(|key| is_single(*key, cell))).collect()
}

/// Returns what changed from one cell to another.
///
/// With `whole`, the source counts as changed even if it is the same, because
/// the old cell stood for more than this source.
fn changes<'a>(
    old: &'a Cell,
    new: &'a Cell,
    whole: bool,
) -> impl Iterator<Item = Change> + use<'a> {
    let kind = (old.kind != new.kind).then_some(Change::Kind(new.kind));
    let source = (whole || old.source != new.source).then(|| Change::Source(new.source.clone()));
    let mut attributes: Vec<_> = old.attributes().chain(new.attributes()).collect();
    attributes.sort();
    attributes.dedup();
    let attributes = attributes.into_iter().filter_map(|attribute| {
        let value = new.attribute(&attribute);
        (old.attribute(&attribute) != value && !is_twin(&attribute, old, new))
            .then(|| Change::Attribute(attribute.clone(), value.cloned()))
    });
    kind.into_iter().chain(source).chain(attributes)
}

/// Whether nothing but this is new: that the outputs are folded is said in a second place, too.
///
/// JupyterLab says it in two, and adds the one that is missing to every notebook that it saves.
fn is_twin(attribute: &Attribute, old: &Cell, new: &Cell) -> bool {
    if !matches!(attribute, Attribute::Metadata(name) if name == "jupyter") {
        return false;
    }
    let own = |cell: &Cell| match cell.metadata.get("jupyter") {
        None => Some(Map::new()),
        Some(Value::Object(own)) => Some(own.clone()),
        Some(_) => None,
    };
    let (Some(was), Some(mut is)) = (own(old), own(new)) else { return false };
    let twin = is.shift_remove("outputs_hidden");
    let is_folded = new.metadata.get("collapsed");
    was == is
        && twin.is_some()
        && twin.as_ref() == is_folded
        && is_folded == old.metadata.get("collapsed")
}

/// Returns the cells that no longer stand in the order of the base: all but the
/// longest run that does.
fn moved_cells(
    keys: &[Option<CellKey>],
    is_inserted: &[bool],
    old_keys: &[Option<CellKey>],
) -> BTreeSet<CellKey> {
    let mut old_pos: BTreeMap<CellKey, usize> = BTreeMap::new();
    for (idx, key) in old_keys.iter().enumerate() {
        if let Some(key) = key {
            old_pos.entry(*key).or_insert(idx);
        }
    }
    let mut sequence: Vec<(CellKey, usize)> = Vec::new();
    for (idx, key) in keys.iter().enumerate() {
        if let Some(key) = key
            && !is_inserted[idx]
            && sequence.last().is_none_or(|(last, _)| last != key)
        {
            sequence.push((*key, old_pos[key]));
        }
    }
    let positions: Vec<usize> = sequence.iter().map(|(_, pos)| *pos).collect();
    let stays = longest_run(&positions);
    sequence.iter().zip(stays).filter(|(_, stays)| !stays).map(|((key, _), _)| *key).collect()
}

/// Says of each number whether it belongs to the longest run that grows.
pub(crate) fn longest_run(numbers: &[usize]) -> Vec<bool> {
    // Patience sorting: `tails[n]` ends the best run of length n + 1.
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; numbers.len()];
    for (idx, &number) in numbers.iter().enumerate() {
        let len = tails.partition_point(|&tail| numbers[tail] < number);
        before[idx] = len.checked_sub(1).map(|len| tails[len]);
        if len == tails.len() {
            tails.push(idx);
        } else {
            tails[len] = idx;
        }
    }
    let mut stays = vec![false; numbers.len()];
    let mut idx = tails.last().copied();
    while let Some(at) = idx {
        stays[at] = true;
        idx = before[at];
    }
    stays
}
