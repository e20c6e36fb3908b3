//! One module per verb.

pub(crate) mod completions;
pub(crate) mod convert;
pub(crate) mod doctor;
pub(crate) mod flush;
pub(crate) mod man;
pub(crate) mod pause;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod sync;
pub(crate) mod watch;

use nbsync_daemon::control::Reply;

use crate::arguments::{Arguments, Command};
use crate::error::CliError;
use crate::logging;

/// How a command that could do its work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything is fine and in sync.
    Fine,
    /// Something is out of sync, held or in conflict.
    OutOfSync,
    /// Some of several inputs failed; the errors were printed.
    Failed,
}

impl Outcome {
    /// [`Fine`](Self::Fine) or [`OutOfSync`](Self::OutOfSync).
    pub(crate) fn in_sync(is_in_sync: bool) -> Self {
        if is_in_sync { Self::Fine } else { Self::OutOfSync }
    }

    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::OutOfSync => 1,
            Self::Failed => 3,
        }
    }
}

/// Carries out a command.
pub(crate) fn run(arguments: Arguments) -> Result<Outcome, CliError> {
    let Arguments { global, command } = arguments;
    logging::start(&global)?;
    match command {
        Command::Watch(args) => watch::run(&global, &args),
        Command::Sync(args) => sync::run(&global, &args),
        Command::Status(args) => status::run(&global, &args),
        Command::Flush(args) => flush::run(&global, &args),
        Command::Convert(args) => convert::run(&args),
        Command::Doctor(args) => doctor::run(&global, &args),
        Command::Pause(_) => pause::pause(&global),
        Command::Resume(_) => pause::resume(&global),
        Command::Stop(_) => stop::run(&global),
        Command::Service(args) => service::run(&global, &args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// A daemon answered something else than it was asked.
fn unexpected(reply: &Reply) -> CliError {
    CliError::input(format!("the daemon gave an answer that does not fit: {reply:?}"))
        .hint("restart the daemon with the `nbsync` that you are using")
}
