//! One module per verb.

pub(crate) mod completions;
pub(crate) mod conflicts;
pub(crate) mod convert;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod flush;
pub(crate) mod hold;
pub(crate) mod log;
pub(crate) mod man;
pub(crate) mod open;
pub(crate) mod pair;
pub(crate) mod pause;
pub(crate) mod restore;
pub(crate) mod service;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod sync;
pub(crate) mod watch;
pub(crate) mod which;

use nbsync_daemon::control::{self, Reply};
use nbsync_daemon::run as engine;

use crate::arguments::{Arguments, Command};
use crate::context::Target;
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
        Command::Hold(args) => hold::hold(&global, &args),
        Command::Release(args) => hold::release(&global, &args),
        Command::Open(args) => open::open(&global, &args),
        Command::Run(args) => open::run(&global, &args),
        Command::Which(args) => which::run(&global, &args),
        Command::Log(args) => log::run(&global, &args),
        Command::Diff(args) => diff::run(&global, &args),
        Command::Show(args) => show::run(&global, &args),
        Command::Restore(args) => restore::restore(&global, &args),
        Command::Undo(args) => restore::undo(&global, &args),
        Command::Conflicts(args) => conflicts::list(&global, &args),
        Command::Resolve(args) => conflicts::resolve(&global, &args),
        Command::Convert(args) => convert::run(&args),
        Command::Doctor(args) => doctor::run(&global, &args),
        Command::Pair(args) => pair::pair(&global, &args),
        Command::Unpair(args) => pair::unpair(&global, &args),
        Command::Ignore(args) => pair::ignore(&global, &args),
        Command::Pause(_) => pause::pause(&global),
        Command::Resume(args) => pause::resume(&global, &args),
        Command::Stop(_) => stop::run(&global),
        Command::Service(args) => service::run(&global, &args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// Asks the daemon about the history or conflicts, or does without one.
fn request(target: &Target, command: &control::Command) -> Result<Reply, CliError> {
    let reply = target.ask_or_do(
        |mut daemon| Ok(daemon.request(command.clone())?),
        || Ok(engine::ask(&target.options()?, command, Box::new(|_| ()))?),
    )?;
    match reply {
        Reply::Unknown { message, hints } => {
            Err(hints.into_iter().fold(CliError::usage(message), CliError::hint))
        }
        Reply::Error { message } => Err(CliError::input(message)),
        reply => Ok(reply),
    }
}

/// A daemon answered something else than it was asked.
pub(crate) fn unexpected(reply: &Reply) -> CliError {
    CliError::input(format!("the daemon gave an answer that does not fit: {reply:?}"))
        .hint("restart the daemon with the `nbsync` that you are using")
}
