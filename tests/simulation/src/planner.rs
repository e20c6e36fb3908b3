//! Random replicas of a notebook, each edited on its own, and what is decided about them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use nbsync_daemon::sync::base::{Base, BaseReplica, Dialect};
use nbsync_daemon::sync::edit::NextKey;
use nbsync_daemon::sync::merge::Keyed;
use nbsync_daemon::sync::reconcile::{Outcome, Seen, reconcile};
use nbsync_formats::{
    Attribute, Carry, Cell, CellKind, Change, Document, FormatName, Notebook, PrintError, Slot,
};
use serde_json::json;

use crate::parallel;
use crate::plain::Plain;

/// Decide about random replicas, each of which was edited on its own
///
/// A case is a notebook and up to four replicas of it, which share most of what they have.
/// Checked are: the decision is the same each time; all replicas agree afterwards, and nothing
/// is left to do; nothing is done if nobody edited; every line that somebody added is in the
/// result, and every line that nobody removed; which shadow comes first makes no difference to
/// what is kept. Exits with 1 if a case failed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many cases
    #[arg(long, default_value_t = 1_000_000)]
    cases: u64,

    /// The first one
    #[arg(long, default_value_t = 0)]
    from: u64,
}

/// One case in so many has real formats.
const REAL: u64 = 50;

pub(crate) fn run(args: &Args) -> bool {
    let started = Instant::now();
    let found = parallel::for_each(args.from..args.from + args.cases, Vec::new, |failed, seed| {
        let end = std::panic::catch_unwind(|| case(seed));
        let failure = match end {
            Ok(Ok(())) => return true,
            Ok(Err(failure)) => failure,
            Err(_) => "a panic".to_owned(),
        };
        failed.push((seed, failure));
        failed.len() < 20
    });
    let mut failed: Vec<(u64, String)> = found.into_iter().flatten().collect();
    failed.sort();
    for (seed, failure) in failed.iter().take(5) {
        println!("FAIL case {seed}: {failure}\n");
    }
    println!(
        "planner: {} cases, lost = {}, {} s",
        args.cases,
        failed.len(),
        started.elapsed().as_secs()
    );
    failed.is_empty()
}

/// Numbers that are the same for the same case (splitmix64).
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap_or(0)
    }

    /// A line that other cells may have too.
    fn old_line(&mut self) -> String {
        format!("old{} = 1", self.below(12))
    }

    /// A line that the notebook did not have; another replica may get the same.
    fn new_line(&mut self) -> String {
        format!("new{} = 1", self.below(40))
    }

    fn cell(&mut self, line: fn(&mut Self) -> String) -> Cell {
        let kind = if self.below(5) == 0 { CellKind::Markdown } else { CellKind::Code };
        let lines: Vec<String> = (0..=self.below(4)).map(|_| line(self)).collect();
        Cell::new(kind, lines.join("\n"))
    }
}

