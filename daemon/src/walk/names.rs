//! Names that decide without a look at anything else.

use camino::Utf8Path;

/// The folder beside a notebook where marimo keeps its own files.
pub const MARIMO_DIR: &str = "__marimo__";

/// The folder in [`MARIMO_DIR`] where shadows are.
pub const WORKDIR: &str = "nbsync";

/// The extensions of files that may be notebooks: nbformat's, and those of the
/// scripts that jupytext 1.19.6 knows (`jupytext.languages`), in order.
const EXTENSIONS: [&str; 43] = [
    "R", "bash", "clj", "coco", "cpp", "cs", "do", "fs", "fsx", "go", "gp", "groovy", "hs",
    "ipynb", "java", "jenner", "jl", "js", "lgt", "logtalk", "lua", "m", "mac", "ml", "pro", "ps1",
    "py", "q", "r", "resource", "robot", "rs", "sage", "sas", "scala", "scm", "sh", "sos", "ss",
    "tcl", "ts", "wolfram", "xsh",
];

/// Whether a file of this name may be a notebook, by its extension.
pub fn has_candidate_extension(name: &str) -> bool {
    Utf8Path::new(name).extension().is_some_and(|extension| {
        // The two that are most of all files.
        extension == "ipynb" || extension == "py" || EXTENSIONS.contains(&extension)
    })
}

/// Whether a folder of this name is never looked into: the folders of version
/// control, of packages and of tools, and all that are hidden.
pub(super) fn is_closed_folder(name: &str) -> bool {
    name.starts_with('.')
        || matches!(name, "node_modules" | "site-packages" | "venv" | "__pycache__")
        || super::is_ignored_name(name)
}

/// Whether a file or folder of this name makes the folder that it is in a Python
/// environment, whatever that is called: PEP 405, and conda.
pub(super) fn marks_environment(name: &str) -> bool {
    name == "pyvenv.cfg" || name == "conda-meta"
}
