//! The notebook model, and the file formats it is read from and written to.
//!
//! A notebook is a list of [`Cell`]s with metadata, whatever file it came from.
//! Each [`Format`] reads text into a [`Document`], prints a notebook that has no
//! file yet, and updates existing text by splicing: what an edit does not touch
//! keeps its bytes.
//!
//! This crate doesn't read files, look at clocks, or know that there is a
//! daemon. It never panics, whatever the input.
//!
//! # Terms
//!
//! - **source**: the text of a cell, without the marker or fence around it. In
//!   this crate, never a file.
//! - **outputs**: what running a code cell produced. Only `.ipynb` stores them.
//! - **text format**: a format without outputs (percent, marimo).
//! - **view**: the cells as one format shows them. A format that cannot hold a
//!   text exactly shows it a little different from the model; the caller keeps
//!   the correspondence, so that this difference never travels.

#![deny(clippy::disallowed_methods)]

mod check;
mod diagnose;
mod edit;
mod error;
mod format;
mod ipynb;
mod languages;
mod lines;
mod magics;
mod marimo;
mod marimo_metadata;
mod notebook;
mod percent;
mod python;
mod python_json;
mod script;
mod string_scanner;
mod yaml;

pub use check::{CellRef, Changed, Finding, KeptHere, Line, What, check};
pub use diagnose::{Diagnostic, DiagnosticCode, Place, Severity, Tool, deletions, diagnose};
pub use edit::{Change, Slot};
pub use error::{ParseError, ParseErrorKind, PrintError};
pub use format::{
    Carry, CellPlace, Configured, Document, Format, FormatName, Printed, detect, format,
};
pub use ipynb::{CodeHash, Ran, Session, SessionCell, read_session};
pub use languages::is_script;
pub use marimo::{
    Names as MarimoNames, Outline as MarimoOutline, OutlinedCell as MarimoOutlinedCell, Violation,
    ViolationKind, outline as outline_marimo, regenerate as regenerate_marimo,
    violations as marimo_violations,
};
pub use notebook::{Attribute, Cell, CellKind, Notebook, NotebookAttribute, Notes};
pub use yaml::load as load_yaml;
