//! What a write leaves behind when nobody interferes.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};

use super::*;

const METHODS: [Method; 3] = [Method::Exchange, Method::MoveOut, Method::RenameOver];

#[test]
fn the_replaced_text_waits_in_the_displaced_folder() {
    for method in METHODS {
        let sandbox = Sandbox::new();
        let disk = sandbox.disk().with_method(method);
        let path = sandbox.save("a.py", "old");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();

        let written = write(&disk, &path, "old", "new").unwrap();

        assert_eq!(text(&path), "new", "{method:?}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert!(disk.stamp(&path).unwrap().unwrap().same_content(&written.stamp));
        assert_eq!(written.raced, None);
        let displaced = written.displaced.unwrap();
        assert_eq!(text(&displaced.path), "old");
        assert_eq!(displaced.origin, path);
        assert_eq!(displaced.path.parent().unwrap(), displaced_folder(&path));
        // Nothing else is left behind, and git does not see what is.
        assert_eq!(sandbox.names(), ["__marimo__", "a.py"], "{method:?}");
        assert_eq!(text(&sandbox.path("__marimo__/nbsync/.gitignore")), "*\n");

        assert_eq!(disk.recover(&sandbox.root).unwrap(), std::slice::from_ref(&displaced));
        assert_eq!(disk.recheck(&displaced).unwrap(), Late::Unchanged);
        assert_eq!(disk.discard(&displaced).unwrap(), Late::Unchanged);
        assert_eq!(disk.discard(&displaced).unwrap(), Late::Gone);
        assert_eq!(sandbox.displaced(), [""; 0]);
    }
}

#[test]
fn the_inode_that_was_exchanged_is_the_one_that_waits() {
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", "old");
    let inode = fs::metadata(&path).unwrap().ino();
    let displaced = write(&sandbox.disk(), &path, "old", "new").unwrap().displaced.unwrap();
    assert_eq!(fs::metadata(&displaced.path).unwrap().ino(), inode);
}

#[test]
fn a_new_file_gets_the_permissions_asked_for() {
    let sandbox = Sandbox::new();
    let disk = sandbox.disk();
    let workdir = disk.create_workdir(&sandbox.root).unwrap();
    assert_eq!(workdir, sandbox.path("__marimo__/nbsync"));
    let path = workdir.join("a.percent.py");
    let options = WriteOptions { mode: 0o600, durable: false, ..WriteOptions::default() };
    let written = disk.write(&path, b"x", Expected::Absent, options).unwrap();
    assert_eq!(written.stamp.mode, 0o600);
    assert!(disk.stamp(&path).unwrap().unwrap().same_content(&written.stamp));
    assert_eq!(text(&path), "x");
    assert_eq!(written.displaced, None);
}

#[test]
fn equal_bytes_are_not_written_again() {
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", "same");
    let disk = sandbox.disk_with(|step, _| panic!("{step:?}"));
    let before = disk.stamp(&path).unwrap().unwrap();
    let written = write(&disk, &path, "same", "same").unwrap();
    assert!(written.stamp.same_content(&before));
    assert_eq!(written.displaced, None);
}

#[test]
fn what_is_not_expected_is_not_touched() {
    for method in METHODS {
        let sandbox = Sandbox::new();
        let disk = sandbox.disk().with_method(method);
        let path = sandbox.save("a.py", "newer");
        let changed = |it| matches!(it, Err(WriteError::Changed { displaced: None, .. }));
        assert!(changed(write(&disk, &path, "old", "new")));
        assert!(changed(disk.write(&path, b"x", Expected::Absent, WriteOptions::default())));
        let absent = sandbox.path("b.py");
        assert!(changed(write(&disk, &absent, "old", "new")));
        let removed = disk.remove(&path, Digest::of(b"old"));
        assert!(matches!(removed, Err(WriteError::Changed { displaced: None, .. })));
        assert_eq!(text(&path), "newer");
        assert_eq!(sandbox.names(), ["a.py"]);
    }
}

#[test]
fn a_removed_file_waits_too() {
    let sandbox = Sandbox::new();
    let disk = sandbox.disk();
    let path = sandbox.save("a.py", "old");
    let displaced = disk.remove(&path, Digest::of(b"old")).unwrap().unwrap();
    assert_eq!(text(&displaced.path), "old");
    assert_eq!(displaced.origin, path);
    assert_eq!(disk.stamp(&path).unwrap(), None);
    assert_eq!(disk.remove(&path, Digest::of(b"old")).unwrap(), None);
}

#[test]
fn a_file_with_two_names_is_written_in_place() {
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", "a longer old text");
    fs::hard_link(&path, sandbox.path("b.py")).unwrap();
    let written = write(&sandbox.disk(), &path, "a longer old text", "new").unwrap();
    assert_eq!(written.displaced, None);
    assert_eq!(text(&sandbox.path("b.py")), "new");
    assert_eq!(sandbox.disk().stamp(&path).unwrap().unwrap(), written.stamp);
}

/// Editors compare it with what they have loaded.
#[test]
fn a_file_is_newer_after_each_write() {
    let in_place = (Method::Exchange, 2);
    for (method, n_names) in METHODS.map(|it| (it, 1)).into_iter().chain([in_place]) {
        let sandbox = Sandbox::new();
        let disk = sandbox.disk().with_method(method);
        let path = sandbox.save("a.py", "0");
        if n_names == 2 {
            fs::hard_link(&path, sandbox.path("b.py")).unwrap();
        }
        let ms = || disk.stamp(&path).unwrap().unwrap().mtime_ns / 1_000_000;
        // As if the clock had been set back since the last save.
        let ahead = SystemTime::now() + Duration::from_hours(1);
        fs::File::options().write(true).open(&path).unwrap().set_modified(ahead).unwrap();
        for no in 0..10 {
            let before = ms();
            let (old, new) = (no.to_string(), (no + 1).to_string());
            let written = write(&disk, &path, &old, &new).unwrap();
            assert!(before < ms(), "{method:?} {n_names}: {before} {}", ms());
            assert_eq!(disk.stamp(&path).unwrap().unwrap().mtime_ns, written.stamp.mtime_ns);
        }
    }
}

#[test]
fn bytes_are_on_the_device_before_they_have_the_name() {
    use std::sync::Mutex;
    let sync = [Step::SyncFile, Step::SyncFolder];
    for durable in [true, false] {
        let sandbox = Sandbox::new();
        let path = sandbox.save("a.py", "old");
        sandbox.disk().create_workdir(&sandbox.root).unwrap();
        let steps = Arc::new(Mutex::new(Vec::new()));
        let seen = steps.clone();
        let disk = sandbox.disk_with(move |step, _| {
            seen.lock().unwrap().push(step);
            Ok(())
        });
        let options = WriteOptions { durable, ..WriteOptions::default() };
        disk.write(&path, b"new", digest("old"), options).unwrap();
        disk.write(&sandbox.path("b.py"), b"new", Expected::Absent, options).unwrap();
        let mut expected = vec![
            Step::CreateTemp,
            Step::Fill,
            Step::SyncFile,
            Step::CreateFolder,
            Step::Exchange,
            Step::Inspect,
            Step::Keep,
            Step::SyncFolder,
            Step::CreateTemp,
            Step::Fill,
            Step::SyncFile,
            Step::Place,
            Step::SyncFolder,
        ];
        expected.retain(|it| durable || !sync.contains(it));
        assert_eq!(*steps.lock().unwrap(), expected);
    }
}

#[test]
fn what_a_file_system_cannot_do_is_tried_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", "1");
    let tried = Arc::new(AtomicUsize::new(0));
    let counter = tried.clone();
    let disk = sandbox.disk_with(move |step, _| {
        if step == Step::Exchange {
            counter.fetch_add(1, Ordering::SeqCst);
            return Err(rustix::io::Errno::INVAL.into());
        }
        Ok(())
    });
    write(&disk, &path, "1", "2").unwrap();
    let displaced = write(&disk, &path, "2", "3").unwrap().displaced.unwrap();
    assert_eq!((text(&path), text(&displaced.path)), ("3".into(), "2".into()));
    assert_eq!(tried.load(Ordering::SeqCst), 1);
}

