//! Keys and values of the index.
//!
//! Every value carries a checksum over itself and its key, because sled does not notice
//! every damage, and a value in the wrong place is damage too.

use super::{HistoryEntry, NewEntry};

const CHECKSUM: usize = 16;

/// Returns the stored form of a value.
pub(super) fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(CHECKSUM + value.len());
    sealed.extend_from_slice(&checksum(key, value));
    sealed.extend_from_slice(value);
    sealed
}

/// Returns the value of a stored form, `None` if it was damaged.
pub(super) fn unseal<'a>(key: &[u8], sealed: &'a [u8]) -> Option<&'a [u8]> {
    let (found, value) = sealed.split_at_checked(CHECKSUM)?;
    (found == checksum(key, value)).then_some(value)
}

fn checksum(key: &[u8], value: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes()).update(key).update(value);
    let mut checksum = [0; CHECKSUM];
    hasher.finalize_xof().fill(&mut checksum);
    checksum
}

pub(super) const RECORDS: &[u8] = b"r/";
pub(super) const HISTORY: &[u8] = b"h/";
pub(super) const META: &[u8] = b"m/";

/// The key of a record.
pub(super) fn record_key(source: &str) -> Vec<u8> {
    [RECORDS, source.as_bytes()].concat()
}

/// What the keys of a source's history start with. No path has a NUL, so no other source's
/// keys do.
pub(super) fn history_prefix(source: &str) -> Vec<u8> {
    [HISTORY, source.as_bytes(), b"\0"].concat()
}

/// The key of an entry. Big-endian, so that entries sort by number.
pub(super) fn history_key(source: &str, seq: u64) -> Vec<u8> {
    let mut key = history_prefix(source);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// The source and the number in the key of an entry.
pub(super) fn parse_history_key(key: &[u8]) -> Option<(&str, u64)> {
    let (source, seq) = key.strip_prefix(HISTORY)?.split_last_chunk::<8>()?;
    let source = source.strip_suffix(b"\0")?;
    Some((std::str::from_utf8(source).ok()?, u64::from_be_bytes(*seq)))
}

/// Returns an entry from its key and its value.
pub(super) fn parse_entry(key: &[u8], value: &[u8]) -> Option<(String, HistoryEntry)> {
    let (source, seq) = parse_history_key(key)?;
    let version: NewEntry = serde_json::from_slice(value).ok()?;
    Some((source.to_owned(), HistoryEntry { seq, version }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_and_exchange_are_noticed() {
        let sealed = seal(b"key", b"value");
        assert_eq!(unseal(b"key", &sealed), Some(&b"value"[..]));
        assert_eq!(unseal(b"kez", &sealed), None);
        for idx in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[idx] ^= 1;
            assert_eq!(unseal(b"key", &damaged), None, "{idx}");
            assert_eq!(unseal(b"key", &sealed[..idx]), None, "{idx}");
        }
    }

    #[test]
    fn histories_do_not_mix() {
        let key = history_key("a/b.py", 258);
        assert_eq!(parse_history_key(&key), Some(("a/b.py", 258)));
        assert!(!key.starts_with(&history_prefix("a/b")));
        assert!(history_key("a", 255) < history_key("a", 256));
    }
}
