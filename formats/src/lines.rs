//! Lines and blanks as Python's `str` has them, which is what jupytext works
//! with.

use std::ops::Range;

/// Whether `str.isspace` is true of a character, which is also what `\s` means.
pub(crate) fn is_space(char: char) -> bool {
    char.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&char)
}

/// Returns the text without blanks at both ends (`str.strip`).
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Returns the text without blanks at its start (`str.lstrip`).
pub(crate) fn trim_start(text: &str) -> &str {
    match text.as_bytes().first() {
        Some(b'!'..=b'~') => text,
        _ => text.trim_start_matches(is_space),
    }
}

/// Returns the text without blanks at its end (`str.rstrip`).
pub(crate) fn trim_end(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

/// Whether a line has nothing but blanks.
pub(crate) fn is_blank(line: &str) -> bool {
    line.chars().all(is_space)
}

/// A line of a text: where its content is, and where the next line starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineSpan {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) next: usize,
}

impl LineSpan {
    /// Returns the range of the content, without the line break.
    pub(crate) fn content(self) -> Range<usize> {
        self.start..self.end
    }
}

/// Returns the lines of a text (`str.splitlines`): also a form feed and other
/// separators end a line, and a break at the end of the text starts no new one.
pub(crate) fn line_spans(text: &str) -> Vec<LineSpan> {
    let bytes = text.as_bytes();
    let mut res = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        // Those of `is_line_break`, byte by byte: this is where much of a conversion's time went.
        if matches!(bytes[at], 0x20..=0xc1) {
            at += 1;
            continue;
        }
        let len = match &bytes[at..] {
            [b'\r', b'\n', ..] | [0xc2, 0x85, ..] => 2,
            [b'\n' | b'\r' | 0x0b | 0x0c | 0x1c..=0x1e, ..] => 1,
            [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
            _ => {
                at += 1;
                continue;
            }
        };
        res.push(LineSpan { start, end: at, next: at + len });
        at += len;
        start = at;
    }
    if start < text.len() {
        res.push(LineSpan { start, end: text.len(), next: text.len() });
    }
    res
}

/// Counts the line breaks above offsets of a text, in linear time if they don't
/// go back.
pub(crate) struct LineCount<'a> {
    text: &'a str,
    offset: usize,
    n_breaks: usize,
}

impl<'a> LineCount<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, offset: 0, n_breaks: 0 }
    }

    /// Returns how many `\n` there are above an offset.
    pub(crate) fn above(&mut self, offset: usize) -> usize {
        if offset < self.offset {
            (self.offset, self.n_breaks) = (0, 0);
        }
        self.n_breaks += self.text[self.offset..offset].matches('\n').count();
        self.offset = offset;
        self.n_breaks
    }
}

/// Returns the contents of the lines of a text (`str.splitlines`).
pub(crate) fn split_lines(text: &str) -> Vec<&str> {
    line_spans(text).into_iter().map(|line| &text[line.content()]).collect()
}

/// Whether a text ends in a line break.
pub(crate) fn ends_line(text: &str) -> bool {
    text.ends_with(is_line_break)
}

fn is_line_break(char: char) -> bool {
    matches!(
        char,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_python_ends_them() {
        assert_eq!(split_lines(""), [""; 0]);
        assert_eq!(split_lines("a\n"), ["a"]);
        assert_eq!(split_lines("a\n\nb"), ["a", "", "b"]);
        assert_eq!(split_lines("a\r\nb\rc\r\r\nd"), ["a", "b", "c", "", "d"]);
        assert_eq!(split_lines("a\u{c}b\u{2028}c\u{1f}d\u{85}"), ["a", "b", "c\u{1f}d"]);
    }

    #[test]
    fn all_line_breaks_end_a_line() {
        for char in (0..=char::MAX as u32).filter_map(char::from_u32) {
            let text = format!("a{char}b");
            assert_eq!(split_lines(&text).len() == 2, is_line_break(char), "{char:?}");
        }
    }

    #[test]
    fn blanks_include_the_separators_of_ascii() {
        assert!(is_blank(" \t\u{1f}\u{a0}\u{3000}"));
        assert!(!is_blank("\u{200b}"));
        assert_eq!(trim("\u{1c} a \n"), "a");
    }
}
