//! Puts a new file in the place of an old one, in the ways that file systems offer.
//!
//! Reading a file, comparing it and then renaming over it loses the save that comes in
//! between, however short that is; against an editor that saves by renaming, one in
//! four of the saves that come at the same moment. So the old file is never renamed
//! over, if that can be avoided: it is taken out first, in one step, and then looked at.

use std::time::Duration;

use rustix::io::Errno;

use super::displaced::{self, Displaced};
use super::error::Obstacle;
use super::folder::Folder;
use super::place::Place;
use super::real::{RealDisk, Steps};
use super::temp::{Temp, temp_name};
use super::{Step, read};
use crate::sync::Digest;

/// How files of one file system are replaced, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// The notebook and the new file are exchanged (`renameat2`, `RENAME_EXCHANGE`). The
    /// notebook's name always exists.
    Exchange,
    /// The notebook is moved out, and the new file gets the free name unless somebody
    /// took it meanwhile. The name is absent for microseconds.
    ///
    /// Where `RENAME_EXCHANGE` is missing (NFS, some FUSE). A hard link to the old file and
    /// a rename over it would keep the name in place, but loses a save by renaming that
    /// comes between the two.
    MoveOut,
    /// The old file is copied, compared once more and renamed over. A save at the very
    /// same moment may be lost.
    ///
    /// Where there are no hard links either (exFAT through FUSE).
    RenameOver,
}

/// How long a file that somebody is saving has to stand still, and how often it is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);
const MAX_LOOKS: usize = 25;

/// The new file is in place. This is what was there.
pub(super) struct Swapped {
    pub(super) displaced: Displaced,
    /// `None` if it could not be read; it is looked at again later.
    pub(super) content: Option<Vec<u8>>,
}

pub(super) fn exchange(
    disk: &RealDisk,
    place: &Place,
    temp: &mut Temp<'_>,
    expected: Digest,
    keep: Option<&Folder>,
) -> Result<Swapped, Obstacle> {
    let Place { folder, name } = place;
    if let Err(error) = disk.steps.before(Step::Exchange, &place.path()) {
        return Err(match error.raw_os_error() {
            Some(errno) => Obstacle::unsupported_or(Errno::from_raw_os_error(errno)),
            None => error.into(),
        });
    }
    temp.release();
    // The notebook first: then the last event names the notebook, and other tools
    // notice. The other way round VS Code's watcher reports nothing.
    if let Err(errno) = folder.exchange(name, &temp.name) {
        temp.take_back();
        return Err(match errno {
            Errno::NOENT => Obstacle::changed(),
            errno => Obstacle::unsupported_or(errno),
        });
    }
    disk.steps.before(Step::Inspect, &place.path())?;
    let content = match what_came_out(folder, &temp.name, expected) {
        Ok(content) => Some(content),
        Err(Obstacle::NotAFile) => return Err(exchange_back(disk, place, temp, keep)),
        Err(_) => None,
    };
    let digest = content.as_deref().map_or(expected, Digest::of);
    let displaced = displaced::keep(folder, &temp.name, name, keep, digest, &disk.steps)?;
    Ok(Swapped { displaced, content })
}

/// Reads a file that was just displaced.
///
/// One that is not what was expected is being saved right now, perhaps by an editor that
/// has emptied it and not yet written. So it is read until it stands still for a moment; an
/// editor that takes longer is found by [`Disk::recheck`](super::Disk::recheck).
fn what_came_out(folder: &Folder, name: &str, expected: Digest) -> Result<Vec<u8>, Obstacle> {
    let mut content = read::read_anyhow(folder, name)?;
    if Digest::of(&content) == expected {
        return Ok(content);
    }
    for _ in 0..MAX_LOOKS {
        std::thread::sleep(BETWEEN_LOOKS);
        let now = read::read_anyhow(folder, name)?;
        let stands_still = now == content && !now.is_empty();
        content = now;
        if stands_still {
            break;
        }
    }
    Ok(content)
}

/// Gives the name back to a folder or a link that somebody put there at the last moment.
fn exchange_back(
    disk: &RealDisk,
    place: &Place,
    temp: &mut Temp<'_>,
    keep: Option<&Folder>,
) -> Obstacle {
    let Place { folder, name } = place;
    let again = || {
        folder.exchange(name, &temp.name)?;
        if folder.stamp(&temp.name)?.map(|it| it.ino) == Some(temp.stamp()?.ino) {
            return Ok(None);
        }
        // Saved once more meanwhile.
        let digest = Digest::of(&read::read_anyhow(folder, &temp.name)?);
        displaced::keep(folder, &temp.name, name, keep, digest, &disk.steps).map(Some)
    };
    match again() {
        Ok(None) => {
            temp.take_back();
            Obstacle::NotAFile
        }
        Ok(Some(displaced)) => Obstacle::Changed(Some(Box::new(displaced))),
        Err(obstacle) => obstacle,
    }
}

