//! What the user can set, and where.
//!
//! Settings are read from `nbsync.toml`, or the table `[tool.nbsync]` of
//! `pyproject.toml`, in the nearest folder at or above the root that has one,
//! and from the user's `config.toml`. Each key is taken from the first of them
//! that has it.
//!
//! A mistake is an error, not a warning: a misspelt `exclude` would let nbsync
//! write where the user has said not to.

pub mod edit;
mod error;
mod find;
pub mod jupytext;
mod patterns;
mod read;
mod settings;
mod units;

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::FormatName;

pub use error::{ConfigError, ConfigProblem};
pub use find::find_root;
pub use patterns::Patterns;
pub use units::duration;

use crate::dirs::Dirs;
use crate::store::Keep;
use crate::sync::outputs::Outputs;
use settings::Settings;

/// The settings for one root.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the configuration")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The formats that every notebook is kept in (key `formats`).
    pub formats: Vec<FormatName>,
    /// Where shadows are (key `layout`).
    pub layout: Layout,
    /// Patterns of the files to take (key `include`), as in a `.gitignore`;
    /// none for all.
    pub include: Patterns,
    /// Patterns of the files and folders to leave alone (key `exclude`), as in a
    /// `.gitignore`.
    pub exclude: Patterns,
    /// Whether what git ignores is left alone (key `gitignore`).
    pub gitignore: bool,
    /// How long to wait when a file looks as if it were not written to its end
    /// (key `settle`).
    pub settle: Duration,
    /// How long after its own save a replica is not written (key `patience`).
    pub patience: Duration,
    /// How long after its own save a replica is not written that marimo saved, unless that saves again
    /// (key `marimo_patience`).
    pub marimo_patience: Duration,
    /// Whether folders are polled (key `poll`).
    pub poll: Poll,
    /// How often folders are looked at that are polled (key `poll_interval`).
    pub poll_interval: Duration,
    /// The size in bytes from which on a file is left alone (key `max_size`).
    pub max_size: u64,
    /// How much of the history is kept (table `history`).
    pub history: Keep,
    /// Whether files that jupytext has paired are one notebook (key `jupytext`).
    pub jupytext: bool,
    /// Files that are one notebook, absolute, the source first (key `pairs`).
    pub pairs: Vec<Vec<Utf8PathBuf>>,
    /// What becomes of the outputs of cells that are edited (key `outputs`).
    pub outputs: Outputs,
    /// Whether outputs of runs in marimo come into the other replicas (key `marimo_outputs`).
    pub marimo_outputs: bool,
    /// Whether a notebook that Jupyter trusts stays trusted (key `trust`).
    pub trust: bool,
    /// The files that the settings are from, the most important first.
    pub files: Vec<Utf8PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            formats: vec![FormatName::Ipynb, FormatName::Percent, FormatName::Marimo],
            layout: Layout::Workdir,
            include: Patterns::default(),
            exclude: Patterns::default(),
            gitignore: true,
            settle: Duration::from_millis(30),
            patience: Duration::from_millis(250),
            marimo_patience: Duration::from_secs(4),
            poll: Poll::Auto,
            poll_interval: Duration::from_secs(2),
            max_size: 64 << 20,
            history: Keep::default(),
            jupytext: true,
            pairs: Vec::new(),
            outputs: Outputs::Keep,
            marimo_outputs: true,
            trust: true,
            files: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the settings for a root, given by its absolute path.
    pub fn load(root: &Utf8Path, dirs: &Dirs) -> Result<Self, ConfigError> {
        let mut files = Vec::new();
        let mut settings = Settings::default();
        if let Some(found) = find::nearest(root)? {
            settings = read::settings(&found)?;
            files.push(found.path);
        }
        if let Some(mut found) = find::user_wide(dirs)? {
            // A pattern of the user means the same below every root.
            root.clone_into(&mut found.base);
            settings = settings.or(read::settings(&found)?);
            files.push(found.path);
        }
        Ok(settings.into_config(files))
    }
}

/// Where shadows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// In `__marimo__/nbsync/` beside the notebook.
    Workdir,
    /// Beside the notebook, for people who run them there.
    Sibling,
}

/// Whether folders are polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// Where the system doesn't report changes.
    Auto,
    /// All of them. The system's events are not used.
    Always,
    /// None, even if changes go unseen.
    Never,
}

#[cfg(test)]
mod tests;
