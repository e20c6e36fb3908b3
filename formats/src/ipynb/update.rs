use std::sync::Arc;

use serde_json::Value;

use super::ids::Ids;
use super::plan::{Plan, place_script, plan, target};
use super::read::{Parsed, parse};
use super::splice::{Edit, Gaps, NewValue, Piece, edit_object, join};
use super::{cell, metadata};
use crate::{Notebook, NotebookAttribute, ParseError, PrintError, Slot};

/// What an update made.
pub(super) struct Updated {
    pub(super) text: Arc<str>,
    pub(super) parsed: Parsed,
    /// For each cell of the new view, the slot that it stands for.
    pub(super) origins: Vec<Option<usize>>,
}

/// Changes a text, and reads the new one.
pub(super) fn update(
    text: &str,
    parsed: &Parsed,
    slots: &[Slot],
    attributes: &[(NotebookAttribute, Option<Value>)],
) -> Result<Updated, PrintError> {
    let mut target = target(&parsed.notebook, attributes);
    let mut plans = plan(parsed, slots)?;
    place_script(parsed, &mut target, &mut plans);

    let new_text: Arc<str> = write_all(text, parsed, &target, &plans)
        .map_err(|error| PrintError::Unfaithful(error.to_string()))?
        .into();
    let parsed = parse(&new_text).map_err(|error| PrintError::Unfaithful(error.to_string()))?;
    let origins = compare(&target, &plans, &parsed.notebook)?;
    Ok(Updated { text: new_text, parsed, origins })
}

fn write_all(
    text: &str,
    parsed: &Parsed,
    target: &Notebook,
    plans: &[Plan<'_>],
) -> Result<String, ParseError> {
    let Parsed { layout, style, .. } = parsed;
    let kept = plans.iter().filter_map(|plan| plan.old);
    let kept = kept.filter_map(|(at, _)| layout.cells[at].id.clone());
    let mut ids = Ids::new(kept);
    let mut pieces = Vec::with_capacity(plans.len());
    for plan in plans {
        let origin = plan.old.map(|(at, _)| at);
        let what = match (plan.old, &plan.new) {
            (Some((at, old)), Some(new)) => {
                NewCell::Edited(at, cell::edit(text, &layout.cells[at], old, new, style)?)
            }
            (Some((at, _)), None) => NewCell::Kept(at),
            (None, Some(new)) => {
                let id = (layout.minor >= 5).then(|| ids.give(new));
                NewCell::Printed(cell::print(new, id.as_deref(), style))
            }
            (None, None) => continue,
        };
        pieces.push(Piece { origin, what });
    }
    let spans: Vec<_> = layout.cells.iter().map(|cell| cell.object.span.clone()).collect();
    let write_cells = |out: &mut String| {
        let gaps = || Gaps::of(style, 2);
        join(out, text, &layout.list, &spans, &pieces, gaps, |out, cell| match cell {
            NewCell::Kept(at) => out.push_str(&text[spans[*at].clone()]),
            NewCell::Edited(at, edits) => {
                let object = &layout.cells[*at].object;
                edit_object(out, text, object, edits, style, cell::CELL_DEPTH, &style.order);
            }
            NewCell::Printed(cell) => out.push_str(cell),
        });
    };
    let mut edits = vec![Edit { key: "cells", value: NewValue::Write(&write_cells) }];
    if let Some(metadata) = metadata::edit(text, parsed, target)? {
        edits.push(Edit { key: "metadata", value: NewValue::Text(metadata) });
    }
    let mut out = String::with_capacity(text.len() + 256);
    out.push_str(&text[..layout.root.span.start]);
    edit_object(&mut out, text, &layout.root, &edits, style, 1, &[]);
    out.push_str(&text[layout.root.span.end..]);
    Ok(out)
}

enum NewCell {
    Kept(usize),
    Edited(usize, Vec<Edit<'static>>),
    Printed(String),
}

/// Makes sure that the new text was read as what it was to be.
fn compare(
    target: &Notebook,
    plans: &[Plan<'_>],
    read: &Notebook,
) -> Result<Vec<Option<usize>>, PrintError> {
    let unfaithful = |what: String| Err(PrintError::Unfaithful(what));
    let shown: Vec<_> = plans.iter().filter(|plan| plan.slot.is_some()).collect();
    if shown.len() != read.cells.len() {
        return unfaithful(format!("{} cells instead of {}", read.cells.len(), shown.len()));
    }
    for (at, (plan, cell)) in shown.iter().zip(&read.cells).enumerate() {
        if plan.cell() != Some(cell) {
            return unfaithful(format!("cell {at} differs"));
        }
    }
    if read.script != target.script {
        return unfaithful("the PEP 723 block differs".to_owned());
    }
    if read.metadata != target.metadata || read.marimo != target.marimo {
        return unfaithful("the metadata of the notebook differs".to_owned());
    }
    Ok(shown.iter().map(|plan| plan.slot).collect())
}
