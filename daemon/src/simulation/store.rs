//! A store that goes down with the process.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::exhaust::Calls;
use crate::disk::Crashed;
use crate::store::{Batch, Collected, HistoryEntry, Keep, MemoryStore, Store, StoreError};
use crate::sync::Digest;

/// A memory store that counts what is stored, and stores nothing once its process is gone.
#[derive(Clone, Default)]
pub(crate) struct SimStore {
    pub(crate) inner: MemoryStore,
    pub(crate) is_gone: Arc<AtomicBool>,
    pub(crate) n_writes: Arc<AtomicUsize>,
    /// Storing or loading a text with this in it panics.
    pub(crate) poison: Arc<Mutex<Option<String>>>,
    /// Calls of it, and of the disk.
    pub(crate) calls: Arc<Mutex<Calls>>,
}

impl SimStore {
    fn alive(&self) -> Result<&MemoryStore, StoreError> {
        let call = self.calls.lock().unwrap().before(None);
        if call.as_ref().is_err_and(Crashed::is) {
            self.is_gone.store(true, Ordering::SeqCst);
        }
        if self.is_gone.load(Ordering::SeqCst) {
            let source = std::io::Error::other("the process is gone");
            return Err(StoreError::Io { path: "memory".into(), source });
        }
        call.map_err(|source| StoreError::Io { path: "memory".into(), source })?;
        Ok(&self.inner)
    }

    fn taste(&self, bytes: &[u8]) {
        let poison = self.poison.lock().unwrap().clone();
        let is_poison = |it: String| String::from_utf8_lossy(bytes).contains(&it);
        assert!(!poison.is_some_and(is_poison), "the panic that a test wants");
    }

    fn writing(&self) -> Result<&MemoryStore, StoreError> {
        self.n_writes.fetch_add(1, Ordering::SeqCst);
        self.alive()
    }
}

impl Store for SimStore {
    fn records(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.alive()?.records()
    }

    fn record(&self, source: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.alive()?.record(source)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.writing()?.commit(batch)
    }

    fn history(&self, source: &str) -> Result<Vec<HistoryEntry>, StoreError> {
        self.alive()?.history(source)
    }

    fn sources_with_history(&self) -> Result<Vec<String>, StoreError> {
        self.alive()?.sources_with_history()
    }

    fn blob(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = self.alive()?.blob(digest)?;
        self.taste(bytes.as_deref().unwrap_or_default());
        Ok(bytes)
    }

    fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.taste(bytes);
        self.writing()?.put_blob(bytes)
    }

    fn sync_blobs(&self) -> Result<(), StoreError> {
        self.writing()?.sync_blobs()
    }

    fn collect(
        &self,
        keep: &Keep,
        live: &BTreeSet<Digest>,
        now: u64,
    ) -> Result<Collected, StoreError> {
        self.alive()?.collect(keep, live, now)
    }

    fn collected_at(&self) -> Result<Option<u64>, StoreError> {
        self.alive()?.collected_at()
    }
}
