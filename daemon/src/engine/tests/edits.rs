//! Edits reach all replicas, and nothing else is written.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use camino::Utf8Path;
use nbsync_formats::FormatName;

use super::cells::{self, edited};
use super::world::{QUIET, World, at, replicas};
use crate::control::{Command, Reply};
use crate::disk::Crashed;
use crate::report::{DaemonState, NotebookState};
use crate::store::{Batch, Store};

const SOURCES: [&str; 2] = ["a.py", "d/b.ipynb"];

#[test]
fn new_notebook_gets_shadows() {
    for source in SOURCES {
        let mut world = World::with(&[]);
        world.create(source, "x = 1 | # Title | y = 2+z = 3");
        world.run(Duration::from_millis(1));
        world.check(source, "x = 1 | # Title | y = 2+z = 3");
        assert_eq!(world.written(), replicas(source)[1..]);
        world.check_state(source, NotebookState::Synced);
    }
}

/// The file is empty at first, and whole from one of the looks at it on.
#[test]
fn notebook_that_is_being_copied_is_found() {
    let text = cells::text(FormatName::Percent, ".py", "x = 1");
    for n_early in 0..6 {
        let mut world = World::with(&[]);
        let (disk, text) = (world.disk.clone(), text.clone());
        disk.save(&at("a.py"), b"");
        let n_looks = AtomicUsize::new(0);
        world.disk.observe_looks(Some(Arc::new(move |path: &Utf8Path| {
            if path == at("a.py") && n_looks.fetch_add(1, Ordering::Relaxed) == n_early {
                disk.save(path, text.as_bytes());
            }
            Ok(())
        })));
        world.run(QUIET);
        if world.text("a.py").is_empty() {
            // It was not looked at so often.
            world.create("a.py", "x = 1");
            world.run(QUIET);
        }
        world.check("a.py", "x = 1");
    }
}

#[test]
fn edit_reaches_the_others_at_once() {
    for source in SOURCES {
        for from in 0..3 {
            let mut world = World::with(&[(source, "x = 1 | y = 2"), ("other.py", "k = 1")]);
            world.edit(&replicas(source)[from], "x = 1 | y = 3 | z = 4");
            world.run(Duration::from_millis(1));
            world.check(source, "x = 1 | y = 3 | z = 4");
            let mut others = replicas(source).to_vec();
            others.remove(from);
            assert_eq!(world.written(), others, "from {from}");
        }
    }
}

#[test]
fn nothing_is_written_when_nothing_happens() {
    let mut world = World::with(&[("a.py", "x = 1 | # T"), ("d/b.ipynb", "y = 2 | # U")]);
    world.run(Duration::from_hours(1));
    assert_eq!(world.n_writes(), 0);
    world.edit("a.py", "x = 2 | # T");
    world.run(QUIET);
    world.forget();
    world.run(Duration::from_hours(1));
    assert_eq!(world.n_writes(), 0);
    world.stop();
    world.start();
    world.run(Duration::from_hours(1));
    assert_eq!(world.n_writes(), 0);
}

#[test]
fn touched_files_are_not_written() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    for path in replicas("a.py") {
        world.disk.save(&at(&path), world.text(&path).as_bytes());
        world.run(QUIET);
        world.disk.save_by_rename(&at(&path), world.text(&path).as_bytes());
        world.run(QUIET);
    }
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn edits_of_several_replicas_merge() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2 | z = 3")]);
    let [source, ipynb, marimo] = replicas("a.py");
    world.edit(&source, "x = 10 | y = 2 | z = 3");
    world.edit(&ipynb, "x = 1 | y = 2 | new = 1 | z = 3");
    world.edit(&marimo, "x = 1 | y = 2 | z = 30");
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 2 | new = 1 | z = 30");
    world.check_state("a.py", NotebookState::Synced);
}

#[test]
fn conflict_keeps_both() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
    let [source, ipynb, _] = replicas("a.py");
    world.edit(&source, "x = 10 | y = 2");
    world.edit(&ipynb, "x = 20 | y = 2");
    world.run(QUIET);
    world.check("a.py", "x = 10 | !x = 20 | y = 2");
    world.check_state("a.py", NotebookState::Conflict);
    world.edit(&ipynb, "x = 10 | y = 2");
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 2");
    world.check_state("a.py", NotebookState::Synced);
    assert!(world.is_kept("x = 20"));
}

