//! The scopes of a cell, and which names are defined and read in them.

use std::collections::{BTreeMap, BTreeSet};

use super::VariableKind;
use super::names::{Name, Names};

/// A set of names that may still grow.
///
/// marimo hands the set of the names that were read so far to the variables
/// that it defines meanwhile, and goes on adding to it. So variables refer to
/// sets, and don't have their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SetId(usize);

/// A scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockId(usize);

/// What kind of scope a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    Module,
    Function,
    Class,
    Comprehension,
    Annotation,
}

/// A binding of a name in a block.
#[derive(Debug, Clone)]
pub(super) struct Binding {
    pub(super) kind: VariableKind,
    pub(super) required: SetId,
    pub(super) unbounded: SetId,
    /// The text of the annotation, and the names in it.
    pub(super) annotation: Option<(String, BTreeSet<Name>)>,
    /// For an import, where it comes from.
    pub(super) origin: Option<Origin>,
}

impl Binding {
    pub(super) fn new(kind: VariableKind) -> Self {
        Self {
            kind,
            required: Blocks::EMPTY,
            unbounded: Blocks::EMPTY,
            annotation: None,
            origin: None,
        }
    }
}

/// Where an import comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) module: Name,
    /// The name after `import` in `from module import name`, and the dots.
    pub(super) symbol: Option<(Name, u32)>,
}

#[derive(Debug)]
struct Block {
    kind: BlockKind,
    parent: Option<BlockId>,
    defs: BTreeSet<Name>,
    globals: BTreeSet<Name>,
    bindings: BTreeMap<Name, Vec<Binding>>,
    /// The keys of `bindings`, in the order in which they came.
    order: Vec<Name>,
}

/// A name that was read in a block where it isn't defined.
#[derive(Debug)]
struct Ref {
    block: BlockId,
    deleted: bool,
}

/// All scopes of a cell, open and closed.
#[derive(Debug)]
pub(super) struct Blocks {
    /// The blocks, by id.
    all: Vec<Block>,
    /// The open blocks, outermost first. Never empty: the module stays open.
    stack: Vec<BlockId>,
    sets: Vec<BTreeSet<Name>>,
    /// The sets that collect what is read, outermost first. Never empty.
    ref_stack: Vec<SetId>,
    refs: BTreeMap<Name, Vec<Ref>>,
}

impl Blocks {
    /// A set that stays empty.
    const EMPTY: SetId = SetId(0);
    const MODULE: BlockId = BlockId(0);
    const MODULE_REFS: SetId = SetId(1);

    pub(super) fn new() -> Self {
        let module = Block::new(BlockKind::Module, None);
        Self {
            all: vec![module],
            stack: vec![Self::MODULE],
            sets: vec![BTreeSet::new(), BTreeSet::new()],
            ref_stack: vec![Self::MODULE_REFS],
            refs: BTreeMap::new(),
        }
    }

    pub(super) fn push(&mut self, kind: BlockKind) {
        let id = BlockId(self.all.len());
        self.all.push(Block::new(kind, self.stack.last().copied()));
        self.stack.push(id);
    }

    pub(super) fn pop(&mut self) {
        if 1 < self.stack.len() {
            self.stack.pop();
        }
    }

    /// Opens a set for the names that are read from now on.
    pub(super) fn push_refs(&mut self) {
        let id = self.new_set(BTreeSet::new());
        self.ref_stack.push(id);
    }

    /// Closes the set that was opened last, and adds its names to the one
    /// around it.
    pub(super) fn pop_refs(&mut self) -> SetId {
        let id = self.current_refs();
        if 1 < self.ref_stack.len() {
            self.ref_stack.pop();
            let names = self.sets[id.0].clone();
            let outer = self.current_refs();
            self.sets[outer.0].extend(names);
        }
        id
    }

    pub(super) fn current_refs(&self) -> SetId {
        self.ref_stack.last().copied().unwrap_or(Self::MODULE_REFS)
    }

    pub(super) fn new_set(&mut self, names: BTreeSet<Name>) -> SetId {
        self.sets.push(names);
        SetId(self.sets.len() - 1)
    }

    pub(super) fn set(&self, id: SetId) -> &BTreeSet<Name> {
        &self.sets[id.0]
    }

    /// Adds a name to the set that is open.
    pub(super) fn require(&mut self, name: Name) {
        let id = self.current_refs();
        self.sets[id.0].insert(name);
    }

    pub(super) fn remove_from_set(&mut self, id: SetId, names: &BTreeSet<Name>) {
        self.sets[id.0].retain(|name| !names.contains(name));
    }

    pub(super) fn in_module(&self) -> bool {
        self.stack.len() == 1
    }

    pub(super) fn kind(&self) -> BlockKind {
        self.all[self.current().0].kind
    }

    fn current(&self) -> BlockId {
        self.stack.last().copied().unwrap_or(Self::MODULE)
    }

    /// Whether any open block defines the name.
    pub(super) fn is_defined(&self, name: Name) -> bool {
        self.stack.iter().any(|id| self.all[id.0].defs.contains(&name))
    }

    /// Whether the module defines the name, so far.
    pub(super) fn is_module_def(&self, name: Name) -> bool {
        self.all[Self::MODULE.0].defs.contains(&name)
    }

    /// Whether an open block other than the module defines the name.
    pub(super) fn is_inner_def(&self, name: Name) -> bool {
        self.stack[1..].iter().any(|id| self.all[id.0].defs.contains(&name))
    }

    /// Whether the current set has the name already.
    pub(super) fn is_required(&self, name: Name) -> bool {
        self.set(self.current_refs()).contains(&name)
    }

