//! `nbsync convert`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::sandbox::{PERCENT, Sandbox};

#[test]
fn without_an_output_the_result_goes_to_stdout() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    insta::assert_snapshot!(sandbox.run(&["convert", "a.py", "--to", "marimo"]), @r#"
    import marimo

    __generated_with = "0.25.2"
    app = marimo.App()


    @app.cell
    def _():
        import marimo as mo

        return (mo,)


    @app.cell(hide_code=True)
    def _(mo):
        mo.md(r"""
        # Title
        """)
        return


    @app.cell
    def _():
        x = 1
        return (x,)


    @app.cell
    def _(x):
        print(x)
        return


    if __name__ == "__main__":
        app.run()
    "#);
    assert_eq!(sandbox.files(), ["a.py"]);
}

#[test]
fn a_notebook_comes_back_from_every_format() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let marimo_import = "# %%\nimport marimo as mo\n\n";
    for to in ["ipynb", "marimo"] {
        let other = sandbox.run(&["convert", "a.py", "--to", to]);
        let back = sandbox.run_with(&["convert", "-", "--to", "percent"], &other);
        // The header is jupytext's, for a notebook with a kernel. marimo needs a
        // cell for its markdown, which nobody can tell from the user's own.
        let cells = back.find("# %%").map(|start| back[start..].replace(marimo_import, ""));
        assert_eq!(cells.as_deref(), Some(PERCENT), "{to}: {back}");
    }
}

#[test]
fn an_existing_file_is_only_replaced_on_request() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    sandbox.write("a.ipynb", "precious");
    let args = ["convert", "a.py", "--to", "ipynb", "-o", "a.ipynb"];
    insta::assert_snapshot!(sandbox.run(&args), @"
    --- stderr
    error: cannot write `a.ipynb`
    caused by: File exists (os error 17)
    hint: `--force` replaces it
    [exit status: 3]
    ");
    assert_eq!(sandbox.read("a.ipynb"), "precious");

    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    fs::set_permissions(sandbox.path("a.ipynb"), fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(sandbox.run(&[&args[..], &["--force"]].concat()), "");
    let notebook: Value = serde_json::from_str(&sandbox.read("a.ipynb")).unwrap();
    assert_eq!(notebook["cells"].as_array().unwrap().len(), 3);
    assert_eq!(mode(sandbox.path("a.ipynb")), 0o640);
    assert_eq!(sandbox.files(), ["a.ipynb", "a.py"]);
}

#[test]
fn a_link_stays_a_link() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    sandbox.write("real.ipynb", "old");
    std::os::unix::fs::symlink("real.ipynb", sandbox.path("link.ipynb")).unwrap();
    let args = ["convert", "a.py", "--to", "ipynb", "-o", "link.ipynb", "--force"];
    assert_eq!(sandbox.run(&args), "");
    assert!(sandbox.path("link.ipynb").is_symlink());
    assert!(sandbox.read("real.ipynb").contains("nbformat"));
}

#[test]
fn several_notebooks_go_into_a_folder_and_one_that_fails_stops_no_other() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    sandbox.write("b.percent.py", PERCENT);
    sandbox.write("plain.py", "import os\n");
    sandbox.write("bytes.ipynb", b"{\n\n\xff");
    let args = ["convert", "a.py", "b.percent.py", "plain.py", "bytes.ipynb", "--to", "ipynb"];
    insta::assert_snapshot!(sandbox.run(&args), @"
    --- stderr
    error: several notebooks cannot go into one file
    hint: `-o DIR/` names a folder for them
    [exit status: 2]
    ");
    insta::assert_snapshot!(sandbox.run(&[&args[..], &["-o", "out/"]].concat()), @"
    --- stderr
    error: `plain.py` is not a notebook
    hint: nbsync reads `.ipynb` files, scripts with `# %%` cells and marimo notebooks
    hint: `--from` names the format if it is not recognised
    error: cannot read `bytes.ipynb`, line 3: not valid UTF-8
    [exit status: 3]
    ");
    assert_eq!(
        sandbox.files(),
        ["a.py", "b.percent.py", "bytes.ipynb", "out/a.ipynb", "out/b.ipynb", "plain.py"]
    );
}

#[test]
fn what_cannot_be_read_is_an_input_error() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&["convert", "none.py", "--to", "ipynb"]), @"
    --- stderr
    error: cannot read `none.py`
    caused by: No such file or directory (os error 2)
    [exit status: 3]
    ");
    sandbox.write("half.ipynb", "{\n \"cells\": [");
    insta::assert_snapshot!(sandbox.run(&["convert", "half.ipynb", "--to", "percent"]), @"
    --- stderr
    error: cannot read `half.ipynb`
    caused by: line 2: not valid JSON: expected `{`
    [exit status: 3]
    ");
    insta::assert_snapshot!(sandbox.run(&["convert", "half.ipynb", "--to", "word"]), @"
    --- stderr
    error: invalid value 'word' for '--to <FORMAT>'
      [possible values: ipynb, marimo, hydrogen, percent]

    For more information, try '--help'.
    [exit status: 2]
    ");
}

#[test]
fn a_name_cannot_drive_the_terminal() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["convert", "\u{1b}[2J.py", "--to", "ipynb", "--color", "never"]);
    assert!(!output.contains('\u{1b}'), "{output:?}");
    assert!(output.contains("\\u{1b}[2J.py"), "{output:?}");
}

