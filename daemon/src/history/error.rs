//! Why a version could not be found.

use camino::Utf8PathBuf;
use nbsync_formats::{ParseError, PrintError};

use super::SHORT;
use crate::store::StoreError;

/// Why a version could not be found or shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// Nothing is known of the file.
    #[error("`{path}` has no history")]
    NoHistory {
        /// The file, relative to the root.
        path: Utf8PathBuf,
        /// A notebook that has one, and a name like it.
        nearest: Option<Utf8PathBuf>,
    },
    /// The notebook has no such version.
    #[error("`{notebook}` has no version `{rev}`")]
    NoVersion {
        /// The notebook.
        notebook: Utf8PathBuf,
        /// What was asked for.
        rev: String,
        /// The id that is most like it.
        nearest: Option<String>,
    },
    /// The notebook has several such versions.
    #[error("several versions of `{notebook}` begin with `{rev}`: {}", ids.join(", "))]
    Ambiguous {
        /// The notebook.
        notebook: Utf8PathBuf,
        /// What was asked for.
        rev: String,
        /// Their ids.
        ids: Vec<String>,
    },
    /// The history doesn't go back so far.
    #[error("the history of `{notebook}` has {n_versions} revisions, and begins with `{oldest}`")]
    TooOld {
        /// The notebook.
        notebook: Utf8PathBuf,
        /// How many there are.
        n_versions: usize,
        /// The id of the first.
        oldest: String,
    },
    /// The text of a version is no longer there, or was damaged.
    #[error("the text of version `{id}` of `{notebook}` is damaged or gone")]
    Lost {
        /// The notebook.
        notebook: Utf8PathBuf,
        /// The version.
        id: String,
    },
    /// The text of a version is no notebook.
    #[error("version `{id}` of `{path}` is not a whole notebook")]
    NotANotebook {
        /// The file.
        path: Utf8PathBuf,
        /// The version.
        id: String,
        /// Why not.
        source: Option<ParseError>,
    },
    /// The version can't be written in another format.
    #[error("cannot show version `{id}` of `{notebook}` in that format")]
    Print {
        /// The notebook.
        notebook: Utf8PathBuf,
        /// The version.
        id: String,
        /// Why not.
        source: PrintError,
    },
    /// There is no step to take back.
    #[error("there is nothing to take back")]
    NoStep,
    /// The history can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HistoryError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoHistory { nearest: Some(nearest), .. } => {
                Some(format!("there is one of `{nearest}`"))
            }
            Self::NoHistory { nearest: None, .. } | Self::NoStep => {
                Some("`nbsync log` lists all versions of all notebooks".to_owned())
            }
            Self::NoVersion { notebook, nearest, .. } => {
                let list = format!("`nbsync log {notebook}` lists all versions");
                Some(match nearest {
                    Some(nearest) => format!("the nearest is `{}`; {list}", &nearest[..SHORT]),
                    None => list,
                })
            }
            Self::Ambiguous { .. } => Some("give more letters".to_owned()),
            Self::TooOld { notebook, .. } => {
                Some(format!("`nbsync log {notebook}` lists all versions"))
            }
            Self::NotANotebook { path, id, .. } => {
                Some(format!("`nbsync show {path}@{}` prints it", &id[..SHORT]))
            }
            Self::Lost { .. } | Self::Print { .. } | Self::Store(_) => None,
        }
    }

    /// Whether something was asked for that isn't there.
    pub fn is_about_the_question(&self) -> bool {
        !matches!(self, Self::Lost { .. } | Self::Store(_) | Self::Print { .. })
    }
}
