use std::path::PathBuf;

use nbsync_daemon::control::{Command, Reply};

use super::{Outcome, sync};
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;

/// Wait until everything saved so far is in all copies
///
/// Asks the running daemon, and returns when every edit that was saved before
/// the call is propagated. Meant for scripts and AI agents: edit a file, run
/// `nbsync flush`, go on. Exits with 1 if a notebook is held or in conflict, and
/// says why; with 4 if no daemon runs.
#[derive(Debug, clap::Args)]
pub(crate) struct FlushArgs {
    /// Only wait for notebooks with a file at or below this path (can be repeated)
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Print what was propagated and what was held as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(global: &Global, args: &FlushArgs) -> Result<Outcome, CliError> {
    let target = Target::find(global, &args.paths)?;
    let mut daemon = target.require_daemon()?;
    match daemon.request(Command::Flush { paths: target.paths })? {
        Reply::Synced(report) => {
            sync::print(global, &report, 0, args.json, false)?;
            Ok(Outcome::in_sync(report.out_of_sync.is_empty()))
        }
        reply => Err(super::unexpected(&reply)),
    }
}
