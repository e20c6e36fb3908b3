//! Changes a text cell by cell.

use std::ops::Range;

use serde_json::{Map, Value};

use super::assemble::{Gap, Parts, Piece, assemble};
use super::context::Context;
use super::document::Percent;
use super::fence::{Fence, Longest};
use super::filter::Filter;
use super::print::{self, new_piece};
use super::reader::{Quotes, Region};
use super::writer::{CellText, Way};
use super::{head, header_text, pep8, reader};
use crate::lines::{ends_line, line_spans, split_lines, trim};
use crate::{
    Attribute, Carry, Cell, CellKind, Change, Notebook, NotebookAttribute, Notes, PrintError,
    Printed, Slot, script,
};

/// Changes the text so that it has these cells and attributes.
pub(super) fn update(
    old: &Percent,
    slots: &[Slot],
    attributes: &[(NotebookAttribute, Option<Value>)],
    carry: Carry,
) -> Result<Printed, PrintError> {
    let n_cells = old.notebook.cells.len();
    if let Some(origin) = slots.iter().filter_map(Slot::origin).find(|&origin| n_cells <= origin) {
        let reason = format!("the text has no cell {}", origin + 1);
        return Err(PrintError::Unfaithful(reason));
    }
    let target = target(old, attributes, carry);
    if is_unchanged(old, slots, &target) {
        let origins = (0..slots.len()).map(Some).collect();
        return Ok(Printed { document: Box::new(old.clone()), origins });
    }
    let cells: Vec<Cell> = slots.iter().map(|slot| target_cell(old, slot, carry)).collect();

    // A raw cell with a YAML header at the top is the top of the header.
    let mut root = None;
    if let (Some(cell), Some(slot)) = (cells.first(), slots.first())
        && cell.kind == CellKind::Raw
        && cell.metadata.is_empty()
        && cell.marimo.is_empty()
        && !old.context.root_is_metadata()
    {
        let is_in_header = slot.origin().is_some_and(|origin| old.places[origin].is_none());
        let is_kept = matches!(slot, Slot::Keep(_));
        if is_in_header || !is_kept {
            root = header_text::front_matter(&cell.source).filter(|lines| !lines.is_empty());
        }
    }
    let head_slot = root.is_some().then_some(0);
    let (head, metadata) = head::head(old, &target, root.as_deref());
    let mut context =
        Context::new(&metadata, &old.context.options, old.context.script, old.context.is_hydrogen);
    context.metadata_is_json |= old.context.metadata_is_json;
    let same_context = old.context.reads_as(&context);

    let fences = Fences::new(old, &cells);
    let mut pieces = Vec::new();
    for (idx, slot) in slots.iter().enumerate().skip(usize::from(root.is_some())) {
        let region = slot.origin().and_then(|origin| old.places[origin]);
        let is_first = pieces.is_empty() && target.script.is_none();
        let is_last = idx + 1 == slots.len();
        let is_open = |region| {
            !is_last && (leaves_open(old, region) || fences.meet_new_ends(old, region, idx))
        };
        let mut piece = match (slot, region) {
            (Slot::Keep(_), Some(region)) if same_context && !is_open(region) => {
                kept_piece(old, region, is_first, Some(cells[idx].clone()))
            }
            (_, Some(region)) => {
                let before = &old.notebook.cells[slot.origin().unwrap_or_default()];
                let below =
                    Below { closes: below(&cells[idx], is_last), ends_open: is_open(region) };
                changed_piece(old, region, before, &cells[idx], is_first, &context, below)
            }
            (_, None) => {
                let below = below(&cells[idx], is_last);
                (new_piece(&cells[idx], &context, &context, old.newline(), below), None)
            }
        };
        piece.0.slot = Some(idx);
        pieces.push(piece);
    }
    insert_script(old, &target, &mut pieces, &context);
    set_gaps(old, &mut pieces);

    let mut parts = Parts {
        head,
        head_slot,
        pieces: pieces.into_iter().map(|(piece, _)| piece).collect(),
        newline: old.newline(),
        has_final_newline: ends_line(&old.text),
        script: target.script.clone(),
    };
    assemble(&mut parts, slots.len(), old.name, &context)
}

