//! What a decision rests on, and whether an editor had seen everything.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use nbsync_formats::Document;

use super::begun::Before;
use super::loaded::Loaded;
use super::look::parse;
use super::session::Look;
use super::unseen::UNSEEN;
use super::{Context, LateText, Replica, Unseen, Wait, WaitKind, check_safety};
use crate::error::chain;
use crate::planted::{Bug, is_planted};
use crate::record::{from_bytes, to_bytes};
use crate::sync::Digest;
use crate::sync::adopt::adopt;
use crate::sync::base::{Base, BaseReplica};
use crate::sync::outputs;
use crate::sync::pairing::ReplicaSpec;
use crate::sync::reconcile::{Outcome, ReconcileError, Seen, reconcile};
use crate::sync::runs::{Found, Taken, take};
use crate::sync::stale::{Incoming, Write, first_unseen, has_run};

/// What the decision rests on.
pub(super) struct Plan {
    pub(super) base: Option<Arc<Base>>,
    /// Where the store has that.
    pub(super) stored: Option<Digest>,
    /// The replicas that differ from the base.
    pub(super) documents: Vec<Option<Arc<dyn Document>>>,
    /// Further texts that editors saved in the course of the cycle, and in which replica.
    ///
    /// Each is an edit of the base. Nobody knows whether an editor that saves a second time
    /// had loaded what was written in between, or went on from what it had saved itself.
    /// Either way its text holds nothing that isn't in one of the others or new.
    further: Vec<(usize, Arc<dyn Document>)>,
    /// Whether what each replica has there is what its file held when the cycle began.
    is_first: Vec<bool>,
    pub(super) unseen: Vec<Vec<Unseen>>,
    /// What each replica's editor has, where it had not loaded the last writes.
    stale: Vec<Option<Arc<Base>>>,
    /// Set if an earlier cycle had begun to write.
    pub(super) before: Option<Before>,
    /// What marimo remembers of its runs, if that is something new.
    pub(super) session: Option<Look>,
    /// What that came to.
    pub(super) taken: Option<Taken>,
}

impl Plan {
    pub(super) fn new(
        (base, stored): (Option<Arc<Base>>, Option<Digest>),
        documents: Vec<Option<Arc<dyn Document>>>,
        unseen: &[Vec<Unseen>],
        late: Option<&LateText>,
    ) -> Self {
        let n_replicas = documents.len();
        let mut unseen = unseen.to_vec();
        unseen.resize(n_replicas, Vec::new());
        let is_first =
            (0..n_replicas).map(|idx| late.is_none_or(|late| late.replica != idx)).collect();
        Self {
            base,
            stored,
            documents,
            further: Vec::new(),
            is_first,
            unseen,
            stale: vec![None; n_replicas],
            before: None,
            session: None,
            taken: None,
        }
    }

    /// What each replica has, as far as that is known.
    pub(super) fn present(&self) -> Vec<Option<Arc<dyn Document>>> {
        let base = |idx: usize| self.base.as_ref().and_then(|base| base.replicas.get(idx));
        let was = |idx| base(idx).map(|it| Arc::clone(&it.document));
        let present = self.documents.iter().enumerate();
        present
            .map(|(idx, document)| {
                let ours = || self.ours(idx).map(|it| Arc::clone(it.1));
                document.clone().or_else(ours).or_else(|| was(idx))
            })
            .collect()
    }

    /// What the editor of a replica has whose text is no edit because of what an earlier cycle had
    /// begun: what was agreed on, and the text.
    pub(super) fn ours(&self, idx: usize) -> Option<(&Before, &Arc<dyn Document>)> {
        let before = self.before.as_ref().filter(|_| self.documents[idx].is_none())?;
        Some((before, before.ours.get(idx)?.as_ref()?))
    }

    /// The same, or what an earlier cycle had written into a replica already, of which the editor
    /// has what was agreed on: that is the inner `None`.
    fn before_write(&self, idx: usize) -> Option<(&Before, Option<&Arc<dyn Document>>)> {
        let before = self.before.as_ref().filter(|_| self.documents[idx].is_none());
        match before.filter(|it| it.written.contains(&idx)) {
            Some(before) => Some((before, None)),
            None => self.ours(idx).map(|(before, document)| (before, Some(document))),
        }
    }

