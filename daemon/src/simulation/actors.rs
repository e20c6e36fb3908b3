//! Editors that edit whatever they find, and save it in all the ways that are in use.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use camino::Utf8PathBuf;
use nbsync_formats::{Carry, Cell, CellKind, Change, Document, Slot};

use super::cells::parse;
use super::rng::Rng;
use super::world::{at, replicas};
use crate::disk::{MemoryDisk, OpenFile};
use crate::sync::Digest;
use crate::sync::align::align;

/// Editors that edit whatever they find.
///
/// Every line that they write has a token that no other has, so that one can see what became
/// of it.
pub(crate) struct Editors {
    pub(crate) disk: MemoryDisk,
    pub(crate) rng: Rng,
    pub(crate) notebooks: Vec<String>,
    /// The tokens that were saved and not deleted, and their notebooks.
    pub(crate) live: BTreeMap<String, String>,
    /// Those of them that need only be kept: an editor that had not seen them has saved
    /// over them, or they were saved into a replaced file that nobody knew any more.
    pub(crate) weak: BTreeSet<String>,
    /// Those that were saved into a replaced file since the process started.
    pub(crate) late: BTreeSet<String>,
    /// Files in which an editor is in the middle of a save.
    pub(crate) busy: BTreeSet<String>,
    /// What was loaded long ago.
    buffers: Vec<Buffer>,
    /// All that editors put into a file, whole or not.
    pub(crate) written: BTreeSet<(String, Digest)>,
    pub(crate) trace: Option<Vec<String>>,
    n_tokens: usize,
    pub(crate) n_saves: usize,
}

/// A file as an editor has it.
#[derive(Clone)]
struct Buffer {
    path: String,
    source: String,
    text: String,
}

/// What an editor is about to save.
pub(crate) struct Plan {
    path: String,
    text: String,
    /// The tokens that the editor has seen.
    loaded: BTreeSet<String>,
    /// The tokens that it saves.
    tokens: BTreeSet<String>,
}

/// A save that takes its time.
pub(crate) struct Slow {
    pub(crate) plan: Plan,
    ops: VecDeque<Op>,
    open: Option<OpenFile>,
}

/// What a save is made of.
enum Op {
    Open,
    /// Into the file that was opened, whatever its name is by now.
    WriteOpen(Vec<u8>),
    /// Into the file of this name; a new one if there is none.
    Write(Utf8PathBuf, Vec<u8>),
    Copy(Utf8PathBuf, Utf8PathBuf),
    Rename(Utf8PathBuf, Utf8PathBuf),
    Delete(Utf8PathBuf),
}

/// The ways in which editors save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Truncate and write, as VS Code and marimo do.
    InPlace,
    /// Written at once into a file that was opened before.
    HeldOpen,
    /// In two parts.
    Halves,
    /// A copy, then in place, as JupyterLab does.
    Jupyter,
    /// The old file is renamed and a new one written.
    Vim,
    /// The same, and the old one stays.
    Emacs,
    /// Three renames.
    PyCharm,
    /// A temporary file is renamed over the old one.
    Rename,
    /// The old file is deleted and a new one written, as git does.
    Recreate,
}

impl Way {
    const ALL: [Self; 9] = [
        Self::InPlace,
        Self::HeldOpen,
        Self::Halves,
        Self::Jupyter,
        Self::Vim,
        Self::Emacs,
        Self::PyCharm,
        Self::Rename,
        Self::Recreate,
    ];

    pub(crate) fn any(rng: &mut Rng) -> Self {
        *rng.pick(&Self::ALL)
    }

