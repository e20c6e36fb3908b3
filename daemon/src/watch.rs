//! Watches folders, and tells which paths to look at again.
//!
//! An event is a hint, never a fact: by the time it is handled, the file may
//! have changed again, be gone, or be back. Events come twice (at once, and
//! confirmed a moment later), too early, and sometimes not at all, so whoever
//! takes them looks at the disk and decides by content.
//!
//! Folders are watched one by one, those that [`walk`](crate::walk) finds:
//! notify 8's recursive mode can't leave out `.git` or `node_modules`, gives up
//! on a whole tree if one folder in it is unreadable, and misses files in new
//! folders (notify#727). So a new folder has to be watched *first* and walked
//! *then*: what is written between the two is found by one of them.
//!
//! This module and its submodules are the only ones that name `notify`.

mod confirm;
mod file_system;
mod folders;
mod mode;
mod names;
mod translate;

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

pub(crate) use file_system::without_events as polled_file_system;
pub use folders::FolderWatcher;
pub use mode::WatchMode;
pub use names::is_ignored_name;

/// Something that happened in a watched folder. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WatchEvent {
    /// The content of a file may have changed.
    Touched(Utf8PathBuf),
    /// A folder appeared, or became readable: it wants to be watched and walked
    /// at once, because whatever was written into it before gives no event.
    Appeared(Utf8PathBuf),
    /// A file or a folder went. Editors do this in the middle of a save, so it
    /// may be back already.
    Gone(Utf8PathBuf),
    /// jupytext is writing the next version of this file, and maybe the others of its
    /// pair.
    Replacing(Utf8PathBuf),
    /// Events were lost: everything has to be looked at again.
    Overflow,
    /// Watching failed in some way; everything has to be looked at again.
    Failed(String),
}

/// Watches folders, each for itself.
pub trait Watcher: Send {
    /// Starts to watch a folder, given by its absolute path; not what is in the
    /// folders within it.
    ///
    /// Watching a folder again is right after it has been away: the old watch
    /// went with the old folder. A folder that fails leaves the others alone.
    fn watch(&mut self, folder: &Utf8Path) -> Result<(), WatchError>;

    /// Stops watching a folder and those in it. Does nothing if they aren't watched.
    ///
    /// A folder that was renamed keeps its watches, and the system gives no second one for
    /// the new name: so they have to end first.
    fn unwatch(&mut self, folder: &Utf8Path);

    /// How changes are noticed right now.
    fn mode(&self) -> WatchMode;
}

/// Why a folder is not watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The folder went before it could be watched, which happens when folders
    /// come and go. Its parent reports it if it comes back.
    #[error("cannot watch `{folder}`: it is gone")]
    Gone {
        /// The folder.
        folder: Utf8PathBuf,
    },
    /// Something else stands at the path, or a link to a folder.
    #[error("cannot watch `{folder}`: it is not a folder")]
    NotAFolder {
        /// The path.
        folder: Utf8PathBuf,
    },
    /// The system has no watch left, and the configuration forbids to poll.
    #[error("cannot watch `{folder}`: {reason}")]
    Exhausted {
        /// The folder.
        folder: Utf8PathBuf,
        /// What is exhausted, and how to get more of it.
        reason: String,
    },
    /// The system refused, mostly for want of permission.
    #[error("cannot watch `{folder}`")]
    Refused {
        /// The folder.
        folder: Utf8PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No watcher could be started.
    #[error("cannot start watching: {0}")]
    NotStarted(String),
}

#[cfg(test)]
mod tests;
