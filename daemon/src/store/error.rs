//! Why something could not be remembered.

use std::io;

use camino::Utf8PathBuf;

/// Why something could not be remembered, or looked up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the store open.
    #[error("the state of this folder is in use by {}", owner(*pid))]
    Locked {
        /// The other process, if it said.
        pid: Option<u32>,
    },
    /// Another process has a folder above or below this one.
    #[error("`{root}` and `{other}` would be one in the other, and `{other}` is in use by {}", owner(*pid))]
    Overlaps {
        /// The folder of this store.
        root: Utf8PathBuf,
        /// The other one.
        other: Utf8PathBuf,
        /// Its process, if it said.
        pid: Option<u32>,
    },
    /// The index does not work any more. It is set aside when it is opened next.
    #[error("the index `{path}` is damaged: {reason}")]
    Damaged {
        /// The index.
        path: Utf8PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system refused.
    #[error("cannot use the state in `{path}`")]
    Io {
        /// The file or folder.
        path: Utf8PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl StoreError {
    pub(super) fn io(path: impl Into<Utf8PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Io { path, source }
    }
}
