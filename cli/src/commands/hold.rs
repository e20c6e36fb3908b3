use std::path::PathBuf;
use std::time::Duration;

use nbsync_daemon::config;
use nbsync_daemon::control::{Command, Reply};

use super::{Outcome, flush, sync};
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::ui::{self, count};

/// Gather saves of a notebook, to become one step
///
/// Propagates what was saved before, and then nothing of these notebooks until
/// `nbsync release`: what is saved meanwhile, in any copy, arrives in all of them
/// together, is one step in `nbsync log`, and one `nbsync undo` takes it back. For AI
/// assistants and scripts that change a notebook with several saves. Of one copy that
/// is saved several times meanwhile, the last save counts. Ends by itself after a time,
/// and with the daemon. Exits with 4 if no daemon runs.
#[derive(Debug, clap::Args)]
pub(crate) struct HoldArgs {
    /// The notebooks, by any of their files, or folders
    #[arg(value_name = "NOTEBOOK", required = true)]
    paths: Vec<PathBuf>,

    /// When it ends by itself, as `30s`, `5min` or `1h`
    #[arg(long = "for", value_name = "TIME", default_value = "10min", value_parser = duration)]
    patience: Duration,
}

/// Propagate the saves that `nbsync hold` has gathered
///
/// Then does as `nbsync flush`: waits until they are in all copies, and tells what was
/// changed and what could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct ReleaseArgs {
    /// The notebooks, by any of their files, or folders
    #[arg(value_name = "NOTEBOOK", required = true)]
    paths: Vec<PathBuf>,

    /// Print what was propagated and what was held as JSON
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    config::duration(text).ok_or_else(|| "a time is `30s`, `5min` or `1h`".to_owned())
}

pub(crate) fn hold(global: &Global, args: &HoldArgs) -> Result<Outcome, CliError> {
    let target = Target::find(global, &args.paths)?;
    let mut daemon = target.require_daemon()?;
    let paths = || target.paths.clone();
    let report = match daemon.request(Command::Sync { paths: paths() })? {
        Reply::Synced(report) => report,
        reply => return Err(super::unexpected(&reply)),
    };
    let seconds = args.patience.as_secs().max(1);
    match daemon.request(Command::Hold { paths: paths(), seconds })? {
        Reply::Done => {}
        Reply::Unknown { message, hints } => {
            return Err(hints.into_iter().fold(CliError::input(message), CliError::hint));
        }
        reply => return Err(super::unexpected(&reply)),
    }
    if !report.out_of_sync.is_empty() {
        sync::print(global, &report, 0, false, false)?;
    } else if !global.quiet {
        let what = count(report.n_notebooks, "notebook");
        ui::print(&format!(
            "holding {what}; `nbsync release` propagates what is saved from now on\n"
        ))?;
    }
    Ok(Outcome::in_sync(report.out_of_sync.is_empty()))
}

pub(crate) fn release(global: &Global, args: &ReleaseArgs) -> Result<Outcome, CliError> {
    let target = Target::find(global, &args.paths)?;
    let mut daemon = target.require_daemon()?;
    match daemon.request(Command::Release { paths: target.paths.clone() })? {
        Reply::Done => flush::flush(global, daemon, target.paths, args.json),
        reply => Err(super::unexpected(&reply)),
    }
}
