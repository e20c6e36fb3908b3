use serde_json::{Map, Value};

use super::metadata::{put, replaced};
use super::read::{CellLayout, stored_map};
use super::splice::{Edit, NewValue, edit_value};
use super::style::Style;
use super::{source, write};
use crate::{Cell, CellKind, ParseError, marimo_metadata};

/// How deep the members of a cell are.
pub(super) const CELL_DEPTH: usize = 3;

/// Says which members of a stored cell change, and to what.
pub(super) fn edit(
    text: &str,
    layout: &CellLayout,
    old: &Cell,
    new: &Cell,
    style: &Style,
) -> Result<Vec<Edit<'static>>, ParseError> {
    let object = &layout.object;
    let mut edits = Vec::new();
    let mut set = |key, value| edits.push(Edit { key, value });
    if old.kind != new.kind {
        let mut kind = String::new();
        write::string(&mut kind, new.kind.as_str(), style.ascii);
        set("cell_type", NewValue::Text(kind));
        if new.kind == CellKind::Code {
            // Only prose has attachments (nbformat's schema).
            set("attachments", NewValue::None);
            for (key, value) in [("execution_count", "null"), ("outputs", "[]")] {
                if object.get(key).is_none() {
                    set(key, NewValue::Text(value.to_owned()));
                }
            }
        } else {
            set("execution_count", NewValue::None);
            set("outputs", NewValue::None);
        }
    }
    if old.source != new.source {
        let mut source = String::new();
        match object.get("source") {
            Some(old) => {
                source = source::update(text, &old.value, &new.source, style, CELL_DEPTH)?;
            }
            None => source::print(&mut source, &new.source, style, CELL_DEPTH),
        }
        set("source", NewValue::Text(source));
    }
    let stored = match object.get("metadata") {
        Some(member) => stored_map(text, &member.value)?,
        None => Map::new(),
    };
    let mut wanted = replaced(&stored, &old.metadata, &new.metadata);
    let has_options = stored.get("marimo").is_some_and(Value::is_object);
    if old.marimo != new.marimo || (old.kind != new.kind && has_options) {
        put(&mut wanted, "marimo", marimo_metadata::for_cell(&new.marimo, new.kind));
    }
    if wanted != stored {
        let metadata = match object.get("metadata") {
            Some(member) => {
                edit_value(text, &member.value, &Value::Object(wanted), style, CELL_DEPTH)?
            }
            None => write::printed(&Value::Object(wanted), style, CELL_DEPTH),
        };
        set("metadata", NewValue::Text(metadata));
    }
    Ok(edits)
}

/// Writes a cell that has no text yet.
pub(super) fn print(cell: &Cell, id: Option<&str>, style: &Style) -> String {
    let mut metadata = cell.metadata.clone();
    metadata.extend(cell.notes.0.clone());
    if let Some(marimo) = marimo_metadata::for_cell(&cell.marimo, cell.kind) {
        metadata.insert("marimo".to_owned(), marimo);
    }
    let mut source = String::new();
    source::print(&mut source, &cell.source, style, CELL_DEPTH);
    let text = |value: &str| write::printed(&Value::String(value.to_owned()), style, CELL_DEPTH);
    let mut members = vec![("cell_type", text(cell.kind.as_str()))];
    if cell.kind == CellKind::Code {
        members.push(("execution_count", "null".to_owned()));
    }
    members.extend(id.map(|id| ("id", text(id))));
    members.push(("metadata", write::printed(&Value::Object(metadata), style, CELL_DEPTH)));
    if cell.kind == CellKind::Code {
        members.push(("outputs", "[]".to_owned()));
    }
    members.push(("source", source));
    if !style.sorted {
        let rank = |key: &str| style.order.iter().position(|other| other == key);
        members.sort_by_key(|(key, _)| rank(key).unwrap_or(usize::MAX));
    }
    let mut out = String::new();
    write::container(&mut out, style, CELL_DEPTH, *b"{}", members, |out, (key, value)| {
        write::key(out, key, style);
        out.push_str(&value);
    });
    out
}
