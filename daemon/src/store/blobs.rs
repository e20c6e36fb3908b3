//! Texts, each in a file that is named after its digest.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};

use super::StoreError;
use crate::sync::Digest;

/// A damaged file could claim any length, so reading stops here. Notebooks are far smaller.
const MAX_LEN: u64 = 1 << 30;

/// Fast, and still a quarter of the size for most notebooks.
const LEVEL: i32 = 1;

/// A text that is this young is not collected soon; see `GRACE_MS` of the collector.
const FRESH: Duration = Duration::from_hours(1);

/// A folder of texts.
#[derive(Debug)]
pub(super) struct Blobs {
    folder: Utf8PathBuf,
    counter: AtomicU64,
    /// Written, and perhaps not on the device yet.
    unsynced: Mutex<Vec<Utf8PathBuf>>,
    /// Held for the moment in which a text turns out to be wanted, or to be old.
    collecting: Mutex<()>,
}

/// What the folder says about a text without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlobInfo {
    pub(super) digest: Digest,
    /// As it is stored.
    pub(super) size: u64,
    pub(super) mtime_ms: u64,
}

impl Blobs {
    pub(super) fn open(folder: Utf8PathBuf) -> Result<Self, StoreError> {
        fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        Ok(Self {
            folder,
            counter: AtomicU64::new(0),
            unsynced: Mutex::default(),
            collecting: Mutex::default(),
        })
    }

    fn path(&self, digest: Digest) -> Utf8PathBuf {
        let hex = digest.to_string();
        self.folder.join(&hex[..2]).join(&hex[2..])
    }

    pub(super) fn get(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(digest);
        let stored = match fs::read(&path) {
            Ok(stored) => stored,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io(path)(error)),
        };
        match unpack(&stored) {
            Ok(bytes) if Digest::of(&bytes) == digest => Ok(Some(bytes)),
            _ => {
                tracing::warn!(%path, "stored text is damaged; set aside");
                fs::rename(&path, path.with_extension("damaged")).map_err(StoreError::io(path))?;
                Ok(None)
            }
        }
    }

    pub(super) fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        // Read, not only looked for: what is stored may be damaged, and now is the time to
        // mend that.
        let path = self.path(digest);
        if self.get(digest)?.is_some() && self.freshen(&path)? {
            return Ok(digest);
        }
        let folder = path.parent().unwrap_or(&self.folder);
        let n = self.counter.fetch_add(1, Ordering::Relaxed);
        let temp = folder.join(format!("{}-{n}.tmp", std::process::id()));
        let write = || {
            fs::create_dir_all(folder)?;
            let mut file = File::create(&temp)?;
            file.write_all(&zstd::bulk::compress(bytes, LEVEL)?)?;
            drop(file);
            fs::rename(&temp, &path)
        };
        if let Err(error) = write() {
            // Fails if the folder could not be made, and then there is nothing to remove.
            drop(fs::remove_file(&temp));
            return Err(StoreError::io(path)(error));
        }
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner).push(path);
        Ok(digest)
    }

    /// Returns once all that was put is on the device.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let paths =
            std::mem::take(&mut *self.unsynced.lock().unwrap_or_else(PoisonError::into_inner));
        let mut folders = std::collections::BTreeSet::from([self.folder.clone()]);
        let mut failed = None;
        for path in &paths {
            match File::open(path).and_then(|it| it.sync_data()) {
                Ok(()) => {}
                // Collected meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => failed = Some(StoreError::io(path)(error)),
            }
            folders.extend(path.parent().map(Utf8Path::to_owned));
        }
        if !paths.is_empty() {
            for folder in folders {
                if let Err(error) = File::open(&folder).and_then(|it| it.sync_all()) {
                    failed = Some(StoreError::io(folder)(error));
                }
            }
        }
        match failed {
            None => Ok(()),
            Some(error) => {
                self.unsynced.lock().unwrap_or_else(PoisonError::into_inner).extend(paths);
                Err(error)
            }
        }
    }

    /// Returns all texts, and removes what a killed process left behind.
    pub(super) fn list(&self) -> Result<Vec<BlobInfo>, StoreError> {
        let mut found = Vec::new();
        for folder in read_dir(&self.folder)? {
            if !folder.file_type().is_ok_and(|it| it.is_dir()) {
                continue;
            }
            for entry in read_dir(folder.path())? {
                let path = entry.path();
                let hex = format!("{}{}", folder.file_name(), entry.file_name());
                let Ok(metadata) = entry.metadata() else { continue };
                let mtime_ms = mtime_ms(&metadata);
                if let Ok(digest) = hex.parse() {
                    found.push(BlobInfo { digest, size: metadata.len(), mtime_ms });
                } else if path.extension() == Some("tmp") && mtime_ms / 1000 + 3600 < now_s() {
                    fs::remove_file(path).map_err(StoreError::io(path))?;
                }
            }
        }
        Ok(found)
    }

    /// Makes a stored text count as new, so that it isn't collected before somebody names
    /// it. Returns false if it is gone.
    fn freshen(&self, path: &Utf8Path) -> Result<bool, StoreError> {
        let _collecting = self.collecting.lock().unwrap_or_else(PoisonError::into_inner);
        let freshen = || {
            let now = SystemTime::now();
            let mtime = fs::metadata(path)?.modified()?;
            if now.duration_since(mtime).is_ok_and(|age| FRESH < age) {
                File::open(path)?.set_modified(now)?;
            }
            Ok(())
        };
        match freshen() {
            Ok(()) => Ok(true),
            Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io(path)(error)),
        }
    }

    /// Removes a text that nobody has put since `before`, in milliseconds since 1970.
    /// Returns whether it did.
    pub(super) fn remove_unused(&self, digest: Digest, before: u64) -> Result<bool, StoreError> {
        let path = self.path(digest);
        let _collecting = self.collecting.lock().unwrap_or_else(PoisonError::into_inner);
        let mtime_ms = match fs::metadata(&path) {
            Ok(metadata) => mtime_ms(&metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(StoreError::io(path)(error)),
        };
        if before < mtime_ms {
            return Ok(false);
        }
        fs::remove_file(&path).map_err(StoreError::io(path))?;
        Ok(true)
    }
}

