//! `nbsync log`, `diff`, `show`, `restore` and `undo`, with and without a daemon.

use std::fs;

use serde_json::Value;

use crate::sandbox::{Daemon, PERCENT, Sandbox};

const IPYNB: &str = "__marimo__/nbsync/a.ipynb";
const MARIMO: &str = "__marimo__/nbsync/a.marimo.py";
const REPLICAS: [&str; 3] = ["a.py", IPYNB, MARIMO];

/// A notebook with two edits, the second in its marimo shadow.
fn edited(with_daemon: bool) -> (Sandbox, Option<Daemon>, Vec<[String; 3]>) {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let daemon = with_daemon.then(|| sandbox.watch());
    let bring = || {
        let how = if with_daemon { "flush" } else { "sync" };
        assert_eq!(sandbox.run(&[how, "-q"]), "");
        REPLICAS.map(|replica| sandbox.read(replica))
    };
    let mut texts = vec![bring()];
    sandbox.edit("a.py", "x = 1", "x = 10");
    texts.push(bring());
    sandbox.edit(MARIMO, "print(x)", "print(x + 1)");
    texts.push(bring());
    (sandbox, daemon, texts)
}

fn both(test: impl Fn(&Sandbox, &[[String; 3]])) {
    for with_daemon in [true, false] {
        let (sandbox, _daemon, texts) = edited(with_daemon);
        test(&sandbox, &texts);
    }
}

#[track_caller]
fn versions(sandbox: &Sandbox, path: &str) -> Vec<Value> {
    let (log, code) = sandbox.json(&["log", path, "--json"]);
    assert_eq!((code, &log["version"]), (0, &Value::from(1)));
    log["versions"].as_array().unwrap().clone()
}

