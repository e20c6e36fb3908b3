//! Parts of a syntax tree that several visitors take in an order of their own.

use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{self as ast, Expr};

/// What a comprehension or a generator is made of.
pub(super) struct Comprehension<'a> {
    /// What is evaluated for each item: the element, or key and value.
    pub(super) elements: [Option<&'a Expr>; 2],
    /// The `for` clauses. What the first iterates over belongs to the scope outside.
    pub(super) generators: &'a [ast::Comprehension],
}

/// Returns what a comprehension or generator is made of, if an expression is one.
pub(super) fn comprehension(expr: &Expr) -> Option<Comprehension<'_>> {
    let (elements, generators) = match expr {
        Expr::ListComp(it) => ([Some(&*it.elt), None], &it.generators),
        Expr::SetComp(it) => ([Some(&*it.elt), None], &it.generators),
        Expr::Generator(it) => ([Some(&*it.elt), None], &it.generators),
        Expr::DictComp(it) => ([it.key.as_deref(), Some(&*it.value)], &it.generators),
        _ => return None,
    };
    Some(Comprehension { elements, generators })
}

/// Visits what of a signature is evaluated when the function is defined.
pub(super) fn visit_outer_parameters<'a>(visitor: &mut impl Visitor<'a>, it: &'a ast::Parameters) {
    for parameter in it {
        if let Some(default) = parameter.default() {
            visitor.visit_expr(default);
        }
        if let Some(annotation) = parameter.annotation() {
            visitor.visit_annotation(annotation);
        }
    }
}

/// Returns the name that a pattern binds, without those of the patterns in it.
pub(super) fn captured(pattern: &ast::Pattern) -> Option<&ast::Identifier> {
    match pattern {
        ast::Pattern::MatchAs(it) => it.name.as_ref(),
        ast::Pattern::MatchStar(it) => it.name.as_ref(),
        ast::Pattern::MatchMapping(it) => it.rest.as_ref(),
        _ => None,
    }
}
