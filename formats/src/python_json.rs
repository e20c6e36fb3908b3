//! JSON and numbers as Python's `json.dumps` and `repr` spell them.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Returns a value as `json.dumps` writes it: ASCII, with blanks behind `,` and
/// `:`.
pub(crate) fn dumps(value: &Value) -> String {
    let mut res = String::new();
    write_value(&mut res, value);
    res
}

/// Returns a number as `repr` writes it.
pub(crate) fn number(number: &Number) -> String {
    let text = number.to_string();
    if !text.contains(['.', 'e', 'E']) {
        return if text == "-0" { "0".to_owned() } else { text };
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => float(value),
        _ => text,
    }
}

/// Returns a value with its numbers as Python spells them once it has read them.
pub(crate) fn respelled(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            self::number(&number).parse().map_or(Value::Number(number), Value::Number)
        }
        Value::Array(items) => items.into_iter().map(respelled).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, respelled(value))).collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

/// Returns the shortest text that reads back as this float, as `repr` does.
pub(crate) fn float(value: f64) -> String {
    let text = format!("{value:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let Ok(exponent) = exponent.parse::<i32>() else { return text };
    if (-4..16).contains(&exponent) {
        let text = value.to_string();
        return if text.contains('.') { text } else { text + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn write_value(res: &mut String, value: &Value) {
    match value {
        Value::Null => res.push_str("null"),
        Value::Bool(true) => res.push_str("true"),
        Value::Bool(false) => res.push_str("false"),
        Value::Number(value) => res.push_str(&number(value)),
        Value::String(text) => write_string(res, text),
        Value::Array(items) => {
            res.push('[');
            for (idx, item) in items.iter().enumerate() {
                if idx > 0 {
                    res.push_str(", ");
                }
                write_value(res, item);
            }
            res.push(']');
        }
        Value::Object(map) => {
            res.push('{');
            for (idx, (key, value)) in map.iter().enumerate() {
                if idx > 0 {
                    res.push_str(", ");
                }
                write_string(res, key);
                res.push_str(": ");
                write_value(res, value);
            }
            res.push('}');
        }
    }
}

fn write_string(res: &mut String, text: &str) {
    res.push('"');
    for char in text.chars() {
        match char {
            '"' => res.push_str("\\\""),
            '\\' => res.push_str("\\\\"),
            '\n' => res.push_str("\\n"),
            '\r' => res.push_str("\\r"),
            '\t' => res.push_str("\\t"),
            '\u{8}' => res.push_str("\\b"),
            '\u{c}' => res.push_str("\\f"),
            ' '..='~' => res.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    write!(res, "\\u{unit:04x}").expect("writing to a string can't fail");
                }
            }
        }
    }
    res.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn strings_are_ascii() {
        assert_eq!(
            dumps(&json!({"é\u{7f}": ["😀\n", null, true]})),
            r#"{"\u00e9\u007f": ["\ud83d\ude00\n", null, true]}"#
        );
    }

    #[test]
    fn floats_are_spelled_as_by_python() {
        for (value, expected) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (123_456.789, "123456.789"),
            (-0.0, "-0.0"),
        ] {
            assert_eq!(float(value), expected);
        }
        let big: Value = serde_json::from_str("[1E5, 123456789012345678901234567890]").unwrap();
        assert_eq!(dumps(&big), "[100000.0, 123456789012345678901234567890]");
    }
}