/// An editor saves at each step of each write.
#[test]
fn editor_is_faster_than_the_write() {
    for by_rename in [false, true] {
        for from in 0..3 {
            let n_steps = (0..1000).take_while(|&step| race(from, by_rename, step)).count();
            assert!(8 < n_steps && n_steps < 1000, "{n_steps}");
        }
    }
}

/// Saves an edit of this replica while another one's travels. Returns whether it came so far.
fn race(replica: usize, by_rename: bool, at_step: usize) -> bool {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
    let [source, ipynb, _] = replicas("a.py");
    let path = replicas("a.py")[replica].clone();
    let text = edited(&path, &world.text(&path), "x = 1 | y = 3");
    let disk = world.disk.clone();
    let mut n = 0;
    let is_saved = Arc::new(AtomicBool::new(false));
    let saved = Arc::clone(&is_saved);
    world.interfere(move |_, _| {
        if n == at_step {
            saved.store(true, Ordering::SeqCst);
            if by_rename {
                disk.save_by_rename(&at(&path), text.as_bytes());
            } else {
                disk.save(&at(&path), text.as_bytes());
            }
        }
        n += 1;
        Ok(())
    });
    world.edit(if replica == 0 { &ipynb } else { &source }, "x = 4 | y = 2");
    world.run(QUIET);
    if !is_saved.load(Ordering::SeqCst) {
        return false;
    }
    world.check_state("a.py", NotebookState::Synced);
    for path in replicas("a.py") {
        let text = world.text(&path);
        assert!(text.contains("y = 3"), "{replica} {by_rename} {at_step}: {text}");
    }
    assert!(world.is_kept("x = 4"));
    true
}

#[test]
fn late_writer_is_merged() {
    for from in 0..3 {
        let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
        let [source, ipynb, _] = replicas("a.py");
        let path = replicas("a.py")[from].clone();
        let open = world.disk.open(&at(&path)).unwrap();
        let late = edited(&path, &world.text(&path), "x = 1 | y = 3");
        world.edit(if from == 0 { &ipynb } else { &source }, "x = 4 | y = 2");
        world.run(Duration::from_millis(1));
        world.check("a.py", "x = 4 | y = 2");
        world.disk.save_open(open, late.as_bytes());
        world.run(QUIET);
        world.check("a.py", "x = 4 | y = 3");
    }
}

#[test]
fn flush_answers_when_all_is_done() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
    let mut answer = world.call(Command::Flush { paths: vec![] });
    assert!(answer.try_recv().is_err());
    world.step();
    assert!(answer.try_recv().is_ok());

    // A file that is being saved is waited for.
    let whole = world.text("a.py").replace("x = 1", "x = 2");
    world.disk.save(&at("a.py"), b"");
    let mut answer = world.call(Command::Flush { paths: vec![at("a.py")] });
    world.step();
    assert!(answer.try_recv().is_err());
    world.disk.save(&at("a.py"), whole.as_bytes());
    world.run(Duration::from_millis(1));
    let Ok(Reply::Synced(report)) = answer.try_recv() else { panic!() };
    assert_eq!((report.n_notebooks, report.out_of_sync.len()), (1, 0));
    assert_eq!(report.propagated.len(), 1);
    world.check("a.py", "x = 2 | y = 2");

    // What is held is reported.
    world.disk.save(&at("a.py"), b"");
    let mut answer = world.call(Command::Flush { paths: vec![] });
    world.run(QUIET);
    let Ok(Reply::Synced(report)) = answer.try_recv() else { panic!() };
    assert_eq!(report.out_of_sync[0].state, NotebookState::Held);
}

#[test]
fn pause_writes_nothing_until_resume() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    world.call(Command::Pause);
    world.edit("a.py", "x = 2");
    world.create("b.py", "y = 1");
    world.run(Duration::from_mins(30));
    assert_eq!(world.written(), [""; 0]);
    assert_eq!(world.daemon_state(), DaemonState::Paused);
    // Nobody waits for the end of a pause.
    let mut answer = world.call(Command::Flush { paths: vec![] });
    world.step();
    assert!(answer.try_recv().is_ok());
    world.call(Command::Resume);
    world.run(Duration::from_millis(1));
    world.check("a.py", "x = 2");
    world.check("b.py", "y = 1");
    assert_eq!(world.daemon_state(), DaemonState::Watching);
}

