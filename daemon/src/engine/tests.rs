//! The engine on files, hours and events that a test makes up.

mod editors;
mod edits;
mod faults;
mod fights;
mod files;
mod history;
mod holds;
mod pairs;
mod panics;
mod races;
mod renames;
mod rewrites;
mod spare;
mod stale;
mod typing;

use crate::simulation::{cells, world};
