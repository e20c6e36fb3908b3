//! Names as numbers, and marimo's private names.

use std::collections::{BTreeSet, HashMap};

use crate::python::is_private;

/// A name. Only those of one [`Names`] may be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name(u32);

/// The names of a cell.
#[derive(Debug)]
pub(super) struct Names {
    texts: Vec<String>,
    numbers: HashMap<String, Name>,
    /// What the private names of the cell get in front: `_cell_0`.
    prefix: String,
}

impl Names {
    pub(super) fn new(cell_id: &str) -> Self {
        Self { texts: Vec::new(), numbers: HashMap::new(), prefix: format!("_cell_{cell_id}") }
    }

    /// Returns the name that is written like this.
    pub(super) fn name(&mut self, text: &str) -> Name {
        if let Some(&name) = self.numbers.get(text) {
            return name;
        }
        // Texts are shorter than 4 GiB, and so are lists of their names.
        let name = Name(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), name);
        name
    }

    /// Returns how a name is written.
    pub(super) fn text(&self, name: Name) -> &str {
        &self.texts[name.0 as usize]
    }

    /// Returns how names are written.
    pub(super) fn texts(&self, names: &BTreeSet<Name>) -> BTreeSet<String> {
        names.iter().map(|&name| self.text(name).to_owned()).collect()
    }

    /// Whether a name is private to its cell.
    pub(super) fn is_private(&self, name: Name) -> bool {
        is_private(self.text(name))
    }

    /// Returns the name that marimo gives to a private name of the cell.
    pub(super) fn mangle(&mut self, name: Name) -> Name {
        let text = format!("{}{}", self.prefix, self.text(name));
        self.name(&text)
    }

    /// Returns a mangled name as it was written.
    pub(super) fn unmangled(&self, name: Name) -> &str {
        let text = self.text(name);
        text.strip_prefix(&self.prefix).unwrap_or(text)
    }
}
