//! Files as people leave them, and edits that meet in the same places.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{Attribute, Cell, CellKind, Change, Notebook, Notes, Slot};

const BLOCK: &str = "# /// script\n# a\n# ///";

/// How a generated file is spelled.
#[derive(Debug, Clone)]
struct Spelling {
    /// Line break and indentation, `None` for a file on one line.
    indent: Option<&'static str>,
    newline: &'static str,
    comma: &'static str,
    colon: &'static str,
    ascii: bool,
    /// 0 as given, 1 sorted, 2 sorted backwards.
    order: u8,
    joined: bool,
    minor: u8,
    end: &'static str,
    bom: bool,
}

fn any_spelling() -> impl Strategy<Value = Spelling> {
    let indent = prop::sample::select(vec![None, Some(""), Some(" "), Some("  "), Some("\t")]);
    let newline = prop::sample::select(vec!["\n", "\n", "\r\n"]);
    let comma = prop::sample::select(vec![",", ", "]);
    let colon = prop::sample::select(vec![":", ": ", " : "]);
    let end = prop::sample::select(vec!["", "\n", " \n\n"]);
    let rest = (any::<bool>(), 0..3_u8, any::<bool>(), 4..6_u8, end, any::<bool>());
    (indent, newline, comma, colon, rest).prop_map(
        |(indent, newline, comma, colon, (ascii, order, joined, minor, end, bom))| Spelling {
            indent,
            newline,
            comma,
            colon,
            ascii,
            order,
            joined,
            minor,
            end,
            bom,
        },
    )
}

impl Spelling {
    fn line(&self, out: &mut String, depth: usize) {
        if let Some(indent) = self.indent {
            out.push_str(self.newline);
            out.push_str(&indent.repeat(depth));
        }
    }

    fn write(&self, out: &mut String, value: &Value, depth: usize) {
        match value {
            Value::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { self.comma } else { "" });
                    self.line(out, depth + 1);
                    self.write(out, item, depth + 1);
                }
                if !items.is_empty() {
                    self.line(out, depth);
                }
                out.push(']');
            }
            Value::Object(map) => {
                let mut members: Vec<_> = map.iter().collect();
                if self.order > 0 {
                    members.sort_by_key(|(key, _)| *key);
                }
                if self.order > 1 {
                    members.reverse();
                }
                out.push('{');
                for (at, (key, item)) in members.into_iter().enumerate() {
                    out.push_str(if at > 0 { self.comma } else { "" });
                    self.line(out, depth + 1);
                    self.write(out, &json!(key), depth + 1);
                    out.push_str(self.colon);
                    self.write(out, item, depth + 1);
                }
                if !map.is_empty() {
                    self.line(out, depth);
                }
                out.push('}');
            }
            Value::String(text) => {
                let text = value_of(text);
                out.push_str(&if self.ascii { text.replace('é', "\\u00E9") } else { text });
            }
            other => out.push_str(&other.to_string()),
        }
    }
}

/// A string as JSON, or what stands for something that only Python reads.
fn value_of(text: &str) -> String {
    match text {
        "<nan>" => "NaN".to_owned(),
        "<half>" => "\"\\ud800\"".to_owned(),
        _ => json!(text).to_string().replace('/', "\\/"),
    }
}

/// A value of metadata.
pub(super) fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!("é/")),
        Just(serde_json::from_str("123456789012345678901234567890").unwrap()),
        Just(json!([])),
        Just(json!({})),
        Just(json!([1, {"a": {}}])),
        Just(json!({"a": 1})),
        Just(json!({"b": "é", "a": {"c": 2}})),
        Just(json!({"b": "x", "a": {"c": 2, "d": 3}})),
    ]
}

fn any_metadata() -> impl Strategy<Value = Map<String, Value>> {
    let key = prop::sample::select(vec!["b", "a", "é", "tags"]);
    prop::collection::vec((key.prop_map(str::to_owned), any_value()), 0..3)
        .prop_map(|members| members.into_iter().collect())
}

fn any_options() -> impl Strategy<Value = Map<String, Value>> {
    let option = prop_oneof![
        Just(("name", json!("f"))),
        Just(("hide_code", json!(true))),
        Just(("hide_code", json!(false))),
        Just(("column", json!(1))),
    ];
    prop::collection::vec(option, 0..3).prop_map(|options| {
        options.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    })
}

fn any_kind() -> impl Strategy<Value = CellKind> {
    prop::sample::select(vec![CellKind::Code, CellKind::Markdown, CellKind::Raw])
}

fn any_source() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "x\n", "y\n", "é/\n", "\n", "\r\n", "\r", "\u{c}", "x", "\u{2028}",
    ]);
    prop::collection::vec(line, 0..5).prop_map(|lines| lines.concat())
}

fn any_cell() -> impl Strategy<Value = Cell> {
    let id = prop::sample::select(vec![None, Some("a"), Some("b")]);
    (any_kind(), any_source(), id, any_metadata(), any_options()).prop_map(
        |(kind, source, id, metadata, marimo)| Cell {
            kind,
            source,
            id: id.map(str::to_owned),
            metadata,
            marimo,
            notes: Notes::default(),
        },
    )
}

