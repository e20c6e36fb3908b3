//! Replaced files: taken up again if an editor still writes to them, then moved into
//! the history, where the [archive](super::archive) puts them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::Document;

use super::pairing::Due;
use super::pending::PendingSave;
use super::work::{ACCIDENTS, Job};
use super::{COLLECT, Engine};
use crate::cycle::{Begun, Editors, End, Fate, LateText, Start, Traces, cycle};
use crate::disk::{Displaced, Late};
use crate::error::{chain, guarded};
use crate::planted::{Bug, is_planted};
use crate::record;
use crate::sync::Digest;
use crate::sync::base::Base;
use crate::sync::reconcile::{Seen, reconcile};

/// How long a replaced file waits for an editor that still has it open.
pub(super) const LATE: Duration = Duration::from_secs(5);

/// How soon a replaced file is looked at again for which somebody waits.
const AGAIN: Duration = Duration::from_millis(200);

/// How long a replaced file waits that can't be moved into the history now.
const RETRY: Duration = Duration::from_mins(1);

/// A replaced file that an editor may still have open.
pub(super) struct LateWriter {
    /// When it is looked at.
    pub(super) at: Instant,
    /// Until when it is looked at in any case.
    pub(super) until: Instant,
    pub(super) source: Utf8PathBuf,
    pub(super) replica: usize,
    pub(super) displaced: Displaced,
    /// Where the store has the base that the editor has.
    pub(super) base: Option<Digest>,
    /// What it had made of that when the file was replaced.
    pub(super) document: Option<Arc<dyn Document>>,
    /// What was given back to the name, if the editor was in the middle of a save.
    pub(super) given_back: Option<Digest>,
    /// Whether it holds a save that is in none of the replicas yet.
    pub(super) is_pending: bool,
}

impl LateWriter {
    /// A replaced file of which nothing more is known.
    pub(super) fn of(source: Utf8PathBuf, displaced: Displaced, at: Instant) -> Self {
        Self {
            at,
            until: at,
            source,
            replica: 0,
            displaced,
            base: None,
            document: None,
            given_back: None,
            is_pending: false,
        }
    }
}

impl Engine {
    /// Looks whether an editor saved into a file after it was replaced, and moves what
    /// has waited long enough into the history.
    pub(super) fn look_for_late_writers(&mut self, now: Instant) {
        let failed = self.archive.take_failed().into_iter();
        self.displaced.extend(
            failed.map(|(source, displaced)| LateWriter::of(source, displaced, now + RETRY)),
        );
        if self.is_still() || self.displaced.iter().all(|late| now < late.at) {
            return;
        }
        let is_git_at_work = self.parts.tree.git_operation().is_some();
        let mut done = Vec::new();
        for mut late in std::mem::take(&mut self.displaced) {
            if late.at <= now {
                if !is_git_at_work && self.take_up(&mut late, now) && late.until <= now {
                    done.push((late.source, late.displaced));
                    continue;
                }
                // One for which something waits is looked at often.
                let next = if now < late.until { AGAIN } else { LATE };
                late.at = now + next;
            }
            self.displaced.push(late);
        }
        self.archive.keep(done, self.now_ms());
    }

    /// Takes up what was saved into replaced files, which stay where they are.
    pub(super) fn take_up_late_saves(&mut self) {
        if self.is_still() || self.parts.tree.git_operation().is_some() {
            return;
        }
        let now = self.parts.clock.now();
        let mut all = std::mem::take(&mut self.displaced);
        for late in &mut all {
            if matches!(self.parts.disk.recheck(&late.displaced), Ok(Late::Changed(_))) {
                // What the file in its place holds comes first.
                self.work_on(&late.source.clone(), now);
                self.take_up(late, now);
            }
        }
        self.displaced.extend(all);
    }

    /// Takes up what an editor saved into a replaced file, if it did. Returns false if
    /// that has to wait.
    fn take_up(&mut self, late: &mut LateWriter, now: Instant) -> bool {
        match self.parts.disk.recheck(&late.displaced) {
            Ok(Late::Changed(bytes)) => {
                let digest = Digest::of(&bytes);
                let is_done =
                    is_planted(Bug::ForgetLateWriter) || self.merge_late(late, bytes, now);
                if is_done {
                    late.displaced.digest = digest;
                    self.forget_pending(late);
                }
                is_done
            }
            Ok(Late::Unchanged | Late::Gone) => true,
            Err(err) => {
                tracing::warn!("{}", chain(&err));
                true
            }
        }
    }

