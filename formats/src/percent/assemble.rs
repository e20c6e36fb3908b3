//! Puts a text together from pieces, and finds the pieces again in what is read
//! from it.

use std::sync::Arc;

use super::context::Context;
use super::document::Percent;
use super::pep8;
use super::reader::{self, Region};
use crate::languages::Script;
use crate::lines::{ends_line, is_blank, split_lines};
use crate::{Cell, FormatName, PrintError, Printed};

/// The text of one cell.
#[derive(Debug)]
pub(super) struct Piece {
    /// The text, which ends in a line break unless it is the end of the old
    /// text.
    pub(super) text: String,
    /// Which slot it is for, if it is not the PEP 723 block.
    pub(super) slot: Option<usize>,
    /// Whether its lines stand in quotes.
    pub(super) is_quoted: bool,
    /// The blank lines behind it.
    pub(super) gap: Gap,
    /// What has to be read from it, if that is known.
    pub(super) cell: Option<Cell>,
}

/// What stands between a cell and the next.
#[derive(Debug)]
pub(super) enum Gap {
    /// These bytes.
    Text(String),
    /// So many blank lines.
    Lines(usize),
    /// As many blank lines as jupytext would write.
    Pep8,
}

/// What a text is made of.
#[derive(Debug)]
pub(super) struct Parts {
    /// All that stands before the first cell.
    pub(super) head: String,
    /// The slot that the header stands for, if it has root-level lines.
    pub(super) head_slot: Option<usize>,
    pub(super) pieces: Vec<Piece>,
    /// The line break.
    pub(super) newline: &'static str,
    /// Whether the text ends in a line break.
    pub(super) has_final_newline: bool,
    /// What has to be read as the PEP 723 block.
    pub(super) script: Option<String>,
}

/// Makes the text, reads it, and checks that the cells are where they belong.
pub(super) fn assemble(
    parts: &mut Parts,
    n_slots: usize,
    name: FormatName,
    context: &Context,
) -> Result<Printed, PrintError> {
    let script = context.script;
    let (text, starts) = join(parts, script);
    let document = Percent::parse(Arc::from(text), name, script, &context.options)
        .map_err(|err| PrintError::Unfaithful(err.to_string()))?;

    let region_starts: Vec<usize> = document.regions.iter().map(Region::start).collect();
    let mut origins = Vec::new();
    let mut n_read = vec![0_usize; n_slots];
    for (cell, place) in document.notebook.cells.iter().zip(&document.places) {
        let (slot, expected) = match place {
            None => (parts.head_slot, None),
            Some(region) => {
                let start = document.regions[*region].start();
                let after = starts.partition_point(|&it| it <= start);
                let piece = after.checked_sub(1).map(|idx| &parts.pieces[idx]);
                (piece.and_then(|piece| piece.slot), piece.and_then(|piece| piece.cell.as_ref()))
            }
        };
        if let Some(expected) = expected
            && expected != cell
        {
            return Err(unfaithful(parts, slot, "would read differently"));
        }
        if let Some(slot) = slot {
            n_read[slot] += 1;
        }
        origins.push(slot);
    }
    for (slot, &n_read) in n_read.iter().enumerate() {
        let is_kept = parts.pieces.iter().any(|it| it.slot == Some(slot) && it.cell.is_some());
        if n_read == 0 {
            // The cell that covers its place is the one to blame.
            let lost = parts.pieces.iter().position(|it| it.slot == Some(slot));
            let start = lost.map_or(0, |lost| starts[lost]);
            let cover = region_starts[..region_starts.partition_point(|&it| it <= start)].last();
            let cover = cover.and_then(|cover| starts.iter().rposition(|it| it <= cover));
            let slot = cover.and_then(|cover| parts.pieces[cover].slot).or(Some(slot));
            return Err(unfaithful(parts, slot, "would swallow what follows it"));
        }
        if is_kept && n_read > 1 {
            return Err(unfaithful(parts, Some(slot), "would be split"));
        }
    }
    if document.notebook.script != parts.script {
        return Err(PrintError::Unfaithful("the PEP 723 block would be lost".to_owned()));
    }
    Ok(Printed { document: Box::new(document), origins })
}

