//! Notebooks that are made to cost time, and how much they cost.

use std::fs;
use std::sync::Arc;

use nbsync_daemon::sync::adopt::adopt;
use nbsync_daemon::sync::reconcile::{Seen, reconcile};
use nbsync_daemon::sync::safety::{MAX_CELLS, MAX_LINE};
use nbsync_formats::{Cell, CellKind, Document, FormatName, Notebook};

use crate::plain::Plain;
use crate::planner::{dialect, plain};

/// Decide about notebooks that are made to cost time
///
/// Two replicas of each are edited at once. Printed is the time of the processor, for as many
/// cells or lines as a notebook may have, and how much more that is than for an eighth of them.
/// Exits with 1 if it is a great deal more than eight times as much, or if a line is lost.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Eight times as much work takes eight times as long, or a little more if something is sorted
/// or no longer fits into the caches of the processor. Quadratic work takes 64 times as long.
const MAX_GROWTH: f64 = 40.0;

/// How often it is measured again what another process may have disturbed.
const MAX_TRIES: usize = 3;

/// Less than this is not measured well enough to be compared, in seconds.
const MIN_TIME: f64 = 0.004;

/// What a replica has.
type Cells = Vec<Cell>;

/// How many cells or lines the largest of each has, and how they are made.
type Case = (&'static str, usize, fn(usize) -> [Cells; 3]);

const CASES: [Case; 14] = [
    ("equal cells, many of them deleted", MAX_CELLS, equal_cells),
    ("similar cells, all of them edited", MAX_CELLS, similar_cells),
    ("long similar cells, all of them edited", 2_000, long_cells),
    ("cells in reverse, and edited", MAX_CELLS, reversed_cells),
    ("a conflict in every cell", MAX_CELLS / 2, conflicts),
    ("every cell split, and edited across the cut", MAX_CELLS / 4, split_cells),
    ("cells joined into one", MAX_CELLS, joined_cells),
    ("cells with the same beginning, all of them split", MAX_CELLS / 40, same_beginnings),
    ("as many new cells on both sides", MAX_CELLS / 2, new_cells),
    ("a cell of equal lines", 400_000, |n| one_cell(n, |_| 0)),
    ("a cell of two lines in random order", 400_000, |n| one_cell(n, |random| random % 2)),
    ("a cell of similar lines", 400_000, |n| one_cell(n, |random| random % 1000)),
    ("a cell with every second line edited", 400_000, every_second_line),
    ("one long line", MAX_LINE - 1, one_line),
];

pub(crate) fn run(_: &Args) -> bool {
    let mut slowest: f64 = 0.0;
    let mut is_fine = true;
    for (name, n, make) in CASES {
        let mut tries = (0..MAX_TRIES).map(|_| -> Result<(f64, f64), ()> {
            let (small, large) = (measure(make(n / 8))?, measure(make(n))?);
            Ok((large, large / small.max(MIN_TIME)))
        });
        let is_right =
            |it: &Result<(f64, f64), ()>| !it.is_ok_and(|(_, growth)| MAX_GROWTH < growth);
        match tries.find(is_right) {
            Some(Ok((time, growth))) => {
                println!("{name}, {n}: {time:.3} s, {growth:.1} times that of an eighth");
                slowest = slowest.max(time);
            }
            Some(Err(())) => {
                println!("FAIL {name}: a line is lost");
                is_fine = false;
            }
            None => {
                println!("FAIL {name}: takes more than {MAX_GROWTH} times as long as an eighth");
                is_fine = false;
            }
        }
    }
    println!("hostile: {} notebooks, the slowest {slowest:.2} s", CASES.len());
    is_fine
}

/// Returns how many seconds it takes to decide about two edited replicas of a notebook, with
/// and without a base.
fn measure([base, ours, theirs]: [Cells; 3]) -> Result<f64, ()> {
    let document = |cells: &Cells| -> Arc<dyn Document> {
        Arc::new(Plain::new(Notebook { cells: cells.clone(), ..Notebook::default() }))
    };
    let (ours, theirs) = (document(&ours), document(&theirs));
    let base = plain(Notebook { cells: base, ..Notebook::default() }, 3);
    let seen =
        [Seen::Changed(Arc::clone(&ours)), Seen::Changed(Arc::clone(&theirs)), Seen::Unchanged];
    let started = processor_time();
    let outcome = reconcile(&base, &seen).map_err(|_| ())?;
    let ended = processor_time();
    let found = outcome.base.model.notebook;
    // By their lengths, since what is in a conflict cell is there too.
    let n_new = |of: &Arc<dyn Document>| n_marked(&of.notebook().cells);
    if n_marked(&found.cells) < n_new(&ours).max(n_new(&theirs)) {
        return Err(());
    }
    let dialect = dialect(FormatName::Ipynb, ".ipynb");
    let files = [(dialect.clone(), Some(ours)), (dialect, Some(theirs))];
    // A format prints it first; only the decision counts.
    drop(adopt(&files).map_err(|_| ())?);
    Ok(ended - started)
}

/// How many lines somebody wrote anew.
fn n_marked(cells: &[Cell]) -> usize {
    cells.iter().flat_map(|it| it.source.lines()).filter(|it| it.starts_with("new")).count()
}

/// The time that this thread had a processor, in seconds.
fn processor_time() -> f64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos: u64 = stat.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0);
    std::time::Duration::from_nanos(nanos).as_secs_f64()
}

