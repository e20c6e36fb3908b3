//! Which lines of two texts differ.

use std::collections::HashMap;
use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};

use crate::sync::edit::longest_run;

/// Lines that stand in the place of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sync) struct Hunk {
    /// The old lines.
    pub(in crate::sync) before: Range<usize>,
    /// The new ones.
    pub(in crate::sync) after: Range<usize>,
}

/// How many lines are compared with how many others, at most: that may take quadratic time.
const MAX_LINES: usize = 2_000;

/// Returns what differs, from top to bottom.
///
/// In longer texts, lines that are there just once on each side show where the others are. What
/// is between two of them and still longer differs as a whole.
pub(in crate::sync) fn hunks(before: &[&str], after: &[&str]) -> Vec<Hunk> {
    let mut res = Vec::new();
    let (mut old, mut new) = (0, 0);
    let is_long = MAX_LINES < before.len().max(after.len());
    let anchors = if is_long { anchors(before, after) } else { Vec::new() };
    for (old_end, new_end) in anchors.into_iter().chain([(before.len(), after.len())]) {
        between(before, after, old..old_end, new..new_end, &mut res);
        (old, new) = (old_end + 1, new_end + 1);
    }
    res
}

/// Finds the differences between two lines that are the same.
fn between(
    before: &[&str],
    after: &[&str],
    mut old: Range<usize>,
    mut new: Range<usize>,
    res: &mut Vec<Hunk>,
) {
    if MAX_LINES < old.len().max(new.len()) {
        while !old.is_empty() && !new.is_empty() && before[old.start] == after[new.start] {
            (old.start, new.start) = (old.start + 1, new.start + 1);
        }
        while !old.is_empty() && !new.is_empty() && before[old.end - 1] == after[new.end - 1] {
            (old.end, new.end) = (old.end - 1, new.end - 1);
        }
    }
    if old.is_empty() && new.is_empty() {
        return;
    }
    if old.is_empty() || new.is_empty() || MAX_LINES < old.len().max(new.len()) {
        res.push(Hunk { before: old, after: new });
        return;
    }
    let mut input = InternedInput::default();
    input.update_before(before[old.clone()].iter().copied());
    input.update_after(after[new.clone()].iter().copied());
    let diff = Diff::compute(Algorithm::Histogram, &input);
    let range =
        |range: Range<u32>, start: usize| start + range.start as usize..start + range.end as usize;
    res.extend(diff.hunks().map(|hunk| Hunk {
        before: range(hunk.before, old.start),
        after: range(hunk.after, new.start),
    }));
}

/// Lines that are there once on each side, as many as stand in the same order.
fn anchors(before: &[&str], after: &[&str]) -> Vec<(usize, usize)> {
    let (old, new) = (once(before), once(after));
    let common = after.iter().enumerate().filter_map(|(new_idx, line)| {
        new.get(line)?.as_ref()?;
        Some((old.get(line).copied()??, new_idx))
    });
    let common: Vec<(usize, usize)> = common.collect();
    let positions: Vec<usize> = common.iter().map(|(old_idx, _)| *old_idx).collect();
    let stays = longest_run(&positions);
    common.into_iter().zip(stays).filter(|(_, stays)| *stays).map(|(it, _)| it).collect()
}

/// Returns where each line is, `None` if it is in several places.
fn once<'a>(lines: &[&'a str]) -> HashMap<&'a str, Option<usize>> {
    let mut res = HashMap::with_capacity(lines.len());
    for (idx, line) in lines.iter().enumerate() {
        res.entry(*line).and_modify(|it| *it = None).or_insert(Some(idx));
    }
    res
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes the edit that the differences stand for.
    fn apply(before: &[&str], after: &[&str]) -> Vec<String> {
        let mut res: Vec<&str> = Vec::new();
        let mut done = 0;
        for hunk in hunks(before, after) {
            assert!(done == 0 || done < hunk.before.start, "they touch");
            res.extend(&before[done..hunk.before.start]);
            res.extend(&after[hunk.after]);
            done = hunk.before.end;
        }
        res.extend(&before[done..]);
        res.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn edits_of_long_texts_are_found_where_they_are() {
        let old: Vec<String> = (0..3 * MAX_LINES).map(|idx| format!("x{}", idx / 3 * 2)).collect();
        let mut old: Vec<&str> = old.iter().map(String::as_str).collect();
        old[900] = "once";
        old[4_000] = "only";
        let mut new = old.clone();
        new[1_000] = "new";
        new.remove(4_001);
        new.insert(10, "more");
        let hunk = |before: Range<usize>, after: Range<usize>| Hunk { before, after };
        assert_eq!(
            hunks(&old, &new),
            [
                hunk(10..10, 10..11),
                hunk(1_000..1_001, 1_001..1_002),
                hunk(4_001..4_002, 4_002..4_002)
            ]
        );
        assert_eq!(apply(&old, &new), new);
    }

    #[test]
    fn what_is_too_long_differs_as_a_whole() {
        let text = |factor: usize| -> Vec<&str> {
            (0..2 * MAX_LINES).map(|idx| ["a", "b", "c"][idx * idx * factor % 7 % 3]).collect()
        };
        let (mut old, mut new) = (text(1), text(3));
        old.insert(100, "here");
        new.insert(50, "here");
        let found = hunks(&old, &new);
        assert!(found.iter().any(|it| MAX_LINES < it.before.len()), "{found:?}");
        assert_eq!(apply(&old, &new), new);
    }
}
