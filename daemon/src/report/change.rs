//! What the commands for history and conflicts come back with.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::history::LogEntry;

/// What a version came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Cause {
    /// An editor saved.
    #[default]
    Edit,
    /// The notebook was seen for the first time.
    Found,
    /// An earlier version was brought back.
    Restore {
        /// The id of that version.
        of: String,
    },
    /// A step was taken back.
    Undo {
        /// The id of the revision that it had come to.
        of: String,
    },
    /// Conflicts were decided by a command.
    Resolve {
        /// For which version.
        take: Take,
    },
    /// A text that an editor saved, and that is part of no revision.
    Kept {
        /// Why not.
        reason: String,
    },
}

/// What stands after a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Take {
    /// The version that stands in place.
    Source,
    /// The other one.
    Other,
    /// Both, as two cells.
    Both,
}

impl Take {
    /// As it stands on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Other => "other",
            Self::Both => "both",
        }
    }
}

/// What `restore`, `undo` and `resolve` come back with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeReport {
    /// [`VERSION`](super::VERSION).
    pub version: u32,
    /// The notebook's source.
    pub notebook: Utf8PathBuf,
    /// The version that was brought back, or the one that was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<LogEntry>,
    /// What was done; absent if everything was so already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<LogEntry>,
    /// How many conflicts the notebook still has.
    pub conflicts_left: usize,
}

/// The conflicts that are still to be decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictsReport {
    /// [`VERSION`](super::VERSION).
    pub version: u32,
    /// By notebook, and from top to bottom.
    pub conflicts: Vec<ConflictStatus>,
}

/// One conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictStatus {
    /// The notebook's source.
    pub notebook: Utf8PathBuf,
    /// The number of the cell, from 1; absent if it is about the whole notebook.
    pub cell: Option<usize>,
    /// The number of the cell that shows the other version.
    pub shown_in: usize,
    /// What both edited: `the text of a cell`.
    pub about: String,
    /// The version that stands in place.
    pub source: ConflictVersion,
    /// The other one.
    pub other: ConflictVersion,
    /// The file that has the other version too, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Utf8PathBuf>,
}

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictVersion {
    /// The replica in which it was edited, if that is known.
    pub replica: Option<Utf8PathBuf>,
    /// When it was saved, in milliseconds since 1970, if that is known.
    pub time_ms: Option<u64>,
    /// Its first line that the other doesn't have there.
    pub line: String,
}