fn cell(source: impl Into<String>) -> Cell {
    Cell::new(CellKind::Code, source)
}

fn cells(n: usize, source: impl Fn(usize) -> String) -> Cells {
    (0..n).map(|idx| cell(source(idx))).collect()
}

fn equal_cells(n: usize) -> [Cells; 3] {
    let base = cells(n, |_| "x = 1".to_owned());
    let ours = base.iter().step_by(2).cloned().collect();
    let theirs =
        cells(n, |idx| if idx % 3 == 0 { "new = 2".to_owned() } else { "x = 1".to_owned() });
    [base, ours, theirs]
}

fn similar_cells(n: usize) -> [Cells; 3] {
    let source = |idx: usize, end: &str| {
        format!("value_{idx} = compute(data[{idx}], mode='fast')\nprint(value_{idx}){end}")
    };
    [
        cells(n, |idx| source(idx, "")),
        cells(n, |idx| source(idx, "\nnew = 1")),
        cells(n, |idx| format!("new = 2\n{}", source(idx, ""))),
    ]
}

fn long_cells(n: usize) -> [Cells; 3] {
    let source =
        |idx: usize, end: &str| format!("{}\nx = {idx}{end}", "abcd efgh ijkl\n".repeat(500));
    [
        cells(n, |idx| source(idx, "")),
        cells(n, |idx| source(idx + 1, "0")),
        cells(n, |idx| source(n - idx, "7")),
    ]
}

fn reversed_cells(n: usize) -> [Cells; 3] {
    let base = cells(n, |idx| format!("x{idx} = {idx}\ny = x{idx}"));
    let ours = base.iter().rev().cloned().collect();
    let theirs = cells(n, |idx| format!("x{idx} = {idx}\ny = x{idx}\nnew = 1"));
    [base, ours, theirs]
}

fn conflicts(n: usize) -> [Cells; 3] {
    let source = |idx: usize, what: &str| format!("# {idx}\n{what} = {idx}");
    [
        cells(n, |idx| source(idx, "old")),
        cells(n, |idx| source(idx, "new_a")),
        cells(n, |idx| source(idx, "new_b")),
    ]
}

fn split_cells(n: usize) -> [Cells; 3] {
    let base = cells(n, |idx| format!("a{idx} = 1\nb{idx} = 2\nc{idx} = 3\nd{idx} = 4"));
    let ours = cells(2 * n, |idx| match (idx / 2, idx % 2) {
        (idx, 0) => format!("a{idx} = 1\nb{idx} = 2"),
        (idx, _) => format!("c{idx} = 3\nd{idx} = 4"),
    });
    let theirs = cells(n, |idx| format!("a{idx} = 1\nnew{idx} = 0\nd{idx} = 4"));
    [base, ours, theirs]
}

fn joined_cells(n: usize) -> [Cells; 3] {
    let base = cells(n, |idx| format!("x{idx} = 1"));
    let lines: Vec<&str> = base.iter().map(|it| it.source.as_str()).collect();
    let ours = vec![cell(lines.join("\n"))];
    let theirs = cells(n, |idx| format!("x{idx} = 1\nnew{idx} = 2"));
    [base, ours, theirs]
}

fn same_beginnings(n: usize) -> [Cells; 3] {
    let base = cells(n, |idx| format!("{}x = {idx}", "a\n".repeat(39)));
    let ours = base.iter().flat_map(|it| it.source.lines().map(cell)).collect();
    let theirs = cells(n, |idx| format!("{}x = {idx}\nnew{idx} = 2", "a\n".repeat(39)));
    [base, ours, theirs]
}

fn new_cells(n: usize) -> [Cells; 3] {
    let base = vec![cell("x = 1")];
    let with = |name: &str| {
        let new = cells(n, |idx| format!("new_{name}{idx} = 1"));
        base.iter().cloned().chain(new).collect()
    };
    [base.clone(), with("a"), with("b")]
}

fn one_cell(n: usize, number: fn(u64) -> u64) -> [Cells; 3] {
    let text = |seed: u64| {
        let mut random = seed;
        let lines = (0..n).map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!("line {}\n", number(random >> 33))
        });
        lines.collect::<String>()
    };
    [
        vec![cell(text(1))],
        vec![cell(format!("new = 1\n{}", text(2)))],
        vec![cell(format!("{}new = 2", text(3)))],
    ]
}

fn every_second_line(n: usize) -> [Cells; 3] {
    let text = |what: &str, every: usize| -> Cells {
        let lines = (0..n).map(|idx| match idx % every {
            0 => format!("{what}{idx} = 1"),
            _ => format!("old{idx} = 1"),
        });
        vec![cell(lines.collect::<Vec<_>>().join("\n"))]
    };
    [text("old", 1), text("new_a", 2), text("new_b", 4)]
}

fn one_line(n: usize) -> [Cells; 3] {
    let line = |end: &str| vec![cell(format!("{}{end}", "ab ".repeat(n / 3)))];
    [line(""), line("c"), line("d")]
}
