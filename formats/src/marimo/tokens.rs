//! Cuts Python into tokens as the module `tokenize` of Python 3.11 does, which
//! marimo relies on for text that may not be valid Python.
//!
//! It takes almost anything: only what is open at the end, and lines that go
//! back to an indentation that never was, are errors. Later versions are
//! stricter about text that is not valid.

use std::ops::Range;

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    /// Its text. Of one that goes over several lines, what is in the first.
    pub(super) text: &'a str,
    /// Where it starts: the line, from 0.
    pub(super) line: usize,
    /// Where it starts in its line, in bytes.
    pub(super) column: usize,
    /// The line in which it ends.
    pub(super) last_line: usize,
    /// Where it ends in that line.
    pub(super) end_column: usize,
}

/// The kinds of tokens. Numbers are `Other`: nobody asks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Name,
    Operator,
    String,
    Comment,
    /// The end of a statement.
    Newline,
    /// A line break that ends no statement.
    Break,
    Other,
}

/// Why a text can't be cut to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenError {
    /// The line that is to blame, from 0: where an open string starts, where the
    /// indentation is wrong, or behind the last one if brackets are open.
    pub(super) line: usize,
}

impl<'a> Token<'a> {
    fn new(kind: TokenKind, line: &'a str, no: usize, range: Range<usize>) -> Self {
        let Range { start, end } = range;
        let text = &line[start..end];
        Self { kind, text, line: no, column: start, last_line: no, end_column: end }
    }
}

enum Open {
    Nothing,
    /// A string, where it started, and whether each line has to end with a
    /// backslash.
    String {
        quote: u8,
        is_triple: bool,
        start: (usize, usize),
    },
}

/// Hands the tokens of a text to `feed`, given its lines.
pub(super) fn tokenize<'a>(
    lines: &[&'a str],
    mut feed: impl FnMut(Token<'a>),
) -> Result<(), TokenError> {
    let mut open = Open::Nothing;
    let mut brackets = 0_i64;
    let mut is_continued = false;
    let mut indents = vec![0_usize];
    for (no, line) in lines.iter().copied().enumerate() {
        let bytes = line.as_bytes();
        let has_break = no + 1 < lines.len();
        let mut at = 0;
        match open {
            Open::String { quote, is_triple, start } => {
                if !has_break && line.is_empty() {
                    break;
                }
                let end = string_end(bytes, 0, quote, is_triple);
                let ends = end.is_some() || !(is_triple || goes_on(bytes, has_break));
                if !ends {
                    continue;
                }
                open = Open::Nothing;
                // One that is never closed wasn't a string after all.
                let kind = if end.is_some() { TokenKind::String } else { TokenKind::Other };
                let (line, column) = start;
                let text = &lines[line][column..];
                let end_column = end.unwrap_or(bytes.len());
                feed(Token { kind, text, line, column, last_line: no, end_column });
                match end {
                    Some(end) => at = end,
                    None => continue,
                }
            }
            Open::Nothing if brackets == 0 && !is_continued => {
                let (column, first) = indentation(bytes);
                at = first;
                match bytes.get(at) {
                    None if !has_break => break,
                    None => {
                        feed(Token::new(TokenKind::Break, line, no, at..at));
                        continue;
                    }
                    Some(b'#') => {
                        let end = bytes.len();
                        feed(Token::new(TokenKind::Comment, line, no, at..end));
                        feed(Token::new(TokenKind::Break, line, no, end..end));
                        continue;
                    }
                    Some(_) => {}
                }
                if indents.last().is_some_and(|last| *last < column) {
                    indents.push(column);
                }
                while indents.last().is_some_and(|last| column < *last) {
                    if !indents.contains(&column) {
                        return Err(TokenError { line: no });
                    }
                    indents.pop();
                }
            }
            Open::Nothing => {
                if !has_break && line.is_empty() {
                    break;
                }
                is_continued = false;
            }
        }
        let mut emit = |kind, range: Range<usize>| feed(Token::new(kind, line, no, range));
        loop {
            let blanks = at;
            while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\x0c')) {
                at += 1;
            }
            let Some(&byte) = bytes.get(at) else { break };
            let prefix = prefix_len(&bytes[at..]);
            let quote = bytes.get(at + prefix).copied().filter(|it| matches!(it, b'"' | b'\''));
            if let Some(quote) = quote {
                let is_triple = bytes[at + prefix..].starts_with(&[quote; 3]);
                let inner = at + prefix + if is_triple { 3 } else { 1 };
                if let Some(end) = string_end(bytes, inner, quote, is_triple) {
                    emit(TokenKind::String, at..end);
                    at = end;
                    continue;
                }
                if is_triple || goes_on(&bytes[inner.min(bytes.len())..], has_break) {
                    open = Open::String { quote, is_triple, start: (no, at) };
                    break;
                }
            }
            let rest = &line[at..];
            if byte == b'#' {
                emit(TokenKind::Comment, at..bytes.len());
                at = bytes.len();
            } else if byte == b'\\' && at + 1 == bytes.len() && has_break {
                is_continued = true;
                break;
            } else if let Some(len) = number_len(rest) {
                emit(TokenKind::Other, at..at + len);
                at += len;
            } else if let Some(len) = operator_len(&bytes[at..]) {
                match byte {
                    b'(' | b'[' | b'{' => brackets += 1,
                    b')' | b']' | b'}' => brackets -= 1,
                    _ => {}
                }
                emit(TokenKind::Operator, at..at + len);
                at += len;
            } else {
                let len = word_len(rest);
                if 0 < len {
                    emit(TokenKind::Name, at..at + len);
                    at += len;
                } else {
                    // Nothing that Python has, nor the blanks before it.
                    let next = rest.chars().next().map_or(1, char::len_utf8);
                    emit(TokenKind::Other, blanks..at + next);
                    at += next;
                }
            }
        }
        let goes_on = matches!(open, Open::String { .. }) || is_continued;
        if has_break && !goes_on {
            let kind = if 0 < brackets { TokenKind::Break } else { TokenKind::Newline };
            emit(kind, bytes.len()..bytes.len());
        }
    }
    let last = lines.last().copied().unwrap_or_default();
    let is_open = matches!(open, Open::String { .. }) || brackets != 0 || is_continued;
    if !is_open && !last.is_empty() && !last.trim_start().starts_with('#') {
        feed(Token::new(TokenKind::Newline, last, lines.len() - 1, last.len()..last.len()));
    }
    match open {
        Open::String { start, .. } => Err(TokenError { line: start.0 }),
        Open::Nothing if brackets != 0 || is_continued => Err(TokenError { line: lines.len() }),
        Open::Nothing => Ok(()),
    }
}

