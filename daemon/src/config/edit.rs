//! Changes what is paired, in the configuration.
//!
//! All that the user has written stays, with its comments. A configuration that would not be
//! understood afterwards is not changed.

use camino::{Utf8Path, Utf8PathBuf};
use toml_edit::{Array, DocumentMut, Item, Table, Value};

use super::error::{ConfigError, ConfigProblem};
use super::find::{Found, Place, nearest};
use super::read;

/// A configuration to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The file. It may not be there yet.
    pub path: Utf8PathBuf,
    /// Its new text.
    pub text: String,
}

/// Why the configuration is not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// It can't be used as it is, or would not be as it should become.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It says so already, or the other thing.
    #[error("`{path}` is in a pair already")]
    Paired {
        /// The file.
        path: Utf8PathBuf,
    },
    /// There is nothing to take out.
    #[error("`{path}` is in no pair of the configuration")]
    NotPaired {
        /// The file.
        path: Utf8PathBuf,
    },
    /// A path in it can't be relative to its folder.
    #[error("`{path}` is not below `{folder}`, the folder of the configuration")]
    Outside {
        /// The file.
        path: Utf8PathBuf,
        /// The folder.
        folder: Utf8PathBuf,
    },
}

/// Makes files one notebook, the source first. Paths are absolute.
pub fn pair(root: &Utf8Path, paths: &[Utf8PathBuf]) -> Result<Edited, EditError> {
    let mut document = Document::open(root)?;
    let names = paths.iter().map(|path| document.name(path)).collect::<Result<Vec<_>, _>>()?;
    let pairs = document.list("pairs")?;
    for (path, name) in paths.iter().zip(&names) {
        if pairs.iter().any(|pair| contains(pair, name)) {
            return Err(EditError::Paired { path: path.clone() });
        }
    }
    pairs.push(names.into_iter().collect::<Array>());
    document.finish()
}

/// Makes a file a notebook by itself again.
pub fn unpair(root: &Utf8Path, path: &Utf8Path) -> Result<Edited, EditError> {
    let mut document = Document::open(root)?;
    let name = document.name(path)?;
    let pairs = document.list("pairs")?;
    let n_pairs = pairs.len();
    pairs.retain(|pair| !contains(pair, &name));
    if pairs.len() == n_pairs {
        return Err(EditError::NotPaired { path: path.to_owned() });
    }
    document.finish()
}

/// Leaves files and folders alone.
pub fn ignore(root: &Utf8Path, paths: &[Utf8PathBuf]) -> Result<Edited, EditError> {
    let mut document = Document::open(root)?;
    let names = paths.iter().map(|path| document.name(path)).collect::<Result<Vec<_>, _>>()?;
    let patterns = document.list("exclude")?;
    for name in names {
        let pattern = format!("/{}", escaped(&name));
        if !patterns.iter().any(|it| it.as_str() == Some(&pattern)) {
            patterns.push(pattern);
        }
    }
    document.finish()
}

fn contains(pair: &Value, name: &str) -> bool {
    pair.as_array().is_some_and(|pair| pair.iter().any(|it| it.as_str() == Some(name)))
}

/// Takes the meaning off characters that have one in a pattern.
fn escaped(name: &str) -> String {
    let mut res = String::new();
    for char in name.chars() {
        if matches!(char, '*' | '?' | '[' | ']' | '\\' | '!' | '#' | ' ') {
            res.push('\\');
        }
        res.push(char);
    }
    res
}

/// A configuration that is being changed.
struct Document {
    found: Found,
    toml: DocumentMut,
}

impl Document {
    /// Reads the configuration of a root, or makes one for it.
    fn open(root: &Utf8Path) -> Result<Self, EditError> {
        let found = nearest(root)?.unwrap_or_else(|| Found {
            path: root.join("nbsync.toml"),
            text: String::new(),
            place: Place::Top,
            base: root.to_owned(),
        });
        // A mistake has its line then.
        read::settings(&found)?;
        let toml = found.text.parse::<DocumentMut>().map_err(|err| ConfigError::Invalid {
            path: found.path.clone(),
            line: 1,
            source: ConfigProblem::Syntax(err.to_string()),
        })?;
        Ok(Self { found, toml })
    }

    /// Returns a path relative to the folder of the configuration.
    fn name(&self, path: &Utf8Path) -> Result<String, EditError> {
        let folder = &self.found.base;
        match path.strip_prefix(folder) {
            Ok(name) if !name.as_str().is_empty() => Ok(name.to_string()),
            _ => Err(EditError::Outside { path: path.to_owned(), folder: folder.clone() }),
        }
    }

