//! The decisions of nbsync, without IO and without clocks.

#![deny(clippy::disallowed_methods)]

pub mod adopt;
pub mod align;
pub mod base;
pub mod digest;
pub mod edit;
pub mod lines;
pub mod merge;
pub mod pairing;
pub mod reconcile;
pub mod safety;

#[cfg(test)]
mod tests;

pub use digest::Digest;
