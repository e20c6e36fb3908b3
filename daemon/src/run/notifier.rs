//! What the service manager is told, and when.

use std::time::{Duration, Instant};

use crate::systemd;

/// Tells the service manager that the daemon lives, and what it does.
#[derive(Debug)]
pub(super) struct Notifier {
    interval: Option<Duration>,
    next: Instant,
    status: String,
}

impl Notifier {
    pub(super) fn new(now: Instant) -> Self {
        Self { interval: systemd::alive_interval(), next: now, status: String::new() }
    }

    /// When [`alive`](Self::alive) has to be said again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.interval.map(|_| self.next)
    }

    pub(super) fn alive(&mut self, summary: &str, now: Instant) {
        if let Some(interval) = self.interval
            && self.next <= now
        {
            self.next = now + interval;
            log(systemd::alive());
        }
        if self.status != summary {
            summary.clone_into(&mut self.status);
            log(systemd::status(summary));
        }
    }

    pub(super) fn ready(&mut self, summary: &str) {
        summary.clone_into(&mut self.status);
        log(systemd::ready(summary));
    }

    pub(super) fn reloading(&self) {
        log(systemd::reloading());
    }

    pub(super) fn stopping(&self) {
        log(systemd::stopping());
    }
}

fn log(result: std::io::Result<()>) {
    if let Err(err) = result {
        tracing::warn!("cannot tell the service manager: {err}");
    }
}
