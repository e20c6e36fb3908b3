//! Expressions of a cell.

use ruff_python_ast::{self as ast, Expr, ExprContext};
use ruff_text_size::Ranged as _;

use super::VariableKind;
use super::blocks::{Binding, BlockKind};
use super::names::Name;
use super::visitor::Visitor;

impl Visitor<'_> {
    pub(super) fn exprs(&mut self, exprs: &[Expr]) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    pub(super) fn maybe_expr(&mut self, expr: Option<&Expr>) {
        if let Some(expr) = expr {
            self.expr(expr);
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Name(it) => self.name(it),
            Expr::Attribute(it) => self.expr(&it.value),
            Expr::Call(it) => self.call(it),
            Expr::BinOp(it) => {
                self.expr(&it.left);
                self.expr(&it.right);
            }
            Expr::BoolOp(it) => self.exprs(&it.values),
            Expr::Named(it) => self.named(it),
            Expr::UnaryOp(it) => self.expr(&it.operand),
            Expr::Lambda(it) => self.lambda(it),
            Expr::If(it) => {
                self.expr(&it.test);
                self.expr(&it.body);
                self.expr(&it.orelse);
            }
            Expr::Dict(it) => {
                it.iter_keys().for_each(|key| self.maybe_expr(key));
                it.iter_values().for_each(|value| self.expr(value));
            }
            Expr::Set(it) => self.exprs(&it.elts),
            Expr::ListComp(it) => self.comprehension(&it.generators, &[&it.elt]),
            Expr::SetComp(it) => self.comprehension(&it.generators, &[&it.elt]),
            Expr::Generator(it) => self.comprehension(&it.generators, &[&it.elt]),
            Expr::DictComp(it) => match &it.key {
                Some(key) => self.comprehension(&it.generators, &[&it.value, key]),
                None => self.comprehension(&it.generators, &[&it.value]),
            },
            Expr::Await(it) => self.expr(&it.value),
            Expr::Yield(it) => self.maybe_expr(it.value.as_deref()),
            Expr::YieldFrom(it) => self.expr(&it.value),
            Expr::Compare(it) => {
                self.expr(&it.left);
                self.exprs(&it.comparators);
            }
            Expr::FString(it) => {
                for part in it.value.f_strings() {
                    self.elements(&part.elements);
                }
            }
            Expr::TString(it) => {
                for part in &it.value {
                    self.elements(&part.elements);
                }
            }
            Expr::Subscript(it) => {
                self.expr(&it.value);
                self.expr(&it.slice);
            }
            Expr::Starred(it) => self.expr(&it.value),
            Expr::List(it) => self.exprs(&it.elts),
            Expr::Tuple(it) => self.exprs(&it.elts),
            Expr::Slice(it) => {
                self.maybe_expr(it.lower.as_deref());
                self.maybe_expr(it.upper.as_deref());
                self.maybe_expr(it.step.as_deref());
            }
            Expr::StringLiteral(_)
            | Expr::BytesLiteral(_)
            | Expr::NumberLiteral(_)
            | Expr::BooleanLiteral(_)
            | Expr::NoneLiteral(_)
            | Expr::EllipsisLiteral(_)
            | Expr::IpyEscapeCommand(_) => (),
        }
    }

    fn elements(&mut self, elements: &ast::InterpolatedStringElements) {
        for element in elements.interpolations() {
            self.expr(&element.expression);
            if let Some(spec) = &element.format_spec {
                self.elements(&spec.elements);
            }
        }
    }

    fn call(&mut self, it: &ast::ExprCall) {
        self.shared.is_sql |= is_sql(it);
        self.expr(&it.func);
        self.exprs(&it.arguments.args);
        for keyword in &it.arguments.keywords {
            self.expr(&keyword.value);
        }
    }

    fn lambda(&mut self, it: &ast::ExprLambda) {
        let name = self.shared.names.name("_lambda");
        self.blocks.require(name);
        self.blocks.push(BlockKind::Function);
        if let Some(parameters) = &it.parameters {
            self.parameters(parameters);
        }
        self.expr(&it.body);
        self.blocks.pop();
    }

    pub(super) fn parameters(&mut self, it: &ast::Parameters) {
        for parameter in it.kwonlyargs.iter().chain(&it.posonlyargs).chain(&it.args) {
            self.maybe_expr(parameter.default());
        }
        let names = it.posonlyargs.iter().chain(&it.args).chain(&it.kwonlyargs);
        let names = names.map(|it| &it.parameter);
        for parameter in names.chain(it.vararg.as_deref()).chain(it.kwarg.as_deref()) {
            let name = self.shared.names.name(&parameter.name);
            let name = self.if_private_then_mangle(name);
            self.blocks.define(name, Binding::new(VariableKind::Variable));
            self.maybe_expr(parameter.annotation());
        }
    }

    fn comprehension(&mut self, generators: &[ast::Comprehension], elements: &[&Expr]) {
        self.blocks.push(BlockKind::Comprehension);
        for generator in generators {
            self.expr(&generator.iter);
            self.expr(&generator.target);
            self.exprs(&generator.ifs);
        }
        for element in elements {
            self.expr(element);
        }
        self.blocks.pop();
    }

    fn named(&mut self, it: &ast::ExprNamed) {
        self.expr(&it.value);
        match &*it.target {
            Expr::Name(target) if self.blocks.kind() == BlockKind::Comprehension => {
                let name = self.shared.names.name(&target.id);
                self.blocks.define_outside_comprehension(&mut self.shared.names, name);
            }
            target => self.expr(target),
        }
    }

    fn name(&mut self, it: &ast::ExprName) {
        let mut name = self.shared.names.name(&it.id);
        if self.obscured.contains(&Some(name)) {
            return;
        }
        if it.ctx == ExprContext::Store {
            let seen = self.if_private_then_mangle(name);
            if seen != name {
                self.mangled.insert(it.start(), seen);
            }
            let name = seen;
            let mut binding = Binding::new(VariableKind::Variable);
            binding.required = self.blocks.current_refs();
            self.blocks.define(name, binding);
            return;
        }
        if self.shared.names.is_private(name) {
            let seen = self.private_name(name);
            if seen != name {
                self.mangled.insert(it.start(), seen);
            }
            name = seen;
        } else if !self.blocks.is_defined(name) {
            self.blocks.add_ref(name, it.ctx == ExprContext::Del);
        }
        if it.ctx == ExprContext::Load
            && self.blocks.is_defined(name)
            && !self.blocks.is_required(name)
            && !self.blocks.is_inner_def(name)
        {
            self.blocks.require(name);
        }
    }

    /// Returns the name that reading or deleting a private name refers to.
    fn private_name(&mut self, name: Name) -> Name {
        if self.blocks.is_inner_def(name) {
            return name;
        }
        let mangled = self.shared.names.mangle(name);
        // What was imported without an alias has kept its name.
        if self.blocks.is_module_def(mangled) || !self.blocks.is_module_def(name) {
            mangled
        } else {
            name
        }
    }
}

/// Whether a call is one that marimo takes for SQL.
fn is_sql(call: &ast::ExprCall) -> bool {
    let Expr::Attribute(func) = &*call.func else {
        return false;
    };
    let Expr::Name(module) = &*func.value else {
        return false;
    };
    let callee = (module.id.as_str(), func.attr.as_str());
    let callees = [("marimo", "sql"), ("mo", "sql"), ("duckdb", "execute"), ("duckdb", "sql")];
    callees.contains(&callee) && call.arguments.args.len() == 1
}
