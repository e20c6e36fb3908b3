//! The `nbsync` command.
//!
//! - [`arguments`]: what can be typed
//! - [`commands`]: one module per verb; each returns what the exit code says
//! - [`context`]: from paths on the command line to a root and its daemon
//! - [`notebook`]: one notebook by the name of any of its files
//! - [`background`]: a daemon for commands that make no sense without one
//! - [`events`]: what `watch` prints
//! - [`version`]: `NOTEBOOK@VERSION`, as it is typed
//! - [`ui`]: colours, tables, escapes; the only place with styling
//! - [`error`]: an error with its hints, and how it prints

mod arguments;
mod background;
mod commands;
mod context;
mod error;
mod events;
mod logging;
mod notebook;
mod replace;
mod ui;
mod version;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use crate::arguments::Arguments;
use crate::error::Kind;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    ui::set_color(arguments.global.color);
    if let Err(error) = survive_file_size_limits() {
        ui::warn(&format!("cannot ignore SIGXFSZ: {error}"));
    }
    match commands::run(arguments) {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        // Whoever read the output has seen enough.
        Err(error) if error.kind == Kind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            error.print();
            ExitCode::from(error.kind.exit_code())
        }
    }
}

/// Makes a write beyond `ulimit -f` fail with EFBIG, like any other full disk.
///
/// Without a handler, SIGXFSZ ends the process. (SIGPIPE is ignored by Rust's
/// start-up code.)
fn survive_file_size_limits() -> std::io::Result<()> {
    let signal = rustix::process::Signal::XFSZ.as_raw();
    signal_hook::flag::register(signal, Arc::default()).map(|_| ())
}
