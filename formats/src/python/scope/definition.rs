//! Functions and classes, and what they need.

use std::collections::BTreeSet;

use ruff_python_ast::{self as ast, Stmt};
use ruff_text_size::Ranged;

use super::VariableKind;
use super::blocks::{Binding, BlockKind, SetId};
use super::names::Name;
use super::visitor::Visitor;

/// A function or class.
#[derive(Debug, Clone, Copy)]
enum Definition<'a> {
    Function(&'a ast::StmtFunctionDef),
    Class(&'a ast::StmtClassDef),
}

impl Definition<'_> {
    fn type_params(&self) -> Option<&ast::TypeParams> {
        match self {
            Self::Function(it) => it.type_params.as_deref(),
            Self::Class(it) => it.type_params.as_deref(),
        }
    }
}

impl Visitor<'_> {
    pub(super) fn function(&mut self, it: &ast::StmtFunctionDef) {
        let name = self.shared.names.name(&it.name);
        let name = self.if_private_then_mangle(name);
        let (required, unbounded) = self.needs(name, Definition::Function(it));
        let kind = if self.blocks.kind() == BlockKind::Class {
            VariableKind::Method
        } else {
            VariableKind::Function
        };
        self.blocks.define(name, Binding { required, unbounded, ..Binding::new(kind) });
    }

    pub(super) fn class(&mut self, it: &ast::StmtClassDef) {
        let name = self.shared.names.name(&it.name);
        let name = self.if_private_then_mangle(name);
        let (required, unbounded) = self.needs(name, Definition::Class(it));
        let binding = Binding { required, unbounded, ..Binding::new(VariableKind::Class) };
        self.blocks.define(name, binding);
    }

    /// Visits a definition. Returns the names that it needs at all, and those
    /// that it needs when it is defined.
    fn needs(&mut self, name: Name, it: Definition<'_>) -> (SetId, SetId) {
        self.blocks.push_refs();
        let mut unbounded = match it {
            Definition::Function(_) => BTreeSet::new(),
            Definition::Class(it) => self.class_needs(it),
        };
        // First without the body: what is read then is needed at once.
        self.definition(it, &[]);
        unbounded.extend(self.blocks.set(self.blocks.current_refs()));
        match it {
            Definition::Function(it) => {
                // A function may call itself. In a class it can't by its name.
                if self.blocks.kind() != BlockKind::Class {
                    self.blocks.announce(name);
                }
                self.definition(Definition::Function(it), &it.body);
            }
            Definition::Class(it) => self.definition(Definition::Class(it), &it.body),
        }
        let required = self.blocks.pop_refs();
        if let Some(params) = it.type_params() {
            let params: BTreeSet<Name> =
                params.iter().map(|it| self.shared.names.name(&it.name().id)).collect();
            self.blocks.remove_from_set(required, &params);
            unbounded.retain(|name| !params.contains(name));
        }
        (required, self.blocks.new_set(unbounded))
    }

    fn definition(&mut self, it: Definition<'_>, body: &[Stmt]) {
        match it {
            Definition::Function(it) => {
                self.blocks.push(BlockKind::Function);
                self.type_params(it.type_params.as_deref());
                self.parameters(&it.parameters);
                self.body(body);
                self.decorators(&it.decorator_list);
                self.maybe_expr(it.returns.as_deref());
                // Python's tree has the type parameters last.
                self.type_params(it.type_params.as_deref());
            }
            Definition::Class(it) => {
                self.blocks.push(BlockKind::Class);
                self.exprs(it.bases());
                for keyword in it.keywords() {
                    self.expr(&keyword.value);
                }
                self.body(body);
                self.decorators(&it.decorator_list);
                self.type_params(it.type_params.as_deref());
            }
        }
        self.blocks.pop();
    }

    fn decorators(&mut self, decorators: &[ast::Decorator]) {
        for decorator in decorators {
            self.expr(&decorator.expression);
        }
    }

    /// Returns what running the body of a class needs.
    ///
    /// The body runs when the class is defined. marimo looks at it as if it
    /// were a module: what its functions read only when they are called is not
    /// needed, and what the body itself defined before neither.
    fn class_needs(&mut self, it: &ast::StmtClassDef) -> BTreeSet<Name> {
        // A body needs the same wherever it stands. Without remembering it,
        // classes in classes would take exponential time.
        if let Some(needs) = self.shared.class_needs.get(&it.name.start()) {
            return needs.clone();
        }
        let mut visitor = Visitor::new(self.code, self.shared);
        visitor.body(&it.body);
        let blocks = visitor.blocks;
        let mut needs: BTreeSet<Name> = BTreeSet::new();
        let mut deferred: BTreeSet<Name> = BTreeSet::new();
        let mut defined: BTreeSet<Name> = BTreeSet::new();
        for (name, bindings) in blocks.module_bindings() {
            for binding in bindings {
                let required = blocks.set(binding.required);
                match binding.kind {
                    VariableKind::Function | VariableKind::Method | VariableKind::Class => {
                        let unbounded = blocks.set(binding.unbounded);
                        needs.extend(unbounded.difference(&defined));
                        deferred.extend(required);
                    }
                    VariableKind::Import | VariableKind::Variable => {
                        needs.extend(
                            required.difference(&defined).filter(|&&required| required != name),
                        );
                    }
                }
                defined.insert(name);
            }
        }
        needs.extend(blocks.refs().filter(|name| !deferred.contains(name)));
        self.shared.class_needs.insert(it.name.start(), needs.clone());
        needs
    }
}
