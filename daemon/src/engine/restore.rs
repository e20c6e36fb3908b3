//! Brings earlier versions back.

use std::sync::Arc;
use std::time::Instant;

use camino::Utf8Path;
use nbsync_formats::Carry;

use super::Engine;
use super::describe::describe;
use super::pairing::{Due, Pairing};
use super::revisions::Step;
use super::work::Job;
use crate::control::Reply;
use crate::cycle::{Editors, End, Replica, Unsynced, impose};
use crate::disk::{Expected, ReadError, WriteOptions};
use crate::error::chain;
use crate::history::{self, HistoryError, LogEntry, Rev, SHORT, Timeline, version_id};
use crate::report::{self, Cause, ChangeReport, Role};
use crate::store::HistoryEntry;
use crate::sync::Digest;
use crate::sync::base::Base;
use crate::sync::edit::{Edit, NextKey, diff};
use crate::sync::merge::Keyed;
use crate::sync::pairing::ReplicaSpec;

/// Why something that was asked for was not done.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no such thing.
    Unknown(String, Vec<String>),
    /// Not now, or not at all.
    No(String),
}

impl From<HistoryError> for Refusal {
    fn from(err: HistoryError) -> Self {
        if err.is_about_the_question() {
            Self::Unknown(err.to_string(), err.hint().into_iter().collect())
        } else {
            Self::No(chain(&err))
        }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(message, hints) => Self::Unknown { message, hints },
            Refusal::No(message) => Self::Error { message },
        }
    }
}

impl Engine {
    /// Brings a version of the notebook back that a file belongs to, or belonged to.
    ///
    /// What the files hold now is in the history already, or is going there.
    pub(super) fn restore(
        &mut self,
        path: &Utf8Path,
        rev: &Rev,
        now: Instant,
    ) -> Result<ChangeReport, Refusal> {
        let timeline = Timeline::of(self.parts.store.as_ref(), path)?;
        let entry = timeline.find(rev)?.clone();
        let cause = Cause::Restore { of: version_id(&entry.version) };
        let of = LogEntry::new(&timeline.source, &entry);
        self.bring_back(&timeline, &entry, cause, of, now)
    }

    /// Takes the last step of a notebook back, or the last one of all.
    pub(super) fn undo(
        &mut self,
        path: Option<&Utf8Path>,
        now: Instant,
    ) -> Result<ChangeReport, Refusal> {
        let store = self.parts.store.as_ref();
        let last = match path {
            Some(path) => path.to_owned(),
            None => history::last_step(store)?,
        };
        let timeline = Timeline::of(store, &last)?;
        let mut revisions = timeline.revisions().rev().map(|(entry, _)| entry.clone());
        let (Some(last), Some(before)) = (revisions.next(), revisions.next()) else {
            return Err(HistoryError::NoStep.into());
        };
        drop(revisions);
        let cause = Cause::Undo { of: version_id(&last.version) };
        let of = LogEntry::new(&timeline.source, &last);
        self.bring_back(&timeline, &before, cause, of, now)
    }

    fn bring_back(
        &mut self,
        timeline: &Timeline,
        entry: &HistoryEntry,
        cause: Cause,
        of: LogEntry,
        now: Instant,
    ) -> Result<ChangeReport, Refusal> {
        let source = &timeline.source;
        self.check_may_write(source)?;
        if entry.version.revision.is_none() {
            return self.bring_text_back(timeline, entry, of, now);
        }
        let target = history::revision_base(self.parts.store.as_ref(), source, entry)?;
        let is_gone = !self.pairings.contains_key(source);
        if is_gone {
            let pairing = pairing_of(entry, &target).ok_or_else(|| {
                Refusal::No(format!("version `{}` is not whole", &of.id[..SHORT]))
            })?;
            self.add(pairing);
        }
        let restored = self.impose_revision(source, target, cause, now);
        if is_gone && restored.is_err() {
            // Without its files it is no pairing.
            self.forget(source);
        }
        let step = restored?;
        self.make_due(source, now);
        Ok(ChangeReport {
            version: report::VERSION,
            notebook: source.clone(),
            of: Some(of),
            step,
            conflicts_left: self.n_conflicts(source),
        })
    }

