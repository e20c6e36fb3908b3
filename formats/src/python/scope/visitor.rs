//! Walks the tree of a cell and records what it defines and reads.
//!
//! The rules are those of marimo 0.25.2, `ScopedVisitor`. The order in which
//! things are visited is part of them: it is the order of the fields of
//! Python's `ast`, where nothing else is said.

use std::collections::{BTreeSet, HashMap};

use ruff_python_ast::{self as ast, ExceptHandler, Stmt};
use ruff_text_size::TextSize;

use super::VariableKind;
use super::blocks::{Binding, BlockKind, Blocks, Origin};
use super::names::{Name, Names};
use crate::python::unparse::unparse;

/// What is shared between the walks of one cell.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) names: Names,
    /// For each class that was looked into on its own, by where its name
    /// stands, what running its body needs.
    pub(super) class_needs: HashMap<TextSize, BTreeSet<Name>>,
    pub(super) is_sql: bool,
}

impl Shared {
    pub(super) fn new(cell_id: &str) -> Self {
        Self { names: Names::new(cell_id), class_needs: HashMap::new(), is_sql: false }
    }
}

/// A walk.
#[derive(Debug)]
pub(super) struct Visitor<'a> {
    pub(super) code: &'a str,
    pub(super) shared: &'a mut Shared,
    pub(super) blocks: Blocks,
    /// The names of `except ... as name` around here. They are neither
    /// definitions nor references.
    pub(super) obscured: Vec<Option<Name>>,
    /// The names that were mangled in the annotation that is being visited.
    pub(super) mangled: HashMap<TextSize, Name>,
}

impl<'a> Visitor<'a> {
    pub(super) fn new(code: &'a str, shared: &'a mut Shared) -> Self {
        Self { code, shared, blocks: Blocks::new(), obscured: Vec::new(), mangled: HashMap::new() }
    }

    pub(super) fn body(&mut self, body: &[Stmt]) {
        for stmt in body {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::FunctionDef(it) => self.function(it),
            Stmt::ClassDef(it) => self.class(it),
            Stmt::Return(it) => self.maybe_expr(it.value.as_deref()),
            Stmt::Delete(it) => self.exprs(&it.targets),
            Stmt::TypeAlias(it) => self.type_alias(it),
            Stmt::Assign(it) => {
                self.blocks.push_refs();
                self.expr(&it.value);
                self.exprs(&it.targets);
                self.blocks.pop_refs();
            }
            Stmt::AugAssign(it) => {
                self.blocks.push_refs();
                self.expr(&it.value);
                self.expr(&it.target);
                self.blocks.pop_refs();
            }
            Stmt::AnnAssign(it) => self.annotated_assignment(it),
            Stmt::For(it) => {
                // The target comes first, so that `for x in x` reads no `x`.
                self.expr(&it.target);
                self.expr(&it.iter);
                self.body(&it.body);
                self.body(&it.orelse);
            }
            Stmt::While(it) => {
                self.expr(&it.test);
                self.body(&it.body);
                self.body(&it.orelse);
            }
            Stmt::If(it) => {
                self.expr(&it.test);
                self.body(&it.body);
                for clause in &it.elif_else_clauses {
                    self.maybe_expr(clause.test.as_ref());
                    self.body(&clause.body);
                }
            }
            Stmt::With(it) => {
                for item in &it.items {
                    self.expr(&item.context_expr);
                    self.maybe_expr(item.optional_vars.as_deref());
                }
                self.body(&it.body);
            }
            Stmt::Match(it) => {
                self.expr(&it.subject);
                for case in &it.cases {
                    self.pattern(&case.pattern);
                    self.maybe_expr(case.guard.as_deref());
                    self.body(&case.body);
                }
            }
            Stmt::Raise(it) => {
                self.maybe_expr(it.exc.as_deref());
                self.maybe_expr(it.cause.as_deref());
            }
            Stmt::Try(it) => self.try_statement(it),
            Stmt::Assert(it) => {
                self.expr(&it.test);
                self.maybe_expr(it.msg.as_deref());
            }
            Stmt::Import(it) => {
                for alias in &it.names {
                    self.import(alias, None);
                }
            }
            Stmt::ImportFrom(it) => {
                for alias in &it.names {
                    self.import(alias, Some(it));
                }
            }
            Stmt::Global(it) => self.global(it),
            Stmt::Expr(it) => self.expr(&it.value),
            Stmt::Nonlocal(_)
            | Stmt::Pass(_)
            | Stmt::Break(_)
            | Stmt::Continue(_)
            | Stmt::IpyEscapeCommand(_) => (),
        }
    }

    fn try_statement(&mut self, it: &ast::StmtTry) {
        self.body(&it.body);
        for ExceptHandler::ExceptHandler(handler) in &it.handlers {
            let name = handler.name.as_ref().map(|it| self.shared.names.name(it));
            self.obscured.push(name);
            self.maybe_expr(handler.type_.as_deref());
            self.body(&handler.body);
            self.obscured.pop();
        }
        self.body(&it.orelse);
        self.body(&it.finalbody);
    }

