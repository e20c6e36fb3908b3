use std::collections::HashMap;
use std::ops::Range;

use super::scan::Scanner;
use super::splice::{Gaps, Piece, join};
use super::style::Style;
use super::tree::decode;
use super::write;
use crate::ParseError;

/// Splits as Python's `splitlines(keepends=True)`, which nbformat uses.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .char_indices()
            .find(|&(_, char)| is_line_end(char))
            .map_or(rest.len(), |(at, char)| {
                at + if rest[at..].starts_with("\r\n") { 2 } else { char.len_utf8() }
            });
        let (line, after) = rest.split_at(end);
        rest = after;
        Some(line)
    })
}

fn is_line_end(char: char) -> bool {
    matches!(
        char,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Writes a source as a new value.
pub(super) fn print(out: &mut String, source: &str, style: &Style, depth: usize) {
    if style.joined {
        write::string(out, source, style.ascii);
    } else {
        write::container(out, style, depth + 1, *b"[]", lines(source), |out, line| {
            write::string(out, line, style.ascii);
        });
    }
}

/// Writes a source in the place of another.
///
/// It is a list or a string as the old one was, and lines that the old one has
/// keep their bytes.
pub(super) fn update(
    text: &str,
    old: &Range<usize>,
    source: &str,
    style: &Style,
    depth: usize,
) -> Result<String, ParseError> {
    let mut out = String::new();
    if text[old.clone()].starts_with('[') {
        let array = Scanner::new(text, old.start).array(Scanner::skip)?;
        let mut units = Vec::with_capacity(array.items.len());
        for item in &array.items {
            let line = decode(text, item)?.into_owned();
            units.push(Unit { line, raw: item.start + 1..item.end - 1 });
        }
        let pieces = align(&units, source);
        let gaps = || Gaps::of(style, depth + 1);
        join(&mut out, text, &array.span, &array.items, &pieces, gaps, |out, piece| {
            out.push('"');
            piece.write(out, text, &units, style);
            out.push('"');
        });
    } else {
        let units = raw_lines(text, old)?;
        out.push('"');
        for piece in align(&units, source) {
            piece.what.write(&mut out, text, &units, style);
        }
        out.push('"');
    }
    Ok(out)
}

/// A piece of an old source, and where its bytes are.
struct Unit {
    line: String,
    raw: Range<usize>,
}

enum Line<'a> {
    /// Has the bytes of a unit.
    Old(usize),
    New(&'a str),
}

impl Line<'_> {
    fn write(&self, out: &mut String, text: &str, units: &[Unit], style: &Style) {
        match *self {
            Self::Old(at) => out.push_str(&text[units[at].raw.clone()]),
            Self::New(line) => write::escaped(out, line, style.ascii),
        }
    }
}

/// Splits the inside of a string into lines with their bytes.
fn raw_lines(text: &str, string: &Range<usize>) -> Result<Vec<Unit>, ParseError> {
    let end = string.end - 1;
    let mut units = Vec::new();
    let mut start = string.start + 1;
    let mut at = start;
    while at < end {
        let (unit, len) = escape_or_char(&text[at..end]);
        at += len;
        let ends_line = unit.is_some_and(is_line_end);
        let is_half = unit == Some('\r') && escape_or_char(&text[at..end]).0 == Some('\n');
        if (ends_line && !is_half) || at == end {
            let raw = start..at;
            let quoted = format!("\"{}\"", &text[raw.clone()]);
            let line = decode(&quoted, &(0..quoted.len()))?.into_owned();
            units.push(Unit { line, raw });
            start = at;
        }
    }
    Ok(units)
}

/// Returns the first character of the inside of a string, if it can be a line
/// end, and how many bytes it takes.
fn escape_or_char(text: &str) -> (Option<char>, usize) {
    let Some(first) = text.chars().next() else {
        return (None, 0);
    };
    if first != '\\' {
        return (Some(first), first.len_utf8());
    }
    match text.as_bytes().get(1) {
        Some(b'n') => (Some('\n'), 2),
        Some(b'r') => (Some('\r'), 2),
        Some(b'f') => (Some('\u{c}'), 2),
        Some(b'u') => {
            let code = text.get(2..6).and_then(|digits| u32::from_str_radix(digits, 16).ok());
            (code.and_then(char::from_u32), 6.min(text.len()))
        }
        _ => (None, 2.min(text.len())),
    }
}

/// Says which pieces of the old source the lines of a new one are.
fn align<'a>(units: &[Unit], source: &'a str) -> Vec<Piece<Line<'a>>> {
    let old = |at: usize| Piece { origin: Some(at), what: Line::Old(at) };
    let mut ends = vec![0];
    for line in lines(source) {
        ends.push(ends[ends.len() - 1] + line.len());
    }
    let is_end = |offset: usize| ends.binary_search(&offset).is_ok();

    let (mut head, mut start, mut offset) = (0, 0, 0);
    for (at, unit) in units.iter().enumerate() {
        if unit.line.is_empty() || !source[offset..].starts_with(&unit.line) {
            break;
        }
        offset += unit.line.len();
        if is_end(offset) {
            (head, start) = (at + 1, offset);
        }
    }
    let (mut tail, mut end, mut offset) = (units.len(), source.len(), source.len());
    for (at, unit) in units.iter().enumerate().skip(head).rev() {
        if unit.line.is_empty() || !source[start..offset].ends_with(&unit.line) {
            break;
        }
        offset -= unit.line.len();
        if is_end(offset) {
            (tail, end) = (at, offset);
        }
    }

    let mut known = HashMap::new();
    for (at, unit) in units.iter().enumerate().take(tail).skip(head) {
        known.entry(unit.line.as_str()).or_insert(at);
    }
    let mut pieces: Vec<_> = (0..head).map(old).collect();
    for line in lines(&source[start..end]) {
        pieces.push(match known.get(line) {
            Some(&at) => old(at),
            None => Piece { origin: None, what: Line::New(line) },
        });
    }
    pieces.extend((tail..units.len()).map(old));
    pieces
}
