//! Tracebacks, which marimo has as HTML.

use crate::lines::{split_lines, trim_end};

/// The beginning of the name that marimo gives the code of a cell.
const CELL: &str = "__marimo__cell_";

/// Returns a traceback as text, without the names of temporary files.
pub(super) fn plain(html: &str) -> String {
    without_cell_files(&text_of(html))
}

/// Returns the class of the exception with this message that a traceback ends in.
pub(super) fn exception<'a>(traceback: &'a str, message: &str) -> Option<&'a str> {
    let first = split_lines(message).first().copied().unwrap_or_default();
    let first = trim_end(first);
    split_lines(traceback).into_iter().rev().find_map(|line| {
        let name = if first.is_empty() {
            line
        } else {
            trim_end(line).strip_suffix(first)?.strip_suffix(": ")?
        };
        let is_word = |word: &str| {
            let mut chars = word.chars();
            chars.next().is_some_and(|it| it.is_alphabetic() || it == '_')
                && chars.all(|it| it.is_alphanumeric() || it == '_')
        };
        let is_name = name.split('.').all(|it| is_word(it) || it == "<locals>");
        name.rsplit('.').next().filter(|_| is_name)
    })
}

/// The text of HTML as Pygments writes it.
fn text_of(html: &str) -> String {
    let mut res = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        res.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = if rest.starts_with('<') { tag_end(rest) } else { reference(rest, &mut res) };
        // What is neither stands for itself.
        let len = end.unwrap_or_else(|| {
            res.push_str(&rest[..1]);
            1
        });
        rest = &rest[len..];
    }
    res + rest
}

fn tag_end(html: &str) -> Option<usize> {
    let is_tag = matches!(html.as_bytes().get(1), Some(b'/' | b'a'..=b'z' | b'A'..=b'Z'));
    html.find('>').filter(|_| is_tag).map(|it| it + 1)
}

/// Writes the character that a reference is for, and returns its length.
fn reference(html: &str, out: &mut String) -> Option<usize> {
    // The longest that a character has is `&#x10ffff;`.
    let end = html.bytes().take(12).position(|byte| byte == b';')?;
    let name = &html[1..end];
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok();
    out.push(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(digits) => number(digits, 16),
                None => number(digits, 10),
            };
            code.and_then(char::from_u32)?
        }
    });
    Some(end + 1)
}

/// Text in which the file of a cell, which was made for the run, has no name.
fn without_cell_files(text: &str) -> String {
    let pieces = text.split('"').map(|piece| {
        let file = piece.find(CELL).zip(piece.rfind(".py"));
        match file {
            Some((at, end)) if at + CELL.len() <= end => &piece[end + 3..],
            _ => piece,
        }
    });
    pieces.collect::<Vec<_>>().join("\"")
}
