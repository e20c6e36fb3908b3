//! The `marimo` key of nbformat metadata, as marimo's converter uses it
//! (`marimo 0.25.2 convert`, `export ipynb`).
//!
//! In the model its content is flat and free of defaults; in metadata it is
//! `{"config": {...}, "md_prefix": ..., "name": ...}` for a cell and
//! `{"app_config": {...}, "header": ...}` for a notebook.

use serde_json::{Map, Value};

use crate::CellKind;

const KEY: &str = "marimo";

/// Takes the key out of a cell's metadata.
pub(crate) fn take_from_cell(
    metadata: &mut Map<String, Value>,
    kind: CellKind,
) -> Map<String, Value> {
    let mut flat = Map::new();
    match metadata.shift_remove(KEY) {
        Some(Value::Object(stored)) => {
            // marimo takes a cell with the key but without `hide_code` as shown.
            let mut hide_code = Value::Bool(false);
            for (key, value) in stored {
                match value {
                    Value::Object(config) if key == "config" => {
                        for (key, value) in config {
                            if key == "hide_code" {
                                hide_code = value;
                            } else {
                                flat.insert(key, value);
                            }
                        }
                    }
                    value => {
                        flat.insert(key, value);
                    }
                }
            }
            flat.insert("hide_code".to_owned(), hide_code);
            flat.retain(|key, value| !is_default(key, value, kind));
        }
        // Not marimo's; kept where it was.
        Some(other) => {
            metadata.insert(KEY.to_owned(), other);
        }
        None => {}
    }
    flat
}

/// Returns the value of the key for a cell, or `None` if there is nothing to
/// say.
pub(crate) fn for_cell(flat: &Map<String, Value>, kind: CellKind) -> Option<Value> {
    if flat.is_empty() {
        return None;
    }
    let mut config = Map::new();
    let mut res = Map::new();
    for key in ["column", "disabled", "expand_output", "hide_code"] {
        if let Some(value) = flat.get(key) {
            config.insert(key.to_owned(), value.clone());
        } else if key == "hide_code" && kind == CellKind::Markdown {
            config.insert(key.to_owned(), Value::Bool(true));
        }
    }
    if !config.is_empty() {
        res.insert("config".to_owned(), Value::Object(config));
    }
    for (key, value) in flat {
        if !matches!(key.as_str(), "column" | "disabled" | "expand_output" | "hide_code") {
            res.insert(key.clone(), value.clone());
        }
    }
    res.sort_keys();
    Some(Value::Object(res))
}

/// Takes the key out of a notebook's metadata.
///
/// `marimo_version` says which marimo wrote the file; it belongs to the text and
/// is dropped here.
pub(crate) fn take_from_notebook(metadata: &mut Map<String, Value>) -> Map<String, Value> {
    let mut flat = Map::new();
    match metadata.shift_remove(KEY) {
        Some(Value::Object(stored)) => {
            for (key, value) in stored {
                match (key.as_str(), value) {
                    ("marimo_version", _) => {}
                    ("app_config", Value::Object(config)) => flat.extend(config),
                    (_, value) => {
                        flat.insert(key, value);
                    }
                }
            }
        }
        Some(other) => {
            metadata.insert(KEY.to_owned(), other);
        }
        None => {}
    }
    flat
}

/// Returns the value of the key for a notebook, or `None` if there is nothing to
/// say.
pub(crate) fn for_notebook(flat: &Map<String, Value>) -> Option<Value> {
    if flat.is_empty() {
        return None;
    }
    let mut res = Map::new();
    let mut config = flat.clone();
    let header = config.shift_remove("header");
    if !config.is_empty() {
        res.insert("app_config".to_owned(), Value::Object(config));
    }
    if let Some(header) = header {
        res.insert("header".to_owned(), header);
    }
    Some(Value::Object(res))
}

/// Whether an option has the value that it has when it isn't written.
pub(crate) fn is_default(key: &str, value: &Value, kind: CellKind) -> bool {
    match key {
        "column" => value.is_null(),
        "disabled" | "expand_output" => *value == Value::Bool(false),
        "hide_code" => *value == Value::Bool(kind == CellKind::Markdown),
        "md_prefix" => value == "r" || kind != CellKind::Markdown,
        "name" => matches!(value.as_str(), Some("" | "_" | "__")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(kind: CellKind, stored: &Value, flat: &Value) {
        let mut metadata = Map::new();
        metadata.insert(KEY.to_owned(), stored.clone());
        let taken = take_from_cell(&mut metadata, kind);
        assert_eq!(&Value::Object(taken.clone()), flat);
        assert_eq!(metadata, Map::new());
        assert_eq!(for_cell(&taken, kind).as_ref(), Some(stored));
    }

    #[test]
    fn cell_options_come_back() {
        let code = CellKind::Code;
        check(
            code,
            &json!({"config": {"column": 1, "hide_code": true}, "name": "f"}),
            &json!({"column": 1, "name": "f", "hide_code": true}),
        );
        let markdown = CellKind::Markdown;
        check(
            markdown,
            &json!({"config": {"hide_code": true}, "name": "f"}),
            &json!({"name": "f"}),
        );
        check(markdown, &json!({"config": {"hide_code": false}}), &json!({"hide_code": false}));
    }

    #[test]
    fn app_config_and_header_come_back() {
        let stored = json!({"app_config": {"width": "full"}, "header": "# x"});
        let mut metadata = Map::new();
        metadata.insert(KEY.to_owned(), stored.clone());
        let flat = take_from_notebook(&mut metadata);
        assert_eq!(Value::Object(flat.clone()), json!({"width": "full", "header": "# x"}));
        assert_eq!(for_notebook(&flat), Some(stored));
    }
}
