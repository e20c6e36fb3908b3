use std::path::PathBuf;

use anstyle::Style;
use nbsync_daemon::control::{Command, Reply};
use nbsync_daemon::doctor::{self, DoctorReport, FileReport, Finding};
use nbsync_daemon::report::{NotebookStatus, Role, StatusReport};
use nbsync_daemon::run;
use nbsync_formats::{Diagnostic, Severity};

use super::{Outcome, status};
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::ui::{self, ATTENTION, ERROR, GOOD, PLAIN, QUIET, Table, count, escape};

/// Explain why files are or are not synced, and what could not run in them
///
/// Of a file: whether it is part of a notebook, and if not, which rule leaves it
/// alone; why it is held; which other tools write it; and what marimo, or a run from
/// top to bottom as in Jupyter, could not run in it. Of a folder, or of everything:
/// all that needs attention, and how the folder is watched, where the state is, and
/// how its file system replaces files. Works with and without a running daemon.
///
/// Exits with 1 if there is an error or a warning. Notes are shown with `-v`, or if
/// a file is named. The codes are explained in docs/diagnostics.md.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// The files and folders to look at [default: all that is watched]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(global: &Global, args: &DoctorArgs) -> Result<Outcome, CliError> {
    let (target, outside) = Target::find_any(global, &args.paths)?;
    let options = target.options()?;
    let status = status_of_all(&target)?;
    let mut paths = target.paths;
    paths.extend(outside);
    let report = doctor::examine(&options, &status, &paths)?;
    if args.json {
        ui::print_json(&report)?;
    } else {
        ui::print(&text(global, &report, !paths.is_empty()))?;
    }
    Ok(Outcome::in_sync(report.n_problems == 0))
}

fn status_of_all(target: &Target) -> Result<StatusReport, CliError> {
    target.ask_or_do(
        |mut daemon| match daemon.request(Command::Status { paths: Vec::new() })? {
            Reply::Status(report) => Ok(report),
            reply => Err(super::unexpected(&reply)),
        },
        || Ok(run::status(&target.options()?, &[])?),
    )
}

fn text(global: &Global, report: &DoctorReport, is_asked: bool) -> String {
    let with_notes = global.verbose > 0 || (is_asked && !global.quiet);
    let mut text = String::new();
    for file in &report.files {
        text.push_str(&of_file(file, with_notes));
    }
    if !text.is_empty() && !global.quiet {
        text.push('\n');
    }
    let is_shown = |it: &&Finding| with_notes || it.severity != Severity::Note;
    let mut table = Table::default();
    for finding in report.findings.iter().filter(is_shown) {
        row(&mut table, finding.severity, &finding.code, &finding.message);
    }
    text.push_str(&table.print());
    if !global.quiet {
        text.push_str(&system(report));
        text.push_str(&summary(report));
    }
    text
}

fn of_file(file: &FileReport, with_notes: bool) -> String {
    let is_shown = |severity: Severity| with_notes || severity != Severity::Note;
    let mut table = Table::default();
    for it in file.findings.iter().filter(|it| is_shown(it.severity)) {
        row(&mut table, it.severity, &it.code, &it.message);
    }
    for it in file.diagnostics.iter().filter(|it| is_shown(it.severity)) {
        let message = format!("{}{}", place(it), it.message);
        row(&mut table, it.severity, it.code.as_str(), &message);
    }
    let rows = table.print();
    if rows.is_empty() && !with_notes {
        return String::new();
    }
    let state = match &file.notebook {
        None => "not synced".to_owned(),
        Some(notebook) => part(file, notebook),
    };
    let mut text = format!("{}  {QUIET}{}{QUIET:#}\n", escape(file.path.as_str()), escape(&state));
    for row in rows.lines() {
        text.extend(["  ", row, "\n"]);
    }
    text
}

/// The state of a notebook, and what the file is in it.
fn part(file: &FileReport, notebook: &NotebookStatus) -> String {
    let (_, state) = status::label(notebook.state);
    match file.role {
        Some(Role::Shadow) => format!("{state}, a copy of {}", notebook.source),
        _ => match status::copies(notebook, true).as_str() {
            "" => state.to_owned(),
            copies => format!("{state}, copies: {copies}"),
        },
    }
}

/// Where a diagnostic is: the line of the file if it has lines, or else the cell.
fn place(diagnostic: &Diagnostic) -> String {
    let Some(first) = diagnostic.places.first() else { return String::new() };
    let name = first.name.as_deref().map(|it| format!(" `{it}`")).unwrap_or_default();
    match (first.line, first.cell, first.cell_line) {
        (Some(line), Some(cell), _) => format!("line {line}, cell {cell}{name}: "),
        (Some(line), None, _) => format!("line {line}: "),
        (None, Some(cell), Some(line)) => format!("cell {cell}{name}, line {line}: "),
        _ => String::new(),
    }
}

fn row(table: &mut Table, severity: Severity, code: &str, message: &str) {
    let (style, label): (Style, &str) = match severity {
        Severity::Error => (ERROR, "error"),
        Severity::Warning => (ATTENTION, "warning"),
        Severity::Note => (PLAIN, "note"),
    };
    // As wide as the widest, so that the tables of several files line up.
    table.row([(style, &format!("{label:7}")), (QUIET, &format!("{code:19}")), (PLAIN, message)]);
}

fn system(report: &DoctorReport) -> String {
    let mut table = Table::default();
    let mut fact = |label: &str, value: String| {
        table.row([(QUIET, label), (PLAIN, value.as_str())]);
    };
    fact("root", report.root.to_string());
    let daemon = match (report.daemon.running, report.daemon.pid) {
        (false, _) => "none runs; `nbsync watch` starts one".to_owned(),
        (true, Some(pid)) => format!("process {pid}"),
        (true, None) => "running".to_owned(),
    };
    fact("daemon", daemon);
    let config = report.config.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    fact("config", if config.is_empty() { "defaults".to_owned() } else { config });
    fact("state", format!("{} ({} KiB)", report.state.folder, report.state.bytes.div_ceil(1024)));
    fact("watch", watching(report));
    for it in &report.file_systems {
        let how = match it.method.as_str() {
            "exchange" => "files are exchanged in one step",
            "move-out" => "files are moved out, then replaced",
            "rename-over" => "files are renamed over",
            _ => "files are written in place",
        };
        fact("files", format!("{how} in {}", it.folder));
    }
    table.print()
}

fn watching(report: &DoctorReport) -> String {
    let it = &report.watching;
    let folders = count(it.folders, "folder");
    let limit = |used: Option<u64>, max: Option<u64>| match (used, max) {
        (Some(used), Some(max)) => format!("{used} of {max}"),
        (None, Some(max)) => format!("at most {max}"),
        _ => "unknown".to_owned(),
    };
    match &it.polled {
        Some(reason) => format!("{folders}, polled: {reason}"),
        None => format!(
            "{folders}; inotify watches in use: {}, instances: {}",
            limit(it.used_watches, it.max_user_watches),
            limit(it.used_instances, it.max_user_instances)
        ),
    }
}

fn summary(report: &DoctorReport) -> String {
    let notebooks = count(report.n_notebooks, "notebook");
    match report.n_problems {
        0 => format!("{notebooks}: {GOOD}no problems{GOOD:#}\n"),
        n => format!("{notebooks}: {ERROR}{}{ERROR:#}\n", count(n, "problem")),
    }
}