#[test]
fn lost_events_are_made_up_for() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    world.edit(&replicas("a.py")[2], "x = 2");
    world.events();
    world.run(Duration::from_secs(6));
    world.check("a.py", "x = 2");
    world.create("b.py", "y = 1");
    world.events();
    world.run(Duration::from_mins(11));
    world.check("b.py", "y = 1");
}

#[test]
fn edits_made_while_the_daemon_is_away_are_found() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2"), ("b.py", "k = 1")]);
    world.stop();
    let [source, ipynb, _] = replicas("a.py");
    world.edit(&source, "x = 10 | y = 2");
    world.edit(&ipynb, "x = 1 | y = 20");
    world.create("c.py", "z = 1");
    world.disk.delete(&at("b.py"));
    world.start();
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 20");
    world.check("c.py", "z = 1");
    assert_eq!(world.disk.bytes(&at(&replicas("b.py")[1])), None);
}

#[test]
fn replaced_versions_are_in_the_history() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    world.edit("a.py", "x = 2");
    world.run(QUIET);
    assert!(world.is_kept("x = 1"), "in the text of the shadow that was replaced");
    let files = world.disk.files();
    assert!(files.iter().all(|(path, _)| !path.as_str().contains(".displaced")), "{files:?}");
}

#[test]
fn renamed_source_takes_its_shadows_along() {
    let mut world = World::with(&[("d/a.py", "x = 1 | # T")]);
    world.disk.rename(&at("d/a.py"), &at("d/b.py"));
    world.run(QUIET);
    world.check("d/b.py", "x = 1 | # T");
    for path in replicas("d/a.py") {
        assert_eq!(world.disk.bytes(&at(&path)), None, "{path}");
    }
    world.disk.rename(&at("d"), &at("e"));
    world.run(QUIET);
    world.check("e/b.py", "x = 1 | # T");
    assert!(world.disk.files().iter().all(|(path, _)| !path.starts_with(at("d"))));
    world.edit(&replicas("e/b.py")[2], "x = 2 | # T");
    world.run(QUIET);
    world.check("e/b.py", "x = 2 | # T");
}

#[test]
fn source_in_another_format_takes_over() {
    let mut world = World::with(&[("a.py", "x = 1 | # T")]);
    world.create("a.ipynb", "x = 1 | # T");
    world.run(QUIET);
    world.disk.delete(&at("a.py"));
    world.run(QUIET);
    world.check("a.ipynb", "x = 1 | # T");
    world.check_state("a.ipynb", NotebookState::Synced);
    let path = at("__marimo__/nbsync/a.ipynb");
    assert_eq!(world.disk.bytes(&path), None, "the old source's shadow");
}

/// What an editor has is known to the next process as well.
#[test]
fn editor_that_did_not_load_an_update_keeps_it_after_a_restart() {
    for stale in 0..3 {
        // While a daemon runs, or while none does.
        for is_down in [false, true] {
            let names = replicas("a.py");
            let mut world = World::with(&[("a.py", "x = 1 | y = 1 | z = 1")]);
            let mut buffer = world.text(&names[stale]);
            world.edit(&names[(stale + 1) % 3], "x = 1 | y = 2 | z = 1");
            world.run(Duration::from_secs(1));
            world.stop();
            if !is_down {
                world.start();
                world.run(Duration::from_mins(1));
                world.edit(&names[(stale + 2) % 3], "x = 2 | y = 2 | z = 1");
                world.run(Duration::from_secs(1));
                world.stop();
                world.start();
                world.run(Duration::from_mins(1));
            }
            buffer = edited(&names[stale], &buffer, "x = 1 | y = 1 | z = 2 | k = 1");
            world.disk.save(&at(&names[stale]), buffer.as_bytes());
            if is_down {
                world.start();
            }
            world.run(Duration::from_secs(1));
            let x = if is_down { 1 } else { 2 };
            world.check("a.py", &format!("x = {x} | y = 2 | z = 2 | k = 1"));
        }
    }
}

