//! Editors that saved a moment ago are given time, and nobody else waits for that.

use std::time::Duration;

use super::world::{QUIET, World, at, replicas};
use crate::control::{Command, Reply};
use crate::report::NotebookState;

const BEFORE: &str = "x = 1 | y = 2 | z = 3";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A notebook whose updates wait for editors, as they do by default.
fn patient() -> World {
    let mut world = World::new();
    world.patience = ms(250);
    world.create("a.py", BEFORE);
    world.start();
    world.run(QUIET);
    world.forget();
    world
}

/// VS Code looks what became of its save, and takes what it finds for that.
#[test]
fn replicas_that_were_saved_at_once_are_left_alone_for_a_moment() {
    let mut world = patient();
    let [source, ipynb, marimo] = replicas("a.py");
    world.edit(&source, "x = 1 | y = 2 | z = 30");
    world.edit(&marimo, "x = 10 | y = 2 | z = 3");
    world.run(ms(240));
    // marimo takes what comes right after its save.
    assert_eq!(world.written(), [ipynb.as_str(), &marimo]);
    assert!(world.text(&ipynb).contains("x = 10") && world.text(&ipynb).contains("z = 30"));
    world.check_state("a.py", NotebookState::Pending);
    world.run(ms(20));
    world.check("a.py", "x = 10 | y = 2 | z = 30");
    world.check_state("a.py", NotebookState::Synced);
    assert_eq!(world.written().len(), 3);
    world.run(QUIET);
    assert_eq!(world.written().len(), 3);
}

#[test]
fn edit_waits_only_for_an_editor_that_just_saved() {
    let mut world = patient();
    let [source, ipynb, marimo] = replicas("a.py");
    world.edit(&source, "x = 1 | y = 2 | z = 30");
    world.run(ms(1));
    world.check("a.py", "x = 1 | y = 2 | z = 30");
    // Whoever saves again has nobody to wait for.
    world.run(ms(50));
    world.edit(&source, "x = 1 | y = 2 | z = 31");
    world.run(ms(1));
    world.check("a.py", "x = 1 | y = 2 | z = 31");
    world.run(ms(100));
    world.forget();
    world.edit(&ipynb, "x = 10 | y = 2 | z = 31");
    world.run(ms(140));
    assert_eq!(world.written(), [marimo]);
    world.run(ms(20));
    world.check("a.py", "x = 10 | y = 2 | z = 31");
    world.run(ms(300));
    world.edit(&source, "x = 10 | y = 20 | z = 31");
    world.run(ms(1));
    world.check("a.py", "x = 10 | y = 20 | z = 31");
}

#[test]
fn edits_that_come_meanwhile_are_one_write() {
    let mut world = patient();
    let [source, ipynb, marimo] = replicas("a.py");
    world.edit(&source, "x = 1 | y = 2 | z = 30");
    world.run(ms(20));
    world.forget();
    for no in 10..20 {
        world.edit(&marimo, &format!("x = {no} | y = 2 | z = 30"));
        world.run(ms(20));
    }
    // Who has not saved has each at once.
    assert_eq!(world.written(), vec![ipynb.as_str(); 10]);
    assert!(world.text(&ipynb).contains("x = 19"));
    world.run(ms(50));
    world.check("a.py", "x = 19 | y = 2 | z = 30");
    assert_eq!(world.written().iter().filter(|it| **it == source).count(), 1);
}

/// What was saved meanwhile and taken back is in the history.
#[test]
fn edit_that_is_taken_back_meanwhile_is_kept() {
    let mut world = patient();
    let [source, _, marimo] = replicas("a.py");
    world.edit(&source, "x = 1 | y = 2 | z = 30");
    world.run(ms(20));
    world.edit(&marimo, "x = 1 | y = twenty | z = 30");
    world.run(ms(20));
    world.edit(&marimo, "x = 10 | y = 2 | z = 30");
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 2 | z = 30");
    assert!(world.is_kept("y = twenty"));
}

/// Its user insists on a text that was there before the update came.
#[test]
fn update_that_came_late_survives_an_editor_that_never_loads_it() {
    let mut world = patient();
    let [source, ipynb, _] = replicas("a.py");
    world.edit(&source, "x = 1 | y = 2 | z = 30");
    let text = world.text(&source);
    world.edit(&ipynb, "x = 10 | y = 2 | z = 3");
    world.run(ms(1100));
    world.check("a.py", "x = 10 | y = 2 | z = 30");
    world.disk.save(&at(&source), text.replace("y = 2", "y = 20").as_bytes());
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 20 | z = 30");
}

