//! Lists versions.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::{HistoryError, Timeline, version_id};
use crate::report::{self, Cause};
use crate::store::{HistoryEntry, Store};

/// The versions of one or all notebooks, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogReport {
    /// [`report::VERSION`].
    pub version: u32,
    /// How many there are.
    pub total: usize,
    /// As many of them as were asked for.
    pub versions: Vec<LogEntry>,
}

/// One version, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Its [`version_id`].
    pub id: String,
    /// The notebook's source.
    pub notebook: Utf8PathBuf,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// What it came from.
    #[serde(flatten)]
    pub cause: Cause,
    /// The replicas that were edited; for a text that is kept by itself, the one that had it.
    pub from: Vec<Utf8PathBuf>,
    /// The replicas that were written.
    pub to: Vec<Utf8PathBuf>,
    /// How many cells the edit touched.
    pub cells: usize,
    /// What it did, one line a change.
    pub changes: Vec<String>,
}

impl LogEntry {
    pub(crate) fn new(notebook: &Utf8PathBuf, entry: &HistoryEntry) -> Self {
        let version = &entry.version;
        let (id, notebook, time_ms) = (version_id(version), notebook.clone(), version.time_ms);
        match &version.revision {
            Some(revision) => Self {
                id,
                notebook,
                time_ms,
                cause: revision.cause.clone(),
                from: revision.from.clone(),
                to: revision.to.clone(),
                cells: revision.cells,
                changes: revision.changes.clone(),
            },
            None => Self {
                id,
                notebook,
                time_ms,
                cause: Cause::Kept { reason: version.reason.clone() },
                from: vec![version.replica.clone()],
                to: Vec::new(),
                cells: 0,
                changes: Vec::new(),
            },
        }
    }
}

/// Returns the newest versions of the notebooks with a replica at or below the paths (of all
/// if there are none). At most `limit`, if that is not zero.
pub fn log(
    store: &dyn Store,
    paths: &[Utf8PathBuf],
    limit: usize,
) -> Result<LogReport, HistoryError> {
    let mut timelines = Vec::new();
    let sources = store.sources_with_history()?;
    for source in &sources {
        if paths.is_empty() || paths.iter().any(|it| Utf8PathBuf::from(source).starts_with(it)) {
            let own = store.history(source)?;
            if own.iter().any(|it| it.version.revision.is_some()) || paths.is_empty() {
                timelines.push(Timeline::read(store, source.into(), own)?);
            }
        }
    }
    for path in paths {
        let is_covered = |it: &Timeline| it.source.starts_with(path);
        if !timelines.iter().any(is_covered) {
            let timeline = Timeline::of(store, path)?;
            if timelines.iter().all(|it| it.source != timeline.source) {
                timelines.push(timeline);
            }
        }
    }
    let mut versions: Vec<LogEntry> = timelines
        .iter()
        .flat_map(|it| it.entries.iter().map(|entry| LogEntry::new(&it.source, entry)))
        .collect();
    // Stable, and from the newest: those of one moment stay in the order of their notebook.
    versions.reverse();
    versions.sort_by_key(|it| std::cmp::Reverse(it.time_ms));
    let total = versions.len();
    if limit > 0 {
        versions.truncate(limit);
    }
    Ok(LogReport { version: report::VERSION, total, versions })
}
