//! What every step leaves behind, and how it comes back.

use std::collections::BTreeSet;
use std::time::Duration;

use camino::Utf8PathBuf;

use super::world::{QUIET, World, at, replicas};
use crate::control::{Command, Reply};
use crate::engine::COLLECT;
use crate::history::{self, LogEntry, Rev};
use crate::report::{Cause, ChangeReport, ConflictStatus, NotebookState, Take};
use crate::store::{Keep, Store};
use crate::sync::Digest;

impl World {
    #[track_caller]
    fn ask(&mut self, command: Command) -> Reply {
        let mut answer = self.call(command);
        self.run(Duration::from_secs(1));
        answer.try_recv().expect("an answer")
    }

    /// The versions of a notebook, newest first.
    #[track_caller]
    fn log(&mut self, path: &str) -> Vec<LogEntry> {
        match self.ask(Command::Log { paths: vec![at(path)], limit: 0 }) {
            Reply::Log(report) => report.versions,
            reply => panic!("{reply:?}"),
        }
    }

    #[track_caller]
    fn change(&mut self, command: Command) -> ChangeReport {
        match self.ask(command) {
            Reply::Changed(report) => *report,
            reply => panic!("{reply:?}"),
        }
    }

    #[track_caller]
    fn restore(&mut self, path: &str, rev: Rev) -> ChangeReport {
        self.change(Command::Restore { path: at(path), rev })
    }

    #[track_caller]
    fn undo(&mut self, path: &str) -> ChangeReport {
        self.change(Command::Undo { path: Some(at(path)) })
    }

    #[track_caller]
    fn show(&mut self, path: &str, rev: Rev) -> String {
        match self.ask(Command::Show { path: at(path), rev, to: None }) {
            Reply::Shown(shown) => String::from_utf8(shown.text.as_bytes().to_vec()).unwrap(),
            reply => panic!("{reply:?}"),
        }
    }

    fn texts(&self, source: &str) -> [String; 3] {
        replicas(source).map(|path| self.text(&path))
    }
}

#[test]
fn every_save_is_a_revision() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
    let mut expected = vec![world.texts("a.py")];
    for (n, path) in replicas("a.py").iter().enumerate() {
        world.edit(path, &format!("x = 1{n} | y = 2"));
        world.run(QUIET);
        expected.push(world.texts("a.py"));
    }
    // A save that leads to no write.
    world.disk.save(&at("a.py"), format!("{}\n", world.text("a.py")).as_bytes());
    world.run(QUIET);
    expected.push(world.texts("a.py"));
    let log = world.log("a.py");
    assert_eq!(log.len(), 5, "{log:#?}");
    assert_eq!(log[4].cause, Cause::Found);
    let from: Vec<&[Utf8PathBuf]> = log[..4].iter().map(|it| &it.from[..]).collect();
    let path = |idx: usize| [Utf8PathBuf::from(&replicas("a.py")[idx])];
    assert_eq!(from, [&[][..], &path(2), &path(1), &path(0)]);
    assert_eq!(log[3].changes, ["cell 1 edited: x = 10"]);
    assert_eq!(log[3].cells, 1);
    for (n, texts) in expected.iter().rev().enumerate() {
        for (path, text) in replicas("a.py").iter().zip(texts) {
            assert_eq!(world.show(path, Rev::Back(n)), *text, "{path}@~{n}");
        }
        let id = Rev::Id(log[n].id[..8].to_owned());
        assert_eq!(world.show("a.py", id), texts[0]);
    }
    // Nothing new without a save.
    world.run(Duration::from_hours(2));
    assert_eq!(world.log("a.py").len(), 5);
}

#[test]
fn what_was_saved_and_could_not_be_read_is_kept() {
    for path in replicas("a.py") {
        let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
        let whole = world.text(&path);
        let broken = format!("<<<<<<< HEAD\nx = 4711\n{whole}");
        world.disk.save(&at(&path), broken.as_bytes());
        world.run(QUIET);
        world.disk.save(&at(&path), b"\xff\xfe x = 4712");
        world.run(QUIET);
        world.disk.save(&at(&path), whole.as_bytes());
        world.run(QUIET);
        world.check_state("a.py", NotebookState::Synced);
        let log = world.log("a.py");
        let kept: Vec<_> = log.iter().filter(|it| matches!(it.cause, Cause::Kept { .. })).collect();
        assert_eq!(kept.len(), 2, "{log:#?}");
        assert!(kept.iter().all(|it| it.from == [Utf8PathBuf::from(&path)]));
        let id = Rev::Id(kept[1].id.clone());
        assert_eq!(world.show("a.py", id.clone()), broken);
        // Half a file never travels.
        let refused = world.ask(Command::Restore { path: at("a.py"), rev: id });
        assert!(matches!(refused, Reply::Unknown { .. }), "{refused:?}");
        assert_eq!(world.text(&path), whole);
    }
}

