//! What a run from top to bottom would not survive.

use std::collections::{BTreeMap, BTreeSet};

use super::cells::CodeCell;
use super::{Diagnostic, DiagnosticCode, Place, Severity, Tool, cells};
use crate::python::builtins;
use crate::python::usage::Usage;

/// The minor version of Python 3 whose builtins are taken for granted.
const PYTHON: u8 = 13;

/// A name that is read above the cell that binds it.
struct Missing<'a> {
    /// The cells that bind it, by number.
    binders: &'a [usize],
    /// Where it is read.
    readers: Vec<(usize, Place)>,
    /// The function that needs it when it is called, in the first of these.
    via: Option<&'a str>,
}

/// Plays a run of the cells in their order.
///
/// What a function reads is taken to be needed by whoever reads the name of the
/// function, since most do so to call it.
pub(super) fn find(code_cells: &[CodeCell<'_>], res: &mut Vec<Diagnostic>) {
    let runs: Vec<(&CodeCell<'_>, &Usage)> =
        code_cells.iter().filter_map(|cell| Some((cell, cell.usage.as_ref()?))).collect();
    let mut binders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (cell, usage) in &runs {
        for name in usage.bound.keys() {
            binders.entry(name).or_default().push(cell.number());
        }
    }
    let mut missing: BTreeMap<&str, Missing<'_>> = BTreeMap::new();
    // The cell that bound each name last.
    let mut bound: BTreeMap<&str, &Usage> = BTreeMap::new();
    for (cell, usage) in &runs {
        if usage.has_star_import {
            // Any name can come from there.
            break;
        }
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut stack: Vec<(&str, usize, bool, Option<&str>)> = usage
            .read
            .iter()
            .map(|(name, it)| (name.as_str(), it.line, it.is_bound, None))
            .collect();
        stack.reverse();
        while let Some((name, line, is_bound, via)) = stack.pop() {
            if !seen.insert(name) {
                continue;
            }
            let here = is_bound || (via.is_some() && usage.bound.contains_key(name));
            let binder = if here { Some(*usage) } else { bound.get(name).copied() };
            if let Some(binder) = binder {
                let needs = binder.needs.get(name).into_iter().flatten();
                stack.extend(needs.map(|need| (need.as_str(), line, false, Some(name))));
                continue;
            }
            let Some(binders) = binders.get(name).map(Vec::as_slice) else { continue };
            let is_below = binders.iter().any(|number| cell.number() < *number);
            if is_below && !builtins(PYTHON).contains(&name) {
                let missing = missing.entry(name).or_insert_with(|| Missing {
                    binders,
                    readers: Vec::new(),
                    via,
                });
                missing.readers.push((cell.number(), cell.place(line)));
            }
        }
        bound.extend(usage.bound.keys().map(|name| (name.as_str(), *usage)));
    }
    res.extend(missing.into_iter().map(|(name, missing)| diagnostic(name, missing)));
}

fn diagnostic(name: &str, missing: Missing<'_>) -> Diagnostic {
    let (numbers, places): (Vec<usize>, Vec<Place>) = missing.readers.into_iter().unzip();
    let last = numbers.last().copied().unwrap_or_default();
    let below: Vec<usize> = missing.binders.iter().copied().filter(|it| last < *it).collect();
    let below = if below.is_empty() { missing.binders } else { &below };
    let needs = match missing.via {
        Some(via) => format!("`{via}` needs `{name}` in {}", cells(&numbers)),
        None => format!("`{name}` is needed in {}", cells(&numbers)),
    };
    Diagnostic {
        code: DiagnosticCode::Order,
        severity: Severity::Warning,
        tools: vec![Tool::Jupyter],
        message: format!(
            "{needs}, above {}, which defines it; a run from top to bottom fails there",
            cells(below)
        ),
        places,
    }
}