/// Snapshots with ids and times taken out.
macro_rules! assert_output {
    ($output:expr, @$expected:literal) => {
        insta::with_settings!({filters => vec![
            (r"\b[k-z]{8}\b", "[ID]"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[TIME]"),
        ]}, {
            insta::allow_duplicates! { insta::assert_snapshot!($output, @$expected); }
        });
    };
}

#[test]
fn log_lists_one_line_a_step() {
    both(|sandbox, _| {
        for path in REPLICAS {
            assert_output!(sandbox.run(&["log", path]), @"
            [ID]  [TIME]  marimo.py   cell 3 edited: print(x + 1)
            [ID]  [TIME]  py          cell 2 edited: x = 10
            [ID]  [TIME]  first seen  3 cells
            ");
        }
        assert_output!(sandbox.run(&["log", "-n", "1"]), @"
        [ID]  [TIME]  a.py  marimo.py  cell 3 edited: print(x + 1)
        2 older; `-n 0` lists all
        ");
        let log = versions(sandbox, "a.py");
        assert_eq!(log[0]["what"], "edit");
        assert_eq!(log[0]["from"], serde_json::json!([MARIMO]));
        assert_eq!(log[0]["cells"], 1);
        assert!(log[0]["time"].as_str().unwrap().ends_with('Z'));
        assert_eq!(log[2]["what"], "found");
    });
}

#[test]
fn show_prints_every_version_of_every_copy() {
    both(|sandbox, texts| {
        let log = versions(sandbox, "a.py");
        for (n, texts) in texts.iter().rev().enumerate() {
            for (path, text) in REPLICAS.iter().zip(texts) {
                assert_eq!(sandbox.run(&["show", &format!("{path}@~{n}")]), *text);
                let id = &log[n]["id"].as_str().unwrap()[..6];
                assert_eq!(sandbox.run(&["show", &format!("{path}@{id}")]), *text);
            }
        }
        let shown = sandbox.run(&["show", "a.py@~2", "--to", "marimo"]);
        assert_eq!(shown, texts[0][2]);
        let shown = sandbox.run(&["show", "a.py@~2", "--to", "hydrogen"]);
        assert!(shown.contains("x = 1\n"), "{shown}");
        // All of this happened a moment ago.
        assert!(sandbox.run(&["show", "a.py@0s"]).contains("x = 10"));
        assert!(sandbox.run(&["show", "a.py@1d"]).ends_with("[exit status: 2]\n"));
    });
}

#[test]
fn diff_is_by_cell() {
    both(|sandbox, _| {
        assert_output!(sandbox.run(&["diff", "a.py"]), @"
        a.py  [ID] ([TIME]) -> [ID] ([TIME])

        cell 3  code: print(x + 1)
          - print(x)
          + print(x + 1)
        ");
        assert_output!(sandbox.run(&["diff", &format!("{IPYNB}@~2"), "@~1"]), @"
        a.py  [ID] ([TIME]) -> [ID] ([TIME])

        cell 2  code: x = 10
          - x = 1
          + x = 10
        ");
        let (diff, code) = sandbox.json(&["diff", "a.py@~2", "--json"]);
        assert_eq!(code, 0);
        let changed: Vec<&Value> =
            diff["cells"].as_array().unwrap().iter().map(|it| &it["after"]).collect();
        assert_eq!(changed, [2, 3]);
    });
}

#[test]
fn diff_is_in_colour_where_that_is_wanted() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    sandbox.edit("a.py", "print(x)", "print(x, '\x1b[2J')\ny = 2");
    sandbox.edit("a.py", "x = 1", "x = 10");
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    let shown = |args: &[&str], is_terminal, env| {
        sandbox.stdout(&[&["diff", "a.py"], args].concat(), is_terminal, env)
    };
    let plain = shown(&[], false, &[]);
    assert!(!plain.contains('\x1b'), "{plain:?}");
    let coloured = shown(&[], true, &[]);
    assert_output!(coloured.replace('\x1b', "^"), @r"
    a.py  [ID] ([TIME]) -> [ID] ([TIME])

    ^[1m^[36mcell 2^[0m^[2m^[0m  code: x = 10
      ^[31m- x = 1^[0m
      ^[32m+ x = 10^[0m

    ^[1m^[36mcell 3^[0m^[2m^[0m  code: print(x, '\u{1b}[2J')
      ^[31m- print(x)^[0m
      ^[32m+ print(x, '\u{1b}[2J')^[0m
      ^[32m+ y = 2^[0m
    ");
    let without: String = {
        let mut parts = coloured.split('\x1b');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + part.split_once('m').map_or("", |it| it.1))
    };
    assert_eq!(without, plain, "colours change no text");
    for (args, is_terminal, env, expected) in [
        (&[][..], true, &[("NO_COLOR", "1")][..], &plain),
        (&[], true, &[("TERM", "dumb")], &plain),
        (&["--color", "never"], true, &[], &plain),
        (&["--color", "never"], true, &[("CLICOLOR_FORCE", "1")], &plain),
        (&[], false, &[("CLICOLOR_FORCE", "1")], &coloured),
        (&["--color", "always"], false, &[], &coloured),
        (&["--color", "always"], false, &[("NO_COLOR", "1")], &coloured),
    ] {
        assert_eq!(&shown(args, is_terminal, env), expected, "{args:?} {is_terminal} {env:?}");
    }
    // Programs get no colours, whatever is wanted for people.
    let json = shown(&["--json", "--color", "always"], true, &[]);
    assert!(!json.contains('\x1b'), "{json:?}");
}

#[test]
fn diff_shows_outputs_as_a_summary() {
    let sandbox = Sandbox::new();
    sandbox.write("a.ipynb", fs::read_to_string(example("dice.ipynb")).unwrap());
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    sandbox.edit(
        "a.ipynb",
        "\"output_type\": \"stream\"",
        "\"output_type\": \"error\", \"ename\": \"KeyError\", \"evalue\": \"\", \"traceback\": []",
    );
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    let diff = sandbox.run(&["diff", "a.ipynb"]);
    assert!(diff.contains("KeyError"), "{diff}");
    let log = sandbox.run(&["log", "a.ipynb", "-n", "1"]);
    assert!(log.contains("outputs or formatting"), "{log}");
}

fn example(name: &str) -> String {
    format!("{}/../examples/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn restore_brings_all_copies_back_and_undo_takes_it_back() {
    both(|sandbox, texts| {
        let now = || REPLICAS.map(|replica| sandbox.read(replica));
        let output = sandbox.run(&["restore", "a.py@~2"]);
        assert_output!(output, @"
        a.py  restored [ID] of [TIME] (first seen: 3 cells)
        wrote py, ipynb, marimo.py, 2 cells; `nbsync undo a.py` takes that back
        ");
        assert_eq!(now(), texts[0]);
        assert_eq!(sandbox.json(&["status", "--json", "--exit-code"]).1, 0);
        assert_output!(sandbox.run(&["undo", IPYNB]), @"
        a.py  took back [ID] of [TIME] (restored [ID]: cell 2 edited: x = 1 (and 1 more))
        wrote py, ipynb, marimo.py, 2 cells; `nbsync undo a.py` takes that back
        ");
        assert_eq!(now(), texts[2]);
        assert_eq!(sandbox.run(&["undo", "-q"]), "");
        assert_eq!(now(), texts[0]);
        let what: Vec<Value> =
            versions(sandbox, "a.py").iter().map(|it| it["what"].clone()).collect();
        assert_eq!(what, ["undo", "undo", "restore", "edit", "edit", "found"]);
        // What was there already needs no write.
        let output = sandbox.run(&["restore", "a.py@~0"]);
        assert!(output.contains("nothing to write"), "{output}");
    });
}

#[test]
fn edit_that_nobody_has_synced_is_in_the_history_after_a_restore() {
    let (sandbox, _, texts) = edited(false);
    sandbox.edit("a.py", "x = 10", "x = 4711");
    assert_eq!(sandbox.run(&["restore", "-q", "a.py@~1"]), "");
    // The edit became the newest revision first, so that one step before it was meant.
    assert_eq!(sandbox.read("a.py"), texts[2][0]);
    assert!(sandbox.run(&["show", "a.py@~1"]).contains("x = 4711"));
}

#[test]
fn deleted_notebook_comes_back_by_its_name_or_a_shadows() {
    for (with_daemon, name) in [(true, "a.py"), (false, IPYNB)] {
        let (sandbox, _daemon, texts) = edited(with_daemon);
        fs::remove_file(sandbox.path("a.py")).unwrap();
        let how = if with_daemon { "flush" } else { "sync" };
        let gone = sandbox.run(&[how, "-q"]);
        assert_eq!(gone, "");
        assert!(sandbox.files().is_empty(), "{:?}", sandbox.files());
        assert_eq!(sandbox.run(&["restore", "-q", &format!("{name}@")]), "");
        assert_eq!(REPLICAS.map(|replica| sandbox.read(replica)), texts[2]);
        assert_eq!(sandbox.json(&["status", "--json", "--exit-code"]).1, 0);
    }
}

#[test]
fn what_could_not_be_read_is_listed_and_shown() {
    let (sandbox, _daemon, texts) = edited(true);
    sandbox.write("a.py", "<<<<<<< HEAD\nx = 4711\n");
    assert_eq!(sandbox.json(&["flush", "--json"]).1, 1);
    let log = sandbox.run(&["log", "a.py", "-n", "1"]);
    assert!(log.contains("py (kept)") && log.contains("conflict markers"), "{log}");
    let id = &log[..8];
    assert_eq!(sandbox.run(&["show", &format!("a.py@{id}")]), "<<<<<<< HEAD\nx = 4711\n");
    assert_eq!(sandbox.run(&["restore", "-q", "a.py@~0"]), "");
    assert_eq!(sandbox.read("a.py"), texts[2][0]);
    assert_eq!(sandbox.json(&["status", "--json", "--exit-code"]).1, 0);
}

#[test]
fn what_is_not_there_is_an_error_that_helps() {
    let (sandbox, _, _) = edited(false);
    assert_output!(sandbox.run(&["show", "b.py@~1"]), @"
    --- stderr
    error: `b.py` has no history
    hint: there is one of `a.py`
    [exit status: 2]
    ");
    assert_output!(sandbox.run(&["restore", "a.py"]), @"
    --- stderr
    error: which version of `a.py`?
    hint: `a.py@~1` is the one before the newest; `nbsync log` lists all
    [exit status: 2]
    ");
    assert_output!(sandbox.run(&["restore", "a.py@7x"]), @"
    --- stderr
    error: `@7x` does not name a version
    hint: an id from `nbsync log` (`@kxqv`), a number of steps back (`@~2`), an age (`@90min`, `@2h`, `@3d`) or a time (`@10:30`, `@2026-11-21`, `@2026-11-21T10:30`)
    [exit status: 2]
    ");
    let unknown = sandbox.run(&["diff", "a.py@kkkkkkkkkkkk"]);
    assert!(unknown.contains("the nearest is `"), "{unknown}");
    assert!(unknown.ends_with("[exit status: 2]\n"), "{unknown}");
    let output = sandbox.run(&["show", "a.py@~9"]);
    assert!(output.contains("has 3 revisions"), "{output}");
    let sandbox = Sandbox::new();
    assert_output!(sandbox.run(&["log"]), @"no versions yet");
    assert_output!(sandbox.run(&["undo"]), @"
    --- stderr
    error: there is nothing to take back
    hint: `nbsync log` lists all versions of all notebooks
    [exit status: 2]
    ");
}

#[test]
fn old_versions_go_as_configured() {
    let sandbox = Sandbox::new();
    sandbox.write("nbsync.toml", "[history]\nmax_age = \"1d\"\nmin_version = 3\n");
    sandbox.write("a.py", PERCENT);
    assert_output!(sandbox.run(&["sync"]), @"
    --- stderr
    error: cannot use `[DIR]/nbsync.toml`, line 3
    caused by: unknown key `history.min_version`; did you mean `min_versions`?
    [exit status: 2]
    ");
}