pub(super) fn move_out(
    disk: &RealDisk,
    place: &Place,
    temp: &mut Temp<'_>,
    expected: Digest,
    keep: &Folder,
) -> Result<Swapped, Obstacle> {
    let Place { folder, name } = place;
    let kept = displaced::kept_name(folder, name, &disk.steps);
    let out = displaced::moved_out_name(&kept);
    disk.steps.before(Step::MoveOut, &place.path())?;
    match folder.rename(name, keep, &out) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Err(Obstacle::changed()),
        Err(Errno::XDEV) => return Err(Obstacle::Unsupported),
        Err(errno) => return Err(errno.into()),
    }
    let placed = disk.steps.before(Step::Place, &place.path()).map_err(Obstacle::from);
    let placed = match placed.and_then(|()| put(place, temp)) {
        Ok(()) => true,
        // An editor took the name. What it saved is newer than all else.
        Err(Obstacle::Changed(_)) => false,
        Err(obstacle) => {
            put_back(keep, &out, folder, name)?;
            return Err(obstacle);
        }
    };
    disk.steps.before(Step::Inspect, &place.path())?;
    let content = what_came_out(keep, &out, expected).ok();
    disk.steps.before(Step::Keep, &keep.path().join(&out))?;
    keep.rename(&out, keep, &kept)?;
    let displaced = Displaced {
        path: keep.path().join(kept),
        origin: place.path(),
        digest: content.as_deref().map_or(expected, Digest::of),
    };
    if placed {
        Ok(Swapped { displaced, content })
    } else {
        Err(Obstacle::Changed(Some(Box::new(displaced))))
    }
}

pub(super) fn rename_over(
    disk: &RealDisk,
    place: &Place,
    temp: &mut Temp<'_>,
    expected: Digest,
    keep: &Folder,
) -> Result<Swapped, Obstacle> {
    let Place { folder, name } = place;
    let content = read::read_anyhow(folder, name)?;
    let mut copy = Temp::create(keep, name, &disk.steps)?;
    copy.fill(&content, &disk.steps)?;
    copy.sync(&disk.steps)?;
    copy.release();
    let kept = displaced::keep(keep, &copy.name, name, Some(keep), expected, &disk.steps)?;
    let displaced = Displaced { origin: place.path(), ..kept };
    let renamed = disk.steps.before(Step::RenameOver, &place.path()).map_err(Obstacle::from);
    let renamed = renamed.and_then(|()| {
        if Digest::of(&read::read_anyhow(folder, name)?) != expected {
            return Err(Obstacle::changed());
        }
        temp.release();
        folder.rename(&temp.name, folder, name).map_err(|errno| {
            temp.take_back();
            errno.into()
        })
    });
    if let Err(obstacle) = renamed {
        // A copy of what is still in its place.
        if let Some(copy) = displaced.path.file_name() {
            keep.unlink(copy)?;
        }
        return Err(obstacle);
    }
    Ok(Swapped { displaced, content: Some(content) })
}

/// Gives the new file the name, if nothing has it.
pub(super) fn put(place: &Place, temp: &mut Temp<'_>) -> Result<(), Obstacle> {
    temp.release();
    let named = name_new(&place.folder, &temp.name, &place.folder, &place.name);
    if named.is_err() {
        temp.take_back();
    }
    named
}

/// Gives a file that was moved out its name back, if nothing has it.
pub(super) fn put_back(
    from: &Folder,
    kept: &str,
    folder: &Folder,
    name: &str,
) -> Result<(), Obstacle> {
    match name_new(from, kept, folder, name) {
        Err(Obstacle::Unsupported) if folder.stamp(name)?.is_none() => {
            Ok(from.rename(kept, folder, name)?)
        }
        named => named,
    }
}

/// Renames to a name that nothing has, in one step.
pub(super) fn name_new(
    from: &Folder,
    old: &str,
    folder: &Folder,
    name: &str,
) -> Result<(), Obstacle> {
    let error = match from.rename_to_new(old, folder, name) {
        Ok(()) => return Ok(()),
        Err(errno) => Obstacle::unsupported_or(errno),
    };
    let Obstacle::Unsupported = error else { return Err(error) };
    match from.link(old, folder, name) {
        Ok(()) => Ok(from.unlink(old)?),
        // EPERM is what file systems without hard links say.
        Err(Errno::PERM | Errno::MLINK) => Err(Obstacle::Unsupported),
        Err(errno) => Err(Obstacle::unsupported_or(errno)),
    }
}

/// Finds out what the file system of a folder can do.
pub(super) fn probe(folder: &Folder, steps: &Steps) -> Result<Method, Obstacle> {
    let first = Temp::create(folder, "probe", steps)?;
    let second = Temp::create(folder, "probe", steps)?;
    match folder.exchange(&first.name, &second.name).map_err(Obstacle::unsupported_or) {
        Ok(()) => return Ok(Method::Exchange),
        Err(Obstacle::Unsupported) => {}
        Err(obstacle) => return Err(obstacle),
    }
    let third = temp_name("probe", steps.next());
    match name_new(folder, &second.name, folder, &third) {
        Ok(()) => {
            name_new(folder, &third, folder, &second.name)?;
            Ok(Method::MoveOut)
        }
        Err(Obstacle::Unsupported) => Ok(Method::RenameOver),
        Err(obstacle) => Err(obstacle),
    }
}
