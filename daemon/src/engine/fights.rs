//! Stops a notebook over which two programs fight.

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::Engine;
use super::pairing::{Due, Pairing};
use crate::cycle::Synced;
use crate::disk::Stamp;
use crate::sync::fight::{Changes, Fighters};
use crate::writers::processes;

/// How long no file of a notebook may change before it goes on by itself.
const QUIET: Duration = Duration::from_secs(30);

/// A notebook that was stopped.
#[derive(Debug, Clone)]
pub(crate) struct Stopped {
    /// When it goes on.
    until: Instant,
    /// Its files as they were seen last.
    stamps: Vec<Option<Stamp>>,
}

impl Engine {
    /// Looks whether an edit that was propagated is one turn too many.
    pub(super) fn watch_fight(&mut self, source: &Utf8Path, synced: &Turn, since: Instant) {
        let Some(pairing) = self.pairings.get_mut(source) else { return };
        let changes = synced.changes.clone();
        let Some(fighters) = pairing.fight.turn(&synced.from, changes, since, synced.at) else {
            return;
        };
        let Some(pairing) = self.pairings.get(source) else { return };
        let reason = self.tell_fight(source, pairing, fighters);
        let stopped = Stopped { until: synced.at + QUIET, stamps: self.glances(pairing) };
        let mut due = Due::new(synced.at);
        due.at = stopped.until;
        if let Some(pairing) = self.pairings.get_mut(source) {
            pairing.stopped = Some(stopped);
        }
        self.due.insert(source.to_owned(), due);
        self.hold(source, reason);
    }

    fn tell_fight(&self, source: &Utf8Path, pairing: &Pairing, fighters: Fighters) -> String {
        let base = self.bases.get(source);
        let metadata = base.as_ref().map(|base| &base.model.notebook.metadata);
        let is_paired = metadata
            .and_then(|it| it.get("jupytext")?.get("formats"))
            .is_some_and(|formats| !formats.is_null());
        let name = |idx: usize| {
            let path = &pairing.replicas[idx].spec.path;
            let found = processes(&self.parts.tree.absolute(path));
            if found.is_empty() {
                format!("`{path}`")
            } else {
                format!("`{path}` ({})", found.join(" and "))
            }
        };
        let [first, second] = fighters.replicas.map(name);
        let hint = if is_paired { "; jupytext has it as a pair of its own, too" } else { "" };
        format!(
            "two programs undo each other's changes, {} in a row: one writes {first}, the other {second}{hint}. Stop one of them (format on save, another sync tool?); it goes on {} s after the last change, or with `nbsync resume {source}`",
            fighters.turns,
            QUIET.as_secs()
        )
    }

    fn glances(&self, pairing: &Pairing) -> Vec<Option<Stamp>> {
        let glance = |path: &Utf8PathBuf| self.parts.disk.glance(&self.parts.tree.absolute(path));
        pairing.replicas.iter().map(|it| glance(&it.spec.path)).collect()
    }

    /// Puts a notebook off that was stopped, unless it was quiet for long enough.
    pub(super) fn is_stopped(&mut self, source: &Utf8Path, due: &mut Due, now: Instant) -> bool {
        let Some(pairing) = self.pairings.get(source) else { return false };
        let Some(mut stopped) = pairing.stopped.clone() else { return false };
        let stamps = self.glances(pairing);
        if stamps != stopped.stamps {
            stopped = Stopped { until: now + QUIET, stamps };
        }
        let is_over = stopped.until <= now;
        due.at = stopped.until;
        if let Some(pairing) = self.pairings.get_mut(source) {
            pairing.stopped = (!is_over).then_some(stopped);
        }
        !is_over
    }

    /// Lets notebooks go on that were stopped or gather saves, because a person says so.
    pub(super) fn release(&mut self, paths: &[Utf8PathBuf], now: Instant) {
        self.end_gathering(paths, now);
        let mut released = Vec::new();
        for (source, pairing) in &mut self.pairings {
            if pairing.is_below(paths) && pairing.stopped.take().is_some() {
                released.push(source.clone());
            }
        }
        for source in released {
            self.make_due(&source, now);
        }
    }
}

/// An edit that was propagated.
pub(super) struct Turn {
    from: Vec<usize>,
    at: Instant,
    changes: Changes,
}

impl Turn {
    /// Returns nothing for a cycle that made files alone, and for edits of several replicas at once:
    /// those have not seen each other.
    pub(super) fn of(synced: &Synced) -> Option<Self> {
        let before = synced.before.as_ref().filter(|_| synced.from.len() == 1)?;
        let changes = Changes::of(&synced.edits, &before.model, &synced.base.model);
        Some(Self { from: synced.from.clone(), at: synced.written_at, changes })
    }
}
