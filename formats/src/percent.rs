//! Placeholder.

use std::sync::Arc;

use crate::{Carry, Document, Format, FormatName, Notebook, ParseError, PrintError, Printed};

#[derive(Debug)]
pub(crate) struct Percent {
    name: FormatName,
}

pub(crate) const PERCENT: Percent = Percent { name: FormatName::Percent };
pub(crate) const HYDROGEN: Percent = Percent { name: FormatName::Hydrogen };

impl Format for Percent {
    fn name(&self) -> FormatName {
        self.name
    }

    fn extension(&self, _notebook: &Notebook) -> Option<&'static str> {
        todo!()
    }

    fn detect(&self, _text: &str, _extension: &str) -> bool {
        todo!()
    }

    fn parse(&self, _text: Arc<str>, _extension: &str) -> Result<Box<dyn Document>, ParseError> {
        todo!()
    }

    fn print(
        &self,
        _notebook: &Notebook,
        _extension: &str,
        _carry: Carry,
    ) -> Result<Printed, PrintError> {
        todo!()
    }
}