#[test]
fn half_of_a_save_that_becomes_whole_is_no_version() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
    let new = world.text("a.py").replace("x = 1", "x = 2");
    world.disk.save(&at("a.py"), b"");
    world.run(Duration::from_millis(20));
    world.disk.save(&at("a.py"), new.as_bytes());
    world.run(QUIET);
    assert_eq!(world.log("a.py").len(), 2);
}

#[test]
fn restoring_brings_every_byte_back_and_can_be_taken_back() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2 | z = 3")]);
    let first = world.texts("a.py");
    world.edit(&replicas("a.py")[1], "x = 10 | y = 2 | z = 3");
    world.run(QUIET);
    world.edit("a.py", "w = 0 | x = 10 | z = 3");
    world.run(QUIET);
    let last = world.texts("a.py");

    let report = world.restore("a.py", Rev::Back(2));
    assert_eq!(world.texts("a.py"), first);
    let step = report.step.expect("a step");
    assert!(matches!(step.cause, Cause::Restore { .. }));
    assert_eq!(step.to.len(), 3);
    world.run(QUIET);
    world.check_state("a.py", NotebookState::Synced);
    assert_eq!(world.log("a.py").len(), 4);

    // Edits go on from there.
    let report = world.undo(&replicas("a.py")[2]);
    assert_eq!(world.texts("a.py"), last);
    assert_eq!(report.of.expect("a version").id, step.id);
    world.undo("a.py");
    assert_eq!(world.texts("a.py"), first);
    world.edit("a.py", "x = 1 | y = 2 | z = 3 | last = 1");
    world.run(QUIET);
    world.check("a.py", "x = 1 | y = 2 | z = 3 | last = 1");

    let report = world.restore("a.py", Rev::Back(0));
    assert_eq!(report.step, None);
}

#[test]
fn what_is_not_synced_yet_is_recorded_before_a_restore() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
    let first = world.texts("a.py");
    world.edit("a.py", "x = 4711 | y = 2");
    let newest = world.log("a.py").remove(0);
    world.edit(&replicas("a.py")[1], "x = 1 | y = 4712");
    world.restore("a.py", Rev::Id(newest.id));
    assert_eq!(world.texts("a.py"), first);
    let has = |world: &mut World, text: &str| {
        (0..world.log("a.py").len()).any(|n| world.show("a.py", Rev::Back(n)).contains(text))
    };
    assert!(has(&mut world, "4711") && has(&mut world, "4712"));
}

#[test]
fn broken_replica_is_kept_and_replaced() {
    for path in replicas("a.py") {
        let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
        let first = world.texts("a.py");
        world.disk.save(&at(&path), b"<<<<<<< x = 4711");
        world.run(QUIET);
        world.check_state("a.py", NotebookState::Held);
        world.restore("a.py", Rev::Back(0));
        assert_eq!(world.texts("a.py"), first);
        world.run(QUIET);
        world.check_state("a.py", NotebookState::Synced);
        assert!(world.is_kept("x = 4711"));
    }
}

#[test]
fn deleted_notebook_comes_back() {
    let mut world = World::with(&[("d/a.py", "x = 1"), ("d/b.py", "y = 1")]);
    let texts = world.texts("d/a.py");
    world.disk.delete(&at("d/a.py"));
    world.run(QUIET);
    for path in replicas("d/a.py") {
        assert_eq!(world.disk.bytes(&at(&path)), None);
    }
    // By the name of any file that it had.
    world.restore(&replicas("d/a.py")[2], Rev::Back(0));
    assert_eq!(world.texts("d/a.py"), texts);
    world.run(QUIET);
    world.check_state("d/a.py", NotebookState::Synced);
    world.edit(&replicas("d/a.py")[1], "x = 2");
    world.run(QUIET);
    world.check("d/a.py", "x = 2");
}

#[test]
fn undo_without_a_name_is_about_the_last_step_of_all() {
    let mut world = World::with(&[("a.py", "x = 1"), ("b.py", "y = 1")]);
    world.set_wall_clock(Duration::from_hours(24 * 365 * 50));
    world.edit("a.py", "x = 2");
    world.run(QUIET);
    world.set_wall_clock(Duration::from_hours(24 * 365 * 51));
    world.edit("b.py", "y = 2");
    world.run(QUIET);
    world.change(Command::Undo { path: None });
    world.check("a.py", "x = 2");
    world.check("b.py", "y = 1");
    let nothing = world.ask(Command::Undo { path: Some(at("c.py")) });
    assert!(matches!(nothing, Reply::Unknown { .. }), "{nothing:?}");
}

