//! From a path and a version's name to the version.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::{HistoryError, version_id};
use crate::store::{HistoryEntry, Revision, Store};
use crate::sync::Digest;

/// Names a version of a notebook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rev {
    /// So many revisions before the newest.
    Back(usize),
    /// The version whose id begins so.
    Id(String),
    /// The revision of that time, in milliseconds since 1970: the last one before it.
    At(u64),
}

/// The history of one notebook.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// The notebook's source, relative to the root.
    pub(crate) source: Utf8PathBuf,
    /// Revisions, and texts that are in none, oldest first.
    pub(crate) entries: Vec<HistoryEntry>,
}

impl Timeline {
    /// Reads the history of the notebook that a file belongs to, or belonged to.
    pub(crate) fn of(store: &dyn Store, path: &Utf8Path) -> Result<Self, HistoryError> {
        let own = store.history(path.as_str())?;
        if own.iter().any(|it| it.version.revision.is_some()) {
            return Self::read(store, path.to_owned(), own);
        }
        let sources = store.sources_with_history()?;
        // Near ones first: a shadow is in the folder of its source, or below.
        let folders: BTreeSet<&Utf8Path> = path.ancestors().skip(1).take(3).collect();
        let (near, far): (Vec<&String>, Vec<&String>) = sources.iter().partition(|source| {
            Utf8Path::new(source).parent().is_some_and(|folder| folders.contains(folder))
        });
        for group in [near, far] {
            let mut found: Option<(u64, Self)> = None;
            for source in group {
                let entries = store.history(source)?;
                let last_use = entries
                    .iter()
                    .filter(|it| {
                        let revision = it.version.revision.as_ref();
                        revision.is_some_and(|it| it.texts.iter().any(|(own, _)| own == path))
                    })
                    .map(|it| it.version.time_ms)
                    .max();
                if let Some(time) = last_use
                    && found.as_ref().is_none_or(|(other, _)| *other < time)
                {
                    found = Some((time, Self::read(store, source.into(), entries)?));
                }
            }
            if let Some((_, timeline)) = found {
                return Ok(timeline);
            }
        }
        if !own.is_empty() {
            return Self::read(store, path.to_owned(), own);
        }
        let distance = |other: &&String| strsim::damerau_levenshtein(path.as_str(), other);
        let nearest = sources
            .iter()
            .filter(|it| !it.is_empty())
            .min_by_key(distance)
            .filter(|it| distance(it) <= path.as_str().len() / 3)
            .map(Utf8PathBuf::from);
        Err(HistoryError::NoHistory { path: path.to_owned(), nearest })
    }

    /// Puts together what belongs to a notebook.
    pub(crate) fn read(
        store: &dyn Store,
        source: Utf8PathBuf,
        own: Vec<HistoryEntry>,
    ) -> Result<Self, HistoryError> {
        let mut all = own;
        // What was found after a crash is under the name of the file itself.
        let paths: BTreeSet<Utf8PathBuf> = all
            .iter()
            .filter_map(|it| it.version.revision.as_ref())
            .flat_map(|it| it.texts.iter().map(|(path, _)| path.clone()))
            .filter(|path| *path != source)
            .collect();
        for path in paths {
            let others = store.history(path.as_str())?;
            all.extend(others.into_iter().filter(|it| it.version.revision.is_none()));
        }
        let in_revisions: BTreeSet<Digest> = all
            .iter()
            .filter_map(|it| it.version.revision.as_ref())
            .flat_map(|it| it.texts.iter().map(|(_, digest)| *digest))
            .collect();
        // The newest of equal texts.
        let mut last: BTreeMap<(&Utf8Path, Digest), u64> = BTreeMap::new();
        for entry in &all {
            let time = last.entry((&entry.version.replica, entry.version.digest)).or_default();
            *time = entry.version.time_ms.max(*time);
        }
        let entries: Vec<HistoryEntry> = all
            .iter()
            .filter(|it| {
                let version = &it.version;
                version.revision.is_some()
                    || (!in_revisions.contains(&version.digest)
                        && last.get(&(version.replica.as_path(), version.digest))
                            == Some(&version.time_ms))
            })
            .cloned()
            .collect();
        Ok(Self { source, entries })
    }

    /// The revisions, oldest first.
    pub(crate) fn revisions(&self) -> impl DoubleEndedIterator<Item = (&HistoryEntry, &Revision)> {
        self.entries.iter().filter_map(|it| Some((it, it.version.revision.as_ref()?)))
    }

    /// Returns the version of a name.
    pub(crate) fn find(&self, rev: &Rev) -> Result<&HistoryEntry, HistoryError> {
        let notebook = self.source.clone();
        let found = match rev {
            Rev::Back(n) => self.revisions().rev().nth(*n).map(|(entry, _)| entry),
            Rev::At(time) => self
                .revisions()
                .rev()
                .map(|(entry, _)| entry)
                .find(|entry| entry.version.time_ms <= *time),
            Rev::Id(prefix) => return self.by_id(prefix),
        };
        found.ok_or_else(|| match self.revisions().next() {
            Some((oldest, _)) => HistoryError::TooOld {
                notebook,
                n_versions: self.revisions().count(),
                oldest: version_id(&oldest.version)[..super::SHORT].to_owned(),
            },
            None => HistoryError::NoVersion { notebook, rev: "~0".to_owned(), nearest: None },
        })
    }

    fn by_id(&self, prefix: &str) -> Result<&HistoryEntry, HistoryError> {
        let ids: Vec<String> = self.entries.iter().map(|it| version_id(&it.version)).collect();
        let matching: Vec<usize> =
            (0..ids.len()).filter(|&idx| ids[idx].starts_with(prefix)).collect();
        let notebook = self.source.clone();
        let rev = prefix.to_owned();
        match matching[..] {
            [idx] => Ok(&self.entries[idx]),
            [] => {
                let distance = |id: &&String| {
                    let len = prefix.len().min(id.len());
                    strsim::damerau_levenshtein(prefix, &id[..len])
                };
                let nearest = ids.iter().min_by_key(distance).cloned();
                Err(HistoryError::NoVersion { notebook, rev, nearest })
            }
            _ => {
                let short =
                    |idx: &usize| ids[*idx][..super::SHORT.max(prefix.len() + 2)].to_owned();
                let ids = matching.iter().map(short).collect();
                Err(HistoryError::Ambiguous { notebook, rev, ids })
            }
        }
    }
}

/// Returns the notebook with the newest revision of all.
pub(crate) fn last_step(store: &dyn Store) -> Result<Utf8PathBuf, HistoryError> {
    let mut last: Option<(u64, String)> = None;
    for source in store.sources_with_history()? {
        let entries = store.history(&source)?;
        let time = entries.iter().filter(|it| it.version.revision.is_some());
        let time = time.map(|it| it.version.time_ms).max();
        if let Some(time) = time
            && last.as_ref().is_none_or(|(other, _)| *other < time)
        {
            last = Some((time, source));
        }
    }
    last.map(|(_, source)| source.into()).ok_or(HistoryError::NoStep)
}
