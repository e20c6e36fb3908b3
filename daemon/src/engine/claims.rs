//! What the files of the user say about which of them are one notebook.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::{FormatName, Notebook};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::discover::detect_one;
use crate::config::jupytext::Jupytext;
use crate::sync::pairing::jupytext::{
    PairedFormat, Support, auto_extension, declared_formats, read_formats,
};
use crate::sync::pairing::paths::paired_paths;
use crate::sync::pairing::{Claim, Claimant};

/// A notebook of the user.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) format: FormatName,
    pub(super) said: Said,
    /// The pair that it is in, by itself or by a configuration.
    pub(super) claim: Option<Claim>,
    /// Why that can't be told.
    pub(super) problem: Option<String>,
}

/// What a file says about pairs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// jupytext's list of formats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    formats: Option<String>,
    /// What `auto` stands for in such a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auto: Option<String>,
}

impl Said {
    pub(super) fn of(notebook: &Notebook) -> Self {
        Self {
            formats: declared_formats(&notebook.metadata).map(str::to_owned),
            auto: auto_extension(notebook),
        }
    }
}

impl Engine {
    /// Finds out anew what a file of the user says.
    pub(super) fn claim_anew(&mut self, path: &Utf8Path) {
        let Some(file) = self.files.get(path) else { return };
        let (format, said) = (file.format, file.said.clone());
        let (claim, problem) = match self.claim(path, format, &said) {
            Ok(claim) => (claim, None),
            Err(problem) => (None, Some(problem)),
        };
        if let Some(file) = self.files.get_mut(path)
            && (&file.claim, &file.problem) != (&claim, &problem)
        {
            (file.claim, file.problem) = (claim, problem);
            self.needs_forming = true;
        }
    }

    /// Finds out anew what all files say.
    pub(super) fn claim_all_anew(&mut self) {
        let paths: Vec<Utf8PathBuf> = self.files.keys().cloned().collect();
        for path in paths {
            self.claim_anew(&path);
        }
    }

    /// Finds out anew what those files say that have named one of these.
    pub(super) fn claim_anew_who_named(&mut self, paths: &[Utf8PathBuf]) {
        let names = |claim: &Claim| {
            let members = claim.members.iter().map(|(path, _)| path);
            members.chain(&claim.left_out).any(|path| paths.contains(path))
        };
        let who: Vec<Utf8PathBuf> = self
            .files
            .iter()
            .filter(|(path, file)| !paths.contains(path) && file.claim.as_ref().is_some_and(names))
            .map(|(path, _)| path.clone())
            .collect();
        for path in who {
            self.claim_anew(&path);
        }
    }

    fn claim(
        &mut self,
        path: &Utf8Path,
        format: FormatName,
        said: &Said,
    ) -> Result<Option<Claim>, String> {
        let own = format;
        let absolute = self.parts.tree.absolute(path);
        let folder = absolute.parent().unwrap_or(&absolute).to_owned();
        let pair = self.parts.config.pairs.iter().find(|pair| pair.contains(&absolute));
        if let Some(pair) = pair {
            let format = |path: &Utf8PathBuf| {
                let name = path.file_name().unwrap_or_default();
                let text = if name.ends_with(".marimo.py") {
                    "py:marimo"
                } else {
                    path.extension().unwrap_or("py")
                };
                read_formats(text, None).unwrap_or_default().pop()
            };
            let formats: Vec<PairedFormat> = pair.iter().filter_map(format).collect();
            return Ok(Some(self.members(path, own, Claimant::Settings, pair, &formats, None)));
        }
        if !self.parts.config.jupytext {
            return Ok(None);
        }
        let config = self.jupytext.of_folder(&folder);
        let auto = said.auto.as_deref();
        let by = match format {
            FormatName::Ipynb => Claimant::Ipynb,
            _ => Claimant::Script,
        };
        let alone = |by, notes| Claim {
            by,
            members: vec![(path.to_owned(), format)],
            left_out: Vec::new(),
            notes,
        };
        if let Some(formats) = &said.formats {
            let config = config.ok().flatten();
            let top = config.as_deref().map(Jupytext::folder);
            let paths =
                read_formats(formats, auto).map_err(|err| err.to_string()).and_then(|formats| {
                    // A single format means that a configuration doesn't count.
                    let paths = match formats.as_slice() {
                        [] | [_] => vec![absolute.clone()],
                        _ => paired_paths(&absolute, format, &formats, top)
                            .map_err(|err| err.to_string())?,
                    };
                    Ok((paths, formats))
                });
            return Ok(Some(match paths {
                Ok((paths, formats)) => {
                    self.members(path, format, by, &paths, &formats, config.as_deref())
                }
                Err(reason) => alone(
                    by,
                    vec![format!(
                        "its `jupytext.formats` (`{formats}`) are not followed: {reason}"
                    )],
                ),
            }));
        }
        let Some(config) = config? else { return Ok(None) };
        if config.is_program {
            let note = format!(
                "nbsync does not run `{}`; what it says about pairs has to be in a `jupytext.toml`",
                config.path
            );
            return Ok(Some(alone(Claimant::Jupytext, vec![note])));
        }
        let top = Some(config.folder());
        for group in &config.groups {
            let formats = read_formats(group, auto).map_err(|err| {
                format!("cannot use jupytext's configuration `{}`: {err}", config.path)
            })?;
            if let Ok(paths) = paired_paths(&absolute, format, &formats, top) {
                let by = Claimant::Jupytext;
                return Ok(Some(self.members(path, format, by, &paths, &formats, Some(&config))));
            }
        }
        Ok(None)
    }