#[test]
fn a_limit_on_file_sizes_is_an_error_and_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", format!("# %%\nx = '{}'\n", "x".repeat(10_000)));
    sandbox.write("old.ipynb", "old");
    let script = "ulimit -f 4; exec \"$0\" convert a.py --to ipynb -o \"$1\" --force";
    for output in ["new.ipynb", "old.ipynb"] {
        let run = Command::new("bash")
            .args(["-c", script, env!("CARGO_BIN_EXE_nbsync"), output])
            .current_dir(sandbox.notebooks())
            .env("HOME", sandbox.home())
            .output()
            .unwrap();
        let stderr = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains("File too large"), "{stderr}");
    }
    assert_eq!(sandbox.files(), ["a.py", "old.ipynb"]);
    assert_eq!(sandbox.read("old.ipynb"), "old");
}

/// A notebook that no other format holds all of.
const RICH: &str = r#"{
 "cells": [
  {"cell_type": "code", "id": "a", "metadata": {"scrolled": true}, "execution_count": 1,
   "outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}], "source": "%time 1"},
  {"cell_type": "raw", "id": "b", "metadata": {}, "source": "raw"}
 ],
 "metadata": {"kernelspec": {"name": "p", "display_name": "P", "language": "python"}},
 "nbformat": 4,
 "nbformat_minor": 5
}
"#;

#[test]
fn check_says_what_a_format_cannot_hold_and_writes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("a.ipynb", RICH);
    insta::assert_snapshot!(sandbox.run(&["convert", "--check", "a.ipynb"]), @"
    a.ipynb -> percent: 5 things lost or changed
      cell 1    code  metadata `scrolled`; a comment there, and back: `%time 1`; 1 output; execution count
      notebook        ids of 2 cells
    a.ipynb -> marimo: 6 things lost or changed
      notebook        metadata `kernelspec`
      cell 1    code  metadata `scrolled`; a comment there, and back: `%time 1`; 1 output; execution count
      notebook        ids of 2 cells
    [exit status: 1]
    ");
    let ignored = ["--ignore", "id,outputs,execution_count", "--ignore", "metadata"];
    let args = [&["convert", "--check", "a.ipynb", "--to", "percent"], &ignored[..]].concat();
    insta::assert_snapshot!(sandbox.run(&args), @"
    a.ipynb -> percent: lossless
      cell 1  code  a comment there, and back: `%time 1`
    ");
    assert_eq!(sandbox.files(), ["a.ipynb"]);
}

#[test]
fn check_as_json_has_every_finding_with_its_cell() {
    let sandbox = Sandbox::new();
    sandbox.write("a.ipynb", RICH);
    let args =
        ["convert", "--check", "--json", "--to", "percent", "a.ipynb", "--ignore", "commented"];
    insta::assert_snapshot!(sandbox.run(&args), @r#"
    {
      "version": 1,
      "checks": [
        {
          "file": "a.ipynb",
          "from": "ipynb",
          "to": "percent",
          "lossless": false,
          "findings": [
            {
              "cell": 1,
              "id": "a",
              "kind": "code",
              "what": "metadata",
              "key": "scrolled"
            },
            {
              "cell": 1,
              "id": "a",
              "kind": "code",
              "what": "id"
            },
            {
              "cell": 1,
              "id": "a",
              "kind": "code",
              "what": "outputs",
              "count": 1
            },
            {
              "cell": 1,
              "id": "a",
              "kind": "code",
              "what": "execution_count"
            },
            {
              "cell": 2,
              "id": "b",
              "kind": "raw",
              "what": "id"
            }
          ]
        }
      ]
    }
    [exit status: 1]
    "#);
}

#[test]
fn check_takes_folders_and_fails_for_what_cannot_be_read() {
    let sandbox = Sandbox::new();
    sandbox.write("sub/a.ipynb", RICH);
    sandbox.write("sub/plain.py", "import os\n");
    sandbox.write("sub/half.ipynb", "{");
    sandbox.write("sub/__marimo__/nbsync/a.percent.py", PERCENT);
    let args = ["convert", "--check", ".", "--to", "ipynb"];
    insta::assert_snapshot!(sandbox.run(&args), @r#"
    ./sub/a.ipynb -> ipynb: lossless
    --- stderr
    error: cannot read `./sub/half.ipynb`
    caused by: line 1: not valid JSON: expected `"`
    [exit status: 3]
    "#);
}

#[test]
fn a_folder_is_converted_into_the_same_folders() {
    let sandbox = Sandbox::new();
    sandbox.write("in/a.py", PERCENT);
    sandbox.write("in/deep/b.ipynb", RICH);
    sandbox.write("in/deep/b.py", PERCENT);
    sandbox.write("in/deep/plain.py", "import os\n");
    insta::assert_snapshot!(sandbox.run(&["convert", "in", "--to", "marimo", "-o", "out/"]), @"
    --- stderr
    error: cannot convert `in/deep/b.py`: `out/deep/b.py` is of another notebook
    [exit status: 3]
    ");
    assert_eq!(
        sandbox.files().iter().filter(|it| it.starts_with("out")).collect::<Vec<_>>(),
        ["out/a.py", "out/deep/b.py"]
    );
}
