//! Answers requests, those to wait until everything is in sync among them.

use std::time::{Duration, Instant, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::oneshot;

use super::Engine;
use crate::control::{Call, Command, Reply};
use crate::cycle::WaitKind;
use crate::disk::Stamp;
use crate::git::GitOperation;
use crate::report::{self, DaemonState, NotebookState, SyncReport};

/// How long a flush waits at most.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(30);

/// What is put off for longer than this isn't waited for.
const MAX_DUE: Duration = Duration::from_secs(3);

/// How much that no flush asked for is kept for the next one.
const MAX_UNTOLD: usize = 1000;

/// A file that was written this shortly ago is read even if its stamp is known: a
/// second write within one tick of the system's clock doesn't show.
const TICK: Duration = Duration::from_millis(100);

/// A client that waits until everything it saved is propagated.
pub(super) struct Waiting {
    pub(super) paths: Vec<Utf8PathBuf>,
    reply: oneshot::Sender<Reply>,
    /// When it is answered in any case.
    pub(super) until: Instant,
    /// The number of the last propagation that it is not to tell of; `None` if it is to tell
    /// of all that nobody was told yet.
    since: Option<u64>,
}

impl Engine {
    /// Takes in a request. Returns false if it was to stop.
    pub(crate) fn call(&mut self, call: Call, now: Instant) -> bool {
        let Call { command, reply } = call;
        let answer = match command {
            Command::Status { paths } => {
                let paths = self.relative(&paths);
                Reply::Status(self.status(&paths))
            }
            Command::Flush { paths } => {
                self.wait_for(&paths, None, reply, now);
                return true;
            }
            Command::Sync { paths } => {
                let since = Some(self.n_propagated);
                self.wait_for(&paths, since, reply, now);
                return true;
            }
            Command::Hold { paths, seconds } => {
                let paths = self.relative(&paths);
                self.gather(&paths, Duration::from_secs(seconds), now)
            }
            command @ (Command::Log { .. } | Command::Show { .. }) => {
                self.look_up(command, reply);
                return true;
            }
            command @ (Command::Diff { .. }
            | Command::Restore { .. }
            | Command::Undo { .. }
            | Command::Conflicts { .. }
            | Command::Resolve { .. }) => {
                self.add_task(command, reply, now);
                return true;
            }
            Command::Pause => {
                self.set_state(DaemonState::Paused, Some("told to pause".to_owned()));
                Reply::Done
            }
            Command::Resume => {
                self.accept_deletions(now);
                self.resume();
                self.release(&[], now);
                Reply::Done
            }
            Command::Release { paths } => {
                let paths = self.relative(&paths);
                self.release(&paths, now);
                Reply::Done
            }
            Command::Reload => match self.reload(now) {
                Ok(()) => Reply::Done,
                Err(message) => Reply::Error { message },
            },
            Command::Stop => {
                // The client may have gone; then nobody waits for an answer.
                reply.send(Reply::Done).ok();
                return false;
            }
        };
        reply.send(answer).ok();
        true
    }

    fn wait_for(
        &mut self,
        paths: &[Utf8PathBuf],
        since: Option<u64>,
        reply: oneshot::Sender<Reply>,
        now: Instant,
    ) {
        let paths = self.relative(paths);
        self.look(&paths, now);
        self.waiting.push(Waiting { paths, reply, until: now + MAX_WAIT, since });
    }

    pub(super) fn relative(&self, paths: &[Utf8PathBuf]) -> Vec<Utf8PathBuf> {
        let tree = &self.parts.tree;
        let relative = paths.iter().filter_map(|path| tree.relative(path));
        let relative: Vec<Utf8PathBuf> = relative.map(camino::Utf8Path::to_owned).collect();
        // The root itself is everything.
        if relative.iter().any(|path| path.as_str().is_empty()) { Vec::new() } else { relative }
    }

    /// Looks at everything below the paths, whether or not an event said so.
    pub(crate) fn look(&mut self, paths: &[Utf8PathBuf], now: Instant) {
        self.walk_below(camino::Utf8Path::new(""), now);
        self.look_at_stamps(paths, now);
        self.look_at_sessions(paths, Duration::ZERO, now);
        // There may be room on the disk by now, and somebody waits.
        for (source, due) in &mut self.due {
            if matches!(due.last, Some(WaitKind::Refused | WaitKind::Spared))
                && self.pairings.get(source).is_some_and(|pairing| pairing.is_below(paths))
            {
                due.at = now;
            }
        }
    }

    /// Makes the pairings due of which a file isn't as it was.
    pub(super) fn look_at_stamps(&mut self, paths: &[Utf8PathBuf], now: Instant) {
        let recently = self
            .parts
            .clock
            .system_time()
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()
            .and_then(|it| i64::try_from(it.saturating_sub(TICK).as_nanos()).ok())
            .unwrap_or(i64::MAX);
        let mut changed: Vec<(Utf8PathBuf, Vec<usize>)> = Vec::new();
        for (source, pairing) in &self.pairings {
            if !pairing.is_below(paths) {
                continue;
            }
            if pairing.blocked.is_some() {
                if !self.due.contains_key(source) && self.is_gone(source) {
                    changed.push((source.clone(), Vec::new()));
                }
                continue;
            }
            let is_held = pairing.state == NotebookState::Held;
            let mut touched = Vec::new();
            for (idx, replica) in pairing.replicas.iter().enumerate() {
                let path = self.parts.tree.root().join(&replica.spec.path);
                let stamp = self.parts.disk.glance(&path);
                let known = if is_held {
                    pairing.held_at.get(idx).copied().flatten()
                } else {
                    replica.stamp
                };
                let is_recent = stamp.is_some_and(|stamp| recently < stamp.ctime_ns);
                if is_recent || !same(known.as_ref(), stamp.as_ref()) {
                    touched.push(idx);
                }
            }
            if !touched.is_empty()
                || (pairing.state == NotebookState::Pending && !self.due.contains_key(source))
            {
                changed.push((source.clone(), touched));
            }
        }
        for (source, touched) in changed {
            let due = self.due.entry(source).or_insert_with(|| super::Due::new(now));
            if due.attempt == 0 || due.last == Some(WaitKind::Unsettled) {
                due.at = due.at.min(now);
            }
            due.touched.extend(touched);
        }
    }

    /// Answers those who have waited long enough.
    pub(super) fn answer_flushes(&mut self, now: Instant) {
        // Git commands end soon; for the end of a merge nobody would wait.
        let is_still =
            self.is_still() || self.git.is_some_and(|operation| operation != GitOperation::Command);
        let mut idx = 0;
        while idx < self.waiting.len() {
            let waiting = &self.waiting[idx];
            if is_still || waiting.until <= now || !self.is_busy(&waiting.paths, now) {
                let Waiting { paths, reply, until: _, since } = self.waiting.swap_remove(idx);
                let report = self.sync_report(&paths, since.unwrap_or_default());
                if since.is_none() {
                    self.forget_told(&paths);
                }
                reply.send(Reply::Synced(report)).ok();
            } else {
                idx += 1;
            }
        }
        let n_old = self.propagated.len().saturating_sub(MAX_UNTOLD);
        // Without a watcher there's one answer, at the end.
        if self.parts.watcher.is_some() {
            self.propagated.drain(..n_old);
        }
    }

    /// Whether something below the paths is about to be looked at.
    pub(crate) fn is_busy(&self, paths: &[Utf8PathBuf], now: Instant) -> bool {
        self.due.keys().any(|source| {
            self.is_due_soon(source, now)
                && self.pairings.get(source).is_some_and(|pairing| pairing.is_below(paths))
        })
    }

    /// Whether a pairing is about to be looked at.
    pub(super) fn is_due_soon(&self, source: &Utf8Path, now: Instant) -> bool {
        self.due.get(source).is_some_and(|due| {
            // What the disk refuses may take long.
            let is_soon = due.last != Some(WaitKind::Refused) && due.at <= now + MAX_DUE;
            due.at <= now || is_soon
        })
    }

    /// Forgets what a flush of these paths has told.
    fn forget_told(&mut self, paths: &[Utf8PathBuf]) {
        let pairings = &self.pairings;
        self.propagated.retain(|(_, it)| {
            pairings.get(&it.notebook).is_some_and(|pairing| !pairing.is_below(paths))
        });
    }

    /// Tells what was done after the propagation with a number, and what is not in sync.
    pub(crate) fn sync_report(&self, paths: &[Utf8PathBuf], since: u64) -> SyncReport {
        let status = self.status(paths);
        SyncReport {
            version: report::VERSION,
            n_notebooks: status.notebooks.len(),
            propagated: self
                .propagated
                .iter()
                .filter(|(number, it)| {
                    since < *number
                        && self
                            .pairings
                            .get(&it.notebook)
                            .is_none_or(|pairing| pairing.is_below(paths))
                })
                .map(|(_, it)| it.clone())
                .collect(),
            out_of_sync: status
                .notebooks
                .into_iter()
                .filter(|notebook| notebook.state != NotebookState::Synced)
                .collect(),
        }
    }
}

fn same(a: Option<&Stamp>, b: Option<&Stamp>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.same_content(b),
        (None, None) => true,
        _ => false,
    }
}
