//! Files that exist only in this process.
//!
//! The same protocol as [`RealDisk`](super::RealDisk), step by step, on a map. An observer sees
//! every step, so a test can fail each one, end the "process" there, or save like an editor
//! that is faster than any real one.

mod editor;
mod state;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

pub use self::editor::OpenFile;
use self::state::State;
use super::displaced::{DISPLACED, Displaced, displaced_folder, parse_kept, workdir};
use super::error::{Obstacle, ReadError, WriteError};
use super::lock::Lock;
use super::observer::{Crashed, Observer, Step};
use super::stamp::Stamp;
use super::temp::{parse_temp, temp_name};
use super::{Contents, Disk, Entry, Expected, Late, WriteOptions, Written};
use crate::sync::Digest;

/// Files that exist only in this process.
///
/// Clones share the files, so that a test can throw away an engine and give the next one what it
/// left. Time is a count of changes.
#[derive(Clone)]
pub struct MemoryDisk {
    root: Utf8PathBuf,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    state: State,
    observer: Option<Arc<dyn Observer>>,
    looks: Option<Arc<dyn LookObserver>>,
    crashed: bool,
}

/// Is asked before every look at a file or folder, and can make it fail.
pub trait LookObserver: Send + Sync {
    /// Called before `path` is looked at or read.
    fn before(&self, path: &Utf8Path) -> io::Result<()>;
}

impl<F: Fn(&Utf8Path) -> io::Result<()> + Send + Sync> LookObserver for F {
    fn before(&self, path: &Utf8Path) -> io::Result<()> {
        self(path)
    }
}

