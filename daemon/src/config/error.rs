//! What can be wrong with a configuration.

use std::io;

use camino::Utf8PathBuf;

/// A configuration that can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is there, but reading it fails.
    #[error("cannot read `{path}`")]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file says something that nbsync doesn't understand.
    #[error("cannot use `{path}`, line {line}")]
    Invalid {
        /// The file.
        path: Utf8PathBuf,
        /// The line, counted from one.
        line: usize,
        /// What is wrong there.
        source: ConfigProblem,
    },
}

/// What is wrong at one place of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigProblem {
    /// It is not TOML, or not even text.
    #[error("{0}")]
    Syntax(String),
    /// There is no such key.
    #[error("unknown key `{key}`{}", did_you_mean(*.nearest))]
    UnknownKey {
        /// The key as it stands in the file.
        key: String,
        /// The key that is written almost like it.
        nearest: Option<&'static str>,
    },
    /// The value is not of the right kind.
    #[error("`{key}` must be {expected}")]
    WrongValue {
        /// The key.
        key: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// There is no such format.
    #[error("`formats`: {0}")]
    UnknownFormat(String),
    /// A pattern of files can't be understood.
    #[error("`{key}`: cannot understand the pattern `{pattern}`: {reason}")]
    Pattern {
        /// The key.
        key: &'static str,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|key| format!("; did you mean `{key}`?")).unwrap_or_default()
}
