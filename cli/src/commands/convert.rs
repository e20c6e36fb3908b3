mod check;
mod input;
mod parallel;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use nbsync_formats::{Carry, FormatName, ParseError, PrintError, What, format};

use super::Outcome;
use crate::arguments::format_names;
use crate::error::CliError;
use crate::{replace, ui};
use input::{Input, Notebook};

/// Convert notebooks from one format to another
///
/// Stateless: nothing is paired or watched, and the result holds all that its
/// format has a place for. The result goes to stdout, or to the file that `-o`
/// names. Of a folder, all notebooks in it are converted, into the same folders
/// below `-o DIR/`. Existing files are only replaced with `--force`. Exits with 3
/// if a notebook can't be read, converted or written.
///
/// With `--check`, says what another format can't hold, cell by cell, and writes
/// nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct ConvertArgs {
    /// The notebooks, folders of them, or `-` for stdin
    #[arg(value_name = "IN", required = true)]
    inputs: Vec<PathBuf>,

    /// The format to convert to; with `--check`, can be repeated
    #[arg(long, value_name = "FORMAT", required_unless_present = "check")]
    #[arg(value_parser = format_names())]
    to: Vec<FormatName>,

    /// The format to convert from [default: what the text looks like]
    #[arg(long, value_name = "FORMAT", value_parser = format_names())]
    from: Option<FormatName>,

    /// The file to write, `-` for stdout, or a folder for a file per notebook
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// Replace existing files
    #[arg(short, long)]
    force: bool,

    /// Say what is lost or changed on the way there and back, and write nothing
    ///
    /// Without `--to`, for ipynb, percent and marimo. Exits with 1 if anything is.
    #[arg(long, conflicts_with_all = ["output", "force"])]
    check: bool,

    /// What `--check` leaves out, by its name in `--json` (can be repeated)
    #[arg(long, value_name = "WHAT", requires = "check", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(What::NAMES))]
    ignore: Vec<String>,

    /// Print what `--check` found as JSON
    #[arg(long, requires = "check")]
    json: bool,
}

pub(crate) fn run(args: &ConvertArgs) -> Result<Outcome, CliError> {
    let inputs = input::find(&args.inputs)?;
    if args.check {
        return check::run(args, &inputs);
    }
    let &[to] = args.to.as_slice() else {
        return Err(CliError::usage("one format at a time")
            .hint("`--to` can be repeated with `--check` only"));
    };
    let Some(folder) = args.output.as_deref().filter(|output| is_folder(output)) else {
        let [only] = inputs.as_slice() else {
            return Err(CliError::usage("several notebooks cannot go into one file")
                .hint("`-o DIR/` names a folder for them"));
        };
        let Some((text, _)) = print(args, to, only)? else { return Ok(Outcome::Fine) };
        return match args.output.as_deref().filter(|output| !input::is_stdio(output)) {
            Some(output) => write(args, output, &text).map(|()| Outcome::Fine),
            None => ui::print_bytes(text.as_bytes()).map(|()| Outcome::Fine),
        };
    };

    // Those that could have one output go one after the other, so that the second fails
    // and not one of the two, whichever.
    let mut groups: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (idx, input) in inputs.iter().enumerate() {
        groups.entry(input.stem()).or_default().push(idx);
    }
    let groups: Vec<(PathBuf, Vec<usize>)> = groups.into_iter().collect();
    let results = parallel::map(&groups, |(stem, idxs)| {
        let mut written: Vec<PathBuf> = Vec::new();
        let convert = |&idx: &usize| {
            let Some((text, extension)) = print(args, to, &inputs[idx])? else { return Ok(()) };
            let mut output = folder.join(stem).into_os_string();
            output.push(extension);
            let output = PathBuf::from(output);
            if written.contains(&output) {
                let (name, output) = (inputs[idx].shown(), output.display());
                let what = format!("cannot convert `{name}`: `{output}` is of another notebook");
                return Err(CliError::input(what));
            }
            if let Some(folder) = output.parent() {
                fs::create_dir_all(folder).map_err(|error| {
                    CliError::io(format!("cannot make the folder `{}`", folder.display()), error)
                })?;
            }
            write(args, &output, &text)?;
            written.push(output);
            Ok(())
        };
        idxs.iter().map(convert).collect::<Vec<Result<(), CliError>>>()
    });
    let mut errors: Vec<(usize, CliError)> = groups
        .iter()
        .zip(results)
        .flat_map(|((_, idxs), results)| idxs.iter().copied().zip(results))
        .filter_map(|(idx, result)| result.err().map(|error| (idx, error)))
        .collect();
    errors.sort_by_key(|(idx, _)| *idx);
    if inputs.len() == 1 {
        return errors.pop().map_or(Ok(Outcome::Fine), |(_, error)| Err(error));
    }
    for (_, error) in &errors {
        error.print();
    }
    Ok(if errors.is_empty() { Outcome::Fine } else { Outcome::Failed })
}

fn is_folder(output: &Path) -> bool {
    output.as_os_str().as_encoded_bytes().ends_with(b"/") || output.is_dir()
}

fn write(args: &ConvertArgs, output: &Path, text: &str) -> Result<(), CliError> {
    replace::write(output, text.as_bytes(), args.force).map_err(|error| {
        let exists = error.kind() == io::ErrorKind::AlreadyExists;
        let error = CliError::io(format!("cannot write `{}`", output.display()), error);
        if exists { error.hint("`--force` replaces it") } else { error }
    })
}

/// Returns the text in the other format, and the extension of its file; `None` if it was
/// found in a folder and is no notebook.
fn print(
    args: &ConvertArgs,
    to: FormatName,
    input: &Input,
) -> Result<Option<(Arc<str>, &'static str)>, CliError> {
    let Some(Notebook { document, from, .. }) = input.read(args.from)? else { return Ok(None) };
    let target = format(to);
    let cannot_hold = |source| cannot_convert(input, to, source);
    let extension = target.extension(document.notebook()).ok_or_else(|| {
        cannot_hold(PrintError::Unsupported {
            format: to.as_str(),
            reason: "it is in a language that the format has no place for".to_owned(),
        })
    })?;
    if from == to {
        // Printing it anew could only lose how it is written.
        return Ok(Some((Arc::clone(document.text()), extension)));
    }
    let printed = target.print(document.notebook(), extension, Carry::All).map_err(cannot_hold)?;
    Ok(Some((Arc::clone(printed.document.text()), extension)))
}

fn cannot_convert(input: &Input, to: FormatName, source: PrintError) -> CliError {
    CliError::input(ConvertError::Print { name: input.shown(), to, source })
}

/// Why a notebook was not converted.
#[derive(Debug, thiserror::Error)]
enum ConvertError {
    #[error("cannot read `{name}`")]
    Parse { name: String, source: ParseError },
    #[error("cannot convert `{name}` to {to}")]
    Print { name: String, to: FormatName, source: PrintError },
}
