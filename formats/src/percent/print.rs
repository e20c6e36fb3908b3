//! Writes a notebook that has no text yet.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::assemble::{Gap, Parts, Piece, assemble};
use super::context::{self, Context};
use super::header_text;
use super::reader::read;
use super::writer::{CellText, safe_quotes};
use crate::languages::Script;
use crate::lines::line_spans;
use crate::{Carry, Cell, CellKind, FormatName, Notebook, PrintError, Printed};

/// Writes a notebook as jupytext does.
pub(super) fn print(
    notebook: &Notebook,
    name: FormatName,
    script: &'static Script,
    carry: Carry,
    options: &Arc<Map<String, Value>>,
) -> Result<Printed, PrintError> {
    let mut metadata = notebook.metadata.clone();
    set_format(&mut metadata, name, script);
    // jupytext notes the options of the folder in every file that it writes.
    if !options.is_empty() {
        let own = metadata.entry("jupytext").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(own) = own {
            own.extend(options.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
    }
    let context = Context::new(&metadata, options, script, name == FormatName::Hydrogen);

    let mut head: Vec<String> = Vec::new();
    let option = |key: &str| metadata.get("jupytext")?.get(key)?.as_str();
    if let Some(executable) = option("executable") {
        head.push(format!("#!{executable}"));
    }
    if let Some(encoding) = option("encoding") {
        head.push(encoding.to_owned());
    } else if context::language(&metadata, script) != "python"
        && !notebook.cells.iter().all(|cell| cell.source.is_ascii())
    {
        head.push(format!("{} -*- coding: utf-8 -*-", script.comment));
    }
    let root = notebook
        .cells
        .first()
        .filter(|cell| cell.kind == CellKind::Raw)
        .and_then(|cell| header_text::front_matter(&cell.source));
    let empty = Map::new();
    let marimo = if carry == Carry::All { &notebook.marimo } else { &empty };
    let representation = header_text::text_representation(name, script.extension);
    let shown = header_text::metadata(&metadata, marimo, Some(&representation), script);
    let block = header_text::block(root.as_deref().unwrap_or_default(), &shown);
    let has_block = !block.is_empty();
    head.extend(block.iter().map(|line| header_text::comment(line, script)));

    let mut pieces = Vec::new();
    if let Some(block) = &notebook.script {
        pieces.push(new_piece(&Cell::new(CellKind::Code, block.as_str()), &context, "\n"));
    }
    for (slot, cell) in notebook.cells.iter().enumerate().skip(usize::from(root.is_some())) {
        let mut cell = cell.clone();
        if carry == Carry::Shown {
            cell.marimo.clear();
        }
        let piece = new_piece(&cell, &context, "\n");
        pieces.push(Piece { slot: Some(slot), ..piece });
    }
    if has_block && !pieces.is_empty() {
        head.push(String::new());
    }
    let mut parts = Parts {
        head: head.into_iter().map(|line| line + "\n").collect(),
        head_slot: root.as_ref().map(|_| 0),
        pieces,
        newline: "\n",
        has_final_newline: true,
        script: notebook.script.clone(),
    };
    assemble(&mut parts, notebook.cells.len(), name, &context)
}

/// Returns the text of a cell that the text doesn't have yet.
pub(super) fn new_piece(cell: &Cell, context: &Context, newline: &str) -> Piece {
    let printed = cell_text(cell, &Map::new(), context);
    let mut text = printed.marker(context) + newline;
    for line in &printed.body {
        text.push_str(line);
        text.push_str(newline);
    }
    Piece { text, slot: None, gap: Gap::Pep8, cell: None }
}

/// Writes a cell so that it reads back, if that is possible.
///
/// jupytext comments prose and looks for magics in it when it reads it, so that
/// a heading like `# Why?` loses its sign. In quotes nothing is looked for.
pub(super) fn cell_text(cell: &Cell, shown: &Map<String, Value>, context: &Context) -> CellText {
    let commented = CellText::new(cell, None, shown, context);
    if cell.kind == CellKind::Code || context.script.extension != ".py" {
        return commented;
    }
    if reads_back(cell, &commented, context) {
        return commented;
    }
    safe_quotes(&cell.source)
        .map(|quotes| CellText::new(cell, Some(&quotes), shown, context))
        .filter(|quoted| reads_back(cell, quoted, context))
        .unwrap_or(commented)
}

/// Whether a text reads back as its cell, whatever cells follow it.
pub(super) fn reads_back(cell: &Cell, printed: &CellText, context: &Context) -> bool {
    let mut text = printed.marker(context);
    for line in &printed.body {
        text.push('\n');
        text.push_str(line);
    }
    // Another cell follows, and what could close a fence that stays open.
    text.push_str("\n\n# %%\n");
    for (char, fence) in [('`', "`"), ('~', "~")] {
        let longest = cell.source.split(|it| it != char).map(str::len).max();
        text.push_str("# ");
        text.push_str(&fence.repeat(longest.unwrap_or(0).max(3)));
        text.push('\n');
    }
    let regions = read(&text, &line_spans(&text), 0, context);
    let [region, _] = regions.as_slice() else { return false };
    region.cell.kind == cell.kind && region.cell.source == cell.source
}

/// Names the format in the option `formats`, as jupytext does when it writes.
fn set_format(metadata: &mut Map<String, Value>, name: FormatName, script: &Script) {
    let Some(Value::Object(options)) = metadata.get_mut("jupytext") else { return };
    let Some(Value::String(formats)) = options.get_mut("formats") else { return };
    let extension = script.extension.trim_start_matches('.');
    let mut is_named = false;
    let named: Vec<String> = formats
        .split(',')
        .filter(|format| !format.is_empty())
        .map(|format| {
            let this = format.split_once(':').map_or(format, |(this, _)| this);
            let this = this.strip_prefix('.').unwrap_or(this);
            let is_ours = this == extension || this == "auto";
            if is_ours && !is_named {
                is_named = true;
                format!("{extension}:{name}")
            } else {
                format.to_owned()
            }
        })
        .collect();
    *formats = named.join(",");
}
