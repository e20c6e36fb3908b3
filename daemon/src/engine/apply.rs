//! Takes in how a cycle ended.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};

use super::pairing::{CONFLICT_REASON, Due, Pairing, PairingRecord};
use super::work::Job;
use super::{Batch, Engine, GRACE, Keep, LATE, LateWriter, NewEntry};
use crate::cycle::{End, Start, Synced, Wait, WaitKind, cycle, folders};
use crate::disk::{Displaced, Late, Lock, ReadError};
use crate::error::chain;
use crate::report::{NotebookState, Propagation, Report, Role};
use crate::sync::Digest;
use crate::sync::edit::Edit;
use crate::sync::merge::is_conflict_cell;

impl Engine {
    pub(super) fn apply(
        &mut self,
        source: &Utf8Path,
        job: Job,
        end: End,
        displaced: Vec<(usize, Displaced)>,
    ) {
        let base = match &end {
            End::Synced(synced) => synced.before.clone(),
            _ => job.base.clone(),
        };
        for (replica, displaced) in displaced {
            self.displaced.push(LateWriter {
                at: job.now + LATE,
                source: source.to_owned(),
                replica,
                displaced,
                base: base.clone(),
            });
        }
        let now = job.now;
        match end {
            End::Unchanged(replicas) => {
                if let Some(pairing) = self.pairings.get_mut(source) {
                    pairing.replicas = replicas;
                    let was = pairing.state;
                    let is_news = matches!(was, NotebookState::Held | NotebookState::Pending);
                    if is_news {
                        pairing.state = NotebookState::Synced;
                        pairing.reason = None;
                    }
                    if is_news || !pairing.is_complete {
                        pairing.is_complete = true;
                        self.dirty.insert(source.to_owned());
                    }
                    if was == NotebookState::Held {
                        self.report(&Report::Resumed { notebook: source.to_owned() });
                    }
                }
            }
            End::Synced(synced) => self.synced(source, &job, *synced),
            End::Wait(wait) => self.wait(source, job, wait),
            End::SourceGone => self.source_gone(source, job.due, now),
        }
    }

