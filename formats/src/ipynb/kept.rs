use super::read::Parsed;
use super::scan::{Object, Scanner};
use crate::KeptHere;

/// Returns what a notebook stores of each of its cells and no other format does.
pub(super) fn kept_here(text: &str, parsed: &Parsed) -> Vec<KeptHere> {
    let mut cells = vec![None; parsed.layout.cells.len()];
    for (cell, &at) in parsed.shown.iter().enumerate() {
        cells[at] = Some(cell);
    }
    let value = |object: &Object, key: &str| object.get(key).map(|it| it.value.clone());
    let scanner = |start: usize| Scanner::new(text, start);
    parsed
        .layout
        .cells
        .iter()
        .zip(cells)
        .enumerate()
        .map(|(at, (layout, cell))| {
            // All of it was read once, so it can be read again.
            let outputs = value(&layout.object, "outputs")
                .and_then(|span| scanner(span.start).array(Scanner::skip).ok());
            let attachments = value(&layout.object, "attachments")
                .and_then(|span| scanner(span.start).object(|it, _| it.skip()).ok());
            KeptHere {
                cell,
                number: at + 1,
                n_outputs: outputs.map_or(0, |array| array.items.len()),
                has_count: value(&layout.object, "execution_count")
                    .is_some_and(|span| &text[span] != "null"),
                attachments: attachments.map_or_else(Vec::new, |object| {
                    object.members.into_iter().map(|member| member.key).collect()
                }),
            }
        })
        .collect()
}
