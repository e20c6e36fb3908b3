//! Writes a file without replacing it.
//!
//! For files with several names, single-file mounts, folders that may not be written
//! while their files may, and files whose owner cannot be given to a new one. Others see
//! such a file half-written, and a save at the very same moment may be lost; so this
//! is what is left when nothing else works.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::Errno;

use super::error::Obstacle;
use super::place::Place;
use super::real::RealDisk;
use super::stamp::Stamp;
use super::{Step, Written, attributes, read};
use crate::sync::Digest;

/// Gives the file new bytes, if it holds what is expected.
///
/// The caller has the old bytes, since it knows their digest. If the device runs full on
/// the way they are written back.
pub(super) fn overwrite(
    disk: &RealDisk,
    place: &Place,
    bytes: &[u8],
    expected: Digest,
    durable: bool,
) -> Result<Written, Obstacle> {
    let (file, stamp) = place.folder.open_file(&place.name, OFlags::RDWR)?;
    let before = read::read_open(&file, &stamp, u64::MAX)?;
    if Digest::of(&before.bytes) != expected {
        return Err(Obstacle::changed());
    }
    let old = rustix::fs::fstat(&file)?;
    reserve(&file, stamp.size, bytes.len() as u64)?;
    disk.steps.before(Step::Overwrite, &place.path())?;
    if let Err(error) = fill(&file, bytes) {
        if let Err(error) = fill(&file, &before.bytes) {
            tracing::error!(path = %place.path(), %error, "cannot restore a half-written file");
        }
        return Err(error.into());
    }
    attributes::make_newer(&file, &old)?;
    if durable {
        file.sync_data()?;
    }
    let stamp = Stamp::from_stat(&rustix::fs::fstat(&file)?);
    // An editor that saves by renaming has put another file in place meanwhile.
    if place.stamp()?.is_none_or(|it| (it.dev, it.ino) != (stamp.dev, stamp.ino)) {
        return Err(Obstacle::changed());
    }
    Ok(Written { stamp, displaced: None, raced: None, is_unflushed: false })
}

/// Makes a file where it cannot be made under another name first.
pub(super) fn create(place: &Place, bytes: &[u8], mode: u32) -> Result<Stamp, Obstacle> {
    let mut file = match place.folder.create_file(&place.name, mode) {
        Ok(file) => file,
        Err(Errno::EXIST) => return Err(Obstacle::changed()),
        Err(errno) => return Err(errno.into()),
    };
    if let Err(error) = file.write_all(bytes).and_then(|()| file.sync_data()) {
        place.folder.unlink(&place.name)?;
        return Err(error.into());
    }
    Ok(Stamp::from_stat(&rustix::fs::fstat(&file)?))
}

/// Longer first, shorter last: at no time is the file empty.
fn fill(file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, 0)?;
    file.set_len(bytes.len() as u64)
}

/// Asks for the space that the file will need in addition, where systems can tell beforehand.
fn reserve(file: &File, old: u64, new: u64) -> Result<(), Obstacle> {
    if new <= old {
        return Ok(());
    }
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, old, new - old) {
        Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(errno.into()),
        _ => Ok(()),
    }
}
