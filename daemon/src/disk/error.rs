//! Why a file could not be read or written.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::io::Errno;

use super::Displaced;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no such file.
    #[error("`{path}` does not exist")]
    Absent {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The name stands for a folder, a FIFO, a socket, a device, or a link that leads nowhere.
    #[error("`{path}` is not a regular file")]
    NotAFile {
        /// The name.
        path: Utf8PathBuf,
    },
    /// The path leaves the root, or passes through a symbolic link.
    #[error("`{path}` is not inside the watched folder")]
    Outside {
        /// The path.
        path: Utf8PathBuf,
    },
    /// The file is larger than what is read into memory.
    #[error("`{path}` has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// The file.
        path: Utf8PathBuf,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Somebody wrote to the file while it was read.
    #[error("`{path}` changed while it was read")]
    Unstable {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The system refused.
    #[error("cannot read `{path}`")]
    Io {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ReadError {
    /// Whether reading again soon can be expected to work.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unstable { .. } => true,
            Self::Io { source, .. } => matches!(
                source.raw_os_error().map(Errno::from_raw_os_error),
                Some(
                    Errno::INTR
                        | Errno::AGAIN
                        | Errno::MFILE
                        | Errno::NFILE
                        | Errno::NOMEM
                        | Errno::STALE
                )
            ),
            Self::Absent { .. }
            | Self::NotAFile { .. }
            | Self::Outside { .. }
            | Self::TooLarge { .. } => false,
        }
    }
}

/// Why a file could not be written.
///
/// The file has its old text or, if the trouble came after it was in place, the new one; and
/// nothing is lost. So the next cycle looks again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file holds something else than what was expected, or is there when it
    /// should not be, or the other way round.
    ///
    /// Nothing was written. The next cycle starts from the newer text.
    #[error("`{path}` changed while it was being synced")]
    Changed {
        /// The file.
        path: Utf8PathBuf,
        /// An older text that was taken out before that was noticed, and waits like any
        /// other that was displaced. Rare: two saves at one moment.
        displaced: Option<Box<Displaced>>,
    },
    /// The name stands for a folder, a FIFO, a socket, a device, or a link that leads nowhere.
    #[error("`{path}` is not a regular file")]
    NotAFile {
        /// The name.
        path: Utf8PathBuf,
    },
    /// The path leaves the root, or passes through a symbolic link.
    #[error("`{path}` is not inside the watched folder")]
    Outside {
        /// The path.
        path: Utf8PathBuf,
    },
    /// The device is full, or a limit on the size of files is reached.
    #[error("no space left to write `{path}`")]
    Full {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file or its folder may not be written.
    #[error("no permission to write `{path}`")]
    Denied {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused for another reason.
    #[error("cannot write `{path}`")]
    Io {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl WriteError {
    /// Whether a new cycle can be expected to fix this without anybody's help.
    ///
    /// A full device is not; it is tried again with growing waits.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Changed { .. })
    }
}

/// Where looking for a file ended. Becomes a [`ReadError`] or a [`WriteError`] with the
/// path that was asked for.
#[derive(Debug)]
pub(super) enum Obstacle {
    Absent,
    NotAFile,
    Outside,
    TooLarge {
        size: u64,
        limit: u64,
    },
    Unstable,
    Changed(Option<Box<Displaced>>),
    /// The file system has no such operation.
    Unsupported,
    Io(io::Error),
}

impl From<io::Error> for Obstacle {
    fn from(source: io::Error) -> Self {
        Self::Io(source)
    }
}

impl From<Errno> for Obstacle {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

impl Obstacle {
    /// Somebody else was faster, and nothing was touched.
    pub(super) fn changed() -> Self {
        Self::Changed(None)
    }

    pub(super) fn unsupported_or(errno: Errno) -> Self {
        match errno {
            Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP => Self::Unsupported,
            Errno::EXIST => Self::changed(),
            errno => errno.into(),
        }
    }

    /// Whether a folder is not ours to use, whoever asks and however often.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Outside)
            || matches!(self.errno(), Some(Errno::ACCESS | Errno::PERM | Errno::ROFS))
    }

    pub(super) fn errno(&self) -> Option<Errno> {
        match self {
            Self::Io(source) => source.raw_os_error().map(Errno::from_raw_os_error),
            Self::Absent => Some(Errno::NOENT),
            _ => None,
        }
    }

    pub(super) fn reading(self, path: &Utf8Path) -> ReadError {
        let path = path.to_owned();
        match self {
            Self::Absent => ReadError::Absent { path },
            Self::NotAFile => ReadError::NotAFile { path },
            Self::Outside => ReadError::Outside { path },
            Self::TooLarge { size, limit } => ReadError::TooLarge { path, size, limit },
            Self::Unstable | Self::Changed(_) => ReadError::Unstable { path },
            Self::Unsupported => ReadError::Io { path, source: Errno::OPNOTSUPP.into() },
            Self::Io(source) if source.kind() == io::ErrorKind::NotFound => {
                ReadError::Absent { path }
            }
            Self::Io(source) => ReadError::Io { path, source },
        }
    }

    pub(super) fn writing(self, path: &Utf8Path) -> WriteError {
        let errno = self.errno();
        let path = path.to_owned();
        match self {
            Self::NotAFile => WriteError::NotAFile { path },
            Self::Outside => WriteError::Outside { path },
            Self::Changed(displaced) => WriteError::Changed { path, displaced },
            Self::Unstable | Self::TooLarge { .. } => WriteError::Changed { path, displaced: None },
            Self::Unsupported => WriteError::Io { path, source: Errno::OPNOTSUPP.into() },
            Self::Absent => WriteError::Io { path, source: Errno::NOENT.into() },
            Self::Io(source) => match errno {
                Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => {
                    WriteError::Full { path, source }
                }
                Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => {
                    WriteError::Denied { path, source }
                }
                _ => WriteError::Io { path, source },
            },
        }
    }
}