impl MemoryDisk {
    /// Makes a disk with nothing on it.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        let shared =
            Shared { state: State::default(), observer: None, looks: None, crashed: false };
        Self { root: root.into(), shared: Arc::new(Mutex::new(shared)) }
    }

    /// Has every step observed from now on; or no longer. Also ends the time after a crash.
    ///
    /// The observer may use this disk.
    pub fn restart(&self, observer: Option<Arc<dyn Observer>>) {
        let mut shared = self.shared();
        shared.observer = observer;
        shared.crashed = false;
    }

    /// Has every look at a file or folder observed from now on; or no longer.
    pub fn observe_looks(&self, observer: Option<Arc<dyn LookObserver>>) {
        self.shared().looks = observer;
    }

    fn look(&self, path: &Utf8Path) -> Result<(), Obstacle> {
        self.check(path)?;
        let observer = self.alive()?.looks.clone();
        observer.map_or(Ok(()), |it| it.before(path)).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> Obstacle {
        if Crashed::is(&error) {
            self.shared().crashed = true;
        }
        error.into()
    }

    /// A number that grows with every change.
    pub fn n_changes(&self) -> u64 {
        self.shared().state.n_changes()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The files, unless the process has crashed.
    fn alive(&self) -> Result<MutexGuard<'_, Shared>, Obstacle> {
        let shared = self.shared();
        if shared.crashed { Err(io::Error::other(Crashed).into()) } else { Ok(shared) }
    }

    fn before(&self, step: Step, path: &Utf8Path) -> Result<(), Obstacle> {
        let observer = self.alive()?.observer.clone();
        let Some(observer) = observer else { return Ok(()) };
        observer.before(step, path).map_err(|error| self.failed(error))
    }

    fn check(&self, path: &Utf8Path) -> Result<(), Obstacle> {
        let inside = path.starts_with(&self.root);
        if inside { Ok(()) } else { Err(Obstacle::Outside) }
    }

    /// Removes our own temporary file, unless the process is gone.
    fn cleanup(&self, temp: &Utf8Path, obstacle: Obstacle) -> Obstacle {
        if let Ok(mut shared) = self.alive() {
            shared.state.unname(temp);
        }
        obstacle
    }

    fn stage(
        &self,
        path: &Utf8Path,
        bytes: &[u8],
        mode: u32,
        durable: bool,
    ) -> Result<Utf8PathBuf, Obstacle> {
        self.before(Step::CreateTemp, path)?;
        let (temp, inode) = {
            let mut shared = self.alive()?;
            let n = shared.state.tick();
            let name = temp_name(path.file_name().ok_or(Obstacle::Outside)?, n);
            let temp = path.with_file_name(name);
            let inode = shared.state.create(&temp, b"", mode);
            (temp, inode)
        };
        let fill = || {
            self.before(Step::Fill, &temp)?;
            self.alive()?.state.fill(inode, bytes);
            if durable {
                self.before(Step::SyncFile, &temp)?;
                self.alive()?.state.sync(inode);
            }
            Ok(())
        };
        fill().map_err(|it| self.cleanup(&temp, it))?;
        Ok(temp)
    }

    fn create(
        &self,
        path: &Utf8Path,
        bytes: &[u8],
        options: WriteOptions,
    ) -> Result<Written, Obstacle> {
        let temp = self.stage(path, bytes, options.mode, options.durable)?;
        let place = || {
            self.before(Step::Place, path)?;
            let mut shared = self.alive()?;
            if shared.state.inode(path).is_some() {
                return Err(Obstacle::changed());
            }
            shared.state.note_names();
            shared.state.rename(&temp, path);
            shared.state.stamp(path).ok_or(Obstacle::Absent)
        };
        let stamp = place().map_err(|it| self.cleanup(&temp, it))?;
        let is_unflushed = !self.sync_folder(path, options)?;
        Ok(Written { stamp, displaced: None, raced: None, is_unflushed })
    }

    fn replace(
        &self,
        path: &Utf8Path,
        bytes: &[u8],
        expected: Digest,
        options: WriteOptions,
    ) -> Result<Written, Obstacle> {
        let before = self.alive()?.state.contents(path).ok_or_else(Obstacle::changed)?;
        if Digest::of(&before.bytes) != expected {
            return Err(Obstacle::changed());
        }
        if before.bytes == bytes {
            return Ok(Written::unchanged(before.stamp));
        }
        let temp = self.stage(path, bytes, before.stamp.mode, options.durable)?;
        let exchange = || {
            self.before(Step::Exchange, path)?;
            let mut shared = self.alive()?;
            if shared.state.inode(path).is_none() {
                return Err(Obstacle::changed());
            }
            shared.state.note_names();
            shared.state.exchange(path, &temp);
            shared.state.stamp(path).ok_or(Obstacle::Absent)
        };
        let stamp = exchange().map_err(|it| self.cleanup(&temp, it))?;
        self.before(Step::Inspect, path)?;
        let content = self.bytes(&temp).unwrap_or_default();
        let displaced = self.keep(&temp, path, Digest::of(&content))?;
        let is_unflushed = !self.sync_folder(path, options)?;
        let raced = (displaced.digest != expected && content != bytes).then_some(content);
        Ok(Written { stamp, displaced: Some(displaced), raced, is_unflushed })
    }

    /// Returns whether what was to be flushed was. The file is in place, so trouble here is no
    /// reason to say otherwise.
    fn sync_folder(&self, path: &Utf8Path, options: WriteOptions) -> Result<bool, Obstacle> {
        let is_synced = options.durable && self.before(Step::SyncFolder, path).is_ok();
        // A process that ended in it does not come to anything else.
        let mut shared = self.alive()?;
        if is_synced {
            shared.state.sync_names();
        }
        Ok(is_synced || !options.durable)
    }

    fn keep(
        &self,
        from: &Utf8Path,
        origin: &Utf8Path,
        digest: Digest,
    ) -> Result<Displaced, Obstacle> {
        self.before(Step::Keep, from)?;
        let mut shared = self.alive()?;
        let n = shared.state.tick();
        let folder = displaced_folder(origin);
        let letter = if folder.parent() == origin.parent() { 'w' } else { 'n' };
        let name = origin.file_name().unwrap_or_default();
        let path = folder.join(format!("{n}-1-{n}{letter}-{name}.kept"));
        shared.state.note_names();
        shared.state.rename(from, &path);
        Ok(Displaced { path, origin: origin.to_owned(), digest })
    }

    fn late(&self, displaced: &Displaced) -> Result<Late, Obstacle> {
        Ok(match self.alive()?.state.contents(&displaced.path) {
            None => Late::Gone,
            Some(it) if Digest::of(&it.bytes) == displaced.digest => Late::Unchanged,
            Some(it) => Late::Changed(it.bytes),
        })
    }

    fn find_displaced(&self, dir: &Utf8Path) -> Result<Vec<Displaced>, Obstacle> {
        let workdir = workdir(dir);
        for folder in [dir, &workdir] {
            for (name, digest) in self.digests(folder)? {
                if let Some((target, _)) = parse_temp(&name) {
                    self.keep(&folder.join(&name), &folder.join(target), digest)?;
                }
            }
        }
        let kept = workdir.join(DISPLACED);
        let mut found = Vec::new();
        for (name, digest) in self.digests(&kept)? {
            let Some(parsed) = parse_kept(&name) else { continue };
            let folder = if parsed.from_workdir { &workdir } else { dir };
            let origin = folder.join(parsed.name);
            found.push(Displaced { path: kept.join(&name), origin, digest });
        }
        Ok(found)
    }

    fn digests(&self, folder: &Utf8Path) -> Result<Vec<(String, Digest)>, Obstacle> {
        let shared = self.alive()?;
        let entries = shared.state.list(folder).unwrap_or_default();
        let digest = |entry: Entry| {
            let contents = shared.state.contents(&folder.join(&entry.name))?;
            Some((entry.name, Digest::of(&contents.bytes)))
        };
        Ok(entries.into_iter().filter_map(digest).collect())
    }
}

impl Disk for MemoryDisk {
    fn root(&self) -> &Utf8Path {
        &self.root
    }

    fn stamp(&self, path: &Utf8Path) -> Result<Option<Stamp>, ReadError> {
        self.look(path)
            .and_then(|()| Ok(self.alive()?.state.stamp(path)))
            .map_err(|it| it.reading(path))
    }

