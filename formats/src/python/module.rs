//! Reads the top-level statements of a text.

use std::ops::Range;

use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextSize};

use super::value::{call, literal, path, value};
use super::{
    Body, Decorator, Definition, DefinitionKind, Import, Literal, Module, PythonError, Statement,
    StatementKind, With, WithItem, range, with_syntax,
};

/// Parses a text and returns its top-level statements.
///
/// Fails on syntax errors only, as Python's `ast.parse` does; `return` outside
/// of a function, for example, is not one.
pub(crate) fn parse_module(text: &str) -> Result<Module, PythonError> {
    with_syntax(text, |tree, tokens| {
        let reader = Reader { text, tokens };
        let comments = tokens.iter().filter(|it| it.kind() == TokenKind::Comment);
        Ok(Module {
            statements: tree.body.iter().map(|it| reader.statement(it)).collect(),
            comments: comments.map(range).collect(),
        })
    })
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a Tokens,
}

impl Reader<'_> {
    fn statement(&self, stmt: &Stmt) -> Statement {
        let mut range = range(stmt);
        let is_compound =
            matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_) | Stmt::With(_) | Stmt::If(_));
        if is_compound {
            range.end = self.with_semicolon(range.end);
        }
        Statement { range, kind: self.kind(stmt) }
    }

    fn kind(&self, stmt: &Stmt) -> StatementKind {
        match stmt {
            Stmt::Expr(it) => match &*it.value {
                Expr::Call(it) => StatementKind::Call(call(self.text, it)),
                expr => match literal(self.text, expr) {
                    Literal::Str(string) => StatementKind::StringConstant(string),
                    _ => StatementKind::Other,
                },
            },
            Stmt::Import(it) => StatementKind::Import(it.names.iter().map(import).collect()),
            Stmt::Assign(it) => match it.targets.as_slice() {
                [Expr::Name(name)] => StatementKind::Assign {
                    name: name.id.to_string(),
                    value: value(self.text, &it.value),
                },
                _ => StatementKind::Other,
            },
            Stmt::FunctionDef(it) => StatementKind::Definition(self.function(it)),
            Stmt::ClassDef(it) => StatementKind::Definition(self.class(it)),
            Stmt::With(it) => StatementKind::With(self.with(it)),
            Stmt::If(it) => StatementKind::If { compares_name: compares_name(&it.test) },
            _ => StatementKind::Other,
        }
    }

    fn function(&self, it: &ast::StmtFunctionDef) -> Definition {
        let kind =
            if it.is_async { DefinitionKind::AsyncFunction } else { DefinitionKind::Function };
        let signature_end = it.returns.as_ref().map_or(it.parameters.end(), |it| it.end());
        let res = self.definition(
            kind,
            &it.name,
            &it.decorator_list,
            it.start(),
            signature_end,
            &it.body,
        );
        let parameters = it.parameters.iter_non_variadic_params();
        Definition { parameters: parameters.map(|it| it.name().to_string()).collect(), ..res }
    }

    fn class(&self, it: &ast::StmtClassDef) -> Definition {
        let signature_end = match (&it.arguments, &it.type_params) {
            (Some(arguments), _) => arguments.end(),
            (None, Some(type_params)) => type_params.end(),
            (None, None) => it.name.end(),
        };
        let kind = DefinitionKind::Class;
        self.definition(kind, &it.name, &it.decorator_list, it.start(), signature_end, &it.body)
    }

    fn definition(
        &self,
        kind: DefinitionKind,
        name: &ast::Identifier,
        decorators: &[ast::Decorator],
        start: TextSize,
        signature_end: TextSize,
        body: &[Stmt],
    ) -> Definition {
        let decorators_end = decorators.last().map_or(start, Ranged::end);
        let is_keyword =
            |kind| matches!(kind, TokenKind::Async | TokenKind::Def | TokenKind::Class);
        Definition {
            kind,
            name: name.to_string(),
            decorators: decorators.iter().map(|it| self.decorator(it)).collect(),
            parameters: Vec::new(),
            keyword: self.find(decorators_end, is_keyword).start,
            body: self.body(signature_end, body),
        }
    }

    fn decorator(&self, it: &ast::Decorator) -> Decorator {
        let (path, call) = self.callee(&it.expression);
        Decorator { path, call, range: range(it), expression: range(&it.expression) }
    }

    fn with(&self, it: &ast::StmtWith) -> With {
        let item = |it: &ast::WithItem| {
            let (path, call) = self.callee(&it.context_expr);
            WithItem { path, call, has_target: it.optional_vars.is_some() }
        };
        let items_end = it.items.last().map_or(it.start(), Ranged::end);
        With {
            is_async: it.is_async,
            items: it.items.iter().map(item).collect(),
            body: self.body(items_end, &it.body),
        }
    }

    fn callee(&self, expr: &Expr) -> (super::Path, Option<super::Call>) {
        match expr {
            Expr::Call(it) => {
                let call = call(self.text, it);
                (call.callee.clone(), Some(call))
            }
            expr => (path(expr), None),
        }
    }

    /// Describes the block after a header that ends at `header_end`, but for
    /// closing brackets and the colon.
    fn body(&self, header_end: TextSize, body: &[Stmt]) -> Body {
        let colon = self.find(header_end, |kind| kind == TokenKind::Colon).end;
        Body {
            colon,
            first: body.first().map_or(colon..colon, range),
            last: body.last().map_or(colon..colon, range),
            before_last: body.len().checked_sub(2).map(|idx| body[idx].end().to_usize()),
            first_is_ellipsis: body.first().is_some_and(is_ellipsis),
            n_statements: body.len(),
            ends_in_return: body.last().is_some_and(Stmt::is_return_stmt),
        }
    }

    /// Returns where a semicolon ends that follows, or the same place.
    fn with_semicolon(&self, end: usize) -> usize {
        let rest = &self.text[end..];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\x0c']).len();
        if rest[blanks..].starts_with(';') { end + blanks + 1 } else { end }
    }

    /// Returns the first token from an offset on that is of a kind, or the end
    /// of the text.
    fn find(&self, from: TextSize, is_kind: impl Fn(TokenKind) -> bool) -> Range<usize> {
        let mut tokens = self.tokens.after(from).iter();
        let end = self.text.len();
        tokens.find(|it| is_kind(it.kind())).map_or(end..end, range)
    }
}

/// Whether the value of a statement, if it has one, is `...`.
fn is_ellipsis(stmt: &Stmt) -> bool {
    let value = match stmt {
        Stmt::Expr(it) => Some(&it.value),
        Stmt::Assign(it) => Some(&it.value),
        Stmt::AugAssign(it) => Some(&it.value),
        Stmt::AnnAssign(it) => it.value.as_ref(),
        Stmt::Return(it) => it.value.as_ref(),
        _ => None,
    };
    value.is_some_and(|it| it.is_ellipsis_literal_expr())
}

fn import(it: &ast::Alias) -> Import {
    Import { module: it.name.to_string(), alias: it.asname.as_ref().map(ToString::to_string) }
}

/// Whether a test is a comparison with `__name__` on the left, which is all
/// that marimo 0.25.2 asks of a run guard.
fn compares_name(test: &Expr) -> bool {
    let Expr::Compare(test) = test else {
        return false;
    };
    test.left.as_name_expr().is_some_and(|name| name.id == "__name__")
}
