//! The sync engine of nbsync.

pub mod control;
pub mod disk;
pub mod report;
pub mod run;
pub mod sync;
