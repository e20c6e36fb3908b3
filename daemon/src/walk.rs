//! Finds the folders to watch and the files that may be notebooks.
//!
//! Whether a file *is* a notebook is for its content to say. This module goes by
//! names alone, and reads nothing but folders and `.gitignore`.
//!
//! An event asks about one path at a time, so the same rules answer for a single
//! path ([`Walker::is_candidate`]) and for a tree ([`Walker::walk`]). Paths are
//! relative to the root unless they say otherwise; the root is the empty path.

mod descend;
mod explain;
mod git_rules;
mod link;
mod member;
mod names;
mod scope;

use std::io;
use std::path::PathBuf;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use crate::config::{Config, Patterns};
use crate::dirs::Dirs;
use crate::watch::is_ignored_name;
use git_rules::Layer;
use scope::{Place, Scope, Scopes};

pub use explain::{FolderReason, LeftAlone};
pub use names::{MARIMO_DIR, WORKDIR, has_candidate_extension};

/// What a walk found. All lists are in the order of the walk, which is that of
/// the names.
#[derive(Debug, Default)]
pub struct Walk {
    /// Folders to watch, parents first.
    pub folders: Vec<Utf8PathBuf>,
    /// Files that may be notebooks.
    pub candidates: Vec<Utf8PathBuf>,
    /// For each candidate that is a symbolic link, the file that it stands for. A
    /// save through the link is an event in the folder of that file.
    pub links: Vec<Link>,
    /// What looks like a notebook but is left alone.
    pub skipped: Vec<Skipped>,
    /// Folders that can't be read.
    pub unreadable: Vec<Unreadable>,
}

/// A candidate that is a symbolic link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The link.
    pub path: Utf8PathBuf,
    /// The file that it stands for, also relative to the root.
    pub target: Utf8PathBuf,
}

/// Something that looks like a notebook but is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file or folder.
    pub path: Utf8PathBuf,
    /// Why.
    pub reason: SkipReason,
}

/// Why something that looks like a notebook is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// Its file could be anybody's.
    #[error("a link that leads out of the root")]
    LinkOutside,
    /// There is no file at its end.
    #[error("a broken link")]
    LinkBroken,
    /// One file would be in two pairings.
    #[error("a link to a notebook that is synced itself")]
    LinkToCandidate,
    /// It could lead out of the root, or in a circle.
    #[error("a link to a folder")]
    LinkToFolder,
    /// Reading a pipe or a device may never end.
    #[error("not a regular file")]
    NotAFile,
    /// Paths go into messages and stored records as text.
    #[error("its name is not UTF-8")]
    NotUtf8,
}

/// A folder that can't be read.
#[derive(Debug)]
pub struct Unreadable {
    /// The folder.
    pub folder: Utf8PathBuf,
    /// What the system said.
    pub error: io::Error,
}

/// Knows which folders and files of a root are looked at.
///
/// Keeps what it has read of `.gitignore`s until it is told to [`forget`](Self::forget).
#[derive(Debug)]
pub struct Walker {
    root: Utf8PathBuf,
    /// The root without symbolic links, to compare ends of links with.
    real_root: PathBuf,
    include: Patterns,
    exclude: Patterns,
    gitignore: bool,
    scopes: Scopes,
}

impl Walker {
    /// Makes a walker of a root, given by its absolute path.
    pub fn new(root: &Utf8Path, config: &Config, dirs: &Dirs) -> io::Result<Self> {
        let above = if config.gitignore {
            git_rules::above(root, dirs.git_excludes.as_deref())
        } else {
            None
        };
        Ok(Self {
            root: root.to_owned(),
            real_root: root.as_std_path().canonicalize()?,
            include: config.include.clone(),
            exclude: config.exclude.clone(),
            gitignore: config.gitignore,
            scopes: Scopes::new(above),
        })
    }

    /// The root, as an absolute path.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Returns an absolute path relative to the root, or `None` if it is not below.
    pub fn relative<'a>(&self, path: &'a Utf8Path) -> Option<&'a Utf8Path> {
        path.strip_prefix(&self.root).ok()
    }

    /// Returns the absolute path of one that is relative to the root.
    pub fn absolute(&self, path: &Utf8Path) -> Utf8PathBuf {
        // Joining nothing would add a slash.
        if path.as_str().is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    /// Walks the whole root, and reads all rules anew.
    pub fn walk(&self) -> Walk {
        self.walk_below(Utf8Path::new(""))
    }

    /// Walks a folder and what is in it, and reads its rules anew. Finds nothing if
    /// the folder is one that is left alone.
    pub fn walk_below(&self, folder: &Utf8Path) -> Walk {
        self.forget(folder);
        descend::descend(self, folder)
    }

    /// Whether a folder is looked at. Reads the folders above it if need be.
    pub fn admits_folder(&self, folder: &Utf8Path) -> bool {
        self.scope(folder).is_some()
    }

    /// Whether a file would be a candidate if it were there.
    pub fn admits_file(&self, path: &Utf8Path) -> bool {
        let (Some(name), Some(folder)) = (path.file_name(), path.parent()) else { return false };
        // The name first: most events are about other files.
        may_be_candidate(name) && self.scope(folder).is_some_and(|scope| self.admits(&scope, path))
    }

    /// Whether there is a file that may be a notebook, as [`walk`](Self::walk)
    /// would find it.
    pub fn is_candidate(&self, path: &Utf8Path) -> bool {
        if !self.admits_file(path) {
            return false;
        }
        match self.absolute(path).symlink_metadata() {
            Ok(metadata) if metadata.is_symlink() => link::resolve(self, path).is_ok(),
            Ok(metadata) => metadata.is_file(),
            Err(_) => false,
        }
    }

    /// Forgets what was read of the rules of a folder and the folders in it,
    /// because the folder went, or a `.gitignore` in it changed.
    ///
    /// What was left alone may be wanted now: a walk should follow.
    pub fn forget(&self, folder: &Utf8Path) {
        self.scopes.forget(folder);
    }

    /// Whether a file in an admitted folder follows the rules for names. `scope` is
    /// that of its folder.
    fn admits(&self, scope: &Scope, path: &Utf8Path) -> bool {
        match scope.place() {
            Place::Marimo => false,
            // What is in there is ours, whatever the rules for notebooks say.
            Place::Workdir => true,
            Place::Ordinary => {
                let path = self.absolute(path);
                !Layer::ignores(scope.rules(), &path, false)
                    && !self.exclude.matches(&path, false)
                    && (self.include.is_empty() || self.include.matches_file_or_parent(&path))
            }
        }
    }
}

/// Whether a name is that of a file that may be a notebook. Hidden files are not.
fn may_be_candidate(name: &str) -> bool {
    !name.starts_with('.') && has_candidate_extension(name) && !is_ignored_name(name)
}

/// Whether a path stays where it seems to be.
fn is_plain(path: &Utf8Path) -> bool {
    path.components().all(|it| matches!(it, Utf8Component::Normal(_)))
}

#[cfg(test)]
mod tests;
