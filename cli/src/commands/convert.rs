use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use nbsync_formats::{Carry, FormatName, ParseError, PrintError, detect, format};

use super::Outcome;
use crate::error::CliError;
use crate::{replace, ui};

/// Convert notebooks from one format to another
///
/// Stateless: nothing is paired or watched, and the result holds all that its
/// format has a place for. The result goes to stdout, or to the file that `-o`
/// names. Existing files are only replaced with `--force`. Exits with 3 if a
/// notebook can't be read, converted or written.
#[derive(Debug, clap::Args)]
pub(crate) struct ConvertArgs {
    /// The notebooks, or `-` for stdin
    #[arg(value_name = "IN", required = true)]
    inputs: Vec<PathBuf>,

    /// The format to convert to
    #[arg(long, value_name = "FORMAT", value_parser = format_names())]
    to: FormatName,

    /// The format to convert from [default: what the text looks like]
    #[arg(long, value_name = "FORMAT", value_parser = format_names())]
    from: Option<FormatName>,

    /// The file to write, `-` for stdout, or a folder for a file per notebook
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,

    /// Replace existing files
    #[arg(short, long)]
    force: bool,
}

fn format_names() -> impl TypedValueParser<Value = FormatName> {
    PossibleValuesParser::new(FormatName::ALL.map(FormatName::as_str))
        .try_map(|name| name.parse::<FormatName>())
}

pub(crate) fn run(args: &ConvertArgs) -> Result<Outcome, CliError> {
    let folder = args.output.as_deref().filter(|output| is_folder(output));
    if args.inputs.len() > 1 && folder.is_none() {
        return Err(CliError::usage("several notebooks cannot go into one file")
            .hint("`-o DIR/` names a folder for them"));
    }
    if let [input] = args.inputs.as_slice() {
        convert(args, input, folder)?;
        return Ok(Outcome::Fine);
    }
    let mut outcome = Outcome::Fine;
    for input in &args.inputs {
        if let Err(error) = convert(args, input, folder) {
            error.print();
            outcome = Outcome::Failed;
        }
    }
    Ok(outcome)
}

fn is_folder(output: &Path) -> bool {
    output.as_os_str().as_encoded_bytes().ends_with(b"/") || output.is_dir()
}

fn is_stdio(path: &Path) -> bool {
    path == Path::new("-")
}

fn convert(args: &ConvertArgs, input: &Path, folder: Option<&Path>) -> Result<(), CliError> {
    let (text, extension) = print(args, input, &read(input)?)?;
    let output = match (folder, &args.output) {
        (Some(folder), _) => {
            fs::create_dir_all(folder).map_err(|error| {
                CliError::io(format!("cannot make the folder `{}`", folder.display()), error)
            })?;
            folder.join(output_name(input, extension))
        }
        (None, Some(output)) if !is_stdio(output) => output.clone(),
        (None, _) => return ui::print_bytes(text.as_bytes()),
    };
    replace::write(&output, text.as_bytes(), args.force).map_err(|error| {
        let exists = error.kind() == io::ErrorKind::AlreadyExists;
        let error = CliError::io(format!("cannot write `{}`", output.display()), error);
        if exists { error.hint("`--force` replaces it") } else { error }
    })
}

/// Returns the text in the other format, and the extension of its file.
fn print(
    args: &ConvertArgs,
    input: &Path,
    text: &str,
) -> Result<(Arc<str>, &'static str), CliError> {
    let shown = if is_stdio(input) { "stdin".into() } else { input.to_string_lossy() };
    let (from, extension) = source_format(args, input, text).ok_or_else(|| {
        CliError::input(format!("`{shown}` is not a notebook"))
            .hint("nbsync reads `.ipynb` files, scripts with `# %%` cells and marimo notebooks")
            .hint("`--from` names the format if it is not recognised")
    })?;
    let document = format(from).parse(text.into(), &extension).map_err(|source| {
        CliError::input(ConvertError::Parse { name: shown.to_string(), source })
    })?;
    let target = format(args.to);
    let cannot_hold = |source| {
        CliError::input(ConvertError::Print { name: shown.to_string(), to: args.to, source })
    };
    let extension = target.extension(document.notebook()).ok_or_else(|| {
        cannot_hold(PrintError::Unsupported {
            format: args.to.as_str(),
            reason: "it is in a language that the format has no place for".to_owned(),
        })
    })?;
    if from == args.to {
        // Printing it anew could only lose how it is written.
        return Ok((Arc::clone(document.text()), extension));
    }
    let printed = target.print(document.notebook(), extension, Carry::All).map_err(cannot_hold)?;
    Ok((Arc::clone(printed.document.text()), extension))
}

/// The format of a text, and the extension to read it with.
fn source_format(args: &ConvertArgs, input: &Path, text: &str) -> Option<(FormatName, String)> {
    let name = input.file_name().and_then(OsStr::to_str).filter(|_| !is_stdio(input));
    let extension = name.and_then(|name| name.rfind('.').map(|dot| name[dot..].to_owned()));
    if let Some(from) = args.from {
        let usual = if from == FormatName::Ipynb { ".ipynb" } else { ".py" };
        return Some((from, extension.unwrap_or_else(|| usual.to_owned())));
    }
    match extension {
        Some(extension) => Some((detect(name?, text)?, extension)),
        // Nothing but the text says what it is.
        None => [".ipynb", ".py"].into_iter().find_map(|extension| {
            Some((detect(&format!("stdin{extension}"), text)?, extension.to_owned()))
        }),
    }
}

/// `a.py` for `notebooks/a.marimo.ipynb`, if the extension is `.py`.
fn output_name(input: &Path, extension: &str) -> String {
    let stem = match input.file_stem() {
        Some(stem) if !is_stdio(input) => stem.to_string_lossy(),
        _ => "stdin".into(),
    };
    let stem = match stem.rsplit_once('.') {
        Some((stem, suffix)) if suffix.parse::<FormatName>().is_ok() => stem,
        _ => &stem,
    };
    format!("{stem}{extension}")
}

fn read(input: &Path) -> Result<String, CliError> {
    let (name, bytes) = if is_stdio(input) {
        let mut bytes = Vec::new();
        ("stdin".into(), io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes))
    } else {
        (input.to_string_lossy(), fs::read(input))
    };
    let bytes = bytes.map_err(|error| CliError::io(format!("cannot read `{name}`"), error))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.split(|&byte| byte == b'\n').count();
        CliError::input(format!("cannot read `{name}`, line {line}: not valid UTF-8"))
    })
}

/// Why a notebook was not converted.
#[derive(Debug, thiserror::Error)]
enum ConvertError {
    #[error("cannot read `{name}`")]
    Parse { name: String, source: ParseError },
    #[error("cannot convert `{name}` to {to}")]
    Print { name: String, to: FormatName, source: PrintError },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_named_after_the_notebook_not_its_format() {
        let name = |input: &str| output_name(Path::new(input), ".ipynb");
        assert_eq!(name("sub/a.py"), "a.ipynb");
        assert_eq!(name("a.marimo.py"), "a.ipynb");
        assert_eq!(name("v1.2.py"), "v1.2.ipynb");
        assert_eq!(name("-"), "stdin.ipynb");
    }
}
