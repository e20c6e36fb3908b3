use serde_json::Value;

use crate::{Attribute, Cell, CellKind};

/// One place in the list of cells that a text is to have after an update.
///
/// A list of slots says what becomes of every cell of the old text: one that no
/// slot names is deleted, and the order of the slots is the new order.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each cell, and it is made once")]
pub enum Slot {
    /// The cell at this position of the old text, with the bytes it has.
    Keep(usize),
    /// The cell at this position of the old text, with changes.
    Change {
        /// The position in the old text.
        origin: usize,
        /// What changes, each thing at most once.
        changes: Vec<Change>,
    },
    /// A cell that the old text doesn't have.
    New(Cell),
}

impl Slot {
    /// Returns the position in the old text, if there is one.
    pub fn origin(&self) -> Option<usize> {
        match self {
            Self::Keep(origin) | Self::Change { origin, .. } => Some(*origin),
            Self::New(_) => None,
        }
    }
}

/// A change of one thing about a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The cell has this text now.
    Source(String),
    /// The cell is of this kind now.
    Kind(CellKind),
    /// The attribute has this value now, or is no longer set.
    ///
    /// A format that doesn't show the attribute leaves it alone.
    Attribute(Attribute, Option<Value>),
}

impl Change {
    /// Makes the change to a cell.
    pub fn apply(&self, cell: &mut Cell) {
        match self {
            Self::Source(source) => cell.source.clone_from(source),
            Self::Kind(kind) => cell.kind = *kind,
            Self::Attribute(attribute, value) => cell.set_attribute(attribute, value.clone()),
        }
    }
}
