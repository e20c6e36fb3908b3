//! Leaves a replica alone that its editor has just saved.
//!
//! An editor may look what became of its save, and take what it finds for that. VS Code does: what is
//! merged into its save within milliseconds it never shows.

use std::time::Instant;

use super::{Context, Replica, Sight, Start, Wait};
use crate::sync::Digest;
use crate::sync::base::Base;

/// A text that an editor saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Saved {
    digest: Digest,
    /// When it was seen.
    at: Instant,
}

/// What is known of the editors that may have replicas open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Editors {
    /// What was saved last into each replica.
    pub(crate) saved: Vec<Option<Saved>>,
    /// Whether there is time: nobody waits for the writes.
    pub(crate) may_wait: bool,
}

/// Returns what was saved last into each replica by now: texts that were not known, and not written
/// by nbsync.
pub(super) fn saves(
    context: &Context<'_>,
    start: &Start<'_>,
    known: &[Replica],
    sights: &[Sight],
    is_own: impl Fn(usize) -> bool,
) -> Vec<Option<Saved>> {
    let mut saved = start.editors.saved.clone();
    saved.resize(known.len(), None);
    for (idx, (replica, sight)) in known.iter().zip(sights).enumerate() {
        let Sight::Text { digest, .. } = sight else { continue };
        let is_known = saved[idx].is_some_and(|it| it.digest == *digest);
        if replica.digest.is_some() && !is_known && !is_own(idx) {
            saved[idx] = Some(Saved { digest: *digest, at: context.clock.now() });
        }
    }
    saved
}

/// Refuses, for a moment, to write a replica that was just saved.
///
/// The others wait as well: a notebook of which a part is written is one more thing that can go
/// wrong, and it is about two people who save in the same moment.
pub(super) fn check(
    context: &Context<'_>,
    editors: &Editors,
    saved: &[Option<Saved>],
    (known, sights): (&[Replica], &[Sight]),
    new: &Base,
) -> Result<(), Wait> {
    let now = context.clock.now();
    if !editors.may_wait {
        return Ok(());
    }
    let spared = saved.iter().enumerate().filter_map(|(idx, saved)| {
        let until = (*saved)?.at + context.config.patience;
        let found = match &sights[idx] {
            Sight::Absent => return None,
            Sight::Unchanged => known[idx].digest,
            Sight::Text { digest, .. } => Some(*digest),
        };
        let is_written = || found != Some(Digest::of(new.replicas[idx].document.text().as_bytes()));
        (now < until && is_written()).then_some((until, idx))
    });
    match spared.max() {
        Some((until, idx)) => Err(Wait::spared(&known[idx].spec.path, until)),
        None => Ok(()),
    }
}
