use std::borrow::Cow;
use std::ops::Range;

use serde_json::{Map, Number, Value};

use super::scan::Scanner;
use crate::{ParseError, ParseErrorKind};

/// How deep a value may nest that becomes a [`Value`], which recurses when it is
/// dropped.
pub(super) const TREE_DEPTH: usize = 200;

impl Scanner<'_> {
    /// Reads a value that has to be understood.
    pub(super) fn tree(&mut self) -> Result<Value, ParseError> {
        self.tree_at(0)
    }

    fn tree_at(&mut self, depth: usize) -> Result<Value, ParseError> {
        self.blank();
        let start = self.at;
        if depth == TREE_DEPTH {
            return Err(self.fail("brackets are nested too deep"));
        }
        match self.peek() {
            Some(b'{') => {
                let mut map = Map::new();
                self.object(|scanner, key| {
                    let start = scanner.at;
                    let value = scanner.tree_at(depth + 1)?;
                    map.insert(key.to_owned(), value);
                    Ok(start..scanner.at)
                })?;
                Ok(Value::Object(map))
            }
            Some(b'[') => {
                let mut items = Vec::new();
                self.array(|scanner| {
                    let start = scanner.at;
                    items.push(scanner.tree_at(depth + 1)?);
                    Ok(start..scanner.at)
                })?;
                Ok(Value::Array(items))
            }
            Some(b'"') => {
                let span = self.string()?;
                Ok(Value::String(decode(self.text, &span)?.into_owned()))
            }
            _ => match self.scalar()? {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                "null" => Ok(Value::Null),
                word => serde_json::from_str::<Number>(word).map(Value::Number).map_err(|_| {
                    let what = format!("the number `{word}` in metadata");
                    ParseError::at(self.text, start, ParseErrorKind::Unsupported(what))
                }),
            },
        }
    }
}

/// Returns the text of a string whose range has the quotes.
pub(super) fn decode<'a>(text: &'a str, span: &Range<usize>) -> Result<Cow<'a, str>, ParseError> {
    let raw = &text[span.clone()];
    if !raw.contains('\\') {
        return Ok(Cow::Borrowed(&raw[1..raw.len() - 1]));
    }
    serde_json::from_str(raw).map(Cow::Owned).map_err(|_| {
        let what = "half of a surrogate pair (`\\ud800` or similar)".to_owned();
        ParseError::at(text, span.start, ParseErrorKind::Unsupported(what))
    })
}
