//! The lines of a header that is written or changed.

use serde_json::{Map, Value, json};

use super::document::set_marimo_filter;
use super::filter::Filter;
use super::header::is_rule;
use crate::languages::Script;
use crate::lines::{is_space, split_lines, trim};
use crate::{FormatName, marimo_metadata, yaml};

/// The version of jupytext whose output this is.
const JUPYTEXT_VERSION: &str = "1.19.6";

/// Where jupytext keeps the lines outside of `jupyter:` if they are no raw cell, below its
/// own options.
pub(super) const ROOT_METADATA: &str = "root_level_metadata";

/// Says which format a text is in, as jupytext does.
pub(super) fn text_representation(name: FormatName, extension: &str) -> Value {
    json!({
        "extension": extension,
        "format_name": name.as_str(),
        "format_version": "1.3",
        "jupytext_version": JUPYTEXT_VERSION,
    })
}

/// Returns what stands below `jupyter:` for a notebook.
pub(super) fn metadata(
    metadata: &Map<String, Value>,
    marimo: &Map<String, Value>,
    representation: Option<&Value>,
    script: &Script,
) -> Map<String, Value> {
    let mut metadata = metadata.clone();
    let marimo = marimo_metadata::for_notebook(marimo);
    let mut options = match metadata.shift_remove("jupytext") {
        Some(Value::Object(options)) => options,
        _ => Map::new(),
    };
    let kernel = metadata.get("kernelspec").and_then(|it| it.get("language"));
    let implied = kernel.and_then(Value::as_str).unwrap_or(script.language);
    if options.get("main_language").is_some_and(|language| language == implied) {
        options.shift_remove("main_language");
    }
    options.shift_remove("executable");
    options.shift_remove("encoding");
    if marimo.is_some() {
        set_marimo_filter(&mut options, true);
    }
    let filter = Filter::parse(options.get("notebook_metadata_filter"));
    if let Some(representation) = representation {
        options.insert("text_representation".to_owned(), representation.clone());
    }
    if !options.is_empty() {
        metadata.insert("jupytext".to_owned(), Value::Object(options));
    }
    if let Some(marimo) = marimo {
        metadata.insert("marimo".to_owned(), marimo);
    }
    filter.notebook(&metadata)
}

/// Returns the lines of a whole header, without comment prefixes.
pub(super) fn block(root: &[String], metadata: &Map<String, Value>) -> Vec<String> {
    let mut lines = root.to_vec();
    lines.extend(section(metadata));
    in_rules(lines)
}

/// Puts lines between `---`, if there are any.
pub(super) fn in_rules(mut lines: Vec<String>) -> Vec<String> {
    if !lines.is_empty() {
        lines.insert(0, "---".to_owned());
        lines.push("---".to_owned());
    }
    lines
}

