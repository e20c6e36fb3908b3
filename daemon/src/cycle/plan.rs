//! What a decision rests on, and whether an editor had seen everything.

use std::sync::Arc;
use std::time::Duration;

use nbsync_formats::Document;

use super::{Context, Replica, Unseen, Wait, decide};
use crate::record::{from_bytes, to_bytes};
use crate::sync::Digest;
use crate::sync::base::Base;
use crate::sync::reconcile::{Outcome, Seen, reconcile};
use crate::sync::stale::{Incoming, first_unseen};

/// What the decision rests on.
pub(super) struct Plan {
    pub(super) base: Option<Arc<Base>>,
    /// The replicas that differ from the base.
    pub(super) documents: Vec<Option<Arc<dyn Document>>>,
    pub(super) unseen: Vec<Vec<Unseen>>,
    /// The replica whose editor had not loaded the last writes.
    pub(super) stale: Option<usize>,
}

impl Plan {
    /// Decides anew if a save is that of an editor that never loaded what was written
    /// into its file: as an edit of what it had, so that what arrived stays.
    pub(super) fn recognise_stale(
        &mut self,
        context: &Context<'_>,
        known: &[Replica],
        outcome: &Outcome,
    ) -> Result<Option<Outcome>, Wait> {
        let Some(base) = self.base.clone() else { return Ok(None) };
        let now = context.clock.now();
        for idx in 0..known.len() {
            if outcome.edits[idx].is_empty() {
                continue;
            }
            // Whoever saves now and isn't stale has seen everything.
            let mut writes = std::mem::take(&mut self.unseen[idx]);
            writes.retain(|it| now.duration_since(it.at) < UNSEEN);
            let incoming: Vec<Incoming> = writes.iter().map(|it| it.incoming.clone()).collect();
            let Some(first) = first_unseen(&incoming, &outcome.edits[idx]) else { continue };
            let had = match context
                .store
                .blob(writes[first].base)
                .map(|it| it.map(|bytes| from_bytes(&bytes)))
            {
                Ok(Some(Ok(had))) if had.replicas.len() == known.len() => Arc::new(had),
                _ => continue,
            };
            tracing::info!(
                notebook = %known[0].spec.path,
                replica = %known[idx].spec.path,
                "stale editor: it saved without having loaded the last update, which stays"
            );
            for (document, replica) in self.documents.iter_mut().zip(&base.replicas) {
                document.get_or_insert_with(|| Arc::clone(&replica.document));
            }
            // Keys mean other cells now.
            self.unseen = vec![Vec::new(); known.len()];
            self.stale = Some(idx);
            self.base = Some(had);
            return decide(self.base.as_deref(), known, &self.documents).map(Some);
        }
        Ok(None)
    }

    /// Notes what was written into replicas that their editors may not load.
    pub(super) fn note_unseen(
        &mut self,
        context: &Context<'_>,
        stored: Option<Digest>,
        outcome: &Outcome,
        written: &[usize],
    ) {
        let Some(base) = &self.base else { return };
        for &idx in written {
            let (was, is) = (&base.replicas[idx], &outcome.base.replicas[idx]);
            let document = self.documents[idx].as_ref().unwrap_or(&was.document);
            let incoming = Incoming::new(
                (document.notebook(), &outcome.keys[idx]),
                (is.document.notebook(), &is.keys),
            );
            let Some(incoming) = incoming else { continue };
            // What the editor has is the base, but for what it saved itself.
            let had = if self.documents[idx].is_none() {
                stored
            } else {
                let seen: Vec<Seen> = (0..base.replicas.len())
                    .map(|other| match &self.documents[idx] {
                        Some(document) if other == idx => Seen::Changed(Arc::clone(document)),
                        _ => Seen::Unchanged,
                    })
                    .collect();
                let own = reconcile(base, &seen).ok().and_then(|it| to_bytes(&it.base).ok());
                own.and_then(|bytes| context.store.put_blob(&bytes).ok())
            };
            let Some(had) = had else { continue };
            let unseen = &mut self.unseen[idx];
            unseen.push(Unseen { at: context.clock.now(), base: had, incoming });
            let n_old = unseen.len().saturating_sub(MAX_UNSEEN);
            unseen.drain(..n_old);
        }
    }
}

/// How long an editor may not have loaded what was written into its file.
const UNSEEN: Duration = Duration::from_mins(10);

/// How many writes it may not have loaded.
const MAX_UNSEEN: usize = 10;
