//! Keeps notebooks trusted that Jupyter trusts.
//!
//! Jupyter shows JavaScript and HTML in outputs only if the user has run or trusted the
//! notebook. It knows that by a signature over the whole content, kept in a database of
//! the user's (`nbformat: sign`, 5.11). Any edit makes the signature invalid. So when a
//! notebook was trusted and an edit changed none of its outputs, the new text is signed as well.
//!
//! **Invariant:** nothing is signed that shows more than what was signed before. A
//! signature is made only with the user's own key, which is never made or changed.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde_json::{Map, Value};
use sha2::Sha256;

/// How long to wait for Jupyter, which may be writing to its database.
const PATIENCE: Duration = Duration::from_millis(500);

/// What of a notebook's metadata an edit may change.
const HARMLESS: [&str; 4] = ["jupytext", "kernelspec", "language_info", "marimo"];

/// Signs in the name of the user.
#[derive(Debug, Clone)]
pub(crate) struct Notary {
    database: Utf8PathBuf,
    secret: Utf8PathBuf,
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// The database can't be used.
    #[error("cannot use Jupyter's signatures in `{path}`")]
    Database {
        /// The file.
        path: Utf8PathBuf,
        /// What `SQLite` said.
        source: rusqlite::Error,
    },
    /// The key can't be read.
    #[error("cannot read Jupyter's key `{path}`")]
    Key {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Notary {
    /// Uses the key and the database in Jupyter's data folder.
    pub(crate) fn new(data: &Utf8Path) -> Self {
        Self { database: data.join("nbsignatures.db"), secret: data.join("notebook_secret") }
    }

    /// Signs a new text if the old one was trusted, and nothing that is shown has changed
    /// but for source. Returns whether it is signed.
    pub(crate) fn keep(&self, old: &str, new: &str) -> Result<bool, TrustError> {
        if !self.database.is_file() || !self.secret.is_file() {
            return Ok(false);
        }
        let (Some(old), Some(new)) = (read(old), read(new)) else { return Ok(false) };
        if !shows_no_more(&new, &old) {
            return Ok(false);
        }
        let secret = fs::read(&self.secret)
            .map_err(|source| TrustError::Key { path: self.secret.clone(), source })?;
        let (Some(old), Some(new)) = (sign(&old, &secret), sign(&new, &secret)) else {
            return Ok(false);
        };
        self.store(&old, &new)
            .map_err(|source| TrustError::Database { path: self.database.clone(), source })
    }

    fn store(&self, old: &str, new: &str) -> Result<bool, rusqlite::Error> {
        // Never makes a database.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let database = Connection::open_with_flags(&self.database, flags)?;
        database.busy_timeout(PATIENCE)?;
        let is_known = |signature: &str| {
            let query = "SELECT id FROM nbsignatures WHERE algorithm = 'sha256' AND signature = ?1";
            database.query_row(query, [signature], |_| Ok(())).optional()
        };
        if is_known(old)?.is_none() {
            return Ok(false);
        }
        if is_known(new)?.is_none() {
            let insert = "INSERT INTO nbsignatures (algorithm, signature, last_seen) VALUES \
                          ('sha256', ?1, strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000+00:00')";
            database.execute(insert, [new])?;
        }
        Ok(true)
    }
}

/// Reads a notebook as nbformat has it in memory, `None` if nbformat would change it while it
/// reads, or reads something else than serde.
fn read(text: &str) -> Option<Value> {
    let mut notebook: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    if notebook.get("nbformat")?.as_u64()? != 4 {
        return None;
    }
    let has_ids = 5 <= notebook.get("nbformat_minor")?.as_u64()?;
    let metadata = notebook.get_mut("metadata")?.as_object_mut()?;
    for key in ["orig_nbformat", "orig_nbformat_minor", "signature"] {
        metadata.shift_remove(key);
    }
    let mut ids = std::collections::BTreeSet::new();
    for cell in notebook.get_mut("cells")?.as_array_mut()? {
        let cell = cell.as_object_mut()?;
        // nbformat would give it an id of its own.
        if has_ids && !ids.insert(cell.get("id")?.as_str()?.to_owned()) {
            return None;
        }
        cell.get_mut("metadata")?.as_object_mut()?.shift_remove("trusted");
        if let Some(source) = cell.get_mut("source") {
            join(source);
        }
        if let Some(Value::Object(attachments)) = cell.get_mut("attachments") {
            attachments.values_mut().filter_map(Value::as_object_mut).for_each(join_bundle);
        }
        if cell.get("cell_type")?.as_str()? == "code"
            && let Some(Value::Array(outputs)) = cell.get_mut("outputs")
        {
            outputs.iter_mut().filter_map(Value::as_object_mut).for_each(join_output);
        }
    }
    Some(notebook)
}

fn join_output(output: &mut Map<String, Value>) {
    match output.get("output_type").and_then(Value::as_str) {
        Some("execute_result" | "display_data") => {
            if let Some(Value::Object(data)) = output.get_mut("data") {
                join_bundle(data);
            }
        }
        Some(_) => {
            if let Some(text) = output.get_mut("text") {
                join(text);
            }
        }
        None => {}
    }
}

/// Joins the texts of a bundle, but for what is JSON.
fn join_bundle(data: &mut Map<String, Value>) {
    for (mime, value) in data {
        let is_json = mime == "application/json"
            || (mime.starts_with("application/") && mime.ends_with("+json"));
        if !is_json {
            join(value);
        }
    }
}

/// Makes one text of a list of lines.
fn join(value: &mut Value) {
    let Value::Array(lines) = value else { return };
    if let Some(lines) = lines.iter().map(Value::as_str).collect::<Option<Vec<_>>>() {
        *value = Value::String(lines.concat());
    }
}

/// Whether a notebook shows nothing that the other one doesn't, but for source.
fn shows_no_more(new: &Value, old: &Value) -> bool {
    let mut left: Vec<&Value> = outputs(old).collect();
    let has_old_outputs = outputs(new).all(|output| {
        let at = left.iter().position(|it| *it == output);
        at.map(|at| left.swap_remove(at)).is_some()
    });
    let metadata = |notebook: &Value| {
        let mut metadata = notebook.get("metadata").cloned().unwrap_or_default();
        if let Value::Object(metadata) = &mut metadata {
            metadata.retain(|key, _| !HARMLESS.contains(&key.as_str()));
        }
        metadata
    };
    has_old_outputs && metadata(new) == metadata(old)
}

/// The outputs and attachments of all cells.
fn outputs(notebook: &Value) -> impl Iterator<Item = &Value> {
    let cells = notebook.get("cells").and_then(Value::as_array).into_iter().flatten();
    cells.flat_map(|cell| {
        let outputs = cell.get("outputs").and_then(Value::as_array).into_iter().flatten();
        outputs.chain(cell.get("attachments"))
    })
}

/// Returns nbformat's signature, `None` for what Python would write in a way that isn't
/// known.
fn sign(notebook: &Value, secret: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    // A list of what is left to do rather than recursion: the depth is up to the file.
    let mut left = vec![Part::Value(notebook)];
    while let Some(part) = left.pop() {
        match part {
            Part::Key(key) => mac.update(key.as_bytes()),
            Part::Value(Value::Object(map)) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_unstable_by(|a, b| b.0.cmp(a.0));
                for (key, value) in entries {
                    left.push(Part::Value(value));
                    left.push(Part::Key(key));
                }
            }
            Part::Value(Value::Array(items)) => left.extend(items.iter().rev().map(Part::Value)),
            Part::Value(Value::String(text)) => mac.update(text.as_bytes()),
            Part::Value(Value::Null) => mac.update(b"None"),
            Part::Value(Value::Bool(true)) => mac.update(b"True"),
            Part::Value(Value::Bool(false)) => mac.update(b"False"),
            Part::Value(Value::Number(number)) => {
                mac.update(python_number(&number.to_string())?.as_bytes());
            }
        }
    }
    let mut res = String::new();
    for byte in mac.finalize().into_bytes() {
        write!(res, "{byte:02x}").ok()?;
    }
    Some(res)
}

enum Part<'a> {
    Key(&'a str),
    Value(&'a Value),
}

/// Returns `str()` of what Python reads in a number.
fn python_number(text: &str) -> Option<String> {
    if !text.contains(['.', 'e', 'E']) {
        return Some(if text == "-0" { "0".to_owned() } else { text.to_owned() });
    }
    let value: f64 = text.parse().ok()?;
    if !value.is_finite() {
        return None;
    }
    // The shortest digits that read back, as in Python; only the exponent is written otherwise.
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    if (-4..16).contains(&exponent) {
        let plain = value.to_string();
        return Some(if plain.contains('.') { plain } else { plain + ".0" });
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    Some(format!("{digits}e{sign}{:02}", exponent.abs()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // The expected texts are those of Python's `str(json.loads(...))`.
    #[test]
    fn numbers_are_those_of_python() {
        for (text, expected) in [
            ("1", "1"),
            ("-0", "0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.0", "1.0"),
            ("1e5", "100000.0"),
            ("-0.0", "-0.0"),
            ("1E16", "1e+16"),
            ("123456789012345680.0", "1.2345678901234568e+17"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1.5e-10", "1.5e-10"),
            ("1e22", "1e+22"),
            ("5e-324", "5e-324"),
            ("3.14", "3.14"),
        ] {
            assert_eq!(python_number(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(python_number("1e999"), None);
    }

    fn notebook(source: &str, output: &str) -> String {
        json!({
            "cells": [{
                "cell_type": "code",
                "execution_count": 1,
                "id": "a",
                "metadata": {"trusted": true},
                "outputs": [{"name": "stdout", "output_type": "stream", "text": [output, "é"]}],
                "source": [source, "2"],
            }],
            "metadata": {"signature": "x", "float": 1e20},
            "nbformat": 4,
            "nbformat_minor": 5,
        })
        .to_string()
    }

    // As `NotebookNotary.compute_signature` of nbformat 5.11.1 gives it, for the key `key`.
    #[test]
    fn signature_is_that_of_nbformat() {
        let notebook = read(&notebook("x = 1\n", "<b>1</b>\n")).unwrap();
        let expected = "15ff9605c14cdc84c608cc8bdaa90ecf3359658a9c53058d5c2fa3735451a661";
        assert_eq!(sign(&notebook, b"key").as_deref(), Some(expected));
    }

    #[test]
    fn only_what_shows_no_more_is_signed() {
        let parse = |source, output| read(&notebook(source, output)).unwrap();
        let old = parse("x = 1\n", "1");
        assert!(shows_no_more(&parse("x = 2\n", "1"), &old));
        assert!(!shows_no_more(&parse("x = 1\n", "<script>"), &old));
        let mut new = old.clone();
        new["cells"] = json!([]);
        assert!(shows_no_more(&new, &old));
        assert!(!shows_no_more(&old, &new));
        let mut new = old.clone();
        new["metadata"]["widgets"] = json!({"state": 1});
        assert!(!shows_no_more(&new, &old));
        let mut new = old.clone();
        new["metadata"]["kernelspec"] = json!({"name": "python3"});
        assert!(shows_no_more(&new, &old));
    }

    #[test]
    fn without_a_key_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let notary = Notary::new(Utf8Path::from_path(folder.path()).unwrap());
        let text = notebook("x = 1\n", "1");
        assert!(!notary.keep(&text, &text).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
