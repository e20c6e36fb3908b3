//! Cells that were split or merged.

use std::collections::{HashMap, HashSet};

use nbsync_formats::Cell;

use super::content;

/// Shorter texts of one line stand in many cells.
const MIN_LEN: usize = 20;

/// How many cells with the same first or last line are looked at.
const MAX_CANDIDATES: usize = 8;

/// Which cells are the beginning or the end of a cell on the other side.
#[derive(Debug)]
pub(super) struct Fragments {
    /// For each old cell the new one that it was merged into.
    old: Vec<Option<usize>>,
    /// For each new cell the old one that it was split off.
    new: Vec<Option<usize>>,
}

impl Fragments {
    pub(super) fn find(old: &[Cell], new: &[Cell]) -> Self {
        Self { old: wholes(old, new), new: wholes(new, old) }
    }

    /// Whether one cell may be an edited version of the other, from what is known: half of a
    /// cell is no other cell, however alike the two are.
    pub(super) fn allow(&self, old: usize, new: usize) -> bool {
        self.new[new].is_none_or(|whole| whole == old)
            && self.old[old].is_none_or(|whole| whole == new)
    }
}

/// Returns for each part the cell that it is a part of, if there is one that is not there
/// as a whole on both sides.
fn wholes(parts: &[Cell], wholes: &[Cell]) -> Vec<Option<usize>> {
    let known: HashSet<_> = parts.iter().map(content).collect();
    let both: HashSet<_> = wholes.iter().map(content).filter(|it| known.contains(it)).collect();
    let mut starts: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut ends: HashMap<&str, Vec<usize>> = HashMap::new();
    for (idx, whole) in wholes.iter().enumerate().filter(|(_, it)| !both.contains(&content(it))) {
        for (map, line) in [(&mut starts, first(whole)), (&mut ends, last(whole))] {
            let idxs = map.entry(line).or_default();
            if idxs.len() < MAX_CANDIDATES {
                idxs.push(idx);
            }
        }
    }
    let whole_of = |part: &Cell| {
        let source = part.source.as_str();
        let is_short = source.len() < MIN_LEN && !source.trim().contains('\n');
        if is_short || both.contains(&content(part)) {
            return None;
        }
        let starts = starts.get(first(part)).into_iter().flatten().copied();
        let mut starts = starts.filter(|&idx| {
            let rest = wholes[idx].source.strip_prefix(source);
            rest.is_some_and(|rest| rest.starts_with('\n'))
        });
        let ends = ends.get(last(part)).into_iter().flatten().copied();
        let mut ends = ends.filter(|&idx| {
            let rest = wholes[idx].source.strip_suffix(source);
            rest.is_some_and(|rest| rest.ends_with('\n'))
        });
        starts.next().or_else(|| ends.next()).filter(|&idx| wholes[idx].kind == part.kind)
    };
    parts.iter().map(whole_of).collect()
}

fn first(cell: &Cell) -> &str {
    cell.source.split('\n').next().unwrap_or_default()
}

fn last(cell: &Cell) -> &str {
    cell.source.rsplit('\n').next().unwrap_or_default()
}
