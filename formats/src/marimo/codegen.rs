//! The text of cells (`marimo 0.25.2 codegen`).

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::content::is_blank;
use super::dedent::quoted_lines;
use super::entry::Entry;
use super::extract::Reading;
use super::layout::Role;
use super::toplevel::{Form, Status, Toplevel};
use super::{markdown, options, view};
use crate::lines::{trim, trim_end};
use crate::python;
use crate::python::scope::{self, Analysis, VariableKind};

const INDENT: &str = "    ";

/// The length from which on a line is wrapped, in characters.
const MAX_LINE_LENGTH: usize = 80;

/// The text of one cell.
#[derive(Debug)]
pub(super) struct Printed {
    /// Which cell it is.
    pub(super) idx: usize,
    /// In which form it is written.
    pub(super) role: Role,
    /// The text.
    pub(super) text: String,
    /// The name that it has in the text.
    pub(super) name: String,
    /// The code that is in it.
    pub(super) code: String,
}

/// Writes cells, the setup cell first. One that is empty has no text.
pub(super) fn print(entries: &[Entry], reading: Reading) -> Vec<Printed> {
    let printer = Printer { reading };
    let setup = entries.iter().position(|it| it.name == "setup").filter(|idx| {
        let code = &entries[*idx].code;
        // marimo doesn't write an empty one at all.
        code.analysis().is_some() && (reading == Reading::Exact || !is_blank(code.text()))
    });
    let mut res = Vec::with_capacity(entries.len());
    if let Some(idx) = setup
        && let Some(analysis) = entries[idx].code.analysis()
    {
        let entry = &entries[idx];
        let code = printer.compiled(entry);
        if !is_blank(&code) {
            let text = printer.setup(&code, &entry.options, analysis.is_async);
            res.push(Printed { idx, role: Role::Setup, text, name: "setup".to_owned(), code });
        }
    }
    let rest: Vec<usize> = (0..entries.len()).filter(|idx| Some(*idx) != setup).collect();
    let analyses: Vec<Option<Cow<'_, Analysis>>> =
        rest.iter().enumerate().map(|(at, idx)| entries[*idx].code.analysis_at(at)).collect();
    let names = rest.iter().map(|idx| entries[*idx].name.as_str());
    let cells = names.zip(analyses.iter().map(Option::as_deref));
    let mut toplevel = Toplevel::new(cells, setup.and_then(|idx| entries[idx].code.analysis()));
    if reading == Reading::Kept {
        toplevel.used.extend(entries.iter().flat_map(Entry::sql_refs));
    }
    for (status, idx) in toplevel.statuses.iter().zip(rest) {
        let (role, text, code) = printer.cell(&entries[idx], status, &toplevel);
        res.push(Printed { idx, role, text, name: status.name.to_owned(), code });
    }
    res
}

struct Printer {
    reading: Reading,
}

impl Printer {
    fn setup(&self, code: &str, options: &Map<String, Value>, is_async: bool) -> String {
        let prefix = if is_async { "async " } else { "" };
        let arguments = match options.get("hide_code") {
            None => "",
            Some(_) => "(hide_code=True)",
        };
        let is_comment = |line: &str| is_blank(line) || trim(line).starts_with('#');
        let mut body = self.indent(code);
        if crate::lines::split_lines(code).into_iter().all(is_comment) {
            body.push_str("\n    pass");
        } else if self.reading == Reading::Kept && code.ends_with("\npass") {
            // The last one is taken for a filler when the text is read.
            body.push_str("\n    pass");
        }
        format!("{prefix}with app.setup{arguments}:\n{body}")
    }

    fn cell(
        &self,
        entry: &Entry,
        status: &Status<'_>,
        toplevel: &Toplevel<'_>,
    ) -> (Role, String, String) {
        let Some(analysis) = status.analysis else {
            return self.unparsable(entry, status.name);
        };
        let code = self.compiled(entry);
        let (role, text, code) = if status.form == Form::Toplevel {
            let code = trim(&code).to_owned();
            let (role, kind) = match definition_role(&code, analysis) {
                Role::Class => (Role::Class, "class_definition"),
                _ => (Role::Function, "function"),
            };
            let decorator = decorator(kind, &entry.options);
            (role, format!("{decorator}\n{code}"), code)
        } else {
            let call = match self.reading {
                Reading::Exact => analysis.shape.markdown.as_ref(),
                // Others would be read with other text.
                Reading::Kept if view::of_markdown(entry).is_some() => entry.code.markdown_call(),
                Reading::Kept => None,
            };
            let code = call.and_then(|call| markdown::reprint(&code, call)).unwrap_or(code);
            let text = self.function(entry, &code, analysis, status.name, toplevel);
            (Role::Cell, text, code)
        };
        if is_suspicious(status.name, &entry.options, &code) && python::parse_module(&text).is_err()
        {
            return self.unparsable(entry, status.name);
        }
        (role, text, code)
    }

