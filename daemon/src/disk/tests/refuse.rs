//! What a disk does not touch, and what it says instead.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::disk::{Kind, ReadError};

#[test]
fn a_fifo_does_not_block() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("a.ipynb");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path.as_str(),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let disk = sandbox.disk();
    assert_eq!(disk.stamp(&path).unwrap().unwrap().kind, Kind::Other);
    let read = disk.read(&path, 100, Lock::None);
    assert!(matches!(read, Err(ReadError::NotAFile { .. })), "{read:?}");
    let written = write(&disk, &path, "", "x");
    assert!(matches!(written, Err(WriteError::NotAFile { .. })), "{written:?}");
}

#[test]
fn a_folder_is_not_a_notebook() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("a.ipynb");
    fs::create_dir(&path).unwrap();
    let disk = sandbox.disk();
    assert!(matches!(disk.read(&path, 100, Lock::None), Err(ReadError::NotAFile { .. })));
    assert!(matches!(write(&disk, &path, "", "x"), Err(WriteError::NotAFile { .. })));
    let removed = disk.remove(&path, Digest::of(b""));
    assert!(matches!(removed, Err(WriteError::NotAFile { .. })));
}

#[test]
fn nothing_outside_the_root_is_touched() {
    let outside = Sandbox::new();
    let secret = outside.save("a.py", "old");
    let sandbox = Sandbox::new();
    symlink(&secret, sandbox.path("a.py")).unwrap();
    symlink(&outside.root, sandbox.path("d")).unwrap();
    symlink("gone.py", sandbox.path("dangling.py")).unwrap();
    let disk = sandbox.disk();
    let paths = [
        sandbox.path("a.py"),
        sandbox.path("d/a.py"),
        sandbox.path("x/../../a.py"),
        sandbox.path("dangling.py"),
        secret.clone(),
        sandbox.root.clone(),
    ];
    for path in paths {
        let read = disk.read(&path, 100, Lock::None);
        assert!(
            matches!(
                read,
                Err(ReadError::Outside { .. }
                    | ReadError::NotAFile { .. }
                    | ReadError::Absent { .. })
            ),
            "{path}: {read:?}"
        );
        write(&disk, &path, "old", "new").unwrap_err();
        disk.write(&path, b"new", Expected::Absent, WriteOptions::default()).unwrap_err();
        assert!(!matches!(disk.remove(&path, Digest::of(b"old")), Ok(Some(_))), "{path}");
    }
    assert!(matches!(disk.list(&sandbox.path("d")), Err(ReadError::Outside { .. })));
    assert_eq!(disk.stamp(&sandbox.path("a.py")).unwrap().unwrap().kind, Kind::Symlink);
    assert_eq!(text(&secret), "old");
    assert_eq!(outside.names(), ["a.py"]);
}

#[test]
fn a_workdir_that_leads_away_is_not_followed() {
    let outside = Sandbox::new();
    let sandbox = Sandbox::new();
    symlink(&outside.root, sandbox.path("__marimo__")).unwrap();
    let path = sandbox.save("a.py", "old");
    let disk = sandbox.disk();
    assert!(matches!(disk.create_workdir(&sandbox.root), Err(WriteError::Outside { .. })));
    // The notebook itself can be written; what was there stays beside it.
    let displaced = write(&disk, &path, "old", "new").unwrap().displaced.unwrap();
    assert_eq!(displaced.path.parent().unwrap(), sandbox.root);
    assert_eq!(text(&displaced.path), "old");
    assert_eq!(disk.recover(&sandbox.root).unwrap(), [displaced]);
    assert_eq!(outside.names(), [""; 0]);
}

#[test]
fn another_folder_in_the_place_of_the_root_is_not_written() {
    let sandbox = Sandbox::new();
    let root = sandbox.path("root");
    fs::create_dir(&root).unwrap();
    let disk = RealDisk::open(&root).unwrap();
    assert!(disk.root_is_there());
    fs::rename(&root, sandbox.path("moved")).unwrap();
    fs::create_dir(&root).unwrap();
    assert!(!disk.root_is_there());
    let written = disk.write(&root.join("a"), b"x", Expected::Absent, WriteOptions::default());
    assert!(matches!(written, Err(WriteError::Outside { .. })), "{written:?}");
}

#[test]
fn large_files_are_not_read() {
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", "12345");
    let disk = sandbox.disk();
    assert!(disk.read(&path, 5, Lock::None).is_ok());
    let read = disk.read(&path, 4, Lock::None);
    assert!(matches!(read, Err(ReadError::TooLarge { size: 5, limit: 4, .. })), "{read:?}");
}

#[test]
fn absent_is_not_an_error_where_it_is_an_answer() {
    let sandbox = Sandbox::new();
    let disk = sandbox.disk();
    for path in [sandbox.path("a.py"), sandbox.path("d/a.py")] {
        assert_eq!(disk.stamp(&path).unwrap(), None);
        assert_eq!(disk.list(&path).unwrap(), None);
        assert_eq!(disk.remove(&path, Digest::of(b"")).unwrap(), None);
        assert_eq!(disk.recover(&path).unwrap(), []);
        assert!(matches!(disk.read(&path, 1, Lock::None), Err(ReadError::Absent { .. })));
    }
}

/// Root may write everywhere, so this is a test for everybody else.
#[test]
fn a_folder_that_may_not_be_written_is_written_in_place() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    let path = sandbox.save("d/a.py", "old");
    let folder = sandbox.path("d");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    let disk = sandbox.disk();
    assert_eq!(write(&disk, &path, "old", "new").unwrap().displaced, None);
    assert_eq!(text(&path), "new");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    let denied = write(&disk, &path, "new", "newer");
    assert!(matches!(denied, Err(WriteError::Denied { .. })), "{denied:?}");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
}
