//! marimo's lock of a notebook.

use super::*;

/// The lock of the only notebook in a sandbox, as another process sees it.
fn lock_file(locks: &Utf8Path) -> Option<fs::File> {
    let entry = locks.read_dir_utf8().unwrap().next()?.unwrap();
    Some(fs::OpenOptions::new().read(true).write(true).open(entry.path()).unwrap())
}

#[test]
fn marimo_waits_while_its_notebook_is_replaced() {
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", "old");
    let locks = sandbox.path("locks");
    fs::create_dir(&locks).unwrap();
    let folder = locks.clone();
    let disk = sandbox
        .disk_with(move |step, _| {
            if matches!(step, Step::CreateTemp | Step::Exchange | Step::Inspect) {
                let file = lock_file(&folder).unwrap();
                assert!(file.try_lock().is_err(), "{step:?}");
            }
            Ok(())
        })
        .with_notebook_locks(Some(locks.clone()));
    assert!(disk.holds_notebook_locks());
    let options = WriteOptions { lock: Lock::Marimo, ..WriteOptions::default() };
    disk.write(&path, b"new", digest("old"), options).unwrap();
    lock_file(&locks).unwrap().try_lock().unwrap();
}

#[test]
fn reading_and_creating_leave_no_lock_files() {
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", "old");
    let locks = sandbox.path("locks");
    let disk = sandbox.disk().with_notebook_locks(Some(locks.clone()));
    let options = WriteOptions { lock: Lock::Marimo, ..WriteOptions::default() };
    // Where marimo was never used there is no folder, and there is none afterwards.
    disk.write(&path, b"new", digest("old"), options).unwrap();
    assert!(!locks.exists());
    fs::create_dir(&locks).unwrap();
    disk.read(&path, 100, Lock::Marimo).unwrap();
    disk.write(&sandbox.path("b.py"), b"x", Expected::Absent, options).unwrap();
    assert!(lock_file(&locks).is_none());
}
