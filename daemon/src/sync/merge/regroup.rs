//! Cells that one replica split or joined while another one edited their text.

use std::collections::{BTreeMap, BTreeSet};

use nbsync_formats::Change;

use super::Merge;
use crate::sync::edit::{CellKey, Edit};
use crate::sync::lines::carry_over;

/// The splits and joins that have to wait until all texts are merged, because somebody else
/// edited or moved one of the cells.
#[derive(Debug, Default)]
pub(super) struct Regroups<'a> {
    late: Vec<&'a Edit>,
    /// The cells whose text follows from that, and the replica whose own text of them doesn't
    /// count until then.
    skipped: BTreeMap<CellKey, usize>,
}

impl<'a> Regroups<'a> {
    /// `plain` are cells for which it is not to be tried.
    pub(super) fn new(edits: &'a [Vec<Edit>], plain: &BTreeSet<CellKey>) -> Self {
        // What several replicas regroup, and what gets another kind, is merged as plain text.
        let mut regrouped_by: BTreeMap<CellKey, Vec<usize>> = BTreeMap::new();
        let mut touched: BTreeMap<CellKey, BTreeSet<usize>> = BTreeMap::new();
        let mut of_other_kind: BTreeMap<CellKey, BTreeSet<usize>> = BTreeMap::new();
        let all =
            || edits.iter().enumerate().flat_map(|(idx, it)| it.iter().map(move |it| (idx, it)));
        for (replica, edit) in all() {
            match edit {
                Edit::Split { .. } | Edit::Join { .. } => {
                    for key in old_cells(edit) {
                        regrouped_by.entry(*key).or_default().push(replica);
                    }
                }
                Edit::Set(key, Change::Source(_)) | Edit::Move { key, .. } => {
                    touched.entry(*key).or_default().insert(replica);
                }
                Edit::Set(key, Change::Kind(_)) => {
                    of_other_kind.entry(*key).or_default().insert(replica);
                }
                _ => {}
            }
        }
        let by_others = |map: &BTreeMap<CellKey, BTreeSet<usize>>, key, replica| {
            map.get(key).is_some_and(|them| them.iter().any(|it| *it != replica))
        };
        let mut res = Self::default();
        for (replica, edit) in all() {
            let (Edit::Split { key, .. } | Edit::Join { key, .. }) = edit else { continue };
            let cells = old_cells(edit);
            if !plain.contains(key)
                && cells.iter().all(|it| {
                    regrouped_by.get(it).is_some_and(|it| it.len() == 1)
                        && !by_others(&of_other_kind, it, replica)
                })
                && cells.iter().any(|it| by_others(&touched, it, replica))
            {
                res.late.push(edit);
                res.skipped.insert(*key, replica);
            }
        }
        res
    }

    /// Whether the text that a replica has for a cell is made of the merged one later.
    pub(super) fn skips(&self, replica: usize, key: CellKey) -> bool {
        self.skipped.get(&key) == Some(&replica)
    }
}

/// The cells of the base that are split or joined.
fn old_cells(edit: &Edit) -> &[CellKey] {
    match edit {
        Edit::Split { key, .. } => std::slice::from_ref(key),
        Edit::Join { parts, .. } => parts,
        _ => &[],
    }
}