    fn ops(self, path: &str, text: &str, half: usize) -> Vec<Op> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let beside = |other: String| at(&path[..path.len() - name.len()]).join(other);
        let (path, text) = (at(path), text.as_bytes().to_vec());
        let backup = beside(format!("{name}~"));
        match self {
            Self::InPlace => vec![Op::Open, Op::WriteOpen(Vec::new()), Op::WriteOpen(text)],
            Self::HeldOpen => vec![Op::Open, Op::WriteOpen(text)],
            Self::Halves => {
                vec![Op::Open, Op::WriteOpen(text[..half].to_vec()), Op::WriteOpen(text)]
            }
            Self::Jupyter => {
                let copy = beside(format!(".~{name}"));
                vec![
                    Op::Copy(path, copy.clone()),
                    Op::Open,
                    Op::WriteOpen(Vec::new()),
                    Op::WriteOpen(text),
                    Op::Delete(copy),
                ]
            }
            Self::Vim => {
                let probe = beside("4913".to_owned());
                vec![
                    Op::Write(probe.clone(), Vec::new()),
                    Op::Delete(probe),
                    Op::Rename(path.clone(), backup.clone()),
                    Op::Write(path, text),
                    Op::Delete(backup),
                ]
            }
            Self::Emacs => vec![Op::Rename(path.clone(), backup), Op::Write(path, text)],
            Self::PyCharm => {
                let (new, old) =
                    (beside(format!("{name}___jb_tmp___")), beside(format!("{name}___jb_old___")));
                vec![
                    Op::Write(new.clone(), text),
                    Op::Rename(path.clone(), old.clone()),
                    Op::Rename(new, path),
                    Op::Delete(old),
                ]
            }
            Self::Rename => {
                let new = beside(format!(".goutputstream-{name}"));
                vec![Op::Write(new.clone(), text), Op::Rename(new, path)]
            }
            Self::Recreate => vec![Op::Delete(path.clone()), Op::Write(path, text)],
        }
    }
}

impl Editors {
    pub(crate) fn new(disk: MemoryDisk, traced: bool) -> Self {
        Self {
            disk,
            rng: Rng(0),
            notebooks: Vec::new(),
            live: BTreeMap::new(),
            weak: BTreeSet::new(),
            late: BTreeSet::new(),
            busy: BTreeSet::new(),
            buffers: Vec::new(),
            written: BTreeSet::new(),
            trace: traced.then(Vec::new),
            n_tokens: 0,
            n_saves: 0,
        }
    }