fn mtime_ms(metadata: &fs::Metadata) -> u64 {
    let mtime = metadata.modified().ok().and_then(|it| it.duration_since(UNIX_EPOCH).ok());
    mtime.and_then(|it| u64::try_from(it.as_millis()).ok()).unwrap_or(0)
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs())
}

fn read_dir(path: &Utf8Path) -> Result<Vec<camino::Utf8DirEntry>, StoreError> {
    let entries = path.read_dir_utf8().map_err(StoreError::io(path))?;
    entries.collect::<io::Result<_>>().map_err(StoreError::io(path))
}

fn unpack(stored: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    zstd::stream::read::Decoder::new(stored)?.take(MAX_LEN).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_and_take_less_space() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        let blobs = Blobs::open(path.join("blobs")).unwrap();
        let text = b"x = 1\n".repeat(1000);
        for bytes in [&b""[..], b"x", &text] {
            let digest = blobs.put(bytes).unwrap();
            assert_eq!(digest, Digest::of(bytes));
            assert_eq!(blobs.get(digest).unwrap().as_deref(), Some(bytes));
            assert_eq!(blobs.put(bytes).unwrap(), digest);
        }
        blobs.sync().unwrap();
        let listed = blobs.list().unwrap();
        assert_eq!(listed.len(), 3);
        assert!(listed.iter().all(|it| it.size < 200), "{listed:?}");
        assert_eq!(blobs.get(Digest::of(b"other")).unwrap(), None);
    }

    #[test]
    fn damaged_texts_are_set_aside_and_mended() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        let blobs = Blobs::open(path.join("blobs")).unwrap();
        let text = b"x = 1\n".repeat(1000);
        let digest = blobs.put(&text).unwrap();
        let stored = fs::read(blobs.path(digest)).unwrap();
        let mut flipped = stored.clone();
        flipped[stored.len() / 2] ^= 0xff;
        let other = zstd::bulk::compress(b"other", LEVEL).unwrap();
        for damaged in [&stored[..stored.len() / 2], b"", b"\0\0\0\0\0\0\0\0", &flipped, &other] {
            fs::write(blobs.path(digest), damaged).unwrap();
            assert_eq!(blobs.get(digest).unwrap(), None);
            fs::write(blobs.path(digest), damaged).unwrap();
            assert_eq!(blobs.put(&text).unwrap(), digest);
            assert_eq!(blobs.get(digest).unwrap().as_deref(), Some(&text[..]));
        }
    }
}
