//! A daemon for commands that make no sense without one.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use nbsync_daemon::control::Client;

use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::ui::{self, QUIET};

/// How long a daemon may take until it listens. It does before its first scan.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often to look.
const PAUSE: Duration = Duration::from_millis(10);

/// Connects to the daemon of a root, and starts one in the background if none runs.
///
/// The home folder, and what is above it, is never watched unless somebody says so: it
/// would get copies of all notebooks that are anywhere in it.
pub(crate) fn daemon(global: &Global, target: &Target) -> Result<Client, CliError> {
    if let Some(daemon) = target.daemon()? {
        return Ok(daemon);
    }
    if target.is_home_or_above() {
        return target.require_daemon();
    }
    let log = target.log();
    let mut child = start(&target.root, &log).map_err(|error| {
        CliError::io(format!("cannot start a daemon for `{}`", target.root), error)
    })?;
    let daemon = wait(target, &mut child, &log)?;
    if !global.quiet {
        let text = format!(
            "`{}` from now on, in process {}; `nbsync stop` ends that, and `nbsync service install` makes it permanent",
            target.root,
            child.id()
        );
        ui::labelled("watching", QUIET, &text);
    }
    Ok(daemon)
}

/// Starts `nbsync watch` so that neither Ctrl-C nor the end of the terminal ends it.
fn start(root: &Utf8Path, log: &Utf8Path) -> io::Result<Child> {
    if let Some(folder) = log.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = File::options().create(true).write(true).truncate(true).mode(0o600).open(log)?;
    Command::new(std::env::current_exe()?)
        .args(["watch", "--quiet", "--color", "never"])
        .arg(root)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .process_group(0)
        .spawn()
}

/// Waits until a daemon listens.
fn wait(target: &Target, child: &mut Child, log: &Utf8Path) -> Result<Client, CliError> {
    let started = Instant::now();
    loop {
        if let Some(daemon) = target.daemon()? {
            return Ok(daemon);
        }
        let ended =
            child.try_wait().map_err(|error| CliError::io("cannot start a daemon", error))?;
        if ended.is_some() {
            // Another one may have been faster.
            if let Some(daemon) = target.daemon()? {
                return Ok(daemon);
            }
            let said = fs::read_to_string(log).unwrap_or_default();
            let said = said.trim();
            let said = said.strip_prefix("error: ").unwrap_or(said);
            return Err(CliError::input(format!("the daemon did not start: {said}")));
        }
        if PATIENCE < started.elapsed() {
            let message = format!("the daemon (process {}) does not answer", child.id());
            return Err(CliError::input(message).hint(format!("`{log}` may say why")));
        }
        thread::sleep(PAUSE);
    }
}
