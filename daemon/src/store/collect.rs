//! Which versions to forget.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;

use super::{HistoryEntry, NewEntry};
use crate::sync::Digest;

/// Which versions the history keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// So many of each notebook and of each replica, however old; at least one.
    pub min_versions: usize,
    /// No more than so many of each, however young.
    pub max_versions: usize,
    /// All that are younger, in milliseconds.
    pub age_ms: u64,
    /// So many bytes in all, as they are stored. The oldest go first; the newest revision of
    /// each notebook and the newest version of each replica never go.
    pub bytes: u64,
}

impl Default for Keep {
    /// Ten versions of each, and up to a thousand of the last month, in at most half a
    /// gigabyte.
    fn default() -> Self {
        let age_ms = 30 * 24 * 3600 * 1000;
        Self { min_versions: 10, max_versions: 1000, age_ms, bytes: 512 << 20 }
    }
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Versions.
    pub entries: usize,
    /// Texts.
    pub blobs: usize,
    /// Bytes of texts, as they were stored.
    pub bytes: u64,
}

/// A text that nothing names goes only once it is this old: it may belong to a commit
/// that is still to come, or to one that a power cut undid.
pub(super) const GRACE_MS: u64 = 24 * 3600 * 1000;

/// A text that nothing names, and that is older than a rebuilt index, may be what
/// somebody looks for. It stays so long after the rebuilding.
pub(super) const RESCUE_MS: u64 = 30 * 24 * 3600 * 1000;

