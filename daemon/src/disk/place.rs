//! Finds the folder and the name of a path, without leaving the root.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::error::Obstacle;
use super::folder::Folder;
use super::real::Steps;
use super::stamp::{Kind, Stamp};

/// An open folder and a name in it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: Folder,
    pub(super) name: String,
}

/// The folder that everything has to stay in.
#[derive(Debug)]
pub(super) struct Root {
    /// As it was named by the user.
    pub(super) given: Utf8PathBuf,
    /// Without symbolic links.
    pub(super) real: Utf8PathBuf,
    /// Device and inode, to notice that something else was mounted or made there.
    pub(super) identity: (u64, u64),
}

impl Root {
    pub(super) fn open(given: &Utf8Path) -> Result<Self, Obstacle> {
        let real = given.canonicalize_utf8()?;
        let stamp = Folder::open(&real)?.own_stamp()?;
        Ok(Self { given: given.to_owned(), real, identity: (stamp.dev, stamp.ino) })
    }

    /// Opens the folder that `path` names.
    pub(super) fn folder(&self, path: &Utf8Path) -> Result<Folder, Obstacle> {
        self.descend(path, Folder::child)
    }

    /// Opens the folder that `path` names, and makes what is missing on the way.
    pub(super) fn folder_or_new(&self, path: &Utf8Path, steps: &Steps) -> Result<Folder, Obstacle> {
        self.descend(path, |folder, name| folder.child_or_new(name, None, steps))
    }

    fn descend(
        &self,
        path: &Utf8Path,
        child: impl Fn(&Folder, &str) -> Result<Folder, Obstacle>,
    ) -> Result<Folder, Obstacle> {
        let mut folder = Folder::open(&self.real)?;
        let stamp = folder.own_stamp()?;
        if (stamp.dev, stamp.ino) != self.identity {
            // Unmounted, or made anew. Writing there would mix two trees.
            return Err(Obstacle::Outside);
        }
        for component in self.below(path)?.components() {
            let Utf8Component::Normal(name) = component else { return Err(Obstacle::Outside) };
            folder = child(&folder, name)?;
        }
        Ok(folder)
    }

    /// Opens the folder that `path` lies in.
    pub(super) fn place(&self, path: &Utf8Path) -> Result<Place, Obstacle> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Obstacle::Outside);
        };
        if self.below(path)?.as_str().is_empty() {
            return Err(Obstacle::Outside);
        }
        Ok(Place { folder: self.folder(parent)?, name: name.to_owned() })
    }

    /// Opens the folder of the file that `path` stands for: its own, or if it is a
    /// symbolic link, that of the file that the link leads to.
    pub(super) fn place_of_file(&self, path: &Utf8Path) -> Result<Place, Obstacle> {
        let place = self.place(path)?;
        match place.stamp()? {
            Some(Stamp { kind: Kind::Symlink, .. }) => {}
            _ => return Ok(place),
        }
        let target = place.path().canonicalize_utf8().map_err(|_| Obstacle::NotAFile)?;
        // Refuses a target outside the root, and `O_NOFOLLOW` a link that appears only now.
        self.place(&target)
    }

    fn below<'a>(&self, path: &'a Utf8Path) -> Result<&'a Utf8Path, Obstacle> {
        path.strip_prefix(&self.real)
            .or_else(|_| path.strip_prefix(&self.given))
            .map_err(|_| Obstacle::Outside)
    }
}

impl Place {
    /// The path, without symbolic links.
    pub(super) fn path(&self) -> Utf8PathBuf {
        self.folder.path().join(&self.name)
    }

    pub(super) fn stamp(&self) -> Result<Option<Stamp>, Obstacle> {
        self.folder.stamp(&self.name)
    }
}
