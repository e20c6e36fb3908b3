//! One file.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::{Diagnostic, Document, FormatName, Severity, deletions, diagnose, format};

use super::{FileReport, Finding, is_notebook, of_state, tools};
use crate::disk::{Disk, Lock, ReadError, RealDisk};
use crate::error::chain;
use crate::report::{NotebookState, NotebookStatus, Role, StatusReport};
use crate::run::Options;
use crate::sync::pairing::extension;
use crate::walk::{LeftAlone, Walker};

pub(super) struct Examiner<'a> {
    pub(super) options: &'a Options,
    pub(super) walker: &'a Walker,
    pub(super) disk: &'a RealDisk,
}

impl Examiner<'_> {
    /// Looks at a file that somebody asked for.
    pub(super) fn asked(&self, path: &Utf8Path, status: &StatusReport) -> FileReport {
        let root = &self.options.root;
        let Ok(path) = path.strip_prefix(root) else {
            let finding =
                Finding::new("outside", Severity::Warning, LeftAlone::Outside.to_string());
            return FileReport::new(path, vec![finding]);
        };
        let replica_of = |it: &&NotebookStatus| it.replicas.iter().any(|it| it.path == path);
        if let Some(notebook) = status.notebooks.iter().find(replica_of) {
            return self.replica(path, notebook, status.daemon.running);
        }
        let mut report = FileReport::new(path, Vec::new());
        if let Some(reason) = self.walker.explain(path) {
            let code = code(&reason);
            report.findings.push(Finding::new(code, Severity::Warning, reason.to_string()));
        } else {
            report.findings.push(self.not_a_notebook(path));
        }
        report
    }

    /// Looks at a notebook, and what is to be said of its source.
    pub(super) fn notebook(&self, status: &NotebookStatus) -> FileReport {
        if !is_notebook(status) {
            let reason = status.reason.clone().unwrap_or_default();
            let finding = Finding::new("left-alone", Severity::Warning, reason);
            return FileReport::new(&status.source, vec![finding]);
        }
        self.replica(&status.source, status, true)
    }

    fn replica(&self, path: &Utf8Path, status: &NotebookStatus, is_watched: bool) -> FileReport {
        let mut report = FileReport::new(path, Vec::new());
        let replica = status.replicas.iter().find(|it| it.path == path);
        report.role = replica.map(|it| it.role);
        report.findings.extend(of_state(status, is_watched));
        let note = |it: &String| Finding::new("jupytext", Severity::Note, it.clone());
        report.findings.extend(status.notes.iter().map(note));
        let absolute = self.options.root.join(path);
        match self.parse(&absolute, replica.map(|it| it.format)) {
            Ok(Some(document)) => {
                report.diagnostics = diagnose(document.as_ref());
                report.findings.extend(tools::of_document(path, document.as_ref()));
            }
            // A shadow is made when a daemon runs.
            Ok(None) => {}
            // The reason for which it is held says it already.
            Err(_) if status.state == NotebookState::Held => {}
            Err(finding) => report.findings.push(finding),
        }
        report.diagnostics.extend(self.of_marimo_shadow(path, status));
        report.findings.extend(written_in_place(&absolute));
        report.findings.extend(tools::of_path(&self.options.root, path));
        report.notebook = Some(status.clone());
        report
    }

    /// What could not be run in a source, or `None` if it can't be read now.
    pub(super) fn diagnose(&self, status: &NotebookStatus) -> Option<Vec<Diagnostic>> {
        let source = status.replicas.first()?;
        let absolute = self.options.root.join(&source.path);
        let document = self.parse(&absolute, Some(source.format)).ok()??;
        Some(diagnose(document.as_ref()))
    }

    /// What marimo would delete of the marimo copy, of whatever format the source is.
    fn of_marimo_shadow(&self, path: &Utf8Path, status: &NotebookStatus) -> Vec<Diagnostic> {
        let is_shadow = |it: &&crate::report::ReplicaStatus| {
            it.path != path && it.role == Role::Shadow && it.format == FormatName::Marimo
        };
        let Some(shadow) = status.replicas.iter().find(is_shadow) else { return Vec::new() };
        let absolute = self.options.root.join(&shadow.path);
        match self.parse(&absolute, Some(shadow.format)) {
            Ok(Some(document)) => {
                let mut found = deletions(document.as_ref());
                for it in &mut found {
                    it.message = format!("in `{}`: {}", shadow.path, it.message);
                }
                found
            }
            _ => Vec::new(),
        }
    }

    fn parse(
        &self,
        path: &Utf8Path,
        known: Option<FormatName>,
    ) -> Result<Option<Box<dyn Document>>, Finding> {
        let unreadable = |reason: String| Finding::new("unreadable", Severity::Error, reason);
        let bytes = match self.disk.read(path, self.options.config.max_size, Lock::None) {
            Ok(contents) => contents.bytes,
            Err(ReadError::Absent { .. }) => return Ok(None),
            Err(error) => return Err(unreadable(chain(&error))),
        };
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.split(|&byte| byte == b'\n').count();
            unreadable(format!("line {line}: not valid UTF-8"))
        })?;
        let name = path.file_name().unwrap_or_default();
        let Some(found) = known.or_else(|| nbsync_formats::detect(name, &text)) else {
            return Ok(None);
        };
        let document = format(found).parse(Arc::from(text), extension(path));
        document.map(Some).map_err(|error| unreadable(error.to_string()))
    }

    /// Says why a file that might be a notebook is none.
    fn not_a_notebook(&self, path: &Utf8Path) -> Finding {
        let absolute = self.options.root.join(path);
        match self.disk.read(&absolute, self.options.config.max_size, Lock::None) {
            Err(error @ ReadError::TooLarge { .. }) => {
                let message = format!("{}; `max_size` in the configuration", chain(&error));
                Finding::new("too-large", Severity::Warning, message)
            }
            Err(error) => Finding::new("unreadable", Severity::Error, chain(&error)),
            Ok(contents) if contents.bytes.iter().all(u8::is_ascii_whitespace) => {
                Finding::new("empty", Severity::Note, "it is empty, so it is no notebook yet")
            }
            Ok(contents) => {
                let text = String::from_utf8_lossy(&contents.bytes);
                let name = path.file_name().unwrap_or_default();
                if nbsync_formats::detect(name, &text).is_some() {
                    let message = "it looks like a notebook and is not paired; if it is new, a \
                                   running daemon takes it within seconds. With `layout = \
                                   \"sibling\"`, `a.percent.py` beside `a.ipynb` is its shadow";
                    return Finding::new("not-paired", Severity::Warning, message);
                }
                Finding::new(
                    "plain-script",
                    Severity::Note,
                    "it is a plain script: it has neither cell markers (`# %%`) nor \
                     `app = marimo.App()`, nor a header of jupytext for percent cells",
                )
            }
        }
    }
}

