//! What git ignores.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder, Glob};

/// The rules of one `.gitignore`, on top of those of the folders above.
#[derive(Debug)]
pub(super) struct Layer {
    above: Option<Arc<Layer>>,
    /// The folder that the patterns are relative to, absolute.
    folder: Utf8PathBuf,
    matcher: Gitignore,
}

impl Layer {
    /// Reads a file of patterns and puts it on top of `above`.
    ///
    /// A file that can't be read or understood ignores nothing, as in git; a
    /// pattern that can't be is left out.
    fn read(folder: &Utf8Path, file: &Utf8Path, above: Option<Arc<Self>>) -> Option<Arc<Self>> {
        // Reading a pipe might never end.
        if !file.is_file() {
            return above;
        }
        let mut builder = GitignoreBuilder::new("");
        if let Some(error) = builder.add(file) {
            tracing::warn!(%file, %error, "cannot use all that git ignores");
        }
        let matcher = match builder.build() {
            Ok(matcher) => matcher,
            Err(error) => {
                tracing::warn!(%file, %error, "cannot use what git ignores");
                return above;
            }
        };
        if matcher.is_empty() {
            return above;
        }
        Some(Arc::new(Self { above, folder: folder.to_owned(), matcher }))
    }

    /// Whether a path is ignored, given that the folder that it is in is not.
    /// Absolute. The deepest file that says anything decides.
    pub(super) fn ignores(rules: Option<&Arc<Self>>, path: &Utf8Path, is_folder: bool) -> bool {
        Self::decide(rules, path, is_folder).is_some()
    }

    /// The same with the pattern that decides, and the file that it stands in.
    pub(super) fn rule(
        rules: Option<&Arc<Self>>,
        path: &Utf8Path,
        is_folder: bool,
    ) -> Option<(String, Utf8PathBuf)> {
        let (layer, glob) = Self::decide(rules, path, is_folder)?;
        let file = glob.from().and_then(Utf8Path::from_path);
        let file = file.map_or_else(|| layer.folder.join(".gitignore"), Utf8Path::to_owned);
        Some((glob.original().to_owned(), file))
    }

    fn decide<'a>(
        rules: Option<&'a Arc<Self>>,
        path: &Utf8Path,
        is_folder: bool,
    ) -> Option<(&'a Self, &'a Glob)> {
        let mut next = rules;
        while let Some(layer) = next {
            if let Ok(path) = path.strip_prefix(&layer.folder) {
                match layer.matcher.matched(path, is_folder) {
                    Match::None => (),
                    Match::Ignore(glob) => return Some((layer, glob)),
                    Match::Whitelist(_) => return None,
                }
            }
            next = layer.above.as_ref();
        }
        None
    }
}

/// Reads the `.gitignore` of a folder, given by its absolute path.
pub(super) fn of_folder(folder: &Utf8Path, above: Option<Arc<Layer>>) -> Option<Arc<Layer>> {
    Layer::read(folder, &folder.join(".gitignore"), above)
}

/// Returns the rules that hold for a root from outside of it: the user's own, and
/// those of the repository that it is in, down to the folder above it.
///
/// Outside of a repository only the `.gitignore`s within the root count, so that
/// one in the home folder doesn't rule over everything. If these rules would
/// ignore the root itself, none of them count: the user has named it.
pub(super) fn above(root: &Utf8Path, excludes: Option<&Utf8Path>) -> Option<Arc<Layer>> {
    let repository = root.ancestors().find(|folder| folder.join(".git").exists());
    let top = repository.unwrap_or(root);
    let mut rules = None;
    if let Some(excludes) = excludes {
        rules = Layer::read(top, excludes, rules);
    }
    let Some(repository) = repository else { return rules };
    // Not of a linked worktree, whose folder is elsewhere.
    rules = Layer::read(repository, &repository.join(".git/info/exclude"), rules);
    let mut between: Vec<_> =
        root.ancestors().skip(1).take_while(|it| it.starts_with(repository)).collect();
    between.reverse();
    for (idx, folder) in between.iter().enumerate() {
        rules = of_folder(folder, rules);
        let below = between.get(idx + 1).copied().unwrap_or(root);
        if Layer::ignores(rules.as_ref(), below, true) {
            return None;
        }
    }
    rules
}
