use std::sync::Arc;

use serde_json::{Map, Value};

use super::header::{self, Stored};
use super::ids::Ids;
use super::read::{CellLayout, Parsed, hide_text_representation, holds_block, parse, sort_out};
use super::splice::{Edit, Gaps, NewValue, Piece, edit_object, edit_value, join};
use super::style::Style;
use super::write::{self, respelled_map};
use super::{source, write::respelled};
use crate::{
    Cell, CellKind, Notebook, NotebookAttribute, ParseError, PrintError, Slot, marimo_metadata,
};

/// How deep the members of a cell are.
const CELL_DEPTH: usize = 3;

/// A cell that the new text is to have.
#[derive(Debug)]
struct Plan<'a> {
    /// Its position in the old file, and what it is there.
    old: Option<(usize, &'a Cell)>,
    /// `None` if nothing changes.
    new: Option<Cell>,
    /// The slot, `None` for the cell with the PEP 723 block.
    slot: Option<usize>,
}

impl Plan<'_> {
    fn cell(&self) -> Option<&Cell> {
        self.new.as_ref().or(self.old.map(|(_, cell)| cell))
    }

    fn holds_block(&self) -> bool {
        self.cell().is_some_and(holds_block)
    }
}

/// What an update made.
pub(super) struct Updated {
    pub(super) text: Arc<str>,
    pub(super) parsed: Parsed,
    /// For each cell of the new view, the slot that it stands for.
    pub(super) origins: Vec<Option<usize>>,
}

/// Changes a text, and reads the new one.
pub(super) fn update(
    text: &str,
    parsed: &Parsed,
    slots: &[Slot],
    attributes: &[(NotebookAttribute, Option<Value>)],
) -> Result<Updated, PrintError> {
    let mut target = target(&parsed.notebook, attributes);
    let mut plans = plan(parsed, slots)?;
    place_script(parsed, &mut target, &mut plans);

    let new_text: Arc<str> = write_all(text, parsed, &target, &plans)
        .map_err(|error| PrintError::Unfaithful(error.to_string()))?
        .into();
    let parsed = parse(&new_text).map_err(|error| PrintError::Unfaithful(error.to_string()))?;
    let origins = compare(&target, &plans, &parsed.notebook)?;
    Ok(Updated { text: new_text, parsed, origins })
}

/// The notebook attributes that the new text is to have; the cells are left out.
fn target(old: &Notebook, attributes: &[(NotebookAttribute, Option<Value>)]) -> Notebook {
    let mut target = Notebook {
        metadata: old.metadata.clone(),
        marimo: old.marimo.clone(),
        script: old.script.clone(),
        cells: Vec::new(),
    };
    for (attribute, value) in attributes {
        target.set_attribute(attribute, value.as_ref().map(respelled));
    }
    hide_text_representation(&mut target.metadata);
    let stored = marimo_metadata::take_from_notebook(&mut target.metadata);
    for (key, value) in stored {
        target.marimo.entry(key).or_insert(value);
    }
    target
}

fn plan<'a>(parsed: &'a Parsed, slots: &[Slot]) -> Result<Vec<Plan<'a>>, PrintError> {
    let cells = &parsed.notebook.cells;
    let mut plans = Vec::with_capacity(slots.len() + 1);
    for (at, slot) in slots.iter().enumerate() {
        let old = match slot.origin() {
            None => None,
            Some(origin) => {
                let old = parsed.shown.get(origin).copied().zip(cells.get(origin));
                let what = || PrintError::Unfaithful(format!("the old text has no cell {origin}"));
                Some(old.ok_or_else(what)?)
            }
        };
        let new = match (slot, old) {
            (Slot::New(cell), _) => Some(cell.clone()),
            (Slot::Change { changes, .. }, Some((_, old))) => {
                let mut cell = old.clone();
                for change in changes {
                    change.apply(&mut cell);
                }
                Some(cell)
            }
            _ => None,
        };
        let new = new
            .map(|mut cell| {
                cell.metadata = respelled_map(&cell.metadata);
                cell.marimo = respelled_map(&cell.marimo);
                sort_out(&mut cell);
                cell
            })
            .filter(|new| old.is_none_or(|(_, old)| old != new));
        plans.push(Plan { old, new, slot: Some(at) });
    }
    Ok(plans)
}