    /// Whether a command may write into a notebook now.
    pub(super) fn check_may_write(&self, source: &Utf8Path) -> Result<(), Refusal> {
        if self.is_still() {
            let reason = self.reason.as_deref().unwrap_or("it was told so");
            return Err(Refusal::No(format!(
                "nothing is written now: {reason}; `nbsync resume` ends that"
            )));
        }
        if let Some(operation) = self.parts.tree.git_operation() {
            return Err(Refusal::No(format!("{operation}; try again when it is done")));
        }
        match self.pairings.get(source).and_then(|it| it.blocked.clone()) {
            Some(reason) => Err(Refusal::No(reason)),
            None => Ok(()),
        }
    }

    fn impose_revision(
        &mut self,
        source: &Utf8Path,
        target: Base,
        cause: Cause,
        now: Instant,
    ) -> Result<Option<LogEntry>, Refusal> {
        let base = self.base_of(source);
        let Some(pairing) = self.pairings.get(source) else {
            return Err(Refusal::No(format!("`{source}` is not there")));
        };
        let target = fit(target, &pairing.replicas, base.as_deref())?;
        let (cells, changes) = match &base {
            Some(base) => told(base, &target),
            None => (target.model.keys.len(), Vec::new()),
        };
        self.impose_base(source, target, Unsynced::Replace, now, (cause, cells, changes))
    }

    /// Writes what all replicas of a pairing are to agree on. Returns the step, `None` if
    /// they did already.
    pub(super) fn impose_base(
        &mut self,
        source: &Utf8Path,
        target: Base,
        unsynced: Unsynced,
        now: Instant,
        (cause, cells, changes): (Cause, usize, Vec<String>),
    ) -> Result<Option<LogEntry>, Refusal> {
        let number = self.number();
        let base = self.base_of(source);
        let Some(pairing) = self.pairings.get(source) else {
            return Err(Refusal::No(format!("`{source}` is not there")));
        };
        let job = Job {
            number,
            replicas: pairing.replicas.clone(),
            base,
            stored: pairing.base,
            begun: None,
            is_complete: pairing.is_complete,
            waited: Vec::new(),
            touched: Vec::new(),
            unseen: Vec::new(),
            session: None,
            editors: Editors::default(),
            due: Due::new(now),
            now,
        };
        let texts: Vec<Arc<str>> =
            target.replicas.iter().map(|it| Arc::clone(it.document.text())).collect();
        let (end, mut traces) = impose(&self.context(), &job.start(), target, unsynced);
        let synced = match end {
            End::Synced(synced) => synced,
            End::Wait(wait) => {
                self.apply(source, job, End::Wait(wait.clone()), traces);
                self.make_due(source, now);
                return Err(Refusal::No(wait.reason));
            }
            end @ (End::Unchanged(_) | End::SourceGone) => {
                self.apply(source, job, end, traces);
                return Ok(None);
            }
        };
        self.remember(source, &job, &mut traces);
        let is_done = synced.base.replicas.iter().map(|it| it.document.text()).eq(&texts);
        if !is_done {
            // What came in between is merged; what was to be written is in the history.
            self.synced(source, &job, *synced, None);
            let reason = "an editor saved at the same moment; try again";
            return Err(Refusal::No(format!("`{source}`: {reason}")));
        }
        let n_before = self.unrecorded.len();
        let path = |idx: &usize| synced.replicas[*idx].spec.path.clone();
        let to = synced.to.iter().map(path).collect();
        let step = Step { cause, from: Vec::new(), to, cells, changes };
        self.synced(source, &job, *synced, Some(step));
        let entry = self.unrecorded.get(n_before).map(|it| {
            let seq = 0;
            LogEntry::new(&source.to_owned(), &HistoryEntry { seq, version: it.entry.clone() })
        });
        self.commit();
        Ok(entry)
    }

