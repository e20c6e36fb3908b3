//! Takes in how a cycle ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::FormatName;

use super::Engine;
use super::claims::{File, Said};
use super::conflicts::{self, ConflictNote};
use super::describe::{describe, describe_runs};
use super::fights::Turn;
use super::history::{LATE, LateWriter};
use super::pairing::{Due, Pairing, PairingRecord};
use super::revisions::Step;
use super::work::Job;
use crate::cycle::{End, Replica, Synced, Traces, Wait, WaitKind, folders};
use crate::error::{PANICKED, chain, guarded};
use crate::record;
use crate::report::{Cause, NotebookState, Propagation, Report, Role};
use crate::store::Batch;
use crate::sync::conflict::is_conflict_cell;
use crate::sync::edit::{CellKey, Edit};

/// A pairing that is looked at again within this time isn't called held.
const SOON: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn apply(&mut self, source: &Utf8Path, job: Job, end: End, mut traces: Traces) {
        self.remember(source, &job, &mut traces);
        if let Some(pairing) = self.pairings.get_mut(source) {
            if let Some(begun) = traces.begun {
                pairing.begun = Some(begun);
            }
            if let Some(saved) = traces.saved {
                pairing.saved = saved;
            }
            if let Some(unseen) = traces.unseen {
                pairing.unseen = unseen;
                self.dirty.insert(source.to_owned());
            }
        }
        let now = job.now;
        match end {
            End::Unchanged(replicas) => {
                if let Some(pairing) = self.pairings.get_mut(source) {
                    // Renames are followed by the files that are stored.
                    let is_other = |(old, new): (&Replica, &Replica)| match (old.stamp, new.stamp) {
                        (Some(old), Some(new)) => (old.ino, old.born_ns) != (new.ino, new.born_ns),
                        _ => false,
                    };
                    let are_others = pairing.replicas.iter().zip(&replicas).any(is_other);
                    pairing.replicas = replicas;
                    let was = pairing.state;
                    let is_news = matches!(was, NotebookState::Held | NotebookState::Pending);
                    if is_news {
                        pairing.agree();
                    }
                    if is_news || are_others || !pairing.is_complete {
                        pairing.is_complete = true;
                        self.dirty.insert(source.to_owned());
                    }
                    if was == NotebookState::Held {
                        self.report(&Report::Resumed { notebook: source.to_owned() });
                    }
                }
            }
            End::Synced(synced) => self.synced(source, &job, *synced, None),
            End::Wait(wait) => {
                self.note_seen(source, traces.seen, &wait.reason);
                self.wait(source, job, wait);
            }
            End::SourceGone => self.source_gone(source, job.due, now),
        }
        if self.pairings.get(source).is_none_or(|it| it.state != NotebookState::Pending) {
            self.unscanned.remove(source);
        }
    }

    /// Takes in that all replicas agree. `step` says what it was, if that was no edit.
    pub(super) fn synced(
        &mut self,
        source: &Utf8Path,
        job: &Job,
        synced: Synced,
        step: Option<Step>,
    ) {
        // What a person takes back by a command is no turn.
        let is_edit = step.is_none() && self.writes;
        let turn = guarded(source.as_str(), || Turn::of(&synced)).flatten();
        self.take_in(source, job, synced, step);
        if let Some(turn) = turn.filter(|_| is_edit) {
            self.watch_fight(source, &turn, job.due.since);
        }
    }

    fn take_in(&mut self, source: &Utf8Path, job: &Job, synced: Synced, step: Option<Step>) {
        let now = synced.written_at;
        self.watch_new_folders(&synced);
        let Some(pairing) = self.pairings.get_mut(source) else { return };
        let was = pairing.state;
        for replica in &synced.replicas {
            self.by_path.insert(replica.spec.path.clone(), source.to_owned());
        }
        let path = |idx: &usize| synced.replicas[*idx].spec.path.clone();
        let mut step = step.unwrap_or_else(|| match &synced.before {
            None => Step {
                cause: Cause::Found,
                from: Vec::new(),
                to: synced.to.iter().map(path).collect(),
                cells: synced.base.model.keys.len(),
                changes: Vec::new(),
            },
            Some(before) => Step {
                cause: Cause::Edit,
                from: synced.from.iter().map(path).collect(),
                to: synced.to.iter().map(path).collect(),
                cells: n_cells(&synced.edits, &[]),
                changes: describe(&synced.edits, Some(&before.model), &synced.base.model),
            },
        });
        if !synced.ran.is_empty() && !synced.to.is_empty() {
            let script = synced.replicas.iter().map(|it| &it.spec);
            let script = script.filter(|it| it.dialect.format == FormatName::Marimo);
            let script = script.map(|it| it.path.clone()).find(|it| !step.from.contains(it));
            step.from.extend(script);
            step.cells = n_cells(&synced.edits, &synced.ran);
            step.changes.extend(describe_runs(&synced.ran, &synced.base.model));
        }
        if was == NotebookState::Held && self.writes {
            (self.parts.reporter)(&Report::Resumed { notebook: source.to_owned() });
        }
        if !synced.created.is_empty() && synced.from.is_empty() {
            let to = synced.created.iter().map(path).collect();
            self.n_created += synced.created.len();
            (self.parts.reporter)(&Report::Paired { notebook: source.to_owned(), to });
        } else if !synced.to.is_empty() || !step.from.is_empty() {
            let propagation = Propagation {
                notebook: source.to_owned(),
                cause: step.cause.clone(),
                from: step.from.clone(),
                to: step.to.clone(),
                cells: step.cells,
                changes: step.changes.clone(),
                ms: u64::try_from(now.duration_since(job.due.since).as_millis())
                    .unwrap_or(u64::MAX),
            };
            self.n_propagated += 1;
            self.propagated.push_back((self.n_propagated, propagation.clone()));
            (self.parts.reporter)(&Report::Propagated(propagation));
        }
        if !self.writes {
            // What would have been written is told above; nothing has changed.
            pairing.state =
                if synced.to.is_empty() { NotebookState::Synced } else { NotebookState::Pending };
            return;
        }
        for (replica, was) in synced.base.replicas.iter().zip(&synced.replicas) {
            // The metadata may name other pairs now.
            if was.spec.is_owned()
                && let said = Said::of(replica.document.notebook())
                && let file = self.files.entry(was.spec.path.clone()).or_insert_with(|| File {
                    format: was.spec.dialect.format,
                    said: Said::default(),
                    claim: None,
                    problem: None,
                })
                && file.said != said
            {
                file.said = said;
                self.to_ask.push(was.spec.path.clone());
            }
        }
        self.note_revision(source, &synced, step);
        let Some(pairing) = self.pairings.get_mut(source) else { return };
        let (notes, decided) = ConflictNote::after(std::mem::take(&mut pairing.conflicts), &synced);
        pairing.conflicts = notes;
        let has_conflict = synced.base.model.notebook.cells.iter().any(is_conflict_cell);
        let reason = has_conflict.then(|| conflicts::reason(source, &synced.base.model));
        if let Some(reason) = reason.clone().filter(|_| !synced.conflicts.is_empty()) {
            (self.parts.reporter)(&Report::Conflict { notebook: source.to_owned(), reason });
        }
        pairing.conflict = reason;
        pairing.agree();
        pairing.begun = None;
        pairing.replicas = synced.replicas;
        pairing.unseen = synced.unseen;
        if synced.session.is_some() {
            pairing.session = synced.session;
        } else if self.parts.config.marimo_outputs {
            // A run from now on is a new one.
            pairing.session.get_or_insert_default();
        }
        if !synced.ran.is_empty() {
            pairing.ran_at = Some(now);
        }
        pairing.is_complete = true;
        // Another notebook has its name now.
        self.ended.remove(source);
        let model = Arc::clone(&synced.base);
        self.keep_conflict_files(source, &model.model, decided, now);
        let Some(pairing) = self.pairings.get_mut(source) else { return };
        self.bases.put(source, Arc::clone(&synced.base));
        match synced.stored {
            // What is stored must not be newer than the files: after a power cut they would look
            // as if somebody had taken the last edits back.
            Ok(_) if self.is_unflushed => {
                self.unstored.insert(source.to_owned());
            }
            Ok(digest) => {
                pairing.base = Some(digest);
                self.dirty.insert(source.to_owned());
            }
            Err(reason) => {
                // The files are right; if it can't be stored later either, it is found from
                // them after a restart.
                tracing::error!(notebook = %source, reason, "cannot store the base");
                self.unstored.insert(source.to_owned());
            }
        }
    }

    fn watch_new_folders(&mut self, synced: &Synced) {
        let folders: std::collections::BTreeSet<Utf8PathBuf> = folders(synced).collect();
        for folder in folders {
            self.watch(&folder);
        }
    }

    fn wait(&mut self, source: &Utf8Path, mut job: Job, wait: Wait) {
        let now = job.now;
        // Events of shadows lead nowhere before the notebook was whole once, so mending one would
        // go unnoticed.
        let kind = match wait.kind {
            WaitKind::Held if !job.is_complete => WaitKind::Refused,
            kind => kind,
        };
        let goes_on = match wait.until {
            Some(until) => {
                job.due.spare(until, now);
                true
            }
            None => job.due.put_off(kind, self.parts.config.settle, now),
        };
        let is_soon = goes_on && (job.due.at <= now + SOON || wait.until.is_some());
        if !is_soon || matches!(kind, WaitKind::Refused | WaitKind::Unlikely) {
            self.hold(source, wait.reason);
            if let Some(pairing) = self.pairings.get_mut(source) {
                pairing.unreadable = wait.unreadable;
            }
        } else if let Some(pairing) = self.pairings.get_mut(source)
            && pairing.state != NotebookState::Held
        {
            pairing.state = NotebookState::Pending;
            pairing.reason = Some(wait.reason);
        }
        if goes_on {
            self.due.insert(source.to_owned(), job.due);
        }
    }

    /// Leaves a pairing alone until something changes.
    pub(super) fn hold(&mut self, source: &Utf8Path, reason: String) {
        let root = self.parts.tree.root().to_owned();
        let Some(pairing) = self.pairings.get_mut(source) else { return };
        pairing.held_at = pairing
            .replicas
            .iter()
            .map(|replica| self.parts.disk.stamp(&root.join(&replica.spec.path)).ok().flatten())
            .collect();
        let is_news =
            pairing.state != NotebookState::Held || pairing.reason.as_ref() != Some(&reason);
        pairing.state = NotebookState::Held;
        pairing.unreadable = None;
        pairing.reason = Some(reason.clone());
        if is_news {
            self.report(&Report::Held { notebook: source.to_owned(), reason });
        }
    }

    pub(super) fn source_gone(&mut self, source: &Utf8Path, mut due: Due, now: Instant) {
        if !due.has_waited(WaitKind::Gone, now) {
            due.put_off(WaitKind::Gone, self.parts.config.settle, now);
            if let Some(pairing) = self.pairings.get_mut(source) {
                pairing.state = NotebookState::Pending;
                pairing.reason = Some("its source is gone; waiting for it to come back".to_owned());
            }
            self.due.insert(source.to_owned(), due);
            return;
        }
        if !self.writes {
            return;
        }
        let Some(pairing) = self.pairings.remove(source) else { return };
        self.end(source, &pairing, now);
        self.needs_forming = true;
        self.form(now);
    }

    /// Ends a pairing whose source is gone: its shadows go to where replaced files
    /// go, unless somebody edited them.
    pub(super) fn end(&mut self, source: &Utf8Path, pairing: &Pairing, now: Instant) {
        let mut kept = Vec::new();
        for (idx, replica) in pairing.replicas.iter().enumerate() {
            self.by_path.remove(&replica.spec.path);
            self.files.remove(&replica.spec.path);
            let (Role::Shadow, Some(digest)) = (replica.spec.role, replica.digest) else {
                continue;
            };
            let path = self.parts.tree.root().join(&replica.spec.path);
            match self.parts.disk.remove(&path, digest) {
                Ok(displaced) => self.displaced.extend(displaced.map(|displaced| {
                    let mut late = LateWriter::of(source.to_owned(), displaced, now + LATE);
                    late.replica = idx;
                    late
                })),
                Err(err) => {
                    tracing::warn!("{}", chain(&err));
                    kept.push(replica.spec.path.to_string());
                }
            }
        }
        for note in &pairing.conflicts {
            if let Some((path, digest)) = note.file() {
                self.remove_conflict_file(source, path, *digest, now);
            }
        }
        self.bases.remove(source);
        self.dirty.remove(source);
        self.remember_ended(source, pairing.clone());
        let reason = if kept.is_empty() {
            "its source is gone; its shadows were removed, and are kept in the history".to_owned()
        } else {
            format!("its source is gone; left alone, because changed: {}", kept.join(", "))
        };
        self.report(&Report::Unpaired { notebook: source.to_owned(), reason });
    }

    /// Whether no file of the user's is there any more.
    pub(super) fn is_gone(&self, source: &Utf8Path) -> bool {
        let is_gone = |path: &Utf8Path| {
            matches!(self.parts.disk.stamp(&self.parts.tree.absolute(path)), Ok(None))
        };
        match self.pairings.get(source) {
            Some(pairing) => pairing.owned().all(|spec| is_gone(&spec.path)),
            None => is_gone(source),
        }
    }

    /// Why it looks as if the notebooks were not deleted on purpose, if it does.
    pub(super) fn all_gone_reason(&self) -> Option<String> {
        let n_gone = self.due.keys().filter(|source| self.is_gone(source)).count();
        let n_all = self.pairings.len();
        (5 <= n_gone && n_all < 2 * n_gone).then(|| {
            format!(
                "{n_gone} of {n_all} notebooks are gone at once; if that is meant, `nbsync resume` goes on"
            )
        })
    }

    /// Stores bases that could not be stored before, as long as they are in memory.
    fn store_bases(&mut self) {
        if self.is_unflushed && !self.unstored.is_empty() {
            match self.parts.disk.sync() {
                Ok(()) => self.is_unflushed = false,
                Err(err) => {
                    tracing::warn!("{}; it is tried again", chain(&err));
                    return;
                }
            }
        }
        for source in std::mem::take(&mut self.unstored) {
            let Some(base) = self.bases.get(&source) else { continue };
            let store = || {
                let bytes = record::to_bytes(&base).map_err(|err| chain(&err))?;
                self.parts.store.put_blob(&bytes).map_err(|err| chain(&err))
            };
            let stored =
                guarded(source.as_str(), store).unwrap_or_else(|| Err(PANICKED.to_owned()));
            match (stored, self.pairings.get_mut(&source)) {
                (Ok(digest), Some(pairing)) => {
                    pairing.base = Some(digest);
                    self.dirty.insert(source);
                }
                (Err(reason), Some(_)) => {
                    tracing::debug!(notebook = %source, reason, "cannot store the base");
                    self.unstored.insert(source);
                }
                (_, None) => {}
            }
        }
    }

    /// Brings the store up to date. What it refuses is tried again next time.
    pub(super) fn commit(&mut self) {
        self.store_bases();
        let (dirty, removed) = (std::mem::take(&mut self.dirty), std::mem::take(&mut self.removed));
        let renamed = std::mem::take(&mut self.renamed);
        if !renamed.is_empty() {
            // What is on its way into the history goes by the old names.
            self.archive.drain();
        }
        let mut batch = Batch { rename: renamed.clone(), ..Batch::default() };
        for source in &dirty {
            let Some(record) = self.record(source) else { continue };
            match serde_json::to_vec(&record) {
                Ok(bytes) => batch.put.push((source.to_string(), bytes)),
                Err(err) => tracing::error!(notebook = %source, "cannot store the pairing: {err}"),
            }
        }
        batch.remove.extend(removed.iter().map(Utf8PathBuf::to_string));
        let recorded = self.take_recordable();
        batch.history.extend(recorded.iter().map(|it| {
            // Renames come first.
            let new = renamed.iter().find(|(from, _)| it.source == **from).map(|(_, to)| to);
            (new.map_or_else(|| it.source.to_string(), ToString::to_string), it.entry.clone())
        }));
        if batch.is_empty() {
            return;
        }
        if let Err(err) = self.parts.store.commit(batch) {
            tracing::error!("{}; it is tried again", chain(&err));
            (self.dirty, self.removed, self.renamed) = (dirty, removed, renamed);
            self.unrecorded.splice(0..0, recorded);
        }
    }

    fn record(&self, source: &Utf8Path) -> Option<PairingRecord> {
        if let Some(pairing) = self.pairings.get(source) {
            return PairingRecord::of(pairing, &self.files, &self.parts.config);
        }
        let ended = self.ended.get(source)?;
        let mut record = PairingRecord::of(&ended.pairing, &self.files, &self.parts.config)?;
        record.ended_ms = Some(ended.at_ms);
        Some(record)
    }
}

/// How many cells an edit touched.
pub(super) fn n_cells(edits: &[Vec<Edit>], ran: &[CellKey]) -> usize {
    let edited = edits.iter().flatten().filter_map(Edit::key);
    let keys: std::collections::BTreeSet<_> = edited.chain(ran.iter().copied()).collect();
    keys.len()
}
