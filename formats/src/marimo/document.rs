//! A marimo script that was read, and can be changed.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use super::codegen::{self, Printed as Text};
use super::content::{Content, is_blank};
use super::entry::Entry;
use super::extract::Reading;
use super::layout::{self, Block, Layout, Role};
use super::splice::{Part, splice};
use super::{header, options, view, violation};
use crate::format::check_text;
use crate::lines::{LineCount, trim};
use crate::{
    Carry, Cell, CellKind, CellPlace, Change, CodeHash, Document, Notebook, NotebookAttribute,
    ParseError, PrintError, Printed, Slot, Violation,
};

/// A marimo script. Cheap to clone.
#[derive(Clone)]
pub(super) struct Script {
    parts: Arc<Parts>,
}

struct Parts {
    content: Content,
    layout: Layout,
    entries: Vec<Entry>,
    notebook: Notebook,
    /// How marimo would write the cells.
    canonical: OnceLock<Vec<Text>>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { content: _, layout, entries: _, notebook: _, canonical: _ } = &*self.parts;
        f.debug_struct("Script").field("layout", layout).finish_non_exhaustive()
    }
}

/// A cell that a text is to have.
struct Target {
    entry: Entry,
    /// The position in the old text, if its bytes may stay.
    origin: Option<usize>,
    /// The slot that it is for.
    slot: Option<usize>,
    /// Whether it is to be as it was.
    is_same: bool,
    kind: CellKind,
}

impl Script {
    /// Reads a script.
    pub(super) fn parse(file: Arc<str>) -> Result<Self, ParseError> {
        check_text(&file)?;
        let content = Content::new(file);
        let layout = layout::read(content.text(), Reading::Kept)?;
        let entries: Vec<Entry> = layout.blocks.iter().map(Entry::of).collect();
        Ok(Self::new(content, layout, entries))
    }

    fn new(content: Content, layout: Layout, entries: Vec<Entry>) -> Self {
        let (script, rest) = header::read(&content.text()[layout.header.clone()]);
        let mut marimo = options::of_app(&layout.app_options);
        if let Some(rest) = rest {
            marimo.insert("header".to_owned(), Value::String(rest));
        }
        let cells =
            entries.iter().zip(&layout.blocks).map(|(it, block)| view::cell(it, block.role));
        let notebook = Notebook { marimo, script, cells: cells.collect(), ..Notebook::default() };
        let parts = Parts { content, layout, entries, notebook, canonical: OnceLock::new() };
        Self { parts: Arc::new(parts) }
    }

    fn canonical(&self) -> &[Text] {
        self.parts.canonical.get_or_init(|| codegen::print(&self.parts.entries, Reading::Kept))
    }

    /// Returns the cells that the slots ask for.
    fn targets(&self, slots: &[Slot]) -> Result<Vec<Target>, PrintError> {
        let entry = |origin: usize| {
            let entry = self.parts.entries.get(origin);
            entry.ok_or_else(|| PrintError::Unfaithful(format!("there is no cell {origin}")))
        };
        let target = |(idx, slot): (usize, &Slot)| {
            let target = |entry, origin, is_same, kind| Target {
                entry,
                origin,
                slot: Some(idx),
                is_same,
                kind,
            };
            Ok(match slot {
                Slot::Keep(origin) => {
                    let old = entry(*origin)?;
                    target(old.clone(), Some(*origin), true, self.kind(*origin))
                }
                Slot::Change { origin, changes } => {
                    let old = entry(*origin)?;
                    let (new, kind) = self.change(*origin, changes);
                    let is_same = new.is_same(old);
                    target(if is_same { old.clone() } else { new }, Some(*origin), is_same, kind)
                }
                Slot::New(cell) => target(view::entry(cell), None, false, cell.kind),
            })
        };
        slots.iter().enumerate().map(target).collect()
    }

    fn kind(&self, origin: usize) -> CellKind {
        self.parts.notebook.cells[origin].kind
    }

    fn change(&self, origin: usize, changes: &[Change]) -> (Entry, CellKind) {
        let old = &self.parts.entries[origin];
        let shown = &self.parts.notebook.cells[origin];
        let mut cell = shown.clone();
        for change in changes {
            change.apply(&mut cell);
        }
        let mut entry = view::entry(&cell);
        let prefix = |cell: &Cell| cell.marimo.get("md_prefix").cloned();
        let is_same_code = cell.kind == shown.kind
            && cell.source == shown.source
            && (cell.kind != CellKind::Markdown || prefix(&cell) == prefix(shown));
        if is_same_code {
            entry.code = old.code.clone();
        }
        entry.arguments = old.arguments.clone();
        // The name of a function or class isn't shown.
        if entry.name == "_" && old.name.starts_with('*') {
            entry.name.clone_from(&old.name);
        }
        (entry, cell.kind)
    }