fn is_unchanged(old: &Percent, slots: &[Slot], target: &Notebook) -> bool {
    let Notebook { metadata, marimo, script, cells, notes: _ } = &old.notebook;
    slots.len() == cells.len()
        && slots.iter().enumerate().all(|(idx, slot)| *slot == Slot::Keep(idx))
        && *metadata == target.metadata
        && *marimo == target.marimo
        && *script == target.script
}

/// A piece, and the region of the old text that it comes from.
type Placed = (Piece, Option<usize>);

/// The notebook's attributes as the new text is to show them.
fn target(
    old: &Percent,
    attributes: &[(NotebookAttribute, Option<Value>)],
    carry: Carry,
) -> Notebook {
    let mut target = Notebook {
        metadata: old.notebook.metadata.clone(),
        marimo: old.notebook.marimo.clone(),
        script: old.notebook.script.clone(),
        ..Notebook::default()
    };
    for (attribute, value) in attributes {
        let is_shown = match attribute {
            NotebookAttribute::Script => true,
            NotebookAttribute::Marimo(_) => carry == Carry::All || !old.notebook.marimo.is_empty(),
            // A file without a header stays one; what the notebook's kernel is
            // doesn't matter to a script.
            NotebookAttribute::Metadata(key) => {
                old.notebook.metadata.contains_key(key)
                    || (old.header.metadata().is_some()
                        && is_shown_key(key, old, &target, value.as_ref()))
            }
        };
        if is_shown {
            target.set_attribute(attribute, value.clone());
        }
    }
    target
}

fn is_shown_key(key: &str, old: &Percent, target: &Notebook, value: Option<&Value>) -> bool {
    const FILTER: &str = "notebook_metadata_filter";
    let own = target.metadata.get("jupytext").and_then(|it| it.get(FILTER));
    let filter = Filter::parse(own.or_else(|| old.context.options.get(FILTER)));
    let value = value.cloned().unwrap_or_default();
    filter.notebook(&Map::from_iter([(key.to_owned(), value)])).contains_key(key)
}

/// The cell as the new text is to show it.
fn target_cell(old: &Percent, slot: &Slot, carry: Carry) -> Cell {
    let shown_only = |cell: &mut Cell| {
        if carry == Carry::Shown {
            cell.marimo.clear();
        }
    };
    match slot {
        Slot::New(cell) => {
            let mut cell = cell.clone();
            shown_only(&mut cell);
            cell
        }
        Slot::Keep(origin) => old.notebook.cells[*origin].clone(),
        Slot::Change { origin, changes } => {
            let mut cell = old.notebook.cells[*origin].clone();
            let shows_marimo = carry == Carry::All || !cell.marimo.is_empty();
            for change in changes {
                if !matches!(change, Change::Attribute(Attribute::Marimo(_), _)) || shows_marimo {
                    change.apply(&mut cell);
                }
            }
            cell
        }
    }
}

fn kept_piece(old: &Percent, region: usize, is_first: bool, cell: Option<Cell>) -> Placed {
    let at = &old.regions[region];
    let mut text = String::new();
    if at.marker.is_none() && !is_first {
        text = bare_marker(old);
    }
    text.push_str(&old.text[at.start()..at.body.end]);
    let is_quoted = at.quotes.is_some();
    (Piece { text, slot: None, is_quoted, gap: Gap::Pep8, cell }, Some(region))
}

/// What stands below a cell.
#[derive(Clone, Copy)]
struct Below {
    /// The fences that it can close, `None` if there is nothing.
    closes: Option<Longest>,
    /// Whether it would end something that the old text of the cell leaves open.
    ends_open: bool,
}

/// What may stand below a cell of which only the position is known.
fn below(cell: &Cell, is_last: bool) -> Option<Longest> {
    (!is_last).then(|| Longest::of_any(&cell.source))
}

/// Whether a string that is opened in a cell is still open at its end.
fn leaves_open(old: &Percent, region: usize) -> bool {
    let lines = split_lines(&old.text[old.regions[region].body.clone()]);
    print::opens_string(&lines, &old.context)
}

/// The fences that can be closed below each cell.
struct Fences {
    /// For each region of the old text.
    old: Vec<Longest>,
    /// For each new cell.
    new: Vec<Longest>,
}

