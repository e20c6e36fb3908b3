//! Outputs of runs in marimo, which marimo keeps in a file beside the script.

use std::fs::File;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const PERCENT: &str = "# %%\nx = 1\n\n# %%\ny = 2\n";
const IPYNB: &str = "__marimo__/nbsync/a.ipynb";
const MARIMO: &str = "__marimo__/nbsync/a.marimo.py";
const SESSION: &str = "__marimo__/nbsync/__marimo__/session/a.marimo.py.json";

/// The MD5 of code.
const X: (&str, &str) = ("x = 1", "d37ffc54b67ce8de1f01efb1f2e33689");
const Y: (&str, &str) = ("y = 2", "5f08418eb7c8408d717c2e2fe422ab3c");
const X_1000: (&str, &str) = ("x = 1000", "1228dd92f6109883cc01ecd86deed44c");

/// What marimo keeps of cells that printed something.
fn session(cells: &[((&str, &str), &str)]) -> String {
    let cell = |((_, hash), text): &((&str, &str), &str)| {
        let line =
            json!({"type": "stream", "name": "stdout", "text": text, "mimetype": "text/plain"});
        let console = if text.is_empty() { json!([]) } else { json!([line]) };
        json!({"id": "Hbol", "code_hash": hash, "outputs": [], "console": console})
    };
    let cells: Vec<Value> = cells.iter().map(cell).collect();
    json!({"version": "1", "metadata": {"marimo_version": "0.25.2"}, "cells": cells}).to_string()
}

/// What each cell of a notebook printed.
fn printed(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let notebook: Value = serde_json::from_str(&sandbox.read(name)).unwrap();
    let text = |output: &Value| output["text"].as_array().unwrap()[0].as_str().unwrap().to_owned();
    let cells = notebook["cells"].as_array().unwrap().iter();
    cells.map(|it| it["outputs"].as_array().unwrap().iter().map(text).collect()).collect()
}

/// Saves what Jupyter does after a run of a cell.
fn run_in_jupyter(sandbox: &Sandbox, source: &str, text: &str) {
    let mut notebook: Value = serde_json::from_str(&sandbox.read(IPYNB)).unwrap();
    let cells = notebook["cells"].as_array_mut().unwrap();
    let cell = cells.iter_mut().find(|it| it["source"][0] == source).unwrap();
    cell["execution_count"] = json!(7);
    cell["outputs"] = json!([{"name": "stdout", "output_type": "stream", "text": [text]}]);
    sandbox.write(IPYNB, format!("{notebook:#}\n"));
}

/// Waits until all is in sync, and returns what was done.
#[track_caller]
fn flush(sandbox: &Sandbox) -> Vec<Value> {
    let (report, code) = sandbox.json(&["flush", "--json"]);
    assert_eq!(code, 0, "{report:#}");
    report["propagated"].as_array().unwrap().clone()
}

#[test]
fn a_run_arrives_and_changes_nothing_else() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let mut daemon = sandbox.watch();
    let before = [sandbox.read("a.py"), sandbox.read(MARIMO)];
    // By itself, though the folder is new.
    sandbox.write(SESSION, session(&[(X, "one\n"), (Y, "")]));
    let event = daemon.wait_for("propagated");
    assert_eq!((&event["from"], &event["to"]), (&json!([MARIMO]), &json!([IPYNB])), "{event:#}");
    assert_eq!(event["changes"], json!(["cell 1 ran in marimo"]));
    assert_eq!(printed(&sandbox, IPYNB), ["one\n", ""]);
    assert_eq!([sandbox.read("a.py"), sandbox.read(MARIMO)], before);
    assert_eq!(flush(&sandbox).len(), 1);
    let text = sandbox.read(IPYNB);
    // What marimo saves anew without a change is no news, nor is what a crash has cut off.
    sandbox.write(SESSION, session(&[(Y, ""), (X, "one\n")]));
    assert_eq!(flush(&sandbox), [] as [Value; 0]);
    sandbox.write(SESSION, &session(&[(X, "two\n")])[..60]);
    assert_eq!(flush(&sandbox), [] as [Value; 0]);
    assert_eq!(sandbox.read(IPYNB), text);
    sandbox.write(SESSION, session(&[(X, "two\n")]));
    assert_eq!(flush(&sandbox).len(), 1);
    assert_eq!(printed(&sandbox, IPYNB), ["two\n", ""]);
}

#[test]
fn the_newest_run_of_a_cell_wins() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let daemon = sandbox.watch();
    sandbox.write(SESSION, session(&[(X, "marimo 1\n"), (Y, "marimo 1\n")]));
    flush(&sandbox);
    run_in_jupyter(&sandbox, "x = 1", "jupyter 1\n");
    flush(&sandbox);
    // The session still has the older run of the first cell.
    sandbox.write(SESSION, session(&[(X, "marimo 1\n"), (Y, "marimo 2\n")]));
    flush(&sandbox);
    assert_eq!(printed(&sandbox, IPYNB), ["jupyter 1\n", "marimo 2\n"]);
    // Also after a restart.
    daemon.kill();
    let _daemon = sandbox.watch();
    sandbox.write(SESSION, session(&[(X, "marimo 1\n"), (Y, "marimo 3\n")]));
    flush(&sandbox);
    assert_eq!(printed(&sandbox, IPYNB), ["jupyter 1\n", "marimo 3\n"]);
    sandbox.write(SESSION, session(&[(X, "marimo 4\n"), (Y, "marimo 3\n")]));
    flush(&sandbox);
    assert_eq!(printed(&sandbox, IPYNB), ["marimo 4\n", "marimo 3\n"]);
    // Nothing at all may be what marimo can't show again, unless it had shown something.
    run_in_jupyter(&sandbox, "x = 1", "jupyter 5\n");
    flush(&sandbox);
    sandbox.write(SESSION, session(&[(X, ""), (Y, "")]));
    flush(&sandbox);
    assert_eq!(printed(&sandbox, IPYNB), ["jupyter 5\n", ""]);
}

