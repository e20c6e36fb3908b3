//! Reads the settings of one file.
//!
//! From the parsed TOML by hand rather than through serde, so that every
//! mistake has its line, and an unknown key its nearest neighbour.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::FormatName;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, ConfigProblem};
use super::find::{Found, Place};
use super::settings::{History, Settings};
use super::{Layout, Patterns, Poll, units};
use crate::sync::outputs::Outputs;

/// All keys, for finding the nearest one. [`Reader::set`] is the other place
/// that knows them.
const KEYS: [&str; 17] = [
    "exclude",
    "formats",
    "gitignore",
    "history",
    "include",
    "jupytext",
    "layout",
    "marimo_outputs",
    "marimo_patience",
    "max_size",
    "outputs",
    "pairs",
    "patience",
    "poll",
    "poll_interval",
    "settle",
    "trust",
];

/// The keys of the table `history`.
const HISTORY_KEYS: [&str; 4] = ["max_age", "max_size", "max_versions", "min_versions"];

/// Whether a `pyproject.toml` has settings for nbsync.
pub(super) fn has_table(text: &str, path: &Utf8Path) -> Result<bool, ConfigError> {
    // Most have none, and somebody else's mistake in one of them is not ours.
    if !text.contains("nbsync") {
        return Ok(false);
    }
    let table = parse(text, path)?;
    Ok(tool_table(table.get_ref()).is_some())
}

/// Reads the settings of a file that was found.
pub(super) fn settings(found: &Found) -> Result<Settings, ConfigError> {
    let document = parse(&found.text, &found.path)?;
    let reader = Reader { found };
    let table = match found.place {
        Place::Top => document.get_ref(),
        Place::Tool => {
            let Some(value) = tool_table(document.get_ref()) else {
                return Ok(Settings::default());
            };
            value
                .get_ref()
                .as_table()
                .ok_or_else(|| reader.invalid(value, wrong("tool.nbsync", "a table")))?
        }
    };
    let mut settings = Settings::default();
    for (key, value) in table {
        reader.set(&mut settings, key, value)?;
    }
    Ok(settings)
}

fn parse<'a>(text: &'a str, path: &Utf8Path) -> Result<Spanned<DeTable<'a>>, ConfigError> {
    DeTable::parse(text).map_err(|error| ConfigError::Invalid {
        path: path.to_owned(),
        line: line(text, error.span().map_or(0, |span| span.start)),
        source: ConfigProblem::Syntax(error.message().to_owned()),
    })
}

fn tool_table<'a, 'i>(table: &'a DeTable<'i>) -> Option<&'a Spanned<DeValue<'i>>> {
    table.get("tool")?.get_ref().as_table()?.get("nbsync")
}

/// The line of an offset, counted from one.
fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

fn wrong(key: &'static str, expected: &'static str) -> ConfigProblem {
    ConfigProblem::WrongValue { key, expected }
}

/// Reads values, and knows where they stand.
struct Reader<'a> {
    found: &'a Found,
}

