//! A version, read.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::{Document, FormatName, Notebook};

use super::log::LogEntry;
use super::outputs::{self, CellOutputs};
use super::{HistoryError, Timeline, version_id};
use crate::record;
use crate::store::{HistoryEntry, Store};
use crate::sync::base::{Base, Dialect};
use crate::sync::pairing::extension;

/// Reads what all replicas agreed on after a step.
pub(crate) fn revision_base(
    store: &dyn Store,
    notebook: &Utf8Path,
    entry: &HistoryEntry,
) -> Result<Base, HistoryError> {
    let lost = || HistoryError::Lost {
        notebook: notebook.to_owned(),
        id: version_id(&entry.version)[..super::SHORT].to_owned(),
    };
    let bytes = store.blob(entry.version.digest)?.ok_or_else(lost)?;
    record::from_bytes(&bytes).map_err(|err| {
        tracing::debug!(%notebook, %err, "a revision can't be read");
        lost()
    })
}

/// A version to be compared or shown.
pub(super) struct State {
    pub(super) info: LogEntry,
    pub(super) content: Content,
}

pub(super) enum Content {
    /// All replicas, with their paths.
    Revision(Box<Base>, Vec<Utf8PathBuf>),
    /// The text of one.
    Text(Vec<u8>),
}

impl State {
    pub(super) fn read(
        store: &dyn Store,
        timeline: &Timeline,
        entry: &HistoryEntry,
    ) -> Result<Self, HistoryError> {
        let info = LogEntry::new(&timeline.source, entry);
        let content = if let Some(revision) = &entry.version.revision {
            let base = revision_base(store, &timeline.source, entry)?;
            let paths = revision.texts.iter().map(|(path, _)| path.clone()).collect();
            Content::Revision(Box::new(base), paths)
        } else {
            let bytes = store.blob(entry.version.digest)?;
            Content::Text(bytes.ok_or_else(|| HistoryError::Lost {
                notebook: timeline.source.clone(),
                id: info.id[..super::SHORT].to_owned(),
            })?)
        };
        Ok(Self { info, content })
    }

    /// Returns the replica at a path, or the one that is written like it.
    pub(super) fn replica(
        &self,
        path: &Utf8Path,
        like: Option<&Dialect>,
    ) -> Option<(Arc<dyn Document>, Dialect)> {
        let Content::Revision(base, paths) = &self.content else { return None };
        let by_path = paths.iter().position(|it| it == path);
        let by_dialect =
            || base.replicas.iter().position(|it| like.is_some_and(|like| *like == it.dialect));
        let replica = base.replicas.get(by_path.or_else(by_dialect)?)?;
        Some((Arc::clone(&replica.document), replica.dialect.clone()))
    }

    /// Returns the text of a version that is kept by itself, read as the file it was in.
    pub(super) fn document(&self) -> Result<Box<dyn Document>, HistoryError> {
        let path = self.info.from.first().cloned().unwrap_or_default();
        let refused = |source| HistoryError::NotANotebook {
            path: path.clone(),
            id: self.info.id.clone(),
            source,
        };
        let Content::Text(bytes) = &self.content else { return Err(refused(None)) };
        let text = std::str::from_utf8(bytes).map_err(|_| refused(None))?;
        parse(&path, text).ok_or_else(|| refused(None))?.map_err(|err| refused(Some(err)))
    }

    /// The notebook, and the outputs of its cells.
    pub(super) fn notebook(&self) -> Result<(Notebook, Vec<Option<CellOutputs>>), HistoryError> {
        let Content::Revision(base, _) = &self.content else {
            let document = self.document()?;
            let outputs = outputs::of_document(document.as_ref());
            return Ok((document.notebook().clone(), outputs));
        };
        let mut found = vec![None; base.model.keys.len()];
        for (at, replica) in base.replicas.iter().enumerate() {
            if !replica.dialect.format().has_outputs() {
                continue;
            }
            let outputs = outputs::of_document(base.with_outputs(at).as_ref());
            for (key, outputs) in replica.keys.iter().zip(outputs) {
                if let Some(idx) = key.and_then(|key| base.model.position(key)) {
                    found[idx] = outputs;
                }
            }
        }
        Ok((base.model.notebook.clone(), found))
    }
}

/// Whether the bytes of a file are a whole notebook.
pub(crate) fn is_notebook(path: &Utf8Path, bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(|text| parse(path, text)).is_some_and(|it| it.is_ok())
}

/// Parses the text of a file, if it looks like a notebook.
pub(super) fn parse(
    path: &Utf8Path,
    text: &str,
) -> Option<Result<Box<dyn Document>, nbsync_formats::ParseError>> {
    let extension = extension(path);
    let owned = FormatName::ALL
        .into_iter()
        .find(|&name| nbsync_formats::format(name).own_extension() == Some(extension));
    let format = owned.or_else(|| nbsync_formats::detect(path.file_name()?, text))?;
    Some(nbsync_formats::format(format).parse(text.into(), extension))
}
