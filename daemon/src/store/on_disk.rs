//! The store in the user's state folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};

use super::blobs::Blobs;
use super::collect::{self, Collected, GRACE_MS, Keep, RESCUE_MS};
use super::index::{Changes, Index, meta_key};
use super::lock::{StateLock, overlapping};
use super::record::{
    HISTORY, RECORDS, history_key, history_prefix, parse_entry, parse_history_key, record_key,
};
use super::{Batch, HistoryEntry, Store, StoreError, root_id};
use crate::sync::Digest;

/// How many entries are forgotten at once. Others can store something in between.
const PORTION: usize = 256;

/// The store in the user's state folder.
#[derive(Debug)]
pub struct DiskStore {
    // Dropped in this order: the lock last.
    index: Index,
    blobs: Blobs,
    /// Numbers of entries are given out while this is held.
    writing: Mutex<()>,
    /// How often a history was moved to another name.
    n_renames: AtomicU64,
    folder: Utf8PathBuf,
    _lock: StateLock,
}

/// What was found when a store was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// Nothing.
    New,
    /// What an earlier process left.
    Existing,
    /// Something that could not be used. It was set aside, and the index is empty.
    Rebuilt {
        /// Where it is now.
        kept_at: Utf8PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl DiskStore {
    /// Opens the store of a root in `state`, such as `~/.local/state/nbsync`.
    ///
    /// Fails with [`StoreError::Locked`] while another process has it open. Whatever is
    /// wrong with the index is no failure: see [`Opened::Rebuilt`].
    pub fn open(state: &Utf8Path, root: &Utf8Path) -> Result<(Self, Opened), StoreError> {
        let folder = state.join(root_id(root));
        // Texts of notebooks are nobody else's business.
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&folder).map_err(StoreError::io(&folder))?;
        let lock = StateLock::take(&folder, root)?;
        if let Some((other, pid)) = overlapping(state, root) {
            return Err(StoreError::Overlaps { root: root.to_owned(), other, pid });
        }
        let blobs = Blobs::open(folder.join("blobs"))?;
        let identity = identity(root).map_err(StoreError::io(root))?;
        let path = folder.join("index");
        let is_new = !path.exists();
        let (index, opened) = match Index::open(&path, &identity) {
            Ok(index) if is_new => (index, Opened::New),
            Ok(index) => (index, Opened::Existing),
            Err(StoreError::Damaged { reason, .. }) => {
                let kept_at = set_aside(&path)?;
                let index = Index::open(&path, &identity)?;
                let mut changes = Changes::default();
                changes.put(&meta_key("rebuilt"), &now_ms().to_be_bytes());
                index.apply(changes)?;
                (index, Opened::Rebuilt { kept_at, reason })
            }
            Err(error) => return Err(error),
        };
        let store = Self {
            index,
            blobs,
            writing: Mutex::new(()),
            n_renames: AtomicU64::new(0),
            folder,
            _lock: lock,
        };
        Ok((store, opened))
    }

    /// Returns the folder of this store.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }

    fn entries(&self, prefix: &[u8]) -> Result<Vec<(String, HistoryEntry)>, StoreError> {
        let mut entries = Vec::new();
        self.index.scan(prefix, |key, value| {
            entries.push(parse_entry(key, value)?);
            Some(())
        })?;
        Ok(entries)
    }

    fn rename(&self, from: &str, to: &str, changes: &mut Changes) -> Result<u64, StoreError> {
        let key = record_key(from);
        if let Some(record) = self.index.get(&key)? {
            changes.remove(&key);
            changes.put(&record_key(to), &record);
        }
        // Behind what the new path may have had.
        let mut seq = self.last_seq(to)?;
        self.index.scan(&history_prefix(from), |key, value| {
            seq += 1;
            changes.remove(key);
            changes.put(&history_key(to, seq), value);
            Some(())
        })?;
        Ok(seq)
    }

    fn last_seq(&self, source: &str) -> Result<u64, StoreError> {
        let Some(key) = self.index.last_key(&history_prefix(source))? else { return Ok(0) };
        match parse_history_key(&key) {
            Some((_, seq)) => Ok(seq),
            None => Err(self.index.damaged("a key of the history makes no sense")),
        }
    }

    /// Returns the texts that the history names.
    fn named(&self) -> Result<BTreeSet<Digest>, StoreError> {
        loop {
            let before = self.n_renames.load(Ordering::SeqCst);
            let entries = self.entries(HISTORY)?;
            // A history that moved from behind to before this reader was not seen.
            if self.n_renames.load(Ordering::SeqCst) == before {
                return Ok(entries.into_iter().map(|(_, it)| it.version.digest).collect());
            }
        }
    }

    /// Returns a time that was noted, in milliseconds since 1970.
    fn time_of(&self, event: &str) -> Result<Option<u64>, StoreError> {
        let value = self.index.get(&meta_key(event))?;
        Ok(value.and_then(|it| Some(u64::from_be_bytes(it.try_into().ok()?))))
    }
}

