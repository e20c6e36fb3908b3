use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use nbsync_daemon::run;
use tokio::task::{JoinSet, LocalSet};

use super::Outcome;
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::events::{Printer, terminate_self};

/// Watch folders, and carry every edit to the other copies of its notebook
///
/// Runs in the foreground until Ctrl-C, SIGTERM or `nbsync stop`, and prints one
/// line per edit: the time, the notebook, from which copy to which, how many
/// cells changed, and how long it took. SIGHUP makes it read the configuration
/// again.
#[derive(Debug, clap::Args)]
pub(crate) struct WatchArgs {
    /// The folders to watch [default: what `--root` says]
    #[arg(value_name = "DIR")]
    dirs: Vec<PathBuf>,
}

pub(crate) fn run(global: &Global, args: &WatchArgs) -> Result<Outcome, CliError> {
    let targets = targets(global, args)?;
    let are_several = targets.len() > 1;
    let printer = Arc::new(Mutex::new(Printer::new(global)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::io("cannot start the event loop", error))?;

    LocalSet::new().block_on(&runtime, async {
        let mut watches = JoinSet::new();
        for (target, label) in targets {
            let reporter = Printer::reporter(&printer, are_several.then_some(label));
            watches.spawn_local(run::watch(target.options()?, reporter));
        }
        let mut first_error = None;
        while let Some(ended) = watches.join_next().await {
            match ended.map_err(CliError::input)?.map_err(CliError::from) {
                Ok(()) => {}
                Err(error) if first_error.is_some() => error.print(),
                Err(error) => first_error = Some(error),
            }
            // The daemon is one for all its roots. `stop` waits for its process, and
            // a root that can't be watched is not left for later to be noticed.
            if !watches.is_empty() {
                terminate_self();
            }
        }
        first_error.map_or(Ok(Outcome::Fine), Err)
    })
}

/// The roots, each once, with what the user called them.
fn targets(global: &Global, args: &WatchArgs) -> Result<Vec<(Target, String)>, CliError> {
    if args.dirs.is_empty() {
        return Ok(vec![(Target::find(global, &[])?, String::new())]);
    }
    if global.root.is_some() {
        return Err(CliError::usage(
            "`watch` takes its folders as arguments or by `--root`, not both",
        ));
    }
    let mut targets: Vec<(Target, String)> = Vec::new();
    for dir in &args.dirs {
        let target = Target::whole(dir)?;
        if !targets.iter().any(|(other, _)| other.root == target.root) {
            targets.push((target, dir.display().to_string()));
        }
    }
    Ok(targets)
}
