//! How the engine touches files.
//!
//! [`Disk`] is all that the rest of the crate sees of the file system.
//! [`RealDisk`] writes notebooks so that no editor's save is ever lost, and
//! [`MemoryDisk`] runs a day of edits, faults and crashes in a millisecond.
//!
//! **Invariant:** a name holds either its complete old text or its complete new
//! text, at any moment and after any crash. (Files with several hard links, and
//! single-file mounts, can only be written in place; that is the exception.)
//!
//! **Invariant:** bytes that are replaced or removed are never unlinked in the same
//! step. They are moved to the displaced folder, where the engine finds what an
//! editor saved at the very moment of the write, and what one wrote later through a
//! file that it still had open.
//!
//! **Invariant:** nothing outside the root is read or written, whatever symbolic
//! links say, and however they change meanwhile.
//!
//! Only the modules below this one name `rustix`.

mod attributes;
mod displaced;
mod error;
mod folder;
mod in_place;
mod lock;
mod memory;
mod observer;
mod place;
mod read;
mod real;
mod recover;
mod replace;
mod stamp;
mod swap;
mod temp;
#[cfg(test)]
mod tests;

use camino::{Utf8Path, Utf8PathBuf};

use crate::sync::Digest;

pub use displaced::{DISPLACED, Displaced, WORKDIR, displaced_folder, workdir};
pub use error::{ReadError, WriteError};
pub use lock::{Lock, notebook_locks};
pub use memory::{LookObserver, MemoryDisk, OpenFile};
pub use observer::{Crashed, Faults, Observer, Step};
pub use real::RealDisk;
pub use stamp::{Kind, Stamp};
pub use swap::Method;
pub use temp::is_temp;

/// The files below one root.
///
/// Paths are absolute and lie below the root. A folder on the way that is a
/// symbolic link is refused. A notebook that is one stands for the file that it
/// leads to, as long as that lies below the root too.
pub trait Disk: Send + Sync {
    /// Returns the root, as it was named when the disk was opened.
    fn root(&self) -> &Utf8Path;

    /// Returns what the system knows about a file without reading it, `None` if
    /// there is none.
    ///
    /// A link that cannot be followed (dangling, or out of the root) has
    /// [`Kind::Symlink`].
    fn stamp(&self, path: &Utf8Path) -> Result<Option<Stamp>, ReadError>;

    /// Returns what [`stamp`](Self::stamp) would, as cheaply as can be, `None` if there is
    /// nothing or it can't be told.
    ///
    /// The way to the file is not checked, so this only says whether to look.
    fn glance(&self, path: &Utf8Path) -> Option<Stamp> {
        self.stamp(path).ok().flatten()
    }

    /// Reads a regular file of at most `limit` bytes.
    ///
    /// The file is looked at before and after; one that changed in between is
    /// [`ReadError::Unstable`].
    fn read(&self, path: &Utf8Path, limit: u64, lock: Lock) -> Result<Contents, ReadError>;

    /// Returns what a folder holds, sorted by name, `None` if there is no such folder.
    ///
    /// Names that are not UTF-8 are left out.
    fn list(&self, dir: &Utf8Path) -> Result<Option<Vec<Entry>>, ReadError>;

    /// Writes `bytes` to `path`, if it holds what is `expected`.
    ///
    /// Anything else there is [`WriteError::Changed`], and nothing is written.
    /// An editor that saves at the same moment is faster or slower than the write:
    /// what it saved is then in [`Written::raced`], or in the file itself.
    /// Equal bytes are not written again.
    fn write(
        &self,
        path: &Utf8Path,
        bytes: &[u8],
        expected: Expected,
        options: WriteOptions,
    ) -> Result<Written, WriteError>;

    /// Moves the file at `path` to the displaced folder, if it holds what is `expected`.
    ///
    /// Returns `None` if there was no file.
    fn remove(&self, path: &Utf8Path, expected: Digest) -> Result<Option<Displaced>, WriteError>;

    /// Gives a file another name, whatever it holds.
    ///
    /// A name that something has already is [`WriteError::Changed`]. Does nothing if there is no
    /// such file.
    fn rename(&self, path: &Utf8Path, to: &Utf8Path) -> Result<(), WriteError>;

    /// Makes the folder for the shadows of the notebooks in `dir`, with a `.gitignore`
    /// of its own, and returns its path.
    fn create_workdir(&self, dir: &Utf8Path) -> Result<Utf8PathBuf, WriteError>;

    /// Makes a folder of the user's and those above it, as far as they are missing.
    fn create_folder(&self, dir: &Utf8Path) -> Result<(), WriteError>;

    /// Looks whether somebody wrote to a displaced file after it was displaced.
    ///
    /// An editor that had the file open when it was exchanged saves into the
    /// displaced file. So this is asked some seconds later, and again by
    /// [`Disk::discard`].
    fn recheck(&self, displaced: &Displaced) -> Result<Late, ReadError>;

    /// Unlinks a displaced file whose bytes are kept elsewhere, unless it changed.
    fn discard(&self, displaced: &Displaced) -> Result<Late, WriteError>;

    /// Returns once everything that was written so far is on the device.
    fn sync(&self) -> Result<(), WriteError>;

    /// Cleans up behind a process that was killed, for the notebooks in `dir`, and
    /// returns every displaced file found there.
    ///
    /// Temporary files of processes that are gone count as displaced, because after
    /// an exchange they hold what an editor saved. A notebook that was moved out and
    /// not replaced yet is moved back.
    fn recover(&self, dir: &Utf8Path) -> Result<Vec<Displaced>, WriteError>;
}

/// What a file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the system said about it while the bytes were read.
    pub stamp: Stamp,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// What it stands for; links are not followed.
    pub kind: Kind,
}

/// What has to be at a path for a write to go ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Absent,
    /// A regular file with these bytes.
    Digest(Digest),
}

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOptions {
    /// Whether the bytes and the name must be on the device when the write returns.
    ///
    /// A shadow that can be made again needs no such wait.
    pub durable: bool,
    /// Another program's lock to hold meanwhile.
    pub lock: Lock,
    /// The permissions of a file that is created. A file that is replaced keeps its own.
    pub mode: u32,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { durable: true, lock: Lock::None, mode: 0o644 }
    }
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file that was written.
    pub stamp: Stamp,
    /// Where the replaced file waits; `None` if a file was created, or written in
    /// place, or had these bytes already.
    pub displaced: Option<Displaced>,
    /// What an editor saved between the last look and the write, if that is not what
    /// was expected.
    ///
    /// It is the user's newest version, and its merge base is what was expected. The
    /// editor may not be done with it: bytes that do not parse are looked at
    /// again with [`Disk::recheck`].
    pub raced: Option<Vec<u8>>,
    /// Whether a power cut may bring the old file back, though the new one was to be durable.
    pub is_unflushed: bool,
}

impl Written {
    /// What is said of a file that had the bytes already.
    fn unchanged(stamp: Stamp) -> Self {
        Self { stamp, displaced: None, raced: None, is_unflushed: false }
    }
}

/// What became of a displaced file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Late {
    /// It holds what it held when it was displaced.
    Unchanged,
    /// Somebody saved into it.
    Changed(Vec<u8>),
    /// It is gone.
    Gone,
}
