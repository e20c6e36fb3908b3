//! The lists of formats by which jupytext 1.19.6 pairs files (`jupytext: formats`).

use nbsync_formats::{FormatName, Notebook};
use serde_json::{Map, Value};

/// One entry of a list like `notebooks///ipynb,scripts///.pct.py:percent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairedFormat {
    /// The folders that stand in the place of those of the other formats
    /// (`scripts///py`); empty if there are none.
    pub(super) root: Vec<String>,
    /// The folder below that of the notebook (`scripts//py`), with `..` for a folder
    /// upwards.
    pub(super) folders: Vec<String>,
    /// What file names begin with (`scripts/nb_/py`).
    pub(super) prefix: String,
    /// What stands before the extension (`.pct.py`).
    pub(super) suffix: String,
    /// The extension, with its dot.
    pub extension: String,
    /// jupytext's name of the format, if it is given.
    pub name: Option<String>,
}

/// An entry of a list of formats that can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` is no format of jupytext: {reason}")]
pub struct FormatError {
    entry: String,
    reason: &'static str,
}

/// Whether nbsync can keep a file in a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Support {
    /// It can.
    Known(FormatName),
    /// The file has to tell, or else it is the format that jupytext writes: percent.
    ByContent,
    /// It can't yet.
    Unknown(String),
}

/// Reads a list of formats.
///
/// `auto` is the extension that the word `auto` stands for; without one, such
/// entries are left out.
pub fn read_formats(text: &str, auto: Option<&str>) -> Result<Vec<PairedFormat>, FormatError> {
    let mut res = Vec::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let mut format = read_format(entry)?;
        if format.extension == ".auto" {
            let Some(auto) = auto else { continue };
            auto.clone_into(&mut format.extension);
        }
        res.push(format);
    }
    Ok(res)
}

fn read_format(entry: &str) -> Result<PairedFormat, FormatError> {
    let error = |reason| FormatError { entry: entry.to_owned(), reason };
    let alias = match entry.to_lowercase().as_str() {
        "notebook" => "ipynb",
        "rmarkdown" => "Rmd",
        "quarto" => "qmd",
        "marimo" => "py:marimo",
        "markdown" => "md",
        "script" => "auto",
        "c++" => "cpp",
        "myst" => "md:myst",
        "pandoc" => "md:pandoc",
        _ => entry,
    };
    if alias.starts_with('/') || alias.contains('\0') {
        return Err(error("a path in it has to be relative"));
    }
    let (place, format) = alias.rsplit_once('/').unwrap_or(("", alias));
    let (extension, name) = match format.rsplit_once(':') {
        Some((extension, name)) => (extension, Some(name.to_owned())),
        None => (format, None),
    };
    let (suffix, extension) = match extension.rfind('.') {
        Some(dot) if dot > 0 => extension.split_at(dot),
        _ => ("", extension.strip_prefix('.').unwrap_or(extension)),
    };
    let extension = extension.strip_prefix('.').unwrap_or(extension);
    if extension.is_empty() {
        return Err(error("it has no extension"));
    }
    let (root, place) = place.rsplit_once("//").unwrap_or(("", place));
    let (folders, prefix) = place.rsplit_once('/').unwrap_or(("", place));
    Ok(PairedFormat {
        root: names(root),
        folders: names(folders),
        prefix: prefix.to_owned(),
        suffix: suffix.to_owned(),
        extension: format!(".{extension}"),
        name,
    })
}

fn names(path: &str) -> Vec<String> {
    path.split('/').filter(|name| !name.is_empty() && *name != ".").map(str::to_owned).collect()
}

impl PairedFormat {
    /// Whether this is an ipynb file.
    pub fn is_ipynb(&self) -> bool {
        self.extension == ".ipynb"
    }

    /// Whether nbsync can keep such a file.
    pub fn support(&self) -> Support {
        if self.is_ipynb() {
            return Support::Known(FormatName::Ipynb);
        }
        if !nbsync_formats::is_script(&self.extension) {
            return Support::Unknown(self.short_name());
        }
        match self.name.as_deref() {
            Some("percent") => Support::Known(FormatName::Percent),
            Some("hydrogen") => Support::Known(FormatName::Hydrogen),
            Some("marimo") if self.extension == ".py" => Support::Known(FormatName::Marimo),
            None => Support::ByContent,
            Some(_) => Support::Unknown(self.short_name()),
        }
    }

