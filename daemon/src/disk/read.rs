//! Reads a file that others may be writing.

use std::fs::File;
use std::io::Read;

use rustix::fs::OFlags;

use super::Contents;
use super::error::Obstacle;
use super::folder::Folder;
use super::stamp::Stamp;

/// Reads a regular file that nobody writes to meanwhile.
pub(super) fn read(folder: &Folder, name: &str, limit: u64) -> Result<Contents, Obstacle> {
    let (file, before) = folder.open_file(name, OFlags::RDONLY)?;
    read_open(&file, &before, limit)
}

/// Reads a file that is open, from where it stands.
pub(super) fn read_open(file: &File, before: &Stamp, limit: u64) -> Result<Contents, Obstacle> {
    if before.size > limit {
        return Err(Obstacle::TooLarge { size: before.size, limit });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.size).unwrap_or(0) + 1);
    // One byte more than was announced is enough to notice that the file grows.
    let mut reader = file.take(before.size.saturating_add(1));
    reader.read_to_end(&mut bytes)?;
    let after = Stamp::from_stat(&rustix::fs::fstat(file)?);
    if bytes.len() as u64 != before.size || !after.same_content(before) {
        return Err(Obstacle::Unstable);
    }
    Ok(Contents { bytes, stamp: after.with_birth(file) })
}

/// Reads whatever a file holds at this moment.
///
/// For a file that was displaced: there is no second chance to read it before the
/// decision, and it is looked at again later.
pub(super) fn read_anyhow(folder: &Folder, name: &str) -> Result<Vec<u8>, Obstacle> {
    let (mut file, stamp) = folder.open_file(name, OFlags::RDONLY)?;
    let mut bytes = Vec::with_capacity(usize::try_from(stamp.size).unwrap_or(0) + 1);
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
