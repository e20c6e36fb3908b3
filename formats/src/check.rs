//! What another format can't hold of a notebook.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::magics::{Magics, is_magic};
use crate::{Attribute, Carry, Cell, CellKind, Document, Format, NotebookAttribute, PrintError};

/// What a text stores of one of its cells and no other format has a place for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptHere {
    /// The cell of the view, or `None` if the view has none for it.
    pub cell: Option<usize>,
    /// The position among the cells of the file, from 1.
    pub number: usize,
    /// How many outputs it has.
    pub n_outputs: usize,
    /// Whether it was counted when it ran.
    pub has_count: bool,
    /// The names of its attachments.
    pub attachments: Vec<String>,
}

/// Something that is not in the other format, or not as it is here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The cell, or `None` for the notebook as a whole.
    #[serde(flatten)]
    pub cell: Option<CellRef>,
    /// What is lost or changed.
    #[serde(flatten)]
    pub what: What,
}

/// Names a cell of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellRef {
    /// The position among the cells of the file, from 1.
    #[serde(rename = "cell")]
    pub number: usize,
    /// nbformat's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the cell holds.
    pub kind: CellKind,
}

/// What is lost or changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// The outputs have no place.
    Outputs {
        /// How many there are.
        count: usize,
    },
    /// The execution count has no place.
    ExecutionCount,
    /// The id has no place.
    Id,
    /// The attachments have no place.
    Attachments {
        /// Their names.
        names: Vec<String>,
    },
    /// A key of metadata.
    Metadata(Changed),
    /// An option of marimo.
    Marimo(Changed),
    /// The PEP 723 block.
    Script,
    /// The cell is of another kind.
    Kind {
        /// The kind that it has in the other format.
        becomes: CellKind,
    },
    /// The source reads back otherwise.
    Text(Line),
    /// The cell reads back as several.
    Split {
        /// How many.
        parts: usize,
    },
    /// The cell has no place.
    Missing,
    /// The cell stands further up.
    Order,
    /// The format needs a cell of its own, which is one of the notebook when it is read
    /// back.
    Added {
        /// The source of that cell.
        source: String,
    },
    /// All cells are the same, but the file is written otherwise: comments between
    /// cells, a header, blank lines.
    Layout(Line),
    /// A line is a comment in the other format, and comes back. Nothing is lost.
    Commented {
        /// The first such line.
        line: String,
    },
}

/// A key that is gone or has another value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// The key.
    pub key: String,
    /// Its value in the other format, or `None` if it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub becomes: Option<Value>,
}

/// The first line that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its number, from 1.
    pub line: usize,
    /// How it stands here, or `None` behind the end.
    pub is: Option<String>,
    /// How it reads back, or `None` behind the end.
    pub becomes: Option<String>,
}

impl What {
    /// Whether the way there and back changes anything.
    pub fn is_loss(&self) -> bool {
        !matches!(self, Self::Commented { .. })
    }

