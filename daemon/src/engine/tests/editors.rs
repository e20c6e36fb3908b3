//! Editors that edit whatever they find.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;
use nbsync_formats::{Carry, Cell, CellKind, Change, Slot};

use super::cells::parse;
use super::world::{at, replicas};
use crate::disk::{MemoryDisk, OpenFile};

/// A generator of numbers that are the same for the same seed (splitmix64).
#[derive(Debug, Clone)]
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Editors that edit whatever they find.
///
/// Every line that they write has a token that no other has, so that one can see what became
/// of it.
pub(super) struct Editors {
    pub(super) disk: MemoryDisk,
    pub(super) rng: Rng,
    pub(super) notebooks: Vec<String>,
    /// The tokens that were saved and not deleted, and their notebooks.
    pub(super) live: BTreeMap<String, String>,
    /// Those of them that need only be in the history.
    pub(super) weak: BTreeSet<String>,
    /// Files in which an editor is in the middle of a save.
    pub(super) busy: BTreeSet<String>,
    pub(super) trace: Vec<String>,
    n_tokens: usize,
}

/// The rest of a save.
pub(super) struct Rest {
    pub(super) path: String,
    text: String,
    open: Option<OpenFile>,
    /// The tokens in it.
    tokens: BTreeSet<String>,
    /// Whether there is no file until then.
    pub(super) is_deleted: bool,
}

impl Editors {
    pub(super) fn new(disk: MemoryDisk, rng: Rng) -> Self {
        Self {
            disk,
            rng,
            notebooks: Vec::new(),
            live: BTreeMap::new(),
            weak: BTreeSet::new(),
            busy: BTreeSet::new(),
            trace: Vec::new(),
            n_tokens: 0,
        }
    }

    /// Returns a new line with a token of its own.
    pub(super) fn line(&mut self, kind: CellKind) -> String {
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
    pub(super) fn cells(&mut self, source: &str) -> Vec<Cell> {
        let cells: Vec<Cell> = (0..=self.rng.below(5)).map(|_| self.cell()).collect();
        self.live.extend(tokens(&cells).into_keys().map(|token| (token, source.to_owned())));
        cells
    }

    /// Returns some file that no editor is busy with, and its notebook.
    pub(super) fn some_file(&mut self) -> Option<(String, String)> {
        let Self { notebooks, rng, .. } = self;
        let source = rng.pick(notebooks).clone();
        let path = rng.pick(&replicas(&source)).clone();
        (!self.busy.contains(&path)).then_some((path, source))
    }

    /// Loads a file and returns what it is to be after some edits, unless it can't be loaded.
    fn new_text(&mut self, path: &str, source: &str) -> Option<String> {
        let text = String::from_utf8(self.disk.bytes(&at(path))?).ok()?;
        let document = parse(path, &text)?;
        let old = &document.notebook().cells;
        let mut new: Vec<(Option<usize>, Cell)> =
            old.iter().cloned().enumerate().map(|(idx, cell)| (Some(idx), cell)).collect();
        for _ in 0..=self.rng.below(3) {
            self.edit(&mut new);
        }
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
        let new = after.into_keys().filter(|token| !before.contains_key(token));
        self.live.extend(new.map(|token| (token, source.to_owned())));
        Some(text)
    }

    /// Makes one edit.
    fn edit(&mut self, cells: &mut Vec<(Option<usize>, Cell)>) {
        // The cell that marimo adds stays.
        let own: Vec<usize> =
            (0..cells.len()).filter(|&idx| cells[idx].1.source != "import marimo as mo").collect();
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

    /// Edits some file and saves it at once.
    pub(super) fn save(&mut self) {
        let Some((path, source)) = self.some_file() else { return };
        let Some(text) = self.new_text(&path, &source) else { return };
        let by_rename = self.rng.one_in(2);
        self.trace.push(format!("save {path} {by_rename} {:?}", sources(&path, &text)));
        if by_rename {
            self.disk.save_by_rename(&at(&path), text.as_bytes());
        } else {
            self.disk.save(&at(&path), text.as_bytes());
        }
    }

    /// Edits some file and begins to save it.
    pub(super) fn begin(&mut self) -> Option<Rest> {
        let (path, source) = self.some_file()?;
        let text = self.new_text(&path, &source)?;
        let tokens = tokens(&parse(&path, &text)?.notebook().cells).into_keys().collect();
        let mut open = None;
        let way = self.rng.below(4);
        match way {
            // Opened, and written later.
            0 => open = self.disk.open(&at(&path)),
            // Emptied, and written later.
            1 => {
                open = self.disk.open(&at(&path));
                self.disk.save(&at(&path), b"");
            }
            // Half of it first.
            2 => {
                open = self.disk.open(&at(&path));
                // A part that ends where a line ends can't be told from a whole text, nor
                // one that is longer than the old text.
                let old = self.disk.bytes(&at(&path)).unwrap_or_default();
                let mut half = self.rng.below(text.len().min(old.len()));
                while text.as_bytes()[..half].ends_with(b"\n") {
                    half -= 1;
                }
                self.disk.save(&at(&path), &text.as_bytes()[..half]);
            }
            _ => self.disk.delete(&at(&path)),
        }
        self.trace.push(format!("begin {path} {way} {:?}", sources(&path, &text)));
        self.busy.insert(path.clone());
        Some(Rest { path, text, open, tokens, is_deleted: way == 3 })
    }

    /// What this save has need only be in the history.
    pub(super) fn weaken(&mut self, rest: &Rest) {
        if rest.open.is_some() {
            self.weak.extend(rest.tokens.iter().cloned());
        }
    }

    /// Ends a save.
    pub(super) fn end(&mut self, rest: &Rest) {
        self.trace.push(format!("end {}", rest.path));
        match rest.open {
            Some(open) => self.disk.save_open(open, rest.text.as_bytes()),
            None => self.disk.save(&at(&rest.path), rest.text.as_bytes()),
        }
        self.busy.remove(&rest.path);
    }

    /// Deletes some shadow that has nothing of its own.
    pub(super) fn delete_shadow(&mut self, is_synced: impl Fn(&str) -> bool) {
        let Some((path, source)) = self.some_file() else { return };
        if path != source && is_synced(&path) {
            self.trace.push(format!("delete {path}"));
            self.disk.delete(&at(&path));
        }
    }
}

/// The tokens in cells, and how often they are there.
pub(super) fn tokens<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> BTreeMap<String, usize> {
    let mut res = BTreeMap::new();
    for cell in cells {
        for (start, _) in cell.source.match_indices("tok") {
            // A reference ends in `x`; it is part of the line of another token.
            if cell.source.as_bytes().get(start + 7) != Some(&b'x') {
                *res.entry(cell.source[start..].chars().take(7).collect()).or_default() += 1;
            }
        }
    }
    res
}

/// The cells of a text, in a form in which those of all formats are the same.
pub(super) fn sources(path: &str, text: &str) -> Option<Vec<String>> {
    let document = parse(path, text)?;
    let cells = document.notebook().cells.iter().filter(|it| it.source != "import marimo as mo");
    Some(cells.map(|it| format!("{} {}", it.kind.as_str(), it.source.trim())).collect())
}

/// Where nothing else is.
pub(super) fn litter(disk: &MemoryDisk) -> Vec<Utf8PathBuf> {
    let files = disk.files().into_iter().map(|(path, _)| path);
    files
        .filter(|path| path.as_str().contains(".displaced") || path.as_str().contains(".nbsync-"))
        .collect()
}
