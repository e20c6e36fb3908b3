//! Editors that save at the very moment of a write.

use super::*;

#[test]
fn a_save_before_the_exchange_comes_back() {
    for method in [Method::Exchange, Method::MoveOut] {
        let sandbox = Sandbox::new();
        let path = sandbox.save("a.py", "old");
        let editor = move |step, path: &Utf8Path| {
            if matches!(step, Step::Exchange | Step::MoveOut) {
                fs::write(path, "saved").unwrap();
            }
            Ok(())
        };
        let disk = sandbox.disk_with(editor).with_method(method);
        let written = write(&disk, &path, "old", "new").unwrap();
        assert_eq!(written.raced.as_deref(), Some(&b"saved"[..]), "{method:?}");
        assert_eq!(text(&path), "new");
        let displaced = written.displaced.unwrap();
        assert_eq!(displaced.digest, Digest::of(b"saved"));
        assert_eq!(sandbox.displaced(), ["saved"]);
    }
}

/// VS Code, Jupyter and marimo empty the file first.
#[test]
fn half_a_save_is_waited_for() {
    for method in [Method::Exchange, Method::MoveOut] {
        let sandbox = Sandbox::new();
        let path = sandbox.save("a.py", "old");
        let (tell, told) = std::sync::mpsc::channel();
        let tell = std::sync::Mutex::new(tell);
        std::thread::scope(|scope| {
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            let writer = file.try_clone().unwrap();
            scope.spawn(move || {
                told.recv().unwrap();
                std::os::unix::fs::FileExt::write_all_at(&writer, b"saved", 0).unwrap();
            });
            let disk = sandbox
                .disk_with(move |step, _| {
                    match step {
                        Step::Exchange | Step::MoveOut => file.set_len(0).unwrap(),
                        Step::Inspect => tell.lock().unwrap().send(()).unwrap(),
                        _ => {}
                    }
                    Ok(())
                })
                .with_method(method);
            let written = write(&disk, &path, "old", "new").unwrap();
            assert_eq!(written.raced.as_deref(), Some(&b"saved"[..]), "{method:?}");
            assert_eq!(written.displaced.unwrap().digest, Digest::of(b"saved"));
        });
    }
}

#[test]
fn an_editor_that_saves_the_same_does_not_race() {
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", "old");
    let disk = sandbox.disk_with(|step, path| {
        if step == Step::Exchange {
            fs::write(path, "new").unwrap();
        }
        Ok(())
    });
    assert_eq!(write(&disk, &path, "old", "new").unwrap().raced, None);
}

#[test]
fn a_save_through_a_file_that_was_open_is_found_later() {
    for method in [Method::Exchange, Method::MoveOut] {
        let sandbox = Sandbox::new();
        let path = sandbox.save("a.py", "old");
        let open = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let disk = sandbox.disk().with_method(method);
        let displaced = write(&disk, &path, "old", "new").unwrap().displaced.unwrap();
        assert_eq!(disk.recheck(&displaced).unwrap(), Late::Unchanged);
        std::os::unix::fs::FileExt::write_all_at(&open, b"late", 0).unwrap();
        assert_eq!(disk.recheck(&displaced).unwrap(), Late::Changed(b"late".to_vec()));
        // It is not unlinked, whoever asks.
        assert_eq!(disk.discard(&displaced).unwrap(), Late::Changed(b"late".to_vec()));
        assert_eq!(text(&displaced.path), "late");
    }
}

#[test]
fn a_name_that_is_taken_meanwhile_is_left_to_its_taker() {
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", "old");
    let disk = sandbox.disk_with(|step, path| {
        if step == Step::Place {
            fs::write(path, "saved").unwrap();
        }
        Ok(())
    });
    let created =
        disk.write(&sandbox.path("b.py"), b"x", Expected::Absent, WriteOptions::default());
    assert!(matches!(created, Err(WriteError::Changed { displaced: None, .. })));
    assert_eq!(text(&sandbox.path("b.py")), "saved");

    let written = write(&disk.with_method(Method::MoveOut), &path, "old", "new");
    let Err(WriteError::Changed { displaced: Some(displaced), .. }) = written else {
        panic!("{written:?}");
    };
    assert_eq!(text(&path), "saved");
    assert_eq!(text(&displaced.path), "old");
    assert_eq!(sandbox.names(), ["__marimo__", "a.py", "b.py"]);
}

#[test]
fn a_notebook_that_is_deleted_meanwhile_stays_deleted() {
    for method in [Method::Exchange, Method::MoveOut] {
        let sandbox = Sandbox::new();
        let path = sandbox.save("a.py", "old");
        let editor = |step, path: &Utf8Path| {
            if matches!(step, Step::Exchange | Step::MoveOut) {
                fs::remove_file(path).unwrap();
            }
            Ok(())
        };
        let disk = sandbox.disk_with(editor).with_method(method);
        let written = write(&disk, &path, "old", "new");
        assert!(matches!(written, Err(WriteError::Changed { .. })), "{written:?}");
        assert_eq!(sandbox.names(), ["__marimo__"]);
    }
}

#[test]
fn a_folder_that_takes_the_name_keeps_it() {
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", "old");
    let disk = sandbox.disk_with(|step, path| {
        if step == Step::Exchange {
            fs::remove_file(path)?;
            fs::create_dir(path)?;
        }
        Ok(())
    });
    let written = write(&disk, &path, "old", "new");
    assert!(matches!(written, Err(WriteError::NotAFile { .. })), "{written:?}");
    assert!(path.is_dir());
    assert_eq!(sandbox.names(), ["__marimo__", "a.py"]);
}

#[test]
fn a_save_at_the_moment_of_removal_stays() {
    let sandbox = Sandbox::new();
    let path = sandbox.save("a.py", "old");
    let disk = sandbox.disk_with(|step, path| {
        if step == Step::MoveOut {
            fs::write(path, "saved").unwrap();
        }
        Ok(())
    });
    let removed = disk.remove(&path, Digest::of(b"old"));
    assert!(matches!(removed, Err(WriteError::Changed { displaced: None, .. })), "{removed:?}");
    assert_eq!(text(&path), "saved");
}
