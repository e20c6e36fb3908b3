//! Recognises a save of an editor that never loaded what was written into its file.
//!
//! Such an editor writes its old text with one more edit. Compared with the last
//! base that looks as if the user had taken the other replicas' edits back.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use nbsync_formats::{Change, Document, Notebook, Ran};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::base::BaseReplica;
use super::edit::{CellKey, Edit};
use super::lines::{added_lines, merge_lines, shares_change};

/// What one write changed in a replica, as its editor would see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Stored>", into = "Vec<Stored>")]
pub struct Incoming(BTreeMap<CellKey, Changed>);

/// A cell's text before and after; `None` where there was no cell.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Changed {
    before: Option<Arc<str>>,
    after: Option<Arc<str>>,
}

/// A cell of it in a record.
#[derive(Serialize, Deserialize)]
struct Stored {
    cell: CellKey,
    before: Option<String>,
    after: Option<String>,
}

impl From<Incoming> for Vec<Stored> {
    fn from(incoming: Incoming) -> Self {
        let text = |it: Option<Arc<str>>| it.map(|it| it.as_ref().to_owned());
        let stored = |(cell, it): (CellKey, Changed)| Stored {
            cell,
            before: text(it.before),
            after: text(it.after),
        };
        incoming.0.into_iter().map(stored).collect()
    }
}

impl From<Vec<Stored>> for Incoming {
    fn from(stored: Vec<Stored>) -> Self {
        let text = |it: Option<String>| it.map(Arc::from);
        let changed =
            |it: Stored| (it.cell, Changed { before: text(it.before), after: text(it.after) });
        Self(stored.into_iter().map(changed).collect())
    }
}

impl Incoming {
    /// How many bytes of text it has.
    pub fn size(&self) -> usize {
        let texts = self.0.values().flat_map(|it| [&it.before, &it.after]);
        texts.flatten().map(|it| it.len()).sum()
    }

    /// Compares the view that an editor has with the one that was written, or
    /// returns `None` if no text of a cell differs.
    pub fn new(
        before: (&Notebook, &[Option<CellKey>]),
        after: (&Notebook, &[Option<CellKey>]),
    ) -> Option<Self> {
        let (before, after) = (sources(before), sources(after));
        let mut res = BTreeMap::new();
        for key in before.keys().chain(after.keys()) {
            let (before, after) = (before.get(key), after.get(key));
            if before != after {
                let text = |it: Option<&&str>| it.map(|it| Arc::from(*it));
                res.insert(*key, Changed { before: text(before), after: text(after) });
            }
        }
        (!res.is_empty()).then_some(Self(res))
    }
}

/// A write into a replica, as its editor may or may not have loaded it.
#[derive(Debug, Clone, Copy)]
pub struct Write<'a> {
    /// What it changed.
    pub incoming: &'a Incoming,
    /// Whether it was so short a time ago that hardly anybody can have read it, typed,
    /// and saved.
    pub is_recent: bool,
}

