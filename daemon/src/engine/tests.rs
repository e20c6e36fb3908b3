//! The engine on files, hours and events that a test makes up.

mod edits;
mod faults;
mod fights;
mod history;
mod holds;
mod pairs;
mod panics;
mod races;
mod renames;
mod spare;

use crate::simulation::{cells, world};
