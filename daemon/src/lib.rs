//! The sync engine of nbsync.
//!
//! A *pairing* is one notebook: the source that its user owns, and shadows in other
//! formats. The [engine](mod@run) is told by a [watcher](watch) where to look, runs a
//! cycle for every pairing that may have changed (read, [reconcile](sync::reconcile),
//! write through the [disk]), and keeps what the replicas agreed on in the [store].
//!
//! **Invariant:** `sync` is pure: no files, no clocks. Everything else is the shell.
//!
//! **Invariant:** a file is only replaced if it holds what the cycle read. What an
//! editor saved in between is found in the displaced file, and merged.
//!
//! **Invariant:** when all digests are those of the base, nothing is written.

mod clock;
pub mod config;
pub mod control;
mod cycle;
pub mod dirs;
pub mod disk;
pub mod doctor;
mod engine;
pub mod error;
pub mod git;
pub mod history;
mod planted;
mod record;
pub mod report;
pub mod run;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
pub mod store;
pub mod sync;
pub mod systemd;
mod tree;
mod trust;
pub mod walk;
pub mod watch;
mod writers;
