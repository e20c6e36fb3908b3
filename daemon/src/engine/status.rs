//! Tells the state of everything.

use std::time::Instant;

use camino::Utf8PathBuf;

use super::{Engine, gather};
use crate::report::{
    self, DaemonState, DaemonStatus, NotebookState, NotebookStatus, Report, StatusReport,
};

impl Engine {
    /// Returns the state of the pairings below the paths.
    pub(crate) fn status(&self, paths: &[Utf8PathBuf]) -> StatusReport {
        let is_below = |path: &Utf8PathBuf| {
            paths.is_empty() || paths.iter().any(|above| path.starts_with(above))
        };
        let is_still = self.is_still();
        let mut notebooks: Vec<NotebookStatus> = self
            .pairings
            .iter()
            .filter(|(_, pairing)| pairing.is_below(paths))
            .map(|(source, pairing)| {
                let mut status = pairing.status();
                if status.state == NotebookState::Synced && self.gathering.contains_key(source) {
                    status.state = NotebookState::Pending;
                    status.reason = Some(gather::REASON.to_owned());
                }
                // Otherwise it is looked at within milliseconds.
                if is_still
                    && status.state == NotebookState::Synced
                    && self.due.contains_key(source)
                {
                    status.state = NotebookState::Pending;
                }
                status
            })
            .collect();
        let skipped = self.skipped.iter().filter(|(path, _)| is_below(path));
        notebooks.extend(skipped.map(|(path, reason)| NotebookStatus {
            source: path.clone(),
            state: NotebookState::Held,
            reason: Some(format!("left alone: {reason}")),
            notes: Vec::new(),
            problems: None,
            unreadable: None,
            replicas: Vec::new(),
        }));
        notebooks.sort_by(|a, b| a.state.cmp(&b.state).then_with(|| a.source.cmp(&b.source)));
        StatusReport {
            version: report::VERSION,
            root: self.parts.tree.root().to_owned(),
            daemon: DaemonStatus {
                running: self.parts.watcher.is_some(),
                pid: self.parts.watcher.is_some().then(std::process::id),
                state: self.parts.watcher.is_some().then_some(self.state),
                reason: self.reason.clone(),
            },
            notebooks,
        }
    }

    /// Returns one line for the service manager.
    pub(crate) fn summary(&self) -> String {
        let count = |state| self.pairings.values().filter(|it| it.status().state == state).count();
        let (n_held, n_conflicts) = (count(NotebookState::Held), count(NotebookState::Conflict));
        let mut parts = vec![format!("{} notebooks", self.pairings.len())];
        if n_held > 0 {
            parts.push(format!("{n_held} held"));
        }
        if n_conflicts > 0 {
            parts.push(format!("{n_conflicts} in conflict"));
        }
        parts.extend(self.reason.clone());
        parts.join(", ")
    }

    /// Whether the first scan is done, and [`ready`](Self::ready) has not been called.
    ///
    /// An editor that saves all the time may have its notebook due for ever; that is
    /// waited for only once.
    pub(crate) fn has_scanned(&self, now: Instant) -> bool {
        self.state == DaemonState::Scanning
            && !self.unscanned.iter().any(|source| self.is_due_soon(source, now))
    }

    /// Says that the first scan is done.
    pub(crate) fn ready(&mut self, ms: u64) {
        self.resume();
        let held = self
            .pairings
            .values()
            .filter(|pairing| pairing.status().state == NotebookState::Held)
            .count();
        let report = Report::Ready {
            root: self.parts.tree.root().to_owned(),
            notebooks: self.pairings.len(),
            created: self.n_created,
            held,
            ms,
        };
        self.report(&report);
    }
}
