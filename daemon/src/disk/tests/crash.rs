//! What a process that ends, and a device that is full, leave behind.
//!
//! Each case runs in a process of its own: this test binary again, with the case in its
//! environment.

use std::process::{Command, ExitStatus};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;
use crate::disk::Faults;

const CASE: &str = "NBSYNC_TEST_CASE";

const OLD: &str = "the old text";
const NEW: &str = "the new text";
/// The largest file that a full device takes.
const LIMIT: u64 = 65_536;

/// Runs `child` in a process of its own, with these words to tell it what to do.
fn spawn(words: &[&str]) -> ExitStatus {
    let exe = std::env::current_exe().unwrap();
    // Ignored signals stay so in the child. The command line does the same for itself: past
    // a limit the answer is then an error and not the end.
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" --exact disk::tests::crash::child -q"])
        .arg(exe)
        .env(CASE, words.join(" "))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
}

/// Does nothing unless [`spawn`] asks for it.
#[test]
fn child() {
    let Ok(case) = std::env::var(CASE) else { return };
    let words: Vec<&str> = case.split(' ').collect();
    let disk = RealDisk::open(words[1].into()).unwrap();
    let path = Utf8PathBuf::from(words[1]).join("a.py");
    match words[0] {
        "crash" => {
            // Nobody wants a core dump of it.
            let core = Rlimit { current: Some(0), maximum: Some(0) };
            setrlimit(Resource::Core, core).unwrap();
            let n = words[2].parse().unwrap();
            let disk = disk.with_observer(Arc::new(Faults::abort_at(n)));
            match words[3] {
                "create" => {
                    let options = WriteOptions::default();
                    disk.write(&path, NEW.as_bytes(), Expected::Absent, options).unwrap();
                }
                "remove" => {
                    disk.remove(&path, Digest::of(OLD.as_bytes())).unwrap();
                }
                method => {
                    write(&disk.with_method(parse(method)), &path, OLD, NEW).unwrap();
                }
            }
        }
        "full" => {
            let maximum = getrlimit(Resource::Fsize).maximum;
            setrlimit(Resource::Fsize, Rlimit { current: Some(LIMIT), maximum }).unwrap();
            let large = "x".repeat(2 * usize::try_from(LIMIT).unwrap());
            let created = disk.write(
                &path.with_file_name("new.py"),
                large.as_bytes(),
                Expected::Absent,
                WriteOptions::default(),
            );
            assert!(matches!(created, Err(WriteError::Full { .. })), "{created:?}");
            let written = write(&disk, &path, OLD, &large);
            assert!(matches!(written, Err(WriteError::Full { .. })), "{written:?}");
        }
        _ => panic!("{case}"),
    }
}

fn parse(method: &str) -> Method {
    match method {
        "exchange" => Method::Exchange,
        "move-out" => Method::MoveOut,
        _ => Method::RenameOver,
    }
}

/// Ends the process at every step, one after another, and checks what is there then and after
/// the next start.
#[track_caller]
fn check(what: &str, before: Option<&str>, allowed: &[Option<&str>]) {
    for n in 1.. {
        let sandbox = Sandbox::new();
        let path = sandbox.path("a.py");
        if let Some(text) = before {
            sandbox.save("a.py", text);
        }
        let status = spawn(&["crash", sandbox.root.as_str(), &n.to_string(), what]);
        if status.success() {
            assert!(n > 3, "{what}: only {n} steps");
            return;
        }
        assert!(n < 50, "{what} does not end: {status}");
        let disk = sandbox.disk();
        let found = disk.recover(&sandbox.root).unwrap();
        let now = fs::read_to_string(&path).ok();
        assert!(allowed.contains(&now.as_deref()), "{what}, step {n}: {now:?}");
        if let Some(old) = before {
            let kept = found.iter().any(|it| text(&it.path) == old);
            assert!(kept || now.as_deref() == Some(old), "{what}, step {n}: {found:?}");
        }
        let stray = sandbox.names().into_iter().find(|it| crate::disk::is_temp(it));
        assert_eq!(stray, None, "{what}, step {n}");
        for displaced in found {
            assert_eq!(disk.discard(&displaced).unwrap(), Late::Unchanged, "{what}, step {n}");
        }
        assert_eq!(disk.recover(&sandbox.root).unwrap(), [], "{what}, step {n}");
    }
}

#[test]
fn a_notebook_is_old_or_new_wherever_the_process_ends() {
    for method in ["exchange", "move-out", "rename-over"] {
        check(method, Some(OLD), &[Some(OLD), Some(NEW)]);
    }
}

#[test]
fn a_new_file_is_whole_or_absent_wherever_the_process_ends() {
    check("create", None, &[None, Some(NEW)]);
}

#[test]
fn a_removed_file_is_kept_wherever_the_process_ends() {
    check("remove", Some(OLD), &[Some(OLD), None]);
}

#[test]
fn a_full_device_changes_nothing() {
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", OLD);
    assert!(spawn(&["full", sandbox.root.as_str()]).success());
    assert_eq!(text(&path), OLD);
    assert_eq!(sandbox.names(), ["a.py"]);
    // The same in place.
    fs::hard_link(&path, sandbox.path("b.py")).unwrap();
    assert!(spawn(&["full", sandbox.root.as_str()]).success());
    assert_eq!(text(&path), OLD);
    assert_eq!(sandbox.names(), ["a.py", "b.py"]);
}

#[test]
fn any_failing_step_leaves_the_old_text_or_the_new() {
    for method in [Method::Exchange, Method::MoveOut, Method::RenameOver] {
        for n in 1.. {
            let sandbox = Sandbox::new();
            let path = sandbox.save("a.py", OLD);
            let faults = Arc::new(Faults::none().error_at(n, rustix::io::Errno::IO.raw_os_error()));
            let disk = sandbox.disk().with_method(method).with_observer(faults.clone());
            let written = write(&disk, &path, OLD, NEW);
            if faults.taken() < n {
                written.unwrap();
                break;
            }
            drop(disk);
            let found = sandbox.disk().recover(&sandbox.root).unwrap();
            let now = text(&path);
            assert!([OLD, NEW].contains(&now.as_str()), "{method:?}, step {n}: {now}");
            let kept = found.iter().any(|it| text(&it.path) == OLD);
            assert!(kept || now == OLD, "{method:?}, step {n}");
            if written.is_ok() {
                assert_eq!(now, NEW, "{method:?}, step {n}");
            }
        }
    }
}
