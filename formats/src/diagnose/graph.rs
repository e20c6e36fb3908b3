//! What marimo's graph of cells does not allow (`marimo 0.25.2:
//! runtime/dataflow, lint/validate_graph`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::cells::CodeCell;
use super::{Diagnostic, DiagnosticCode, Place, Severity, Tool, cells};
use crate::python::scope::Analysis;

/// How much of a long cycle is described.
const MOST_STEPS: usize = 6;

/// A cell that marimo can run, and its part in the graph.
struct Node<'a> {
    cell: &'a CodeCell<'a>,
    analysis: &'a Analysis,
    /// The cells that need this one, and the names for which they do.
    children: BTreeMap<usize, BTreeSet<&'a str>>,
}

pub(super) fn find(code_cells: &[CodeCell<'_>], res: &mut Vec<Diagnostic>) {
    let mut nodes: Vec<Node<'_>> = code_cells
        .iter()
        .filter_map(|cell| {
            let analysis = cell.analysis.as_ref().ok()?;
            Some(Node { cell, analysis, children: BTreeMap::new() })
        })
        .collect();
    let mut definers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (idx, node) in nodes.iter().enumerate() {
        for name in &node.analysis.defs {
            definers.entry(name).or_default().push(idx);
        }
    }
    multiple_definitions(&nodes, &definers, res);
    add_edges(&mut nodes, &definers);
    setup(&nodes, res);
    for component in components(&nodes) {
        res.push(cycle(&nodes, &component));
    }
    private_names(code_cells, res);
}

fn multiple_definitions(
    nodes: &[Node<'_>],
    definers: &BTreeMap<&str, Vec<usize>>,
    res: &mut Vec<Diagnostic>,
) {
    for (name, definers) in definers.iter().filter(|(_, definers)| 1 < definers.len()) {
        let numbers: Vec<usize> = definers.iter().map(|idx| nodes[*idx].cell.number()).collect();
        res.push(Diagnostic {
            code: DiagnosticCode::MultipleDefinition,
            severity: Severity::Error,
            tools: vec![Tool::Marimo],
            message: format!(
                "`{name}` is defined in {}, so marimo runs none of them; give each its own name, \
                 or `_{name}` if it is used in its cell only",
                cells(&numbers)
            ),
            places: definers.iter().map(|idx| nodes[*idx].cell.binding(name)).collect(),
        });
    }
}

/// Connects each cell with those that read what it defines.
///
/// A cell that deletes a name of another one has to run after all that read the
/// name, so it is taken to need them.
fn add_edges<'a>(nodes: &mut [Node<'a>], definers: &BTreeMap<&'a str, Vec<usize>>) {
    let mut readers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (idx, node) in nodes.iter().enumerate() {
        for name in &node.analysis.refs {
            readers.entry(name).or_default().push(idx);
        }
    }
    for idx in 0..nodes.len() {
        let analysis = nodes[idx].analysis;
        for name in &analysis.refs {
            for definer in definers.get(name.as_str()).into_iter().flatten() {
                connect(nodes, *definer, idx, name);
            }
        }
        for name in &analysis.deleted_refs {
            for reader in readers.get(name.as_str()).into_iter().flatten() {
                connect(nodes, *reader, idx, name);
            }
        }
    }
}

fn connect<'a>(nodes: &mut [Node<'a>], parent: usize, child: usize, name: &'a str) {
    if parent != child {
        nodes[parent].children.entry(child).or_default().insert(name);
    }
}