    /// A word for the sort of it, the same as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Outputs { .. } => "outputs",
            Self::ExecutionCount => "execution_count",
            Self::Id => "id",
            Self::Attachments { .. } => "attachments",
            Self::Metadata(_) => "metadata",
            Self::Marimo(_) => "marimo",
            Self::Script => "script",
            Self::Kind { .. } => "kind",
            Self::Text(_) => "text",
            Self::Split { .. } => "split",
            Self::Missing => "missing",
            Self::Order => "order",
            Self::Added { .. } => "added",
            Self::Layout(_) => "layout",
            Self::Commented { .. } => "commented",
        }
    }

    /// All words, in the order of their declaration.
    pub const NAMES: [&str; 15] = [
        "outputs",
        "execution_count",
        "id",
        "attachments",
        "metadata",
        "marimo",
        "script",
        "kind",
        "text",
        "split",
        "missing",
        "order",
        "added",
        "layout",
        "commented",
    ];
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outputs { count: 1 } => f.write_str("1 output"),
            Self::Outputs { count } => write!(f, "{count} outputs"),
            Self::ExecutionCount => f.write_str("execution count"),
            Self::Id => f.write_str("id"),
            Self::Attachments { names } => write!(f, "attachments: {}", names.join(", ")),
            Self::Metadata(changed) => write!(f, "metadata `{}`{changed}", changed.key),
            Self::Marimo(changed) => write!(f, "marimo's `{}`{changed}", changed.key),
            Self::Script => f.write_str("PEP 723 block"),
            Self::Kind { becomes } => write!(f, "becomes a {} cell", becomes.as_str()),
            Self::Text(line) => write!(f, "text, {line}"),
            Self::Split { parts } => write!(f, "becomes {parts} cells"),
            Self::Missing => f.write_str("the whole cell"),
            Self::Order => f.write_str("stands further up"),
            Self::Added { source } => write!(f, "a cell more: `{}`", first_line(source)),
            Self::Layout(line) => write!(f, "layout, {line}"),
            Self::Commented { line } => write!(f, "a comment there, and back: `{line}`"),
        }
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.becomes {
            Some(value) => write!(f, " becomes {value}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        match (&self.is, &self.becomes) {
            (Some(is), Some(becomes)) => write!(f, ": `{is}` becomes `{becomes}`"),
            (Some(is), None) => write!(f, ": `{is}` is gone"),
            (None, Some(becomes)) => write!(f, ": `{becomes}` is new"),
            (None, None) => Ok(()),
        }
    }
}

/// Says what a format can't hold of a notebook, from top to bottom.
///
/// `extension` is that of the file that was read, `from` its format.
pub fn check(
    document: &dyn Document,
    (from, extension): (&dyn Format, &str),
    to: &dyn Format,
) -> Result<Vec<Finding>, PrintError> {
    let notebook = document.notebook();
    let Some(to_extension) = to.extension(notebook) else {
        return Err(PrintError::Unsupported {
            format: to.name().as_str(),
            reason: "it is in a language that the format has no place for".to_owned(),
        });
    };
    if from.name() == to.name() {
        // The text is copied.
        return Ok(Vec::new());
    }
    let printed = to.print(notebook, to_extension, Carry::All)?;
    let mut findings = Vec::new();
    let mut add = |cell: Option<&CellRef>, what| {
        findings.push(Finding { cell: cell.cloned(), what });
    };
    let other = printed.document.notebook();
    for attribute in notebook.attributes() {
        let (is, becomes) = (notebook.attribute(&attribute), other.attribute(&attribute));
        if is != becomes {
            add(None, notebook_loss(attribute, becomes));
        }
    }
    let own = printed.origins.iter().zip(&other.cells).filter(|(origin, _)| origin.is_none());
    for (_, cell) in own {
        // marimo's editor can't show a notebook without a cell.
        if !cell.source.is_empty() {
            add(None, What::Added { source: cell.source.clone() });
        }
    }

    let mut places: Vec<Vec<usize>> = vec![Vec::new(); notebook.cells.len()];
    for (place, origin) in printed.origins.iter().enumerate() {
        if let Some(places) = origin.and_then(|origin| places.get_mut(origin)) {
            places.push(place);
        }
    }
    let language = notebook.language();
    let text = printed.document.text();
    let lines: HashSet<&str> = text.lines().map(str::trim).collect();
    let kept = document.kept_here();
    let mut last = None;
    for kept in &kept {
        let cell = kept.cell.and_then(|idx| notebook.cells.get(idx));
        let at = CellRef {
            number: kept.number,
            id: cell.and_then(|cell| cell.id.clone()),
            kind: cell.map_or(CellKind::Code, |cell| cell.kind),
        };
        let mut add = |what| add(Some(&at), what);
        if let (Some(idx), Some(cell)) = (kept.cell, cell) {
            match places[idx].as_slice() {
                [] => add(What::Missing),
                [place] => {
                    let other = &other.cells[*place];
                    cell_losses(cell, other).into_iter().for_each(&mut add);
                    if cell.id.is_some() && other.id != cell.id {
                        add(What::Id);
                    }
                }
                parts => add(What::Split { parts: parts.len() }),
            }
            if places[idx].first() < last.as_ref() {
                add(What::Order);
            }
            last = last.max(places[idx].first().copied());
            let is_commented = |line: &&str| {
                is_magic(line, &language, Magics::Unambiguous) && !lines.contains(line.trim())
            };
            if cell.kind == CellKind::Code
                && let Some(line) = cell.source.lines().find(is_commented)
            {
                add(What::Commented { line: line.to_owned() });
            }
        }
        if !to.has_outputs() {
            if 0 < kept.n_outputs {
                add(What::Outputs { count: kept.n_outputs });
            }
            if kept.has_count {
                add(What::ExecutionCount);
            }
            if !kept.attachments.is_empty() {
                add(What::Attachments { names: kept.attachments.clone() });
            }
        }
    }
    let is_same = findings.iter().all(|it| matches!(it.what, What::Id | What::Commented { .. }));
    if is_same && !from.has_outputs() {
        let back = from.print(other, extension, Carry::All)?;
        if let Some(line) = first_difference(document.text(), back.document.text()) {
            findings.insert(0, Finding { cell: None, what: What::Layout(line) });
        }
    }
    Ok(findings)
}

