//! The header of a script, and the PEP 723 block in it.

use serde_json::{Map, Value};

use crate::lines::trim_end;
use crate::script::{self, PLACEHOLDER};

const KEY: &str = "header";

/// Reads a header: the block, and the rest if there is any.
pub(super) fn read(header: &str) -> (Option<String>, Option<String>) {
    let header = trim_end(header);
    let Some(range) = script::find(header) else {
        return (None, (!header.is_empty()).then(|| header.to_owned()));
    };
    let block = header[range.clone()].to_owned();
    let rest = format!("{}{PLACEHOLDER}{}", &header[..range.start], &header[range.end..]);
    (Some(block), (crate::lines::trim(&rest) != PLACEHOLDER).then_some(rest))
}

/// Writes a header, empty if there is nothing to write.
pub(super) fn print(marimo: &Map<String, Value>, block: Option<&str>) -> String {
    let header = marimo.get(KEY).and_then(Value::as_str).map_or("", trim_end);
    let place = script::find(header);
    let res = match (place, block) {
        (Some(place), Some(block)) => {
            format!("{}{block}{}", &header[..place.start], &header[place.end..])
        }
        (Some(place), None) => {
            let before = trim_end(&header[..place.start]);
            let after = header[place.end..].trim_start_matches('\n');
            let gap = if before.is_empty() || after.is_empty() { "" } else { "\n\n" };
            format!("{before}{gap}{after}")
        }
        (None, Some(block)) if header.is_empty() => block.to_owned(),
        (None, Some(block)) => {
            // These have to come first: `#!`, and a comment that names an
            // encoding.
            let is_first = |line: &&str| {
                line.starts_with("#!") || (line.starts_with('#') && line.contains("coding"))
            };
            let n_first = header.split_inclusive('\n').take(2).take_while(is_first);
            let (first, rest) = header.split_at(n_first.map(str::len).sum());
            let rest = rest.trim_start_matches('\n');
            let gap = if first.is_empty() || first.ends_with('\n') { "" } else { "\n" };
            format!("{first}{gap}{block}\n\n{rest}")
        }
        (None, None) => header.to_owned(),
    };
    trim_end(&res).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "# /// script\n# dependencies = []\n# ///";

    fn marimo(header: &str) -> Map<String, Value> {
        [(KEY.to_owned(), Value::String(header.to_owned()))].into_iter().collect()
    }

    #[track_caller]
    fn check(text: &str, block: Option<&str>, header: Option<&str>) {
        let (read_block, read_header) = read(text);
        assert_eq!((read_block.as_deref(), read_header.as_deref()), (block, header));
        let marimo = header.map(marimo).unwrap_or_default();
        assert_eq!(print(&marimo, block), trim_end(text));
    }

    #[test]
    fn the_block_is_apart_from_the_rest() {
        check("", None, None);
        check("# a\n\n", None, Some("# a"));
        check(&format!("{BLOCK}\n\n"), Some(BLOCK), None);
        let place = format!("#!/bin/x\n{PLACEHOLDER}\n\n\"\"\"doc\"\"\"");
        check(&place.replace(PLACEHOLDER, BLOCK), Some(BLOCK), Some(&place));
    }

    #[test]
    fn a_block_is_put_below_what_has_to_be_first() {
        let header = marimo("#!/bin/x\n# coding: utf-8\n# a");
        let expected = format!("#!/bin/x\n# coding: utf-8\n{BLOCK}\n\n# a");
        assert_eq!(print(&header, Some(BLOCK)), expected);
        assert_eq!(print(&marimo("#!/bin/x"), Some(BLOCK)), format!("#!/bin/x\n{BLOCK}"));
        assert_eq!(print(&marimo("# a"), Some(BLOCK)), format!("{BLOCK}\n\n# a"));
    }

    #[test]
    fn a_block_that_is_gone_leaves_no_gap() {
        assert_eq!(print(&marimo(&format!("# a\n\n{PLACEHOLDER}\n\n# b")), None), "# a\n\n# b");
        assert_eq!(print(&marimo(&format!("{PLACEHOLDER}\n# b")), None), "# b");
    }
}
