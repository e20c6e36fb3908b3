//! The save of an editor that had not loaded what was written into its file.
//!
//! It is an edit of what that editor had. What it would have been if the editor had loaded the rest
//! is an edit of what the replicas agree on, like any other: so it may come beside edits of other
//! replicas, and beside another such save.

use std::collections::HashMap;
use std::sync::Arc;

use nbsync_formats::Document;

use crate::sync::base::Base;
use crate::sync::conflict::Conflict;
use crate::sync::edit::CellKey;
use crate::sync::reconcile::{Outcome, ReconcileError, Seen, reconcile};

/// What an editor would have that had not loaded the last writes, if it had.
pub(super) struct Loaded {
    /// Which replica it edits.
    replica: usize,
    /// Its save with what had been written, in keys of its own.
    outcome: Outcome,
}

impl Loaded {
    /// Makes its text, an edit of what it `had`, one of the `base`.
    pub(super) fn new(
        had: &Base,
        base: &Base,
        replica: usize,
        document: Arc<dyn Document>,
    ) -> Result<Self, ReconcileError> {
        let mut seen: Vec<Seen> =
            base.replicas.iter().map(|it| Seen::Changed(Arc::clone(&it.document))).collect();
        seen[replica] = Seen::Changed(document);
        Ok(Self { replica, outcome: reconcile(had, &seen)? })
    }

    /// Returns that text.
    pub(super) fn document(&self) -> &Arc<dyn Document> {
        &self.outcome.base.replicas[self.replica].document
    }

    /// Tells what came of its text, at `idx`, of that itself: which cell each of its cells stands
    /// for, and which edits could not both stand.
    pub(super) fn tell(self, idx: usize, outcome: &mut Outcome) {
        let Self { replica, outcome: Outcome { base, keys, conflicts, .. } } = self;
        let known: HashMap<CellKey, CellKey> = base.replicas[replica]
            .keys
            .iter()
            .zip(&outcome.keys[idx])
            .filter_map(|(own, key)| Some(((*own)?, (*key)?)))
            .collect();
        let next_key = &mut outcome.base.next_key;
        // One that is gone has a key of which nobody knows.
        let mut of = |key: CellKey| known.get(&key).copied().unwrap_or_else(|| next_key.take());
        outcome.keys[idx] = keys[replica].iter().map(|key| key.map(&mut of)).collect();
        outcome.conflicts.extend(conflicts.into_iter().filter_map(|it| {
            let known = |key: Option<CellKey>| key.map(|key| known.get(&key).copied());
            let key = match known(it.key) {
                Some(None) => return None,
                key => key.flatten(),
            };
            let shown_in = known(it.shown_in).flatten();
            let replica = if it.replica == replica { idx } else { it.replica };
            Some(Conflict { key, replica, shown_in, ..it })
        }));
    }
}
