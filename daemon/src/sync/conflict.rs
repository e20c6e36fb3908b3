//! Edits that can't both stand, and the cell that shows the one that doesn't.

use std::fmt;

use nbsync_formats::{Attribute, Cell, CellKind, NotebookAttribute};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::edit::CellKey;

/// The tag of a cell that holds the other version of a conflict.
pub const CONFLICT_TAG: &str = "nbsync-conflict";

/// How such a cell begins, in formats that show no tags too.
const BEGINNING: &str = "**nbsync conflict**";

/// Two edits of one thing that can't both stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The cell, or `None` for something about the whole notebook.
    pub key: Option<CellKey>,
    /// The replica whose version doesn't stand in place.
    pub replica: usize,
    /// What both edited.
    pub about: About,
    /// The version that doesn't stand, to be kept.
    pub text: String,
    /// What stands in place, if that isn't what the merge comes to.
    pub stands: Option<String>,
    /// The cell that shows the other version, once it is in the notebook.
    pub shown_in: Option<CellKey>,
}

/// What two edits are both of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// The text of a cell.
    Source,
    /// The kind of a cell, which the other version wants to be this.
    Kind(CellKind),
    /// Something else about a cell.
    Attribute(Attribute),
    /// Something about the notebook.
    Notebook(NotebookAttribute),
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("the text of a cell"),
            Self::Kind(kind) => write!(f, "the kind of a cell ({})", kind.as_str()),
            Self::Attribute(Attribute::Metadata(name) | Attribute::Marimo(name)) => {
                write!(f, "`{name}` of a cell")
            }
            Self::Notebook(NotebookAttribute::Metadata(name) | NotebookAttribute::Marimo(name)) => {
                write!(f, "`{name}` of the notebook")
            }
            Self::Notebook(NotebookAttribute::Script) => f.write_str("the PEP 723 block"),
        }
    }
}

/// Makes the inert cell that shows a version which doesn't stand in place.
///
/// `kind` is that of the cell that the conflict is about. A markdown cell: every format can
/// hold it, and running the notebook doesn't run it.
pub fn conflict_cell(about: &About, text: &str, kind: Option<CellKind>) -> Cell {
    // Longer than any run of backticks in the text, so that nothing escapes.
    let longest = text.split(|it| it != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let language = match kind {
        Some(CellKind::Code) => "python",
        Some(CellKind::Markdown) => "markdown",
        Some(CellKind::Raw) | None => "",
    };
    let source = format!(
        "{BEGINNING}: another edit of {about}. Copy what you need, then delete this cell.\n\n{fence}{language}\n{text}\n{fence}"
    );
    tagged(source)
}

/// Makes the cell that shows another edit of a cell which shows a version itself: another version
/// of the same thing, and not a version of a version.
pub fn further_conflict_cell(source: &str) -> Cell {
    tagged(source.to_owned())
}

fn tagged(source: String) -> Cell {
    let mut cell = Cell::new(CellKind::Markdown, source);
    let tags = Value::Array(vec![Value::String(CONFLICT_TAG.to_owned())]);
    cell.set_attribute(&Attribute::Metadata("tags".to_owned()), Some(tags));
    cell
}

/// Whether a cell holds the other version of a conflict.
///
/// By its tag, or by its text: not every format shows tags, and people edit what they see.
pub fn is_conflict_cell(cell: &Cell) -> bool {
    let tags = cell.metadata.get("tags").and_then(Value::as_array);
    tags.is_some_and(|tags| tags.iter().any(|tag| tag == CONFLICT_TAG))
        || (cell.kind == CellKind::Markdown && cell.source.starts_with(BEGINNING))
}

/// Returns the version that a conflict cell shows: what stands in its fence now, or `None`
/// if it has no whole fence any more.
pub fn other_version(cell: &Cell) -> Option<String> {
    let mut lines = cell.source.split('\n');
    let fence = lines.find_map(|line| {
        let n = line.bytes().take_while(|byte| *byte == b'`').count();
        (3 <= n).then(|| &line[..n])
    })?;
    let mut text: Vec<&str> = Vec::new();
    for line in lines {
        if line.trim_end() == fence {
            return Some(text.join("\n"));
        }
        text.push(line);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_version_comes_back_as_it_was() {
        for text in ["x = 2", "", "\n\nx\n\n", "a\n```python\nb\n```", "````", "`", "a ``` b\n"] {
            for kind in [Some(CellKind::Code), Some(CellKind::Markdown), None] {
                let cell = conflict_cell(&About::Source, text, kind);
                assert!(is_conflict_cell(&cell));
                assert_eq!(other_version(&cell).as_deref(), Some(text), "{}", cell.source);
            }
        }
    }

    #[test]
    fn cell_that_lost_its_tag_or_its_text_is_still_one() {
        let mut cell = conflict_cell(&About::Source, "x = 2", Some(CellKind::Code));
        cell.metadata.clear();
        assert!(is_conflict_cell(&cell));
        let mut cell = conflict_cell(&About::Source, "x = 2", Some(CellKind::Code));
        "mine".clone_into(&mut cell.source);
        assert!(is_conflict_cell(&cell));
        assert_eq!(other_version(&cell), None);
        assert!(!is_conflict_cell(&Cell::new(CellKind::Code, "# **nbsync conflict**")));
    }
}
