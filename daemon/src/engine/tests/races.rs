//! Saves that come while something else goes wrong.

use std::io;
use std::time::Duration;

use super::cells::edited;
use super::world::{QUIET, World, at, replicas};
use crate::disk::Step;

const BEFORE: &str = "x = 1 | y = 2 | z = 3";

/// Another file of the same cycle can't be written, so the cycle ends.
#[test]
fn save_during_a_write_survives_the_failure_of_another() {
    let mut world = World::with(&[("a.py", BEFORE)]);
    let [source, ipynb, marimo] = replicas("a.py");
    let disk = world.disk.clone();
    let saved = edited(&source, &world.text(&source), "x = 1 | y = 20 | z = 3");
    world.edit(&ipynb, "x = 10 | y = 2 | z = 3");
    let (mut has_saved, mut has_failed) = (false, false);
    world.interfere(move |step, path| {
        if step == Step::Exchange && path == at("a.py") && !has_saved {
            has_saved = true;
            disk.save(path, saved.as_bytes());
        }
        if step == Step::Exchange && path == at(&marimo) && !has_failed {
            has_failed = true;
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(())
    });
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 20 | z = 3");
}

/// The second save is that of an editor that has loaded what was written first, without
/// the first save. The cycle goes on, or fails before it can merge the second one.
#[test]
fn two_saves_during_the_writes_of_one_cycle_are_merged() {
    for fails in [false, true] {
        let mut world = World::with(&[("a.py", BEFORE)]);
        let [source, ipynb, marimo] = replicas("a.py");
        let disk = world.disk.clone();
        world.edit(&ipynb, "x = 10 | y = 2 | z = 3");
        let (mut n_exchanges, mut is_to_fail) = (0, fails);
        world.interfere(move |step, path| {
            if step == Step::Exchange && path == at(&marimo) && n_exchanges == 2 && is_to_fail {
                is_to_fail = false;
                return Err(io::Error::from_raw_os_error(5));
            }
            if step == Step::Exchange && path == at("a.py") {
                n_exchanges += 1;
                let text = String::from_utf8(disk.bytes(path).unwrap()).unwrap();
                let line = match n_exchanges {
                    1 => "x = 1 | y = 20 | z = 3",
                    2 => "x = 10 | y = 2 | z = 30",
                    _ => return Ok(()),
                };
                disk.save(path, edited(&source, &text, line).as_bytes());
            }
            Ok(())
        });
        world.run(QUIET);
        world.check("a.py", "x = 10 | y = 20 | z = 30");
    }
}

/// The cycle that knows of the save can't end, nor can the process wait for another one.
#[test]
fn save_during_a_write_is_merged_by_the_next_process() {
    let mut world = World::with(&[("a.py", BEFORE)]);
    let [source, ipynb, marimo] = replicas("a.py");
    let disk = world.disk.clone();
    let saved = edited(&source, &world.text(&source), "x = 1 | y = 20 | z = 3");
    world.edit(&ipynb, "x = 10 | y = 2 | z = 3");
    let mut has_saved = false;
    world.interfere(move |step, path| {
        if step == Step::Exchange && path == at("a.py") && !has_saved {
            has_saved = true;
            disk.save(path, saved.as_bytes());
        }
        if step == Step::Exchange && path == at(&marimo) {
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(())
    });
    world.run(QUIET);
    world.engine = None;
    world.stop_interfering();
    // The next one ends as soon as it has merged it, and what it noted is gone.
    world.start();
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 20 | z = 3");
    world.edit(&source, "x = 10 | y = 2 | z = 3");
    world.run(Duration::from_secs(1));
    world.engine = None;
    world.start();
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 2 | z = 3");
}

/// An earlier cycle failed before it came to this file, so its editor has what was there before.
#[test]
fn save_during_a_write_that_is_tried_again_takes_nothing_back() {
    let mut world = World::with(&[("a.py", BEFORE)]);
    let [_, ipynb, marimo] = replicas("a.py");
    let disk = world.disk.clone();
    let saved = edited(&marimo, &world.text(&marimo), "x = 1 | y = 20 | z = 3");
    world.edit(&ipynb, "x = 10 | y = 2 | z = 3");
    let mut n_exchanges = 0;
    world.interfere(move |step, path| {
        if step == Step::Exchange && path == at(&marimo) {
            n_exchanges += 1;
            match n_exchanges {
                1 => return Err(io::Error::from_raw_os_error(5)),
                2 => disk.save(path, saved.as_bytes()),
                _ => {}
            }
        }
        Ok(())
    });
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 20 | z = 3");
}

/// What an editor has written so far is given back to it, and the rest comes into the file
/// that it has open, which is no longer the one of this name.
#[test]
fn save_in_two_parts_during_a_write_comes_to_its_end() {
    let mut world = World::with(&[("a.py", BEFORE)]);
    let [source, ipynb, _] = replicas("a.py");
    let disk = world.disk.clone();
    let saved = edited(&source, &world.text(&source), "x = 1 | y = 2 | z = 3+w = 4");
    let open = disk.open(&at(&source)).unwrap();
    world.edit(&ipynb, "x = 10 | y = 2 | z = 3");
    let (half, mut has_begun) = (saved.as_bytes()[..saved.len() - 10].to_vec(), false);
    world.interfere(move |step, path| {
        if step == Step::Exchange && path == at("a.py") && !has_begun {
            has_begun = true;
            disk.save_open(open, &half);
        }
        Ok(())
    });
    world.run(Duration::from_millis(300));
    world.disk.save_open(open, saved.as_bytes());
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 2 | z = 3+w = 4");
}

/// Nothing was agreed on when the file was replaced.
#[test]
fn late_save_into_a_file_that_was_replaced_without_a_base_is_merged() {
    let mut world = World::with(&[("a.py", BEFORE)]);
    let [source, _, marimo] = replicas("a.py");
    world.stop();
    world.store.inner.lose_index();
    world.edit(&marimo, "x = 1 | y = 2 | z = 3 | w = 4");
    let open = world.disk.open(&at(&source)).unwrap();
    let saved = edited(&source, &world.text(&source), "x = 10 | y = 2 | z = 3");
    world.start();
    world.run(Duration::from_secs(1));
    world.check("a.py", "x = 1 | y = 2 | z = 3 | w = 4");
    world.disk.save_open(open, saved.as_bytes());
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 2 | z = 3 | w = 4");
}

/// The process is told to stop before it has looked at either.
#[test]
fn late_save_and_a_newer_one_are_both_taken_up_before_the_end() {
    let mut world = World::with(&[("a.py", BEFORE)]);
    let [source, ipynb, _] = replicas("a.py");
    let open = world.disk.open(&at(&source)).unwrap();
    let saved = edited(&source, &world.text(&source), "x = 1 | y = 20 | z = 3");
    world.edit(&ipynb, "x = 10 | y = 2 | z = 3");
    world.run(Duration::from_millis(10));
    world.disk.save_open(open, saved.as_bytes());
    world.edit(&source, "x = 10 | y = 2 | z = 30");
    world.stop();
    world.start();
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 20 | z = 30");
}

/// An earlier process left it behind in a folder that has no notebook at the start.
#[test]
fn replaced_files_are_found_in_a_folder_that_gets_a_notebook() {
    let mut world = World::with(&[("d/a.py", BEFORE)]);
    world.edit("d/a.py", "x = 10 | y = 2 | z = 3");
    world.run(Duration::from_secs(1));
    world.engine = None;
    world.store.inner.lose_index();
    let text = world.text("d/a.py");
    world.disk.save(&at("d/a.py"), b"");
    world.start();
    world.run(QUIET);
    assert!(!crate::simulation::litter(&world.disk).is_empty());
    world.disk.save(&at("d/a.py"), text.as_bytes());
    world.run(QUIET);
    assert_eq!(crate::simulation::litter(&world.disk), [""; 0]);
    assert!(world.is_kept("x = 1"));
}