    /// Takes up replaced files that an earlier process left behind. Who still has one open
    /// is not known, so what is saved into it goes into the history too; what that process knew
    /// to be pending is merged.
    pub(super) fn recover(&mut self, folders: &BTreeSet<Utf8PathBuf>, now: Instant) {
        for folder in folders {
            self.recovered.insert(folder.clone());
            let found = match self.parts.disk.recover(&self.parts.tree.absolute(folder)) {
                Ok(found) => found,
                Err(err) => {
                    tracing::warn!("{}", chain(&err));
                    continue;
                }
            };
            // It may have ended before it flushed what it wrote.
            self.is_unflushed |= !found.is_empty();
            for displaced in found {
                let origin = self.parts.tree.relative(&displaced.origin);
                let source =
                    origin.and_then(|it| self.by_path.get(it).map(|it| &**it).or(Some(it)));
                let source = source.map(Utf8Path::to_owned).unwrap_or_default();
                let late = LateWriter::of(source, displaced, now + LATE);
                self.displaced.push(self.resume_pending(late, now));
            }
        }
    }

    /// Takes up what an earlier process left behind in folders that had no notebook until
    /// now.
    pub(super) fn recover_new_folders(&mut self, sources: &[Utf8PathBuf], now: Instant) {
        let new: BTreeSet<Utf8PathBuf> = sources
            .iter()
            .filter_map(|source| source.parent())
            .filter(|folder| !self.recovered.contains(*folder))
            .map(Utf8Path::to_owned)
            .collect();
        if !new.is_empty() && self.writes {
            self.recover(&new, now);
        }
    }

    /// The folders with notebooks.
    pub(super) fn folders(&self) -> BTreeSet<Utf8PathBuf> {
        self.pairings.keys().filter_map(|it| it.parent()).map(Utf8Path::to_owned).collect()
    }

    /// Forgets old versions if that was not done for a while.
    pub(crate) fn collect_if_due(&mut self) {
        if self.until_collect().is_zero() {
            self.collect();
        }
    }

    /// How long it is until old versions are to be forgotten, whichever process did it last.
    pub(super) fn until_collect(&self) -> Duration {
        let last = self.parts.store.collected_at().unwrap_or_else(|err| {
            tracing::debug!("{}", chain(&err));
            None
        });
        // A clock that was set back is none to wait for.
        let passed = last.and_then(|at| self.now_ms().checked_sub(at));
        passed.map_or(Duration::ZERO, |ms| COLLECT.saturating_sub(Duration::from_millis(ms)))
    }

    /// Forgets old versions.
    pub(super) fn collect(&mut self) {
        self.forget_ended();
        let ended = self.ended.values().map(|it| &it.pairing);
        let all: Vec<_> = self.pairings.values().chain(ended).collect();
        let bases = all.iter().filter_map(|pairing| pairing.base);
        let begun = all.iter().flat_map(|it| it.begun.iter().flat_map(Begun::texts));
        let loaded = all.iter().flat_map(|pairing| pairing.unseen.iter().flatten());
        let pending = all.iter().flat_map(|it| it.pending.iter().flat_map(PendingSave::texts));
        let late = self.displaced.iter().filter_map(|late| late.base).chain(pending);
        let live = bases.chain(begun).chain(loaded.map(|it| it.base)).chain(late).collect();
        let keep = self.parts.config.history;
        let now_ms = self.now_ms();
        self.archive.collect(keep, live, now_ms);
    }