    /// Declares a name global in the current block.
    pub(super) fn add_global(&mut self, name: Name) {
        let id = self.current();
        self.all[id.0].globals.insert(name);
    }

    /// Defines a name in the current block without binding it to anything.
    pub(super) fn announce(&mut self, name: Name) {
        let id = self.current();
        self.all[id.0].defs.insert(name);
    }

    /// Binds a name in the current block, or in the module if it was declared
    /// global.
    pub(super) fn define(&mut self, name: Name, binding: Binding) {
        let current = self.current();
        let is_global = self.all[current.0].globals.contains(&name);
        self.define_in(name, binding, if is_global { Self::MODULE } else { current });
    }

    /// Binds the target of `:=` in a comprehension: in the nearest block that
    /// isn't a comprehension.
    pub(super) fn define_outside_comprehension(&mut self, names: &mut Names, name: Name) {
        let is_outside = |id: &&BlockId| self.all[id.0].kind != BlockKind::Comprehension;
        let id = self.stack.iter().rev().find(is_outside).copied().unwrap_or(Self::MODULE);
        let is_private_global = id == Self::MODULE && names.is_private(name);
        let name = if is_private_global { names.mangle(name) } else { name };
        self.define_in(name, Binding::new(VariableKind::Variable), id);
    }

    fn define_in(&mut self, name: Name, binding: Binding, id: BlockId) {
        let is_method = binding.kind == VariableKind::Method;
        let block = &mut self.all[id.0];
        block.defs.insert(name);
        let bindings = block.bindings.entry(name).or_default();
        if bindings.is_empty() {
            block.order.push(name);
        }
        bindings.push(binding);
        if is_method {
            return;
        }
        // What was read in blocks inside this one was a capture, and is no
        // reference any more.
        if let Some(mut refs) = self.refs.remove(&name) {
            refs.retain(|it| !self.is_inside(it.block, id));
            if !refs.is_empty() {
                self.refs.insert(name, refs);
            }
        }
    }

    /// Records that a name is read or deleted in the current block.
    pub(super) fn add_ref(&mut self, name: Name, deleted: bool) {
        let current = self.current();
        let mut refs = self.refs.remove(&name).unwrap_or_default();
        // The last one that fits, as marimo takes it.
        match refs.iter_mut().rev().find(|it| self.equal(it.block, current)) {
            Some(it) => it.deleted |= deleted,
            None => refs.push(Ref { block: current, deleted }),
        }
        self.refs.insert(name, refs);
        self.require(name);
    }

    /// Whether a block is inside another one, or inside one that equals it.
    fn is_inside(&self, id: BlockId, outer: BlockId) -> bool {
        let mut parent = self.all[id.0].parent;
        while let Some(id) = parent {
            if self.equal(id, outer) {
                return true;
            }
            parent = self.all[id.0].parent;
        }
        false
    }

    /// Whether two blocks hold the same.
    ///
    /// marimo compares blocks by value, so that blocks which happen to hold
    /// the same count as one. That shows in what becomes of their references.
    fn equal(&self, a: BlockId, b: BlockId) -> bool {
        if a == b {
            return true;
        }
        let (a, b) = (&self.all[a.0], &self.all[b.0]);
        a.kind == b.kind
            && a.defs == b.defs
            && a.globals == b.globals
            && a.bindings.len() == b.bindings.len()
            && a.bindings.iter().all(|(name, a)| {
                b.bindings.get(name).is_some_and(|b| {
                    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.equal_bindings(a, b))
                })
            })
    }

    fn equal_bindings(&self, a: &Binding, b: &Binding) -> bool {
        let equal_sets = |a: SetId, b: SetId| a == b || self.set(a) == self.set(b);
        a.kind == b.kind
            && a.origin == b.origin
            && a.annotation == b.annotation
            && equal_sets(a.required, b.required)
            && equal_sets(a.unbounded, b.unbounded)
    }

    /// The names that the module defines.
    pub(super) fn module_defs(&self) -> &BTreeSet<Name> {
        &self.all[Self::MODULE.0].defs
    }

    /// The names that the module binds with their bindings, in order.
    pub(super) fn module_bindings(&self) -> impl Iterator<Item = (Name, &[Binding])> {
        let block = &self.all[Self::MODULE.0];
        block.order.iter().filter_map(|name| {
            block.bindings.get(name).map(|bindings| (*name, bindings.as_slice()))
        })
    }

    /// Whether the module has bound the name so far.
    pub(super) fn is_module_binding(&self, name: Name) -> bool {
        self.all[Self::MODULE.0].bindings.contains_key(&name)
    }

    /// Gives the first binding of a name of the module its annotation.
    pub(super) fn annotate(&mut self, name: Name, text: String, refs: BTreeSet<Name>) {
        let bindings = self.all[Self::MODULE.0].bindings.get_mut(&name);
        if let Some(binding) = bindings.and_then(|it| it.first_mut()) {
            binding.annotation = Some((text, refs));
        }
    }

    /// The names that are read and not defined.
    pub(super) fn refs(&self) -> impl Iterator<Item = Name> {
        self.refs.keys().copied()
    }

    /// Those of the names that are deleted.
    pub(super) fn deleted_refs(&self) -> impl Iterator<Item = Name> {
        let deleted =
            |(name, refs): (&Name, &Vec<Ref>)| refs.iter().any(|it| it.deleted).then_some(*name);
        self.refs.iter().filter_map(deleted)
    }
}

impl Block {
    fn new(kind: BlockKind, parent: Option<BlockId>) -> Self {
        Self {
            kind,
            parent,
            defs: BTreeSet::new(),
            globals: BTreeSet::new(),
            bindings: BTreeMap::new(),
            order: Vec::new(),
        }
    }
}
