//! Writes down what every step came to, and every text that an editor saved.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::Engine;
use super::pairing::Pairing;
use crate::cycle::{SeenText, Synced};
use crate::error::{PANICKED, chain, guarded};
use crate::record;
use crate::report::Cause;
use crate::store::{NewEntry, Revision};
use crate::sync::Digest;
use crate::sync::base::Base;

/// How many lines of what an edit did are kept.
const MAX_CHANGES: usize = 20;

/// How many bytes of text may wait for a store that refuses them.
const MAX_WAITING: usize = 64 << 20;

/// How many texts of one notebook are remembered as kept.
const MAX_KEPT: usize = 16;

/// A version that is not in the store yet.
#[derive(Debug)]
pub(super) struct Unrecorded {
    pub(super) source: Utf8PathBuf,
    pub(super) entry: NewEntry,
    /// The texts that the entry is about, if the store has refused them.
    text: Option<Refused>,
}

/// What the store has refused.
#[derive(Debug, Clone)]
enum Refused {
    Base(Arc<Base>),
    Text(Arc<[u8]>),
}

impl Refused {
    fn len(&self) -> usize {
        match self {
            Self::Base(base) => base.replicas.iter().map(|it| it.document.text().len()).sum(),
            Self::Text(text) => text.len(),
        }
    }
}

/// What a step was, for the history.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) cause: Cause,
    pub(super) from: Vec<Utf8PathBuf>,
    pub(super) to: Vec<Utf8PathBuf>,
    pub(super) cells: usize,
    pub(super) changes: Vec<String>,
}

impl Engine {
    /// Notes what the replicas agree on after a step, unless that is what they agreed on
    /// before. The pairing is still as it was before.
    pub(super) fn note_revision(&mut self, source: &Utf8Path, synced: &Synced, step: Step) {
        let texts: Vec<(Utf8PathBuf, Digest)> = synced
            .replicas
            .iter()
            .zip(&synced.base.replicas)
            .map(|(replica, base)| {
                let digest = Digest::of(base.document.text().as_bytes());
                (replica.spec.path.clone(), digest)
            })
            .collect();
        let is_same = |pairing: &Pairing| {
            let agreed = pairing.replicas.iter().map(|it| (&it.spec.path, it.digest));
            pairing.base.is_some()
                && agreed.eq(texts.iter().map(|(path, digest)| (path, Some(*digest))))
        };
        let has_run = synced.before.as_ref().is_some_and(|it| it.stripped != synced.base.stripped);
        if !has_run && self.pairings.get(source).is_some_and(is_same) {
            return;
        }
        let Step { cause, from, to, cells, mut changes } = step;
        let n_more = changes.len().saturating_sub(MAX_CHANGES);
        if 0 < n_more {
            changes.truncate(MAX_CHANGES);
            changes.push(format!("and {n_more} more"));
        }
        let revision = Revision { cause, from, to, cells, changes, texts };
        let (digest, text) = match &synced.stored {
            Ok(digest) => (*digest, None),
            // Found when it is stored.
            Err(_) => (Digest::of(b""), Some(Refused::Base(Arc::clone(&synced.base)))),
        };
        let entry = NewEntry {
            time_ms: self.now_ms(),
            replica: source.to_owned(),
            digest,
            len: synced.base.replicas.iter().map(|it| it.document.text().len() as u64).sum(),
            reason: "revision".to_owned(),
            revision: Some(revision),
        };
        self.unrecorded.push(Unrecorded { source: source.to_owned(), entry, text });
    }

    /// Keeps texts that were seen and did not become part of a revision.
    pub(super) fn note_seen(&mut self, source: &Utf8Path, seen: Vec<SeenText>, reason: &str) {
        if !self.writes {
            return;
        }
        for SeenText { path, digest, bytes } in seen {
            let Some(pairing) = self.pairings.get_mut(source) else { return };
            // An empty file has nothing to lose.
            if bytes.is_empty() || pairing.kept.contains(&digest) {
                continue;
            }
            pairing.kept.push(digest);
            let n_old = pairing.kept.len().saturating_sub(MAX_KEPT);
            pairing.kept.drain(..n_old);
            let refused = Refused::Text(Arc::clone(&bytes));
            let text = match self.store_version(source, &refused) {
                Ok(_) => None,
                Err(reason) => {
                    tracing::warn!(%path, "{reason}; what was saved is kept in memory");
                    Some(refused)
                }
            };
            let entry = NewEntry {
                time_ms: self.now_ms(),
                replica: path,
                digest,
                len: bytes.len() as u64,
                reason: reason.to_owned(),
                revision: None,
            };
            self.unrecorded.push(Unrecorded { source: source.to_owned(), entry, text });
        }
    }

    /// Takes what can be recorded now. What the store refuses is tried again next time, as
    /// far as there is memory for it.
    pub(super) fn take_recordable(&mut self) -> Vec<Unrecorded> {
        let mut recordable = Vec::new();
        let mut n_bytes = 0;
        for mut it in std::mem::take(&mut self.unrecorded) {
            let stored = match &it.text {
                None => Ok(it.entry.digest),
                Some(text) => self.store_version(&it.source, text),
            };
            match stored {
                Ok(digest) => {
                    it.entry.digest = digest;
                    it.text = None;
                    recordable.push(it);
                }
                Err(reason) => {
                    n_bytes += it.text.as_ref().map_or(0, Refused::len);
                    if MAX_WAITING < n_bytes {
                        tracing::error!(
                            notebook = %it.source,
                            "{reason}; a version will be missing in the history"
                        );
                    } else {
                        self.unrecorded.push(it);
                    }
                }
            }
        }
        recordable
    }

    /// Stores the text of a version, or says why not.
    fn store_version(&self, source: &Utf8Path, text: &Refused) -> Result<Digest, String> {
        let store = || {
            let bytes: Arc<[u8]> = match text {
                Refused::Text(text) => Arc::clone(text),
                Refused::Base(base) => record::to_bytes(base).map_err(|err| chain(&err))?.into(),
            };
            self.parts.store.put_blob(&bytes).map_err(|err| chain(&err))
        };
        guarded(source.as_str(), store).unwrap_or_else(|| Err(PANICKED.to_owned()))
    }
}
