//! Talks to the service manager, if there is one.
//!
//! Without `$NOTIFY_SOCKET`, that is when systemd didn't start the daemon, all of
//! this does nothing. See `sd_notify(3)`.

use std::time::{Duration, Instant};

use sd_notify::{NotifyState, notify};

/// Tells the service manager how the daemon is.
///
/// A message that doesn't arrive is logged and no more: the daemon works without
/// its manager.
#[derive(Debug)]
pub struct Notifier {
    /// How often the manager wants to hear from the daemon.
    interval: Option<Duration>,
    /// When it was told last that the daemon is alive.
    last: Option<Instant>,
    /// The status that it was told last.
    status: String,
}

impl Notifier {
    /// Finds out from the environment what the manager wants to hear.
    pub fn from_env() -> Self {
        // A third, so that one message that is late does no harm.
        let interval = sd_notify::watchdog_enabled().map(|timeout| timeout / 3);
        Self { interval: interval.filter(|it| !it.is_zero()), last: None, status: String::new() }
    }

    /// Says that the daemon does its work from now on: the first scan is done. After
    /// [`reloading`](Self::reloading), says that the new settings hold.
    pub fn ready(&mut self, status: &str) {
        self.status = one_line(status);
        say(&[NotifyState::Ready, NotifyState::Status(&self.status)]);
    }

    /// Says that the daemon is alive, if it is time to, and what it does, if that has
    /// changed.
    ///
    /// To be called by the loop that does the work, at each turn and at the latest at
    /// the [`deadline`](Self::deadline), so that a hang of that loop is noticed.
    pub fn alive(&mut self, status: &str, now: Instant) {
        let status = one_line(status);
        if status != self.status {
            self.status = status;
            say(&[NotifyState::Status(&self.status)]);
        }
        if self.interval.is_some() && self.deadline().is_none_or(|deadline| deadline <= now) {
            self.last = Some(now);
            say(&[NotifyState::Watchdog]);
        }
    }

    /// When [`alive`](Self::alive) has to be called next. `None` if nobody waits for
    /// it, or if it wasn't called yet.
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.last? + self.interval?)
    }

    /// Says that settings are read anew. [`ready`](Self::ready) has to follow.
    pub fn reloading(&mut self) {
        match NotifyState::monotonic_usec_now() {
            // systemd from 253 on takes a reload without the time for a mistake.
            Ok(time) => say(&[NotifyState::Reloading, time]),
            Err(error) => tracing::debug!(%error, "cannot tell the time to the service manager"),
        }
    }

    /// Says that the daemon is about to end.
    pub fn stopping(&mut self) {
        say(&[NotifyState::Stopping]);
    }
}

fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        tracing::debug!(%error, "cannot talk to the service manager");
    }
}

/// Keeps a text in its field: fields end with their line, and names of files may
/// hold anything.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests;