/// Puts the cell with the PEP 723 block among the others, and makes the target
/// consistent with where the block is.
fn place_script<'a>(parsed: &'a Parsed, target: &mut Notebook, plans: &mut Vec<Plan<'a>>) {
    let first_block = |plans: &[Plan<'_>]| plans.iter().position(Plan::holds_block);
    let Some(script) = target.script.clone() else {
        // What looks like the block will be read as the block.
        if let Some(at) = first_block(plans) {
            target.script = plans[at].cell().and_then(|cell| header::block(&cell.source));
            plans[at].slot = None;
        }
        settle_header(parsed, target);
        return;
    };
    settle_header(parsed, target);
    let Some((position, old)) = &parsed.lifted else {
        // A file that has it in the header alone keeps it so.
        let in_header = match target.marimo.get("header") {
            Some(Value::String(text)) => {
                parsed.header != Stored::NoBlock && crate::script::find(text).is_some()
            }
            Some(_) => false,
            None => parsed.header == Stored::BareBlock,
        };
        if !in_header || first_block(plans).is_some() {
            let cell = Cell::new(CellKind::Code, script);
            plans.insert(0, Plan { old: None, new: Some(cell), slot: None });
        }
        return;
    };
    let mut new = None;
    if parsed.notebook.script.as_ref() != Some(&script) {
        let mut cell = old.clone();
        if let Some(range) = crate::script::find(&old.source) {
            cell.source.replace_range(range, &script);
        }
        new = Some(cell);
    }
    // It stays behind the cell that it stood behind, unless another cell would
    // then be taken for the block.
    let before = position.checked_sub(1).and_then(|before| {
        plans.iter().position(|plan| plan.old.is_some_and(|(at, _)| at == before))
    });
    let at = before.map_or(0, |before| before + 1);
    let at = if first_block(plans).is_some_and(|first| first < at) { 0 } else { at };
    plans.insert(at, Plan { old: Some((*position, old)), new, slot: None });
}

/// Gives the header of marimo the form that it is read as.
fn settle_header(parsed: &Parsed, target: &mut Notebook) {
    let bare = parsed.header == Stored::BareBlock;
    header::unfold(&mut target.marimo, target.script.as_deref(), bare);
    header::fold(&mut target.marimo);
}

fn write_all(
    text: &str,
    parsed: &Parsed,
    target: &Notebook,
    plans: &[Plan<'_>],
) -> Result<String, ParseError> {
    let Parsed { layout, style, .. } = parsed;
    let kept = plans.iter().filter_map(|plan| plan.old);
    let kept = kept.filter_map(|(at, _)| layout.cells[at].id.clone());
    let mut ids = Ids::new(kept);
    let mut pieces = Vec::with_capacity(plans.len());
    for plan in plans {
        let origin = plan.old.map(|(at, _)| at);
        let what = match (plan.old, &plan.new) {
            (Some((at, old)), Some(new)) => {
                NewCell::Edited(at, edit_cell(text, &layout.cells[at], old, new, style)?)
            }
            (Some((at, _)), None) => NewCell::Kept(at),
            (None, Some(new)) => {
                let id = (layout.minor >= 5).then(|| ids.give(new));
                NewCell::Printed(print_cell(new, id.as_deref(), style))
            }
            (None, None) => continue,
        };
        pieces.push(Piece { origin, what });
    }
    let spans: Vec<_> = layout.cells.iter().map(|cell| cell.object.span.clone()).collect();
    let write_cells = |out: &mut String| {
        let gaps = || Gaps::of(style, 2);
        join(out, text, &layout.list, &spans, &pieces, gaps, |out, cell| match cell {
            NewCell::Kept(at) => out.push_str(&text[spans[*at].clone()]),
            NewCell::Edited(at, edits) => {
                let object = &layout.cells[*at].object;
                edit_object(out, text, object, edits, style, CELL_DEPTH, &style.order);
            }
            NewCell::Printed(cell) => out.push_str(cell),
        });
    };
    let mut edits = vec![Edit { key: "cells", value: NewValue::Write(&write_cells) }];
    if let Some(metadata) = edit_metadata(text, parsed, target)? {
        edits.push(Edit { key: "metadata", value: NewValue::Text(metadata) });
    }
    let mut out = String::with_capacity(text.len() + 256);
    out.push_str(&text[..layout.root.span.start]);
    edit_object(&mut out, text, &layout.root, &edits, style, 1, &[]);
    out.push_str(&text[layout.root.span.end..]);
    Ok(out)
}

enum NewCell {
    Kept(usize),
    Edited(usize, Vec<Edit<'static>>),
    Printed(String),
}

fn edit_cell(
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
        Some(member) => super::read::stored_map(text, &member.value)?,
        None => Map::new(),
    };
    let mut wanted = replaced(&stored, &old.metadata, &new.metadata);
    let has_options = stored.get("marimo").is_some_and(Value::is_object);
    if old.marimo != new.marimo || (old.kind != new.kind && (has_options || !new.marimo.is_empty()))
    {
        put(&mut wanted, "marimo", marimo_metadata::for_cell(&new.marimo, new.kind));
    }
    if wanted != stored {
        let metadata = match object.get("metadata") {
            Some(member) => {
                edit_value(text, &member.value, &Value::Object(wanted), style, CELL_DEPTH)?
            }
            None => printed(&Value::Object(wanted), style, CELL_DEPTH),
        };
        set("metadata", NewValue::Text(metadata));
    }
    Ok(edits)
}

fn edit_metadata(
    text: &str,
    parsed: &Parsed,
    target: &Notebook,
) -> Result<Option<String>, ParseError> {
    let old = &parsed.notebook;
    let member = parsed.layout.root.get("metadata");
    let stored = match member {
        Some(member) => super::read::stored_map(text, &member.value)?,
        None => Map::new(),
    };
    let mut wanted = replaced(&stored, &old.metadata, &target.metadata);
    // Says what file the text was read from; stays with this file.
    if let Some(own) = stored.get("jupytext").and_then(|value| value.get("text_representation"))
        && let Some(Value::Object(jupytext)) = wanted.get_mut("jupytext")
    {
        jupytext.insert("text_representation".to_owned(), own.clone());
    }
    let moved_block = parsed.header != Stored::NoBlock && old.script != target.script;
    if old.marimo != target.marimo || moved_block {
        let mut marimo = target.marimo.clone();
        let bare = parsed.header == Stored::BareBlock;
        header::unfold(&mut marimo, target.script.as_deref(), bare);
        let mut value = marimo_metadata::for_notebook(&marimo);
        let version = stored.get("marimo").and_then(|marimo| marimo.get("marimo_version"));
        if let (Some(Value::Object(value)), Some(version)) = (&mut value, version) {
            value.insert("marimo_version".to_owned(), version.clone());
        }
        put(&mut wanted, "marimo", value);
    }
    if wanted == stored {
        return Ok(None);
    }
    let wanted = Value::Object(wanted);
    Ok(Some(match member {
        Some(member) => edit_value(text, &member.value, &wanted, &parsed.style, 1)?,
        None => printed(&wanted, &parsed.style, 1),
    }))
}

/// Makes the changes from `old` to `new` in what is stored.
fn replaced(
    stored: &Map<String, Value>,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) -> Map<String, Value> {
    let mut res = stored.clone();
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        res.shift_remove(key);
    }
    for (key, value) in new.iter().filter(|(key, value)| old.get(*key) != Some(value)) {
        res.insert(key.clone(), value.clone());
    }
    res
}

