//! Files that jupytext has paired.

use std::time::Duration;

use camino::Utf8Path;
use nbsync_formats::{Carry, Cell, CellKind, FormatName, Notebook};
use serde_json::json;

use super::cells;
use super::world::{QUIET, World, at};
use crate::report::{NotebookState, Role};
use crate::sync::pairing::extension;
use crate::watch::WatchEvent;

/// Makes a file with these cells that names its pairs.
fn create(world: &World, path: &str, line: &str, formats: &str) {
    let extension = extension(path.into());
    let name = if extension == ".ipynb" { FormatName::Ipynb } else { FormatName::Percent };
    let mut notebook = Notebook::default();
    notebook.metadata.insert("jupytext".to_owned(), json!({"formats": formats}));
    notebook.cells = line.split(" | ").map(|source| Cell::new(CellKind::Code, source)).collect();
    let printed = nbsync_formats::format(name).print(&notebook, extension, Carry::All).unwrap();
    world.disk.save(&at(path), printed.document.text().as_bytes());
}

/// The replicas of a notebook: their paths, with a sign for the role.
fn replicas(world: &World, source: &str) -> String {
    let status = world.engine.as_ref().unwrap().status(&[source.into()]);
    let found = status.notebooks.iter().find(|it| it.source == source);
    let sign = |role| match role {
        Role::Source => "",
        Role::Paired => "+",
        Role::Shadow => "~",
    };
    let paths = found.into_iter().flat_map(|it| &it.replicas);
    paths.map(|it| format!("{}{}", sign(it.role), it.path)).collect::<Vec<_>>().join(" ")
}

fn notes(world: &World, source: &str) -> String {
    let status = world.engine.as_ref().unwrap().status(&[source.into()]);
    status.notebooks[0].notes.join("; ")
}

#[track_caller]
fn check(world: &World, paths: &[&str], expected: &str) {
    for path in paths {
        let shown = cells::shown(path, &world.text(path));
        assert_eq!(shown.as_deref(), Some(expected), "{path}");
    }
}

/// A pair that is in sync, with the names that it was told.
fn pair(ipynb: &str, script: &str, formats: &str) -> World {
    let mut world = World::new();
    create(&world, ipynb, "x = 1 | y = 2", formats);
    create(&world, script, "x = 1 | y = 2", formats);
    world.start();
    world.run(QUIET);
    world
}

const MARIMO: &str = "__marimo__/nbsync/a.marimo.py";

#[test]
fn pairs_are_one_notebook_and_stay_as_they_are() {
    for (ipynb, script, formats) in [
        ("a.ipynb", "a.py", "ipynb,py:percent"),
        ("nb/x/a.ipynb", "src/x/a.py", "nb///ipynb,src///py:percent"),
        ("a.ipynb", "a.pct.py", "ipynb,.pct.py:percent"),
        ("a.ipynb", "src/a.py", "ipynb,src//py:percent"),
        ("a.ipynb", "src/n_a.py", "ipynb,src/n_/py:percent"),
    ] {
        let mut world = pair(ipynb, script, formats);
        let folder = Utf8Path::new(script).parent().unwrap();
        let stem = Utf8Path::new(script).file_stem().unwrap();
        let marimo = folder.join(format!("__marimo__/nbsync/{stem}.marimo.py"));
        assert_eq!(replicas(&world, script), format!("{script} +{ipynb} ~{marimo}"));
        assert_eq!(world.written(), [marimo.as_str()]);
        for (path, line) in [(ipynb, "x = 3 | y = 2"), (script, "x = 3 | y = 4")] {
            world.edit(path, line);
            world.run(QUIET);
            check(&world, &[ipynb, script, marimo.as_str()], line);
        }
        world.check_state(script, NotebookState::Synced);
        // The same after a restart, with nothing to do.
        world.stop();
        world.forget();
        world.start();
        world.run(QUIET);
        assert_eq!(world.written(), [""; 0]);
        assert_eq!(replicas(&world, script), format!("{script} +{ipynb} ~{marimo}"));
    }
}

#[test]
fn a_missing_file_of_a_pair_is_made() {
    let mut world = World::new();
    create(&world, "nb/a.ipynb", "x = 1", "nb///ipynb,src///py:percent");
    world.start();
    world.run(QUIET);
    check(&world, &["src/a.py"], "x = 1");
    // With all that only an ipynb holds, as long as that is known.
    let text = world.text("nb/a.ipynb");
    world.disk.delete(&at("nb/a.ipynb"));
    world.run(QUIET);
    assert_eq!(world.text("nb/a.ipynb"), text);
    world.disk.delete(&at("src/a.py"));
    world.run(QUIET);
    check(&world, &["src/a.py"], "x = 1");
}

