//! Notebooks that are symbolic links.

use camino::{Utf8Path, Utf8PathBuf};

use super::{SkipReason, Walker};

/// Returns the file that a link stands for, or why the link is left alone.
pub(super) fn resolve(walker: &Walker, path: &Utf8Path) -> Result<Utf8PathBuf, SkipReason> {
    // Follows the whole chain; a circle of links is an error.
    let target = walker.absolute(path).as_std_path().canonicalize();
    let target = target.map_err(|_| SkipReason::LinkBroken)?;
    let metadata = target.symlink_metadata().map_err(|_| SkipReason::LinkBroken)?;
    if metadata.is_dir() {
        return Err(SkipReason::LinkToFolder);
    }
    if !metadata.is_file() {
        return Err(SkipReason::NotAFile);
    }
    let target = target.strip_prefix(&walker.real_root).map_err(|_| SkipReason::LinkOutside)?;
    let target = Utf8Path::from_path(target).ok_or(SkipReason::NotUtf8)?;
    // The end of the chain is no link, so this doesn't come back here.
    if walker.is_candidate(target) {
        return Err(SkipReason::LinkToCandidate);
    }
    Ok(target.to_owned())
}
