use std::path::PathBuf;

use camino::Utf8PathBuf;
use nbsync_daemon::control::{Client, Command, Reply};

use super::{Outcome, sync};
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;

/// Wait until everything saved so far is in all copies
///
/// Asks the running daemon, and returns when every edit that was saved before
/// the call is propagated. Meant for scripts and AI agents: edit a file, run
/// `nbsync flush`, go on. Tells what was changed since the last `flush` that was about
/// these notebooks. Exits with 1 if a notebook is held or in conflict, and
/// says why; with 4 if no daemon runs.
#[derive(Debug, clap::Args)]
pub(crate) struct FlushArgs {
    /// Only wait for notebooks with a file at or below this path (can be repeated)
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Print what was changed and what was held as JSON
    ///
    /// `propagated` has, for each edit, the files that it was made in, and its `changes`
    /// in words. `out_of_sync` has the notebooks that are held or in conflict, with the
    /// `reason`; `unreadable` names the file that could not be parsed, and the line.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(global: &Global, args: &FlushArgs) -> Result<Outcome, CliError> {
    let target = Target::find(global, &args.paths)?;
    let daemon = target.require_daemon()?;
    flush(global, daemon, target.paths, args.json)
}

/// Waits until everything is propagated, and prints what that was.
pub(super) fn flush(
    global: &Global,
    mut daemon: Client,
    paths: Vec<Utf8PathBuf>,
    json: bool,
) -> Result<Outcome, CliError> {
    match daemon.request(Command::Flush { paths })? {
        Reply::Synced(report) => {
            sync::print(global, &report, 0, json, false)?;
            Ok(Outcome::in_sync(report.out_of_sync.is_empty()))
        }
        reply => Err(super::unexpected(&reply)),
    }
}
