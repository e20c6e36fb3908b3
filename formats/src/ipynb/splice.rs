use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde_json::Value;

use super::scan::{Object, Scanner};
use super::style::Style;
use super::write;
use crate::ParseError;

/// An item that a list is to have.
pub(super) struct Piece<T> {
    /// Which item of the old list it was.
    pub(super) origin: Option<usize>,
    pub(super) what: T,
}

/// What stands around the items of a list that is too short to show it.
pub(super) struct Gaps {
    comma: String,
    lead: String,
    trail: String,
}

impl Gaps {
    /// The gaps of a list whose items are `depth` deep.
    pub(super) fn of(style: &Style, depth: usize) -> Self {
        let (mut lead, mut trail) = (String::new(), String::new());
        style.new_line(&mut lead, depth);
        style.new_line(&mut trail, depth - 1);
        Self { comma: style.comma.clone(), lead, trail }
    }
}

/// Writes a list with its brackets: items that were neighbours keep the blanks
/// between them, others get those that stood at one of them.
pub(super) fn join<T>(
    out: &mut String,
    text: &str,
    span: &Range<usize>,
    items: &[Range<usize>],
    pieces: &[Piece<T>],
    gaps: impl FnOnce() -> Gaps,
    mut write: impl FnMut(&mut String, &T),
) {
    if pieces.is_empty() {
        if items.is_empty() {
            out.push_str(&text[span.clone()]);
        } else {
            out.push_str(&text[span.start..=span.start]);
            out.push_str(&text[span.end - 1..span.end]);
        }
        return;
    }
    let gaps = gaps();
    let (lead, trail) = match (items.first(), items.last()) {
        (Some(first), Some(last)) => {
            (&text[span.start + 1..first.start], &text[last.end..span.end - 1])
        }
        _ => (&*gaps.lead, &*gaps.trail),
    };
    let gap = match items {
        [first, second, ..] => text[first.end..second.start].to_owned(),
        // One item on one line with its brackets, in a file with lines.
        [_] if lead.is_empty() && !gaps.lead.is_empty() => ", ".to_owned(),
        _ => gaps.comma + lead,
    };
    out.push_str(&text[span.start..=span.start]);
    out.push_str(lead);
    let mut before: Option<usize> = None;
    for (at, piece) in pieces.iter().enumerate() {
        if at > 0 {
            // What followed the one before, or preceded this one.
            let next = before.map(|before| before + 1).filter(|&next| next < items.len());
            match next.or(piece.origin.filter(|&origin| origin > 0)) {
                Some(next) => out.push_str(&text[items[next - 1].end..items[next].start]),
                None => out.push_str(&gap),
            }
        }
        write(out, &piece.what);
        before = piece.origin;
    }
    out.push_str(trail);
    out.push_str(&text[span.end - 1..span.end]);
}

/// What a member of an object becomes.
pub(super) struct Edit<'a> {
    pub(super) key: &'a str,
    pub(super) value: NewValue<'a>,
}

/// The value of an [`Edit`].
pub(super) enum NewValue<'a> {
    /// The member is removed.
    None,
    /// The value is this text.
    Text(String),
    /// The value is written by this function, as it is long.
    Write(&'a dyn Fn(&mut String)),
}

enum Part<'a> {
    Keep(usize),
    Value(usize, &'a NewValue<'a>),
    New(&'a str, &'a NewValue<'a>),
}

/// Writes an object whose members are `depth` deep, with changes.
///
/// A new member stands where the order of the keys has it: sorted if the old
/// keys are, else after the keys that `order` has before it, else at the end.
pub(super) fn edit_object(
    out: &mut String,
    text: &str,
    object: &Object,
    edits: &[Edit<'_>],
    style: &Style,
    depth: usize,
    order: &[String],
) {
    let members = &object.members;
    let sorted = object.is_sorted() && (style.sorted || members.len() > 1);
    let by_key: HashMap<_, _> = edits.iter().map(|edit| (edit.key, &edit.value)).collect();
    let mut old_keys = HashSet::new();
    let mut pieces = Vec::with_capacity(members.len() + 1);
    for (at, member) in members.iter().enumerate() {
        old_keys.insert(member.key.as_str());
        let what = match by_key.get(member.key.as_str()) {
            None => Part::Keep(at),
            Some(NewValue::None) => continue,
            Some(value) => Part::Value(at, value),
        };
        pieces.push(Piece { origin: Some(at), what });
    }
    let rank = |key: &str| order.iter().position(|other| other == key);
    for Edit { key, value } in edits {
        if old_keys.contains(key) || matches!(value, NewValue::None) {
            continue;
        }
        let key_of = |piece: &Piece<Part<'_>>| match piece.what {
            Part::Keep(at) | Part::Value(at, _) => members[at].key.clone(),
            Part::New(key, _) => key.to_owned(),
        };
        let at = if sorted {
            pieces.partition_point(|piece| key_of(piece).as_str() < *key)
        } else {
            let own_rank = rank(key);
            let is_before = |piece: &Piece<Part<'_>>| {
                rank(&key_of(piece)).zip(own_rank).is_some_and(|(rank, own)| rank < own)
            };
            let before = if order.is_empty() { None } else { pieces.iter().rposition(is_before) };
            before.map_or(pieces.len(), |before| before + 1)
        };
        pieces.insert(at, Piece { origin: None, what: Part::New(key, value) });
    }
    let spans: Vec<_> = members.iter().map(|member| member.span.clone()).collect();
    let gaps = || Gaps::of(style, depth);
    join(out, text, &object.span, &spans, &pieces, gaps, |out, part| match part {
        Part::Keep(at) => out.push_str(&text[spans[*at].clone()]),
        Part::Value(at, value) => {
            let member = &members[*at];
            out.push_str(&text[member.span.start..member.value.start]);
            value.write(out);
        }
        Part::New(key, value) => {
            write::key(out, key, style);
            value.write(out);
        }
    });
}

impl NewValue<'_> {
    fn write(&self, out: &mut String) {
        match self {
            Self::None => {}
            Self::Text(text) => out.push_str(text),
            Self::Write(write) => write(out),
        }
    }
}

/// Writes a value in the place of another, whose items are `depth + 1` deep.
/// What they have in common keeps its bytes.
pub(super) fn edit_value(
    text: &str,
    old: &Range<usize>,
    new: &Value,
    style: &Style,
    depth: usize,
) -> Result<String, ParseError> {
    let mut out = String::new();
    let stored = match new {
        Value::Object(_) if text[old.clone()].starts_with('{') => {
            Scanner::new(text, old.start).tree()?
        }
        _ => Value::Null,
    };
    let (Value::Object(map), Value::Object(stored)) = (new, stored) else {
        write::value(&mut out, new, style, depth);
        return Ok(out);
    };
    let object = Scanner::new(text, old.start).object(|scanner, _| scanner.skip())?;
    let mut edits = Vec::new();
    for member in &object.members {
        let value = match map.get(&member.key) {
            None => NewValue::None,
            Some(value) if stored.get(&member.key) == Some(value) => continue,
            Some(value) => {
                NewValue::Text(edit_value(text, &member.value, value, style, depth + 1)?)
            }
        };
        edits.push(Edit { key: &member.key, value });
    }
    for (key, value) in map.iter().filter(|(key, _)| !stored.contains_key(*key)) {
        let value = NewValue::Text(write::printed(value, style, depth + 1));
        edits.push(Edit { key, value });
    }
    edit_object(&mut out, text, &object, &edits, style, depth + 1, &[]);
    Ok(out)
}
