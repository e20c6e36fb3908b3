//! The engine on files, hours and events that a test makes up.

mod cells;
mod editors;
mod edits;
mod faults;
mod holds;
mod pairs;
mod panics;
mod random;
mod renames;
mod store;
mod tree;
mod world;
