//! What Python finds wrong with code that parses.
//!
//! `compile` refuses more than its grammar does: `return` at the top level,
//! `await` in a plain function, names that are declared too late. marimo keeps
//! a cell that doesn't compile as unparsable. Most of the rules come with
//! ruff's parser; this module walks the tree for them and knows the scopes.

mod context;
pub(super) mod declarations;
mod patterns;
#[cfg(test)]
mod tests;

use ruff_python_ast::visitor::{
    Visitor, walk_expr, walk_interpolated_string_element, walk_keyword, walk_pattern, walk_stmt,
};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_python_parser::semantic_errors::SemanticSyntaxChecker;

use super::parts::{Comprehension, comprehension, visit_outer_parameters};
use super::{PythonError, lower_first, range};
use context::{Context, ScopeKind};
use declarations::Declarations;

/// Fails if Python 3.11 to 3.13 wouldn't compile a module, with `await` allowed
/// at the top level.
pub(super) fn check(text: &str, tree: &ast::ModModule) -> Result<(), PythonError> {
    // Most cells have no use for the expensive part.
    let has_declarations = text.contains("global") || text.contains("nonlocal");
    let mut checker = Checker {
        semantic: SemanticSyntaxChecker::new(),
        context: Context::new(text),
        has_declarations,
    };
    checker.enter(ScopeKind::Module, None, &tree.body);
    checker.visit_body(&tree.body);
    match checker.context.into_error() {
        None => Ok(()),
        Some((offset, message)) => {
            Err(PythonError::new(offset.min(text.len()), lower_first(&message)))
        }
    }
}

struct Checker<'a> {
    semantic: SemanticSyntaxChecker,
    context: Context<'a>,
    has_declarations: bool,
}

impl<'a> Checker<'a> {
    fn enter(
        &mut self,
        kind: ScopeKind,
        parameters: Option<&'a ast::Parameters>,
        body: &'a [Stmt],
    ) {
        let declarations = if self.has_declarations {
            let declarations = Declarations::of(parameters, body);
            if let Some((offset, message)) = declarations.error(kind == ScopeKind::Module) {
                self.context.report(offset, message);
            }
            declarations
        } else {
            Declarations::default()
        };
        self.context.push(kind, declarations);
    }

    fn function(&mut self, it: &'a ast::StmtFunctionDef) {
        it.decorator_list.iter().for_each(|it| self.visit_decorator(it));
        if let Some(type_params) = &it.type_params {
            self.visit_type_params(type_params);
        }
        visit_outer_parameters(self, &it.parameters);
        if let Some(returns) = &it.returns {
            self.visit_annotation(returns);
        }
        let kind = ScopeKind::Function { is_async: it.is_async };
        self.enter(kind, Some(&it.parameters), &it.body);
        self.visit_body(&it.body);
        self.context.pop();
    }

    fn class(&mut self, it: &'a ast::StmtClassDef) {
        it.decorator_list.iter().for_each(|it| self.visit_decorator(it));
        if let Some(type_params) = &it.type_params {
            self.visit_type_params(type_params);
        }
        if let Some(arguments) = &it.arguments {
            self.visit_arguments(arguments);
        }
        self.enter(ScopeKind::Class, None, &it.body);
        self.visit_body(&it.body);
        self.context.pop();
    }

    fn looped(&mut self, body: &'a [Stmt], orelse: &'a [Stmt]) {
        self.context.enter_loop();
        self.visit_body(body);
        self.context.leave_loop();
        self.visit_body(orelse);
    }

    fn try_statement(&mut self, it: &'a ast::StmtTry) {
        self.visit_body(&it.body);
        let outer = self.context.enter_handlers(it.is_star);
        it.handlers.iter().for_each(|it| self.visit_except_handler(it));
        self.context.leave_handlers(outer);
        self.visit_body(&it.orelse);
        self.visit_body(&it.finalbody);
    }

    /// Reports an expression that must not have a star.
    fn unstarred(&mut self, expr: &Expr) {
        if expr.is_starred_expr() {
            self.context.report(range(expr).start, "can't use starred expression here".to_owned());
        }
    }