/// As one that an older nbsync has left.
#[test]
fn record_that_does_not_say_what_editors_have_is_read() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 1")]);
    world.edit(&replicas("a.py")[1], "x = 1 | y = 2");
    world.run(Duration::from_secs(1));
    world.stop();
    let store = world.store.inner.clone();
    let (source, record) = store.records().unwrap().remove(0);
    let mut record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    assert!(record.as_object_mut().unwrap().remove("unseen").is_some());
    let put = vec![(source, serde_json::to_vec(&record).unwrap())];
    store.commit(Batch { put, ..Batch::default() }).unwrap();
    world.forget();
    world.start();
    world.run(QUIET);
    assert!(world.written().is_empty(), "{:?}", world.written());
    world.edit("a.py", "x = 2 | y = 2");
    world.run(QUIET);
    world.check("a.py", "x = 2 | y = 2");
}

#[test]
fn undo_after_a_restart_is_an_undo() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 1")]);
    world.edit(&replicas("a.py")[1], "x = 1 | y = 2");
    world.run(Duration::from_secs(1));
    world.stop();
    world.start();
    world.edit("a.py", "x = 1 | y = 1");
    world.run(Duration::from_secs(1));
    world.check("a.py", "x = 1 | y = 1");
}

/// What the process before had written is a write that the editor has not loaded, whatever
/// became of the process.
#[test]
fn editor_that_did_not_load_an_update_keeps_it_after_a_crash() {
    for stale in 0..3 {
        let names = replicas("a.py");
        for n_crash in 0.. {
            let mut world = World::with(&[("a.py", "x = 1 | y = 1 | z = 1")]);
            let buffer = world.text(&names[stale]);
            let mut left = n_crash;
            let has_crashed = Arc::new(AtomicBool::new(false));
            let (crashed, gone) = (has_crashed.clone(), world.store.is_gone.clone());
            world.interfere(move |_, _| {
                if left == 0 {
                    crashed.store(true, Ordering::SeqCst);
                    gone.store(true, Ordering::SeqCst);
                    return Err(io::Error::other(Crashed));
                }
                left -= 1;
                Ok(())
            });
            world.edit(&names[(stale + 1) % 3], "x = 1 | y = 2 | z = 1");
            world.run(Duration::from_millis(1));
            world.engine = None;
            world.stop_interfering();
            world.start();
            world.run(Duration::from_secs(10));
            world.check("a.py", "x = 1 | y = 2 | z = 1");
            let buffer = edited(&names[stale], &buffer, "x = 1 | y = 1 | z = 2");
            world.disk.save(&at(&names[stale]), buffer.as_bytes());
            world.run(Duration::from_secs(1));
            world.check("a.py", "x = 1 | y = 2 | z = 2");
            if !has_crashed.load(Ordering::SeqCst) {
                assert!(n_crash > 5, "only {n_crash} steps");
                break;
            }
        }
    }
}

#[test]
fn editor_that_did_not_load_an_update_keeps_it() {
    for stale in 0..3 {
        let names = replicas("a.py");
        let mut world = World::with(&[("a.py", "x = 1 | y = 1 | z = 1")]);
        let mut buffer = world.text(&names[stale]);
        world.edit(&names[(stale + 1) % 3], "x = 1 | y = 2 | z = 1");
        world.run(Duration::from_secs(1));
        // It goes on with its own text, save after save.
        buffer = edited(&names[stale], &buffer, "x = 1 | y = 1 | z = 2");
        world.disk.save(&at(&names[stale]), buffer.as_bytes());
        world.run(Duration::from_secs(1));
        world.check("a.py", "x = 1 | y = 2 | z = 2");
        world.edit(&names[(stale + 2) % 3], "x = 2 | y = 2 | z = 2");
        world.run(Duration::from_secs(1));
        buffer = edited(&names[stale], &buffer, "x = 1 | y = 1 | z = 3 | k = 1");
        world.disk.save(&at(&names[stale]), buffer.as_bytes());
        world.run(Duration::from_secs(1));
        world.check("a.py", "x = 2 | y = 2 | z = 3 | k = 1");
    }
}

