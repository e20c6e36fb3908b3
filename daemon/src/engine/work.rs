//! Runs the cycles that are due, many side by side.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::Engine;
use super::pairing::{AllRecords, Due, Pairing};
use crate::cycle::{Begun, Context, Editors, Replica, SessionNote, Start, Unseen, WaitKind, cycle};
use crate::error::{PANICKED, chain};
use crate::report::{DaemonState, NotebookState, Report};
use crate::sync::Digest;
use crate::sync::base::Base;
use crate::sync::pairing::WORKDIR;

/// How long writing waits for a git operation to end.
const GIT_WAIT: Duration = Duration::from_millis(300);

/// How long no file of a folder may have gone before one is made again there.
const REMOVAL: Duration = Duration::from_millis(500);

/// What may turn out to be the middle of a save, or of a removal.
pub(super) const ACCIDENTS: [WaitKind; 3] =
    [WaitKind::Unlikely, WaitKind::Missing, WaitKind::Cleared];

/// From this many on, due pairings are worked on side by side.
pub(super) const SIDE_BY_SIDE: usize = 8;

impl Engine {
    /// Works on the pairings that are due.
    pub(super) fn work(&mut self, now: Instant) {
        if self.state == DaemonState::Paused {
            return;
        }
        self.busy.retain(|_, until| now < *until);
        for (source, until) in &self.busy {
            if let Some(due) = self.due.get_mut(source) {
                due.at = due.at.max(*until);
            }
        }
        self.put_off_gathering(now);
        let mut sources = self.due_now(now);
        if sources.is_empty() {
            return;
        }
        self.git = self.parts.tree.git_operation();
        if let Some(operation) = self.git {
            for source in &sources {
                if let Some(due) = self.due.get_mut(source) {
                    due.at = now + GIT_WAIT;
                }
                if let Some(pairing) = self.pairings.get_mut(source)
                    && matches!(pairing.state, NotebookState::Synced | NotebookState::Pending)
                {
                    pairing.state = NotebookState::Pending;
                    pairing.reason = Some(format!("{operation}; waiting for its end"));
                }
            }
            return;
        }
        if self.follow(&sources, now) {
            sources = self.due_now(now);
        }
        if self.is_still() {
            return;
        }
        if !self.deletions_are_meant && self.all_gone_reason().is_some() {
            // They may have gone somewhere that no event told of yet.
            self.walk_below(Utf8Path::new(""), now);
            sources = self.due_now(now);
            self.follow(&sources, now);
            sources = self.due_now(now);
        }
        match self.all_gone_reason() {
            Some(reason) if !self.deletions_are_meant => {
                self.halt(reason);
                return;
            }
            Some(_) => {}
            None => self.deletions_are_meant = false,
        }
        self.recover_new_folders(&sources, now);
        if sources.len() < SIDE_BY_SIDE {
            for source in sources {
                if let Some(job) = self.job(&source, now) {
                    let (end, traces) = cycle(&self.context(), &job.start());
                    self.apply(&source, job, end, traces);
                }
            }
        } else {
            self.work_side_by_side(&sources, now);
        }
    }

    /// The pairings that are due. Those in whose folders files are being removed have to wait
    /// until that is over: what is made again there would be in the way.
    fn due_now(&mut self, now: Instant) -> Vec<Utf8PathBuf> {
        self.removals.retain(|_, at| now.duration_since(*at) < REMOVAL);
        let mut sources = Vec::new();
        let (pairings, parts) = (&self.pairings, &self.parts);
        let has_gap = |source: &Utf8PathBuf| {
            pairings.get(source).is_some_and(|pairing| {
                let paths = pairing.replicas.iter().map(|it| parts.tree.absolute(&it.spec.path));
                paths.into_iter().any(|path| parts.disk.glance(&path).is_none())
            })
        };
        for (source, due) in self.due.iter_mut().filter(|(_, due)| due.at <= now) {
            let is_missing = matches!(due.last, Some(WaitKind::Missing | WaitKind::Cleared));
            let folders = source.parent().into_iter();
            let folders = folders.flat_map(|it| [it.to_owned(), it.join(WORKDIR)]);
            match folders.filter_map(|it| self.removals.get(&it)).max() {
                Some(at) if is_missing && has_gap(source) => due.at = *at + REMOVAL,
                _ => sources.push(source.clone()),
            }
        }
        sources
    }

    /// Works on one pairing, whether or not it is due.
    pub(super) fn work_on(&mut self, source: &Utf8Path, now: Instant) {
        let Some(pairing) = self.pairings.get(source) else { return };
        let all = 0..pairing.replicas.len();
        let due = self.due.entry(source.to_owned()).or_insert_with(|| Due::new(now));
        due.touched.extend(all);
        due.is_urgent = true;
        if let Some(job) = self.job(source, now) {
            let (end, traces) = cycle(&self.context(), &job.start());
            self.apply(source, job, end, traces);
        }
    }

    /// Writes what is left to editors for a moment.
    pub(super) fn end_sparing(&mut self) {
        if self.is_still() || self.parts.tree.git_operation().is_some() {
            return;
        }
        let now = self.parts.clock.now();
        let spared = self.due.iter().filter(|(_, due)| due.last == Some(WaitKind::Spared));
        for source in spared.map(|(source, _)| source.clone()).collect::<Vec<_>>() {
            self.work_on(&source, now);
        }
    }

