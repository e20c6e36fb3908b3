//! What the editor of each replica has, as far as that can be told.

use std::sync::Arc;
use std::time::SystemTime;

use nbsync_formats::Document;

use super::plan::Plan;
use super::unseen::UNSEEN;
use super::{Context, Replica, Unseen, Wait};
use crate::planted::{Bug, is_planted};
use crate::record::{from_bytes, to_bytes};
use crate::sync::Digest;
use crate::sync::base::{Base, BaseReplica};
use crate::sync::edit::{CellKey, Edit};
use crate::sync::reconcile::{Outcome, Seen, reconcile};
use crate::sync::stale::{Incoming, Write, first_unseen, has_run};

impl Plan {
    /// Decides anew if saves are those of editors that never loaded what was written
    /// into their files: as edits of what they had, so that what arrived stays.
    pub(super) fn recognise_stale(
        &mut self,
        context: &Context<'_>,
        known: &[Replica],
        outcome: &Outcome,
    ) -> Result<Option<Outcome>, Wait> {
        let Some(base) = self.base.clone() else { return Ok(None) };
        if is_planted(Bug::TrustStaleEditors) {
            return Ok(None);
        }
        let mut is_anew = false;
        for idx in 0..known.len() {
            if outcome.edits[idx].is_empty() {
                continue;
            }
            // Whoever saves now and isn't stale has seen everything.
            let writes = std::mem::take(&mut self.unseen[idx]);
            let Some(document) = &self.documents[idx] else { continue };
            // Of one that was left for later it is known that its editor has not loaded the rest.
            let own = self.left(idx).and_then(|left| {
                let mut seen = vec![Seen::Unchanged; known.len()];
                seen[idx] = Seen::Changed(Arc::clone(document));
                Some((&left.base, reconcile(&left.base, &seen).ok()?))
            });
            let (base, outcome) = own.as_ref().map_or((&base, outcome), |it| (it.0, &it.1));
            let edits = (outcome.edits[idx].as_slice(), outcome.keys[idx].as_slice());
            let had = stale_save(context, (&known[idx], idx), (base, document), edits, &writes);
            let Some(had) = had else { continue };
            tracing::info!(
                notebook = %known[0].spec.path,
                replica = %known[idx].spec.path,
                "stale editor: it saved without having loaded the last update, which stays"
            );
            self.stale[idx] = Some(had);
            is_anew = true;
        }
        is_anew.then(|| self.outcome(known)).transpose()
    }

    /// Stores what the editor of a replica has that is not written yet. Returns where.
    pub(super) fn store_left(&self, context: &Context<'_>, idx: usize) -> Option<Digest> {
        let left = self.left(idx);
        let had = self.stale[idx].as_ref().or(left.map(|it| &it.base)).or(self.base.as_ref());
        match &self.documents[idx] {
            Some(saved) => store_own(context, had?, idx, saved),
            None => left.map(|it| it.stored).or(self.stored),
        }
    }

