//! Compares two versions, cell by cell.

use std::collections::BTreeSet;

use camino::Utf8Path;
use nbsync_formats::{Attribute, Cell, Notebook, NotebookAttribute};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::log::LogEntry;
use super::outputs::{self, CellOutputs};
use super::state::{Content, State, parse};
use super::{HistoryError, Rev, Timeline};
use crate::report::{self, Cause};
use crate::store::Store;
use crate::sync::Digest;
use crate::sync::align::align;
use crate::sync::edit::longest_run;
use crate::sync::lines::{LineChange, diff_lines};

/// What is different between two versions of a notebook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffReport {
    /// [`report::VERSION`].
    pub version: u32,
    /// The older one.
    pub before: LogEntry,
    /// The newer one; absent for what is on disk and in no version yet.
    pub after: Option<LogEntry>,
    /// Cells that differ, in the order of the newer version; deleted ones last.
    pub cells: Vec<CellDiff>,
    /// What differs in the notebook's own metadata, one line each.
    pub notebook: Vec<String>,
}

/// A cell that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellDiff {
    /// What happened to it.
    pub change: CellChange,
    /// Its number in the older version, from 1.
    pub before: Option<usize>,
    /// Its number in the newer version, from 1.
    pub after: Option<usize>,
    /// nbformat's id, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `code`, `markdown` or `raw`.
    pub kind: String,
    /// Its first line.
    pub title: String,
    /// Its text: the lines that differ, with some around them.
    pub lines: Vec<DiffLine>,
    /// What else differs, one line each.
    pub attributes: Vec<String>,
    /// Its outputs, if they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Outputs>,
}

/// What happened to a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellChange {
    /// It is new.
    New,
    /// It is gone.
    Deleted,
    /// It stands elsewhere, and may have been edited too.
    Moved,
    /// It was edited, or run.
    Edited,
}

/// The outputs of a cell in two versions, in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// In the older one.
    pub before: Option<String>,
    /// In the newer one.
    pub after: Option<String>,
}

/// A line of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffLine {
    /// Which version has it.
    pub tag: Tag,
    /// The line, without its line feed.
    pub text: String,
}

/// Which version has a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tag {
    /// Both.
    Same,
    /// The older one.
    Removed,
    /// The newer one.
    Added,
    /// Lines that both have were left out here.
    Gap,
}

/// Compares two versions of the notebook that a file belongs to.
///
/// Without an `after`, with what the file holds: `on_disk` is its text, if there is one.
pub fn diff(
    store: &dyn Store,
    path: &Utf8Path,
    before: &Rev,
    after: Option<&Rev>,
    on_disk: Option<&str>,
) -> Result<DiffReport, HistoryError> {
    let timeline = Timeline::of(store, path)?;
    let before = State::read(store, &timeline, timeline.find(before)?)?;
    let newest = if let Some(after) = after {
        Some(timeline.find(after)?)
    } else {
        let digest = on_disk.map(|text| Digest::of(text.as_bytes()));
        let (entry, is_current) = match timeline.revisions().next_back() {
            Some((entry, revision)) => {
                let own = revision.texts.iter().find(|(own, _)| own == path);
                let own = own.map(|(_, digest)| *digest);
                (Some(entry), own.is_none() || digest.is_none() || own == digest)
            }
            None => (None, false),
        };
        entry.filter(|_| is_current)
    };
    let (after, sides) = match (newest, on_disk) {
        (Some(entry), _) => {
            let after = State::read(store, &timeline, entry)?;
            let sides = sides(&before, &after, path)?;
            (Some(after.info), sides)
        }
        (None, text) => {
            let refused = |source| HistoryError::NotANotebook {
                path: path.to_owned(),
                id: before.info.id.clone(),
                source,
            };
            let parsed = text.and_then(|text| parse(path, text)).ok_or_else(|| refused(None))?;
            let document = parsed.map_err(|err| refused(Some(err)))?;
            let outputs = outputs::of_document(document.as_ref());
            let after = (document.notebook().clone(), outputs);
            (None, (of_replica(&before, path)?, after))
        }
    };
    let ((old, old_outputs), (new, new_outputs)) = sides;
    Ok(DiffReport {
        version: report::VERSION,
        before: before.info,
        after,
        cells: cells((&old.cells, &old_outputs), (&new.cells, &new_outputs)),
        notebook: notebook_changes(&old, &new),
    })
}

type Side = (Notebook, Vec<Option<CellOutputs>>);

/// What to compare. A text that is kept by itself shows less than a whole revision does, so
/// it is compared with what the revision showed in the same file.
fn sides(before: &State, after: &State, path: &Utf8Path) -> Result<(Side, Side), HistoryError> {
    let text_of = |state: &State| match &state.info.cause {
        Cause::Kept { .. } => state.info.from.first().cloned(),
        _ => None,
    };
    match text_of(before).or_else(|| text_of(after)) {
        None => Ok((before.notebook()?, after.notebook()?)),
        Some(own) => {
            let path = if own.as_str().is_empty() { path } else { &own };
            Ok((of_replica(before, path)?, of_replica(after, path)?))
        }
    }
}

/// What a version shows in one file.
fn of_replica(state: &State, path: &Utf8Path) -> Result<Side, HistoryError> {
    match (&state.content, state.replica(path, None)) {
        (Content::Revision(..), Some((document, _))) => {
            let outputs = outputs::of_document(document.as_ref());
            Ok((document.notebook().clone(), outputs))
        }
        _ => state.notebook(),
    }
}

