//! Gives a new file the owner, permissions and extended attributes of the old one, and a time
//! that is later.

use std::fs::File;

use rustix::fs::{Mode, Stat, Timespec, Timestamps, UTIME_OMIT, XattrFlags};
use rustix::io::Errno;

use super::error::Obstacle;

/// Whether a file that replaces another can look like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fidelity {
    /// Everything that counts was carried over.
    Full,
    /// The owner or the access list was not: the old file has to be kept, and written
    /// in place.
    Broken,
}

/// Copies owner, group, extended attributes and permissions.
pub(super) fn copy(from: &File, to: &File) -> Result<Fidelity, Obstacle> {
    let old = rustix::fs::fstat(from)?;
    let new = rustix::fs::fstat(to)?;
    let uid = (old.st_uid != new.st_uid).then(|| rustix::fs::Uid::from_raw(old.st_uid));
    let gid = (old.st_gid != new.st_gid).then(|| rustix::fs::Gid::from_raw(old.st_gid));
    if (uid.is_some() || gid.is_some()) && rustix::fs::fchown(to, uid, gid).is_err() {
        return Ok(Fidelity::Broken);
    }
    let fidelity = copy_extended(from, to);
    // Last, because changing the owner clears bits of it.
    rustix::fs::fchmod(to, Mode::from_raw_mode(old.st_mode & 0o7777))?;
    Ok(fidelity)
}

/// Makes a file newer than another one was, if it is not, by a millisecond.
///
/// It is not if the clock was set back, or the other one came from a machine whose clock is ahead.
/// Editors see milliseconds: VS Code asks before it overwrites a file only if that is newer than the
/// one that it loaded. Where the system does not let us, the file is as good as it can be.
pub(super) fn make_newer(file: &File, than: &Stat) -> Result<(), Obstacle> {
    let ms =
        |stat: &Stat| i128::from(stat.st_mtime) * 1000 + i128::from(stat.st_mtime_nsec) / 1_000_000;
    let now = rustix::fs::fstat(file)?;
    if ms(than) < ms(&now) {
        return Ok(());
    }
    let ns = i64::try_from(than.st_mtime_nsec).unwrap_or(0) + 1_000_000;
    let (s, ns) = (than.st_mtime.saturating_add(ns / NS_PER_S), ns % NS_PER_S);
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: s, tv_nsec: ns },
    };
    if let Err(errno) = rustix::fs::futimens(file, &times) {
        tracing::debug!(%errno, "cannot make a file newer than the one that it replaces");
    }
    Ok(())
}

const NS_PER_S: i64 = 1_000_000_000;

/// Copies extended attributes. Labels of security modules are the system's to set;
/// tags that a file manager or a browser left are copied if that works.
fn copy_extended(from: &File, to: &File) -> Fidelity {
    let Ok(names) = list(from) else { return Fidelity::Full };
    for name in names.split(|byte| *byte == 0) {
        let access_list = name.starts_with(b"system.posix_acl");
        if name.is_empty() || !(access_list || name.starts_with(b"user.")) {
            continue;
        }
        let copied = get(from, name)
            .and_then(|value| rustix::fs::fsetxattr(to, name, &value, XattrFlags::empty()));
        if copied.is_err() && access_list {
            return Fidelity::Broken;
        }
    }
    Fidelity::Full
}

fn list(file: &File) -> Result<Vec<u8>, Errno> {
    let mut names = vec![0; rustix::fs::flistxattr_query(file)?];
    if names.is_empty() {
        return Ok(names);
    }
    let n = rustix::fs::flistxattr(file, &mut names)?;
    names.truncate(n);
    Ok(names)
}

fn get(file: &File, name: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut value = vec![0; rustix::fs::fgetxattr_query(file, name)?];
    if value.is_empty() {
        return Ok(value);
    }
    let n = rustix::fs::fgetxattr(file, name, &mut value)?;
    value.truncate(n);
    Ok(value)
}
