//! What marimo has no place for survives edits in a marimo copy.

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const SHADOW: &str = "__marimo__/nbsync/a.marimo.py";

fn notebook(cells: &[Value]) -> String {
    let metadata = json!({"kernelspec": {"display_name": "P", "language": "python", "name": "p"}});
    let notebook =
        json!({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5});
    serde_json::to_string_pretty(&notebook).unwrap()
}

fn code(id: &str, source: &str) -> Value {
    json!({
        "cell_type": "code", "execution_count": 7, "id": id, "metadata": {"collapsed": true},
        "outputs": [{"name": "stdout", "output_type": "stream", "text": [format!("{id}\n")]}],
        "source": source
    })
}

/// Makes the marimo copy of a notebook, edits its last cell, and checks that
/// nothing else changes in the notebook.
#[track_caller]
fn check(cells: &[Value], in_shadow: &[&str]) {
    let sandbox = Sandbox::new();
    let mut cells = cells.to_vec();
    cells.push(code("last", "last = 1"));
    let text = notebook(&cells);
    sandbox.write("a.ipynb", &text);
    assert!(sandbox.run(&["sync", "-q"]).is_empty());
    let shadow = sandbox.read(SHADOW);
    for part in in_shadow {
        assert!(shadow.contains(part), "`{part}` is not in\n{shadow}");
    }
    sandbox.edit(SHADOW, "last = 1", "last = 2");
    assert!(sandbox.run(&["sync", "-q"]).is_empty());
    assert_eq!(sandbox.read("a.ipynb"), text.replace("last = 1", "last = 2"));
}

#[test]
fn raw_cells_are_comments() {
    let raw = json!({
        "cell_type": "raw", "id": "raw", "metadata": {"format": "text/latex"}, "source": "\\a\n\n  b"
    });
    check(&[raw], &["    # Cell type: raw\n    # \\a\n    #\n    #   b\n"]);
}

#[test]
fn attachments_stay() {
    let cell = json!({
        "attachments": {"a.png": {"image/png": "iVBORw0KGgo="}}, "cell_type": "markdown",
        "id": "m", "metadata": {}, "source": "# A  \n\n![a](attachment:a.png)\n"
    });
    check(&[cell], &["    # A\n\n    ![a](attachment:a.png)\n"]);
}

#[test]
fn empty_cells_stay() {
    let markdown = json!({"cell_type": "markdown", "id": "m", "metadata": {}, "source": []});
    let raw = json!({"cell_type": "raw", "id": "r", "metadata": {}, "source": ""});
    check(
        &[code("a", ""), markdown, raw, code("b", "\n\n"), code("c", "  ")],
        &["# Cell type: raw"],
    );
}

#[test]
fn tags_and_other_metadata_stay() {
    let mut cell = code("a", "x = 1");
    cell["metadata"] = json!({
        "tags": ["parameters", "remove-input"], "slideshow": {"slide_type": "slide"},
        "jupyter": {"source_hidden": true}, "unknown": [1.0, null]
    });
    check(&[cell], &["    x = 1\n"]);
}

#[test]
fn names_of_several_cells_stay() {
    let cells = [code("a", "x = 1"), code("b", "x += 1\ndef f(): return x"), code("c", "x = f()")];
    check(&cells, &["    x = 1\n    return", "def f(): return x"]);
}

#[test]
fn magics_are_comments_that_come_back() {
    check(
        &[
            code("a", "%matplotlib inline\nimport os\n"),
            code("b", "%%bash\nls -l\n# x\n"),
            code("c", "files = !ls\nfiles?"),
            code("d", "ls -l"),
            code("e", "if True:\n    !pip install \\\n      a\n    %time x = 1"),
            code("f", "# %time is a magic"),
        ],
        &["    # %matplotlib inline\n", "    # %%bash\n    # ls -l\n", "files = !ls"],
    );
}

#[test]
fn what_python_cannot_compile_stays() {
    check(
        &[code("a", "x = ("), code("b", "from os import *"), code("c", "return 1")],
        &["app._unparsable_cell("],
    );
}

#[test]
fn code_that_marimo_would_show_as_markdown_stays_code() {
    let cells = [
        code("a", "import marimo as mo"),
        code("b", "# above\nmo.md(r\"\"\"\n# A\n\"\"\")"),
        code("c", "mo.md('a', b=1)"),
        code("d", "mo.md(f'{last}')"),
        code("e", "mo.md('\\\\(x\\\\)')"),
    ];
    check(&cells, &["    # above\n", "mo.md('a', b=1)", "mo.md(f'{last}')"]);
}