    /// Returns the notebook attributes after changes.
    fn attributes(&self, changes: &[(NotebookAttribute, Option<Value>)]) -> Notebook {
        let old = &self.parts.notebook;
        let mut res = Notebook {
            marimo: old.marimo.clone(),
            script: old.script.clone(),
            ..Notebook::default()
        };
        for (attribute, value) in changes {
            let is_shown = match attribute {
                NotebookAttribute::Metadata(_) => false,
                NotebookAttribute::Marimo(key) => key == "header" || options::is_of_app(key),
                NotebookAttribute::Script => true,
            };
            if is_shown {
                res.set_attribute(attribute, value.clone());
            }
        }
        res
    }

    /// Returns the text above the cells.
    fn preamble(&self, attributes: &Notebook) -> String {
        let Parts { content, layout, notebook, .. } = &*self.parts;
        let mut res = content.before().to_owned();
        let old_header = header::print(&notebook.marimo, notebook.script.as_deref());
        let new_header = header::print(&attributes.marimo, attributes.script.as_deref());
        if old_header == new_header {
            res.push_str(content.slice(0..layout.body));
        } else if new_header.is_empty() {
            // The first statement comes first.
        } else {
            res.push_str(&content.with_breaks(&new_header));
            if layout.header.is_empty() {
                res.push_str(&content.with_breaks("\n\n"));
            } else {
                res.push_str(content.slice(layout.header.end..layout.body));
            }
        }
        let old_app = options::of_app(&notebook.marimo);
        let new_app = options::of_app(&attributes.marimo);
        if old_app == new_app {
            res.push_str(content.slice(layout.body..layout.app.end));
        } else {
            res.push_str(content.slice(layout.body..layout.app.start));
            res.push_str(&content.with_breaks(&codegen::app(&layout.alias, &new_app)));
        }
        res
    }

    /// Returns the new text of a cell, below the comments that marimo has no
    /// place for.
    ///
    /// Fails if the old text has code that marimo has no place for.
    fn rewritten<'a>(&self, origin: usize, text: &'a str) -> Result<Cow<'a, str>, PrintError> {
        let Parts { content, layout, .. } = &*self.parts;
        let block = &layout.blocks[origin];
        if block.is_lossy {
            let line = content.line(block.range.start);
            return Err(PrintError::Lossy { line });
        }
        if block.comments.is_empty() {
            return Ok(content.with_breaks(text));
        }
        let mut res = String::new();
        for comment in &block.comments {
            res.push_str(&content.text()[comment.clone()]);
            res.push('\n');
        }
        res.push_str(text);
        Ok(Cow::Owned(content.with_breaks(&res).into_owned()))
    }

    /// Reads a text that was made, and checks that it has the intended cells.
    ///
    /// `cells` says for each, in the order of the text, what was written and
    /// which target it is for.
    fn check(
        text: String,
        cells: &[(&Text, &Target)],
        attributes: &Notebook,
    ) -> Result<Self, PrintError> {
        let unfaithful = |why: String| Err(PrintError::Unfaithful(why));
        if let Err(error) = check_text(&text) {
            return unfaithful(error.to_string());
        }
        let content = Content::new(Arc::from(text));
        let layout = match layout::read(content.text(), Reading::Kept) {
            Ok(layout) => layout,
            Err(error) => return unfaithful(error.to_string()),
        };
        if layout.blocks.len() != cells.len() {
            let (n_read, n_cells) = (layout.blocks.len(), cells.len());
            return unfaithful(format!("{n_read} cells are read instead of {n_cells}"));
        }
        let mut entries = Vec::with_capacity(cells.len());
        for (idx, (block, (printed, target))) in layout.blocks.iter().zip(cells).enumerate() {
            let mut entry = Entry::of(block);
            if !is_as_printed(block.role, &entry, printed, target) {
                return unfaithful(format!("cell {} would be another one", idx + 1));
            }
            // What is known about the code stays known.
            if entry.code.text() == target.entry.code.text() {
                entry.code = target.entry.code.clone();
            }
            entries.push(entry);
        }
        let res = Self::new(content, layout, entries);
        let notebook = &res.parts.notebook;
        let app = options::of_app(&attributes.marimo);
        let header = header::print(&attributes.marimo, attributes.script.as_deref());
        if options::of_app(&notebook.marimo) != app {
            return unfaithful("the options of the app would be others".to_owned());
        }
        if header::print(&notebook.marimo, notebook.script.as_deref()) != header {
            return unfaithful("the header would be another one".to_owned());
        }
        Ok(res)
    }

    /// Writes a notebook that has no file yet.
    pub(super) fn print(notebook: &Notebook) -> Result<Printed, PrintError> {
        let mut targets: Vec<Target> = notebook
            .cells
            .iter()
            .enumerate()
            .map(|(idx, cell)| Target {
                entry: view::entry(cell),
                origin: None,
                slot: Some(idx),
                is_same: false,
                kind: cell.kind,
            })
            .collect();
        if needs_mo(&targets) {
            targets.insert(0, import_mo());
        }
        if targets.is_empty() {
            targets.push(empty());
        }
        let entries: Vec<Entry> = targets.iter().map(|it| it.entry.clone()).collect();
        let texts = codegen::print(&entries, Reading::Kept);
        let header = header::print(&notebook.marimo, notebook.script.as_deref());
        let version = format!("__generated_with = \"{}\"", super::VERSION);
        let app = codegen::app("marimo", &options::of_app(&notebook.marimo));
        let text = codegen::file(&header, &version, &app, &texts);
        let cells: Vec<(&Text, &Target)> =
            texts.iter().map(|text| (text, &targets[text.idx])).collect();
        let document = Self::check(text, &cells, notebook)?;
        let origins = cells.iter().map(|(_, target)| target.slot).collect();
        Ok(Printed { document: Box::new(document), origins })
    }
}

