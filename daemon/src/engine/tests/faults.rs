//! Full disks, crashes and lost stores.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::world::{QUIET, World, at, replicas};
use crate::disk::{Crashed, Step};
use crate::report::{DaemonState, NotebookState};
use crate::simulation::litter;

const ENOSPC: i32 = 28;

#[test]
fn full_disk_is_tried_again_with_growing_waits() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    let tries = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&tries);
    world.interfere(move |step, _| {
        if step != Step::Fill {
            return Ok(());
        }
        counter.fetch_add(1, Ordering::SeqCst);
        Err(io::Error::from_raw_os_error(ENOSPC))
    });
    world.edit("a.py", "x = 2");
    let mut found = Vec::new();
    for _ in 0..5 {
        world.run(Duration::from_secs(10));
        found.push(tries.swap(0, Ordering::SeqCst));
    }
    world.check_state("a.py", NotebookState::Held);
    assert!(world.state("a.py").1.contains("no space left"), "{}", world.state("a.py").1);
    // After 0, 1, 3, 7, 15 and 31 s.
    assert_eq!(found, [4, 1, 0, 1, 0]);
    assert!(world.written().is_empty());
    world.stop_interfering();
    world.run(Duration::from_mins(2));
    world.check("a.py", "x = 2");
    world.check_state("a.py", NotebookState::Synced);
}

#[test]
fn lost_store_with_equal_files_costs_no_write() {
    let mut world = World::with(&[("a.py", "x = 1 | # T | y = 2"), ("d/b.ipynb", "k = 1")]);
    world.edit("a.py", "x = 1 | # T | y = 3+w = 1");
    world.run(QUIET);
    world.stop();
    world.store.inner.lose_index();
    world.forget();
    world.start();
    world.run(QUIET);
    assert_eq!(world.written(), [""; 0]);
    world.check_state("a.py", NotebookState::Synced);
    // And it works as before.
    world.edit(&replicas("a.py")[2], "x = 2 | # T | y = 3+w = 1");
    world.run(QUIET);
    world.check("a.py", "x = 2 | # T | y = 3+w = 1");
}

#[test]
fn lost_store_with_different_files_keeps_both() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
    world.stop();
    world.store.inner.lose_index();
    world.edit("a.py", "x = 10 | y = 2");
    world.edit(&replicas("a.py")[1], "x = 1 | y = 2 | z = 3");
    world.start();
    world.run(QUIET);
    for path in replicas("a.py") {
        let text = world.text(&path);
        for line in ["x = 10", "x = 1\n", "y = 2", "z = 3"] {
            let line = if path.ends_with("ipynb") { line.trim_end() } else { line };
            assert!(text.contains(line), "{line} in {path}: {text}");
        }
    }
}

#[test]
fn failing_store_does_not_stop_edits() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    world.store.inner.set_failing(true);
    world.edit("a.py", "x = 2");
    world.run(QUIET);
    world.check("a.py", "x = 2");
    assert!(world.is_kept("x = 1"), "replaced files stay where they are");
    world.edit(&replicas("a.py")[1], "x = 3");
    world.run(QUIET);
    world.check("a.py", "x = 3");
    world.stop();
    world.store.inner.set_failing(false);
    world.start();
    world.run(QUIET);
    world.check("a.py", "x = 3");
    world.check_state("a.py", NotebookState::Synced);
}

/// Ends the process at some step of a write. Returns whether there was one.
fn crash_at(world: &mut World, n: usize, time: Duration) -> bool {
    let mut left = n;
    let is_gone = Arc::clone(&world.store.is_gone);
    world.interfere(move |_, _| {
        if left == 0 {
            is_gone.store(true, Ordering::SeqCst);
            return Err(io::Error::other(Crashed));
        }
        left -= 1;
        Ok(())
    });
    world.run(time);
    let has_crashed = world.store.is_gone.load(Ordering::SeqCst);
    world.engine = None;
    world.stop_interfering();
    has_crashed
}

