//! One notebook by the name of any of its files, and those files.

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_daemon::control::{Client, Command, Reply};
use nbsync_daemon::report::{NotebookState, NotebookStatus, ReplicaStatus, Role, StatusReport};
use nbsync_daemon::run::{self, SyncMode};
use nbsync_formats::FormatName;

use crate::context::Target;
use crate::error::CliError;

/// A notebook that was just brought in sync, as far as that was possible.
#[derive(Debug)]
pub(crate) struct Notebook {
    root: Utf8PathBuf,
    /// The file that the user named, relative to the root.
    named: Utf8PathBuf,
    status: NotebookStatus,
}

impl Notebook {
    /// Brings the notebook of a target in sync, by the daemon or without one, so that it has
    /// all its files.
    pub(crate) fn sync(target: &Target) -> Result<Self, CliError> {
        let status = target.ask_or_do(
            |daemon| status(daemon, &target.paths),
            || {
                let options = target.options()?;
                run::sync(&options, &target.paths, SyncMode::Apply, Box::new(|_| ()))?;
                Ok(run::status(&options, &target.paths)?)
            },
        )?;
        Self::of(target, status)
    }

    /// The same by a daemon that runs.
    pub(crate) fn sync_by(daemon: Client, target: &Target) -> Result<Self, CliError> {
        Self::of(target, status(daemon, &target.paths)?)
    }

    fn of(target: &Target, report: StatusReport) -> Result<Self, CliError> {
        let path = target.paths.first().unwrap_or(&target.root);
        let named = path.strip_prefix(&target.root).unwrap_or(path).to_owned();
        let is_named = |it: &NotebookStatus| it.replicas.iter().any(|it| it.path == named);
        match report.notebooks.into_iter().find(is_named) {
            Some(status) => Ok(Self { root: target.root.clone(), named, status }),
            None if path.is_file() => {
                let message = format!("`{path}` is no notebook that is kept in sync");
                Err(CliError::input(message).hint(format!("`nbsync doctor {named}` says why")))
            }
            None => Err(CliError::input(format!("there is no notebook `{path}`"))),
        }
    }

    /// All files of it, the source first.
    pub(crate) fn replicas(&self) -> &[ReplicaStatus] {
        &self.status.replicas
    }

    /// Returns the file in a format.
    pub(crate) fn replica(&self, format: FormatName) -> Result<&ReplicaStatus, CliError> {
        let has_format = |it: &&ReplicaStatus| it.format == format;
        self.status.replicas.iter().find(has_format).ok_or_else(|| {
            let source = &self.status.source;
            let error = CliError::input(format!("`{source}` has no {format} copy"));
            match &self.status.reason {
                Some(reason) if self.status.state == NotebookState::Held => error.hint(reason),
                _ => error.hint(format!(
                    "`formats` in the configuration says which copies are made; \
                     `nbsync doctor {source}` says what this notebook can't have"
                )),
            }
        })
    }

    /// The file that the user named.
    pub(crate) fn named(&self) -> Option<&ReplicaStatus> {
        self.status.replicas.iter().find(|it| it.path == self.named)
    }

    /// The absolute path of a file of it.
    pub(crate) fn path(&self, replica: &ReplicaStatus) -> Utf8PathBuf {
        self.root.join(&replica.path)
    }

    /// The folder of the source, which is where its relative paths and imports start.
    pub(crate) fn folder(&self) -> Utf8PathBuf {
        let folder = self.status.source.parent().unwrap_or(Utf8Path::new(""));
        // Without a slash at the end.
        if folder.as_str().is_empty() { self.root.clone() } else { self.root.join(folder) }
    }

    /// Whether a file is in a folder of its own rather than beside the source.
    pub(crate) fn is_apart(&self, replica: &ReplicaStatus) -> bool {
        replica.role == Role::Shadow && replica.path.parent() != self.status.source.parent()
    }

    /// Why its files may not agree, if so.
    pub(crate) fn complaint(&self) -> Option<String> {
        let state = match self.status.state {
            NotebookState::Synced => return None,
            NotebookState::Conflict => "in conflict",
            NotebookState::Held => "held",
            NotebookState::Pending => "not in sync yet",
        };
        let reason = self.status.reason.as_deref().unwrap_or("`nbsync status` says more");
        Some(format!("`{}` is {state}: {reason}", self.status.source))
    }
}

fn status(mut daemon: Client, paths: &[Utf8PathBuf]) -> Result<StatusReport, CliError> {
    // Not a flush: what that has to tell is for whoever asks for it.
    daemon.request(Command::Sync { paths: paths.to_vec() })?;
    match daemon.request(Command::Status { paths: paths.to_vec() })? {
        Reply::Status(report) => Ok(report),
        reply => Err(crate::commands::unexpected(&reply)),
    }
}