    fn type_alias(&mut self, it: &ast::StmtTypeAlias) {
        self.expr(&it.name);
        self.blocks.push(BlockKind::Annotation);
        self.type_params(it.type_params.as_deref());
        self.expr(&it.value);
        self.blocks.pop();
    }

    fn annotated_assignment(&mut self, it: &ast::StmtAnnAssign) {
        self.blocks.push_refs();
        self.maybe_expr(it.value.as_deref());
        self.blocks.push_refs();
        self.mangled.clear();
        self.expr(&it.annotation);
        let annotation_refs = self.blocks.pop_refs();
        let annotation_refs = self.blocks.set(annotation_refs).clone();
        // A target that is not a name has no annotation that matters.
        let name = it.target.as_name_expr().map(|it| self.shared.names.name(&it.id));
        let is_new = |name: &Name| self.blocks.in_module() && !self.blocks.is_module_binding(*name);
        let new = name.filter(is_new);
        // Only a name that is in a module block and not mangled comes out as
        // one that is bound.
        let mangled = std::mem::take(&mut self.mangled);
        self.expr(&it.target);
        if let Some(name) = new.filter(|&name| self.blocks.is_module_binding(name)) {
            let names = &self.shared.names;
            let rename = |at: TextSize| mangled.get(&at).map(|&name| names.text(name));
            let text = unparse(self.code, &it.annotation, &rename);
            self.blocks.annotate(name, super::annotation::standardize(&text), annotation_refs);
        }
        self.blocks.pop_refs();
    }

    fn import(&mut self, alias: &ast::Alias, from: Option<&ast::StmtImportFrom>) {
        let names = &mut self.shared.names;
        let name = match &alias.asname {
            Some(asname) => {
                let name = names.name(asname);
                self.if_private_then_mangle(name)
            }
            // Never mangled: the name is not the user's choice.
            None => names.name(alias.name.split('.').next().unwrap_or(&alias.name)),
        };
        let names = &mut self.shared.names;
        let origin = match from {
            None => Origin { module: names.name(&alias.name), symbol: None },
            Some(from) => Origin {
                module: names.name(from.module.as_deref().unwrap_or_default()),
                symbol: Some((names.name(&alias.name), from.level)),
            },
        };
        let mut binding = Binding::new(VariableKind::Import);
        binding.origin = Some(origin);
        self.blocks.define(name, binding);
    }

    fn global(&mut self, it: &ast::StmtGlobal) {
        for name in &it.names {
            let mut name = self.shared.names.name(name);
            if self.shared.names.is_private(name) {
                name = self.shared.names.mangle(name);
            }
            self.blocks.add_global(name);
            if !self.blocks.is_module_def(name) {
                self.blocks.add_ref(name, false);
            }
        }
    }

    pub(super) fn if_private_then_mangle(&mut self, name: Name) -> Name {
        let names = &mut self.shared.names;
        if self.blocks.in_module() && names.is_private(name) { names.mangle(name) } else { name }
    }

    fn pattern(&mut self, pattern: &ast::Pattern) {
        match pattern {
            ast::Pattern::MatchValue(it) => self.expr(&it.value),
            ast::Pattern::MatchSingleton(_) => (),
            ast::Pattern::MatchSequence(it) => {
                it.patterns.iter().for_each(|it| self.pattern(it));
            }
            ast::Pattern::MatchMapping(it) => {
                self.capture(it.rest.as_ref());
                self.exprs(&it.keys);
                it.patterns.iter().for_each(|it| self.pattern(it));
            }
            ast::Pattern::MatchClass(it) => {
                self.expr(&it.cls);
                it.arguments.patterns.iter().for_each(|it| self.pattern(it));
                it.arguments.keywords.iter().for_each(|it| self.pattern(&it.pattern));
            }
            ast::Pattern::MatchStar(it) => self.capture(it.name.as_ref()),
            ast::Pattern::MatchAs(it) => {
                self.capture(it.name.as_ref());
                if let Some(pattern) = &it.pattern {
                    self.pattern(pattern);
                }
            }
            ast::Pattern::MatchOr(it) => it.patterns.iter().for_each(|it| self.pattern(it)),
        }
    }

    fn capture(&mut self, name: Option<&ast::Identifier>) {
        if let Some(name) = name {
            let name = self.shared.names.name(name);
            let name = self.if_private_then_mangle(name);
            self.blocks.define(name, Binding::new(VariableKind::Variable));
        }
    }

    pub(super) fn type_params(&mut self, it: Option<&ast::TypeParams>) {
        for param in it.into_iter().flatten() {
            let name = self.shared.names.name(&param.name().id);
            let mut binding = Binding::new(VariableKind::Variable);
            binding.required = self.blocks.current_refs();
            self.blocks.define(name, binding);
            // marimo doesn't look at defaults.
            if let ast::TypeParam::TypeVar(it) = param {
                self.maybe_expr(it.bound.as_deref());
            }
        }
    }
}
