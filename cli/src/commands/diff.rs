use std::fmt::Write as _;
use std::path::PathBuf;

use anstyle::Style;
use nbsync_daemon::control::{Command, Reply};
use nbsync_daemon::history::{CellChange, CellDiff, DiffReport, LogEntry, Rev, SHORT, Tag};

use super::Outcome;
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::ui::{self, ADDED, HINT, PLAIN, QUIET, REMOVED, escape};
use crate::version::{Version, show_time};

/// Show what is different between two versions of a notebook
///
/// Cell by cell, with outputs as a summary. With one version, compares it with
/// what the notebook is now; with none, shows what the last step changed.
/// `nbsync log --help` says how versions are named. Exits with 0 whether or not
/// there is a difference.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// The notebook, and the older version
    #[arg(value_name = "NOTEBOOK[@VERSION]")]
    version: PathBuf,

    /// The newer version [default: what the notebook is now]
    #[arg(value_name = "@VERSION")]
    second: Option<String>,

    /// Print the difference as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(global: &Global, args: &DiffArgs) -> Result<Outcome, CliError> {
    let version = Version::parse(&args.version)?;
    let second = args.second.as_deref().map(Version::parse_second).transpose()?;
    let (before, after) = match (version.rev, second) {
        (Some(before), after) => (before, after),
        (None, Some(before)) => (before, None),
        (None, None) => (Rev::Back(1), Some(Rev::Back(0))),
    };
    let (target, path) = Target::find_one(global, &version.path)?;
    match super::request(&target, &Command::Diff { path, before, after })? {
        Reply::Diff(report) if args.json => ui::print_json(&report)?,
        Reply::Diff(report) => ui::print(&text(&report))?,
        reply => return Err(super::unexpected(&reply)),
    }
    Ok(Outcome::Fine)
}

fn text(report: &DiffReport) -> String {
    let name =
        |version: &LogEntry| format!("{} ({})", &version.id[..SHORT], show_time(version.time_ms));
    let after = report.after.as_ref().map_or_else(|| "what is on disk".to_owned(), name);
    let notebook = escape(report.before.notebook.as_str());
    let mut res = format!("{notebook}  {} -> {after}\n", name(&report.before));
    for change in &report.notebook {
        let _written = writeln!(res, "\n{HINT}notebook{HINT:#}  {}", escape(change));
    }
    for cell in &report.cells {
        res.push('\n');
        print_cell(&mut res, cell);
    }
    if report.cells.is_empty() && report.notebook.is_empty() {
        res.push_str("no difference in the cells\n");
    }
    res
}

fn print_cell(res: &mut String, cell: &CellDiff) {
    let number = cell.after.or(cell.before).unwrap_or_default();
    let what = match (cell.change, cell.before) {
        (CellChange::New, _) => "new, ".to_owned(),
        (CellChange::Deleted, _) => "deleted, ".to_owned(),
        (CellChange::Moved, Some(before)) => format!("was cell {before}, "),
        (CellChange::Moved, None) | (CellChange::Edited, _) => String::new(),
    };
    let id = cell.id.as_ref().map_or_else(String::new, |id| format!(" {id}"));
    let head = format!("{HINT}cell {number}{HINT:#}{QUIET}{}{QUIET:#}", escape(&id));
    let title = escape(&cell.title);
    let lines = [format!("{head}  {what}{}: {title}", cell.kind)];
    res.push_str(&lines.join("\n"));
    res.push('\n');
    let mut line = |style: Style, sign: &str, text: &str| {
        let shown = format!("{sign}{}", escape(text));
        let _written = writeln!(res, "  {style}{}{style:#}", shown.trim_end());
    };
    for it in &cell.lines {
        match it.tag {
            Tag::Same => line(PLAIN, "  ", &it.text),
            Tag::Removed => line(REMOVED, "- ", &it.text),
            Tag::Added => line(ADDED, "+ ", &it.text),
            Tag::Gap => line(QUIET, "  ", "..."),
        }
    }
    for attribute in &cell.attributes {
        line(QUIET, "", attribute);
    }
    if let Some(outputs) = &cell.outputs {
        let none = || "no outputs".to_owned();
        let before = outputs.before.clone().unwrap_or_else(none);
        let after = outputs.after.clone().unwrap_or_else(none);
        let text = if before == after {
            format!("other outputs: {after}")
        } else {
            format!("{before} -> {after}")
        };
        line(QUIET, "", &text);
    }
}
