//! Temporary.
#![allow(missing_docs)]
use crate::sync::Digest;
use camino::{Utf8Path, Utf8PathBuf};
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("locked by {pid}")]
    Locked { pid: u32 },
}
pub trait Store: Send {
    fn pairings(&self) -> Result<Vec<(Utf8PathBuf, Vec<u8>)>, StoreError>;
    fn commit(
        &mut self,
        put: &[(Utf8PathBuf, Vec<u8>)],
        remove: &[Utf8PathBuf],
    ) -> Result<(), StoreError>;
    fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError>;
    fn put_blob(&mut self, bytes: &[u8]) -> Result<Digest, StoreError>;
    fn close(&mut self) -> Result<(), StoreError>;
}
use std::collections::HashMap;
#[derive(Default)]
pub struct RealStore {
    blobs: HashMap<Digest, Vec<u8>>,
    recs: HashMap<Utf8PathBuf, Vec<u8>>,
}
impl RealStore {
    pub fn open(_state: &Utf8Path, _root: &Utf8Path) -> Result<Self, StoreError> {
        Ok(Self::default())
    }
}
impl Store for RealStore {
    fn pairings(&self) -> Result<Vec<(Utf8PathBuf, Vec<u8>)>, StoreError> {
        Ok(vec![])
    }
    fn commit(
        &mut self,
        put: &[(Utf8PathBuf, Vec<u8>)],
        _remove: &[Utf8PathBuf],
    ) -> Result<(), StoreError> {
        for (a, b) in put {
            self.recs.insert(a.clone(), b.clone());
        }
        Ok(())
    }
    fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.blobs.get(digest).cloned())
    }
    fn put_blob(&mut self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let d = Digest::of(bytes);
        self.blobs.insert(d, bytes.to_vec());
        Ok(d)
    }
    fn close(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
