//! Expressions, as far as the formats read them.

use std::ops::Range;

use ruff_python_ast::{Expr, ExprCall, Number};
use ruff_text_size::Ranged;

use super::range;
use super::statement::{shift, shift_all};

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A constant, or a list of them.
    Literal(Literal),
    /// A call.
    Call(Call),
    /// Anything else.
    Other,
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    /// A string that is no f-string; parts that stand side by side are joined.
    Str(StringConstant),
    /// A whole number.
    Int(i64),
    /// A number with a point or an exponent.
    Float(f64),
    /// `True` or `False`.
    Bool(bool),
    /// `None`.
    None,
    /// A list. Elements that aren't constants are [`Literal::Other`].
    List(Vec<Literal>),
    /// A constant of a kind that no format has a use for (bytes, `...`,
    /// complex and very large numbers), as it is written.
    Constant(String),
    /// Not a constant.
    Other,
}

impl Literal {
    pub(super) fn shift(&mut self, by: usize) {
        match self {
            Self::Str(it) => shift_all(&mut it.parts, by),
            Self::List(items) => items.iter_mut().for_each(|it| it.shift(by)),
            Self::Int(_)
            | Self::Float(_)
            | Self::Bool(_)
            | Self::None
            | Self::Constant(_)
            | Self::Other => {}
        }
    }

    /// Returns the text of a string constant.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(string) => Some(&string.value),
            _ => None,
        }
    }
}

/// A string constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StringConstant {
    /// What it stands for, escapes decoded.
    ///
    /// A lone surrogate, which Rust can't hold, is U+FFFD.
    pub(crate) value: String,
    /// Where its parts stand, each from prefix to closing quotes.
    pub(crate) parts: Vec<Range<usize>>,
}

/// A name, possibly with attributes: `app`, `marimo.App`, `f().x`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// The name that it starts with, or `None` if that is no name.
    pub(crate) root: Option<String>,
    /// The attributes, in order.
    pub(crate) attributes: Vec<String>,
}

impl Path {
    /// Whether the path is `root.attribute`, and nothing more.
    pub(crate) fn is(&self, root: &str, attribute: &str) -> bool {
        self.root.as_deref() == Some(root) && self.attributes == [attribute]
    }
}

/// A call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// What is called.
    pub(crate) callee: Path,
    /// The positional arguments. A starred one is [`Literal::Other`].
    pub(crate) args: Vec<Literal>,
    /// The keyword arguments.
    pub(crate) keywords: Vec<Keyword>,
    /// From the callee to the closing parenthesis.
    pub(crate) range: Range<usize>,
}

impl Call {
    pub(super) fn shift(&mut self, by: usize) {
        shift(&mut self.range, by);
        self.args.iter_mut().for_each(|it| it.shift(by));
        for keyword in &mut self.keywords {
            keyword.value.shift(by);
            keyword.unexpected.iter_mut().for_each(|it| *it += by);
        }
    }
}

/// A keyword argument.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Keyword {
    /// Its name, or `None` for `**value`.
    pub(crate) name: Option<String>,
    /// Its value.
    pub(crate) value: Literal,
    /// Where something stands that is neither a constant nor a list of them:
    /// the argument, or elements of the list.
    pub(crate) unexpected: Vec<usize>,
}

pub(super) fn value(text: &str, expr: &Expr) -> Value {
    match expr {
        Expr::Call(it) => Value::Call(call(text, it)),
        _ => match literal(text, expr) {
            Literal::Other => Value::Other,
            it => Value::Literal(it),
        },
    }
}

pub(super) fn call(text: &str, call: &ExprCall) -> Call {
    let keyword = |it: &ruff_python_ast::Keyword| {
        let value = literal(text, &it.value);
        let unexpected = match (&it.value, &value) {
            (Expr::List(list), Literal::List(items)) if it.arg.is_some() => {
                let others = list.elts.iter().zip(items);
                let others = others.filter(|(_, item)| **item == Literal::Other);
                others.map(|(element, _)| element.start().to_usize()).collect()
            }
            (_, Literal::Other) => vec![it.start().to_usize()],
            _ if it.arg.is_none() => vec![it.start().to_usize()],
            _ => Vec::new(),
        };
        Keyword { name: it.arg.as_ref().map(ToString::to_string), value, unexpected }
    };
    Call {
        callee: path(&call.func),
        args: call.arguments.args.iter().map(|it| literal(text, it)).collect(),
        keywords: call.arguments.keywords.iter().map(keyword).collect(),
        range: range(call),
    }
}

pub(super) fn path(expr: &Expr) -> Path {
    let mut attributes = Vec::new();
    let mut expr = expr;
    while let Expr::Attribute(it) = expr {
        attributes.push(it.attr.to_string());
        expr = &it.value;
    }
    attributes.reverse();
    Path { root: expr.as_name_expr().map(|it| it.id.to_string()), attributes }
}

pub(super) fn literal(text: &str, expr: &Expr) -> Literal {
    match expr {
        Expr::StringLiteral(it) => Literal::Str(StringConstant {
            value: it.value.to_str().to_owned(),
            parts: it.value.iter().map(range).collect(),
        }),
        Expr::NumberLiteral(it) => match &it.value {
            Number::Int(int) => int.as_i64().map_or_else(|| as_written(text, expr), Literal::Int),
            Number::Float(float) => Literal::Float(*float),
            Number::Complex { .. } => as_written(text, expr),
        },
        Expr::BooleanLiteral(it) => Literal::Bool(it.value),
        Expr::NoneLiteral(_) => Literal::None,
        Expr::BytesLiteral(_) | Expr::EllipsisLiteral(_) => as_written(text, expr),
        // Lists in lists aren't followed: nothing has a use for them.
        Expr::List(it) => Literal::List(
            it.elts
                .iter()
                .map(|it| if it.is_list_expr() { Literal::Other } else { literal(text, it) })
                .collect(),
        ),
        _ => Literal::Other,
    }
}

fn as_written(text: &str, expr: &Expr) -> Literal {
    Literal::Constant(text[range(expr)].to_owned())
}