#[test]
fn a_pair_ends_when_all_its_files_are_gone() {
    let mut world = pair("a.ipynb", "a.py", "ipynb,py:percent");
    world.disk.delete(&at("a.ipynb"));
    world.disk.delete(&at("a.py"));
    world.run(QUIET);
    assert_eq!(replicas(&world, "a.py"), "");
    assert_eq!(world.disk.bytes(&at(MARIMO)), None);
}

#[test]
fn a_pair_may_be_made_and_ended_while_the_daemon_runs() {
    let mut world = World::new();
    world.create("a.ipynb", "x = 1 | y = 2");
    world.start();
    world.run(QUIET);
    let percent = "__marimo__/nbsync/a.percent.py";
    assert_eq!(replicas(&world, "a.ipynb"), format!("a.ipynb ~{percent} ~{MARIMO}"));

    create(&world, "a.ipynb", "x = 1 | y = 2", "ipynb,py:percent");
    world.run(QUIET);
    assert_eq!(replicas(&world, "a.py"), format!("a.py +a.ipynb ~{MARIMO}"));
    check(&world, &["a.py", "a.ipynb", MARIMO], "x = 1 | y = 2");
    // The shadow that isn't wanted any more is in the history.
    assert_eq!(world.disk.bytes(&at(percent)), None);

    create(&world, "a.ipynb", "x = 1 | y = 2", "ipynb");
    world.run(QUIET);
    // The header of the script says what the metadata say.
    world.check_state("a.ipynb", NotebookState::Held);
    world.check_state("a.py", NotebookState::Held);
    world.disk.delete(&at("a.py"));
    world.run(QUIET);
    assert_eq!(replicas(&world, "a.ipynb"), format!("a.ipynb ~{percent} ~{MARIMO}"));
    world.check_state("a.ipynb", NotebookState::Synced);
}

#[test]
fn what_cannot_be_paired_is_told_and_left_alone() {
    for (formats, other, expected) in [
        ("ipynb,py:light", "a.py", "nbsync does not know the format `py:light` yet"),
        ("ipynb,md", "a.md", "nbsync does not know the format `md` yet"),
        ("ipynb,../../x//py:percent", "a.py", "outside of the watched folder"),
        ("ipynb,.git//py:percent", ".git/a.py", "it is hidden"),
        ("ipynb,/etc//py:percent", "a.py", "a path in it has to be relative"),
        ("ipynb,py:percent", "a.py", "it is there, and is no notebook in that format"),
    ] {
        let mut world = World::new();
        create(&world, "n/a.ipynb", "x = 1", formats);
        let other = format!("n/{other}");
        world.disk.save(&at(&other), b"print('mine')\n");
        world.start();
        world.run(QUIET);
        world.check_state("n/a.ipynb", NotebookState::Synced);
        let notes = notes(&world, "n/a.ipynb");
        assert!(notes.contains(expected), "{formats}: {notes}");
        assert_eq!(world.text(&other), "print('mine')\n");
        let shadows = "~n/__marimo__/nbsync/a.percent.py ~n/__marimo__/nbsync/a.marimo.py";
        assert_eq!(replicas(&world, "n/a.ipynb"), format!("n/a.ipynb {shadows}"));
    }
}

#[test]
fn others_are_synced_when_one_format_is_not_known() {
    let world = pair("a.ipynb", "a.py", "ipynb,md,py:percent");
    assert_eq!(replicas(&world, "a.py"), format!("a.py +a.ipynb ~{MARIMO}"));
    assert!(notes(&world, "a.py").contains("`a.md` is left alone"));
}

#[test]
fn a_damaged_file_of_a_pair_holds_it() {
    let mut world = pair("a.ipynb", "a.py", "ipynb,py:percent");
    let (ipynb, script) = (world.text("a.ipynb"), world.text("a.py"));
    for path in ["a.ipynb", "a.py"] {
        world.disk.save(&at(path), b"");
        world.run(QUIET);
        world.check_state("a.py", NotebookState::Held);
        let text = if path == "a.py" { &script } else { &ipynb };
        world.disk.save(&at(path), text.as_bytes());
        world.run(QUIET);
        world.check_state("a.py", NotebookState::Synced);
    }
    assert_eq!((world.text("a.ipynb"), world.text("a.py")), (ipynb, script));
}

#[test]
fn jupytext_is_given_the_time_to_write_all_files() {
    let mut world = pair("a.ipynb", "a.py", "ipynb,py:percent");
    world.forget();
    let now = world.now();
    world.engine().event(WatchEvent::Replacing(at("a.ipynb")), now);
    world.edit("a.ipynb", "x = 5 | y = 2");
    world.run(Duration::from_millis(200));
    assert_eq!(world.written(), [""; 0]);
    world.edit("a.py", "x = 5 | y = 2");
    world.run(Duration::from_millis(200));
    assert_eq!(world.written(), [MARIMO]);
    check(&world, &["a.py", "a.ipynb", MARIMO], "x = 5 | y = 2");
}