fn setup(nodes: &[Node<'_>], res: &mut Vec<Diagnostic>) {
    let Some(setup) = nodes.iter().position(|it| it.cell.is_setup) else { return };
    let mut needed: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for node in nodes {
        for name in node.children.get(&setup).into_iter().flatten() {
            needed.entry(name).or_default().push(node.cell.number());
        }
    }
    for (name, numbers) in needed {
        res.push(Diagnostic {
            code: DiagnosticCode::SetupDepends,
            severity: Severity::Error,
            tools: vec![Tool::Marimo],
            message: format!(
                "the setup cell needs `{name}` of {}, but marimo runs it before all others",
                cells(&numbers)
            ),
            places: vec![nodes[setup].cell.reading(name)],
        });
    }
}

/// Describes cells each of which needs all others, by the shortest way around.
fn cycle(nodes: &[Node<'_>], component: &[usize]) -> Diagnostic {
    let inside: BTreeSet<usize> = component.iter().copied().collect();
    let start = component[0];
    // From each cell that was reached, back to the one that it needs.
    let mut came_from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(idx) = queue.pop_front().filter(|_| !came_from.contains_key(&start)) {
        for child in nodes[idx].children.keys().filter(|it| inside.contains(it)) {
            if !came_from.contains_key(child) {
                came_from.insert(*child, idx);
                queue.push_back(*child);
            }
        }
    }
    let mut steps = Vec::new();
    let mut child = start;
    while let Some(parent) = came_from.get(&child).copied() {
        let name = nodes[parent].children.get(&child).and_then(BTreeSet::first);
        let (child_number, parent_number) =
            (nodes[child].cell.number(), nodes[parent].cell.number());
        let name = name.copied().unwrap_or_default();
        steps.push(format!("cell {child_number} needs `{name}` of cell {parent_number}"));
        child = parent;
        if child == start {
            break;
        }
    }
    if MOST_STEPS < steps.len() {
        steps.truncate(MOST_STEPS);
        steps.push("and so on".to_owned());
    }
    let numbers: Vec<usize> = component.iter().map(|idx| nodes[*idx].cell.number()).collect();
    // What each cell needs of one of the others.
    let mut needed: BTreeMap<usize, &str> = BTreeMap::new();
    for idx in component {
        let inner = nodes[*idx].children.iter().filter(|(child, _)| inside.contains(child));
        for (child, names) in inner {
            needed.entry(*child).or_insert(names.first().copied().unwrap_or_default());
        }
    }
    let place = |(child, name): (usize, &str)| nodes[child].cell.reading(name);
    Diagnostic {
        code: DiagnosticCode::Cycle,
        severity: Severity::Error,
        tools: vec![Tool::Marimo],
        message: format!(
            "{} need each other, so marimo runs none of them: {}",
            cells(&numbers),
            steps.join(", ")
        ),
        places: needed.into_iter().map(place).collect(),
    }
}

/// Returns the sets of cells that need each other, of two or more.
///
/// Tarjan's strongly connected components, with a stack of its own.
fn components(nodes: &[Node<'_>]) -> Vec<Vec<usize>> {
    struct Frame {
        idx: usize,
        children: Vec<usize>,
    }
    let children = |idx: usize| nodes[idx].children.keys().copied().collect::<Vec<_>>();
    let mut order: Vec<Option<usize>> = vec![None; nodes.len()];
    let mut low = vec![0; nodes.len()];
    let mut is_open = vec![false; nodes.len()];
    let (mut open, mut n_seen, mut res) = (Vec::new(), 0, Vec::new());
    for root in 0..nodes.len() {
        let mut next = order[root].is_none().then_some(root);
        let mut stack: Vec<Frame> = Vec::new();
        loop {
            if let Some(idx) = next.take() {
                order[idx] = Some(n_seen);
                low[idx] = n_seen;
                n_seen += 1;
                is_open[idx] = true;
                open.push(idx);
                stack.push(Frame { idx, children: children(idx) });
            }
            let Some(frame) = stack.last_mut() else { break };
            let idx = frame.idx;
            if let Some(child) = frame.children.pop() {
                match order[child] {
                    None => next = Some(child),
                    Some(seen) if is_open[child] => low[idx] = low[idx].min(seen),
                    Some(_) => {}
                }
                continue;
            }
            stack.pop();
            if let Some(parent) = stack.last() {
                low[parent.idx] = low[parent.idx].min(low[idx]);
            }
            if order[idx] == Some(low[idx]) {
                let at = open.iter().rposition(|it| *it == idx).unwrap_or(0);
                let mut component = open.split_off(at);
                for idx in &component {
                    is_open[*idx] = false;
                }
                component.sort_unstable();
                if 1 < component.len() {
                    res.push(component);
                }
            }
        }
    }
    res.sort();
    res
}

/// Reports names with an underscore that one cell binds and another reads.
fn private_names(code_cells: &[CodeCell<'_>], res: &mut Vec<Diagnostic>) {
    let mut binders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for cell in code_cells {
        let bound = cell.usage.iter().flat_map(|it| it.bound.keys());
        // `_` is for what nobody wants, and in IPython the last output.
        let is_private = |name: &&String| crate::python::is_private(name) && *name != "_";
        for name in bound.filter(is_private) {
            binders.entry(name).or_default().push(cell.number());
        }
    }
    for (name, binders) in binders {
        let reads = |cell: &&CodeCell<'_>| {
            cell.usage.as_ref().is_some_and(|it| {
                !it.bound.contains_key(name)
                    && (it.read.contains_key(name) || it.read_later.contains_key(name))
            })
        };
        let places: Vec<Place> =
            code_cells.iter().filter(reads).map(|it| it.reading(name)).collect();
        if places.is_empty() {
            continue;
        }
        let numbers: Vec<usize> = places.iter().filter_map(|it| it.cell).collect();
        res.push(Diagnostic {
            code: DiagnosticCode::PrivateName,
            severity: Severity::Warning,
            tools: vec![Tool::Marimo],
            message: format!(
                "`{name}` of {} is not seen in {} by marimo: a name that starts with an \
                 underscore stays in its cell",
                cells(&binders),
                cells(&numbers)
            ),
            places,
        });
    }
}
