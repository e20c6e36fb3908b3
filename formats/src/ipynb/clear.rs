use super::cell::CELL_DEPTH;
use super::read::Parsed;
use super::scan::Scanner;
use super::splice::{Edit, NewValue, edit_object};

/// Returns the text without what running these cells of the view has left, or `None` if they
/// have left nothing.
pub(super) fn clear_outputs(text: &str, parsed: &Parsed, cells: &[usize]) -> Option<String> {
    let Parsed { layout, style, shown, .. } = parsed;
    let mut positions: Vec<usize> = cells.iter().filter_map(|it| shown.get(*it)).copied().collect();
    positions.sort_unstable();
    let mut out = String::new();
    let mut done = 0;
    for at in positions {
        let object = &layout.cells[at].object;
        let span = |key: &str| object.get(key).map(|it| it.value.clone());
        let has_outputs = span("outputs").is_some_and(|span| {
            // It was read once, so it can be read again.
            let array = Scanner::new(text, span.start).array(Scanner::skip);
            array.is_ok_and(|array| !array.items.is_empty())
        });
        let has_count = span("execution_count").is_some_and(|span| &text[span] != "null");
        let mut edits = Vec::new();
        if has_outputs {
            edits.push(Edit { key: "outputs", value: NewValue::Text("[]".to_owned()) });
        }
        if has_count {
            edits.push(Edit { key: "execution_count", value: NewValue::Text("null".to_owned()) });
        }
        if edits.is_empty() {
            continue;
        }
        out.push_str(&text[done..object.span.start]);
        edit_object(&mut out, text, object, &edits, style, CELL_DEPTH, &style.order);
        done = object.span.end;
    }
    if done == 0 {
        return None;
    }
    out.push_str(&text[done..]);
    Some(out)
}
