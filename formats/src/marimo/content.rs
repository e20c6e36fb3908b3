//! The text that marimo sees of a file, and where it stands in the file.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use crate::lines::{is_space, trim_end, trim_start};

/// A file as marimo reads it: without byte order mark, with `\n` between lines,
/// without blanks at both ends.
#[derive(Debug)]
pub(super) struct Content {
    file: Arc<str>,
    text: Option<String>,
    /// Where the text starts in the file.
    start: usize,
    /// Where it ends in the file.
    end: usize,
    /// The offsets in the text of line breaks that are two bytes in the file.
    breaks: Vec<usize>,
    /// Whether most are.
    has_long_breaks: bool,
}

impl Content {
    /// Reads a file.
    pub(super) fn new(file: Arc<str>) -> Self {
        let start = file.len() - file.trim_start_matches('\u{feff}').len();
        let start = start + (file[start..].len() - trim_start(&file[start..]).len());
        let end = start + trim_end(&file[start..]).len();
        let (mut text, mut breaks) = (None, Vec::new());
        if file[start..end].contains('\r') {
            let mut lf = String::with_capacity(end - start);
            let mut chars = file[start..end].chars().peekable();
            while let Some(char) = chars.next() {
                if char == '\r' {
                    if chars.next_if_eq(&'\n').is_some() {
                        breaks.push(lf.len());
                    }
                    lf.push('\n');
                } else {
                    lf.push(char);
                }
            }
            text = Some(lf);
        }
        let n_breaks = text.as_ref().map_or(0, |text| text.matches('\n').count());
        let has_long_breaks = !breaks.is_empty() && n_breaks <= 2 * breaks.len();
        Self { file, text, start, end, breaks, has_long_breaks }
    }

    /// The text of the file, as it is.
    pub(super) fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The text that marimo sees.
    pub(super) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or(&self.file[self.start..self.end])
    }

    /// Returns the bytes in the file of a part of the text.
    pub(super) fn slice(&self, range: Range<usize>) -> &str {
        &self.file[self.offset(range.start)..self.offset(range.end)]
    }

    /// What stands in the file before the text.
    pub(super) fn before(&self) -> &str {
        &self.file[..self.start]
    }

    /// What stands in the file after the text.
    pub(super) fn after(&self) -> &str {
        &self.file[self.end..]
    }

    /// Returns the line in the file of an offset in the text, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        1 + self.before().matches('\n').count() + self.text()[..offset].matches('\n').count()
    }

    fn offset(&self, offset: usize) -> usize {
        self.start + offset + self.breaks.partition_point(|at| *at < offset)
    }

    /// Gives the line breaks of a new text the form that those of the file have.
    pub(super) fn with_breaks<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.has_long_breaks {
            Cow::Owned(text.replace('\n', "\r\n"))
        } else {
            Cow::Borrowed(text)
        }
    }
}

/// Whether there is nothing but blanks in a text.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(is_space)
}

/// Returns where the line starts that an offset is in.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |at| at + 1)
}

/// Returns where the line ends that an offset is in.
pub(super) fn line_end(text: &str, offset: usize) -> usize {
    text[offset..].find('\n').map_or(text.len(), |at| offset + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_text_are_found_in_the_file() {
        let content = Content::new(Arc::from("\u{feff} \r\na\r\nb\rc\nd\r\n\r\n"));
        assert_eq!(content.text(), "a\nb\nc\nd");
        assert_eq!(content.slice(0..2), "a\r\n");
        assert_eq!(content.slice(2..4), "b\r");
        assert_eq!(content.slice(1..7), "\r\nb\rc\nd");
        assert_eq!(content.before(), "\u{feff} \r\n");
        assert_eq!(content.after(), "\r\n\r\n");
    }

    #[test]
    fn new_lines_end_as_most_others_do() {
        let content = |text: &str| Content::new(Arc::from(text));
        assert_eq!(content("a\r\nb\r\nc\nd").with_breaks("x\ny"), "x\r\ny");
        assert_eq!(content("a\r\nb\nc\nd").with_breaks("x\ny"), "x\ny");
        assert_eq!(content("a").with_breaks("x\ny"), "x\ny");
    }
}
