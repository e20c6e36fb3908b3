use clap::CommandFactory;
use clap_complete::Shell;

use super::Outcome;
use crate::arguments::Arguments;
use crate::error::CliError;
use crate::ui;

/// Print completions for a shell
///
/// For bash, for example: `nbsync completions bash >
/// ~/.local/share/bash-completion/completions/nbsync`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<Outcome, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "nbsync", &mut script);
    ui::print_bytes(&script)?;
    Ok(Outcome::Fine)
}
