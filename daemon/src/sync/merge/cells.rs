//! The cells of a notebook while it is put together.

use std::collections::HashMap;

use nbsync_formats::{Cell, Notebook};

use super::Keyed;
use crate::sync::edit::CellKey;

/// Cells in an order that changes, found by their keys.
///
/// A list whose cells know their neighbours, so that no step looks at all cells: a notebook
/// may have tens of thousands, and as many edits.
pub(super) struct Cells {
    /// All about the notebook but its cells.
    pub(super) notebook: Notebook,
    links: HashMap<CellKey, Link>,
    first: Option<CellKey>,
}

struct Link {
    cell: Cell,
    above: Option<CellKey>,
    below: Option<CellKey>,
}

impl Cells {
    pub(super) fn new(keyed: &Keyed) -> Self {
        let Keyed { notebook: Notebook { metadata, marimo, script, cells, notes }, keys } = keyed;
        let notebook = Notebook {
            metadata: metadata.clone(),
            marimo: marimo.clone(),
            script: script.clone(),
            cells: Vec::new(),
            notes: notes.clone(),
        };
        let mut res = Self { notebook, links: HashMap::with_capacity(keys.len()), first: None };
        let mut above = None;
        for (key, cell) in keys.iter().zip(cells) {
            res.insert(above, *key, cell.clone());
            above = Some(*key);
        }
        res
    }

    pub(super) fn into_keyed(mut self) -> Keyed {
        let mut notebook = self.notebook;
        let mut keys = Vec::with_capacity(self.links.len());
        let mut next = self.first;
        while let Some(key) = next {
            let Some(link) = self.links.remove(&key) else { break };
            notebook.cells.push(link.cell);
            keys.push(key);
            next = link.below;
        }
        Keyed { notebook, keys }
    }

    pub(super) fn has(&self, key: CellKey) -> bool {
        self.links.contains_key(&key)
    }

    pub(super) fn get(&self, key: CellKey) -> Option<&Cell> {
        self.links.get(&key).map(|link| &link.cell)
    }

    pub(super) fn get_mut(&mut self, key: CellKey) -> Option<&mut Cell> {
        self.links.get_mut(&key).map(|link| &mut link.cell)
    }

    /// Returns the cell below another one, or the first one below `None`.
    pub(super) fn below(&self, above: Option<CellKey>) -> Option<CellKey> {
        match above {
            Some(above) => self.links.get(&above).and_then(|link| link.below),
            None => self.first,
        }
    }

    pub(super) fn above(&self, below: CellKey) -> Option<CellKey> {
        self.links.get(&below).and_then(|link| link.above)
    }

    /// Puts a cell below another one, or at the top.
    pub(super) fn insert(&mut self, above: Option<CellKey>, key: CellKey, cell: Cell) {
        let below = self.below(above);
        self.connect(above, Some(key));
        self.links.insert(key, Link { cell, above, below });
        if let Some(link) = below.and_then(|below| self.links.get_mut(&below)) {
            link.above = Some(key);
        }
    }

    pub(super) fn remove(&mut self, key: CellKey) -> Option<Cell> {
        let Link { cell, above, below } = self.links.remove(&key)?;
        self.connect(above, below);
        if let Some(link) = below.and_then(|below| self.links.get_mut(&below)) {
            link.above = above;
        }
        Some(cell)
    }

    fn connect(&mut self, above: Option<CellKey>, below: Option<CellKey>) {
        match above.and_then(|above| self.links.get_mut(&above)) {
            Some(link) => link.below = below,
            None => self.first = below,
        }
    }
}
