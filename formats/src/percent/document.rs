//! A script that was read: its view, and where everything stands.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::context::Context;
use super::header::Header;
use super::reader::{self, Region};
use super::{detect, header_text, notes, update};
use crate::languages::Script;
use crate::lines::{LineCount, LineSpan, line_spans};
use crate::{
    Carry, Cell, CellKind, CellPlace, Document, FormatName, Notebook, NotebookAttribute,
    ParseError, ParseErrorKind, PrintError, Printed, Slot, marimo_metadata, script,
};

/// A script with cell markers.
#[derive(Debug, Clone)]
pub(super) struct Percent {
    pub(super) text: Arc<str>,
    /// What the header says, or else what the caller asked for.
    pub(super) name: FormatName,
    pub(super) context: Context,
    pub(super) header: Header,
    /// The lines of the header, and the first behind it.
    pub(super) head_lines: Vec<LineSpan>,
    /// The cells in the text, one behind the other to its end.
    pub(super) regions: Vec<Region>,
    /// For each cell of the view the region, or `None` for the root-level lines
    /// of the header.
    pub(super) places: Vec<Option<usize>>,
    /// The region of the PEP 723 block, which is no cell of the view.
    pub(super) script_region: Option<usize>,
    pub(super) notebook: Notebook,
}

impl Percent {
    /// Reads a text.
    pub(super) fn parse(
        text: Arc<str>,
        name: FormatName,
        script: &'static Script,
        options: &Arc<Map<String, Value>>,
    ) -> Result<Self, ParseError> {
        crate::format::check_text(&text)?;
        let mut lines = line_spans(&text);
        if text.starts_with('\u{feff}') {
            lines[0].start = '\u{feff}'.len_utf8();
        }
        let header = Header::parse(&text, &lines, script)?;
        let empty = Map::new();
        let metadata = header.metadata().unwrap_or(&empty);
        let name = match detect::declared(metadata, script.extension).as_deref() {
            None => name,
            Some("percent") => FormatName::Percent,
            Some("hydrogen") => FormatName::Hydrogen,
            Some(other) => {
                let reason = format!("its header says that it is a `{other}` script");
                return Err(ParseError::new(ParseErrorKind::NotANotebook(reason)));
            }
        };
        let mut context = Context::new(metadata, options, script, name == FormatName::Hydrogen);
        let regions = reader::read(&text, &lines, header.next, &context);
        // Somebody is typing. To jupytext all cells below are part of this one, and it
        // throws away their outputs.
        if context.language == "python"
            && let Some(region) = regions.iter().find(|region| region.swallows)
        {
            let reason = "a string is opened in this cell and closed nowhere".to_owned();
            let kind = ParseErrorKind::Python(reason);
            return Err(ParseError::at(&text, region.start(), kind));
        }
        context.metadata_is_json |= regions.iter().any(|region| region.metadata_is_json);

        let root = if context.root_is_metadata() {
            header.root_metadata(&text, &lines, script)?
        } else {
            None
        };
        let mut notebook = Notebook {
            metadata: view_metadata(&header, root, script),
            notes: notes::of_notebook(&header, &regions, options),
            ..Notebook::default()
        };
        notebook.marimo = marimo_metadata::take_from_notebook(&mut notebook.metadata);
        let mut places = Vec::new();
        if let Some(source) = root_level_source(&text, &lines, &header, script)
            && !context.root_is_metadata()
        {
            let mut cell = Cell::new(CellKind::Raw, source);
            if let Some(n_lines) = lines_behind_header(&text, &lines, &header, script) {
                cell.notes.0.insert("lines_to_next_cell".to_owned(), n_lines.into());
            }
            notebook.cells.push(cell);
            places.push(None);
        }
        let mut script_region = None;
        for (idx, region) in regions.iter().enumerate() {
            let mut cell = region.cell.clone();
            if script_region.is_none()
                && cell.kind == CellKind::Code
                && script::is_block(&cell.source)
            {
                script_region = Some(idx);
                notebook.script =
                    script::find(&cell.source).map(|range| cell.source[range].to_owned());
                continue;
            }
            cell.marimo = marimo_metadata::take_from_cell(&mut cell.metadata, cell.kind);
            notebook.cells.push(cell);
            places.push(Some(idx));
        }
        lines.truncate(header.next + 1);
        Ok(Self {
            name,
            context,
            header,
            head_lines: lines,
            regions,
            places,
            script_region,
            notebook,
            text,
        })
    }

    /// Where the first cell starts.
    pub(super) fn cells_start(&self) -> usize {
        self.head_lines.get(self.header.next).map_or(self.text.len(), |line| line.start)
    }

    /// The line break of this text.
    pub(super) fn newline(&self) -> &'static str {
        match self.text.find('\n') {
            Some(at) if self.text[..at].ends_with('\r') => "\r\n",
            None if self.text.contains('\r') => "\r",
            _ => "\n",
        }
    }
}

