//! Expressions as Python's `ast.unparse` writes them.
//!
//! marimo writes the annotations of variables this way. The layout is that of
//! `CPython` 3.11. f- and t-strings, which have no business in an annotation,
//! are written as they stand in the text.

mod constant;

use ruff_python_ast::{self as ast, Expr, UnaryOp};
use ruff_text_size::{Ranged, TextSize};

use super::range;

/// How tightly an expression binds, loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Named,
    Tuple,
    Yield,
    Test,
    Or,
    And,
    Not,
    Compare,
    BitOr,
    BitXor,
    BitAnd,
    Shift,
    Arithmetic,
    Term,
    Factor,
    Power,
    Await,
    Atom,
}

impl Level {
    fn next(self) -> Self {
        match self {
            Self::Named => Self::Tuple,
            Self::Tuple => Self::Yield,
            Self::Yield => Self::Test,
            Self::Test => Self::Or,
            Self::Or => Self::And,
            Self::And => Self::Not,
            Self::Not => Self::Compare,
            Self::Compare => Self::BitOr,
            Self::BitOr => Self::BitXor,
            Self::BitXor => Self::BitAnd,
            Self::BitAnd => Self::Shift,
            Self::Shift => Self::Arithmetic,
            Self::Arithmetic => Self::Term,
            Self::Term => Self::Factor,
            Self::Factor => Self::Power,
            Self::Power => Self::Await,
            Self::Await | Self::Atom => Self::Atom,
        }
    }
}

/// Returns an expression as `ast.unparse` writes it.
///
/// `rename` gives the name that a name at an offset has to be replaced by.
pub(super) fn unparse<'a>(
    text: &str,
    expr: &Expr,
    rename: &dyn Fn(TextSize) -> Option<&'a str>,
) -> String {
    let mut printer = Printer { text, rename, out: String::new() };
    printer.expr(expr, Level::Test);
    printer.out
}

struct Printer<'t, 'r, 'n> {
    text: &'t str,
    rename: &'r dyn Fn(TextSize) -> Option<&'n str>,
    out: String,
}

