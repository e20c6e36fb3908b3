use std::path::PathBuf;

use nbsync_daemon::control::{Command, Reply};
use nbsync_daemon::history::SHORT;
use nbsync_daemon::report::ChangeReport;

use super::{Outcome, log};
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::events::labels;
use crate::ui::{self, count, escape};
use crate::version::{Version, show_time};

/// Bring a version of a notebook back
///
/// Writes all copies as they were in that version, outputs included. What they
/// hold now is kept first, so `nbsync undo` takes the restoring back. Also
/// brings a deleted notebook back. A version that `nbsync log` lists as `kept` is
/// written into the copy that had it, like a save of an editor.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The notebook and its version: an id from `nbsync log`, or `@~1`, `@2h`, `@10:30`
    #[arg(value_name = "NOTEBOOK@VERSION")]
    version: PathBuf,

    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// Take the last step of a notebook back
///
/// Brings the copies back to what they were before the last edit. Undo is a step
/// itself: a second `nbsync undo` does the edit again. To go further back, use
/// `nbsync restore NOTEBOOK@~2`.
#[derive(Debug, clap::Args)]
pub(crate) struct UndoArgs {
    /// The notebook [default: the one that was edited last]
    #[arg(value_name = "NOTEBOOK")]
    path: Option<PathBuf>,

    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn restore(global: &Global, args: &RestoreArgs) -> Result<Outcome, CliError> {
    let version = Version::parse(&args.version)?;
    let rev = version.rev()?;
    let (target, path) = Target::find_one(global, &version.path)?;
    let report = change(&target, &Command::Restore { path, rev })?;
    print(global, &report, args.json, "restored")
}

pub(crate) fn undo(global: &Global, args: &UndoArgs) -> Result<Outcome, CliError> {
    let (target, path) = match &args.path {
        Some(path) => Target::find_one(global, path).map(|(target, path)| (target, Some(path)))?,
        None => (Target::find(global, &[])?, None),
    };
    let report = change(&target, &Command::Undo { path })?;
    print(global, &report, args.json, "took back")
}

pub(super) fn change(target: &Target, command: &Command) -> Result<ChangeReport, CliError> {
    match super::request(target, command)? {
        Reply::Changed(report) => Ok(*report),
        reply => Err(super::unexpected(&reply)),
    }
}

fn print(
    global: &Global,
    report: &ChangeReport,
    json: bool,
    what: &str,
) -> Result<Outcome, CliError> {
    if json {
        ui::print_json(report)?;
        return Ok(Outcome::Fine);
    }
    if global.quiet {
        return Ok(Outcome::Fine);
    }
    let notebook = escape(report.notebook.as_str());
    let of = report.of.as_ref().map_or_else(String::new, |of| {
        let (id, time) = (&of.id[..SHORT], show_time(of.time_ms));
        format!("{what} {id} of {time} ({}: {})", log::origin(of), log::changes(of))
    });
    let mut text = format!("{notebook}  {}\n", escape(&of));
    match &report.step {
        Some(step) => {
            let to = labels(&step.to, &report.notebook);
            let cells = count(step.cells, "cell");
            text.push_str("wrote ");
            text.extend([&to, ", ", &cells, "; `nbsync undo ", &notebook, "` takes that back\n"]);
        }
        None => text.push_str("nothing to write: it was so already\n"),
    }
    ui::print(&text)?;
    Ok(Outcome::Fine)
}
