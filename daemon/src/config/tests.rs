//! Configurations in real folders.

use std::error::Error;
use std::fs;

use tempfile::TempDir;

use super::*;

/// A home with a project in it.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(home.root().join("deep/er")).unwrap();
        home
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.folder.path()).unwrap()
    }

    fn root(&self) -> Utf8PathBuf {
        self.path().join("project")
    }

    fn dirs(&self) -> Dirs {
        Dirs::below(self.path())
    }

    #[track_caller]
    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[track_caller]
    fn load(&self) -> Config {
        Config::load(&self.root(), &self.dirs()).unwrap()
    }
}

/// Loads a `nbsync.toml` of this text, and returns its error with all causes, the
/// path of the file left out.
#[track_caller]
fn check_error(text: &str, expect: &str) {
    let home = Home::new();
    home.write("project/nbsync.toml", text);
    let error = Config::load(&home.root(), &home.dirs()).unwrap_err();
    let message = format!("{error}: {}", error.source().unwrap());
    assert_eq!(message.replace(home.path().as_str(), ""), expect);
}

#[test]
fn outputs_are_read() {
    let home = Home::new();
    home.write("project/nbsync.toml", "outputs = 'clear-edited'\n");
    assert_eq!(home.load().outputs, Outputs::ClearEdited);
    check_error(
        "outputs = 'no'\n",
        "cannot use `/project/nbsync.toml`, line 1: \
         `outputs` must be \"keep\", \"clear-edited\" or \"strip\"",
    );
}

#[test]
fn nothing_set_is_the_default() {
    assert_eq!(Home::new().load(), Config::default());
}

#[test]
fn every_key_is_read() {
    let home = Home::new();
    home.write(
        "project/nbsync.toml",
        r#"
        formats = ["percent", "ipynb", "percent"]
        layout = "sibling"
        include = ["notebooks/"]
        exclude = ["*.draft.ipynb", "/old"]
        gitignore = false
        settle = 50
        patience = "2s"
        marimo_patience = 0
        poll = true
        poll_interval = "500ms"
        max_size = "1 MiB"
        "#,
    );
    let config = home.load();
    assert_eq!(config.formats, [FormatName::Percent, FormatName::Ipynb]);
    assert_eq!(config.layout, Layout::Sibling);
    assert_eq!(config.include.texts(), ["notebooks/"]);
    assert_eq!(config.exclude.texts(), ["*.draft.ipynb", "/old"]);
    assert!(!config.gitignore);
    assert_eq!(config.settle, Duration::from_millis(50));
    assert_eq!(config.patience, Duration::from_secs(2));
    assert_eq!(config.marimo_patience, Duration::ZERO);
    assert_eq!(config.poll, Poll::Always);
    assert_eq!(config.poll_interval, Duration::from_millis(500));
    assert_eq!(config.max_size, 1 << 20);
    assert_eq!(config.files, [home.root().join("nbsync.toml")]);
}

#[test]
fn table_in_pyproject_is_read() {
    let home = Home::new();
    home.write("project/pyproject.toml", "[project]\nname = 'x'\n[tool.nbsync]\npoll = false\n");
    assert_eq!(home.load().poll, Poll::Never);
    home.write("project/nbsync.toml", "poll = true\n");
    assert_eq!(home.load().poll, Poll::Always, "`nbsync.toml` comes first");
}

#[test]
fn pyproject_of_others_is_not_read() {
    let home = Home::new();
    home.write("nbsync.toml", "settle = 1\n");
    home.write("project/pyproject.toml", "[tool.ruff\n");
    assert_eq!(home.load().settle, Duration::from_millis(1));
    home.write("project/pyproject.toml", "[project]\nname = 'nbsync'\n");
    assert_eq!(home.load().settle, Duration::from_millis(1));
}

#[test]
fn user_sets_what_the_project_leaves_open() {
    let home = Home::new();
    home.write("config/config.toml", "settle = 1\nmax_size = '1kB'\nexclude = ['/a']\n");
    home.write("project/nbsync.toml", "settle = 2\n");
    let config = home.load();
    assert_eq!(config.settle, Duration::from_millis(2));
    assert_eq!(config.max_size, 1000);
    assert!(config.exclude.matches(&home.root().join("a"), false), "relative to the root");
    assert_eq!(
        config.files,
        [home.root().join("nbsync.toml"), home.path().join("config/config.toml")]
    );
}

