//! What a decision rests on, and whether an editor had seen everything.

use std::borrow::Cow;
use std::sync::Arc;

use nbsync_formats::Document;

use super::begun::{Before, Left};
use super::loaded::Loaded;
use super::look::parse;
use super::session::Look;
use super::{Context, LateText, Replica, Unseen, Wait, WaitKind, check_safety};
use crate::error::chain;
use crate::planted::{Bug, is_planted};
use crate::sync::Digest;
use crate::sync::adopt::adopt;
use crate::sync::base::Base;
use crate::sync::edit::CellKey;
use crate::sync::outputs;
use crate::sync::pairing::ReplicaSpec;
use crate::sync::reconcile::{Outcome, ReconcileError, Seen, reconcile};
use crate::sync::runs::{Found, Taken, take};

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
    pub(super) stale: Vec<Option<Arc<Base>>>,
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

    /// Which cell each cell of that stands for; nothing where it is not known.
    pub(super) fn present_keys(&self, outcome: &Outcome) -> Vec<Vec<Option<CellKey>>> {
        let of = |(idx, keys): (usize, &Vec<Option<CellKey>>)| match self.ours(idx) {
            Some((before, _)) => before.keys.get(idx).cloned().unwrap_or_default(),
            None => keys.clone(),
        };
        outcome.keys.iter().enumerate().map(of).collect()
    }

    /// What the editor of a replica has that an earlier cycle has left for later.
    pub(super) fn left(&self, idx: usize) -> Option<&Left> {
        self.before.as_ref()?.left.get(&idx)
    }

    /// What the editor of a replica has whose text is no edit because of what an earlier cycle had
    /// begun: what was agreed on, and the text.
    pub(super) fn ours(&self, idx: usize) -> Option<(&Before, &Arc<dyn Document>)> {
        let before = self.before.as_ref().filter(|_| self.documents[idx].is_none())?;
        Some((before, before.ours.get(idx)?.as_ref()?))
    }

    /// The same, or what an earlier cycle had written into a replica already, of which the editor
    /// has what was agreed on: that is the inner `None`.
    pub(super) fn before_write(&self, idx: usize) -> Option<(&Before, Option<&Arc<dyn Document>>)> {
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
        if let Some(left) = self.left(idx) {
            self.stale[idx] = Some(Arc::clone(&left.base));
            return;
        }
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

    pub(super) fn outcome(&self, known: &[Replica]) -> Result<Outcome, Wait> {
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
}
