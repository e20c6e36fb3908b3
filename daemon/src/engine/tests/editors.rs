//! Editors that do not show what arrives while somebody types, each as it was seen to behave:
//! what they save is an edit of what they had loaded.

use std::time::Duration;

use nbsync_formats::FormatName;
use serde_json::{Value, json};

use super::cells::{self, edited};
use super::files::{EDITORS, Editor, notebook, replica, saved};
use super::world::{QUIET, World, at, replicas};
use crate::report::NotebookState;

const SOURCES: [&str; 2] = ["a.ipynb", "a.py"];

const BEFORE: &str = "# Café++one | x = 1 | y = 2 * x+y | print(y)";

/// What is typed into the last cell.
const TYPED: [&str; 2] = ["print(y)", "print(y, 'typed')"];

fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// A notebook that has been run, all of whose replicas are open.
fn synced(source: &str) -> World {
    let mut world = World::new();
    world.create(source, BEFORE);
    world.start();
    world.run(QUIET);
    let ipynb = replica(source, FormatName::Ipynb);
    world.disk.save(&at(&ipynb), saved(&notebook()).as_bytes());
    world.run(QUIET);
    world.check(source, BEFORE);
    world.forget();
    world
}

/// Runs a check for each kind of source, editor, and replica that another editor has open.
fn each(check: impl Fn(&mut World, &str, &Editor, &str, &str)) {
    for source in SOURCES {
        for editor in &EDITORS {
            let mine = editor.file(source);
            for other in replicas(source).iter().filter(|it| **it != mine) {
                eprintln!("{} on `{mine}`, an edit of `{other}`", editor.name);
                check(&mut synced(source), source, editor, &mine, other);
            }
        }
    }
}

/// An editor that has loaded a text saves it with something typed in it.
fn save(world: &mut World, editor: &Editor, path: &str, loaded: &str, typed: [&str; 2]) -> String {
    let text = (editor.typed)(loaded, typed[0], typed[1]);
    world.disk.save(&at(path), text.as_bytes());
    text
}

fn check_outputs(world: &World, source: &str) {
    let ipynb = replica(source, FormatName::Ipynb);
    let found: Value = serde_json::from_str(&world.text(&ipynb)).unwrap();
    let outputs = |notebook: &Value| -> Vec<String> {
        let cells = notebook["cells"].as_array().unwrap().iter();
        let outputs = cells.flat_map(|it| it["outputs"].as_array().cloned().unwrap_or_default());
        let mut outputs: Vec<String> = outputs.map(|it| saved(&it)).collect();
        outputs.sort();
        outputs
    };
    // Without the line break that VS Code takes off images.
    let plain = |outputs: Vec<String>| outputs.concat().replace("=\\n\"", "=\"");
    assert_eq!(plain(outputs(&found)), plain(outputs(&notebook())));
}

/// *Overwrite* in VS Code and in JupyterLab, and marimo's autosave without `--watch`.
#[test]
fn overwriting_undoes_nothing() {
    for arrives in [
        "# Café++one | x = 1+outside = 0 | y = 2 * x+y | print(y)",
        "# Café++one | x = 2 | y = 2 * x+y | print(y)",
        "# Café++one+two | x = 2 | y = 3 * x+y | print(y)",
        "# Café++one | x = 1 | new = 0 | y = 2 * x+y | print(y)",
        "# Café++one | y = 2 * x+y | print(y)",
        "# New | # Café++one | x = 1 | y = 2 * x+y | print(y) | last = 0",
    ] {
        each(|world, source, editor, mine, other| {
            let loaded = world.text(mine);
            world.edit(other, arrives);
            world.run(s(1));
            save(world, editor, mine, &loaded, TYPED);
            world.run(s(1));
            world.check(source, &arrives.replace(TYPED[0], TYPED[1]));
            world.check_state(source, NotebookState::Synced);
            if arrives.contains("x = ") {
                check_outputs(world, source);
            }
        });
    }
}

/// marimo without `--watch` saves a second after each key, and never looks.
#[test]
fn editor_that_never_looks_undoes_nothing() {
    each(|world, source, editor, mine, other| {
        let mut buffer = world.text(mine);
        let printed = |n_args: usize| format!("print(y{}", ", 0".repeat(n_args));
        for no in 1..5 {
            let arrives = cells::shown(other, &world.text(other)).unwrap();
            world.edit(other, &arrives.replace(&format!("x = {no}"), &format!("x = {}", no + 1)));
            world.run(s(3));
            let typed = [printed(no - 1), printed(no)];
            buffer = save(world, editor, mine, &buffer, [&typed[0], &typed[1]]);
            world.run(s(3));
        }
        world.check(source, "# Café++one | x = 5 | y = 2 * x+y | print(y, 0, 0, 0, 0)");
        check_outputs(world, source);
    });
}

