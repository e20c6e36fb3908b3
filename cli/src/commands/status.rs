use std::collections::BTreeSet;
use std::path::PathBuf;

use anstyle::Style;
use nbsync_daemon::control::{Command, Reply};
use nbsync_daemon::doctor;
use nbsync_daemon::report::{
    DaemonState, DaemonStatus, NotebookState, NotebookStatus, ReplicaStatus, Role, StatusReport,
};
use nbsync_daemon::run;

use super::Outcome;
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::ui::{self, ATTENTION, ERROR, GOOD, HINT, PLAIN, QUIET, Table, count, escape};

/// Show the notebooks and whether their copies are in sync
///
/// Prints one line per notebook: its state, its source, files that are paired with
/// it, and its shadows. Those that need attention come first, with the reason. Works with and without a
/// running daemon.
///
/// The states are synced (all copies agree), pending (an edit is on its way, or
/// waits for a daemon), held (left alone until something changes) and conflict
/// (two edits of one cell could not both stand; both are kept).
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Only show notebooks with a file at or below this path (can be repeated)
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Print the state as JSON
    #[arg(long)]
    json: bool,

    /// Exit with 1 if a notebook is out of sync, held or in conflict
    ///
    /// By default, the exit code only says whether the state could be read.
    #[arg(long)]
    exit_code: bool,
}

pub(crate) fn run(global: &Global, args: &StatusArgs) -> Result<Outcome, CliError> {
    let target = Target::find(global, &args.paths)?;
    let mut report = target.ask_or_do(
        |mut daemon| match daemon.request(Command::Status { paths: target.paths.clone() })? {
            Reply::Status(report) => Ok(report),
            reply => Err(super::unexpected(&reply)),
        },
        || Ok(run::status(&target.options()?, &target.paths)?),
    )?;
    // Which settings are wrong is no news of the notebooks.
    if let Ok(options) = target.options() {
        doctor::count_problems(&options, &mut report)?;
    }
    if args.json {
        ui::print_json(&report)?;
    } else {
        ui::print(&text(global, &report, !target.paths.is_empty()))?;
    }
    let is_in_sync = report.notebooks.iter().all(|it| it.state == NotebookState::Synced);
    Ok(Outcome::in_sync(is_in_sync || !args.exit_code))
}

fn text(global: &Global, report: &StatusReport, is_part: bool) -> String {
    if report.notebooks.is_empty() {
        return nothing(report, is_part);
    }
    let mut table = Table::default();
    // One file of configuration may be the reason of many.
    let mut told = BTreeSet::new();
    for notebook in &report.notebooks {
        if notebook.state != NotebookState::Synced {
            attention(&mut table, notebook);
        } else if !global.quiet {
            row(&mut table, notebook, &copies(notebook, global.verbose > 0));
            let notes = notebook.notes.iter().filter(|note| told.insert(note.as_str()));
            notes.for_each(|note| table.note(10, note));
            if let Some(n @ 1..) = notebook.problems {
                table.note(
                    10,
                    &format!("{} in it; `nbsync doctor` names them", count(n, "problem")),
                );
            }
        }
    }
    let mut text = table.print();
    if !global.quiet {
        text.push('\n');
        text.push_str(&summary(report));
    }
    text
}

/// Adds a notebook that is not in sync, with the reason.
pub(super) fn attention(table: &mut Table, notebook: &NotebookStatus) {
    row(table, notebook, &copies(notebook, false));
    for note in notebook.reason.iter().chain(&notebook.notes) {
        table.note(10, note);
    }
}

fn row(table: &mut Table, notebook: &NotebookStatus, shadows: &str) {
    let (style, state) = label(notebook.state);
    // As wide as the widest state, so that the reasons stand below the notebook.
    let state = format!("{state:8}");
    table.row([(style, &state), (PLAIN, notebook.source.as_str()), (QUIET, shadows)]);
}

/// The word for a state, and how it looks.
pub(super) fn label(state: NotebookState) -> (Style, &'static str) {
    match state {
        NotebookState::Conflict => (ERROR, "conflict"),
        NotebookState::Held => (ATTENTION, "held"),
        NotebookState::Pending => (ATTENTION, "pending"),
        NotebookState::Synced => (GOOD, "synced"),
    }
}

/// The other files of the user, and the formats of the shadows, or where they are.
pub(super) fn copies(notebook: &NotebookStatus, with_paths: bool) -> String {
    let name = |replica: &ReplicaStatus| match replica.role {
        Role::Source => None,
        Role::Shadow if !with_paths => Some(replica.format.to_string()),
        Role::Paired | Role::Shadow => Some(replica.path.to_string()),
    };
    notebook.replicas.iter().filter_map(name).collect::<Vec<_>>().join(", ")
}

fn summary(report: &StatusReport) -> String {
    let n = |state| report.notebooks.iter().filter(|notebook| notebook.state == state).count();
    let parts: Vec<String> = [
        (n(NotebookState::Conflict), "in conflict"),
        (n(NotebookState::Held), "held"),
        (n(NotebookState::Pending), "pending"),
        (n(NotebookState::Synced), "in sync"),
    ]
    .into_iter()
    .filter(|&(n, _)| n > 0)
    .map(|(n, what)| format!("{n} {what}"))
    .collect();
    let notebooks = count(report.notebooks.len(), "notebook");
    format!("{notebooks}: {}; {}\n", parts.join(", "), daemon(&report.daemon))
}

fn daemon(daemon: &DaemonStatus) -> String {
    if !daemon.running {
        return "no daemon runs".to_owned();
    }
    let (style, what) = match daemon.state {
        None | Some(DaemonState::Watching) => (GOOD, "watched"),
        Some(DaemonState::Scanning) => (PLAIN, "being scanned"),
        Some(DaemonState::Paused) => (ATTENTION, "paused"),
        Some(DaemonState::Halted) => (ERROR, "halted"),
        Some(DaemonState::Degraded) => (ATTENTION, "watched in part by polling"),
    };
    let pid = daemon.pid.map(|pid| format!(" by process {pid}")).unwrap_or_default();
    let reason = daemon.reason.as_ref().map(|reason| format!(": {}", escape(reason)));
    format!("{style}{what}{style:#}{pid}{}", reason.unwrap_or_default())
}

fn nothing(report: &StatusReport, is_part: bool) -> String {
    let root = escape(report.root.as_str());
    let place = if is_part { "at these paths in" } else { "in" };
    let next = if report.daemon.running {
        format!("`{root}` is {}", daemon(&report.daemon))
    } else {
        format!("{HINT}hint:{HINT:#} `nbsync watch DIR` starts to watch a folder")
    };
    format!(
        "no notebooks {place} `{root}`\n\
         looked for `.ipynb` files, scripts with `# %%` cells and marimo notebooks\n\
         {next}\n"
    )
}