impl Store for DiskStore {
    fn records(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let mut records = Vec::new();
        self.index.scan(RECORDS, |key, value| {
            let source = std::str::from_utf8(&key[RECORDS.len()..]).ok()?;
            records.push((source.to_owned(), value.to_vec()));
            Some(())
        })?;
        Ok(records)
    }

    fn record(&self, source: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.index.get(&record_key(source))
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes = Changes::default();
        let mut last_seqs: BTreeMap<&str, u64> = BTreeMap::new();
        for (from, to) in &batch.rename {
            last_seqs.insert(to, self.rename(from, to, &mut changes)?);
            last_seqs.insert(from, 0);
        }
        for source in &batch.remove {
            changes.remove(&record_key(source));
        }
        for (source, record) in &batch.put {
            changes.put(&record_key(source), record);
        }
        for (source, version) in &batch.history {
            let last = match last_seqs.get(source.as_str()) {
                Some(last) => *last,
                None => self.last_seq(source)?,
            };
            last_seqs.insert(source, last + 1);
            let value = serde_json::to_vec(version)
                .map_err(|error| StoreError::io(&self.folder)(error.into()))?;
            changes.put(&history_key(source, last + 1), &value);
        }
        self.index.apply(changes)?;
        self.n_renames.fetch_add(batch.rename.len() as u64, Ordering::SeqCst);
        Ok(())
    }

    fn history(&self, source: &str) -> Result<Vec<HistoryEntry>, StoreError> {
        let entries = self.entries(&history_prefix(source))?;
        Ok(entries.into_iter().map(|(_, entry)| entry).collect())
    }

    fn sources_with_history(&self) -> Result<Vec<String>, StoreError> {
        let mut sources: Vec<String> = Vec::new();
        self.index.scan(HISTORY, |key, _| {
            let (source, _) = parse_history_key(key)?;
            if sources.last().is_none_or(|it| it != source) {
                sources.push(source.to_owned());
            }
            Some(())
        })?;
        Ok(sources)
    }

    fn blob(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.blobs.get(digest)
    }

    fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.blobs.put(bytes)
    }

    fn sync_blobs(&self) -> Result<(), StoreError> {
        self.blobs.sync()
    }

    fn collect(
        &self,
        keep: &Keep,
        live: &BTreeSet<Digest>,
        now: u64,
    ) -> Result<Collected, StoreError> {
        let blobs = self.blobs.list()?;
        let sizes: BTreeMap<Digest, u64> = blobs.iter().map(|it| (it.digest, it.size)).collect();
        let entries = self.entries(HISTORY)?;
        let size = |digest| sizes.get(&digest).copied().unwrap_or(0);
        let forgotten = collect::choose(&entries, keep, now, size);
        drop(entries);
        // First the names, then the texts: a name without a text would be a broken promise.
        let forgotten: Vec<(String, u64)> = forgotten.into_iter().collect();
        for portion in forgotten.chunks(PORTION) {
            let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let mut changes = Changes::default();
            for (source, seq) in portion {
                changes.remove(&history_key(source, *seq));
            }
            self.index.apply(changes)?;
        }
        let mut named = self.named()?;
        named.extend(live);
        let mut collected = Collected { entries: forgotten.len(), ..Collected::default() };
        let rebuilt = self.time_of("rebuilt")?;
        for blob in blobs {
            let rescued =
                rebuilt.is_some_and(|at| blob.mtime_ms <= at && now.saturating_sub(at) < RESCUE_MS);
            if named.contains(&blob.digest) || rescued {
                continue;
            }
            // Looked at again: somebody may have stored the same text by now.
            if self.blobs.remove_unused(blob.digest, now.saturating_sub(GRACE_MS))? {
                collected.blobs += 1;
                collected.bytes += blob.size;
            }
        }
        let mut changes = Changes::default();
        changes.put(&meta_key("collected"), &now.to_be_bytes());
        self.index.apply(changes)?;
        Ok(collected)
    }

    fn collected_at(&self) -> Result<Option<u64>, StoreError> {
        self.time_of("collected")
    }
}

/// Says which folder of which machine a store belongs to.
///
/// Not the device, whose number may be another after every boot.
fn identity(root: &Utf8Path) -> std::io::Result<String> {
    let inode = fs::metadata(root)?.ino();
    let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    Ok(format!("{root}\n{inode}\n{}\n", machine.trim()))
}

/// Moves an index out of the way, and returns where it is now.
fn set_aside(index: &Utf8Path) -> Result<Utf8PathBuf, StoreError> {
    let time = now_ms() / 1000;
    let mut kept_at = index.with_file_name(format!("index.corrupt-{time}"));
    let mut n = 1;
    while kept_at.exists() {
        n += 1;
        kept_at.set_file_name(format!("index.corrupt-{time}-{n}"));
    }
    fs::rename(index, &kept_at).map_err(StoreError::io(index))?;
    Ok(kept_at)
}

pub(super) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
