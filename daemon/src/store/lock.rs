//! The lock of a state folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};

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
    pub(super) fn take(folder: &Utf8Path, root: &Utf8Path) -> Result<Self, StoreError> {
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
        let text = format!("{}\n{start}\n{root}", std::process::id());
        file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).map_err(failed)?;
        Ok(Self { file })
    }
}

/// Returns a root that is in use now and in which `root` is, or which is in `root`, with its
/// process. `state` has the state folders of all roots.
///
/// Asked with the own lock in hand: of two that start at once, at least one sees the other.
pub(super) fn overlapping(state: &Utf8Path, root: &Utf8Path) -> Option<(Utf8PathBuf, Option<u32>)> {
    // Without a list there is no other.
    let folders = state.read_dir_utf8().ok()?;
    folders.flatten().find_map(|folder| {
        let file = File::open(folder.path().join("lock")).ok()?;
        let mut text = String::new();
        (&file).take(MAX_LOCK).read_to_string(&mut text).ok()?;
        let mut lines = text.splitn(3, '\n');
        let pid = lines.next()?.parse().ok();
        let other = Utf8Path::new(lines.nth(1)?);
        let overlaps = other != root && (root.starts_with(other) || other.starts_with(root));
        // Whoever was killed left the text and not the lock.
        let is_held = || matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        (overlaps && !other.as_str().is_empty() && is_held()).then(|| (other.to_owned(), pid))
    })
}

/// The longest text of a lock: two numbers, and a path.
const MAX_LOCK: u64 = 8192;

fn pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(64).read_to_string(&mut text).ok()?;
    text.lines().next()?.parse().ok()
}
