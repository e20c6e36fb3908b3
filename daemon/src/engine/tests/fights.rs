//! Two programs that undo each other's changes are stopped, and nobody else.

use std::time::Duration;

use super::world::{QUIET, World, at, replicas};
use crate::control::Command;
use crate::report::NotebookState;

/// Has each program set a file to rights, again and again; returns what was written then.
fn fight(world: &mut World, programs: &[(&str, &str, &str)]) -> usize {
    world.forget();
    for _ in 0..200 {
        for (path, wrong, right) in programs {
            let text = world.text(path);
            if text.contains(wrong) {
                world.disk.save(&at(path), text.replace(wrong, right).as_bytes());
            }
            world.run(Duration::from_millis(10));
        }
    }
    world.written().len()
}

#[test]
fn two_formatters_are_stopped_and_go_on_after_quiet() {
    for by_hand in [false, true] {
        let mut world = World::with(&[("a.py", "x = 1 | y = 2"), ("b.py", "z = 1")]);
        let [source, _, marimo] = replicas("a.py");
        world.edit(&source, "x = 1 | y = 3");
        let n_written = fight(&mut world, &[(&source, "x = 1", "x=1"), (&marimo, "x=1", "x = 1")]);
        assert!((10..40).contains(&n_written), "{n_written}");
        world.check_state("a.py", NotebookState::Held);
        let reason = world.state("a.py").1;
        for word in
            ["two programs", "`a.py`", "`__marimo__/nbsync/a.marimo.py`", "nbsync resume a.py"]
        {
            assert!(reason.contains(word), "{word}: {reason}");
        }
        // Others go on, and so does it once it is left alone.
        world.edit("b.py", "z = 2");
        world.run(Duration::from_secs(1));
        world.check("b.py", "z = 2");
        world.edit(&source, "x = 1 | y = 4");
        world.run(Duration::from_secs(20));
        world.check_state("a.py", NotebookState::Held);
        if by_hand {
            world.call(Command::Release { paths: vec![at("a.py")] });
            world.run(Duration::from_secs(1));
        } else {
            world.run(Duration::from_secs(15));
        }
        world.check_state("a.py", NotebookState::Synced);
        assert!(world.text(&marimo).contains("y = 4"));
        assert!(world.text(&source).contains("y = 4"));
        world.run(QUIET);
    }
}

#[test]
fn two_that_stamp_the_time_are_stopped() {
    let mut world = World::with(&[("a.py", "t = 0 | y = 2")]);
    let [source, ipynb, _] = replicas("a.py");
    for n in 1..100 {
        let path = if n % 2 == 0 { &source } else { &ipynb };
        let text = world.text(path);
        let new = text.replace(&format!("t = {}", n - 1), &format!("t = {n}"));
        world.disk.save(&at(path), new.as_bytes());
        world.run(Duration::from_millis(5));
        if world.state("a.py").0 == NotebookState::Held {
            assert!(9 < n, "{n}");
            return;
        }
    }
    panic!("nobody stops them");
}

#[test]
fn somebody_who_saves_fast_is_left_alone() {
    for replica in 0..3 {
        let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
        let path = replicas("a.py")[replica].clone();
        for n in 0..100 {
            world.edit(&path, &format!("x = {} | y = {n}", n % 2));
            world.run(Duration::from_millis(3));
            world.check_state("a.py", NotebookState::Synced);
        }
        world.check("a.py", "x = 1 | y = 99");
    }
}

#[test]
fn two_people_in_two_cells_are_left_alone() {
    let mut world = World::with(&[("a.py", "x = 0 | y = 0")]);
    let [source, ipynb, _] = replicas("a.py");
    for n in 1..60 {
        world.edit(&source, &format!("x = {n} | y = {}", n - 1));
        world.run(Duration::from_millis(5));
        world.edit(&ipynb, &format!("x = {n} | y = {n}"));
        world.run(Duration::from_millis(5));
        world.check_state("a.py", NotebookState::Synced);
    }
    world.check("a.py", "x = 59 | y = 59");
}