    /// Returns the format of a script for which its list gives none, by the formats that
    /// a configuration prefers; `None` if that is one that nbsync doesn't know
    /// (`jupytext: preferred_format`).
    pub fn preferred(&self, preferred: &str) -> Option<FormatName> {
        let preferred = read_formats(preferred, Some(&self.extension)).unwrap_or_default();
        // What the preference leaves open fits everything.
        let fits = |it: &&Self| {
            let place = |it: &Self| (it.root.clone(), it.folders.clone(), it.prefix.clone());
            let is_anywhere = it.root.is_empty() && it.folders.is_empty() && it.prefix.is_empty();
            it.extension == self.extension
                && (it.suffix.is_empty() || it.suffix == self.suffix)
                && (is_anywhere || place(it) == place(self))
        };
        match preferred.iter().find(fits).map(Self::support) {
            None | Some(Support::ByContent) => Some(FormatName::Percent),
            Some(Support::Known(format)) => Some(format),
            Some(Support::Unknown(_)) => None,
        }
    }

    /// The extension and the name, as jupytext writes them.
    fn short_name(&self) -> String {
        let extension = self.extension.trim_start_matches('.');
        match &self.name {
            Some(name) => format!("{extension}:{name}"),
            None => extension.to_owned(),
        }
    }

    /// Whether a file with this extension, in this format, can be the one that is
    /// meant.
    pub(super) fn fits(&self, extension: &str, format: FormatName) -> bool {
        let is_script = matches!(format, FormatName::Percent | FormatName::Hydrogen);
        self.extension == extension
            && match self.support() {
                Support::ByContent => true,
                Support::Known(known) => {
                    known == format
                        || is_script && matches!(known, FormatName::Percent | FormatName::Hydrogen)
                }
                Support::Unknown(_) => false,
            }
    }
}

/// Returns the extension that `auto` stands for in a notebook, if anything says what
/// language it is in.
pub fn auto_extension(notebook: &Notebook) -> Option<String> {
    let at = |map: &str, key: &str| {
        let value = notebook.metadata.get(map)?.get(key)?.as_str()?;
        (!value.is_empty()).then_some(value)
    };
    let language = at("kernelspec", "language").or_else(|| at("jupytext", "main_language"));
    let extension = match at("language_info", "file_extension") {
        Some(".py") if language == Some("sage") => ".sage",
        Some(".r") => ".R",
        Some(".fs") => ".fsx",
        Some(".resource") => ".robot",
        Some(".C") => ".cpp",
        Some(extension) => extension,
        None => {
            language?;
            nbsync_formats::format(FormatName::Percent).extension(notebook)?
        }
    };
    Some(extension.to_owned())
}

