//! The sync engine of nbsync.

pub mod sync;
