use serde_json::{Map, Value};

use super::style::Style;

/// Writes a value as a member or item of a container whose items are `depth`
/// deep.
pub(super) fn value(out: &mut String, value: &Value, style: &Style, depth: usize) {
    match value {
        Value::Array(items) => {
            container(out, style, depth + 1, *b"[]", items, |out, item| {
                self::value(out, item, style, depth + 1);
            });
        }
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            if style.sorted {
                members.sort_by_key(|(key, _)| *key);
            }
            container(out, style, depth + 1, *b"{}", members, |out, (key, item)| {
                self::key(out, key, style);
                self::value(out, item, style, depth + 1);
            });
        }
        Value::String(text) => string(out, text, style.ascii),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

/// Returns a value as text; see [`value`].
pub(super) fn printed(value: &Value, style: &Style, depth: usize) -> String {
    let mut out = String::new();
    self::value(&mut out, value, style, depth);
    out
}

/// Writes the items of a container, which are `depth` deep, with its brackets.
pub(super) fn container<T>(
    out: &mut String,
    style: &Style,
    depth: usize,
    brackets: [u8; 2],
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut String, T),
) {
    out.push(char::from(brackets[0]));
    let mut empty = true;
    for entry in items {
        if !empty {
            out.push_str(&style.comma);
        }
        style.new_line(out, depth);
        item(out, entry);
        empty = false;
    }
    if !empty {
        style.new_line(out, depth - 1);
    }
    out.push(char::from(brackets[1]));
}

/// Writes a key and its colon.
pub(super) fn key(out: &mut String, key: &str, style: &Style) {
    string(out, key, style.ascii);
    out.push_str(&style.colon);
}

/// Writes a string with its quotes.
pub(super) fn string(out: &mut String, text: &str, ascii: bool) {
    out.push('"');
    escaped(out, text, ascii);
    out.push('"');
}

/// Writes the inside of a string, with the escapes of Python's `json`.
pub(super) fn escaped(out: &mut String, text: &str, ascii: bool) {
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            char if char < ' ' || (ascii && char > '~') => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    out.push_str("\\u");
                    for shift in [12, 8, 4, 0] {
                        let digit = u32::from(*unit >> shift & 0xf);
                        out.extend(char::from_digit(digit, 16));
                    }
                }
            }
            char => out.push(char),
        }
    }
}

/// Returns the value with its numbers as they are spelled after reading.
///
/// Numbers made from a float are spelled `1e20` and read as `1e+20`; without
/// this they would look like an edit.
pub(super) fn respelled(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            serde_json::from_str(&number.to_string()).unwrap_or_else(|_| value.clone())
        }
        Value::Array(items) => items.iter().map(respelled).collect(),
        Value::Object(map) => Value::Object(respelled_map(map)),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

/// The same for each value of a map.
pub(super) fn respelled_map(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter().map(|(key, value)| (key.clone(), respelled(value))).collect()
}
