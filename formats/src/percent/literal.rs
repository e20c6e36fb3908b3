//! Values in marker lines: JSON, or what Python's `ast.literal_eval` reads and
//! JSON can hold.

use serde_json::{Map, Number, Value};

use crate::lines::{is_space, trim};
use crate::python_json;

/// How deep lists may be nested, a little less than in `serde_json`.
const MAX_DEPTH: usize = 100;

/// Reads a value that takes up the whole text.
pub(super) fn parse(text: &str) -> Option<Value> {
    let text = trim(text);
    if let Ok(value) = serde_json::from_str(text) {
        return Some(python_json::respelled(value));
    }
    let mut parser = Parser { rest: text };
    let value = parser.value(0)?;
    parser.skip_blanks();
    // What is left may be a comment.
    (parser.rest.is_empty() || parser.rest.starts_with('#')).then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches(is_space);
    }

    fn strip(&mut self, prefix: &str) -> bool {
        self.skip_blanks();
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.skip_blanks();
        if self.strip("[") {
            return self.items("]", depth).map(|(items, _)| Value::Array(items));
        }
        if self.strip("(") {
            let (mut items, has_comma) = self.items(")", depth)?;
            // Parentheses around one value are not a tuple.
            return if items.len() == 1 && !has_comma {
                items.pop()
            } else {
                Some(Value::Array(items))
            };
        }
        if self.strip("{") {
            return self.entries(depth).map(Value::Object);
        }
        match self.rest.chars().next()? {
            '"' | '\'' => {
                let mut text = self.string(false)?;
                // Strings side by side are one.
                while self.rest.trim_start_matches(is_space).starts_with(['"', '\'']) {
                    self.skip_blanks();
                    text.push_str(&self.string(false)?);
                }
                Some(Value::String(text))
            }
            '0'..='9' | '.' | '-' | '+' => self.number().map(Value::Number),
            _ => self.word(),
        }
    }

    /// The values up to a closing bracket, and whether a comma stands before it.
    fn items(&mut self, close: &str, depth: usize) -> Option<(Vec<Value>, bool)> {
        let mut items = Vec::new();
        let mut has_comma = true;
        while !self.strip(close) {
            if !has_comma {
                return None;
            }
            items.push(self.value(depth + 1)?);
            has_comma = self.strip(",");
        }
        Some((items, has_comma))
    }

    fn entries(&mut self, depth: usize) -> Option<Map<String, Value>> {
        let mut map = Map::new();
        let mut has_comma = true;
        while !self.strip("}") {
            if !has_comma {
                return None;
            }
            let key = match self.value(depth + 1)? {
                Value::String(key) => key,
                // As `json.dumps` writes such keys.
                key @ (Value::Null | Value::Bool(_) | Value::Number(_)) => python_json::dumps(&key),
                Value::Array(_) | Value::Object(_) => return None,
            };
            if !self.strip(":") {
                return None;
            }
            map.insert(key, self.value(depth + 1)?);
            has_comma = self.strip(",");
        }
        Some(map)
    }

    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find(|char: char| !char.is_alphanumeric() && char != '_');
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let is_string = rest.starts_with(['"', '\'']);
        match word {
            "r" | "R" if is_string => self.string(true).map(Value::String),
            "u" | "U" if is_string => self.string(false).map(Value::String),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            "None" => Some(Value::Null),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Number> {
        let mut is_negative = false;
        while let Some(sign) = self.rest.chars().next().filter(|char| matches!(char, '-' | '+')) {
            is_negative ^= sign == '-';
            self.rest = &self.rest[1..];
            self.skip_blanks();
        }
        let bytes = self.rest.as_bytes();
        let is_part = |at: usize| match bytes[at] {
            b'-' | b'+' => matches!(bytes[at - 1], b'e' | b'E') && !self.rest.starts_with("0x"),
            byte => byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'),
        };
        let len = (0..bytes.len()).find(|&at| {
            at == 0 && !bytes[0].is_ascii_digit() && bytes[0] != b'.' || at > 0 && !is_part(at)
        });
        let (text, rest) = self.rest.split_at(len.unwrap_or(bytes.len()));
        self.rest = rest;
        if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
            return None;
        }
        let digits = text.replace('_', "").to_ascii_lowercase();
        let digits = if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let significant = digits.trim_start_matches('0');
            // `017` is no number, but `000` is.
            match significant {
                "" if !digits.is_empty() => "0".to_owned(),
                _ if significant.len() == digits.len() => digits,
                _ => return None,
            }
        } else if let Some((radix, digits)) = radix(&digits) {
            u128::from_str_radix(digits, radix).ok()?.to_string()
        } else if digits.bytes().all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte)) {
            let value = digits.parse::<f64>().ok().filter(|value| value.is_finite())?;
            python_json::float(value)
        } else {
            return None;
        };
        let sign = if is_negative && digits != "0" { "-" } else { "" };
        format!("{sign}{digits}").parse().ok()
    }

    fn string(&mut self, is_raw: bool) -> Option<String> {
        let quote = self.rest.chars().next()?;
        let triple = quote.to_string().repeat(3);
        let close = if self.rest.starts_with(&triple) { triple } else { quote.to_string() };
        let mut rest = &self.rest[close.len()..];
        let mut res = String::new();
        loop {
            if let Some(after) = rest.strip_prefix(close.as_str()) {
                self.rest = after;
                return Some(res);
            }
            let mut chars = rest.chars();
            let char = chars.next()?;
            rest = chars.as_str();
            if char != '\\' {
                res.push(char);
            } else if is_raw {
                res.push('\\');
                res.push(chars.next()?);
                rest = chars.as_str();
            } else {
                rest = unescape(rest, &mut res)?;
            }
        }
    }
}