impl Document for Script {
    fn text(&self) -> &Arc<str> {
        self.parts.content.file()
    }

    fn notebook(&self) -> &Notebook {
        &self.parts.notebook
    }

    fn places(&self) -> Vec<CellPlace> {
        let Parts { content, layout, entries, .. } = &*self.parts;
        let n_before = content.before().matches('\n').count();
        let mut lines = LineCount::new(content.text());
        let place = |(idx, (block, entry)): (usize, (&Block, &Entry))| {
            let above = n_before + lines.above(block.range.start);
            let text = &content.text()[block.range.clone()];
            let line = first_line(text, entry.code.text()).map(|it| above + 1 + it);
            CellPlace { number: idx + 1, line }
        };
        layout.blocks.iter().zip(entries).enumerate().map(place).collect()
    }

    fn violations(&self) -> Vec<Violation> {
        violation::of_layout(&self.parts.content, &self.parts.layout)
    }

    fn code_hashes(&self) -> Vec<Option<CodeHash>> {
        let Parts { content, layout, .. } = &*self.parts;
        // What marimo runs is what it reads, with all that it loses.
        let exact = layout::read(content.text(), Reading::Exact).ok();
        let exact = exact.filter(|it| it.blocks.len() == layout.blocks.len());
        let blocks = exact.as_ref().map_or(&layout.blocks, |it| &it.blocks);
        blocks.iter().map(|block| CodeHash::of(&block.code)).collect()
    }

    fn is_used(&self, cell: usize) -> bool {
        let Parts { entries, notebook, .. } = &*self.parts;
        let defines_mo = |idx: usize| {
            let analysis = entries.get(idx).and_then(|it| it.code.analysis());
            analysis.is_some_and(|it| it.defs.contains("mo"))
        };
        defines_mo(cell)
            && entries.iter().zip(&notebook.cells).enumerate().any(|(idx, (entry, shown))| {
                idx != cell
                    && shown.kind == CellKind::Code
                    && entry.code.analysis().is_some_and(|it| it.refs.contains("mo"))
            })
    }