#[test]
fn editor_that_is_faster_than_a_restore_wins_and_nothing_is_lost() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
    world.edit("a.py", "x = 2 | y = 2");
    world.run(QUIET);
    let disk = world.disk.clone();
    let text = world.text("a.py").replace("y = 2", "y = 4711");
    let mut is_done = false;
    world.interfere(move |step, path| {
        if step == crate::disk::Step::Exchange && path == at("a.py") && !is_done {
            is_done = true;
            disk.save(&at("a.py"), text.as_bytes());
        }
        Ok(())
    });
    let reply = world.ask(Command::Restore { path: at("a.py"), rev: Rev::Back(1) });
    assert!(
        matches!(&reply, Reply::Error { message } if message.contains("try again")),
        "{reply:?}"
    );
    world.stop_interfering();
    world.run(QUIET);
    world.check("a.py", "x = 2 | y = 4711");
    world.restore("a.py", Rev::Back(2));
    world.check("a.py", "x = 1 | y = 2");
}

#[test]
fn history_survives_a_store_that_fails_for_a_while() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    world.store.inner.set_failing(true);
    for n in 2..5 {
        world.edit("a.py", &format!("x = {n}"));
        world.run(QUIET);
    }
    world.store.inner.set_failing(false);
    world.run(QUIET);
    let shown: Vec<bool> = (0..4)
        .map(|n| world.show("a.py", Rev::Back(n)).contains(&format!("x = {}", 4 - n)))
        .collect();
    assert_eq!(shown, [true; 4]);
}

#[test]
fn paused_daemon_restores_nothing() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    world.edit("a.py", "x = 2");
    world.run(QUIET);
    world.call(Command::Pause);
    let reply = world.ask(Command::Undo { path: None });
    assert!(matches!(reply, Reply::Error { .. }), "{reply:?}");
    world.check("a.py", "x = 2");
}

#[test]
fn collecting_keeps_what_bases_and_late_writers_need() {
    let mut world = World::with(&[("a.py", "x = 1"), ("b.py", "y = 1")]);
    for n in 2..6 {
        world.edit("a.py", &format!("x = {n}"));
        world.run(Duration::from_millis(100));
    }
    world.engine().parts.config.history =
        Keep { min_versions: 1, max_versions: 1, age_ms: 0, bytes: 0 };
    world.engine().collect();
    let store = world.store.inner.clone();
    for (source, record) in store.records().unwrap() {
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        let base: Digest = record["base"].as_str().unwrap().parse().unwrap();
        assert!(store.blob(base).unwrap().is_some(), "{source}");
    }
    assert_eq!(world.log("a.py").len(), 1);
    assert_eq!(history::log(&store, &[], 0).unwrap().total, 2);
    world.edit("a.py", "x = 6");
    world.run(QUIET);
    world.check("a.py", "x = 6");
}

#[test]
fn old_versions_are_forgotten_once_an_hour_by_whoever_runs() {
    let mut world = World::with(&[("a.py", "x = 1")]);
    let edit = |world: &mut World, n: u32| {
        world.edit("a.py", &format!("x = {n}"));
        world.run(Duration::from_millis(100));
        world.engine().parts.config.history =
            Keep { min_versions: 1, max_versions: 1, age_ms: 0, bytes: 0 };
        world.engine().collect_if_due();
        world.log("a.py").len()
    };
    assert_eq!(edit(&mut world, 2), 1);
    assert_eq!(edit(&mut world, 3), 2);
    // The next process knows when that was.
    world.stop();
    world.start();
    assert_eq!(edit(&mut world, 4), 3);
    world.run(COLLECT / 2);
    assert!(3 < world.log("a.py").len());
    world.run(COLLECT);
    // One of the notebook, and one of each file that was replaced.
    assert_eq!(world.log("a.py").len(), 3);
}

/// Two edits of `x`, in the source and in another replica.
fn in_conflict() -> World {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2")]);
    world.call(Command::Pause);
    world.edit("a.py", "x = 10 | y = 2");
    world.edit(&replicas("a.py")[1], "x = 20 | y = 2");
    world.call(Command::Resume);
    world.run(QUIET);
    world.check_state("a.py", NotebookState::Conflict);
    world
}

