use std::path::PathBuf;

use nbsync_formats::FormatName;

use super::Outcome;
use crate::arguments::{Global, format_names};
use crate::context::Target;
use crate::error::CliError;
use crate::notebook::Notebook;
use crate::ui::{self, PLAIN, QUIET, Table};

/// Print where the copies of a notebook are
///
/// For scripts, and for tools that want one format: `papermill "$(nbsync which
/// a.py --format ipynb)" out.ipynb`. Any file of the notebook names it. It is
/// brought in sync first, by the daemon or without one, so that what is printed is
/// there, and up to date. Exits with 1 if the notebook is held or in conflict.
#[derive(Debug, clap::Args)]
pub(crate) struct WhichArgs {
    /// A file of the notebook
    notebook: PathBuf,

    /// Only print the absolute path of the copy in this format
    #[arg(long, value_name = "FORMAT", value_parser = format_names())]
    format: Option<FormatName>,
}

pub(crate) fn run(global: &Global, args: &WhichArgs) -> Result<Outcome, CliError> {
    let target = Target::find(global, std::slice::from_ref(&args.notebook))?;
    let notebook = Notebook::sync(&target)?;
    if let Some(format) = args.format {
        let replica = notebook.replica(format)?;
        // As it is: this is for programs.
        ui::print_bytes(format!("{}\n", notebook.path(replica)).as_bytes())?;
    } else {
        let mut table = Table::default();
        for replica in notebook.replicas() {
            let path = notebook.path(replica);
            table.row([(QUIET, replica.format.as_str()), (PLAIN, path.as_str())]);
        }
        ui::print(&table.print())?;
    }
    let complaint = notebook.complaint();
    if let Some(complaint) = &complaint {
        ui::warn(complaint);
    }
    Ok(Outcome::in_sync(complaint.is_none()))
}
