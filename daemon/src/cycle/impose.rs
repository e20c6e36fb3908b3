//! Writes what somebody decided, in the place of what the replicas' edits come to.

use std::sync::Arc;

use super::look::look;
use super::plan::Plan;
use super::transition::transition;
use super::{Context, End, Replica, Sight, Start, Traces, Wait, WaitKind};
use crate::disk::ReadError;
use crate::error::chain;
use crate::sync::Digest;
use crate::sync::base::Base;
use crate::sync::reconcile::Outcome;

/// Whether edits that are on disk may be replaced, since they are in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsynced {
    /// They come first.
    Wait,
    /// What is on disk doesn't matter.
    Replace,
}

/// Makes the replicas have the texts of `target`, whose replicas are those of `start`.
///
/// Through the same steps as any other write: nothing is overwritten unseen, and what an
/// editor saves meanwhile is merged. Then the end is not what was asked for: the base of
/// [`Synced`](super::Synced) says what it came to.
pub(crate) fn impose(
    context: &Context<'_>,
    start: &Start<'_>,
    target: Base,
    unsynced: Unsynced,
) -> (End, Traces) {
    let mut traces = Traces::default();
    let end = run(context, start, target, unsynced, &mut traces).unwrap_or_else(End::Wait);
    (end, traces)
}

fn run(
    context: &Context<'_>,
    start: &Start<'_>,
    target: Base,
    unsynced: Unsynced,
    traces: &mut Traces,
) -> Result<End, Wait> {
    let mut known = start.replicas.to_vec();
    let mut sights = Vec::with_capacity(known.len());
    for replica in &mut known {
        sights.push(match unsynced {
            Unsynced::Replace => find(context, replica)?,
            Unsynced::Wait => {
                let sight = look(context, replica, true, &mut traces.seen)?;
                if !matches!(sight, Sight::Unchanged) {
                    let path = &replica.spec.path;
                    let reason = format!("`{path}` has an edit of its own, which comes first");
                    return Err(Wait::new(WaitKind::Unsettled, reason));
                }
                sight
            }
        });
    }
    let keys = match &start.base {
        Some(base) => base.replicas.iter().map(|it| it.keys.clone()).collect(),
        None => target.replicas.iter().map(|it| it.keys.clone()).collect(),
    };
    let n = known.len();
    let plan = Plan::new((start.base.clone(), start.stored), vec![None; n], &[], None);
    let outcome = Outcome { base: target, edits: vec![Vec::new(); n], keys, conflicts: Vec::new() };
    transition(context, plan, (known, &sights), outcome, None, traces)
}

/// Looks what a file has, whether or not it is a text.
fn find(context: &Context<'_>, replica: &mut Replica) -> Result<Sight, Wait> {
    let path = context.disk.root().join(&replica.spec.path);
    let lock = super::look::lock(&replica.spec);
    let contents = match context.disk.read(&path, context.config.max_size, lock) {
        Ok(contents) => contents,
        Err(ReadError::Absent { .. }) => return Ok(Sight::Absent),
        Err(err) => return Err(Wait::new(WaitKind::Refused, chain(&err))),
    };
    let digest = Digest::of(&contents.bytes);
    replica.stamp = Some(contents.stamp);
    if replica.digest == Some(digest) {
        return Ok(Sight::Unchanged);
    }
    let text: Arc<str> = String::from_utf8_lossy(&contents.bytes).into();
    Ok(Sight::Text { digest, text })
}