/// The process ends at each step of each write in turn.
#[test]
fn crash_at_any_step_loses_nothing() {
    for n in 0.. {
        let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
        let [source, ipynb, _] = replicas("a.py");
        world.edit(&source, "x = 10 | y = 2");
        world.edit(&ipynb, "x = 1 | y = 20");
        let has_crashed = crash_at(&mut world, n, Duration::from_secs(20));
        world.start();
        world.run(QUIET);
        world.check("a.py", "x = 10 | y = 20");
        world.check_state("a.py", NotebookState::Synced);
        let files = world.disk.files();
        let is_litter = |path: &str| path.contains(".displaced") || path.contains(".nbsync-");
        assert!(!files.iter().any(|(path, _)| is_litter(path.as_str())), "{n}: {files:?}");
        world.forget();
        world.run(Duration::from_hours(1));
        assert_eq!(world.n_writes(), 0, "{n}");
        if !has_crashed {
            assert!(10 < n);
            return;
        }
    }
}

#[test]
fn store_catches_up_when_it_works_again() {
    let mut world = World::new();
    world.store.inner.set_failing(true);
    world.create("a.py", "x = 1");
    world.start();
    world.run(QUIET);
    world.edit("a.py", "x = 2");
    world.run(QUIET);
    world.check("a.py", "x = 2");
    assert_eq!(litter(&world.disk).len(), 2, "replaced files stay where they are");
    world.store.inner.set_failing(false);
    world.run(Duration::from_mins(2));
    assert_eq!(litter(&world.disk), [""; 0]);
    assert!(world.is_kept("x = 1"));
    // With a base, edits of two replicas merge.
    world.stop();
    world.edit("a.py", "x = 3 | y = 1");
    world.edit(&replicas("a.py")[1], "z = 0 | x = 2");
    world.start();
    world.run(QUIET);
    world.check("a.py", "z = 0 | x = 3 | y = 1");
}

#[test]
fn replaced_files_are_found_without_a_store() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    world.edit("a.py", "x = 2");
    world.run(Duration::from_secs(1));
    world.stop();
    world.store.inner.lose_index();
    assert!(!litter(&world.disk).is_empty());
    world.start();
    world.run(QUIET);
    assert_eq!(litter(&world.disk), [""; 0]);
    assert!(world.is_kept("x = 1"));
}

/// What the process has written before it ended is no edit.
#[test]
fn same_line_edited_again_after_a_crash_is_no_conflict() {
    for edited in 0..3 {
        for n in 0.. {
            let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
            let path = &replicas("a.py")[edited];
            world.edit(path, "x = 2 | y = 2");
            let has_crashed = crash_at(&mut world, n, Duration::from_secs(20));
            world.edit(path, "x = 3 | y = 2");
            world.start();
            world.run(QUIET);
            world.check("a.py", "x = 3 | y = 2");
            world.check_state("a.py", NotebookState::Synced);
            if !has_crashed {
                assert!(10 < n);
                break;
            }
        }
    }
}

/// Nobody knows whether the text that was edited is the one before or the one after.
#[test]
fn other_replica_edited_after_a_crash_is_merged() {
    for n in 0.. {
        let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
        let [source, ipynb, _] = replicas("a.py");
        world.edit(&source, "x = 10 | y = 2");
        let has_crashed = crash_at(&mut world, n, Duration::from_secs(20));
        let x = if world.text(&ipynb).contains("x = 10") { 10 } else { 1 };
        world.edit(&ipynb, &format!("x = {x} | y = 20"));
        world.start();
        world.run(QUIET);
        world.check("a.py", "x = 10 | y = 20");
        world.check_state("a.py", NotebookState::Synced);
        if !has_crashed {
            return;
        }
    }
}

/// What it held is in the other replicas, or on the way there.
#[test]
fn shadow_deleted_after_a_crash_comes_back_with_its_edit() {
    for n in 0.. {
        let mut world = World::with(&[("a.py", "x = 1")]);
        let [_, ipynb, _] = replicas("a.py");
        world.edit(&ipynb, "x = 2");
        let has_crashed = crash_at(&mut world, n, Duration::from_secs(20));
        world.disk.delete(&at(&ipynb));
        world.start();
        world.run(QUIET);
        world.check("a.py", "x = 2");
        if !has_crashed {
            return;
        }
    }
}

