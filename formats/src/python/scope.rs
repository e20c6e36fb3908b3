//! What a cell defines and what it refers to, as marimo sees it.

mod annotation;
mod blocks;
mod coroutine;
mod definition;
mod expression;
mod names;
mod shape;
#[cfg(test)]
mod tests;
mod visitor;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{PythonError, compile};
use blocks::Binding;
use names::Name;
use visitor::{Shared, Visitor};

/// What the analysis of a cell gives (marimo 0.25.2, `compile_cell` and
/// `ScopedVisitor`).
///
/// A name is private if it starts with one underscore, or is `__`. marimo
/// renames private names that a cell defines, `_x` in cell `0` to
/// `_cell_0_x`, which shows in the references of definitions only.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Analysis {
    /// The public names that the cell defines.
    pub(crate) defs: BTreeSet<String>,
    /// The names that the cell reads and doesn't define, builtins included.
    pub(crate) refs: BTreeSet<String>,
    /// The private names that the cell defines, as they are written.
    pub(crate) temporaries: BTreeSet<String>,
    /// Those of `refs` that the cell deletes.
    pub(crate) deleted_refs: BTreeSet<String>,
    /// For each public definition, how it was bound, once per binding.
    pub(crate) variables: BTreeMap<String, Vec<Variable>>,
    /// Whether the cell has to run in an event loop.
    pub(crate) is_async: bool,
    /// Whether marimo takes it for an SQL cell.
    pub(crate) is_sql: bool,
    /// What the text of the cell looks like.
    pub(crate) shape: Shape,
}

/// One binding of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// How the name was bound.
    pub(crate) kind: VariableKind,
    /// The names that the value needs, now or when it is called. `_lambda`
    /// stands for a lambda in the value.
    pub(crate) required_refs: BTreeSet<String>,
    /// The names that must be there when the function or class is defined.
    pub(crate) unbounded_refs: BTreeSet<String>,
    /// The annotation, if the first binding has one.
    pub(crate) annotation: Option<Annotation>,
}

/// How a name was bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VariableKind {
    /// By `def`.
    Function,
    /// By `def` in a class.
    Method,
    /// By `class`.
    Class,
    /// By an import.
    Import,
    /// By anything else.
    Variable,
}

/// The annotation of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Annotation {
    /// The text that marimo writes for it.
    pub(crate) text: String,
    /// The names in it.
    pub(crate) refs: BTreeSet<String>,
}

/// What the text of a cell looks like, as far as printing depends on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Shape {
    /// How many top-level statements there are.
    pub(crate) n_statements: usize,
    /// The last one.
    pub(crate) last: Option<LastStatement>,
    /// The name of the only statement, if it is a function or class.
    pub(crate) only_definition: Option<String>,
    /// Whether the last token is a comment at the start of a line.
    pub(crate) ends_in_comment: bool,
    /// The call of `mo.md`, if it is the only statement.
    pub(crate) markdown: Option<MarkdownCall>,
}

/// The last top-level statement of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastStatement {
    /// Whether it is an import, a function or a class.
    pub(crate) binds_name: bool,
    /// Whether it ends on the last line that isn't blank.
    pub(crate) ends_cell: bool,
}

/// A cell that is nothing but `mo.md(...)`, of a string without variable parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MarkdownCall {
    /// What marimo replaces when it writes the cell anew: the call, without
    /// parentheses around it.
    pub(crate) range: Range<usize>,
    /// The string token whose prefix marimo keeps, the last one: from prefix to
    /// closing quotes.
    pub(crate) string: Range<usize>,
    /// What the string stands for, escapes decoded and parts joined.
    pub(crate) value: String,
}

/// Returns code as marimo compiles it.
///
/// Some editors send no-break spaces for spaces, where Python has a syntax
/// error, so marimo replaces them all (marimo 0.25.2, `compile_cell`).
pub(crate) fn normalize(code: &str) -> Cow<'_, str> {
    if code.contains('\u{a0}') {
        Cow::Owned(code.replace('\u{a0}', " "))
    } else {
        Cow::Borrowed(code)
    }
}

/// Analyses the code of a cell.
///
/// `cell_id` is marimo's id of the cell, which it puts into the names that it
/// makes for private definitions. Ranges refer to the [`normalize`]d code.
/// Fails if Python wouldn't compile the cell.
pub(crate) fn analyze(code: &str, cell_id: &str) -> Result<Analysis, PythonError> {
    let code = &*normalize(code);
    super::with_syntax(code, |tree, tokens| {
        compile::check(code, tree)?;
        if tree.body.is_empty() {
            // marimo looks no further.
            let shape = shape::shape(code, tree, tokens);
            return Ok(Analysis { shape, ..Analysis::default() });
        }
        let mut shared = Shared::new(cell_id);
        let mut visitor = Visitor::new(code, &mut shared);
        visitor.body(&tree.body);
        let blocks = visitor.blocks;
        let names = &shared.names;
        let is_public = |name: &Name| !names.is_private(*name);
        let (defs, temporaries) =
            blocks.module_defs().iter().copied().partition::<Vec<_>, _>(is_public);
        let variable = |binding: &Binding| Variable {
            kind: binding.kind,
            required_refs: names.texts(blocks.set(binding.required)),
            unbounded_refs: names.texts(blocks.set(binding.unbounded)),
            annotation: binding
                .annotation
                .as_ref()
                .map(|(text, refs)| Annotation { text: text.clone(), refs: names.texts(refs) }),
        };
        let texts =
            |it: &mut dyn Iterator<Item = Name>| it.map(|it| names.text(it).to_owned()).collect();
        Ok(Analysis {
            defs: texts(&mut defs.into_iter()),
            refs: texts(&mut blocks.refs()),
            temporaries: temporaries.into_iter().map(|it| names.unmangled(it).to_owned()).collect(),
            deleted_refs: texts(&mut blocks.deleted_refs()),
            variables: blocks
                .module_bindings()
                .filter(|(name, _)| is_public(name))
                .map(|(name, bindings)| {
                    (names.text(name).to_owned(), bindings.iter().map(variable).collect())
                })
                .collect(),
            is_async: coroutine::is_coroutine(&tree.body),
            is_sql: shared.is_sql,
            shape: shape::shape(code, tree, tokens),
        })
    })
}
