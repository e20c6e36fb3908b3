//! What the store remembers, and what it makes of damage.

mod damage;

use std::collections::BTreeSet;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use super::{
    Batch, Collected, DiskStore, Keep, MemoryStore, NewEntry, Opened, Store, StoreError, root_id,
};
use crate::sync::Digest;

/// A state folder and a root.
struct Sandbox {
    _folder: TempDir,
    state: Utf8PathBuf,
    root: Utf8PathBuf,
}

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().canonicalize_utf8().unwrap();
        let root = path.join("root");
        fs::create_dir(&root).unwrap();
        Self { state: path.join("state"), root, _folder: folder }
    }

    fn open(&self) -> (DiskStore, Opened) {
        DiskStore::open(&self.state, &self.root).unwrap()
    }

    fn folder(&self) -> Utf8PathBuf {
        self.state.join(root_id(&self.root))
    }
}

fn version(time_ms: u64, replica: &str, text: &str) -> NewEntry {
    NewEntry {
        time_ms,
        replica: replica.into(),
        digest: Digest::of(text.as_bytes()),
        len: text.len() as u64,
        reason: "replaced".to_owned(),
        revision: None,
    }
}

fn put(source: &str, record: &str) -> Batch {
    Batch { put: vec![(source.to_owned(), record.into())], ..Batch::default() }
}

fn history(source: &str, version: NewEntry) -> Batch {
    Batch { history: vec![(source.to_owned(), version)], ..Batch::default() }
}

/// Runs a test for both kinds of store.
fn with_stores(test: impl Fn(&dyn Store)) {
    let sandbox = Sandbox::new();
    test(&sandbox.open().0);
    test(&MemoryStore::new());
}

fn numbers(store: &dyn Store, source: &str) -> Vec<(u64, u64)> {
    let entries = store.history(source).unwrap();
    entries.iter().map(|it| (it.seq, it.version.time_ms)).collect()
}

#[test]
fn records_survive_the_process() {
    let sandbox = Sandbox::new();
    let (store, opened) = sandbox.open();
    assert_eq!(opened, Opened::New);
    store.commit(put("b.py", "1")).unwrap();
    store.commit(put("a/ä.ipynb", "2")).unwrap();
    store.commit(Batch { remove: vec!["b.py".into()], ..put("c.py", "") }).unwrap();
    store.commit(history("b.py", version(7, "x", "text"))).unwrap();
    drop(store);
    let (store, opened) = sandbox.open();
    assert_eq!(opened, Opened::Existing);
    let expected = [("a/ä.ipynb".to_owned(), b"2".to_vec()), ("c.py".to_owned(), Vec::new())];
    assert_eq!(store.records().unwrap(), expected);
    assert_eq!(store.record("b.py").unwrap(), None);
    assert_eq!(store.history("b.py").unwrap()[0].version, version(7, "x", "text"));
    assert_eq!(store.sources_with_history().unwrap(), ["b.py"]);
}

#[test]
fn history_is_numbered_for_each_source() {
    with_stores(|store| {
        store.commit(history("a.py", version(1, "x", "1"))).unwrap();
        let mut batch = history("a.py", version(2, "x", "2"));
        batch.history.push(("a.py".to_owned(), version(3, "y", "3")));
        batch.history.push(("a.py.b".to_owned(), version(4, "y", "4")));
        store.commit(batch).unwrap();
        assert_eq!(numbers(store, "a.py"), [(1, 1), (2, 2), (3, 3)]);
        assert_eq!(numbers(store, "a.py.b"), [(1, 4)]);
        assert_eq!(numbers(store, "a"), []);
        assert_eq!(store.sources_with_history().unwrap(), ["a.py", "a.py.b"]);
    });
}

#[test]
fn a_renamed_source_takes_its_history_along() {
    with_stores(|store| {
        store.commit(put("a.py", "record")).unwrap();
        store.commit(history("a.py", version(1, "x", "1"))).unwrap();
        store.commit(history("b.py", version(2, "x", "2"))).unwrap();
        let rename = vec![("a.py".to_owned(), "b.py".to_owned())];
        store.commit(Batch { rename, ..history("b.py", version(3, "x", "3")) }).unwrap();
        assert_eq!(numbers(store, "b.py"), [(1, 2), (2, 1), (3, 3)]);
        assert_eq!(numbers(store, "a.py"), []);
        assert_eq!(store.record("a.py").unwrap(), None);
        assert_eq!(store.record("b.py").unwrap().unwrap(), b"record");
    });
}

#[test]
fn collecting_forgets_versions_and_then_texts() {
    with_stores(|store| {
        for (time, text) in [(1, "one"), (2, "two"), (3, "three")] {
            store.put_blob(text.as_bytes()).unwrap();
            store.commit(history("a.py", version(time, "x", text))).unwrap();
        }
        let base = store.put_blob(b"base").unwrap();
        store.put_blob(b"orphan").unwrap();
        let keep = Keep { min_versions: 2, age_ms: 0, bytes: 1000, ..Keep::default() };
        assert_eq!(store.collected_at().unwrap(), None);
        // Tomorrow, when nothing is fresh any more.
        let now = super::on_disk::now_ms() + 2 * 86_400_000;
        let collected = store.collect(&keep, &BTreeSet::from([base]), now).unwrap();
        assert_eq!((collected.entries, collected.blobs), (1, 2));
        assert_eq!(store.collected_at().unwrap(), Some(now));
        assert_eq!(numbers(store, "a.py"), [(2, 2), (3, 3)]);
        let has = |text: &str| store.blob(Digest::of(text.as_bytes())).unwrap().is_some();
        assert!(!has("one") && has("two") && has("three") && has("base") && !has("orphan"));
        // A number is not given twice.
        store.commit(history("a.py", version(4, "x", "four"))).unwrap();
        assert_eq!(numbers(store, "a.py").last(), Some(&(4, 4)));
    });
}

#[test]
fn fresh_texts_wait_for_their_commit() {
    let sandbox = Sandbox::new();
    let (store, _) = sandbox.open();
    let digest = store.put_blob(b"text").unwrap();
    let now = super::on_disk::now_ms();
    let collected = store.collect(&Keep::default(), &BTreeSet::new(), now).unwrap();
    assert_eq!(collected, Collected::default());
    assert!(store.blob(digest).unwrap().is_some());
}

#[test]
fn the_second_process_learns_who_was_first() {
    let sandbox = Sandbox::new();
    let (store, _) = sandbox.open();
    let second = DiskStore::open(&sandbox.state, &sandbox.root);
    let pid = std::process::id();
    assert!(matches!(second, Err(StoreError::Locked { pid: Some(it) }) if it == pid));
    drop(store);
    sandbox.open();
}

#[test]
fn a_failing_store_says_so() {
    let store = MemoryStore::new();
    store.commit(put("a", "1")).unwrap();
    store.set_failing(true);
    assert!(matches!(store.commit(put("a", "2")), Err(StoreError::Io { .. })));
    store.set_failing(false);
    assert_eq!(store.record("a").unwrap().unwrap(), b"1");
    store.lose_index();
    assert_eq!(store.record("a").unwrap(), None);
}