fn case(seed: u64) -> Result<(), String> {
    let mut rng = Rng(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let cells: Vec<Cell> = (0..rng.below(7)).map(|_| rng.cell(Rng::old_line)).collect();
    let notebook = Notebook { cells, ..Notebook::default() };
    let base = if seed.is_multiple_of(REAL) {
        real(&notebook)
    } else {
        Ok(plain(notebook, 2 + rng.below(3)))
    };
    let base = base.map_err(|err| err.to_string())?;

    let all = vec![Seen::Unchanged; base.replicas.len()];
    let nothing = reconcile(&base, &all).map_err(|err| err.to_string())?;
    for (was, is) in base.replicas.iter().zip(&nothing.base.replicas) {
        check(Arc::ptr_eq(&was.document, &is.document), || "written, and nobody edited".into())?;
    }

    let mut seen = all;
    for (idx, replica) in base.replicas.iter().enumerate() {
        if rng.below(3) != 0 {
            let document = edited(&mut rng, replica).map_err(|err| err.to_string())?;
            seen[idx] = Seen::Changed(document);
        }
    }
    let tell = || describe(&base, &seen);
    let outcome = reconcile(&base, &seen).map_err(|err| format!("{err}\n{}", tell()))?;
    check_result(&base, &seen, &outcome).map_err(|err| format!("{err}\n{}", tell()))?;

    let again = reconcile(&base, &seen).map_err(|err| err.to_string())?;
    check(texts(&again) == texts(&outcome), || format!("not the same again\n{}", tell()))?;

    // Whoever is asked what it did says nothing now.
    let settled: Vec<Seen> =
        outcome.base.replicas.iter().map(|it| Seen::Changed(Arc::clone(&it.document))).collect();
    let rest = reconcile(&outcome.base, &settled).map_err(|err| err.to_string())?;
    let is_settled = rest.edits.iter().all(Vec::is_empty) && texts(&rest) == texts(&outcome);
    check(is_settled, || format!("does not come to rest: {:?}\n{}", rest.edits, tell()))?;

    if 2 < base.replicas.len() {
        // The shadows in another order.
        let (mut turned, mut seen) = (base.clone(), seen.clone());
        turned.replicas[1..].rotate_left(1);
        seen[1..].rotate_left(1);
        let other = reconcile(&turned, &seen).map_err(|err| err.to_string())?;
        check_result(&turned, &seen, &other)
            .map_err(|err| format!("in another order {err}\n{}", tell()))?;
    }
    Ok(())
}

/// A base with replicas that cost little.
pub(crate) fn plain(notebook: Notebook, n_replicas: usize) -> Base {
    let mut next_key = NextKey(0);
    let keys: Vec<_> = notebook.cells.iter().map(|_| next_key.take()).collect();
    let document: Arc<dyn Document> = Arc::new(Plain::new(notebook.clone()));
    let dialect = dialect(FormatName::Ipynb, ".ipynb");
    let keys_of = keys.iter().copied().map(Some).collect();
    let replica = BaseReplica { dialect, document, keys: keys_of };
    let model = Keyed { notebook, keys };
    Base { model, next_key, replicas: vec![replica; n_replicas], stripped: Arc::default() }
}

fn real(notebook: &Notebook) -> Result<Base, PrintError> {
    let format = nbsync_formats::format(FormatName::Ipynb);
    let printed = format.print(notebook, ".ipynb", Carry::All)?;
    let mut base =
        Base::of_source(dialect(FormatName::Ipynb, ".ipynb"), Arc::from(printed.document));
    base.add_replica(dialect(FormatName::Percent, ".py"))?;
    base.add_replica(dialect(FormatName::Marimo, ".py"))?;
    Ok(base)
}

/// Makes some edits to a replica.
fn edited(rng: &mut Rng, replica: &BaseReplica) -> Result<Arc<dyn Document>, PrintError> {
    let old = &replica.document.notebook().cells;
    let mut cells: Vec<(Option<usize>, Cell)> =
        old.iter().cloned().enumerate().map(|(idx, cell)| (Some(idx), cell)).collect();
    for _ in 0..=rng.below(3) {
        edit(rng, &mut cells);
    }
    let slots: Vec<Slot> = cells
        .into_iter()
        .map(|(origin, cell)| match origin {
            Some(idx) if old[idx] == cell => Slot::Keep(idx),
            Some(origin) => {
                let mut changes = vec![Change::Source(cell.source.clone())];
                let tags = Attribute::Metadata("tags".to_owned());
                if let Some(value) = cell.attribute(&tags) {
                    changes.push(Change::Attribute(tags.clone(), Some(value.clone())));
                }
                Slot::Change { origin, changes }
            }
            None => Slot::New(cell),
        })
        .collect();
    let printed = replica.document.update(&slots, &[], replica.dialect.carry)?;
    Ok(Arc::from(printed.document))
}

fn edit(rng: &mut Rng, cells: &mut Vec<(Option<usize>, Cell)>) {
    let n_cells = cells.len();
    let what = rng.below(12);
    if n_cells == 0 || what < 2 {
        let cell = rng.cell(Rng::new_line);
        cells.insert(rng.below(n_cells + 1), (None, cell));
        return;
    }
    let idx = rng.below(n_cells);
    let mut lines: Vec<String> = cells[idx].1.source.lines().map(str::to_owned).collect();
    let line = rng.below(lines.len() + 1);
    match what {
        2 => {
            cells.remove(idx);
            return;
        }
        3 => {
            let cell = cells.remove(idx);
            cells.insert(rng.below(n_cells), cell);
            return;
        }
        // Split.
        4 if 0 < line && line < lines.len() => {
            let rest = lines.split_off(line);
            let kind = cells[idx].1.kind;
            cells.insert(idx + 1, (None, Cell::new(kind, rest.join("\n"))));
        }
        // Join.
        5 if idx + 1 < n_cells && cells[idx].1.kind == cells[idx + 1].1.kind => {
            let (_, next) = cells.remove(idx + 1);
            lines.extend(next.source.lines().map(str::to_owned));
        }
        6 => {
            let tag = format!("tag{}", rng.below(4));
            let tags = Attribute::Metadata("tags".to_owned());
            cells[idx].1.set_attribute(&tags, Some(json!([tag])));
            return;
        }
        7 if 1 < lines.len() && line < lines.len() => {
            lines.remove(line);
        }
        8 | 9 if line < lines.len() => lines[line] = rng.new_line(),
        _ => lines.insert(line, rng.new_line()),
    }
    cells[idx].1.source = lines.join("\n");
}

fn check_result(base: &Base, seen: &[Seen], outcome: &Outcome) -> Result<(), String> {
    let result = &outcome.base.model.notebook;
    let all = all_lines(result);
    for replica in &outcome.base.replicas {
        let shown = all_lines(replica.document.notebook());
        for line in &all {
            check(shown.contains(line), || format!("{line:?} is in one replica only"))?;
        }
    }
    let before = all_lines(&base.model.notebook);
    let mut removed: BTreeSet<&str> = BTreeSet::new();
    for (replica, seen) in base.replicas.iter().zip(seen) {
        let Seen::Changed(document) = seen else { continue };
        let now = all_lines(document.notebook());
        for line in now.difference(&all_lines(replica.document.notebook())) {
            check(all.contains(line), || format!("{line:?} was added, and is lost"))?;
        }
        // One of several may be gone.
        let (was, is) = (replica.document.notebook(), document.notebook());
        removed.extend(before.iter().filter(|it| count(is, it) < count(was, it)));
    }
    for line in before.difference(&removed) {
        check(all.contains(line), || format!("{line:?} was removed by nobody, and is lost"))?;
    }
    Ok(())
}

fn all_lines(notebook: &Notebook) -> BTreeSet<&str> {
    notebook.cells.iter().flat_map(|cell| cell.source.lines()).filter(|it| is_ours(it)).collect()
}

fn count(notebook: &Notebook, line: &str) -> usize {
    notebook.cells.iter().flat_map(|cell| cell.source.lines()).filter(|it| *it == line).count()
}

fn is_ours(line: &str) -> bool {
    line.starts_with("old") || line.starts_with("new")
}

fn texts(outcome: &Outcome) -> Vec<Arc<str>> {
    outcome.base.replicas.iter().map(|it| Arc::clone(it.document.text())).collect()
}

pub(crate) fn dialect(format: FormatName, extension: &str) -> Dialect {
    let extension = extension.to_owned();
    Dialect { format, extension, carry: Carry::All, options: Arc::default() }
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn describe(base: &Base, seen: &[Seen]) -> String {
    let cells = |notebook: &Notebook| -> Vec<String> {
        notebook.cells.iter().map(|it| format!("{}: {}", it.kind.as_str(), it.source)).collect()
    };
    let mut res = format!("    base {:?}", cells(&base.model.notebook));
    for seen in seen {
        match seen {
            Seen::Unchanged => res += "\n    unchanged",
            Seen::Changed(document) => {
                res += "\n    changed ";
                res += &cells(document.notebook()).join(" | ");
            }
        }
    }
    res
}
