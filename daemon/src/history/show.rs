//! Shows a version.

use std::sync::Arc;

use camino::Utf8Path;
use nbsync_formats::{Carry, FormatName, Notebook};
use serde::{Deserialize, Serialize};

use super::log::LogEntry;
use super::state::{Content, State};
use super::{HistoryError, Rev, Timeline};
use crate::store::Store;

/// A version with its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The version.
    #[serde(flatten)]
    pub info: LogEntry,
    /// Its text.
    pub text: Text,
}

/// A text as it was, whether or not it is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// UTF-8.
    Utf8(String),
    /// Something else.
    Bytes(Vec<u8>),
}

impl Text {
    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Utf8(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// Returns a version of the notebook that a file belongs to: the text of that file, or the
/// notebook in another format.
///
/// In the format of one of its replicas, a revision is shown as that replica was, with the outputs
/// that were stripped from it. Otherwise it is printed, with all that the format has a place for.
pub fn show(
    store: &dyn Store,
    path: &Utf8Path,
    rev: &Rev,
    to: Option<FormatName>,
) -> Result<Shown, HistoryError> {
    let timeline = Timeline::of(store, path)?;
    let state = State::read(store, &timeline, timeline.find(rev)?)?;
    let text = match (&state.content, to) {
        (Content::Text(bytes), None) => match String::from_utf8(bytes.clone()) {
            Ok(text) => Text::Utf8(text),
            Err(err) => Text::Bytes(err.into_bytes()),
        },
        (Content::Text(_), Some(to)) => {
            let document = state.document()?;
            Text::Utf8(print(&state, document.notebook(), to)?)
        }
        (Content::Revision(base, _), None) => {
            let like = newest_dialect(store, &timeline, path);
            let found = state.replica(path, like.as_ref()).map(|(document, _)| document);
            // Another file's name stands for the source.
            let source = || base.replicas.first().map(|it| Arc::clone(&it.document));
            let document = found.or_else(source);
            Text::Utf8(document.map_or_else(String::new, |it| it.text().to_string()))
        }
        (Content::Revision(base, _), Some(to)) => {
            match base.replicas.iter().position(|it| it.dialect.format == to) {
                Some(idx) => Text::Utf8(base.with_outputs(idx).text().to_string()),
                None => Text::Utf8(print(&state, &base.model.notebook, to)?),
            }
        }
    };
    Ok(Shown { info: state.info, text })
}

/// How the file at a path is written today: it may have had another name.
fn newest_dialect(
    store: &dyn Store,
    timeline: &Timeline,
    path: &Utf8Path,
) -> Option<crate::sync::base::Dialect> {
    let (entry, revision) = timeline.revisions().next_back()?;
    let idx = revision.texts.iter().position(|(own, _)| own == path)?;
    let base = super::revision_base(store, &timeline.source, entry).ok()?;
    base.replicas.get(idx).map(|it| it.dialect.clone())
}

fn print(state: &State, notebook: &Notebook, to: FormatName) -> Result<String, HistoryError> {
    let format = nbsync_formats::format(to);
    let refused = |source| HistoryError::Print {
        notebook: state.info.notebook.clone(),
        id: state.info.id[..super::SHORT].to_owned(),
        source,
    };
    let extension = format.extension(notebook).ok_or_else(|| {
        refused(nbsync_formats::PrintError::Unsupported {
            format: to.as_str(),
            reason: "it is in a language that the format has no place for".to_owned(),
        })
    })?;
    let printed = format.print(notebook, extension, Carry::All).map_err(refused)?;
    Ok(printed.document.text().to_string())
}