    fn list(&mut self, key: &'static str) -> Result<&mut Array, EditError> {
        let wrong = ConfigError::Invalid {
            path: self.found.path.clone(),
            line: 1,
            source: ConfigProblem::WrongValue { key, expected: "a list" },
        };
        let table: Option<&mut Table> = match self.found.place {
            Place::Top => Some(self.toml.as_table_mut()),
            Place::Tool => self.toml["tool"]["nbsync"].as_table_mut(),
        };
        let item = table.map(|table| {
            table.entry(key).or_insert_with(|| Item::Value(Value::Array(Array::new())))
        });
        item.and_then(Item::as_array_mut).ok_or(EditError::Config(wrong))
    }

    fn finish(mut self) -> Result<Edited, EditError> {
        let has_no_keys = |it: DocumentMut| it.as_table().is_empty();
        let mut text = String::new();
        if self.found.text.parse::<DocumentMut>().is_ok_and(has_no_keys) {
            // Comments alone belong to nothing, and would go behind what is new.
            self.toml.set_trailing("");
            text.push_str(&self.found.text);
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
        }
        text.push_str(&self.toml.to_string());
        let found = Found { text, ..self.found };
        read::settings(&found)?;
        Ok(Edited { path: found.path, text: found.text })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn root(name: &str, text: &str) -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().to_owned();
        fs::write(root.join(name), text).unwrap();
        (folder, root)
    }

    #[test]
    fn pairs_come_and_go_and_comments_stay() {
        let (_folder, root) = root("nbsync.toml", "# mine\nlayout = \"sibling\"  # too\n");
        let paths = [root.join("a.py"), root.join("nb/a.ipynb")];
        let edited = pair(&root, &paths).unwrap();
        assert_eq!(
            edited.text,
            "# mine\nlayout = \"sibling\"  # too\npairs = [[\"a.py\", \"nb/a.ipynb\"]]\n"
        );
        fs::write(&edited.path, &edited.text).unwrap();
        assert!(matches!(pair(&root, &paths), Err(EditError::Paired { .. })));
        let other = [root.join("b.py"), root.join("b.ipynb")];
        let edited = pair(&root, &other).unwrap();
        fs::write(&edited.path, &edited.text).unwrap();
        let edited = unpair(&root, &paths[1]).unwrap();
        assert!(edited.text.starts_with("# mine\nlayout = \"sibling\"  # too\n"));
        assert!(edited.text.contains("b.ipynb") && !edited.text.contains("a.ipynb"));
        let nobody = root.join("c.py");
        assert!(matches!(unpair(&root, &nobody), Err(EditError::NotPaired { .. })));
    }

    #[test]
    fn what_is_ignored_is_a_pattern() {
        let text = "[project]\nname = \"x\"\n\n[tool.nbsync]\nexclude = [\"old/\"]\n";
        let (_folder, root) = root("pyproject.toml", text);
        let edited = ignore(&root, &[root.join("a [1].ipynb")]).unwrap();
        assert!(edited.text.starts_with("[project]\nname = \"x\"\n"));
        fs::write(&edited.path, &edited.text).unwrap();
        let dirs = crate::dirs::Dirs::below(&root.join("home"));
        let config = crate::config::Config::load(&root, &dirs).unwrap();
        assert!(config.exclude.matches(&root.join("a [1].ipynb"), false));
        assert!(!config.exclude.matches(&root.join("a 1.ipynb"), false));
        assert!(config.exclude.matches(&root.join("old"), true));
        // A second time changes nothing.
        assert_eq!(ignore(&root, &[root.join("a [1].ipynb")]).unwrap().text, edited.text);
    }

    #[test]
    fn a_root_without_configuration_gets_one() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let edited = ignore(root, &[root.join("x")]).unwrap();
        assert_eq!(edited.path, root.join("nbsync.toml"));
        assert_eq!(edited.text, "exclude = [\"/x\"]\n");
        fs::write(&edited.path, "# mine").unwrap();
        let edited = ignore(root, &[root.join("x")]).unwrap();
        assert_eq!(edited.text, "# mine\nexclude = [\"/x\"]\n");
        assert!(matches!(ignore(root, &["/y".into()]), Err(EditError::Outside { .. })));
    }
}
