use std::path::PathBuf;

use nbsync_daemon::control::{Command, Reply};
use nbsync_formats::FormatName;

use super::Outcome;
use crate::arguments::{Global, format_names};
use crate::context::Target;
use crate::error::CliError;
use crate::ui;
use crate::version::Version;

/// Print a version of a notebook
///
/// Prints the text that the named copy had in that version: `a.ipynb@~1` as a
/// Jupyter notebook, `__marimo__/nbsync/a.percent.py@~1` as a script. With `--to`,
/// any copy's name will do, and outputs are there that `outputs = "strip"` keeps out
/// of the files. `nbsync log --help` says how versions are named.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The notebook and its version [default: the newest]
    #[arg(value_name = "NOTEBOOK@VERSION")]
    version: PathBuf,

    /// The format to print it in
    #[arg(long, value_name = "FORMAT", value_parser = format_names())]
    to: Option<FormatName>,
}

pub(crate) fn run(global: &Global, args: &ShowArgs) -> Result<Outcome, CliError> {
    let version = Version::parse(&args.version)?;
    let (target, path) = Target::find_one(global, &version.path)?;
    let rev = version.rev.unwrap_or(nbsync_daemon::history::Rev::Back(0));
    match super::request(&target, &Command::Show { path, rev, to: args.to })? {
        Reply::Shown(shown) => ui::print_bytes(shown.text.as_bytes())?,
        reply => return Err(super::unexpected(&reply)),
    }
    Ok(Outcome::Fine)
}
