//! What nbsync remembers: bases, and every text that it replaced.
//!
//! [`Store`] is all that the rest of the crate sees of it. [`DiskStore`] is a folder in
//! the user's state folder:
//!
//! - `lock`: held by the one process that has the store open;
//! - `index/`: a sled database with one record for each pairing, and the history;
//! - `blobs/`: texts, each under its digest.
//!
//! The history of a notebook is a list of versions: revisions, each with the base that the
//! replicas agreed on then, and texts of single replicas.
//!
//! **Invariant:** the index can be lost. It holds nothing that the files or the blobs do
//! not hold; without it, replicas that agree are adopted as they are. So one that
//! is damaged in any way is set aside, never repaired, and the daemon starts.
//!
//! **Invariant:** a text that was replaced is a blob before it is unlinked anywhere else.

mod blobs;
mod collect;
mod error;
mod index;
mod lock;
mod memory;
mod on_disk;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::report::Cause;
use crate::sync::Digest;

pub use collect::{Collected, Keep};
pub use error::StoreError;
pub use memory::MemoryStore;
pub use on_disk::{DiskStore, Opened};

/// What nbsync remembers about one root.
///
/// Records belong to the caller: bytes under the path of a pairing's source, relative to
/// the root, with `/` between components.
pub trait Store: Send + Sync {
    /// Returns all records, sorted by path.
    fn records(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// Returns the record of one pairing.
    fn record(&self, source: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Stores all of a batch, or nothing of it.
    ///
    /// Survives the end of the process at any moment. A power cut may undo the last
    /// commits; then the files are newer than their bases, as if they had been edited alike.
    fn commit(&self, batch: Batch) -> Result<(), StoreError>;

    /// Returns the history of one pairing, oldest first.
    fn history(&self, source: &str) -> Result<Vec<HistoryEntry>, StoreError>;

    /// Returns the sources that have a history, sorted: also those that are gone.
    fn sources_with_history(&self) -> Result<Vec<String>, StoreError>;

    /// Returns a text, `None` if it is not there or was damaged.
    fn blob(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError>;

    /// Stores a text and returns its digest.
    fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError>;

    /// Returns once all texts stored so far are on the device.
    ///
    /// Needed before a displaced file is unlinked, and for nothing else.
    fn sync_blobs(&self) -> Result<(), StoreError>;

    /// Forgets history that is not to be kept, and texts that neither the rest of it nor
    /// `live` names.
    ///
    /// The store can be used meanwhile: nothing waits for this for longer than a few
    /// entries take.
    ///
    /// `live` are the texts that records name, since only the caller can read those.
    /// `now` is in milliseconds since 1970.
    fn collect(
        &self,
        keep: &Keep,
        live: &BTreeSet<Digest>,
        now: u64,
    ) -> Result<Collected, StoreError>;

    /// Returns the `now` of the last time that old versions were forgotten, `None` if there was none.
    fn collected_at(&self) -> Result<Option<u64>, StoreError>;
}

/// Changes that are stored together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Sources that got another path. Their records and history go along, before anything
    /// else of the batch.
    pub rename: Vec<(String, String)>,
    /// Records to forget. Their history stays.
    pub remove: Vec<String>,
    /// Records to store.
    pub put: Vec<(String, Vec<u8>)>,
    /// What to append to the histories of sources.
    pub history: Vec<(String, NewEntry)>,
}

impl Batch {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.rename.is_empty()
            && self.remove.is_empty()
            && self.put.is_empty()
            && self.history.is_empty()
    }
}

/// A version of a replica, on its way into the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEntry {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// The replica that had this text: its path, relative to the root.
    pub replica: Utf8PathBuf,
    /// The text; a blob.
    pub digest: Digest,
    /// The text's length in bytes.
    pub len: u64,
    /// Why it is here. For whoever reads the log.
    pub reason: String,
    /// What the step was that came to this, if it is a revision. Then `digest` is that of the
    /// base, and `replica` the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
}

/// One step of a notebook: what all its replicas agreed on, and how it came to that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// What for.
    pub cause: Cause,
    /// The replicas that were edited.
    pub from: Vec<Utf8PathBuf>,
    /// The replicas that were written.
    pub to: Vec<Utf8PathBuf>,
    /// How many cells the edit touched.
    pub cells: usize,
    /// What the edit did, one line a change.
    pub changes: Vec<String>,
    /// The replicas, the source first, with the digests of their texts.
    pub texts: Vec<(Utf8PathBuf, Digest)>,
}

/// A version of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The entry's number within the history of its source, from 1, never given twice.
    pub seq: u64,
    /// The version.
    pub version: NewEntry,
}

/// Returns the name under which the state of a root is kept, 16 hexadecimal digits.
pub fn root_id(root: &Utf8Path) -> String {
    let mut id = Digest::of(root.as_str().as_bytes()).to_string();
    id.truncate(16);
    id
}

/// Whether texts of this root are kept in `state`: whether it was ever synced.
///
/// A store that was opened and left empty doesn't count, so that a look at the state
/// of a folder doesn't make it a root.
pub fn is_known(state: &Utf8Path, root: &Utf8Path) -> bool {
    let blobs = state.join(root_id(root)).join("blobs");
    blobs.read_dir_utf8().is_ok_and(|mut entries| entries.next().is_some())
}