impl Printer<'_, '_, '_> {
    /// Writes an expression in a place that asks for one that binds at least
    /// as tightly as `level`.
    fn expr(&mut self, expr: &Expr, level: Level) {
        let own = own_level(expr);
        // Tuples and named expressions are the exception: in a place without
        // demands, they get parentheses too.
        let parenthesize = own < level;
        if parenthesize {
            self.out.push('(');
        }
        self.bare(expr, own);
        if parenthesize {
            self.out.push(')');
        }
    }

    fn bare(&mut self, expr: &Expr, own: Level) {
        match expr {
            Expr::Name(it) => {
                let name = (self.rename)(it.start()).unwrap_or(&it.id);
                self.out.push_str(name);
            }
            Expr::Attribute(it) => self.attribute(it),
            Expr::Subscript(it) => self.subscript(it),
            Expr::Call(it) => self.call(it),
            Expr::BinOp(it) => {
                let is_power = it.op == ast::Operator::Pow;
                self.expr(&it.left, if is_power { own.next() } else { own });
                self.out.push(' ');
                self.out.push_str(it.op.as_str());
                self.out.push(' ');
                self.expr(&it.right, if is_power { own } else { own.next() });
            }
            Expr::BoolOp(it) => {
                // `ast.unparse` asks more of every further operand.
                let mut level = own;
                for (idx, value) in it.values.iter().enumerate() {
                    if 0 < idx {
                        self.out.push(' ');
                        self.out.push_str(it.op.as_str());
                        self.out.push(' ');
                    }
                    level = level.next();
                    self.expr(value, level);
                }
            }
            Expr::UnaryOp(it) => {
                self.out.push_str(it.op.as_str());
                if it.op == UnaryOp::Not {
                    self.out.push(' ');
                }
                self.expr(&it.operand, own);
            }
            Expr::Compare(it) => {
                self.expr(&it.left, own.next());
                for (op, comparator) in it.ops.iter().zip(&it.comparators) {
                    self.out.push(' ');
                    self.out.push_str(op.as_str());
                    self.out.push(' ');
                    self.expr(comparator, own.next());
                }
            }
            Expr::Named(it) => {
                self.expr(&it.target, Level::Atom);
                self.out.push_str(" := ");
                self.expr(&it.value, Level::Atom);
            }
            Expr::Lambda(it) => {
                self.out.push_str("lambda");
                if let Some(parameters) = it.parameters.as_ref().filter(|it| !it.is_empty()) {
                    self.out.push(' ');
                    self.parameters(parameters);
                }
                self.out.push_str(": ");
                self.expr(&it.body, Level::Test);
            }
            Expr::If(it) => {
                self.expr(&it.body, own.next());
                self.out.push_str(" if ");
                self.expr(&it.test, own.next());
                self.out.push_str(" else ");
                self.expr(&it.orelse, own);
            }
            Expr::Dict(it) => self.dict(it),
            Expr::Set(it) => self.delimited('{', &it.elts, '}'),
            Expr::List(it) => self.delimited('[', &it.elts, ']'),
            Expr::Tuple(it) if it.is_empty() => self.out.push_str("()"),
            Expr::Tuple(it) => self.items(&it.elts),
            Expr::ListComp(it) => self.comprehension('[', &it.elt, &it.generators, ']'),
            Expr::SetComp(it) => self.comprehension('{', &it.elt, &it.generators, '}'),
            Expr::Generator(it) => self.comprehension('(', &it.elt, &it.generators, ')'),
            Expr::DictComp(it) => {
                self.out.push('{');
                match &it.key {
                    Some(key) => {
                        self.expr(key, Level::Test);
                        self.out.push_str(": ");
                    }
                    None => self.out.push_str("**"),
                }
                self.expr(&it.value, Level::Test);
                self.generators(&it.generators);
                self.out.push('}');
            }
            Expr::Await(it) => {
                self.out.push_str("await ");
                self.expr(&it.value, Level::Atom);
            }
            Expr::Yield(it) => {
                self.out.push_str("yield");
                if let Some(value) = &it.value {
                    self.out.push(' ');
                    self.expr(value, Level::Atom);
                }
            }
            Expr::YieldFrom(it) => {
                self.out.push_str("yield from ");
                self.expr(&it.value, Level::Atom);
            }
            Expr::Starred(it) => {
                self.out.push('*');
                self.expr(&it.value, Level::BitOr);
            }
            Expr::Slice(it) => self.slice(it),
            Expr::StringLiteral(it) => {
                if it.value.is_unicode() {
                    self.out.push('u');
                }
                constant::string(it.value.to_str(), &mut self.out);
            }
            Expr::BytesLiteral(it) => constant::bytes(it.value.bytes(), &mut self.out),
            Expr::NumberLiteral(it) => constant::number(&it.value, &mut self.out),
            Expr::BooleanLiteral(it) => self.out.push_str(if it.value { "True" } else { "False" }),
            Expr::NoneLiteral(_) => self.out.push_str("None"),
            Expr::EllipsisLiteral(_) => self.out.push_str("..."),
            Expr::FString(_) | Expr::TString(_) | Expr::IpyEscapeCommand(_) => {
                self.out.push_str(&self.text[range(expr)]);
            }
        }
    }

    fn attribute(&mut self, it: &ast::ExprAttribute) {
        self.expr(&it.value, Level::Atom);
        let value = it.value.as_number_literal_expr().map(|it| &it.value);
        if matches!(value, Some(ast::Number::Int(_))) || it.value.is_boolean_literal_expr() {
            // `3.real` would be a number.
            self.out.push(' ');
        }
        self.out.push('.');
        self.out.push_str(&it.attr);
    }

    fn subscript(&mut self, it: &ast::ExprSubscript) {
        self.expr(&it.value, Level::Atom);
        self.out.push('[');
        match &*it.slice {
            Expr::Tuple(slice) if !slice.is_empty() => self.items(&slice.elts),
            slice => self.expr(slice, Level::Test),
        }
        self.out.push(']');
    }

    fn call(&mut self, it: &ast::ExprCall) {
        self.expr(&it.func, Level::Atom);
        self.out.push('(');
        let mut is_first = true;
        for arg in &it.arguments.args {
            self.comma(&mut is_first);
            self.expr(arg, Level::Test);
        }
        for keyword in &it.arguments.keywords {
            self.comma(&mut is_first);
            match &keyword.arg {
                Some(name) => {
                    self.out.push_str(name);
                    self.out.push('=');
                }
                None => self.out.push_str("**"),
            }
            self.expr(&keyword.value, Level::Test);
        }
        self.out.push(')');
    }

    fn dict(&mut self, it: &ast::ExprDict) {
        self.out.push('{');
        let mut is_first = true;
        for item in it {
            self.comma(&mut is_first);
            if let Some(key) = &item.key {
                self.expr(key, Level::Test);
                self.out.push_str(": ");
                self.expr(&item.value, Level::Test);
            } else {
                self.out.push_str("**");
                self.expr(&item.value, Level::BitOr);
            }
        }
        self.out.push('}');
    }

    fn slice(&mut self, it: &ast::ExprSlice) {
        if let Some(lower) = &it.lower {
            self.expr(lower, Level::Test);
        }
        self.out.push(':');
        if let Some(upper) = &it.upper {
            self.expr(upper, Level::Test);
        }
        if let Some(step) = &it.step {
            self.out.push(':');
            self.expr(step, Level::Test);
        }
    }

    fn delimited(&mut self, open: char, items: &[Expr], close: char) {
        self.out.push(open);
        let mut is_first = true;
        for item in items {
            self.comma(&mut is_first);
            self.expr(item, Level::Test);
        }
        self.out.push(close);
    }

    /// Writes the items of a tuple, without parentheses.
    fn items(&mut self, items: &[Expr]) {
        let mut is_first = true;
        for item in items {
            self.comma(&mut is_first);
            self.expr(item, Level::Test);
        }
        if items.len() == 1 {
            self.out.push(',');
        }
    }

    fn comma(&mut self, is_first: &mut bool) {
        if !std::mem::take(is_first) {
            self.out.push_str(", ");
        }
    }

    fn comprehension(&mut self, open: char, elt: &Expr, it: &[ast::Comprehension], close: char) {
        self.out.push(open);
        self.expr(elt, Level::Test);
        self.generators(it);
        self.out.push(close);
    }

    fn generators(&mut self, generators: &[ast::Comprehension]) {
        for it in generators {
            self.out.push_str(if it.is_async { " async for " } else { " for " });
            self.expr(&it.target, Level::Tuple);
            self.out.push_str(" in ");
            self.expr(&it.iter, Level::Or);
            for test in &it.ifs {
                self.out.push_str(" if ");
                self.expr(test, Level::Or);
            }
        }
    }

    fn parameters(&mut self, it: &ast::Parameters) {
        let mut is_first = true;
        for parameter in &it.posonlyargs {
            self.comma(&mut is_first);
            self.parameter(parameter);
        }
        if !it.posonlyargs.is_empty() {
            self.out.push_str(", /");
        }
        for parameter in &it.args {
            self.comma(&mut is_first);
            self.parameter(parameter);
        }
        if it.vararg.is_some() || !it.kwonlyargs.is_empty() {
            self.comma(&mut is_first);
            self.out.push('*');
            if let Some(parameter) = &it.vararg {
                self.out.push_str(&parameter.name);
            }
        }
        for parameter in &it.kwonlyargs {
            self.comma(&mut is_first);
            self.parameter(parameter);
        }
        if let Some(parameter) = &it.kwarg {
            self.comma(&mut is_first);
            self.out.push_str("**");
            self.out.push_str(&parameter.name);
        }
    }

    /// Writes a parameter of a lambda, which has no annotation.
    fn parameter(&mut self, it: &ast::ParameterWithDefault) {
        self.out.push_str(&it.parameter.name);
        if let Some(default) = it.default() {
            self.out.push('=');
            self.expr(default, Level::Test);
        }
    }
}

