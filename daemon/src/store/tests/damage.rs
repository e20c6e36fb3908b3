//! Every file of the index, damaged in every way: the store opens, empty, and what was there
//! is kept beside.

use super::*;

const RECORD: &str = "a record that is long enough to be more than one line of a hex dump";

/// Fills a store and closes it.
fn filled() -> Sandbox {
    let sandbox = Sandbox::new();
    let (store, _) = sandbox.open();
    for n in 0..200 {
        let source = format!("notebook-{n}.py");
        store.commit(put(&source, RECORD)).unwrap();
        store.commit(history(&source, version(n, "x", "text"))).unwrap();
    }
    store.put_blob(b"text").unwrap();
    drop(store);
    sandbox
}

/// The files of the index, relative to it.
fn files(sandbox: &Sandbox) -> Vec<Utf8PathBuf> {
    let index = sandbox.folder().join("index");
    let mut files = Vec::new();
    let mut folders = vec![index.clone()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().unwrap().map(Result::unwrap) {
            let path = entry.path().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(&index).unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

type Damage = fn(&mut Vec<u8>);

const DAMAGES: [(&str, Damage); 6] = [
    ("emptied", |bytes| bytes.clear()),
    ("cut in half", |bytes| bytes.truncate(bytes.len() / 2)),
    ("cut by one", |bytes| {
        bytes.pop();
    }),
    ("zeroed", |bytes| bytes.fill(0)),
    ("garbage", |bytes| {
        let mut state: u32 = 1;
        for byte in bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = state.to_be_bytes()[0];
        }
    }),
    ("flipped", |bytes| {
        for byte in bytes.iter_mut().step_by(97) {
            *byte ^= 0x55;
        }
    }),
];

#[test]
fn a_damaged_index_is_set_aside() {
    let names = files(&filled());
    assert!(!names.is_empty());
    for name in &names {
        for (damage, apply) in DAMAGES {
            let sandbox = filled();
            // The name of a snapshot differs from run to run.
            let Some(name) = files(&sandbox).into_iter().find(|it| kind(it) == kind(name)) else {
                continue;
            };
            let path = sandbox.folder().join("index").join(&name);
            let mut bytes = fs::read(&path).unwrap();
            apply(&mut bytes);
            fs::write(&path, bytes).unwrap();

            let (store, opened) = sandbox.open();

            let records = store.records().unwrap();
            match &opened {
                Opened::Rebuilt { kept_at, .. } => {
                    assert!(kept_at.join(&name).exists(), "{name} {damage}");
                    assert_eq!(records, [], "{name} {damage}");
                }
                // Not everything is damage: a part that is not used may be anything, and a log
                // that ends early is an older one.
                Opened::Existing => {
                    assert!(!records.is_empty(), "{name} {damage}");
                    assert!(records.iter().all(|(_, it)| it == RECORD.as_bytes()));
                }
                Opened::New => panic!("{name} {damage}"),
            }
            // Texts survive, and the store works.
            assert!(store.blob(Digest::of(b"text")).unwrap().is_some());
            store.commit(put("new.py", "new")).unwrap();
            drop(store);
            let (store, opened) = sandbox.open();
            assert_eq!(opened, Opened::Existing, "{name} {damage}");
            assert_eq!(store.record("new.py").unwrap().unwrap(), b"new");
        }
    }
}

fn kind(name: &Utf8Path) -> &str {
    name.as_str().split('.').next().unwrap()
}

#[test]
fn half_a_snapshot_does_no_harm() {
    for name in ["snap.0000000000000FFF.generating", "snap.0000000000000FFF", "snap.x"] {
        let sandbox = filled();
        fs::write(sandbox.folder().join("index").join(name), b"half").unwrap();
        let (store, _) = sandbox.open();
        store.commit(put("new.py", "new")).unwrap();
    }
}

#[test]
fn a_folder_in_the_place_of_the_database_is_set_aside() {
    let sandbox = filled();
    let db = sandbox.folder().join("index/db");
    fs::remove_file(&db).unwrap();
    fs::create_dir(&db).unwrap();
    let (store, _) = sandbox.open();
    store.commit(put("new.py", "new")).unwrap();
}

#[test]
fn an_index_that_is_a_file_is_set_aside() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.folder()).unwrap();
    fs::write(sandbox.folder().join("index"), b"").unwrap();
    let (store, opened) = sandbox.open();
    assert!(matches!(opened, Opened::Rebuilt { .. }), "{opened:?}");
    store.commit(put("new.py", "new")).unwrap();
}

#[test]
fn the_index_of_another_folder_is_set_aside() {
    let sandbox = filled();
    fs::rename(&sandbox.root, sandbox.root.with_file_name("moved")).unwrap();
    fs::create_dir(&sandbox.root).unwrap();
    let (store, opened) = sandbox.open();
    let Opened::Rebuilt { reason, kept_at } = opened else { panic!("{opened:?}") };
    assert_eq!(reason, "it belongs to another folder");
    assert_eq!(store.records().unwrap(), []);
    // Two at one moment have two names.
    drop(store);
    fs::remove_dir(&sandbox.root).unwrap();
    fs::create_dir(sandbox.root.with_file_name("other")).unwrap();
    fs::create_dir(&sandbox.root).unwrap();
    let (_, opened) = sandbox.open();
    if let Opened::Rebuilt { kept_at: second, .. } = opened {
        assert_ne!(kept_at, second);
    }
}

#[test]
fn an_index_that_somebody_else_has_open_is_not_damaged() {
    let sandbox = filled();
    let db = fs::File::open(sandbox.folder().join("index/db")).unwrap();
    db.lock().unwrap();
    let opened = DiskStore::open(&sandbox.state, &sandbox.root);
    assert!(matches!(opened, Err(StoreError::Locked { pid: None })), "{opened:?}");
    db.unlock().unwrap();
    assert_eq!(sandbox.open().1, Opened::Existing);
}

#[test]
fn texts_outlive_a_rebuilt_index_for_a_while() {
    let sandbox = filled();
    fs::write(sandbox.folder().join("index/db"), b"").unwrap();
    let (store, opened) = sandbox.open();
    assert!(matches!(opened, Opened::Rebuilt { .. }), "{opened:?}");
    let now = crate::store::on_disk::now_ms();
    let day = 86_400_000;
    let digest = Digest::of(b"text");
    store.collect(&Keep::default(), &BTreeSet::new(), now + day).unwrap();
    assert!(store.blob(digest).unwrap().is_some());
    store.collect(&Keep::default(), &BTreeSet::new(), now + 40 * day).unwrap();
    assert!(store.blob(digest).unwrap().is_none());
}
