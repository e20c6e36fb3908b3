//! The real engine on files, hours, events and a store that are made up.
//!
//! A seed stands for everything that happens: which editors save what in which way, what of the
//! events arrives, what fails, when the process or the power ends. The same seed gives the same
//! trace. [`simulate`] runs one and checks the [invariants](Invariant).
//!
//! Not part of the product: this is compiled for the tests of this crate, and for
//! `tests/simulation` by the feature `simulation`.

#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod actors;
mod audit;
pub(crate) mod cells;
mod check;
mod cut;
mod exhaust;
mod invariant;
pub(crate) mod rng;
mod script;
mod sim;
pub(crate) mod store;
#[cfg(test)]
mod tests;
pub(crate) mod tree;
#[cfg_attr(not(test), expect(dead_code, reason = "some of it is for the tests of the engine"))]
pub(crate) mod world;

#[cfg(test)]
pub(crate) use self::actors::litter;
pub use self::cut::shorten;
pub use self::exhaust::{Scenario, Trouble, scenarios};
pub use self::invariant::Invariant;
pub use self::script::Script;
pub use self::sim::{Failure, Tally, simulate, simulate_with_trace};
pub use crate::planted::{Bug, plant};
