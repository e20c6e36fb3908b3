//! `nbsync doctor`: why a file is or is not synced, and what could not run in it.

use std::fs;

use serde_json::Value;

use crate::sandbox::{PERCENT, Sandbox};

/// A marimo notebook with problems of its own.
const MARIMO: &str = r#"import marimo

__generated_with = "0.25.2"
app = marimo.App()

helper = 1


@app.cell
def first(y):
    x = y
    return (x,)


@app.cell
def _():
    x = 2
    return (x,)


@app.cell
def _():
    y = 3
    return (y,)


if __name__ == "__main__":
    app.run()
"#;

/// `code severity` of all that is known of the only file in a report.
#[track_caller]
fn codes(report: &Value) -> Vec<String> {
    let [file] = report["files"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    let of = |key: &str| file[key].as_array().unwrap().clone();
    let all = of("findings").into_iter().chain(of("diagnostics"));
    all.map(|it| format!("{} {}", it["code"].as_str().unwrap(), it["severity"].as_str().unwrap()))
        .collect()
}

/// Checks what is said of one file, and the exit code.
#[track_caller]
fn check(sandbox: &Sandbox, path: &str, expected: &[&str], code: i32) {
    let (report, exit_code) = sandbox.json(&["doctor", path, "--json"]);
    assert_eq!(
        (codes(&report), exit_code),
        (expected.iter().map(|it| (*it).to_owned()).collect(), code),
        "{path}: {report:#}"
    );
}

#[test]
fn problems_are_named_with_their_lines() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", MARIMO);
    assert!(sandbox.run(&["sync", "-q"]).is_empty());
    insta::assert_snapshot!(sandbox.run(&["doctor", "-q"]), @"
    a.py  synced, copies: __marimo__/nbsync/a.ipynb, __marimo__/nbsync/a.percent.py
      error    multiple-definition  line 11, cell 1 `first`: `x` is defined in cells 1 and 2, so marimo runs none of them; give each its own name, or `_x` if it is used in its cell only
      warning  deletes              line 6: marimo deletes this statement, which is in no cell (before-cells)
      warning  order                line 11, cell 1 `first`: `y` is needed in cell 1, above cell 3, which defines it; a run from top to bottom fails there
    [exit status: 1]
    ");
    insta::assert_snapshot!(sandbox.run(&["status"]), @"
    synced    a.py  ipynb, percent
              3 problems in it; `nbsync doctor` names them

    1 notebook: 1 in sync; no daemon runs
    ");
    let (status, code) = sandbox.json(&["status", "--json", "--exit-code"]);
    assert_eq!((status["notebooks"][0]["problems"].as_u64(), code), (Some(3), 0));
    let (report, code) = sandbox.json(&["doctor", "--json"]);
    assert_eq!((report["version"].as_u64(), code), (Some(1), 1));
    assert_eq!(report["n_notebooks"], 1);
    assert_eq!(report["n_problems"], 3);
    let place = &report["files"][0]["diagnostics"][0]["places"][0];
    assert_eq!(place, &serde_json::json!({"cell": 1, "name": "first", "cell_line": 1, "line": 11}));
}

#[test]
fn a_fine_folder_has_no_problems_with_and_without_a_daemon() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    assert_eq!(sandbox.json(&["doctor", "--json"]).1, 0);
    let daemon = sandbox.watch();
    let (report, code) = sandbox.json(&["doctor", "--json"]);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["daemon"]["pid"], daemon.pid());
    assert_eq!(report["watching"]["folders"], 3);
    assert_eq!(report["file_systems"][0]["method"], "exchange");
    let output = sandbox.run(&["doctor"]);
    assert!(output.contains(&format!("daemon  process {}", daemon.pid())), "{output}");
    assert!(output.ends_with("1 notebook: no problems\n"), "{output}");

    // The probe leaves nothing behind, and a copy is known as one.
    let files = sandbox.files();
    assert_eq!(files, ["__marimo__/nbsync/a.ipynb", "__marimo__/nbsync/a.marimo.py", "a.py"]);
    let (report, _) = sandbox.json(&["doctor", "__marimo__/nbsync/a.ipynb", "--json"]);
    assert_eq!(report["files"][0]["role"], "shadow");
    assert_eq!(report["files"][0]["notebook"]["source"], "a.py");
}

