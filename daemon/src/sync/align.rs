//! Recognises the cells of one text in another.

mod fragments;
mod likeness;
mod order;

use std::collections::{HashMap, VecDeque};

use nbsync_formats::{Cell, CellKind};

use fragments::Fragments;
use likeness::{Budget, SIMILAR, SIMILAR_AND_MOVED, Trigrams};

/// Above this many pairs of unrecognised cells, similarity isn't looked at.
/// Keeps a hostile file from costing quadratic time.
const MAX_PAIRS: usize = 40_000;

/// Returns for each new cell the old cell that it is, if any.
///
/// In this order: equal ids; equal and similar content in the old order; equal and similar
/// content elsewhere; and last the position between recognised neighbours. No old cell
/// is used twice.
pub fn align(old: &[Cell], new: &[Cell]) -> Vec<Option<usize>> {
    align_others(old, new, &[])
}

/// The same, for cells of which these pairs of an old and a new one are known, wherever they stand.
pub(super) fn align_others(
    old: &[Cell],
    new: &[Cell],
    known: &[(usize, usize)],
) -> Vec<Option<usize>> {
    let mut matching = Matching::new(old, new);
    for &(old_idx, new_idx) in known {
        matching.pair(old_idx, new_idx);
    }
    matching.by_id();
    matching.by_order();
    matching.by_equality();
    matching.by_similarity();
    matching.by_position();
    matching.old_of
}

struct Matching<'a> {
    old: &'a [Cell],
    new: &'a [Cell],
    /// For each new cell.
    old_of: Vec<Option<usize>>,
    /// For each old cell.
    is_taken: Vec<bool>,
    fragments: Fragments,
    budget: Budget,
}

impl<'a> Matching<'a> {
    fn new(old: &'a [Cell], new: &'a [Cell]) -> Self {
        Self {
            old,
            new,
            old_of: vec![None; new.len()],
            is_taken: vec![false; old.len()],
            fragments: Fragments::find(old, new),
            budget: Budget::new(),
        }
    }

    fn pair(&mut self, old_idx: usize, new_idx: usize) {
        if !self.is_taken[old_idx] && self.old_of[new_idx].is_none() {
            self.is_taken[old_idx] = true;
            self.old_of[new_idx] = Some(old_idx);
        }
    }

    fn free_old(&self) -> Vec<usize> {
        (0..self.old.len()).filter(|&idx| !self.is_taken[idx]).collect()
    }

    fn free_new(&self) -> Vec<usize> {
        (0..self.new.len()).filter(|&idx| self.old_of[idx].is_none()).collect()
    }

