//! Temporary files beside the file that they are to become.

use std::fs::File;
use std::os::unix::fs::FileExt;

use rustix::fs::Mode;
use rustix::io::Errno;

use super::Step;
use super::error::Obstacle;
use super::folder::Folder;
use super::real::Steps;
use super::stamp::Stamp;

/// A temporary file, unlinked when dropped.
///
/// It lies in the folder of the file that it becomes, because a rename from another
/// folder is a creation to the watcher of `marimo edit --watch`, which it ignores.
#[derive(Debug)]
pub(super) struct Temp<'a> {
    folder: &'a Folder,
    pub(super) name: String,
    pub(super) file: File,
    /// Whether the name stands for our own bytes.
    ours: bool,
}

impl<'a> Temp<'a> {
    pub(super) fn create(
        folder: &'a Folder,
        target: &str,
        steps: &Steps,
    ) -> Result<Self, Obstacle> {
        steps.before(Step::CreateTemp, &folder.path().join(target))?;
        loop {
            let name = temp_name(target, steps.next());
            match folder.create_file(&name, 0o600) {
                Ok(file) => return Ok(Self { folder, name, file, ours: true }),
                // Left behind by a process that had our number.
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    pub(super) fn fill(&self, bytes: &[u8], steps: &Steps) -> Result<(), Obstacle> {
        steps.before(Step::Fill, &self.folder.path().join(&self.name))?;
        Ok(self.file.write_all_at(bytes, 0)?)
    }

    pub(super) fn set_mode(&self, mode: u32) -> Result<(), Obstacle> {
        Ok(rustix::fs::fchmod(&self.file, Mode::from_raw_mode(mode))?)
    }

    pub(super) fn sync(&self, steps: &Steps) -> Result<(), Obstacle> {
        steps.before(Step::SyncFile, &self.folder.path().join(&self.name))?;
        Ok(self.file.sync_data()?)
    }

    /// Describes the file, wherever it is by now.
    pub(super) fn stamp(&self) -> Result<Stamp, Obstacle> {
        Ok(Stamp::from_stat(&rustix::fs::fstat(&self.file)?).with_birth(&self.file))
    }

    /// From here on the name may stand for somebody else's bytes.
    pub(super) fn release(&mut self) {
        self.ours = false;
    }

    /// The name stands for our bytes after all.
    pub(super) fn take_back(&mut self) {
        self.ours = true;
    }
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        if self.ours
            && let Err(errno) = self.folder.unlink(&self.name)
        {
            // Found again by `recover`.
            tracing::debug!(name = self.name, %errno, "temporary file stays behind");
        }
    }
}

/// Longest part of a file's name that goes into the names made from it; names end at
/// 255 bytes.
const KEPT_NAME: usize = 180;

/// The end of a name, cut if it is very long, so that the extension survives.
pub(super) fn cut(name: &str) -> &str {
    let mut start = name.len().saturating_sub(KEPT_NAME);
    while !name.is_char_boundary(start) {
        start += 1;
    }
    &name[start..]
}

pub(super) fn temp_name(target: &str, n: u64) -> String {
    format!(".{}.nbsync-{}-{n}.tmp", cut(target), std::process::id())
}

/// Whether a name is one of nbsync's temporary files, which nobody else should read.
pub fn is_temp(name: &str) -> bool {
    parse_temp(name).is_some()
}

/// Returns the name that a temporary file was to become, and the process that made it.
pub(super) fn parse_temp(name: &str) -> Option<(&str, i32)> {
    let (target, rest) = name.strip_prefix('.')?.strip_suffix(".tmp")?.rsplit_once(".nbsync-")?;
    let (pid, n) = rest.split_once('-')?;
    n.parse::<u64>().ok()?;
    Some((target, pid.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_names_are_recognised() {
        let name = temp_name("a.nbsync-b.py", 7);
        assert!(is_temp(&name), "{name}");
        let pid = i32::try_from(std::process::id()).unwrap();
        assert_eq!(parse_temp(&name), Some(("a.nbsync-b.py", pid)));
        for other in
            ["a.py", ".a.tmp", ".a.py.nbsync-1.tmp", "a.nbsync-1-2.tmp", ".a.nbsync-x-2.tmp"]
        {
            assert!(!is_temp(other), "{other}");
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let long = format!("{}.py", "ü".repeat(125));
        assert!(temp_name(&long, u64::MAX).len() <= 255);
        assert!(cut(&long).ends_with("ü.py"));
        assert_eq!(cut("a.py"), "a.py");
    }
}
