//! Compares the replicas with the base, and decides.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use nbsync_formats::{Cell, Change, Document, Notebook, NotebookAttribute, PrintError, Slot};
use serde_json::Value;

use super::base::{Base, BaseReplica};
use super::conflict::Conflict;
use super::edit::{CellKey, Edit, NextKey, ReplicaEdits, diff, diff_like};
use super::merge::{Keyed, Merged, merge};
use super::shown::carry_over;
use crate::planted::{Bug, is_planted};

/// What a replica looks like now, compared with the base.
#[derive(Debug, Clone)]
pub enum Seen {
    /// It has the text of the base.
    Unchanged,
    /// It has another text.
    Changed(Arc<dyn Document>),
}

/// What to do so that all replicas agree.
#[derive(Debug)]
pub struct Outcome {
    /// What they agree on once everything is written. A replica has to be
    /// written if its text in here is not what is on disk.
    pub base: Base,
    /// What each replica did.
    pub edits: Vec<Vec<Edit>>,
    /// The cell that each cell of each replica's view stood for, before it was brought up
    /// to date.
    pub keys: Vec<Vec<Option<CellKey>>>,
    /// Edits that could not both stand. Both versions are in the notebook.
    pub conflicts: Vec<Conflict>,
}

/// Why a replica can't be brought up to date.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the edit into replica {replica}")]
pub struct ReconcileError {
    /// The position of the replica in the pairing.
    pub replica: usize,
    /// What is wrong with the text that would be written.
    pub source: PrintError,
}

/// Brings the edits of all replicas together and into every replica's text.
///
/// Terminates, and gives the same for the same input. When no replica changed,
/// the base comes back as it was.
pub fn reconcile(base: &Base, seen: &[Seen]) -> Result<Outcome, ReconcileError> {
    let mut next_key = base.next_key;
    let edits = diffs(base, seen, &mut next_key);
    let edits = if is_planted(Bug::NewestWins) { only_last(edits) } else { edits };
    // Cells of which a format shows less than there is: an edit of what it shows
    // changes just that.
    let (mut edits, keys): (Vec<Vec<Edit>>, Vec<_>) =
        edits.into_iter().map(|it| (it.edits, it.keys)).unzip();
    for ((edits, keys), (replica, seen)) in
        edits.iter_mut().zip(&keys).zip(base.replicas.iter().zip(seen))
    {
        if let Seen::Changed(document) = seen {
            translate(edits, keys, &base.model, replica, document.as_ref());
        }
    }
    reconcile_edits(
        &Base { next_key, ..base.clone() },
        seen,
        edits.into_iter().zip(keys).collect(),
        &[],
    )
}

/// Returns what each replica did.
fn diffs(base: &Base, seen: &[Seen], next_key: &mut NextKey) -> Vec<ReplicaEdits> {
    let mut of = |idx: usize, like: Option<(&Notebook, &[Option<CellKey>])>| {
        let replica = &base.replicas[idx];
        let Seen::Changed(document) = &seen[idx] else {
            return ReplicaEdits { edits: Vec::new(), keys: replica.keys.clone() };
        };
        let (old, document) = (replica.document.notebook(), document.as_ref());
        let alike = like
            .and_then(|it| diff_like(it, &base.model, (old, &replica.keys), document, next_key));
        alike.unwrap_or_else(|| diff(&base.model, old, &replica.keys, document, next_key))
    };
    // Ids tell best which cell is which.
    let changed = |idx: usize| match &seen[idx] {
        Seen::Unchanged => None,
        Seen::Changed(document) => Some(document.notebook()),
    };
    let all = 0..base.replicas.len();
    let has_ids = |it: &Notebook| it.cells.iter().any(|cell| cell.id.is_some());
    let first = all.clone().filter_map(|idx| Some((idx, changed(idx)?)));
    let Some((first, notebook)) = first.min_by_key(|(_, it)| !has_ids(it)) else {
        return all.map(|idx| of(idx, None)).collect();
    };
    let edits = of(first, None);
    let mut res: Vec<ReplicaEdits> =
        all.filter(|idx| *idx != first).map(|idx| of(idx, Some((notebook, &edits.keys)))).collect();
    res.insert(first, edits);
    res
}

