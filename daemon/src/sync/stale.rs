//! Recognises a save of an editor that never loaded what was written into its file.
//!
//! Such an editor writes its old text with one more edit. Compared with the last
//! base that looks as if the user had taken the other replicas' edits back.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use nbsync_formats::{Change, Notebook};

use super::edit::{CellKey, Edit};

/// What one write changed in a replica, as its editor would see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming(BTreeMap<CellKey, Changed>);

/// A fingerprint of a cell's text before and after; `None` where there was no cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Changed {
    before: Option<u64>,
    after: Option<u64>,
}

impl Incoming {
    /// Compares the view that an editor has with the one that was written, or
    /// returns `None` if no text of a cell differs.
    pub fn new(
        before: (&Notebook, &[Option<CellKey>]),
        after: (&Notebook, &[Option<CellKey>]),
    ) -> Option<Self> {
        let (before, after) = (fingerprints(before), fingerprints(after));
        let mut res = BTreeMap::new();
        for key in before.keys().chain(after.keys()) {
            let changed =
                Changed { before: before.get(key).copied(), after: after.get(key).copied() };
            if changed.before != changed.after {
                res.insert(*key, changed);
            }
        }
        (!res.is_empty()).then_some(Self(res))
    }
}

/// Returns the first of the writes that the editor didn't load, if these edits look
/// as if it had not.
///
/// `writes` are those since the editor's own last save, oldest first. The edits must
/// take back everything that was written since, and do something else as well: a
/// user who takes back what arrived, and no more, means it.
pub fn first_unseen(writes: &[Incoming], edits: &[Edit]) -> Option<usize> {
    (0..writes.len()).find(|&first| takes_back(&writes[first..], edits))
}

fn takes_back(writes: &[Incoming], edits: &[Edit]) -> bool {
    let mut all: BTreeMap<CellKey, Changed> = BTreeMap::new();
    for (key, changed) in writes.iter().flat_map(|it| &it.0) {
        all.entry(*key).and_modify(|it| it.after = changed.after).or_insert(*changed);
    }
    all.retain(|_, changed| changed.before != changed.after);
    let mut rest: Vec<&Edit> = edits.iter().collect();
    for (key, changed) in &all {
        let found = rest.iter().position(|edit| match (changed.before, edit) {
            (Some(before), Edit::Set(set, Change::Source(source))) => {
                set == key && fingerprint(source) == before
            }
            // It was deleted, so its key is gone.
            (Some(before), Edit::Insert { cell, .. }) => {
                changed.after.is_none() && fingerprint(&cell.source) == before
            }
            (None, Edit::Delete(deleted)) => deleted == key,
            _ => false,
        });
        match found {
            Some(idx) => {
                rest.remove(idx);
            }
            None => return false,
        }
    }
    !all.is_empty() && rest.iter().any(|edit| !matches!(edit, Edit::Move { .. }))
}

fn fingerprints((notebook, keys): (&Notebook, &[Option<CellKey>])) -> BTreeMap<CellKey, u64> {
    let mut res = BTreeMap::new();
    for (cell, key) in notebook.cells.iter().zip(keys) {
        if let Some(key) = key {
            // Of a cell that is shown in parts, the first stands for all.
            res.entry(*key).or_insert_with(|| fingerprint(&cell.source));
        }
    }
    res
}

fn fingerprint(source: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use nbsync_formats::{Cell, CellKind};

    use super::*;

    fn notebook(sources: &[&str]) -> (Notebook, Vec<Option<CellKey>>) {
        let cells = sources.iter().map(|it| Cell::new(CellKind::Code, *it)).collect();
        let notebook = Notebook { cells, ..Notebook::default() };
        let keys = (0..).map(|idx| Some(CellKey(idx))).take(sources.len()).collect();
        (notebook, keys)
    }

    fn incoming(before: &[&str], after: &[&str]) -> Incoming {
        let (before, after) = (notebook(before), notebook(after));
        Incoming::new((&before.0, &before.1), (&after.0, &after.1)).unwrap()
    }

    fn set(key: u32, source: &str) -> Edit {
        Edit::Set(CellKey(key), Change::Source(source.to_owned()))
    }

    #[test]
    fn old_text_with_one_more_edit_is_stale() {
        let writes = [incoming(&["a", "b", "c"], &["a", "b2", "c"])];
        assert_eq!(first_unseen(&writes, &[set(1, "b"), set(2, "c2")]), Some(0));
    }

    #[test]
    fn taking_back_what_arrived_is_an_undo() {
        let writes = [incoming(&["a", "b"], &["a", "b2"])];
        assert_eq!(first_unseen(&writes, &[set(1, "b")]), None);
        assert_eq!(first_unseen(&writes, &[set(1, "b3"), set(0, "a2")]), None);
        assert_eq!(first_unseen(&writes, &[set(0, "a2")]), None);
    }

    #[test]
    fn editor_may_have_loaded_some_of_the_writes() {
        let writes = [
            incoming(&["a", "b", "c"], &["a2", "b", "c"]),
            incoming(&["a2", "b", "c"], &["a2", "b2", "c"]),
        ];
        let all = [set(0, "a"), set(1, "b"), set(2, "c2")];
        assert_eq!(first_unseen(&writes, &all), Some(0));
        assert_eq!(first_unseen(&writes, &all[1..]), Some(1));
    }

    #[test]
    fn cells_that_came_and_went_count() {
        let writes = [incoming(&["a"], &["a", "new"])];
        assert_eq!(first_unseen(&writes, &[Edit::Delete(CellKey(1)), set(0, "a2")]), Some(0));
        let writes = [incoming(&["a", "b"], &["a"])];
        let cell = Cell::new(CellKind::Code, "b");
        let back = Edit::Insert { key: CellKey(9), after: None, cell };
        assert_eq!(first_unseen(&writes, &[back, set(0, "a2")]), Some(0));
    }
}
