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
        Statement { range: range(stmt), kind: self.kind(stmt) }
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
        self.definition(kind, &it.name, &it.decorator_list, it.start(), signature_end, &it.body)
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
            keyword: self.find(decorators_end, is_keyword).start,
            body: self.body(signature_end, body),
        }
    }

    fn decorator(&self, it: &ast::Decorator) -> Decorator {
        let (path, call) = self.callee(&it.expression);
        Decorator { path, call, range: range(it) }
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
            n_statements: body.len(),
            ends_in_return: body.last().is_some_and(Stmt::is_return_stmt),
        }
    }

    /// Returns the first token from an offset on that is of a kind, or the end
    /// of the text.
    fn find(&self, from: TextSize, is_kind: impl Fn(TokenKind) -> bool) -> Range<usize> {
        let mut tokens = self.tokens.after(from).iter();
        let end = self.text.len();
        tokens.find(|it| is_kind(it.kind())).map_or(end..end, range)
    }
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