    fn work_side_by_side(&mut self, sources: &[Utf8PathBuf], now: Instant) {
        let total = sources.len();
        let mut done = 0;
        let n_threads = std::thread::available_parallelism().map_or(2, usize::from);
        // In portions, so that only a few bases are in memory at a time.
        for portion in sources.chunks(64) {
            let jobs: Vec<(Utf8PathBuf, Job)> = portion
                .iter()
                .filter_map(|source| Some((source.clone(), self.job(source, now)?)))
                .collect();
            // A shadow that is new can be made again; waiting for each would take
            // most of the time of a first scan.
            let context = Context { durable: false, threads: false, ..self.context() };
            let next = AtomicUsize::new(0);
            let ends = std::thread::scope(|scope| {
                let work = || {
                    let mut ends = Vec::new();
                    while let Some((_, job)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        ends.push((job.number, cycle(&context, &job.start())));
                    }
                    ends
                };
                let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(work)).collect();
                let mut ends: HashMap<usize, _> = HashMap::new();
                for thread in threads {
                    ends.extend(thread.join().unwrap_or_default());
                }
                ends
            });
            drop(context);
            let mut ends = ends;
            done += portion.len();
            for (source, job) in jobs {
                match ends.remove(&job.number) {
                    Some((end, traces)) => self.apply(&source, job, end, traces),
                    None => self.hold(&source, PANICKED.to_owned()),
                }
            }
            self.report(&Report::Progress { done, total });
        }
        // What is stored about them must not be newer than the files.
        if self.writes {
            match self.parts.disk.sync() {
                Ok(()) => self.is_unflushed = false,
                Err(err) => tracing::warn!("{}", chain(&err)),
            }
        }
        self.commit();
    }

    pub(super) fn context(&self) -> Context<'_> {
        let (pairings, files) = (&self.pairings, &self.files);
        let records = AllRecords { pairings, files, config: &self.parts.config };
        Context {
            disk: self.parts.disk.as_ref(),
            store: self.parts.store.as_ref(),
            clock: self.parts.clock.as_ref(),
            config: &self.parts.config,
            write: self.writes,
            durable: true,
            threads: self.threads,
            tree: self.parts.tree.as_ref(),
            notary: self.notary.as_ref().filter(|_| self.parts.config.trust),
            records: Some(Box::new(records)),
        }
    }

    /// Takes what a cycle of a pairing needs.
    fn job(&mut self, source: &Utf8Path, now: Instant) -> Option<Job> {
        let mut due = self.due.remove(source)?;
        if self.is_stopped(source, &mut due, now) {
            self.due.insert(source.to_owned(), due);
            return None;
        }
        if self.pairings.get(source)?.blocked.is_some() {
            if self.is_gone(source) {
                self.source_gone(source, due, now);
            }
            return None;
        }
        let base = self.bases.get(source);
        let pairing = self.pairings.get(source)?;
        let (stored, is_complete) = (pairing.base, pairing.is_complete);
        let begun = pairing.begun.clone();
        let touched = due.touched.iter().copied().collect();
        let waited = ACCIDENTS.into_iter().filter(|it| due.has_waited(*it, now)).collect();
        let unseen = pairing.unseen.clone();
        let session = pairing.session.clone();
        let replicas = pairing.replicas.clone();
        let editors = self.editors(pairing, &due, now);
        Some(Job {
            number: self.number(),
            replicas,
            base,
            stored,
            begun,
            is_complete,
            touched,
            waited,
            unseen,
            session,
            editors,
            due,
            now,
        })
    }

    /// What is known of the editors that may have the replicas of a pairing open.
    fn editors(&self, pairing: &Pairing, due: &Due, now: Instant) -> Editors {
        let is_awaited = self.waiting.iter().any(|it| pairing.is_below(&it.paths))
            || self.tasks.iter().any(|it| pairing.is_below(&it.paths));
        // Somebody may save all the time.
        let config = &self.parts.config;
        let patience = config.marimo_patience.max(2 * config.patience);
        let is_over = due.spared.is_some_and(|first| first + patience <= now);
        Editors {
            saved: pairing.saved.clone(),
            may_wait: self.parts.watcher.is_some() && !is_awaited && !is_over && !due.is_urgent,
        }
    }

    pub(super) fn number(&mut self) -> usize {
        self.n_jobs += 1;
        self.n_jobs
    }
}

/// One cycle to be run.
pub(super) struct Job {
    pub(super) number: usize,
    pub(super) replicas: Vec<Replica>,
    pub(super) base: Option<Arc<Base>>,
    pub(super) stored: Option<Digest>,
    pub(super) begun: Option<Begun>,
    pub(super) is_complete: bool,
    pub(super) touched: Vec<usize>,
    pub(super) waited: Vec<WaitKind>,
    pub(super) unseen: Vec<Vec<Unseen>>,
    pub(super) session: Option<SessionNote>,
    pub(super) editors: Editors,
    pub(super) due: Due,
    pub(super) now: Instant,
}

impl Job {
    pub(super) fn start(&self) -> Start<'_> {
        Start {
            replicas: &self.replicas,
            base: self.base.clone(),
            stored: self.stored,
            begun: self.begun.as_ref(),
            is_complete: self.is_complete,
            touched: &self.touched,
            waited: &self.waited,
            unseen: &self.unseen,
            session: self.session.as_ref(),
            editors: &self.editors,
            late: None,
        }
    }
}
