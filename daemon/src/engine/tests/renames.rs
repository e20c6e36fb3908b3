//! Pairings follow notebooks that are renamed and moved, and nothing else.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::world::{QUIET, World, at, replicas};
use crate::disk::Crashed;
use crate::report::{DaemonState, NotebookState, Report};
use crate::simulation::litter;
use crate::store::Store as _;

/// What a text source can't hold, and only its shadow and the base have.
const OUTPUT: &str = "an output of the kernel";

/// A world with a script whose ipynb shadow has outputs, and another notebook.
fn world() -> World {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2"), ("other.ipynb", "k = 1")]);
    give_outputs(&mut world, "a.py");
    world
}

fn give_outputs(world: &mut World, source: &str) {
    let ipynb = &replicas(source)[1];
    let outputs = format!(
        "\"outputs\": [{{\"name\": \"stdout\", \"output_type\": \"stream\", \"text\": [\"{OUTPUT}\"]}}]"
    );
    let text = world.text(ipynb);
    assert!(text.contains("\"outputs\": []"), "{text}");
    world.disk.save(&at(ipynb), text.replacen("\"outputs\": []", &outputs, 1).as_bytes());
    world.run(QUIET);
    world.forget();
}

fn moved(world: &World) -> Vec<(String, String)> {
    let reports = world.reports.lock().unwrap();
    let moved = reports.iter().filter_map(|it| match it {
        Report::Moved { notebook, from } => Some((from.to_string(), notebook.to_string())),
        _ => None,
    });
    moved.collect()
}

/// Checks that a notebook has what `a.py` of [`world`] had, and nothing else of it is left.
#[track_caller]
fn check_followed(world: &mut World, to: &str, cells: &str) {
    world.check(to, cells);
    world.check_state(to, NotebookState::Synced);
    assert!(world.text(&replicas(to)[1]).contains(OUTPUT), "the outputs are gone");
    if to != "a.py" {
        for old in &replicas("a.py")[1..] {
            assert_eq!(world.disk.bytes(&at(old)), None, "{old}");
        }
    }
    assert_eq!(litter(&world.disk), [""; 0]);
    // It is a pairing as any other.
    let edited = format!("{cells} | z = 3");
    world.edit(to, &edited);
    world.run(QUIET);
    world.check(to, &edited);
    assert!(world.text(&replicas(to)[1]).contains(OUTPUT), "the outputs are gone");
    world.check("other.ipynb", "k = 1");
}

#[test]
fn rename_takes_shadows_base_and_history_along() {
    for to in ["b.py", "A.py", "d/a.py", "d/e/b.py"] {
        let mut world = world();
        world.edit("a.py", "x = 1 | y = 20");
        world.run(QUIET);
        world.forget();
        let n_old = world.store.inner.history("a.py").unwrap().len();
        assert!(0 < n_old);
        world.disk.rename(&at("a.py"), &at(to));
        world.run(QUIET);
        assert_eq!(world.written(), [""; 0], "{to}");
        assert_eq!(moved(&world), [("a.py".to_owned(), to.to_owned())]);
        check_followed(&mut world, to, "x = 1 | y = 20");
        assert!(n_old < world.store.inner.history(to).unwrap().len());
        assert_eq!(world.store.inner.history("a.py").unwrap(), []);
        // The next daemon knows it too.
        world.stop();
        world.forget();
        world.start();
        world.run(QUIET);
        assert_eq!(world.written(), [""; 0], "{to}");
        world.check(to, "x = 1 | y = 20 | z = 3");
    }
}

#[test]
fn rename_and_edit_at_once_is_a_rename() {
    let mut world = world();
    world.disk.rename(&at("a.py"), &at("b.py"));
    world.edit("b.py", "x = 1 | w = 9");
    world.run(QUIET);
    check_followed(&mut world, "b.py", "x = 1 | w = 9");
}

#[test]
fn edit_of_a_shadow_at_the_time_of_a_rename_travels() {
    let mut world = world();
    world.disk.rename(&at("a.py"), &at("d/b.py"));
    world.edit(&replicas("a.py")[2], "x = 1 | y = 7");
    world.run(QUIET);
    check_followed(&mut world, "d/b.py", "x = 1 | y = 7");
}

#[test]
fn chain_of_renames_ends_where_it_ends() {
    let mut world = world();
    for (from, to) in [("a.py", "b.py"), ("b.py", "c.py"), ("c.py", "d/c.py")] {
        world.disk.rename(&at(from), &at(to));
        world.step_until(world.now());
    }
    world.run(QUIET);
    check_followed(&mut world, "d/c.py", "x = 1 | y = 2");
}

