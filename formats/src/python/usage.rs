//! What a cell does with names when it runs, as Python sees it.
//!
//! [`scope`](super::scope) says what marimo makes of a cell: which names it
//! defines and refers to, whatever the order. Here the order counts: a name
//! that a function reads is needed when the function is called, and a name that
//! was bound above is not needed from elsewhere.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{Visitor, walk_except_handler, walk_expr, walk_pattern, walk_stmt};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};
use ruff_text_size::Ranged;

use super::compile::declarations::Declarations;
use super::parts::{Comprehension, captured, comprehension, visit_outer_parameters};
use super::{PythonError, range, with_syntax};

/// The names of a cell. Lines count from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// The names that the cell binds, and the line of the first binding.
    pub(crate) bound: BTreeMap<String, usize>,
    /// The names that are read while the cell runs.
    pub(crate) read: BTreeMap<String, Read>,
    /// The names that are read when something is called that the cell defines,
    /// and the line of the first such read.
    pub(crate) read_later: BTreeMap<String, usize>,
    /// For each name that the cell binds to a function or class, or to something
    /// with a lambda in it, the names that are read once it is called.
    pub(crate) needs: BTreeMap<String, BTreeSet<String>>,
    /// Whether names come from `import *`.
    pub(crate) has_star_import: bool,
}

/// The first read of a name that decides where it has to come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    /// The line.
    pub(crate) line: usize,
    /// Whether the cell has bound it by then.
    pub(crate) is_bound: bool,
}

/// Says what a cell does with names. Fails if it is not Python; what Python
/// finds wrong only when it compiles the cell is no reason to.
pub(crate) fn usage(code: &str) -> Result<Usage, PythonError> {
    with_syntax(code, |tree, _| {
        let breaks = code.match_indices('\n').map(|(at, _)| at).collect();
        let mut reader =
            Reader { breaks, res: Usage::default(), frames: Vec::new(), later: BTreeSet::new() };
        reader.visit_body(&tree.body);
        Ok(reader.res)
    })
}

