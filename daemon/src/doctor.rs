//! Why files are or are not synced, who else writes them, and what the system can
//! do: `nbsync doctor`.
//!
//! Reads and reports. The one thing that it writes is a pair of temporary files, to
//! find out how the file system replaces files.

mod file;
mod system;
mod tools;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::{Diagnostic, Severity};
use serde::{Deserialize, Serialize};

use crate::control::socket_path;
use crate::disk::{RealDisk, notebook_locks};
use crate::report::{self, DaemonStatus, NotebookState, NotebookStatus, Role, StatusReport};
use crate::run::{Error, Options};
use crate::walk::Walker;

pub use system::{FileSystem, State, Watching};

/// How many notebooks are diagnosed for a status, and how large they may be in
/// all. A megabyte takes about a tenth of a second.
const MOST_NOTEBOOKS: usize = 64;
const MOST_BYTES: u64 = 1 << 20;

/// What `nbsync doctor` found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DoctorReport {
    /// [`report::VERSION`].
    pub version: u32,
    /// The root, absolute.
    pub root: Utf8PathBuf,
    /// The daemon that watches the root.
    pub daemon: DaemonStatus,
    /// The files that the settings are from, the most important first.
    pub config: Vec<Utf8PathBuf>,
    /// Where nbsync keeps what is not in the root.
    pub state: State,
    /// How changes are noticed.
    pub watching: Watching,
    /// What the file systems of the files in question can do.
    pub file_systems: Vec<FileSystem>,
    /// What is to be known of the root as a whole.
    pub findings: Vec<Finding>,
    /// How many notebooks there are.
    pub n_notebooks: usize,
    /// The files that were asked for, or all about which there is something to say.
    pub files: Vec<FileReport>,
    /// How many errors and warnings there are in all.
    pub n_problems: usize,
}

/// What is known of one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FileReport {
    /// The file, relative to the root if it is in it.
    pub path: Utf8PathBuf,
    /// What it is to its notebook, if it is part of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The state of the notebook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notebook: Option<NotebookStatus>,
    /// Why it is (not) synced, and who else writes it.
    pub findings: Vec<Finding>,
    /// What marimo or Jupyter could not run in it.
    pub diagnostics: Vec<Diagnostic>,
}

/// One thing to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is about, a word for programs.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is and what to do, for people.
    pub message: String,
}

impl Finding {
    fn new(code: &str, severity: Severity, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), severity, message: message.into() }
    }
}

impl FileReport {
    /// How many errors and warnings there are.
    pub fn n_problems(&self) -> usize {
        let severities = self
            .findings
            .iter()
            .map(|it| it.severity)
            .chain(self.diagnostics.iter().map(|it| it.severity));
        severities.filter(|it| *it != Severity::Note).count()
    }

    fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.diagnostics.is_empty()
    }
}

/// Looks at a root, given what [`run::status`](crate::run::status) or a daemon says
/// of it, and at some files and folders, given by their absolute paths; at
/// all notebooks if there are none.
pub fn examine(
    options: &Options,
    status: &StatusReport,
    paths: &[Utf8PathBuf],
) -> Result<DoctorReport, Error> {
    let root = &options.root;
    let io = |source| Error::Root { path: root.clone(), source };
    let walker = Walker::new(root, &options.config, &options.dirs).map_err(io)?;
    let locks = notebook_locks(|name| std::env::var_os(name));
    let disk = RealDisk::open(root).map_err(Error::Disk)?.with_notebook_locks(locks);
    let walk = walker.walk();
    let examiner = file::Examiner { options, walker: &walker, disk: &disk };

    let mut files: BTreeMap<Utf8PathBuf, FileReport> = BTreeMap::new();
    for path in paths.iter().filter(|path| !path.is_dir()) {
        let report = examiner.asked(path, status);
        files.insert(report.path.clone(), report);
    }
    let folders: Vec<&Utf8Path> = if paths.is_empty() {
        vec![root]
    } else {
        paths.iter().filter(|path| path.is_dir()).map(Utf8PathBuf::as_path).collect()
    };
    let is_below = |path: &Utf8Path| folders.iter().any(|it| root.join(path).starts_with(it));
    for notebook in status.notebooks.iter().filter(|it| is_below(&it.source)) {
        let report = examiner.notebook(notebook);
        if !report.is_empty() && !files.contains_key(&report.path) {
            files.insert(report.path.clone(), report);
        }
    }
    let files: Vec<FileReport> = files.into_values().collect();

    let watching = Watching::of(root, &options.config, walk.folders.len());
    let places = system::places(root, paths, &status.notebooks);
    let file_systems: Vec<FileSystem> =
        places.iter().map(|folder| FileSystem::of(&disk, folder)).collect();
    let mut findings = system::findings(&status.daemon, &watching, &file_systems, &disk);
    findings.extend(tools::of_root(options));
    let state = State::of(&options.dirs.state, root, &socket_path(&options.dirs.runtime, root));
    let n_problems = files.iter().map(FileReport::n_problems).sum::<usize>()
        + findings.iter().filter(|it| it.severity != Severity::Note).count();
    Ok(DoctorReport {
        version: report::VERSION,
        root: root.clone(),
        daemon: status.daemon.clone(),
        config: options.config.files.clone(),
        state,
        watching,
        file_systems,
        findings,
        n_notebooks: status.notebooks.iter().filter(|it| is_notebook(it)).count(),
        files,
        n_problems,
    })
}

/// Counts what marimo or Jupyter could not run in the notebooks of a status, if
/// that is a matter of milliseconds.
pub fn count_problems(options: &Options, status: &mut StatusReport) -> Result<(), Error> {
    let root = &options.root;
    let size = |it: &NotebookStatus| root.join(&it.source).metadata().map_or(0, |it| it.len());
    if MOST_NOTEBOOKS < status.notebooks.len()
        || MOST_BYTES < status.notebooks.iter().map(size).sum()
    {
        return Ok(());
    }
    let io = |source| Error::Root { path: root.clone(), source };
    let walker = Walker::new(root, &options.config, &options.dirs).map_err(io)?;
    let disk = RealDisk::open(root).map_err(Error::Disk)?;
    let examiner = file::Examiner { options, walker: &walker, disk: &disk };
    for notebook in status.notebooks.iter_mut().filter(|it| is_notebook(it)) {
        let found = examiner.diagnose(notebook);
        notebook.problems =
            found.map(|it| it.iter().filter(|it| it.severity != Severity::Note).count());
    }
    Ok(())
}

/// Whether a status is that of a notebook, and not of something that is left alone.
fn is_notebook(status: &NotebookStatus) -> bool {
    !status.replicas.is_empty()
}

/// What the state of a notebook says, if that needs attention.
fn of_state(status: &NotebookStatus, is_watched: bool) -> Option<Finding> {
    let reason = status.reason.clone();
    match status.state {
        NotebookState::Synced => None,
        NotebookState::Conflict => {
            Some(Finding::new("conflict", Severity::Error, reason.unwrap_or_default()))
        }
        NotebookState::Held => {
            let reason = reason.unwrap_or_else(|| "it is held".to_owned());
            Some(Finding::new("held", Severity::Error, reason))
        }
        NotebookState::Pending if is_watched => None,
        NotebookState::Pending => Some(Finding::new(
            "pending",
            Severity::Note,
            reason.unwrap_or_else(|| {
                "it waits for a daemon (`nbsync watch`) or for `nbsync sync`".to_owned()
            }),
        )),
    }
}