/// However long it is: that is for the user to say.
#[test]
fn updates_wait_as_long_as_is_set() {
    for patience in [0, 100, 250, 2000] {
        let mut world = World::new();
        world.patience = ms(patience);
        world.create("a.py", BEFORE);
        world.start();
        world.run(QUIET);
        world.forget();
        let [source, _, marimo] = replicas("a.py");
        world.edit(&source, "x = 1 | y = 2 | z = 30");
        world.edit(&marimo, "x = 10 | y = 2 | z = 3");
        world.run(ms(patience.saturating_sub(10)));
        assert_eq!(world.written().contains(&source), patience == 0, "{patience}");
        world.run(ms(20));
        world.check("a.py", "x = 10 | y = 2 | z = 30");
    }
}

#[test]
fn other_notebooks_do_not_wait() {
    let mut world = patient();
    world.create("b.py", BEFORE);
    world.run(QUIET);
    world.forget();
    let [source, _, marimo] = replicas("a.py");
    world.edit(&source, "x = 1 | y = 2 | z = 30");
    world.edit(&marimo, "x = 10 | y = 2 | z = 3");
    world.run(ms(10));
    world.edit(&replicas("b.py")[1], "x = 1 | y = 20 | z = 3");
    world.run(ms(1));
    world.check("b.py", "x = 1 | y = 20 | z = 3");
    world.check_state("a.py", NotebookState::Pending);
}

/// Nobody has saved it, so nobody looks what became of it: of many edits of another one each is
/// there at once.
#[test]
fn replicas_that_nobody_saves_get_each_edit_at_once() {
    let mut world = patient();
    let [source, ipynb, marimo] = replicas("a.py");
    for no in 10..20 {
        world.edit(&source, &format!("x = {no} | y = 2 | z = 3"));
        world.run(ms(1));
        world.check("a.py", &format!("x = {no} | y = 2 | z = 3"));
        world.run(ms(30));
    }
    for path in [&ipynb, &marimo] {
        assert_eq!(world.written().iter().filter(|it| it == &path).count(), 10);
    }
    assert!(!world.written().contains(&source));
}

/// Who saves all the time does not keep updates away for ever.
#[test]
fn patience_ends() {
    let mut world = patient();
    let [source, ipynb, _] = replicas("a.py");
    world.edit(&ipynb, "x = 1 | y = 2 | z = 30");
    world.run(ms(20));
    world.edit(&source, "x = 10 | y = 2 | z = 30");
    let mut arrived = 0;
    for no in 0..25 {
        let has_it = world.text(&ipynb).contains("x = 10");
        arrived += usize::from(has_it);
        let x = if has_it { 10 } else { 1 };
        world.edit(&ipynb, &format!("x = {x} | y = {no} | z = 30"));
        world.run(ms(40));
    }
    assert!((5..20).contains(&arrived), "{arrived}");
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 24 | z = 30");
}

#[test]
fn who_asks_for_it_gets_all_at_once() {
    let mut world = patient();
    let [source, _, marimo] = replicas("a.py");
    world.edit(&source, "x = 1 | y = 2 | z = 30");
    world.edit(&marimo, "x = 10 | y = 2 | z = 3");
    world.run(ms(20));
    assert!(!world.written().contains(&source));
    let mut answer = world.call(Command::Flush { paths: vec![] });
    world.run(ms(1));
    let Ok(Reply::Synced(report)) = answer.try_recv() else { panic!("no answer") };
    assert!(report.out_of_sync.is_empty());
    world.check("a.py", "x = 10 | y = 2 | z = 30");
}

/// A notebook in whose marimo copy somebody is at work.
fn beside_marimo() -> (World, [String; 3]) {
    let mut world = World::new();
    (world.patience, world.marimo_patience) = (ms(250), ms(4000));
    world.create("a.py", BEFORE);
    world.start();
    world.run(QUIET);
    let names = replicas("a.py");
    world.edit(&names[2], "x = 10 | y = 2 | z = 3");
    world.run(ms(1000));
    world.check("a.py", "x = 10 | y = 2 | z = 3");
    world.forget();
    (world, names)
}

/// Right after that nothing is typed that it would take back.
#[test]
fn edits_wait_for_the_next_save_of_marimo_and_nobody_waits_for_that() {
    let (mut world, [source, ipynb, marimo]) = beside_marimo();
    world.edit(&source, "x = 10 | y = 20 | z = 3");
    world.run(ms(1));
    assert_eq!(world.written(), [ipynb.as_str()]);
    assert!(world.text(&ipynb).contains("y = 20"));
    world.run(ms(300));
    world.edit(&source, "x = 10 | y = 21 | z = 3");
    world.run(ms(300));
    assert_eq!(world.written(), vec![ipynb.as_str(); 2]);
    assert!(world.text(&ipynb).contains("y = 21"));
    world.edit(&marimo, "x = 11 | y = 2 | z = 3");
    world.run(ms(1));
    assert!(world.text(&marimo).contains("y = 21") && world.text(&marimo).contains("x = 11"));
    world.run(QUIET);
    world.check("a.py", "x = 11 | y = 21 | z = 3");
    assert_eq!(world.written().iter().filter(|it| **it == marimo).count(), 1);
}

