//! Full disks, crashes and lost stores.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::world::{QUIET, World, replicas};
use crate::disk::{Crashed, Step};
use crate::report::NotebookState;
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

/// The process ends at each step of each write in turn.
#[test]
fn crash_at_any_step_loses_nothing() {
    for n in 0.. {
        let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
        let [source, ipynb, _] = replicas("a.py");
        world.edit(&source, "x = 10 | y = 2");
        world.edit(&ipynb, "x = 1 | y = 20");
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
        world.run(Duration::from_secs(20));
        let has_crashed = world.store.is_gone.load(Ordering::SeqCst);
        world.engine = None;
        world.stop_interfering();
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
