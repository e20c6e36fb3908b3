//! The memory disk behaves as the real one does.

use super::*;
use crate::disk::Faults;

const OLD: &[u8] = b"old";

fn disk() -> (MemoryDisk, Utf8PathBuf) {
    let disk = MemoryDisk::new("/w");
    let path = Utf8PathBuf::from("/w/d/a.py");
    disk.save(&path, OLD);
    (disk, path)
}

fn write(disk: &MemoryDisk, path: &Utf8Path, new: &[u8]) -> Result<Written, WriteError> {
    disk.write(path, new, Expected::Digest(Digest::of(OLD)), WriteOptions::default())
}

fn list(disk: &MemoryDisk, path: &str) -> Vec<String> {
    let entries = disk.list(path.into()).unwrap().unwrap_or_default();
    entries.into_iter().map(|it| it.name).collect()
}

#[test]
fn the_replaced_text_waits() {
    let (disk, path) = disk();
    let written = write(&disk, &path, b"new").unwrap();
    assert_eq!(disk.bytes(&path).unwrap(), b"new");
    assert_eq!(disk.stamp(&path).unwrap().unwrap(), written.stamp);
    let displaced = written.displaced.unwrap();
    assert_eq!(disk.bytes(&displaced.path).unwrap(), OLD);
    assert_eq!(list(&disk, "/w/d"), ["__marimo__", "a.py"]);
    assert_eq!(disk.recover("/w/d".into()).unwrap(), std::slice::from_ref(&displaced));
    assert_eq!(disk.discard(&displaced).unwrap(), Late::Unchanged);
    assert_eq!(disk.discard(&displaced).unwrap(), Late::Gone);
    assert_eq!(list(&disk, "/w/d"), ["a.py"]);
}

#[test]
fn shadows_are_found_again_where_they_were() {
    let (disk, _) = disk();
    let workdir = disk.create_workdir("/w/d".into()).unwrap();
    let shadow = workdir.join("a.percent.py");
    let options = WriteOptions { mode: 0o600, ..WriteOptions::default() };
    let written = disk.write(&shadow, OLD, Expected::Absent, options).unwrap();
    assert_eq!(written.stamp.mode, 0o600);
    write(&disk, &shadow, b"new").unwrap();
    let found = disk.recover("/w/d".into()).unwrap();
    assert_eq!(found.iter().map(|it| &it.origin).collect::<Vec<_>>(), [&shadow]);
}

#[test]
fn editors_are_as_fast_as_the_test_wants() {
    let (disk, path) = disk();
    let open = disk.open(&path).unwrap();
    let editor = disk.clone();
    disk.restart(Some(Arc::new(move |step, path: &Utf8Path| {
        if step == Step::Exchange {
            editor.save_by_rename(path, b"saved");
        }
        Ok(())
    })));
    let written = write(&disk, &path, b"new").unwrap();
    assert_eq!(written.raced.unwrap(), b"saved");
    // That one replaced the file, so this one writes to a file without a name.
    disk.save_open(open, b"late");
    assert_eq!(disk.recheck(&written.displaced.unwrap()).unwrap(), Late::Unchanged);
}

#[test]
fn a_late_writer_is_found_in_the_displaced_file() {
    let (disk, path) = disk();
    let open = disk.open(&path).unwrap();
    let displaced = write(&disk, &path, b"new").unwrap().displaced.unwrap();
    disk.save_open(open, b"late");
    assert_eq!(disk.recheck(&displaced).unwrap(), Late::Changed(b"late".to_vec()));
}

#[test]
fn folders_come_and_go_with_their_files() {
    let (disk, path) = disk();
    assert!(matches!(disk.read("/w/d".into(), 9, Lock::None), Err(ReadError::NotAFile { .. })));
    disk.rename("/w/d".into(), "/w/e".into());
    assert_eq!(disk.list("/w/d".into()).unwrap(), None);
    assert_eq!(disk.bytes("/w/e/a.py".into()).unwrap(), OLD);
    disk.delete("/w/e".into());
    assert_eq!(disk.list("/w".into()).unwrap().unwrap(), []);
    assert_eq!(disk.stamp(&path).unwrap(), None);
    assert!(matches!(disk.stamp("/else".into()), Err(ReadError::Outside { .. })));
}

#[test]
fn nothing_is_lost_wherever_the_process_ends() {
    for n in 1.. {
        let (disk, path) = disk();
        disk.restart(Some(Arc::new(Faults::crash_at(n))));
        let written = write(&disk, &path, b"new");
        if written.is_ok() {
            assert!(n > 5);
            return;
        }
        assert!(disk.read(&path, 9, Lock::None).is_err(), "the process is gone");
        disk.restart(None);
        let now = disk.read(&path, 9, Lock::None).unwrap().bytes;
        assert!([OLD, b"new"].contains(&&now[..]), "{n}: {now:?}");
        disk.recover("/w/d".into()).unwrap();
        let files = disk.files();
        assert!(files.iter().any(|(_, it)| it == OLD), "{n}: {files:?}");
        assert_eq!(list(&disk, "/w/d").last().unwrap(), "a.py", "{n}");
    }
}

#[test]
fn an_error_leaves_the_old_text_or_the_new() {
    for n in 1..=6 {
        let (disk, path) = disk();
        disk.restart(Some(Arc::new(Faults::none().error_at(n, 28))));
        let res = write(&disk, &path, b"new");
        assert!(matches!(res, Err(WriteError::Full { .. })), "{n}: {res:?}");
        if n <= 4 {
            assert_eq!(disk.files(), [(path, OLD.to_vec())], "{n}");
        }
    }
}
