//! Where in a module the checks are.

use std::cell::RefCell;

use ruff_python_ast::{Alias, Expr, PythonVersion};
use ruff_python_parser::semantic_errors::{
    LazyImportContext, SemanticSyntaxContext, SemanticSyntaxError, SemanticSyntaxErrorKind,
};
use ruff_text_size::TextRange;

use super::declarations::Declarations;
use crate::python::parts::{Comprehension, comprehension};
use crate::python::{is_private, range};

/// The kind of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScopeKind {
    Module,
    Function {
        is_async: bool,
    },
    Lambda,
    Class,
    /// Of a list, set or dict.
    Comprehension,
    Generator,
}

#[derive(Debug)]
struct Scope<'a> {
    kind: ScopeKind,
    declarations: Declarations<'a>,
    n_loops: usize,
    /// How many loops there were around the innermost `except*`.
    except_star: Option<usize>,
}

/// The scopes around the place that is being looked at.
#[derive(Debug)]
pub(super) struct Context<'a> {
    text: &'a str,
    /// The scopes, outermost first.
    scopes: Vec<Scope<'a>>,
    has_future_annotations: bool,
    /// The variables of the comprehension that is being checked.
    iterated: Vec<&'a str>,
    /// The first error, by position.
    error: RefCell<Option<(usize, String)>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            scopes: Vec::new(),
            has_future_annotations: false,
            iterated: Vec::new(),
            error: RefCell::new(None),
        }
    }

    pub(super) fn into_error(self) -> Option<(usize, String)> {
        self.error.into_inner()
    }

    pub(super) fn push(&mut self, kind: ScopeKind, declarations: Declarations<'a>) {
        self.scopes.push(Scope { kind, declarations, n_loops: 0, except_star: None });
    }

    pub(super) fn pop(&mut self) {
        self.scopes.pop();
    }

    /// Notes the variables of a comprehension before it is checked.
    pub(super) fn enter_expr(&mut self, expr: &'a Expr) {
        let Some(Comprehension { generators, .. }) = comprehension(expr) else { return };
        self.iterated.clear();
        for generator in generators {
            add_names(&generator.target, &mut self.iterated);
        }
    }

    pub(super) fn enter_loop(&mut self) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.n_loops += 1;
        }
    }

    pub(super) fn leave_loop(&mut self) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.n_loops -= 1;
        }
    }

    /// Enters the handlers of a `try`. Returns what to leave them with.
    pub(super) fn enter_handlers(&mut self, is_star: bool) -> Option<usize> {
        let scope = self.scopes.last_mut()?;
        let outer = scope.except_star;
        if is_star {
            scope.except_star = Some(scope.n_loops);
        }
        outer
    }

    pub(super) fn leave_handlers(&mut self, outer: Option<usize>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.except_star = outer;
        }
    }

    /// Whether a statement that leaves a function, or else a loop, would also
    /// leave an `except*`.
    pub(super) fn leaves_except_star(&self, leaves_function: bool) -> bool {
        self.scopes.last().is_some_and(|scope| {
            scope.except_star.is_some_and(|n_loops| leaves_function || scope.n_loops == n_loops)
        })
    }

    pub(super) fn import_future(&mut self, names: &[Alias]) {
        self.has_future_annotations |= names.iter().any(|it| it.name == *"annotations");
    }

    pub(super) fn report(&self, offset: usize, message: String) {
        let mut error = self.error.borrow_mut();
        if error.as_ref().is_none_or(|(first, _)| offset < *first) {
            *error = Some((offset, message));
        }
    }

    fn kind(&self) -> ScopeKind {
        self.scopes.last().map_or(ScopeKind::Module, |it| it.kind)
    }

    /// The kind of the innermost scope that is no comprehension.
    fn outer_kind(&self) -> ScopeKind {
        let is_comprehension =
            |kind| matches!(kind, ScopeKind::Comprehension | ScopeKind::Generator);
        let mut kinds = self.scopes.iter().rev().map(|it| it.kind);
        kinds.find(|&kind| !is_comprehension(kind)).unwrap_or(ScopeKind::Module)
    }
}

impl SemanticSyntaxContext for Context<'_> {
    fn future_annotations_or_stub(&self) -> bool {
        self.has_future_annotations
    }

    fn lazy_import_context(&self) -> Option<LazyImportContext> {
        None
    }

    fn python_version(&self) -> PythonVersion {
        PythonVersion::PY313
    }

    fn source(&self) -> &str {
        self.text
    }

    /// Not answered: [`Declarations`] do these checks.
    fn global(&self, _name: &str) -> Option<TextRange> {
        None
    }

    fn has_nonlocal_binding(&self, name: &str) -> bool {
        let outer = self.scopes.iter().rev().skip(1);
        for scope in outer {
            match scope.kind {
                ScopeKind::Function { .. } | ScopeKind::Lambda => {
                    if let Some(binds) = scope.declarations.binds(name) {
                        return binds;
                    }
                }
                // What methods call `super()` with.
                ScopeKind::Class if name == "__class__" => return true,
                _ => (),
            }
        }
        false
    }

    fn in_async_context(&self) -> bool {
        match self.outer_kind() {
            ScopeKind::Function { is_async } => is_async,
            // The flag that marimo compiles cells with.
            ScopeKind::Module => true,
            _ => false,
        }
    }

    fn in_await_allowed_context(&self) -> bool {
        self.outer_kind() != ScopeKind::Class
    }

    fn in_yield_allowed_context(&self) -> bool {
        self.in_function_scope()
    }

    fn in_sync_comprehension(&self) -> bool {
        // Only matters before 3.11.
        false
    }

    fn in_class_body_comprehension(&self) -> bool {
        self.outer_kind() == ScopeKind::Class
    }

    fn in_module_scope(&self) -> bool {
        self.kind() == ScopeKind::Module
    }

    fn in_function_scope(&self) -> bool {
        matches!(self.kind(), ScopeKind::Function { .. } | ScopeKind::Lambda)
    }

    fn in_generator_context(&self) -> bool {
        self.kind() == ScopeKind::Generator
    }

    fn in_notebook(&self) -> bool {
        false
    }

    fn report_semantic_error(&self, error: SemanticSyntaxError) {
        if error.kind == SemanticSyntaxErrorKind::ReboundComprehensionVariable {
            let name = &self.text[range(&error)];
            // marimo renames the private target of `:=` before it compiles, but
            // not the variable of the comprehension.
            let is_renamed = self.outer_kind() == ScopeKind::Module && is_private(name);
            // The check takes those of a comprehension in an index of the target
            // (`for a[[x for x in y]] in z`) for variables too.
            if is_renamed || !self.iterated.contains(&name) {
                return;
            }
        }
        self.report(error.range.start().to_usize(), error.to_string());
    }

    fn in_loop_context(&self) -> bool {
        self.scopes.last().is_some_and(|it| 0 < it.n_loops)
    }

    /// Not answered, as for [`global`](Self::global).
    fn is_bound_parameter(&self, _name: &str) -> bool {
        false
    }
}

/// Adds the names that a target of `for` binds.
fn add_names<'a>(target: &'a Expr, names: &mut Vec<&'a str>) {
    match target {
        Expr::Name(it) => names.push(&it.id),
        Expr::Tuple(it) => it.elts.iter().for_each(|it| add_names(it, names)),
        Expr::List(it) => it.elts.iter().for_each(|it| add_names(it, names)),
        Expr::Starred(it) => add_names(&it.value, names),
        _ => {}
    }
}
