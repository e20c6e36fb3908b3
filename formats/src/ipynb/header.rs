//! The PEP 723 block, which stands in a cell and in marimo's stored header.

use serde_json::{Map, Value};

use crate::script;

const KEY: &str = "header";

/// What a file stores as the header of marimo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// No PEP 723 block.
    NoBlock,
    /// The block and more.
    Block,
    /// Nothing but the block; the model has no header then.
    BareBlock,
}

/// Returns the PEP 723 block of a text.
pub(super) fn block(text: &str) -> Option<String> {
    script::find(text).map(|range| text[range].replace("\r\n", "\n"))
}

/// Puts the placeholder in the place of the block, and returns the block.
pub(super) fn fold(marimo: &mut Map<String, Value>) -> (Stored, Option<String>) {
    let Some(Value::String(header)) = marimo.get_mut(KEY) else {
        return (Stored::NoBlock, None);
    };
    let Some(range) = script::find(header) else {
        return (Stored::NoBlock, None);
    };
    let block = block(header);
    if script::is_block(header) {
        marimo.shift_remove(KEY);
        return (Stored::BareBlock, block);
    }
    header.replace_range(range, script::PLACEHOLDER);
    (Stored::Block, block)
}

/// Puts the block, or nothing, in the place of the placeholder.
///
/// `bare` asks for a header with nothing but the block where there is none.
pub(super) fn unfold(marimo: &mut Map<String, Value>, script: Option<&str>, bare: bool) {
    match (marimo.get_mut(KEY), script) {
        (Some(Value::String(header)), Some(script)) => {
            if let Some(range) = script::find(header) {
                header.replace_range(range, script);
            }
        }
        (Some(Value::String(header)), None) => {
            if let Some(mut range) = script::find(header) {
                let rest = &header[range.end..];
                range.end += rest.len() - rest.trim_start_matches(['\r', '\n']).len();
                header.replace_range(range, "");
                if header.trim().is_empty() {
                    marimo.shift_remove(KEY);
                }
            }
        }
        (None, Some(script)) if bare => {
            marimo.insert(KEY.to_owned(), Value::String(script.to_owned()));
        }
        _ => {}
    }
}