    fn function(
        &self,
        entry: &Entry,
        code: &str,
        analysis: &Analysis,
        name: &str,
        toplevel: &Toplevel<'_>,
    ) -> String {
        let is_allowed = |it: &str| toplevel.allowed.contains(it) || analysis.defs.contains(it);
        let mut refs: BTreeSet<&str> = analysis.refs.iter().map(String::as_str).collect();
        if self.reading == Reading::Kept {
            refs.extend(entry.sql_refs());
        }
        let args = refs.into_iter().filter(|it| !is_allowed(it)).map(|name| {
            let Some(annotation) = toplevel.annotations.get(name) else {
                return name.to_owned();
            };
            if annotation.refs.iter().all(|it| is_allowed(it)) {
                format!("{name}: {}", annotation.text)
            } else {
                format!("{name}: \"{}\"", escape_quotes(&annotation.text))
            }
        });
        let args: Vec<String> = args.collect();
        let returned = analysis.defs.iter().filter(|it| toplevel.used.contains(it.as_str()));
        let returned: Vec<String> = returned.cloned().collect();
        let returns = if returned.is_empty() {
            format!("{INDENT}return")
        } else {
            let naked = match returned.as_slice() {
                [name] => format!("{INDENT}return ({name},)"),
                names => format!("{INDENT}return {}", names.join(", ")),
            };
            if naked.chars().count() < MAX_LINE_LENGTH {
                naked
            } else {
                let prefix = format!("{INDENT}return ");
                wrap(&prefix, &returned, "", INDENT)
            }
        };
        let prefix = if analysis.is_async { "async " } else { "" };
        let mut res = decorator("cell", &entry.options);
        res.push('\n');
        res.push_str(&format(&format!("{prefix}def {name}"), &args, ":"));
        res.push('\n');
        if !code.is_empty() {
            res.push_str(&self.indent(code));
            res.push('\n');
        }
        let needs_blank = analysis.shape.last.is_some_and(|last| last.binds_name && last.ends_cell);
        // Reading takes one blank line for the one that stands before `return`.
        let keeps_blank = self.reading == Reading::Kept && code.ends_with('\n');
        if needs_blank || keeps_blank {
            res.push('\n');
        }
        res.push_str(&returns);
        res
    }

    fn unparsable(&self, entry: &Entry, name: &str) -> (Role, String, String) {
        let code = match self.reading {
            Reading::Exact => entry.code.text(),
            // What is stripped anyway would change how the rest is dedented.
            Reading::Kept => trim(entry.code.text()),
        };
        let string = if code.contains("\"\"\"") {
            let escaped = code.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"\"\"\n{escaped}\n\"\"\",")
        } else {
            format!("r\"\"\"\n{code}\n\"\"\",")
        };
        let mut arguments = if entry.options.is_empty() {
            Map::new()
        } else {
            options::all_of_cell(&entry.options)
        };
        arguments.insert("name".to_owned(), Value::String(name.to_owned()));
        let text = format!(
            "app._unparsable_cell(\n{}\n{INDENT}{}\n)",
            self.indent_all(&string),
            options::quoted(&arguments).join(", ")
        );
        (Role::Unparsable, text, trim(code).to_owned())
    }

    /// Returns the code that stands in the file.
    ///
    /// marimo replaces no-break spaces everywhere; here they stay where Python
    /// allows them, which is in strings and comments.
    fn compiled(&self, entry: &Entry) -> String {
        let code = entry.code.text();
        if !code.contains('\u{a0}')
            || (self.reading == Reading::Kept && python::parse_module(code).is_ok())
        {
            return code.to_owned();
        }
        scope::normalize(code).into_owned()
    }

    /// Indents code.
    ///
    /// marimo leaves blank lines alone, which cuts blanks out of strings when
    /// the text is read, and also indents behind form feeds and the like, which
    /// puts blanks into strings. Both would change the code.
    fn indent(&self, code: &str) -> String {
        if self.reading == Reading::Exact {
            return self.indent_all(code);
        }
        let lines: Vec<&str> = code.split('\n').collect();
        let has_blanks = lines.iter().any(|line| !line.is_empty() && is_blank(line));
        let quoted = if has_blanks { quoted_lines(&lines) } else { None };
        let mut res = String::with_capacity(code.len() + INDENT.len() * lines.len());
        for (idx, line) in lines.iter().enumerate() {
            if 0 < idx {
                res.push('\n');
            }
            let is_quoted = quoted.as_ref().is_some_and(|quoted| quoted[idx]);
            if !is_blank(line) || (is_quoted && !line.is_empty()) {
                res.push_str(INDENT);
            }
            res.push_str(line);
        }
        res
    }

    /// Indents all lines that aren't blank: as Python's `textwrap.indent` if
    /// marimo is to be followed to the letter.
    fn indent_all(&self, code: &str) -> String {
        let mut res = String::with_capacity(code.len() + code.len() / 4);
        let mut push = |line: &str| {
            if !is_blank(line) {
                res.push_str(INDENT);
            }
            res.push_str(line);
        };
        match self.reading {
            Reading::Kept => code.split_inclusive('\n').for_each(&mut push),
            Reading::Exact => crate::lines::line_spans(code)
                .into_iter()
                .for_each(|line| push(&code[line.start..line.next])),
        }
        res
    }
}