/// Returns the entries to forget, as (source, number).
///
/// `size` says how much space a text takes. A text that several entries name counts once.
pub(super) fn choose(
    entries: &[(String, HistoryEntry)],
    keep: &Keep,
    now: u64,
    size: impl Fn(Digest) -> u64,
) -> BTreeSet<(String, u64)> {
    // A revision is of all replicas, so it is no version of the one that it stands under.
    let mut of_replica: BTreeMap<(&str, &Utf8Path, bool), Vec<&HistoryEntry>> = BTreeMap::new();
    for (source, entry) in entries {
        let NewEntry { replica, revision, .. } = &entry.version;
        of_replica.entry((source, replica, revision.is_some())).or_default().push(entry);
    }
    let mut forgotten = BTreeSet::new();
    // Versions that may go for lack of space, and how often each kept text is named.
    let mut spare = Vec::new();
    let mut names: BTreeMap<Digest, usize> = BTreeMap::new();
    for ((source, _, _), mut versions) in of_replica {
        versions.sort_by_key(|it| std::cmp::Reverse(it.seq));
        for (idx, entry) in versions.into_iter().enumerate() {
            let age = now.saturating_sub(entry.version.time_ms);
            let is_old = keep.min_versions.max(1) <= idx && keep.age_ms < age;
            if is_old || keep.max_versions.max(1) <= idx {
                forgotten.insert((source.to_owned(), entry.seq));
                continue;
            }
            *names.entry(entry.version.digest).or_default() += 1;
            if idx > 0 {
                spare.push((entry.version.time_ms, source, entry));
            }
        }
    }
    let mut total: u64 = names.keys().map(|it| size(*it)).sum();
    spare.sort_by_key(|(time, source, entry)| (*time, *source, entry.seq));
    for (_, source, entry) in spare {
        if total <= keep.bytes {
            break;
        }
        forgotten.insert((source.to_owned(), entry.seq));
        if let Some(n) = names.get_mut(&entry.version.digest) {
            *n -= 1;
            if *n == 0 {
                total = total.saturating_sub(size(entry.version.digest));
            }
        }
    }
    forgotten
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::Cause;
    use crate::store::Revision;

    /// Entries of one source, each `replica time text`; numbers count up.
    #[track_caller]
    fn check(entries: &[(&str, u64, &str)], keep: Keep, now: u64, expected: &[u64]) {
        let entries: Vec<_> = entries
            .iter()
            .zip(1..)
            .map(|((replica, time_ms, text), seq)| {
                let digest = Digest::of(text.as_bytes());
                let version = NewEntry {
                    time_ms: *time_ms,
                    replica: (*replica).into(),
                    digest,
                    len: text.len() as u64,
                    reason: String::new(),
                    revision: None,
                };
                ("a.py".to_owned(), HistoryEntry { seq, version })
            })
            .collect();
        let sizes: BTreeMap<Digest, u64> =
            entries.iter().map(|(_, it)| (it.version.digest, it.version.len)).collect();
        let forgotten = choose(&entries, &keep, now, |digest| sizes[&digest]);
        let seqs: Vec<u64> = forgotten.into_iter().map(|(_, seq)| seq).collect();
        assert_eq!(seqs, expected);
    }

    const KEEP: Keep = Keep { min_versions: 2, max_versions: 9, age_ms: 100, bytes: 1000 };

    #[test]
    fn old_versions_go_beyond_the_newest() {
        let entries = [("a", 1, "1"), ("b", 2, "2"), ("a", 3, "3"), ("a", 4, "4"), ("a", 150, "5")];
        check(&entries, KEEP, 200, &[1, 3]);
        check(&entries, KEEP, 50, &[]);
    }

    #[test]
    fn the_newest_of_each_replica_stays() {
        let entries = [("a", 1, "1111"), ("b", 2, "2222"), ("a", 3, "3333")];
        let none = Keep { min_versions: 0, max_versions: 0, age_ms: 0, bytes: 0 };
        check(&entries, none, 9999, &[1]);
        check(&entries, Keep { bytes: 1, ..KEEP }, 4, &[1]);
    }

    #[test]
    fn the_oldest_go_until_the_rest_fits() {
        let entries = [("a", 1, "1111"), ("a", 2, "2222"), ("a", 3, "3333"), ("a", 4, "4444")];
        let keep = |bytes| Keep { min_versions: 9, bytes, ..KEEP };
        check(&entries, keep(16), 5, &[]);
        check(&entries, keep(15), 5, &[1]);
        check(&entries, keep(8), 5, &[1, 2]);
    }

    #[test]
    fn a_text_that_is_named_twice_counts_once() {
        let entries = [("a", 1, "same"), ("a", 2, "same"), ("a", 3, "else")];
        check(&entries, Keep { min_versions: 9, bytes: 8, ..KEEP }, 5, &[]);
        check(&entries, Keep { min_versions: 9, bytes: 7, ..KEEP }, 5, &[1, 2]);
    }

    #[test]
    fn there_is_an_end_to_young_versions_too() {
        let entries = [("a", 1, "1"), ("a", 2, "2"), ("b", 2, "2"), ("a", 3, "3"), ("a", 4, "4")];
        check(&entries, Keep { max_versions: 3, ..KEEP }, 5, &[1]);
        check(&entries, Keep { max_versions: 1, ..KEEP }, 5, &[1, 2, 4]);
    }

    fn any_entries() -> impl Strategy<Value = Vec<(String, HistoryEntry)>> {
        let source = prop_oneof!["a.py", "b.py"];
        let replica = prop_oneof!["a.py", "b.py", "c.py"];
        let one = (source, replica, 0u64..100, 0u8..6, any::<bool>());
        prop::collection::vec(one, 0..30).prop_map(|all| {
            let entry = |(seq, (source, replica, time_ms, text, is_revision))| {
                let revision = Revision {
                    cause: Cause::Edit,
                    from: Vec::new(),
                    to: Vec::new(),
                    cells: 0,
                    changes: Vec::new(),
                    texts: Vec::new(),
                };
                let version = NewEntry {
                    time_ms,
                    replica: String::into(replica),
                    digest: Digest::of(&[text]),
                    len: 1,
                    reason: String::new(),
                    revision: bool::then_some(is_revision, revision),
                };
                (source, HistoryEntry { seq, version })
            };
            (1..).zip(all).map(entry).collect()
        })
    }

    proptest! {
        #[test]
        fn newest_of_anything_never_goes(
            entries in any_entries(),
            (min_versions, max_versions) in (0usize..5, 0usize..5),
            (age_ms, bytes) in (0u64..50, 0u64..10),
        ) {
            let keep = Keep { min_versions, max_versions, age_ms, bytes };
            let forgotten = choose(&entries, &keep, 100, |_| 1);
            let is_kept =
                |(source, it): &&(String, HistoryEntry)| !forgotten.contains(&(source.clone(), it.seq));
            for (source, entry) in &entries {
                let is_like = |(other, it): &&(String, HistoryEntry)| {
                    other == source
                        && it.version.replica == entry.version.replica
                        && it.version.revision.is_some() == entry.version.revision.is_some()
                };
                let newest = entries.iter().filter(is_like).max_by_key(|it| it.1.seq).unwrap();
                prop_assert!(is_kept(&newest));
            }
            // What is left is within the bounds, as far as they can be kept.
            let left: Vec<_> = entries.iter().filter(is_kept).collect();
            let digests: BTreeSet<Digest> = left.iter().map(|it| it.1.version.digest).collect();
            let mut groups: BTreeMap<_, usize> = BTreeMap::new();
            for (source, it) in left {
                let group = (source, &it.version.replica, it.version.revision.is_some());
                *groups.entry(group).or_default() += 1;
            }
            prop_assert!(groups.values().all(|n| *n <= max_versions.max(1)));
            prop_assert!(
                digests.len() as u64 <= bytes || groups.values().all(|n| *n == 1)
            );
        }
    }
}
