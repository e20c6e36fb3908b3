//! The sync engine of nbsync.

pub mod config;
pub mod control;
pub mod dirs;
pub mod disk;
pub mod git;
pub mod report;
pub mod run;
pub mod sync;
pub mod systemd;
pub mod walk;
pub mod watch;