/// Returns how tightly an expression binds.
fn own_level(expr: &Expr) -> Level {
    match expr {
        Expr::Named(_) => Level::Named,
        Expr::Tuple(it) if !it.is_empty() => Level::Tuple,
        Expr::Yield(_) | Expr::YieldFrom(_) => Level::Yield,
        Expr::If(_) | Expr::Lambda(_) => Level::Test,
        Expr::BoolOp(it) => match it.op {
            ast::BoolOp::Or => Level::Or,
            ast::BoolOp::And => Level::And,
        },
        Expr::UnaryOp(it) if it.op == UnaryOp::Not => Level::Not,
        Expr::UnaryOp(_) => Level::Factor,
        Expr::Compare(_) => Level::Compare,
        Expr::BinOp(it) => match it.op {
            ast::Operator::BitOr => Level::BitOr,
            ast::Operator::BitXor => Level::BitXor,
            ast::Operator::BitAnd => Level::BitAnd,
            ast::Operator::LShift | ast::Operator::RShift => Level::Shift,
            ast::Operator::Add | ast::Operator::Sub => Level::Arithmetic,
            ast::Operator::Mult
            | ast::Operator::MatMult
            | ast::Operator::Div
            | ast::Operator::Mod
            | ast::Operator::FloorDiv => Level::Term,
            ast::Operator::Pow => Level::Power,
        },
        Expr::Await(_) => Level::Await,
        _ => Level::Atom,
    }
}
