use std::path::PathBuf;

use camino::Utf8PathBuf;
use nbsync_daemon::control::Command;

use super::Outcome;
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::ui;

/// Make the running daemon write nothing until `nbsync resume`
///
/// Edits that are saved meanwhile are propagated afterwards. Exits with 4 if no
/// daemon runs.
#[derive(Debug, clap::Args)]
pub(crate) struct PauseArgs {}

/// End a pause or a halt of the running daemon
///
/// A daemon halts by itself when something looks like an accident, say most
/// notebooks gone at once, and stops a single notebook when two programs undo each
/// other's changes in it; `nbsync status` says why. Exits with 4 if no daemon
/// runs.
#[derive(Debug, clap::Args)]
pub(crate) struct ResumeArgs {
    /// Only let these notebooks go on, or those in this folder (can be repeated)
    #[arg(value_name = "NOTEBOOK")]
    paths: Vec<PathBuf>,
}

pub(crate) fn pause(global: &Global) -> Result<Outcome, CliError> {
    tell(global, &[], |_| Command::Pause, "paused")
}

pub(crate) fn resume(global: &Global, args: &ResumeArgs) -> Result<Outcome, CliError> {
    let command = |paths: Vec<Utf8PathBuf>| {
        if paths.is_empty() { Command::Resume } else { Command::Release { paths } }
    };
    tell(global, &args.paths, command, "resumed")
}

fn tell(
    global: &Global,
    paths: &[PathBuf],
    command: impl FnOnce(Vec<Utf8PathBuf>) -> Command,
    done: &str,
) -> Result<Outcome, CliError> {
    let target = Target::find(global, paths)?;
    target.require_daemon()?.request(command(target.paths.clone()))?;
    if !global.quiet {
        let what = match &target.paths[..] {
            [] => format!("the daemon of `{}`", target.root),
            paths => {
                format!("`{}`", paths.iter().map(|it| it.as_str()).collect::<Vec<_>>().join("`, `"))
            }
        };
        ui::print(&format!("{done} {}\n", ui::escape(&what)))?;
    }
    Ok(Outcome::Fine)
}