    pub(crate) fn log(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(what());
        }
    }

    /// Returns a new line with a token of its own.
    pub(crate) fn line(&mut self, kind: CellKind) -> String {
        self.n_tokens += 1;
        let n = self.n_tokens;
        let before = 1 + self.rng.below(n);
        match (kind, self.rng.below(4)) {
            (CellKind::Code, 0) if before < n => format!("tok{n:04} = tok{before:04}x"),
            (CellKind::Code, _) => format!("tok{n:04} = {n}"),
            (_, 0) => format!("# tok{n:04}"),
            (_, _) => format!("tok{n:04}"),
        }
    }

    fn cell(&mut self) -> Cell {
        let kind = if self.rng.one_in(4) { CellKind::Markdown } else { CellKind::Code };
        let lines: Vec<String> = (0..=self.rng.below(3)).map(|_| self.line(kind)).collect();
        Cell::new(kind, lines.join("\n"))
    }

    /// Makes the cells of a new notebook.
    pub(crate) fn cells(&mut self, source: &str) -> Vec<Cell> {
        let cells: Vec<Cell> = (0..=self.rng.below(5)).map(|_| self.cell()).collect();
        self.live.extend(tokens(&cells).into_keys().map(|token| (token, source.to_owned())));
        cells
    }

    /// Returns some file that no editor is busy with, and its notebook.
    fn some_file(&mut self) -> Option<(String, String)> {
        let Self { notebooks, rng, .. } = self;
        let source = rng.pick(notebooks).clone();
        let path = rng.pick(&replicas(&source)).clone();
        (!self.busy.contains(&path)).then_some((path, source))
    }

    fn text(&self, path: &str) -> Option<String> {
        String::from_utf8(self.disk.bytes(&at(path))?).ok()
    }

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

    /// Saves in one go.
    pub(crate) fn save(&mut self, plan: Plan, way: Way) {
        self.log(|| format!("save {} {way:?} {}", plan.path, sketch(&plan)));
        let mut slow = self.slow(plan, way);
        let n = slow.ops.len();
        self.run_ops(&mut slow, n);
    }

    /// Begins to save.
    pub(crate) fn begin(&mut self, plan: Plan, way: Way) -> Slow {
        let mut slow = self.slow(plan, way);
        let n = 1 + self.rng.below(slow.ops.len() - 1);
        self.log(|| {
            let Plan { path, .. } = &slow.plan;
            format!("begin {path} {way:?} {n} of {} {}", slow.ops.len(), sketch(&slow.plan))
        });
        self.busy.insert(slow.plan.path.clone());
        self.run_ops(&mut slow, n);
        slow
    }

    fn slow(&mut self, plan: Plan, way: Way) -> Slow {
        self.n_saves += 1;
        // A part that ends where a line ends can't be told from a whole text, nor one that is
        // longer than the old text.
        let old = self.disk.bytes(&at(&plan.path)).map_or(0, |it| it.len());
        let bytes = plan.text.as_bytes();
        let mut half = self.rng.below(bytes.len().min(old).max(1));
        while 0 < half && (bytes[..half].ends_with(b"\n") || !plan.text.is_char_boundary(half)) {
            half -= 1;
        }
        Slow { ops: way.ops(&plan.path, &plan.text, half).into(), plan, open: None }
    }

    /// Ends a save.
    pub(crate) fn end(&mut self, mut slow: Slow) {
        self.log(|| format!("end {}", slow.plan.path));
        let n = slow.ops.len();
        self.run_ops(&mut slow, n);
        self.busy.remove(&slow.plan.path);
    }

    /// Writes a file anew in which an editor left a part of a save.
    pub(crate) fn mend(&mut self, slow: Slow) {
        self.log(|| format!("mend {}", slow.plan.path));
        let path = at(&slow.plan.path);
        let ops = [Op::Write(path, slow.plan.text.as_bytes().to_vec())].into();
        self.end(Slow { ops, ..slow });
    }

    fn run_ops(&mut self, slow: &mut Slow, n: usize) {
        for op in slow.ops.drain(..n).collect::<Vec<_>>() {
            let path = at(&slow.plan.path);
            let Slow { plan, open, .. } = slow;
            match op {
                Op::Open => *open = self.disk.open(&path),
                Op::WriteOpen(bytes) => {
                    self.note(plan, &bytes);
                    match *open {
                        Some(open) => {
                            if self.disk.is_named(open, &path) {
                                self.overwrite(plan);
                            } else {
                                self.late.extend(plan.tokens.iter().cloned());
                            }
                            self.disk.save_open(open, &bytes);
                        }
                        None => self.disk.save(&path, &bytes),
                    }
                }
                Op::Write(to, bytes) => {
                    if to == path {
                        self.overwrite(plan);
                    }
                    self.note(plan, &bytes);
                    self.disk.save(&to, &bytes);
                }
                Op::Copy(from, to) => {
                    let bytes = self.disk.bytes(&from).unwrap_or_default();
                    self.disk.save(&to, &bytes);
                }
                Op::Rename(from, to) => {
                    self.overwrite(plan);
                    self.disk.rename(&from, &to);
                }
                Op::Delete(it) => {
                    self.overwrite(plan);
                    self.disk.delete(&it);
                }
            }
        }
    }

    fn note(&mut self, plan: &Plan, bytes: &[u8]) {
        self.written.insert((plan.path.clone(), Digest::of(bytes)));
    }

    /// What is in a file and the editor has not seen is taken back by its save, and need only
    /// be kept. If nobody else has it, it is gone, and nobody can help that.
    fn overwrite(&mut self, plan: &Plan) {
        let Some(text) = self.text(&plan.path) else { return };
        let mut unseen: BTreeSet<&str> = raw_tokens(&text)
            .filter(|token| !plan.loaded.contains(*token) && !plan.tokens.contains(*token))
            .collect();
        unseen.retain(|token| self.live.contains_key(*token));
        if unseen.is_empty() {
            return;
        }
        let path = at(&plan.path);
        let others: Vec<Utf8PathBuf> = self
            .notebooks
            .iter()
            .flat_map(|source| replicas(source))
            .map(|replica| at(&replica))
            .chain(litter(&self.disk).into_iter().filter(|it| it.as_str().contains(".displaced")))
            .filter(|other| *other != path)
            .collect();
        let others: Vec<Vec<u8>> = others.iter().filter_map(|it| self.disk.bytes(it)).collect();
        for token in unseen {
            let has_it = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).contains(token);
            if others.iter().any(has_it) {
                self.weak.insert(token.to_owned());
            } else {
                self.live.remove(token);
            }
        }
    }

    /// What came out of the exchange of a write that is not at its end is only kept, if that
    /// end never comes.
    pub(crate) fn weaken_replaced(&mut self) {
        let replaced: Vec<Vec<u8>> =
            litter(&self.disk).iter().filter_map(|it| self.disk.bytes(it)).collect();
        if replaced.is_empty() {
            return;
        }
        let named: Vec<String> = self
            .notebooks
            .iter()
            .flat_map(|source| replicas(source))
            .filter_map(|path| self.text(&path))
            .collect();
        let is_only_kept = |token: &&String| {
            let has_it = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).contains(token.as_str());
            let is_named = |text: &String| raw_tokens(text).any(|it| it == *token);
            !named.iter().any(is_named) && replaced.iter().any(has_it)
        };
        self.weak.extend(self.live.keys().filter(is_only_kept).cloned());
    }

    /// Nobody knows any more who has a file open that was replaced.
    pub(crate) fn weaken_open(&mut self, slow: &Slow) {
        if slow.open.is_some_and(|open| !self.disk.is_named(open, &at(&slow.plan.path))) {
            self.weak.extend(slow.plan.tokens.iter().cloned());
        }
    }

    /// Rewrites a file with what it holds.
    pub(crate) fn touch(&mut self) {
        let Some((path, _)) = self.some_file() else { return };
        if let Some(bytes) = self.disk.bytes(&at(&path)) {
            self.log(|| format!("touch {path}"));
            self.disk.save(&at(&path), &bytes);
        }
    }

    /// Deletes some shadow that has nothing of its own.
    pub(crate) fn delete_shadow(&mut self, is_synced: impl Fn(&str) -> bool) {
        let Some((path, source)) = self.some_file() else { return };
        if path != source && is_synced(&path) {
            self.log(|| format!("delete {path}"));
            self.disk.delete(&at(&path));
        }
    }
}

