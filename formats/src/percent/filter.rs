//! Which metadata a text shows (`jupytext: metadata_filter`).

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use super::options::is_key;

/// What jupytext shows of a notebook.
pub(super) const NOTEBOOK_KEYS: [&str; 5] =
    ["jupytext", "kernelspec", "kernel_info", "orphan", "tocdepth"];

/// What jupytext doesn't show of a cell.
const HIDDEN_CELL_KEYS: [&str; 11] = [
    "autoscroll",
    "collapsed",
    "scrolled",
    "trusted",
    "execution",
    "ExecuteTime",
    "skipline",
    "noskipline",
    "cell_marker",
    "lines_to_next_cell",
    "lines_to_end_of_cell_marker",
];

/// A user's filter: `tags,-all` and the like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filter {
    included: Vec<String>,
    excluded: Vec<String>,
    includes_all: bool,
    excludes_all: bool,
}

impl Filter {
    /// Reads a filter as it stands under `jupytext` in notebook metadata.
    pub(super) fn parse(value: Option<&Value>) -> Self {
        let mut res = Self::default();
        match value {
            Some(Value::Bool(true)) => res.includes_all = true,
            Some(Value::Bool(false)) => res.excludes_all = true,
            Some(Value::String(text)) => {
                for word in text.split(',').map(crate::lines::trim) {
                    match word.strip_prefix('-') {
                        Some(word) => res.exclude(crate::lines::trim(word)),
                        None => {
                            res.include(crate::lines::trim(word.strip_prefix('+').unwrap_or(word)));
                        }
                    }
                }
            }
            Some(Value::Object(map)) => {
                let words = |key| match map.get(key) {
                    Some(Value::String(word)) => vec![word.as_str()],
                    Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
                    _ => Vec::new(),
                };
                for word in words("additional") {
                    res.include(word);
                }
                for word in words("excluded") {
                    res.exclude(word);
                }
            }
            _ => {}
        }
        res
    }

    fn include(&mut self, word: &str) {
        match word {
            "" => {}
            "all" => self.includes_all = true,
            word => self.included.push(word.to_owned()),
        }
    }

    fn exclude(&mut self, word: &str) {
        match word {
            "" => {}
            "all" => self.excludes_all = true,
            word => self.excluded.push(word.to_owned()),
        }
    }

    /// Changes the filter so that these keys are shown.
    pub(super) fn show(&mut self, keys: &BTreeSet<&str>) {
        self.excluded.retain(|key| !keys.contains(key.as_str()));
        if !self.includes_all {
            let new = keys.iter().filter(|key| !self.included.iter().any(|it| it == *key));
            let new: Vec<String> = new.map(|key| (*key).to_owned()).collect();
            self.included.extend(new);
        }
    }

    /// Returns what is shown of a notebook's metadata.
    pub(super) fn notebook(&self, metadata: &Map<String, Value>) -> Map<String, Value> {
        if self.includes_all {
            return subset(metadata, None, &self.excluded);
        }
        if self.excludes_all {
            return subset(metadata, Some(&self.included), &[]);
        }
        let mut included = self.included.clone();
        included.extend(NOTEBOOK_KEYS.map(str::to_owned));
        subset(metadata, Some(&included), &self.excluded)
    }

    /// Returns what is shown of a cell's metadata.
    pub(super) fn cell(&self, metadata: &Map<String, Value>) -> Map<String, Value> {
        if self.includes_all {
            return subset(metadata, None, &self.excluded);
        }
        if self.excludes_all {
            return subset(metadata, Some(&self.included), &[]);
        }
        let mut excluded = self.excluded.clone();
        let hidden =
            HIDDEN_CELL_KEYS.iter().filter(|key| !self.included.iter().any(|it| it == *key));
        excluded.extend(hidden.map(|&key| key.to_owned()));
        let mut res = subset(metadata, None, &excluded);
        if res.get("tags").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            res.shift_remove("tags");
        }
        res
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |has_all: bool, words: &[String], sign: &str| {
            if has_all {
                return vec![format!("{sign}all")];
            }
            words.iter().map(|word| format!("{sign}{word}")).collect()
        };
        let mut words = all(self.includes_all, &self.included, "");
        words.extend(all(self.excludes_all, &self.excluded, "-"));
        f.write_str(&words.join(","))
    }
}

/// Picks keys; `a.b` stands for a key in a mapping.
fn subset(
    metadata: &Map<String, Value>,
    included: Option<&[String]>,
    excluded: &[String],
) -> Map<String, Value> {
    let mut res = Map::new();
    for (key, value) in metadata.iter().filter(|(key, _)| is_key(key)) {
        let Some(included) = included else {
            res.insert(key.clone(), value.clone());
            continue;
        };
        let inner = below(included, key);
        if let (false, Some(map)) = (inner.is_empty(), value.as_object()) {
            res.insert(key.clone(), Value::Object(subset(map, Some(&inner), &[])));
        } else if !inner.is_empty() && (value.is_string() || value.is_array()) {
            // To jupytext, these are mappings without keys.
            res.insert(key.clone(), Value::Object(Map::new()));
        } else if included.contains(key) {
            res.insert(key.clone(), value.clone());
        }
    }
    for key in excluded {
        res.shift_remove(key);
    }
    for (key, value) in &mut res {
        let inner = below(excluded, key);
        if let (false, Some(map)) = (inner.is_empty(), value.as_object()) {
            *value = Value::Object(subset(map, None, &inner));
        }
    }
    res
}

fn below(words: &[String], key: &str) -> Vec<String> {
    let inner = words.iter().filter_map(|word| word.strip_prefix(key)?.strip_prefix('.'));
    inner.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { unreachable!() };
        map
    }

    #[track_caller]
    fn check(filter: &str, expected: Value) {
        let metadata =
            json!({"jupytext": {"a": 1}, "kernelspec": {"name": "n", "x": 1}, "title": "t"});
        let filter = Filter::parse(Some(&json!(filter)));
        assert_eq!(filter.notebook(&map(metadata)), map(expected));
    }

    #[test]
    fn notebooks_show_what_is_listed() {
        check("", json!({"jupytext": {"a": 1}, "kernelspec": {"name": "n", "x": 1}}));
        check("title,-jupytext", json!({"kernelspec": {"name": "n", "x": 1}, "title": "t"}));
        check("-all", json!({}));
        check("title,-all", json!({"title": "t"}));
        check("all,-title", json!({"jupytext": {"a": 1}, "kernelspec": {"name": "n", "x": 1}}));
        check("kernelspec.name,-jupytext", json!({"kernelspec": {"name": "n"}}));
        check("-kernelspec.x", json!({"jupytext": {"a": 1}, "kernelspec": {"name": "n"}}));
    }

    #[test]
    fn cells_show_all_but_state() {
        let metadata = map(json!({"tags": [], "collapsed": true, "a": 1, "b c": 2}));
        assert_eq!(Filter::default().cell(&metadata), map(json!({"a": 1})));
        let filter = Filter::parse(Some(&json!("tags,-all")));
        assert_eq!(filter.cell(&metadata), map(json!({"tags": []})));
    }
}
