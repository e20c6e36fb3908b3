//! An error inside nbsync holds one notebook, and no other.

use camino::Utf8Path;

use super::world::{QUIET, World};
use crate::report::NotebookState;
use crate::simulation::litter;

/// Edits notebooks, the first of which has a base that can't be loaded without a panic.
#[track_caller]
fn check(n_notebooks: usize) {
    let names: Vec<String> = (0..n_notebooks).map(|n| format!("n{n:02}.py")).collect();
    let mut notebooks: Vec<(&str, &str)> = names.iter().map(|it| (it.as_str(), "x = 1")).collect();
    notebooks[0].1 = "x = 666";
    let mut world = World::with(&notebooks);
    // So that no base is in memory.
    world.stop();
    world.start();
    *world.store.poison.lock().unwrap() = Some("x = 666".to_owned());
    for name in &names {
        world.edit(name, "x = 2");
    }
    world.run(QUIET);
    world.check_state("n00.py", NotebookState::Held);
    let reason = world.state("n00.py").1;
    assert!(reason.starts_with("an error inside nbsync"), "{reason}");
    for name in &names[1..] {
        world.check(name, "x = 2");
        world.check_state(name, NotebookState::Synced);
    }
    *world.store.poison.lock().unwrap() = None;
    // The next save is tried.
    world.edit("n00.py", "x = 3");
    world.run(QUIET);
    world.check("n00.py", "x = 3");
    world.check_state("n00.py", NotebookState::Synced);
}

#[test]
fn panic_holds_one_of_few() {
    check(2);
}

#[test]
fn panic_holds_one_of_many() {
    check(20);
}

#[test]
fn panic_in_one_write_leaves_the_others() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    world.interfere(|_, path: &Utf8Path| {
        // Once: the interference ends with the panic.
        assert!(!path.as_str().contains("a.marimo.py"), "the panic that this test wants");
        Ok(())
    });
    world.edit("a.py", "x = 2");
    world.run(QUIET);
    world.check("a.py", "x = 2");
    assert_eq!(litter(&world.disk), [""; 0]);
    assert!(world.is_kept("x = 1"));
}

/// Otherwise the next cycle would find all files edited, and the one after that again.
#[test]
fn panic_after_the_files_are_written_changes_nothing_for_them() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    *world.store.poison.lock().unwrap() = Some("x = 666".to_owned());
    world.edit("a.py", "x = 666");
    world.run(QUIET);
    world.check("a.py", "x = 666");
    world.check_state("a.py", NotebookState::Synced);
    *world.store.poison.lock().unwrap() = None;
    world.edit("a.py", "x = 2");
    world.run(QUIET);
    world.check("a.py", "x = 2");
    assert_eq!(litter(&world.disk), [""; 0]);
}
