//! Edits reach all replicas, and nothing else is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use camino::Utf8Path;
use nbsync_formats::FormatName;

use super::cells::{self, edited};
use super::world::{QUIET, World, at, replicas};
use crate::control::{Command, Reply};
use crate::report::{DaemonState, NotebookState};

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
