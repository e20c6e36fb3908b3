use serde_json::{Map, Value};

use super::header::{self, Stored};
use super::read::{Parsed, stored_map};
use super::splice::edit_value;
use super::write;
use crate::{Notebook, ParseError, marimo_metadata};

/// Writes the notebook's metadata anew if it changes.
pub(super) fn edit(
    text: &str,
    parsed: &Parsed,
    target: &Notebook,
) -> Result<Option<String>, ParseError> {
    let old = &parsed.notebook;
    let member = parsed.layout.root.get("metadata");
    let stored = match member {
        Some(member) => stored_map(text, &member.value)?,
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
        None => write::printed(&wanted, &parsed.style, 1),
    }))
}

/// Makes the changes from `old` to `new` in what is stored.
pub(super) fn replaced(
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

pub(super) fn put(map: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            map.insert(key.to_owned(), value);
        }
        None => {
            map.shift_remove(key);
        }
    }
}
