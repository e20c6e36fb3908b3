//! marimo scripts: Python files with a function for every cell.
//!
//! Read and written as marimo 0.25.2 does: a cell that is written has the
//! arguments and the `return` that marimo's editor would save, which depend on
//! all other cells. A cell for which they stay the same keeps its bytes.
//!
//! A cell that is `mo.md(...)` of a string is markdown, in whatever layout, if
//! marimo leaves its text alone when it saves. Markdown needs a cell that imports
//! `mo`; one is added if there is none, and stands for no cell of the notebook.
//! Raw cells and magics are comments.
//!
//! What a script can't hold: nbformat's metadata and ids; blanks at the ends of
//! lines and around the text of markdown cells; blank lines at the end of code,
//! blanks in blank lines, form feeds, and the indentation of a whole cell; any
//! option but `hide_code` of the setup cell, and the name of a function or class.
//! The setup cell comes first, wherever it stood. Code that is `mo.md(...)` is
//! shown as markdown, and a comment that looks like a commented magic (`# %time
//! x`, `# !ls`) as the magic.
//!
//! Where marimo would lose or change what a user wrote, this doesn't follow it:
//! comments at the end of a cell without `return`, options of a cell with a
//! syntax error, quotes in titles, blank lines and form feeds in strings.

mod codegen;
mod content;
mod dedent;
mod document;
mod entry;
mod exact;
mod extract;
mod header;
mod layout;
mod markdown;
mod options;
mod outline;
mod recover;
mod regenerate;
mod scan;
mod splice;
#[cfg(test)]
mod tests;
mod tokens;
mod toplevel;
mod view;
mod violation;

use std::sync::Arc;

use self::document::Script;
pub use self::outline::{Names, Outline, OutlinedCell, outline};
pub use self::regenerate::regenerate;
pub use self::violation::{Violation, ViolationKind, violations};
use crate::{Carry, Cell, Document, Format, FormatName, Notebook, ParseError, PrintError, Printed};

/// The marimo whose files new files are the same as.
const VERSION: &str = "0.25.2";

#[derive(Debug)]
pub(crate) struct Marimo;

impl Format for Marimo {
    fn name(&self) -> FormatName {
        FormatName::Marimo
    }

    fn extension(&self, notebook: &Notebook) -> Option<&'static str> {
        (notebook.language() == "python").then_some(".py")
    }

    fn detect(&self, text: &str, extension: &str) -> bool {
        extension == ".py" && text.contains("marimo") && looks_like_a_notebook(text)
    }

    fn parse(&self, text: Arc<str>, _extension: &str) -> Result<Box<dyn Document>, ParseError> {
        Ok(Box::new(Script::parse(text)?))
    }

    fn print(
        &self,
        notebook: &Notebook,
        _extension: &str,
        _carry: Carry,
    ) -> Result<Printed, PrintError> {
        let language = notebook.language();
        if language != "python" {
            let reason = format!("its language is {language}");
            return Err(PrintError::Unsupported { format: "marimo", reason });
        }
        Script::print(notebook)
    }
}

/// Returns the code that a cell has in a marimo script: with magics as comments.
pub(crate) fn code_of(cell: &Cell) -> String {
    view::entry(cell).code.text().to_owned()
}

/// Whether there are lines that import marimo, make an app, and start a cell or
/// say which marimo wrote them.
fn looks_like_a_notebook(text: &str) -> bool {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    lines.any(|line| line.starts_with("import marimo"))
        && text.lines().any(|line| {
            let call = line.strip_prefix("app = ").and_then(|rest| rest.split_once('('));
            call.is_some_and(|(callee, _)| callee.ends_with(".App"))
        })
        && text.lines().any(|line| {
            line.starts_with("@app.cell")
                || line.starts_with("@app.function")
                || line.starts_with("@app.class_definition")
                || line.starts_with("with app.setup")
                || line.starts_with("async with app.setup")
                || line.starts_with("app._unparsable_cell")
                || line.starts_with("__generated_with")
        })
}
