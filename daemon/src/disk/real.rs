//! The files of this machine.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

use super::displaced::{self, Displaced};
use super::error::{Obstacle, ReadError, WriteError};
use super::lock::{self, Held, Lock};
use super::observer::{Observer, Step};
use super::place::{Place, Root};
use super::stamp::{Kind, Stamp};
use super::swap::{self, Method};
use super::{Contents, Disk, Entry, Expected, Late, WriteOptions, Written, read, recover, replace};
use crate::sync::Digest;

/// The files below a folder of this machine.
#[derive(Debug)]
pub struct RealDisk {
    root: Root,
    locks: Option<Utf8PathBuf>,
    /// What each file system was found to be able to do.
    methods: Mutex<BTreeMap<u64, Method>>,
    best: Method,
    pub(super) steps: Steps,
}

impl RealDisk {
    /// Opens a root.
    ///
    /// With the crate's feature `faults`, the environment variable `NBSYNC_CRASH_AT=n` ends
    /// the process at the `n`-th step, for tests of what a crash leaves behind.
    pub fn open(root: &Utf8Path) -> Result<Self, ReadError> {
        let opened = Root::open(root).map_err(|it| it.reading(root))?;
        Ok(Self {
            root: opened,
            locks: None,
            methods: Mutex::default(),
            best: Method::Exchange,
            steps: Steps::from_env(),
        })
    }

    /// Holds marimo's locks while its notebooks are read and written. `folder` is what
    /// [`notebook_locks`](super::notebook_locks) returns.
    #[must_use]
    pub fn with_notebook_locks(self, folder: Option<Utf8PathBuf>) -> Self {
        Self { locks: folder, ..self }
    }

    /// Has every step observed, for tests.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { steps: Steps { observer: Some(observer), ..Steps::default() }, ..self }
    }

    /// Starts with a worse method than the best, for tests of the others.
    #[must_use]
    pub fn with_method(self, best: Method) -> Self {
        Self { best, ..self }
    }

    /// Returns the root without symbolic links. All paths that the disk returns start with it.
    pub fn real_root(&self) -> &Utf8Path {
        &self.root.real
    }

    /// Whether the root is still the folder that was opened.
    ///
    /// It is not after an unmount, or when somebody made it anew; then nothing may be
    /// concluded from what is missing.
    pub fn root_is_there(&self) -> bool {
        self.root.folder(&self.root.real).is_ok()
    }

    /// Finds out how files in `dir` are replaced, by trying; for `nbsync doctor`.
    pub fn probe(&self, dir: &Utf8Path) -> Result<Method, WriteError> {
        self.folder(dir).and_then(|it| swap::probe(&it, &self.steps)).map_err(|it| it.writing(dir))
    }

    /// Whether marimo's locks can be held; for `nbsync doctor`.
    pub fn holds_notebook_locks(&self) -> bool {
        self.locks.as_deref().is_some_and(lock::usable)
    }

    pub(super) fn method_of(&self, dev: u64) -> Method {
        let methods = self.methods.lock().unwrap_or_else(PoisonError::into_inner);
        methods.get(&dev).copied().unwrap_or(self.best).max(self.best)
    }

    /// Remembers that a file system cannot do `method`.
    pub(super) fn degrade(&self, dev: u64, method: Method) {
        let next = match method {
            Method::Exchange => Method::MoveOut,
            Method::MoveOut | Method::RenameOver => Method::RenameOver,
        };
        tracing::debug!(dev, ?method, ?next, "file system cannot replace files this way");
        self.methods.lock().unwrap_or_else(PoisonError::into_inner).insert(dev, next);
    }

    pub(super) fn folder(&self, path: &Utf8Path) -> Result<super::folder::Folder, Obstacle> {
        self.root.folder(path)
    }

    fn hold(&self, place: &Place, lock: Lock, create: bool) -> Option<Held> {
        match (lock, &self.locks) {
            (Lock::Marimo, Some(locks)) => lock::hold(locks, &place.path(), create),
            (Lock::None, _) | (_, None) => None,
        }
    }
}

impl Disk for RealDisk {
    fn root(&self) -> &Utf8Path {
        &self.root.given
    }

    fn stamp(&self, path: &Utf8Path) -> Result<Option<Stamp>, ReadError> {
        let stamp = match self.root.place_of_file(path) {
            Ok(place) => place.stamp(),
            // A link that cannot be followed is reported as what it is.
            Err(Obstacle::NotAFile | Obstacle::Outside) => {
                self.root.place(path).and_then(|place| place.stamp())
            }
            Err(Obstacle::Absent) => Ok(None),
            Err(obstacle) => Err(obstacle),
        };
        stamp.map_err(|it| it.reading(path))
    }

    fn glance(&self, path: &Utf8Path) -> Option<Stamp> {
        let stat = rustix::fs::stat(path.as_std_path()).ok()?;
        Some(Stamp::from_stat(&stat))
    }

    fn read(&self, path: &Utf8Path, limit: u64, lock: Lock) -> Result<Contents, ReadError> {
        let read = || {
            let place = self.root.place_of_file(path)?;
            let _held = self.hold(&place, lock, false);
            read::read(&place.folder, &place.name, limit)
        };
        read().map_err(|it| it.reading(path))
    }