impl Merge<'_> {
    /// Splits and joins the merged texts, and returns the cells for which that is not possible.
    pub(super) fn regroup(&mut self, regroups: &Regroups<'_>) -> Vec<CellKey> {
        let mut failed = Vec::new();
        for edit in &regroups.late {
            if let Edit::Split { key, parts, at } = edit
                && self.split(*key, parts, at).is_none()
            {
                failed.push(*key);
            }
            if let Edit::Join { key, parts, gaps } = edit {
                self.join(*key, parts, gaps);
            }
        }
        failed
    }

    /// Returns `None` if an edit goes over a cut.
    fn split(&mut self, key: CellKey, parts: &[CellKey], at: &[usize]) -> Option<()> {
        let base = &self.base.notebook.cells[*self.base_pos.get(&key)?].source;
        let text = &self.model.get(key)?.source;
        let at = carry_over(base, text, at)?;
        // Another replica may have inserted the same cell as one of the parts, and has
        // what was merged there already.
        let is_shared =
            |part: CellKey| self.is_same.range((part, 0)..=(part, usize::MAX)).next().is_some();
        if parts.iter().any(|part| !self.model.has(*part) || is_shared(*part)) {
            return None;
        }
        let lines: Vec<&str> = text.split('\n').collect();
        let starts = std::iter::once(0).chain(at.iter().copied());
        let ends = at.iter().copied().chain(std::iter::once(lines.len()));
        let mut texts: Vec<String> = starts
            .zip(ends)
            .enumerate()
            .map(|(idx, (start, end))| {
                let (is_first, is_last) = (idx == 0, idx + 1 == parts.len());
                without_blank_ends(&lines[start..end], !is_first, !is_last).join("\n")
            })
            .collect();
        let whole = parts.iter().position(|it| *it == key)?;
        // Another replica may have deleted all lines of a part. The cell itself stays.
        let is_left = |idx: &usize| !texts[*idx].trim().is_empty();
        if !is_left(&whole)
            && let Some(left) = (0..whole).rev().chain(whole..texts.len()).find(is_left)
        {
            texts.swap(whole, left);
        }
        for (idx, (part, text)) in parts.iter().zip(texts).enumerate() {
            if idx != whole && text.trim().is_empty() {
                self.model.remove(*part);
            } else if let Some(cell) = self.model.get_mut(*part) {
                cell.source = text;
            }
        }
        Some(())
    }

    /// Puts the parts of split cells together again, where another replica moved one of them
    /// or put something between them.
    pub(super) fn glue(&mut self, edits: &[Vec<Edit>]) {
        for edit in edits.iter().flatten() {
            let Edit::Split { key, parts, .. } = edit else { continue };
            let is_there = |key: CellKey| self.model.has(key).then_some(key);
            let parts: Vec<CellKey> = parts.iter().filter_map(|it| is_there(*it)).collect();
            let Some(whole) = parts.iter().position(|it| it == key) else { continue };
            for pair in parts[..=whole].windows(2).rev() {
                if self.model.below(Some(pair[0])) != Some(pair[1])
                    && let Some(cell) = self.model.remove(pair[0])
                {
                    self.model.insert(self.model.above(pair[1]), pair[0], cell);
                }
            }
            for pair in parts[whole..].windows(2) {
                if self.model.below(Some(pair[0])) != Some(pair[1])
                    && let Some(cell) = self.model.remove(pair[1])
                {
                    self.model.insert(Some(pair[0]), pair[1], cell);
                }
            }
        }
    }

    fn join(&mut self, key: CellKey, parts: &[CellKey], gaps: &[usize]) {
        let mut lines: Vec<&str> = Vec::new();
        for (idx, part) in parts.iter().enumerate() {
            // What somebody else deleted is in the joined cell all the same.
            let Some(cell) = self.model.get(*part) else { continue };
            let all: Vec<&str> = cell.source.split('\n').collect();
            if let Some(gap) = idx.checked_sub(1).and_then(|idx| gaps.get(idx)) {
                lines.resize(lines.len() + gap, "");
            }
            lines.extend(without_blank_ends(&all, 0 < idx, idx + 1 < parts.len()));
        }
        let text = lines.join("\n");
        if let Some(cell) = self.model.get_mut(key) {
            cell.source = text;
        }
        for part in parts.iter().filter(|it| **it != key) {
            self.model.remove(*part);
        }
        for conflict in &mut self.conflicts {
            if conflict.key.is_some_and(|it| parts.contains(&it)) {
                conflict.key = Some(key);
            }
        }
    }
}

/// Without the blank lines at the cuts, which no cell has.
fn without_blank_ends<'a, 'b>(mut lines: &'a [&'b str], first: bool, last: bool) -> &'a [&'b str] {
    while let [head, rest @ ..] = lines
        && first
        && head.trim().is_empty()
    {
        lines = rest;
    }
    while let [rest @ .., tail] = lines
        && last
        && tail.trim().is_empty()
    {
        lines = rest;
    }
    lines
}