    /// Gives a file a text back that an editor had saved into it. It counts as a save.
    fn bring_text_back(
        &mut self,
        timeline: &Timeline,
        entry: &HistoryEntry,
        of: LogEntry,
        now: Instant,
    ) -> Result<ChangeReport, Refusal> {
        let (replica, digest) = (entry.version.replica.clone(), entry.version.digest);
        let id = of.id.clone();
        let lost = || HistoryError::Lost { notebook: replica.clone(), id: id[..SHORT].to_owned() };
        let store = self.parts.store.as_ref();
        let bytes = store.blob(digest).map_err(HistoryError::from)?.ok_or_else(lost)?;
        if !history::is_notebook(&replica, &bytes) {
            let (path, source) = (replica.clone(), None);
            return Err(HistoryError::NotANotebook { path, id, source }.into());
        }
        let path = self.parts.tree.absolute(&replica);
        let expected = match self.parts.disk.read(
            &path,
            self.parts.config.max_size,
            crate::disk::Lock::None,
        ) {
            Ok(contents) => Expected::Digest(Digest::of(&contents.bytes)),
            Err(ReadError::Absent { .. }) => Expected::Absent,
            Err(err) => return Err(Refusal::No(chain(&err))),
        };
        let options = WriteOptions::default();
        let written = self.parts.disk.write(&path, &bytes, expected, options);
        let written = written.map_err(|err| Refusal::No(chain(&err)))?;
        self.displaced.extend(written.displaced.map(|displaced| {
            super::history::LateWriter::of(
                timeline.source.clone(),
                displaced,
                now + super::history::LATE,
            )
        }));
        self.touched(&path, now);
        let n_before = self.unrecorded.len();
        self.work(now);
        let entry = self.unrecorded.get(n_before).map(|it| {
            let version = it.entry.clone();
            LogEntry::new(&timeline.source, &HistoryEntry { seq: 0, version })
        });
        self.commit();
        Ok(ChangeReport {
            version: report::VERSION,
            notebook: timeline.source.clone(),
            of: Some(of),
            step: entry,
            conflicts_left: self.n_conflicts(&timeline.source),
        })
    }
}

/// Makes a pairing of a notebook whose files are gone.
fn pairing_of(entry: &HistoryEntry, target: &Base) -> Option<Pairing> {
    let texts = &entry.version.revision.as_ref()?.texts;
    if texts.is_empty() || texts.len() != target.replicas.len() {
        return None;
    }
    let replicas = texts.iter().zip(&target.replicas).enumerate();
    let specs = replicas.map(|(idx, ((path, _), base))| {
        let role = match base.dialect.carry {
            _ if idx == 0 => Role::Source,
            // Only files of the user carry everything.
            Carry::All => Role::Paired,
            Carry::Shown => Role::Shadow,
        };
        ReplicaSpec { path: path.clone(), dialect: base.dialect.clone(), role }
    });
    Some(Pairing::new(specs.collect()))
}

/// Gives a base the replicas that the pairing has today.
fn fit(target: Base, replicas: &[Replica], current: Option<&Base>) -> Result<Base, Refusal> {
    let Base { model, next_key, replicas: old, stripped } = target;
    // A key that was given out since then stays taken.
    let next_key = NextKey(current.map_or(0, |it| it.next_key.0).max(next_key.0));
    let mut res = Base { model, next_key, replicas: Vec::new(), stripped };
    let mut old: Vec<_> = old.into_iter().map(Some).collect();
    for replica in replicas {
        let same = old
            .iter_mut()
            .find(|it| it.as_ref().is_some_and(|it| it.dialect == replica.spec.dialect));
        match same.and_then(Option::take) {
            Some(replica) => res.replicas.push(replica),
            None => res.add_replica(replica.spec.dialect.clone()).map_err(|err| {
                Refusal::No(format!("cannot write `{}`: {}", replica.spec.path, chain(&err)))
            })?,
        }
    }
    Ok(res)
}

/// How many cells differ between two bases, and how, as their sources show it.
fn told(before: &Base, after: &Base) -> (usize, Vec<String>) {
    let (Some(was), Some(is)) = (before.replicas.first(), after.replicas.first()) else {
        return (0, Vec::new());
    };
    let mut next_key = before.next_key;
    let found = diff(
        &before.model,
        was.document.notebook(),
        &was.keys,
        is.document.as_ref(),
        &mut next_key,
    );
    let keyed = |notebook: &nbsync_formats::Notebook, keys: &[Option<_>]| {
        let mut notebook = notebook.clone();
        let mut is_keyed = keys.iter().map(Option::is_some);
        notebook.cells.retain(|_| is_keyed.next().unwrap_or(false));
        Keyed { notebook, keys: keys.iter().flatten().copied().collect() }
    };
    let old = keyed(was.document.notebook(), &was.keys);
    let new = keyed(is.document.notebook(), &found.keys);
    let edits: Vec<Vec<Edit>> = vec![found.edits];
    (super::apply::n_cells(&edits, &[]), describe(&edits, Some(&old), &new))
}
