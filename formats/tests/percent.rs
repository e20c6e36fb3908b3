//! Scripts as jupytext itself reads and writes them, from `fixtures/percent`.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use nbsync_formats::{Carry, Cell, CellKind, Notebook, Slot, format};
use serde_json::{Value, json};

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/percent").join(file);
    let text = fs::read_to_string(path).expect("fixtures stand beside this test");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is a case")).collect()
}

fn outline(notebook: &Notebook) -> Value {
    let cells = notebook.cells.iter().map(|cell| {
        json!({"type": cell.kind.as_str(), "source": cell.source, "metadata": cell.metadata})
    });
    Value::Array(cells.collect())
}

fn cell(value: &Value) -> Cell {
    let kind = match value["type"].as_str() {
        Some("markdown") => CellKind::Markdown,
        Some("raw") => CellKind::Raw,
        _ => CellKind::Code,
    };
    let metadata = value["metadata"].as_object().cloned().unwrap_or_default();
    Cell { metadata, ..Cell::new(kind, value["source"].as_str().unwrap_or_default()) }
}

#[test]
fn scripts_are_read_as_by_jupytext() {
    for case in cases("read.jsonl") {
        let text = case["text"].as_str().unwrap();
        let format = format(case["format"].as_str().unwrap().parse().unwrap());
        let document = format.parse(Arc::from(text), case["extension"].as_str().unwrap()).unwrap();
        assert_eq!(outline(document.notebook()), case["cells"], "{}", case["label"]);

        let n_cells = document.notebook().cells.len();
        let slots: Vec<Slot> = (0..n_cells).map(Slot::Keep).collect();
        let same = document.update(&slots, &[], Carry::All).unwrap();
        assert_eq!(&**same.document.text(), text, "{}", case["label"]);
    }
}

#[test]
fn notebooks_are_written_as_by_jupytext() {
    for case in cases("write.jsonl") {
        let format = format(case["format"].as_str().unwrap().parse().unwrap());
        let notebook = Notebook {
            metadata: case["metadata"].as_object().unwrap().clone(),
            cells: case["cells"].as_array().unwrap().iter().map(cell).collect(),
            ..Notebook::default()
        };
        let printed =
            format.print(&notebook, case["extension"].as_str().unwrap(), Carry::All).unwrap();
        assert_eq!(&**printed.document.text(), case["text"].as_str().unwrap(), "{}", case["label"]);
        let origins: Vec<Option<usize>> = (0..notebook.cells.len()).map(Some).collect();
        assert_eq!(printed.origins, origins, "{}", case["label"]);
    }
}
