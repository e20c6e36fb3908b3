//! Options of cells and of the app: keyword arguments with constant values.

use serde_json::{Map, Value};

use crate::python::{Keyword, Literal};

/// The options of a cell with their defaults, in the order in which marimo
/// writes them.
const CELL: [(&str, Value); 4] = [
    ("column", Value::Null),
    ("disabled", Value::Bool(false)),
    ("hide_code", Value::Bool(false)),
    ("expand_output", Value::Bool(false)),
];

/// The options of the app, in the order in which marimo writes them.
const APP: [&str; 7] = [
    "width",
    "app_title",
    "layout_file",
    "css_file",
    "html_head_file",
    "auto_download",
    "sql_output",
];

/// Keeps the options that a cell has and that differ from their defaults, in
/// marimo's order.
pub(super) fn of_cell(options: &Map<String, Value>) -> Map<String, Value> {
    let set = CELL.iter().filter_map(|(key, default)| {
        let value = options.get(*key)?;
        (value != default).then(|| ((*key).to_owned(), value.clone()))
    });
    set.collect()
}

/// Returns all options of a cell, defaults included.
pub(super) fn all_of_cell(options: &Map<String, Value>) -> Map<String, Value> {
    let all = CELL
        .iter()
        .map(|(key, default)| ((*key).to_owned(), options.get(*key).unwrap_or(default).clone()));
    all.collect()
}

/// Keeps the options that an app has and that differ from their defaults, in
/// marimo's order.
pub(super) fn of_app(options: &Map<String, Value>) -> Map<String, Value> {
    let set = APP.iter().filter_map(|key| {
        let value = options.get(*key)?;
        (!is_app_default(key, value)).then(|| ((*key).to_owned(), value.clone()))
    });
    set.collect()
}

/// Whether the app has an option of this name.
pub(super) fn is_of_app(key: &str) -> bool {
    APP.contains(&key)
}

fn is_app_default(key: &str, value: &Value) -> bool {
    match key {
        "width" => value == "compact",
        "sql_output" => value == "auto",
        "auto_download" => value.as_array().is_some_and(Vec::is_empty),
        _ => value.is_null(),
    }
}

/// Reads keyword arguments. As in marimo, those that are neither constants nor
/// lists of constants are dropped.
pub(super) fn read(keywords: &[Keyword]) -> Map<String, Value> {
    let read = |it: &Keyword| Some((it.name.clone()?, value(&it.value)?));
    keywords.iter().filter_map(read).collect()
}

fn value(literal: &Literal) -> Option<Value> {
    match literal {
        Literal::List(items) => Some(Value::Array(items.iter().filter_map(value).collect())),
        Literal::Str(string) => Some(Value::String(string.value.clone())),
        Literal::Int(int) => Some(Value::from(*int)),
        Literal::Float(float) => Some(Value::from(*float)),
        Literal::Bool(bool) => Some(Value::Bool(*bool)),
        Literal::None => Some(Value::Null),
        Literal::Constant(_) | Literal::Other => None,
    }
}

/// Writes options as marimo writes those of a cell: `str(value)`.
pub(super) fn bare(options: &Map<String, Value>) -> Vec<String> {
    let bare = |(key, value): (&String, &Value)| match value {
        Value::String(text) => format!("{key}={text}"),
        _ => format!("{key}={}", python(value)),
    };
    options.iter().map(bare).collect()
}

/// Writes options as marimo writes those of an app: strings in double quotes.
pub(super) fn quoted(options: &Map<String, Value>) -> Vec<String> {
    options.iter().map(|(key, value)| format!("{key}={}", python(value))).collect()
}

fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => string(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python).collect();
            format!("[{}]", items.join(", "))
        }
        // Not among the values that are read, and an error if it is written.
        Value::Object(_) => "{}".to_owned(),
    }
}

/// Writes a string in double quotes.
///
/// marimo 0.25.2 escapes nothing but backslashes, so that a title with a quote
/// makes it write a file that it can't read. Quotes and line breaks are escaped
/// here; nothing else is, so all other texts are the same as marimo's.
fn string(text: &str) -> String {
    let mut res = String::with_capacity(text.len() + 2);
    res.push('"');
    for char in text.chars() {
        match char {
            '\\' => res.push_str("\\\\"),
            '"' => res.push_str("\\\""),
            '\n' => res.push_str("\\n"),
            '\r' => res.push_str("\\r"),
            char => res.push(char),
        }
    }
    res.push('"');
    res
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn defaults_and_unknown_options_are_dropped() {
        let options = map(&json!({"x": 1, "hide_code": true, "column": 0, "disabled": false}));
        assert_eq!(bare(&of_cell(&options)), ["column=0", "hide_code=True"]);
        let options = map(&json!({"auto_download": [], "app_title": "x", "width": "full"}));
        assert_eq!(quoted(&of_app(&options)), [r#"width="full""#, r#"app_title="x""#]);
    }

    #[test]
    fn strings_are_valid_python() {
        let options = map(&json!({"app_title": "a\\b \"c\"", "auto_download": ["html", "ipynb"]}));
        assert_eq!(
            quoted(&options),
            [r#"app_title="a\\b \"c\"""#, r#"auto_download=["html", "ipynb"]"#]
        );
    }
}
