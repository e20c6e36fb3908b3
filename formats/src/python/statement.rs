//! Top-level statements, as far as the formats read them.

use std::ops::Range;

use super::{Call, Path, StringConstant, Value};

/// The top-level statements of a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Module {
    /// The statements, in order.
    pub(crate) statements: Vec<Statement>,
    /// The comments, in order.
    pub(crate) comments: Vec<Range<usize>>,
}

/// A top-level statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    /// From its first token to its last, decorators included; without
    /// surrounding comments. A semicolon at the end belongs to a compound
    /// statement, but not to a simple one.
    pub(crate) range: Range<usize>,
    /// What it is.
    pub(crate) kind: StatementKind,
}

/// What a statement is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StatementKind {
    /// A string that stands alone.
    StringConstant(StringConstant),
    /// `import a, b as c`, with what it imports. Never empty.
    Import(Vec<Import>),
    /// `name = value`: one target, which is a name.
    Assign {
        /// The target.
        name: String,
        /// What is assigned.
        value: Value,
    },
    /// A function or class.
    Definition(Definition),
    /// A `with` statement.
    With(With),
    /// An `if` statement.
    If {
        /// Whether it tests a comparison whose left side is `__name__`.
        compares_name: bool,
    },
    /// A call that stands alone.
    Call(Call),
    /// Any other statement.
    Other,
}

/// One module of an `import` statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    /// The module, with dots.
    pub(crate) module: String,
    /// The name after `as`.
    pub(crate) alias: Option<String>,
}

/// A function or a class.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Definition {
    /// Which of the two.
    pub(crate) kind: DefinitionKind,
    /// Its name.
    pub(crate) name: String,
    /// Its decorators, in order.
    pub(crate) decorators: Vec<Decorator>,
    /// The names of its parameters, but for `*args` and `**kwargs`.
    pub(crate) parameters: Vec<String>,
    /// Where `async`, `def` or `class` stands.
    pub(crate) keyword: usize,
    /// What is in it.
    pub(crate) body: Body,
}

/// Whether a definition is a function or a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DefinitionKind {
    /// `def`.
    Function,
    /// `async def`.
    AsyncFunction,
    /// `class`.
    Class,
}

/// A decorator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decorator {
    /// The decorator, or what is called if it is a call.
    pub(crate) path: Path,
    /// The call, if it is one.
    pub(crate) call: Option<Call>,
    /// From the `@` to the end of the expression.
    pub(crate) range: Range<usize>,
    /// The expression, without parentheses around it.
    pub(crate) expression: Range<usize>,
}

/// A `with` statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct With {
    /// Whether it is `async with`.
    pub(crate) is_async: bool,
    /// Its context managers, in order.
    pub(crate) items: Vec<WithItem>,
    /// What is in it.
    pub(crate) body: Body,
}

/// A context manager of a `with` statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WithItem {
    /// The context manager, or what is called if it is a call.
    pub(crate) path: Path,
    /// The call, if it is one.
    pub(crate) call: Option<Call>,
    /// Whether it has `as`.
    pub(crate) has_target: bool,
}

/// The block of a compound statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    /// Just after the colon that opens the block.
    pub(crate) colon: usize,
    /// The first statement, decorators included.
    pub(crate) first: Range<usize>,
    /// The last statement.
    pub(crate) last: Range<usize>,
    /// Where the statement before the last one ends.
    pub(crate) before_last: Option<usize>,
    /// Whether the value of the first statement is `...`.
    pub(crate) first_is_ellipsis: bool,
    /// How many statements there are.
    pub(crate) n_statements: usize,
    /// Whether the last statement is `return`.
    pub(crate) ends_in_return: bool,
}

impl Statement {
    /// Moves all places, for a statement that was read from a part of a text.
    pub(crate) fn shift(&mut self, by: usize) {
        shift(&mut self.range, by);
        match &mut self.kind {
            StatementKind::StringConstant(it) => shift_all(&mut it.parts, by),
            StatementKind::Assign { value: Value::Call(it), .. } | StatementKind::Call(it) => {
                it.shift(by);
            }
            StatementKind::Assign { value: Value::Literal(it), .. } => it.shift(by),
            StatementKind::Definition(it) => {
                it.keyword += by;
                it.body.shift(by);
                for decorator in &mut it.decorators {
                    shift(&mut decorator.range, by);
                    shift(&mut decorator.expression, by);
                    decorator.call.iter_mut().for_each(|it| it.shift(by));
                }
            }
            StatementKind::With(it) => {
                it.body.shift(by);
                it.items.iter_mut().filter_map(|it| it.call.as_mut()).for_each(|it| it.shift(by));
            }
            StatementKind::Import(_)
            | StatementKind::Assign { value: Value::Other, .. }
            | StatementKind::If { .. }
            | StatementKind::Other => {}
        }
    }
}

impl Body {
    fn shift(&mut self, by: usize) {
        self.colon += by;
        shift(&mut self.first, by);
        shift(&mut self.last, by);
        self.before_last = self.before_last.map(|it| it + by);
    }
}

pub(super) fn shift(range: &mut Range<usize>, by: usize) {
    range.start += by;
    range.end += by;
}

pub(super) fn shift_all(ranges: &mut [Range<usize>], by: usize) {
    for range in ranges {
        shift(range, by);
    }
}
