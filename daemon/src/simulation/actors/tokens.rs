//! How lines are told from each other.

use std::collections::BTreeMap;

use nbsync_formats::{Cell, Document};

/// What marimo adds.
pub(super) const MARIMO: &str = "import marimo as mo";

/// The tokens in cells, and how often they are there.
pub(crate) fn tokens<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> BTreeMap<String, usize> {
    let mut res = BTreeMap::new();
    for cell in cells {
        for token in raw_tokens(&cell.source) {
            *res.entry(token.to_owned()).or_default() += 1;
        }
    }
    res
}

/// The tokens in a text.
pub(crate) fn raw_tokens(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("tok").filter_map(|(start, _)| {
        let token = text.get(start..start + 7)?;
        let is_whole = token[3..].bytes().all(|it| it.is_ascii_digit());
        // A reference ends in `x`; it is part of the line of another token.
        (is_whole && text.as_bytes().get(start + 7) != Some(&b'x')).then_some(token)
    })
}

/// The cells of a text, in a form in which those of all formats are the same.
pub(crate) fn sources(document: &dyn Document) -> Vec<String> {
    let cells = document.notebook().cells.iter().filter(|it| it.source != MARIMO);
    // marimo has no blanks at the ends of a markdown cell's lines.
    let lines =
        |it: &Cell| it.source.trim().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    cells.map(|it| format!("{} {}", it.kind.as_str(), lines(it))).collect()
}
