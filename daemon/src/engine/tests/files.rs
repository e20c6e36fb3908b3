//! Files as editors leave them.

use nbsync_formats::FormatName;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Value, json};

use super::world::replicas;
use crate::sync::pairing::extension;

pub(super) fn indented(value: &Value, indent: &str) -> String {
    let mut text = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut Serializer::with_formatter(&mut text, formatter)).unwrap();
    String::from_utf8(text).unwrap()
}

/// As Jupyter's server prints a notebook, and VS Code with it.
pub(super) fn saved(notebook: &Value) -> String {
    let mut notebook = notebook.clone();
    notebook.sort_all_objects();
    indented(&notebook, " ") + "\n"
}

pub(super) fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut notebook = notebook();
    change(&mut notebook);
    notebook
}

/// A notebook that was run, with keys in no order.
pub(super) fn notebook() -> Value {
    json!({
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "language_info": {
                "version": "3.11.2",
                "name": "python",
                "codemirror_mode": {"version": 3, "name": "ipython"},
                "file_extension": ".py",
                "mimetype": "text/x-python",
                "nbconvert_exporter": "python",
                "pygments_lexer": "ipython3",
            },
            "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"},
            "team": {"owner": "ada"},
        },
        "cells": [
            {
                "id": "text", "cell_type": "markdown", "metadata": {"note": 1},
                "source": ["# Café\n", "\n", "one"],
            },
            {
                "id": "first", "cell_type": "code", "execution_count": 1,
                "metadata": {"collapsed": true, "team": "data"},
                "source": ["x = 1"],
                "outputs": [
                    {"output_type": "stream", "name": "stdout", "text": ["one\n"]},
                    {"output_type": "stream", "name": "stdout", "text": ["two\n"]},
                ],
            },
            {
                "id": "second", "cell_type": "code", "execution_count": 2, "metadata": {},
                "source": ["y = 2 * x\n", "y"],
                "outputs": [{
                    "output_type": "execute_result", "execution_count": 2, "metadata": {},
                    "data": {
                        "text/plain": ["2"],
                        "text/html": ["<b>\n", "2</b>"],
                        "image/png": "iVBORw0KGgo=\n",
                        "application/json": {"z": 1, "a": {"d": 1, "c": "é"}},
                    },
                }],
            },
            {
                "id": "third", "cell_type": "code", "execution_count": 3, "metadata": {},
                "source": ["print(y)"],
                "outputs": [{"output_type": "stream", "name": "stdout", "text": ["2\n"]}],
            },
        ],
    })
}

/// A notebook as marimo writes it.
pub(super) const MARIMO: &str = r#"import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium")


@app.cell
def _():
    x = 1
    return (x,)


@app.cell
def _(x):
    y = 2 * x
    return (y,)


@app.cell
def _(y):
    print(y)
    return


if __name__ == "__main__":
    app.run()
"#;

/// A program in which somebody types.
pub(super) struct Editor {
    pub(super) name: &'static str,
    /// Which files it has open.
    pub(super) format: FormatName,
    /// Replaces something in a text, and returns what is saved.
    pub(super) typed: fn(&str, &str, &str) -> String,
}

pub(super) const EDITORS: [Editor; 4] = [
    Editor { name: "VS Code", format: FormatName::Percent, typed: in_text },
    Editor { name: "VS Code's notebooks", format: FormatName::Ipynb, typed: in_vscode },
    Editor { name: "JupyterLab", format: FormatName::Ipynb, typed: in_jupyterlab },
    Editor { name: "marimo", format: FormatName::Marimo, typed: in_text },
];

impl Editor {
    /// The replica that it has open.
    pub(super) fn file(&self, source: &str) -> String {
        replica(source, self.format)
    }
}

/// The replica of a notebook in this format, of which the source is a percent script or an ipynb.
pub(super) fn replica(source: &str, format: FormatName) -> String {
    let [first, second, marimo] = replicas(source);
    match format {
        FormatName::Marimo => marimo,
        FormatName::Ipynb if extension(first.as_str().into()) != ".ipynb" => second,
        FormatName::Ipynb => first,
        _ if extension(first.as_str().into()) == ".py" => first,
        _ => second,
    }
}

fn in_text(text: &str, before: &str, after: &str) -> String {
    assert!(text.contains(before), "no `{before}` in {text}");
    text.replacen(before, after, 1)
}

/// JupyterLab keeps the count of a cell in which somebody types.
fn in_jupyterlab(text: &str, before: &str, after: &str) -> String {
    saved(&in_notebook(text, before, after, false))
}

/// VS Code resets it, and takes a line break off images.
fn in_vscode(text: &str, before: &str, after: &str) -> String {
    saved(&in_notebook(text, before, after, true)).replace("=\\n\"", "=\"")
}

fn in_notebook(text: &str, before: &str, after: &str, resets_counts: bool) -> Value {
    let mut notebook: Value = serde_json::from_str(text).unwrap();
    let is_it = |cell: &Value| source(cell).contains(before);
    let cell = notebook["cells"].as_array_mut().unwrap().iter_mut().find(|it| is_it(it)).unwrap();
    let typed = source(cell).replacen(before, after, 1);
    cell["source"] = typed.split_inclusive('\n').collect();
    if resets_counts && cell["cell_type"] == "code" {
        cell["execution_count"] = json!(null);
    }
    notebook
}

fn source(cell: &Value) -> String {
    match &cell["source"] {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        text => text.as_str().unwrap().to_owned(),
    }
}
