//! What editors do to a text before they save it.

use nbsync_formats::{Carry, Cell, Change, Document, Slot};

use super::super::cells::parse;
use super::super::world::replicas;
use super::tokens::{MARIMO, tokens};
use super::{Buffer, Editors, Plan};
use crate::sync::align::align;

impl Editors {
    /// Makes some edits to a text that an editor has.
    fn plan(&mut self, Buffer { path, source, text }: &Buffer) -> Option<Plan> {
        let document = parse(path, text)?;
        let old = &document.notebook().cells;
        let mut new: Vec<(Option<usize>, Cell)> =
            old.iter().cloned().enumerate().map(|(idx, cell)| (Some(idx), cell)).collect();
        for _ in 0..=self.rng.below(3) {
            self.edit(&mut new);
        }
        self.plan_cells(path, source, document.as_ref(), new)
    }

    fn plan_cells(
        &mut self,
        path: &str,
        source: &str,
        document: &dyn Document,
        new: Vec<(Option<usize>, Cell)>,
    ) -> Option<Plan> {
        let old = &document.notebook().cells;
        let before = tokens(old);
        let after = tokens(new.iter().map(|(_, cell)| cell));
        let slots: Vec<Slot> = new
            .into_iter()
            .map(|(origin, cell)| match origin {
                Some(idx) if old[idx].source == cell.source => Slot::Keep(idx),
                Some(origin) => Slot::Change { origin, changes: vec![Change::Source(cell.source)] },
                None => Slot::New(cell),
            })
            .collect();
        let text = document.update(&slots, &[], Carry::All).ok()?.document.text().to_string();
        for (token, n) in &before {
            // One of several, after a crash.
            if after.get(token).is_none_or(|it| it < n) {
                self.live.remove(token);
            }
        }
        let new = after.keys().filter(|token| !before.contains_key(*token)).cloned();
        self.live.extend(new.map(|token| (token, source.to_owned())));
        Some(Plan {
            path: path.to_owned(),
            text,
            loaded: before.into_keys().collect(),
            tokens: after.into_keys().collect(),
        })
    }

    /// Makes one edit.
    fn edit(&mut self, cells: &mut Vec<(Option<usize>, Cell)>) {
        // The cell that marimo adds stays.
        let own: Vec<usize> =
            (0..cells.len()).filter(|&idx| cells[idx].1.source != MARIMO).collect();
        let what = self.rng.below(10);
        if own.is_empty() || what < 2 {
            let cell = self.cell();
            cells.insert(self.rng.below(cells.len() + 1), (None, cell));
            return;
        }
        let idx = *self.rng.pick(&own);
        match what {
            2 if 1 < own.len() => {
                cells.remove(idx);
            }
            3 => {
                let cell = cells.remove(idx);
                cells.insert(self.rng.below(cells.len() + 1), cell);
            }
            _ => {
                let cell = &mut cells[idx].1;
                let mut lines: Vec<String> = cell.source.lines().map(str::to_owned).collect();
                let line_idx = self.rng.below(lines.len() + 1);
                match what {
                    4 if 1 < lines.len() && line_idx < lines.len() => {
                        lines.remove(line_idx);
                    }
                    5 | 6 if line_idx < lines.len() => lines[line_idx] = self.line(cell.kind),
                    _ => lines.insert(line_idx, self.line(cell.kind)),
                }
                cell.source = lines.join("\n");
            }
        }
    }

    /// Adds a line to a cell of what an editor has; returns the line's token.
    pub(crate) fn add_line(
        &mut self,
        path: &str,
        source: &str,
        text: &str,
        cell: usize,
    ) -> Option<(Plan, String)> {
        let document = parse(path, text)?;
        let mut new: Vec<(Option<usize>, Cell)> = document
            .notebook()
            .cells
            .iter()
            .cloned()
            .enumerate()
            .map(|(idx, cell)| (Some(idx), cell))
            .collect();
        let own: Vec<usize> = (0..new.len()).filter(|&idx| new[idx].1.source != MARIMO).collect();
        let it = &mut new[*own.get(cell)?].1;
        let line = self.line(it.kind);
        it.source = format!("{}\n{line}", it.source);
        let token = tokens([&Cell::new(it.kind, line)]).into_keys().next()?;
        Some((self.plan_cells(path, source, document.as_ref(), new)?, token))
    }

    /// Makes the same edit to another replica.
    pub(crate) fn same_edit(&mut self, plan: &Plan, path: &str) -> Option<Plan> {
        let new = parse(&plan.path, &plan.text)?;
        let document = parse(path, &self.text(path)?)?;
        let old = &document.notebook().cells;
        let mut cells: Vec<Cell> =
            new.notebook().cells.iter().filter(|it| it.source != MARIMO).cloned().collect();
        if let Some(idx) = old.iter().position(|it| it.source == MARIMO) {
            cells.insert(idx.min(cells.len()), old[idx].clone());
        }
        let slots: Vec<Slot> = align(old, &cells)
            .into_iter()
            .zip(cells)
            .map(|(origin, cell)| match origin {
                Some(idx) if old[idx].source.trim_end() == cell.source.trim_end() => {
                    Slot::Keep(idx)
                }
                Some(origin) => Slot::Change { origin, changes: vec![Change::Source(cell.source)] },
                None => Slot::New(Cell::new(cell.kind, cell.source)),
            })
            .collect();
        let text = document.update(&slots, &[], Carry::All).ok()?.document.text().to_string();
        Some(Plan {
            path: path.to_owned(),
            text,
            loaded: plan.loaded.clone(),
            tokens: plan.tokens.clone(),
        })
    }

    /// Loads some file, edits it, and returns what is to be saved.
    pub(crate) fn plan_any(&mut self) -> Option<Plan> {
        let (path, source) = self.some_file()?;
        let text = self.text(&path)?;
        self.plan(&Buffer { path, source, text })
    }

    /// The same for a file that was loaded long ago.
    pub(crate) fn plan_stale(&mut self) -> Option<Plan> {
        if self.buffers.is_empty() {
            return None;
        }
        let buffer = self.rng.pick(&self.buffers).clone();
        if self.busy.contains(&buffer.path) {
            return None;
        }
        self.plan(&buffer)
    }

    /// Loads some file and keeps it.
    pub(crate) fn load(&mut self) {
        let Some((path, source)) = self.some_file() else { return };
        let Some(text) = self.text(&path) else { return };
        self.log(|| format!("load {path}"));
        self.buffers.push(Buffer { path, source, text });
        if 2 < self.buffers.len() {
            self.buffers.remove(0);
        }
    }

    /// The same edit of two replicas.
    pub(crate) fn plan_two(&mut self) -> Option<(Plan, Plan)> {
        let (path, source) = self.some_file()?;
        let other = self.rng.pick(&replicas(&source)).clone();
        if other == path || self.busy.contains(&other) {
            return None;
        }
        let text = self.text(&path)?;
        parse(&other, &self.text(&other)?)?;
        let plan = self.plan(&Buffer { path, source, text })?;
        let same = self.same_edit(&plan, &other)?;
        Some((plan, same))
    }
}
