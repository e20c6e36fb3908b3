use std::collections::HashSet;
use std::ops::Range;

use super::tree::decode;
use crate::{ParseError, ParseErrorKind};

/// How deep brackets may nest in what is only skipped.
pub(super) const DEPTH: usize = 512;

/// Finds where the values of a JSON text are.
///
/// Accepts what Python's `json` writes: `NaN`, `Infinity`, lone surrogates and
/// numbers of any size are fine as long as nobody has to understand them.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    /// Whether a character beyond ASCII was seen as an escape.
    pub(super) escapes: bool,
}

/// An object, and where its members are.
#[derive(Debug, Clone)]
pub(super) struct Object {
    /// From bracket to bracket.
    pub(super) span: Range<usize>,
    pub(super) members: Vec<Member>,
}

/// A member of an [`Object`].
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) key: String,
    /// From the quote of the key to the end of the value.
    pub(super) span: Range<usize>,
    pub(super) value: Range<usize>,
}

/// An array, and where its items are.
#[derive(Debug, Clone)]
pub(super) struct Array {
    /// From bracket to bracket.
    pub(super) span: Range<usize>,
    pub(super) items: Vec<Range<usize>>,
}

impl Object {
    pub(super) fn get(&self, key: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.key == key)
    }

    pub(super) fn is_sorted(&self) -> bool {
        self.members.is_sorted_by(|a, b| a.key < b.key)
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        Self { text, at, escapes: false }
    }

    /// Reads an object that has each key once; `value` reads its values.
    pub(super) fn object(
        &mut self,
        mut value: impl FnMut(&mut Self, &str) -> Result<Range<usize>, ParseError>,
    ) -> Result<Object, ParseError> {
        let start = self.at;
        let mut members: Vec<Member> = Vec::new();
        self.expect(b'{')?;
        self.blank();
        if !self.eat(b'}') {
            loop {
                self.blank();
                let from = self.at;
                let span = self.string()?;
                let key = decode(self.text, &span)?.into_owned();
                self.blank();
                self.expect(b':')?;
                self.blank();
                let value = value(self, &key)?;
                members.push(Member { key, span: from..value.end, value });
                self.blank();
                if self.eat(b'}') {
                    break;
                }
                self.expect(b',')?;
            }
        }
        if let Some(member) = repeated(&members) {
            let what = format!("the key `{}` is there twice", member.key);
            let kind = ParseErrorKind::Unsupported(what);
            return Err(ParseError::at(self.text, member.span.start, kind));
        }
        Ok(Object { span: start..self.at, members })
    }

    /// Reads an array; `item` reads its items.
    pub(super) fn array(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<Range<usize>, ParseError>,
    ) -> Result<Array, ParseError> {
        let start = self.at;
        let mut items = Vec::new();
        self.expect(b'[')?;
        self.blank();
        if !self.eat(b']') {
            loop {
                self.blank();
                items.push(item(self)?);
                self.blank();
                if self.eat(b']') {
                    break;
                }
                self.expect(b',')?;
            }
        }
        Ok(Array { span: start..self.at, items })
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self) -> Result<Range<usize>, ParseError> {
        self.blank();
        let start = self.at;
        let mut open = Vec::new();
        loop {
            self.blank();
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    self.at += 1;
                    self.blank();
                    if !self.eat(closing(bracket)) {
                        if open.len() == DEPTH {
                            return Err(self.fail("brackets are nested too deep"));
                        }
                        open.push(bracket);
                        if bracket == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                _ => {
                    self.scalar()?;
                }
            }
            loop {
                let Some(&bracket) = open.last() else {
                    return Ok(start..self.at);
                };
                self.blank();
                if self.eat(closing(bracket)) {
                    open.pop();
                    continue;
                }
                self.expect(b',')?;
                if bracket == b'{' {
                    self.key()?;
                }
                break;
            }
        }
    }

    /// Fails unless only blanks are left.
    pub(super) fn end(&mut self) -> Result<(), ParseError> {
        self.blank();
        match self.peek() {
            Some(_) => Err(self.fail("there is text after the end")),
            None => Ok(()),
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), ParseError> {
        if self.eat(byte) {
            return Ok(());
        }
        Err(self.fail(&format!("expected `{}`", char::from(byte))))
    }

    fn key(&mut self) -> Result<(), ParseError> {
        self.blank();
        self.string()?;
        self.blank();
        self.expect(b':')
    }

    /// Passes over a string; the range has the quotes.
    pub(super) fn string(&mut self) -> Result<Range<usize>, ParseError> {
        let start = self.at;
        self.expect(b'"')?;
        let bytes = self.text.as_bytes();
        loop {
            let rest = &bytes[self.at..];
            let plain = rest.iter().position(|&byte| SPECIAL[usize::from(byte)]);
            self.at += plain.unwrap_or(rest.len());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(start..self.at);
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.fail("control character in a string")),
                None => return Err(self.fail("the text ends within a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), ParseError> {
        match self.text.as_bytes().get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let code = self
                    .text
                    .get(self.at + 2..self.at + 6)
                    .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
                    .and_then(|digits| u16::from_str_radix(digits, 16).ok());
                match code {
                    Some(code) => {
                        self.escapes |= code >= 0x80;
                        self.at += 6;
                    }
                    None => return Err(self.fail("broken `\\u` escape")),
                }
            }
            _ => return Err(self.fail("unknown escape in a string")),
        }
        Ok(())
    }

    /// Passes over a number or a word.
    pub(super) fn scalar(&mut self) -> Result<&'a str, ParseError> {
        let rest = &self.text[self.at..];
        let len = rest
            .bytes()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')))
            .unwrap_or(rest.len());
        let word = &rest[..len];
        let known = matches!(word, "true" | "false" | "null" | "NaN" | "Infinity" | "-Infinity");
        if !known && !is_number(word) {
            return Err(self.fail(if self.peek().is_none() {
                "the text ends too early"
            } else {
                "expected a value"
            }));
        }
        self.at += len;
        Ok(word)
    }

    pub(super) fn fail(&self, what: &str) -> ParseError {
        ParseError::at(self.text, self.at, ParseErrorKind::Json(what.to_owned()))
    }
}

/// Returns a member whose key an earlier one has.
fn repeated(members: &[Member]) -> Option<&Member> {
    if members.len() <= 16 {
        let mut rest = members.iter().enumerate();
        return rest
            .find(|(at, member)| members[..*at].iter().any(|other| other.key == member.key))
            .map(|(_, member)| member);
    }
    let mut keys = HashSet::new();
    members.iter().find(|member| !keys.insert(member.key.as_str()))
}

/// Bytes that end a run of plain characters in a string.
static SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

fn closing(bracket: u8) -> u8 {
    if bracket == b'{' { b'}' } else { b']' }
}

fn is_number(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let word = word.strip_prefix('-').unwrap_or(word);
    let (mantissa, exponent) = match word.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (word, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}
