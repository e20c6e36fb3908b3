//! `yaml.safe_dump(value, default_flow_style=False)` of PyYAML 6: block style,
//! sorted keys, ASCII, lines folded at 80.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::scalar;
use crate::python_json;

const WIDTH: usize = 80;

/// Returns the text of a value, with a newline at the end.
pub(crate) fn dump(value: &Value) -> String {
    let mut emitter = Emitter { res: String::new(), column: 0 };
    match value {
        Value::Object(map) if !map.is_empty() => emitter.mapping(map, 0, true),
        Value::Array(items) if !items.is_empty() => emitter.sequence(items, 0, true),
        value => emitter.scalar(value, 2, false),
    }
    emitter.res.push('\n');
    emitter.res
}

struct Emitter {
    res: String,
    column: usize,
}

impl Emitter {
    /// Writes a mapping; the first key goes into the current line if it is
    /// `inline`.
    fn mapping(&mut self, map: &Map<String, Value>, indent: usize, mut inline: bool) {
        let mut entries: Vec<_> = map.iter().collect();
        entries.sort_unstable_by_key(|&(key, _)| key);
        for (key, value) in entries {
            self.start(indent, inline);
            inline = false;
            let key_value = Value::String(key.clone());
            // PyYAML counts the tag `!!str` that it doesn't write.
            if !key.is_empty() && !key.contains('\n') && key.chars().count() + 5 < 128 {
                self.scalar(&key_value, indent + 2, true);
                self.push(":");
                match value {
                    Value::Object(map) if !map.is_empty() => self.mapping(map, indent + 2, false),
                    // The dashes of a list stand in the column of its key.
                    Value::Array(items) if !items.is_empty() => self.sequence(items, indent, false),
                    value => {
                        self.push(" ");
                        self.scalar(value, indent + 2, false);
                    }
                }
            } else {
                self.push("? ");
                self.scalar(&key_value, indent + 2, false);
                self.start(indent, false);
                self.push(":");
                self.item(value, indent);
            }
        }
    }

    fn sequence(&mut self, items: &[Value], indent: usize, mut inline: bool) {
        for item in items {
            self.start(indent, inline);
            inline = false;
            self.push("-");
            self.item(item, indent);
        }
    }

    /// Writes what follows an indicator in the same line.
    fn item(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(map) if !map.is_empty() => self.mapping(map, indent + 2, true),
            Value::Array(items) if !items.is_empty() => self.sequence(items, indent + 2, true),
            value => {
                self.push(" ");
                self.scalar(value, indent + 2, false);
            }
        }
    }

    fn scalar(&mut self, value: &Value, indent: usize, is_key: bool) {
        match value {
            Value::Null => self.push("null"),
            Value::Bool(true) => self.push("true"),
            Value::Bool(false) => self.push("false"),
            Value::Number(number) => {
                let text = python_json::number(number);
                if !text.contains('.') && text.contains('e') {
                    self.push(&text.replacen('e', ".0e", 1));
                } else {
                    self.push(&text);
                }
            }
            Value::Array(_) => self.push("[]"),
            Value::Object(_) => self.push("{}"),
            Value::String(text) => match style(text) {
                Style::Plain => self.folded(text, indent, is_key, ""),
                Style::SingleQuoted if !(is_key && text.contains('\n')) => {
                    self.push("'");
                    self.folded(text, indent, is_key, "'");
                    self.push("'");
                }
                _ => self.double_quoted(text, indent, is_key),
            },
        }
    }

    /// Writes a plain or single-quoted text; `quote` is doubled where it occurs.
    fn folded(&mut self, text: &str, indent: usize, is_key: bool, quote: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let is_start = rest.len() == text.len();
            let n_breaks = rest.len() - rest.trim_start_matches('\n').len();
            let n_spaces = rest.len() - rest.trim_start_matches(' ').len();
            if n_breaks > 0 {
                rest = &rest[n_breaks..];
                // A single line break would read as a space.
                for _ in 0..=n_breaks {
                    self.newline();
                }
                self.res.pop();
                self.start(indent, false);
                continue;
            }
            if n_spaces > 0 {
                let is_inner = !is_start && n_spaces < rest.len();
                if n_spaces == 1 && is_inner && self.column > WIDTH && !is_key {
                    self.start(indent, false);
                } else {
                    self.push(&rest[..n_spaces]);
                }
                rest = &rest[n_spaces..];
                continue;
            }
            let word = rest.find([' ', '\n']).map_or(rest, |at| &rest[..at]);
            rest = &rest[word.len()..];
            if quote.is_empty() {
                self.push(word);
            } else {
                self.push(&word.replace(quote, &quote.repeat(2)));
            }
        }
    }

    fn double_quoted(&mut self, text: &str, indent: usize, is_key: bool) {
        self.push("\"");
        let chars: Vec<char> = text.chars().collect();
        // What is not written yet: a run of characters that need no escape.
        let mut start = 0;
        for end in 0..=chars.len() {
            let char = chars.get(end).copied();
            if char.is_none_or(|char| !matches!(char, ' '..='~') || matches!(char, '"' | '\\')) {
                if start < end {
                    self.push_chars(&chars[start..end]);
                    start = end;
                }
                if let Some(char) = char {
                    self.push(&escape(char));
                    start = end + 1;
                }
            }
            let is_inner = 0 < end && end + 1 < chars.len();
            let may_break = char == Some(' ') || start >= end;
            // `start` is one ahead of `end` behind an escape.
            if is_inner && may_break && self.column + end > WIDTH + start && !is_key {
                if start < end {
                    self.push_chars(&chars[start..end]);
                    start = end;
                }
                self.push("\\");
                self.start(indent, false);
                if chars.get(start) == Some(&' ') {
                    self.push("\\");
                }
            }
        }
        self.push("\"");
    }

    fn push(&mut self, text: &str) {
        self.res.push_str(text);
        self.column += text.chars().count();
    }

    fn push_chars(&mut self, chars: &[char]) {
        self.res.extend(chars);
        self.column += chars.len();
    }

    fn newline(&mut self) {
        self.res.push('\n');
        self.column = 0;
    }

    /// Goes to a column: of a new line, or of the current one if it is `inline`.
    fn start(&mut self, indent: usize, inline: bool) {
        if !inline {
            self.newline();
        }
        while self.column < indent {
            self.push(" ");
        }
    }
}