fn put(map: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            map.insert(key.to_owned(), value);
        }
        None => {
            map.shift_remove(key);
        }
    }
}

fn printed(value: &Value, style: &Style, depth: usize) -> String {
    let mut out = String::new();
    write::value(&mut out, value, style, depth);
    out
}

fn print_cell(cell: &Cell, id: Option<&str>, style: &Style) -> String {
    let mut metadata = cell.metadata.clone();
    if let Some(marimo) = marimo_metadata::for_cell(&cell.marimo, cell.kind) {
        metadata.insert("marimo".to_owned(), marimo);
    }
    let mut source = String::new();
    source::print(&mut source, &cell.source, style, CELL_DEPTH);
    let text = |value: &str| printed(&Value::String(value.to_owned()), style, CELL_DEPTH);
    let mut members = vec![("cell_type", text(cell.kind.as_str()))];
    if cell.kind == CellKind::Code {
        members.push(("execution_count", "null".to_owned()));
    }
    members.extend(id.map(|id| ("id", text(id))));
    members.push(("metadata", printed(&Value::Object(metadata), style, CELL_DEPTH)));
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

/// Makes sure that the new text was read as what it was to be.
fn compare(
    target: &Notebook,
    plans: &[Plan<'_>],
    read: &Notebook,
) -> Result<Vec<Option<usize>>, PrintError> {
    let unfaithful = |what: String| Err(PrintError::Unfaithful(what));
    let shown: Vec<_> = plans.iter().filter(|plan| plan.slot.is_some()).collect();
    if shown.len() != read.cells.len() {
        return unfaithful(format!("{} cells instead of {}", read.cells.len(), shown.len()));
    }
    for (at, (plan, cell)) in shown.iter().zip(&read.cells).enumerate() {
        if plan.cell() != Some(cell) {
            return unfaithful(format!("cell {at} differs"));
        }
    }
    if read.script != target.script {
        return unfaithful("the PEP 723 block differs".to_owned());
    }
    if read.metadata != target.metadata || read.marimo != target.marimo {
        return unfaithful("the metadata of the notebook differs".to_owned());
    }
    Ok(shown.iter().map(|plan| plan.slot).collect())
}
