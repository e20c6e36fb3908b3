//! A notebook that is nothing but its cells.

use std::sync::Arc;

use nbsync_formats::{
    Carry, Cell, CellPlace, Document, Notebook, NotebookAttribute, PrintError, Printed, Slot,
};
use serde_json::Value;

/// A text that costs nothing to read or write, so that a million cases can be decided about.
#[derive(Debug)]
pub(crate) struct Plain {
    text: Arc<str>,
    notebook: Notebook,
}

impl Plain {
    pub(crate) fn new(notebook: Notebook) -> Self {
        let mut text = String::new();
        for Cell { kind, source, metadata, .. } in &notebook.cells {
            text += kind.as_str();
            if let Some(tags) = metadata.get("tags") {
                text += &tags.to_string();
            }
            text.push('\n');
            text += source;
            text.push('\n');
        }
        Self { text: text.into(), notebook }
    }
}

impl Document for Plain {
    fn text(&self) -> &Arc<str> {
        &self.text
    }

    fn notebook(&self) -> &Notebook {
        &self.notebook
    }

    fn places(&self) -> Vec<CellPlace> {
        (1..=self.notebook.cells.len()).map(|number| CellPlace { number, line: None }).collect()
    }

    fn update(
        &self,
        slots: &[Slot],
        attributes: &[(NotebookAttribute, Option<Value>)],
        _carry: Carry,
    ) -> Result<Printed, PrintError> {
        let mut notebook =
            Notebook { cells: Vec::with_capacity(slots.len()), ..self.notebook.clone() };
        for slot in slots {
            let cell = match slot {
                Slot::Keep(origin) => self.notebook.cells[*origin].clone(),
                Slot::Change { origin, changes } => {
                    let mut cell = self.notebook.cells[*origin].clone();
                    for change in changes {
                        change.apply(&mut cell);
                    }
                    cell
                }
                Slot::New(cell) => cell.clone(),
            };
            notebook.cells.push(cell);
        }
        for (attribute, value) in attributes {
            notebook.set_attribute(attribute, value.clone());
        }
        let origins = (0..slots.len()).map(Some).collect();
        Ok(Printed { document: Box::new(Self::new(notebook)), origins })
    }
}
