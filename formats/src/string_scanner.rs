//! Whether a line of a script is inside a string (`jupytext: stringparser`).

use crate::languages;
use crate::lines::trim_start;

/// Reads a script line by line and knows whether the next line starts inside a
/// multi-line string.
///
/// Deliberately as simple as jupytext's: quotes are Python's in every language
/// but R, so an unbalanced `'''` hides what follows it in all of them.
#[derive(Debug, Clone)]
pub(crate) struct StringScanner {
    has_strings: bool,
    comment: Option<&'static str>,
    triple: Option<u8>,
}

impl StringScanner {
    /// Starts outside of any string. The exact name of the language counts.
    pub(crate) fn new(language: &str) -> Self {
        Self { has_strings: language != "R", comment: languages::comment(language), triple: None }
    }

    /// Whether the next line starts inside a string.
    pub(crate) fn is_quoted(&self) -> bool {
        self.triple.is_some()
    }

    /// Reads one line, without its line break.
    pub(crate) fn read_line(&mut self, line: &str) {
        // Without a quote nothing opens or closes, in a comment or not.
        if !self.has_strings || !line.bytes().any(|byte| byte == b'"' || byte == b'\'') {
            return;
        }
        let starts_comment =
            |text: &str| self.comment.is_some_and(|comment| text.starts_with(comment));
        let first = self.comment.and_then(|comment| comment.bytes().next());
        if !self.is_quoted() && starts_comment(trim_start(line)) {
            return;
        }
        let bytes = line.as_bytes();
        // A string of one line ends with it at the latest.
        let mut single = None;
        // Where the last triple quote of this line is complete.
        let mut triple_at: Option<usize> = None;
        for (at, &byte) in bytes.iter().enumerate() {
            if byte != b'"' && byte != b'\'' {
                if Some(byte) == first
                    && single.is_none()
                    && self.triple.is_none()
                    && starts_comment(&line[at..])
                {
                    break;
                }
                continue;
            }
            if at > 0 && bytes[at - 1] == b'\\' {
                continue;
            }
            if single == Some(byte) {
                single = None;
                continue;
            }
            if single.is_some() {
                continue;
            }
            let is_triple = at >= 2
                && bytes[at - 1] == byte
                && bytes[at - 2] == byte
                && triple_at.is_none_or(|triple_at| triple_at + 3 <= at);
            match self.triple {
                Some(open) if is_triple && open == byte => {
                    self.triple = None;
                    triple_at = Some(at);
                }
                Some(_) => {}
                None if is_triple => {
                    self.triple = Some(byte);
                    triple_at = Some(at);
                }
                None => single = Some(byte),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: &str, text: &str, quoted: &str) {
        let mut scanner = StringScanner::new(language);
        let mut res = String::new();
        for line in text.split('\n') {
            res.push(if scanner.is_quoted() { 'q' } else { '.' });
            scanner.read_line(line);
        }
        assert_eq!(res, quoted, "{text}");
    }

    #[test]
    fn triple_quotes_span_lines() {
        check("python", "x = '''\n# %%\n'''\ny", ".qq.");
        check("python", "x = \"\"\"a'''\n\"\"\"; y = '''\n'''\n", ".qq.");
        check("python", "'''one line'''\nx", "..");
    }

    #[test]
    fn quotes_in_comments_and_strings_open_nothing() {
        check("python", "# '''\nx # '''\n'#' + '''\nx", "...q");
        check("python", "x = \"'''\"\ny = \\'''\nz", "...");
        check("c++", "x // '''\ny", "..");
        check("R", "'''\nx", "..");
    }

    #[test]
    fn unknown_languages_have_strings_but_no_comments() {
        check("cobol", "# '''\nx", ".q");
    }
}
