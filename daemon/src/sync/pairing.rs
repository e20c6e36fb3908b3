//! Which files hold one notebook.

mod group;
pub mod jupytext;
pub mod paths;

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::{Carry, FormatName, Notebook};

pub use group::{Claim, Claimant, Found, Group, group};

use super::base::Dialect;
use crate::report::Role;

/// The folder for shadows, below that of the notebook.
///
/// Not `__marimo__` itself: marimo writes its own exports there.
pub const WORKDIR: &str = "__marimo__/nbsync";

/// One file of a pairing, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaSpec {
    /// Where it is, relative to the root.
    pub path: Utf8PathBuf,
    /// How it is written.
    pub dialect: Dialect,
    /// Whose file it is.
    pub role: Role,
}

impl ReplicaSpec {
    /// Describes a file that its user owns.
    pub fn owned(path: Utf8PathBuf, format: FormatName, role: Role) -> Self {
        let extension = extension(&path).to_owned();
        let dialect = Dialect { format, extension, carry: Carry::All, options: Arc::default() };
        Self { path, dialect, role }
    }

    /// Whether it is a file of the user, which is never removed or moved.
    pub fn is_owned(&self) -> bool {
        self.role != Role::Shadow
    }
}

/// Returns the replicas that a notebook should have: the files of the user, the
/// source first, and a shadow in every other format that can hold its language.
///
/// With `beside`, shadows stand beside the source, else in the workdir.
pub fn replicas(
    owned: &[ReplicaSpec],
    notebook: &Notebook,
    formats: &[FormatName],
    beside: bool,
) -> Vec<ReplicaSpec> {
    let mut res = owned.to_vec();
    let Some(source) = owned.first() else { return res };
    for &format in formats {
        if owned.iter().any(|it| it.dialect.format == format) {
            continue;
        }
        let Some(extension) = nbsync_formats::format(format).extension(notebook) else { continue };
        let path = shadow(&source.path, format, extension, beside);
        if owned.iter().any(|it| it.path == path) {
            continue;
        }
        let extension = extension.to_owned();
        // The folder of a shadow is below that of its source.
        let options = Arc::clone(&source.dialect.options);
        let dialect = Dialect { format, extension, carry: Carry::Shown, options };
        res.push(ReplicaSpec { path, dialect, role: Role::Shadow });
    }
    res
}

/// Returns where the shadow of a source is.
pub fn shadow(source: &Utf8Path, format: FormatName, extension: &str, beside: bool) -> Utf8PathBuf {
    let folder = source.parent().unwrap_or(Utf8Path::new(""));
    let folder = if beside { folder.to_owned() } else { folder.join(WORKDIR) };
    let stem = stem(source);
    folder.join(match infix(format) {
        Some(infix) => format!("{stem}.{infix}{extension}"),
        None => format!("{stem}{extension}"),
    })
}

/// Returns the name that a notebook and its shadows share: the file's name
/// without the extension and without the format's own part.
pub fn stem(path: &Utf8Path) -> &str {
    let name = path.file_name().unwrap_or_default();
    let stem = name.strip_suffix(extension(path)).unwrap_or(name);
    FormatName::ALL
        .into_iter()
        .filter_map(infix)
        .find_map(|infix| stem.strip_suffix(infix)?.strip_suffix('.'))
        .filter(|stem| !stem.is_empty())
        .unwrap_or(stem)
}

/// Returns a file's extension with its dot.
pub fn extension(path: &Utf8Path) -> &str {
    let name = path.file_name().unwrap_or_default();
    name.rfind('.').map_or("", |dot| &name[dot..])
}

/// Returns what stands before the extension in a shadow's name. Only the format
/// whose extension nobody else has needs nothing.
fn infix(format: FormatName) -> Option<&'static str> {
    nbsync_formats::format(format).own_extension().is_none().then(|| format.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_formats_are_no_part_of_the_stem() {
        for (path, expected) in [
            ("a.ipynb", "a"),
            ("x/a.marimo.py", "a"),
            ("a.percent.jl", "a"),
            ("a.b.py", "a.b"),
            ("marimo.py", "marimo"),
            (".percent.py", ".percent"),
        ] {
            assert_eq!(stem(Utf8Path::new(path)), expected, "{path}");
        }
    }
}
