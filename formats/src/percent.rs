//! Scripts with `# %%` cells, as jupytext 1.19.6 reads and writes them
//! (`py:percent`, and `py:hydrogen`, which leaves magics as they are).
//!
//! What jupytext reads differently from what it wrote is not corrected here: the
//! view is what jupytext reads. But a text cell that jupytext would damage is
//! written in triple quotes, which both read right.

mod assemble;
mod context;
mod detect;
mod document;
mod fence;
mod filter;
mod head;
mod header;
mod header_text;
mod literal;
mod notes;
mod options;
mod pep8;
mod print;
mod reader;
mod update;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value};

use crate::languages::{self, Script};
use crate::{
    Carry, Document, Format, FormatName, Notebook, ParseError, ParseErrorKind, PrintError, Printed,
};

/// Scripts with cell markers.
#[derive(Debug)]
pub(crate) struct Percent {
    name: FormatName,
    /// The options of a folder, if it has any.
    options: Option<Arc<Map<String, Value>>>,
}

static NO_OPTIONS: LazyLock<Arc<Map<String, Value>>> = LazyLock::new(Arc::default);

impl Percent {
    fn options(&self) -> &Arc<Map<String, Value>> {
        self.options.as_ref().unwrap_or(&NO_OPTIONS)
    }
}

/// Magics are comments.
pub(crate) const PERCENT: Percent = Percent { name: FormatName::Percent, options: None };
/// Magics are what they are.
pub(crate) const HYDROGEN: Percent = Percent { name: FormatName::Hydrogen, options: None };

impl Format for Percent {
    fn name(&self) -> FormatName {
        self.name
    }

    fn extension(&self, notebook: &Notebook) -> Option<&'static str> {
        languages::by_language(&notebook.language()).map(|script| script.extension)
    }

    fn with_options(&self, options: &Arc<Map<String, Value>>) -> Option<Box<dyn Format>> {
        Some(Box::new(Self { name: self.name, options: Some(Arc::clone(options)) }))
    }

    fn detect(&self, text: &str, extension: &str) -> bool {
        languages::by_extension(extension)
            .is_some_and(|script| detect::guess(text, script) == Some(self.name))
    }

    fn parse(&self, text: Arc<str>, extension: &str) -> Result<Box<dyn Document>, ParseError> {
        let Some(script) = languages::by_extension(extension) else {
            let reason = unknown_extension(extension);
            return Err(ParseError::new(ParseErrorKind::NotANotebook(reason)));
        };
        Ok(Box::new(document::Percent::parse(text, self.name, script, self.options())?))
    }

    fn print(
        &self,
        notebook: &Notebook,
        extension: &str,
        carry: Carry,
    ) -> Result<Printed, PrintError> {
        let script: &'static Script =
            languages::by_extension(extension).ok_or_else(|| PrintError::Unsupported {
                format: self.name.as_str(),
                reason: unknown_extension(extension),
            })?;
        print::print(notebook, self.name, script, carry, self.options())
    }
}

fn unknown_extension(extension: &str) -> String {
    format!("no script has the extension `{extension}`")
}
