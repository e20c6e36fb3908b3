//! Saves of editors that have not loaded what arrived.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::cells::edited;
use super::world::{QUIET, World, at, replicas};
use crate::disk::Crashed;
use crate::report::NotebookState;
use crate::store::{Batch, Store};

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

/// A script does not show the white space that a cell ends in: that is no edit of it.
#[test]
fn stale_editor_beside_a_cell_that_ends_in_white_space() {
    for (stale, end) in [(0, " "), (2, " "), (0, "\\n"), (2, "\\n  ")] {
        let mut world = World::with(&[("a.py", "x = 1 | y = 1 | z = 1")]);
        let names = replicas("a.py");
        let buffer = world.text(&names[stale]);
        let lab = world.text(&names[1]);
        let typed = lab.replace("y = 1", &format!("y = 1\\nk ={end}"));
        world.disk.save(&at(&names[1]), typed.as_bytes());
        world.run(Duration::from_secs(3));
        let saved = edited(&names[stale], &buffer, "x = 1 | y = 1 | z = 2");
        world.disk.save(&at(&names[stale]), saved.as_bytes());
        world.run(QUIET);
        world.check_state("a.py", NotebookState::Synced);
        world.check("a.py", "x = 1 | y = 1+k = | z = 2");
        let typed = typed.replace("k =", "k = 0\\nl =");
        world.disk.save(&at(&names[1]), typed.as_bytes());
        world.run(QUIET);
        world.check_state("a.py", NotebookState::Synced);
        world.check("a.py", "x = 1 | y = 1+k = 0+l = | z = 2");
        assert!(world.text(&names[1]).contains(&format!("l ={end}")), "{}", world.text(&names[1]));
    }
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
