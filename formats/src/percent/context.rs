//! What decides how the cells of a script are read and written: its extension
//! and the options in its header.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::filter::Filter;
use crate::languages::{self, Script};
use crate::magics::Magics;

/// The option that makes a raw cell of the lines outside of `jupyter:`.
pub(super) const ROOT_AS_CELL: &str = "root_level_metadata_as_raw_cell";

/// The settings of one script.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) script: &'static Script,
    /// Whether the format is `hydrogen`.
    pub(super) is_hydrogen: bool,
    /// The language of cells that don't name one.
    pub(super) language: String,
    /// Whether magics are comments.
    pub(super) comments_magics: bool,
    /// The notebook's `cell_metadata_filter`.
    pub(super) cell_filter: Filter,
    /// The quotes that text cells get, `"""` or `left,right`.
    pub(super) cell_markers: Option<String>,
    /// Whether metadata is written as one JSON object.
    pub(super) metadata_is_json: bool,
    /// Names of cell magics that count as languages.
    custom_magics: Vec<String>,
    /// The options of the folder, as they would stand below `jupytext` in metadata.
    pub(super) options: Arc<Map<String, Value>>,
}

impl Context {
    /// Takes the settings from notebook metadata, and from the options of the folder
    /// what they leave out.
    pub(super) fn new(
        metadata: &Map<String, Value>,
        options: &Arc<Map<String, Value>>,
        script: &'static Script,
        is_hydrogen: bool,
    ) -> Self {
        let own = metadata.get("jupytext");
        let option = |key: &str| own.and_then(|own| own.get(key)).or_else(|| options.get(key));
        let flag = |key: &str| option(key).and_then(Value::as_bool);
        let words = |key: &str| {
            let words = option(key).and_then(Value::as_str).unwrap_or_default();
            words.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        let mut custom_magics = words("custom_cell_magics");
        custom_magics.extend(words("custom_language_magics"));
        Self {
            script,
            is_hydrogen,
            language: language(metadata, script),
            comments_magics: flag("comment_magics").unwrap_or(!is_hydrogen),
            cell_filter: Filter::parse(option("cell_metadata_filter")),
            cell_markers: option("cell_markers").and_then(Value::as_str).map(str::to_owned),
            metadata_is_json: flag("cell_metadata_json").unwrap_or(false),
            custom_magics,
            options: Arc::clone(options),
        }
    }

    /// Whether the lines of a header outside of `jupyter:` are metadata, and no raw cell.
    /// jupytext asks the configuration, not the header, when it reads.
    pub(super) fn root_is_metadata(&self) -> bool {
        self.options.get(ROOT_AS_CELL) == Some(&Value::Bool(false))
    }

    /// Whether `%%name` starts a cell in another language.
    pub(super) fn is_language(&self, name: &str) -> bool {
        languages::is_jupyter_language(name) || self.custom_magics.iter().any(|it| it == name)
    }

    /// Whether cells mean the same in both settings.
    pub(super) fn reads_as(&self, other: &Self) -> bool {
        self.language == other.language
            && self.comments_magics == other.comments_magics
            && self.custom_magics == other.custom_magics
    }

    /// Which magics are written as comments.
    pub(super) fn magics(&self) -> Magics {
        if self.comments_magics { Magics::All } else { Magics::Marked }
    }
}

/// Returns the main language, in jupytext's spelling.
pub(super) fn language(metadata: &Map<String, Value>, script: &Script) -> String {
    let at = |map: &str, key: &str| {
        let value = metadata.get(map).and_then(|map| map.get(key)).and_then(Value::as_str);
        value.filter(|value| !value.is_empty())
    };
    let language = at("jupytext", "main_language")
        .or_else(|| at("kernelspec", "language"))
        .unwrap_or(script.language);
    match language {
        "R" | "sas" => language.to_owned(),
        _ if language.starts_with("C++") => "c++".to_owned(),
        _ => language.to_lowercase().replace('#', "sharp"),
    }
}

/// Whether a cell is active in files of an extension
/// (`jupytext: cell_metadata.is_active`).
pub(super) fn is_active(extension: &str, metadata: &Map<String, Value>, default: bool) -> bool {
    let name = extension.trim_start_matches('.');
    let frozen = metadata.get("run_control").and_then(|control| control.get("frozen"));
    if frozen == Some(&Value::Bool(true)) {
        return extension == ".ipynb";
    }
    if let Some(tag) = active_tag(metadata) {
        return tag.split('-').any(|it| it == name);
    }
    match metadata.get("active").and_then(Value::as_str) {
        Some(active) => active.split(['.', ',']).any(|it| it == name),
        None => default,
    }
}

/// Returns the first tag that says where a cell is active.
pub(super) fn active_tag(metadata: &Map<String, Value>) -> Option<&str> {
    let tags = metadata.get("tags").and_then(Value::as_array)?;
    tags.iter().filter_map(Value::as_str).find(|tag| tag.starts_with("active-"))
}
