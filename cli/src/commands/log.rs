use std::path::PathBuf;

use camino::Utf8Path;
use nbsync_daemon::control::{Command, Reply};
use nbsync_daemon::history::{LogEntry, LogReport, SHORT};
use nbsync_daemon::report::Cause;
use serde::Serialize;

use super::Outcome;
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::events::labels;
use crate::ui::{self, ATTENTION, HINT, PLAIN, QUIET, Table, count};
use crate::version::{rfc3339, show_time};

/// List the versions of a notebook, newest first
///
/// Prints one line per version: its id, the time, the copy that was edited (or
/// what else it came from), and what changed. Every save that came to something
/// is a version, and so is every text that an editor saved and that could not be
/// read or was merged with another save (`kept`).
///
/// NOTEBOOK is any copy of it, also of one that was deleted, or a folder; without
/// it, the versions of all notebooks are listed. `nbsync show`, `diff` and
/// `restore` take a version by its id (the first letters will do), by how many
/// steps ago it was (`a.ipynb@~2`), by an age (`@2h`) or a time (`@10:30`,
/// `@2026-11-21`).
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    /// The notebooks [default: all] (can be repeated)
    #[arg(value_name = "NOTEBOOK")]
    paths: Vec<PathBuf>,

    /// List so many versions at most, or all with 0
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,

    /// Print the versions as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(global: &Global, args: &LogArgs) -> Result<Outcome, CliError> {
    let target = Target::find_former(global, &args.paths)?;
    let command = Command::Log { paths: target.paths.clone(), limit: args.limit };
    match super::request(&target, &command)? {
        Reply::Log(report) if args.json => ui::print_json(&timed_log(&report))?,
        Reply::Log(report) => ui::print(&text(global, &report, target.paths.len()))?,
        reply => return Err(super::unexpected(&reply)),
    }
    Ok(Outcome::Fine)
}

fn text(global: &Global, report: &LogReport, n_paths: usize) -> String {
    if report.versions.is_empty() {
        return "no versions yet\n".to_owned();
    }
    let first = &report.versions[0].notebook;
    let is_one = n_paths == 1 && report.versions.iter().all(|it| it.notebook == *first);
    let mut table = Table::default();
    for version in &report.versions {
        let notebook = if is_one { "" } else { version.notebook.as_str() };
        let style = if matches!(version.cause, Cause::Kept { .. }) { ATTENTION } else { PLAIN };
        let (time, from) = (show_time(version.time_ms), origin(version));
        let (id, changes) = (&version.id[..SHORT], changes(version));
        if is_one {
            table.row([(HINT, id), (QUIET, &time), (style, &from), (PLAIN, &changes)]);
        } else {
            table.row([
                (HINT, id),
                (QUIET, &time),
                (PLAIN, notebook),
                (style, &from),
                (PLAIN, &changes),
            ]);
        }
        if global.verbose > 0 && version.changes.len() > 1 {
            for change in &version.changes {
                table.note(SHORT + 2, change);
            }
        }
    }
    let mut text = table.print();
    let n_left = report.total - report.versions.len();
    if n_left > 0 && !global.quiet {
        text.extend([n_left.to_string().as_str(), " older; `-n 0` lists all\n"]);
    }
    text
}

/// The copies that were edited, or what else a version came from.
pub(super) fn origin(version: &LogEntry) -> String {
    let names = || labels(&version.from, Utf8Path::new(&version.notebook));
    match &version.cause {
        Cause::Edit if version.from.is_empty() => "formatting".to_owned(),
        Cause::Edit => names(),
        Cause::Found => "first seen".to_owned(),
        Cause::Restore { of } => format!("restored {}", &of[..SHORT.min(of.len())]),
        Cause::Undo { of } => format!("undid {}", &of[..SHORT.min(of.len())]),
        Cause::Resolve { take } => format!("resolved, {}", take.as_str()),
        Cause::Kept { .. } => format!("{} (kept)", names()),
    }
}

/// What changed, in one line.
pub(super) fn changes(version: &LogEntry) -> String {
    match (&version.cause, &version.changes[..]) {
        (Cause::Kept { reason }, _) => reason.clone(),
        (Cause::Found, _) => count(version.cells, "cell"),
        (_, []) => "outputs or formatting".to_owned(),
        (_, [change]) => change.clone(),
        (_, [change, rest @ ..]) => format!("{change} (and {} more)", rest.len()),
    }
}

/// A version with its time as programs like it.
#[derive(Debug, Serialize)]
pub(super) struct Timed<'a> {
    #[serde(flatten)]
    version: &'a LogEntry,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
}

pub(super) fn timed(version: &LogEntry) -> Timed<'_> {
    Timed { version, time: rfc3339(version.time_ms) }
}

#[derive(Debug, Serialize)]
struct TimedLog<'a> {
    version: u32,
    total: usize,
    versions: Vec<Timed<'a>>,
}

fn timed_log(report: &LogReport) -> TimedLog<'_> {
    let versions = report.versions.iter().map(timed).collect();
    TimedLog { version: report.version, total: report.total, versions }
}
