use serde_json::Value;

use super::header::{self, Stored};
use super::read::{Parsed, hide_own_keys, holds_block, sort_out};
use super::write::{respelled, respelled_map};
use crate::{
    Cell, CellKind, Notebook, NotebookAttribute, PrintError, Slot, marimo_metadata, script,
};

/// A cell that the new text is to have.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// Its position in the old file, and what it is there.
    pub(super) old: Option<(usize, &'a Cell)>,
    /// `None` if nothing changes.
    pub(super) new: Option<Cell>,
    /// The slot, `None` for the cell with the PEP 723 block.
    pub(super) slot: Option<usize>,
}

impl Plan<'_> {
    /// What the new text is to have.
    pub(super) fn cell(&self) -> Option<&Cell> {
        self.new.as_ref().or(self.old.map(|(_, cell)| cell))
    }

    fn holds_block(&self) -> bool {
        self.cell().is_some_and(holds_block)
    }
}

/// The notebook attributes that the new text is to have; the cells are left out.
pub(super) fn target(
    old: &Notebook,
    attributes: &[(NotebookAttribute, Option<Value>)],
) -> Notebook {
    let mut target = Notebook {
        metadata: old.metadata.clone(),
        marimo: old.marimo.clone(),
        script: old.script.clone(),
        ..Notebook::default()
    };
    for (attribute, value) in attributes {
        target.set_attribute(attribute, value.as_ref().map(respelled));
    }
    hide_own_keys(&mut target.metadata);
    let stored = marimo_metadata::take_from_notebook(&mut target.metadata);
    for (key, value) in stored {
        target.marimo.entry(key).or_insert(value);
    }
    target
}

/// Says which cells the new text is to have.
pub(super) fn plan<'a>(parsed: &'a Parsed, slots: &[Slot]) -> Result<Vec<Plan<'a>>, PrintError> {
    let cells = &parsed.notebook.cells;
    let mut plans = Vec::with_capacity(slots.len() + 1);
    let mut used = vec![false; cells.len()];
    for (at, slot) in slots.iter().enumerate() {
        let old = match slot.origin() {
            None => None,
            Some(origin) => {
                let old = parsed.shown.get(origin).copied().zip(cells.get(origin));
                if old.is_none() || std::mem::replace(&mut used[origin], true) {
                    let what = format!("cell {origin} is not in the old text, or is used twice");
                    return Err(PrintError::Unfaithful(what));
                }
                old
            }
        };
        let new = match (slot, old) {
            (Slot::New(cell), _) => Some(cell.clone()),
            (Slot::Change { changes, .. }, Some((_, old))) => {
                let mut cell = old.clone();
                for change in changes {
                    change.apply(&mut cell);
                }
                Some(cell)
            }
            _ => None,
        };
        let new = new
            .map(|mut cell| {
                cell.metadata = respelled_map(&cell.metadata);
                cell.marimo = respelled_map(&cell.marimo);
                sort_out(&mut cell);
                cell
            })
            .filter(|new| old.is_none_or(|(_, old)| old != new));
        plans.push(Plan { old, new, slot: Some(at) });
    }
    Ok(plans)
}

/// Puts the cell with the PEP 723 block among the others, and makes the target
/// consistent with where the block is.
pub(super) fn place_script<'a>(
    parsed: &'a Parsed,
    target: &mut Notebook,
    plans: &mut Vec<Plan<'a>>,
) {
    let first_block = |plans: &[Plan<'_>]| plans.iter().position(Plan::holds_block);
    let Some(block) = target.script.clone() else {
        // What looks like the block will be read as the block.
        if let Some(at) = first_block(plans) {
            target.script = plans[at].cell().and_then(|cell| header::block(&cell.source));
            plans[at].slot = None;
        }
        settle_header(parsed, target);
        return;
    };
    settle_header(parsed, target);
    let Some((position, old)) = &parsed.lifted else {
        // A file that has it in the header alone keeps it so.
        let in_header = match target.marimo.get("header") {
            Some(Value::String(text)) => {
                parsed.header != Stored::NoBlock && script::find(text).is_some()
            }
            Some(_) => false,
            None => parsed.header == Stored::BareBlock,
        };
        if !in_header || first_block(plans).is_some() {
            let cell = Cell::new(CellKind::Code, block);
            plans.insert(0, Plan { old: None, new: Some(cell), slot: None });
        }
        return;
    };
    let mut new = None;
    if parsed.notebook.script.as_ref() != Some(&block) {
        let mut cell = old.clone();
        if let Some(range) = script::find(&old.source) {
            cell.source.replace_range(range, &block);
        }
        new = Some(cell);
    }
    // It stays behind the cell that it stood behind, unless another cell would
    // then be taken for the block.
    let before = position.checked_sub(1).and_then(|before| {
        plans.iter().position(|plan| plan.old.is_some_and(|(at, _)| at == before))
    });
    let at = before.map_or(0, |before| before + 1);
    let at = if first_block(plans).is_some_and(|first| first < at) { 0 } else { at };
    plans.insert(at, Plan { old: Some((*position, old)), new, slot: None });
}

/// Gives the header of marimo the form that it is read as.
fn settle_header(parsed: &Parsed, target: &mut Notebook) {
    let bare = parsed.header == Stored::BareBlock;
    header::unfold(&mut target.marimo, target.script.as_deref(), bare);
    header::fold(&mut target.marimo);
}
