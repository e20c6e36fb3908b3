//! What jupytext notes in an ipynb that is made of a script, so that the script
//! can be written again as it was (`jupytext: update_metadata_filters`).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::filter::{Filter, NOTEBOOK_KEYS};
use super::header::Header;
use super::reader::Region;
use crate::Notes;

/// Keys that describe the layout and are in no filter.
pub(super) const LAYOUT_KEYS: [&str; 5] =
    ["skipline", "noskipline", "cell_marker", "lines_to_next_cell", "lines_to_end_of_cell_marker"];

/// Returns the options that keep what the script shows and doesn't show.
///
/// `options` are those of the folder.
pub(super) fn of_notebook(
    header: &Header,
    regions: &[Region],
    options: &Map<String, Value>,
) -> Notes {
    let mut notes = Map::new();
    let cell_keys: BTreeSet<&str> = regions
        .iter()
        .flat_map(|region| region.cell.metadata.keys())
        .map(String::as_str)
        .filter(|key| !LAYOUT_KEYS.contains(key))
        .collect();
    let own = header.metadata().and_then(|metadata| metadata.get("jupytext"));
    let option = |key: &str| own.and_then(|own| own.get(key)).or_else(|| options.get(key));
    let Some(metadata) = header.metadata() else {
        notes.insert("notebook_metadata_filter".to_owned(), "-all".into());
        let words: Vec<&str> = cell_keys.into_iter().chain(["-all"]).collect();
        notes.insert("cell_metadata_filter".to_owned(), words.join(",").into());
        return with_json(notes, regions);
    };
    if let Some(filter) = option("cell_metadata_filter") {
        let mut filter = Filter::parse(Some(filter));
        filter.show(&cell_keys);
        notes.insert("cell_metadata_filter".to_owned(), filter.to_string().into());
    } else {
        let filter = option("notebook_metadata_filter").and_then(Value::as_str);
        let mut words: Vec<&str> =
            filter.unwrap_or_default().split(',').filter(|word| !word.is_empty()).collect();
        if !words.iter().any(|word| matches!(*word, "all" | "-all")) {
            let n_words = words.len();
            for key in metadata.keys().map(String::as_str) {
                let is_excluded = words.iter().any(|word| word.strip_prefix('-') == Some(key));
                if !NOTEBOOK_KEYS.contains(&key) && !words.contains(&key) && !is_excluded {
                    words.push(key);
                }
            }
            if n_words < words.len() {
                notes.insert("notebook_metadata_filter".to_owned(), words.join(",").into());
            }
        }
    }
    with_json(notes, regions)
}

fn with_json(mut notes: Map<String, Value>, regions: &[Region]) -> Notes {
    if regions.iter().any(|region| region.metadata_is_json) {
        notes.insert("cell_metadata_json".to_owned(), true.into());
    }
    Notes(notes)
}
