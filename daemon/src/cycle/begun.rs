//! What a cycle was about to write when it ended early, so that its own writes count as
//! such and not as edits.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8Path;
use nbsync_formats::Document;
use serde::{Deserialize, Serialize};

use super::look::parse;
use super::plan::Plan;
use super::{Context, Replica, Sight, Start, as_written_now};
use crate::error::{PANICKED, chain, guarded};
use crate::record::{from_bytes, to_bytes};
use crate::store::Batch;
use crate::sync::Digest;
use crate::sync::base::Base;
use crate::sync::edit::{CellKey, Edit};
use crate::sync::reconcile::{Outcome, Seen, reconcile};

/// What a cycle was about to write, in the record of its pairing from before the first write
/// until the base is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// Where the store has what the replicas were to agree on.
    base: Digest,
    /// What each replica held, `None` if there was no file.
    was: Vec<Option<Digest>>,
    /// Which cell each cell of that stands for; nothing where it is not known.
    #[serde(default)]
    keys: Vec<Vec<Option<CellKey>>>,
    /// The positions of the replicas that were edited.
    from: Vec<usize>,
    /// The replicas that were left for later, and where the store has what their editors have. Then
    /// the others are written, and it is noted what their editors have not loaded; `None` if the cycle
    /// was cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left: Option<BTreeMap<usize, Digest>>,
    /// What it went on from, if that was a cycle that had left something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) from_left: Option<LeftState>,
}

/// How a cycle ended that left replicas for later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftState {
    /// Where the store has what the replicas were to agree on.
    base: Digest,
    /// The replicas that were left, and where the store has what their editors have.
    left: BTreeMap<usize, Digest>,
}

/// Knows how pairings are stored.
pub(crate) trait Records: Sync {
    /// Returns the record of a pairing that is about to be written, `None` if there is no base
    /// to go on from.
    fn record(&self, source: &Utf8Path, begun: &Begun) -> Option<Vec<u8>>;
}

impl Begun {
    /// What the store has of it: what the replicas were to agree on, and what they held.
    pub(crate) fn texts(&self) -> impl Iterator<Item = Digest> {
        let left = self.left.iter().flat_map(BTreeMap::values);
        let from = self.from_left.iter().flat_map(|it| it.left.values().chain([&it.base]));
        self.was.iter().flatten().chain(left).chain(from).copied().chain([self.base])
    }

    /// Whether there are replicas that were left for later.
    pub(crate) fn has_left(&self) -> bool {
        self.left.is_some() || self.from_left.is_some()
    }

    /// The last cycle that left something.
    fn left_state(&self) -> Option<LeftState> {
        match &self.left {
            Some(left) => Some(LeftState { base: self.base, left: left.clone() }),
            None => self.from_left.clone(),
        }
    }

    /// Stores what is about to be written.
    ///
    /// It only saves a conflict that nobody made. So a store that refuses does not stop the
    /// write, and real conflicts, of which the notes would be missing, are found once more.
    pub(super) fn store(
        context: &Context<'_>,
        source: &Utf8Path,
        outcome: &Outcome,
        on_disk: &[Option<Digest>],
        from: &[usize],
        plan: &Plan,
    ) -> Option<Self> {
        if !outcome.conflicts.is_empty() {
            return None;
        }
        let records = context.records.as_deref()?;
        let begun = || {
            let bytes = to_bytes(&outcome.base).map_err(|err| chain(&err))?;
            let base = Digest::of(&bytes);
            let held = plan.present().into_iter().zip(on_disk).zip(plan.present_keys(outcome));
            let keys = held.map(|((document, on_disk), keys)| {
                let digest = document.map(|it| Digest::of(it.text().as_bytes()));
                if digest == *on_disk { keys } else { Vec::new() }
            });
            let (was, keys, from) = (on_disk.to_vec(), keys.collect(), from.to_vec());
            let from_left = plan.before.as_ref().and_then(|it| it.left_state.clone());
            let begun = Self { base, was, keys, from, left: None, from_left };
            let Some(record) = records.record(source, &begun) else { return Ok(None) };
            context.store.put_blob(&bytes).map_err(|err| chain(&err))?;
            // Texts that are replaced because others were edited too.
            for (idx, document) in plan.documents.iter().enumerate() {
                let Some(document) = document else { continue };
                let text = document.text();
                if on_disk[idx] == Some(Digest::of(text.as_bytes()))
                    && text != outcome.base.replicas[idx].document.text()
                {
                    context.store.put_blob(text.as_bytes()).map_err(|err| chain(&err))?;
                }
            }
            let put = vec![(source.to_string(), record)];
            let batch = Batch { put, ..Batch::default() };
            context.store.commit(batch).map_err(|err| chain(&err))?;
            Ok(Some(begun))
        };
        let begun = guarded(source.as_str(), begun).unwrap_or_else(|| Err(PANICKED.to_owned()));
        begun.unwrap_or_else(|reason: String| {
            tracing::debug!(notebook = %source, reason, "cannot store what is about to be written");
            None
        })
    }
}

