use super::Outcome;
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::ui;

/// Stop the running daemon
///
/// Returns when its process has ended. A write that is under way is finished
/// first. Exits with 4 if no daemon runs.
#[derive(Debug, clap::Args)]
pub(crate) struct StopArgs {}

pub(crate) fn run(global: &Global) -> Result<Outcome, CliError> {
    let target = Target::find(global, &[])?;
    target.require_daemon()?.stop()?;
    if !global.quiet {
        ui::print(&format!("stopped the daemon of `{}`\n", ui::escape(target.root.as_str())))?;
    }
    Ok(Outcome::Fine)
}
