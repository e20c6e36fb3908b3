//! Turns what marimo shows of a cell into nbformat's outputs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::traceback;
use crate::lines::{line_spans, trim_end};

const BUNDLE: &str = "application/vnd.marimo+mimebundle";
const ERROR: &str = "application/vnd.marimo+error";
const TRACEBACK: &str = "application/vnd.marimo+traceback";

/// The key of a bundle under which its metadata are.
const METADATA: &str = "__metadata__";

const SVG: &str = "data:image/svg+xml;base64,";

/// What marimo says of a cell that did not run since one above has failed.
const ANCESTOR: &str = "An ancestor raised an exception (";

/// Returns what a cell left, what it printed first.
pub(super) fn convert(console: &[Value], outputs: &[Value]) -> Vec<Value> {
    let mut res = Vec::new();
    let mut traceback = None;
    for item in console {
        let text = |key: &str| item.get(key).and_then(Value::as_str);
        let mime = text("mimetype");
        match text("name") {
            Some("media") => {
                res.extend(mime.and_then(|mime| display(mime, item.get("data")?)));
            }
            Some(name @ ("stdout" | "stderr")) => {
                let Some(text) = text("text") else { continue };
                // Older sessions do not say what it is.
                let is_html = mime.is_none() && text.starts_with("<span class=\"codehilite\">");
                if name == "stderr" && (mime == Some(TRACEBACK) || is_html) {
                    traceback.get_or_insert_with(|| traceback::plain(text));
                } else if mime != Some("text/password") {
                    let text = lines(&without_charsets(text));
                    res.push(json!({"name": name, "output_type": "stream", "text": text}));
                }
            }
            _ => {}
        }
    }
    let traceback = traceback.unwrap_or_default();
    for output in outputs {
        match output.get("type").and_then(Value::as_str) {
            Some("error") => res.push(error(output, &traceback)),
            Some("data") => {
                let Some(Value::Object(data)) = output.get("data") else { continue };
                let mut members = data.iter();
                res.extend(match (members.next(), members.next()) {
                    (Some((mime, data)), None) => display(mime, data),
                    _ => bundle(data),
                });
            }
            _ => {}
        }
    }
    res
}

fn error(output: &Value, traceback: &str) -> Value {
    let text = |key: &str| output.get(key).and_then(Value::as_str).unwrap_or_default();
    let (mut name, mut value) = (text("ename"), text("evalue"));
    if name == "exception" {
        // The session has left out which.
        let found = traceback::exception(traceback, value);
        let is_above = value.starts_with(ANCESTOR);
        name = found.unwrap_or(if is_above { "Ancestor raised" } else { name });
        value = trim_end(value).trim_matches(':');
    }
    let lines = crate::lines::split_lines(traceback);
    json!({"ename": name, "evalue": value, "output_type": "error", "traceback": lines})
}

/// Returns data of one type as an output, `None` if it shows nothing.
fn display(mime: &str, data: &Value) -> Option<Value> {
    let is_empty = match data {
        Value::Null => true,
        Value::String(text) => mime == "text/plain" && text.is_empty(),
        Value::Array(items) => mime == "text/plain" && items.is_empty(),
        _ => false,
    };
    match (mime, data) {
        _ if is_empty || mime == ERROR => None,
        (BUNDLE, Value::Object(data)) => bundle(data),
        (BUNDLE, Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Object(data)) => bundle(&data),
            _ => None,
        },
        (BUNDLE, _) => None,
        ("text/markdown", Value::String(text)) => {
            Some(output([(mime, Value::String(with_latex(text)))], &json!({})))
        }
        _ => Some(output([(mime, without_url(data))], &json!({}))),
    }
}

fn bundle(data: &Map<String, Value>) -> Option<Value> {
    let mut metadata = Value::Object(Map::new());
    let mut shown = Vec::new();
    for (mime, data) in data {
        if mime == METADATA && data.is_object() {
            metadata = data.clone();
        } else if mime != "text/html" || !is_component(data) {
            shown.push((mime.as_str(), without_url(data)));
        }
    }
    (!shown.is_empty()).then(|| output(shown, &metadata))
}

/// Makes an output, as nbformat writes it.
fn output<'a>(data: impl IntoIterator<Item = (&'a str, Value)>, metadata: &Value) -> Value {
    let data: Map<String, Value> = data
        .into_iter()
        .map(|(mime, data)| {
            let has_lines = mime.starts_with("text/")
                || matches!(mime, "application/javascript" | "image/svg+xml");
            let data = match data {
                Value::String(text) if has_lines => lines(&text),
                data => data,
            };
            (mime.to_owned(), data)
        })
        .collect();
    json!({"data": data, "metadata": metadata, "output_type": "display_data"})
}

/// The lines of a text with their ends.
fn lines(text: &str) -> Value {
    line_spans(text).into_iter().map(|line| &text[line.start..line.next]).collect()
}

/// Whether HTML needs marimo's page to show something.
fn is_component(html: &Value) -> bool {
    match html {
        Value::String(html) => html.contains("<marimo-"),
        Value::Array(items) => {
            let lines: Option<String> = items.iter().map(Value::as_str).collect();
            lines.is_some_and(|html| html.contains("<marimo-"))
        }
        _ => false,
    }
}

/// Data without the URL around it.
fn without_url(data: &Value) -> Value {
    let Value::String(text) = data else { return data.clone() };
    if let Some(payload) = text.strip_prefix(SVG) {
        let svg = STANDARD.decode(payload).ok().and_then(|it| String::from_utf8(it).ok());
        return svg.map_or_else(|| data.clone(), Value::String);
    }
    match text.strip_prefix("data:").and_then(|rest| rest.split(";base64,").nth(1)) {
        Some(payload) => payload.into(),
        None => data.clone(),
    }
}

/// Text without the terminal's switches of character sets, which nbconvert can't write as LaTeX.
fn without_charsets(text: &str) -> String {
    let mut res = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        let is_switch =
            matches!(rest.as_bytes()[at + 1..], [b'(' | b')', b'A'..=b'Z' | b'0'..=b'9', ..]);
        res.push_str(&rest[..at]);
        if !is_switch {
            res.push('\u{1b}');
        }
        rest = &rest[at + if is_switch { 3 } else { 1 }..];
    }
    res + rest
}

/// Markdown with marimo's formulas as those of Jupyter.
fn with_latex(text: &str) -> String {
    const END: &str = "</marimo-tex>";
    let mut res = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("<marimo-tex") {
        let Some(open) = rest[at..].find('>').map(|it| at + it + 1) else { break };
        let Some(close) = rest[open..].find(END).map(|it| open + it) else { break };
        res.push_str(&rest[..at]);
        let content = &rest[open..close];
        let within = |start, end| content.strip_prefix(start)?.strip_suffix(end);
        if let Some(inner) = within("||(||(", "||)||)").or_else(|| within("||[", "||]")) {
            res.extend(["$$", inner, "$$"]);
        } else if let Some(inner) = within("||(", "||)") {
            res.extend(["$", inner, "$"]);
        } else {
            res.push_str(content);
        }
        rest = &rest[close + END.len()..];
    }
    res + rest
}