#[derive(PartialEq, Eq)]
enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
}

/// Chooses as `Emitter.analyze_scalar` and `choose_scalar_style`.
fn style(text: &str) -> Style {
    let mut previous = ' ';
    let mut needs_quotes = text.starts_with("---") || text.starts_with("...");
    let mut chars = text.chars().peekable();
    let mut is_first = true;
    while let Some(char) = chars.next() {
        if char != '\n' && !matches!(char, ' '..='~') {
            return Style::DoubleQuoted;
        }
        // A quoted scalar loses blanks at the start and end of its lines.
        if (previous == '\n' && char == ' ') || (previous == ' ' && char == '\n' && !is_first) {
            return Style::DoubleQuoted;
        }
        let is_before_blank = chars.peek().is_none_or(|next| matches!(next, ' ' | '\n'));
        needs_quotes |= match char {
            '?' | '-' if is_first => is_before_blank,
            ':' => is_before_blank,
            '#' => is_first || matches!(previous, ' ' | '\n'),
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`' => is_first,
            '\n' => true,
            _ => false,
        };
        previous = char;
        is_first = false;
    }
    if needs_quotes || text.starts_with(' ') || text.ends_with(' ') || !scalar::is_string(text) {
        Style::SingleQuoted
    } else {
        Style::Plain
    }
}

fn escape(char: char) -> String {
    let mut res = String::from("\\");
    match char {
        '\0' => res.push('0'),
        '\u{7}' => res.push('a'),
        '\u{8}' => res.push('b'),
        '\t' => res.push('t'),
        '\n' => res.push('n'),
        '\u{b}' => res.push('v'),
        '\u{c}' => res.push('f'),
        '\r' => res.push('r'),
        '\u{1b}' => res.push('e'),
        '"' | '\\' => res.push(char),
        '\u{85}' => res.push('N'),
        '\u{a0}' => res.push('_'),
        '\u{2028}' => res.push('L'),
        '\u{2029}' => res.push('P'),
        _ => {
            let code = u32::from(char);
            match code {
                0..=0xff => write!(res, "x{code:02X}"),
                0x100..=0xffff => write!(res, "u{code:04X}"),
                _ => write!(res, "U{code:08X}"),
            }
            .expect("writing to a string can't fail");
        }
    }
    res
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: &Value, expected: &str) {
        assert_eq!(dump(&json!({"k": value})), format!("k: {expected}\n"));
    }

    #[test]
    fn scalars_have_the_style_of_pyyaml() {
        for text in ["Python 3", "a:b", "it's", "q\"q", "C#", "a]", "a,b", ".NET (C#)", "-x", "?x"]
        {
            check(&json!(text), text);
        }
        for text in ["1.3", "yes", "a: b", "a #b", "#x", "- x", "-", " x", "x:", "---", "", "=x @"]
        {
            let expected = if text == "=x @" { text.to_owned() } else { format!("'{text}'") };
            check(&json!(text), &expected);
        }
        check(&json!("é日😀\u{a0}\u{2028}\t"), r#""\xE9\u65E5\U0001F600\_\L\t""#);
        check(&json!("a\nb"), "'a\n\n  b'");
        check(&json!("'a"), "'''a'");
        check(&json!([]), "[]");
        check(&json!(1e20), "1.0e+20");
    }

    #[test]
    fn collections_are_in_block_style() {
        let value = json!({"b": [1, {"y": 1, "x": {}}, [2]], "a": {"c": null}});
        assert_eq!(dump(&value), "a:\n  c: null\nb:\n- 1\n- x: {}\n  y: 1\n- - 2\n");
    }

    #[test]
    fn long_lines_are_folded() {
        let text = "word ".repeat(30);
        check(
            &json!(text.trim()),
            &format!("{}\n  {}", "word ".repeat(16).trim(), "word ".repeat(14).trim()),
        );
    }
}