const CONFLICT_FILE: &str = "__marimo__/nbsync/a.conflict-1.py";

fn resolve(cell: Option<usize>, take: Take) -> Command {
    Command::Resolve { path: at("a.py"), cell, take }
}

#[test]
fn conflict_says_what_it_is_about_and_has_a_file() {
    let mut world = in_conflict();
    for _ in 0..2 {
        let Reply::Conflicts(report) = world.ask(Command::Conflicts { paths: Vec::new() }) else {
            panic!("no answer");
        };
        let [conflict] = &report.conflicts[..] else { panic!("{report:?}") };
        assert_eq!((conflict.cell, conflict.shown_in), (Some(1), 2));
        assert_eq!(conflict.source.line, "x = 10");
        assert_eq!(conflict.source.replica.as_deref(), Some("a.py".into()));
        assert_eq!(conflict.other.line, "x = 20");
        assert_eq!(conflict.other.replica.as_deref(), Some(replicas("a.py")[1].as_str().into()));
        assert_eq!(conflict.file.as_deref(), Some(CONFLICT_FILE.into()));
        assert_eq!(world.text(CONFLICT_FILE), "x = 20\n");
        // The same after a restart.
        world.stop();
        world.start();
        world.run(QUIET);
        let (state, reason) = world.state("a.py");
        assert_eq!(state, NotebookState::Conflict);
        assert!(reason.contains("`nbsync resolve a.py`"), "{reason}");
    }
}

#[test]
fn conflicts_are_resolved_as_asked() {
    for (take, expected) in [
        (Take::Source, "x = 10 | y = 2"),
        (Take::Other, "x = 20 | y = 2"),
        (Take::Both, "x = 10 | x = 20 | y = 2"),
    ] {
        for cell in [None, Some(1), Some(2)] {
            let mut world = in_conflict();
            let report = world.change(resolve(cell, take));
            assert_eq!(report.conflicts_left, 0);
            world.check("a.py", expected);
            world.check_state("a.py", NotebookState::Synced);
            assert_eq!(world.disk.bytes(&at(CONFLICT_FILE)), None);
            world.run(QUIET);
            assert!(world.is_kept("x = 20") && world.is_kept("x = 10"));
            let none = world.ask(resolve(None, take));
            assert!(matches!(none, Reply::Unknown { .. }), "{none:?}");
            world.undo("a.py");
            world.check_state("a.py", NotebookState::Conflict);
        }
    }
}

#[test]
fn deleting_the_extra_cell_resolves_in_every_replica() {
    for path in replicas("a.py") {
        let mut world = in_conflict();
        world.edit(&path, "x = 10 | y = 2");
        world.run(QUIET);
        world.check("a.py", "x = 10 | y = 2");
        world.check_state("a.py", NotebookState::Synced);
        assert_eq!(world.disk.bytes(&at(CONFLICT_FILE)), None);
    }
}

#[test]
fn conflict_cell_that_was_edited_counts_as_it_is_now() {
    let mut world = in_conflict();
    for path in ["a.py".to_owned(), replicas("a.py")[1].clone()] {
        let text = world.text(&path);
        let n = if path == "a.py" { 30 } else { 40 };
        let old = if path == "a.py" { "x = 20" } else { "x = 30" };
        assert!(text.contains(old), "{text}");
        world.disk.save(&at(&path), text.replace(old, &format!("x = {n}")).as_bytes());
        world.run(QUIET);
    }
    world.change(resolve(Some(1), Take::Other));
    world.check("a.py", "x = 40 | y = 2");

    let mut world = in_conflict();
    let text = world.text("a.py").replace("```", "");
    world.disk.save(&at("a.py"), text.as_bytes());
    world.run(QUIET);
    let refused = world.ask(resolve(None, Take::Other));
    assert!(matches!(refused, Reply::Unknown { .. }), "{refused:?}");
    world.change(resolve(None, Take::Source));
    world.check("a.py", "x = 10 | y = 2");
}

