//! Colours, tables and escapes. The only module with styling.

mod progress;
mod table;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use crate::arguments::Color;
use crate::error::{CliError, Kind};

pub(crate) use progress::Progress;
pub(crate) use table::Table;

pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default().bold();
pub(crate) const ATTENTION: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const ADDED: Style = AnsiColor::Green.on_default();
pub(crate) const REMOVED: Style = AnsiColor::Red.on_default();
pub(crate) const QUIET: Style = Style::new().dimmed();
pub(crate) const PLAIN: Style = Style::new();

/// Sets what `--color` says, for both streams. `NO_COLOR` and `CLICOLOR_FORCE` are
/// anstream's business.
pub(crate) fn set_color(color: Color) {
    match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
    .write_global();
}

/// Whether a stream gets colours.
pub(crate) fn is_coloured(stream: &impl anstream::stream::RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// Writes to stdout, and flushes.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(stdout_error)
}

/// Writes data to stdout as it is.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(stdout_error)
}

/// Writes a JSON document to stdout.
pub(crate) fn print_json(document: &impl serde::Serialize) -> Result<(), CliError> {
    let mut text = serde_json::to_string_pretty(document).map_err(CliError::input)?;
    text.push('\n');
    print_bytes(text.as_bytes())
}

fn stdout_error(error: io::Error) -> CliError {
    let is_broken_pipe = error.kind() == io::ErrorKind::BrokenPipe;
    let mut error = CliError::io("cannot write to stdout", error);
    if is_broken_pipe {
        error.kind = Kind::BrokenPipe;
    }
    error
}

/// Writes a line with a coloured label to stderr.
pub(crate) fn labelled(label: &str, style: Style, text: &str) {
    let line = format!("{style}{label}:{style:#} {}\n", escape(text));
    // There's nobody left to tell.
    anstream::stderr().lock().write_all(line.as_bytes()).ok();
}

pub(crate) fn warn(text: &str) {
    labelled("warning", ATTENTION, text);
}

/// Makes a text safe for a terminal.
///
/// Names of files and what stands in them can hold control characters, which
/// terminals obey, and marks of direction, which make them show a name other
/// than it is.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    let is_unsafe = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(is_unsafe) {
        return text.into();
    }
    text.chars()
        .map(|c| if is_unsafe(c) { c.escape_default().to_string() } else { c.to_string() })
        .collect::<String>()
        .into()
}

/// `1 notebook`, `2 notebooks`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// How urgent a line is, as systemd's journal reads it from the line's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    Error,
    Warning,
    Notice,
    Info,
    Debug,
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "<3>",
            Self::Warning => "<4>",
            Self::Notice => "<5>",
            Self::Info => "<6>",
            Self::Debug => "<7>",
        })
    }
}

/// Whether a stream goes to systemd's journal.
///
/// `JOURNAL_STREAM` names the stream; that it is set says little, because every
/// terminal that a desktop started by systemd opens inherits it.
pub(crate) fn is_journal(stream: impl AsFd) -> bool {
    let Ok(variable) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(stream)
        .is_ok_and(|stat| format!("{}:{}", stat.st_dev, stat.st_ino) == variable)
}

/// Whether a progress bar can be seen.
pub(crate) fn has_screen() -> bool {
    io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(escape("plain näme"), "plain näme");
        assert_eq!(escape("a\x1b[2Jb\nc\u{9b}d"), "a\\u{1b}[2Jb\\nc\\u{9b}d");
        assert_eq!(escape("nb\u{202e}yp.a"), "nb\\u{202e}yp.a");
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!((count(1, "cell"), count(0, "cell")), ("1 cell".into(), "0 cells".into()));
    }
}