/// Forgets the edits of all replicas but the last.
fn only_last(mut edits: Vec<ReplicaEdits>) -> Vec<ReplicaEdits> {
    let last = edits.iter().rposition(|it| !it.edits.is_empty());
    for (idx, it) in edits.iter_mut().enumerate() {
        if Some(idx) != last {
            it.edits.clear();
        }
    }
    edits
}

/// Brings these edits together, and both versions of these conflicts into the
/// notebook.
///
/// With each replica's steps comes the cell that each cell of its present view
/// stands for.
pub(super) fn reconcile_edits(
    base: &Base,
    seen: &[Seen],
    edits: Vec<(Vec<Edit>, Vec<Option<CellKey>>)>,
    conflicts: &[Conflict],
) -> Result<Outcome, ReconcileError> {
    let mut next_key = base.next_key;
    let (edits, keys): (Vec<Vec<Edit>>, Vec<_>) = edits.into_iter().unzip();
    let merged = merge(&base.model, &edits, conflicts, &mut next_key);

    let keys: Vec<Vec<Option<CellKey>>> = keys
        .into_iter()
        .map(|keys| {
            let standing = |key| merged.same_as.get(&key).copied().unwrap_or(key);
            keys.into_iter().map(|key| key.map(standing)).collect()
        })
        .collect();
    let mut replicas = Vec::with_capacity(base.replicas.len());
    for (idx, (replica, seen)) in base.replicas.iter().zip(seen).enumerate() {
        let present = Present {
            document: match seen {
                Seen::Unchanged => &replica.document,
                Seen::Changed(document) => document,
            },
            keys: &keys[idx],
            edits: &edits[idx],
        };
        let replica = present
            .bring_up_to_date(base, replica, &merged)
            .map_err(|source| ReconcileError { replica: idx, source })?;
        replicas.push(replica);
    }
    let stripped = Arc::clone(&base.stripped);
    let base = Base { model: merged.model, next_key, replicas, stripped };
    Ok(Outcome { base, edits, keys, conflicts: merged.conflicts })
}

/// Turns an edit of a cell as the format shows it into an edit of the cell as it
/// is, where the two differ.
fn translate(
    edits: &mut Vec<Edit>,
    keys: &[Option<CellKey>],
    model: &Keyed,
    replica: &BaseReplica,
    document: &dyn Document,
) {
    let mut shown: HashMap<CellKey, Vec<usize>> = HashMap::new();
    for (idx, key) in replica.keys.iter().enumerate() {
        if let Some(key) = key {
            shown.entry(*key).or_default().push(idx);
        }
    }
    let is: HashMap<CellKey, &Cell> =
        model.keys.iter().copied().zip(&model.notebook.cells).collect();
    let mut new_idxs: HashMap<CellKey, usize> = HashMap::new();
    for (idx, key) in keys.iter().enumerate() {
        if let Some(key) = key {
            new_idxs.entry(*key).or_insert(idx);
        }
    }
    let mut kinds = Vec::new();
    for edit in edits.iter_mut() {
        let Edit::Set(key, Change::Source(source)) = edit else { continue };
        // `diff` has looked at the whole of a cell that is shown in parts.
        let (Some(is), Some([old_idx])) = (is.get(key), shown.get(key).map(Vec::as_slice)) else {
            continue;
        };
        let old_view = &replica.document.notebook().cells[*old_idx];
        if old_view.source == is.source {
            continue;
        }
        let new_idx = new_idxs.get(key).copied();
        let is_written = |text: &String| {
            let written = |idx: usize| {
                let cell = document.notebook().cells[idx].clone();
                document.is_written_for(idx, &Cell { source: text.clone(), ..cell })
            };
            new_idx.is_some_and(written)
        };
        if let Some(carried) = carry_over(&old_view.source, source, &is.source, is_written) {
            *source = carried;
        } else if old_view.kind != is.kind {
            // The format shows the cell as another kind, and the new text is
            // one of that kind only.
            let view = document.notebook();
            let kind = new_idx.map_or(old_view.kind, |idx| view.cells[idx].kind);
            kinds.push(Edit::Set(*key, Change::Kind(kind)));
        }
    }
    edits.extend(kinds);
}