/// Two people edit what stands in a conflict cell, each otherwise.
#[test]
fn conflict_about_a_conflict_cell_is_another_version_of_the_same() {
    for loses_store in [false, true] {
        for (cell, take, expected) in [
            (None, Take::Source, "x = 10 | y = 2"),
            (None, Take::Both, "x = 10 | x = 30 | x = 40 | y = 2"),
            (Some(2), Take::Other, "x = 30"),
            (Some(3), Take::Other, "x = 40"),
        ] {
            let mut world = in_conflict();
            world.call(Command::Pause);
            for (path, n) in [("a.py", 30), (replicas("a.py")[1].as_str(), 40)] {
                let text = world.text(path).replace("x = 20", &format!("x = {n}"));
                world.disk.save(&at(path), text.as_bytes());
            }
            world.call(Command::Resume);
            world.run(QUIET);
            if loses_store {
                world.stop();
                world.store.inner.lose_index();
                world.start();
                world.run(QUIET);
            }
            for path in replicas("a.py") {
                let text = world.text(&path);
                assert_eq!(text.matches("nbsync conflict").count(), 2, "{path}: {text}");
                assert!(!text.contains("````"), "{path}: {text}");
            }
            let Reply::Conflicts(report) = world.ask(Command::Conflicts { paths: Vec::new() })
            else {
                panic!("no answer");
            };
            let told =
                |it: &ConflictStatus| (it.cell, it.source.line.clone(), it.other.line.clone());
            let told: Vec<_> = report.conflicts.iter().map(told).collect();
            let line = |n: u32| (Some(1), "x = 10".to_owned(), format!("x = {n}"));
            assert_eq!(told, [line(30), line(40)]);
            let refused = world.ask(resolve(None, Take::Other));
            let Reply::Unknown { message, hints } = &refused else { panic!("{refused:?}") };
            assert_eq!(message, "cell 1 of `a.py` has other versions in cells 2, 3");
            assert_eq!(hints, &["name the one to take: `nbsync resolve a.py 2 --take other`"]);
            let refused = world.ask(resolve(Some(1), Take::Other));
            assert!(matches!(refused, Reply::Unknown { .. }), "{refused:?}");
            let left = world.change(resolve(cell, take)).conflicts_left;
            if cell.is_none() {
                assert_eq!(left, 0);
                world.check("a.py", expected);
                world.check_state("a.py", NotebookState::Synced);
                continue;
            }
            assert_eq!(left, 1);
            let text = world.text("a.py");
            assert!(text.contains(&format!("# %%\n{expected}\n")), "{text}");
            world.change(resolve(None, Take::Source));
            world.check("a.py", &format!("{expected} | y = 2"));
            world.check_state("a.py", NotebookState::Synced);
            let files = world.disk.stamps().into_iter().map(|(path, _)| path);
            let files: Vec<Utf8PathBuf> = files
                .filter(|it| it.as_str().contains("/a.conflict-") && it.extension() != Some("kept"))
                .collect();
            assert!(loses_store || files.is_empty(), "{files:?}");
        }
    }
}

#[test]
fn conflict_is_still_one_after_the_store_was_lost_or_the_notebook_held() {
    let mut world = in_conflict();
    let whole = world.text("a.py");
    world.disk.save(&at("a.py"), b"<<<<<<< ");
    world.run(QUIET);
    world.check_state("a.py", NotebookState::Held);
    world.disk.save(&at("a.py"), whole.as_bytes());
    world.run(QUIET);
    world.check_state("a.py", NotebookState::Conflict);

    world.stop();
    world.store.inner.lose_index();
    world.start();
    world.run(QUIET);
    world.check_state("a.py", NotebookState::Conflict);
    world.change(resolve(None, Take::Other));
    world.check("a.py", "x = 20 | y = 2");
}

#[test]
fn used_conflict_file_is_left_alone() {
    let mut world = in_conflict();
    world.disk.save(&at(CONFLICT_FILE), b"mine");
    world.change(resolve(None, Take::Source));
    world.run(QUIET);
    assert_eq!(world.text(CONFLICT_FILE), "mine");
}

#[test]
fn several_conflicts_are_decided_one_by_one() {
    let mut world = World::with(&[("a.py", "x = 1 | y = 2 | z = 3")]);
    world.call(Command::Pause);
    world.edit("a.py", "x = 10 | y = 20 | z = 3");
    world.edit(&replicas("a.py")[2], "x = 100 | y = 200 | z = 3");
    world.call(Command::Resume);
    world.run(QUIET);
    let files: BTreeSet<String> =
        [1, 2].map(|n| world.text(&format!("__marimo__/nbsync/a.conflict-{n}.py"))).into();
    assert_eq!(files, BTreeSet::from(["x = 100\n".to_owned(), "y = 200\n".to_owned()]));
    // The cells are x, its other version, y, its other version, z.
    let report = world.change(resolve(Some(3), Take::Other));
    assert_eq!(report.conflicts_left, 1);
    world.check_state("a.py", NotebookState::Conflict);
    let report = world.change(resolve(None, Take::Source));
    assert_eq!(report.conflicts_left, 0);
    world.check("a.py", "x = 10 | y = 200 | z = 3");
}
