//! The text behind `%%` in a marker line: depth, title, `[type]` and metadata
//! (`jupytext: cell_metadata`).

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::literal;
use crate::CellKind;
use crate::lines::trim;
use crate::python_json;

/// The key under which jupytext keeps text that it can't read.
const UNREADABLE: &str = "incorrectly_encoded_metadata";

/// Behind so many `=` that start no value, a line is given up. Each costs a look
/// at the rest of the line.
const MAX_ATTEMPTS: usize = 200;

/// What a marker line says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Options {
    /// The type, if it is named.
    pub(super) kind: Option<CellKind>,
    /// The metadata, with `title`, `cell_depth` and `region_name`.
    pub(super) metadata: Map<String, Value>,
    /// Whether the metadata is one JSON object.
    pub(super) is_json: bool,
}

/// Reads the text behind `%%`.
pub(super) fn parse(text: &str) -> Options {
    let text = trim(text);
    let brace = text.find('{');
    let equal = text.find('=');
    let is_json = brace.is_some_and(|brace| equal.is_none_or(|equal| brace < equal));
    let (title, mut metadata) = match brace {
        Some(brace) if is_json => {
            let metadata = match literal::parse(&text[brace..]) {
                Some(Value::Object(metadata)) => metadata,
                _ => unreadable(&text[brace..]),
            };
            (trim(&text[..brace]).to_owned(), metadata)
        }
        _ => {
            let title = title(text, equal);
            (title.to_owned(), parse_pairs(&text[title.len()..]))
        }
    };
    let mut title = title;
    let mut kind = None;
    for (mark, marked) in
        [("[markdown]", CellKind::Markdown), ("[raw]", CellKind::Raw), ("[md]", CellKind::Markdown)]
    {
        if title.contains(mark) {
            let rest = title.replace(mark, "");
            trim(&rest).clone_into(&mut title);
            kind = Some(marked);
            if mark == "[md]" {
                metadata.insert("region_name".to_owned(), Value::from("md"));
            }
            break;
        }
    }
    let name = title.trim_start_matches('%');
    let depth = title.len() - name.len();
    if depth > 0 {
        metadata.insert("cell_depth".to_owned(), Value::from(depth));
        let name = trim(name).to_owned();
        title = name;
    }
    if !title.is_empty() {
        metadata.insert("title".to_owned(), Value::String(title));
    }
    // Metadata can name the type as well.
    if kind.is_none() {
        kind = match metadata.get("cell_type").and_then(Value::as_str) {
            None => None,
            Some("code") => Some(CellKind::Code),
            Some("markdown") => Some(CellKind::Markdown),
            Some(_) => Some(CellKind::Raw),
        };
    }
    if kind.is_some() {
        metadata.shift_remove("cell_type");
    }
    Options { kind, metadata, is_json }
}

/// Writes the text behind `%%`, starting with the depth.
pub(super) fn print(
    kind: Option<CellKind>,
    metadata: &Map<String, Value>,
    as_json: bool,
) -> String {
    let mut metadata = metadata.clone();
    let mut words = Vec::new();
    if let Some(Value::String(title)) = metadata.get("title") {
        words.push(title.clone());
        metadata.shift_remove("title");
    }
    if let Some(depth) = metadata.get("cell_depth").and_then(Value::as_u64) {
        let depth = usize::try_from(depth).unwrap_or(0).min(100);
        words.insert(0, "%".repeat(depth));
        metadata.shift_remove("cell_depth");
    }
    if let Some(kind) = kind {
        let name = match metadata.shift_remove("region_name") {
            Some(Value::String(name)) => name,
            _ => kind.as_str().to_owned(),
        };
        words.push(format!("[{name}]"));
    }
    let title = words.join(" ");
    let mut words = Vec::new();
    if !title.is_empty() {
        words.push(title);
    }
    if as_json {
        if !metadata.is_empty() {
            words.push(python_json::dumps(&Value::Object(metadata)));
        }
    } else {
        for (key, value) in metadata {
            words.push(match value {
                Value::String(text) if key == UNREADABLE => text,
                Value::Null => key,
                value => format!("{key}={}", python_json::dumps(&value)),
            });
        }
    }
    words.join(" ")
}

/// Whether a key can be written as `key=value`; others are left out.
pub(super) fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.@/-".contains(&byte))
}

fn unreadable(text: &str) -> Map<String, Value> {
    Map::from_iter([(UNREADABLE.to_owned(), Value::from(text))])
}

/// The words before the first key.
fn title(text: &str, equal: Option<usize>) -> &str {
    let mut title = text;
    if let Some(equal) = equal {
        // The last word is the key.
        title = text[..equal].trim_end_matches(' ');
        title = title.rfind(' ').map_or("", |at| &title[..at]);
    }
    loop {
        let start = title.rfind(' ').map_or(0, |at| at + 1);
        let word = &title[start..];
        let is_attribute = trim(word).is_empty() || word.starts_with('.');
        if !is_attribute || title.is_empty() {
            return title;
        }
        title = &title[..start.saturating_sub(1)];
    }
}

