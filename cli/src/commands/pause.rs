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
/// notebooks gone at once; `nbsync status` says why. Exits with 4 if no daemon
/// runs.
#[derive(Debug, clap::Args)]
pub(crate) struct ResumeArgs {}

pub(crate) fn pause(global: &Global) -> Result<Outcome, CliError> {
    tell(global, Command::Pause, "paused")
}

pub(crate) fn resume(global: &Global) -> Result<Outcome, CliError> {
    tell(global, Command::Resume, "resumed")
}

fn tell(global: &Global, command: Command, done: &str) -> Result<Outcome, CliError> {
    let target = Target::find(global, &[])?;
    target.require_daemon()?.request(command)?;
    if !global.quiet {
        ui::print(&format!("{done} the daemon of `{}`\n", ui::escape(target.root.as_str())))?;
    }
    Ok(Outcome::Fine)
}
