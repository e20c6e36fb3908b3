//! The sync engine of nbsync.

pub mod control;
pub mod report;
pub mod run;
pub mod sync;
