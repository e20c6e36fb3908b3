//! What the system can do.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::Severity;
use serde::{Deserialize, Serialize};

use super::{Finding, is_notebook};
use crate::config::{Config, Poll};
use crate::disk::{Method, RealDisk, workdir};
use crate::error::chain;
use crate::report::{DaemonState, DaemonStatus, NotebookStatus};
use crate::store::root_id;
use crate::watch::polled_file_system;

/// Where nbsync keeps what is not in the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Bases and history.
    pub folder: Utf8PathBuf,
    /// How much is in it, in bytes.
    pub bytes: u64,
    /// The socket at which a daemon listens.
    pub socket: Utf8PathBuf,
}

impl State {
    pub(super) fn of(state: &Utf8Path, root: &Utf8Path, socket: &Utf8Path) -> Self {
        let folder = state.join(root_id(root));
        Self { bytes: size(&folder), folder, socket: socket.to_owned() }
    }
}

/// The bytes of all files below a folder.
fn size(folder: &Utf8Path) -> u64 {
    let mut sum = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.into_path()),
                Ok(metadata) => sum += metadata.len(),
                Err(_) => {}
            }
        }
    }
    sum
}

/// How changes are noticed, and the limits of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// How many folders are watched, or would be.
    pub folders: usize,
    /// `fs.inotify.max_user_watches`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_user_watches: Option<u64>,
    /// `fs.inotify.max_user_instances`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_user_instances: Option<u64>,
    /// How many watches the processes of this user have, nbsync's included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_watches: Option<u64>,
    /// How many instances they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_instances: Option<u64>,
    /// Why folders are polled instead, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polled: Option<String>,
}

impl Watching {
    pub(super) fn of(root: &Utf8Path, config: &Config, folders: usize) -> Self {
        let (used_instances, used_watches) = inotify_in_use().unzip();
        let polled = match (config.poll, polled_file_system(root)) {
            (Poll::Always, _) => Some("the configuration says so".to_owned()),
            (Poll::Auto, Some(name)) => {
                Some(format!("{name} does not report changes made elsewhere"))
            }
            (Poll::Auto | Poll::Never, _) => None,
        };
        Self {
            folders,
            max_user_watches: limit("max_user_watches"),
            max_user_instances: limit("max_user_instances"),
            used_watches,
            used_instances,
            polled,
        }
    }

    /// How many watches are left, if that is known.
    fn left(&self) -> Option<u64> {
        Some(self.max_user_watches?.saturating_sub(self.used_watches?))
    }
}

fn limit(name: &str) -> Option<u64> {
    fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?.trim().parse().ok()
}

/// Counts the inotify instances and watches of the processes that can be looked at,
/// which are those of this user.
fn inotify_in_use() -> Option<(u64, u64)> {
    let user = fs::metadata("/proc/self").ok()?.uid();
    let (mut n_instances, mut n_watches) = (0, 0);
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let path = process.path();
        if process.metadata().is_ok_and(|it| it.uid() != user) {
            continue;
        }
        let Ok(descriptors) = fs::read_dir(path.join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            let target = fs::read_link(descriptor.path());
            if target.is_ok_and(|it| it.as_os_str() == "anon_inode:inotify") {
                n_instances += 1;
                let info = path.join("fdinfo").join(descriptor.file_name());
                let info = fs::read_to_string(info).unwrap_or_default();
                n_watches +=
                    info.lines().filter(|line| line.starts_with("inotify ")).count() as u64;
            }
        }
    }
    Some((n_instances, n_watches))
}

/// How files in a folder are replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// The folder that was tried.
    pub folder: Utf8PathBuf,
    /// `exchange`, `move-out` or `rename-over`, best first; or `in-place`, where no
    /// new file can be made.
    pub method: String,
    /// Why no other way works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl FileSystem {
    pub(super) fn of(disk: &RealDisk, folder: &Utf8Path) -> Self {
        let (method, reason) = match disk.probe(folder) {
            Ok(Method::Exchange) => ("exchange", None),
            Ok(Method::MoveOut) => ("move-out", None),
            Ok(Method::RenameOver) => ("rename-over", None),
            Err(error) => ("in-place", Some(chain(&error))),
        };
        Self { folder: folder.to_owned(), method: method.to_owned(), reason }
    }
}

/// Where to try how files are replaced: in the shadow folder of a notebook on each
/// file system if there is one, or else beside the notebook.
pub(super) fn places(
    root: &Utf8Path,
    paths: &[Utf8PathBuf],
    notebooks: &[NotebookStatus],
) -> Vec<Utf8PathBuf> {
    let is_asked = |it: &Utf8Path| {
        paths.is_empty() || paths.iter().any(|above| root.join(it).starts_with(above))
    };
    let asked = notebooks.iter().filter(|it| is_notebook(it) && is_asked(&it.source));
    let folders = asked.map(|it| root.join(&it.source)).filter_map(|it| {
        let own = it.parent()?.to_owned();
        let workdir = workdir(&own);
        Some(if workdir.is_dir() { workdir } else { own })
    });
    let mut seen = BTreeSet::new();
    let mut res: Vec<Utf8PathBuf> = Vec::new();
    for folder in folders.chain([root.to_owned()]) {
        let Ok(metadata) = folder.metadata() else { continue };
        if seen.insert(metadata.dev()) {
            res.push(folder);
        }
    }
    res
}

/// What of all that needs attention.
pub(super) fn findings(
    daemon: &DaemonStatus,
    watching: &Watching,
    file_systems: &[FileSystem],
    disk: &RealDisk,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let reason = daemon.reason.clone().unwrap_or_default();
    match daemon.state {
        Some(DaemonState::Paused) => findings.push(Finding::new(
            "paused",
            Severity::Warning,
            "the daemon is paused; `nbsync resume` lets it go on",
        )),
        Some(DaemonState::Halted) => {
            findings.push(Finding::new("halted", Severity::Error, reason));
        }
        Some(DaemonState::Degraded) => {
            findings.push(Finding::new("degraded", Severity::Warning, reason));
        }
        Some(DaemonState::Watching | DaemonState::Scanning) | None => {}
    }
    if let Some(left) = watching.left()
        && !daemon.running
        && left < watching.folders as u64
    {
        let message = format!(
            "{} folders have to be watched, and {left} inotify watches are left; \
             `sysctl fs.inotify.max_user_watches` raises the limit",
            watching.folders
        );
        findings.push(Finding::new("watches", Severity::Warning, message));
    }
    for it in file_systems {
        let path = &it.folder;
        let message = match it.method.as_str() {
            "exchange" | "move-out" => continue,
            "rename-over" => format!(
                "the file system of `{path}` can neither exchange nor hard-link files; a save at \
                 the very moment of an update may be lost there"
            ),
            _ => format!(
                "no file can be made in `{path}` ({}); notebooks there are written in place, \
                 without a history",
                it.reason.as_deref().unwrap_or_default()
            ),
        };
        findings.push(Finding::new("file-system", Severity::Warning, message));
    }
    if !disk.holds_notebook_locks() {
        findings.push(Finding::new(
            "marimo-lock",
            Severity::Note,
            "marimo's lock folder is not there (marimo has not run yet) or can't be used; saves \
             are recognised by their content all the same",
        ));
    }
    findings
}
