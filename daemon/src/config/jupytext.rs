//! The configuration of jupytext, as far as it says which files are paired and how they
//! are written (`jupytext: config`).
//!
//! For each folder the nearest file counts, from the folder upwards, and then the user's
//! and the system's. A configuration in Python is never run.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Map, Value};

use crate::dirs::Dirs;

/// Names of the files, in the order in which jupytext looks for them in a folder.
const NAMES: [&str; 11] = [
    "jupytext",
    "jupytext.toml",
    "jupytext.yml",
    "jupytext.yaml",
    "jupytext.json",
    ".jupytext",
    ".jupytext.toml",
    ".jupytext.yml",
    ".jupytext.yaml",
    ".jupytext.json",
    ".jupytext.py",
];

/// What jupytext 1.19.6 knows; with anything else in a file it refuses to work.
const OPTIONS: [&str; 22] = [
    "cell_markers",
    "cell_metadata_filter",
    "cm_config_log_level",
    "comment_magics",
    "custom_cell_magics",
    "custom_language_magics",
    "default_cell_markers",
    "default_cell_metadata_filter",
    "default_jupytext_formats",
    "default_notebook_metadata_filter",
    "doxygen_equation_markers",
    "formats",
    "hide_notebook_metadata",
    "notebook_extensions",
    "notebook_metadata_filter",
    "outdated_text_notebook_margin",
    "preferred_jupytext_formats_read",
    "preferred_jupytext_formats_save",
    "root_level_metadata_as_raw_cell",
    "root_level_metadata_filter",
    "sphinx_convert_rst2md",
    "split_at_heading",
];

/// Options that decide how a script is written, and the old names of some. jupytext notes
/// them in the header of each script, also those that make no difference to it.
const TEXT_OPTIONS: [(&str, &str); 14] = [
    ("cell_markers", "cell_markers"),
    ("default_cell_markers", "cell_markers"),
    ("cell_metadata_filter", "cell_metadata_filter"),
    ("default_cell_metadata_filter", "cell_metadata_filter"),
    ("notebook_metadata_filter", "notebook_metadata_filter"),
    ("default_notebook_metadata_filter", "notebook_metadata_filter"),
    ("comment_magics", "comment_magics"),
    ("custom_cell_magics", "custom_cell_magics"),
    ("custom_language_magics", "custom_language_magics"),
    ("doxygen_equation_markers", "doxygen_equation_markers"),
    ("hide_notebook_metadata", "hide_notebook_metadata"),
    ("root_level_metadata_as_raw_cell", "root_level_metadata_as_raw_cell"),
    ("root_level_metadata_filter", "root_level_metadata_filter"),
    ("split_at_heading", "split_at_heading"),
];

/// Options of which one value is as good as none.
const DEFAULTS: [(&str, bool); 3] = [
    ("doxygen_equation_markers", false),
    ("root_level_metadata_as_raw_cell", true),
    ("split_at_heading", false),
];

/// Larger files are no configurations.
const MAX_SIZE: u64 = 1 << 20;

/// What one configuration file of jupytext says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Jupytext {
    /// The file.
    pub path: Utf8PathBuf,
    /// Lists of formats; the first that fits a path counts.
    pub groups: Vec<String>,
    /// Formats for extensions that a list gives without a format.
    pub preferred: String,
    /// How scripts are written, as it would stand below `jupytext` in metadata.
    pub options: Arc<Map<String, Value>>,
    /// Whether it is a program, of which nothing is known.
    pub is_program: bool,
}

impl Jupytext {
    /// The folder that the file is in.
    pub fn folder(&self) -> &Utf8Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

/// Whether a file of this name may be a configuration of jupytext.
pub fn is_jupytext_config(name: &str) -> bool {
    NAMES.contains(&name) || name == "pyproject.toml"
}

/// What holds in a folder, or what is wrong with the file that would say.
pub type Found = Result<Option<Arc<Jupytext>>, String>;

/// The configurations that were read.
#[derive(Debug, Default)]
pub struct JupytextConfigs {
    /// Whether files are looked for at all.
    is_on: bool,
    /// Where to look after the folders above a notebook.
    elsewhere: Vec<Utf8PathBuf>,
    /// Folders above which jupytext doesn't look.
    ceilings: Vec<Utf8PathBuf>,
    /// For each folder that was asked about.
    known: BTreeMap<Utf8PathBuf, Found>,
    /// The last that could be read of each file. A mistake while somebody edits it must not
    /// take all pairs apart.
    good: BTreeMap<Utf8PathBuf, Arc<Jupytext>>,
}

impl JupytextConfigs {
    /// Knows nothing yet.
    pub fn new(dirs: &Dirs) -> Self {
        Self {
            is_on: true,
            elsewhere: dirs.jupytext.clone(),
            ceilings: dirs.jupytext_ceilings.clone(),
            known: BTreeMap::new(),
            good: BTreeMap::new(),
        }
    }

