//! The settings of one file.

use std::time::Duration;

use camino::Utf8PathBuf;
use nbsync_formats::FormatName;

use super::{Config, Layout, Patterns, Poll};
use crate::store::Keep;
use crate::sync::outputs::Outputs;

/// What one file sets, and what it leaves to others.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) formats: Option<Vec<FormatName>>,
    pub(super) layout: Option<Layout>,
    pub(super) include: Option<Patterns>,
    pub(super) exclude: Option<Patterns>,
    pub(super) gitignore: Option<bool>,
    pub(super) settle: Option<Duration>,
    pub(super) patience: Option<Duration>,
    pub(super) marimo_patience: Option<Duration>,
    pub(super) poll: Option<Poll>,
    pub(super) poll_interval: Option<Duration>,
    pub(super) max_size: Option<u64>,
    pub(super) jupytext: Option<bool>,
    pub(super) pairs: Option<Vec<Vec<Utf8PathBuf>>>,
    pub(super) outputs: Option<Outputs>,
    pub(super) marimo_outputs: Option<bool>,
    pub(super) trust: Option<bool>,
    pub(super) history: History,
}

/// The table `history`.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct History {
    pub(super) max_age: Option<Duration>,
    pub(super) min_versions: Option<usize>,
    pub(super) max_versions: Option<usize>,
    pub(super) max_size: Option<u64>,
}

impl History {
    fn or(self, other: Self) -> Self {
        Self {
            max_age: self.max_age.or(other.max_age),
            min_versions: self.min_versions.or(other.min_versions),
            max_versions: self.max_versions.or(other.max_versions),
            max_size: self.max_size.or(other.max_size),
        }
    }

    fn into_keep(self) -> Keep {
        let default = Keep::default();
        let age_ms = self.max_age.and_then(|it| u64::try_from(it.as_millis()).ok());
        Keep {
            min_versions: self.min_versions.unwrap_or(default.min_versions),
            max_versions: self.max_versions.unwrap_or(default.max_versions),
            age_ms: age_ms.unwrap_or(default.age_ms),
            bytes: self.max_size.unwrap_or(default.bytes),
        }
    }
}

impl Settings {
    /// Takes from `other` what is not set here.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            formats: self.formats.or(other.formats),
            layout: self.layout.or(other.layout),
            include: self.include.or(other.include),
            exclude: self.exclude.or(other.exclude),
            gitignore: self.gitignore.or(other.gitignore),
            settle: self.settle.or(other.settle),
            patience: self.patience.or(other.patience),
            marimo_patience: self.marimo_patience.or(other.marimo_patience),
            poll: self.poll.or(other.poll),
            poll_interval: self.poll_interval.or(other.poll_interval),
            max_size: self.max_size.or(other.max_size),
            history: self.history.or(other.history),
            jupytext: self.jupytext.or(other.jupytext),
            pairs: self.pairs.or(other.pairs),
            outputs: self.outputs.or(other.outputs),
            marimo_outputs: self.marimo_outputs.or(other.marimo_outputs),
            trust: self.trust.or(other.trust),
        }
    }

    /// Takes the default for what nobody has set.
    pub(super) fn into_config(self, files: Vec<Utf8PathBuf>) -> Config {
        let default = Config::default();
        Config {
            formats: self.formats.unwrap_or(default.formats),
            layout: self.layout.unwrap_or(default.layout),
            include: self.include.unwrap_or(default.include),
            exclude: self.exclude.unwrap_or(default.exclude),
            gitignore: self.gitignore.unwrap_or(default.gitignore),
            settle: self.settle.unwrap_or(default.settle),
            patience: self.patience.unwrap_or(default.patience),
            marimo_patience: self.marimo_patience.unwrap_or(default.marimo_patience),
            poll: self.poll.unwrap_or(default.poll),
            poll_interval: self.poll_interval.unwrap_or(default.poll_interval),
            max_size: self.max_size.unwrap_or(default.max_size),
            history: self.history.into_keep(),
            jupytext: self.jupytext.unwrap_or(default.jupytext),
            pairs: self.pairs.unwrap_or(default.pairs),
            outputs: self.outputs.unwrap_or(default.outputs),
            marimo_outputs: self.marimo_outputs.unwrap_or(default.marimo_outputs),
            trust: self.trust.unwrap_or(default.trust),
            files,
        }
    }
}