#[test]
fn a_file_that_is_mounted_is_written_in_place() {
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", "old");
    let disk = sandbox.disk_with(|step, _| match step {
        Step::Exchange => Err(rustix::io::Errno::BUSY.into()),
        _ => Ok(()),
    });
    let inode = fs::metadata(&path).unwrap().ino();
    assert_eq!(write(&disk, &path, "old", "new").unwrap().displaced, None);
    assert_eq!(text(&path), "new");
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
    assert_eq!(sandbox.names(), ["__marimo__", "a.py"]);
}

/// What `marimo edit --watch`, VS Code's watcher and `fs.watch` of a folder take for a change.
#[test]
fn the_last_event_of_a_notebook_is_its_arrival() {
    use rustix::fs::inotify;
    for method in METHODS {
        let sandbox = Sandbox::new();
        let path = sandbox.save("a.py", "old");
        let disk = sandbox.disk().with_method(method);
        disk.create_workdir(&sandbox.root).unwrap();
        let events = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        let flags = inotify::WatchFlags::MOVE | inotify::WatchFlags::CREATE;
        inotify::add_watch(&events, sandbox.root.as_str(), flags).unwrap();
        write(&disk, &path, "old", "new").unwrap();
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(events, &mut buffer);
        let mut last = None;
        while let Ok(event) = reader.next() {
            if event.file_name() == Some(c"a.py") {
                last = Some(event.events());
            }
        }
        assert_eq!(last, Some(inotify::ReadFlags::MOVED_TO), "{method:?}");
    }
}

