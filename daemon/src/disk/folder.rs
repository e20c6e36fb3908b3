//! An open folder: names are looked up in it, whatever happens to its path.

use std::fs::File;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::error::Obstacle;
use super::stamp::{Kind, Stamp};
use super::{Entry, Step};

/// An open folder, and the path that it was opened by.
#[derive(Debug)]
pub(super) struct Folder {
    fd: OwnedFd,
    path: Utf8PathBuf,
}

const OPEN: OFlags =
    OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens a folder whose path has no symbolic links left.
    pub(super) fn open(path: &Utf8Path) -> Result<Self, Obstacle> {
        let fd = rustix::fs::open(path.as_str(), OPEN, Mode::empty())?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Opens a folder in this one; a symbolic link is refused.
    pub(super) fn child(&self, name: &str) -> Result<Self, Obstacle> {
        match rustix::fs::openat(&self.fd, name, OPEN, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path: self.path.join(name) }),
            Err(Errno::NOENT) => Err(Obstacle::Absent),
            // Which of the two a link gives depends on the kernel; ENOTDIR is also what
            // a file gives.
            Err(Errno::LOOP | Errno::NOTDIR) => Err(Obstacle::Outside),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens a folder in this one, and makes it first if it is missing.
    ///
    /// Without a `mode` it gets the permissions of this folder, so that the umask of a
    /// service does not lock a team out.
    pub(super) fn child_or_new(
        &self,
        name: &str,
        mode: Option<u32>,
        steps: &super::real::Steps,
    ) -> Result<Self, Obstacle> {
        match self.child(name) {
            Err(Obstacle::Absent) => {}
            opened => return opened,
        }
        let mode = match mode {
            Some(mode) => mode,
            None => Stamp::from_stat(&rustix::fs::fstat(&self.fd)?).mode & 0o777,
        };
        steps.before(Step::CreateFolder, &self.path.join(name))?;
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o700)) {
            Ok(()) => {
                let made = self.child(name)?;
                rustix::fs::fchmod(&made.fd, Mode::from_raw_mode(mode))?;
                Ok(made)
            }
            Err(Errno::EXIST) => self.child(name),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Describes this folder itself.
    pub(super) fn own_stamp(&self) -> io::Result<Stamp> {
        Ok(Stamp::from_stat(&rustix::fs::fstat(&self.fd)?))
    }

    /// Describes what a name stands for; links are not followed.
    pub(super) fn stamp(&self, name: &str) -> Result<Option<Stamp>, Obstacle> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Stamp::from_stat(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens a regular file. Anything else is refused, and a FIFO does not block.
    pub(super) fn open_file(&self, name: &str, access: OFlags) -> Result<(File, Stamp), Obstacle> {
        // Opening a device may have effects of its own, so the name is looked at first.
        match self.stamp(name)? {
            None => return Err(Obstacle::Absent),
            Some(stamp) if stamp.kind != Kind::File => return Err(Obstacle::NotAFile),
            Some(_) => {}
        }
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Err(Obstacle::Absent),
            Err(Errno::LOOP | Errno::NXIO) => return Err(Obstacle::NotAFile),
            Err(errno) => return Err(errno.into()),
        };
        let stamp = Stamp::from_stat(&rustix::fs::fstat(&fd)?);
        if stamp.kind == Kind::File { Ok((File::from(fd), stamp)) } else { Err(Obstacle::NotAFile) }
    }

    /// Makes a file with a name that nothing has.
    pub(super) fn create_file(&self, name: &str, mode: u32) -> Result<File, Errno> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(mode))?;
        Ok(File::from(fd))
    }

    pub(super) fn rename(&self, from: &str, to: &Self, name: &str) -> Result<(), Errno> {
        rustix::fs::renameat(&self.fd, from, &to.fd, name)
    }

    /// Renames to a name that nothing has, or fails with `EXIST`.
    pub(super) fn rename_to_new(&self, from: &str, to: &Self, name: &str) -> Result<(), Errno> {
        rustix::fs::renameat_with(&self.fd, from, &to.fd, name, RenameFlags::NOREPLACE)
    }

    /// Exchanges two names of this folder in one step.
    pub(super) fn exchange(&self, first: &str, second: &str) -> Result<(), Errno> {
        rustix::fs::renameat_with(&self.fd, first, &self.fd, second, RenameFlags::EXCHANGE)
    }

    /// Gives a file a second name that nothing has, or fails with `EXIST`.
    pub(super) fn link(&self, from: &str, to: &Self, name: &str) -> Result<(), Errno> {
        rustix::fs::linkat(&self.fd, from, &to.fd, name, AtFlags::empty())
    }

    pub(super) fn unlink(&self, name: &str) -> Result<(), Errno> {
        rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())
    }

    /// Flushes the names of this folder to the device.
    pub(super) fn sync(&self) -> Result<(), Errno> {
        match rustix::fs::fsync(&self.fd) {
            // Some network file systems have no such thing.
            Err(Errno::INVAL) | Ok(()) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Returns the names of this folder, sorted, without those that are not UTF-8.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, Obstacle> {
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if matches!(name, "." | "..") {
                continue;
            }
            let kind = match entry.file_type() {
                // Some file systems do not say.
                rustix::fs::FileType::Unknown => match self.stamp(name)? {
                    Some(stamp) => stamp.kind,
                    None => continue,
                },
                file_type => Kind::from_type(file_type),
            };
            entries.push(Entry { name: name.to_owned(), kind });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