    fn by_id(&mut self) {
        let unique = |cells: &'a [Cell]| {
            let mut idxs: HashMap<&str, Option<usize>> = HashMap::new();
            for (idx, cell) in cells.iter().enumerate() {
                if let Some(id) = &cell.id {
                    idxs.entry(id).and_modify(|it| *it = None).or_insert(Some(idx));
                }
            }
            idxs
        };
        let old_idxs = unique(self.old);
        let new_idxs = unique(self.new);
        for (new_idx, cell) in self.new.iter().enumerate() {
            let Some(id) = cell.id.as_deref() else { continue };
            if let (Some(Some(old_idx)), Some(Some(_))) = (old_idxs.get(id), new_idxs.get(id)) {
                self.pair(*old_idx, new_idx);
            }
        }
    }

    /// Equal and similar cells in the old order.
    fn by_order(&mut self) {
        let (old_idxs, new_idxs) = (self.free_old(), self.free_new());
        let cells = |all: &'a [Cell], idxs: &[usize]| -> Vec<&'a Cell> {
            idxs.iter().map(|&idx| &all[idx]).collect()
        };
        let (old, new) = (cells(self.old, &old_idxs), cells(self.new, &new_idxs));
        let fragments = &self.fragments;
        let allow =
            |old_pos: usize, new_pos: usize| fragments.allow(old_idxs[old_pos], new_idxs[new_pos]);
        for (old_pos, new_pos) in order::in_order(&old, &new, &allow, &mut self.budget) {
            self.pair(old_idxs[old_pos], new_idxs[new_pos]);
        }
    }

    /// Equal cells that moved, and cells that moved and only changed their kind.
    fn by_equality(&mut self) {
        self.by_content(|cell| Some(content(cell)));
        self.by_content(|cell| (!cell.source.is_empty()).then_some(&cell.source));
    }

    /// Cells with the same key, the first with the first; those without a key have no equal.
    fn by_content<K: std::hash::Hash + Eq>(&mut self, key: impl Fn(&'a Cell) -> Option<K>) {
        let mut left: HashMap<K, VecDeque<usize>> = HashMap::new();
        for idx in self.free_old() {
            if let Some(key) = key(&self.old[idx]) {
                left.entry(key).or_default().push_back(idx);
            }
        }
        for new_idx in self.free_new() {
            let old = key(&self.new[new_idx]).and_then(|key| left.get_mut(&key));
            if let Some(old_idx) = old.and_then(VecDeque::pop_front) {
                self.pair(old_idx, new_idx);
            }
        }
    }

    fn by_similarity(&mut self) {
        let (old_idxs, new_idxs) = (self.free_old(), self.free_new());
        if old_idxs.is_empty() || new_idxs.is_empty() || MAX_PAIRS < old_idxs.len() * new_idxs.len()
        {
            return;
        }
        let budget = &mut self.budget;
        let mut grams = |cells: &[Cell], idxs: &[usize]| -> Vec<Trigrams> {
            idxs.iter().map(|&idx| Trigrams::new(&cells[idx].source, budget)).collect()
        };
        let (old_grams, new_grams) = (grams(self.old, &old_idxs), grams(self.new, &new_idxs));
        let mut pairs = Vec::new();
        for (new_pos, &new_idx) in new_idxs.iter().enumerate() {
            for (old_pos, &old_idx) in old_idxs.iter().enumerate() {
                let may_be = self.fragments.allow(old_idx, new_idx);
                if !may_be || self.old[old_idx].kind != self.new[new_idx].kind {
                    continue;
                }
                let (old, new) = (&old_grams[old_pos], &new_grams[new_pos]);
                let score = old.dice(new, SIMILAR_AND_MOVED, &mut self.budget);
                if 0.0 < score {
                    pairs.push((score, old_idx, new_idx));
                }
            }
        }
        // The best first; among equals those that moved least.
        pairs.sort_by(|a, b| {
            let distance = |pair: &(f64, usize, usize)| pair.1.abs_diff(pair.2);
            b.0.total_cmp(&a.0)
                .then(distance(a).cmp(&distance(b)))
                .then((a.1, a.2).cmp(&(b.1, b.2)))
        });
        for (_, old_idx, new_idx) in pairs {
            self.pair(old_idx, new_idx);
        }
    }

    /// Cells between recognised neighbours, if there are as many of them as
    /// there were: then they were edited in place.
    fn by_position(&mut self) {
        let mut new_idx = 0;
        while new_idx < self.new.len() {
            if self.old_of[new_idx].is_some() {
                new_idx += 1;
                continue;
            }
            let end = (new_idx..self.new.len())
                .find(|&idx| self.old_of[idx].is_some())
                .unwrap_or(self.new.len());
            let first_old =
                new_idx.checked_sub(1).map_or(Some(0), |idx| self.old_of[idx].map(|old| old + 1));
            let end_old =
                if end == self.new.len() { Some(self.old.len()) } else { self.old_of[end] };
            if let (Some(first_old), Some(end_old)) = (first_old, end_old)
                && first_old < end_old
                && end_old - first_old == end - new_idx
                && !self.is_taken[first_old..end_old].contains(&true)
            {
                for (old_idx, new_idx) in (first_old..end_old).zip(new_idx..end) {
                    let (old, new) = (&self.old[old_idx], &self.new[new_idx]);
                    let may_be = self.fragments.allow(old_idx, new_idx);
                    if (may_be && old.kind == new.kind) || old.source == new.source {
                        self.pair(old_idx, new_idx);
                    }
                }
            }
            new_idx = end;
        }
    }
}

/// Whether a cell may be the other one, edited.
pub(super) fn is_alike(a: &Cell, b: &Cell) -> bool {
    let mut budget = Budget::new();
    let [a, b] = [a, b].map(|it| Trigrams::new(&it.source, &mut budget));
    0.0 < a.dice(&b, SIMILAR, &mut budget)
}

