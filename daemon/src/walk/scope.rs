//! What holds for the files of one folder.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

use super::git_rules::{self, Layer};
use super::names::{MARIMO_DIR, WORKDIR, is_closed_folder, marks_environment};
use super::{Walker, is_plain};

/// What holds for the files of a folder that is looked at.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    place: Place,
    /// What git ignores here.
    rules: Option<Arc<Layer>>,
}

/// The kinds of folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder of the user.
    Ordinary,
    /// `__marimo__`: marimo's files, none of which is a notebook of the user.
    Marimo,
    /// `__marimo__/nbsync`.
    Workdir,
}

/// What a look into a folder tells about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    pub(super) has_gitignore: bool,
    pub(super) is_environment: bool,
}

impl Scope {
    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn rules(&self) -> Option<&Arc<Layer>> {
        self.rules.as_ref()
    }
}

/// What is known of a folder.
#[derive(Debug, Clone)]
enum Known {
    Open(Scope),
    /// It is left alone.
    Closed,
}

/// The scopes that are known.
#[derive(Debug)]
pub(super) struct Scopes {
    known: Mutex<BTreeMap<Utf8PathBuf, Known>>,
    /// The rules from outside the root.
    above: Option<Arc<Layer>>,
}

impl Scopes {
    pub(super) fn new(above: Option<Arc<Layer>>) -> Self {
        Self { known: Mutex::default(), above }
    }

    pub(super) fn forget(&self, folder: &Utf8Path) {
        let mut known = self.lock();
        if folder.as_str().is_empty() {
            known.clear();
        } else {
            known.retain(|path, _| !path.starts_with(folder));
        }
    }

    fn get(&self, folder: &Utf8Path) -> Option<Known> {
        self.lock().get(folder).cloned()
    }

    fn put(&self, folder: &Utf8Path, scope: Option<&Scope>) {
        let known = scope.map_or(Known::Closed, |scope| Known::Open(scope.clone()));
        self.lock().insert(folder.to_owned(), known);
    }

    /// Each entry stands for itself, so one that was being made when somebody
    /// panicked does no harm.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Utf8PathBuf, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Walker {
    /// Returns what holds in a folder, or `None` if it is left alone.
    pub(super) fn scope(&self, folder: &Utf8Path) -> Option<Scope> {
        match self.scopes.get(folder) {
            Some(Known::Open(scope)) => return Some(scope),
            Some(Known::Closed) => return None,
            None => (),
        }
        if !is_plain(folder) {
            return None;
        }
        // From the root down: a folder is only as open as those above it.
        let mut folders: Vec<_> = folder.ancestors().collect();
        folders.reverse();
        let mut parent = None;
        for folder in folders {
            parent = match self.scopes.get(folder) {
                Some(Known::Open(scope)) => Some(scope),
                Some(Known::Closed) => return None,
                None => Some(self.look_at(folder, parent.as_ref())?),
            };
        }
        parent
    }

    /// Looks at a folder whose scope isn't known. `parent` is `None` for the root.
    fn look_at(&self, folder: &Utf8Path, parent: Option<&Scope>) -> Option<Scope> {
        let path = self.absolute(folder);
        // Said of a folder that isn't there (yet), nothing of this would last.
        let metadata = path.symlink_metadata().ok()?;
        if !metadata.is_dir() && parent.is_some() {
            return None;
        }
        let has = |name| path.join(name).symlink_metadata().is_ok();
        let marks = Marks {
            has_gitignore: has(".gitignore"),
            is_environment: has("pyvenv.cfg") || has("conda-meta"),
        };
        self.enter(folder, parent, marks)
    }

    /// Decides about a folder that is there, and remembers it.
    pub(super) fn enter(
        &self,
        folder: &Utf8Path,
        parent: Option<&Scope>,
        marks: Marks,
    ) -> Option<Scope> {
        let scope = match (parent, folder.file_name()) {
            (Some(parent), Some(name)) => self.step(parent, folder, name, marks),
            // The root is what the user has named, whatever it is.
            _ => Some(self.ordinary(folder, self.scopes.above.clone(), marks)),
        };
        self.scopes.put(folder, scope.as_ref());
        scope
    }

    /// Whether the name of a folder keeps it closed, before a look into it.
    pub(super) fn is_closed(&self, parent: &Scope, folder: &Utf8Path) -> bool {
        let Some(name) = folder.file_name() else { return false };
        match parent.place {
            Place::Workdir => true,
            Place::Marimo => name != WORKDIR,
            // Even where git ignores it, as it should.
            Place::Ordinary if name == MARIMO_DIR => false,
            Place::Ordinary => {
                let path = self.absolute(folder);
                is_closed_folder(name)
                    || Layer::ignores(parent.rules(), &path, true)
                    || self.exclude.matches(&path, true)
            }
        }
    }

    fn step(&self, parent: &Scope, folder: &Utf8Path, name: &str, marks: Marks) -> Option<Scope> {
        if self.is_closed(parent, folder) {
            return None;
        }
        match parent.place {
            Place::Workdir => None,
            Place::Marimo => Some(Scope { place: Place::Workdir, rules: None }),
            Place::Ordinary if name == MARIMO_DIR => {
                Some(Scope { place: Place::Marimo, rules: None })
            }
            Place::Ordinary if marks.is_environment => None,
            Place::Ordinary => Some(self.ordinary(folder, parent.rules.clone(), marks)),
        }
    }

    fn ordinary(&self, folder: &Utf8Path, above: Option<Arc<Layer>>, marks: Marks) -> Scope {
        let rules = if self.gitignore && marks.has_gitignore {
            git_rules::of_folder(&self.absolute(folder), above)
        } else {
            above
        };
        Scope { place: Place::Ordinary, rules }
    }
}

impl Marks {
    /// What the names in a folder tell about it.
    pub(super) fn of_names<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut res = Self { has_gitignore: false, is_environment: false };
        for name in names {
            res.has_gitignore |= name == ".gitignore";
            res.is_environment |= marks_environment(name);
        }
        res
    }
}
