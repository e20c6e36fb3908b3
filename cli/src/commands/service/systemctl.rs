//! Runs `systemctl --user`.

use std::io;
use std::process::{Command, Output};

use crate::error::CliError;
use crate::ui;

/// The systemd of the user, or a rehearsal of it.
#[derive(Debug)]
pub(super) struct Systemctl {
    /// Whether changes are only shown.
    pub(super) is_dry: bool,
}

impl Systemctl {
    /// Makes sure that there is a systemd to talk to, before anything is changed.
    pub(super) fn new(is_dry: bool) -> Result<Self, CliError> {
        if !is_dry {
            ask(&["show", "--property=Version"])?;
        }
        Ok(Self { is_dry })
    }

    /// Makes a change that needs no `systemctl`.
    pub(super) fn change(
        &self,
        what: &str,
        change: impl FnOnce() -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        if self.is_dry { ui::print(&format!("would {}\n", ui::escape(what))) } else { change() }
    }

    /// Runs a command that changes something.
    pub(super) fn run(&self, args: &[&str]) -> Result<(), CliError> {
        if self.is_dry {
            return ui::print(&format!("would run `systemctl --user {}`\n", args.join(" ")));
        }
        ask(args).map(|_| ())
    }
}

/// Runs a command, and returns what it prints.
pub(super) fn ask(args: &[&str]) -> Result<String, CliError> {
    let command = format!("systemctl --user {}", args.join(" "));
    let Output { status, stdout, stderr } =
        Command::new("systemctl").arg("--user").args(args).output().map_err(|error| {
            let is_missing = error.kind() == io::ErrorKind::NotFound;
            let error = CliError::io(format!("cannot run `{command}`"), error);
            if is_missing { without_systemd(error) } else { error }
        })?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&stderr);
    let error = CliError::io(
        format!("`{command}` failed ({status})"),
        io::Error::other(said.trim().to_owned()),
    );
    // As systemd 252 says it when the user's manager doesn't run.
    Err(if said.contains("connect to bus") { without_systemd(error) } else { error })
}

fn without_systemd(error: CliError) -> CliError {
    error
        .hint("this needs the systemd of a logged-in user; `loginctl enable-linger` starts it without a login")
        .hint("without systemd, start `nbsync watch DIR` in another way, for example from your desktop's autostart")
}