/// Returns the first of the writes that the editor didn't load, if these edits look
/// as if it had not; of several that it may be, the one of which that is clearest.
///
/// `writes` are those since the editor's own last save, oldest first. The edits must
/// take back everything that was written since, and do something else as well: a
/// user who takes back what arrived, and no more, means it. `is_more` says that the editor did
/// something else of which there is no edit.
///
/// The something else may be in the same cell, or even in the place of what was written. What
/// resembles that is a revision of it. What doesn't may be one as well, unless the write is recent or
/// another cell tells that the editor had not loaded it.
pub fn first_unseen(writes: &[Write<'_>], edits: &[Edit], is_more: bool) -> Option<usize> {
    let mut n_compared = 0;
    let unclear = |first: usize| {
        let n_unclear = takes_back(&writes[first..], edits, is_more, &mut n_compared)?;
        Some((n_unclear, first))
    };
    (0..writes.len()).filter_map(unclear).min().map(|(_, first)| first)
}

/// Whether cells of a replica were run, or their outputs cleared, by an editor that had loaded
/// one of these texts of it.
pub fn has_run(document: &dyn Document, keys: &[Option<CellKey>], loaded: &[&BaseReplica]) -> bool {
    let loaded: Vec<_> = loaded.iter().map(|it| outputs(it.document.as_ref(), &it.keys)).collect();
    outputs(document, keys).iter().any(|(key, now)| {
        let mut was = loaded.iter().filter_map(|it| it.get(key)).peekable();
        was.peek().is_some() && was.all(|it| it != now)
    })
}

/// What running each cell has left; `None` for nothing, or what can't be understood.
fn outputs(document: &dyn Document, keys: &[Option<CellKey>]) -> BTreeMap<CellKey, Option<Value>> {
    let is_something = |it: &Value| it.as_array().is_some_and(|it| !it.is_empty());
    let outputs = |ran: Option<Ran>| ran.and_then(|it| it.outputs()).filter(is_something);
    keys.iter().zip(document.ran()).filter_map(|(key, ran)| Some(((*key)?, outputs(ran)))).collect()
}

/// What an editor's text of a cell says of a write into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The editor had loaded it.
    Loaded,
    /// There is something else in its place.
    Unclear,
    /// The text is that from before the write.
    TakenBack,
    /// That, with an edit.
    TakenBackAndEdited,
}