/// What the process has written comes from a file that says something else by now.
#[test]
fn edit_that_is_taken_back_after_a_crash_is_gone() {
    for n in 0.. {
        let mut world = World::with(&[("a.py", "x = 1 | y = 2 | z = 3")]);
        let [_, ipynb, marimo] = replicas("a.py");
        world.edit(&marimo, "x = 10 | z = 3");
        // As long as the process has not seen that all is written.
        if !crash_at(&mut world, n, Duration::from_secs(1)) {
            assert!(10 < n);
            return;
        }
        // Who has loaded what was written means it.
        let x = if world.text(&ipynb).contains("y = 2") { "x = 1 | y = 2" } else { "x = 10" };
        let expected = format!("{x} | z = 30");
        world.edit(&ipynb, &expected);
        world.edit(&marimo, "x = 1 | y = 2 | z = 3");
        world.start();
        world.run(QUIET);
        world.check("a.py", &expected);
    }
}

/// The process goes on, but one of the files can't be written.
#[test]
fn same_line_edited_again_after_a_failed_write_is_no_conflict() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    let [source, _, marimo] = replicas("a.py");
    world.interfere(move |step, path| {
        let fails = step == Step::Exchange && *path == at(&marimo);
        if fails { Err(io::Error::from_raw_os_error(5)) } else { Ok(()) }
    });
    world.edit(&source, "x = 2");
    world.run(QUIET);
    world.check_state("a.py", NotebookState::Held);
    world.stop_interfering();
    world.edit(&source, "x = 3");
    world.run(QUIET);
    world.check("a.py", "x = 3");
    world.check_state("a.py", NotebookState::Synced);
}

/// Of two notebooks one is always in the middle of a save.
#[test]
fn editors_that_save_all_the_time_do_not_keep_the_daemon_from_being_ready() {
    let mut world = World::new();
    for path in ["a.ipynb", "b.ipynb"] {
        world.create(path, "x = 1");
    }
    let wholes = ["a.ipynb", "b.ipynb"].map(|path| (path, world.text(path)));
    world.start();
    for n in 0..6 {
        for (idx, (path, whole)) in wholes.iter().enumerate() {
            let len = if (n + idx) % 2 == 0 { whole.len() } else { whole.len() / 2 };
            world.disk.save(&at(path), &whole.as_bytes()[..len]);
        }
        world.run(Duration::from_millis(10));
    }
    assert_eq!(world.daemon_state(), DaemonState::Watching);
}

/// Ends the power: every change of a name that was not flushed is undone, and nothing else.
fn cut_power(world: &mut World) {
    world.engine = None;
    world.stop_interfering();
    let mut is_first = true;
    world.disk.cut_power(&mut |n| if std::mem::take(&mut is_first) { n - 1 } else { 0 });
    world.store.inner.cut_power(&mut |_| 0);
}

/// What the power cut brings back is older than the last base, and no edit.
#[test]
fn power_cut_after_a_flush_that_failed_takes_nothing_back() {
    const EIO: i32 = 5;
    for edited in 0..3 {
        let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
        world.edit(&replicas("a.py")[edited], "x = 10 | y = 2");
        world.interfere(|step, _| match step {
            Step::SyncFolder => Err(io::Error::from_raw_os_error(EIO)),
            _ => Ok(()),
        });
        world.run(Duration::from_secs(2));
        world.check("a.py", "x = 10 | y = 2");
        cut_power(&mut world);
        world.start();
        world.run(QUIET);
        world.check("a.py", "x = 10 | y = 2");
        world.check_state("a.py", NotebookState::Synced);
    }
}

#[test]
fn power_cut_after_a_crash_before_the_flush_takes_nothing_back() {
    for n in 0.. {
        let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
        world.edit("a.py", "x = 10 | y = 2");
        let has_crashed = crash_at(&mut world, n, Duration::from_secs(20));
        world.start();
        world.run(Duration::from_millis(500));
        cut_power(&mut world);
        world.start();
        world.run(QUIET);
        world.check("a.py", "x = 10 | y = 2");
        world.check_state("a.py", NotebookState::Synced);
        if !has_crashed {
            assert!(10 < n);
            return;
        }
    }
}
