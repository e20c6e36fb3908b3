//! Jupyter notebooks, nbformat 4.
//!
//! An existing file is never serialised anew. The reader notes where the cells
//! and their members are; an update writes the members that change and copies
//! all else, so that outputs, key order, escapes and spelling of numbers stay as
//! whoever wrote them left them. Outputs are passed over, never understood: they
//! may hold what only Python calls JSON.
//!
//! What doesn't travel, although the file has it: outputs, execution counts,
//! attachments, and the metadata keys that describe this file or the layout of a
//! text format.

mod cell;
mod clear;
mod header;
mod ids;
mod kept;
mod metadata;
mod plan;
mod print;
mod ran;
mod read;
mod scan;
mod session;
mod source;
mod splice;
mod style;
#[cfg(test)]
mod tests;
mod tree;
mod update;
mod write;

use std::sync::Arc;

use serde_json::Value;

pub use self::ran::Ran;
pub use self::session::{CodeHash, Session, SessionCell, read_session};
use crate::{
    Carry, Cell, CellPlace, Document, Format, FormatName, KeptHere, Notebook, NotebookAttribute,
    Notes, ParseError, PrintError, Printed, Slot,
};

/// The format of Jupyter. Holds everything; what [`Carry`] decides is whether the
/// notes of a script are written.
#[derive(Debug)]
pub(crate) struct Ipynb;

impl Format for Ipynb {
    fn name(&self) -> FormatName {
        FormatName::Ipynb
    }

    fn extension(&self, _notebook: &Notebook) -> Option<&'static str> {
        Some(".ipynb")
    }

    fn own_extension(&self) -> Option<&'static str> {
        Some(".ipynb")
    }

    fn has_outputs(&self) -> bool {
        true
    }

    fn detect(&self, text: &str, extension: &str) -> bool {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        extension == ".ipynb" && text.starts_with('{')
    }

    fn parse(&self, text: Arc<str>, _extension: &str) -> Result<Box<dyn Document>, ParseError> {
        let parsed = read::parse(&text)?;
        Ok(Box::new(IpynbDocument { text, parsed }))
    }

    fn print(
        &self,
        notebook: &Notebook,
        _extension: &str,
        carry: Carry,
    ) -> Result<Printed, PrintError> {
        print::print(notebook, carry)
    }
}

fn without_notes(slot: Slot) -> Slot {
    match slot {
        Slot::New(cell) => Slot::New(Cell { notes: Notes::default(), ..cell }),
        slot => slot,
    }
}

#[derive(Debug)]
struct IpynbDocument {
    text: Arc<str>,
    parsed: read::Parsed,
}

impl IpynbDocument {
    /// Reads a text in which only outputs differ. One that does not read as before stays
    /// unwritten.
    fn reread(&self, text: String) -> Option<Box<dyn Document>> {
        let text: Arc<str> = text.into();
        let parsed = read::parse(&text).ok()?;
        let is_same = parsed.notebook == self.parsed.notebook;
        is_same.then(|| Box::new(Self { text, parsed }) as Box<dyn Document>)
    }
}

impl From<update::Updated> for Printed {
    fn from(updated: update::Updated) -> Self {
        let update::Updated { text, parsed, origins } = updated;
        Self { document: Box::new(IpynbDocument { text, parsed }), origins }
    }
}

impl Document for IpynbDocument {
    fn text(&self) -> &Arc<str> {
        &self.text
    }

    fn notebook(&self) -> &Notebook {
        &self.parsed.notebook
    }

    fn places(&self) -> Vec<CellPlace> {
        let place = |position: &usize| CellPlace { number: position + 1, line: None };
        self.parsed.shown.iter().map(place).collect()
    }

    fn kept_here(&self) -> Vec<KeptHere> {
        kept::kept_here(&self.text, &self.parsed)
    }

    fn clear_outputs(&self, cells: &[usize]) -> Option<Box<dyn Document>> {
        self.reread(clear::clear_outputs(&self.text, &self.parsed, cells)?)
    }

    fn ran(&self) -> Vec<Option<Ran>> {
        ran::ran(&self.text, &self.parsed)
    }

    fn set_ran(&self, cells: &[(usize, Ran)]) -> Option<Box<dyn Document>> {
        self.reread(ran::set_ran(&self.text, &self.parsed, cells)?)
    }

    fn update(
        &self,
        slots: &[Slot],
        attributes: &[(NotebookAttribute, Option<Value>)],
        _carry: Carry,
    ) -> Result<Printed, PrintError> {
        // Notes are for a script that is made of the file, and so are written with all
        // of the file or not at all.
        let slots: Vec<Slot> = slots.iter().cloned().map(without_notes).collect();
        let updated = update::update(&self.text, &self.parsed, &slots, attributes)?;
        Ok(updated.into())
    }
}