#[test]
fn a_link_stays_and_its_target_is_replaced() {
    let sandbox = Sandbox::new();
    let target = sandbox.save("real/a.py", "old");
    let link = sandbox.path("a.py");
    std::os::unix::fs::symlink("real/a.py", &link).unwrap();
    let disk = sandbox.disk();
    assert_eq!(disk.read(&link, 100, Lock::None).unwrap().bytes, b"old");
    assert_eq!(disk.stamp(&link).unwrap(), disk.stamp(&target).unwrap());
    let written = write(&disk, &link, "old", "new").unwrap();
    assert_eq!(text(&target), "new");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(written.displaced.unwrap().origin, target);
}

#[test]
fn tags_of_a_file_manager_survive() {
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", "old");
    let set =
        rustix::fs::setxattr(path.as_str(), "user.tag", b"red", rustix::fs::XattrFlags::empty());
    // tmpfs of older kernels has none.
    if set.is_err() {
        return;
    }
    write(&sandbox.disk(), &path, "old", "new").unwrap();
    let mut value = [0; 8];
    let n = rustix::fs::getxattr(path.as_str(), "user.tag", &mut value).unwrap();
    assert_eq!(&value[..n], b"red");
}

#[test]
fn very_long_names_are_synced() {
    let sandbox = Sandbox::new();
    let path = sandbox.save(&format!("{}.py", "ü".repeat(126)), "old");
    let disk = sandbox.disk();
    let written = write(&disk, &path, "old", "new").unwrap();
    assert_eq!(text(&path), "new");
    assert_eq!(disk.recheck(&written.displaced.unwrap()).unwrap(), Late::Unchanged);
}

#[test]
fn the_temporary_file_system_can_do_something() {
    let sandbox = Sandbox::new();
    let method = sandbox.disk().probe(&sandbox.root).unwrap();
    assert_eq!(method, Method::Exchange);
    assert_eq!(sandbox.names(), [""; 0]);
}