#[test]
fn rename_while_no_daemon_runs_is_followed() {
    for with_folder in [false, true] {
        let mut world = World::with(&[("d/a.py", "x = 1 | y = 2"), ("other.ipynb", "k = 1")]);
        give_outputs(&mut world, "d/a.py");
        world.stop();
        if with_folder {
            world.disk.rename(&at("d"), &at("e"));
        } else {
            world.disk.rename(&at("d/a.py"), &at("e/a.py"));
        }
        world.start();
        world.run(QUIET);
        assert_eq!(world.written(), [""; 0]);
        check_followed(&mut world, "e/a.py", "x = 1 | y = 2");
    }
}

#[test]
fn renamed_folder_keeps_everything() {
    let names: Vec<String> = (0..200).map(|n| format!("d/x{}/n{n:03}.py", n % 3)).collect();
    let notebooks: Vec<(&str, &str)> = names.iter().map(|it| (it.as_str(), "x = 1")).collect();
    let mut world = World::with(&notebooks);
    give_outputs(&mut world, "d/x0/n000.py");
    world.edit("d/x0/n000.py", "x = 2");
    world.run(Duration::from_secs(1));
    world.forget();
    world.disk.rename(&at("d"), &at("e"));
    world.run(QUIET);
    assert_eq!(world.daemon_state(), DaemonState::Watching);
    assert_eq!(world.written(), [""; 0]);
    assert_eq!(moved(&world).len(), 200);
    let halted = |it: &Report| matches!(it, Report::State { .. });
    assert!(!world.reports.lock().unwrap().iter().any(halted), "never halted");
    assert_eq!(litter(&world.disk), [""; 0], "what had been replaced is kept");
    assert!(world.text("e/x0/__marimo__/nbsync/n000.ipynb").contains(OUTPUT));
    for name in ["e/x0/n000.py", "e/x1/n001.py", "e/x2/n200.py"] {
        if world.disk.bytes(&at(name)).is_some() {
            let cells = if name.contains("n000") { "x = 2" } else { "x = 1" };
            world.check(name, cells);
            world.edit(name, "x = 3");
            world.run(QUIET);
            world.check(name, "x = 3");
        }
    }
}

#[test]
fn copy_is_no_rename() {
    let mut world = world();
    let text = world.text("a.py");
    world.disk.save(&at("b.py"), text.as_bytes());
    world.run(QUIET);
    assert_eq!(moved(&world), []);
    world.check("b.py", "x = 1 | y = 2");
    assert!(!world.text(&replicas("b.py")[1]).contains(OUTPUT));
    check_followed(&mut world, "a.py", "x = 1 | y = 2");
    // Nor is one whose original goes later.
    world.forget();
    world.disk.delete(&at("b.py"));
    world.run(QUIET);
    assert_eq!(moved(&world), []);
}

/// What moves a file to another file system, or checks out a commit that renames it.
#[test]
fn copy_and_delete_is_a_move() {
    let mut world = world();
    let text = world.text("a.py");
    world.disk.delete(&at("a.py"));
    world.step_until(world.now());
    world.disk.save(&at("d/b.py"), text.as_bytes());
    world.run(QUIET);
    check_followed(&mut world, "d/b.py", "x = 1 | y = 2");
}

#[test]
fn new_notebook_in_the_place_of_a_deleted_one_is_new() {
    let mut world = world();
    world.disk.delete(&at("a.py"));
    world.create("b.py", "x = 1 | y = 2 | q = 4");
    world.run(QUIET);
    assert_eq!(moved(&world), []);
    world.check("b.py", "x = 1 | y = 2 | q = 4");
    assert!(!world.text(&replicas("b.py")[1]).contains(OUTPUT));
    assert!(world.is_kept(OUTPUT), "in the history");
}

#[test]
fn notebook_that_comes_back_has_its_outputs() {
    for to in ["a.py", "d/a.py", "d/b.py"] {
        for restart in [false, true] {
            let mut world = world();
            // Out of the root, for an hour.
            world.disk.rename(&at("a.py"), "/elsewhere/a.py".into());
            world.run(Duration::from_mins(30));
            if restart {
                world.stop();
                world.start();
            }
            world.run(Duration::from_mins(30));
            assert_eq!(world.disk.bytes(&at(&replicas("a.py")[1])), None);
            world.disk.rename("/elsewhere/a.py".into(), &at(to));
            world.run(QUIET);
            check_followed(&mut world, to, "x = 1 | y = 2");
        }
    }
}

