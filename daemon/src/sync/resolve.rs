//! Decides conflicts: an edit of the notebook that no replica made.

use nbsync_formats::{Attribute, Cell, CellKind, Change, NotebookAttribute};
use serde_json::Value;

use super::base::Base;
use super::conflict::{About, CONFLICT_TAG, other_version};
use super::edit::{CellKey, Edit};
use super::merge::Keyed;
use super::reconcile::{Outcome, ReconcileError, Seen, reconcile_edits};
use crate::report::Take;

/// Why a conflict can't be decided so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Somebody edited the cell that shows the other version.
    #[error("the cell no longer has the other version between its fences")]
    NoOtherVersion,
    /// A thing can have one value only.
    #[error("{0} can have one value only")]
    NotBoth(About),
    /// Nobody knows what it is about.
    #[error("nothing is known of where it came from")]
    Unknown,
}

/// Returns the edits that decide one conflict.
///
/// `shown_in` is the cell that shows the other version, and `cell` the one that the conflict
/// is about.
pub fn resolve(
    model: &Keyed,
    shown_in: CellKey,
    cell: Option<CellKey>,
    about: Option<&About>,
    take: Take,
) -> Result<Vec<Edit>, ResolveError> {
    let at = |key: CellKey| model.position(key).map(|idx| &model.notebook.cells[idx]);
    let shown = at(shown_in).ok_or(ResolveError::Unknown)?;
    if take == Take::Source {
        return Ok(vec![Edit::Delete(shown_in)]);
    }
    let text = other_version(shown).ok_or(ResolveError::NoOtherVersion)?;
    let about = about.ok_or(ResolveError::Unknown)?;
    if take == Take::Both {
        let kind = match (about, cell.and_then(at)) {
            (About::Source, Some(cell)) => cell.kind,
            (About::Source, None) => CellKind::Code,
            // The text once more, as a cell of the other kind.
            (About::Kind(kind), _) => *kind,
            _ => return Err(ResolveError::NotBoth(about.clone())),
        };
        return Ok(as_a_cell(shown, shown_in, kind, text));
    }
    let edit = match about {
        About::Notebook(attribute) => {
            Edit::SetNotebook(attribute.clone(), notebook_value(attribute, &text))
        }
        About::Source => Edit::Set(cell.ok_or(ResolveError::Unknown)?, Change::Source(text)),
        About::Kind(kind) => Edit::Set(cell.ok_or(ResolveError::Unknown)?, Change::Kind(*kind)),
        About::Attribute(attribute) => {
            let value = serde_json::from_str(&text).ok();
            let change = Change::Attribute(attribute.clone(), value);
            Edit::Set(cell.ok_or(ResolveError::Unknown)?, change)
        }
    };
    Ok(vec![edit, Edit::Delete(shown_in)])
}

/// Makes the cell that shows the other version one like any other.
fn as_a_cell(shown: &Cell, key: CellKey, kind: CellKind, text: String) -> Vec<Edit> {
    let tags = Attribute::Metadata("tags".to_owned());
    let left: Vec<Value> = shown
        .attribute(&tags)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|tag| *tag != CONFLICT_TAG)
        .cloned()
        .collect();
    let left = (!left.is_empty()).then_some(Value::Array(left));
    let mut res = Vec::new();
    if shown.kind != kind {
        res.push(Edit::Set(key, Change::Kind(kind)));
    }
    res.push(Edit::Set(key, Change::Source(text)));
    if shown.attribute(&tags) != left.as_ref() {
        res.push(Edit::Set(key, Change::Attribute(tags, left)));
    }
    res
}

/// The value that a conflict cell shows: strings as they are, and all else as JSON.
fn notebook_value(attribute: &NotebookAttribute, text: &str) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    if *attribute == NotebookAttribute::Script {
        return Some(Value::String(text.to_owned()));
    }
    Some(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())))
}

/// Makes edits that no replica made, to all of them.
pub fn edit_all(base: &Base, edits: Vec<Edit>) -> Result<Outcome, ReconcileError> {
    let n = base.replicas.len();
    let seen = vec![Seen::Unchanged; n];
    let mut all: Vec<_> = base.replicas.iter().map(|it| (Vec::new(), it.keys.clone())).collect();
    // Behind those of the replicas, none of which has made it.
    all.push((edits, Vec::new()));
    let mut outcome = reconcile_edits(base, &seen, all, &[])?;
    outcome.edits.truncate(n);
    outcome.keys.truncate(n);
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use nbsync_formats::Notebook;
    use serde_json::json;

    use super::super::conflict::conflict_cell;
    use super::*;

    /// A code cell, and below it one that shows another version of something about it.
    fn decide(about: &About, text: &str, take: Take) -> Result<Vec<Edit>, ResolveError> {
        let cell = Cell::new(CellKind::Code, "x = 1");
        let shown = conflict_cell(about, text, Some(CellKind::Code));
        let notebook = Notebook { cells: vec![cell, shown], ..Notebook::default() };
        let model = Keyed { notebook, keys: vec![CellKey(0), CellKey(1)] };
        resolve(&model, CellKey(1), Some(CellKey(0)), Some(about), take)
    }

    fn set(key: u32, change: Change) -> Edit {
        Edit::Set(CellKey(key), change)
    }

    #[test]
    fn each_version_of_anything_can_be_taken() {
        let tags = || Attribute::Metadata("tags".to_owned());
        let name = || NotebookAttribute::Metadata("title".to_owned());
        let kind = Change::Kind(CellKind::Markdown);
        for (about, text, change) in [
            (About::Source, "x = 2", set(0, Change::Source("x = 2".to_owned()))),
            (About::Kind(CellKind::Markdown), "x = 1", set(0, kind)),
            (
                About::Attribute(tags()),
                "[\"a\"]",
                set(0, Change::Attribute(tags(), Some(json!(["a"])))),
            ),
            (About::Attribute(tags()), "", set(0, Change::Attribute(tags(), None))),
            (About::Notebook(name()), "Dice", Edit::SetNotebook(name(), Some(json!("Dice")))),
            (About::Notebook(name()), "", Edit::SetNotebook(name(), None)),
        ] {
            let delete = Edit::Delete(CellKey(1));
            assert_eq!(decide(&about, text, Take::Source), Ok(vec![delete.clone()]));
            assert_eq!(decide(&about, text, Take::Other), Ok(vec![change, delete]));
        }
    }

    #[test]
    fn both_versions_of_a_text_or_a_kind_can_stand() {
        let no_tag = || set(1, Change::Attribute(Attribute::Metadata("tags".to_owned()), None));
        let text = |text: &str| set(1, Change::Source(text.to_owned()));
        let code = set(1, Change::Kind(CellKind::Code));
        let found = decide(&About::Source, "x = 2", Take::Both);
        assert_eq!(found, Ok(vec![code, text("x = 2"), no_tag()]));
        let found = decide(&About::Kind(CellKind::Markdown), "x = 1", Take::Both);
        assert_eq!(found, Ok(vec![text("x = 1"), no_tag()]));
        for about in [
            About::Attribute(Attribute::Metadata("collapsed".to_owned())),
            About::Notebook(NotebookAttribute::Script),
        ] {
            let err = decide(&about, "x", Take::Both).unwrap_err();
            assert_eq!(err, ResolveError::NotBoth(about.clone()));
            assert!(err.to_string().ends_with("can have one value only"), "{err}");
        }
    }
}
