//! The decisions of nbsync, without IO and without clocks.

#![deny(clippy::disallowed_methods)]

pub mod adopt;
pub mod align;
pub mod base;
pub mod conflict;
mod digest;
pub mod edit;
pub mod fight;
pub mod lines;
pub mod merge;
pub mod outputs;
pub mod pairing;
mod parts;
pub mod reconcile;
mod regroup;
pub mod resolve;
pub mod runs;
pub mod safety;
mod shown;
pub mod stale;

pub use digest::Digest;

#[cfg(test)]
mod tests;
