use clap::CommandFactory;
use clap_mangen::Man;

use super::Outcome;
use crate::arguments::Arguments;
use crate::error::CliError;
use crate::ui;

/// Print the manual page, of nbsync or of one command
///
/// To read it: `nbsync man | man -l -`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The command
    command: Option<String>,
}

pub(crate) fn run(args: &ManArgs) -> Result<Outcome, CliError> {
    let mut command = Arguments::command();
    // Gives the commands their full names and the global options.
    command.build();
    let page = match &args.command {
        None => command,
        Some(name) => command.find_subcommand(name).cloned().ok_or_else(|| {
            CliError::usage(format!("there is no command `{name}`"))
                .hint("`nbsync --help` lists the commands")
        })?,
    };
    let mut text = Vec::new();
    Man::new(page)
        .render(&mut text)
        .map_err(|error| CliError::io("cannot make the manual page", error))?;
    ui::print_bytes(&text)?;
    Ok(Outcome::Fine)
}