/// The column of the first token of a line, and its offset.
fn indentation(bytes: &[u8]) -> (usize, usize) {
    let mut column = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b' ' => column += 1,
            b'\t' => column = (column / 8 + 1) * 8,
            b'\x0c' => column = 0,
            _ => return (column, at),
        }
    }
    (column, bytes.len())
}

/// Counts the letters that can stand before the quotes of a string.
fn prefix_len(bytes: &[u8]) -> usize {
    let lower = |at: usize| bytes.get(at).map(u8::to_ascii_lowercase);
    match (lower(0), lower(1)) {
        (Some(b'r'), Some(b'b' | b'f')) | (Some(b'b' | b'f'), Some(b'r')) => 2,
        (Some(b'r' | b'b' | b'f' | b'u'), _) => 1,
        _ => 0,
    }
}

/// Returns where a string ends that is open at `at`, if it ends in this line.
fn string_end(bytes: &[u8], mut at: usize, quote: u8, is_triple: bool) -> Option<usize> {
    while let Some(&byte) = bytes.get(at) {
        if byte == b'\\' {
            at += 2;
        } else if byte == quote && !is_triple {
            return Some(at + 1);
        } else if byte == quote && bytes[at..].starts_with(&[quote; 3]) {
            return Some(at + 3);
        } else {
            at += 1;
        }
    }
    None
}

/// Whether a string goes on in the next line, by a backslash at the end of this
/// one.
fn goes_on(bytes: &[u8], has_break: bool) -> bool {
    let n = bytes.iter().rev().take_while(|byte| **byte == b'\\').count();
    has_break && n % 2 == 1
}

/// The length of the operator at the start of a text: the longest that fits.
fn operator_len(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'*', b'*', b'=', ..]
        | [b'/', b'/', b'=', ..]
        | [b'>', b'>', b'=', ..]
        | [b'<', b'<', b'=', ..]
        | [b'.', b'.', b'.', ..] => Some(3),
        [
            b'!' | b'%' | b'&' | b'*' | b'+' | b'-' | b'/' | b':' | b'<' | b'=' | b'>' | b'@'
            | b'^' | b'|',
            b'=',
            ..,
        ]
        | [b'*', b'*', ..]
        | [b'/', b'/', ..]
        | [b'<', b'<', ..]
        | [b'>' | b'-', b'>', ..] => Some(2),
        [
            b'%' | b'&' | b'(' | b')' | b'*' | b'+' | b',' | b'-' | b'.' | b'/' | b':' | b';'
            | b'<' | b'=' | b'>' | b'@' | b'[' | b']' | b'^' | b'{' | b'|' | b'}' | b'~',
            ..,
        ] => Some(1),
        _ => None,
    }
}

