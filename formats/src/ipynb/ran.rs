//! What running cells has left in a notebook.

use std::sync::Arc;

use serde_json::Value;

use super::cell::CELL_DEPTH;
use super::read::Parsed;
use super::scan::{Object, Scanner};
use super::splice::{Edit, NewValue, edit_object};
use super::write;

/// What running a cell has left.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The outputs.
    outputs: Outputs,
    /// The count, as it is written.
    count: Arc<str>,
}

#[derive(Debug, Clone)]
enum Outputs {
    /// As a notebook has them.
    Stored(Arc<str>),
    /// Nobody has written them yet.
    Made(Arc<Value>),
}

impl Ran {
    /// Makes what a run has left of nbformat's outputs.
    pub fn new(outputs: Vec<Value>) -> Self {
        Self { outputs: Outputs::Made(Arc::new(Value::Array(outputs))), count: "null".into() }
    }

    /// Takes what a notebook has had, as [`into_stored`](Self::into_stored) tells.
    pub fn of_stored(outputs: &str, count: &str) -> Self {
        Self { outputs: Outputs::Stored(outputs.into()), count: count.into() }
    }

    /// The outputs and the count as texts.
    pub fn into_stored(self) -> (String, String) {
        let outputs = match self.outputs {
            Outputs::Stored(text) => text.to_string(),
            Outputs::Made(value) => value.to_string(),
        };
        (outputs, self.count.to_string())
    }

    /// The outputs in a form in which equal ones are equal, however they are written; `None` if
    /// they can't be understood.
    pub fn outputs(&self) -> Option<Value> {
        let mut value = match &self.outputs {
            Outputs::Stored(text) => Scanner::new(text, 0).tree().ok()?,
            Outputs::Made(value) => Value::clone(value),
        };
        for output in value.as_array_mut()? {
            join_lines(output);
        }
        value.sort_all_objects();
        Some(value)
    }

    /// Whether the outputs are the same.
    fn has_outputs_of(&self, other: &Self) -> bool {
        match (&self.outputs, &other.outputs) {
            (Outputs::Stored(text), Outputs::Stored(other)) if text == other => true,
            _ => self.outputs().is_some_and(|it| Some(it) == other.outputs()),
        }
    }
}

/// Whether it is an image that is stored in base64.
fn is_image(mime: &str) -> bool {
    mime.starts_with("image/") && !mime.ends_with("+xml")
}

/// Texts may be stored as one string or as a list of lines.
fn join_lines(output: &mut Value) {
    let join = |value: &mut Value| {
        let lines = value.as_array().map(|it| it.iter().map(Value::as_str));
        if let Some(text) = lines.and_then(Iterator::collect::<Option<String>>) {
            *value = Value::String(text);
        }
    };
    if let Some(text) = output.get_mut("text") {
        join(text);
    }
    if let Some(Value::Object(data)) = output.get_mut("data") {
        let is_json = |mime: &str| mime.ends_with("+json") || mime == "application/json";
        data.iter_mut().filter(|(mime, _)| !is_json(mime)).for_each(|(_, value)| join(value));
        // VS Code leaves out the line break with which a kernel ends an image.
        for (_, value) in data.iter_mut().filter(|(mime, _)| is_image(mime)) {
            if let Value::String(text) = value {
                text.truncate(text.trim_end().len());
            }
        }
    }
}

/// Returns what running each cell of the view has left.
pub(super) fn ran(text: &str, parsed: &Parsed) -> Vec<Option<Ran>> {
    let cells = &parsed.layout.cells;
    parsed.shown.iter().map(|at| of_cell(text, &cells[*at].object)).collect()
}

fn of_cell(text: &str, object: &Object) -> Option<Ran> {
    let value = |key: &str| object.get(key).map(|it| &text[it.value.clone()]);
    let (outputs, count) = (value("outputs")?, value("execution_count").unwrap_or("null"));
    // It was read once, so it can be read again.
    let array = Scanner::new(outputs, 0).array(Scanner::skip).ok()?;
    let is_something = !array.items.is_empty() || count != "null";
    is_something.then(|| Ran::of_stored(outputs, count))
}

/// Returns the text with what running these cells of the view has left, or `None` if it has all
/// of that.
pub(super) fn set_ran(text: &str, parsed: &Parsed, cells: &[(usize, Ran)]) -> Option<String> {
    let nothing = Ran::of_stored("[]", "null");
    let mut news: Vec<(usize, &Ran)> =
        cells.iter().filter_map(|(cell, ran)| Some((*parsed.shown.get(*cell)?, ran))).collect();
    news.sort_by_key(|(at, _)| *at);
    news.dedup_by_key(|(at, _)| *at);
    let mut out = String::new();
    let mut done = 0;
    for (at, ran) in news {
        let object = &parsed.layout.cells[at].object;
        // Prose has no place for them.
        if object.get("outputs").is_none() {
            continue;
        }
        let was = of_cell(text, object).unwrap_or_else(|| nothing.clone());
        // What counts an equal run is no news.
        if was.has_outputs_of(ran) && (&*ran.count == "null" || ran.count == was.count) {
            continue;
        }
        let outputs = match &ran.outputs {
            Outputs::Stored(text) => text.to_string(),
            Outputs::Made(value) => write::printed(value, &parsed.style, CELL_DEPTH),
        };
        let edits = [
            Edit { key: "outputs", value: NewValue::Text(outputs) },
            Edit { key: "execution_count", value: NewValue::Text(ran.count.to_string()) },
        ];
        out.push_str(&text[done..object.span.start]);
        edit_object(&mut out, text, object, &edits, &parsed.style, CELL_DEPTH, &parsed.style.order);
        done = object.span.end;
    }
    if done == 0 {
        return None;
    }
    out.push_str(&text[done..]);
    Some(out)
}
