//! What looks like an accident does not travel.

use std::time::Duration;

use super::world::{QUIET, World, at, replicas};
use crate::control::Command;
use crate::git::GitOperation;
use crate::report::{DaemonState, NotebookState, Report};
use crate::watch::WatchEvent;

#[test]
fn broken_replica_holds_until_it_is_whole() {
    for replica in 0..3 {
        let path = &replicas("a.py")[replica];
        let mut world = World::with(&[("a.py", "x = 1 | y = 2 | z = 3")]);
        let whole = world.text(path);
        let broken = [
            Vec::new(),
            whole.as_bytes()[..whole.len() / 2].to_vec(),
            b"<<<<<<< HEAD\n".iter().copied().chain(whole.bytes()).collect(),
            b"\xff\xfe".to_vec(),
            b"\0\0\0\0".to_vec(),
        ];
        for (idx, bytes) in broken.into_iter().enumerate() {
            world.forget();
            world.disk.save(&at(path), &bytes);
            world.run(QUIET);
            assert_eq!(world.written(), [""; 0], "{path} {idx}");
            world.check_state("a.py", NotebookState::Held);
            let held = |it: &&Report| matches!(it, Report::Held { .. });
            assert_eq!(world.reports.lock().unwrap().iter().filter(held).count(), 1);

            // Edits of others wait, and are not lost.
            let other = &replicas("a.py")[(replica + 1) % 3];
            let line = format!("x = 1 | y = {idx}5 | z = 3");
            world.edit(other, &line);
            world.run(QUIET);
            assert_eq!(world.written(), [""; 0], "{path} {idx}");
            world.disk.save(&at(path), whole.as_bytes());
            world.run(Duration::from_millis(1));
            world.check_state("a.py", NotebookState::Synced);
            // Back to where it was, for the next.
            world.edit(path, "x = 1 | y = 2 | z = 3");
            world.run(QUIET);
            world.check("a.py", "x = 1 | y = 2 | z = 3");
            assert_eq!(world.text(path), whole);
        }
    }
}

#[test]
fn save_in_two_steps_is_waited_for() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
    let new = world.text("a.py").replace("x = 1", "x = 2");
    world.disk.save(&at("a.py"), b"");
    world.run(Duration::from_millis(20));
    world.disk.save(&at("a.py"), new.as_bytes());
    world.run(Duration::from_millis(1));
    world.check("a.py", "x = 2 | y = 2");
    let held = world.reports.lock().unwrap().iter().any(|it| matches!(it, Report::Held { .. }));
    assert!(!held);
}

#[test]
fn lost_cells_are_given_time() {
    let all = "a = 1 | b = 2 | c = 3 | d = 4 | e = 5";
    let mut world = World::with(&[("a.py", all)]);
    world.edit("a.py", "a = 1");
    world.run(Duration::from_millis(1900));
    world.check_state("a.py", NotebookState::Held);
    assert_eq!(world.written(), [""; 0]);
    world.run(Duration::from_millis(200));
    world.check("a.py", "a = 1");
    world.run(QUIET);
    assert!(world.is_kept("e = 5"));
}

#[test]
fn deleted_shadow_comes_back() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    for path in &replicas("a.py")[1..] {
        world.disk.delete(&at(path));
        world.run(Duration::from_millis(400));
        assert_eq!(world.disk.bytes(&at(path)), None);
        world.run(Duration::from_millis(200));
        world.check("a.py", "x = 1");
    }
    world.disk.delete(&at("__marimo__"));
    world.run(QUIET);
    world.check("a.py", "x = 1");
}