fn radix(digits: &str) -> Option<(u32, &str)> {
    let strip = |prefix, radix| Some((radix, digits.strip_prefix(prefix)?));
    strip("0x", 16).or_else(|| strip("0o", 8)).or_else(|| strip("0b", 2))
}

/// Reads one escape sequence behind its backslash, and returns what follows.
fn unescape<'a>(text: &'a str, res: &mut String) -> Option<&'a str> {
    let mut chars = text.chars();
    let char = chars.next()?;
    let rest = chars.as_str();
    let n_digits = match char {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        '0'..='7' => {
            let len = text.bytes().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            res.push(char::from_u32(u32::from_str_radix(&text[..len], 8).ok()?)?);
            return Some(&text[len..]);
        }
        // Needs the names of all characters.
        'N' => return None,
        _ => {
            match char {
                'n' => res.push('\n'),
                't' => res.push('\t'),
                'r' => res.push('\r'),
                'a' => res.push('\u{7}'),
                'b' => res.push('\u{8}'),
                'f' => res.push('\u{c}'),
                'v' => res.push('\u{b}'),
                '\n' => {}
                '\\' | '\'' | '"' => res.push(char),
                // Not an escape sequence.
                _ => {
                    res.push('\\');
                    res.push(char);
                }
            }
            return Some(rest);
        }
    };
    let digits = rest.get(..n_digits)?;
    res.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
    Some(&rest[n_digits..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn literals_are_read() {
        for (text, expected) in [
            ("[\"a\", 1.50]", json!(["a", 1.5])),
            ("{'a': (1, 2,), 'b': (3), 'c': ()}", json!({"a": [1, 2], "b": 3, "c": []})),
            (" 'it\\'s' ", json!("it's")),
            ("r'\\d'", json!("\\d")),
            ("'''a'b'''", json!("a'b")),
            ("'\\x41\\u00e9\\101\\d'", json!("AéA\\d")),
            ("'a' \"b\"", json!("ab")),
            ("True", json!(true)),
            ("None", json!(null)),
            ("--1", json!(1)),
            ("0x1F", json!(31)),
            ("1_000", json!(1000)),
            ("{1: 2}", json!({"1": 2})),
            ("'a' # b", json!("a")),
            ("[1.50, 1e5]", json!([1.5, 100_000.0])),
        ] {
            let value = parse(text);
            assert_eq!(
                value.as_ref().map(python_json::dumps),
                Some(python_json::dumps(&expected)),
                "{text}"
            );
        }
        assert_eq!(parse(".5").map(|it| it.to_string()).as_deref(), Some("0.5"));
    }

    #[test]
    fn other_texts_are_not() {
        for text in ["", "a", "1 2", "[1", "'a", "017", "1__0", "f(x)", "{1, 2}", "b'a'", "1+", "-"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), None);
        assert_eq!(parse(&"(".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\](){}'\"a-f0-9x,:.\\\\é+-]{0,20}") {
            drop(parse(&text));
        }
    }
}