/// Returns the text, and where the pieces start in it.
fn join(parts: &mut Parts, script: &Script) -> (String, Vec<usize>) {
    // How many blank lines are needed depends on all that follows.
    let mut gaps = vec![String::new(); parts.pieces.len()];
    let mut following: Vec<&str> = Vec::new();
    // Whether the last line break is left out, as jupytext does without blank lines.
    let mut is_short = false;
    for (idx, piece) in parts.pieces.iter().enumerate().rev() {
        let lines = split_lines(&piece.text);
        let is_last = following.is_empty();
        let wanted = match &piece.gap {
            Gap::Text(text) => split_lines(text).len(),
            // The break of the last line is the blank line behind the last cell.
            Gap::Lines(n) if is_last => n.saturating_sub(1),
            Gap::Lines(n) => *n,
            Gap::Pep8 if is_last => 0,
            Gap::Pep8 => {
                let cell = if piece.is_quoted { without_quote(&lines) } else { &lines };
                let following = following.iter().rev().copied();
                pep8::blank_lines(cell, following, script.extension)
            }
        };
        // Blank lines at the end of the cell must not be taken for what separates cells.
        let fitting = reader::separators(&lines, wanted);
        gaps[idx] = match &piece.gap {
            Gap::Text(text) if fitting.is_none_or(|n| n == wanted) => text.clone(),
            _ => parts.newline.repeat(fitting.unwrap_or(wanted)),
        };
        is_short |= is_last && fitting.is_none() && matches!(piece.gap, Gap::Lines(0));
        following.extend(std::iter::repeat_n("", split_lines(&gaps[idx]).len()));
        following.extend(lines.into_iter().rev());
    }
    let mut text = parts.head.clone();
    let mut starts = Vec::new();
    for (piece, gap) in parts.pieces.iter().zip(gaps) {
        end_line(&mut text, parts.newline);
        starts.push(text.len());
        text.push_str(&piece.text);
        if !gap.is_empty() {
            end_line(&mut text, parts.newline);
        }
        text.push_str(&gap);
    }
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        // No cells and no header: an empty file is refused by all readers.
        text.push_str(script.comment);
        text.push_str(" %%");
        if !script.comment_suffix.is_empty() {
            text.push(' ');
            text.push_str(script.comment_suffix);
        }
    }
    if parts.has_final_newline {
        end_line(&mut text, parts.newline);
    }
    // A blank line at the end has a line break.
    if (is_short || !parts.has_final_newline)
        && let Some(stripped) = text.strip_suffix(parts.newline)
        && ends_line(stripped) == is_short
    {
        text.truncate(stripped.len());
    }
    (text, starts)
}

/// The lines of a quoted cell as jupytext has them when it counts blank lines: the
/// closing quote is a part of the last line of the source.
fn without_quote<'a>(lines: &'a [&'a str]) -> &'a [&'a str] {
    match lines {
        // A marker and an opening quote, then two lines or more.
        [_, _, _, .., last, quote] if quote.len() == 3 && !is_blank(last) => {
            &lines[..lines.len() - 1]
        }
        _ => lines,
    }
}

fn end_line(text: &mut String, newline: &str) {
    if !text.is_empty() && text != "\u{feff}" && !ends_line(text) {
        text.push_str(newline);
    }
}

fn unfaithful(parts: &Parts, slot: Option<usize>, what: &str) -> PrintError {
    let piece = parts.pieces.iter().find(|piece| piece.slot == slot);
    let first = piece.map_or("", |piece| piece.text.lines().next().unwrap_or_default());
    let number = slot.map_or(0, |slot| slot + 1);
    PrintError::Unfaithful(format!("cell {number} (`{first}`) {what}"))
}
