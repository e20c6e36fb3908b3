//! What can be typed. The doc comments are the manual.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use nbsync_formats::FormatName;

use crate::commands::{
    completions, conflicts, convert, diff, doctor, flush, hold, log, man, open, pair, pause,
    restore, service, show, status, stop, sync, watch, which,
};

/// Keep Jupyter, percent and marimo copies of a notebook in sync, edit by edit
///
/// Each notebook gets copies in the other formats, under `__marimo__/nbsync/`
/// beside it. Save any of them, and all others have the edit.
///
/// Exit codes: 0 if everything is fine and in sync, 1 if something is out of
/// sync, held or in conflict, 2 for mistakes on the command line or in the
/// configuration, 3 if a file can't be read or written, 4 if a daemon is needed
/// and none runs.
#[derive(Debug, Parser)]
#[command(name = "nbsync", version, arg_required_else_help = true, max_term_width = 100)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The folder that is watched [default: the nearest one upward that was
    /// synced before or has a configuration, or else the current one]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,

    /// Only print what needs attention
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Print more (can be repeated)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// When to print in colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    /// How to print what happens: lines for people, or one JSON object a line
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// When to print in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How to print what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Watch(watch::WatchArgs),
    Sync(sync::SyncArgs),
    Status(status::StatusArgs),
    Flush(flush::FlushArgs),
    Hold(hold::HoldArgs),
    Release(hold::ReleaseArgs),
    Open(open::OpenArgs),
    Run(open::RunArgs),
    Which(which::WhichArgs),
    Log(log::LogArgs),
    Diff(diff::DiffArgs),
    Show(show::ShowArgs),
    Restore(restore::RestoreArgs),
    Undo(restore::UndoArgs),
    Conflicts(conflicts::ConflictsArgs),
    Resolve(conflicts::ResolveArgs),
    Convert(convert::ConvertArgs),
    Doctor(doctor::DoctorArgs),
    Pair(pair::PairArgs),
    Unpair(pair::UnpairArgs),
    Ignore(pair::IgnoreArgs),
    Pause(pause::PauseArgs),
    Resume(pause::ResumeArgs),
    Stop(stop::StopArgs),
    Service(service::ServiceArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Reads the name of a format.
pub(crate) fn format_names() -> impl TypedValueParser<Value = FormatName> {
    PossibleValuesParser::new(FormatName::ALL.map(FormatName::as_str))
        .try_map(|name| name.parse::<FormatName>())
}
