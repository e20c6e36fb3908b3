//! Cells as marimo has them, and as the model has them.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::dedent::{dedent, quoted_lines};
use super::entry::Entry;
use super::layout::Role;
use super::markdown;
use crate::languages::is_jupyter_language;
use crate::lines::{is_blank, trim_start};
use crate::magics::{self, Magics};
use crate::marimo_metadata::is_default;
use crate::python;
use crate::{Cell, CellKind};

/// The first line of a raw cell, which marimo has no form for.
const RAW: &str = "# Cell type: raw";

/// Options that only a markdown cell can have.
const MD_PREFIX: &str = "md_prefix";

/// Returns a cell as the model has it.
pub(super) fn cell(entry: &Entry, role: Role) -> Cell {
    let code = entry.code.text();
    let mut prefix = None;
    let mut res = match role {
        Role::Cell | Role::Unparsable => {
            if let Some((text, md_prefix)) = of_markdown(entry) {
                prefix = md_prefix;
                Cell::new(CellKind::Markdown, text)
            } else if let Some(text) = raw_source(code) {
                Cell::new(CellKind::Raw, text)
            } else {
                Cell::new(CellKind::Code, uncomment(code))
            }
        }
        Role::Setup | Role::Function | Role::Class => Cell::new(CellKind::Code, uncomment(code)),
    };
    if !role.is_definition() {
        res.marimo.insert("name".to_owned(), Value::String(entry.name.clone()));
    }
    res.marimo.extend(entry.options.clone());
    if res.kind == CellKind::Markdown {
        res.marimo.entry("hide_code").or_insert(Value::Bool(false));
        if let Some(prefix) = prefix {
            res.marimo.insert(MD_PREFIX.to_owned(), Value::String(prefix.to_owned()));
        }
    }
    let kind = res.kind;
    res.marimo.retain(|key, value| !is_default(key, value, kind));
    res
}

/// Returns the text of a markdown cell, and its `md_prefix` if that isn't the
/// usual one.
pub(super) fn of_markdown(entry: &Entry) -> Option<(String, Option<&'static str>)> {
    markdown::of_code(entry.code.text(), || entry.code.markdown_call().cloned())
}

/// Returns a cell as marimo has it.
pub(super) fn entry(cell: &Cell) -> Entry {
    let mut options = cell.marimo.clone();
    if cell.kind == CellKind::Markdown {
        options.entry("hide_code").or_insert(Value::Bool(true));
    }
    let name = options.get("name").and_then(Value::as_str).unwrap_or("_");
    // Only code can be set up.
    let is_misnamed = name == "setup" && cell.kind != CellKind::Code;
    let name = if is_misnamed { "_" } else { name }.to_owned();
    Entry::new(code(cell), &name, &options)
}

fn code(cell: &Cell) -> String {
    let source = cell.source.replace("\r\n", "\n").replace('\r', "\n");
    match cell.kind {
        CellKind::Markdown => {
            let prefix = cell.marimo.get(MD_PREFIX).and_then(Value::as_str);
            markdown::print(&cell.source, prefix)
        }
        CellKind::Raw => raw_code(&source),
        CellKind::Code => normalize(&comment(&source)),
    }
}

/// Returns code in a form that marimo keeps when it saves: without line breaks
/// at the end, blank lines that aren't empty and form feeds, and flush left.
fn normalize(code: &str) -> String {
    let mut code = code;
    while let Some(at) = code.rfind('\n').filter(|at| is_blank(&code[at + 1..])) {
        code = &code[..at];
    }
    if is_blank(code) {
        return String::new();
    }
    // Browsers send these for blanks, and marimo takes them as such.
    let has_spaces = code.contains('\u{a0}') && python::parse_module(code).is_err();
    let code =
        if has_spaces { Cow::Owned(code.replace('\u{a0}', " ")) } else { Cow::Borrowed(code) };
    let lines: Vec<&str> = code.split('\n').collect();
    let is_plain = |line: &&str| line.is_empty() || !(is_blank(line) || line.contains('\u{c}'));
    if lines.iter().all(is_plain) {
        return dedent(&code);
    }
    let quoted = quoted_lines(&lines).unwrap_or_else(|| vec![false; lines.len()]);
    let clean = |(line, quoted): (&&str, &bool)| {
        let indent = line.len() - trim_start(line).len();
        match line[..indent].rfind('\u{c}') {
            _ if *quoted => (*line).to_owned(),
            _ if is_blank(line) => String::new(),
            // Python forgets the indentation before a form feed.
            Some(at) => line[at + 1..].to_owned(),
            None => (*line).to_owned(),
        }
    };
    dedent(&lines.iter().zip(&quoted).map(clean).collect::<Vec<_>>().join("\n"))
}