#[test]
fn every_reason_to_leave_a_file_alone_has_a_name() {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", "*.tmp.py\nbuild/\n");
    sandbox.write("nbsync.toml", "exclude = [\"drafts\", \"skip.py\"]\nmax_size = \"1KiB\"\n");
    for name in [
        "x.tmp.py",
        "build/a.py",
        "drafts/a.py",
        "skip.py",
        ".hidden.py",
        "a.txt",
        "env/a.py",
        "env/pyvenv.cfg",
        "node_modules/a.py",
        "__marimo__/a.py",
    ] {
        sandbox.write(name, PERCENT);
    }
    sandbox.write("plain.py", "x = 1\n");
    sandbox.write("empty.py", "");
    sandbox.write("large.py", format!("{PERCENT}# {}\n", "x".repeat(2000)));
    sandbox.write("same.py", PERCENT);
    sandbox.write("same.ipynb", "{}");
    std::os::unix::fs::symlink("/etc/hostname", sandbox.path("link.py")).unwrap();
    for (path, code) in [
        ("x.tmp.py", "git-ignored warning"),
        ("build/a.py", "folder warning"),
        ("drafts/a.py", "folder warning"),
        ("skip.py", "excluded warning"),
        (".hidden.py", "hidden warning"),
        ("a.txt", "extension warning"),
        ("env/a.py", "folder warning"),
        ("node_modules/a.py", "folder warning"),
        ("__marimo__/a.py", "folder warning"),
        ("link.py", "left-alone warning"),
        ("large.py", "too-large warning"),
        ("same.py", "held error"),
        ("missing.py", "absent warning"),
    ] {
        check(&sandbox, path, &[code], 1);
    }
    check(&sandbox, "plain.py", &["plain-script note"], 0);
    check(&sandbox, "empty.py", &["empty note"], 0);
    let reason = |path: &str| {
        let (report, _) = sandbox.json(&["doctor", path, "--json"]);
        report["files"][0]["findings"][0]["message"].as_str().unwrap().to_owned()
    };
    let ignored = reason("x.tmp.py");
    assert!(ignored.contains("`*.tmp.py`") && ignored.contains(".gitignore`"), "{ignored}");
    assert!(reason("build/a.py").contains("git ignores it, by `build/`"));
    assert!(reason("drafts/a.py").contains("`exclude`"));
    assert!(reason("env/a.py").contains("a Python environment"));
    assert!(reason("__marimo__/a.py").contains("marimo's own"));
}

#[test]
fn a_file_of_another_folder_is_outside() {
    let sandbox = Sandbox::new();
    sandbox.write("a/x.py", PERCENT);
    sandbox.write("b/x.py", PERCENT);
    let (report, code) = sandbox.json(&["doctor", "--root", "a", "b/x.py", "--json"]);
    assert_eq!((codes(&report), code), (vec!["outside warning".to_owned()], 1));
}

#[test]
fn a_held_notebook_says_why() {
    let sandbox = Sandbox::new();
    sandbox.write("a.ipynb", "{\"cells\": [");
    check(&sandbox, "a.ipynb", &["held error"], 1);
    let output = sandbox.run(&["doctor", "a.ipynb"]);
    assert!(output.starts_with("a.ipynb  held\n  error    held"), "{output}");
    assert!(output.contains("not valid JSON"), "{output}");
}

#[test]
fn other_tools_that_write_a_file_are_named() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "a.py",
        format!(
            "# ---\n# jupyter:\n#   jupytext:\n#     formats: ipynb,py:percent\n# ---\n\n{PERCENT}"
        ),
    );
    sandbox.write("b.py", MARIMO.replace("App()", "App(auto_download=[\"html\"])"));
    sandbox.write("__marimo__/session/b.py.json", "{}");
    sandbox.write(".ipynb_checkpoints/a-checkpoint.ipynb", "{}");
    fs::hard_link(sandbox.path("a.py"), sandbox.path("same.txt")).unwrap();
    let findings = |path: &str| {
        let (report, _) = sandbox.json(&["doctor", path, "--json"]);
        let findings = report["files"][0]["findings"].as_array().unwrap().clone();
        let mut codes: Vec<String> =
            findings.iter().map(|it| it["code"].as_str().unwrap().to_owned()).collect();
        codes.sort();
        codes.dedup();
        codes
    };
    let a = findings("a.py");
    for code in ["in-place", "jupyter", "jupytext"] {
        assert!(a.iter().any(|it| it == code), "{code}: {a:?}");
    }
    let b = findings("b.py");
    for code in ["marimo-export", "marimo-session"] {
        assert!(b.iter().any(|it| it == code), "{code}: {b:?}");
    }
}
