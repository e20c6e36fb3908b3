use std::ops::Range;

use serde_json::{Map, Value};

use super::header;
use super::scan::{Object, Scanner};
use super::style::Style;
use super::tree::decode;
use crate::format::check_text;
use crate::{Cell, CellKind, Notebook, ParseError, ParseErrorKind, marimo_metadata, script};

/// Keys of cell metadata that stay in the file and never travel: the layout of a
/// text format (jupytext: `_JUPYTEXT_CELL_METADATA`), and what nbformat drops
/// whenever it writes.
const OWN_CELL_KEYS: [&str; 2] = ["lines_to_end_of_cell_marker", "trusted"];

/// Those of them that a script is printed with.
const NOTES: [&str; 2] = ["cell_marker", "lines_to_next_cell"];

/// Keys of notebook metadata that nbformat drops whenever it writes.
const OWN_KEYS: [&str; 3] = ["orig_nbformat", "orig_nbformat_minor", "signature"];

/// Where the parts of a notebook's text are.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) root: Object,
    /// The brackets of the list of cells.
    pub(super) list: Range<usize>,
    pub(super) cells: Vec<CellLayout>,
    /// nbformat's minor version.
    pub(super) minor: u64,
}

/// Where the parts of a cell are.
#[derive(Debug)]
pub(super) struct CellLayout {
    pub(super) object: Object,
    pub(super) id: Option<String>,
}

/// What a text was read as.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) layout: Layout,
    pub(super) style: Style,
    pub(super) notebook: Notebook,
    /// For each cell of the notebook, its position in the file.
    pub(super) shown: Vec<usize>,
    /// The cell that holds the PEP 723 block, and its position in the file.
    pub(super) lifted: Option<(usize, Cell)>,
    /// Whether the stored header of marimo holds a PEP 723 block.
    pub(super) header: header::Stored,
}

/// Reads a text.
pub(super) fn parse(text: &str) -> Result<Parsed, ParseError> {
    check_text(text)?;
    let (layout, escapes) = scan(text)?;
    let style = Style::of(text, &layout, escapes);
    let mut notebook = Notebook::default();
    if let Some(metadata) = layout.root.get("metadata") {
        notebook.metadata = map(text, &metadata.value, "the metadata of the notebook")?;
        hide_own_keys(&mut notebook.metadata);
        notebook.marimo = marimo_metadata::take_from_notebook(&mut notebook.metadata);
    }
    let mut shown = Vec::with_capacity(layout.cells.len());
    let mut lifted = None;
    for (at, cell) in layout.cells.iter().enumerate() {
        let cell = read_cell(text, cell)?;
        if lifted.is_none() && holds_block(&cell) {
            lifted = Some((at, cell));
        } else {
            shown.push(at);
            notebook.cells.push(cell);
        }
    }
    let (header, in_header) = header::fold(&mut notebook.marimo);
    let in_cell = lifted.as_ref().and_then(|(_, cell)| header::block(&cell.source));
    notebook.script = in_cell.or(in_header);
    Ok(Parsed { layout, style, notebook, shown, lifted, header })
}

/// Whether a cell is the PEP 723 block of the notebook, if it is the first such.
pub(super) fn holds_block(cell: &Cell) -> bool {
    cell.kind == CellKind::Code && script::is_block(&cell.source)
}

/// Takes out of notebook metadata what belongs to this file or to a text file.
pub(super) fn hide_own_keys(metadata: &mut Map<String, Value>) {
    for key in OWN_KEYS {
        metadata.shift_remove(key);
    }
    if let Some(Value::Object(jupytext)) = metadata.get_mut("jupytext") {
        jupytext.shift_remove("text_representation");
        if jupytext.is_empty() {
            metadata.shift_remove("jupytext");
        }
    }
}

/// Takes out of a cell's metadata what belongs to this file or to a text file, and
/// moves marimo's options to their place.
pub(super) fn sort_out(cell: &mut Cell) {
    for key in OWN_CELL_KEYS {
        cell.metadata.shift_remove(key);
    }
    for key in NOTES {
        if let Some(value) = cell.metadata.shift_remove(key) {
            cell.notes.0.entry(key).or_insert(value);
        }
    }
    let marimo = marimo_metadata::take_from_cell(&mut cell.metadata, cell.kind);
    for (key, value) in marimo {
        cell.marimo.entry(key).or_insert(value);
    }
    let kind = cell.kind;
    cell.marimo.retain(|key, value| !marimo_metadata::is_default(key, value, kind));
}

