//! The lock of a state folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use camino::Utf8Path;

use super::StoreError;

/// Held by the one process that uses a state folder; released when dropped, or when the
/// process ends in any way.
#[derive(Debug)]
pub(super) struct StateLock {
    file: File,
}

impl Drop for StateLock {
    fn drop(&mut self) {
        // Closing is not enough while a process that was started meanwhile still has a copy.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "the lock of the state folder cannot be released");
        }
    }
}

impl StateLock {
    /// Takes the lock, or says who has it.
    ///
    /// Taken before the index is opened, so that the message is about a process and not
    /// about a database.
    pub(super) fn take(folder: &Utf8Path) -> Result<Self, StoreError> {
        let path = folder.join("lock");
        let failed = |source| StoreError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            // The other process's number is in there.
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { pid: pid(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
        let text = format!("{}\n{start}\n", std::process::id());
        file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).map_err(failed)?;
        Ok(Self { file })
    }
}

fn pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(64).read_to_string(&mut text).ok()?;
    text.lines().next()?.parse().ok()
}
