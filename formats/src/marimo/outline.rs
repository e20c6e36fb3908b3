//! What marimo reads in a script.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::content::Content;
use super::entry::Entry;
use super::extract::Reading;
use super::layout::{self, Block, Role};
use super::violation::{self, Violation};
use crate::ParseError;

/// What marimo reads in a script: the parts of it, and what each cell defines
/// and refers to.
///
/// With all that marimo loses, unlike [`Document`](crate::Document). It is here
/// to be compared with marimo.
#[derive(Debug)]
pub struct Outline {
    /// Comments and strings above the first statement.
    pub header: String,
    /// The arguments of the app that are constants.
    pub app: Map<String, Value>,
    /// The cells, in order.
    pub cells: Vec<OutlinedCell>,
    /// What marimo complains about, by line.
    pub violations: Vec<Violation>,
}

/// A cell of an [`Outline`].
#[derive(Debug)]
pub struct OutlinedCell {
    /// Its form: `cell`, `setup`, `function`, `class` or `unparsable`.
    pub kind: &'static str,
    /// The name that is in the file.
    pub name: String,
    /// The code.
    pub code: String,
    /// The arguments of the decorator that are constants.
    pub options: Map<String, Value>,
    /// What it defines and refers to, or `None` if it doesn't compile.
    pub names: Option<Names>,
}

/// What a cell defines and refers to.
#[derive(Debug)]
pub struct Names {
    /// The public names that it defines.
    pub defs: BTreeSet<String>,
    /// The names that it reads and doesn't define.
    pub refs: BTreeSet<String>,
    /// The private names that it defines, as they are written.
    pub temporaries: BTreeSet<String>,
    /// Those of `refs` that it deletes.
    pub deleted_refs: BTreeSet<String>,
    /// Whether it has to run in an event loop.
    pub is_async: bool,
    /// Whether marimo takes it for an SQL cell.
    pub is_sql: bool,
}

/// Reads a script as marimo does.
pub fn outline(text: &str) -> Result<Outline, ParseError> {
    let content = Content::new(Arc::from(text));
    let layout = layout::read(content.text(), Reading::Exact)?;
    let cells = layout.blocks.iter().enumerate().map(|(idx, it)| cell(idx, it)).collect();
    Ok(Outline {
        header: content.text()[..layout.body].to_owned(),
        app: layout.app_options.clone(),
        cells,
        violations: violation::of_layout(&content, &layout),
    })
}

fn cell(idx: usize, block: &Block) -> OutlinedCell {
    let entry = Entry::of(block);
    let names = entry.code.analysis_at(idx).map(|it| Names {
        defs: it.defs.clone(),
        refs: it.refs.clone(),
        temporaries: it.temporaries.clone(),
        deleted_refs: it.deleted_refs.clone(),
        is_async: it.is_async,
        is_sql: it.is_sql,
    });
    OutlinedCell {
        kind: match block.role {
            Role::Cell => "cell",
            Role::Setup => "setup",
            Role::Function => "function",
            Role::Class => "class",
            Role::Unparsable => "unparsable",
        },
        name: block.name.clone(),
        code: block.code.clone(),
        options: block.options.clone(),
        names,
    }
}
