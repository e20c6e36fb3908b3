//! What the engine asks about the tree below a root, beside its files.

use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};

use crate::config::jupytext::JupytextConfigs;
use crate::dirs::Dirs;
use crate::git::{self, GitOperation};
use crate::walk::{Walk, Walker};

/// The folders of a root, and the rules for what in them is looked at.
///
/// Paths are relative to the root unless they say otherwise; the root is the empty path.
pub(crate) trait Tree: Send + Sync {
    /// The root, as an absolute path.
    fn root(&self) -> &Utf8Path;

    /// Walks a folder and what is in it, and reads its rules anew.
    fn walk_below(&self, folder: &Utf8Path) -> Walk;

    /// Whether a folder is looked at.
    fn admits_folder(&self, folder: &Utf8Path) -> bool;

    /// Whether a file would be a candidate if it were there.
    fn admits_file(&self, path: &Utf8Path) -> bool;

    /// Whether the configuration says to leave a file alone.
    fn is_excluded(&self, _path: &Utf8Path) -> bool {
        false
    }

    /// Why a file that a notebook names as its pair is not touched, if it isn't.
    ///
    /// Names come from files that anybody may have written. What git ignores counts, as
    /// many teams have only one file of each pair in git.
    fn refuses_member(&self, path: &Utf8Path) -> Option<&'static str> {
        let is_hidden = path.iter().any(|name| name.starts_with('.'));
        is_hidden.then_some("it is hidden")
    }

    /// Whether there is a file that may be a notebook.
    fn is_candidate(&self, path: &Utf8Path) -> bool;

    /// Forgets what was read of the rules of a folder and the folders in it.
    fn forget(&self, folder: &Utf8Path);

    /// Returns what git is doing to the files.
    fn git_operation(&self) -> Option<GitOperation>;

    /// Returns when git last moved its `HEAD`, after it had written the files.
    fn git_moved_at(&self) -> Option<SystemTime> {
        None
    }

    /// Returns the configurations of jupytext in the folders of this tree and above it.
    fn jupytext(&self, _dirs: &Dirs) -> JupytextConfigs {
        JupytextConfigs::none()
    }

    /// Returns an absolute path relative to the root, or `None` if it is not below.
    fn relative<'a>(&self, path: &'a Utf8Path) -> Option<&'a Utf8Path> {
        path.strip_prefix(self.root()).ok()
    }

    /// Returns the absolute path of one that is relative to the root.
    fn absolute(&self, path: &Utf8Path) -> Utf8PathBuf {
        // Joining nothing would add a slash.
        if path.as_str().is_empty() { self.root().to_owned() } else { self.root().join(path) }
    }
}

impl Tree for Walker {
    fn root(&self) -> &Utf8Path {
        self.root()
    }

    fn walk_below(&self, folder: &Utf8Path) -> Walk {
        self.walk_below(folder)
    }

    fn admits_folder(&self, folder: &Utf8Path) -> bool {
        self.admits_folder(folder)
    }

    fn admits_file(&self, path: &Utf8Path) -> bool {
        self.admits_file(path)
    }

    fn is_excluded(&self, path: &Utf8Path) -> bool {
        self.is_excluded(path)
    }

    fn refuses_member(&self, path: &Utf8Path) -> Option<&'static str> {
        self.refuses_member(path)
    }

    fn is_candidate(&self, path: &Utf8Path) -> bool {
        self.is_candidate(path)
    }

    fn forget(&self, folder: &Utf8Path) {
        self.forget(folder);
    }

    fn git_operation(&self) -> Option<GitOperation> {
        git::operation_in_progress(self.root())
    }

    fn git_moved_at(&self) -> Option<SystemTime> {
        git::head_moved_at(self.root())
    }

    fn jupytext(&self, dirs: &Dirs) -> JupytextConfigs {
        JupytextConfigs::new(dirs)
    }
}