/// Each has a time of its own.
#[test]
fn nobody_waits_for_marimo_longer_than_for_itself() {
    let (mut world, [source, ipynb, marimo]) = beside_marimo();
    world.edit(&source, "x = 10 | y = 20 | z = 3");
    world.run(ms(100));
    world.edit(&ipynb, "x = 10 | y = 20 | z = 30");
    world.run(ms(160));
    assert!(world.text(&source).contains("z = 30"));
    assert!(!world.written().contains(&marimo));
    world.run(QUIET);
    world.check("a.py", "x = 10 | y = 20 | z = 30");
}

#[test]
fn edits_come_into_marimo_where_nobody_has_saved_for_its_time() {
    let (mut world, [source, _, marimo]) = beside_marimo();
    for no in 20..30 {
        world.edit(&source, &format!("x = 10 | y = {no} | z = 3"));
        world.run(ms(290));
    }
    assert!(!world.written().contains(&marimo));
    world.run(ms(110));
    world.check("a.py", "x = 10 | y = 29 | z = 3");
    assert_eq!(world.written().iter().filter(|it| **it == marimo).count(), 1);
}

#[test]
fn nothing_waits_for_marimo_where_nobody_is_at_work() {
    let (mut world, [source, ..]) = beside_marimo();
    world.run(ms(3000));
    world.edit(&source, "x = 10 | y = 20 | z = 3");
    world.run(ms(1));
    world.check("a.py", "x = 10 | y = 20 | z = 3");
    // Nor right after its save, nor if that is set.
    world.edit(&replicas("a.py")[2], "x = 11 | y = 20 | z = 3");
    world.run(ms(260));
    world.edit(&source, "x = 11 | y = 21 | z = 3");
    world.run(ms(1));
    world.check("a.py", "x = 11 | y = 21 | z = 3");
    let mut world = patient();
    world.edit(&replicas("a.py")[2], "x = 10 | y = 2 | z = 3");
    world.run(ms(1000));
    world.edit(&source, "x = 10 | y = 20 | z = 3");
    world.run(ms(1));
    world.check("a.py", "x = 10 | y = 20 | z = 3");
}

/// Each of its saves is an edit of what it had, and so is the one after the end of the daemon.
#[test]
fn what_waits_for_marimo_is_not_taken_back() {
    for is_killed in [false, true] {
        let (mut world, [source, ipynb, marimo]) = beside_marimo();
        world.edit(&source, "x = 10 | y = 2+up = 0 | z = 3");
        world.run(ms(400));
        if is_killed {
            world.engine = None;
        }
        world.edit(&marimo, "x = 10 | y = 2 | z = 3+own = 0");
        if is_killed {
            world.start();
        }
        world.run(QUIET);
        world.check("a.py", "x = 10 | y = 2+up = 0 | z = 3+own = 0");
        // Who never loads it has not loaded it later either.
        world.edit(&marimo, "x = 10+more = 0 | y = 2 | z = 3+own = 0");
        world.run(QUIET);
        world.check("a.py", "x = 10+more = 0 | y = 2+up = 0 | z = 3+own = 0");
        world.edit(&ipynb, "x = 10 | y = 2+up = 0 | z = 3+own = 0");
        world.run(QUIET);
        world.check("a.py", "x = 10 | y = 2+up = 0 | z = 3+own = 0");
    }
}

#[test]
fn what_waits_is_written_before_the_end_or_after_it() {
    for in_order in [true, false] {
        let mut world = patient();
        let [source, _, marimo] = replicas("a.py");
        world.edit(&source, "x = 1 | y = 2 | z = 30");
        world.edit(&marimo, "x = 10 | y = 2 | z = 3");
        world.run(ms(20));
        if in_order {
            world.stop();
            world.check("a.py", "x = 10 | y = 2 | z = 30");
        } else {
            world.engine = None;
        }
        world.start();
        world.run(QUIET);
        world.check("a.py", "x = 10 | y = 2 | z = 30");
    }
}

#[test]
fn conflict_of_two_that_just_saved_is_found_once() {
    let mut world = patient();
    let [source, ipynb, marimo] = replicas("a.py");
    world.edit(&source, "x = 1 | y = 20 | z = 3");
    world.edit(&marimo, "x = 1 | y = 200 | z = 3");
    world.run(QUIET);
    for path in [&source, &ipynb, &marimo] {
        assert_eq!(world.text(path).matches("y = 200").count(), 1, "{path}");
    }
    world.check_state("a.py", NotebookState::Conflict);
}
