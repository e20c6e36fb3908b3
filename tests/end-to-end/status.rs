//! `nbsync status` and `nbsync sync`, without a daemon.

use serde_json::json;

use crate::sandbox::{PERCENT, Sandbox};

#[test]
fn an_empty_folder_says_what_was_looked_for() {
    insta::assert_snapshot!(Sandbox::new().run(&["status"]), @"
    no notebooks in `[DIR]`
    looked for `.ipynb` files, scripts with `# %%` cells and marimo notebooks
    hint: `nbsync watch DIR` starts to watch a folder
    ");
}

#[test]
fn status_writes_nothing_and_sync_does() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    insta::assert_snapshot!(sandbox.run(&["status"]), @"
    pending   a.py

    1 notebook: 1 pending; no daemon runs
    ");
    assert_eq!(sandbox.files(), ["a.py"]);
    assert_eq!(sandbox.json(&["status", "--json", "--exit-code"]).1, 1);

    insta::assert_snapshot!(sandbox.run(&["sync"]), @"1 notebook: made 2 shadows, all in sync");
    insta::assert_snapshot!(sandbox.run(&["status"]), @"
    synced    a.py  ipynb, marimo

    1 notebook: 1 in sync; no daemon runs
    ");
    assert_eq!(
        sandbox.files(),
        ["__marimo__/nbsync/a.ipynb", "__marimo__/nbsync/a.marimo.py", "a.py"]
    );
    assert_eq!(sandbox.json(&["status", "--json", "--exit-code"]).1, 0);
}

#[test]
fn the_json_is_versioned_and_has_paths_relative_to_the_root() {
    let sandbox = Sandbox::new();
    sandbox.write("sub/a.py", PERCENT);
    let (status, code) = sandbox.json(&["status", "--json"]);
    assert_eq!(code, 0);
    assert_eq!(status["version"], 1);
    assert_eq!(status["root"], sandbox.notebooks().to_str().unwrap());
    assert_eq!(status["daemon"], json!({ "running": false }));
    let notebook = &status["notebooks"][0];
    assert_eq!(notebook["source"], "sub/a.py");
    assert_eq!(notebook["state"], "pending");
    assert_eq!(notebook["replicas"][0]["path"], "sub/a.py");
    assert_eq!(notebook["replicas"][0]["role"], "source");
    assert_eq!(notebook["replicas"][0]["format"], "percent");
}

#[test]
fn check_and_dry_run_write_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    assert!(sandbox.run(&["sync", "--check"]).ends_with("[exit status: 1]\n"));
    let (_, code) = sandbox.json(&["sync", "--dry-run", "--json"]);
    assert_eq!(code, 0);
    assert_eq!(sandbox.files(), ["a.py"]);

    assert_eq!(sandbox.json(&["sync", "--json"]).1, 0);
    assert_eq!(sandbox.json(&["sync", "--check", "--json"]).1, 0);

    sandbox.edit("a.py", "x = 1", "x = 2");
    insta::assert_snapshot!(sandbox.run(&["sync", "--check"]), @"
    a.py  py -> ipynb, marimo.py  1 cell
        cell 2 edited: x = 2
    1 notebook: 1 would change
    [exit status: 1]
    ");
    insta::assert_snapshot!(sandbox.run(&["sync", "--dry-run"]), @"
    a.py  py -> ipynb, marimo.py  1 cell
        cell 2 edited: x = 2
    1 notebook: 1 would change
    ");
    assert!(sandbox.read("__marimo__/nbsync/a.marimo.py").contains("x = 1"));
    insta::assert_snapshot!(sandbox.run(&["sync"]), @"
    a.py  py -> ipynb, marimo.py  1 cell
    1 notebook: 1 changed, all in sync
    ");
    assert!(sandbox.read("__marimo__/nbsync/a.marimo.py").contains("x = 2"));
}

#[test]
fn a_held_notebook_comes_first_with_its_reason() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    sandbox.write("b.py", PERCENT);
    assert!(sandbox.run(&["sync", "-q"]).is_empty());
    sandbox.write("b.py", "<<<<<<< HEAD\n# %%\nx = 1\n");
    insta::assert_snapshot!(sandbox.run(&["status"]), @"
    held      b.py  ipynb, marimo
              `b.py`, line 1: a merge left conflict markers (`<<<<<<<`); resolve them first
    synced    a.py  ipynb, marimo

    2 notebooks: 1 held, 1 in sync; no daemon runs
    ");
    insta::assert_snapshot!(sandbox.run(&["sync"]), @"
    held      b.py  ipynb, marimo
              `b.py`, line 1: a merge left conflict markers (`<<<<<<<`); resolve them first
    2 notebooks: 1 held
    [exit status: 1]
    ");
    insta::assert_snapshot!(sandbox.run(&["status", "-q"]), @"
    held      b.py  ipynb, marimo
              `b.py`, line 1: a merge left conflict markers (`<<<<<<<`); resolve them first
    ");
    assert_eq!(sandbox.json(&["status", "a.py", "--json", "--exit-code"]).1, 0);
    assert_eq!(sandbox.json(&["status", "b.py", "--json", "--exit-code"]).1, 1);
}
