//! Recognises a cell that was split into several, and several that were joined.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use nbsync_formats::{Cell, CellKind};

use super::align::is_alike;

/// A cell of one text whose lines are those of several cells of the other.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Regroup {
    /// The cell that has all lines.
    pub(super) whole: usize,
    /// The cells that have a part of them, in this order.
    pub(super) parts: Range<usize>,
    /// The line of the whole at which each part but the first begins, blank lines included.
    pub(super) at: Vec<usize>,
    /// How many blank lines there are in the whole above each part but the first.
    pub(super) gaps: Vec<usize>,
}

/// Which cells were split, and which were joined.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Regroups {
    /// The wholes are old cells.
    pub(super) splits: Vec<Regroup>,
    /// The wholes are new cells.
    pub(super) joins: Vec<Regroup>,
}

/// How many cells with the same first line are looked at for one part.
const MAX_CANDIDATES: usize = 4;

/// How many lines are compared for each line that there is. Texts of many equal lines would
/// cost quadratic time.
const MAX_LOOKS: usize = 20;

/// Finds cells that were split or joined, and nothing else: between them, at the cuts, only
/// blank lines may come or go.
///
/// `old_of` says for each new cell which old one it is, and is changed. Of the parts of a cell
/// the one with its id is that cell, else of code the last one, as in JupyterLab: what a cell
/// shows is the value of its last line. Joined cells are the one with the id, else the oldest of
/// them, so that a split cell that is joined again is what it was.
///
/// `ages` has a lower number for an older cell, and `None` for one that is not asked.
pub(super) fn regroup<A: Ord>(
    old: &[Cell],
    new: &[Cell],
    old_of: &mut [Option<usize>],
    ages: &[Option<A>],
) -> Regroups {
    let is_free = |idx: usize, of: Option<usize>, cells: &[Cell], others: &[Cell]| {
        of.is_none_or(|of| others[of].source != cells[idx].source)
    };
    let mut new_of = vec![None; old.len()];
    for (new_idx, old_idx) in old_of.iter().enumerate() {
        if let Some(old_idx) = old_idx {
            new_of[*old_idx] = Some(new_idx);
        }
    }
    let free_old: Vec<bool> = (0..old.len())
        .map(|idx| ages[idx].is_some() && is_free(idx, new_of[idx], old, new))
        .collect();
    let free_new: Vec<bool> =
        (0..new.len()).map(|idx| is_free(idx, old_of[idx], new, old)).collect();

    let splits = Search { wholes: (old, &free_old), parts: (new, &free_new), whole_of: old_of };
    let splits = splits.run();
    for split in &splits {
        let parts = &new[split.parts.clone()];
        let last = if old[split.whole].kind == CellKind::Code { parts.len() - 1 } else { 0 };
        let keeper = split.parts.start + with_id(&old[split.whole], parts).unwrap_or(last);
        old_of[split.parts.clone()].fill(None);
        if let Some(new_idx) = new_of[split.whole] {
            old_of[new_idx] = None;
        }
        old_of[keeper] = Some(split.whole);
    }

    let mut new_of = vec![None; old.len()];
    for (new_idx, old_idx) in old_of.iter().enumerate() {
        if let Some(old_idx) = old_idx {
            new_of[*old_idx] = Some(new_idx);
        }
    }
    let mut free_new = free_new;
    let mut free_old = free_old;
    for split in &splits {
        free_new[split.parts.clone()].fill(false);
        free_old[split.whole] = false;
    }
    let joins = Search { wholes: (new, &free_new), parts: (old, &free_old), whole_of: &new_of };
    let joins = joins.run();
    for join in &joins {
        let by_id = with_id(&new[join.whole], &old[join.parts.clone()]);
        let by_id = by_id.map(|idx| join.parts.start + idx);
        let oldest = join.parts.clone().min_by_key(|&idx| &ages[idx]);
        let Some(keeper) = by_id.or(oldest) else { continue };
        for old_idx in join.parts.clone() {
            if let Some(new_idx) = new_of[old_idx] {
                old_of[new_idx] = None;
            }
        }
        old_of[join.whole] = Some(keeper);
    }
    Regroups { splits, joins }
}

