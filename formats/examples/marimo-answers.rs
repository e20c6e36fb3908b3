//! Answers what nbsync makes of marimo scripts, for `tests/conformance`.
//!
//! One script a line on stdin, as a JSON string; one JSON object a line on
//! stdout: `regen` is what marimo would save, `ir` what it reads, each an object
//! with `ok` or `error` and the processor time that it took, in `seconds`.

use std::io::{self, BufWriter, Write as _};
use std::time::Duration;

use nbsync_formats::{ParseError, outline_marimo, regenerate_marimo};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let answer = json!({
            "regen": result(|| regenerate_marimo(&text)),
            "ir": result(|| ir(&text)),
        });
        writeln!(out, "{answer}")?;
    }
    out.flush()
}

fn result<T: Into<Value>>(work: impl FnOnce() -> Result<T, ParseError>) -> Value {
    let start = processor_time();
    let res = work();
    let seconds = processor_time() - start;
    match res {
        Ok(value) => json!({"ok": value.into(), "seconds": seconds}),
        Err(error) => json!({"error": error.to_string(), "seconds": seconds}),
    }
}

/// The processor time of this thread, in seconds.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default().as_secs_f64()
}

fn ir(text: &str) -> Result<Value, ParseError> {
    let outline = outline_marimo(text)?;
    let cells = outline.cells.into_iter().map(|cell| {
        let names = cell.names.map(|it| {
            json!({
                "defs": it.defs,
                "refs": it.refs,
                "temporaries": it.temporaries,
                "deleted_refs": it.deleted_refs,
                "is_async": it.is_async,
                "is_sql": it.is_sql,
            })
        });
        json!({
            "kind": cell.kind,
            "name": cell.name,
            "code": cell.code,
            "options": cell.options,
            "names": names,
        })
    });
    let violations = outline.violations.iter().map(|it| json!([it.kind.code(), it.line]));
    Ok(json!({
        "header": outline.header,
        "app": outline.app,
        "cells": cells.collect::<Value>(),
        "violations": violations.collect::<Value>(),
    }))
}
