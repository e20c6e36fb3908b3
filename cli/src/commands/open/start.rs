//! How each editor is started on a file.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_daemon::report::ReplicaStatus;
use serde_json::json;

use crate::arguments::Global;
use crate::context::Target;
use crate::error::CliError;
use crate::notebook::Notebook;
use crate::ui::{self, QUIET};

/// The name of the file that tells VS Code where notebooks of a folder run.
const WORKSPACE: &str = "nbsync.code-workspace";

/// A program to be started on a file.
#[derive(Debug)]
pub(super) struct Start {
    program: &'static str,
    /// What comes before the arguments of the user.
    before: Vec<String>,
    /// What comes after them.
    path: String,
    /// Where it is started.
    folder: Utf8PathBuf,
    /// A folder to import modules from.
    imports: Option<Utf8PathBuf>,
    /// What to do if the program is not there.
    hint: &'static str,
}

impl Start {
    /// `marimo edit` or `marimo run`.
    ///
    /// Code runs in the folder in which marimo was started, and imports from the folder
    /// of its file. With `--watch`, marimo reads what arrives; without, its next save
    /// would overwrite that.
    pub(super) fn marimo(verb: &str, notebook: &Notebook, replica: &ReplicaStatus) -> Self {
        Self {
            program: "marimo",
            before: vec![verb.to_owned(), "--watch".to_owned()],
            path: notebook.path(replica).into_string(),
            folder: notebook.folder(),
            imports: notebook.is_apart(replica).then(|| notebook.folder()),
            hint: "`pip install marimo watchdog`, or activate the environment that has it",
        }
    }

    /// `jupyter lab`.
    ///
    /// A kernel runs in the folder of the notebook, below the root of the kernel
    /// manager. Given another root than the server's, it runs elsewhere.
    pub(super) fn jupyter(notebook: &Notebook, replica: &ReplicaStatus) -> Self {
        let path = notebook.path(replica);
        let mut before = vec!["lab".to_owned()];
        if notebook.is_apart(replica) {
            let shadows = path.parent().unwrap_or(Utf8Path::new("."));
            before.push(format!("--ServerApp.root_dir={shadows}"));
            before.push(format!("--MappingKernelManager.root_dir={}", notebook.folder()));
        }
        Self {
            program: "jupyter",
            before,
            path: path.into_string(),
            folder: notebook.folder(),
            imports: None,
            hint: "`pip install jupyterlab`, or activate the environment that has it",
        }
    }

    /// `code`, on the root and a file in it.
    ///
    /// What is beside its source runs where it is. For all else a workspace says where.
    pub(super) fn code(
        target: &Target,
        notebook: &Notebook,
        replica: &ReplicaStatus,
    ) -> Result<Self, CliError> {
        let path = notebook.path(replica);
        let place = if notebook.is_apart(replica) {
            workspace(path.parent().unwrap_or(&path), &notebook.folder())?
        } else {
            target.root.clone()
        };
        Ok(Self {
            program: "code",
            before: vec![place.into_string()],
            path: path.into_string(),
            folder: notebook.folder(),
            imports: None,
            hint: "in VS Code, the command `Shell Command: Install 'code' command in PATH` puts it there",
        })
    }

    /// Adds arguments of the user; those after a `--` come after the path.
    pub(super) fn with(mut self, more: &[String]) -> Started {
        let at = more.iter().position(|it| it == "--").unwrap_or(more.len());
        let mut args = std::mem::take(&mut self.before);
        args.extend_from_slice(&more[..at]);
        args.push(std::mem::take(&mut self.path));
        args.extend_from_slice(&more[at..]);
        Started { start: self, args }
    }
}

/// A program with all its arguments.
#[derive(Debug)]
pub(super) struct Started {
    start: Start,
    args: Vec<String>,
}

impl Started {
    /// Becomes the program. Returns only if that fails.
    pub(super) fn exec(self, global: &Global) -> CliError {
        let Self { start: Start { program, folder, imports, hint, .. }, args } = self;
        if !global.quiet {
            let command = format!("{program} {}", args.join(" "));
            ui::labelled("starting", QUIET, &command);
        }
        let mut command = Command::new(program);
        command.args(&args).current_dir(&folder);
        if let Some(imports) = imports {
            command.env("PYTHONPATH", python_path(&imports));
        }
        let error = command.exec();
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        let error = CliError::io(format!("cannot start `{program}`"), error);
        if is_missing { error.hint(hint) } else { error }
    }
}

/// A folder before those that are there.
fn python_path(folder: &Utf8Path) -> OsString {
    let mut path = OsString::from(folder.as_str());
    if let Some(before) = std::env::var_os("PYTHONPATH").filter(|it| !it.is_empty()) {
        path.push(":");
        path.push(before);
    }
    path
}

/// Writes the workspace of a folder of shadows, if it is not there as it should be.
///
/// Its only folder is that of the sources, and all of its notebooks run there.
fn workspace(shadows: &Utf8Path, folder: &Utf8Path) -> Result<Utf8PathBuf, CliError> {
    let path = shadows.join(WORKSPACE);
    let content = json!({
        "folders": [{"path": folder}],
        "settings": {"jupyter.notebookFileRoot": "${workspaceFolder}"},
    });
    let text = format!("{content:#}\n");
    if fs::read_to_string(&path).is_ok_and(|now| now == text) {
        return Ok(path);
    }
    fs::write(&path, text)
        .map_err(|error| CliError::io(format!("cannot write `{path}`"), error))?;
    Ok(path)
}
