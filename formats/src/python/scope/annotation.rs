//! The text of annotations.

/// Returns the text that marimo writes for an annotation: without line ends,
/// and with double quotes where that needs no escapes
/// (marimo: `standardize_annotation_quotes`).
pub(super) fn standardize(text: &str) -> String {
    let text = text.replace('\n', "");
    let text = text.trim();
    let mut res = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(['\'', '"']) {
        let (before, string) = rest.split_at(start);
        res.push_str(before);
        let Some(len) = string_len(string) else {
            // A quote that isn't closed; the next one may open a string.
            res.push_str(&string[..1]);
            rest = &string[1..];
            continue;
        };
        let (string, after) = string.split_at(len);
        let content = &string[1..len - 1];
        let keeps = string.starts_with('"') || (content.contains('"') && !content.contains("\\\""));
        if keeps {
            res.push_str(string);
        } else {
            res.push('"');
            res.push_str(&content.replace("\\'", "'").replace('"', "\\\""));
            res.push('"');
        }
        rest = after;
    }
    res + rest
}

/// Returns the length of the quoted text at the start of `text`.
fn string_len(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut chars = text.char_indices().skip(1);
    while let Some((idx, c)) = chars.next() {
        if c == quote {
            return Some(idx + 1);
        }
        if c == '\\' {
            chars.next()?;
        }
    }
    None
}