impl Fences {
    fn new(old: &Percent, cells: &[Cell]) -> Self {
        let below = |texts: &mut dyn Iterator<Item = &str>| {
            let mut longest = Longest::default();
            let mut res = Vec::new();
            for text in texts {
                res.push(longest);
                for line in split_lines(text) {
                    longest.add(uncomment(old, line));
                }
            }
            res.reverse();
            res
        };
        Self {
            old: below(&mut old.regions.iter().rev().map(|it| &old.text[it.body.clone()])),
            new: below(&mut cells.iter().rev().map(|cell| cell.source.as_str())),
        }
    }

    /// Whether a fence that a cell of the old text leaves open would be closed by a line further
    /// down, where no line did until now.
    fn meet_new_ends(&self, old: &Percent, region: usize, new: usize) -> bool {
        let at = &old.regions[region];
        if at.cell.kind == CellKind::Code || at.quotes.is_some() {
            return false;
        }
        let mut longest = self.old[region];
        split_lines(&old.text[at.body.clone()]).into_iter().rev().any(|line| {
            let text = uncomment(old, line);
            let is_met = Fence::opened_by(text)
                .is_some_and(|fence| !longest.closes(fence) && self.new[new].closes(fence));
            longest.add(text);
            is_met
        })
    }
}

fn uncomment<'a>(old: &Percent, line: &'a str) -> &'a str {
    let script = old.context.script;
    reader::uncomment_line(line, script.comment, script.comment_suffix)
}

fn bare_marker(old: &Percent) -> String {
    let cell = Cell::new(CellKind::Code, "");
    let text = CellText::new(&cell, Way::Usual, &Map::new(), &old.context);
    text.marker(&old.context) + old.newline()
}

fn changed_piece(
    old: &Percent,
    region: usize,
    before: &Cell,
    after: &Cell,
    is_first: bool,
    context: &Context,
    below: Below,
) -> Placed {
    let at = &old.regions[region];
    let newline = old.newline();
    let shown = &at.cell.metadata;
    let quotes = at.quotes.as_ref().and_then(|quotes| fitting(quotes, &after.source));
    // The present text shows how it is written, not what was once noted of it.
    let after = &Cell { notes: Notes::default(), ..after.clone() };
    let way = way(old, at, before);
    let was = CellText::new(before, way, shown, &old.context);
    let way = match quotes.as_ref() {
        Some(quotes) => Way::Quotes(quotes),
        None if matches!(way, Way::Quotes(_)) => Way::Usual,
        None => way,
    };
    let mut is = CellText::new(after, way, shown, context);
    let is_same_text = before.source == after.source && before.kind == after.kind;
    let is_kept = is_same_text && was.body == is.body && !below.ends_open;
    let is_quoted =
        quotes.is_some() && print::reads_back(after, &is, context, context, below.closes);
    if !is_kept && !is_quoted {
        is = print::cell_text(after, shown, context, context, below.closes);
    }

    let script = context.script;
    let mut text = String::new();
    match &at.marker {
        Some(marker) if was.options == is.options => {
            text.push_str(&old.text[marker.start..at.body.start]);
        }
        // A first cell can do without a marker.
        None if is_first && is.options.is_empty() => {}
        marker => {
            let line = marker.as_ref().map_or("", |marker| &old.text[marker.clone()]);
            let start = line.find("%%").map(|end| &line[..end]);
            let behind = reader::options_of(line, script);
            // Only markers with `%%` have a place for options.
            match start.filter(|_| !behind.is_empty() || line.ends_with("%%")) {
                Some(start) => text.push_str(&is.marker_behind(start, context)),
                None => text.push_str(&is.marker(context)),
            }
            text.push_str(newline);
        }
    }
    if was.body == is.body {
        text.push_str(&old.text[at.body.clone()]);
    } else {
        for line in &is.body {
            text.push_str(line);
            text.push_str(newline);
        }
    }
    let piece = Piece { text, slot: None, is_quoted: is.is_quoted, gap: Gap::Pep8, cell: None };
    (piece, Some(region))
}

/// Says how a cell is written in the old text.
fn way<'a>(old: &Percent, region: &'a Region, cell: &Cell) -> Way<'a> {
    if let Some(quotes) = &region.quotes {
        return Way::Quotes(quotes);
    }
    if region.is_guarded {
        return Way::Guarded;
    }
    let lines = split_lines(&old.text[region.body.clone()]);
    let text = |way| CellText::new(cell, way, &region.cell.metadata, &old.context);
    let ways = [Way::Usual, Way::Magic, Way::Comments];
    ways.into_iter().find(|way| text(*way).body == lines).unwrap_or(Way::Usual)
}

