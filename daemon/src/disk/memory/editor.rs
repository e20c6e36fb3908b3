//! What a person, an editor or a test does to the files.

use camino::{Utf8Path, Utf8PathBuf};

use super::MemoryDisk;
use crate::disk::Stamp;

/// A file that an editor has open, whatever its name is by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFile(u64);

impl MemoryDisk {
    /// Saves in place: the file stays the same file.
    pub fn save(&self, path: &Utf8Path, bytes: &[u8]) {
        let mut shared = self.shared();
        let inode = if let Some(inode) = shared.state.inode(path) {
            shared.state.fill(inode, bytes);
            inode
        } else {
            shared.state.create(path, bytes, 0o644)
        };
        shared.state.sync(inode);
    }

    /// Saves as a new file that takes the name of the old one.
    pub fn save_by_rename(&self, path: &Utf8Path, bytes: &[u8]) {
        let mut shared = self.shared();
        shared.state.unname(path);
        let inode = shared.state.create(path, bytes, 0o644);
        shared.state.sync(inode);
    }

    /// Opens a file as an editor does that will save later.
    pub fn open(&self, path: &Utf8Path) -> Option<OpenFile> {
        self.shared().state.inode(path).map(OpenFile)
    }

    /// Saves through a file that was opened before.
    pub fn save_open(&self, file: OpenFile, bytes: &[u8]) {
        let mut shared = self.shared();
        shared.state.fill(file.0, bytes);
        shared.state.sync(file.0);
    }

    /// Whether a file that is open is the one that has this name.
    pub fn is_named(&self, file: OpenFile, path: &Utf8Path) -> bool {
        self.shared().state.inode(path) == Some(file.0)
    }

    /// Ends the power: what the daemon wrote and did not flush is there in part or not at
    /// all. What editors wrote is there. `below(n)` is asked for a number below `n`.
    pub fn cut_power(&self, below: &mut dyn FnMut(usize) -> usize) {
        self.shared().state.cut_power(below);
    }

    /// Returns what the system knows of every file, sorted by path.
    pub fn stamps(&self) -> Vec<(Utf8PathBuf, Stamp)> {
        self.shared().state.stamps()
    }

    /// Deletes a file, or everything in a folder.
    pub fn delete(&self, path: &Utf8Path) {
        let mut shared = self.shared();
        for name in shared.state.names_below(path) {
            shared.state.unname(&name);
        }
        shared.state.sync_names();
    }

    /// Renames a file or a folder. A file that had the new name is gone.
    pub fn rename(&self, from: &Utf8Path, to: &Utf8Path) {
        let mut shared = self.shared();
        for name in shared.state.names_below(from) {
            let Ok(rest) = name.strip_prefix(from) else { continue };
            let new = if rest.as_str().is_empty() { to.to_owned() } else { to.join(rest) };
            shared.state.rename(&name, &new);
        }
        shared.state.sync_names();
    }

    /// Returns what a file holds.
    pub fn bytes(&self, path: &Utf8Path) -> Option<Vec<u8>> {
        self.shared().state.contents(path).map(|it| it.bytes)
    }

    /// Returns every file with what it holds, sorted by path: also temporary and displaced ones.
    pub fn files(&self) -> Vec<(Utf8PathBuf, Vec<u8>)> {
        self.shared().state.files()
    }
}
