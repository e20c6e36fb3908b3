//! The real disk, on a folder of its own.

mod crash;
mod locks;
mod race;
mod refuse;
mod replace;
mod stress;

use std::fs;
use std::io;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use super::{
    Disk, Displaced, Expected, Late, Lock, Method, RealDisk, Step, WriteError, WriteOptions,
    Written, displaced_folder,
};
use crate::sync::Digest;

/// A root that is removed in the end.
struct Sandbox {
    _folder: TempDir,
    root: Utf8PathBuf,
}

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().canonicalize_utf8().unwrap();
        Self { _folder: folder, root }
    }

    fn disk(&self) -> RealDisk {
        RealDisk::open(&self.root).unwrap()
    }

    /// A disk that calls `editor` before every step.
    fn disk_with(
        &self,
        editor: impl Fn(Step, &Utf8Path) -> io::Result<()> + Send + Sync + 'static,
    ) -> RealDisk {
        self.disk().with_observer(Arc::new(editor))
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        self.root.join(name)
    }

    /// Saves a file as an editor does, and returns its path.
    fn save(&self, name: &str, text: &str) -> Utf8PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The names directly in the root.
    fn names(&self) -> Vec<String> {
        self.disk().list(&self.root).unwrap().unwrap().into_iter().map(|it| it.name).collect()
    }

    /// The texts in the displaced folder of the root, in the order they came there.
    fn displaced(&self) -> Vec<String> {
        let folder = displaced_folder(&self.path("any"));
        let entries = self.disk().list(&folder).unwrap().unwrap_or_default();
        entries.iter().map(|it| fs::read_to_string(folder.join(&it.name)).unwrap()).collect()
    }
}

fn digest(text: &str) -> Expected {
    Expected::Digest(Digest::of(text.as_bytes()))
}

fn text(path: &Utf8Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Writes `new` where `old` is expected.
fn write(disk: &RealDisk, path: &Utf8Path, old: &str, new: &str) -> Result<Written, WriteError> {
    disk.write(path, new.as_bytes(), digest(old), WriteOptions::default())
}
