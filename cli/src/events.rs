//! What `nbsync watch` prints.

mod text;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{Timestamp, Zoned};
use nbsync_daemon::report::Report;
use nbsync_daemon::run::Reporter;
use serde::Serialize;

use crate::arguments::{Global, LogFormat};
use crate::ui::{self, Priority, Progress};

pub(crate) use text::labels;

/// Prints reports, each on a line of its own.
///
/// Reports of several roots go through one printer, so that lines never mix.
#[derive(Debug)]
pub(crate) struct Printer {
    style: Style,
    quiet: bool,
    verbose: bool,
    columns: text::Columns,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Aligned, with the time of day.
    Text,
    /// With a priority, and without the time, which the journal adds.
    Journal,
    Json,
}

impl Printer {
    pub(crate) fn new(global: &Global) -> Self {
        let style = match global.log_format {
            LogFormat::Json => Style::Json,
            LogFormat::Text if ui::is_journal(io::stdout()) => Style::Journal,
            LogFormat::Text => Style::Text,
        };
        Self {
            style,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            columns: text::Columns::default(),
            progress: Progress::start(style == Style::Text && !global.quiet && ui::has_screen()),
        }
    }

    /// Returns a reporter for a root. Its notebooks are shown below `label`, if
    /// there are several roots.
    pub(crate) fn reporter(printer: &Arc<Mutex<Self>>, label: Option<String>) -> Reporter {
        let printer = Arc::clone(printer);
        let mut is_first_scan = true;
        Box::new(move |report| {
            if matches!(report, Report::Ready { .. }) {
                is_first_scan = false;
            }
            let mut printer = printer.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = printer.report(label.as_deref(), is_first_scan, report) {
                stop_writing(&error);
            }
        })
    }

    fn report(
        &mut self,
        label: Option<&str>,
        is_first_scan: bool,
        report: &Report,
    ) -> io::Result<()> {
        match report {
            Report::Progress { done, total } => {
                self.progress.update(*done, *total);
                return Ok(());
            }
            Report::Ready { .. } => self.progress.finish(),
            _ => {}
        }
        let line = match self.style {
            Style::Json => json(label, report)?,
            Style::Text | Style::Journal => {
                let Some((priority, line)) = self.columns.line(label, report, self.verbose) else {
                    return Ok(());
                };
                // Thousands of notebooks are paired in a first scan; the summary
                // at its end will do.
                let is_summed_up = is_first_scan
                    && !self.verbose
                    && matches!(report, Report::Paired { .. } | Report::State { .. })
                    && priority > Priority::Warning;
                if is_summed_up || (self.quiet && priority > Priority::Warning) {
                    return Ok(());
                }
                if self.style == Style::Journal {
                    // The journal shows an escape sequence as a blob.
                    format!("{priority}{}", anstream::adapter::strip_str(&line))
                } else {
                    let time = Zoned::now().strftime("%H:%M:%S");
                    format!("{}{time}{:#}  {line}", ui::QUIET, ui::QUIET)
                }
            }
        };
        self.progress.suspend(|| {
            let mut stdout = anstream::stdout().lock();
            writeln!(stdout, "{line}")?;
            stdout.flush()
        })
    }
}

#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339, in UTC.
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<&'a str>,
    #[serde(flatten)]
    report: &'a Report,
}

fn json(root: Option<&str>, report: &Report) -> io::Result<String> {
    let time = format!("{:.3}", Timestamp::now());
    Ok(serde_json::to_string(&Line { time, root, report })?)
}

/// Ends a daemon whose output nobody reads, the way a signal does: with the
/// write under way finished.
fn stop_writing(error: &io::Error) {
    if error.kind() != io::ErrorKind::BrokenPipe {
        tracing::warn!(%error, "cannot write to stdout");
        return;
    }
    terminate_self();
}

/// Asks all engines of this process to finish, as systemd would.
pub(crate) fn terminate_self() {
    let own = rustix::process::getpid();
    if let Err(error) = rustix::process::kill_process(own, rustix::process::Signal::TERM) {
        tracing::error!(%error, "cannot stop");
    }
}
