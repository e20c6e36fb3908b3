//! Lists conflicts, keeps their other versions as files, and decides them.

use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::CellKind;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::describe::describe;
use super::history::{LATE, LateWriter};
use super::restore::Refusal;
use crate::cycle::{Synced, Unsynced};
use crate::disk::{Expected, WriteError, WriteOptions};
use crate::error::chain;
use crate::report::{
    self, Cause, ChangeReport, ConflictStatus, ConflictVersion, ConflictsReport, Take,
};
use crate::sync::Digest;
use crate::sync::base::Base;
use crate::sync::conflict::{About, is_conflict_cell, other_version};
use crate::sync::edit::{CellKey, Edit};
use crate::sync::merge::Keyed;
use crate::sync::pairing::stem;
use crate::sync::resolve::{ResolveError, edit_all, resolve};

/// How many files of conflicts one notebook has at most.
const MAX_FILES: usize = 99;

/// What is known of a conflict besides the cell that shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConflictNote {
    shown_in: CellKey,
    cell: Option<CellKey>,
    about: About,
    source: Side,
    other: Side,
    /// The file with the other version, and what it held.
    file: Option<(Utf8PathBuf, Digest)>,
}

/// Where and when a version was saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Side {
    replica: Option<Utf8PathBuf>,
    time_ms: Option<u64>,
}

impl ConflictNote {
    /// The file with the other version.
    pub(super) fn file(&self) -> Option<&(Utf8PathBuf, Digest)> {
        self.file.as_ref()
    }

    /// Returns the notes of a pairing after a step: those of before whose cells are still
    /// there, and new ones. The second list is what was decided.
    pub(super) fn after(
        mut notes: Vec<Self>,
        synced: &Synced,
    ) -> (Vec<Self>, Vec<(Utf8PathBuf, Digest)>) {
        for conflict in &synced.conflicts {
            let Some(shown_in) = conflict.shown_in else { continue };
            if notes.iter().any(|it| it.shown_in == shown_in) {
                continue;
            }
            let model = &synced.base.model;
            let cell_of = |key: CellKey| model.position(key).map(|idx| &model.notebook.cells[idx]);
            let side = |idx: usize| Side {
                replica: synced.replicas.get(idx).map(|it| it.spec.path.clone()),
                time_ms: synced.saved_at.get(idx).copied().flatten(),
            };
            if conflict.key.and_then(cell_of).is_some_and(is_conflict_cell) {
                // Another version of what that cell shows a version of. Of one without a note
                // there is no more to know.
                if let Some(of) = notes.iter().find(|it| Some(it.shown_in) == conflict.key) {
                    let other = side(conflict.replica);
                    notes.push(Self { shown_in, other, file: None, ..of.clone() });
                }
                continue;
            }
            // The first replica that edited the same has the first word.
            let standing = (0..synced.edits.len()).find(|&idx| {
                idx != conflict.replica
                    && synced.edits[idx]
                        .iter()
                        .any(|it| is_about(it, conflict.key, &conflict.about))
            });
            notes.push(Self {
                shown_in,
                cell: conflict.key,
                about: conflict.about.clone(),
                source: standing.map_or_else(|| side(0), side),
                other: side(conflict.replica),
                file: None,
            });
        }
        let model = &synced.base.model;
        let is_there = |note: &Self| {
            let cell = model.position(note.shown_in).map(|idx| &model.notebook.cells[idx]);
            cell.is_some_and(is_conflict_cell)
        };
        let (left, decided): (Vec<Self>, Vec<Self>) = notes.into_iter().partition(is_there);
        (left, decided.into_iter().filter_map(|it| it.file).collect())
    }
}

fn is_about(edit: &Edit, key: Option<CellKey>, about: &About) -> bool {
    use nbsync_formats::Change;
    match (edit, about) {
        (Edit::SetNotebook(attribute, _), About::Notebook(other)) => attribute == other,
        (Edit::Set(set, change), _) if Some(*set) == key => match (change, about) {
            (Change::Source(_), About::Source) | (Change::Kind(_), About::Kind(_)) => true,
            (Change::Attribute(attribute, _), About::Attribute(other)) => attribute == other,
            _ => false,
        },
        _ => false,
    }
}

/// One conflict of a notebook, as its cells and the notes tell it.
struct Found<'a> {
    shown_in: CellKey,
    cell: Option<CellKey>,
    note: Option<&'a ConflictNote>,
}

