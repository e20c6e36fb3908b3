//! Which versions to forget.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;

use super::HistoryEntry;
use crate::sync::Digest;

/// Which versions the history keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// So many of each replica, however old.
    pub newest: usize,
    /// All that are younger, in milliseconds.
    pub age_ms: u64,
    /// So many bytes in all, as they are stored. The oldest go first; the newest version
    /// of each replica never goes.
    pub bytes: u64,
}

impl Default for Keep {
    /// Ten versions of each replica and a month of all, in at most half a gigabyte.
    fn default() -> Self {
        Self { newest: 10, age_ms: 30 * 24 * 3600 * 1000, bytes: 512 << 20 }
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
    let mut of_replica: BTreeMap<(&str, &Utf8Path), Vec<&HistoryEntry>> = BTreeMap::new();
    for (source, entry) in entries {
        of_replica.entry((source, &entry.version.replica)).or_default().push(entry);
    }
    let mut forgotten = BTreeSet::new();
    // Versions that may go for lack of space, and how often each kept text is named.
    let mut spare = Vec::new();
    let mut names: BTreeMap<Digest, usize> = BTreeMap::new();
    for ((source, _), mut versions) in of_replica {
        versions.sort_by_key(|it| std::cmp::Reverse(it.seq));
        for (idx, entry) in versions.into_iter().enumerate() {
            let age = now.saturating_sub(entry.version.time_ms);
            if idx >= keep.newest.max(1) && age > keep.age_ms {
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
    use super::*;
    use crate::store::NewEntry;

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

    const KEEP: Keep = Keep { newest: 2, age_ms: 100, bytes: 1000 };

    #[test]
    fn old_versions_go_beyond_the_newest() {
        let entries = [("a", 1, "1"), ("b", 2, "2"), ("a", 3, "3"), ("a", 4, "4"), ("a", 150, "5")];
        check(&entries, KEEP, 200, &[1, 3]);
        check(&entries, KEEP, 50, &[]);
    }

    #[test]
    fn the_newest_of_each_replica_stays() {
        let entries = [("a", 1, "1111"), ("b", 2, "2222"), ("a", 3, "3333")];
        check(&entries, Keep { newest: 0, age_ms: 0, bytes: 0 }, 9999, &[1]);
        check(&entries, Keep { bytes: 1, ..KEEP }, 4, &[1]);
    }

    #[test]
    fn the_oldest_go_until_the_rest_fits() {
        let entries = [("a", 1, "1111"), ("a", 2, "2222"), ("a", 3, "3333"), ("a", 4, "4444")];
        let keep = |bytes| Keep { newest: 9, age_ms: 100, bytes };
        check(&entries, keep(16), 5, &[]);
        check(&entries, keep(15), 5, &[1]);
        check(&entries, keep(8), 5, &[1, 2]);
    }

    #[test]
    fn a_text_that_is_named_twice_counts_once() {
        let entries = [("a", 1, "same"), ("a", 2, "same"), ("a", 3, "else")];
        check(&entries, Keep { newest: 9, age_ms: 100, bytes: 8 }, 5, &[]);
        check(&entries, Keep { newest: 9, age_ms: 100, bytes: 7 }, 5, &[1, 2]);
    }
}
