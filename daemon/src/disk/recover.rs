//! Cleans up behind a process that was killed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, test_kill_process};

use super::displaced::{self, DISPLACED, Displaced};
use super::error::Obstacle;
use super::folder::Folder;
use super::real::Steps;
use super::stamp::{Kind, Stamp};
use super::{read, swap, temp};
use crate::sync::Digest;

/// A temporary file that nobody touched for so long belongs to nobody, even if a process
/// has the number of the one that made it.
const ABANDONED: Duration = Duration::from_hours(1);

/// See [`Disk::recover`](super::Disk::recover).
pub(super) fn recover(folder: &Folder, steps: &Steps) -> Result<Vec<Displaced>, Obstacle> {
    let mut found = displace_temps(folder, steps)?;
    let workdir = match folder.child("__marimo__").and_then(|it| it.child("nbsync")) {
        Ok(workdir) => workdir,
        // A link in its place is nothing of ours.
        Err(Obstacle::Absent | Obstacle::Outside) => return Ok(found),
        Err(obstacle) => return Err(obstacle),
    };
    found.extend(displace_temps(&workdir, steps)?);
    match workdir.child(DISPLACED) {
        Ok(kept) => found.extend(displaced_files(folder, &workdir, &kept)?),
        Err(Obstacle::Absent | Obstacle::Outside) => {}
        Err(obstacle) => return Err(obstacle),
    }
    Ok(found)
}

/// Moves abandoned temporary files to the displaced folder, and returns those for which
/// that did not work.
///
/// Never unlinks one: its process may have ended between an exchange and the look at what
/// came out.
fn displace_temps(folder: &Folder, steps: &Steps) -> Result<Vec<Displaced>, Obstacle> {
    let mut stayed = Vec::new();
    for entry in folder.entries()? {
        let Some((target, pid)) = temp::parse_temp(&entry.name) else { continue };
        if entry.kind != Kind::File || !is_abandoned(folder, &entry.name, pid)? {
            continue;
        }
        if target == ".gitignore" {
            folder.unlink(&entry.name)?;
            continue;
        }
        let digest = Digest::of(&read::read_anyhow(folder, &entry.name)?);
        let keep = displaced::open_displaced(folder, steps).ok();
        let displaced = displaced::keep(folder, &entry.name, target, keep.as_ref(), digest, steps)?;
        if displaced.path.parent() == Some(folder.path()) {
            stayed.push(displaced);
        }
    }
    Ok(stayed)
}

/// Whether the process that made a file is gone.
///
/// Our own number may be that of a process before the last boot; our own files are not
/// looked for while we write.
fn is_abandoned(folder: &Folder, name: &str, pid: i32) -> Result<bool, Obstacle> {
    let own = u32::try_from(pid) == Ok(std::process::id());
    // A process that may not be signalled exists.
    let runs = Pid::from_raw(pid)
        .is_some_and(|it| !matches!(test_kill_process(it), Err(rustix::io::Errno::SRCH)));
    if own || !runs {
        return Ok(true);
    }
    let Some(stamp) = folder.stamp(name)? else { return Ok(false) };
    // An exchange keeps the modification time; the inode's time tells of it.
    Ok(age(&stamp).is_some_and(|it| it > ABANDONED))
}

fn age(stamp: &Stamp) -> Option<Duration> {
    let changed = Duration::from_nanos(u64::try_from(stamp.ctime_ns).ok()?);
    SystemTime::now().duration_since(UNIX_EPOCH).ok()?.checked_sub(changed)
}

fn displaced_files(
    folder: &Folder,
    workdir: &Folder,
    kept: &Folder,
) -> Result<Vec<Displaced>, Obstacle> {
    let mut found = Vec::new();
    for entry in kept.entries()? {
        if let Some((_, pid)) = temp::parse_temp(&entry.name)
            && is_abandoned(kept, &entry.name, pid)?
        {
            // A copy of what is still in its place; only such are made here.
            kept.unlink(&entry.name)?;
        }
        let Some(parsed) = displaced::parse_kept(&entry.name) else { continue };
        if entry.kind != Kind::File {
            continue;
        }
        let from = if parsed.from_workdir { workdir } else { folder };
        if parsed.moved_out && give_back(kept, &entry.name, from, parsed.name)? {
            continue;
        }
        found.push(Displaced {
            path: kept.path().join(&entry.name),
            origin: from.path().join(parsed.name),
            digest: Digest::of(&read::read_anyhow(kept, &entry.name)?),
        });
    }
    Ok(found)
}

/// Gives a file its name back that was moved out when the process ended, unless its
/// successor is in place.
fn give_back(kept: &Folder, out: &str, from: &Folder, name: &str) -> Result<bool, Obstacle> {
    match swap::put_back(kept, out, from, name) {
        Ok(()) => Ok(true),
        Err(Obstacle::Changed(_) | Obstacle::Unsupported) => Ok(false),
        Err(obstacle) => Err(obstacle),
    }
}