fn notebook_loss(attribute: NotebookAttribute, becomes: Option<Value>) -> What {
    match attribute {
        NotebookAttribute::Metadata(key) => What::Metadata(Changed { key, becomes }),
        NotebookAttribute::Marimo(key) => What::Marimo(Changed { key, becomes }),
        NotebookAttribute::Script => What::Script,
    }
}

fn cell_losses(cell: &Cell, other: &Cell) -> Vec<What> {
    let mut res = Vec::new();
    if cell.kind != other.kind {
        res.push(What::Kind { becomes: other.kind });
    }
    if let Some(line) = first_difference(&cell.source, &other.source) {
        res.push(What::Text(line));
    }
    for attribute in cell.attributes() {
        let (is, becomes) = (cell.attribute(&attribute), other.attribute(&attribute));
        if is == becomes {
            continue;
        }
        let becomes = becomes.cloned();
        res.push(match attribute {
            Attribute::Metadata(key) => What::Metadata(Changed { key, becomes }),
            Attribute::Marimo(key) => What::Marimo(Changed { key, becomes }),
        });
    }
    res
}

fn first_difference(text: &str, other: &str) -> Option<Line> {
    let (mut lines, mut others) = (text.split('\n'), other.split('\n'));
    for line in 1.. {
        match (lines.next(), others.next()) {
            (None, None) => break,
            (is, becomes) if is == becomes => {}
            (is, becomes) => {
                let owned = |line: Option<&str>| line.map(str::to_owned);
                return Some(Line { line, is: owned(is), becomes: owned(becomes) });
            }
        }
    }
    None
}

fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{FormatName, format};

    /// Each finding is a line, `NUMBER WORDS`, with 0 for the notebook.
    #[track_caller]
    fn findings(text: &str, from: FormatName, to: FormatName) -> String {
        let extension = if from == FormatName::Ipynb { ".ipynb" } else { ".py" };
        let document = format(from).parse(Arc::from(text), extension).unwrap();
        let found = check(document.as_ref(), (format(from), extension), format(to)).unwrap();
        let lines = found.iter().map(|it| {
            assert!(What::NAMES.contains(&it.what.name()), "{it:?}");
            format!("{} {}\n", it.cell.as_ref().map_or(0, |cell| cell.number), it.what)
        });
        lines.collect()
    }

    const NOTEBOOK: &str = r##"{
 "cells": [
  {"cell_type": "code", "id": "p", "metadata": {}, "execution_count": null, "outputs": [],
   "source": "# /// script\n# dependencies = []\n# ///"},
  {"cell_type": "markdown", "id": "m", "metadata": {"tags": ["x"]}, "source": "Text ",
   "attachments": {"dot.png": {"image/png": "aa"}}},
  {"cell_type": "code", "id": "a", "metadata": {"scrolled": true}, "execution_count": 3,
   "outputs": [{"output_type": "stream", "name": "stdout", "text": NaN}, {}], "source": "%time x"},
  {"cell_type": "code", "id": "b", "metadata": {"marimo": {"name": "b"}}, "outputs": [],
   "execution_count": null, "source": "a = 1\n# %% part\nprint(a)"},
  {"cell_type": "raw", "id": "r", "metadata": {}, "source": "raw"}
 ],
 "metadata": {"title": "T", "kernelspec": {"name": "p", "display_name": "P", "language": "python"}},
 "nbformat": 4,
 "nbformat_minor": 5
}
"##;

    #[test]
    fn of_an_ipynb_a_percent_script_holds_no_outputs_and_few_metadata() {
        let expected = "0 metadata `title`\n2 id\n2 attachments: dot.png\n\
            3 metadata `scrolled`\n3 id\n3 a comment there, and back: `%time x`\n\
            3 2 outputs\n3 execution count\n4 becomes 2 cells\n5 id\n";
        assert_eq!(findings(NOTEBOOK, FormatName::Ipynb, FormatName::Percent), expected);
    }

    #[test]
    fn of_an_ipynb_a_marimo_script_holds_no_metadata() {
        let expected = "0 metadata `title`\n0 metadata `kernelspec`\n\
            0 a cell more: `import marimo as mo`\n\
            2 text, line 1: `Text ` becomes `Text`\n2 metadata `tags`\n2 id\n\
            2 attachments: dot.png\n\
            3 metadata `scrolled`\n3 id\n3 a comment there, and back: `%time x`\n\
            3 2 outputs\n3 execution count\n4 id\n5 id\n";
        assert_eq!(findings(NOTEBOOK, FormatName::Ipynb, FormatName::Marimo), expected);
    }

    #[test]
    fn script_that_comes_back_as_it_is_has_no_findings() {
        let percent = |text: &str| findings(text, FormatName::Percent, FormatName::Ipynb);
        let script = "# %%\nx = 1\n\n# %% [markdown]\n# Text\n";
        // Without a header it stays without one, and with one it has it.
        assert_eq!(percent(script), "");
        let percent_format = format(FormatName::Percent);
        let document = percent_format.parse(Arc::from(script), ".py").unwrap();
        let mut notebook = document.notebook().clone();
        let kernel = [("display_name", "P"), ("language", "python"), ("name", "p")];
        let kernel = kernel.map(|(key, value)| (key.to_owned(), Value::from(value)));
        let kernel = Value::Object(kernel.into_iter().collect());
        notebook.metadata.insert("kernelspec".to_owned(), kernel);
        let printed = percent_format.print(&notebook, ".py", Carry::All).unwrap();
        assert_eq!(percent(printed.document.text()), "");
    }

    #[test]
    fn comment_between_marimo_cells_has_no_place_elsewhere() {
        let marimo = |text: &str| findings(text, FormatName::Marimo, FormatName::Ipynb);
        let text = "import marimo\n\n__generated_with = \"0.25.2\"\napp = marimo.App()\n\n\n\
                    @app.cell\ndef _():\n    x = 1\n    return (x,)\n\n\n# a comment\n@app.cell\n\
                    def _(x):\n    x\n    return\n\n\nif __name__ == \"__main__\":\n    app.run()\n";
        assert_eq!(marimo(text), "0 layout, line 13: `# a comment` becomes `@app.cell`\n");
        assert_eq!(marimo(&text.replace("# a comment\n", "")), "");
    }
}
