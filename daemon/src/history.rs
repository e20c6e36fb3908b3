//! Looks up what was: the revisions of notebooks, and every text that an editor saved.
//!
//! A *revision* is what all replicas of a notebook agreed on after one step; it has the exact
//! text of each. A text that an editor saved and that never became part of one (it did not
//! parse, or another save was merged with it) is kept by itself.
//!
//! **Invariant:** reads the store, and writes nothing. So it answers on any thread, with a
//! daemon and without.

mod diff;
mod error;
mod find;
mod id;
mod log;
mod outputs;
mod show;
mod state;

pub use diff::{CellChange, CellDiff, DiffLine, DiffReport, Outputs, Tag, diff};
pub use error::HistoryError;
pub use find::Rev;
pub use id::{SHORT, version_id};
pub use log::{LogEntry, LogReport, log};
pub use show::{Shown, Text, show};

pub(crate) use find::{Timeline, last_step};
pub(crate) use state::{is_notebook, revision_base};