    /// Finds nothing, for a tree without files of its own.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads everything anew when it is asked for.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    /// Returns what holds in a folder, given by its absolute path.
    pub fn of_folder(&mut self, folder: &Utf8Path) -> Found {
        if !self.is_on {
            return Ok(None);
        }
        // From the folder upwards, as far as nothing is known.
        let mut asked = Vec::new();
        let mut found = None;
        for folder in folder.ancestors() {
            if let Some(known) = self.known.get(folder) {
                found = Some(known.clone());
                break;
            }
            asked.push(folder.to_owned());
            if let Some(path) = find(folder) {
                found = Some(self.read(&path));
                break;
            }
            if self.ceilings.iter().any(|ceiling| ceiling == folder) {
                found = Some(Ok(None));
                break;
            }
        }
        let found = match found {
            Some(found) => found,
            None => match self.elsewhere.iter().find_map(|folder| find(folder)) {
                Some(path) => self.read(&path),
                None => Ok(None),
            },
        };
        for folder in asked {
            self.known.insert(folder, found.clone());
        }
        found
    }

    fn read(&mut self, path: &Utf8Path) -> Found {
        match read(path) {
            Ok(config) => {
                let config = Arc::new(config);
                self.good.insert(path.to_owned(), Arc::clone(&config));
                Ok(Some(config))
            }
            Err(reason) => {
                let reason = format!("cannot use jupytext's configuration `{path}`: {reason}");
                match self.good.get(path) {
                    Some(good) => {
                        tracing::error!("{reason}; what it said before holds");
                        Ok(Some(Arc::clone(good)))
                    }
                    None => Err(reason),
                }
            }
        }
    }
}

/// Returns the configuration file of a folder.
fn find(folder: &Utf8Path) -> Option<Utf8PathBuf> {
    let names = NAMES.iter().map(|name| folder.join(name));
    let own = { names }.find(|path| path.is_file());
    own.or_else(|| {
        let path = folder.join("pyproject.toml");
        // Most have none, and somebody else's mistake in one of them is not ours.
        let text = text(&path).ok().filter(|text| text.contains("jupytext"))?;
        let table: Value = toml::from_str(&text).ok()?;
        table.get("tool")?.get("jupytext").is_some().then_some(path)
    })
}

fn text(path: &Utf8Path) -> Result<String, String> {
    let metadata = fs::metadata(path).map_err(|err| err.to_string())?;
    if !metadata.is_file() || MAX_SIZE < metadata.len() {
        return Err("it is no file, or too large".to_owned());
    }
    fs::read_to_string(path).map_err(|err| err.to_string())
}

fn read(path: &Utf8Path) -> Result<Jupytext, String> {
    let mut res = Jupytext { path: path.to_owned(), ..Jupytext::default() };
    let text = match path.extension() {
        Some("py") => {
            res.is_program = true;
            return Ok(res);
        }
        _ => text(path)?,
    };
    let value: Value = match path.extension() {
        Some("yml" | "yaml") => nbsync_formats::load_yaml(&text)?,
        Some("json") => serde_json::from_str(&text).map_err(|err| err.to_string())?,
        _ => toml::from_str(&text).map_err(|err| err.message().to_owned())?,
    };
    let table = match path.file_name() {
        Some("pyproject.toml") => value.get("tool").and_then(|tool| tool.get("jupytext")),
        _ => Some(&value),
    };
    let options = match table {
        Some(Value::Object(options)) => options,
        Some(Value::Null) | None => return Ok(res),
        Some(_) => return Err("it is not a table of options".to_owned()),
    };
    if let Some(unknown) = options.keys().find(|key| !OPTIONS.contains(&key.as_str())) {
        return Err(format!("jupytext has no option `{unknown}`"));
    }
    let set = |key: &str| options.get(key).filter(|value| !is_empty(value));
    if let Some(formats) = set("formats").or_else(|| set("default_jupytext_formats")) {
        res.groups = groups(formats)?;
    }
    if let Some(Value::String(preferred)) = options.get("preferred_jupytext_formats_save") {
        res.preferred.clone_from(preferred);
    }
    let mut text_options = Map::new();
    for (key, name) in TEXT_OPTIONS {
        let is_default = |value: &Value| {
            DEFAULTS.iter().any(|&(it, default)| it == key && *value == Value::Bool(default))
        };
        if let Some(value) = set(key).filter(|value| !is_default(value)) {
            text_options.entry(name).or_insert_with(|| value.clone());
        }
    }
    res.options = Arc::new(text_options);
    Ok(res)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns the lists of formats: a text with `;` between them, a table of folders and
/// formats, or a list of those.
fn groups(value: &Value) -> Result<Vec<String>, String> {
    let wrong = || "`formats` must be a text, a table of texts, or a list of these".to_owned();
    match value {
        Value::String(text) => Ok(text.split(';').map(str::to_owned).collect()),
        Value::Object(table) => Ok(vec![group(table).ok_or_else(wrong)?]),
        Value::Array(items) => items
            .iter()
            .map(|item| match item {
                Value::String(text) => Ok(text.clone()),
                Value::Object(table) => group(table).ok_or_else(wrong),
                _ => Err(wrong()),
            })
            .collect(),
        _ => Err(wrong()),
    }
}

/// Returns the list of formats that a table of folders and formats stands for.
fn group(table: &Map<String, Value>) -> Option<String> {
    let entry = |(folder, format): (&String, &Value)| {
        let format = format.as_str()?;
        let folder = folder.strip_suffix('/').unwrap_or(folder);
        Some(if folder.is_empty() { format.to_owned() } else { format!("{folder}///{format}") })
    };
    Some(table.iter().map(entry).collect::<Option<Vec<_>>>()?.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Sandbox {
        _folder: tempfile::TempDir,
        root: Utf8PathBuf,
        configs: JupytextConfigs,
    }

    impl Sandbox {
        fn new(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = Utf8Path::from_path(folder.path()).unwrap().join("p");
            let mut dirs = Dirs::below(&root.join("home"));
            dirs.jupytext = vec![root.join("elsewhere")];
            dirs.jupytext_ceilings = vec![root.join("ceiling")];
            let sandbox = Self { _folder: folder, configs: JupytextConfigs::new(&dirs), root };
            for (path, text) in files {
                sandbox.save(path, text);
            }
            sandbox
        }

        fn save(&self, path: &str, text: &str) {
            let path = self.root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        /// The groups that hold in a folder, and the file that they are from.
        fn groups(&mut self, folder: &str) -> String {
            match self.configs.of_folder(&self.root.join(folder)) {
                Ok(Some(config)) => {
                    let path = config.path.strip_prefix(&self.root).unwrap();
                    format!("{path}: {}", config.groups.join(" | "))
                }
                Ok(None) => "none".to_owned(),
                Err(reason) => reason.replace(self.root.as_str(), ""),
            }
        }
    }

    #[test]
    fn the_nearest_file_counts_then_those_elsewhere() {
        let mut sandbox = Sandbox::new(&[
            ("a/jupytext.toml", "formats = \"ipynb,py:percent\""),
            ("a/b/.jupytext.yml", "formats: ipynb,md"),
            ("a/b/pyproject.toml", "[tool.jupytext]\nformats = \"ipynb\""),
            ("c/pyproject.toml", "[tool.jupytext]\nformats = \"ipynb,R\""),
            ("d/pyproject.toml", "[tool.other]\nx = 'jupytext'"),
            ("ceiling/x/readme", ""),
            ("elsewhere/jupytext.json", "{\"formats\": \"ipynb,jl\"}"),
        ]);
        assert_eq!(sandbox.groups("a/x/y"), "a/jupytext.toml: ipynb,py:percent");
        assert_eq!(sandbox.groups("a/b/c"), "a/b/.jupytext.yml: ipynb,md");
        assert_eq!(sandbox.groups("c"), "c/pyproject.toml: ipynb,R");
        assert_eq!(sandbox.groups("d"), "elsewhere/jupytext.json: ipynb,jl");
        assert_eq!(sandbox.groups("ceiling/x"), "none");
    }

    #[test]
    fn the_files_of_a_folder_count_in_the_order_of_jupytext() {
        // As `jupytext.config.find_jupytext_configuration_file` finds them.
        let names = [
            "jupytext",
            "jupytext.toml",
            "jupytext.yml",
            "jupytext.yaml",
            "jupytext.json",
            ".jupytext",
            ".jupytext.toml",
            ".jupytext.yml",
            ".jupytext.yaml",
            ".jupytext.json",
            ".jupytext.py",
            "pyproject.toml",
        ];
        let mut sandbox = Sandbox::new(&[("jupytext.toml", "formats = \"far\"")]);
        for name in names {
            let text = match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
                "yml" | "yaml" => format!("formats: '{name}'"),
                "json" => format!("{{\"formats\": \"{name}\"}}"),
                "py" => "c.formats = 'x'".to_owned(),
                _ if name == "pyproject.toml" => format!("[tool.jupytext]\nformats = '{name}'"),
                _ => format!("formats = '{name}'"),
            };
            sandbox.save(&format!("a/{name}"), &text);
        }
        for name in names {
            sandbox.configs.forget();
            let groups = if name == ".jupytext.py" { "" } else { name };
            assert_eq!(sandbox.groups("a"), format!("a/{name}: {groups}"));
            fs::remove_file(sandbox.root.join("a").join(name)).unwrap();
        }
        sandbox.configs.forget();
        assert_eq!(sandbox.groups("a"), "jupytext.toml: far");
    }

    #[test]
    fn what_scripts_are_written_with_is_read() {
        let text = "hide_notebook_metadata = false\nroot_level_metadata_as_raw_cell = false\n\
                    split_at_heading = true\ndoxygen_equation_markers = false\n\
                    notebook_metadata_filter = ''\ncustom_cell_magics = 'kql'\n\
                    root_level_metadata_filter = '-all'\noutdated_text_notebook_margin = 5.0\n";
        let sandbox = Sandbox::new(&[("jupytext.toml", text)]);
        let config = read(&sandbox.root.join("jupytext.toml")).unwrap();
        assert_eq!(
            Value::Object(Map::clone(&config.options)),
            json!({
                "custom_cell_magics": "kql", "hide_notebook_metadata": false,
                "root_level_metadata_as_raw_cell": false, "root_level_metadata_filter": "-all",
                "split_at_heading": true,
            })
        );
        // What jupytext does without being told is not noted.
        sandbox.save("jupytext.toml", "root_level_metadata_as_raw_cell = true\n");
        let config = read(&sandbox.root.join("jupytext.toml")).unwrap();
        assert!(config.options.is_empty());
        // An option of notebooks, and of no configuration.
        sandbox.save("jupytext.toml", "cell_metadata_json = true\n");
        assert!(read(&sandbox.root.join("jupytext.toml")).is_err());
    }

    #[test]
    fn formats_are_texts_tables_and_lists() {
        let group = |value| groups(&value).unwrap().join(" | ");
        assert_eq!(group(json!("ipynb,py;ipynb,md")), "ipynb,py | ipynb,md");
        assert_eq!(
            group(json!({"notebooks/": "ipynb", "scripts": "py:percent", "": "md"})),
            "notebooks///ipynb,scripts///py:percent,md"
        );
        assert_eq!(group(json!(["ipynb,py", {"a/": "ipynb"}])), "ipynb,py | a///ipynb");
        assert!(groups(&json!(1)).is_err());
        assert!(groups(&json!({"a": 1})).is_err());
    }

    #[test]
    fn tables_keep_their_order() {
        let mut sandbox =
            Sandbox::new(&[("jupytext.toml", "[formats]\n\"z/\" = \"py\"\n\"a/\" = \"ipynb\"\n")]);
        assert_eq!(sandbox.groups(""), "jupytext.toml: z///py,a///ipynb");
    }

    #[test]
    fn mistakes_are_told_and_what_was_good_stays() {
        let mut sandbox = Sandbox::new(&[("jupytext.toml", "format = \"ipynb\"")]);
        assert_eq!(
            sandbox.groups("x"),
            "cannot use jupytext's configuration `/jupytext.toml`: jupytext has no option `format`"
        );
        sandbox.save("jupytext.toml", "formats = \"ipynb\"");
        sandbox.configs.forget();
        assert_eq!(sandbox.groups("x"), "jupytext.toml: ipynb");
        sandbox.save("jupytext.toml", "formats = ");
        sandbox.configs.forget();
        assert_eq!(sandbox.groups("x"), "jupytext.toml: ipynb");
    }

    #[test]
    fn a_program_is_not_run() {
        let mut sandbox = Sandbox::new(&[(".jupytext.py", "c.formats = 'ipynb,py'")]);
        let found = sandbox.configs.of_folder(&sandbox.root.clone()).unwrap().unwrap();
        assert!(found.is_program && found.groups.is_empty());
    }

    #[test]
    fn old_names_of_options_are_understood() {
        let text = "default_cell_markers = '\"\"\"'\ncomment_magics = false\n\
                    default_cell_metadata_filter = 'x'\ncell_metadata_filter = '-all'\n";
        let sandbox = Sandbox::new(&[("jupytext", text)]);
        let config = read(&sandbox.root.join("jupytext")).unwrap();
        assert_eq!(
            Value::Object(Map::clone(&config.options)),
            json!({"cell_markers": "\"\"\"", "cell_metadata_filter": "-all", "comment_magics": false})
        );
    }
}