    /// Goes back to what was agreed on before the cycle that is resumed, if an editor saved into a
    /// file that had not been written yet: that is what it went on from.
    ///
    /// What was decided since counts as an edit of each other replica.
    fn go_back(&mut self, idx: usize, decided: &Base) {
        let Some((Before { base: Some(agreed), stored, .. }, _)) = self.ours(idx) else { return };
        if agreed.replicas.len() != self.documents.len() {
            return;
        }
        let (agreed, stored) = (Arc::clone(agreed), *stored);
        let decided = decided.replicas.iter().zip(&agreed.replicas);
        for (document, (is, was)) in self.documents.iter_mut().zip(decided) {
            if document.is_none() && is.document.text() != was.document.text() {
                *document = Some(Arc::clone(&is.document));
            }
        }
        self.documents[idx] = None;
        (self.base, self.stored) = (Some(agreed), stored);
        self.before = None;
    }

    /// Takes in what an editor saved into a replica while that was written, as it was decided.
    pub(super) fn add(&mut self, idx: usize, document: Arc<dyn Document>, decided: &Base) {
        self.go_back(idx, decided);
        let before = self.documents[idx].replace(document);
        // The first one is an edit of what the file held, and has all of that.
        if !std::mem::replace(&mut self.is_first[idx], false)
            && !is_planted(Bug::SecondRaceReplacesFirst)
            && let Some(before) = before
        {
            self.further.push((idx, before));
        }
    }

    /// Reads what an editor saved into a replica while that was written.
    ///
    /// A part of a save counts as none.
    pub(super) fn parse_raced(
        &self,
        idx: usize,
        spec: &ReplicaSpec,
        bytes: &[u8],
    ) -> Result<Arc<dyn Document>, Wait> {
        let text = std::str::from_utf8(bytes).map_err(|_| {
            Wait::new(WaitKind::Unsettled, format!("`{}`: not valid UTF-8", spec.path))
        })?;
        let document = parse(spec, &text.into())?;
        if let Some(was) = &self.present()[idx] {
            check_safety(&spec.path, was.as_ref(), document.as_ref(), false)?;
        }
        Ok(document)
    }

    /// Decides what every replica is to have.
    pub(super) fn decide(
        &mut self,
        context: &Context<'_>,
        known: &[Replica],
    ) -> Result<Outcome, Wait> {
        let outcome = self.outcome(known)?;
        let again = self.recognise_stale(context, known, &outcome)?;
        let mut outcome = again.unwrap_or(outcome);
        let policy = context.config.outputs;
        outputs::clear_edited(policy, self.base.as_deref(), &mut outcome);
        self.take_runs(known, &mut outcome);
        outputs::strip(policy, &mut outcome.base);
        Ok(outcome)
    }

    /// Takes in the outputs of runs in marimo.
    fn take_runs(&mut self, known: &[Replica], outcome: &mut Outcome) {
        let Some(look) = &self.session else { return };
        let Some(session) = &look.session else { return };
        let found = Found { session, before: look.before() };
        let is_newer = |idx: usize| known.get(idx).is_none_or(|it| look.is_newer(it));
        self.taken = Some(take(found, self.base.as_deref(), is_newer, &mut outcome.base));
    }

    fn outcome(&self, known: &[Replica]) -> Result<Outcome, Wait> {
        let n_replicas = known.len();
        // Further texts count as replicas of their own until all is decided.
        let of = |idx: usize| if idx < n_replicas { idx } else { self.further[idx - n_replicas].0 };
        let refused = |err: ReconcileError| {
            let path = known.get(of(err.replica)).map_or("", |it| it.spec.path.as_str());
            Wait::new(WaitKind::Held, format!("`{path}`: {}", chain(&err)))
        };
        let documents = self.documents.iter().cloned();
        let documents = documents.chain(self.further.iter().map(|it| Some(Arc::clone(&it.1))));
        let mut outcome = if let Some(base) = &self.base {
            let mut loaded = Vec::new();
            let mut seen = Vec::with_capacity(n_replicas);
            for (idx, document) in documents.enumerate() {
                let had = self.stale[of(idx)].as_deref();
                seen.push(match (document, had) {
                    (None, _) => Seen::Unchanged,
                    (Some(document), None) => Seen::Changed(document),
                    (Some(document), Some(had)) => {
                        let it = Loaded::new(had, base, of(idx), document)
                            .map_err(|err| refused(ReconcileError { replica: idx, ..err }))?;
                        let document = Arc::clone(it.document());
                        loaded.push((idx, it));
                        Seen::Changed(document)
                    }
                });
            }
            let mut base = Cow::Borrowed(base.as_ref());
            if !self.further.is_empty() {
                let more: Vec<_> =
                    self.further.iter().map(|it| base.replicas[it.0].clone()).collect();
                base.to_mut().replicas.extend(more);
            }
            let mut outcome = reconcile(&base, &seen).map_err(refused)?;
            for (idx, it) in loaded {
                it.tell(idx, &mut outcome);
            }
            outcome
        } else {
            let found: Vec<_> = documents
                .enumerate()
                .map(|(idx, document)| (known[of(idx)].spec.dialect.clone(), document))
                .collect();
            adopt(&found)
                .map_err(refused)?
                .ok_or_else(|| Wait::new(WaitKind::Unsettled, "none of its files is there"))?
        };
        outcome.base.replicas.truncate(n_replicas);
        outcome.edits.truncate(n_replicas);
        outcome.keys.truncate(n_replicas);
        for conflict in &mut outcome.conflicts {
            conflict.replica = of(conflict.replica);
        }
        Ok(outcome)
    }

