use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nbsync_daemon::control::{Client, Command, Reply};
use nbsync_daemon::report::{NotebookState, NotebookStatus, Report, StatusReport, SyncReport};
use nbsync_daemon::run::{self, SyncMode};

use super::{Outcome, status};
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::events::labels;
use crate::ui::{self, PLAIN, Progress, QUIET, Table, count};

/// Bring all copies in sync once, then exit
///
/// Asks the daemon if one runs, and does it itself otherwise. Exits with 1 if a
/// notebook is out of sync, held or in conflict afterwards.
#[derive(Debug, clap::Args)]
pub(crate) struct SyncArgs {
    /// Only sync notebooks with a file at or below this path (can be repeated)
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Write nothing, and exit with 1 if something would change
    ///
    /// For CI and pre-commit hooks.
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,

    /// Write nothing, and show what would change
    #[arg(long)]
    dry_run: bool,

    /// Print what was propagated and what was held as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(global: &Global, args: &SyncArgs) -> Result<Outcome, CliError> {
    let target = Target::find(global, &args.paths)?;
    let only_look = args.check || args.dry_run;
    let (report, n_created) = target.ask_or_do(
        |daemon| Ok((ask(daemon, &target, only_look)?, 0)),
        || alone(global, &target, only_look),
    )?;
    print(global, &report, n_created, args.json, only_look)?;
    let needs_attention = report.out_of_sync.iter().any(|notebook| match notebook.state {
        NotebookState::Held | NotebookState::Conflict => true,
        // Showing what is pending is all that a dry run is for.
        NotebookState::Pending => !args.dry_run,
        NotebookState::Synced => false,
    });
    Ok(Outcome::in_sync(!needs_attention && (!args.check || report.propagated.is_empty())))
}

/// Asks a daemon to sync, or whether there would be anything to do.
///
/// A daemon that isn't paused propagates whatever was saved, asked or not. Only
/// to look therefore means to let it, and to see what is left.
fn ask(mut daemon: Client, target: &Target, only_look: bool) -> Result<SyncReport, CliError> {
    let paths = || target.paths.clone();
    if !only_look {
        return match daemon.request(Command::Sync { paths: paths() })? {
            Reply::Synced(report) => Ok(report),
            reply => Err(super::unexpected(&reply)),
        };
    }
    daemon.request(Command::Sync { paths: paths() })?;
    match daemon.request(Command::Status { paths: paths() })? {
        Reply::Status(status) => Ok(out_of_sync(status)),
        reply => Err(super::unexpected(&reply)),
    }
}

/// Runs a cycle without a daemon; returns what it did, and how many shadows were
/// new.
fn alone(
    global: &Global,
    target: &Target,
    only_look: bool,
) -> Result<(SyncReport, usize), CliError> {
    let mode = if only_look { SyncMode::DryRun } else { SyncMode::Apply };
    let mut progress = Progress::start(!global.quiet && ui::has_screen());
    let n_created = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&n_created);
    // What else happens to the pairings is in the final report; errors that belong
    // to none are not.
    let reporter = move |report: &Report| match report {
        Report::Progress { done, total } => progress.update(*done, *total),
        Report::Paired { to, .. } => {
            counter.fetch_add(to.len(), Ordering::Relaxed);
        }
        Report::Error { notebook: None, reason } => progress.suspend(|| ui::warn(reason)),
        _ => {}
    };
    let report = run::sync(&target.options()?, &target.paths, mode, Box::new(reporter))?;
    Ok((report, n_created.load(Ordering::Relaxed)))
}

/// What a daemon's status says about what it would do.
fn out_of_sync(status: StatusReport) -> SyncReport {
    let n_notebooks = status.notebooks.len();
    let mut out_of_sync = status.notebooks;
    out_of_sync.retain(|notebook| notebook.state != NotebookState::Synced);
    SyncReport { version: status.version, n_notebooks, propagated: Vec::new(), out_of_sync }
}

/// Prints what `flush` and `sync` come back with.
pub(super) fn print(
    global: &Global,
    report: &SyncReport,
    n_created: usize,
    json: bool,
    only_looked: bool,
) -> Result<(), CliError> {
    if json {
        return ui::print_json(report);
    }
    let mut table = Table::default();
    // What would change is listed as such below.
    let is_listed = |notebook: &NotebookStatus| {
        notebook.state == NotebookState::Pending
            && report.propagated.iter().any(|it| it.notebook == notebook.source)
    };
    for notebook in report.out_of_sync.iter().filter(|notebook| !is_listed(notebook)) {
        status::attention(&mut table, notebook);
    }
    let mut text = table.print();
    if !global.quiet {
        text.push_str(&propagated(report, only_looked || global.verbose > 0));
        text.push_str(&summary(report, n_created, only_looked));
    }
    ui::print(&text)
}

fn propagated(report: &SyncReport, with_changes: bool) -> String {
    let mut table = Table::default();
    for propagation in &report.propagated {
        let notebook = &propagation.notebook;
        let from = labels(&propagation.from, notebook);
        let to = labels(&propagation.to, notebook);
        let route = if from.is_empty() { format!("-> {to}") } else { format!("{from} -> {to}") };
        let cells = count(propagation.cells, "cell");
        table.row([(PLAIN, notebook.as_str()), (PLAIN, &route), (QUIET, &cells)]);
        if with_changes {
            for change in &propagation.changes {
                table.note(4, change);
            }
        }
    }
    table.print()
}

fn summary(report: &SyncReport, n_created: usize, only_looked: bool) -> String {
    let n_waiting =
        |state| report.out_of_sync.iter().filter(|notebook| notebook.state == state).count();
    let n_propagated = report.propagated.len();
    // A dry run lists what is pending as what would change.
    let is_listed = only_looked && n_propagated > 0;
    let n_pending = if is_listed { 0 } else { n_waiting(NotebookState::Pending) };
    let mut parts: Vec<String> = [
        (n_propagated, if only_looked { "would change" } else { "changed" }),
        (n_pending, "pending"),
        (n_waiting(NotebookState::Held), "held"),
        (n_waiting(NotebookState::Conflict), "in conflict"),
    ]
    .into_iter()
    .filter(|&(n, _)| n > 0)
    .map(|(n, what)| format!("{n} {what}"))
    .collect();
    if n_created > 0 {
        let what = if only_looked { "would make" } else { "made" };
        parts.insert(0, format!("{what} {}", count(n_created, "shadow")));
    }
    if report.out_of_sync.is_empty() && !is_listed {
        parts.push("all in sync".to_owned());
    }
    format!("{}: {}\n", count(report.n_notebooks, "notebook"), parts.join(", "))
}
