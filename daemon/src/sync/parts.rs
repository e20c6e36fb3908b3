//! Cells that a format shows in several parts.
//!
//! A percent script can't say that a `# %%` line is code, so it shows a cell with
//! such a line as two.

use std::collections::HashMap;

use nbsync_formats::Cell;

use super::edit::CellKey;
use super::merge::Keyed;

/// How many lines are compared at most to find the parts of one cell in it.
const MAX_LOOKS: usize = 10_000_000;

/// What became of the parts of one cell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parts {
    /// All are there, unchanged.
    Intact,
    /// All are there, and the cell as it is has this source now.
    Edited(String),
    /// They are no longer the parts of one cell.
    Apart,
}

/// Looks at all cells that are shown in parts.
///
/// `old_of` says for each new cell of the view which old one it is.
pub(super) fn parts(
    model: &Keyed,
    (old, old_keys): (&[Cell], &[Option<CellKey>]),
    (new, old_of): (&[Cell], &[Option<usize>]),
) -> HashMap<CellKey, Parts> {
    let mut idxs: HashMap<CellKey, Vec<usize>> = HashMap::new();
    for (idx, key) in old_keys.iter().enumerate() {
        if let Some(key) = key {
            idxs.entry(*key).or_default().push(idx);
        }
    }
    idxs.retain(|_, idxs| 1 < idxs.len());
    if idxs.is_empty() {
        return HashMap::new();
    }
    let mut new_of = vec![None; old.len()];
    for (new_idx, old_idx) in old_of.iter().enumerate() {
        if let Some(old_idx) = old_idx {
            new_of[*old_idx] = Some(new_idx);
        }
    }
    let sources: HashMap<CellKey, &str> = model
        .keys
        .iter()
        .zip(&model.notebook.cells)
        .filter(|(key, _)| idxs.contains_key(*key))
        .map(|(key, cell)| (*key, &*cell.source))
        .collect();
    let look = |key: CellKey, idxs: &[usize]| -> Option<Parts> {
        let start = new_of[*idxs.first()?]?;
        let mut parts = Vec::with_capacity(idxs.len());
        for (offset, &old_idx) in idxs.iter().enumerate() {
            // In a row, and the marker lines as they were.
            let new = (new_of[old_idx]? == start + offset).then(|| &new[start + offset])?;
            let old = &old[old_idx];
            if (old.kind, &old.metadata, &old.marimo) != (new.kind, &new.metadata, &new.marimo) {
                return None;
            }
            parts.push((old.source.as_str(), new.source.as_str()));
        }
        if parts.iter().all(|(old, new)| old == new) {
            return Some(Parts::Intact);
        }
        rejoin(sources.get(&key)?, &parts).map(Parts::Edited)
    };
    idxs.iter().map(|(&key, idxs)| (key, look(key, idxs).unwrap_or(Parts::Apart))).collect()
}

/// Puts parts that were edited into the source that they are parts of.
///
/// Returns `None` if an old part is not found in the source as it is, or if looking for it
/// takes too long: that goes with the product of their lines.
fn rejoin(source: &str, parts: &[(&str, &str)]) -> Option<String> {
    let lines: Vec<&str> = source.split('\n').collect();
    let mut res: Vec<&str> = Vec::new();
    let (mut done, mut n_looks) = (0, 0);
    for (old, new) in parts {
        if old == new && old.is_empty() {
            continue;
        }
        let old: Vec<&str> = old.split('\n').collect();
        n_looks += old.len() * (lines.len() - done);
        if MAX_LOOKS < n_looks {
            return None;
        }
        let start = done + lines[done..].windows(old.len()).position(|lines| lines == old)?;
        res.extend(&lines[done..start]);
        res.extend(new.split('\n'));
        done = start + old.len();
    }
    res.extend(&lines[done..]);
    Some(res.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, parts: &[(&str, &str)], expected: Option<&str>) {
        assert_eq!(rejoin(source, parts).as_deref(), expected, "{source} {parts:?}");
    }

    #[test]
    fn what_stands_between_the_parts_stays() {
        let source = "a = 1\n\n# %% section\nprint(a)\n";
        check(
            source,
            &[("a = 1", "a = 1"), ("print(a)", "print(a, a)")],
            Some("a = 1\n\n# %% section\nprint(a, a)\n"),
        );
        check(
            source,
            &[("a = 1", "b = 1\na = b"), ("print(a)", "")],
            Some("b = 1\na = b\n\n# %% section\n\n"),
        );
    }

    #[test]
    fn parts_are_found_in_their_order() {
        check("x\n# %%\nx", &[("x", "x"), ("x", "y")], Some("x\n# %%\ny"));
        check("# %%\nx\n# %%", &[("", ""), ("x", "y"), ("", "")], Some("# %%\ny\n# %%"));
    }

    #[test]
    fn part_that_is_shown_otherwise_is_not_found() {
        check("!ls\n# %%\nx", &[("# !ls", "# !ls -l"), ("x", "x")], None);
    }
}
