//! From one file of a pair of jupytext to the others (`jupytext: paired_paths`).

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::FormatName;

use super::jupytext::PairedFormat;

/// What the paths of all files of a pair have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Base {
    /// The folders above the place where the formats put their roots.
    above: Vec<String>,
    /// The folders below it; `None` if the format has no root.
    below: Option<Vec<String>>,
    /// The name without what the format adds.
    name: String,
}

/// Why a file is in no pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// None of the formats describes it.
    #[error("none of the formats is that of the file itself")]
    NotListed,
    /// Some formats say where the tree of their files is, and others don't.
    #[error("some of the formats have a root (`scripts///py`) and others have none")]
    Roots,
    /// A file would have to be two.
    #[error("two of the formats stand for the same file")]
    Twice,
}

/// Returns the paths of all files of a pair, in the order of the formats.
///
/// `path` is one of them, absolute, and in `format`. Roots are looked for below
/// `top`, the folder of the configuration, if the file is below it.
pub fn paired_paths(
    path: &Utf8Path,
    format: FormatName,
    formats: &[PairedFormat],
    top: Option<&Utf8Path>,
) -> Result<Vec<Utf8PathBuf>, PairError> {
    let mut error = PairError::NotListed;
    for own in formats.iter().filter(|it| it.fits(super::extension(path), format)) {
        let Some(base) = base(path, own, top) else { continue };
        let paths: Option<Vec<_>> = formats.iter().map(|it| full_path(&base, it)).collect();
        let Some(paths) = paths else {
            error = PairError::Roots;
            continue;
        };
        if !paths.iter().any(|it| it == path) {
            continue;
        }
        let mut sorted: Vec<_> = paths.iter().collect();
        sorted.sort();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(PairError::Twice);
        }
        return Ok(paths);
    }
    Err(error)
}

fn folders(path: &Utf8Path) -> Vec<String> {
    path.iter().filter(|name| *name != "/").map(str::to_owned).collect()
}

fn base(path: &Utf8Path, format: &PairedFormat, top: Option<&Utf8Path>) -> Option<Base> {
    let name = path.file_name()?.strip_suffix(&format.extension)?;
    let name = name.strip_suffix(&format.suffix)?.strip_prefix(&format.prefix)?;
    let folder = path.parent()?;
    let top = top.filter(|top| folder.starts_with(top));
    let mut above = top.map(folders).unwrap_or_default();
    let mut inner = folders(folder).split_off(above.len());

    // From the file's own folder upwards. jupytext can't know the name of the folder that
    // `..` has left, and takes the one that it just came from.
    let mut left = Vec::new();
    for expected in format.folders.iter().rev() {
        if expected == ".." {
            inner.push(left.pop()?);
        } else {
            let actual = inner.pop()?;
            if actual != *expected {
                return None;
            }
            left.push(actual);
        }
    }
    let mut below = None;
    if !format.root.is_empty() {
        let n = format.root.len();
        let at = inner.windows(n).rposition(|it| it == format.root)?;
        below = Some(inner.split_off(at + n));
        inner.truncate(at);
    }
    above.extend(inner);
    Some(Base { above, below, name: name.to_owned() })
}

/// Returns the path of the file in one format, `None` if the format has a root and
/// that of the base had none, or the other way round.
fn full_path(base: &Base, format: &PairedFormat) -> Option<Utf8PathBuf> {
    let mut folders = base.above.clone();
    match &base.below {
        Some(below) if !format.root.is_empty() => {
            folders.extend(format.root.iter().cloned());
            folders.extend(below.iter().cloned());
        }
        None if format.root.is_empty() => {}
        _ => return None,
    }
    for name in &format.folders {
        if name == ".." {
            folders.pop();
        } else {
            folders.push(name.clone());
        }
    }
    let mut path = Utf8PathBuf::from("/");
    path.extend(folders);
    path.push(format!("{}{}{}{}", format.prefix, base.name, format.suffix, format.extension));
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::super::jupytext::read_formats;
    use super::*;

    #[track_caller]
    fn check(path: &str, formats: &str, expected: &str) {
        let formats = read_formats(formats, None).unwrap();
        let name = match super::super::extension(path.into()) {
            ".ipynb" => FormatName::Ipynb,
            _ => FormatName::Percent,
        };
        let res = paired_paths(path.into(), name, &formats, Some("/p".into()));
        let res = match res {
            Ok(paths) => paths.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(" "),
            Err(err) => format!("{err:?}"),
        };
        assert_eq!(res, expected, "{path}");
    }

    // The expected paths are those that `jupytext.paired_paths.paired_paths` gives.
    #[test]
    fn paths_are_those_of_jupytext() {
        let cases = [
            ("/p/a.ipynb", "ipynb,py:percent", "/p/a.ipynb /p/a.py"),
            ("/p/a.py", "ipynb,py:percent", "/p/a.ipynb /p/a.py"),
            ("/p/a.pct.py", "ipynb,.pct.py:percent", "/p/a.ipynb /p/a.pct.py"),
            ("/p/a.ipynb", "ipynb,scripts//py:percent", "/p/a.ipynb /p/scripts/a.py"),
            ("/p/x/scripts/a.py", "ipynb,scripts//py:percent", "/p/x/a.ipynb /p/x/scripts/a.py"),
            ("/p/a.ipynb", "ipynb,scripts/s_/py:percent", "/p/a.ipynb /p/scripts/s_a.py"),
            (
                "/p/nb/x/y/a.ipynb",
                "nb///ipynb,scripts///py:percent",
                "/p/nb/x/y/a.ipynb /p/scripts/x/y/a.py",
            ),
            ("/p/scripts/a.py", "nb///ipynb,scripts///py:percent", "/p/nb/a.ipynb /p/scripts/a.py"),
            (
                "/p/nb/nb/a.ipynb",
                "nb///ipynb,scripts///py:percent",
                "/p/nb/nb/a.ipynb /p/nb/scripts/a.py",
            ),
            ("/p/x/a.ipynb", "ipynb,../s//py:percent", "/p/x/a.ipynb /p/s/a.py"),
            ("/p/nb/a.ipynb", "nb//ipynb,s//py:percent", "/p/nb/a.ipynb /p/s/a.py"),
        ];
        for (path, formats, expected) in cases {
            check(path, formats, expected);
        }
    }

    #[test]
    fn what_fits_nothing_is_an_error() {
        check("/p/x/a.ipynb", "nb///ipynb,scripts///py", "NotListed");
        check("/p/nb/a.ipynb", "nb///ipynb,py", "Roots");
        check("/p/a.ipynb", "ipynb,ipynb", "Twice");
        check("/p/a.py", "ipynb,.pct.py:percent", "NotListed");
        check("/a.ipynb", "nb///ipynb,py", "NotListed");
    }

    #[test]
    fn a_root_above_the_configuration_does_not_count() {
        check("/p/a.ipynb", "p///ipynb,s///py", "NotListed");
    }
}