    /// Reports the name of something that is assigned to, if it is a constant.
    fn assignable(&mut self, name: &ast::Identifier) {
        if name == "__debug__" {
            self.context.report(range(name).start, "cannot assign to __debug__".to_owned());
        }
    }

    fn lambda(&mut self, it: &'a ast::ExprLambda) {
        let parameters = it.parameters.as_deref();
        if let Some(parameters) = parameters {
            visit_outer_parameters(self, parameters);
        }
        self.enter(ScopeKind::Lambda, parameters, &[]);
        self.visit_expr(&it.body);
        self.context.pop();
    }

    fn comprehension(&mut self, is_generator: bool, it: &Comprehension<'a>) {
        let Comprehension { elements, generators } = it;
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        let kind = if is_generator { ScopeKind::Generator } else { ScopeKind::Comprehension };
        self.context.push(kind, Declarations::default());
        for (idx, generator) in generators.iter().enumerate() {
            if 0 < idx {
                self.visit_expr(&generator.iter);
            }
            self.visit_expr(&generator.target);
            generator.ifs.iter().for_each(|it| self.visit_expr(it));
        }
        elements.iter().flatten().for_each(|it| self.visit_expr(it));
        self.context.pop();
    }
}

impl<'a> Visitor<'a> for Checker<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        self.semantic.visit_stmt(stmt, &self.context);
        match stmt {
            Stmt::FunctionDef(it) => self.function(it),
            Stmt::ClassDef(it) => self.class(it),
            Stmt::For(it) => {
                self.visit_expr(&it.iter);
                self.visit_expr(&it.target);
                self.looped(&it.body, &it.orelse);
            }
            Stmt::While(it) => {
                self.visit_expr(&it.test);
                self.looped(&it.body, &it.orelse);
            }
            Stmt::Try(it) => self.try_statement(it),
            Stmt::Return(_) | Stmt::Break(_) | Stmt::Continue(_) => {
                if self.context.leaves_except_star(stmt.is_return_stmt()) {
                    let message =
                        "'break', 'continue' and 'return' cannot appear in an except* block";
                    self.context.report(range(stmt).start, message.to_owned());
                }
                walk_stmt(self, stmt);
            }
            Stmt::Expr(it) => {
                self.unstarred(&it.value);
                walk_stmt(self, stmt);
            }
            Stmt::ImportFrom(it) => {
                if it.names.iter().any(|it| it.name == *"*") {
                    // Python has no objection at the top level. marimo has
                    // (`ImportStarError`), because cells become functions.
                    let message = "importing symbols with `import *` is not allowed in marimo";
                    self.context.report(range(it).start, message.to_owned());
                }
                if it.module.as_deref() == Some("__future__") {
                    self.context.import_future(&it.names);
                }
            }
            stmt => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        self.context.enter_expr(expr);
        self.semantic.visit_expr(expr, &self.context);
        match expr {
            Expr::Lambda(it) => self.lambda(it),
            Expr::Attribute(it) => {
                if it.ctx != ast::ExprContext::Load {
                    self.assignable(&it.attr);
                }
                walk_expr(self, expr);
            }
            expr => match comprehension(expr) {
                Some(it) => self.comprehension(expr.is_generator_expr(), &it),
                None => walk_expr(self, expr),
            },
        }
    }

    fn visit_keyword(&mut self, keyword: &'a ast::Keyword) {
        if let Some(name) = &keyword.arg {
            self.assignable(name);
        }
        walk_keyword(self, keyword);
    }

    fn visit_interpolated_string_element(&mut self, it: &'a ast::InterpolatedStringElement) {
        if let Some(it) = it.as_interpolation() {
            self.unstarred(&it.expression);
        }
        walk_interpolated_string_element(self, it);
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        if let Some(message) = patterns::error(pattern) {
            self.context.report(range(pattern).start, message.to_owned());
        }
        walk_pattern(self, pattern);
    }
}
