//! What stands above the cells after a change.

use std::ops::Range;

use serde_json::{Map, Value};

use super::document::Percent;
use super::{header, header_text};
use crate::Notebook;

/// Returns what stands before the first cell, and the metadata in the header.
pub(super) fn head(
    old: &Percent,
    target: &Notebook,
    root: Option<&[String]>,
) -> (String, Map<String, Value>) {
    let script = old.context.script;
    let newline = old.newline();
    let empty = Map::new();
    let before = old.header.metadata().unwrap_or(&empty);
    let is_changed =
        target.metadata != old.notebook.metadata || target.marimo != old.notebook.marimo;
    let old_root = old.notebook.cells.first().filter(|_| old.places.first() == Some(&None));
    let old_root = old_root.and_then(|cell| header_text::front_matter(&cell.source));
    if !is_changed && old_root.as_deref() == root {
        return (old.text[..old.cells_start()].to_owned(), before.clone());
    }

    let mut after = before.clone();
    if is_changed && (old.header.metadata().is_some() || !target.marimo.is_empty()) {
        let representation = match before.get("jupytext") {
            Some(options) => options.get("text_representation").cloned(),
            None if old.header.metadata().is_some() => None,
            None => Some(header_text::text_representation(old.name, script.extension)),
        };
        let print = |notebook: &Notebook| {
            let mut metadata = notebook.metadata.clone();
            if old.context.root_is_metadata() {
                header_text::take_root_metadata(&mut metadata);
            }
            // What the old header shows is shown, whatever the filter says.
            let mut res =
                header_text::metadata(&metadata, &notebook.marimo, representation.as_ref(), script);
            metadata.retain(|key, _| before.contains_key(key) && !res.contains_key(key));
            metadata.shift_remove("jupytext");
            res.extend(metadata);
            res
        };
        let (was, is) = (print(&old.notebook), print(target));
        for key in was.keys().chain(is.keys()) {
            if old.header.metadata().is_none() || was.get(key) != is.get(key) {
                match is.get(key) {
                    Some(value) => after.insert(key.clone(), value.clone()),
                    None => after.shift_remove(key),
                };
            }
        }
    }

    let mut lines: Vec<String> = Vec::new();
    let line = |idx: usize| &old.text[old.head_lines[idx].content()];
    let option = |notebook: &Notebook, key: &str| {
        Some(notebook.metadata.get("jupytext")?.get(key)?.as_str()?.to_owned())
    };
    if let Some(executable) = option(target, "executable") {
        lines.push(format!("#!{executable}"));
    }
    lines.extend(option(target, "encoding"));
    let block = old.header.block.as_ref();
    let uncommented = |idx: usize| header::uncomment(line(idx), script);
    // What stands outside of `jupyter:` is a raw cell, or metadata.
    let root_metadata = |notebook: &Notebook| {
        let metadata = Some(&notebook.metadata).filter(|_| old.context.root_is_metadata());
        metadata.and_then(header_text::root_metadata).cloned()
    };
    let new_root = root_metadata(target);
    let is_same_root = old_root.as_deref() == root && new_root == root_metadata(&old.notebook);
    let new_block = match block {
        // Lines that stay are copied with whatever is odd about them.
        Some(block) if is_same_root || root.is_some() || new_root.is_some() => {
            let jupyter: Vec<&str> = block.jupyter.iter().map(|&idx| uncommented(idx)).collect();
            let section = if after == *before {
                jupyter.iter().map(|&line| line.to_owned()).collect()
            } else if jupyter.is_empty() {
                header_text::section(&after)
            } else {
                header_text::changed_section(&jupyter, before, &after)
            };
            let inner = match (is_same_root, &new_root) {
                (false, Some(root)) => header_text::with_root_metadata(root, section),
                (false, None) if block.jupyter.first() > block.root.first() => {
                    [root.unwrap_or_default(), &section].concat()
                }
                (false, None) => [&section, root.unwrap_or_default()].concat(),
                (true, _) => {
                    let lines = block.root.iter().map(|&idx| (idx, uncommented(idx).to_owned()));
                    let (before, behind): (Vec<_>, Vec<_>) =
                        lines.partition(|(idx, _)| block.jupyter.first().is_none_or(|it| idx < it));
                    let before = before.into_iter().map(|(_, line)| line);
                    let behind = behind.into_iter().map(|(_, line)| line);
                    before.chain(section).chain(behind).collect()
                }
            };
            header_text::in_rules(inner)
        }
        _ => header_text::block(root.unwrap_or_default(), &after),
    };
    let has_block = !new_block.is_empty();
    lines.extend(new_block.iter().map(|line| header_text::comment(line, script)));
    let mut head = String::new();
    if old.text.starts_with('\u{feff}') {
        head.push('\u{feff}');
    }
    for line in lines {
        head.push_str(&line);
        head.push_str(newline);
    }
    match block {
        // The blank line behind the header, if there is one.
        Some(block) if has_block => head.push_str(&old.text[gap_behind(old, block.close)]),
        None if has_block => head.push_str(newline),
        _ => {}
    }
    (head, after)
}

fn gap_behind(old: &Percent, close: usize) -> Range<usize> {
    old.head_lines[close].next..old.cells_start()
}
