use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::generate::{any_file, any_notebook, any_slots, any_value};
use crate::{
    Attribute, Carry, Cell, CellKind, Change, Document, Notebook, NotebookAttribute, Slot, format,
};

fn parse(text: &str) -> Box<dyn Document> {
    format(crate::FormatName::Ipynb).parse(Arc::from(text), ".ipynb").unwrap()
}

/// What the slots say the cells are, in the form in which they are read.
fn apply(cells: &[Cell], slots: &[Slot]) -> Vec<Cell> {
    let cell = |slot: &Slot| match slot {
        Slot::Keep(origin) => cells[*origin].clone(),
        Slot::Change { origin, changes } => {
            let mut cell = cells[*origin].clone();
            for change in changes {
                change.apply(&mut cell);
            }
            cell
        }
        Slot::New(cell) => cell.clone(),
    };
    slots.iter().map(cell).map(without_defaults).collect()
}

fn without_defaults(mut cell: Cell) -> Cell {
    cell.metadata.shift_remove("lines_to_next_cell");
    let hidden = json!(cell.kind == CellKind::Markdown);
    cell.marimo.retain(|key, value| key != "hide_code" || *value != hidden);
    cell
}

/// The texts of the cells, by their outermost brackets.
fn raw_cells(text: &str) -> Vec<String> {
    let layout = super::super::read::parse(text).unwrap();
    let raw = |at: &usize| text[layout.layout.cells[*at].object.span.clone()].to_owned();
    layout.shown.iter().map(raw).collect()
}

fn keep_all(document: &dyn Document) -> Vec<Slot> {
    (0..document.notebook().cells.len()).map(Slot::Keep).collect()
}