/// A scope inside the module.
enum Frame<'a> {
    Function(Declarations<'a>),
    /// With what it has bound so far.
    Class(BTreeSet<&'a str>),
    /// A comprehension or type parameters, which run at once.
    Inline(BTreeSet<&'a str>),
}

struct Reader<'a> {
    breaks: Vec<usize>,
    res: Usage,
    frames: Vec<Frame<'a>>,
    /// What is read later by the statement that is being visited.
    later: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    fn line(&self, node: &impl Ranged) -> usize {
        1 + self.breaks.partition_point(|at| *at < range(node).start)
    }

    fn read(&mut self, name: &str, line: usize) {
        let mut is_later = false;
        for (depth, frame) in self.frames.iter().rev().enumerate() {
            let is_local = match frame {
                Frame::Function(it) => {
                    is_later = true;
                    it.binds(name) == Some(true)
                }
                // The names of a class are not seen by its methods.
                Frame::Class(bound) => depth == 0 && bound.contains(name),
                Frame::Inline(bound) => bound.contains(name),
            };
            if is_local {
                return;
            }
        }
        if is_later {
            self.later.insert(name.to_owned());
            self.res.read_later.entry(name.to_owned()).or_insert(line);
            return;
        }
        let is_bound = self.res.bound.contains_key(name);
        let read = self.res.read.entry(name.to_owned()).or_insert(Read { line, is_bound });
        if read.is_bound && !is_bound {
            *read = Read { line, is_bound };
        }
    }

    fn bind(&mut self, name: &'a str, line: usize) {
        for frame in self.frames.iter_mut().rev() {
            match frame {
                // What `:=` binds in a comprehension is bound around it.
                Frame::Inline(_) => {}
                Frame::Class(bound) => {
                    bound.insert(name);
                    return;
                }
                Frame::Function(it) if it.binds(name) == Some(true) => return,
                // Declared global.
                Frame::Function(_) => break,
            }
        }
        self.res.bound.entry(name.to_owned()).or_insert(line);
    }

    fn bind_identifier(&mut self, it: &'a ast::Identifier) {
        let line = self.line(it);
        self.bind(it.as_str(), line);
    }

    /// Visits a statement that binds names, and remembers what they need when
    /// they are called.
    fn binding(&mut self, names: &[&'a str], visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::take(&mut self.later);
        visit(self);
        let later = std::mem::replace(&mut self.later, outer);
        if self.frames.is_empty() && !later.is_empty() {
            for name in names {
                self.res.needs.entry((*name).to_owned()).or_default().extend(later.clone());
            }
        }
        self.later.extend(later);
    }

    fn function(&mut self, it: &'a ast::StmtFunctionDef) {
        it.decorator_list.iter().for_each(|it| self.visit_decorator(it));
        let has_type_params = self.enter_type_params(it.type_params.as_deref());
        visit_outer_parameters(self, &it.parameters);
        if let Some(returns) = &it.returns {
            self.visit_expr(returns);
        }
        self.frames.push(Frame::Function(Declarations::of(Some(&it.parameters), &it.body)));
        self.visit_body(&it.body);
        self.frames.pop();
        if has_type_params {
            self.frames.pop();
        }
        self.bind_identifier(&it.name);
    }

    fn class(&mut self, it: &'a ast::StmtClassDef) {
        it.decorator_list.iter().for_each(|it| self.visit_decorator(it));
        let has_type_params = self.enter_type_params(it.type_params.as_deref());
        if let Some(arguments) = &it.arguments {
            self.visit_arguments(arguments);
        }
        self.frames.push(Frame::Class(BTreeSet::new()));
        self.visit_body(&it.body);
        self.frames.pop();
        if has_type_params {
            self.frames.pop();
        }
        self.bind_identifier(&it.name);
    }

    fn enter_type_params(&mut self, it: Option<&'a ast::TypeParams>) -> bool {
        let Some(it) = it else { return false };
        let names = it.iter().map(|it| it.name().as_str()).collect();
        self.frames.push(Frame::Inline(names));
        true
    }

    fn lambda(&mut self, it: &'a ast::ExprLambda) {
        let parameters = it.parameters.as_deref();
        if let Some(parameters) = parameters {
            visit_outer_parameters(self, parameters);
        }
        self.frames.push(Frame::Function(Declarations::of(parameters, &[])));
        self.visit_expr(&it.body);
        self.frames.pop();
    }

    fn comprehension(&mut self, it: &Comprehension<'a>) {
        let Comprehension { elements, generators } = it;
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        let mut targets = Targets::default();
        for it in *generators {
            targets.visit_expr(&it.target);
        }
        self.frames.push(Frame::Inline(targets.0));
        for (idx, it) in generators.iter().enumerate() {
            if 0 < idx {
                self.visit_expr(&it.iter);
            }
            it.ifs.iter().for_each(|it| self.visit_expr(it));
        }
        for it in elements.iter().flatten() {
            self.visit_expr(it);
        }
        self.frames.pop();
    }
}

impl<'a> Visitor<'a> for Reader<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(it) => self.binding(&[&it.name], |reader| reader.function(it)),
            Stmt::ClassDef(it) => self.binding(&[&it.name], |reader| reader.class(it)),
            Stmt::Assign(it) => {
                let mut targets = Targets::default();
                it.targets.iter().for_each(|it| targets.visit_expr(it));
                let names: Vec<&str> = targets.0.into_iter().collect();
                self.binding(&names, |reader| walk_stmt(reader, stmt));
            }
            Stmt::AugAssign(it) => {
                if let Expr::Name(target) = &*it.target {
                    self.read(&target.id, self.line(target));
                }
                walk_stmt(self, stmt);
            }
            Stmt::AnnAssign(it) => {
                if let Some(value) = &it.value {
                    self.visit_expr(value);
                }
                self.visit_expr(&it.annotation);
                // Without a value nothing is bound.
                if it.value.is_some() || !it.target.is_name_expr() {
                    self.visit_expr(&it.target);
                }
            }
            Stmt::Import(it) => {
                for alias in &it.names {
                    let line = self.line(alias);
                    let name = alias.asname.as_ref().map_or_else(
                        || alias.name.split('.').next().unwrap_or_default(),
                        ast::Identifier::as_str,
                    );
                    self.bind(name, line);
                }
            }
            Stmt::ImportFrom(it) => {
                for alias in &it.names {
                    if alias.name.as_str() == "*" {
                        self.res.has_star_import = true;
                    } else {
                        self.bind_identifier(alias.asname.as_ref().unwrap_or(&alias.name));
                    }
                }
            }
            Stmt::TypeAlias(it) => {
                // The value is evaluated when somebody asks for it.
                self.visit_expr(&it.name);
            }
            stmt => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(it) => {
                let line = self.line(it);
                match it.ctx {
                    ExprContext::Store => self.bind(&it.id, line),
                    ExprContext::Load | ExprContext::Del | ExprContext::Invalid => {
                        self.read(&it.id, line);
                    }
                }
            }
            Expr::Lambda(it) => self.lambda(it),
            expr => match comprehension(expr) {
                Some(it) => self.comprehension(&it),
                None => walk_expr(self, expr),
            },
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ast::ExceptHandler) {
        let ast::ExceptHandler::ExceptHandler(it) = handler;
        if let Some(name) = &it.name {
            self.bind_identifier(name);
        }
        walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        if let Some(name) = captured(pattern) {
            self.bind_identifier(name);
        }
        walk_pattern(self, pattern);
    }
}

/// The names that a target binds.
#[derive(Default)]
struct Targets<'a>(BTreeSet<&'a str>);

impl<'a> Visitor<'a> for Targets<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(it) if it.ctx == ExprContext::Store => {
                self.0.insert(&it.id);
            }
            expr => walk_expr(self, expr),
        }
    }
}