    /// Sorts out which of the files that are said to be one notebook can be kept in sync.
    fn members(
        &self,
        own: &Utf8Path,
        own_format: FormatName,
        by: Claimant,
        paths: &[Utf8PathBuf],
        formats: &[PairedFormat],
        config: Option<&Jupytext>,
    ) -> Claim {
        let mut claim = Claim { by, members: Vec::new(), left_out: Vec::new(), notes: Vec::new() };
        for (absolute, format) in paths.iter().zip(formats) {
            let Some(path) = self.parts.tree.relative(absolute).map(Utf8Path::to_owned) else {
                claim.notes.push(format!(
                    "the paired file `{absolute}` is left alone: it is outside of the watched folder"
                ));
                continue;
            };
            match self.member(own, own_format, &path, format, config) {
                Ok(format) => claim.members.push((path, format)),
                Err(reason) => {
                    claim.notes.push(format!("the paired file `{path}` is left alone: {reason}"));
                    claim.left_out.push(path);
                }
            }
        }
        // What teams keep in git is the text, unless somebody has said what is the source.
        let source = claim.members.iter().position(|(_, format)| *format != FormatName::Ipynb);
        if let Some(source) = source.filter(|_| by != Claimant::Settings) {
            claim.members[..=source].rotate_right(1);
        }
        claim
    }

    /// Returns the format in which a paired file can be kept in sync, or why it can't.
    fn member(
        &self,
        own: &Utf8Path,
        own_format: FormatName,
        path: &Utf8Path,
        format: &PairedFormat,
        config: Option<&Jupytext>,
    ) -> Result<FormatName, String> {
        if path == own {
            return Ok(own_format);
        }
        if let Some(reason) = self.parts.tree.refuses_member(path) {
            return Err(reason.to_owned());
        }
        let expected = match format.support() {
            Support::Known(format) => Some(format),
            Support::ByContent => None,
            Support::Unknown(name) => {
                return Err(format!("nbsync does not know the format `{name}` yet"));
            }
        };
        let absolute = self.parts.tree.absolute(path);
        let is_there = !matches!(self.parts.disk.stamp(&absolute), Ok(None));
        let actual = match self.files.get(path) {
            Some(file) => Some(file.format),
            None if is_there => {
                detect_one(self.parts.disk.as_ref(), &absolute, self.parts.config.max_size, false)
                    .ok()
                    .flatten()
                    .map(|(format, _)| format)
            }
            None => {
                let preferred = config.map_or("", |config| &config.preferred);
                return expected.or_else(|| format.preferred(preferred)).ok_or_else(|| {
                    "the configuration of jupytext prefers a format that nbsync does not know yet"
                        .to_owned()
                });
            }
        };
        let is_script = |it| matches!(it, FormatName::Percent | FormatName::Hydrogen);
        match (expected, actual) {
            (_, None) => Err("it is there, and is no notebook in that format".to_owned()),
            (None, Some(actual)) => Ok(actual),
            (Some(expected), Some(actual)) if expected == actual => Ok(expected),
            // Which of the two it is can't be told from its cells.
            (Some(expected), Some(actual)) if is_script(expected) && is_script(actual) => {
                Ok(expected)
            }
            (Some(expected), Some(actual)) => {
                Err(format!("it is a {actual} notebook, and should be {expected}"))
            }
        }
    }
}

/// The configurations that make no difference to how a file is paired.
pub(super) fn mentions_auto(config: Option<&Arc<Jupytext>>) -> bool {
    config.is_some_and(|config| config.groups.iter().any(|it| it.contains("auto")))
}
