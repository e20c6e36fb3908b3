//! What marimo remembers of a run, as outputs of a Jupyter notebook.
//!
//! marimo's editor writes it to `__marimo__/session/NAME.json` beside the script that it runs
//! (`marimo 0.25.2: _session/state/serialize`). The outputs are those that `marimo export ipynb
//! --include-outputs` writes (`_convert/ipynb/from_ir`).

mod outputs;
mod traceback;

use std::fmt;
use std::ops::Range;

use md5::{Digest as _, Md5};
use serde_json::Value;

use super::scan::Scanner;
use crate::{ParseError, ParseErrorKind};

/// The version of the file that is understood.
const VERSION: &str = "\"1\"";

/// What marimo remembers of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// The cells that ran, in the order of the notebook.
    pub cells: Vec<SessionCell>,
}

/// A cell that ran.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionCell {
    /// The code that ran.
    pub code: CodeHash,
    /// What it left, as nbformat's outputs.
    pub outputs: Vec<Value>,
}

/// How marimo names the code of a cell: by its MD5.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeHash([u8; 16]);

impl CodeHash {
    /// Names a code, `None` if there is nothing to run.
    pub fn of(code: &str) -> Option<Self> {
        (!code.is_empty()).then(|| Self(Md5::digest(code.as_bytes()).into()))
    }

    /// The bytes of the hash.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let digits: &[u8; 32] = text.as_bytes().try_into().ok()?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
        let mut res = [0; 16];
        for (byte, pair) in res.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(res))
    }
}

impl fmt::Debug for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads what marimo remembers of a run.
///
/// A cell that can't be understood (it has a `NaN`, or nests too deep) is left out: its outputs
/// stay what they are.
pub fn read_session(text: &str) -> Result<Session, ParseError> {
    let mut scanner = Scanner::new(text, 0);
    scanner.blank();
    let mut cells: Vec<Range<usize>> = Vec::new();
    let root = scanner.object(|scanner, key| {
        if key != "cells" || scanner.peek() != Some(b'[') {
            return scanner.skip();
        }
        let array = scanner.array(Scanner::skip)?;
        cells = array.items;
        Ok(array.span)
    })?;
    scanner.end()?;
    let version = root.get("version").map_or("none", |member| &text[member.value.clone()]);
    if version != VERSION {
        let what = format!("a session of marimo with version {version}");
        return Err(ParseError::new(ParseErrorKind::Unsupported(what)));
    }
    let cells = cells.into_iter().filter_map(|span| read_cell(text, span)).collect();
    Ok(Session { cells })
}

