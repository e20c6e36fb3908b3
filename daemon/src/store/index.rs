//! The only module that names sled.
//!
//! sled 0.34 panics at some damages and reports others, so every call is made where a
//! panic ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::StoreError;
use super::record::{META, seal, unseal};

/// Grows whenever older records cannot be read any more.
const SCHEMA: &[u8] = b"1";

/// How long to wait for sled's own lock.
const PATIENCE: Duration = Duration::from_secs(1);

/// A sorted map that survives the process.
#[derive(Debug)]
pub(super) struct Index {
    db: sled::Db,
    path: Utf8PathBuf,
}

/// Some keys and values, sealed or to be removed.
#[derive(Debug, Default)]
pub(super) struct Changes(sled::Batch);

impl Changes {
    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key, seal(key, value));
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        self.0.remove(key);
    }
}

/// Names the owner of the index.
pub(super) fn meta_key(name: &str) -> Vec<u8> {
    [META, name.as_bytes()].concat()
}

impl Index {
    /// Opens the index, making it if there is none, and reads it once from end to end.
    ///
    /// `identity` says whose it is; that of another root is refused like a damaged one.
    ///
    /// sled takes a log that ends early for one that was being written at a power cut, and
    /// goes on with what is there. That is as good as an older index, and no damage here.
    pub(super) fn open(path: &Utf8Path, identity: &str) -> Result<Self, StoreError> {
        let is_new = !path.exists();
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(8 << 20)
            // Every commit flushes by itself.
            .flush_every_ms(None)
            .mode(sled::Mode::LowSpace);
        let start = Instant::now();
        let db = loop {
            match guard(path, || config.open()) {
                // We hold the lock of the folder, so this is not another nbsync. A program that
                // another thread is just starting has a copy of the last owner's file.
                Err(StoreError::Locked { .. }) if start.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                opened => break opened?,
            }
        };
        let index = Self { db, path: path.to_owned() };
        if is_new {
            let mut changes = Changes::default();
            changes.put(&meta_key("schema"), SCHEMA);
            changes.put(&meta_key("root"), identity.as_bytes());
            index.apply(changes)?;
        } else {
            index.check(identity)?;
        }
        Ok(index)
    }

    fn check(&self, identity: &str) -> Result<(), StoreError> {
        if guard(&self.path, || Ok(self.db.is_empty()))? {
            return Err(self.damaged("nothing is left in it"));
        }
        if self.get(&meta_key("schema"))?.as_deref() != Some(SCHEMA) {
            return Err(self.damaged("it was written by another version"));
        }
        if self.get(&meta_key("root"))?.as_deref() != Some(identity.as_bytes()) {
            return Err(self.damaged("it belongs to another folder"));
        }
        self.scan(b"", |_, _| Some(()))
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(sealed) = guard(&self.path, || self.db.get(key))? else { return Ok(None) };
        match unseal(key, &sealed) {
            Some(value) => Ok(Some(value.to_vec())),
            None => Err(self.damaged("a checksum is wrong")),
        }
    }

    /// Shows all values whose keys start with `prefix`, in order. `None` from `see` means
    /// that it made no sense of a value.
    pub(super) fn scan(
        &self,
        prefix: &[u8],
        mut see: impl FnMut(&[u8], &[u8]) -> Option<()>,
    ) -> Result<(), StoreError> {
        guard(&self.path, || {
            for item in self.db.scan_prefix(prefix) {
                let (key, sealed) = item?;
                let seen = unseal(&key, &sealed).and_then(|value| see(&key, value));
                if seen.is_none() {
                    return Ok(Err(self.damaged("a checksum is wrong")));
                }
            }
            Ok(Ok(()))
        })?
    }

    /// Returns the last key that starts with `prefix`.
    pub(super) fn last_key(&self, prefix: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let last =
            guard(&self.path, || self.db.scan_prefix(prefix).keys().next_back().transpose())?;
        Ok(last.map(|it| it.to_vec()))
    }

    /// Makes all of the changes, or none.
    pub(super) fn apply(&self, changes: Changes) -> Result<(), StoreError> {
        guard(&self.path, || {
            self.db.apply_batch(changes.0)?;
            self.db.flush().map(|_| ())
        })
    }

    pub(super) fn damaged(&self, reason: &str) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), reason: reason.to_owned() }
    }
}

/// Makes an error of whatever sled does not survive.
fn guard<T>(path: &Utf8Path, call: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    let path = path.to_owned();
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(source))) if source.to_string().contains("acquire lock") => {
            Err(StoreError::Locked { pid: None })
        }
        Ok(Err(sled::Error::Io(source))) if is_outer(&source) => {
            Err(StoreError::Io { path, source })
        }
        Ok(Err(error)) => Err(StoreError::Damaged { path, reason: error.to_string() }),
        Err(panic) => {
            let reason = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("it cannot be read");
            Err(StoreError::Damaged { path, reason: reason.to_owned() })
        }
    }
}

/// Whether an error is about the system, and a new index would meet it too.
fn is_outer(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    use std::io::ErrorKind::{
        FileTooLarge, OutOfMemory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    // Those that have no kind.
    let others = [Errno::IO, Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    matches!(
        error.kind(),
        FileTooLarge
            | OutOfMemory
            | PermissionDenied
            | QuotaExceeded
            | ReadOnlyFilesystem
            | StorageFull
    ) || error.raw_os_error().is_some_and(|errno| others.contains(&errno))
}
