//! Files that a notebook names as its pairs.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::names::{MARIMO_DIR, is_closed_folder};
use super::{Walker, is_ignored_name, is_plain};

impl Walker {
    /// Whether the configuration says to leave a file alone.
    pub fn is_excluded(&self, path: &Utf8Path) -> bool {
        let path = self.absolute(path);
        let is_included = self.include.is_empty() || self.include.matches_file_or_parent(&path);
        !is_included || self.exclude.matches_file_or_parent(&path)
    }

    /// Why a file that a notebook names as its pair is not touched, if it isn't.
    ///
    /// The name comes from a file that anybody may have written.
    pub fn refuses_member(&self, path: &Utf8Path) -> Option<&'static str> {
        if !is_plain(path) {
            return Some("it is outside of the watched folder");
        }
        let Some(name) = path.file_name() else { return Some("it has no name") };
        if name.starts_with('.') || is_ignored_name(name) {
            return Some("it is hidden");
        }
        let mut above = Utf8PathBuf::new();
        for component in path.parent()?.components() {
            let Utf8Component::Normal(name) = component else { return None };
            above.push(name);
            if name == MARIMO_DIR || is_closed_folder(name) {
                return Some("it is hidden, or in a folder that is left alone");
            }
            let folder = self.absolute(&above);
            if self.exclude.matches(&folder, true) {
                return Some("the configuration excludes it");
            }
            if folder.is_symlink() {
                return Some("the way to it has a symbolic link");
            }
        }
        let file = self.absolute(path);
        if self.exclude.matches(&file, false) {
            return Some("the configuration excludes it");
        }
        file.is_symlink().then_some("it is a symbolic link")
    }
}