#[test]
fn lines_saved_in_one_place_within_a_moment_are_both_kept() {
    for stale in 0..3 {
        let names = replicas("a.py");
        let mut world = World::with(&[("a.py", "x = 1 | y = 1")]);
        let buffer = world.text(&names[stale]);
        world.edit(&names[(stale + 1) % 3], "x = 1+first = 2 | y = 1");
        world.run(Duration::from_millis(100));
        let buffer = edited(&names[stale], &buffer, "x = 1+other(3) | y = 1");
        world.disk.save(&at(&names[stale]), buffer.as_bytes());
        world.run(QUIET);
        for name in &names {
            let text = world.text(name);
            assert!(text.contains("first = 2") && text.contains("other(3)"), "{name}: {text}");
        }
        world.check_state("a.py", NotebookState::Conflict);
    }
}

#[test]
fn line_that_replaces_one_which_was_there_for_a_while_is_an_edit() {
    let names = replicas("a.py");
    let mut world = World::with(&[("a.py", "x = 1")]);
    world.edit(&names[0], "x = 1+first = 2");
    world.run(Duration::from_secs(5));
    world.edit(&names[1], "x = 1+other(3)");
    world.run(QUIET);
    world.check("a.py", "x = 1+other(3)");
    world.check_state("a.py", NotebookState::Synced);
}

#[test]
fn undo_in_an_editor_that_loaded_the_update_is_an_undo() {
    let names = replicas("a.py");
    let mut world = World::with(&[("a.py", "x = 1 | y = 1")]);
    world.edit(&names[0], "x = 1 | y = 2");
    world.run(Duration::from_secs(1));
    world.edit(&names[1], "x = 1 | y = 1");
    world.run(Duration::from_secs(1));
    world.check("a.py", "x = 1 | y = 1");
    world.edit(&names[2], "x = 1 | y = 3");
    world.run(Duration::from_secs(1));
    // It has seen y = 3, and edits something else.
    world.edit(&names[1], "x = 2 | y = 3");
    world.run(Duration::from_secs(1));
    world.check("a.py", "x = 2 | y = 3");
}

#[test]
fn late_save_waits_for_the_end_of_a_pause() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
    let open = world.disk.open(&at("a.py")).unwrap();
    let late = edited("a.py", &world.text("a.py"), "x = 1 | y = 3");
    world.edit(&replicas("a.py")[1], "x = 4 | y = 2");
    world.run(Duration::from_millis(1));
    world.call(Command::Pause);
    world.disk.save_open(open, late.as_bytes());
    world.forget();
    world.run(QUIET);
    assert_eq!(world.n_writes(), 0);
    world.call(Command::Resume);
    world.run(QUIET);
    world.check("a.py", "x = 4 | y = 3");
}

#[test]
fn late_save_is_taken_up_at_the_end() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
    let open = world.disk.open(&at("a.py")).unwrap();
    let late = edited("a.py", &world.text("a.py"), "x = 1 | y = 3");
    world.edit(&replicas("a.py")[1], "x = 4 | y = 2");
    world.run(Duration::from_millis(1));
    world.disk.save_open(open, late.as_bytes());
    world.stop();
    world.check("a.py", "x = 4 | y = 3");
}

/// An editor that truncates, is overtaken by another edit, and then writes.
#[test]
fn late_save_is_an_edit_of_what_its_editor_had_saved() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2 | z = 3")]);
    let path = at("a.py");
    let torn = edited("a.py", &world.text("a.py"), "x = 1 | y = 5");
    let whole = edited("a.py", &world.text("a.py"), "x = 1 | y = 5 | z = 3");
    world.disk.save(&path, torn.as_bytes());
    let open = world.disk.open(&path).unwrap();
    world.edit(&replicas("a.py")[1], "x = 4 | y = 2 | z = 3");
    world.run(Duration::from_millis(1));
    world.check("a.py", "x = 4 | y = 5");
    world.disk.save_open(open, whole.as_bytes());
    world.run(QUIET);
    world.check("a.py", "x = 4 | y = 5 | z = 3");
}

/// One editor never loads anything, and another one has not loaded what came while its user typed.
#[test]
fn two_stale_editors_undo_nothing() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2 | z = 3")]);
    let [percent, ipynb, marimo] = replicas("a.py");
    world.edit(&ipynb, "x = 1 | y = 2+jup | z = 3");
    world.run(Duration::from_secs(3));
    let (loaded, lab) = (world.text(&percent), world.text(&ipynb));
    world.edit(&marimo, "x = 1 | y = 2+jup | z = 3+mari");
    world.run(Duration::from_secs(3));
    world.disk.save(&at(&ipynb), lab.replace("jup", "jupyter = 0").as_bytes());
    world.run(Duration::from_millis(200));
    world.check("a.py", "x = 1 | y = 2+jupyter = 0 | z = 3+mari");
    world.edit(&marimo, "x = 1 | y = 2+jupyter = 0 | z = 3+marimo = 0");
    world.run(Duration::from_secs(2));
    world.disk.save(&at(&percent), loaded.replace("x = 1", "x = 1\ncode = 0").as_bytes());
    world.run(QUIET);
    world.check("a.py", "x = 1+code = 0 | y = 2+jupyter = 0 | z = 3+marimo = 0");
}

