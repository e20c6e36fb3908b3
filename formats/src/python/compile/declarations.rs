//! `global` and `nonlocal`, and the names that they are about.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_except_handler, walk_expr, walk_pattern, walk_stmt};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};
use ruff_text_size::Ranged as _;

use crate::python::is_private;
use crate::python::parts::{Comprehension, captured, comprehension, visit_outer_parameters};

/// The names of a scope, without those of the scopes inside.
#[derive(Debug, Default)]
pub(in crate::python) struct Declarations<'a> {
    parameters: BTreeSet<&'a str>,
    /// How many uses and declarations there were so far.
    clock: usize,
    /// The names that are used, and when first.
    used: BTreeMap<&'a str, usize>,
    /// The same for those that `:=` binds from within a comprehension.
    reached: BTreeMap<&'a str, usize>,
    /// The names that are bound by anything but a declaration.
    bound: BTreeSet<&'a str>,
    /// The names that are annotated.
    annotated: BTreeSet<&'a str>,
    /// The declared names, and when and where they are declared last.
    globals: BTreeMap<&'a str, (usize, usize)>,
    nonlocals: BTreeMap<&'a str, (usize, usize)>,
    is_comprehension: bool,
}

impl<'a> Declarations<'a> {
    pub(in crate::python) fn of(parameters: Option<&'a ast::Parameters>, body: &'a [Stmt]) -> Self {
        let mut res = Self::default();
        for parameter in parameters.into_iter().flatten() {
            res.parameters.insert(parameter.name());
        }
        res.visit_body(body);
        res
    }

    /// Returns what is wrong with the declarations themselves.
    pub(super) fn error(&self, is_module: bool) -> Option<(usize, String)> {
        for (keyword, names) in [("global", &self.globals), ("nonlocal", &self.nonlocals)] {
            for (name, &(declared, offset)) in names {
                // marimo renames private globals before it compiles, but not
                // parameters, nor what a function or class assigns to.
                let is_renamed = keyword == "global" && !is_module && is_private(name);
                if is_renamed && (self.parameters.contains(name) || self.bound.contains(name)) {
                    continue;
                }
                // To the module, `:=` in a comprehension is a declaration.
                let reached = self.reached.get(name).filter(|_| !is_module);
                if self.used.get(name).into_iter().chain(reached).any(|&used| used < declared) {
                    let message = format!("name '{name}' is used prior to {keyword} declaration");
                    return Some((offset, message));
                }
                if self.parameters.contains(name) {
                    return Some((offset, format!("name '{name}' is parameter and {keyword}")));
                }
                if self.annotated.contains(name) && !is_module {
                    return Some((offset, format!("annotated name '{name}' can't be {keyword}")));
                }
            }
        }
        let (name, (_, offset)) =
            self.nonlocals.iter().find(|(name, _)| self.globals.contains_key(*name))?;
        Some((*offset, format!("name '{name}' is nonlocal and global")))
    }

    /// Whether the scope has a variable of that name, or not, for those inside:
    /// `None` if it doesn't know the name.
    pub(in crate::python) fn binds(&self, name: &str) -> Option<bool> {
        if self.globals.contains_key(name) {
            // A global name can't be nonlocal, nor does it hide one further out.
            return None;
        }
        let binds = self.bound.contains(name)
            || self.parameters.contains(name)
            || self.nonlocals.contains_key(name);
        binds.then_some(true)
    }

    fn tick(&mut self) -> usize {
        self.clock += 1;
        self.clock
    }

    fn add_use(&mut self, name: &'a str) {
        let now = self.tick();
        self.used.entry(name).or_insert(now);
    }

    fn bind(&mut self, name: &'a ast::Identifier) {
        self.add_use(name);
        self.bound.insert(name);
    }

    /// Visits the scope of a comprehension, from which `:=` reaches out.
    fn comprehension(&mut self, it: &Comprehension<'a>) {
        let Comprehension { elements, generators } = it;
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        let outer = std::mem::replace(&mut self.is_comprehension, true);
        for (idx, generator) in generators.iter().enumerate() {
            if 0 < idx {
                self.visit_expr(&generator.iter);
            }
            generator.ifs.iter().for_each(|it| self.visit_expr(it));
        }
        elements.iter().flatten().for_each(|it| self.visit_expr(it));
        self.is_comprehension = outer;
    }
}

impl<'a> Visitor<'a> for Declarations<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(it) => {
                self.bind(&it.name);
                it.decorator_list.iter().for_each(|it| self.visit_decorator(it));
                // What can name type parameters is in a scope of its own, with them.
                if it.type_params.is_some() {
                    it.parameters
                        .iter()
                        .filter_map(ast::AnyParameterRef::default)
                        .for_each(|it| self.visit_expr(it));
                    return;
                }
                visit_outer_parameters(self, &it.parameters);
                if let Some(returns) = &it.returns {
                    self.visit_expr(returns);
                }
            }
            Stmt::ClassDef(it) => {
                self.bind(&it.name);
                it.decorator_list.iter().for_each(|it| self.visit_decorator(it));
                if let Some(arguments) = &it.arguments
                    && it.type_params.is_none()
                {
                    self.visit_arguments(arguments);
                }
            }
            Stmt::Global(it) => {
                for name in &it.names {
                    let now = self.tick();
                    self.globals.insert(name, (now, it.start().to_usize()));
                }
            }
            Stmt::Nonlocal(it) => {
                for name in &it.names {
                    let now = self.tick();
                    self.nonlocals.insert(name, (now, it.start().to_usize()));
                }
            }
            Stmt::Import(ast::StmtImport { names, .. })
            | Stmt::ImportFrom(ast::StmtImportFrom { names, .. }) => {
                // `CPython` doesn't count an import as a use.
                for alias in names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.bound.insert(name.split('.').next().unwrap_or_default());
                }
            }
            // `CPython` looks at the `else` before the handlers.
            Stmt::Try(it) => {
                self.visit_body(&it.body);
                self.visit_body(&it.orelse);
                it.handlers.iter().for_each(|it| self.visit_except_handler(it));
                self.visit_body(&it.finalbody);
            }
            // The value has a scope of its own.
            Stmt::TypeAlias(it) => self.visit_expr(&it.name),
            Stmt::AnnAssign(it) => {
                if let Expr::Name(target) = &*it.target
                    && it.simple
                {
                    self.annotated.insert(&target.id);
                }
                walk_stmt(self, stmt);
            }
            stmt => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(it) if !self.is_comprehension => {
                self.add_use(&it.id);
                if it.ctx != ExprContext::Load {
                    self.bound.insert(&it.id);
                }
            }
            Expr::Named(it) => {
                if let Expr::Name(target) = &*it.target {
                    let now = self.tick();
                    let uses =
                        if self.is_comprehension { &mut self.reached } else { &mut self.used };
                    uses.entry(&target.id).or_insert(now);
                    self.bound.insert(&target.id);
                }
                self.visit_expr(&it.value);
            }
            Expr::Lambda(it) => {
                if let Some(parameters) = &it.parameters {
                    visit_outer_parameters(self, parameters);
                }
            }
            expr => match comprehension(expr) {
                Some(it) => self.comprehension(&it),
                None => walk_expr(self, expr),
            },
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ast::ExceptHandler) {
        let ast::ExceptHandler::ExceptHandler(it) = handler;
        if let Some(name) = &it.name {
            self.bind(name);
        }
        walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        if let Some(name) = captured(pattern) {
            self.bind(name);
        }
        walk_pattern(self, pattern);
    }
}
