//! Notices that marimo ran a notebook.
//!
//! marimo keeps what cells left in a file of its own, beside the script. The walk does not go
//! there, so its folders are watched one by one as they appear.

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::pairing::Due;
use super::{Engine, Parts};
use crate::cycle::SessionNote;
use crate::report::NotebookState;
use crate::sync::runs::{is_session_folder, script_of, session_of};

/// How long outputs of a notebook wait for more after some have arrived. marimo saves them every
/// two seconds while something goes on.
pub(super) const RUNNING: Duration = Duration::from_secs(10);

impl Engine {
    /// Makes a pairing due if a file is its session. Returns whether it is any session.
    pub(super) fn session_touched(&mut self, path: &Utf8Path, now: Instant) -> bool {
        let Some(script) = script_of(path) else { return false };
        if let Some(source) = self.by_path.get(&script).cloned() {
            self.take_session(&source, RUNNING, now);
        }
        true
    }

    fn take_session(&mut self, source: &Utf8Path, patience: Duration, now: Instant) {
        let Some(pairing) = self.pairings.get(source) else { return };
        let at = pairing.ran_at.map_or(now, |ran| now.max(ran + patience));
        let due = self.due.entry(source.to_owned()).or_insert_with(|| Due::new(at));
        // One that was put off waits for something else.
        if due.attempt == 0 {
            due.at = due.at.min(at);
        }
    }

    /// Watches the folders of sessions of the scripts in a folder, as far as they are there.
    pub(super) fn watch_sessions(&mut self, folder: &Utf8Path) {
        if !self.parts.config.marimo_outputs {
            return;
        }
        for inner in ["__marimo__", "__marimo__/session", "session"].map(|it| folder.join(it)) {
            let is_there = || self.parts.disk.glance(&self.parts.tree.absolute(&inner)).is_some();
            // What the walk goes into is watched by that.
            if is_session_folder(&inner) && is_there() && !self.parts.tree.admits_folder(&inner) {
                self.watch(&inner);
            }
        }
    }

    /// Takes up sessions in a folder that has appeared. Returns whether it is one for them.
    pub(super) fn session_folder_appeared(&mut self, folder: &Utf8Path, now: Instant) -> bool {
        if !is_session_folder(folder) || self.parts.tree.admits_folder(folder) {
            return false;
        }
        if self.parts.config.marimo_outputs {
            self.watch(folder);
            self.watch_sessions(folder);
            self.look_at_sessions(&[], RUNNING, now);
        }
        true
    }

    /// Makes the pairings due whose sessions are not as they were.
    pub(super) fn look_at_sessions(
        &mut self,
        paths: &[Utf8PathBuf],
        patience: Duration,
        now: Instant,
    ) {
        if !self.parts.config.marimo_outputs {
            return;
        }
        let mut news: Vec<Utf8PathBuf> = Vec::new();
        let Parts { tree, disk, .. } = &self.parts;
        // Most folders have none, and one look at a folder is enough for all notebooks in it.
        let mut last: Option<(Utf8PathBuf, bool)> = None;
        for (source, pairing) in &mut self.pairings {
            let is_still = pairing.blocked.is_some() || pairing.state == NotebookState::Held;
            if is_still || !pairing.is_below(paths) {
                continue;
            }
            let Some(script) = pairing.script() else { continue };
            let session = tree.absolute(&session_of(script));
            let Some(folder) = session.parent() else { continue };
            let has_any = match &last {
                Some((known, has_any)) if known == folder => *has_any,
                _ => {
                    let has_any = disk.glance(folder).is_some();
                    last = Some((folder.to_owned(), has_any));
                    has_any
                }
            };
            let stamp = if has_any { disk.glance(&session) } else { None };
            match (stamp, &pairing.session) {
                (Some(stamp), note) if note.as_ref().is_none_or(|it| it.is_old(&stamp)) => {
                    news.push(source.clone());
                }
                // A run from now on is a new one.
                (None, None) if pairing.base.is_some() => {
                    pairing.session = Some(SessionNote::default());
                }
                _ => {}
            }
        }
        for source in news {
            self.take_session(&source, patience, now);
        }
    }
}