impl Reader<'_> {
    fn set(
        &self,
        settings: &mut Settings,
        key: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        match key.get_ref().as_ref() {
            "exclude" => settings.exclude = Some(self.patterns("exclude", value)?),
            "formats" => settings.formats = Some(self.formats(value)?),
            "gitignore" => settings.gitignore = Some(self.boolean("gitignore", value)?),
            "history" => self.history(&mut settings.history, value)?,
            "include" => settings.include = Some(self.patterns("include", value)?),
            "jupytext" => settings.jupytext = Some(self.boolean("jupytext", value)?),
            "layout" => settings.layout = Some(self.layout(value)?),
            "max_size" => settings.max_size = Some(self.max_size(value)?),
            "outputs" => settings.outputs = Some(self.outputs(value)?),
            "pairs" => settings.pairs = Some(self.pairs(value)?),
            "patience" => settings.patience = Some(self.short("patience", value)?),
            "poll" => settings.poll = Some(self.poll(value)?),
            "poll_interval" => settings.poll_interval = Some(self.poll_interval(value)?),
            "settle" => settings.settle = Some(self.short("settle", value)?),
            "marimo_outputs" => {
                settings.marimo_outputs = Some(self.boolean("marimo_outputs", value)?);
            }
            "marimo_patience" => {
                settings.marimo_patience = Some(self.short("marimo_patience", value)?);
            }
            "trust" => settings.trust = Some(self.boolean("trust", value)?),
            unknown => {
                let problem = ConfigProblem::UnknownKey {
                    key: unknown.to_owned(),
                    nearest: nearest(&KEYS, unknown),
                };
                return Err(self.invalid(key, problem));
            }
        }
        Ok(())
    }

    fn invalid<T>(&self, place: &Spanned<T>, source: ConfigProblem) -> ConfigError {
        ConfigError::Invalid {
            path: self.found.path.clone(),
            line: line(&self.found.text, place.span().start),
            source,
        }
    }

    /// Returns what a value was read as, or else says what would be right.
    fn expect<T>(
        &self,
        key: &'static str,
        expected: &'static str,
        place: &Spanned<DeValue<'_>>,
        value: Option<T>,
    ) -> Result<T, ConfigError> {
        value.ok_or_else(|| self.invalid(place, wrong(key, expected)))
    }

    fn boolean(
        &self,
        key: &'static str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<bool, ConfigError> {
        self.expect(key, "true or false", value, value.get_ref().as_bool())
    }

    fn layout(&self, value: &Spanned<DeValue<'_>>) -> Result<Layout, ConfigError> {
        let layout = match value.get_ref().as_str() {
            Some("workdir") => Some(Layout::Workdir),
            Some("sibling") => Some(Layout::Sibling),
            _ => None,
        };
        self.expect("layout", "\"workdir\" or \"sibling\"", value, layout)
    }

    fn poll(&self, value: &Spanned<DeValue<'_>>) -> Result<Poll, ConfigError> {
        let poll = match value.get_ref() {
            DeValue::Boolean(true) => Some(Poll::Always),
            DeValue::Boolean(false) => Some(Poll::Never),
            DeValue::String(text) if text == "auto" => Some(Poll::Auto),
            _ => None,
        };
        self.expect("poll", "true, false or \"auto\"", value, poll)
    }

    fn poll_interval(&self, value: &Spanned<DeValue<'_>>) -> Result<Duration, ConfigError> {
        // Below, polling a large tree would be all that the daemon does.
        let bounds = Duration::from_millis(100)..=Duration::from_hours(1);
        let interval = duration(value.get_ref()).filter(|it| bounds.contains(it));
        let expected = "a time like \"2s\", or milliseconds, between 100 ms and an hour";
        self.expect("poll_interval", expected, value, interval)
    }

    fn outputs(&self, value: &Spanned<DeValue<'_>>) -> Result<Outputs, ConfigError> {
        let outputs = match value.get_ref().as_str() {
            Some("keep") => Some(Outputs::Keep),
            Some("clear-edited") => Some(Outputs::ClearEdited),
            Some("strip") => Some(Outputs::Strip),
            _ => None,
        };
        self.expect("outputs", "\"keep\", \"clear-edited\" or \"strip\"", value, outputs)
    }

    fn short(
        &self,
        key: &'static str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Duration, ConfigError> {
        let short = duration(value.get_ref()).filter(|it| *it <= Duration::from_mins(1));
        let expected = "a time like \"30ms\", or milliseconds, of at most a minute";
        self.expect(key, expected, value, short)
    }

    fn history(
        &self,
        settings: &mut History,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        let table = value.get_ref().as_table();
        for (key, value) in self.expect("history", "a table", value, table)? {
            match key.get_ref().as_ref() {
                "max_age" => {
                    let age = duration(value.get_ref());
                    let expected = "a time like \"30d\", or milliseconds";
                    settings.max_age = Some(self.expect("max_age", expected, value, age)?);
                }
                "min_versions" => settings.min_versions = Some(self.number("min_versions", value)?),
                "max_versions" => settings.max_versions = Some(self.number("max_versions", value)?),
                "max_size" => settings.max_size = Some(self.max_size(value)?),
                unknown => {
                    let problem = ConfigProblem::UnknownKey {
                        key: format!("history.{unknown}"),
                        nearest: nearest(&HISTORY_KEYS, unknown),
                    };
                    return Err(self.invalid(key, problem));
                }
            }
        }
        Ok(())
    }

    fn number(
        &self,
        key: &'static str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<usize, ConfigError> {
        let number = integer(value.get_ref()).and_then(|it| usize::try_from(it).ok());
        self.expect(key, "a number, and more than nothing", value, number.filter(|it| *it > 0))
    }

    fn max_size(&self, value: &Spanned<DeValue<'_>>) -> Result<u64, ConfigError> {
        let size = match value.get_ref() {
            DeValue::String(text) => units::size(text),
            other => integer(other),
        };
        let expected = "a size like \"64MB\", or bytes, and more than nothing";
        self.expect("max_size", expected, value, size.filter(|it| *it > 0))
    }

    fn formats(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<FormatName>, ConfigError> {
        let mut res = Vec::new();
        for (name, place) in self.strings("formats", value)? {
            let format = name.parse::<FormatName>().map_err(|error| {
                self.invalid(place, ConfigProblem::UnknownFormat(error.to_string()))
            })?;
            if !res.contains(&format) {
                res.push(format);
            }
        }
        Ok(res)
    }

    /// Reads lists of paths, which are relative to the folder of the file.
    fn pairs(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<Vec<Utf8PathBuf>>, ConfigError> {
        let expected = "a list of lists of files, each with two or more";
        let lists = self.expect("pairs", expected, value, value.get_ref().as_array())?;
        let mut res = Vec::new();
        for list in lists {
            let paths = self.strings("pairs", list)?;
            let paths: Vec<_> = paths.iter().map(|(path, _)| self.found.base.join(path)).collect();
            res.push(self.expect(
                "pairs",
                expected,
                list,
                Some(paths).filter(|it| 2 <= it.len()),
            )?);
        }
        Ok(res)
    }

    fn patterns(
        &self,
        key: &'static str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Patterns, ConfigError> {
        let strings = self.strings(key, value)?;
        let texts = strings.iter().map(|&(text, _)| text.to_owned()).collect();
        Patterns::new(&self.found.base, texts).map_err(|bad| {
            let (pattern, place) = strings[bad.index];
            let pattern = pattern.to_owned();
            self.invalid(place, ConfigProblem::Pattern { key, pattern, reason: bad.reason })
        })
    }

    fn strings<'v>(
        &self,
        key: &'static str,
        value: &'v Spanned<DeValue<'_>>,
    ) -> Result<Vec<(&'v str, &'v Spanned<DeValue<'v>>)>, ConfigError> {
        let expected = "a list of strings";
        let items = self.expect(key, expected, value, value.get_ref().as_array())?;
        let mut res = Vec::new();
        for item in items {
            res.push((self.expect(key, expected, item, item.get_ref().as_str())?, item));
        }
        Ok(res)
    }
}

/// Reads a time with its unit, or a number of milliseconds.
fn duration(value: &DeValue<'_>) -> Option<Duration> {
    match value {
        DeValue::String(text) => units::duration(text),
        other => integer(other).map(Duration::from_millis),
    }
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// The key that is written almost like this one, if any.
fn nearest(keys: &[&'static str], unknown: &str) -> Option<&'static str> {
    let distance = |key: &&str| strsim::damerau_levenshtein(unknown, key);
    keys.iter().copied().min_by_key(distance).filter(|key| distance(key) <= key.len() / 3)
}