/// Returns the conflicts of a notebook, from top to bottom.
fn find<'a>(model: &Keyed, notes: &'a [ConflictNote]) -> Vec<Found<'a>> {
    let mut above = None;
    let mut res = Vec::new();
    for (key, cell) in model.keys.iter().zip(&model.notebook.cells) {
        if !is_conflict_cell(cell) {
            above = Some(*key);
            continue;
        }
        let note = notes.iter().find(|it| it.shown_in == *key);
        // Without a note (the state was lost, or the cell copied) it is about the cell above.
        let about = note.map_or(above, |note| note.cell.filter(|it| model.position(*it).is_some()));
        res.push(Found { shown_in: *key, cell: about, note });
    }
    res
}

/// The cell of which several other versions of the same thing are there, if there is one.
fn chosen_twice(all: &[Found<'_>]) -> Option<CellKey> {
    let about = |it: &Found<'_>| it.note.map_or(About::Source, |note| note.about.clone());
    let mut seen = Vec::new();
    all.iter().find_map(|it| {
        let what = (it.cell?, about(it));
        let is_known = seen.contains(&what);
        seen.push(what);
        is_known.then_some(it.cell).flatten()
    })
}

/// Says in one line what a notebook with conflicts needs.
pub(super) fn reason(source: &Utf8Path, model: &Keyed) -> String {
    let numbers: Vec<String> = find(model, &[])
        .iter()
        .filter_map(|it| model.position(it.shown_in))
        .map(|idx| (idx + 1).to_string())
        .collect();
    let name = source.file_name().unwrap_or(source.as_str());
    let (cells, hold, them) = match &numbers[..] {
        [number] => (format!("cell {number}"), "holds", "that cell"),
        _ => (format!("cells {}", numbers.join(", ")), "hold", "those cells"),
    };
    format!(
        "two edits of one thing: {cells} {hold} the other version; `nbsync resolve {name}` decides, or delete {them}"
    )
}

impl Engine {
    /// How many conflicts a notebook has.
    pub(super) fn n_conflicts(&mut self, source: &Utf8Path) -> usize {
        self.base_of(source).map_or(0, |base| find(&base.model, &[]).len())
    }

    /// Lists the conflicts of the notebooks below the paths.
    pub(super) fn conflicts(&mut self, paths: &[Utf8PathBuf]) -> ConflictsReport {
        let sources: Vec<Utf8PathBuf> = self
            .pairings
            .iter()
            .filter(|(_, it)| it.conflict.is_some())
            .filter(|(_, it)| it.is_below(paths))
            .map(|(source, _)| source.clone())
            .collect();
        let mut conflicts = Vec::new();
        for source in sources {
            let Some(base) = self.base_of(&source) else { continue };
            let Some(pairing) = self.pairings.get(&source) else { continue };
            for found in find(&base.model, &pairing.conflicts) {
                let mut status = status(&source, &base.model, &found);
                if let Some(status) = &mut status {
                    let path = status.file.as_ref().map(|it| self.parts.tree.absolute(it));
                    if path.is_some_and(|path| self.parts.disk.glance(&path).is_none()) {
                        status.file = None;
                    }
                }
                conflicts.extend(status);
            }
        }
        ConflictsReport { version: report::VERSION, conflicts }
    }

    /// Decides conflicts of a notebook: one of them, or all.
    pub(super) fn resolve(
        &mut self,
        path: &Utf8Path,
        cell: Option<usize>,
        take: Take,
        now: Instant,
    ) -> Result<ChangeReport, Refusal> {
        let unknown =
            |message: String, hint: &str| Refusal::Unknown(message, vec![hint.to_owned()]);
        let list = "`nbsync conflicts` lists all conflicts";
        let source = self
            .by_path
            .get(path)
            .cloned()
            .ok_or_else(|| unknown(format!("`{path}` is not a notebook"), list))?;
        self.check_may_write(&source)?;
        let base = self.base_of(&source);
        let (Some(base), Some(pairing)) = (base, self.pairings.get(&source)) else {
            return Err(Refusal::No(format!("`{source}` was not synced yet")));
        };
        let number = |key: CellKey| base.model.position(key).map(|idx| idx + 1);
        let mut all = find(&base.model, &pairing.conflicts);
        if all.is_empty() {
            return Err(unknown(format!("`{source}` has no conflict"), list));
        }
        if cell.is_some() {
            all.retain(|it| {
                number(it.shown_in) == cell
                    || (it.cell.is_some() && it.cell.and_then(number) == cell)
            });
        }
        if all.is_empty() {
            let cell = cell.unwrap_or_default();
            return Err(unknown(format!("cell {cell} of `{source}` has no conflict"), list));
        }
        if take == Take::Other
            && let Some(cell) = chosen_twice(&all)
        {
            let several = all.iter().filter(|it| it.cell == Some(cell));
            let cells: Vec<String> =
                several.filter_map(|it| number(it.shown_in)).map(|it| it.to_string()).collect();
            let cell = number(cell).unwrap_or_default();
            let name = source.file_name().unwrap_or(source.as_str());
            return Err(unknown(
                format!(
                    "cell {cell} of `{source}` has other versions in cells {}",
                    cells.join(", ")
                ),
                &format!("name the one to take: `nbsync resolve {name} {} --take other`", cells[0]),
            ));
        }
        let mut edits = Vec::new();
        for found in &all {
            let about = found.note.map(|it| &it.about).or_else(|| {
                // By far the most, and the only one whose text stands in a fence with a language.
                let idx = base.model.position(found.shown_in)?;
                let shown = &base.model.notebook.cells[idx];
                let words = About::Source.to_string();
                shown.source.lines().next()?.contains(&words).then_some(&About::Source)
            });
            let found =
                resolve(&base.model, found.shown_in, found.cell, about, take).map_err(|err| {
                    let number = number(found.shown_in).unwrap_or_default();
                    let hint = match err {
                        ResolveError::NotBoth(_) => "`--take source` or `--take other`",
                        _ => "copy what you need from the cell, and delete it; or `--take source`",
                    };
                    Refusal::Unknown(
                        format!(
                            "cannot take {} in cell {number} of `{source}`: {err}",
                            words(take)
                        ),
                        vec![hint.to_owned()],
                    )
                })?;
            edits.extend(found);
        }
        let outcome = edit_all(&base, edits.clone())
            .map_err(|err| Refusal::No(format!("`{source}`: {}", chain(&err))))?;
        let edits = vec![edits];
        let changes = describe(&edits, Some(&base.model), &outcome.base.model);
        let cells = super::apply::n_cells(&edits, &[]);
        let cause = Cause::Resolve { take };
        let what = (cause, cells, changes);
        let step = self.impose_base(&source, outcome.base, Unsynced::Wait, now, what)?;
        let conflicts_left = self.n_conflicts(&source);
        Ok(ChangeReport {
            version: report::VERSION,
            notebook: source,
            of: None,
            step,
            conflicts_left,
        })
    }

    /// Returns what the replicas of a pairing last agreed on.
    pub(super) fn base_of(&mut self, source: &Utf8Path) -> Option<std::sync::Arc<Base>> {
        if let Some(base) = self.bases.get(source) {
            return Some(base);
        }
        let pairing = self.pairings.get(source)?;
        let bytes = self.parts.store.blob(pairing.base?).ok()??;
        let base = crate::record::from_bytes(&bytes).ok()?;
        if base.replicas.len() != pairing.replicas.len() {
            return None;
        }
        let base = std::sync::Arc::new(base);
        self.bases.put(source, std::sync::Arc::clone(&base));
        Some(base)
    }

    /// Makes files of the other versions, beside the shadows, and removes those of decided
    /// conflicts.
    pub(super) fn keep_conflict_files(
        &mut self,
        source: &Utf8Path,
        model: &Keyed,
        decided: Vec<(Utf8PathBuf, Digest)>,
        now: Instant,
    ) {
        for (path, digest) in decided {
            self.remove_conflict_file(source, &path, digest, now);
        }
        let Some(pairing) = self.pairings.get(source) else { return };
        let mut notes = pairing.conflicts.clone();
        let extension = pairing
            .replicas
            .iter()
            .map(|it| it.spec.dialect.extension.as_str())
            .find(|it| *it != ".ipynb")
            .unwrap_or(".py")
            .to_owned();
        let mode = pairing.replicas[0].stamp.map_or(0o600, |stamp| stamp.mode & 0o666);
        for note in notes.iter_mut().filter(|it| it.file.is_none()) {
            let at = |key| model.position(key).map(|idx| &model.notebook.cells[idx]);
            let Some(text) = at(note.shown_in).and_then(other_version) else { continue };
            let kind = note.cell.and_then(at).map(|it| it.kind);
            let extension = match (&note.about, kind) {
                (About::Source, Some(CellKind::Code)) => extension.as_str(),
                (About::Source, Some(CellKind::Markdown)) => ".md",
                (About::Attribute(_), _) => ".json",
                _ => ".txt",
            };
            match self.write_conflict_file(source, extension, &text, mode) {
                Ok(file) => note.file = Some(file),
                // The cell has it as well.
                Err(err) => tracing::warn!("{}", chain(&err)),
            }
        }
        if let Some(pairing) = self.pairings.get_mut(source) {
            pairing.conflicts = notes;
        }
    }

    fn write_conflict_file(
        &self,
        source: &Utf8Path,
        extension: &str,
        text: &str,
        mode: u32,
    ) -> Result<(Utf8PathBuf, Digest), WriteError> {
        let source = self.parts.tree.absolute(source);
        let folder = source.parent().unwrap_or(self.parts.tree.root());
        let workdir = self.parts.disk.create_workdir(folder)?;
        let mut text = text.to_owned();
        text.push('\n');
        let digest = Digest::of(text.as_bytes());
        let options = WriteOptions { durable: false, mode, ..WriteOptions::default() };
        let mut n = 1;
        loop {
            // No shadow has such a name: there is a format in those.
            let path = workdir.join(format!("{}.conflict-{n}{extension}", stem(&source)));
            match self.parts.disk.write(&path, text.as_bytes(), Expected::Absent, options) {
                Ok(_) => {
                    let root = self.parts.tree.root();
                    return Ok((path.strip_prefix(root).unwrap_or(&path).to_owned(), digest));
                }
                // Made before a crash.
                Err(WriteError::Changed { .. }) if self.is_spare(&path, digest) => {
                    let root = self.parts.tree.root();
                    return Ok((path.strip_prefix(root).unwrap_or(&path).to_owned(), digest));
                }
                Err(WriteError::Changed { .. }) if n < MAX_FILES => n += 1,
                Err(err) => return Err(err),
            }
        }
    }

    /// Whether a file has just this text, and belongs to no conflict.
    fn is_spare(&self, path: &Utf8Path, digest: Digest) -> bool {
        let relative = path.strip_prefix(self.parts.tree.root()).unwrap_or(path);
        let mut notes = self.pairings.values().flat_map(|it| &it.conflicts);
        let limit = self.parts.config.max_size;
        !notes.any(|it| it.file.as_ref().is_some_and(|(path, _)| path == relative))
            && matches!(
                self.parts.disk.read(path, limit, crate::disk::Lock::None),
                Ok(contents) if Digest::of(&contents.bytes) == digest
            )
    }

    pub(super) fn remove_conflict_file(
        &mut self,
        source: &Utf8Path,
        path: &Utf8Path,
        digest: Digest,
        now: Instant,
    ) {
        match self.parts.disk.remove(&self.parts.tree.absolute(path), digest) {
            Ok(displaced) => self.displaced.extend(
                displaced.map(|displaced| LateWriter::of(source.to_owned(), displaced, now + LATE)),
            ),
            // Somebody made use of it.
            Err(WriteError::Changed { .. }) => {
                tracing::info!(%path, "left alone, because changed");
            }
            Err(err) => tracing::warn!("{}", chain(&err)),
        }
    }
}

fn words(take: Take) -> &'static str {
    match take {
        Take::Source => "the source's version",
        Take::Other => "the other version",
        Take::Both => "both versions",
    }
}

