//! Errors on their way to the user.

use std::error::Error;
use std::io;

use nbsync_daemon::config::ConfigError;
use nbsync_daemon::control::{ClientError, SocketError};
use nbsync_daemon::run;

use crate::ui;

/// An error with what the user can do about it.
#[derive(Debug)]
pub(crate) struct CliError {
    /// What the exit code says.
    pub(crate) kind: Kind,
    /// What could not be done; its sources say why.
    pub(crate) source: Box<dyn Error + Send + Sync>,
    /// What to do, one sentence each.
    pub(crate) hints: Vec<String>,
}

/// What an exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The command line or the configuration asks for something impossible.
    Usage,
    /// A file could not be read, understood or written.
    Input,
    /// A daemon is needed, and none runs.
    NoDaemon,
    /// Nobody reads our output any more.
    BrokenPipe,
}

impl Kind {
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::BrokenPipe => 0,
            Self::Usage => 2,
            Self::Input => 3,
            Self::NoDaemon => 4,
        }
    }
}

impl CliError {
    pub(crate) fn usage(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Usage, source: source.into(), hints: Vec::new() }
    }

    pub(crate) fn input(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Input, source: source.into(), hints: Vec::new() }
    }

    /// An error of the operating system, and what could not be done for it.
    pub(crate) fn io(action: impl Into<String>, source: io::Error) -> Self {
        Self::input(Failed { action: action.into(), source })
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Writes the error, its causes and its hints to stderr.
    pub(crate) fn print(&self) {
        ui::labelled("error", ui::ERROR, &self.source.to_string());
        let mut cause = self.source.source();
        while let Some(error) = cause {
            ui::labelled("caused by", ui::ERROR, &error.to_string());
            cause = error.source();
        }
        for hint in &self.hints {
            ui::labelled("hint", ui::HINT, hint);
        }
    }
}

/// An action that failed.
#[derive(Debug, thiserror::Error)]
#[error("{action}")]
struct Failed {
    action: String,
    source: io::Error,
}

impl From<run::Error> for CliError {
    fn from(error: run::Error) -> Self {
        match error {
            run::Error::AlreadyRunning { .. } => Self::usage(error)
                .hint("`nbsync status` shows what it does, and `nbsync stop` ends it"),
            run::Error::Nested(_) => Self::usage(error).hint(
                "watch the upper folder alone; `exclude` in its configuration leaves folders out",
            ),
            _ => Self::input(error),
        }
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<SocketError> for CliError {
    fn from(error: SocketError) -> Self {
        Self::input(error)
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        Self::input(error)
    }
}
