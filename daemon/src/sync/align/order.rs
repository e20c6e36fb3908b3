//! Recognises cells that stand in the order in which they stood.

use std::collections::{HashMap, HashSet};

use imara_diff::{Algorithm, Diff, InternedInput};
use nbsync_formats::{Cell, CellKind};

use super::likeness::{Budget, Trigrams, likeness};
use super::{MAX_PAIRS, content};

/// What a cell is worth that is the same but for its kind. Less than an equal cell, and
/// more than one that is only alike.
const SAME_BUT_KIND: f64 = 0.95;

/// Returns pairs of equal and of similar cells, by their positions, both ascending.
///
/// Cells that are there just once on each side show where the others are: between two of
/// them, the choice is the one with the most in common. So of two equal cells the one that
/// stands in the right place is taken, not the first.
///
/// `allow` says of two positions whether a cell may be an edited version of the other.
pub(super) fn in_order(
    old: &[&Cell],
    new: &[&Cell],
    allow: &dyn Fn(usize, usize) -> bool,
    budget: &mut Budget,
) -> Vec<(usize, usize)> {
    let known: HashSet<(CellKind, &str)> = old.iter().map(|cell| content(cell)).collect();
    let both: HashSet<(CellKind, &str)> =
        new.iter().map(|cell| content(cell)).filter(|it| known.contains(it)).collect();
    let mut pairs = Vec::new();
    let (mut old_start, mut new_start) = (0, 0);
    let end = (old.len(), new.len());
    for (old_end, new_end) in anchors(old, new).into_iter().chain([end]) {
        let allow = |a: usize, b: usize| allow(old_start + a, new_start + b);
        let gap =
            between(&old[old_start..old_end], &new[new_start..new_end], &both, &allow, budget);
        pairs.extend(gap.into_iter().map(|(a, b)| (old_start + a, new_start + b)));
        if (old_end, new_end) != end {
            pairs.push((old_end, new_end));
        }
        (old_start, new_start) = (old_end + 1, new_end + 1);
    }
    pairs
}

/// Cells that are there once on each side, as many as stand in the same order.
fn anchors<'a>(old: &[&'a Cell], new: &[&'a Cell]) -> Vec<(usize, usize)> {
    let (old_once, new_once) = (once(old), once(new));
    let mut common: Vec<(usize, usize)> = Vec::new();
    for (new_idx, cell) in new.iter().enumerate() {
        let key = content(cell);
        if let (Some(Some(old_idx)), Some(Some(_))) = (old_once.get(&key), new_once.get(&key)) {
            common.push((*old_idx, new_idx));
        }
    }
    // Patience sorting: `tails[n]` ends the best run of length n + 1.
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; common.len()];
    for (idx, &(old_idx, _)) in common.iter().enumerate() {
        let len = tails.partition_point(|&tail| common[tail].0 < old_idx);
        before[idx] = len.checked_sub(1).map(|len| tails[len]);
        if len == tails.len() {
            tails.push(idx);
        } else {
            tails[len] = idx;
        }
    }
    let mut run = Vec::new();
    let mut at = tails.last().copied();
    while let Some(idx) = at {
        run.push(common[idx]);
        at = before[idx];
    }
    run.reverse();
    run
}

/// Returns where each content is, `None` if it is in several places.
fn once<'a>(cells: &[&'a Cell]) -> HashMap<(CellKind, &'a str), Option<usize>> {
    let mut res = HashMap::new();
    for (idx, cell) in cells.iter().enumerate() {
        res.entry(content(cell)).and_modify(|it| *it = None).or_insert(Some(idx));
    }
    res
}

/// Returns the pairs between two anchors.
///
/// A cell whose content is on `both` sides may have moved, and is no edited one.
fn between(
    old: &[&Cell],
    new: &[&Cell],
    both: &HashSet<(CellKind, &str)>,
    allow: &dyn Fn(usize, usize) -> bool,
    budget: &mut Budget,
) -> Vec<(usize, usize)> {
    if old.is_empty() || new.is_empty() {
        return Vec::new();
    }
    if MAX_PAIRS < old.len() * new.len() {
        return equal_cells(old, new);
    }
    let mut grams = |cells: &[&Cell]| -> Vec<Trigrams> {
        cells.iter().map(|cell| Trigrams::new(&cell.source, budget)).collect()
    };
    let (old_grams, new_grams) = (grams(old), grams(new));
    let mut score = |old_idx: usize, new_idx: usize| -> f64 {
        let (a, b) = (old[old_idx], new[new_idx]);
        match (a.kind == b.kind, a.source == b.source) {
            (true, true) => 1.0,
            (false, true) if !a.source.is_empty() => SAME_BUT_KIND,
            (true, false) if both.contains(&content(a)) || both.contains(&content(b)) => 0.0,
            (true, false) if !allow(old_idx, new_idx) => 0.0,
            (true, false) => {
                let (a, b) = ((&*a.source, &old_grams[old_idx]), (&*b.source, &new_grams[new_idx]));
                0.9 * likeness(a, b, budget)
            }
            (false, _) => 0.0,
        }
    };
    // `best[i][j]` is what the first i old and j new cells can have in common.
    let width = new.len() + 1;
    let mut best = vec![0.0_f64; (old.len() + 1) * width];
    for i in 0..old.len() {
        for j in 0..new.len() {
            let score = score(i, j);
            let paired = if score > 0.0 { best[i * width + j] + score } else { 0.0 };
            let left_out = best[i * width + j + 1].max(best[(i + 1) * width + j]);
            best[(i + 1) * width + j + 1] = paired.max(left_out);
        }
    }
    let mut pairs = Vec::new();
    let (mut i, mut j) = (old.len(), new.len());
    while i > 0 && j > 0 {
        // Of several ways with as much in common, the one with the first of equal cells.
        let here = best[i * width + j];
        if (best[(i - 1) * width + j] - here).abs() < 1e-9 {
            i -= 1;
        } else if (best[i * width + j - 1] - here).abs() < 1e-9 {
            j -= 1;
        } else {
            pairs.push((i - 1, j - 1));
            (i, j) = (i - 1, j - 1);
        }
    }
    pairs.reverse();
    pairs
}

/// Equal cells in order, for so many that a look at how alike they are takes too long.
fn equal_cells<'a>(old: &[&'a Cell], new: &[&'a Cell]) -> Vec<(usize, usize)> {
    let mut numbers: HashMap<(CellKind, &'a str), usize> = HashMap::new();
    let mut number = |cell: &&'a Cell| {
        let next = numbers.len();
        *numbers.entry(content(cell)).or_insert(next)
    };
    let mut input: InternedInput<usize> = InternedInput::default();
    input.update_before(old.iter().map(&mut number));
    input.update_after(new.iter().map(&mut number));
    let diff = Diff::compute(Algorithm::Myers, &input);
    let (mut old_pos, mut new_pos) = (0_usize, 0_usize);
    let mut pairs = Vec::new();
    for hunk in diff.hunks() {
        while old_pos < hunk.before.start as usize {
            pairs.push((old_pos, new_pos));
            (old_pos, new_pos) = (old_pos + 1, new_pos + 1);
        }
        (old_pos, new_pos) = (hunk.before.end as usize, hunk.after.end as usize);
    }
    pairs.extend((old_pos..old.len()).zip(new_pos..new.len()));
    pairs
}