fn read_cell(text: &str, span: Range<usize>) -> Option<SessionCell> {
    let cell = Scanner::new(text, span.start).tree().ok()?;
    // Without it, the cell did not run.
    let code = CodeHash::parse(cell.get("code_hash")?.as_str()?)?;
    let list = |key: &str| cell.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    Some(SessionCell { code, outputs: outputs::convert(list("console"), list("outputs")) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(cells: &Value) -> Result<Session, ParseError> {
        read_session(&json!({"version": "1", "metadata": {}, "cells": cells}).to_string())
    }

    /// What a cell left.
    #[track_caller]
    fn left(console: &Value, outputs: &Value) -> Value {
        let code = "0".repeat(32);
        let cell = json!({"id": "a", "code_hash": code, "outputs": outputs, "console": console});
        let session = read(&json!([cell])).unwrap();
        Value::Array(session.cells.into_iter().next().unwrap().outputs)
    }

    fn data(mime: &str, data: &Value) -> Value {
        left(&json!([]), &json!([{"type": "data", "data": {mime: data}}]))
    }

    fn display(data: &Value) -> Value {
        json!([{"data": data, "metadata": {}, "output_type": "display_data"}])
    }

    #[test]
    fn code_is_named_by_its_md5() {
        let one = CodeHash::of("1 + 1").unwrap();
        assert_eq!(format!("{one:?}"), "def8a3471bce29990509c6451dec3b0c".to_owned());
        assert_eq!(CodeHash::parse("def8a3471bce29990509c6451dec3b0c"), Some(one));
        for text in
            ["", "4efd", "def8a3471bce29990509c6451dec3b0x", &"0".repeat(33), &"é".repeat(16)]
        {
            assert_eq!(CodeHash::parse(text), None, "{text}");
        }
        assert_eq!(CodeHash::of(""), None);
    }

    #[test]
    fn what_is_printed_becomes_streams() {
        let console = json!([
            {"type": "stream", "name": "stdout", "text": "one\ntwo\n", "mimetype": "text/plain"},
            {"type": "stream", "name": "stderr", "text": "\u{1b}(B\u{1b}[31mred", "mimetype": null},
            {"type": "stream", "name": "stdout", "text": "pass", "mimetype": "text/password"},
            {"type": "streamMedia", "name": "media", "data": "data:image/png;base64,QQ==",
             "mimetype": "image/png"},
        ]);
        assert_eq!(
            left(&console, &json!([])),
            json!([
                {"name": "stdout", "output_type": "stream", "text": ["one\n", "two\n"]},
                {"name": "stderr", "output_type": "stream", "text": ["\u{1b}[31mred"]},
                {"data": {"image/png": "QQ=="}, "metadata": {}, "output_type": "display_data"},
            ])
        );
    }

    #[test]
    fn data_becomes_what_jupyter_shows() {
        for (mime, given, expected) in [
            ("text/html", json!("<b>\n</b>"), json!({"text/html": ["<b>\n", "</b>"]})),
            ("image/png", json!("data:image/png;base64,QQ=="), json!({"image/png": "QQ=="})),
            (
                "image/svg+xml",
                json!("data:image/svg+xml;base64,PHN2Zy8+"),
                json!({"image/svg+xml": ["<svg/>"]}),
            ),
            // What is no Base64 stays.
            (
                "image/svg+xml",
                json!("data:image/svg+xml;base64,*"),
                json!({"image/svg+xml": ["data:image/svg+xml;base64,*"]}),
            ),
            ("application/json", json!("[1]\n2"), json!({"application/json": "[1]\n2"})),
            (
                "text/markdown",
                json!(
                    "a <marimo-tex class='x'>||(x||)</marimo-tex> <marimo-tex>||[y||]</marimo-tex> <marimo-tex>||(||(z||)||)</marimo-tex> <marimo-tex>"
                ),
                json!({"text/markdown": ["a $x$ $$y$$ $$z$$ <marimo-tex>"]}),
            ),
        ] {
            assert_eq!(data(mime, &given), display(&expected), "{mime}: {given}");
        }
        for nothing in [json!(""), json!([]), json!(null)] {
            assert_eq!(data("text/plain", &nothing), json!([]));
        }
    }

    #[test]
    fn bundles_lose_what_only_marimo_shows() {
        let bundle = json!({
            "text/html": "<marimo-plotly></marimo-plotly>",
            "text/plain": "a\nb",
            "application/json": {"b": 1},
            "__metadata__": {"image/png": {"width": 3}},
        });
        let expected = json!([{
            "data": {"application/json": {"b": 1}, "text/plain": ["a\n", "b"]},
            "metadata": {"image/png": {"width": 3}},
            "output_type": "display_data",
        }]);
        let mime = "application/vnd.marimo+mimebundle";
        assert_eq!(data(mime, &bundle), expected);
        assert_eq!(data(mime, &json!(bundle.to_string())), expected);
        assert_eq!(data(mime, &json!({"text/html": "<marimo-x>"})), json!([]));
        assert_eq!(data(mime, &json!("{")), json!([]));
        assert_eq!(
            data("text/html", &json!("<marimo-x>")),
            display(&json!({"text/html": ["<marimo-x>"]}))
        );
    }

    #[test]
    fn errors_have_the_name_of_the_exception() {
        let error = |text: &str, evalue: &str| {
            let console = json!([{"type": "stream", "name": "stderr", "text": text,
                "mimetype": "application/vnd.marimo+traceback"}]);
            let console = if text.is_empty() { json!([]) } else { console };
            let outputs = json!([
                {"type": "error", "ename": "exception", "evalue": evalue, "traceback": null}
            ]);
            left(&console, &outputs)[0].clone()
        };
        let html = "<span class=\"x\">Traceback</span>:\n  File <span>\"/tmp/marimo_1/__marimo__cell_Hbol_.py\"</span>, line 1\n\
            <span>    a &lt; &quot;b&#x27;&quot;</span>\n<span>json.decoder.JSONDecodeError</span>: bad:\n";
        let found = error(html, "bad: ");
        assert_eq!((&found["ename"], &found["evalue"]), (&json!("JSONDecodeError"), &json!("bad")));
        let lines = [
            "Traceback:",
            "  File \"\", line 1",
            "    a < \"b'\"",
            "json.decoder.JSONDecodeError: bad:",
        ];
        assert_eq!(found["traceback"], json!(lines));
        // Several lines, a note below, none at all.
        assert_eq!(error("E: x\nValueError: a\nb\nnote\n", "a\nb")["ename"], "ValueError");
        assert_eq!(error("x\nKeyboardInterrupt\n", "")["ename"], "KeyboardInterrupt");
        assert_eq!(error("x\n", "y")["ename"], "exception");
        let above = error("", "An ancestor raised an exception (KeyError): ");
        assert_eq!(above["ename"], "Ancestor raised");
        assert_eq!(above["evalue"], "An ancestor raised an exception (KeyError)");
        let other =
            json!([{"type": "error", "ename": "cycle", "evalue": "This:", "traceback": []}]);
        assert_eq!(
            left(&json!([]), &other),
            json!([{"ename": "cycle", "evalue": "This:", "output_type": "error", "traceback": []}])
        );
    }

    #[test]
    fn what_can_not_be_understood_is_left_out() {
        let hash = "1".repeat(32);
        let good = json!({"code_hash": hash, "outputs": [], "console": []}).to_string();
        let deep = format!(
            "{{\"code_hash\": \"{hash}\", \"outputs\": {}{}}}",
            "[".repeat(300),
            "]".repeat(300)
        );
        for bad in [
            "{}",
            "3",
            "{\"code_hash\": null}",
            "{\"code_hash\": \"x\"}",
            &deep,
            &format!("{{\"code_hash\": \"{hash}\", \"outputs\": [NaN]}}"),
        ] {
            let text = format!("{{\"version\": \"1\", \"cells\": [{bad}, {good}]}}");
            assert_eq!(read_session(&text).unwrap().cells.len(), 1, "{bad}");
        }
        let odd = json!([{"code_hash": hash, "outputs": 3, "console": [3, {"name": "stdout"}, {}, null]}]);
        assert_eq!(read(&odd).unwrap().cells[0].outputs, [] as [Value; 0]);
        for text in
            ["", "[]", "{", "{}", "{\"version\": \"2\", \"cells\": []}", &"[".repeat(100_000)]
        {
            assert!(read_session(text).is_err(), "{text}");
        }
    }
}
