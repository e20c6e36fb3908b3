//! Writes a notebook that has no text yet.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::assemble::{Gap, Parts, Piece, assemble};
use super::context::{self, Context};
use super::fence::Longest;
use super::header_text;
use super::reader::{self, read, uncomment_line};
use super::writer::{CellText, Way, safe_quotes};
use crate::languages::{self, Script};
use crate::lines::line_spans;
use crate::string_scanner::StringScanner;
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
    let root_is_metadata = metadata
        .get("jupytext")
        .is_some_and(|options| options.get(context::ROOT_AS_CELL) == Some(&Value::Bool(false)));
    let root = notebook
        .cells
        .first()
        .filter(|cell| !root_is_metadata && cell.kind == CellKind::Raw)
        .and_then(|cell| header_text::front_matter(&cell.source));
    let root_metadata =
        if root_is_metadata { header_text::take_root_metadata(&mut metadata) } else { None };
    let empty = Map::new();
    let marimo = if carry == Carry::All { &notebook.marimo } else { &empty };
    let representation = header_text::text_representation(name, script.extension);
    let shown = header_text::metadata(&metadata, marimo, Some(&representation), script);
    let block = match &root_metadata {
        Some(root) => {
            let section = header_text::section(&shown);
            header_text::in_rules(header_text::with_root_metadata(root, section))
        }
        None => header_text::block(root.as_deref().unwrap_or_default(), &shown),
    };
    // What the header doesn't show is not known to those who read the text.
    let reading = Context::new(&shown, options, script, name == FormatName::Hydrogen);
    let has_block = !block.is_empty();
    head.extend(block.iter().map(|line| header_text::comment(line, script)));

    // The last cell first: what can be said of a cell depends on what follows.
    let mut pieces = Vec::new();
    let mut below = None;
    let mut add = |cell: &Cell, slot| {
        let piece = Piece { slot, ..new_piece(cell, &context, &reading, "\n", below) };
        let fences: &mut Longest = below.get_or_insert_default();
        for line in piece.text.lines() {
            fences.add(uncomment_line(line, script.comment, script.comment_suffix));
        }
        pieces.push(piece);
    };
    for (slot, cell) in notebook.cells.iter().enumerate().skip(usize::from(root.is_some())).rev() {
        let mut cell = cell.clone();
        if carry == Carry::Shown {
            cell.marimo.clear();
        }
        add(&cell, Some(slot));
    }
    if let Some(block) = &notebook.script {
        add(&Cell::new(CellKind::Code, block.as_str()), None);
    }
    pieces.reverse();
    if has_block {
        let first = notebook.cells.first().filter(|_| root.is_some());
        let n_lines = first.and_then(noted_lines).unwrap_or(1);
        // A second blank line would be a cell; at the end of the text, the last line break
        // counts as one.
        let n_lines = if pieces.is_empty() { n_lines.saturating_sub(1) } else { n_lines.min(1) };
        head.extend(std::iter::repeat_n(String::new(), n_lines));
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
pub(super) fn new_piece(
    cell: &Cell,
    context: &Context,
    reading: &Context,
    newline: &str,
    below: Option<Longest>,
) -> Piece {
    let printed = cell_text(cell, &Map::new(), context, reading, below);
    let mut text = printed.marker(context) + newline;
    for line in &printed.body {
        text.push_str(line);
        text.push_str(newline);
    }
    let gap = noted_lines(cell).map_or(Gap::Pep8, Gap::Lines);
    Piece { text, slot: None, is_quoted: printed.is_quoted, gap, cell: None }
}

/// The blank lines that are noted behind a cell, within reason.
fn noted_lines(cell: &Cell) -> Option<usize> {
    let n_lines = cell.notes.0.get("lines_to_next_cell")?.as_u64()?;
    Some(usize::try_from(n_lines).unwrap_or(usize::MAX).min(100))
}

/// Writes a cell so that it reads back, if that is possible.
///
/// jupytext comments prose and looks for magics in it when it reads it, so that
/// a heading like `# Why?` loses its sign. In quotes nothing is looked for. A cell
/// in another language, and one whose string is open, have ways too that both
/// tools read right. Where there is none, the text is jupytext's.
///
/// `reading` are the settings with which the text is read again. `below` are the fences
/// that are closed further down, `None` if the cell is the last one.
pub(super) fn cell_text(
    cell: &Cell,
    shown: &Map<String, Value>,
    context: &Context,
    reading: &Context,
    below: Option<Longest>,
) -> CellText {
    let usual = CellText::new(cell, Way::Usual, shown, context);
    // The last cell has nothing to hide but markers of its own.
    let is_marker = |line: &String| reader::is_marker(line, context.script);
    let is_typed = reading.language == "python" && usual.body.iter().any(is_marker);
    let is_last = below.is_none() && !is_typed;
    let is_right = |text: &CellText| {
        reads_back(cell, text, context, reading, below) && (is_last || !hides(text, reading))
    };
    if is_right(&usual) {
        return usual;
    }
    let quotes = safe_quotes(&cell.source);
    let mut ways = Vec::new();
    if !usual.is_active {
        let has_quotes = cell.kind != CellKind::Code && context.script.extension == ".py";
        ways.extend(quotes.as_ref().filter(|_| has_quotes).map(Way::Quotes));
        ways.push(Way::Comments);
    }
    if cell.kind == CellKind::Code {
        ways.push(Way::Magic);
        if !is_last && hides(&usual, reading) {
            ways.push(Way::Guarded);
        }
    }
    let text = |way| CellText::new(cell, way, shown, context);
    if let Some(text) = ways.iter().map(|&way| text(way)).find(is_right) {
        return text;
    }
    // What is not exact is still better than what hides the cells below.
    let guarded = ways.contains(&Way::Guarded).then(|| text(Way::Guarded));
    guarded
        .filter(|text| !opens_string(&text.body, reading))
        // In two parts, the second would not be known to be in comments.
        .filter(|text| below.is_none() || !text.body.iter().any(is_marker))
        .unwrap_or(usual)
}

/// Whether what follows would stand in a string.
fn hides(text: &CellText, context: &Context) -> bool {
    text.is_active && opens_string(&text.body, context)
}

/// Whether a string is open at the end of these lines.
pub(super) fn opens_string(lines: &[impl AsRef<str>], context: &Context) -> bool {
    let mut scanner = StringScanner::new(&context.language);
    for line in lines {
        scanner.read_line(line.as_ref());
    }
    scanner.is_quoted()
}

/// Whether a text reads back as its cell.
pub(super) fn reads_back(
    cell: &Cell,
    printed: &CellText,
    context: &Context,
    reading: &Context,
    below: Option<Longest>,
) -> bool {
    let marker = printed.marker(context);
    let mut lines = vec![marker.as_str()];
    lines.extend(printed.body.iter().map(String::as_str));
    let wanted = usize::from(below.is_some());
    let n_blank = reader::separators(&lines, wanted).unwrap_or(wanted);
    lines.extend(std::iter::repeat_n("", n_blank));
    let mut text = lines.join("\n") + "\n";
    if let Some(below) = below {
        let (comment, suffix) = (context.script.comment, context.script.comment_suffix);
        text.extend([comment, " %% ", suffix, "\n"]);
        for line in below.lines() {
            text.extend([comment, " ", &line, " ", suffix, "\n"]);
        }
    }
    let regions = read(&text, &line_spans(&text), 0, reading);
    let Some(region) = regions.first() else { return false };
    regions.len() == 1 + usize::from(below.is_some())
        && region.cell.kind == cell.kind
        && region.cell.source == cell.source
}

/// Names the format in the option `formats`, as jupytext does when it writes.
fn set_format(metadata: &mut Map<String, Value>, name: FormatName, script: &Script) {
    let auto = auto_extension(metadata).unwrap_or_else(|| script.extension.to_owned());
    let auto = auto.trim_start_matches('.');
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
            let this = if this == "auto" { auto } else { this };
            if this == extension && !is_named {
                is_named = true;
                return format!("{extension}:{name}");
            }
            format.replacen("auto", auto, 1)
        })
        .collect();
    *formats = named.join(",");
}

/// Returns what `auto` stands for (`jupytext: auto_ext_from_metadata`).
fn auto_extension(metadata: &Map<String, Value>) -> Option<String> {
    let at = |map: &str, key: &str| {
        let value = metadata.get(map).and_then(|map| map.get(key)).and_then(Value::as_str);
        value.filter(|value| !value.is_empty())
    };
    let kernel = at("kernelspec", "language");
    let extension = match at("language_info", "file_extension") {
        Some(".py") if kernel == Some("sage") => ".sage",
        Some(extension) => extension,
        None => {
            languages::by_language(kernel.or_else(|| at("jupytext", "main_language"))?)?.extension
        }
    };
    // One name for the extensions of a language.
    let extension = match extension {
        ".r" => ".R",
        ".fs" => ".fsx",
        ".resource" => ".robot",
        ".C" => ".cpp",
        extension => extension,
    };
    Some(extension.to_owned())
}
