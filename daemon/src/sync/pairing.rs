//! Which files hold one notebook.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::{Carry, FormatName, Notebook};

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
    pub fn source(path: Utf8PathBuf, format: FormatName) -> Self {
        let extension = extension(&path).to_owned();
        let dialect = Dialect { format, extension, carry: Carry::All };
        Self { path, dialect, role: Role::Source }
    }
}

/// Returns the replicas that a notebook should have: its source, and a shadow in
/// every other format that can hold its language.
///
/// With `beside`, shadows stand beside the source, else in the workdir.
pub fn replicas(
    source: &ReplicaSpec,
    notebook: &Notebook,
    formats: &[FormatName],
    beside: bool,
) -> Vec<ReplicaSpec> {
    let folder = source.path.parent().unwrap_or(Utf8Path::new(""));
    let folder = if beside { folder.to_owned() } else { folder.join(WORKDIR) };
    let stem = stem(&source.path);
    let mut res = vec![source.clone()];
    for &format in formats {
        if format == source.dialect.format {
            continue;
        }
        let Some(extension) = nbsync_formats::format(format).extension(notebook) else { continue };
        let name = match infix(format) {
            Some(infix) => format!("{stem}.{infix}{extension}"),
            None => format!("{stem}{extension}"),
        };
        let path = folder.join(name);
        if path == source.path {
            continue;
        }
        let extension = extension.to_owned();
        let dialect = Dialect { format, extension, carry: Carry::Shown };
        res.push(ReplicaSpec { path, dialect, role: Role::Shadow });
    }
    res
}

/// Notebooks of one folder whose shadows would be the same files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The notebooks, by name.
    pub members: Vec<(Utf8PathBuf, FormatName)>,
}

impl Group {
    /// Says why nothing is paired, if there are several members.
    pub fn problem(&self) -> Option<String> {
        let [_, _, ..] = self.members.as_slice() else { return None };
        let names: Vec<String> = self
            .members
            .iter()
            .map(|(path, _)| format!("`{}`", path.file_name().unwrap_or_default()))
            .collect();
        Some(format!(
            "{} have the same name, so their shadows would be the same files; rename one, or `exclude` it in the configuration",
            names.join(" and ")
        ))
    }
}

/// Groups notebooks by folder and stem.
pub fn group(notebooks: Vec<(Utf8PathBuf, FormatName)>) -> Vec<Group> {
    let mut groups: BTreeMap<(Utf8PathBuf, String), Group> = BTreeMap::new();
    for (path, format) in notebooks {
        let folder = path.parent().unwrap_or(Utf8Path::new("")).to_owned();
        let group = groups
            .entry((folder, stem(&path).to_owned()))
            .or_insert_with(|| Group { members: Vec::new() });
        group.members.push((path, format));
    }
    groups.into_values().collect()
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

    #[test]
    fn same_stem_in_one_folder_is_a_problem() {
        let path = Utf8PathBuf::from;
        let groups = group(vec![
            (path("x/a.ipynb"), FormatName::Ipynb),
            (path("x/a.py"), FormatName::Marimo),
            (path("y/a.py"), FormatName::Marimo),
        ]);
        let problems: Vec<bool> = groups.iter().map(|it| it.problem().is_some()).collect();
        assert_eq!(problems, [true, false]);
    }
}