    /// Merges what an editor saved into a replaced file, as an edit of what it had. Returns
    /// false if that has to wait.
    fn merge_late(&mut self, late: &LateWriter, bytes: Vec<u8>, now: Instant) -> bool {
        // What was left for later would look like an edit.
        let has_left = |engine: &Self| {
            let begun = engine.pairings.get(&late.source).and_then(|it| it.begun.as_ref());
            begun.is_some_and(Begun::has_left)
        };
        if has_left(self) {
            self.work_on(&late.source.clone(), now);
            if has_left(self) {
                return false;
            }
        }
        let Some(pairing) = self.pairings.get(&late.source) else { return true };
        // Its replicas may not all have been found when it was saved.
        if late.document.is_some() && !pairing.is_complete {
            return false;
        }
        let (Some(base), Ok(text)) = (self.loaded(late), String::from_utf8(bytes)) else {
            return true;
        };
        if pairing.stopped.is_some() {
            return false;
        }
        if base.replicas.len() != pairing.replicas.len() {
            return true;
        }
        let text: Arc<str> = text.into();
        let dialect = &base.replicas[late.replica].dialect;
        if dialect.format().parse(Arc::clone(&text), &dialect.extension).is_err() {
            // No other time is better for it.
            return true;
        }
        let all: Vec<usize> = (0..pairing.replicas.len()).collect();
        let stored = pairing.base;
        let on_disk =
            pairing.replicas[late.replica].digest.into_iter().chain(late.given_back).collect();
        let mut replicas = pairing.replicas.clone();
        for (replica, base) in replicas.iter_mut().zip(&base.replicas) {
            // Everything is compared with what the editor had.
            replica.digest = Some(Digest::of(base.document.text().as_bytes()));
            replica.stamp = None;
        }
        let start = Start {
            replicas: &replicas,
            base: Some(Arc::clone(&base)),
            stored: None,
            begun: None,
            is_complete: false,
            touched: &all,
            waited: &ACCIDENTS,
            unseen: &[],
            session: None,
            editors: &Editors::default(),
            late: Some(LateText { replica: late.replica, text, on_disk }),
        };
        let (end, mut traces) = cycle(&self.context(), &start);
        // What was on disk was as it is known.
        let known = self.bases.get(&late.source);
        for it in traces.replaced.iter_mut().filter(|it| it.replica == late.replica) {
            let known = known.as_ref().and_then(|base| base.replicas.get(late.replica));
            it.document = known.map(|it| Arc::clone(&it.document));
        }
        let job = Job {
            number: self.number(),
            replicas: replicas.clone(),
            base: Some(Arc::clone(&base)),
            stored,
            begun: None,
            is_complete: false,
            touched: all,
            waited: ACCIDENTS.to_vec(),
            unseen: Vec::new(),
            session: None,
            editors: Editors::default(),
            due: Due::new(now),
            now,
        };
        let source = late.source.clone();
        let reason = match &end {
            End::Wait(wait) => Some(wait.reason.as_str()),
            // An editor may be between the two renames of a save. A source that is gone for good
            // takes its pairing along.
            End::SourceGone => Some("the source is missing"),
            End::Synced(_) | End::Unchanged(_) => None,
        };
        if let Some(reason) = reason {
            tracing::debug!(notebook = %source, reason, "a late save has to wait");
            self.remember(&source, &job, &mut traces);
            return false;
        }
        tracing::info!(notebook = %source, "an editor saved into a replaced file");
        self.apply(&source, job, end, traces);
        true
    }

    /// What the editor of a replaced file had loaded or saved, as a base.
    fn loaded(&self, late: &LateWriter) -> Option<Arc<Base>> {
        guarded(late.source.as_str(), || self.load_base(late)).flatten()
    }

    fn load_base(&self, late: &LateWriter) -> Option<Arc<Base>> {
        let stored = late.base.and_then(|digest| self.parts.store.blob(digest).ok()?);
        let Some(base) = stored.and_then(|bytes| record::from_bytes(&bytes).ok()) else {
            // All that the editor had is known all the same.
            let pairing = self.pairings.get(&late.source)?;
            let dialects: Vec<_> =
                pairing.replicas.iter().map(|it| it.spec.dialect.clone()).collect();
            let document = Arc::clone(late.document.as_ref()?);
            return Base::of_replica(&dialects, late.replica, document).ok().map(Arc::new);
        };
        let Some(document) = &late.document else { return Some(Arc::new(base)) };
        let mut seen = vec![Seen::Unchanged; base.replicas.len()];
        *seen.get_mut(late.replica)? = Seen::Changed(Arc::clone(document));
        reconcile(&base, &seen).ok().map(|outcome| Arc::new(outcome.base))
    }

    /// Gives editors time that still have a replaced file open.
    pub(super) fn remember(&mut self, source: &Utf8Path, job: &Job, traces: &mut Traces) {
        self.is_unflushed |= traces.is_unflushed;
        let replaced = std::mem::take(&mut traces.replaced);
        if is_planted(Bug::DropDisplaced) {
            for it in &replaced {
                self.parts.disk.discard(&it.displaced).ok();
            }
            return;
        }
        for it in replaced {
            let mut late = LateWriter {
                at: job.now + LATE,
                until: job.now + LATE,
                source: source.to_owned(),
                replica: it.replica,
                displaced: it.displaced,
                base: it.base.or(job.stored),
                document: it.document,
                given_back: None,
                is_pending: false,
            };
            match it.fate {
                Fate::Merged => {}
                // Its content counts as saved just now.
                Fate::Pending(expected) => {
                    late.at = job.now;
                    late.displaced.digest = expected;
                    self.note_pending(&mut late);
                }
                Fate::GivenBack(digest) => {
                    late.at = job.now + AGAIN;
                    late.given_back = Some(digest);
                }
            }
            self.displaced.push(late);
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        let now = self.parts.clock.system_time();
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }
}