#[test]
fn deleted_source_takes_its_shadows_along() {
    let mut world = World::with(&[("d/a.py", "x = 1"), ("d/b.py", "y = 1")]);
    world.disk.delete(&at("d/a.py"));
    world.run(Duration::from_millis(1900));
    assert!(world.disk.bytes(&at(&replicas("d/a.py")[1])).is_some());
    world.run(Duration::from_millis(200));
    for path in replicas("d/a.py") {
        assert_eq!(world.disk.bytes(&at(&path)), None);
    }
    world.run(QUIET);
    assert!(world.is_kept("x = 1"));
    world.check("d/b.py", "y = 1");
    // A new notebook of that name is a new one.
    world.create("d/a.py", "z = 1");
    world.run(QUIET);
    world.check("d/a.py", "z = 1");
}

#[test]
fn edited_shadow_of_a_deleted_source_stays() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    let shadow = replicas("a.py")[1].clone();
    world.disk.delete(&at("a.py"));
    world.edit(&shadow, "x = 2");
    world.run(QUIET);
    assert!(world.is_kept("x = 2"));
}

#[test]
fn delete_and_create_is_a_save() {
    for path in replicas("a.py") {
        let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
        let new = super::cells::edited(&path, &world.text(&path), "x = 2 | y = 2");
        world.disk.delete(&at(&path));
        world.run(Duration::from_millis(75));
        // The watcher tells everything twice, which must not end the wait.
        let now = world.now();
        world.engine().event(WatchEvent::Gone(at(&path)), now);
        world.run(Duration::from_millis(225));
        assert_eq!(world.disk.bytes(&at(&path)), None);
        for other in replicas("a.py").iter().filter(|other| **other != path) {
            assert!(world.disk.bytes(&at(other)).is_some());
        }
        world.disk.save(&at(&path), new.as_bytes());
        world.run(Duration::from_millis(1));
        world.check("a.py", "x = 2 | y = 2");
        world.run(QUIET);
        world.check("a.py", "x = 2 | y = 2");
        let reports = world.reports.lock().unwrap();
        assert!(!reports.iter().any(|it| matches!(it, Report::Unpaired { .. })));
    }
}

#[test]
fn mass_deletion_halts() {
    let names = ["a.py", "b.py", "c.py", "d.py", "e.py", "f.py"];
    let notebooks: Vec<(&str, &str)> = names.iter().map(|name| (*name, "x = 1")).collect();
    let mut world = World::with(&notebooks);
    for name in &names[..5] {
        world.disk.delete(&at(name));
    }
    world.edit("f.py", "x = 2");
    world.run(Duration::from_mins(30));
    assert_eq!(world.daemon_state(), DaemonState::Halted);
    assert_eq!(world.written(), [""; 0]);
    assert!(world.disk.bytes(&at(&replicas("a.py")[1])).is_some());
    world.call(Command::Resume);
    world.run(QUIET);
    assert_eq!(world.daemon_state(), DaemonState::Watching);
    assert_eq!(world.disk.bytes(&at(&replicas("a.py")[1])), None);
    world.check("f.py", "x = 2");
}

#[test]
fn halt_ends_when_the_notebooks_are_back() {
    let names = ["a.py", "b.py", "c.py", "d.py", "e.py", "f.py"];
    let notebooks: Vec<(&str, &str)> = names.iter().map(|name| (*name, "x = 1")).collect();
    let mut world = World::with(&notebooks);
    let texts = names.map(|name| world.text(name));
    for name in names {
        world.disk.delete(&at(name));
    }
    world.run(Duration::from_mins(1));
    assert_eq!(world.daemon_state(), DaemonState::Halted);
    for (name, text) in names.iter().zip(texts) {
        world.disk.save(&at(name), text.as_bytes());
    }
    world.run(Duration::from_mins(1));
    assert_eq!(world.daemon_state(), DaemonState::Watching);
    assert_eq!(world.written(), [""; 0]);
    for name in names {
        world.check_state(name, NotebookState::Synced);
    }
}

