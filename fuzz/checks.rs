//! What has to hold for any bytes. A panic is a bug.

use std::sync::Arc;

use nbsync_daemon::sync::base::{Base, Dialect};
use nbsync_daemon::sync::reconcile::{Seen, reconcile};
use nbsync_formats::{
    Carry, Cell, CellKind, Change, Document, FormatName, Ran, Slot, format, load_yaml, read_session,
};

pub(crate) fn ipynb(data: &[u8]) {
    reader(FormatName::Ipynb, ".ipynb", data);
}

pub(crate) fn percent(data: &[u8]) {
    for extension in [".py", ".ml"] {
        reader(FormatName::Percent, extension, data);
    }
}

pub(crate) fn hydrogen(data: &[u8]) {
    for extension in [".py", ".go"] {
        reader(FormatName::Hydrogen, extension, data);
    }
}

pub(crate) fn marimo(data: &[u8]) {
    reader(FormatName::Marimo, ".py", data);
}

/// Whatever YAML is, it is read or refused.
pub(crate) fn yaml(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        drop(load_yaml(text));
    }
}

/// Whatever marimo may have left of a run is read or refused, and is what a notebook has then.
pub(crate) fn session(data: &[u8]) {
    const NOTEBOOK: &[u8] =
        br#"{"cells": [{"cell_type": "code", "execution_count": 3, "metadata": {},
        "outputs": [], "source": "x"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}"#;
    let Some(notebook) = parse(FormatName::Ipynb, ".ipynb", NOTEBOOK) else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(session) = read_session(text) else { return };
    for cell in session.cells {
        if cell.outputs.is_empty() {
            continue;
        }
        let ran = Ran::new(cell.outputs);
        let document = notebook.set_ran(&[(0, ran.clone())]).expect("there is a place for it");
        let has = document.ran().remove(0).and_then(|it| it.outputs());
        assert_eq!(has, ran.outputs());
    }
}

/// A text that is read keeps its bytes, and prints in every format.
fn reader(name: FormatName, extension: &str, data: &[u8]) {
    let Some(document) = parse(name, extension, data) else { return };
    let same = document.update(&keep_all(&*document), &[], Carry::All);
    let same = same.unwrap_or_else(|error| panic!("no change is refused: {error}"));
    assert_eq!(same.document.text(), document.text());
    let notebook = document.notebook();
    for other in FormatName::ALL {
        let Some(extension) = format(other).extension(notebook) else { continue };
        for carry in [Carry::All, Carry::Shown] {
            drop(format(other).print(notebook, extension, carry));
        }
    }
}

/// Changes of a text are made or refused, and leave the other cells as they are.
///
/// The first bytes say which format and which changes.
pub(crate) fn update(data: &[u8]) {
    let Some((&head, rest)) = data.split_first() else { return };
    let Some((choices, text)) = rest.split_at_checked(6) else { return };
    let (name, extension) = match head % 5 {
        0 => (FormatName::Ipynb, ".ipynb"),
        1 => (FormatName::Marimo, ".py"),
        2 => (FormatName::Hydrogen, ".py"),
        3 => (FormatName::Percent, ".R"),
        _ => (FormatName::Percent, ".py"),
    };
    let Some(document) = parse(name, extension, text) else { return };
    let mut slots = keep_all(&*document);
    for choice in choices {
        let at = usize::from(choice >> 3) % (slots.len() + 1);
        let source = ["x = 1", "# Why?", "'''", "%%bash\nls", "a\n\n"][usize::from(choice & 7) % 5];
        match choice & 7 {
            0 | 1 => slots.insert(at, Slot::New(Cell::new(kind(choice >> 2), source))),
            2 if at < slots.len() => drop(slots.remove(at)),
            3 if at + 1 < slots.len() => slots.swap(at, at + 1),
            4..=6 => change(&mut slots, at, Change::Source(source.to_owned())),
            _ => change(&mut slots, at, Change::Kind(kind(choice >> 3))),
        }
    }
    let Ok(printed) = document.update(&slots, &[], Carry::Shown) else { return };
    let kept = |slot: usize| match slots[slot] {
        Slot::Keep(origin) => Some(&document.notebook().cells[origin]),
        _ => None,
    };
    for (cell, slot) in printed.document.notebook().cells.iter().zip(&printed.origins) {
        if let Some(was) = slot.and_then(kept) {
            assert_eq!(cell.source, was.source);
            assert_eq!(cell.kind, was.kind);
        }
    }
    let again = format(name).parse(Arc::clone(printed.document.text()), extension);
    let again = again.unwrap_or_else(|error| panic!("a new text is refused: {error}"));
    assert_eq!(again.notebook().cells, printed.document.notebook().cells);
}

/// Edits of two copies come together or are refused, and then all stands still.
///
/// The bytes are three texts with a byte between them that no text has: what
/// there was, and what became of it in a script and in an ipynb.
pub(crate) fn merge(data: &[u8]) {
    let mut texts = data.split(|&byte| byte == 0xff);
    let mut next = || texts.next().unwrap_or_default();
    let script = Dialect {
        format: FormatName::Percent,
        extension: ".py".to_owned(),
        carry: Carry::All,
        options: Arc::default(),
    };
    let ipynb = Dialect {
        format: FormatName::Ipynb,
        extension: ".ipynb".to_owned(),
        carry: Carry::Shown,
        options: Arc::default(),
    };
    let Some(document) = parse(FormatName::Percent, ".py", next()) else { return };
    let mut base = Base::of_source(script, document);
    if base.add_replica(ipynb).is_err() {
        return;
    }
    let Some(ours) = parse(FormatName::Percent, ".py", next()) else { return };
    let Some(theirs) = parse(FormatName::Percent, ".py", next()) else { return };
    // The other edit is made by a person with an ipynb.
    let notebook = theirs.notebook();
    let Ok(theirs) = format(FormatName::Ipynb).print(notebook, ".ipynb", Carry::All) else {
        return;
    };
    let seen = [Seen::Changed(ours), Seen::Changed(theirs.document.into())];
    let Ok(outcome) = reconcile(&base, &seen) else { return };
    let still = [Seen::Unchanged, Seen::Unchanged];
    let again = reconcile(&outcome.base, &still).unwrap_or_else(|error| panic!("{error}"));
    for (left, right) in outcome.base.replicas.iter().zip(&again.base.replicas) {
        assert_eq!(left.document.text(), right.document.text());
    }
}

fn parse(name: FormatName, extension: &str, data: &[u8]) -> Option<Arc<dyn Document>> {
    let text = std::str::from_utf8(data).ok()?;
    let document = format(name).parse(Arc::from(text), extension).ok()?;
    Some(document.into())
}

fn keep_all(document: &dyn Document) -> Vec<Slot> {
    (0..document.notebook().cells.len()).map(Slot::Keep).collect()
}

fn kind(choice: u8) -> CellKind {
    [CellKind::Code, CellKind::Markdown, CellKind::Raw][usize::from(choice) % 3]
}

fn change(slots: &mut [Slot], at: usize, change: Change) {
    match slots.get_mut(at) {
        Some(Slot::Change { changes, .. }) if changes.len() < 2 => {
            changes.retain(|it| std::mem::discriminant(it) != std::mem::discriminant(&change));
            changes.push(change);
        }
        Some(slot @ Slot::Keep(_)) => {
            let origin = slot.origin().unwrap_or_default();
            *slot = Slot::Change { origin, changes: vec![change] };
        }
        _ => {}
    }
}
