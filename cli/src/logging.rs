//! The diagnostic log, on stderr.

use std::fmt;
use std::io;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::arguments::{Global, LogFormat};
use crate::error::CliError;
use crate::ui;

/// The variable with directives of `tracing-subscriber`, such as
/// `nbsync_daemon=debug`.
const VARIABLE: &str = "NBSYNC_LOG";

/// Starts the log: warnings by default, more with every `-v`, only errors with
/// `-q`; [`VARIABLE`] overrides all of these.
pub(crate) fn start(global: &Global) -> Result<(), CliError> {
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    // Most commands start without the variable, and then need none of the
    // machinery for directives.
    match std::env::var(VARIABLE) {
        Ok(directives) if !directives.is_empty() => {
            let filter = EnvFilter::try_new(&directives).map_err(|error| {
                CliError::usage(format!("cannot read {VARIABLE}={directives}: {error}"))
                    .hint(format!("for example, {VARIABLE}=nbsync_daemon=debug"))
            })?;
            start_with(filter, global.log_format);
        }
        _ => start_with(level, global.log_format),
    }
    Ok(())
}

fn start_with(filter: impl Layer<Registry> + Send + Sync, log_format: LogFormat) {
    let registry = Registry::default().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match log_format {
        LogFormat::Json => registry.with(lines.json()).init(),
        LogFormat::Text if ui::is_journal(io::stderr()) => {
            registry.with(lines.with_ansi(false).event_format(ForJournal)).init();
        }
        LogFormat::Text => registry.with(lines.with_ansi(ui::is_coloured(&io::stderr()))).init(),
    }
}

/// Lines with a priority (`man sd-daemon`), and without the time, which the
/// journal knows.
struct ForJournal;

impl<S, N> FormatEvent<S, N> for ForJournal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => ui::Priority::Error,
            Level::WARN => ui::Priority::Warning,
            Level::INFO => ui::Priority::Info,
            Level::DEBUG | Level::TRACE => ui::Priority::Debug,
        };
        write!(writer, "{priority}")?;
        format().without_time().with_level(false).format_event(context, writer, event)
    }
}
