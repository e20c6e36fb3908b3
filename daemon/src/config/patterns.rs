//! Patterns of files, in the language of `.gitignore`.

use camino::{Utf8Path, Utf8PathBuf};
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Patterns of files and folders, in the language of `.gitignore`, which users
/// of nbsync know anyway: `drafts/`, `*.scratch.py`, `/top/**`, `!keep.ipynb`.
#[derive(Debug, Clone)]
pub struct Patterns {
    texts: Vec<String>,
    /// The folder that the patterns are relative to.
    base: Utf8PathBuf,
    matcher: Gitignore,
}

/// A pattern that can't be understood, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadPattern {
    pub(super) index: usize,
    pub(super) reason: String,
}

impl Patterns {
    /// Makes a matcher of patterns. Of several that match, the last one counts.
    pub(super) fn new(base: &Utf8Path, texts: Vec<String>) -> Result<Self, BadPattern> {
        // Paths are given to the matcher relative to the base.
        let mut builder = GitignoreBuilder::new("");
        builder.allow_unclosed_class(false);
        for (index, text) in texts.iter().enumerate() {
            if let Err(error) = builder.add_line(None, text) {
                return Err(BadPattern { index, reason: reason(&error) });
            }
        }
        let matcher = builder.build().map_err(|error| BadPattern {
            index: texts.len().saturating_sub(1),
            reason: reason(&error),
        })?;
        Ok(Self { texts, base: base.to_owned(), matcher })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The patterns as the user wrote them.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Whether a path matches. Absolute, and not outside of the folder of the
    /// configuration.
    pub fn matches(&self, path: &Utf8Path, is_folder: bool) -> bool {
        self.relative(path).is_some_and(|path| self.matcher.matched(path, is_folder).is_ignore())
    }

    /// Whether a file matches, or a folder that it is in.
    pub fn matches_file_or_parent(&self, path: &Utf8Path) -> bool {
        self.relative(path)
            .is_some_and(|path| self.matcher.matched_path_or_any_parents(path, false).is_ignore())
    }

    fn relative<'a>(&self, path: &'a Utf8Path) -> Option<&'a Utf8Path> {
        if self.texts.is_empty() { None } else { path.strip_prefix(&self.base).ok() }
    }
}

impl Default for Patterns {
    fn default() -> Self {
        Self { texts: Vec::new(), base: Utf8PathBuf::new(), matcher: Gitignore::empty() }
    }
}

/// The matcher follows from the rest.
impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts && self.base == other.base
    }
}

impl Eq for Patterns {}

/// What is wrong, without the pattern, which the caller names.
fn reason(error: &ignore::Error) -> String {
    match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        other => other.to_string(),
    }
}