fn content(cell: &Cell) -> (CellKind, &str) {
    (cell.kind, &cell.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cells separated by blanks; the answer is the old position of each new
    /// cell, or `-`.
    #[track_caller]
    fn check(old: &str, new: &str, expected: &str) {
        let cells = |text: &str| -> Vec<Cell> {
            text.split(' ').map(|source| Cell::new(CellKind::Code, source)).collect()
        };
        let found: Vec<_> = align(&cells(old), &cells(new))
            .into_iter()
            .map(|idx| idx.map_or("-".to_owned(), |idx| idx.to_string()))
            .collect();
        assert_eq!(found.join(" "), expected, "{old} to {new}");
    }

    #[test]
    fn equal_cells_are_found_in_order() {
        check("a b c", "a b c", "0 1 2");
        check("a b c", "a c", "0 2");
        check("a b c", "a b x=1 c", "0 1 - 2");
        check("a a a", "a a", "0 1");
    }

    #[test]
    fn of_equal_cells_the_one_in_the_right_place_is_found() {
        // One of two equal cells is deleted, beside an edit.
        check("plot() value=1 plot()", "value=12 plot()", "1 2");
        check("plot() value=1 plot()", "plot() value=12", "0 1");
        check("plot() a plot() value=1 plot()", "plot() a value=12 plot()", "0 1 3 4");
        // A new cell between edited ones.
        check("value=1 result=2", "value=11 thing result=22", "0 - 1");
    }

    #[test]
    fn cells_are_found_that_changed_their_kind() {
        let old = [Cell::new(CellKind::Code, "some text"), Cell::new(CellKind::Code, "value = 1")];
        let new =
            [Cell::new(CellKind::Markdown, "some text"), Cell::new(CellKind::Code, "value = 2")];
        assert_eq!(align(&old, &new), [Some(0), Some(1)]);
        assert_eq!(align(&old, &[new[1].clone(), new[0].clone()]), [Some(1), Some(0)]);
    }

    #[test]
    fn moved_cells_are_found() {
        check("a b c", "c a b", "2 0 1");
        check("a b  c", "a b c ", "0 1 3 2");
    }

    #[test]
    fn edited_cells_are_found_by_likeness_and_position() {
        check("import_os print(value) end", "import_os print(value,2) end", "0 1 2");
        check("a b c", "a x c", "0 1 2");
        check("a print(value) c", "a new_thing print(value,1) c", "0 - 1 2");
    }

    #[test]
    fn line_more_makes_no_other_cell() {
        let cells = |sources: &[&str]| -> Vec<Cell> {
            sources.iter().map(|source| Cell::new(CellKind::Code, *source)).collect()
        };
        // Each version has a line that the other lacks, in another cell, and these two are alike.
        let one = cells(&["value1 = 1\nvalue8 = value2 + 1", "value2 = 2", "end"]);
        let other = cells(&["value1 = 1", "value2 = 2\nvalue9 = value1 + 1", "end"]);
        let in_place = [Some(0), Some(1), Some(2)];
        assert_eq!(align(&one, &other), in_place);
        assert_eq!(align(&other, &one), in_place);
    }

    #[test]
    fn a_part_of_a_cell_is_no_other_cell() {
        let check = |old: &[&str], new: &[&str], expected: &[Option<usize>]| {
            let cells = |sources: &[&str]| -> Vec<Cell> {
                sources.iter().map(|source| Cell::new(CellKind::Code, *source)).collect()
            };
            assert_eq!(align(&cells(old), &cells(new)), expected, "{old:?} to {new:?}");
        };
        let head = "gamma.head()\ngamma_mean = gamma.mean()";
        let tail = "gamma = load('gamma.csv')\nprint(gamma)";
        let whole = format!("{head}\n{tail}");
        // Split, and the cell below it is edited and moved above.
        let new = ["df.head()\nprint(31)", head, tail];
        check(&[&whole, "df.head()"], &new, &[None, Some(0), None]);
        // Split, and the cell below it, which is like its end, is deleted.
        let alpha = "alpha = alpha.dropna()\nalpha_mean = alpha.mean()";
        let rows = "for row in alpha:\n    total += row";
        let old = format!("{alpha}\n{rows}");
        let like = "for row in omega:\n    total += row\nprint(omega)";
        check(&[&old, like], &[&format!("{alpha}\n1"), rows], &[Some(0), None]);
        // Merged, and another one stands in the place of the second.
        let merged = format!("{head}\n{tail}");
        check(&[head, tail, "end"], &[&merged, "other()", "end"], &[Some(0), None, Some(2)]);
        // Where the whole is still there, nothing was split off.
        check(&[&whole, "x"], &[&whole, tail], &[Some(0), Some(1)]);
    }

    #[test]
    fn ids_come_first() {
        let cell = |id: &str, source: &str| Cell {
            id: Some(id.to_owned()),
            ..Cell::new(CellKind::Code, source)
        };
        let old = [cell("i", "a"), cell("j", "a")];
        let new = [cell("j", "a"), cell("i", "b")];
        assert_eq!(align(&old, &new), [Some(1), Some(0)]);
    }
}
