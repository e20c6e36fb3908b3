//! Why a file is left alone.

use camino::{Utf8Path, Utf8PathBuf};

use super::git_rules::Layer;
use super::names::{MARIMO_DIR, WORKDIR, is_closed_folder, marks_environment};
use super::scope::Place;
use super::{SkipReason, Walker, has_candidate_extension, is_plain, link};
use crate::watch::is_ignored_name;

/// Why a file is not looked at as a notebook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeftAlone {
    /// It is not there.
    #[error("it does not exist")]
    Absent,
    /// It is not below the watched folder.
    #[error("it is not in the watched folder")]
    Outside,
    /// Its name starts with a dot.
    #[error("hidden files are left alone")]
    Hidden,
    /// Editors call their temporary files so.
    #[error("its name is that of an editor's temporary file")]
    Temporary,
    /// No notebook has such an extension.
    #[error("no notebook has this extension")]
    Extension,
    /// A folder on the way is left alone.
    #[error("the folder `{folder}` is left alone: {reason}")]
    Folder {
        /// The folder.
        folder: Utf8PathBuf,
        /// Why.
        reason: FolderReason,
    },
    /// A rule of git ignores it.
    #[error("git ignores it, by `{pattern}` in `{file}`; `gitignore = false` takes such files")]
    GitIgnored {
        /// The rule.
        pattern: String,
        /// Where the rule stands.
        file: Utf8PathBuf,
    },
    /// The configuration excludes it.
    #[error("`exclude` in the configuration names it")]
    Excluded,
    /// The configuration names what to take, and this is not among it.
    #[error("`include` in the configuration does not name it")]
    NotIncluded,
    /// What stands there is no file of its own.
    #[error("it is {0}")]
    Skipped(SkipReason),
}

/// Why a folder is left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FolderReason {
    /// It is not there, or no folder.
    #[error("it is not a folder")]
    NotAFolder,
    /// Links to folders are not followed.
    #[error("links to folders are not followed")]
    Link,
    /// Hidden, or of a package manager or a tool.
    #[error("folders of this name have no notebooks of the user")]
    Name,
    /// It has a `pyvenv.cfg` or `conda-meta`.
    #[error("it is a Python environment")]
    Environment,
    /// marimo's own, but for the shadows.
    #[error("it is marimo's own")]
    Marimo,
    /// A rule of git ignores it.
    #[error("git ignores it, by `{pattern}` in `{file}`; `gitignore = false` takes such folders")]
    GitIgnored {
        /// The rule.
        pattern: String,
        /// Where the rule stands.
        file: Utf8PathBuf,
    },
    /// The configuration excludes it.
    #[error("`exclude` in the configuration names it")]
    Excluded,
}

impl Walker {
    /// Says why a file is not a candidate, or `None` if it is one.
    pub fn explain(&self, path: &Utf8Path) -> Option<LeftAlone> {
        let (Some(name), Some(folder)) = (path.file_name(), path.parent()) else {
            return Some(LeftAlone::Outside);
        };
        if !is_plain(path) {
            return Some(LeftAlone::Outside);
        }
        let absolute = self.absolute(path);
        let Ok(metadata) = absolute.symlink_metadata() else { return Some(LeftAlone::Absent) };
        if let Some(reason) = self.explain_folders(folder) {
            return Some(reason);
        }
        if name.starts_with('.') {
            return Some(LeftAlone::Hidden);
        }
        if is_ignored_name(name) {
            return Some(LeftAlone::Temporary);
        }
        if !has_candidate_extension(name) {
            return Some(LeftAlone::Extension);
        }
        let scope = self.scope(folder)?;
        if scope.place() == Place::Marimo {
            let reason = FolderReason::Marimo;
            return Some(LeftAlone::Folder { folder: folder.to_owned(), reason });
        }
        if scope.place() == Place::Ordinary {
            if let Some((pattern, file)) = Layer::rule(scope.rules(), &absolute, false) {
                return Some(LeftAlone::GitIgnored { pattern, file });
            }
            if self.exclude.matches(&absolute, false) {
                return Some(LeftAlone::Excluded);
            }
            if !self.include.is_empty() && !self.include.matches_file_or_parent(&absolute) {
                return Some(LeftAlone::NotIncluded);
            }
        }
        if metadata.is_symlink() {
            return link::resolve(self, path).err().map(LeftAlone::Skipped);
        }
        (!metadata.is_file()).then_some(LeftAlone::Skipped(SkipReason::NotAFile))
    }

    /// Finds the first folder on the way to a file that is left alone.
    fn explain_folders(&self, folder: &Utf8Path) -> Option<LeftAlone> {
        let mut folders: Vec<&Utf8Path> = folder.ancestors().collect();
        folders.reverse();
        let closed = folders.iter().position(|it| self.scope(it).is_none())?;
        let folder = folders[closed];
        let reason = self.explain_folder(folder, folders.get(closed.wrapping_sub(1)).copied());
        Some(LeftAlone::Folder { folder: folder.to_owned(), reason })
    }

    fn explain_folder(&self, folder: &Utf8Path, parent: Option<&Utf8Path>) -> FolderReason {
        let absolute = self.absolute(folder);
        let name = folder.file_name().unwrap_or_default();
        let parent = parent.and_then(|it| self.scope(it));
        match absolute.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(metadata) if metadata.is_symlink() => return FolderReason::Link,
            _ => return FolderReason::NotAFolder,
        }
        match parent.as_ref().map(super::scope::Scope::place) {
            Some(Place::Marimo) if name != WORKDIR => return FolderReason::Marimo,
            Some(Place::Workdir) => return FolderReason::Marimo,
            _ => {}
        }
        if name != MARIMO_DIR && is_closed_folder(name) {
            return FolderReason::Name;
        }
        let rules = parent.as_ref().and_then(|it| it.rules());
        if let Some((pattern, file)) = Layer::rule(rules, &absolute, true) {
            return FolderReason::GitIgnored { pattern, file };
        }
        if self.exclude.matches(&absolute, true) {
            return FolderReason::Excluded;
        }
        let mut names = absolute.read_dir_utf8().into_iter().flatten().flatten();
        if names.any(|it| marks_environment(it.file_name())) {
            return FolderReason::Environment;
        }
        FolderReason::NotAFolder
    }
}