/// A text that nobody saved.
struct Own {
    digest: Digest,
    /// What it stands for, if that is not what was agreed on.
    stands_for: Option<Arc<dyn Document>>,
}

/// What an earlier cycle had begun to write, and what became of that.
pub(super) struct Resumed {
    /// What the replicas were to agree on, and where the store has that, if what is on disk came
    /// of it. Otherwise all counts as it did before that cycle: this is what the replicas were to agree
    /// on then, if that was one that had left something.
    pub(super) decided: Option<(Arc<Base>, Digest)>,
    /// What was agreed on before that cycle, and where the store has that.
    agreed: (Option<Arc<Base>>, Option<Digest>),
    left_state: Option<LeftState>,
    /// The positions of the replicas that were edited.
    from: Vec<usize>,
    /// The positions of those that were written already.
    to: Vec<usize>,
    /// The files that hold what was there before, or what was written since.
    ours: Vec<Option<Own>>,
    /// Of those, the ones of which the editors have what was agreed on before; none if that is noted.
    written: Vec<usize>,
    /// Which cell each cell of what the replicas held stands for; nothing where it is not known.
    keys: Vec<Vec<Option<CellKey>>>,
    /// What that cycle was about to write, and where the store has that, if all is decided anew.
    given_up: Option<(Arc<Base>, Digest)>,
    /// What the editors have of the replicas that were left for later.
    pub(super) left: BTreeMap<usize, Left>,
}

/// What the editor of a replica has that was not written.
#[derive(Clone)]
pub(super) struct Left {
    pub(super) base: Arc<Base>,
    /// Where the store has that.
    pub(super) stored: Digest,
}

impl Left {
    fn digest(&self, idx: usize) -> Digest {
        Digest::of(self.base.replicas[idx].document.text().as_bytes())
    }
}

impl Resumed {
    /// Takes up what an earlier cycle had begun to write.
    ///
    /// It can be ended if each replica is as it was to be, as it was before, or gone; one that was
    /// not to be written may have been edited again. Any other new text may have been made of the text
    /// before or of the one after, unless that cycle came to its end and left some for later. Then all
    /// is decided anew, but what that cycle wrote is still no edit: it came from replicas that are there
    /// to say so themselves.
    pub(super) fn find(
        context: &Context<'_>,
        start: &Start<'_>,
        agreed: Option<&Arc<Base>>,
        known: &[Replica],
        sights: &[Sight],
    ) -> Option<Self> {
        let begun = start.begun.as_ref()?;
        let bytes = context.store.blob(begun.base).ok()??;
        let base = as_written_now(Arc::new(from_bytes(&bytes).ok()?), known);
        if [base.replicas.len(), begun.was.len()] != [known.len(); 2] {
            return None;
        }
        let digests = |base: &Base| -> Vec<Digest> {
            base.replicas.iter().map(|it| Digest::of(it.document.text().as_bytes())).collect()
        };
        let wanted = digests(&base);
        let was = &begun.was;
        let found: Vec<Option<Digest>> = known.iter().zip(sights).map(found).collect();
        let from = begun.from.clone();
        let all = 0..known.len();
        let comes_of_it = |idx: usize| {
            let (found, wanted) = (found[idx], Some(wanted[idx]));
            found.is_none() || found == wanted || found == was[idx] || was[idx] == wanted
        };
        let left_state = begun.left_state();
        let left = left_state.as_ref().and_then(|it| load_left(context, &it.left, known));
        let has_ended = begun.left.is_some() && left.is_some();
        // Of some a later cycle may have replaced what the editor has, before it was cut off.
        let (over, left): (BTreeMap<usize, Left>, _) =
            left.unwrap_or_default().into_iter().partition(|(idx, left)| {
                let is_replaced = found[*idx] == Some(wanted[*idx]);
                !has_ended && is_replaced && was[*idx] == Some(left.digest(*idx))
            });
        let from_left = begun.from_left.as_ref().and_then(|it| {
            let base = from_bytes(&context.store.blob(it.base).ok()??).ok()?;
            Some((as_written_now(Arc::new(base), known), it.base))
        });
        let agreed_on = match &from_left {
            Some((base, digest)) => (Some(Arc::clone(base)), Some(*digest)),
            None => (agreed.cloned(), start.stored),
        };
        let agreed = agreed_on.0.clone();
        if has_ended || all.clone().all(comes_of_it) {
            let is_open = |idx: usize| !has_ended || left.contains_key(&idx);
            let ours = |idx: usize| {
                let digest = found[idx].filter(|_| found[idx] == was[idx] && is_open(idx))?;
                Some(Own { digest, stands_for: None })
            };
            let ours = all.clone().map(ours).collect();
            let agreed = agreed.filter(|it| it.replicas.len() == known.len());
            let agreed = agreed.as_deref().map(digests);
            let is_written =
                |idx: &usize| found[*idx] == Some(wanted[*idx]) && was[*idx] != found[*idx];
            let to: Vec<usize> = all.filter(is_written).collect();
            let had = |idx: usize| agreed.as_ref().map(|agreed| agreed[idx]);
            let is_to_note =
                |idx: &usize| !has_ended && was[*idx].is_some() && was[*idx] == had(*idx);
            let written = to.iter().copied().filter(is_to_note).collect();
            return Some(Self {
                decided: Some((base, begun.base)),
                agreed: agreed_on,
                left_state,
                from,
                to,
                ours,
                written,
                keys: begun.keys.clone(),
                given_up: None,
                left,
            });
        }
        let agreed = agreed.filter(|it| it.replicas.len() == known.len());
        let agreed = agreed.as_deref().map(digests)?;
        if from.iter().any(|&idx| found.get(idx).is_none_or(Option::is_none)) {
            return None;
        }
        let written = |idx: usize| {
            let (digest, was) = (found[idx].filter(|it| wanted[idx] == *it)?, was[idx]?);
            if digest == was {
                return None;
            }
            if was == agreed[idx] || over.contains_key(&idx) {
                return Some(Own { digest, stands_for: None });
            }
            let text = String::from_utf8(context.store.blob(was).ok()??).ok()?;
            let stands_for = Some(parse(&known[idx].spec, &text.into()).ok()?);
            Some(Own { digest, stands_for })
        };
        let ours = all.map(written).collect();
        Some(Self {
            decided: from_left,
            agreed: agreed_on,
            left_state,
            from,
            to: Vec::new(),
            ours,
            written: Vec::new(),
            keys: Vec::new(),
            given_up: Some((base, begun.base)),
            left,
        })
    }