#[test]
fn root_is_where_the_nearest_configuration_is() {
    let home = Home::new();
    let deep = home.root().join("deep/er");
    assert_eq!(find_root(&deep).unwrap(), deep);
    home.write("project/nbsync.toml", "");
    assert_eq!(find_root(&deep).unwrap(), home.root());
    home.write("project/deep/pyproject.toml", "[tool.nbsync]\n");
    assert_eq!(find_root(&deep).unwrap(), home.root().join("deep"));
}

#[test]
fn patterns_are_those_of_gitignore() {
    let home = Home::new();
    home.write(
        "nbsync.toml",
        "exclude = ['drafts/', '*.tmp.py', '!keep.tmp.py', '/project/top.ipynb']\n",
    );
    let exclude = home.load().exclude;
    let matches = |path: &str| exclude.matches(&home.path().join(path), path.ends_with('/'));
    assert!(matches("project/drafts/"));
    assert!(!matches("project/drafts"), "a file");
    assert!(matches("project/a.tmp.py"));
    assert!(!matches("project/keep.tmp.py"));
    assert!(matches("project/top.ipynb"));
    assert!(!matches("project/deep/top.ipynb"));
    assert!(exclude.matches_file_or_parent(&home.path().join("project/drafts/a.ipynb")));
}

#[test]
fn mistakes_are_named_with_their_line() {
    let at = |line: usize, problem: &str| {
        format!("cannot use `/project/nbsync.toml`, line {line}: {problem}")
    };
    check_error(
        "settle = 1\nformts = ['ipynb']\n",
        &at(2, "unknown key `formts`; did you mean `formats`?"),
    );
    check_error("max-size = 1\n", &at(1, "unknown key `max-size`; did you mean `max_size`?"));
    check_error("\n\ncolour = 'red'\n", &at(3, "unknown key `colour`"));
    check_error(
        "formats = [\n  'ipynb',\n  'word',\n]\n",
        &at(
            3,
            "`formats`: unknown format `word`; the formats are ipynb, marimo, percent and hydrogen",
        ),
    );
    check_error("formats = 'ipynb'\n", &at(1, "`formats` must be a list of strings"));
    check_error("layout = 'beside'\n", &at(1, "`layout` must be \"workdir\" or \"sibling\""));
    check_error("gitignore = 1\n", &at(1, "`gitignore` must be true or false"));
    check_error("poll = 'yes'\n", &at(1, "`poll` must be true, false or \"auto\""));
    check_error(
        "max_size = -1\n",
        &at(1, "`max_size` must be a size like \"64MB\", or bytes, and more than nothing"),
    );
    check_error(
        "settle = '2min'\n",
        &at(1, "`settle` must be a time like \"30ms\", or milliseconds, of at most a minute"),
    );
    check_error(
        "poll_interval = 1\n",
        &at(
            1,
            "`poll_interval` must be a time like \"2s\", or milliseconds, between 100 ms and an hour",
        ),
    );
    check_error(
        "exclude = ['a', '[z']\n",
        &at(
            1,
            "`exclude`: cannot understand the pattern `[z`: unclosed character class; missing ']'",
        ),
    );
    check_error("[tool]\nx = 1\n", &at(1, "unknown key `tool`"));
}

#[test]
fn what_is_not_toml_is_an_error_with_its_line() {
    let home = Home::new();
    home.write("project/nbsync.toml", "settle = 1\nformats = [\n");
    let Err(ConfigError::Invalid { line, source: ConfigProblem::Syntax(_), .. }) =
        Config::load(&home.root(), &home.dirs())
    else {
        panic!("not an error of syntax");
    };
    assert!(line >= 2);
    fs::write(home.root().join("nbsync.toml"), b"settle = 1\n\xff\n").unwrap();
    let error = Config::load(&home.root(), &home.dirs()).unwrap_err();
    assert!(matches!(error, ConfigError::Invalid { line: 2, .. }), "{error}");
}

#[test]
fn table_of_another_kind_is_an_error() {
    let home = Home::new();
    home.write("project/pyproject.toml", "[tool]\nnbsync = 1\n");
    let error = Config::load(&home.root(), &home.dirs()).unwrap_err();
    assert!(matches!(error, ConfigError::Invalid { line: 2, .. }), "{error}");
}