fn status(source: &Utf8Path, model: &Keyed, found: &Found<'_>) -> Option<ConflictStatus> {
    let shown_in = model.position(found.shown_in)?;
    let cell = found.cell.and_then(|key| model.position(key));
    let other = other_version(&model.notebook.cells[shown_in]).unwrap_or_default();
    let stands = match (found.note.map(|it| &it.about), cell) {
        (None | Some(About::Source), Some(idx)) => model.notebook.cells[idx].source.clone(),
        (Some(About::Kind(_)), Some(idx)) => model.notebook.cells[idx].kind.as_str().to_owned(),
        (Some(About::Attribute(attribute)), Some(idx)) => model.notebook.cells[idx]
            .attribute(attribute)
            .map_or_else(String::new, ToString::to_string),
        (Some(About::Notebook(attribute)), _) => {
            model.notebook.attribute(attribute).map_or_else(String::new, |it| {
                it.as_str().map_or_else(|| it.to_string(), str::to_owned)
            })
        }
        _ => String::new(),
    };
    let other = match found.note.map(|it| &it.about) {
        Some(About::Kind(kind)) => kind.as_str().to_owned(),
        _ => other,
    };
    let (line, other_line) = first_difference(&stands, &other);
    let version = |side: Option<&Side>, line: &str| ConflictVersion {
        replica: side.and_then(|it| it.replica.clone()),
        time_ms: side.and_then(|it| it.time_ms),
        line: line.to_owned(),
    };
    Some(ConflictStatus {
        notebook: source.to_owned(),
        cell: cell.map(|idx| idx + 1),
        shown_in: shown_in + 1,
        about: found.note.map_or_else(|| About::Source.to_string(), |it| it.about.to_string()),
        source: version(found.note.map(|it| &it.source), line),
        other: version(found.note.map(|it| &it.other), other_line),
        file: found.note.and_then(|it| it.file.as_ref()).map(|(path, _)| path.clone()),
    })
}

/// The first lines in which two texts differ.
fn first_difference<'a>(a: &'a str, b: &'a str) -> (&'a str, &'a str) {
    let (mut a, mut b) = (a.split('\n'), b.split('\n'));
    loop {
        match (a.next(), b.next()) {
            (Some(a), Some(b)) if a == b => {}
            (None, None) => return ("", ""),
            (a, b) => return (a.unwrap_or_default(), b.unwrap_or_default()),
        }
    }
}
