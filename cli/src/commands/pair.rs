use std::path::PathBuf;

use camino::Utf8Path;
use nbsync_daemon::config::edit::{self, EditError, Edited};
use nbsync_daemon::control::Command;

use super::Outcome;
use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::{replace, ui};

/// Make files one notebook, in the configuration
///
/// The first is the source. The others are kept in sync, and never moved or
/// removed; one that is not there is made. Comments and all else in the
/// configuration stay as they are. Files that jupytext has paired need no
/// `nbsync pair`.
#[derive(Debug, clap::Args)]
pub(crate) struct PairArgs {
    /// The source, and the other files
    #[arg(value_name = "FILE", num_args = 2.., required = true)]
    files: Vec<PathBuf>,
}

/// Take files that `nbsync pair` has paired apart
///
/// The files stay as they are. What jupytext has paired is taken apart in its
/// metadata or configuration, or with `jupytext = false` in the configuration of
/// nbsync.
#[derive(Debug, clap::Args)]
pub(crate) struct UnpairArgs {
    /// One of the files
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Leave files or folders alone, in the configuration
///
/// Adds patterns to `exclude`. Shadows that are there stay as they are.
#[derive(Debug, clap::Args)]
pub(crate) struct IgnoreArgs {
    /// The files and folders
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

pub(crate) fn pair(global: &Global, args: &PairArgs) -> Result<Outcome, CliError> {
    let target = Target::find_former(global, &args.files)?;
    let mut sorted = target.paths.clone();
    sorted.sort();
    sorted.dedup();
    if sorted.len() < target.paths.len() {
        return Err(CliError::usage("a file can't be paired with itself"));
    }
    if target.paths.iter().all(|path| !path.exists()) {
        return Err(CliError::usage("none of these files is there"));
    }
    let edited = edit::pair(&target.root, &target.paths).map_err(explain)?;
    save(global, &target, &edited, "paired")
}

pub(crate) fn unpair(global: &Global, args: &UnpairArgs) -> Result<Outcome, CliError> {
    let target = Target::find(global, std::slice::from_ref(&args.file))?;
    let file = target.paths.first().map_or(Utf8Path::new(""), |path| path);
    let edited = edit::unpair(&target.root, file).map_err(explain)?;
    save(global, &target, &edited, "unpaired")
}

pub(crate) fn ignore(global: &Global, args: &IgnoreArgs) -> Result<Outcome, CliError> {
    let target = Target::find(global, &args.paths)?;
    let edited = edit::ignore(&target.root, &target.paths).map_err(explain)?;
    save(global, &target, &edited, "ignored")
}

/// Writes the configuration, and has the daemon read it.
fn save(
    global: &Global,
    target: &Target,
    edited: &Edited,
    done: &str,
) -> Result<Outcome, CliError> {
    replace::write(edited.path.as_std_path(), edited.text.as_bytes(), true)
        .map_err(|error| CliError::io(format!("cannot write `{}`", edited.path), error))?;
    if let Some(mut daemon) = target.daemon()? {
        daemon.request(Command::Reload)?;
    }
    if !global.quiet {
        ui::print(&format!("{done}, in `{}`\n", ui::escape(edited.path.as_str())))?;
    }
    Ok(Outcome::Fine)
}

fn explain(error: EditError) -> CliError {
    let hint = match &error {
        EditError::Paired { .. } => Some("`nbsync unpair FILE` takes it out"),
        EditError::NotPaired { .. } => Some(
            "what jupytext has paired is changed there, or with `jupytext = false`; \
             `nbsync ignore FILE` leaves a notebook alone",
        ),
        _ => None,
    };
    let error = CliError::usage(error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
