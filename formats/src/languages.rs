//! The programming languages of script formats, as jupytext 1.19.6 has them
//! (`jupytext: languages`).

/// How scripts of one file extension are written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// The extension, with its dot.
    pub(crate) extension: &'static str,
    /// The language.
    pub(crate) language: &'static str,
    /// What starts a comment.
    pub(crate) comment: &'static str,
    /// What ends a comment, empty if that is the end of the line.
    pub(crate) comment_suffix: &'static str,
}

const fn script(
    extension: &'static str,
    language: &'static str,
    comment: &'static str,
    comment_suffix: &'static str,
) -> Script {
    Script { extension, language, comment, comment_suffix }
}

/// All scripts. Of several extensions of a language, the first is the one that
/// new files get.
static SCRIPTS: [Script; 41] = [
    script(".py", "python", "#", ""),
    script(".coco", "coconut", "#", ""),
    script(".R", "R", "#", ""),
    script(".r", "R", "#", ""),
    script(".jl", "julia", "#", ""),
    script(".cpp", "c++", "//", ""),
    script(".ss", "scheme", ";;", ""),
    script(".clj", "clojure", ";;", ""),
    script(".scm", "scheme", ";;", ""),
    script(".sh", "bash", "#", ""),
    script(".ps1", "powershell", "#", ""),
    script(".q", "q", "/", ""),
    script(".m", "matlab", "%", ""),
    script(".wolfram", "wolfram language", "(*", "*)"),
    script(".pro", "idl", ";", ""),
    script(".js", "javascript", "//", ""),
    script(".ts", "typescript", "//", ""),
    script(".scala", "scala", "//", ""),
    script(".rs", "rust", "//", ""),
    script(".robot", "robotframework", "#", ""),
    script(".resource", "robotframework", "#", ""),
    script(".cs", "csharp", "//", ""),
    script(".fsx", "fsharp", "//", ""),
    script(".fs", "fsharp", "//", ""),
    script(".sos", "sos", "#", ""),
    script(".java", "java", "//", ""),
    script(".groovy", "groovy", "//", ""),
    script(".sage", "sage", "#", ""),
    script(".ml", "ocaml", "(*", "*)"),
    script(".hs", "haskell", "--", ""),
    script(".tcl", "tcl", "#", ""),
    script(".mac", "maxima", "/*", "*/"),
    script(".gp", "gnuplot", "#", ""),
    script(".do", "stata", "//", ""),
    script(".sas", "sas", "/*", "*/"),
    script(".jenner", "jenner", "/*", "*/"),
    script(".xsh", "xonsh", "#", ""),
    script(".lgt", "logtalk", "%", ""),
    script(".logtalk", "logtalk", "%", ""),
    script(".lua", "lua", "--", ""),
    script(".go", "go", "//", ""),
];

/// Languages that `%%name` can switch to, beside those of the [`SCRIPTS`].
static MAGIC_LANGUAGES: [&str; 27] = [
    "R",
    "bash",
    "sh",
    "python",
    "python2",
    "python3",
    "javascript",
    "js",
    "perl",
    "html",
    "latex",
    "markdown",
    "pypy",
    "ruby",
    "script",
    "svg",
    "octave",
    "spark",
    "sql",
    "cython",
    "c#",
    "f#",
    "cs",
    "fs",
    "idl",
    "haskell",
    "matlab",
];

/// Returns how scripts with this extension are written.
pub(crate) fn by_extension(extension: &str) -> Option<&'static Script> {
    SCRIPTS.iter().find(|script| script.extension == extension)
}

/// Whether files with this extension, given with its dot, are scripts in which cells
/// can be marked.
pub fn is_script(extension: &str) -> bool {
    by_extension(extension).is_some()
}

/// Returns how scripts of a language are written, whatever name a kernel has
/// for it.
pub(crate) fn by_language(language: &str) -> Option<&'static Script> {
    let language = usual_name(language);
    let language = if language == "SAS" { "sas" } else { &language };
    SCRIPTS.iter().find(|script| script.language == language)
}

/// Returns what starts a comment in a language of the table, by its exact name.
pub(crate) fn comment(language: &str) -> Option<&'static str> {
    SCRIPTS.iter().find(|script| script.language == language).map(|script| script.comment)
}

/// Whether `%%name` starts a cell in another language. The case matters.
pub(crate) fn is_jupyter_language(name: &str) -> bool {
    MAGIC_LANGUAGES.contains(&name) || comment(name).is_some()
}

/// Returns the name that the table has for a language.
///
/// `SAS` is upper case as in jupytext, where this makes magics of that language
/// stay what they are.
pub(crate) fn usual_name(language: &str) -> String {
    let language = language.to_lowercase();
    match language.as_str() {
        "r" => "R",
        "octave" => "matlab",
        "cs" | "c#" => "csharp",
        "fs" | "f#" => "fsharp",
        "sas" => "SAS",
        name if name.starts_with("c++") => "c++",
        _ => return language,
    }
    .to_owned()
}

/// Whether two names mean the same language.
pub(crate) fn is_same(left: &str, right: &str) -> bool {
    usual_name(left) == usual_name(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_found_by_the_names_of_kernels() {
        let extension = |language| by_language(language).map(|script| script.extension);
        assert_eq!(extension("Python"), Some(".py"));
        assert_eq!(extension("R"), Some(".R"));
        assert_eq!(extension("C++17"), Some(".cpp"));
        assert_eq!(extension("octave"), Some(".m"));
        assert_eq!(extension("C#"), Some(".cs"));
        assert_eq!(extension("SAS"), Some(".sas"));
        assert_eq!(extension("scheme"), Some(".ss"));
        assert_eq!(extension("cobol"), None);
        assert_eq!(extension(""), None);
    }

    #[test]
    fn every_extension_is_listed_once() {
        for script in &SCRIPTS {
            assert_eq!(by_extension(script.extension).map(|it| it.language), Some(script.language));
        }
    }

    #[test]
    fn case_of_magic_languages_matters() {
        assert!(is_jupyter_language("R"));
        assert!(is_jupyter_language("wolfram language"));
        assert!(is_jupyter_language("sql"));
        assert!(!is_jupyter_language("r"));
        assert!(!is_jupyter_language("SQL"));
        assert!(!is_jupyter_language("time"));
        assert!(!is_jupyter_language(""));
    }
}