    fn list(&self, dir: &Utf8Path) -> Result<Option<Vec<Entry>>, ReadError> {
        match self.folder(dir).and_then(|it| it.entries()) {
            Ok(entries) => Ok(Some(entries)),
            Err(Obstacle::Absent) => Ok(None),
            Err(obstacle) => Err(obstacle.reading(dir)),
        }
    }

    fn sync(&self) -> Result<(), WriteError> {
        let io = |source| WriteError::Io { path: self.root.given.clone(), source };
        let root = std::fs::File::open(&self.root.real).map_err(io)?;
        rustix::fs::syncfs(&root).map_err(|errno| io(errno.into()))
    }

    fn write(
        &self,
        path: &Utf8Path,
        bytes: &[u8],
        expected: Expected,
        options: WriteOptions,
    ) -> Result<Written, WriteError> {
        let write = || {
            let place = self.root.place_of_file(path)?;
            // A file that is to be created is not being saved by marimo.
            let create = matches!(expected, Expected::Digest(_));
            let _held = self.hold(&place, options.lock, create);
            replace::write(self, &place, bytes, expected, options)
        };
        write().map_err(|it| it.writing(path))
    }

    fn remove(&self, path: &Utf8Path, expected: Digest) -> Result<Option<Displaced>, WriteError> {
        let place = match self.root.place(path) {
            Err(Obstacle::Absent) => return Ok(None),
            place => place,
        };
        place
            .and_then(|place| replace::remove(self, &place, expected))
            .map_err(|it| it.writing(path))
    }

    fn rename(&self, path: &Utf8Path, to: &Utf8Path) -> Result<(), WriteError> {
        let rename = || {
            let from = match self.root.place(path) {
                Err(Obstacle::Absent) => return Ok(()),
                from => from?,
            };
            let new = self.root.place(to)?;
            self.steps.before(Step::Rename, path)?;
            match swap::name_new(&from.folder, &from.name, &new.folder, &new.name) {
                Err(Obstacle::Absent) => Ok(()),
                renamed => renamed,
            }
        };
        rename().map_err(|it: Obstacle| it.writing(to))
    }

    fn create_workdir(&self, dir: &Utf8Path) -> Result<Utf8PathBuf, WriteError> {
        self.folder(dir)
            .and_then(|folder| displaced::open_workdir(&folder, &self.steps))
            .map(|workdir| workdir.path().to_owned())
            .map_err(|it| it.writing(dir))
    }

    fn create_folder(&self, dir: &Utf8Path) -> Result<(), WriteError> {
        self.root.folder_or_new(dir, &self.steps).map(drop).map_err(|it| it.writing(dir))
    }

    fn recheck(&self, displaced: &Displaced) -> Result<Late, ReadError> {
        match self.root.place(&displaced.path) {
            Ok(place) => displaced::recheck(&place.folder, &place.name, displaced.digest),
            Err(Obstacle::Absent) => Ok(Late::Gone),
            Err(obstacle) => Err(obstacle),
        }
        .map_err(|it| it.reading(&displaced.path))
    }

    fn discard(&self, displaced: &Displaced) -> Result<Late, WriteError> {
        let discard = || {
            let place = match self.root.place(&displaced.path) {
                Err(Obstacle::Absent) => return Ok(Late::Gone),
                place => place?,
            };
            let late = displaced::recheck(&place.folder, &place.name, displaced.digest)?;
            if late == Late::Unchanged {
                self.steps.before(Step::Unlink, &displaced.path)?;
                place.folder.unlink(&place.name)?;
            }
            Ok(late)
        };
        discard().map_err(|it: Obstacle| it.writing(&displaced.path))
    }

    fn recover(&self, dir: &Utf8Path) -> Result<Vec<Displaced>, WriteError> {
        match self.folder(dir).and_then(|folder| recover::recover(&folder, &self.steps)) {
            Err(Obstacle::Absent) => Ok(Vec::new()),
            recovered => recovered.map_err(|it| it.writing(dir)),
        }
    }
}

/// Numbers for names, and whoever watches the steps.
#[derive(Default)]
pub(super) struct Steps {
    counter: AtomicU64,
    observer: Option<Arc<dyn Observer>>,
}

impl Steps {
    #[cfg(feature = "faults")]
    fn from_env() -> Self {
        let n = std::env::var("NBSYNC_CRASH_AT").ok().and_then(|it| it.parse().ok());
        let observer = n.map(|n| Arc::new(super::Faults::abort_at(n)) as Arc<dyn Observer>);
        Self { observer, ..Self::default() }
    }

    #[cfg(not(feature = "faults"))]
    fn from_env() -> Self {
        Self::default()
    }

    pub(super) fn next(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn before(&self, step: Step, path: &Utf8Path) -> io::Result<()> {
        self.observer.as_ref().map_or(Ok(()), |it| it.before(step, path))
    }
}

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Steps").field("observed", &self.observer.is_some()).finish_non_exhaustive()
    }
}

impl Entry {
    /// Whether this is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == Kind::File
    }
}
