//! Leaves a replica alone that its editor has just saved.
//!
//! An editor may look what became of its save, and take what it finds for that. VS Code does: what is
//! merged into its save within milliseconds it never shows.

use std::time::{Duration, Instant};

use camino::Utf8Path;
use nbsync_formats::FormatName;

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

/// Replicas that are left alone for a moment.
#[derive(Debug)]
pub(super) struct Spared {
    pub(super) replicas: Vec<usize>,
    /// When the first of them is no longer.
    until: Instant,
}

impl Spared {
    /// Says that there is something to be written into them.
    pub(super) fn wait(&self, known: &[Replica]) -> Wait {
        let paths = self.replicas.iter().filter_map(|&idx| known.get(idx));
        let path = paths.map(|it| it.spec.path.as_path()).next();
        Wait::spared(path.unwrap_or(Utf8Path::new("")), self.until)
    }
}

/// Returns the replicas that are to be written, but not yet.
///
/// The others are written at once.
pub(super) fn spared(
    context: &Context<'_>,
    start: &Start<'_>,
    saved: &[Option<Saved>],
    (known, sights): (&[Replica], &[Sight]),
    new: &Base,
) -> Result<Option<Spared>, Wait> {
    if !start.editors.may_wait {
        return Ok(None);
    }
    let is_written = |idx: usize| {
        let found = match &sights[idx] {
            Sight::Absent => None,
            Sight::Unchanged => known[idx].digest,
            Sight::Text { digest, .. } => Some(*digest),
        };
        found != Some(Digest::of(new.replicas[idx].document.text().as_bytes()))
    };
    let written: Vec<usize> = (0..known.len()).filter(|&idx| is_written(idx)).collect();
    let spared = |idx: usize| {
        let saved = saved[idx].filter(|_| !matches!(sights[idx], Sight::Absent))?;
        Some((idx, spared_until(context, &known[idx], saved)?))
    };
    let spared: Vec<_> = written.iter().filter_map(|&idx| spared(idx)).collect();
    let Some(until) = spared.iter().map(|it| it.1).min() else { return Ok(None) };
    let replicas: Vec<usize> = spared.into_iter().map(|it| it.0).collect();
    let has_others = replicas.len() < written.len();
    let spared = Spared { replicas, until };
    // While a cycle that was cut off is resumed it is enough to know of one.
    let is_cut = start.begun.is_some_and(|begun| begun.left.is_none());
    if has_others && !is_cut { Ok(Some(spared)) } else { Err(spared.wait(known)) }
}

/// Returns when a replica may be written that was saved, `None` for now.
///
/// marimo takes back what was typed 0.4 to 1 s before it loads something, and saves a second after the last
/// key: so the best moment is right after that. Who has not saved for long is not typing there, or is
/// without a rest, and then it takes nothing back.
fn spared_until(context: &Context<'_>, replica: &Replica, saved: Saved) -> Option<Instant> {
    let (now, config) = (context.clock.now(), context.config);
    let patience = if replica.spec.dialect.format == FormatName::Marimo {
        let is_just_saved = now.duration_since(saved.at) < JUST_SAVED;
        (!is_just_saved).then_some(config.marimo_patience)?
    } else {
        config.patience
    };
    let until = saved.at + patience;
    (now < until).then_some(until)
}

/// How long after a save in marimo nothing can have been typed that it would take back.
const JUST_SAVED: Duration = Duration::from_millis(300);