/// Comments the magics of a cell.
fn comment(source: &str) -> String {
    if is_other_language(source) {
        return comment_all(source.split('\n'));
    }
    magics::comment(source, "python", Magics::Unambiguous)
}

/// Takes the comment off the magics of a cell.
fn uncomment(code: &str) -> String {
    if !code.contains('#') {
        return code.to_owned();
    }
    if let Some(source) = uncomment_all(code).filter(|source| is_other_language(source)) {
        return source;
    }
    magics::uncomment(code, "python", Magics::Unambiguous)
}

/// Whether a cell is in the language that its first line names.
fn is_other_language(source: &str) -> bool {
    let Some(magic) = source.strip_prefix("%%") else { return false };
    let name = magic.split([' ', '\t', '\n']).next().unwrap_or_default();
    is_jupyter_language(name)
}

fn raw_code(source: &str) -> String {
    match source {
        "" => RAW.to_owned(),
        _ => format!("{RAW}\n{}", comment_all(source.split('\n'))),
    }
}

fn raw_source(code: &str) -> Option<String> {
    let rest = code.strip_prefix(RAW)?;
    match rest.strip_prefix('\n') {
        Some(rest) => uncomment_all(rest),
        None => rest.is_empty().then(String::new),
    }
}

fn comment_all<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let comment = |line: &str| match line {
        "" => "#".to_owned(),
        line => format!("# {line}"),
    };
    lines.map(comment).collect::<Vec<_>>().join("\n")
}

fn uncomment_all(code: &str) -> Option<String> {
    let uncomment = |line: &'_ str| match line.strip_prefix('#')? {
        "" => Some(String::new()),
        rest => rest.strip_prefix(' ').map(str::to_owned),
    };
    code.split('\n').map(uncomment).collect::<Option<Vec<_>>>().map(|lines| lines.join("\n"))
}

/// What a cell is expected to look like after it was written.
pub(super) fn options_of(map: &Map<String, Value>, role: Role) -> Map<String, Value> {
    let mut res = map.clone();
    if role == Role::Setup {
        res.retain(|key, _| key == "hide_code");
    }
    res
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, code: &str) {
        let entry = entry(&Cell::new(CellKind::Code, source));
        assert_eq!(entry.code.text(), code, "{source:?}");
        assert_eq!(cell(&entry, Role::Cell).source, source, "{code:?}");
    }

    #[test]
    fn magics_are_comments() {
        check("%matplotlib inline\nx", "# %matplotlib inline\nx");
        check("x = !ls\n!pip install a \\\n  b", "# x = !ls\n# !pip install a \\\n#   b");
        check("if x:\n    y = %time z", "if x:\n    # y = %time z");
        check("# %time x", "# # %time x");
        check("?x", "# ?x");
    }

    #[test]
    fn prose_in_comments_is_no_magic() {
        check("# copy the data\nls\n# Why?\nx", "# copy the data\nls\n# Why?\nx");
    }

    #[test]
    fn cells_of_other_languages_are_comments() {
        check("%%bash\nls\n\n# x", "# %%bash\n# ls\n#\n# # x");
        check("%%time\nx", "# %%time\nx");
        check("# %%bash\n# ls", "# # %%bash\n# ls");
    }

    #[test]
    fn raw_cells_are_comments() {
        for source in ["", "a", "a\n\n  b", "\n"] {
            let raw = Cell::new(CellKind::Raw, source);
            assert_eq!(cell(&entry(&raw), Role::Cell), raw);
        }
        let code = "# Cell type: raw\n# a\nx";
        check(code, code);
    }

    #[test]
    fn defaults_depend_on_the_kind() {
        let markdown = Cell::new(CellKind::Markdown, "# A");
        let hidden = entry(&markdown);
        assert_eq!(hidden.options.get("hide_code"), Some(&Value::Bool(true)));
        assert_eq!(cell(&hidden, Role::Cell), markdown);
        let mut shown = markdown;
        shown.marimo.insert("hide_code".to_owned(), Value::Bool(false));
        assert!(entry(&shown).options.is_empty());
        assert_eq!(cell(&entry(&shown), Role::Cell), shown);
    }
}
