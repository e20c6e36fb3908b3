//! Saves that fell into a write and are not merged yet, in the record of their pairing, so that the
//! next process merges them if this one ends before it can.

use std::sync::Arc;
use std::time::Instant;

use camino::Utf8PathBuf;
use nbsync_formats::Document;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::history::LateWriter;
use crate::error::chain;
use crate::sync::Digest;

/// A save that fell into a write, and is in none of the replicas yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingSave {
    /// The replaced file that has it, relative to the root.
    path: Utf8PathBuf,
    /// The position of the replica.
    replica: usize,
    /// What was expected in its place.
    expected: Digest,
    /// Where the store has the base that the editor has.
    base: Digest,
    /// Where the store has what the editor had made of that.
    document: Option<Digest>,
}

impl PendingSave {
    /// What the store has of it.
    pub(super) fn texts(&self) -> impl Iterator<Item = Digest> {
        self.document.into_iter().chain([self.base])
    }
}

impl Engine {
    /// Notes in the pairing's record that a replaced file has a save which is not merged.
    pub(super) fn note_pending(&mut self, late: &mut LateWriter) {
        late.is_pending = true;
        let Some(base) = late.base else { return };
        let document = late.document.as_ref().and_then(|document| {
            let stored = self.parts.store.put_blob(document.text().as_bytes());
            stored.inspect_err(|err| tracing::debug!("{}", chain(err))).ok()
        });
        let pending = PendingSave {
            path: self.relative_to_root(late),
            replica: late.replica,
            expected: late.displaced.digest,
            base,
            document,
        };
        if let Some(pairing) = self.pairings.get_mut(&late.source) {
            pairing.pending.push(pending);
            self.dirty.insert(late.source.clone());
        }
    }

    /// Notes that a save is merged, or can't be.
    pub(super) fn forget_pending(&mut self, late: &mut LateWriter) {
        if !std::mem::take(&mut late.is_pending) {
            return;
        }
        let path = self.relative_to_root(late);
        if let Some(pairing) = self.pairings.get_mut(&late.source) {
            pairing.pending.retain(|it| it.path != path);
            self.dirty.insert(late.source.clone());
        }
    }

    /// Takes up what an earlier process noted about a replaced file.
    pub(super) fn resume_pending(&self, mut late: LateWriter, now: Instant) -> LateWriter {
        let path = self.relative_to_root(&late);
        let Some(pairing) = self.pairings.get(&late.source) else { return late };
        let Some(pending) = pairing.pending.iter().find(|it| it.path == path) else { return late };
        let Some(replica) = pairing.replicas.get(pending.replica) else { return late };
        let document = pending.document.and_then(|digest| {
            let text = String::from_utf8(self.parts.store.blob(digest).ok()??).ok()?;
            let dialect = &replica.spec.dialect;
            dialect.format().parse(text.into(), &dialect.extension).ok()
        });
        late.at = now;
        late.replica = pending.replica;
        late.displaced.digest = pending.expected;
        late.base = Some(pending.base);
        late.document = document.map(Arc::<dyn Document>::from);
        late.is_pending = true;
        late
    }

    fn relative_to_root(&self, late: &LateWriter) -> Utf8PathBuf {
        let path = &late.displaced.path;
        path.strip_prefix(self.parts.tree.root()).unwrap_or(path).to_owned()
    }
}
