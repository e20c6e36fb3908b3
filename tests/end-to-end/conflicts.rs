//! `nbsync conflicts` and `nbsync resolve`, with and without a daemon.

use crate::sandbox::{Daemon, PERCENT, Sandbox};

const IPYNB: &str = "__marimo__/nbsync/a.ipynb";
const MARIMO: &str = "__marimo__/nbsync/a.marimo.py";
const FILE: &str = "__marimo__/nbsync/a.conflict-1.py";

/// Two edits of one line, in the source and in another copy.
fn in_conflict(with_daemon: bool) -> (Sandbox, Option<Daemon>) {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    sandbox.edit("a.py", "x = 1", "x = 10");
    sandbox.edit(MARIMO, "x = 1", "x = 20");
    let daemon = with_daemon.then(|| sandbox.watch());
    let how = if with_daemon { "flush" } else { "sync" };
    assert_eq!(sandbox.json(&[how, "--json"]).1, 1);
    (sandbox, daemon)
}

/// Snapshots with times taken out.
macro_rules! assert_output {
    ($output:expr, @$expected:literal) => {
        insta::with_settings!({filters => vec![
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[TIME]"),
            (r"watched by process \d+", "watched by process [PID]"),
        ]}, {
            insta::allow_duplicates! { insta::assert_snapshot!($output, @$expected); }
        });
    };
}

#[test]
fn a_conflict_is_listed_with_both_versions() {
    for with_daemon in [true, false] {
        let (sandbox, _daemon) = in_conflict(with_daemon);
        assert_output!(sandbox.run(&["conflicts"]), @"
        conflict  a.py  cell 2: the text of a cell; the other version is in cell 3 and `__marimo__/nbsync/a.conflict-1.py`
            source  x = 10  a.py, [TIME]
            other   x = 20  __marimo__/nbsync/a.marimo.py, [TIME]
        `nbsync resolve NOTEBOOK [CELL] --take source|other|both` decides, or delete the extra cell
        [exit status: 1]
        ");
        let (report, code) = sandbox.json(&["conflicts", IPYNB, "--json"]);
        assert_eq!(code, 1);
        assert_eq!(report["conflicts"][0]["cell"], 2);
        assert_eq!(report["conflicts"][0]["other"]["line"], "x = 20");
        assert_eq!(sandbox.read(FILE), "x = 20\n");
        assert!(!sandbox.read("a.py").contains("<<<<"));
        let status = sandbox.run(&["status", "-q"]);
        assert_output!(status, @"
        conflict  a.py  ipynb, marimo
                  two edits of one thing: cell 3 holds the other version; `nbsync resolve a.py` decides, or delete that cell
        ");
    }
}

#[test]
fn resolve_takes_what_it_is_told_to() {
    for with_daemon in [true, false] {
        for (take, is_10, is_20) in
            [("source", true, false), ("other", false, true), ("both", true, true)]
        {
            let (sandbox, _daemon) = in_conflict(with_daemon);
            let output = sandbox.run(&["resolve", IPYNB, "2", "--take", take]);
            let expected = format!(
                "a.py  took {take}; no conflict left; `nbsync undo a.py` takes that back\n"
            );
            assert_eq!(output, expected);
            for path in ["a.py", IPYNB, MARIMO] {
                let text = sandbox.read(path);
                assert_eq!(text.contains("x = 10"), is_10, "{path}: {text}");
                assert_eq!(text.contains("x = 20"), is_20, "{path}: {text}");
                assert!(!text.contains("nbsync"), "{path}: {text}");
            }
            assert!(!sandbox.files().contains(&FILE.to_owned()));
            assert_eq!(sandbox.run(&["conflicts"]), "no conflicts\n");
            assert_eq!(sandbox.json(&["status", "--json", "--exit-code"]).1, 0);
        }
    }
}

#[test]
fn deleting_the_cell_by_hand_resolves_too() {
    let (sandbox, _daemon) = in_conflict(true);
    let text = sandbox.read("a.py");
    let start = text.find("# %% [markdown] tags=").unwrap();
    let end = start + text[start..].find("# %%\n").unwrap();
    sandbox.write("a.py", format!("{}{}", &text[..start], &text[end..]));
    assert_eq!(sandbox.json(&["flush", "--json"]).1, 0);
    assert!(!sandbox.read(MARIMO).contains("x = 20"));
    assert!(!sandbox.files().contains(&FILE.to_owned()));
    // It is still in the history.
    assert!(sandbox.run(&["show", "a.py@~1"]).contains("x = 20"));
}

#[test]
fn what_cannot_be_resolved_says_why() {
    let (sandbox, _) = in_conflict(false);
    assert_output!(sandbox.run(&["resolve", "a.py", "1", "--take", "other"]), @"
    --- stderr
    error: cell 1 of `a.py` has no conflict
    hint: `nbsync conflicts` lists all conflicts
    [exit status: 2]
    ");
    assert_output!(sandbox.run(&["resolve", "b.py", "--take", "other"]), @"
    --- stderr
    error: `b.py` is not a notebook
    hint: `nbsync conflicts` lists all conflicts
    [exit status: 2]
    ");
    sandbox.edit("a.py", "# ```python\n", "");
    sandbox.edit("a.py", "# ```\n", "");
    assert_output!(sandbox.run(&["resolve", "a.py", "--take", "other"]), @"
    --- stderr
    error: cannot take the other version in cell 3 of `a.py`: the cell no longer has the other version between its fences
    hint: copy what you need from the cell, and delete it; or `--take source`
    [exit status: 2]
    ");
    assert_eq!(sandbox.json(&["resolve", "a.py", "--take", "source", "--json"]).1, 0);
}