/// *Cancel* leaves all as it is, and the question comes again.
#[test]
fn what_arrives_before_the_answer_stays() {
    each(|world, source, editor, mine, other| {
        let loaded = world.text(mine);
        world.edit(other, &BEFORE.replace("x = 1", "x = 2"));
        world.run(s(120));
        world.edit(other, &BEFORE.replace("x = 1", "x = 3").replace("one", "two"));
        world.run(s(120));
        save(world, editor, mine, &loaded, TYPED);
        world.run(s(1));
        let expected = BEFORE.replace("x = 1", "x = 3").replace("one", "two");
        world.check(source, &expected.replace(TYPED[0], TYPED[1]));
    });
}

/// *Revert*, and every editor that shows what arrives: it goes on from that.
#[test]
fn editor_that_loaded_what_arrived_edits_that() {
    each(|world, source, editor, mine, other| {
        world.edit(other, &BEFORE.replace("x = 1", "x = 2"));
        world.run(s(1));
        world.forget();
        // Jupyter's server with collaboration saves what it has loaded.
        let loaded = world.text(mine);
        save(world, editor, mine, &loaded, ["", ""]);
        world.run(s(1));
        assert_eq!(world.written(), [""; 0]);
        let loaded = world.text(mine);
        save(world, editor, mine, &loaded, ["x = 2", "x = 30"]);
        world.run(s(1));
        world.check(source, &BEFORE.replace("x = 1", "x = 30"));
        let loaded = world.text(mine);
        save(world, editor, mine, &loaded, TYPED);
        world.run(s(1));
        world.check(source, &BEFORE.replace("x = 1", "x = 30").replace(TYPED[0], TYPED[1]));
    });
}

/// marimo that polls had loaded the first of two updates when its autosave came.
#[test]
fn editor_that_loaded_a_part_of_what_arrived_edits_that() {
    each(|world, source, editor, mine, other| {
        world.edit(other, &BEFORE.replace("x = 1", "x = 2"));
        world.run(s(1));
        let loaded = world.text(mine);
        world.edit(other, &BEFORE.replace("x = 1", "x = 2").replace("one", "two"));
        world.run(s(1));
        save(world, editor, mine, &loaded, TYPED);
        world.run(s(1));
        let expected = BEFORE.replace("x = 1", "x = 2").replace("one", "two");
        world.check(source, &expected.replace(TYPED[0], TYPED[1]));
    });
}

/// What arrived is in other lines of the cell in which somebody types.
#[test]
fn both_edits_of_a_cell_stand() {
    each(|world, source, editor, mine, other| {
        let loaded = world.text(mine);
        world.edit(other, &BEFORE.replace("y = 2 * x", "y = 3 * x"));
        world.run(s(1));
        // The second line of that cell, which is indented in marimo.
        let start = loaded.find("2 * x").unwrap();
        let line = loaded[start..].lines().nth(1).unwrap();
        let typed = format!("2 * x\n{line}\n{}", line.replace('y', "typed = 0"));
        let typed = loaded.replace(&format!("2 * x\n{line}"), &typed);
        if editor.format == FormatName::Ipynb {
            save(world, editor, mine, &loaded, ["x\ny", "x\ny\ntyped = 0"]);
        } else {
            world.disk.save(&at(mine), typed.as_bytes());
        }
        world.run(s(1));
        let expected = "y = 3 * x+y+typed = 0";
        world.check(source, &BEFORE.replace("y = 2 * x+y", expected));
    });
}

/// Saving without having typed puts the old text back on disk, which is what whoever loaded
/// the update and does not want it does as well.
#[test]
fn what_an_untyped_save_takes_back_is_in_the_history() {
    each(|world, source, editor, mine, other| {
        let loaded = world.text(mine);
        world.edit(other, &BEFORE.replace("x = 1", "x = 'outside'"));
        world.run(s(1));
        save(world, editor, mine, &loaded, ["", ""]);
        world.run(QUIET);
        world.check(source, BEFORE);
        assert!(world.is_kept("x = 'outside'"));
    });
}

/// Somebody runs cells in Jupyter and types nothing. Its outputs are news, and its source is
/// not: what arrived meanwhile stays.
#[test]
fn running_cells_takes_nothing_back() {
    each(|world, source, editor, mine, other| {
        if editor.format != FormatName::Ipynb {
            return;
        }
        let mut loaded: Value = serde_json::from_str(&world.text(mine)).unwrap();
        world.edit(other, &BEFORE.replace("x = 1", "x = 2"));
        world.run(s(1));
        loaded["cells"][3]["execution_count"] = json!(17);
        loaded["cells"][3]["outputs"][0]["text"] = json!(["2\n", "ran\n"]);
        world.disk.save(&at(mine), saved(&loaded).as_bytes());
        world.run(s(1));
        world.check(source, &BEFORE.replace("x = 1", "x = 2"));
        assert!(world.text(mine).contains("ran\\n"));
    });
}

