//! What marimo, Jupyter or plain Python could not run in a notebook.
//!
//! Nothing is changed because of it: names are not made unique, cells are not put
//! in order. `docs/diagnostics.md` explains every code.

mod cells;
mod graph;
mod magics;
mod order;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use self::cells::CodeCell;
use crate::Document;
use crate::python::scope;

/// Something that a tool could not run, or that would be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// What it is.
    pub code: DiagnosticCode,
    /// How bad it is.
    pub severity: Severity,
    /// The tools that it is about.
    pub tools: Vec<Tool>,
    /// What is wrong and what to do, for people.
    pub message: String,
    /// Where it is, the most telling place first.
    pub places: Vec<Place>,
}

/// What a [`Diagnostic`] is about. The names are part of the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DiagnosticCode {
    /// The code of a cell is not Python.
    SyntaxError,
    /// A cell has lines that only `IPython` understands, and that can't be told from
    /// code or prose, so that they are not commented for marimo.
    IpythonSyntax,
    /// marimo would delete something from its script when it saves.
    Deletes,
    /// Several cells define a name.
    MultipleDefinition,
    /// Cells need each other.
    Cycle,
    /// The setup cell needs another one.
    SetupDepends,
    /// `from module import *`.
    ImportStar,
    /// A cell reads a private name of another one.
    PrivateName,
    /// A name is read above the cell that defines it.
    Order,
    /// A magic or shell command.
    Magic,
    /// A cell in another language than the notebook.
    OtherLanguage,
    /// A notebook that no marimo copy can be made of.
    NoMarimo,
}

impl DiagnosticCode {
    /// The name as it stands in the JSON and in the documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SyntaxError => "syntax-error",
            Self::IpythonSyntax => "ipython-syntax",
            Self::Deletes => "deletes",
            Self::MultipleDefinition => "multiple-definition",
            Self::Cycle => "cycle",
            Self::SetupDepends => "setup-depends",
            Self::ImportStar => "import-star",
            Self::PrivateName => "private-name",
            Self::Order => "order",
            Self::Magic => "magic",
            Self::OtherLanguage => "other-language",
            Self::NoMarimo => "no-marimo",
        }
    }
}

impl fmt::Display for DiagnosticCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How bad a [`Diagnostic`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A tool refuses to run the cells.
    Error,
    /// A run can fail, or give something else.
    Warning,
    /// Good to know; nothing has to be done.
    Note,
}

/// What runs notebooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// marimo.
    Marimo,
    /// Jupyter, which runs cells from top to bottom, as `python` runs a script.
    Jupyter,
}

/// Where something is in a notebook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The number of the cell in the file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<usize>,
    /// The name that the cell has in marimo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The line within the cell, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell_line: Option<usize>,
    /// The line of the file, from 1, where that means something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

/// Finds what tools could not run, the worst first.
pub fn diagnose(document: &dyn Document) -> Vec<Diagnostic> {
    let language = document.notebook().language();
    if language != "python" {
        return vec![Diagnostic {
            code: DiagnosticCode::NoMarimo,
            severity: Severity::Note,
            tools: vec![Tool::Marimo],
            message: format!("the notebook is in {language}, so it has no marimo copy"),
            places: Vec::new(),
        }];
    }
    let cells = CodeCell::of(document);
    let mut res = deletions(document);
    let commands = magics::find(&cells, &mut res);
    for cell in &cells {
        syntax(cell, &commands, &mut res);
    }
    graph::find(&cells, &mut res);
    order::find(&cells, &mut res);
    let start = |it: &Diagnostic| it.places.first().map(|it| (it.cell, it.cell_line));
    res.sort_by_key(|it| (it.severity, start(it), it.code));
    res
}

/// Finds what marimo would delete from a marimo script when it saves: what
/// stands outside of cells, say. nbsync keeps it.
pub fn deletions(document: &dyn Document) -> Vec<Diagnostic> {
    let hard = document.violations().into_iter().filter(|it| it.kind.is_hard());
    hard.map(|it| Diagnostic {
        code: DiagnosticCode::Deletes,
        severity: Severity::Warning,
        tools: vec![Tool::Marimo],
        message: format!("{} ({})", it.kind, it.kind.code()),
        places: vec![Place { line: Some(it.line), ..Place::default() }],
    })
    .collect()
}

/// Reports what Python or marimo doesn't compile. `commands` are the cells for
/// which there is a better explanation.
fn syntax(cell: &CodeCell<'_>, commands: &BTreeSet<usize>, res: &mut Vec<Diagnostic>) {
    let Err(error) = &cell.analysis else { return };
    let code = scope::normalize(&cell.code);
    let line = 1 + code.get(..error.offset).unwrap_or(&code).matches('\n').count();
    let places = vec![cell.place(line)];
    if cell.usage.as_ref().is_some_and(|it| it.has_star_import) {
        res.push(Diagnostic {
            code: DiagnosticCode::ImportStar,
            severity: Severity::Error,
            tools: vec![Tool::Marimo],
            message: "marimo does not run a cell with `import *`, because it cannot know which \
                      names that defines; name them, or import the module"
                .to_owned(),
            places,
        });
    } else if !commands.contains(&cell.idx) {
        res.push(Diagnostic {
            code: DiagnosticCode::SyntaxError,
            severity: Severity::Error,
            tools: vec![Tool::Marimo, Tool::Jupyter],
            message: format!("not valid Python: {}", error.message),
            places,
        });
    }
}

/// `cell 1`, `cells 1, 2 and 5`; of many only the first.
fn cells(numbers: &[usize]) -> String {
    const MOST: usize = 6;
    let [first, _, ..] = numbers else {
        return numbers.first().map_or_else(String::new, |it| format!("cell {it}"));
    };
    let text =
        |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    if numbers.len() <= MOST {
        let (last, rest) = numbers.split_last().unwrap_or((first, &[]));
        format!("cells {} and {last}", text(rest))
    } else {
        format!("cells {} and {} more", text(&numbers[..MOST - 1]), numbers.len() - (MOST - 1))
    }
}
