//! The control socket: newline-delimited JSON, one request and one reply a line.
//!
//! A client sends a [`Request`] on a line of its own and reads a [`Reply`]; then
//! it may send the next one over the same connection.
//!
//! ```text
//! {"version":1,"command":"flush","paths":["/home/mia/notebooks/a.ipynb"]}
//! {"reply":"synced","version":1,"n_notebooks":1,"propagated":[],"out_of_sync":[]}
//! ```

mod client;
mod server;
mod socket;
#[cfg(test)]
mod tests;

use camino::Utf8PathBuf;
use nbsync_formats::FormatName;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::history::{DiffReport, LogReport, Rev, Shown};
use crate::report::{ChangeReport, ConflictsReport, StatusReport, SyncReport, Take};

pub use client::{Client, ClientError};
pub use server::serve;
pub use socket::{SocketError, bind, socket_path};

/// The version of the protocol. A daemon refuses others, saying its own.
pub const VERSION: u32 = 1;

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`].
    pub version: u32,
    /// What to do.
    #[serde(flatten)]
    pub command: Command,
}

/// What a daemon can be asked to do. Paths are absolute; none means all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum Command {
    /// Tell the state of pairings with a replica at or below these paths.
    Status {
        /// The paths.
        #[serde(default)]
        paths: Vec<Utf8PathBuf>,
    },
    /// Propagate everything that was saved before the request, and tell of all that no flush
    /// has told yet.
    Flush {
        /// The paths.
        #[serde(default)]
        paths: Vec<Utf8PathBuf>,
    },
    /// Do the same, and tell of what was propagated since the request.
    Sync {
        /// The paths.
        #[serde(default)]
        paths: Vec<Utf8PathBuf>,
    },
    /// List versions.
    Log {
        /// The notebooks, or folders.
        #[serde(default)]
        paths: Vec<Utf8PathBuf>,
        /// How many to list at most; zero for all.
        limit: usize,
    },
    /// Return the text of a version.
    Show {
        /// A replica of the notebook.
        path: Utf8PathBuf,
        /// The version.
        rev: Rev,
        /// The format, if it is not the replica's.
        to: Option<FormatName>,
    },
    /// Compare two versions.
    Diff {
        /// A replica of the notebook.
        path: Utf8PathBuf,
        /// The older version.
        before: Rev,
        /// The newer version, or what the replica holds now.
        after: Option<Rev>,
    },
    /// Bring a version back.
    Restore {
        /// A replica of the notebook.
        path: Utf8PathBuf,
        /// The version.
        rev: Rev,
    },
    /// Take the last step back.
    Undo {
        /// A replica of the notebook; that of the last step of all if there is none.
        path: Option<Utf8PathBuf>,
    },
    /// List conflicts.
    Conflicts {
        /// The paths.
        #[serde(default)]
        paths: Vec<Utf8PathBuf>,
    },
    /// Decide conflicts.
    Resolve {
        /// A replica of the notebook.
        path: Utf8PathBuf,
        /// The number of the cell; all if there is none.
        cell: Option<usize>,
        /// What stands.
        take: Take,
    },
    /// Write nothing until told to resume.
    Pause,
    /// End a pause or a halt.
    Resume,
    /// Gather the saves of notebooks, and propagate none of them until the release.
    Hold {
        /// The paths.
        #[serde(default)]
        paths: Vec<Utf8PathBuf>,
        /// When it ends by itself.
        seconds: u64,
    },
    /// Let notebooks go on that gather saves, or that were stopped because two programs fight
    /// over them.
    Release {
        /// The paths.
        #[serde(default)]
        paths: Vec<Utf8PathBuf>,
    },
    /// Read the configuration again.
    Reload,
    /// Finish the write under way and exit.
    Stop,
}

impl Command {
    /// The paths that it names.
    pub fn paths(&self) -> &[Utf8PathBuf] {
        match self {
            Self::Status { paths }
            | Self::Flush { paths }
            | Self::Sync { paths }
            | Self::Hold { paths, .. }
            | Self::Release { paths }
            | Self::Log { paths, .. }
            | Self::Conflicts { paths } => paths,
            Self::Show { path, .. }
            | Self::Diff { path, .. }
            | Self::Restore { path, .. }
            | Self::Resolve { path, .. } => std::slice::from_ref(path),
            Self::Undo { path } => path.as_slice(),
            Self::Pause | Self::Resume | Self::Reload | Self::Stop => &[],
        }
    }
}

/// What a daemon answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "lowercase")]
pub enum Reply {
    /// To [`Command::Status`].
    Status(StatusReport),
    /// To [`Command::Flush`] and [`Command::Sync`].
    Synced(SyncReport),
    /// To [`Command::Log`].
    Log(LogReport),
    /// To [`Command::Show`].
    Shown(Box<Shown>),
    /// To [`Command::Diff`].
    Diff(Box<DiffReport>),
    /// To [`Command::Restore`], [`Command::Undo`] and [`Command::Resolve`].
    Changed(Box<ChangeReport>),
    /// To [`Command::Conflicts`].
    Conflicts(ConflictsReport),
    /// Something was asked for that isn't there.
    Unknown {
        /// What.
        message: String,
        /// What to do, one sentence each.
        hints: Vec<String>,
    },
    /// It was done.
    Done,
    /// It was not done.
    Error {
        /// Why, and what to do.
        message: String,
    },
}

/// A request on its way to the engine.
#[derive(Debug)]
pub struct Call {
    /// What to do.
    pub command: Command,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Reply>,
}
