//! Writes a file so that nobody ever sees half of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// Writes a new file. An existing one is replaced with `force`, keeping its
/// mode, and is an error of the kind `AlreadyExists` otherwise.
///
/// What is not a regular file, such as `/dev/stdout` or a FIFO, is written to.
pub(crate) fn write(path: &Path, text: &[u8], force: bool) -> io::Result<()> {
    // A link stays one; the file that it points to is replaced.
    let existing = match fs::canonicalize(path) {
        Ok(target) => Some((fs::metadata(&target)?, target)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    match existing {
        Some((metadata, target)) if !metadata.is_file() => {
            OpenOptions::new().write(true).open(target)?.write_all(text)
        }
        Some(_) if !force => Err(Errno::EXIST.into()),
        Some((metadata, target)) => with_temporary(&target, |file, temporary| {
            file.set_permissions(metadata.permissions())?;
            file.write_all(text)?;
            // A power cut must not leave neither the old text nor the new.
            file.sync_data()?;
            fs::rename(temporary, &target)
        }),
        None => with_temporary(path, |file, temporary| {
            file.write_all(text)?;
            rename_new(temporary, path)
        }),
    }
}

/// Makes a file beside another, and removes it if what is done with it fails.
fn with_temporary(
    path: &Path,
    write: impl FnOnce(&mut File, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(format!(".{}.nbsync-tmp", std::process::id()));
    let temporary: PathBuf = path.with_file_name(temporary_name);
    let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    let written = write(&mut file, &temporary);
    if written.is_err() {
        // The first error is the one to tell.
        fs::remove_file(&temporary).ok();
    }
    written
}

/// Renames without replacing anything.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Not every file system can do it; then a moment remains in which
        // another program could make the file.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if !to.exists() => fs::rename(from, to),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(Errno::EXIST.into()),
        Err(errno) => Err(errno.into()),
    }
}
