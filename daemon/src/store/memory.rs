//! A store that forgets everything with the process, for tests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::collect::{self, Collected, Keep};
use super::{Batch, HistoryEntry, Store, StoreError};
use crate::sync::Digest;

/// A store that forgets everything with the process.
///
/// Clones share what they store, so that a test can throw away an engine and give the next one
/// what was committed.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    records: BTreeMap<String, Vec<u8>>,
    history: BTreeMap<String, Vec<HistoryEntry>>,
    blobs: BTreeMap<Digest, Vec<u8>>,
    fails: bool,
    collected_at: Option<u64>,
    /// Records and histories as they were before the last commits, oldest first.
    uncommitted: VecDeque<Index>,
}

type Index = (BTreeMap<String, Vec<u8>>, BTreeMap<String, Vec<HistoryEntry>>);

/// How many commits a power cut may undo.
const MAX_UNCOMMITTED: usize = 3;

impl MemoryStore {
    /// Returns an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes everything that would be stored from now on fail, or work again.
    pub fn set_failing(&self, fails: bool) {
        self.state().fails = fails;
    }

    /// Forgets the records and the history, as a damaged index does.
    pub fn lose_index(&self) {
        let mut state = self.state();
        state.records.clear();
        state.history.clear();
    }

    /// Undoes some of the last commits, as a power cut does. `below(n)` is asked for a number
    /// below `n`.
    pub fn cut_power(&self, below: &mut dyn FnMut(usize) -> usize) {
        let mut state = self.state();
        let n_undone = below(state.uncommitted.len() + 1);
        let first = state.uncommitted.len() - n_undone;
        if let Some((records, history)) = state.uncommitted.get(first).cloned() {
            (state.records, state.history) = (records, history);
        }
        state.uncommitted.clear();
    }

    /// Returns every text that is stored, whether or not anything names it.
    pub fn blobs(&self) -> Vec<Vec<u8>> {
        self.state().blobs.values().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writable(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state();
        if state.fails {
            let source = std::io::ErrorKind::StorageFull.into();
            return Err(StoreError::Io { path: "memory".into(), source });
        }
        Ok(state)
    }
}

impl Store for MemoryStore {
    fn records(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        Ok(self.state().records.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn record(&self, source: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state().records.get(source).cloned())
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut state = self.writable()?;
        let before = (state.records.clone(), state.history.clone());
        state.uncommitted.push_back(before);
        if MAX_UNCOMMITTED < state.uncommitted.len() {
            state.uncommitted.pop_front();
        }
        for (from, to) in batch.rename {
            if let Some(record) = state.records.remove(&from) {
                state.records.insert(to.clone(), record);
            }
            for entry in state.history.remove(&from).unwrap_or_default() {
                state.append(&to, entry.version);
            }
        }
        for source in batch.remove {
            state.records.remove(&source);
        }
        state.records.extend(batch.put);
        for (source, version) in batch.history {
            state.append(&source, version);
        }
        Ok(())
    }

    fn history(&self, source: &str) -> Result<Vec<HistoryEntry>, StoreError> {
        Ok(self.state().history.get(source).cloned().unwrap_or_default())
    }

    fn sources_with_history(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.state().history.keys().cloned().collect())
    }

    fn blob(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state().blobs.get(&digest).cloned())
    }

    fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        self.writable()?.blobs.insert(digest, bytes.to_vec());
        Ok(digest)
    }

    fn sync_blobs(&self) -> Result<(), StoreError> {
        self.writable().map(|_| ())
    }

    fn collect(
        &self,
        keep: &Keep,
        live: &BTreeSet<Digest>,
        now: u64,
    ) -> Result<Collected, StoreError> {
        let mut state = self.writable()?;
        let entries: Vec<(String, HistoryEntry)> = state
            .history
            .iter()
            .flat_map(|(source, entries)| entries.iter().map(|it| (source.clone(), it.clone())))
            .collect();
        let size = |digest| state.blobs.get(&digest).map_or(0, |it| it.len() as u64);
        let forgotten = collect::choose(&entries, keep, now, size);
        for (source, entries) in &mut state.history {
            entries.retain(|it| !forgotten.contains(&(source.clone(), it.seq)));
        }
        state.history.retain(|_, entries| !entries.is_empty());
        let mut named = live.clone();
        named.extend(state.history.values().flatten().map(|it| it.version.digest));
        let mut collected = Collected { entries: forgotten.len(), ..Collected::default() };
        state.blobs.retain(|digest, bytes| {
            let stays = named.contains(digest);
            if !stays {
                collected.blobs += 1;
                collected.bytes += bytes.len() as u64;
            }
            stays
        });
        state.collected_at = Some(now);
        Ok(collected)
    }

    fn collected_at(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.state().collected_at)
    }
}

impl State {
    fn append(&mut self, source: &str, version: super::NewEntry) {
        let entries = self.history.entry(source.to_owned()).or_default();
        let seq = entries.last().map_or(1, |it| it.seq + 1);
        entries.push(HistoryEntry { seq, version });
    }
}
