//! Which cells become `@app.function` and `@app.class_definition` (`marimo
//! 0.25.2 toplevel`).
//!
//! A function that needs nothing but itself, builtins, the setup cell and other
//! such functions can be imported from the file. marimo decides that anew at
//! every save, whatever the file said.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::python::builtins;
use crate::python::scope::{Analysis, Annotation, Variable};

/// The minor version of Python 3 whose builtins are taken for granted.
const PYTHON: u8 = 13;

/// Names that can't be exported.
const RESERVED: [&str; 3] = ["app", "__generated_with", "__name__"];

/// What becomes of each cell.
pub(super) struct Toplevel<'a> {
    /// One for each cell.
    pub(super) statuses: Vec<Status<'a>>,
    /// Names that are no arguments: those that every cell can use anyway.
    pub(super) allowed: HashSet<&'a str>,
    /// Names that some cell refers to.
    pub(super) used: HashSet<&'a str>,
    /// The annotations of variables.
    pub(super) annotations: BTreeMap<&'a str, &'a Annotation>,
}

/// What becomes of a cell.
pub(super) struct Status<'a> {
    /// Its form.
    pub(super) form: Form,
    /// Its name.
    pub(super) name: &'a str,
    /// The name it had before.
    previous_name: &'a str,
    /// What it defines and refers to, if it compiles.
    pub(super) analysis: Option<&'a Analysis>,
}

/// The form in which a cell is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// `@app.cell`.
    Cell,
    /// `@app.function` or `@app.class_definition`.
    Toplevel,
    /// `app._unparsable_cell`.
    Unparsable,
    /// Not yet known.
    Unresolved,
}

/// The cells of each form by name. Of several with one name the last counts,
/// which shows in the names of cells: see [`Toplevel::restore_names`].
#[derive(Default)]
struct ByName<'a> {
    names: HashMap<(Form, &'a str), usize>,
    /// The unresolved ones, in order.
    unresolved: Vec<&'a str>,
}

impl<'a> ByName<'a> {
    fn insert(&mut self, status: &Status<'a>, idx: usize) {
        let is_new = self.names.insert((status.form, status.name), idx).is_none();
        if is_new && status.form == Form::Unresolved {
            self.unresolved.push(status.name);
        }
    }

    fn remove(&mut self, form: Form, name: &'a str) -> Option<usize> {
        self.names.remove(&(form, name))
    }

    fn contains(&self, form: Form, name: &'a str) -> bool {
        self.names.contains_key(&(form, name))
    }
}

impl<'a> Toplevel<'a> {
    /// Decides about all cells but the setup cell, given their names and
    /// analyses.
    pub(super) fn new(
        cells: impl Iterator<Item = (&'a str, Option<&'a Analysis>)>,
        setup: Option<&'a Analysis>,
    ) -> Self {
        let mut allowed: HashSet<&str> = HashSet::new();
        allowed.extend(setup.iter().flat_map(|it| &it.defs).map(String::as_str));
        let mut by_name = ByName::default();
        let mut statuses: Vec<Status<'_>> = Vec::with_capacity(cells.size_hint().0);
        let (mut defs, mut used) = (HashSet::new(), HashSet::new());
        let none = HashSet::new();
        for (idx, (name, analysis)) in cells.enumerate() {
            let mut status = Status { form: Form::Unparsable, name, previous_name: name, analysis };
            status.decide(&allowed, &none, &none, &ByName::default());
            by_name.insert(&status, idx);
            if let Some(analysis) = analysis {
                defs.extend(analysis.defs.iter().map(String::as_str));
                used.extend(analysis.refs.iter().map(String::as_str));
            }
            statuses.push(status);
        }
        let potential: HashSet<&str> =
            statuses.iter().filter(|it| it.form != Form::Toplevel).map(|it| it.name).collect();
        allowed.extend(builtins(PYTHON).iter().filter(|name| !defs.contains(**name)));
        let mut unresolved = HashSet::new();
        by_name.unresolved.clear();
        for (idx, status) in statuses.iter_mut().enumerate() {
            if matches!(status.form, Form::Unresolved | Form::Cell) {
                by_name.remove(status.form, status.name);
                status.decide(&allowed, &unresolved, &potential, &by_name);
                match status.form {
                    Form::Toplevel => {
                        allowed.insert(status.name);
                    }
                    Form::Unresolved => {
                        unresolved.insert(status.name);
                    }
                    Form::Cell | Form::Unparsable => {}
                }
                by_name.insert(status, idx);
            } else {
                allowed.insert(status.name);
            }
        }
        let mut res = Self { statuses, allowed, used, annotations: BTreeMap::new() };
        res.resolve(&mut by_name);
        res.restore_names(&by_name);
        res.find_annotations(&by_name);
        res
    }

