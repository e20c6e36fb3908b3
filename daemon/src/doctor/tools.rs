//! Which other tools write a file, as far as their traces tell.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::{Document, Severity};
use serde_json::Value;

use super::Finding;
use crate::git::operation_in_progress;
use crate::run::Options;

/// What the text of a notebook says.
pub(super) fn of_document(path: &Utf8Path, document: &dyn Document) -> Vec<Finding> {
    let mut findings = Vec::new();
    let notebook = document.notebook();
    let jupytext = notebook.metadata.get("jupytext");
    if let Some(formats) = jupytext.and_then(|it| it.get("formats")).and_then(Value::as_str) {
        let message = format!(
            "jupytext pairs it (`jupytext.formats: {formats}`): `jupytext --sync` and Jupyter's \
             contents manager write the other file too"
        );
        findings.push(Finding::new("jupytext", Severity::Note, message));
    }
    let downloads = notebook.marimo.get("auto_download").and_then(Value::as_array);
    if downloads.is_some_and(|it| !it.is_empty()) {
        let stem = path.file_stem().unwrap_or_default();
        let message = format!(
            "marimo keeps exports of it in `__marimo__/{stem}.*` (`auto_download`); nbsync leaves \
             those alone"
        );
        findings.push(Finding::new("marimo-export", Severity::Note, message));
    }
    findings
}

/// What stands around a file.
pub(super) fn of_path(root: &Utf8Path, path: &Utf8Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = path.file_name().unwrap_or_default();
    let folder = path.parent().unwrap_or(Utf8Path::new(""));
    let absolute = root.join(folder);
    let session = absolute.join("__marimo__/session").join(format!("{name}.json"));
    if session.exists() {
        let message = "marimo's editor has had it open (it left a session); start the editor with \
                       `marimo edit --watch`, or it overwrites what arrives";
        findings.push(Finding::new("marimo-session", Severity::Note, message));
    }
    let stem = path.file_stem().unwrap_or_default();
    let checkpoint = absolute.join(".ipynb_checkpoints").join(format!("{stem}-checkpoint.ipynb"));
    if checkpoint.exists() {
        let message = "Jupyter has saved it; an open tab does not show what arrives until *Reload \
                       Notebook from Disk*";
        findings.push(Finding::new("jupyter", Severity::Note, message));
    }
    findings.extend(jupytext_config(root, folder));
    findings
}

/// Finds a configuration of jupytext that pairs files, as jupytext finds it: in the
/// nearest folder upwards (jupytext 1.19.6, `config`).
fn jupytext_config(root: &Utf8Path, folder: &Utf8Path) -> Option<Finding> {
    const NAMES: [&str; 4] = ["jupytext.toml", ".jupytext.toml", "jupytext", ".jupytext"];
    for folder in folder.ancestors() {
        let absolute = root.join(folder);
        let own = NAMES.iter().map(|name| (absolute.join(name), false));
        for (path, is_pyproject) in own.chain([(absolute.join("pyproject.toml"), true)]) {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let Ok(table) = text.parse::<toml::Table>() else { continue };
            let table = match (is_pyproject, table.get("tool").and_then(|it| it.get("jupytext"))) {
                (false, _) => Some(toml::Value::Table(table)),
                (true, table) => table.cloned(),
            };
            let pairs = table.as_ref().is_some_and(|it| it.get("formats").is_some());
            if pairs {
                let message = format!("`{}` pairs notebooks with jupytext", relative(root, &path));
                return Some(Finding::new("jupytext", Severity::Note, message));
            }
            if table.is_some() {
                return None;
            }
        }
    }
    None
}

fn relative(root: &Utf8Path, path: &Utf8Path) -> Utf8PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// Tools that are at work now.
pub(super) fn of_root(options: &Options) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(operation) = operation_in_progress(&options.root) {
        let message = format!("{operation}; nbsync waits for its end");
        findings.push(Finding::new("git", Severity::Warning, message));
    }
    for pid in marimo_servers(options) {
        let message = format!(
            "a marimo server is running (process {pid}); without `--watch` it overwrites what \
             arrives in the notebooks that it has open"
        );
        findings.push(Finding::new("marimo-server", Severity::Note, message));
    }
    findings
}

/// The processes of marimo's servers of this user (marimo 0.25.2, `servers/*.json`).
fn marimo_servers(options: &Options) -> Vec<u64> {
    let Some(state) = options.dirs.state.parent() else { return Vec::new() };
    let entries = state.join("marimo/servers").read_dir_utf8().into_iter().flatten().flatten();
    let pid = |path: &Utf8Path| {
        let text = fs::read_to_string(path).ok()?;
        serde_json::from_str::<Value>(&text).ok()?.get("pid")?.as_u64()
    };
    let is_alive = |pid: &u64| Utf8PathBuf::from(format!("/proc/{pid}")).exists();
    let mut pids: Vec<u64> = entries.filter_map(|it| pid(it.path())).filter(is_alive).collect();
    pids.sort_unstable();
    pids
}