/// Returns the list of formats in notebook metadata.
pub fn declared_formats(metadata: &Map<String, Value>) -> Option<&str> {
    let options = metadata.get("jupytext").and_then(|options| options.get("formats"));
    let formats = options.or_else(|| metadata.get("jupytext_formats"))?.as_str()?;
    (!formats.is_empty()).then_some(formats)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn short(text: &str) -> Vec<String> {
        let formats = read_formats(text, Some(".jl")).unwrap();
        let join = |names: &[String]| names.join("+");
        formats
            .iter()
            .map(|it| {
                let name = it.name.as_deref().unwrap_or("-");
                format!(
                    "{}|{}|{}|{}|{}|{name}",
                    join(&it.root),
                    join(&it.folders),
                    it.prefix,
                    it.suffix,
                    it.extension
                )
            })
            .collect()
    }

    #[test]
    fn formats_have_places_names_and_suffixes() {
        assert_eq!(short("ipynb,py:percent"), ["||||.ipynb|-", "||||.py|percent"]);
        assert_eq!(short("ipynb,.pct.py:percent"), ["||||.ipynb|-", "|||.pct|.py|percent"]);
        assert_eq!(short("a/b///ipynb,scripts//py"), ["a+b||||.ipynb|-", "|scripts|||.py|-"]);
        assert_eq!(short("r//d/e/p_/py"), ["r|d+e|p_||.py|-"]);
        assert_eq!(short("auto:hydrogen, notebook"), ["||||.jl|hydrogen", "||||.ipynb|-"]);
        assert_eq!(short("../other//md"), ["|..+other|||.md|-"]);
    }

    #[test]
    fn auto_is_left_out_where_nothing_tells_the_language() {
        assert_eq!(read_formats("ipynb,auto:percent", None).unwrap().len(), 1);
    }

    #[test]
    fn absolute_places_are_refused() {
        for text in ["/etc//py", "ipynb,/x/py", "py:", "ipynb,:percent"] {
            let res = read_formats(text, None);
            assert_eq!(res.is_err(), text != "py:", "{text}");
        }
    }

    #[test]
    fn support_follows_the_extension_and_the_name() {
        let support = |text: &str| read_formats(text, None).unwrap()[0].support();
        assert_eq!(support("R:percent"), Support::Known(FormatName::Percent));
        assert_eq!(support("py"), Support::ByContent);
        assert_eq!(support("py:light"), Support::Unknown("py:light".to_owned()));
        assert_eq!(support("md"), Support::Unknown("md".to_owned()));
        assert_eq!(support("marimo"), Support::Known(FormatName::Marimo));
        assert_eq!(support("R:marimo"), Support::Unknown("R:marimo".to_owned()));
    }

    // The expected formats are those that `jupytext.config.preferred_format` gives.
    #[test]
    fn a_preference_names_the_format_that_a_list_leaves_open() {
        let preferred = |format: &str, preferred: &str| {
            let formats = read_formats(format, None).unwrap();
            formats[0].preferred(preferred).map(FormatName::as_str)
        };
        assert_eq!(preferred("py", ""), Some("percent"));
        assert_eq!(preferred("py", "jl:hydrogen"), Some("percent"));
        assert_eq!(preferred("py", "jl:hydrogen,py:hydrogen"), Some("hydrogen"));
        assert_eq!(preferred("R", "auto:hydrogen"), Some("hydrogen"));
        assert_eq!(preferred("jl", "py:light,auto:hydrogen"), Some("hydrogen"));
        assert_eq!(preferred("py", "py:light,auto:hydrogen"), None);
        // Only for names and places like these.
        assert_eq!(preferred(".nb.py", ".pct.py:hydrogen"), Some("percent"));
        assert_eq!(preferred(".nb.py", ".nb.py:hydrogen"), Some("hydrogen"));
        assert_eq!(preferred(".nb.py", "py:hydrogen"), Some("hydrogen"));
        assert_eq!(preferred("scripts//py", "other//py:hydrogen,py:percent"), Some("percent"));
        assert_eq!(preferred("scripts//py", "scripts//py:hydrogen"), Some("hydrogen"));
    }

    #[test]
    fn the_language_tells_what_auto_is() {
        let extension = |metadata: Value| {
            let Value::Object(metadata) = metadata else { unreachable!() };
            auto_extension(&Notebook { metadata, ..Notebook::default() })
        };
        let info = |value: &str| json!({"file_extension": value});
        let kernel = |value: &str| json!({"language": value});
        for (metadata, expected) in [
            (json!({}), None),
            (json!({"kernelspec": kernel("")}), None),
            (json!({"kernelspec": kernel("julia")}), Some(".jl")),
            (json!({"kernelspec": kernel("C++17")}), Some(".cpp")),
            (json!({"jupytext": {"main_language": "python"}}), Some(".py")),
            // One name for the extensions of a language.
            (json!({"language_info": info(".r")}), Some(".R")),
            (json!({"language_info": info(".fs")}), Some(".fsx")),
            (json!({"language_info": info(".resource")}), Some(".robot")),
            (json!({"language_info": info(".C")}), Some(".cpp")),
            (json!({"language_info": info(".jl"), "kernelspec": kernel("python")}), Some(".jl")),
            (json!({"language_info": info(".py"), "kernelspec": kernel("sage")}), Some(".sage")),
        ] {
            assert_eq!(extension(metadata.clone()).as_deref(), expected, "{metadata}");
        }
    }
}
