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
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::report::{StatusReport, SyncReport};

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
    /// Propagate everything that was saved before the request.
    Flush {
        /// The paths.
        #[serde(default)]
        paths: Vec<Utf8PathBuf>,
    },
    /// Read the tree anew, then do as [`Flush`](Self::Flush).
    Sync {
        /// The paths.
        #[serde(default)]
        paths: Vec<Utf8PathBuf>,
    },
    /// Write nothing until told to resume.
    Pause,
    /// End a pause or a halt.
    Resume,
    /// Read the configuration again.
    Reload,
    /// Finish the write under way and exit.
    Stop,
}

/// What a daemon answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "lowercase")]
pub enum Reply {
    /// To [`Command::Status`].
    Status(StatusReport),
    /// To [`Command::Flush`] and [`Command::Sync`].
    Synced(SyncReport),
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