#[test]
fn of_two_runs_at_once_the_file_that_was_saved_last_counts() {
    for (later, expected) in [(SESSION, "marimo\n"), (IPYNB, "jupyter\n")] {
        let sandbox = Sandbox::new();
        sandbox.write("a.py", PERCENT);
        assert_eq!(sandbox.run(&["sync", "-q"]), "");
        sandbox.write(SESSION, session(&[(X, "marimo\n"), (Y, "marimo\n")]));
        run_in_jupyter(&sandbox, "x = 1", "jupyter\n");
        let file = File::options().write(true).open(sandbox.path(later)).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
        assert_eq!(sandbox.run(&["sync", "-q"]), "");
        assert_eq!(printed(&sandbox, IPYNB), [expected, "marimo\n"]);
    }
}

#[test]
fn a_session_may_be_there_before_the_script_is_saved() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let _daemon = sandbox.watch();
    sandbox.write(SESSION, session(&[(X_1000, "new\n"), (Y, "y\n")]));
    flush(&sandbox);
    assert_eq!(printed(&sandbox, IPYNB), ["", "y\n"]);
    sandbox.edit(MARIMO, "x = 1", "x = 1000");
    flush(&sandbox);
    assert_eq!(printed(&sandbox, IPYNB), ["new\n", "y\n"]);
    assert!(sandbox.read("a.py").contains("x = 1000"));
}

#[test]
fn the_session_of_a_source_is_beside_it() {
    let sandbox = Sandbox::new();
    sandbox.write("draft.py", PERCENT);
    drop(sandbox.run(&["convert", "draft.py", "--to", "marimo", "-o", "a.py"]));
    std::fs::remove_file(sandbox.path("draft.py")).unwrap();
    let mut daemon = sandbox.watch();
    sandbox.write("__marimo__/session/a.py.json", session(&[(X, "one\n")]));
    assert_eq!(daemon.wait_for("propagated")["from"], json!(["a.py"]));
    assert_eq!(printed(&sandbox, IPYNB), ["one\n", ""]);
    let (status, _) = sandbox.json(&["status", "--json"]);
    assert_eq!(status["notebooks"].as_array().unwrap().len(), 1, "{status:#}");
}

#[test]
fn a_first_sight_fills_only_what_is_empty() {
    let sandbox = Sandbox::new();
    sandbox.write("nbsync.toml", "marimo_outputs = false\n");
    sandbox.write("a.py", PERCENT);
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    run_in_jupyter(&sandbox, "x = 1", "jupyter\n");
    sandbox.write(SESSION, session(&[(X, "marimo\n"), (Y, "marimo\n")]));
    let file = File::options().write(true).open(sandbox.path(SESSION)).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    assert_eq!(printed(&sandbox, IPYNB), ["jupyter\n", ""], "the key turns it off");
    sandbox.write("nbsync.toml", "");
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    assert_eq!(printed(&sandbox, IPYNB), ["jupyter\n", "marimo\n"]);
    // What runs from then on counts.
    sandbox.write(SESSION, session(&[(X, "marimo 2\n"), (Y, "marimo\n")]));
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    assert_eq!(printed(&sandbox, IPYNB), ["marimo 2\n", "marimo\n"]);
}

#[test]
fn a_stripped_notebook_stays_stripped() {
    let sandbox = Sandbox::new();
    sandbox.write("nbsync.toml", "outputs = \"strip\"\n");
    sandbox.write("a.py", PERCENT);
    let _daemon = sandbox.watch();
    let before = sandbox.read(IPYNB);
    sandbox.write(SESSION, session(&[(X, "one\n"), (Y, "two\n")]));
    flush(&sandbox);
    assert_eq!(sandbox.read(IPYNB), before);
    // They live on where those of Jupyter do.
    let shown = sandbox.run(&["show", "a.py", "--to", "ipynb"]);
    assert!(shown.contains("\"one\\n\"") && shown.contains("\"two\\n\""), "{shown}");
}

#[test]
fn outputs_of_an_edited_cell_that_ran_stay() {
    let sandbox = Sandbox::new();
    sandbox.write("nbsync.toml", "outputs = \"clear-edited\"\n");
    sandbox.write("a.py", PERCENT);
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    sandbox.write(SESSION, session(&[(X, "old\n"), (Y, "two\n")]));
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    sandbox.edit(MARIMO, "x = 1", "x = 1000");
    sandbox.write(SESSION, session(&[(X_1000, "new\n"), (Y, "two\n")]));
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    assert_eq!(printed(&sandbox, IPYNB), ["new\n", "two\n"]);
    // An edit elsewhere, which did not run.
    sandbox.edit("a.py", "x = 1000", "x = 5");
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    assert_eq!(printed(&sandbox, IPYNB), ["", "two\n"]);
}