#[test]
fn notebooks_of_one_stem_are_held() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    let before = world.disk.files();
    world.create("a.ipynb", "y = 1");
    world.run(QUIET);
    world.check_state("a.py", NotebookState::Held);
    world.check_state("a.ipynb", NotebookState::Held);
    world.edit("a.py", "x = 2");
    world.run(QUIET);
    assert_eq!(world.written(), [""; 0]);
    assert_eq!(world.disk.files().len(), before.len() + 1);
    world.disk.delete(&at("a.ipynb"));
    world.run(QUIET);
    world.check_state("a.py", NotebookState::Synced);
    world.check("a.py", "x = 2");
}

#[test]
fn git_is_left_alone_at_work() {
    for operation in [GitOperation::Command, GitOperation::Rebase] {
        let mut world = World::with(&[("a.py", "x = 1")]);
        *world.git.lock().unwrap() = Some(operation);
        world.edit("a.py", "x = 2");
        world.run(Duration::from_mins(5));
        assert_eq!(world.written(), [""; 0]);
        world.check_state("a.py", NotebookState::Pending);
        *world.git.lock().unwrap() = None;
        world.run(Duration::from_secs(1));
        world.check("a.py", "x = 2");
        world.check_state("a.py", NotebookState::Synced);
    }
}

/// Two things that are given time don't start each other's anew.
#[test]
fn missing_shadow_and_lost_cells_come_to_an_end() {
    let mut world = World::with(&[("a.py", "a = 1 | b = 2 | c = 3 | d = 4 | e = 5")]);
    world.disk.delete(&at(&replicas("a.py")[1]));
    world.edit("a.py", "a = 1");
    world.run(Duration::from_secs(3));
    world.check("a.py", "a = 1");
    world.check_state("a.py", NotebookState::Synced);
}

/// The first part of a save can be read, as something else.
#[test]
fn notebook_that_is_being_saved_when_it_is_found_is_waited_for() {
    let mut world = World::new();
    world.create("a.py", "x = 1 | y = 2");
    let whole = world.text("a.py");
    assert!(whole.starts_with("# ---\n# jupyter:\n"), "{whole}");
    world.start();
    world.disk.save(&at("a.py"), b"# ---\n# jupyter:");
    world.run(Duration::from_millis(300));
    assert_eq!(world.written(), [""; 0]);
    world.disk.save(&at("a.py"), whole.as_bytes());
    world.run(QUIET);
    world.check("a.py", "x = 1 | y = 2");
}

/// A script without its cells may be half a save, or what is left when all cells were deleted.
#[test]
fn cells_that_are_gone_from_the_ipynb_too_were_deleted() {
    for is_gone_there_too in [false, true] {
        let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
        let [source, ipynb, _] = replicas("a.py");
        let text = world.text(&source);
        let (header, _) = text.split_once("# %%").unwrap();
        world.disk.save(&at(&source), header.as_bytes());
        if is_gone_there_too {
            world.disk.save(
                &at(&ipynb),
                br#"{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}"#,
            );
        }
        world.run(QUIET);
        let state = if is_gone_there_too { NotebookState::Synced } else { NotebookState::Held };
        world.check_state("a.py", state);
    }
}

/// Before the first sync nothing is known of the shadows that are there.
#[test]
fn shadow_that_was_cut_off_at_first_sight_holds_until_it_is_whole() {
    let mut world = World::with(&[("a.py", "x = 1 | # text")]);
    let marimo = &replicas("a.py")[2];
    world.stop();
    world.store.inner.lose_index();
    let whole = world.text(marimo);
    let (cut, _) = whole.split_once("# text").unwrap();
    world.disk.save(&at(marimo), cut.as_bytes());
    world.start();
    world.run(QUIET);
    world.check_state("a.py", NotebookState::Held);
    assert_eq!(world.text(marimo), cut);
    world.disk.save(&at(marimo), whole.as_bytes());
    world.run(Duration::from_mins(1));
    world.check_state("a.py", NotebookState::Synced);
    world.check("a.py", "x = 1 | # text");
}
