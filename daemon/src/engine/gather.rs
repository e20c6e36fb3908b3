//! Leaves notebooks alone whose user makes several saves that belong together.

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::Engine;
use super::pairing::Pairing;
use crate::control::Reply;

/// What the state of such a notebook says.
pub(super) const REASON: &str = "several saves are made into one step; `nbsync release` ends that";

impl Engine {
    /// Propagates nothing of the notebooks below the paths for so long, or until they are
    /// released.
    pub(super) fn gather(
        &mut self,
        paths: &[Utf8PathBuf],
        patience: Duration,
        now: Instant,
    ) -> Reply {
        let is_below = |(_, pairing): &(&Utf8PathBuf, &Pairing)| pairing.is_below(paths);
        let found = self.pairings.iter().filter(is_below).map(|(source, _)| source.clone());
        let found: Vec<Utf8PathBuf> = found.collect();
        if found.is_empty() {
            return Reply::Unknown {
                message: "there is no notebook to hold".to_owned(),
                hints: vec!["`nbsync status` lists them".to_owned()],
            };
        }
        self.gathering.extend(found.into_iter().map(|source| (source, now + patience)));
        Reply::Done
    }

    /// Puts off the cycles of notebooks that gather saves.
    pub(super) fn put_off_gathering(&mut self, now: Instant) {
        self.gathering.retain(|_, until| now < *until);
        for (source, until) in &self.gathering {
            if let Some(due) = self.due.get_mut(source) {
                due.at = due.at.max(*until);
            }
        }
    }

    /// Ends that for the notebooks below the paths.
    pub(super) fn end_gathering(&mut self, paths: &[Utf8PathBuf], now: Instant) {
        let pairings = &self.pairings;
        let is_below = |source: &Utf8Path| pairings.get(source).is_none_or(|it| it.is_below(paths));
        let released = self.gathering.extract_if(.., |source, _| is_below(source));
        for source in released.map(|(source, _)| source).collect::<Vec<_>>() {
            if self.due.contains_key(&source) {
                self.make_due(&source, now);
            }
        }
    }
}