impl Slow {
    /// Whether the file is not there until the save goes on.
    pub(crate) fn is_absent(&self, disk: &MemoryDisk) -> bool {
        disk.bytes(&at(&self.plan.path)).is_none()
    }
}

/// What marimo adds.
const MARIMO: &str = "import marimo as mo";

/// The tokens in cells, and how often they are there.
pub(crate) fn tokens<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> BTreeMap<String, usize> {
    let mut res = BTreeMap::new();
    for cell in cells {
        for token in raw_tokens(&cell.source) {
            *res.entry(token.to_owned()).or_default() += 1;
        }
    }
    res
}

/// The tokens in a text.
pub(crate) fn raw_tokens(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("tok").filter_map(|(start, _)| {
        let token = text.get(start..start + 7)?;
        let is_whole = token[3..].bytes().all(|it| it.is_ascii_digit());
        // A reference ends in `x`; it is part of the line of another token.
        (is_whole && text.as_bytes().get(start + 7) != Some(&b'x')).then_some(token)
    })
}

/// The cells of a text, in a form in which those of all formats are the same.
pub(crate) fn sources(document: &dyn Document) -> Vec<String> {
    let cells = document.notebook().cells.iter().filter(|it| it.source != MARIMO);
    cells.map(|it| format!("{} {}", it.kind.as_str(), it.source.trim())).collect()
}

fn sketch(plan: &Plan) -> String {
    let document = parse(&plan.path, &plan.text);
    document.map_or_else(String::new, |it| format!("{:?}", sources(it.as_ref())))
}

/// Where nothing else is.
pub(crate) fn litter(disk: &MemoryDisk) -> Vec<Utf8PathBuf> {
    let files = disk.stamps().into_iter().map(|(path, _)| path);
    files
        .filter(|path| path.as_str().contains(".displaced") || path.as_str().contains(".nbsync-"))
        .collect()
}

/// Editors that several hands share.
pub(crate) type Shared = Arc<std::sync::Mutex<Editors>>;
