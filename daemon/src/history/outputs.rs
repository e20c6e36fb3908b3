//! What running a cell produced, in a few words.

use nbsync_formats::Document;
use serde_json::Value;

use crate::sync::Digest;

/// The outputs of one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CellOutputs {
    /// `2 outputs: text, image/png`.
    pub(super) summary: String,
    /// Of all of them, to see whether they changed.
    pub(super) digest: Digest,
}

/// Returns the outputs of each cell of a document's view, `None` where there are none.
pub(super) fn of_document(document: &dyn Document) -> Vec<Option<CellOutputs>> {
    let cells = &document.notebook().cells;
    let mut res = vec![None; cells.len()];
    let Ok(json) = serde_json::from_str::<Value>(document.text().trim_start_matches('\u{feff}'))
    else {
        return res;
    };
    let mut idx = 0;
    for cell in json.get("cells").and_then(Value::as_array).into_iter().flatten() {
        // Not every cell of the file is one of the view (a PEP 723 block has its own place).
        if cells.get(idx).is_none_or(|view| view.source != source(cell)) {
            continue;
        }
        let outputs = cell.get("outputs").and_then(Value::as_array);
        res[idx] = outputs.filter(|it| !it.is_empty()).map(|it| summarise(it));
        idx += 1;
    }
    res
}

fn source(cell: &Value) -> String {
    match cell.get("source") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

fn summarise(outputs: &[Value]) -> CellOutputs {
    let mut kinds: Vec<String> = Vec::new();
    for output in outputs {
        let kind = kind(output);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let n = outputs.len();
    let noun = if n == 1 { "output" } else { "outputs" };
    let bytes = serde_json::to_vec(outputs).unwrap_or_default();
    CellOutputs { summary: format!("{n} {noun}: {}", kinds.join(", ")), digest: Digest::of(&bytes) }
}

/// What a person would call it: its richest form.
fn kind(output: &Value) -> String {
    match output.get("output_type").and_then(Value::as_str) {
        Some("error") => {
            let name = output.get("ename").and_then(Value::as_str).unwrap_or("error");
            name.to_owned()
        }
        Some("stream") => "text".to_owned(),
        _ => {
            let data = output.get("data").and_then(Value::as_object);
            let mimes = data.into_iter().flat_map(|it| it.keys());
            let best = mimes.max_by_key(|mime| match mime.as_str() {
                "text/plain" => 0,
                it if it.starts_with("text/") => 1,
                _ => 2,
            });
            match best.map(String::as_str) {
                Some("text/plain") | None => "text".to_owned(),
                Some(mime) => mime.to_owned(),
            }
        }
    }
}