    fn update(
        &self,
        slots: &[Slot],
        attributes: &[(NotebookAttribute, Option<Value>)],
        _carry: Carry,
    ) -> Result<Printed, PrintError> {
        let mut targets = self.targets(slots)?;
        let attributes = self.attributes(attributes);
        let is_same = targets.len() == self.parts.entries.len()
            && targets.iter().enumerate().all(|(idx, it)| it.is_same && it.origin == Some(idx));
        let preamble = self.preamble(&attributes);
        let old_preamble_len = self.parts.content.before().len()
            + self.parts.content.slice(0..self.parts.layout.app.end).len();
        if is_same && self.text().as_bytes().get(..old_preamble_len) == Some(preamble.as_bytes()) {
            let origins = (0..slots.len()).map(Some).collect();
            return Ok(Printed { document: Box::new(self.clone()), origins });
        }
        let old: Vec<Target> = (0..self.parts.entries.len())
            .map(|origin| Target {
                entry: self.parts.entries[origin].clone(),
                origin: Some(origin),
                slot: None,
                is_same: true,
                kind: self.kind(origin),
            })
            .collect();
        if needs_mo(&targets) && !needs_mo(&old) {
            targets.insert(0, import_mo());
        }
        if targets.is_empty() && !old.is_empty() {
            targets.push(empty());
        }
        let entries: Vec<Entry> = targets.iter().map(|it| it.entry.clone()).collect();
        let texts = codegen::print(&entries, Reading::Kept);
        let mut canonical: Vec<Option<&Text>> = vec![None; self.parts.entries.len()];
        for text in self.canonical() {
            canonical[text.idx] = Some(text);
        }
        // A setup cell that is empty isn't written, but stays if it is there.
        let mut parts: Vec<(Part<'_>, &Text, &Target)> = Vec::with_capacity(texts.len());
        for text in &texts {
            let target = &targets[text.idx];
            let is_kept = |origin: &usize| {
                target.is_same
                    && canonical[*origin]
                        .is_some_and(|old| old.role == text.role && old.text == text.text)
            };
            let kept = target.origin.filter(is_kept);
            let part = Part {
                origin: target.origin,
                new: match (kept, target.origin) {
                    (Some(_), _) => None,
                    (None, Some(origin)) => Some(self.rewritten(origin, &text.text)?),
                    (None, None) => Some(self.parts.content.with_breaks(&text.text)),
                },
                is_setup: text.role == Role::Setup,
            };
            parts.push((part, text, target));
        }
        // A cell that is only called `setup` stays where it is.
        if let Some((Part { origin: Some(origin), new: None, .. }, text, _)) = parts.first()
            && text.role == Role::Setup
            && self.parts.layout.blocks[*origin].role != Role::Setup
        {
            let idx = text.idx;
            let at = parts.iter().skip(1).take_while(|(_, text, _)| text.idx < idx).count();
            parts[..=at].rotate_left(1);
            parts[at].0.is_setup = false;
        }
        let cells: Vec<(&Text, &Target)> =
            parts.iter().map(|(_, text, target)| (*text, *target)).collect();
        let parts: Vec<&Part<'_>> = parts.iter().map(|(part, _, _)| part).collect();
        let text = splice(&self.parts.content, &self.parts.layout, preamble, &parts);
        let document = Self::check(text, &cells, &attributes)?;
        let origins = cells.iter().map(|(_, target)| target.slot).collect();
        Ok(Printed { document: Box::new(document), origins })
    }
}

/// Returns how many lines of a cell's text stand above its code, which may be
/// indented there.
fn first_line(text: &str, code: &str) -> Option<usize> {
    let lines: Vec<&str> = text.split('\n').map(trim).collect();
    let code: Vec<&str> = code.split('\n').map(trim).collect();
    // The code is the end of the text but for a few lines, so this is short.
    lines.windows(code.len()).position(|window| window == code)
}

/// Whether there is markdown, and nothing that it could be shown with.
fn needs_mo(targets: &[Target]) -> bool {
    let defines_mo =
        |it: &Target| it.entry.code.analysis().is_some_and(|it| it.defs.contains("mo"));
    targets.iter().any(|it| it.kind == CellKind::Markdown) && !targets.iter().any(defines_mo)
}

/// The cell that markdown needs.
fn import_mo() -> Target {
    Target {
        entry: Entry::new("import marimo as mo".to_owned(), "_", &Map::new()),
        origin: None,
        slot: None,
        is_same: false,
        kind: CellKind::Code,
    }
}

/// The cell that marimo gives a notebook without any.
fn empty() -> Target {
    Target {
        entry: Entry::new(String::new(), "_", &Map::new()),
        origin: None,
        slot: None,
        is_same: false,
        kind: CellKind::Code,
    }
}

/// Whether a cell that was read is the one that was written.
fn is_as_printed(role: Role, read: &Entry, printed: &Text, target: &Target) -> bool {
    if role != printed.role && !target.is_same {
        return false;
    }
    let code = read.code.text();
    let is_code = match role {
        // Kept as it was, in a form that it wouldn't get today.
        _ if target.is_same && code == target.entry.code.text() => true,
        Role::Cell => code == printed.code,
        Role::Setup | Role::Function | Role::Class | Role::Unparsable => {
            is_alike(code, &printed.code)
        }
    };
    let name = match role {
        Role::Function | Role::Class => return is_code && read.options == target.entry.options,
        Role::Setup => "setup",
        Role::Cell | Role::Unparsable => read.name.as_str(),
    };
    let is_name = name == printed.name || (target.is_same && read.name == target.entry.name);
    is_code && is_name && read.options == view::options_of(&target.entry.options, role)
}

/// Whether two codes are the same but for blanks that the form can't hold.
fn is_alike(left: &str, right: &str) -> bool {
    let lines = |text: &str| -> Vec<String> {
        let line = |line: &str| if is_blank(line) { String::new() } else { line.to_owned() };
        trim(text).split('\n').map(line).collect()
    };
    left == right || lines(left) == lines(right)
}
