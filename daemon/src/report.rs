//! What the daemon tells: the state of the pairings, and what happens to them.
//!
//! These types are the JSON of `nbsync status --json`, of `nbsync watch
//! --log-format json` and of the control socket. Paths of notebooks are relative
//! to the root, with `/` between components.

mod change;

use camino::Utf8PathBuf;
use nbsync_formats::FormatName;
use serde::{Deserialize, Serialize};

pub use change::{Cause, ChangeReport, ConflictStatus, ConflictVersion, ConflictsReport, Take};

/// The version of the JSON documents. Grows when a field changes its meaning.
pub const VERSION: u32 = 1;

/// The state of a root and of its pairings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// [`VERSION`].
    pub version: u32,
    /// The root, absolute.
    pub root: Utf8PathBuf,
    /// The daemon that watches the root.
    pub daemon: DaemonStatus,
    /// The pairings, those that need attention first, then by path.
    pub notebooks: Vec<NotebookStatus>,
}

/// The state of a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Whether one is running.
    pub running: bool,
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// What it is doing; absent when none is running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DaemonState>,
    /// Why it is in this state, if that needs a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a daemon is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DaemonState {
    /// Waiting for edits.
    Watching,
    /// Reading the tree for the first time, or again after lost events.
    Scanning,
    /// Told to write nothing for now.
    Paused,
    /// Stopped writing by itself, because something looked like an accident.
    Halted,
    /// Working, but without file events for some or all folders.
    Degraded,
}

/// The state of one pairing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotebookStatus {
    /// The source replica.
    pub source: Utf8PathBuf,
    /// Whether the replicas agree.
    pub state: NotebookState,
    /// Why not, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What else the user should know: files that are named as a pair and can't be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How many errors and warnings `nbsync doctor` has for what the source holds.
    /// Absent where that would take long; the daemon never counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problems: Option<usize>,
    /// The file that can't be read as a notebook, if it is held because of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<Unreadable>,
    /// All replicas, the source first.
    pub replicas: Vec<ReplicaStatus>,
}

/// A file that can't be read as a notebook in its format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// The file.
    pub path: Utf8PathBuf,
    /// The line in which reading ended, from 1, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong there.
    pub message: String,
}

/// Whether the replicas of a pairing agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotebookState {
    /// Two edits of one cell could not both stand; both are kept.
    Conflict,
    /// Left alone until something changes.
    Held,
    /// Changed, and not yet propagated.
    Pending,
    /// All replicas agree.
    Synced,
}

/// One file of a pairing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// The format it is in.
    pub format: FormatName,
    /// Whose file it is.
    pub role: Role,
    /// The blake3 hash of the content that was last agreed on, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What a replica is to its pairing.
///
/// The role says whose file it is, not whose edits count: they count the same
/// in every replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The file that its user owns and keeps in git.
    Source,
    /// Another file that its user owns, because jupytext or `nbsync pair` has paired it with
    /// the source. It is kept in sync, and never removed or moved.
    Paired,
    /// A file that nbsync made of it, in another format.
    Shadow,
}

/// What `flush` and `sync` come back with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    /// [`VERSION`].
    pub version: u32,
    /// The pairings that were in the request.
    pub n_notebooks: usize,
    /// What was propagated, or would be with `--check` and `--dry-run`.
    pub propagated: Vec<Propagation>,
    /// The pairings that are not in sync now, with the reason.
    pub out_of_sync: Vec<NotebookStatus>,
}

/// An edit that went from some replicas to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Propagation {
    /// The source replica of the pairing.
    pub notebook: Utf8PathBuf,
    /// What for.
    #[serde(flatten)]
    pub cause: Cause,
    /// The replicas that were edited.
    pub from: Vec<Utf8PathBuf>,
    /// The replicas that were written.
    pub to: Vec<Utf8PathBuf>,
    /// How many cells the edit touched.
    pub cells: usize,
    /// What the edit did, one line a change, in words.
    pub changes: Vec<String>,
    /// From noticing the save to the last replica on disk.
    pub ms: u64,
}

/// Something that happened in the daemon, as it is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Report {
    /// The first scan began.
    Scanning {
        /// The root.
        root: Utf8PathBuf,
    },
    /// Progress of a scan.
    Progress {
        /// How many pairings are done.
        done: usize,
        /// How many there are.
        total: usize,
    },
    /// All watches are set and all pairings are in sync or held.
    Ready {
        /// The root.
        root: Utf8PathBuf,
        /// How many pairings there are.
        notebooks: usize,
        /// How many shadows were made.
        created: usize,
        /// How many pairings are held.
        held: usize,
        /// How long it took.
        ms: u64,
    },
    /// A pairing got its shadows.
    Paired {
        /// The source replica.
        notebook: Utf8PathBuf,
        /// The shadows that were made.
        to: Vec<Utf8PathBuf>,
    },
    /// An edit went from some replicas to others.
    Propagated(Propagation),
    /// A pairing is left alone until something changes.
    Held {
        /// The source replica.
        notebook: Utf8PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A held pairing goes on.
    Resumed {
        /// The source replica.
        notebook: Utf8PathBuf,
    },
    /// Two edits of one cell could not both stand.
    Conflict {
        /// The source replica.
        notebook: Utf8PathBuf,
        /// What happened to the other version.
        reason: String,
    },
    /// A pairing ended, because its source is gone.
    Unpaired {
        /// The source replica.
        notebook: Utf8PathBuf,
        /// Where its shadows went.
        reason: String,
    },
    /// A pairing followed its source to another name.
    Moved {
        /// The source replica.
        notebook: Utf8PathBuf,
        /// Where it was before.
        from: Utf8PathBuf,
    },
    /// The daemon changed its state.
    State {
        /// The new state.
        state: DaemonState,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Something could not be done.
    Error {
        /// The notebook, if it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notebook: Option<Utf8PathBuf>,
        /// What could not be done, why, and what to do.
        reason: String,
    },
    /// The daemon finished.
    Stopped,
}