/// Whether jupytext writes a cell as it stands in the text.
pub(super) fn is_written_for(old: &Percent, region: &Region, cell: &Cell) -> bool {
    let text = CellText::new(cell, Way::Jupytext, &Map::new(), &old.context);
    let marker = region.marker.as_ref().map_or("", |marker| &old.text[marker.clone()]);
    let options = reader::options_of(marker, old.context.script);
    let lines = split_lines(&old.text[region.body.clone()]);
    trim(options) == trim(&text.options) && without_end(&text.body) == without_end(&lines)
}

/// The lines without the blank ones at the end, which are taken for those between cells.
fn without_end<T: AsRef<str>>(lines: &[T]) -> &[T] {
    let n_lines = lines.iter().rposition(|line| !line.as_ref().is_empty()).map_or(0, |idx| idx + 1);
    &lines[..n_lines]
}

/// Returns the quotes in which a new text can stand, as close to the present
/// ones as possible.
fn fitting(quotes: &Quotes, source: &str) -> Option<Quotes> {
    let quote = quotes.right.trim_start_matches('\n');
    if source.contains(quote) {
        return None;
    }
    let mut quotes = quotes.clone();
    let touches =
        source.starts_with(['"', '\'', '\n']) || source.ends_with(['"', '\'', '\\', '\n']);
    if source.contains('\n') || source.is_empty() || touches {
        if !quotes.left.ends_with('\n') {
            quotes.left.push('\n');
        }
        quotes.right = if quote == "'''" { "\n'''" } else { "\n\"\"\"" };
    }
    Some(quotes)
}

/// Puts the PEP 723 block where it was, or at the top.
fn insert_script(old: &Percent, target: &Notebook, pieces: &mut Vec<Placed>, context: &Context) {
    let Some(block) = &target.script else { return };
    let region = old.script_region;
    let at = region.map_or(0, |region| {
        let before = pieces.iter().rposition(|(_, it)| it.is_some_and(|it| it < region));
        before.map_or(0, |before| before + 1)
    });
    let piece = if let Some(region) = region {
        let cell = &old.regions[region].cell;
        if old.notebook.script.as_ref() == Some(block) {
            kept_piece(old, region, at == 0, None)
        } else {
            let mut after = cell.clone();
            if let Some(range) = script::find(&cell.source) {
                after.source.replace_range(range, block);
            }
            let closes = Some(Longest::of_any(&after.source));
            let below = Below { closes, ends_open: leaves_open(old, region) };
            changed_piece(old, region, cell, &after, at == 0, context, below)
        }
    } else {
        let cell = Cell::new(CellKind::Code, block.as_str());
        let below = Some(Longest::of_any(block));
        (new_piece(&cell, context, context, old.newline(), below), None)
    };
    pieces.insert(at, piece);
}

/// Keeps the blank lines between cells that were neighbours and still are.
fn set_gaps(old: &Percent, pieces: &mut [Placed]) {
    let is_same: Vec<bool> = pieces
        .iter()
        .map(|(piece, region)| {
            region.is_some_and(|region| piece.text == old.text[whole(&old.regions[region])])
        })
        .collect();
    for idx in 0..pieces.len() {
        let Some(region) = pieces[idx].1 else { continue };
        let next = pieces.get(idx + 1).map(|(_, region)| *region);
        let is_last = next.is_none() && region + 1 == old.regions.len();
        if !is_last && next != Some(Some(region + 1)) {
            continue;
        }
        let at = &old.regions[region];
        if is_last || (is_same[idx] && is_same[idx + 1]) || !is_pep8(old, at) {
            pieces[idx].0.gap = Gap::Text(old.text[at.body.end..at.end].to_owned());
        }
    }
}

fn whole(region: &Region) -> Range<usize> {
    region.start()..region.body.end
}

/// Whether the blank lines behind a cell are those that jupytext would write.
fn is_pep8(old: &Percent, region: &Region) -> bool {
    let cell = split_lines(&old.text[region.body.clone()]);
    let rest = &old.text[region.end..];
    let following = line_spans(rest);
    let following = following.iter().map(|line| &rest[line.content()]);
    let cell = if cell.is_empty() { vec![""] } else { cell };
    pep8::blank_lines(&cell, following, old.context.script.extension) == region.n_separators
}