    /// Returns what editors have that saved before that cycle.
    pub(super) fn before(
        &self,
        told: Option<Arc<Base>>,
        ours: Vec<Option<Arc<dyn Document>>>,
    ) -> Before {
        Before {
            told,
            base: self.agreed.0.clone(),
            stored: self.agreed.1,
            left_state: self.left_state.clone(),
            ours,
            from: self.from.clone(),
            to: self.to.clone(),
            written: self.written.clone(),
            keys: self.keys.clone(),
            given_up: self.given_up.clone(),
            left: self.left.clone(),
        }
    }

    /// What counts as the edit of a replica whose file holds something that nobody saved: the inner
    /// `None` if that is none.
    #[allow(clippy::option_option, reason = "the outer says whether, the inner what")]
    pub(super) fn ours(&self, idx: usize, sight: &Sight) -> Option<Option<Arc<dyn Document>>> {
        let own = self.ours.get(idx)?.as_ref()?;
        let Sight::Text { digest, .. } = sight else { return None };
        (own.digest == *digest).then(|| own.stands_for.clone())
    }
}

/// Reads what the editors of replicas have that were left for later, or returns `None` if the store
/// doesn't have it.
fn load_left(
    context: &Context<'_>,
    left: &BTreeMap<usize, Digest>,
    known: &[Replica],
) -> Option<BTreeMap<usize, Left>> {
    let load = |(&idx, &stored): (&usize, &Digest)| {
        let base = from_bytes(&context.store.blob(stored).ok()??).ok()?;
        let base = as_written_now(Arc::new(base), known);
        let fits = idx < known.len() && base.replicas.len() == known.len();
        fits.then_some((idx, Left { base, stored }))
    };
    left.iter().map(load).collect()
}

/// What a file holds, `None` if it isn't there.
fn found((replica, sight): (&Replica, &Sight)) -> Option<Digest> {
    match sight {
        Sight::Absent => None,
        Sight::Unchanged => replica.digest,
        Sight::Text { digest, .. } => Some(*digest),
    }
}

/// What was agreed on before a cycle that is resumed, for editors that have that.
pub(super) struct Before {
    /// What the engine knows of.
    told: Option<Arc<Base>>,
    pub(super) base: Option<Arc<Base>>,
    /// Where the store has it.
    pub(super) stored: Option<Digest>,
    /// The texts that are no edits, as far as they can be read.
    pub(super) ours: Vec<Option<Arc<dyn Document>>>,
    /// The positions of the replicas that were edited.
    pub(super) from: Vec<usize>,
    /// The positions of those that the earlier cycle wrote, and of which the editors have what
    /// was agreed on.
    pub(super) written: Vec<usize>,
    /// The positions of all that it wrote.
    pub(super) to: Vec<usize>,
    /// Which cell each cell of the texts stands for, if they are what the replicas held before.
    pub(super) keys: Vec<Vec<Option<CellKey>>>,
    /// What the texts are of, if they are what the earlier cycle wrote.
    pub(super) given_up: Option<(Arc<Base>, Digest)>,
    /// What the editors have of the replicas that were left for later.
    pub(super) left: BTreeMap<usize, Left>,
    left_state: Option<LeftState>,
}

impl Before {
    /// What the replicas did since then, if they agree on `now`.
    pub(super) fn edits(&self, now: &Base) -> Option<(Arc<Base>, Vec<Vec<Edit>>)> {
        let base = self.told.as_ref()?;
        let mut seen = vec![Seen::Unchanged; base.replicas.len()];
        for idx in &self.from {
            *seen.get_mut(*idx)? = Seen::Changed(Arc::clone(&now.replicas.get(*idx)?.document));
        }
        Some((Arc::clone(base), reconcile(base, &seen).ok()?.edits))
    }
}
