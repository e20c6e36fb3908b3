use std::fmt::Write as _;
use std::path::PathBuf;

use clap::ValueEnum;
use nbsync_daemon::control::{Command, Reply};
use nbsync_daemon::report::{ConflictStatus, ConflictVersion, ConflictsReport, Take};

use super::{Outcome, restore};
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::ui::{self, ADDED, ERROR, QUIET, REMOVED, count, escape};
use crate::version::show_time;

/// List the conflicts that are still to be decided
///
/// Two edits of the same lines of a cell can't both stand. The source's version
/// stands in place; the other one is in a markdown cell below it, and in a file
/// beside the shadows. Exits with 1 if there is a conflict.
///
/// `nbsync resolve` decides; so does deleting the cell in any editor.
#[derive(Debug, clap::Args)]
pub(crate) struct ConflictsArgs {
    /// Only list those of notebooks with a file at or below this path (can be repeated)
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Print the conflicts as JSON
    #[arg(long)]
    json: bool,
}

/// Decide conflicts of a notebook
///
/// Without a cell, all conflicts of the notebook. The version that is not taken
/// stays in the history, and `nbsync undo` takes the decision back.
#[derive(Debug, clap::Args)]
pub(crate) struct ResolveArgs {
    /// The notebook
    #[arg(value_name = "NOTEBOOK")]
    path: PathBuf,

    /// The number of the cell, as `nbsync conflicts` shows it [default: all]
    #[arg(value_name = "CELL")]
    cell: Option<usize>,

    /// Which version stands
    #[arg(long, value_name = "VERSION")]
    take: TakeArg,

    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TakeArg {
    /// The one that stands in place
    Source,
    /// The one that is in the extra cell
    Other,
    /// Both, as two cells
    Both,
}

pub(crate) fn list(global: &Global, args: &ConflictsArgs) -> Result<Outcome, CliError> {
    let target = Target::find(global, &args.paths)?;
    let command = Command::Conflicts { paths: target.paths.clone() };
    let report = match super::request(&target, &command)? {
        Reply::Conflicts(report) => report,
        reply => return Err(super::unexpected(&reply)),
    };
    if args.json {
        ui::print_json(&report)?;
    } else {
        ui::print(&text(global, &report))?;
    }
    Ok(Outcome::in_sync(report.conflicts.is_empty()))
}

pub(crate) fn resolve(global: &Global, args: &ResolveArgs) -> Result<Outcome, CliError> {
    let (target, path) = Target::find_one(global, &args.path)?;
    let take = match args.take {
        TakeArg::Source => Take::Source,
        TakeArg::Other => Take::Other,
        TakeArg::Both => Take::Both,
    };
    let report = restore::change(&target, &Command::Resolve { path, cell: args.cell, take })?;
    if args.json {
        ui::print_json(&report)?;
    } else if !global.quiet {
        let notebook = escape(report.notebook.as_str());
        let left = match report.conflicts_left {
            0 => "no conflict left".to_owned(),
            n => format!("{} left", count(n, "conflict")),
        };
        let took = take.as_str();
        ui::print(&format!(
            "{notebook}  took {took}; {left}; `nbsync undo {notebook}` takes that back\n"
        ))?;
    }
    Ok(Outcome::in_sync(report.conflicts_left == 0))
}

fn text(global: &Global, report: &ConflictsReport) -> String {
    let mut res = String::new();
    for conflict in &report.conflicts {
        print_one(&mut res, conflict);
    }
    if report.conflicts.is_empty() {
        return if global.quiet { res } else { "no conflicts\n".to_owned() };
    }
    if !global.quiet {
        res.push_str(
            "`nbsync resolve NOTEBOOK [CELL] --take source|other|both` decides, \
             or delete the extra cell\n",
        );
    }
    res
}

fn print_one(res: &mut String, conflict: &ConflictStatus) {
    let cell = match conflict.cell {
        Some(cell) => format!("cell {cell}"),
        None => "notebook".to_owned(),
    };
    let notebook = escape(conflict.notebook.as_str());
    let shown = format!("the other version is in cell {}", conflict.shown_in);
    let file = conflict.file.as_ref().map(|file| format!(" and `{}`", escape(file.as_str())));
    let file = file.unwrap_or_default();
    let _written = writeln!(
        res,
        "{ERROR}conflict{ERROR:#}  {notebook}  {cell}: {}; {shown}{file}",
        escape(&conflict.about)
    );
    let origin = |version: &ConflictVersion| {
        let replica = version.replica.as_ref().map(|it| escape(it.as_str()).into_owned());
        let time = version.time_ms.map(show_time);
        [replica, time].into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    for (name, style, version) in
        [("source", REMOVED, &conflict.source), ("other", ADDED, &conflict.other)]
    {
        let line = escape(&version.line);
        let origin = origin(version);
        let _written =
            writeln!(res, "    {name:6}  {style}{line}{style:#}  {QUIET}{origin}{QUIET:#}");
    }
}