/// Reads `key1=value1 key2 key3=value3`, from the right to the left.
fn parse_pairs(text: &str) -> Map<String, Value> {
    let mut rest = trim(text);
    // From the right to the left.
    let mut pairs: Vec<(&str, Option<Value>)> = Vec::new();
    let mut attempts = 0;
    let mut bad = None;
    'text: while !rest.is_empty() {
        let space = rest.rfind(' ');
        let word = &rest[space.map_or(0, |at| at + 1)..];
        if !rest.starts_with("--") && is_identifier(word) {
            pairs.push((word, None));
            rest = trim(space.map_or("", |at| &rest[..at]));
            continue;
        }
        let mut end = rest.len();
        while let Some(equal) = rest[..end].rfind('=') {
            end = equal;
            let before = crate::lines::trim_end(&rest[..equal]);
            // A key never contains `=`; so the next one may be looked for from
            // here without reading the word again.
            let stop = before.rfind([' ', '=']);
            if stop.is_some_and(|at| before.as_bytes()[at] == b'=') {
                continue;
            }
            let key = trim(&rest[stop.map_or(0, |at| at + 1)..equal]);
            if !is_key(key) {
                continue;
            }
            attempts += 1;
            if attempts > MAX_ATTEMPTS {
                break;
            }
            if let Some(value) = literal::parse(&rest[equal + 1..]) {
                pairs.push((key, Some(value)));
                rest = trim(stop.map_or("", |at| &rest[..at]));
                continue 'text;
            }
        }
        bad = Some(rest);
        break;
    }
    collect(bad, pairs)
}

/// Puts pairs in the order that jupytext's merging of dictionaries gives: first
/// keys without a value, the last one first, then the others as they stand.
fn collect(bad: Option<&str>, pairs: Vec<(&str, Option<Value>)>) -> Map<String, Value> {
    let mut res = Map::new();
    let mut seen = HashSet::new();
    for (key, value) in &pairs {
        if value.is_none() && seen.insert(*key) {
            res.insert((*key).to_owned(), Value::Null);
        }
    }
    if let Some(bad) = bad {
        res.insert(UNREADABLE.to_owned(), Value::from(bad));
    }
    for (key, value) in pairs.into_iter().rev() {
        if let Some(value) = value {
            res.insert(key.to_owned(), value);
        }
    }
    res
}

fn is_identifier(word: &str) -> bool {
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'.';
    word.bytes().next().is_some_and(is_start)
        && word.bytes().all(|byte| is_start(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, kind: Option<CellKind>, metadata: &Value) {
        let options = parse(text);
        assert_eq!(options.kind, kind, "{text}");
        assert_eq!(
            python_json::dumps(&Value::Object(options.metadata)),
            python_json::dumps(metadata),
            "{text}"
        );
    }

    #[test]
    fn titles_types_and_pairs() {
        use CellKind::{Markdown, Raw};
        check("", None, &json!({}));
        check(" My title", None, &json!({"title": "My title"}));
        check(" [markdown] a=1", Some(Markdown), &json!({"a": 1}));
        check(" [md]", Some(Markdown), &json!({"region_name": "md"}));
        check(" x [raw] y", Some(Raw), &json!({"title": "x  y"}));
        check(
            "%% sub t a = \"x y\"",
            None,
            &json!({"a": "x y", "cell_depth": 2, "title": "sub t"}),
        );
        check(" {\"a\": 1}", None, &json!({"a": 1}));
        check(" T {a}", None, &json!({"incorrectly_encoded_metadata": "{a}", "title": "T"}));
        check(" cell_type=\"markdown\"", Some(Markdown), &json!({}));
    }

    #[test]
    fn keys_without_values_come_first() {
        check(" a=1 b c=2 d", None, &json!({"d": null, "b": null, "a": 1, "c": 2}));
        check(" a={} b none c=1", None, &json!({"none": null, "b": null, "a": {}, "c": 1}));
        check(" a=1 a=2 .b", None, &json!({".b": null, "a": 2}));
    }

    #[test]
    fn unreadable_text_is_kept() {
        check(
            " Title with = sign",
            None,
            &json!({"sign": null, "incorrectly_encoded_metadata": "with =", "title": "Title"}),
        );
        check(" a=[1", None, &json!({"incorrectly_encoded_metadata": "a=[1"}));
    }

    #[test]
    fn options_are_written_as_json_dumps_does() {
        let metadata = json!({"tags": ["é"], "title": "T", "x": null, "cell_depth": 1});
        let Value::Object(metadata) = metadata else { unreachable!() };
        assert_eq!(
            print(Some(CellKind::Markdown), &metadata, false),
            r#"% T [markdown] tags=["\u00e9"] x"#
        );
        assert_eq!(print(None, &metadata, true), r#"% T {"tags": ["\u00e9"], "x": null}"#);
    }

    #[test]
    fn long_lines_take_linear_time() {
        for unit in ["a=", "=", "a=\"x ", "a ", "a=1 ", "a=[", "a=\"' "] {
            parse(&unit.repeat(200_000 / unit.len()));
        }
        parse(&format!("{}{}", "a".repeat(100_000), "=".repeat(100_000)));
    }
}