/// Whoever saves is left alone: nothing of theirs is written anew.
#[test]
fn own_save_is_not_written_back() {
    for after in [
        "# Café++one | x = 1 | y = 2 * x+y | print(y)+more = 0",
        "# Café++one | x = 1 | y = 2 * x+y | print(y) | more = 0",
        "# Café++one | x = 1 | y = 2 * x+y | # More | print(y)",
        "# Café++one | x = 1 | print(y)",
        "# Café++one | print(y) | x = 1 | y = 2 * x+y",
        "# Café++two | x = 1 | y = 2 * x+y | print(y)",
        "# Café++one | x = 1 | y = 2 * x | y | print(y)",
        "# Café++one | x = 1+y = 2 * x+y | print(y)",
    ] {
        for source in SOURCES {
            for editor in &EDITORS {
                let names = replicas(source);
                let mut world = synced(source);
                let mine = editor.file(source);
                let text = edited(&mine, &world.text(&mine), after);
                let text = (editor.typed)(&text, "print(y)", "print(y, 1)");
                world.disk.save(&at(&mine), text.as_bytes());
                world.run(QUIET);
                world.check(source, &after.replace("print(y)", "print(y, 1)"));
                assert_eq!(world.text(&mine), text, "{}", editor.name);
                let others: Vec<String> = names.into_iter().filter(|it| *it != mine).collect();
                assert_eq!(world.written(), others, "{}, {source}: {after}", editor.name);
            }
        }
    }
}

/// While a cell runs and JupyterLab saves now and then.
#[test]
fn saves_of_outputs_are_written_nowhere() {
    for source in SOURCES {
        let mut world = synced(source);
        let ipynb = replica(source, FormatName::Ipynb);
        let mut lab = notebook();
        lab["cells"][3]["execution_count"] = json!(null);
        for no in 0..6 {
            let line = json!(format!("{no}\n"));
            lab["cells"][3]["outputs"][0]["text"].as_array_mut().unwrap().push(line);
            world.disk.save(&at(&ipynb), saved(&lab).as_bytes());
            world.run(s(120));
        }
        assert_eq!(world.written(), [""; 0]);
        assert_eq!(world.text(&ipynb), saved(&lab));
        // An edit elsewhere is written once, with all that was there, and the rest of the run
        // is saved over it.
        let script = replica(source, FormatName::Percent);
        world.edit(&script, &BEFORE.replace("x = 1", "x = 2"));
        world.run(s(120));
        assert_eq!(world.text(&ipynb), saved(&lab).replace("x = 1", "x = 2"));
        assert_eq!(world.written().iter().filter(|it| **it == ipynb).count(), 1);
        world.forget();
        lab["cells"][3]["execution_count"] = json!(4);
        lab["cells"][3]["outputs"][0]["text"].as_array_mut().unwrap().push(json!("end\n"));
        world.disk.save(&at(&ipynb), saved(&lab).as_bytes());
        world.run(s(1));
        world.check(source, &BEFORE.replace("x = 1", "x = 2"));
        assert!(world.text(&ipynb).contains("end\\n"));
    }
}

/// JupyterLab asks about every file that has changed since it was loaded.
#[test]
fn ipynb_is_not_written_for_what_it_does_not_show() {
    let (percent, marimo) = (FormatName::Percent, FormatName::Marimo);
    for source in SOURCES {
        for (format, before, after) in [
            (marimo, "def _(y):", "def _(x, y):"),
            (marimo, "__generated_with = \"0.25.2\"", "__generated_with = \"0.26.0\""),
            (marimo, "\n\n\n@app.cell\ndef", "\n\n\n\n\n@app.cell\ndef"),
            (percent, "# %%\ny = 2", "\n# %%\ny = 2"),
            (percent, "print(y)\n", "print(y)\n\n"),
            (percent, "# %%\n", "#%%\n"),
        ] {
            let mut world = synced(source);
            let editor = EDITORS.iter().find(|it| it.format == format).unwrap();
            let mine = editor.file(source);
            let loaded = world.text(&mine);
            save(&mut world, editor, &mine, &loaded, [before, after]);
            world.run(QUIET);
            assert_eq!(world.written(), [""; 0], "{source}, {after}");
        }
    }
}