    fn read(&self, path: &Utf8Path, limit: u64, _lock: Lock) -> Result<Contents, ReadError> {
        let read = || {
            self.look(path)?;
            let shared = self.alive()?;
            if shared.state.is_folder(path) {
                return Err(Obstacle::NotAFile);
            }
            let contents = shared.state.contents(path).ok_or(Obstacle::Absent)?;
            let size = contents.stamp.size;
            if size > limit { Err(Obstacle::TooLarge { size, limit }) } else { Ok(contents) }
        };
        read().map_err(|it| it.reading(path))
    }

    fn sync(&self) -> Result<(), WriteError> {
        let sync = || {
            self.before(Step::SyncFolder, &self.root)?;
            self.alive()?.state.sync_names();
            Ok(())
        };
        sync().map_err(|it: Obstacle| it.writing(&self.root))
    }

    fn list(&self, dir: &Utf8Path) -> Result<Option<Vec<Entry>>, ReadError> {
        let list = || {
            self.look(dir)?;
            let entries = self.alive()?.state.list(dir);
            Ok(if dir == self.root { Some(entries.unwrap_or_default()) } else { entries })
        };
        list().map_err(|it: Obstacle| it.reading(dir))
    }

    fn write(
        &self,
        path: &Utf8Path,
        bytes: &[u8],
        expected: Expected,
        options: WriteOptions,
    ) -> Result<Written, WriteError> {
        let write = || {
            self.check(path)?;
            let (exists, is_folder) = {
                let shared = self.alive()?;
                (shared.state.inode(path).is_some(), shared.state.is_folder(path))
            };
            match (exists, expected) {
                _ if is_folder => Err(Obstacle::NotAFile),
                (false, Expected::Absent) => self.create(path, bytes, options),
                (true, Expected::Digest(digest)) => self.replace(path, bytes, digest, options),
                (true, Expected::Absent) | (false, Expected::Digest(_)) => Err(Obstacle::changed()),
            }
        };
        write().map_err(|it| it.writing(path))
    }

    fn remove(&self, path: &Utf8Path, expected: Digest) -> Result<Option<Displaced>, WriteError> {
        let remove = || {
            self.check(path)?;
            let Some(before) = self.alive()?.state.contents(path) else { return Ok(None) };
            if Digest::of(&before.bytes) != expected {
                return Err(Obstacle::changed());
            }
            self.before(Step::MoveOut, path)?;
            match self.bytes(path) {
                None => Ok(None),
                Some(now) if Digest::of(&now) != expected => Err(Obstacle::changed()),
                Some(_) => self.keep(path, path, expected).map(Some),
            }
        };
        remove().map_err(|it| it.writing(path))
    }

    fn rename(&self, path: &Utf8Path, to: &Utf8Path) -> Result<(), WriteError> {
        let rename = || {
            self.check(path)?;
            self.check(to)?;
            self.before(Step::Rename, path)?;
            let mut shared = self.alive()?;
            if shared.state.inode(to).is_some() {
                return Err(Obstacle::changed());
            }
            shared.state.rename(path, to);
            Ok(())
        };
        rename().map_err(|it| it.writing(to))
    }

    fn create_workdir(&self, dir: &Utf8Path) -> Result<Utf8PathBuf, WriteError> {
        let workdir = workdir(dir);
        let create = || {
            self.check(dir)?;
            let ignore = workdir.join(".gitignore");
            if self.alive()?.state.inode(&ignore).is_none() {
                self.before(Step::CreateFolder, &workdir)?;
                self.alive()?.state.create(&ignore, b"*\n", 0o644);
            }
            Ok(())
        };
        create().map_err(|it: Obstacle| it.writing(dir))?;
        Ok(workdir)
    }

    /// A folder of this disk is there as soon as something is in it.
    fn create_folder(&self, dir: &Utf8Path) -> Result<(), WriteError> {
        self.check(dir).map_err(|it| it.writing(dir))
    }

    fn recheck(&self, displaced: &Displaced) -> Result<Late, ReadError> {
        self.late(displaced).map_err(|it| it.reading(&displaced.path))
    }

    fn discard(&self, displaced: &Displaced) -> Result<Late, WriteError> {
        let discard = || {
            let late = self.late(displaced)?;
            if late == Late::Unchanged {
                self.before(Step::Unlink, &displaced.path)?;
                let mut shared = self.alive()?;
                shared.state.note_names();
                shared.state.unname(&displaced.path);
            }
            Ok(late)
        };
        discard().map_err(|it: Obstacle| it.writing(&displaced.path))
    }

    fn recover(&self, dir: &Utf8Path) -> Result<Vec<Displaced>, WriteError> {
        self.check(dir).and_then(|()| self.find_displaced(dir)).map_err(|it| it.writing(dir))
    }
}

impl std::fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryDisk").field("root", &self.root).finish_non_exhaustive()
    }
}
