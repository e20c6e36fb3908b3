//! The engine on files, hours and events that a test makes up.

mod cells;
mod edits;
mod faults;
mod holds;
mod store;
mod tree;
mod world;
