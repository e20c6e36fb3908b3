//! Whether a text is a script with cell markers (`jupytext: guess_format`).

use serde_json::{Map, Value};

use super::header::Header;
use crate::FormatName;
use crate::languages::Script;
use crate::lines::{LineSpan, is_blank, is_space, line_spans};
use crate::magics::{self, Magics};
use crate::string_scanner::StringScanner;

/// Returns which of the two formats a text is in, if any.
pub(super) fn guess(text: &str, script: &Script) -> Option<FormatName> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = line_spans(text);
    // A header that can't be read is reported by the parser.
    if let Ok(header) = Header::parse(text, &lines, script)
        && let Some(metadata) = header.metadata()
        && let Some(name) = declared(metadata, script.extension)
    {
        return match name.as_str() {
            "percent" => Some(FormatName::Percent),
            "hydrogen" => Some(FormatName::Hydrogen),
            _ => None,
        };
    }
    from_lines(text, &lines, script)
}

/// Returns the name of the format that a header declares for an extension.
pub(super) fn declared(metadata: &Map<String, Value>, extension: &str) -> Option<String> {
    let options = metadata.get("jupytext")?;
    if let Some(representation) = options.get("text_representation") {
        let text = |key: &str| representation.get(key).and_then(Value::as_str);
        let is_ours = text("extension").is_some_and(|it| it.ends_with(extension));
        if let Some(name) = text("format_name").filter(|name| is_ours && !name.is_empty()) {
            return Some(name.to_owned());
        }
    }
    let formats = options.get("formats").and_then(Value::as_str)?;
    formats.split(',').find_map(|format| {
        let format = format.rsplit('/').next()?;
        let (this, name) = format.split_once(':')?;
        let this = this.rsplit('.').next()?;
        (extension.strip_prefix('.') == Some(this)).then(|| name.to_owned())
    })
}

fn from_lines(text: &str, lines: &[LineSpan], script: &Script) -> Option<FormatName> {
    let mut scanner = StringScanner::new(if script.language == "R" { "R" } else { "python" });
    let mut has_marker = false;
    let mut has_magic = false;
    for line in lines {
        let line = &text[line.content()];
        scanner.read_line(line);
        if scanner.is_quoted() {
            continue;
        }
        if script.extension == ".py" && is_marimo(line) {
            return None;
        }
        has_marker |= is_marker(line, script);
        has_magic |= !line.starts_with(script.comment)
            && magics::is_magic(line, script.language, Magics::Unmistakable);
    }
    let name = if has_magic { FormatName::Hydrogen } else { FormatName::Percent };
    has_marker.then_some(name)
}

fn is_marimo(line: &str) -> bool {
    line.starts_with("app = marimo.App") || line.starts_with("@app.cell")
}

/// Stricter than the reader: a lone comment must not make a notebook of a
/// script.
fn is_marker(line: &str, script: &Script) -> bool {
    let Some(rest) = line.strip_prefix(script.comment) else { return false };
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    if let Some(rest) = rest.strip_prefix("%%") {
        return rest.is_empty() || rest.starts_with(is_space);
    }
    let rest = line[script.comment.len()..].strip_prefix(' ').unwrap_or_default();
    if let Some(rest) = rest.strip_prefix("<codecell>") {
        return is_blank(rest);
    }
    let number = rest.strip_prefix("In[").and_then(|rest| rest.split_once(']'));
    number.is_some_and(|(number, rest)| {
        number.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ')
            && is_blank(rest.strip_prefix(':').unwrap_or(rest))
    })
}
