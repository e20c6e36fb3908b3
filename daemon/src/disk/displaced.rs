//! Files that were replaced or removed, and wait for a late writer.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::error::Obstacle;
use super::folder::Folder;
use super::real::Steps;
use super::temp::{Temp, cut};
use super::{Late, Step, read};
use crate::sync::Digest;

/// Where the shadows of a folder's notebooks live, below that folder.
pub const WORKDIR: &str = "__marimo__/nbsync";

/// Where displaced files wait, below [`WORKDIR`]: on the same file system as the notebook, so
/// that a rename takes them there.
pub const DISPLACED: &str = ".displaced";

/// Ends the name of a displaced file, so that no tool takes it for a notebook.
const KEPT: &str = ".kept";

/// Ends the name of a notebook that was moved out and has no successor yet.
const MOVED_OUT: &str = ".out";

/// A file that was replaced or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Displaced {
    /// Where it is now.
    pub path: Utf8PathBuf,
    /// Where it was.
    pub origin: Utf8PathBuf,
    /// What it held when it was displaced.
    pub digest: Digest,
}

/// Returns the folder for the shadows of the notebooks in `dir`.
pub fn workdir(dir: &Utf8Path) -> Utf8PathBuf {
    dir.join(WORKDIR)
}

/// Returns the folder where the file at `path` waits once it is replaced.
pub fn displaced_folder(path: &Utf8Path) -> Utf8PathBuf {
    let parent = path.parent().unwrap_or(path);
    if parent.ends_with(WORKDIR) { parent.join(DISPLACED) } else { workdir(parent).join(DISPLACED) }
}

/// Opens, and makes if needed, the folder for the shadows of the notebooks in `folder`.
pub(super) fn open_workdir(folder: &Folder, steps: &Steps) -> Result<Folder, Obstacle> {
    let workdir =
        folder.child_or_new("__marimo__", None, steps)?.child_or_new("nbsync", None, steps)?;
    if workdir.stamp(".gitignore")?.is_none() {
        let ignore = Temp::create(&workdir, ".gitignore", steps)?;
        ignore.fill(b"*\n", steps)?;
        ignore.set_mode(0o644)?;
        // Whoever made one meanwhile has decided.
        if let Err(errno) = workdir.rename(&ignore.name, &workdir, ".gitignore") {
            return Err(errno.into());
        }
        let mut ignore = ignore;
        ignore.release();
    }
    Ok(workdir)
}

/// Opens, and makes if needed, the displaced folder for files of `folder`.
///
/// What lies there may be private, so nobody else may look in.
pub(super) fn open_displaced(folder: &Folder, steps: &Steps) -> Result<Folder, Obstacle> {
    if folder.path().ends_with(WORKDIR) {
        folder.child_or_new(DISPLACED, Some(0o700), steps)
    } else {
        open_workdir(folder, steps)?.child_or_new(DISPLACED, Some(0o700), steps)
    }
}

/// A name for a displaced file: when, who, which of the two folders it comes from, and
/// what it was called.
///
/// Milliseconds come first, so that the names sort by age.
pub(super) fn kept_name(folder: &Folder, name: &str, steps: &Steps) -> String {
    let now = std::time::SystemTime::now();
    let ms = now.duration_since(std::time::UNIX_EPOCH).map_or(0, |it| it.as_millis());
    let from = if folder.path().ends_with(WORKDIR) { 'w' } else { 'n' };
    format!("{ms}-{}-{}{from}-{}{KEPT}", std::process::id(), steps.next(), cut(name))
}

/// The name of a displaced file while its successor is not in place yet.
pub(super) fn moved_out_name(kept: &str) -> String {
    kept.strip_suffix(KEPT).unwrap_or(kept).to_owned() + MOVED_OUT
}

/// What the name of a file in the displaced folder says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KeptName<'a> {
    /// Whether it comes from the workdir rather than from the notebooks' folder.
    pub(super) from_workdir: bool,
    /// What it was called.
    pub(super) name: &'a str,
    /// Whether it was moved out, and had no successor then.
    pub(super) moved_out: bool,
}

pub(super) fn parse_kept(name: &str) -> Option<KeptName<'_>> {
    let (stem, moved_out) = match name.strip_suffix(KEPT) {
        Some(stem) => (stem, false),
        None => (name.strip_suffix(MOVED_OUT)?, true),
    };
    let mut parts = stem.splitn(4, '-');
    parts.next()?.parse::<u64>().ok()?;
    parts.next()?.parse::<u32>().ok()?;
    let counter = parts.next()?;
    let from_workdir = match counter.chars().next_back()? {
        'w' => true,
        'n' => false,
        _ => return None,
    };
    counter[..counter.len() - 1].parse::<u64>().ok()?;
    Some(KeptName { from_workdir, name: parts.next()?, moved_out })
}

/// Moves a file that has been displaced already, under a temporary name of `folder`, to
/// where displaced files wait.
///
/// If that does not work it stays where it is: it is kept all the same, in a place that is
/// less tidy.
pub(super) fn keep(
    folder: &Folder,
    name: &str,
    origin: &str,
    keep: Option<&Folder>,
    digest: Digest,
    steps: &Steps,
) -> Result<Displaced, Obstacle> {
    let stayed =
        Displaced { path: folder.path().join(name), origin: folder.path().join(origin), digest };
    let Some(keep) = keep else { return Ok(stayed) };
    steps.before(Step::Keep, &stayed.path)?;
    let kept = kept_name(folder, origin, steps);
    match folder.rename(name, keep, &kept) {
        Ok(()) => Ok(Displaced { path: keep.path().join(kept), ..stayed }),
        Err(errno) => {
            tracing::debug!(path = %stayed.path, %errno, "displaced file stays in its folder");
            Ok(stayed)
        }
    }
}

/// Compares a displaced file with what it held.
pub(super) fn recheck(folder: &Folder, name: &str, digest: Digest) -> Result<Late, Obstacle> {
    match read::read_anyhow(folder, name) {
        Ok(bytes) if Digest::of(&bytes) == digest => Ok(Late::Unchanged),
        Ok(bytes) => Ok(Late::Changed(bytes)),
        Err(Obstacle::Absent) => Ok(Late::Gone),
        Err(obstacle) => Err(obstacle),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shadows_and_notebooks_share_a_displaced_folder() {
        let folder = "/r/d/__marimo__/nbsync/.displaced";
        assert_eq!(displaced_folder("/r/d/a.ipynb".into()), folder);
        assert_eq!(displaced_folder("/r/d/__marimo__/nbsync/a.percent.py".into()), folder);
    }

    #[test]
    fn names_say_where_a_file_was() {
        let kept = "1700000000000-12-3n-a-b.py.kept";
        let parsed = KeptName { from_workdir: false, name: "a-b.py", moved_out: false };
        assert_eq!(parse_kept(kept), Some(parsed));
        let parsed = KeptName { from_workdir: true, name: "a.out", moved_out: true };
        assert_eq!(parse_kept(&moved_out_name("1-12-3w-a.out.kept")), Some(parsed));
        for other in
            ["a.py.kept", "1-2-3-a.py.kept", "1-2-3n.kept", "1-2-n-a.py.kept", "x-2-3n-a.kept"]
        {
            assert_eq!(parse_kept(other), None, "{other}");
        }
    }
}