    /// Notes what was written into replicas that their editors may not load.
    pub(super) fn note_unseen(
        &mut self,
        context: &Context<'_>,
        outcome: &Outcome,
        written: &[usize],
    ) {
        let Some(base) = &self.base else { return };
        let earlier = self.before.iter().flat_map(|before| &before.written);
        let earlier = earlier.filter(|idx| !written.contains(idx));
        for &idx in written.iter().chain(earlier) {
            let (mut base, mut stored, mut keys) = (base, self.stored, &outcome.keys[idx]);
            let mut saved = self.documents[idx].as_ref();
            let mut is_saved_since = false;
            if let Some((before, document)) = self.before_write(idx) {
                let agreed = before.base.as_ref().map(|base| (base, before.stored));
                let given_up = before.given_up.as_ref().map(|it| (&it.0, Some(it.1)));
                let left = before.left.get(&idx).map(|it| (&it.base, Some(it.stored)));
                let Some((from, at)) = left.or(given_up).or(agreed) else { continue };
                let Some(replica) = from.replicas.get(idx) else { continue };
                (base, stored, keys) = (from, at, &replica.keys);
                saved = document.filter(|it| it.text() != replica.document.text());
                is_saved_since = saved.is_some();
                if is_saved_since || left.is_some() {
                    let known = before.keys.get(idx);
                    let n_cells = saved.unwrap_or(&replica.document).notebook().cells.len();
                    let Some(known) = known.filter(|it| it.len() == n_cells) else { continue };
                    keys = known;
                }
            }
            let (was, is) = (&base.replicas[idx], &outcome.base.replicas[idx]);
            let document = saved.unwrap_or(&was.document);
            let incoming =
                Incoming::new((document.notebook(), keys), (is.document.notebook(), &is.keys));
            let Some(incoming) = incoming else { continue };
            // What the editor has is the base, but for what it saved itself.
            let had = match saved {
                Some(saved) => {
                    store_own(context, self.stale[idx].as_ref().unwrap_or(base), idx, saved)
                }
                None => stored,
            };
            let Some(had) = had else { continue };
            let unseen = &mut self.unseen[idx];
            if is_saved_since {
                unseen.clear();
            }
            unseen.push(Unseen::new(context.clock, had, incoming));
            let n_old = unseen.len().saturating_sub(MAX_UNSEEN);
            unseen.drain(..n_old);
        }
    }
}

/// Returns what the editor had that saved this, if it looks as if that had not loaded the last writes.
///
/// `edits` are those of the base that it would have if it had, with the cell that each of its cells
/// stands for.
fn stale_save(
    context: &Context<'_>,
    (replica, idx): (&Replica, usize),
    (base, document): (&Base, &Arc<dyn Document>),
    (edits, keys): (&[Edit], &[Option<CellKey>]),
    writes: &[Unseen],
) -> Option<Arc<Base>> {
    let now = context.clock.now();
    let writes: Vec<&Unseen> =
        writes.iter().filter(|it| now.duration_since(it.at) < UNSEEN).collect();
    let since: Vec<Write<'_>> = writes
        .iter()
        .map(|it| Write { incoming: &it.incoming, is_recent: it.is_recent(now) })
        .collect();
    let plain = first_unseen(&since, edits, false);
    let first = plain.or_else(|| first_unseen(&since, edits, true))?;
    // Of what a run has left there is no edit.
    let has_run = |loaded: &[&BaseReplica]| has_run(document.as_ref(), keys, loaded);
    if plain.is_none() && !has_run(&[&base.replicas[idx]]) {
        return None;
    }
    if is_of_git(context, replica) {
        // It takes back what is not on the other branch, and means it.
        return None;
    }
    let had: Base = from_bytes(&context.store.blob(writes[first].base).ok()??).ok()?;
    let is_same = had.replicas.len() == base.replicas.len();
    let is_stale =
        is_same && (plain.is_some() || has_run(&[&base.replicas[idx], &had.replicas[idx]]));
    is_stale.then(|| Arc::new(had))
}

/// Stores what an editor has that had this, and saved that. Returns where.
fn store_own(
    context: &Context<'_>,
    had: &Base,
    idx: usize,
    saved: &Arc<dyn Document>,
) -> Option<Digest> {
    let mut seen = vec![Seen::Unchanged; had.replicas.len()];
    seen[idx] = Seen::Changed(Arc::clone(saved));
    let bytes = to_bytes(&reconcile(had, &seen).ok()?.base).ok()?;
    context.store.put_blob(&bytes).ok()
}

/// Whether git may have written a file, as it does before it moves its `HEAD`.
fn is_of_git(context: &Context<'_>, replica: &Replica) -> bool {
    let moved = context.tree.git_moved_at();
    let moved = moved.and_then(|it| it.duration_since(SystemTime::UNIX_EPOCH).ok());
    let moved_ns = moved.and_then(|it| i64::try_from(it.as_nanos()).ok());
    let written_ns = replica.stamp.map(|it| it.mtime_ns);
    written_ns.zip(moved_ns).is_some_and(|(written_ns, moved_ns)| written_ns <= moved_ns)
}

/// How many writes it may not have loaded.
const MAX_UNSEEN: usize = 100;
