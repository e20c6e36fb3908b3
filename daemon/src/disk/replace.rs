//! Replaces, creates and removes files without losing what an editor saves meanwhile.

use std::fs::File;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::displaced::{self, Displaced};
use super::error::Obstacle;
use super::folder::Folder;
use super::place::Place;
use super::real::RealDisk;
use super::stamp::Kind;
use super::swap::{self, Method, put, put_back};
use super::temp::{Temp, temp_name};
use super::{Expected, Step, WriteOptions, Written, attributes, in_place, read};
use crate::sync::Digest;

pub(super) fn write(
    disk: &RealDisk,
    place: &Place,
    bytes: &[u8],
    expected: Expected,
    options: WriteOptions,
) -> Result<Written, Obstacle> {
    match (place.stamp()?, expected) {
        (Some(stamp), _) if stamp.kind != Kind::File => Err(Obstacle::NotAFile),
        (None, Expected::Absent) => create(disk, place, bytes, options),
        (Some(_), Expected::Digest(digest)) => replace(disk, place, bytes, digest, options),
        (None, Expected::Digest(_)) | (Some(_), Expected::Absent) => Err(Obstacle::changed()),
    }
}

fn create(
    disk: &RealDisk,
    place: &Place,
    bytes: &[u8],
    options: WriteOptions,
) -> Result<Written, Obstacle> {
    let mut temp = Temp::create(&place.folder, &place.name, &disk.steps)?;
    temp.fill(bytes, &disk.steps)?;
    temp.set_mode(options.mode)?;
    if options.durable {
        temp.sync(&disk.steps)?;
    }
    disk.steps.before(Step::Place, &place.path())?;
    let stamp = match put(place, &mut temp) {
        Ok(()) => temp.stamp()?,
        Err(Obstacle::Unsupported) => in_place::create(place, bytes, options.mode)?,
        Err(obstacle) => return Err(obstacle),
    };
    let is_unflushed = options.durable && !sync_folder(disk, &place.folder);
    Ok(Written { stamp, displaced: None, raced: None, is_unflushed })
}

fn replace(
    disk: &RealDisk,
    place: &Place,
    bytes: &[u8],
    expected: Digest,
    options: WriteOptions,
) -> Result<Written, Obstacle> {
    let (old, stamp) = place.folder.open_file(&place.name, OFlags::RDONLY)?;
    let before = read::read_open(&old, &stamp, u64::MAX)?;
    if Digest::of(&before.bytes) != expected {
        return Err(Obstacle::changed());
    }
    if before.bytes == bytes {
        return Ok(Written::unchanged(before.stamp));
    }
    // A new file would leave the other names with the old text.
    if stamp.nlink > 1 {
        return in_place::overwrite(disk, place, bytes, expected, options.durable);
    }
    let Some(mut temp) = stage(disk, place, bytes, &old, options)? else {
        return in_place::overwrite(disk, place, bytes, expected, options.durable);
    };
    // Made before the old file is touched: afterwards is too late to find that it
    // cannot be.
    let keep = match displaced::open_displaced(&place.folder, &disk.steps) {
        Ok(keep) => Some(keep),
        // A link, or somebody else's folder.
        Err(obstacle) if obstacle.is_refusal() => None,
        Err(obstacle) => return Err(obstacle),
    };
    let swapped = loop {
        let method = disk.method_of(stamp.dev);
        let swapped = match (method, &keep) {
            (Method::Exchange, keep) => {
                swap::exchange(disk, place, &mut temp, expected, keep.as_ref())
            }
            (Method::MoveOut, Some(keep)) => swap::move_out(disk, place, &mut temp, expected, keep),
            (Method::RenameOver, Some(keep)) => {
                swap::rename_over(disk, place, &mut temp, expected, keep)
            }
            (_, None) => Err(Errno::BUSY.into()),
        };
        match swapped {
            Err(Obstacle::Unsupported) => disk.degrade(stamp.dev, method),
            // A single file that is mounted, as containers do.
            Err(obstacle) if obstacle.errno() == Some(Errno::BUSY) => {
                return in_place::overwrite(disk, place, bytes, expected, options.durable);
            }
            swapped => break swapped?,
        }
    };
    let is_unflushed = options.durable && !sync_folder(disk, &place.folder);
    let raced = swapped.content.filter(|it| Digest::of(it) != expected && it != bytes);
    Ok(Written { stamp: temp.stamp()?, displaced: Some(swapped.displaced), raced, is_unflushed })
}

/// Makes the new file, complete; `None` if the old one has to be written in place.
fn stage<'a>(
    disk: &RealDisk,
    place: &'a Place,
    bytes: &[u8],
    old: &File,
    options: WriteOptions,
) -> Result<Option<Temp<'a>>, Obstacle> {
    let temp = match Temp::create(&place.folder, &place.name, &disk.steps) {
        Ok(temp) => temp,
        // The folder may not be written, but perhaps the file may.
        Err(obstacle) if obstacle.is_refusal() => return Ok(None),
        Err(obstacle) => return Err(obstacle),
    };
    temp.fill(bytes, &disk.steps)?;
    if attributes::copy(old, &temp.file)? == attributes::Fidelity::Broken {
        return Ok(None);
    }
    attributes::make_newer(&temp.file, &rustix::fs::fstat(old)?)?;
    if options.durable {
        temp.sync(&disk.steps)?;
    }
    Ok(Some(temp))
}

/// Moves the file to the displaced folder, if it holds what is expected.
pub(super) fn remove(
    disk: &RealDisk,
    place: &Place,
    expected: Digest,
) -> Result<Option<Displaced>, Obstacle> {
    let Place { folder, name } = place;
    let before = match read::read(folder, name, u64::MAX) {
        Err(Obstacle::Absent) => return Ok(None),
        before => before?,
    };
    if Digest::of(&before.bytes) != expected {
        return Err(Obstacle::changed());
    }
    let keep = displaced::open_displaced(folder, &disk.steps)?;
    let kept = displaced::kept_name(folder, name, &disk.steps);
    disk.steps.before(Step::MoveOut, &place.path())?;
    let (now_in, now) = match folder.rename(name, &keep, &kept) {
        Ok(()) => (&keep, kept),
        Err(Errno::NOENT) => return Ok(None),
        // The displaced folder is a mount of its own.
        Err(Errno::XDEV) => {
            let hidden = temp_name(name, disk.steps.next());
            folder.rename(name, folder, &hidden)?;
            (folder, hidden)
        }
        Err(errno) => return Err(errno.into()),
    };
    disk.steps.before(Step::Inspect, &place.path())?;
    let digest = read::read_anyhow(now_in, &now).map_or(expected, |it| Digest::of(&it));
    let displaced = Displaced { path: now_in.path().join(&now), origin: place.path(), digest };
    if digest == expected {
        return Ok(Some(displaced));
    }
    // Saved at the last moment, so it is not to be removed.
    match put_back(now_in, &now, folder, name) {
        Ok(()) => Err(Obstacle::changed()),
        Err(_) => Err(Obstacle::Changed(Some(Box::new(displaced)))),
    }
}

/// Flushes a folder, and returns whether that worked. The file is in place, so trouble here is no
/// reason to say otherwise.
fn sync_folder(disk: &RealDisk, folder: &Folder) -> bool {
    let synced = disk.steps.before(Step::SyncFolder, folder.path());
    let synced = synced.and_then(|()| Ok(folder.sync()?));
    if let Err(error) = &synced {
        tracing::warn!(path = %folder.path(), %error, "cannot flush the folder");
    }
    synced.is_ok()
}