/// Which of the parts has the id of the whole.
fn with_id(whole: &Cell, parts: &[Cell]) -> Option<usize> {
    parts.iter().position(|it| it.id.is_some() && it.id == whole.id)
}

struct Search<'a> {
    /// The cells that may have the lines of several others, and which of them are asked.
    wholes: (&'a [Cell], &'a [bool]),
    parts: (&'a [Cell], &'a [bool]),
    /// For each part, which of the wholes it was taken for.
    whole_of: &'a [Option<usize>],
}

impl Search<'_> {
    fn run(&self) -> Vec<Regroup> {
        let (wholes, are_wholes) = self.wholes;
        let (parts, are_parts) = self.parts;
        // By what they begin with; a whole has two lines at least.
        let mut beginnings: HashMap<(CellKind, &str), VecDeque<usize>> = HashMap::new();
        let mut n_lines = 0;
        for (idx, cell) in wholes.iter().enumerate().filter(|(idx, _)| are_wholes[*idx]) {
            let mut lines = filled_lines(&cell.source);
            if let (Some((_, first)), Some(_)) = (lines.next(), lines.next()) {
                beginnings.entry((cell.kind, first)).or_default().push_back(idx);
                n_lines += cell.source.lines().count();
            }
        }
        let mut looks = MAX_LOOKS * n_lines;
        let mut res = Vec::new();
        let mut start = 0;
        while start < parts.len() {
            let found = are_parts[start].then(|| {
                let first = filled_lines(&parts[start].source).next()?.1;
                let candidates = beginnings.get_mut(&(parts[start].kind, first))?;
                let n_asked = candidates.len().min(MAX_CANDIDATES);
                let found =
                    candidates.iter().take(n_asked).enumerate().find_map(|(pos, &whole)| {
                        self.regroup_at(whole, start, &mut looks).map(|it| (pos, it))
                    });
                let (pos, found) = found?;
                candidates.remove(pos);
                Some(found)
            });
            match found.flatten() {
                Some(found) => {
                    start = found.parts.end;
                    res.push(found);
                }
                None => start += 1,
            }
        }
        res
    }

    /// Returns how the lines of a whole are those of the parts from `start` on.
    fn regroup_at(&self, whole_idx: usize, start: usize, looks: &mut usize) -> Option<Regroup> {
        let (parts, are_parts) = self.parts;
        let whole = &self.wholes.0[whole_idx];
        let mut lines = filled_lines(&whole.source);
        let mut last = None;
        let (mut at, mut gaps) = (Vec::new(), Vec::new());
        let mut end = start;
        loop {
            let part = parts.get(end)?;
            if !are_parts[end] || part.kind != whole.kind || !self.may_belong(end, whole_idx) {
                return None;
            }
            let mut n_filled = 0;
            for (_, line) in filled_lines(&part.source) {
                *looks = looks.checked_sub(1)?;
                let (number, expected) = lines.next()?;
                if line != expected {
                    return None;
                }
                if let (0, Some(last)) = (n_filled, last) {
                    at.push(last + 1);
                    gaps.push(number - last - 1);
                }
                n_filled += 1;
                last = Some(number);
            }
            end += 1;
            if n_filled == 0 {
                return None;
            }
            if lines.clone().next().is_none() {
                return (1 < end - start).then_some(Regroup {
                    whole: whole_idx,
                    parts: start..end,
                    at,
                    gaps,
                });
            }
        }
    }

    /// Whether a part was not taken for something else with good reason.
    fn may_belong(&self, part: usize, whole: usize) -> bool {
        let Some(of) = self.whole_of[part] else { return true };
        let (part, of_cell) = (&self.parts.0[part], &self.wholes.0[of]);
        of == whole || (part.id.is_none() || part.id != of_cell.id) && !is_alike(part, of_cell)
    }
}

