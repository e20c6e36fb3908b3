//! Where configurations are.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::{ConfigError, ConfigProblem};
use super::read::has_table;
use crate::dirs::Dirs;

/// A configuration that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: Utf8PathBuf,
    pub(super) text: String,
    pub(super) place: Place,
    /// The folder that patterns of files are relative to.
    pub(super) base: Utf8PathBuf,
}

/// Where in its file a configuration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is the file.
    Top,
    /// It is the table `[tool.nbsync]`.
    Tool,
}

/// Returns the folder to watch when the user says where they are: the nearest
/// one upwards that has a configuration, or else just there.
pub fn find_root(start: &Utf8Path) -> Result<Utf8PathBuf, ConfigError> {
    Ok(nearest(start)?.map_or_else(|| start.to_owned(), |found| found.base))
}

/// Finds the configuration of the nearest folder at or above this one.
///
/// In one folder, `nbsync.toml` comes before `pyproject.toml`.
pub(super) fn nearest(folder: &Utf8Path) -> Result<Option<Found>, ConfigError> {
    for base in folder.ancestors() {
        let found = |path, text, place| Found { path, text, place, base: base.to_owned() };
        let path = base.join("nbsync.toml");
        if let Some(text) = read(&path)? {
            return Ok(Some(found(path, text, Place::Top)));
        }
        let path = base.join("pyproject.toml");
        if let Some(text) = read(&path)?
            && has_table(&text, &path)?
        {
            return Ok(Some(found(path, text, Place::Tool)));
        }
    }
    Ok(None)
}

/// Finds the configuration of the user.
pub(super) fn user_wide(dirs: &Dirs) -> Result<Option<Found>, ConfigError> {
    let path = dirs.config.join("config.toml");
    let base = dirs.config.clone();
    Ok(read(&path)?.map(|text| Found { path, text, place: Place::Top, base }))
}

/// Reads a file, if there is one.
fn read(path: &Utf8Path) -> Result<Option<String>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    match fs::metadata(path) {
        // Reading a pipe might never end.
        Ok(metadata) if !metadata.is_file() => return Ok(None),
        Ok(_) => (),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => return Ok(None),
            _ => return Err(unreadable(error)),
        },
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        ConfigError::Invalid {
            path: path.to_owned(),
            line: valid.split(|&byte| byte == b'\n').count(),
            source: ConfigProblem::Syntax("the text is not UTF-8".to_owned()),
        }
    })?;
    Ok(Some(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    }))
}