/// Whether edits take back all of the writes, and do something else: then in how many cells that is
/// unclear.
fn takes_back(
    writes: &[Write<'_>],
    edits: &[Edit],
    is_more: bool,
    n_compared: &mut usize,
) -> Option<usize> {
    let is_recent = writes.iter().all(|it| it.is_recent);
    let mut all: BTreeMap<CellKey, Changed> = BTreeMap::new();
    for (key, changed) in writes.iter().flat_map(|it| &it.incoming.0) {
        all.entry(*key)
            .and_modify(|it| it.after.clone_from(&changed.after))
            .or_insert_with(|| changed.clone());
    }
    all.retain(|_, changed| text(changed.before.as_ref()) != text(changed.after.as_ref()));
    // By the cell that they are about, as many as there are in each; and by text, since the
    // key of a cell that is put back is another one.
    let steps: Vec<&Edit> = edits.iter().filter(|it| is_step(it)).collect();
    let mut of_cell: HashMap<CellKey, Vec<usize>> = HashMap::new();
    let mut new_texts: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (idx, edit) in steps.iter().enumerate() {
        match edit {
            Edit::Insert { cell, .. } => {
                new_texts.entry(cell.source.trim_end()).or_default().push_back(idx);
            }
            _ => {
                if let Some(key) = edit.key() {
                    of_cell.entry(key).or_default().push(idx);
                }
            }
        }
    }
    let mut n_unclear = 0;
    let mut is_used = vec![false; steps.len()];
    let mut is_edited = is_more;
    for (key, changed) in &all {
        let put_back = changed
            .after
            .is_none()
            .then(|| new_texts.get_mut(text(changed.before.as_ref())?)?.pop_front());
        let found = match put_back.flatten() {
            Some(idx) => Some((idx, Verdict::TakenBack)),
            None => of_cell.get(key).into_iter().flatten().find_map(|&idx| {
                let verdict = verdict(changed, steps[idx], is_recent, n_compared);
                (verdict != Verdict::Loaded).then_some((idx, verdict))
            }),
        };
        let (idx, verdict) = found?;
        n_unclear += usize::from(verdict == Verdict::Unclear);
        is_edited |= verdict != Verdict::TakenBack;
        is_used[idx] = true;
    }
    let mut rest = steps.iter().zip(is_used).filter(|(_, is_used)| !is_used);
    is_edited |= rest.any(|(edit, _)| !matches!(edit, Edit::Move { .. }));
    (is_edited && n_unclear < all.len()).then_some(n_unclear)
}

/// Whether it is more than what other steps come from.
fn is_step(edit: &Edit) -> bool {
    !matches!(edit, Edit::Split { .. } | Edit::Join { .. })
}

/// A cell's text without the white space that it ends in, which not every format shows.
fn text(of: Option<&Arc<str>>) -> Option<&str> {
    of.map(|it| it.trim_end())
}

/// What a step about a cell says of a write into the same cell.
fn verdict(changed: &Changed, edit: &Edit, is_recent: bool, n_compared: &mut usize) -> Verdict {
    match (text(changed.before.as_ref()), text(changed.after.as_ref()), edit) {
        (before, Some(after), Edit::Set(_, Change::Source(now))) => {
            within_cell(before, after, now.trim_end(), is_recent, n_compared)
        }
        (None, Some(_), Edit::Delete(_)) => Verdict::TakenBack,
        _ => Verdict::Loaded,
    }
}

fn within_cell(
    before: Option<&str>,
    after: &str,
    now: &str,
    is_recent: bool,
    n_compared: &mut usize,
) -> Verdict {
    if before == Some(now) {
        return Verdict::TakenBack;
    }
    let is_in_its_place = match before {
        Some(before) if shares_change(before, after, now) => return Verdict::Loaded,
        Some(before) => merge_lines(before, after, now).is_none(),
        // Two new cells at one place look like one that was edited.
        None => true,
    };
    let before = before.unwrap_or_default();
    match is_in_its_place {
        true if resembles(before, after, now, n_compared) => Verdict::Loaded,
        true if !is_recent => Verdict::Unclear,
        _ => Verdict::TakenBackAndEdited,
    }
}

/// Whether a line that is new in one text is much like one that is new in the other.
fn resembles(before: &str, after: &str, now: &str, n_compared: &mut usize) -> bool {
    let squeezed = |text: &str| -> Vec<String> {
        let lines = added_lines(before, text).into_iter();
        let lines = lines.map(|line| line.split_whitespace().collect::<String>());
        lines.filter(|line| !line.is_empty()).take(MAX_COMPARED).collect()
    };
    let (written, saved) = (squeezed(after), squeezed(now));
    // An editor that deletes a part of what was written has it.
    if written.is_empty() || saved.is_empty() {
        return true;
    }
    written.iter().any(|one| {
        saved.iter().any(|other| {
            *n_compared += one.len() * other.len();
            // Nobody types that much in two seconds.
            if MAX_WORK < *n_compared {
                return true;
            }
            let is_comparable = one.len().max(other.len()) <= MAX_LINE;
            one == other || (is_comparable && strsim::normalized_levenshtein(one, other) >= ALIKE)
        })
    })
}

/// From which similarity on one line is taken for a revision of another. A corrected
/// word or number is above, two assignments to different names are below.
const ALIKE: f64 = 0.6;

/// How many lines are compared with how many at most, and how long in bytes they are.
const MAX_COMPARED: usize = 20;
const MAX_LINE: usize = 500;

/// How many pairs of characters are compared at most for one save.
const MAX_WORK: usize = 50_000_000;

fn sources<'a>((notebook, keys): (&'a Notebook, &[Option<CellKey>])) -> BTreeMap<CellKey, &'a str> {
    let mut res = BTreeMap::new();
    for (cell, key) in notebook.cells.iter().zip(keys) {
        if let Some(key) = key {
            // Of a cell that is shown in parts, the first stands for all.
            res.entry(*key).or_insert(cell.source.as_str());
        }
    }
    res
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

    /// Calls it with writes of which none is recent.
    fn unseen(writes: &[Incoming], edits: &[Edit]) -> Option<usize> {
        check(writes, edits, false)
    }

    fn check(writes: &[Incoming], edits: &[Edit], is_recent: bool) -> Option<usize> {
        let writes = writes.iter().map(|incoming| Write { incoming, is_recent });
        first_unseen(&writes.collect::<Vec<_>>(), edits, false)
    }

    #[test]
    fn old_text_with_one_more_edit_is_stale() {
        let writes = [incoming(&["a", "b", "c"], &["a", "b2", "c"])];
        assert_eq!(unseen(&writes, &[set(1, "b"), set(2, "c2")]), Some(0));
    }

    #[test]
    fn taking_back_what_arrived_is_an_undo() {
        let writes = [incoming(&["a", "b"], &["a", "b2"])];
        assert_eq!(unseen(&writes, &[set(1, "b")]), None);
        assert_eq!(unseen(&writes, &[set(1, "b2\nb3"), set(0, "a2")]), None);
        assert_eq!(unseen(&writes, &[set(0, "a2")]), None);
    }

    #[test]
    fn editor_may_have_loaded_some_of_the_writes() {
        let writes = [
            incoming(&["a", "b", "c"], &["a2", "b", "c"]),
            incoming(&["a2", "b", "c"], &["a2", "b2", "c"]),
        ];
        let all = [set(0, "a"), set(1, "b"), set(2, "c2")];
        assert_eq!(unseen(&writes, &all), Some(0));
        assert_eq!(unseen(&writes, &all[1..]), Some(1));
    }

    #[test]
    fn cells_that_came_and_went_count() {
        let writes = [incoming(&["a"], &["a", "new"])];
        assert_eq!(unseen(&writes, &[Edit::Delete(CellKey(1)), set(0, "a2")]), Some(0));
        let writes = [incoming(&["a", "b"], &["a"])];
        let cell = Cell::new(CellKind::Code, "b");
        let back = Edit::Insert { key: CellKey(9), after: None, cell };
        assert_eq!(unseen(&writes, &[back, set(0, "a2")]), Some(0));
    }

    #[test]
    fn other_lines_of_the_same_cell_are_something_else() {
        let writes = [incoming(&["a\nb\nc"], &["a2\nb\nc"])];
        assert_eq!(unseen(&writes, &[set(0, "a\nb\nc2")]), Some(0));
        assert_eq!(unseen(&writes, &[set(0, "a2\nb\nc2")]), None);
    }

    #[test]
    fn other_line_in_the_place_of_a_recent_one_is_something_else() {
        let writes = [incoming(&["print(y)"], &["print(y)\nfrom_text = 0"])];
        for (now, expected) in [
            ("print(y)\nfrom_marimo = 0", Some(0)),
            ("print(z)", Some(0)),
            // Somebody goes on with what was written.
            ("print(y)\nfrom_text = 10", None),
            ("print(y)\nfrom_text=0", None),
            ("print(y)\nfrom_text = 0\nz", None),
            ("print(y)", None),
        ] {
            assert_eq!(check(&writes, &[set(0, now)], true), expected, "{now}");
            assert_eq!(check(&writes, &[set(0, now)], false), None, "{now}");
        }
    }

    #[test]
    fn another_cell_may_tell_of_other_lines_in_the_place_of_what_was_written() {
        let writes = [incoming(&["a", "b"], &["a\nfrom_text = 0", "b2"])];
        let taken_back = set(1, "b");
        for (now, expected) in [
            ("a\nimport os", Some(0)),
            ("a\nfrom_text = 0\nimport os", None),
            // A part of what arrived is taken back, and another part corrected.
            ("a\nfrom_text = 10", None),
        ] {
            let save = [set(0, now), taken_back.clone()];
            assert_eq!(unseen(&writes, &save), expected, "{now}");
            assert_eq!(unseen(&writes, &save[..1]), None, "{now}");
        }
    }

    #[test]
    fn other_cell_in_the_place_of_a_recent_one_is_something_else() {
        let writes = [incoming(&["a"], &["a", "from_text = 0"])];
        assert_eq!(check(&writes, &[set(1, "import os")], true), Some(0));
        assert_eq!(check(&writes, &[set(1, "import os")], false), None);
        assert_eq!(check(&writes, &[set(1, "from_text = 1")], true), None);
    }
}
