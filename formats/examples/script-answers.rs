//! Reads and writes notebooks for the conformance tests, many in one process.
//!
//! One JSON object a line on stdin, one on stdout. A request has `from` (the
//! format), `extension` and `text`, and it may have `options`, those that jupytext has
//! for a folder. With `to` the answer is the text in that
//! format, in `text`, with all that it can hold; without, that an update which
//! changes nothing keeps every byte (`same`), and the cells of the view
//! (`cells`). What can't be done is told in `error`.

use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::sync::Arc;

use nbsync_formats::{Carry, Configured, FormatName, Slot};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = answer(&line?).unwrap_or_else(|error| json!({"error": error.to_string()}));
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}

fn answer(line: &str) -> Result<Value, Box<dyn Error>> {
    let request: Value = serde_json::from_str(line)?;
    let field = |key: &str| request[key].as_str().ok_or_else(|| format!("no `{key}`"));
    let options = Arc::new(request["options"].as_object().cloned().unwrap_or_default());
    let from = Configured::new(field("from")?.parse::<FormatName>()?, &options);
    let extension = field("extension")?;
    let document = from.parse(Arc::from(field("text")?), extension)?;
    let notebook = document.notebook();
    if let Some(to) = request["to"].as_str() {
        let to = Configured::new(to.parse::<FormatName>()?, &options);
        let extension = request["to_extension"].as_str().or_else(|| to.extension(notebook));
        let extension = extension.ok_or("no extension for this language")?;
        let printed = to.print(notebook, extension, Carry::All)?;
        return Ok(json!({"text": &**printed.document.text(), "extension": extension}));
    }
    let slots: Vec<Slot> = (0..notebook.cells.len()).map(Slot::Keep).collect();
    let same = document.update(&slots, &[], Carry::All)?.document;
    let cells = notebook.cells.iter().map(|cell| {
        json!({"type": cell.kind.as_str(), "source": cell.source, "metadata": cell.metadata})
    });
    Ok(json!({
        "same": same.text() == document.text(),
        "cells": cells.collect::<Value>(),
        "metadata": notebook.metadata,
    }))
}