/// The lines that are not blank, with their numbers.
fn filled_lines(source: &str) -> impl Iterator<Item = (usize, &str)> + Clone {
    source.split('\n').enumerate().filter(|(_, line)| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::align::align;

    fn ages(cells: &[Cell]) -> Vec<Option<usize>> {
        (0..cells.len()).map(Some).collect()
    }

    /// Cells separated by blanks, with `+` between lines; the answer is the old position of
    /// each new cell, or `-`.
    #[track_caller]
    fn check(old: &str, new: &str, expected: &str) -> Regroups {
        let cells = |text: &str| -> Vec<Cell> {
            text.split(' ').map(|it| Cell::new(CellKind::Code, it.replace('+', "\n"))).collect()
        };
        let (old, new) = (cells(old), cells(new));
        let mut old_of = align(&old, &new);
        let found = regroup(&old, &new, &mut old_of, &ages(&old));
        let shown: Vec<_> = old_of
            .into_iter()
            .map(|idx| idx.map_or("-".to_owned(), |idx| idx.to_string()))
            .collect();
        assert_eq!(shown.join(" "), expected);
        found
    }

    #[test]
    fn split_cells_are_found() {
        let found = check("x aa+bb+cc y", "x aa+bb cc y", "0 - 1 2");
        let split = Regroup { whole: 1, parts: 1..3, at: vec![2], gaps: vec![0] };
        assert_eq!(found, Regroups { splits: vec![split], joins: Vec::new() });
        check("aa+bb+cc", "aa bb cc", "- - 0");
        let found = check("aa+++bb+cc", "aa bb+cc", "- 0");
        assert_eq!((&*found.splits[0].at, &*found.splits[0].gaps), (&[1][..], &[2][..]));
        // Two of them, and one that only moved.
        check("aa+bb cc+dd z", "z aa bb cc dd", "2 - 0 - 1");
    }

    #[test]
    fn joined_cells_are_found() {
        let found = check("x aa+bb cc y", "x aa+bb+cc y", "0 1 3");
        assert_eq!(found.joins.len(), 1);
        let found = check("aa bb cc", "aa++bb+cc", "0");
        assert_eq!((&*found.joins[0].at, &*found.joins[0].gaps), (&[1, 3][..], &[1, 0][..]));
    }

    #[test]
    fn joined_cells_are_the_oldest_of_them() {
        let cells = |texts: &[&str]| -> Vec<Cell> {
            texts.iter().map(|it| Cell::new(CellKind::Code, *it)).collect()
        };
        let (old, new) = (cells(&["a much longer line", "b"]), cells(&["a much longer line\nb"]));
        let mut old_of = align(&old, &new);
        regroup(&old, &new, &mut old_of, &[Some(7), Some(3)]);
        assert_eq!(old_of, [Some(1)]);
    }

    #[test]
    fn what_lacks_a_line_or_has_another_is_no_split() {
        for (old, new) in [
            ("aa+bb+cc", "aa bb"),
            ("aa+bb+cc", "aa bb+dd"),
            ("aa+bb", "bb aa"),
            ("aa+bb", "aa x bb"),
            ("aa bb", "aa+bb2"),
        ] {
            let cells = |text: &str| -> Vec<Cell> {
                text.split(' ').map(|it| Cell::new(CellKind::Code, it.replace('+', "\n"))).collect()
            };
            let (old, new) = (cells(old), cells(new));
            let mut old_of = align(&old, &new);
            assert_eq!(regroup(&old, &new, &mut old_of, &ages(&old)), Regroups::default());
        }
    }

    #[test]
    fn part_with_the_id_goes_on_as_the_cell() {
        let cell = |id: &str, source: &str| Cell {
            id: Some(id.to_owned()),
            ..Cell::new(CellKind::Code, source)
        };
        let (old, new) = ([cell("i", "aa\nbb")], [cell("i", "aa"), cell("j", "bb")]);
        let mut old_of = align(&old, &new);
        regroup(&old, &new, &mut old_of, &ages(&old));
        assert_eq!(old_of, [Some(0), None]);
    }
}