/// One that never loads anything saves in the moment in which another one goes on.
#[test]
fn stale_editor_saves_beside_another_edit() {
    for stale in 0..3 {
        let names = replicas("a.py");
        let mut world = World::with(&[("a.py", "x = 1 | y = 1")]);
        let mut buffer = world.text(&names[stale]);
        let other = &names[(stale + 1) % 3];
        let mut lines = String::from("x = 1");
        for no in 1..=3 {
            lines = format!("{lines}+a = {no}");
            world.edit(other, &format!("{lines} | y = 1{}", "+b = 0".repeat(no - 1)));
            world.run(Duration::from_secs(3));
            lines = format!("{lines}+c = {no}");
            let expected = format!("{lines} | y = 1{}", "+b = 0".repeat(no));
            buffer =
                edited(&names[stale], &buffer, &format!("x = 1 | y = 1{}", "+b = 0".repeat(no)));
            world.edit(other, &format!("{lines} | y = 1{}", "+b = 0".repeat(no - 1)));
            world.disk.save(&at(&names[stale]), buffer.as_bytes());
            world.run(QUIET);
            world.check("a.py", &expected);
            world.check_state("a.py", NotebookState::Synced);
        }
    }
}

/// Two that did not load the same, and save in the same moment.
#[test]
fn two_stale_editors_at_once_undo_nothing() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2 | z = 3")]);
    let [percent, ipynb, marimo] = replicas("a.py");
    let lab = world.text(&ipynb);
    world.edit(&percent, "x = 1+a = 1 | y = 2 | z = 3");
    world.run(Duration::from_secs(3));
    let loaded = world.text(&marimo);
    world.edit(&percent, "x = 1+a = 1+a = 2 | y = 2 | z = 3");
    world.run(Duration::from_secs(3));
    let saved = edited(&ipynb, &lab, "x = 1 | y = 2+b = 1 | z = 3");
    world.disk.save(&at(&ipynb), saved.as_bytes());
    let saved = edited(&marimo, &loaded, "x = 1+a = 1 | y = 2 | z = 3+c = 1");
    world.disk.save(&at(&marimo), saved.as_bytes());
    world.edit(&percent, "x = 1+a = 1+a = 2+a = 3 | y = 2 | z = 3");
    world.run(QUIET);
    world.check("a.py", "x = 1+a = 1+a = 2+a = 3 | y = 2+b = 1 | z = 3+c = 1");
    world.check_state("a.py", NotebookState::Synced);
}

/// However many writes it has not loaded.
#[test]
fn editor_that_loads_nothing_for_long_undoes_nothing() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 1")]);
    let [percent, ipynb, _] = replicas("a.py");
    let lab = world.text(&ipynb);
    let mut lines = String::from("x = 1");
    for no in 0..40 {
        lines = format!("{lines}+a = {no}");
        world.edit(&percent, &format!("{lines} | y = 1"));
        world.run(Duration::from_secs(1));
    }
    let saved = edited(&ipynb, &lab, "x = 1 | y = 1+b = 1");
    world.disk.save(&at(&ipynb), saved.as_bytes());
    world.run(QUIET);
    world.check("a.py", &format!("{lines} | y = 1+b = 1"));
}

#[test]
fn first_cell_takes_the_place_of_the_empty_one() {
    for from in 0..2 {
        let names = replicas("a.ipynb");
        let mut world = World::with(&[("a.ipynb", "")]);
        world.edit(&names[from], "x = 1");
        world.run(Duration::from_secs(1));
        world.check("a.ipynb", "x = 1");
        let script = names.iter().find(|name| name.contains("marimo.py")).unwrap();
        assert_eq!(world.text(script).matches("@app.cell").count(), 1);
    }
}
