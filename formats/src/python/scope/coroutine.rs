//! Whether a cell has to run in an event loop.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, Expr, Stmt};

use crate::python::parts::{Comprehension, comprehension, visit_outer_parameters};

/// Whether Python compiles the module to a coroutine, as it may when `await` is
/// allowed at the top level.
///
/// What matters is the scope of the module only. The rules for comprehensions
/// are those of `CPython` 3.11; since 3.12, an asynchronous generator expression
/// inside another comprehension counts as well.
pub(super) fn is_coroutine(body: &[Stmt]) -> bool {
    let mut finder = Finder { found: false, is_module: true };
    finder.visit_body(body);
    finder.found
}

struct Finder {
    found: bool,
    /// Whether this is the scope of the module, and not of a comprehension.
    is_module: bool,
}

impl Finder {
    /// Visits a comprehension, of which all but the first iterable is a scope
    /// of its own.
    fn comprehension(&mut self, is_generator: bool, it: &Comprehension<'_>) {
        let Comprehension { elements, generators } = it;
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        let mut inner = Self { found: false, is_module: false };
        for element in elements.iter().flatten() {
            inner.visit_expr(element);
        }
        for (idx, generator) in generators.iter().enumerate() {
            inner.found |= generator.is_async;
            inner.visit_expr(&generator.target);
            if 0 < idx {
                inner.visit_expr(&generator.iter);
            }
            for test in &generator.ifs {
                inner.visit_expr(test);
            }
        }
        self.found |= inner.found && (self.is_module || !is_generator);
    }
}

impl<'a> Visitor<'a> for Finder {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(it) => {
                it.decorator_list.iter().for_each(|it| self.visit_decorator(it));
                visit_outer_parameters(self, &it.parameters);
                if let Some(returns) = &it.returns {
                    self.visit_expr(returns);
                }
            }
            Stmt::ClassDef(it) => {
                it.decorator_list.iter().for_each(|it| self.visit_decorator(it));
                if let Some(arguments) = &it.arguments {
                    self.visit_arguments(arguments);
                }
            }
            // Evaluated when it is asked for, in a scope of its own.
            Stmt::TypeAlias(_) => (),
            Stmt::For(ast::StmtFor { is_async: true, .. })
            | Stmt::With(ast::StmtWith { is_async: true, .. }) => self.found = true,
            stmt => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Await(_) => self.found = true,
            Expr::Lambda(it) => {
                if let Some(parameters) = &it.parameters {
                    visit_outer_parameters(self, parameters);
                }
            }
            expr => match comprehension(expr) {
                Some(it) => self.comprehension(expr.is_generator_expr(), &it),
                None => walk_expr(self, expr),
            },
        }
    }
}