#[test]
fn rename_over_a_notebook_replaces_it() {
    let mut world = world();
    world.create("b.py", "b = 1 | c = 2");
    world.run(QUIET);
    world.disk.rename(&at("a.py"), &at("b.py"));
    world.run(QUIET);
    check_followed(&mut world, "b.py", "x = 1 | y = 2");
    assert!(world.is_kept("c = 2"), "what was there is in the history");
}

#[test]
fn save_by_rename_is_no_rename() {
    for path in ["a.new.py", ".a.py.tmp", "a.py.123"] {
        let mut world = world();
        let text = world.text("a.py").replace("y = 2", "y = 22");
        world.disk.save(&at(path), text.as_bytes());
        // Even if it was taken for a notebook.
        world.step_until(world.now());
        world.disk.rename(&at(path), &at("a.py"));
        world.run(QUIET);
        assert_eq!(moved(&world), [], "{path}");
        check_followed(&mut world, "a.py", "x = 1 | y = 22");
    }
}

#[test]
fn notebooks_that_change_names_keep_what_is_theirs() {
    let mut world = world();
    world.create("b.py", "b = 1 | c = 2");
    world.run(QUIET);
    for (from, to) in [("a.py", "t.py"), ("b.py", "a.py"), ("t.py", "b.py")] {
        world.disk.rename(&at(from), &at(to));
        world.step_until(world.now());
    }
    world.run(QUIET);
    world.check("a.py", "b = 1 | c = 2");
    world.check("b.py", "x = 1 | y = 2");
    assert!(world.text(&replicas("b.py")[1]).contains(OUTPUT));
    assert!(!world.text(&replicas("a.py")[1]).contains(OUTPUT));
}

#[test]
fn renamed_shadow_is_made_again() {
    let mut world = world();
    let shadow = replicas("a.py")[1].clone();
    world.disk.rename(&at(&shadow), &at("__marimo__/nbsync/mine.ipynb"));
    world.run(QUIET);
    check_followed(&mut world, "a.py", "x = 1 | y = 2");
    assert!(world.text("__marimo__/nbsync/mine.ipynb").contains(OUTPUT));
}

#[test]
fn late_save_into_a_file_replaced_before_the_rename_arrives() {
    let mut world = world();
    let shadow = replicas("a.py")[2].clone();
    let old = super::cells::edited(&shadow, &world.text(&shadow), "x = 1 | y = 2 | late = 1");
    let open = world.disk.open(&at(&shadow)).unwrap();
    world.edit("a.py", "x = 11 | y = 2");
    world.run(Duration::from_millis(10));
    world.disk.rename(&at("a.py"), &at("d/b.py"));
    world.run(Duration::from_millis(10));
    world.disk.save_open(open, old.as_bytes());
    world.run(QUIET);
    check_followed(&mut world, "d/b.py", "x = 11 | y = 2 | late = 1");
}

#[test]
fn crash_at_any_step_of_a_rename_loses_nothing() {
    for n in 0.. {
        let mut world = world();
        world.edit(&replicas("a.py")[2], "x = 1 | y = 5");
        world.disk.rename(&at("a.py"), &at("d/b.py"));
        let mut left = n;
        let is_gone = Arc::clone(&world.store.is_gone);
        world.interfere(move |_, _| {
            if left == 0 {
                is_gone.store(true, Ordering::SeqCst);
                return Err(std::io::Error::other(Crashed));
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
        check_followed(&mut world, "d/b.py", "x = 1 | y = 5");
        if !has_crashed {
            assert!(5 < n, "{n}");
            return;
        }
    }
}

/// `rm -rf` takes its time, and must not find anything new.
#[test]
fn nothing_is_made_in_a_folder_that_is_being_removed() {
    let mut world = World::with(&[("d/a.py", "x = 1"), ("d/b.py", "y = 1"), ("c.py", "z = 1")]);
    let files: Vec<_> = world.disk.files().into_iter().map(|(path, _)| path).collect();
    let in_workdir = |path: &&camino::Utf8PathBuf| path.as_str().contains("/d/__marimo__");
    let beside = |path: &&camino::Utf8PathBuf| path.starts_with(at("d")) && !in_workdir(path);
    for path in files.iter().filter(in_workdir).chain(files.iter().filter(beside)) {
        world.disk.delete(path);
        world.run(Duration::from_millis(400));
    }
    assert_eq!(world.written(), [""; 0]);
    world.run(QUIET);
    assert!(!world.disk.files().iter().any(|(path, _)| path.starts_with(at("d"))));
    world.check("c.py", "z = 1");
}