/// The length of the name or keyword at the start of a text, or 0.
fn word_len(text: &str) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let len = text.bytes().take_while(is_part).count();
    match text.as_bytes().get(len) {
        Some(0x80..) => {
            let is_word = |char: char| char.is_alphanumeric() || char == '_';
            text.find(|char| !is_word(char)).unwrap_or(text.len())
        }
        _ => len,
    }
}

/// The length of the number at the start of a text.
fn number_len(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let starts = match bytes {
        [b'0'..=b'9', ..] => true,
        [b'.', next, ..] => next.is_ascii_digit(),
        _ => false,
    };
    if !starts {
        return None;
    }
    let digits = |from: usize, is_digit: fn(&u8) -> bool| {
        let mut at = from;
        while bytes.get(at).is_some_and(is_digit)
            || (bytes.get(at) == Some(&b'_')
                && from < at
                && bytes.get(at + 1).is_some_and(is_digit))
        {
            at += 1;
        }
        at
    };
    let radix: Option<fn(&u8) -> bool> = match (bytes[0], bytes.get(1)) {
        (b'0', Some(b'x' | b'X')) => Some(u8::is_ascii_hexdigit),
        (b'0', Some(b'o' | b'O')) => Some(|it| (b'0'..=b'7').contains(it)),
        (b'0', Some(b'b' | b'B')) => Some(|it| matches!(it, b'0' | b'1')),
        _ => None,
    };
    if let Some(is_digit) = radix {
        let from = 2 + usize::from(bytes.get(2) == Some(&b'_'));
        let end = digits(from, is_digit);
        return Some(if from < end { end } else { 1 });
    }
    let is_digit: fn(&u8) -> bool = u8::is_ascii_digit;
    let mut end = digits(0, is_digit);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1, is_digit);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign, is_digit);
        if end + 1 + sign < exponent {
            end = exponent;
        }
    }
    if matches!(bytes.get(end), Some(b'j' | b'J')) {
        end += 1;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let lines: Vec<&str> = text.split('\n').collect();
        let mut found = Vec::new();
        let res = tokenize(&lines, |token| {
            let kind = match token.kind {
                TokenKind::Name => "n",
                TokenKind::Operator => "o",
                TokenKind::String => "s",
                TokenKind::Comment => "c",
                TokenKind::Newline => "N",
                TokenKind::Break => "b",
                TokenKind::Other => "x",
            };
            found.push(format!("{kind}{}", token.text));
        });
        if let Err(error) = res {
            found.push(format!("!{}", error.line));
        }
        assert_eq!(found.join(" "), expected, "{text:?}");
    }

    #[test]
    fn names_numbers_and_operators() {
        check("a.b = 0x1F+1.5e-3j", "na o. nb o= x0x1F o+ x1.5e-3j N");
        check("x**=...if 1_0else 1e", "nx o**= o... nif x1_0 nelse x1 ne N");
        check("é := $y", "né o:= x $ ny N");
        check("aé_1b²!", "naé_1b² x! N");
    }

    #[test]
    fn operators_are_as_long_as_can_be() {
        // Those of Python 3.11.
        let all = "**= //= >>= <<= ... != %= &= ** *= += -= -> // /= := << <= == >= >> @= ^= |= % & \
                   * + , - . / : ; < = > @ ^ | ~";
        for operator in all.split_whitespace() {
            assert_eq!(operator_len(operator.as_bytes()), Some(operator.len()), "{operator}");
            assert_eq!(operator_len(format!("{operator}a").as_bytes()), Some(operator.len()));
        }
        for other in ["", "!", "?", "$", "a", "1", "\"", "\\", "é"] {
            assert_eq!(operator_len(other.as_bytes()), None, "{other}");
        }
        check("a~=b..c", "na o~ o= nb o. o. nc N");
    }

    #[test]
    fn line_breaks_end_statements_but_in_brackets() {
        check("a  # c\n\n# d\nf(\n# e\n)\n", "na c# c N b c# d b nf o( b c# e b o) N");
        check("a \\\n b\nc", "na nb N nc N");
    }

    #[test]
    fn strings_end_somewhere_or_were_none() {
        check("rb'a\\'b' f\"\" 'x", "srb'a\\'b' sf\"\" x ' nx N");
        check("'a\\\nb' c\n", "s'a\\ nc N");
        check("'a\\\nb\nc", "x'a\\ nc N");
        check("x = '''a\nb''' + c", "nx o= s'''a o+ nc N");
    }

    #[test]
    fn what_is_open_at_the_end_is_an_error() {
        check("a\nx = '''b\n\n", "na N nx o= !1");
        check("f(\n\n", "nf o( b b !3");
        check("a \\\n", "na !2");
        check("if x:\n    a\n  b", "nif nx o: N na N !2");
        check(")\na", "o) N na !2");
    }
}