fn definition_role(code: &str, analysis: &Analysis) -> Role {
    let variable = analysis
        .shape
        .only_definition
        .as_ref()
        .and_then(|name| analysis.variables.get(name)?.first());
    match variable.map(|it| it.kind) {
        Some(VariableKind::Class) => Role::Class,
        None if code.starts_with("class ") => Role::Class,
        _ => Role::Function,
    }
}

fn decorator(kind: &str, options: &Map<String, Value>) -> String {
    let options = options::bare(options);
    if options.is_empty() {
        format!("@app.{kind}")
    } else {
        format(&format!("@app.{kind}"), &options, "")
    }
}

/// Writes `app = marimo.App(...)`.
pub(super) fn app(alias: &str, config: &Map<String, Value>) -> String {
    format(&format!("app = {alias}.App"), &options::quoted(config), "")
}

/// Writes a list in parentheses, in one line if it is short.
fn format(prefix: &str, items: &[String], suffix: &str) -> String {
    let line = format!("{prefix}({}){suffix}", items.join(", "));
    if items.is_empty() || line.chars().count() < MAX_LINE_LENGTH {
        return line;
    }
    wrap(prefix, items, suffix, "")
}

fn wrap(prefix: &str, items: &[String], suffix: &str, indent: &str) -> String {
    let mut res = format!("{prefix}(\n");
    for item in items {
        res.push_str(indent);
        res.push_str(INDENT);
        res.push_str(item.trim_matches(','));
        res.push_str(",\n");
    }
    res.push_str(indent);
    res.push(')');
    res.push_str(suffix);
    res
}

/// Escapes quotes that aren't yet.
fn escape_quotes(text: &str) -> String {
    let mut res = String::with_capacity(text.len());
    let mut last = None;
    for char in text.chars() {
        if char == '"' && last != Some('\\') {
            res.push('\\');
        }
        res.push(char);
        last = Some(char);
    }
    res
}

/// Whether the text of a cell might not be valid Python although its code is.
fn is_suspicious(name: &str, options: &Map<String, Value>, code: &str) -> bool {
    const KEYWORDS: [&str; 35] = [
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class",
        "continue", "def", "del", "elif", "else", "except", "finally", "for", "from", "global",
        "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return",
        "try", "while", "with", "yield",
    ];
    let is_plain = |char: char| char.is_ascii_alphanumeric() || char == '_';
    !name.chars().all(is_plain)
        || name.starts_with(|char: char| char.is_ascii_digit())
        || KEYWORDS.contains(&name)
        || options.values().any(|value| !value.is_boolean() && !value.is_u64())
        || code.contains(['\t', '\u{b}', '\u{c}', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
        || code.contains(['\u{1c}', '\u{1d}', '\u{1e}'])
}

/// Writes a file.
pub(super) fn file(header: &str, version: &str, app: &str, cells: &[Printed]) -> String {
    let mut res = String::new();
    if !header.is_empty() {
        res.push_str(trim_end(header));
        res.push_str("\n\n");
    }
    for part in ["import marimo\n\n", version, "\n", app, "\n\n"] {
        res.push_str(part);
    }
    let (setup, rest) = match cells.split_first() {
        Some((first, rest)) if first.role == Role::Setup => (Some(first), rest),
        _ => (None, cells),
    };
    if let Some(setup) = setup {
        res.push_str(&setup.text);
        res.push_str("\n\n");
    }
    res.push('\n');
    let blocks: Vec<&str> = rest.iter().map(|it| it.text.as_str()).collect();
    res.push_str(&blocks.join("\n\n\n"));
    res.push_str("\n\n\nif __name__ == \"__main__\":\n    app.run()\n");
    res.trim_start().to_owned()
}
