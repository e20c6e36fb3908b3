//! What becomes of outputs when the source of a cell is edited (key `outputs`).

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const PERCENT: &str = "__marimo__/nbsync/a.percent.py";

/// A notebook of two cells that were run, as Jupyter writes it.
fn notebook() -> String {
    let cell = |no: usize, source: &str| {
        let output =
            json!({"name": "stdout", "output_type": "stream", "text": [format!("ran {no}\n")]});
        json!({
            "cell_type": "code", "execution_count": no, "id": format!("cell-{no}"),
            "metadata": {}, "outputs": [output], "source": [source],
        })
    };
    let cells = [cell(1, "x = 1"), cell(2, "y = 2")];
    let notebook = json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5});
    format!("{notebook:#}\n")
}

/// The sources of the cells, and whether each has outputs and a count.
fn cells(sandbox: &Sandbox) -> Vec<(String, bool, bool)> {
    let notebook: Value = serde_json::from_str(&sandbox.read("a.ipynb")).unwrap();
    let cells = notebook["cells"].as_array().unwrap().iter();
    cells
        .map(|it| {
            let has_outputs = !it["outputs"].as_array().unwrap().is_empty();
            (
                it["source"][0].as_str().unwrap().to_owned(),
                has_outputs,
                !it["execution_count"].is_null(),
            )
        })
        .collect()
}

#[test]
fn outputs_of_an_edited_cell_stay_or_go() {
    for (policy, edited, other) in
        [("keep", true, true), ("clear-edited", false, true), ("strip", false, false)]
    {
        let sandbox = Sandbox::new();
        sandbox.write("nbsync.toml", format!("outputs = \"{policy}\"\n"));
        sandbox.write("a.ipynb", notebook());
        let _daemon = sandbox.watch();
        let strips = policy == "strip";
        assert_eq!(cells(&sandbox)[0], ("x = 1".to_owned(), !strips, !strips), "{policy}");
        sandbox.edit(PERCENT, "x = 1", "x = 1000");
        assert_eq!(sandbox.json(&["flush", "--json"]).1, 0);
        let expected =
            [("x = 1000".to_owned(), edited, edited), ("y = 2".to_owned(), other, other)];
        assert_eq!(cells(&sandbox), expected, "{policy}");
    }
}

#[test]
fn a_run_of_a_stripped_notebook_is_stripped_and_kept() {
    let sandbox = Sandbox::new();
    sandbox.write("nbsync.toml", "outputs = \"strip\"\n");
    sandbox.write("a.ipynb", notebook().replace("ran 1", "first"));
    let _daemon = sandbox.watch();
    let percent = sandbox.read(PERCENT);
    // Somebody runs it in Jupyter.
    sandbox.write("a.ipynb", notebook());
    assert_eq!(sandbox.json(&["flush", "--json"]).1, 0);
    let bare = |source: &str| (source.to_owned(), false, false);
    assert_eq!(cells(&sandbox), [bare("x = 1"), bare("y = 2")]);
    assert_eq!(sandbox.read(PERCENT), percent);
    // It stays so.
    assert_eq!(sandbox.json(&["flush", "--json"]).0["propagated"], json!([]));
    // What was replaced is on its way into the history.
    let replaced = sandbox.path("__marimo__/nbsync/.displaced");
    let texts = std::fs::read_dir(replaced).unwrap().map(|it| it.unwrap().path());
    let texts: Vec<String> =
        texts.filter(|it| it.is_file()).map(|it| std::fs::read_to_string(it).unwrap()).collect();
    assert!(texts.iter().any(|it| it.contains("ran 1")), "{texts:?}");
    assert!(texts.iter().any(|it| it.contains("first")), "{texts:?}");
}

#[test]
fn stripped_outputs_live_on() {
    let sandbox = Sandbox::new();
    sandbox.write("nbsync.toml", "outputs = \"strip\"\n");
    sandbox.write("a.ipynb", notebook().replace("ran 1", "first"));
    let daemon = sandbox.watch();
    // Somebody runs it in Jupyter, which then saves what was stripped.
    sandbox.write("a.ipynb", notebook());
    drop(sandbox.run(&["flush"]));
    let bare = sandbox.read("a.ipynb");
    sandbox.write("a.ipynb", bare.replace("x = 1", "x = 10"));
    drop(sandbox.run(&["flush"]));
    sandbox.edit(PERCENT, "x = 10", "x = 1000");
    drop(sandbox.run(&["flush"]));
    let expected = notebook().replace("x = 1", "x = 1000");
    let shown = || sandbox.run(&["show", "a.ipynb", "--to", "ipynb"]);
    assert_eq!(shown(), expected);
    assert_eq!(sandbox.run(&["show", "a.ipynb"]), sandbox.read("a.ipynb"));
    // The version before the last run has what was left then.
    let first = sandbox.run(&["show", "a.ipynb@~3", "--to", "ipynb"]);
    assert_eq!(first, notebook().replace("ran 1", "first"));
    daemon.kill();
    let daemon = sandbox.watch();
    assert_eq!(shown(), expected);
    assert!(cells(&sandbox).iter().all(|(_, has_outputs, _)| !has_outputs));
    // They come back into the file once they may.
    daemon.kill();
    sandbox.write("nbsync.toml", "");
    let _daemon = sandbox.watch();
    drop(sandbox.run(&["flush"]));
    assert_eq!(sandbox.read("a.ipynb"), expected);
}

#[test]
fn a_notebook_is_stripped_as_soon_as_it_is_to_be() {
    let sandbox = Sandbox::new();
    sandbox.write("a.ipynb", notebook());
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    sandbox.write("nbsync.toml", "outputs = \"strip\"\n");
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    let bare = |source: &str| (source.to_owned(), false, false);
    assert_eq!(cells(&sandbox), [bare("x = 1"), bare("y = 2")]);
    assert_eq!(sandbox.run(&["show", "a.ipynb", "--to", "ipynb"]), notebook());
}