/// Returns the same lines for entries outside of `jupyter:` that are metadata.
///
/// All of them are sorted, as jupytext does; `section` are the lines from `jupyter:` on.
pub(super) fn with_root_metadata(root: &Value, section: Vec<String>) -> Vec<String> {
    let part = |is_wanted: fn(&str) -> bool| {
        let entries = root.as_object().into_iter().flatten();
        let part: Map<String, Value> = entries
            .filter(|(key, _)| is_wanted(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let text = if part.is_empty() { String::new() } else { yaml::dump(&Value::Object(part)) };
        split_lines(&text).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut lines = part(|key| key < "jupyter");
    lines.extend(section);
    lines.extend(part(|key| "jupyter" < key));
    lines
}

/// Returns the entries outside of `jupyter:` that are metadata.
pub(super) fn root_metadata(metadata: &Map<String, Value>) -> Option<&Value> {
    metadata.get("jupytext")?.get(ROOT_METADATA)
}

/// Takes them out of the metadata.
pub(super) fn take_root_metadata(metadata: &mut Map<String, Value>) -> Option<Value> {
    metadata.get_mut("jupytext")?.as_object_mut()?.shift_remove(ROOT_METADATA)
}

/// Returns the lines of the section `jupyter:` after a change.
///
/// Only the entries that change are written anew; the lines of the others stay
/// as they are, comments and all.
pub(super) fn changed_section(
    lines: &[&str],
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) -> Vec<String> {
    let Some(mut section) = split_section(lines) else { return print_section(new) };
    let names: Vec<String> = section.entries.iter().map(|(name, _)| name.clone()).collect();
    if names.len() != old.len() || !names.iter().all(|name| old.contains_key(name)) {
        return print_section(new);
    }
    section.entries.retain(|(name, _)| new.contains_key(name));
    for (key, value) in new {
        if old.get(key) == Some(value) {
            continue;
        }
        let printed = print_section(&Map::from_iter([(key.clone(), value.clone())]));
        let printed = printed[1..]
            .iter()
            .map(|line| match line.strip_prefix("  ") {
                Some(line) => format!("{}{line}", section.indent),
                None => line.clone(),
            })
            .collect();
        if let Some((_, lines)) = section.entries.iter_mut().find(|(name, _)| name == key) {
            *lines = printed;
        } else {
            let at = section.entries.iter().position(|(name, _)| name > key);
            let at = at.unwrap_or(section.entries.len());
            section.entries.insert(at, (key.clone(), printed));
        }
    }
    if section.entries.is_empty() {
        return Vec::new();
    }
    let mut res = section.start;
    res.extend(section.entries.into_iter().flat_map(|(_, lines)| lines));
    res
}

/// Returns the lines between the rules of a raw cell that holds a YAML header.
pub(super) fn front_matter(source: &str) -> Option<Vec<String>> {
    let lines = split_lines(source.trim_matches(['\n', '\t', ' ']));
    let is_header = lines.len() >= 2 && is_rule(lines[0]) && is_rule(lines[lines.len() - 1]);
    is_header.then(|| lines[1..lines.len() - 1].iter().map(|&line| line.to_owned()).collect())
}

/// Comments a line.
pub(super) fn comment(line: &str, script: &Script) -> String {
    let mut res = script.comment.to_owned();
    for part in [line, script.comment_suffix].into_iter().filter(|part| !part.is_empty()) {
        res.push(' ');
        res.push_str(part);
    }
    res
}

/// Returns the lines from `jupyter:` on; none if there is no metadata.
pub(super) fn section(metadata: &Map<String, Value>) -> Vec<String> {
    if metadata.is_empty() { Vec::new() } else { print_section(metadata) }
}

fn print_section(metadata: &Map<String, Value>) -> Vec<String> {
    let text = yaml::dump(&json!({ "jupyter": metadata }));
    split_lines(&text).into_iter().map(str::to_owned).collect()
}

struct Section {
    indent: String,
    /// `jupyter:` and what stands before the first entry.
    start: Vec<String>,
    entries: Vec<(String, Vec<String>)>,
}

/// Splits the lines of the section, if each entry starts with a plain key.
fn split_section(lines: &[&str]) -> Option<Section> {
    let first = lines[1..].iter().find(|line| !is_ignored(line))?;
    let indent = &first[..first.len() - first.trim_start_matches(is_space).len()];
    let mut res = Section { indent: indent.to_owned(), start: Vec::new(), entries: Vec::new() };
    for (idx, line) in lines.iter().enumerate() {
        let rest = line.strip_prefix(indent).filter(|_| idx > 0);
        let is_entry = rest.is_some_and(|rest| {
            !is_ignored(rest) && !rest.starts_with(is_space) && !rest.starts_with("- ")
        });
        if let (true, Some(rest)) = (is_entry, rest) {
            let (name, value) = rest.split_once(':')?;
            let is_plain =
                name.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-.".contains(&it));
            if !is_plain || !(value.is_empty() || value.starts_with(is_space)) {
                return None;
            }
            res.entries.push((name.to_owned(), vec![(*line).to_owned()]));
        } else if idx > 0 && !is_ignored(line) && rest.is_none() {
            return None;
        } else if let Some((_, lines)) = res.entries.last_mut() {
            lines.push((*line).to_owned());
        } else {
            res.start.push((*line).to_owned());
        }
    }
    Some(res)
}

/// Whether a line is blank or a comment within YAML.
fn is_ignored(line: &str) -> bool {
    let line = trim(line);
    line.is_empty() || line.starts_with('#')
}