/// A replica as it is now.
struct Present<'a> {
    document: &'a Arc<dyn Document>,
    /// The cell that each cell of the present view stands for.
    keys: &'a [Option<CellKey>],
    /// What the replica did since the base.
    edits: &'a [Edit],
}

impl Present<'_> {
    fn bring_up_to_date(
        &self,
        base: &Base,
        replica: &BaseReplica,
        merged: &Merged,
    ) -> Result<BaseReplica, PrintError> {
        let (slots, slot_keys) = self.slots(base, replica, merged);
        let attributes = self.attributes(base, &merged.model);
        let is_as_it_should = attributes.is_empty()
            && slots.len() == self.keys.len()
            && slots.iter().enumerate().all(|(idx, slot)| *slot == Slot::Keep(idx));
        let mut res = BaseReplica {
            dialect: replica.dialect.clone(),
            document: Arc::clone(self.document),
            keys: slot_keys.clone(),
        };
        if !is_as_it_should {
            let printed = self.document.update(&slots, &attributes, replica.dialect.carry)?;
            res.keys =
                printed.origins.iter().map(|slot| slot.and_then(|idx| slot_keys[idx])).collect();
            res.document = printed.document.into();
        }
        Ok(res)
    }

    /// Says for every cell of the model what the replica has to have for it.
    fn slots(
        &self,
        base: &Base,
        replica: &BaseReplica,
        merged: &Merged,
    ) -> (Vec<Slot>, Vec<Option<CellKey>>) {
        let Merged { model, same_as, .. } = merged;
        let mut idxs: BTreeMap<CellKey, Vec<usize>> = BTreeMap::new();
        // A cell of the format's own stays behind the cell that it stands behind.
        let mut own: BTreeMap<Option<CellKey>, Vec<usize>> = BTreeMap::new();
        let mut above = None;
        for (idx, key) in self.keys.iter().enumerate() {
            match key {
                Some(key) => {
                    idxs.entry(*key).or_default().push(idx);
                    above = Some(*key);
                }
                // An empty one was there for want of others.
                None if !model.keys.is_empty()
                    && self.document.notebook().cells[idx].source.is_empty() => {}
                None => own.entry(above).or_default().push(idx),
            }
        }
        let implied = self.implied_cells(base, same_as);
        let joined: BTreeSet<CellKey> = same_as.values().copied().collect();
        let shown_before: BTreeSet<CellKey> = replica.keys.iter().flatten().copied().collect();
        let base_keys: BTreeSet<CellKey> = base.model.keys.iter().copied().collect();

        let mut slots: Vec<Slot> = Vec::new();
        let mut slot_keys = Vec::new();
        let mut push_own = |slots: &mut Vec<Slot>, slot_keys: &mut Vec<_>, above| {
            for idx in own.remove(&above).unwrap_or_default() {
                slots.push(Slot::Keep(idx));
                slot_keys.push(None);
            }
        };
        push_own(&mut slots, &mut slot_keys, None);
        for (key, cell) in model.keys.iter().zip(&model.notebook.cells) {
            if let Some(idxs) = idxs.get(key) {
                let mut changes = implied.get(key).map_or_else(Vec::new, |it| changes(it, cell));
                if joined.contains(key) {
                    // They count as the same.
                    changes.retain(|it| !is_at_end(it, implied.get(key)));
                }
                // A format may show a cell as another kind than it is; the new text is
                // of the cell's own.
                if self.document.notebook().cells[idxs[0]].kind != cell.kind
                    && changes.iter().any(|it| matches!(it, Change::Source(_)))
                    && !changes.iter().any(|it| matches!(it, Change::Kind(_)))
                {
                    changes.insert(0, Change::Kind(cell.kind));
                }
                if changes.is_empty() {
                    slots.extend(idxs.iter().map(|idx| Slot::Keep(*idx)));
                    slot_keys.extend(idxs.iter().map(|_| Some(*key)));
                } else {
                    slots.push(Slot::Change { origin: idxs[0], changes });
                    slot_keys.push(Some(*key));
                }
            } else if !base_keys.contains(key) || shown_before.contains(key) {
                slots.push(Slot::New(cell.clone()));
                slot_keys.push(Some(*key));
            }
            push_own(&mut slots, &mut slot_keys, Some(*key));
        }
        // Those whose neighbour above is gone.
        for idx in own.into_values().flatten() {
            slots.push(Slot::Keep(idx));
            slot_keys.push(None);
        }
        (slots, slot_keys)
    }

    /// Returns the cells of the model as this replica alone would have them.
    fn implied_cells(
        &self,
        base: &Base,
        same_as: &BTreeMap<CellKey, CellKey>,
    ) -> BTreeMap<CellKey, Cell> {
        let mut implied: BTreeMap<CellKey, Cell> = base
            .model
            .keys
            .iter()
            .copied()
            .zip(base.model.notebook.cells.iter().cloned())
            .collect();
        for edit in self.edits {
            match edit {
                Edit::Set(key, change) => {
                    if let Some(cell) = implied.get_mut(key) {
                        change.apply(cell);
                    }
                }
                Edit::Insert { key, cell, .. } => {
                    let standing = same_as.get(key).unwrap_or(key);
                    implied.insert(*standing, cell.clone());
                }
                Edit::Delete(_)
                | Edit::Move { .. }
                | Edit::SetNotebook(..)
                | Edit::Split { .. }
                | Edit::Join { .. } => {}
            }
        }
        implied
    }

    fn attributes(&self, base: &Base, model: &Keyed) -> Vec<(NotebookAttribute, Option<Value>)> {
        let mut implied = base.model.notebook.clone();
        implied.cells.clear();
        for edit in self.edits {
            if let Edit::SetNotebook(attribute, value) = edit {
                implied.set_attribute(attribute, value.clone());
            }
        }
        let mut attributes: Vec<_> =
            implied.attributes().chain(model.notebook.attributes()).collect();
        attributes.sort();
        attributes.dedup();
        attributes
            .into_iter()
            .map(|attribute| (model.notebook.attribute(&attribute), attribute))
            .filter(|(value, attribute)| *value != implied.attribute(attribute))
            .map(|(value, attribute)| (attribute, value))
            .collect()
    }
}

/// Whether a change is one of the white space that a cell ends in.
fn is_at_end(change: &Change, of: Option<&Cell>) -> bool {
    let (Change::Source(source), Some(cell)) = (change, of) else { return false };
    source.trim_end() == cell.source.trim_end()
}

fn changes(from: &Cell, to: &Cell) -> Vec<Change> {
    let mut res = Vec::new();
    if from.kind != to.kind {
        res.push(Change::Kind(to.kind));
    }
    if from.source != to.source {
        res.push(Change::Source(to.source.clone()));
    }
    let mut attributes: Vec<_> = from.attributes().chain(to.attributes()).collect();
    attributes.sort();
    attributes.dedup();
    for attribute in attributes {
        let value = to.attribute(&attribute);
        if from.attribute(&attribute) != value {
            res.push(Change::Attribute(attribute.clone(), value.cloned()));
        }
    }
    res
}