fn any_edited_file() -> impl Strategy<Value = (String, Vec<Slot>)> {
    any_file().prop_flat_map(|text| {
        let count = parse(&text).notebook().cells.len();
        (Just(text), any_slots(count))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn update_without_changes_keeps_every_byte(text in any_file()) {
        let document = parse(&text);
        let printed = document.update(&keep_all(&*document), &[], Carry::All).unwrap();
        prop_assert_eq!(&**printed.document.text(), text.as_str());
        // Setting what is set already is no change.
        let notebook = document.notebook();
        let same: Vec<_> = notebook.attributes().map(|key| {
            let value = notebook.attribute(&key);
            (key, value)
        }).collect();
        let slots: Vec<_> = notebook.cells.iter().enumerate().map(|(origin, cell)| {
            let attribute = |key: Attribute| {
                let value = cell.attribute(&key).cloned();
                Change::Attribute(key, value)
            };
            let mut changes: Vec<_> = cell.attributes().map(attribute).collect();
            changes.push(Change::Source(cell.source.clone()));
            changes.push(Change::Kind(cell.kind));
            Slot::Change { origin, changes }
        }).collect();
        let printed = document.update(&slots, &same, Carry::All).unwrap();
        prop_assert_eq!(&**printed.document.text(), text.as_str());
    }

    #[test]
    fn update_gives_the_cells_of_the_slots((text, slots) in any_edited_file()) {
        let document = parse(&text);
        let old = document.notebook();
        let printed = document.update(&slots, &[], Carry::All).unwrap();
        let new = printed.document.notebook();
        prop_assert_eq!(&new.cells, &apply(&old.cells, &slots));
        prop_assert_eq!(&new.metadata, &old.metadata);
        prop_assert_eq!(&new.marimo, &old.marimo);
        prop_assert_eq!(&new.script, &old.script);
        let origins: Vec<_> = (0..slots.len()).map(Some).collect();
        prop_assert_eq!(printed.origins, origins);

        let (before, after) = (raw_cells(&text), raw_cells(printed.document.text()));
        for (slot, raw) in slots.iter().zip(&after) {
            if let Slot::Keep(origin) = slot {
                prop_assert_eq!(raw, &before[*origin]);
            }
        }
        let again = document.update(&slots, &[], Carry::Shown).unwrap();
        prop_assert_eq!(again.document.text(), printed.document.text());
    }

    #[test]
    fn undoing_a_source_gives_the_old_cells(text in any_file(), source in "[a\n\r\u{e9}]{0,4}") {
        let document = parse(&text);
        let change = |source: &str| {
            let changes = vec![Change::Source(source.to_owned())];
            vec![Slot::Change { origin: 0, changes }]
        };
        let Some(cell) = document.notebook().cells.first() else { return Ok(()) };
        let mut slots = keep_all(&*document);
        slots.splice(0..1, change(&format!("{}{source}", cell.source)));
        let there = document.update(&slots, &[], Carry::All).unwrap().document;
        slots.splice(0..1, change(&cell.source));
        let back = there.update(&slots, &[], Carry::All).unwrap().document;
        prop_assert_eq!(&back.notebook().cells, &document.notebook().cells);
    }

    #[test]
    fn attributes_are_set_and_removed(
        text in any_file(),
        key in prop::sample::select(vec!["a", "b", "kernelspec", "jupytext", "é"]),
        marimo in any::<bool>(),
        value in prop::option::of(any_value()),
    ) {
        let document = parse(&text);
        let attribute = if marimo {
            NotebookAttribute::Marimo(key.to_owned())
        } else {
            NotebookAttribute::Metadata(key.to_owned())
        };
        let set = [(attribute.clone(), value.clone())];
        let printed = document.update(&keep_all(&*document), &set, Carry::All).unwrap();
        let mut wanted = document.notebook().clone();
        wanted.set_attribute(&attribute, value);
        if wanted.metadata.get("jupytext") == Some(&json!({})) {
            wanted.metadata.shift_remove("jupytext");
        }
        prop_assert_eq!(printed.document.notebook(), &wanted);
        prop_assert_eq!(raw_cells(&text), raw_cells(printed.document.text()));
    }

    #[test]
    fn script_is_set_and_removed(
        (text, slots) in any_edited_file(),
        script in prop::option::of("[ab]{0,2}"),
    ) {
        let document = parse(&text);
        let old = document.notebook();
        let script = script.map(|line| format!("# /// script\n# {line}\n# ///"));
        // A second such cell would take the place of one that goes.
        prop_assume!(!old.cells.iter().any(crate::ipynb::read::holds_block));
        let set = |script: &Option<String>| {
            [(NotebookAttribute::Script, script.clone().map(Value::String))]
        };
        let printed = document.update(&slots, &set(&script), Carry::All).unwrap();
        let new = printed.document.notebook();
        prop_assert_eq!(&new.script, &script);
        prop_assert_eq!(&new.cells, &apply(&old.cells, &slots));
        let keep = keep_all(&*printed.document);
        let back = printed.document.update(&keep, &set(&old.script), Carry::All).unwrap();
        prop_assert_eq!(&back.document.notebook().script, &old.script);
        prop_assert_eq!(&back.document.notebook().cells, &new.cells);
    }

    #[test]
    fn printed_notebook_is_read_as_it_was(notebook in any_notebook()) {
        let ipynb = format(crate::FormatName::Ipynb);
        let printed = ipynb.print(&notebook, ".ipynb", Carry::All).unwrap();
        let read = printed.document.notebook();
        let Notebook { metadata, marimo, script, cells, notes: _ } = &notebook;
        let cells: Vec<_> = cells.iter().cloned().map(without_defaults).collect();
        prop_assert_eq!(&read.cells, &cells);
        prop_assert_eq!(&read.marimo, marimo);
        prop_assert_eq!(&read.script, script);
        for (key, value) in metadata {
            prop_assert_eq!(read.metadata.get(key), Some(value));
        }
        let again = ipynb.print(&notebook, ".ipynb", Carry::Shown).unwrap();
        prop_assert_eq!(again.document.text(), printed.document.text());
        let same = parse(printed.document.text());
        prop_assert_eq!(same.notebook(), read);
    }

    #[test]
    fn broken_text_is_an_error_at_worst(
        text in any_file(), at in any::<prop::sample::Index>(), insert in "[\\[\\]{}\",:\\\\a0\u{e9} ]{0,2}",
        cut in 0..4_usize,
    ) {
        let offsets: Vec<_> = text.char_indices().map(|(offset, _)| offset).collect();
        let start = at.index(offsets.len());
        let end = offsets.get(start + cut).copied().unwrap_or(text.len());
        let broken = format!("{}{insert}{}", &text[..offsets[start]], &text[end..]);
        if let Ok(document) = format(crate::FormatName::Ipynb).parse(broken.as_str().into(), ".ipynb") {
            let printed = document.update(&keep_all(&*document), &[], Carry::All).unwrap();
            prop_assert_eq!(&**printed.document.text(), broken.as_str());
        }
    }
}
