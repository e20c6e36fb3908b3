//! The tree of a memory disk.

use std::sync::{Arc, Mutex};

use camino::Utf8Path;

use crate::disk::{Disk, Kind, MemoryDisk};
use crate::git::GitOperation;
use crate::tree::Tree;
use crate::walk::{Walk, has_candidate_extension};

/// The tree of a memory disk. Knows no `.gitignore`.
pub(crate) struct MemoryTree {
    pub(crate) disk: MemoryDisk,
    pub(crate) git: Arc<Mutex<Option<GitOperation>>>,
}

impl MemoryTree {
    fn walk(&self, folder: &Utf8Path, walk: &mut Walk) {
        let Ok(Some(entries)) = self.disk.list(&self.absolute(folder)) else { return };
        walk.folders.push(folder.to_owned());
        for entry in entries {
            let path = folder.join(&entry.name);
            if entry.kind == Kind::Folder {
                if self.admits_folder(&path) {
                    self.walk(&path, walk);
                }
            } else if self.admits_file(&path) {
                walk.candidates.push(path);
            }
        }
    }
}

impl Tree for MemoryTree {
    fn root(&self) -> &Utf8Path {
        self.disk.root()
    }

    fn walk_below(&self, folder: &Utf8Path) -> Walk {
        let mut walk = Walk::default();
        if self.admits_folder(folder) {
            self.walk(folder, &mut walk);
        }
        walk
    }

    fn admits_folder(&self, folder: &Utf8Path) -> bool {
        let is_hidden = folder.iter().any(|name| name.starts_with('.'));
        let mut names = folder.iter().skip_while(|name| *name != "__marimo__").skip(1);
        !is_hidden && names.next().is_none_or(|name| name == "nbsync")
    }

    fn admits_file(&self, path: &Utf8Path) -> bool {
        let (Some(name), Some(folder)) = (path.file_name(), path.parent()) else { return false };
        !name.starts_with('.')
            && has_candidate_extension(name)
            && !folder.ends_with("__marimo__")
            && self.admits_folder(folder)
    }

    fn is_candidate(&self, path: &Utf8Path) -> bool {
        let stamp = self.disk.stamp(&self.absolute(path)).ok().flatten();
        self.admits_file(path) && stamp.is_some_and(|stamp| stamp.kind == Kind::File)
    }

    fn forget(&self, _folder: &Utf8Path) {}

    fn git_operation(&self) -> Option<GitOperation> {
        *self.git.lock().unwrap()
    }
}
