//! Editors that edit whatever they find, and save it in all the ways that are in use.

mod plans;
mod tokens;
mod ways;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use camino::Utf8PathBuf;
use nbsync_formats::{Cell, CellKind};

use super::cells::parse;
use super::rng::Rng;
use super::world::{at, replicas};
use crate::disk::{MemoryDisk, OpenFile};
use crate::sync::Digest;
use tokens::raw_tokens;
pub(crate) use tokens::{sources, tokens};
use ways::Op;
pub(crate) use ways::Way;

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
    /// What files held that were deleted.
    deleted: BTreeMap<String, String>,
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
            deleted: BTreeMap::new(),
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
        // One behind a cell marker leaves a cell of which nothing but the marker is the text, which
        // a percent script cannot hold; with a notebook that was never synced that stays so.
        let is_end = |half: usize| {
            let part = &bytes[..half];
            part.ends_with(b"\n") || part.ends_with(b"# %%") || !plan.text.is_char_boundary(half)
        };
        while 0 < half && is_end(half) {
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
                    if open.is_none_or(|open| self.disk.is_named(open, &path)) {
                        self.overwrite(plan);
                    } else {
                        self.late.extend(plan.tokens.iter().cloned());
                    }
                    match *open {
                        Some(open) => self.disk.save_open(open, &bytes),
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
        let deleted = || self.deleted.get(&plan.path).cloned();
        let Some(text) = self.text(&plan.path).or_else(deleted) else { return };
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
            let has_it =
                |bytes: &Vec<u8>| raw_tokens(&String::from_utf8_lossy(bytes)).any(|it| it == token);
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

    /// What a part of a save lacked that was believed is only kept.
    pub(crate) fn weaken_torn(&mut self, slow: &Slow) {
        self.weak.extend(slow.plan.tokens.iter().cloned());
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
            if let Some(text) = self.text(&path) {
                self.deleted.insert(path.clone(), text);
            }
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
