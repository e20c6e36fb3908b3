//! The engine on files, hours and events that a test makes up.

mod edits;
mod faults;
mod holds;
<<<<<<< HEAD
mod pairs;
mod panics;
mod random;
mod renames;
mod store;
mod tree;
mod world;
=======

use crate::simulation::{cells, world};
>>>>>>> db29af7 (simulation: random editors, faults, crashes and power cuts, as a program of its own)
