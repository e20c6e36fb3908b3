//! The lock that marimo holds while it saves a notebook.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

/// Another program's lock to hold while a file is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// None: the format's editors have none.
    None,
    /// marimo's lock of the notebook, which it holds from reading the old file until the
    /// new one is written (marimo 0.25.2, `_environments/script_metadata.py`).
    Marimo,
}

/// Returns the folder where marimo keeps its locks, for the environment of this process.
///
/// `None` if there is no home to have a state folder in.
pub fn notebook_locks(env: impl Fn(&str) -> Option<OsString>) -> Option<Utf8PathBuf> {
    let set = |name| {
        let value = env(name)?.into_string().ok()?;
        (!value.trim().is_empty()).then(|| Utf8PathBuf::from(value))
    };
    let state = set("XDG_STATE_HOME").or_else(|| {
        // marimo resolves links of the home, and of nothing else.
        let home = set("HOME")?;
        Some(home.canonicalize_utf8().unwrap_or(home).join(".local/state"))
    })?;
    state.is_absolute().then(|| state.join("marimo/notebook-locks"))
}

/// How long to wait for an editor to finish a save.
///
/// marimo holds its lock for milliseconds. One that is held longer belongs to a process
/// that was stopped or hangs; going on without is safe, because a read is checked
/// before and after, and a write looks at what it replaced.
const PATIENCE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(5);

const HEX: &[u8; 16] = b"0123456789abcdef";

/// A lock that is released when dropped.
#[derive(Debug)]
#[must_use]
pub(super) struct Held {
    file: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing is not enough while a process that was started meanwhile still has a copy.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "marimo's notebook lock cannot be released");
        }
    }
}

/// Waits for marimo's lock of the notebook at `path`, a path without symbolic links.
///
/// Without `create`, a notebook that marimo never saved is not locked. This way reading ten
/// thousand notebooks does not leave ten thousand lock files, which nobody ever
/// deletes, in marimo's folder. Nor is the folder made where marimo was never used.
pub(super) fn hold(locks: &Utf8Path, path: &Utf8Path, create: bool) -> Option<Held> {
    let mut name = String::with_capacity(64 + ".lock".len());
    for byte in Sha256::digest(path.as_str().as_bytes()) {
        name.push(char::from(HEX[usize::from(byte >> 4)]));
        name.push(char::from(HEX[usize::from(byte & 15)]));
    }
    name.push_str(".lock");
    let no_follow = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .mode(0o600)
        .custom_flags(no_follow)
        .open(locks.join(name));
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::debug!(%path, %error, "marimo's notebook lock cannot be opened");
            return None;
        }
    };
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Some(Held { file }),
            Err(TryLockError::WouldBlock) if start.elapsed() < PATIENCE => {
                std::thread::sleep(POLL);
            }
            Err(error) => {
                tracing::warn!(%path, %error, "marimo's notebook lock stays taken; going on without");
                return None;
            }
        }
    }
}

/// Whether `locks` can be used by this process; for `nbsync doctor`.
pub(super) fn usable(locks: &Utf8Path) -> bool {
    std::fs::metadata(locks).is_ok_and(|it| it.is_dir() && it.permissions().mode() & 0o200 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_marimos() {
        let env = |pairs: &'static [(&str, &str)]| {
            move |name: &str| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into())
            }
        };
        let folder = |pairs| notebook_locks(env(pairs)).map(Utf8PathBuf::into_string);
        assert_eq!(
            folder(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]).unwrap(),
            "/s/marimo/notebook-locks"
        );
        assert_eq!(
            folder(&[("XDG_STATE_HOME", " "), ("HOME", "/nowhere")]).unwrap(),
            "/nowhere/.local/state/marimo/notebook-locks"
        );
        assert_eq!(folder(&[]), None);
    }

    #[test]
    fn the_key_is_the_sha256_of_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let locks = Utf8Path::from_path(folder.path()).unwrap();
        assert!(hold(locks, "/n/a.py".into(), false).is_none());
        let held = hold(locks, "/n/a.py".into(), true).unwrap();
        // python -c 'import hashlib; print(hashlib.sha256(b"/n/a.py").hexdigest())'
        let file =
            locks.join("77fc2a6399607c563b1acebf2bb1e9b9899f04768d8721e4ef2b2fdcd494e7d3.lock");
        let other = OpenOptions::new().read(true).write(true).open(&file).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(held);
        other.try_lock().unwrap();
    }
}