    /// Decides anew if saves are those of editors that never loaded what was written
    /// into their files: as edits of what they had, so that what arrived stays.
    fn recognise_stale(
        &mut self,
        context: &Context<'_>,
        known: &[Replica],
        outcome: &Outcome,
    ) -> Result<Option<Outcome>, Wait> {
        let Some(base) = self.base.clone() else { return Ok(None) };
        if is_planted(Bug::TrustStaleEditors) {
            return Ok(None);
        }
        let now = context.clock.now();
        let mut is_anew = false;
        for idx in 0..known.len() {
            if outcome.edits[idx].is_empty() {
                continue;
            }
            // Whoever saves now and isn't stale has seen everything.
            let mut writes = std::mem::take(&mut self.unseen[idx]);
            writes.retain(|it| now.duration_since(it.at) < UNSEEN);
            let since: Vec<Write<'_>> = writes
                .iter()
                .map(|it| Write { incoming: &it.incoming, is_recent: it.is_recent(now) })
                .collect();
            let edits = &outcome.edits[idx];
            let plain = first_unseen(&since, edits, false);
            let Some(first) = plain.or_else(|| first_unseen(&since, edits, true)) else { continue };
            // Of what a run has left there is no edit.
            let has_run = |loaded: &[&BaseReplica]| {
                let document = self.documents[idx].as_ref();
                document.is_some_and(|it| has_run(it.as_ref(), &outcome.keys[idx], loaded))
            };
            if plain.is_none() && !has_run(&[&base.replicas[idx]]) {
                continue;
            }
            if is_of_git(context, &known[idx]) {
                // It takes back what is not on the other branch, and means it.
                continue;
            }
            let had = match context
                .store
                .blob(writes[first].base)
                .map(|it| it.map(|bytes| from_bytes(&bytes)))
            {
                Ok(Some(Ok(had))) if had.replicas.len() == known.len() => Arc::new(had),
                _ => continue,
            };
            if plain.is_none() && !has_run(&[&base.replicas[idx], &had.replicas[idx]]) {
                continue;
            }
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
            if let Some((before, document)) = self.before_write(idx) {
                let agreed =
                    before.base.as_ref().and_then(|base| Some((base, base.replicas.get(idx)?)));
                let Some((agreed, replica)) = agreed else { continue };
                (base, stored, keys) = (agreed, before.stored, &replica.keys);
                saved = document.filter(|it| it.text() != replica.document.text());
                if saved.is_some() {
                    let Some(known) = before.keys.get(idx) else { continue };
                    keys = known;
                }
            }
            let (was, is) = (&base.replicas[idx], &outcome.base.replicas[idx]);
            let document = saved.unwrap_or(&was.document);
            let incoming =
                Incoming::new((document.notebook(), keys), (is.document.notebook(), &is.keys));
            let Some(incoming) = incoming else { continue };
            // What the editor has is the base, but for what it saved itself.
            let had = if let Some(saved) = saved {
                let base = self.stale[idx].as_ref().unwrap_or(base);
                let mut seen = vec![Seen::Unchanged; base.replicas.len()];
                seen[idx] = Seen::Changed(Arc::clone(saved));
                let own = reconcile(base, &seen).ok().and_then(|it| to_bytes(&it.base).ok());
                own.and_then(|bytes| context.store.put_blob(&bytes).ok())
            } else {
                stored
            };
            let Some(had) = had else { continue };
            let unseen = &mut self.unseen[idx];
            unseen.push(Unseen::new(context.clock, had, incoming));
            let n_old = unseen.len().saturating_sub(MAX_UNSEEN);
            unseen.drain(..n_old);
        }
    }
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