    /// Decides about functions that depend on other such functions.
    ///
    /// Those on a circle are taken to be fine when they are met again.
    fn resolve(&mut self, by_name: &mut ByName<'a>) {
        struct Frame<'a> {
            name: &'a str,
            idx: usize,
            refs: std::collections::btree_set::Iter<'a, String>,
            is_fine: bool,
        }
        let mut visited: HashMap<&str, bool> = HashMap::new();
        let names = std::mem::take(&mut by_name.unresolved);
        let empty: &'a std::collections::BTreeSet<String> =
            const { &std::collections::BTreeSet::new() };
        for root in names {
            let mut stack: Vec<Frame<'_>> = Vec::new();
            let mut next = Some(root);
            loop {
                if let Some(name) = next.take()
                    && let Some(idx) = by_name.remove(Form::Unresolved, name)
                {
                    let refs = self.statuses[idx].analysis.map_or(empty, |it| &it.refs).iter();
                    stack.push(Frame { name, idx, refs, is_fine: true });
                }
                let Some(frame) = stack.last_mut() else { break };
                match frame.refs.next() {
                    Some(name) if by_name.contains(Form::Unresolved, name) => next = Some(name),
                    Some(name) => {
                        let name = name.as_str();
                        frame.is_fine &= match visited.get(name) {
                            Some(is_fine) => *is_fine,
                            None => {
                                by_name.contains(Form::Toplevel, name)
                                    || !(by_name.contains(Form::Cell, name)
                                        || by_name.contains(Form::Unparsable, name))
                            }
                        };
                    }
                    None => {
                        let Frame { name, idx, is_fine, .. } = *frame;
                        stack.pop();
                        let status = &mut self.statuses[idx];
                        status.form = if is_fine { Form::Toplevel } else { Form::Cell };
                        if is_fine {
                            self.allowed.insert(name);
                        }
                        by_name.insert(status, idx);
                        visited.insert(name, is_fine);
                        if let Some(parent) = stack.last_mut() {
                            parent.is_fine &= is_fine;
                        }
                    }
                }
            }
        }
        // Two with one name: the first was never in the list.
        for status in &mut self.statuses {
            if status.form == Form::Unresolved {
                status.form = Form::Cell;
            }
        }
    }

    /// Gives cells their names back, which they lost to the function in them.
    ///
    /// Of cells with the same name only the last: that is what marimo does.
    fn restore_names(&mut self, by_name: &ByName<'a>) {
        for (idx, status) in self.statuses.iter_mut().enumerate() {
            if by_name.names.get(&(Form::Cell, status.name)) == Some(&idx) {
                status.name = status.previous_name;
                if status.name.starts_with('*') {
                    status.name = "_";
                }
            }
        }
    }

    fn find_annotations(&mut self, by_name: &ByName<'a>) {
        for status in &self.statuses {
            let Some(analysis) = status.analysis else { continue };
            for (name, variables) in &analysis.variables {
                match variables.first().and_then(|it| it.annotation.as_ref()) {
                    Some(annotation) => self.annotations.insert(name, annotation),
                    None => self.annotations.remove(name.as_str()),
                };
            }
        }
        self.annotations.retain(|name, _| !by_name.contains(Form::Toplevel, name));
    }
}

impl<'a> Status<'a> {
    fn decide(
        &mut self,
        allowed: &HashSet<&str>,
        unresolved: &HashSet<&str>,
        potential: &HashSet<&str>,
        by_name: &ByName<'a>,
    ) {
        let Some(analysis) = self.analysis else { return };
        self.form = Form::Cell;
        let Some((name, variable)) = only_definition(analysis) else { return };
        self.name = name;
        if RESERVED.contains(&name) || analysis.shape.ends_in_comment {
            return;
        }
        let is_allowed = |it: &str| allowed.contains(it) || it == name || it == "_lambda";
        let mut order_dependent = variable.unbounded_refs.iter().filter(|it| !is_allowed(it));
        if order_dependent.any(|it| !unresolved.contains(it.as_str())) {
            return;
        }
        let mut dependent = analysis
            .refs
            .iter()
            .map(String::as_str)
            .filter(|it| !is_allowed(it) && !by_name.contains(Form::Toplevel, it))
            .peekable();
        if dependent.peek().is_none() {
            self.form = Form::Toplevel;
        } else if dependent.all(|it| potential.contains(it)) {
            self.form = Form::Unresolved;
        }
    }
}

/// Returns the function or class of a cell that has nothing else.
fn only_definition(analysis: &Analysis) -> Option<(&str, &Variable)> {
    let name = analysis.shape.only_definition.as_deref()?;
    if !analysis.temporaries.is_empty() || analysis.defs.len() != 1 || name.starts_with('_') {
        return None;
    }
    let (def, variables) = analysis.variables.get_key_value(name)?;
    match variables.as_slice() {
        [variable] if analysis.defs.contains(name) => Some((def, variable)),
        _ => None,
    }
}