fn scan(text: &str) -> Result<(Layout, bool), ParseError> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut scanner = Scanner::new(text, start);
    scanner.blank();
    if scanner.peek() != Some(b'{') {
        let what = "it does not start with `{`".to_owned();
        return Err(ParseError::new(ParseErrorKind::NotANotebook(what)));
    }
    let mut list = None;
    let mut cells = Vec::new();
    let root = scanner.object(|scanner, key| {
        if key != "cells" || scanner.peek() != Some(b'[') {
            return scanner.skip();
        }
        let array = scanner.array(|scanner| {
            let object = scanner.object(|scanner, _| scanner.skip())?;
            let span = object.span.clone();
            cells.push(object);
            Ok(span)
        })?;
        list = Some(array.span.clone());
        Ok(array.span)
    })?;
    scanner.end()?;

    let version = |key: &str| root.get(key).map(|member| &text[member.value.clone()]);
    match (version("nbformat"), root.get("worksheets")) {
        (Some("4"), _) => {}
        (Some("1" | "2" | "3"), _) | (None, Some(_)) => {
            let what = "nbformat 3 and older; \
                run `jupyter nbconvert --to notebook --nbformat 4 --inplace` on the file";
            return Err(ParseError::new(ParseErrorKind::Unsupported(what.to_owned())));
        }
        (Some(version), _) if list.is_some() => {
            let what = format!("nbformat {version}");
            return Err(ParseError::new(ParseErrorKind::Unsupported(what)));
        }
        _ => {
            let what = "it has no `nbformat`".to_owned();
            return Err(ParseError::new(ParseErrorKind::NotANotebook(what)));
        }
    }
    let Some(list) = list else {
        let what = "it has no list of `cells`".to_owned();
        return Err(ParseError::new(ParseErrorKind::NotANotebook(what)));
    };
    let minor = version("nbformat_minor").and_then(|minor| minor.parse().ok()).unwrap_or(0);
    let mut known = Vec::with_capacity(cells.len());
    for object in cells {
        let id = match object.get("id") {
            Some(id) if text[id.value.clone()].starts_with('"') => {
                Some(decode(text, &id.value)?.into_owned())
            }
            _ => None,
        };
        known.push(CellLayout { object, id });
    }
    Ok((Layout { root, list, cells: known, minor }, scanner.escapes))
}

fn read_cell(text: &str, layout: &CellLayout) -> Result<Cell, ParseError> {
    let object = &layout.object;
    let unsupported = |offset: usize, what: &str| {
        ParseError::at(text, offset, ParseErrorKind::Unsupported(what.to_owned()))
    };
    let Some(kind) = object.get("cell_type") else {
        return Err(unsupported(object.span.start, "a cell without a `cell_type`"));
    };
    let kind = match Scanner::new(text, kind.value.start).tree()?.as_str() {
        Some("code") => CellKind::Code,
        Some("markdown") => CellKind::Markdown,
        Some("raw") => CellKind::Raw,
        _ => return Err(unsupported(kind.value.start, "a cell of an unknown `cell_type`")),
    };
    let mut cell = Cell::new(kind, "");
    if let Some(source) = object.get("source") {
        let not_text = || unsupported(source.value.start, "a cell's `source` that is not text");
        match text.as_bytes()[source.value.start] {
            b'"' => cell.source = decode(text, &source.value)?.into_owned(),
            b'[' => {
                let array = Scanner::new(text, source.value.start).array(Scanner::skip)?;
                for line in array.items {
                    if !text[line.clone()].starts_with('"') {
                        return Err(not_text());
                    }
                    cell.source.push_str(&decode(text, &line)?);
                }
            }
            _ => return Err(not_text()),
        }
    }
    if let Some(metadata) = object.get("metadata") {
        cell.metadata = map(text, &metadata.value, "the metadata of a cell")?;
    }
    sort_out(&mut cell);
    cell.id.clone_from(&layout.id);
    Ok(cell)
}

/// Reads metadata as it is stored.
pub(super) fn stored_map(
    text: &str,
    span: &Range<usize>,
) -> Result<Map<String, Value>, ParseError> {
    map(text, span, "metadata")
}

fn map(text: &str, span: &Range<usize>, what: &str) -> Result<Map<String, Value>, ParseError> {
    if let Value::Object(map) = Scanner::new(text, span.start).tree()? {
        return Ok(map);
    }
    let kind = ParseErrorKind::Unsupported(format!("{what} is not an object"));
    Err(ParseError::at(text, span.start, kind))
}
