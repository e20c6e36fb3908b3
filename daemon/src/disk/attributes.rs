//! Gives a new file the owner, permissions and extended attributes of the old one.

use std::fs::File;

use rustix::fs::{Mode, XattrFlags};
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
