mod start;

use std::path::PathBuf;

use clap::ValueEnum;
use nbsync_formats::FormatName;

use super::Outcome;
use crate::arguments::{Global, format_names};
use crate::background;
use crate::context::Target;
use crate::error::CliError;
use crate::notebook::Notebook;
use crate::ui;
use start::Start;

/// Open a notebook in an editor, in the copy that suits it
///
/// Brings the notebook in sync, and starts the editor in its folder, so that
/// relative paths and imports mean what they mean in the notebook: `marimo edit
/// --watch` on the marimo copy, `jupyter lab` on the Jupyter notebook, or `code` on
/// the named file if VS Code can show that, else on the script. If no daemon watches
/// the folder, one is started in the background. The editor takes the place of this
/// command, which therefore ends with it, and with its exit code.
#[derive(Debug, clap::Args)]
pub(crate) struct OpenArgs {
    /// A file of the notebook
    notebook: PathBuf,

    /// The editor
    #[arg(long = "in", value_name = "EDITOR")]
    editor: Editor,

    /// Open the copy in this format, if the editor can show it
    #[arg(long, value_name = "FORMAT", value_parser = format_names())]
    format: Option<FormatName>,

    /// Further arguments for the editor. Those after another `--` come after the
    /// path of the notebook
    #[arg(last = true, value_name = "ARGS")]
    more: Vec<String>,
}

/// Run a notebook as a marimo app
///
/// Brings the notebook in sync, and runs `marimo run --watch` on its marimo copy, in
/// the folder of the notebook. If no daemon watches the folder, one is started in the
/// background. marimo takes the place of this command.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// A file of the notebook
    notebook: PathBuf,

    /// Further arguments for marimo. Those after another `--` come after the path of
    /// the notebook, which sees them as its command line
    #[arg(last = true, value_name = "ARGS")]
    more: Vec<String>,
}

/// What a notebook can be opened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Editor {
    /// `marimo edit --watch`
    Marimo,
    /// `jupyter lab`
    Jupyter,
    /// VS Code
    Code,
}

impl Editor {
    /// The formats that it can show, the preferred one first.
    fn formats(self) -> &'static [FormatName] {
        match self {
            Self::Marimo => &[FormatName::Marimo],
            Self::Jupyter => &[FormatName::Ipynb],
            Self::Code => {
                &[FormatName::Percent, FormatName::Hydrogen, FormatName::Ipynb, FormatName::Marimo]
            }
        }
    }
}

pub(crate) fn open(global: &Global, args: &OpenArgs) -> Result<Outcome, CliError> {
    if let Some(format) = args.format.filter(|it| !args.editor.formats().contains(it)) {
        let editor = format!("{:?}", args.editor).to_lowercase();
        return Err(CliError::usage(format!("`{editor}` can't open a notebook as {format}")));
    }
    let (target, notebook) = prepare(global, &args.notebook)?;
    let replica = match (args.format, notebook.named(), args.editor) {
        (Some(format), ..) => notebook.replica(format)?,
        (None, Some(named), Editor::Code) if named.format != FormatName::Marimo => named,
        (None, _, editor) => {
            let has = |format: &&FormatName| notebook.replica(**format).is_ok();
            let format = editor.formats().iter().find(has).unwrap_or(&editor.formats()[0]);
            notebook.replica(*format)?
        }
    };
    let start = match args.editor {
        Editor::Marimo => Start::marimo("edit", &notebook, replica),
        Editor::Jupyter => Start::jupyter(&notebook, replica),
        Editor::Code => Start::code(&target, &notebook, replica)?,
    };
    Err(start.with(&args.more).exec(global))
}

pub(crate) fn run(global: &Global, args: &RunArgs) -> Result<Outcome, CliError> {
    let (_, notebook) = prepare(global, &args.notebook)?;
    let replica = notebook.replica(FormatName::Marimo)?;
    Err(Start::marimo("run", &notebook, replica).with(&args.more).exec(global))
}

/// Makes sure that a daemon runs and the notebook has its files.
fn prepare(global: &Global, path: &PathBuf) -> Result<(Target, Notebook), CliError> {
    let target = Target::find(global, std::slice::from_ref(path))?;
    let daemon = background::daemon(global, &target)?;
    let notebook = Notebook::sync_by(daemon, &target)?;
    if let Some(complaint) = notebook.complaint() {
        ui::warn(&complaint);
    }
    Ok((target, notebook))
}