    fn synced(&mut self, source: &Utf8Path, job: &Job, synced: Synced) {
        let now = synced.written_at;
        self.watch_new_folders(&synced);
        let Some(pairing) = self.pairings.get_mut(source) else { return };
        let was = pairing.state;
        for replica in &synced.replicas {
            self.by_path.insert(replica.spec.path.clone(), source.to_owned());
        }
        let path = |idx: &usize| synced.replicas[*idx].spec.path.clone();
        if was == NotebookState::Held && self.writes {
            (self.parts.reporter)(&Report::Resumed { notebook: source.to_owned() });
        }
        if !synced.created.is_empty() && synced.from.is_empty() {
            let to = synced.created.iter().map(path).collect();
            self.n_created += synced.created.len();
            (self.parts.reporter)(&Report::Paired { notebook: source.to_owned(), to });
        } else if !synced.to.is_empty() || !synced.from.is_empty() {
            let propagation = Propagation {
                notebook: source.to_owned(),
                from: synced.from.iter().map(path).collect(),
                to: synced.to.iter().map(path).collect(),
                cells: n_cells(&synced.edits),
                changes: Vec::new(),
                ms: u64::try_from(now.duration_since(job.due.since).as_millis())
                    .unwrap_or(u64::MAX),
            };
            self.propagated.push(propagation.clone());
            (self.parts.reporter)(&Report::Propagated(propagation));
        }
        if !self.writes {
            // What would have been written is told above; nothing has changed.
            pairing.state =
                if synced.to.is_empty() { NotebookState::Synced } else { NotebookState::Pending };
            return;
        }
        let has_conflict = synced.base.model.notebook.cells.iter().any(is_conflict_cell);
        if !synced.conflicts.is_empty() {
            let reason = CONFLICT_REASON.to_owned();
            (self.parts.reporter)(&Report::Conflict { notebook: source.to_owned(), reason });
        }
        pairing.state = if has_conflict { NotebookState::Conflict } else { NotebookState::Synced };
        pairing.reason = has_conflict.then(|| CONFLICT_REASON.to_owned());
        pairing.replicas = synced.replicas;
        pairing.is_complete = true;
        self.bases.put(source, Arc::clone(&synced.base));
        match synced.stored {
            Ok(digest) => {
                pairing.base = Some(digest);
                self.dirty.insert(source.to_owned());
            }
            Err(reason) => {
                // The files are right; after a restart the base is found from them.
                tracing::error!(notebook = %source, reason, "cannot store the base");
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
        if wait.kind != WaitKind::Unlikely {
            job.due.is_meant = false;
        }
        let goes_on = job.due.put_off(wait.kind, self.parts.config.settle, now);
        if !goes_on || matches!(wait.kind, WaitKind::Refused | WaitKind::Unlikely) {
            self.hold(source, wait.reason);
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
        pairing.reason = Some(reason.clone());
        if is_news {
            self.report(&Report::Held { notebook: source.to_owned(), reason });
        }
    }

    pub(super) fn source_gone(&mut self, source: &Utf8Path, mut due: Due, now: Instant) {
        if !due.is_gone {
            due.is_gone = true;
            due.at = now + GRACE;
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
    }

    /// Ends a pairing whose source is gone: its shadows go to where replaced files
    /// go, unless somebody edited them.
    fn end(&mut self, source: &Utf8Path, pairing: &Pairing, now: Instant) {
        let mut kept = Vec::new();
        for (idx, replica) in pairing.replicas.iter().enumerate() {
            self.by_path.remove(&replica.spec.path);
            let (Role::Shadow, Some(digest)) = (replica.spec.role, replica.digest) else {
                continue;
            };
            let path = self.parts.tree.root().join(&replica.spec.path);
            match self.parts.disk.remove(&path, digest) {
                Ok(displaced) => self.displaced.extend(displaced.map(|displaced| LateWriter {
                    at: now + LATE,
                    source: source.to_owned(),
                    replica: idx,
                    displaced,
                    base: None,
                })),
                Err(err) => {
                    tracing::warn!("{}", chain(&err));
                    kept.push(replica.spec.path.to_string());
                }
            }
        }
        self.bases.remove(source);
        self.removed.insert(source.to_owned());
        self.dirty.remove(source);
        let reason = if kept.is_empty() {
            "its source is gone; its shadows were removed, and are kept in the history".to_owned()
        } else {
            format!("its source is gone; left alone, because changed: {}", kept.join(", "))
        };
        self.report(&Report::Unpaired { notebook: source.to_owned(), reason });
        self.refresh_groups(now);
    }

    /// Whether there is no file any more.
    pub(super) fn is_gone(&self, source: &Utf8Path) -> bool {
        let path = self.parts.tree.absolute(source);
        matches!(self.parts.disk.stamp(&path), Ok(None))
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

    /// Looks whether an editor saved into a file after it was replaced.
    pub(super) fn look_for_late_writers(&mut self, now: Instant) {
        let (ripe, rest): (Vec<LateWriter>, Vec<LateWriter>) =
            std::mem::take(&mut self.displaced).into_iter().partition(|late| late.at <= now);
        self.displaced = rest;
        self.finish_displaced(&ripe, now);
    }

    /// Keeps what replaced files held, takes up what was saved into them later, and
    /// removes them.
    pub(super) fn finish_displaced(&mut self, ripe: &[LateWriter], now: Instant) {
        let mut all = Vec::new();
        for late in ripe {
            let mut displaced = late.displaced.clone();
            match self.parts.disk.recheck(&displaced) {
                Ok(Late::Changed(bytes)) => {
                    tracing::info!(notebook = %late.source, "an editor saved into a replaced file");
                    displaced.digest = Digest::of(&bytes);
                    self.merge_late(late, bytes, now);
                }
                Ok(Late::Unchanged | Late::Gone) => {}
                Err(err) => tracing::warn!("{}", chain(&err)),
            }
            all.push((late.source.clone(), displaced));
        }
        self.keep(&all);
    }

    /// Takes up replaced files that an earlier process left behind.
    pub(super) fn recover(&mut self) {
        let folders: std::collections::BTreeSet<Utf8PathBuf> = self
            .pairings
            .keys()
            .filter_map(|source| source.parent())
            .map(|folder| self.parts.tree.absolute(folder))
            .collect();
        for folder in folders {
            let found = match self.parts.disk.recover(&folder) {
                Ok(found) => found,
                Err(err) => {
                    tracing::warn!("{}", chain(&err));
                    continue;
                }
            };
            let all: Vec<_> = found
                .into_iter()
                .map(|displaced| {
                    let origin = self.parts.tree.relative(&displaced.origin);
                    let source = origin.and_then(|origin| self.by_path.get(origin)).cloned();
                    (source.unwrap_or_default(), displaced)
                })
                .collect();
            self.keep(&all);
        }
    }

    /// Moves replaced files into the history. One for which that fails stays where it
    /// is.
    fn keep(&mut self, displaced: &[(Utf8PathBuf, Displaced)]) {
        let mut kept = Vec::new();
        for (source, displaced) in displaced {
            match self.keep_one(source, displaced) {
                Ok(true) => kept.push(displaced),
                Ok(false) => {}
                Err(reason) => tracing::error!("{reason}; kept as `{}`", displaced.path),
            }
        }
        if kept.is_empty() {
            return;
        }
        if let Err(err) = self.parts.store.sync_blobs() {
            tracing::error!("{}; replaced files are kept where they are", chain(&err));
            return;
        }
        self.commit();
        for displaced in kept {
            if let Err(err) = self.parts.disk.discard(displaced) {
                tracing::warn!("{}", chain(&err));
            }
        }
    }

    /// Copies a replaced file into the history. Returns false if it is gone.
    fn keep_one(&mut self, source: &Utf8Path, displaced: &Displaced) -> Result<bool, String> {
        let contents = match self.parts.disk.read(&displaced.path, u64::MAX, Lock::None) {
            Ok(contents) => contents,
            Err(ReadError::Absent { .. }) => return Ok(false),
            Err(err) => return Err(chain(&err)),
        };
        let digest = self.parts.store.put_blob(&contents.bytes).map_err(|err| chain(&err))?;
        let replica = self.parts.tree.relative(&displaced.origin).unwrap_or(&displaced.origin);
        let entry = NewEntry {
            time_ms: self.now_ms(),
            replica: replica.to_owned(),
            digest,
            len: contents.bytes.len() as u64,
            reason: "replaced".to_owned(),
        };
        self.history.push((source.to_string(), entry));
        Ok(true)
    }

    /// Forgets old versions.
    pub(super) fn collect(&mut self) {
        let live = self.pairings.values().filter_map(|pairing| pairing.base).collect();
        match self.parts.store.collect(&Keep::default(), &live, self.now_ms()) {
            Ok(collected) => tracing::debug!(?collected, "forgot old versions"),
            Err(err) => tracing::warn!("{}", chain(&err)),
        }
    }

    /// Merges what an editor saved into a replaced file, as an edit of what it had.
    fn merge_late(&mut self, late: &LateWriter, bytes: Vec<u8>, now: Instant) {
        let (Some(base), Ok(text)) = (&late.base, String::from_utf8(bytes)) else { return };
        let Some(pairing) = self.pairings.get(&late.source) else { return };
        if base.replicas.len() != pairing.replicas.len() {
            return;
        }
        let all: Vec<usize> = (0..pairing.replicas.len()).collect();
        let mut replicas = pairing.replicas.clone();
        for (replica, base) in replicas.iter_mut().zip(&base.replicas) {
            // Everything is compared with what the editor had.
            replica.digest = Some(Digest::of(base.document.text().as_bytes()));
            replica.stamp = None;
        }
        let start = Start {
            replicas: &replicas,
            base: Some(Arc::clone(base)),
            stored: None,
            is_complete: false,
            touched: &all,
            is_meant: true,
            is_missing: true,
            late: Some((late.replica, text.into())),
        };
        let (end, displaced) = cycle(&self.context(), &start);
        let job = Job {
            number: self.number(),
            replicas: replicas.clone(),
            base: Some(Arc::clone(base)),
            stored: None,
            is_complete: false,
            touched: all,
            due: Due::new(now),
            now,
        };
        self.apply(&late.source.clone(), job, end, displaced);
    }

    fn now_ms(&self) -> u64 {
        let now = self.parts.clock.system_time();
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }

    /// Brings the store up to date.
    pub(super) fn commit(&mut self) {
        let mut batch = Batch { history: std::mem::take(&mut self.history), ..Batch::default() };
        for source in std::mem::take(&mut self.dirty) {
            let record = self
                .pairings
                .get(&source)
                .and_then(|pairing| PairingRecord::of(pairing, &self.parts.config));
            let Some(record) = record else { continue };
            match serde_json::to_vec(&record) {
                Ok(bytes) => batch.put.push((source.into_string(), bytes)),
                Err(err) => tracing::error!(notebook = %source, "cannot store the pairing: {err}"),
            }
        }
        let removed = std::mem::take(&mut self.removed);
        batch.remove.extend(removed.into_iter().map(Utf8PathBuf::into_string));
        if batch.is_empty() {
            return;
        }
        if let Err(err) = self.parts.store.commit(batch) {
            tracing::error!(
                "{}; after a restart the bases are found again from the files",
                chain(&err)
            );
        }
    }
}

/// How many cells an edit touched.
fn n_cells(edits: &[Vec<Edit>]) -> usize {
    let keys: std::collections::BTreeSet<_> = edits
        .iter()
        .flatten()
        .filter_map(|edit| match edit {
            Edit::Insert { key, .. }
            | Edit::Delete(key)
            | Edit::Move { key, .. }
            | Edit::Set(key, _) => Some(*key),
            Edit::SetNotebook(..) => None,
        })
        .collect();
    keys.len()
}