type Cells<'a> = (&'a [Cell], &'a [Option<CellOutputs>]);

fn cells((old, old_outputs): Cells<'_>, (new, new_outputs): Cells<'_>) -> Vec<CellDiff> {
    let old_of = align(old, new);
    let known: Vec<usize> = old_of.iter().flatten().copied().collect();
    let mut stays = longest_run(&known).into_iter();
    let mut res = Vec::new();
    for (idx, cell) in new.iter().enumerate() {
        let Some(old_idx) = old_of[idx] else {
            let outputs = Outputs { before: None, after: summary(new_outputs[idx].as_ref()) };
            res.push(CellDiff {
                change: CellChange::New,
                before: None,
                lines: lines("", &cell.source),
                attributes: attributes(None, Some(cell)),
                outputs: outputs.after.is_some().then_some(outputs),
                ..plain(cell, Some(idx))
            });
            continue;
        };
        let was = &old[old_idx];
        let is_moved = !stays.next().unwrap_or(true);
        let has_outputs_changed =
            digest(old_outputs[old_idx].as_ref()) != digest(new_outputs[idx].as_ref());
        let outputs = has_outputs_changed.then(|| Outputs {
            before: summary(old_outputs[old_idx].as_ref()),
            after: summary(new_outputs[idx].as_ref()),
        });
        if was == cell && !is_moved && outputs.is_none() {
            continue;
        }
        let lines =
            if was.source == cell.source { Vec::new() } else { lines(&was.source, &cell.source) };
        res.push(CellDiff {
            change: if is_moved { CellChange::Moved } else { CellChange::Edited },
            before: Some(old_idx + 1),
            lines,
            attributes: attributes(Some(was), Some(cell)),
            outputs,
            ..plain(cell, Some(idx))
        });
    }
    let known: BTreeSet<usize> = known.into_iter().collect();
    for (idx, cell) in old.iter().enumerate().filter(|(idx, _)| !known.contains(idx)) {
        res.push(CellDiff {
            change: CellChange::Deleted,
            before: Some(idx + 1),
            lines: lines(&cell.source, ""),
            ..plain(cell, None)
        });
    }
    res
}

fn plain(cell: &Cell, idx: Option<usize>) -> CellDiff {
    let title = cell.source.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    CellDiff {
        change: CellChange::Edited,
        before: None,
        after: idx.map(|idx| idx + 1),
        id: cell.id.clone(),
        kind: cell.kind.as_str().to_owned(),
        title: title.trim().to_owned(),
        lines: Vec::new(),
        attributes: Vec::new(),
        outputs: None,
    }
}

fn digest(outputs: Option<&CellOutputs>) -> Option<Digest> {
    outputs.map(|it| it.digest)
}

fn summary(outputs: Option<&CellOutputs>) -> Option<String> {
    outputs.map(|it| it.summary.clone())
}

fn lines(before: &str, after: &str) -> Vec<DiffLine> {
    let line = |(change, text): (LineChange, &str)| DiffLine {
        tag: match change {
            LineChange::Same => Tag::Same,
            LineChange::Removed => Tag::Removed,
            LineChange::Added => Tag::Added,
            LineChange::Gap => Tag::Gap,
        },
        text: text.to_owned(),
    };
    diff_lines(before, after).into_iter().map(line).collect()
}

fn attributes(before: Option<&Cell>, after: Option<&Cell>) -> Vec<String> {
    let mut res = Vec::new();
    if let (Some(before), Some(after)) = (before, after)
        && before.kind != after.kind
    {
        res.push(format!("{} -> {}", before.kind.as_str(), after.kind.as_str()));
    }
    let mut names: Vec<Attribute> =
        before.into_iter().chain(after).flat_map(Cell::attributes).collect();
    names.sort();
    names.dedup();
    for attribute in names {
        let (Attribute::Metadata(name) | Attribute::Marimo(name)) = &attribute;
        let value = |cell: Option<&Cell>| cell.and_then(|it| it.attribute(&attribute).cloned());
        res.extend(change_line(name, value(before).as_ref(), value(after).as_ref()));
    }
    res
}

fn notebook_changes(before: &Notebook, after: &Notebook) -> Vec<String> {
    let mut names: Vec<NotebookAttribute> = before.attributes().chain(after.attributes()).collect();
    names.sort();
    names.dedup();
    let line = |attribute: &NotebookAttribute| {
        let name = match attribute {
            NotebookAttribute::Metadata(name) | NotebookAttribute::Marimo(name) => name,
            NotebookAttribute::Script => "PEP 723 block",
        };
        let (before, after) = (before.attribute(attribute), after.attribute(attribute));
        change_line(name, before.as_ref(), after.as_ref())
    };
    names.iter().filter_map(line).collect()
}

fn change_line(name: &str, before: Option<&Value>, after: Option<&Value>) -> Option<String> {
    if before == after {
        return None;
    }
    Some(match (before, after) {
        (Some(before), Some(after)) => format!("{name}: {before} -> {after}"),
        (None, Some(after)) => format!("{name} = {after}"),
        (Some(before), None) => format!("no {name} any more, was {before}"),
        (None, None) => return None,
    })
}