/// Says if a file can't be replaced, and is written in place instead.
fn written_in_place(path: &Utf8Path) -> Option<Finding> {
    let metadata = path.metadata().ok()?;
    let folder = path.parent()?.metadata().ok()?;
    let reason = if 1 < metadata.nlink() {
        format!("it has {} hard links", metadata.nlink())
    } else if folder.dev() != metadata.dev() {
        "it is a mount of its own".to_owned()
    } else {
        return None;
    };
    let message =
        format!("{reason}, so it is written in place, and its versions are not in the history");
    Some(Finding::new("in-place", Severity::Note, message))
}

impl FileReport {
    fn new(path: &Utf8Path, findings: Vec<Finding>) -> Self {
        let path: Utf8PathBuf = path.to_owned();
        Self { path, role: None, notebook: None, findings, diagnostics: Vec::new() }
    }
}

/// A word for programs.
fn code(reason: &LeftAlone) -> &'static str {
    match reason {
        LeftAlone::Absent => "absent",
        LeftAlone::Outside => "outside",
        LeftAlone::Hidden => "hidden",
        LeftAlone::Temporary => "temporary",
        LeftAlone::Extension => "extension",
        LeftAlone::Folder { .. } => "folder",
        LeftAlone::GitIgnored { .. } => "git-ignored",
        LeftAlone::Excluded => "excluded",
        LeftAlone::NotIncluded => "not-included",
        LeftAlone::Skipped(_) => "left-alone",
    }
}
