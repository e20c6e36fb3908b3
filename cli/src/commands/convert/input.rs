use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use nbsync_daemon::config::Config;
use nbsync_daemon::walk::{MARIMO_DIR, Walker};
use nbsync_formats::{Document, FormatName, detect, format};

use super::ConvertError;
use crate::context;
use crate::error::CliError;

/// A file that may be a notebook.
#[derive(Debug)]
pub(super) struct Input {
    path: PathBuf,
    /// Its path below the folder that was named, or its name.
    relative: PathBuf,
    /// Whether it was found in a folder, where files that are no notebooks are no mistake.
    was_found: bool,
}

/// A notebook that was read.
pub(super) struct Notebook {
    pub(super) document: Box<dyn Document>,
    pub(super) from: FormatName,
    /// The extension that it was read with.
    pub(super) extension: String,
}

/// Finds the notebooks in folders, and keeps all other paths as they are.
///
/// What is left alone in a watched folder is left alone here (`.gitignore`,
/// environments, hidden folders), and so are marimo's and nbsync's own files.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<Input>, CliError> {
    let mut inputs = Vec::with_capacity(paths.len());
    for path in paths {
        if is_stdio(path) || !path.is_dir() {
            let relative = path.file_name().map(PathBuf::from).unwrap_or_default();
            inputs.push(Input { path: path.clone(), relative, was_found: false });
            continue;
        }
        let cannot_read =
            |error| CliError::io(format!("cannot read the folder `{}`", path.display()), error);
        let root = context::folder(path)?;
        let walker =
            Walker::new(&root, &Config::default(), &context::dirs()?).map_err(cannot_read)?;
        let walk = walker.walk();
        if let Some(unreadable) = walk.unreadable.into_iter().next() {
            let shown = path.join(&unreadable.folder);
            let what = format!("cannot read the folder `{}`", shown.display());
            return Err(CliError::io(what, unreadable.error));
        }
        let found = walk.candidates.into_iter();
        inputs.extend(found.filter(|it| !it.components().any(|it| it.as_str() == MARIMO_DIR)).map(
            |relative| Input {
                path: path.join(&relative),
                relative: relative.into(),
                was_found: true,
            },
        ));
    }
    Ok(inputs)
}

pub(super) fn is_stdio(path: &Path) -> bool {
    path == Path::new("-")
}

impl Input {
    /// The name for messages.
    pub(super) fn shown(&self) -> String {
        if is_stdio(&self.path) { "stdin".into() } else { self.path.to_string_lossy().into() }
    }

    /// The path of its output without an extension: `a` for `a.marimo.py`, and
    /// `sub/a` if it was found in the folder `sub` of the one that was named.
    pub(super) fn stem(&self) -> PathBuf {
        let stem = match self.relative.file_stem() {
            Some(stem) if !is_stdio(&self.path) => stem.to_string_lossy(),
            _ => "stdin".into(),
        };
        let stem = match stem.rsplit_once('.') {
            Some((stem, suffix)) if suffix.parse::<FormatName>().is_ok() => stem,
            _ => &stem,
        };
        self.relative.with_file_name(stem)
    }

    /// Reads it. `None` if it was found in a folder and is no notebook.
    pub(super) fn read(&self, from: Option<FormatName>) -> Result<Option<Notebook>, CliError> {
        let text = match self.text() {
            Ok(text) => text,
            // Whatever it is, nobody has said that it is a notebook.
            Err(_) if self.was_found && !self.is_ipynb() => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some((from, extension)) = self.format(from, &text) else {
            if self.was_found && !self.is_ipynb() {
                return Ok(None);
            }
            let error = CliError::input(format!("`{}` is not a notebook", self.shown()))
                .hint("nbsync reads `.ipynb` files, scripts with `# %%` cells and marimo notebooks")
                .hint("`--from` names the format if it is not recognised");
            return Err(error);
        };
        let document = format(from).parse(text.into(), &extension).map_err(|source| {
            CliError::input(ConvertError::Parse { name: self.shown(), source })
        })?;
        Ok(Some(Notebook { document, from, extension }))
    }

    fn is_ipynb(&self) -> bool {
        self.path.extension() == Some(OsStr::new("ipynb"))
    }

    /// The format of a text, and the extension to read it with.
    fn format(&self, from: Option<FormatName>, text: &str) -> Option<(FormatName, String)> {
        let name = self.path.file_name().and_then(OsStr::to_str).filter(|name| *name != "-");
        let extension = name.and_then(|name| name.rfind('.').map(|dot| name[dot..].to_owned()));
        if let Some(from) = from {
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

    fn text(&self) -> Result<String, CliError> {
        let bytes = if is_stdio(&self.path) {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        } else {
            fs::read(&self.path)
        };
        let name = self.shown();
        let bytes = bytes.map_err(|error| CliError::io(format!("cannot read `{name}`"), error))?;
        String::from_utf8(bytes).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.split(|&byte| byte == b'\n').count();
            CliError::input(format!("cannot read `{name}`, line {line}: not valid UTF-8"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_named_after_the_notebook_not_its_format() {
        let stem = |relative: &str, path: &str| {
            let input = Input { path: path.into(), relative: relative.into(), was_found: false };
            input.stem().display().to_string()
        };
        assert_eq!(stem("a.py", "sub/a.py"), "a");
        assert_eq!(stem("sub/a.marimo.py", "top/sub/a.marimo.py"), "sub/a");
        assert_eq!(stem("v1.2.py", "v1.2.py"), "v1.2");
        assert_eq!(stem("-", "-"), "stdin");
    }
}