/// A cell as a file has it.
fn any_stored_cell() -> impl Strategy<Value = Value> {
    let outputs = prop::sample::select(vec![
        json!([]),
        json!([{"data": {"text/plain": ["1", "<nan>"]}}]),
        json!([{"x": "<half>"}, [[[]]]]),
    ]);
    (any_cell(), outputs, any::<bool>(), any::<bool>(), 0..8_u8).prop_map(
        |(cell, outputs, bare, layout, block)| {
            let mut metadata = cell.metadata;
            if !cell.marimo.is_empty() {
                metadata.insert("marimo".to_owned(), json!({"config": cell.marimo}));
            }
            if layout {
                metadata.insert("lines_to_next_cell".to_owned(), json!(2));
                metadata.insert("trusted".to_owned(), json!(true));
            }
            let mut stored = json!({"cell_type": cell.kind.as_str(), "source": cell.source});
            if block == 0 && cell.kind == CellKind::Code {
                stored["source"] = json!(BLOCK);
            }
            if !(bare && metadata.is_empty()) {
                stored["metadata"] = Value::Object(metadata);
            }
            if let Some(id) = cell.id {
                stored["id"] = json!(id);
            }
            if cell.kind == CellKind::Code && !bare {
                stored["outputs"] = outputs;
                stored["execution_count"] = json!(1);
            } else if layout {
                stored["attachments"] = json!({});
            }
            stored
        },
    )
}

/// A text that parses.
pub(super) fn any_file() -> impl Strategy<Value = String> {
    let cells = prop::collection::vec(any_stored_cell(), 0..4);
    (cells, any_metadata(), 0..8_u8, 0..4_u8, any_spelling()).prop_map(
        |(mut cells, mut metadata, header, jupytext, spelling)| {
            if header < 4 {
                let text =
                    ["# x", BLOCK, "# x\n\n# /// script\n# b\n# ///\n", ""][usize::from(header)];
                let mut marimo = json!({"marimo_version": "0", "app_config": {"a": 1}});
                marimo["header"] = json!(text);
                metadata.insert("marimo".to_owned(), marimo);
            }
            if header > 5 {
                metadata.insert("signature".to_owned(), json!("x"));
            }
            if jupytext == 0 {
                metadata.insert("jupytext".to_owned(), json!({"text_representation": {"a": 1}}));
            } else if jupytext == 1 {
                metadata.insert("jupytext".to_owned(), json!({"a": 1, "text_representation": {}}));
            }
            if !spelling.joined {
                for cell in &mut cells {
                    let source = cell["source"].as_str().unwrap().to_owned();
                    let lines: Vec<_> = source.split_inclusive('\n').collect();
                    cell["source"] = json!(lines);
                }
            }
            let file = json!({
                "nbformat": 4,
                "nbformat_minor": spelling.minor,
                "cells": cells,
                "metadata": metadata,
                "more": {"x": "<half>"},
            });
            let mut text = if spelling.bom { "\u{feff}" } else { "" }.to_owned();
            spelling.write(&mut text, &file, 0);
            text.push_str(spelling.end);
            text
        },
    )
}

/// A notebook without a file.
pub(super) fn any_notebook() -> impl Strategy<Value = Notebook> {
    let cells = prop::collection::vec(any_cell(), 0..5);
    let header =
        prop::sample::select(vec![None, Some("# x"), Some("# x\n# /// script\n# ///\n\n\"y\"")]);
    (any_metadata(), cells, any::<bool>(), header).prop_map(|(metadata, cells, script, header)| {
        let mut notebook = Notebook { metadata, cells, ..Notebook::default() };
        notebook.script = script.then(|| BLOCK.to_owned());
        if let Some(header) = header
            && (script || !header.contains("///"))
        {
            notebook.marimo.insert("header".to_owned(), json!(header));
        }
        notebook
    })
}

fn any_change() -> impl Strategy<Value = Change> {
    let attribute = |(key, value): (&str, Option<Value>)| {
        Change::Attribute(Attribute::Metadata(key.to_owned()), value)
    };
    let option = |(key, value): (&str, Option<Value>)| {
        Change::Attribute(Attribute::Marimo(key.to_owned()), value)
    };
    let key = prop::sample::select(vec!["a", "b", "tags", "lines_to_next_cell"]);
    let flag = prop::option::of(any::<bool>().prop_map(Value::Bool));
    prop_oneof![
        any_source().prop_map(Change::Source),
        any_kind().prop_map(Change::Kind),
        (key, prop::option::of(any_value())).prop_map(attribute),
        (Just("hide_code"), flag).prop_map(option),
        (Just("name"), prop::option::of(Just(json!("g")))).prop_map(option),
    ]
}

/// Edits of a file with this many cells.
pub(super) fn any_slots(count: usize) -> impl Strategy<Value = Vec<Slot>> {
    let old: Vec<_> = (0..count).collect();
    let order = prop::sample::subsequence(old, 0..=count).prop_shuffle();
    let changes = prop::collection::vec(prop::collection::vec(any_change(), 0..3), count);
    let new = prop::collection::vec((any_cell(), any::<prop::sample::Index>()), 0..3);
    (order, changes, new).prop_map(|(order, mut changes, new)| {
        let old = |origin: usize| match std::mem::take(&mut changes[origin]) {
            changes if changes.is_empty() => Slot::Keep(origin),
            changes => Slot::Change { origin, changes },
        };
        let mut slots: Vec<_> = order.into_iter().map(old).collect();
        for (cell, at) in new {
            slots.insert(at.index(slots.len() + 1), Slot::New(cell));
        }
        slots
    })
}