impl Document for Percent {
    fn text(&self) -> &Arc<str> {
        &self.text
    }

    fn notebook(&self) -> &Notebook {
        &self.notebook
    }

    fn is_written_for(&self, cell: usize, other: &Cell) -> bool {
        let region = self.places.get(cell).copied().flatten();
        region.is_some_and(|region| update::is_written_for(self, &self.regions[region], other))
    }

    fn shows_metadata(&self) -> bool {
        self.header.metadata().is_some()
    }

    fn places(&self) -> Vec<CellPlace> {
        let mut lines = LineCount::new(&self.text);
        let place = |(cell, region): (usize, &Option<usize>)| {
            let is_below_script = self.script_region.is_some() && *region > self.script_region;
            let line = region.map(|idx| &self.regions[idx]).map(|region| {
                // `%%bash` is the first line of such a cell, and stands on the marker line.
                let is_named = region.cell.source.starts_with("%%")
                    && !self.text[region.body.clone()].contains("%%");
                1 + lines.above(if is_named { region.start() } else { region.body.start })
            });
            CellPlace { number: cell + 1 + usize::from(is_below_script), line }
        };
        self.places.iter().enumerate().map(place).collect()
    }

    fn update(
        &self,
        slots: &[Slot],
        attributes: &[(NotebookAttribute, Option<Value>)],
        carry: Carry,
    ) -> Result<Printed, PrintError> {
        update::update(self, slots, attributes, carry)
    }
}

/// The metadata of the header as other formats know it.
///
/// They have no file extension that says what language it is in, so a `script`
/// in another one than Python says it.
fn view_metadata(header: &Header, root: Option<Value>, script: &Script) -> Map<String, Value> {
    let mut metadata = header.metadata().cloned().unwrap_or_default();
    let carries_marimo = metadata.get("marimo").is_some_and(Value::is_object);
    let mut options = match metadata.get("jupytext") {
        Some(Value::Object(options)) => options.clone(),
        None => Map::new(),
        // Not jupytext's; shown as it is.
        Some(_) => return metadata,
    };
    options.shift_remove("text_representation");
    if let Some(root) = root {
        options.insert(header_text::ROOT_METADATA.to_owned(), root);
    }
    if carries_marimo {
        set_marimo_filter(&mut options, false);
    }
    let kernel = metadata.get("kernelspec").and_then(|kernel| kernel.get("language"));
    if script.language != "python" && kernel.is_none() {
        options.entry("main_language").or_insert_with(|| script.language.into());
    }
    for (key, value) in [("executable", &header.executable), ("encoding", &header.encoding)] {
        if let Some(value) = value {
            options.insert(key.to_owned(), Value::String(value.clone()));
        }
    }
    if options.is_empty() {
        metadata.shift_remove("jupytext");
    } else {
        metadata.insert("jupytext".to_owned(), Value::Object(options));
    }
    metadata
}

/// Adds the word to the filter that makes jupytext keep what marimo knows of a
/// notebook, or takes it out.
pub(super) fn set_marimo_filter(options: &mut Map<String, Value>, is_shown: bool) {
    const KEY: &str = "notebook_metadata_filter";
    let filter = match options.get(KEY) {
        None => "",
        Some(Value::String(filter)) => filter,
        Some(_) => return,
    };
    let mut words: Vec<&str> =
        filter.split(',').filter(|word| !word.is_empty() && *word != "marimo").collect();
    if is_shown && !words.contains(&"all") {
        words.insert(0, "marimo");
    }
    let filter = words.join(",");
    if filter.is_empty() {
        options.shift_remove(KEY);
    } else {
        options.insert(KEY.to_owned(), Value::String(filter));
    }
}

/// The cell that the root-level lines of a header stand for.
fn root_level_source(
    text: &str,
    lines: &[LineSpan],
    header: &Header,
    script: &Script,
) -> Option<String> {
    let root = &header.block.as_ref()?.root;
    if root.is_empty() {
        return None;
    }
    let mut source = vec!["---"];
    let contents = root.iter().map(|&idx| &text[lines[idx].content()]);
    source.extend(contents.map(|line| super::header::uncomment(line, script)));
    source.push("---");
    Some(source.join("\n"))
}

/// How many blank lines jupytext notes behind the root-level lines of a header.
fn lines_behind_header(
    text: &str,
    lines: &[LineSpan],
    header: &Header,
    script: &Script,
) -> Option<usize> {
    let n_lines = header.next - header.block.as_ref()?.close - 1;
    let following = lines[header.next..].iter().map(|line| &text[line.content()]);
    let expected = super::pep8::blank_lines(&["---"], following, script.extension);
    (n_lines != expected).then_some(n_lines)
}
