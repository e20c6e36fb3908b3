//! Reports as lines for people.

use anstyle::Style;
use camino::{Utf8Path, Utf8PathBuf};
use nbsync_daemon::report::{Cause, DaemonState, Propagation, Report};

use crate::ui::{ATTENTION, ERROR, GOOD, PLAIN, Priority, count, escape};

/// Columns that grow with what was printed in them, because a stream can't be
/// aligned in hindsight.
#[derive(Debug, Default)]
pub(super) struct Columns {
    notebook: Column,
    route: Column,
    cells: Column,
}

#[derive(Debug, Default)]
struct Column {
    width: usize,
}

impl Column {
    /// One long name doesn't push everything after it to the right for good.
    const MAX_WIDTH: usize = 48;

    fn pad(&mut self, text: &str) -> String {
        let width = text.chars().count();
        self.width = self.width.max(width.min(Self::MAX_WIDTH));
        format!("{text}{:1$}", "", self.width.saturating_sub(width))
    }
}

impl Columns {
    /// The line of a report, and how urgent it is; `None` if it is not worth one.
    pub(super) fn line(
        &mut self,
        root: Option<&str>,
        report: &Report,
        verbose: bool,
    ) -> Option<(Priority, String)> {
        let name = |notebook: &Utf8Path| match root {
            Some(root) => escape(Utf8Path::new(root).join(notebook).as_str()).into_owned(),
            None => escape(notebook.as_str()).into_owned(),
        };
        let line = match report {
            Report::Progress { .. } => return None,
            Report::Scanning { root } => {
                return verbose
                    .then(|| (Priority::Info, format!("scanning {}", escape(root.as_str()))));
            }
            Report::Ready { root, notebooks, created, held, ms } => {
                (Priority::Notice, ready(root, *notebooks, *created, *held, *ms))
            }
            Report::Paired { notebook, to } => {
                let to = labels(to, notebook);
                (
                    Priority::Info,
                    self.about(&name(notebook), PLAIN, &format!("paired with {to}"), ""),
                )
            }
            Report::Propagated(propagation) => (
                Priority::Info,
                self.propagated(&name(&propagation.notebook), propagation, verbose),
            ),
            Report::Held { notebook, reason } => {
                (Priority::Warning, self.about(&name(notebook), ATTENTION, "held", reason))
            }
            Report::Resumed { notebook } => {
                (Priority::Notice, self.about(&name(notebook), GOOD, "goes on", ""))
            }
            Report::Conflict { notebook, reason } => {
                (Priority::Warning, self.about(&name(notebook), ERROR, "conflict", reason))
            }
            Report::Unpaired { notebook, reason } => {
                (Priority::Notice, self.about(&name(notebook), PLAIN, "unpaired", reason))
            }
            Report::Moved { notebook, from } => {
                let reason = format!("was `{from}`");
                (Priority::Notice, self.about(&name(notebook), PLAIN, "moved", &reason))
            }
            Report::State { state, reason } => state_line(*state, reason.as_deref()),
            Report::Error { notebook: Some(notebook), reason } => {
                (Priority::Error, self.about(&name(notebook), ERROR, "error", reason))
            }
            Report::Error { notebook: None, reason } => {
                (Priority::Error, styled(ERROR, "error", reason))
            }
            Report::Stopped => (Priority::Notice, "stopped".to_owned()),
        };
        Some(line)
    }

    fn about(&mut self, notebook: &str, style: Style, what: &str, reason: &str) -> String {
        format!("{}  {}", self.notebook.pad(notebook), styled(style, what, reason))
    }

    fn propagated(&mut self, notebook: &str, propagation: &Propagation, verbose: bool) -> String {
        let Propagation { notebook: source, cause, from, to, cells, changes, ms } = propagation;
        let from = match cause {
            Cause::Restore { .. } => "restored".to_owned(),
            Cause::Undo { .. } => "undone".to_owned(),
            Cause::Resolve { .. } => "resolved".to_owned(),
            Cause::Edit | Cause::Found | Cause::Kept { .. } => labels(from, source),
        };
        let route = format!("{from} -> {}", labels(to, source));
        let cells = if *cells == 0 { "metadata".to_owned() } else { count(*cells, "cell") };
        let mut line = format!(
            "{}  {}  {}  {ms} ms",
            self.notebook.pad(notebook),
            self.route.pad(&route),
            self.cells.pad(&cells),
        );
        if verbose {
            for change in changes {
                line.push_str("\n    ");
                line.push_str(&escape(change));
            }
        }
        line
    }
}

fn styled(style: Style, what: &str, reason: &str) -> String {
    match reason {
        "" => format!("{style}{}{style:#}", escape(what)),
        _ => format!("{style}{}:{style:#} {}", escape(what), escape(reason)),
    }
}

fn ready(root: &Utf8Path, notebooks: usize, created: usize, held: usize, ms: u64) -> String {
    let made =
        if created > 0 { format!(", made {}", count(created, "shadow")) } else { String::new() };
    let held = if held > 0 {
        format!(", {ATTENTION}{held} held{ATTENTION:#} (`nbsync status` says why)")
    } else {
        String::new()
    };
    let notebooks = count(notebooks, "notebook");
    let root = escape(root.as_str());
    format!("{GOOD}watching{GOOD:#} {notebooks} in {root}{made}{held}  {ms} ms")
}

fn state_line(state: DaemonState, reason: Option<&str>) -> (Priority, String) {
    let (priority, style, what) = match state {
        DaemonState::Watching => (Priority::Notice, GOOD, "watching"),
        DaemonState::Scanning => (Priority::Info, PLAIN, "scanning"),
        DaemonState::Paused => (Priority::Notice, ATTENTION, "paused"),
        DaemonState::Halted => (Priority::Error, ERROR, "halted"),
        DaemonState::Degraded => (Priority::Warning, ATTENTION, "degraded"),
    };
    (priority, styled(style, what, reason.unwrap_or_default()))
}

/// What to call a replica in a line that names its notebook anyway: what its
/// name adds to the notebook's.
///
/// `percent.py` for `__marimo__/nbsync/a.percent.py` of `a.ipynb`.
fn label(replica: &Utf8Path, notebook: &Utf8Path) -> String {
    let name = replica.file_name().unwrap_or(replica.as_str());
    let label = notebook
        .file_stem()
        .and_then(|stem| name.strip_prefix(stem)?.strip_prefix('.'))
        .filter(|label| !label.is_empty())
        .unwrap_or(name);
    escape(label).into_owned()
}

/// The [`label`]s of several replicas.
pub(crate) fn labels(replicas: &[Utf8PathBuf], notebook: &Utf8Path) -> String {
    replicas.iter().map(|replica| label(replica, notebook)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn line(report: &Report) -> String {
        let (_, line) = Columns::default().line(None, report, false).expect("a line");
        anstream::adapter::strip_str(&line).to_string()
    }

    #[test]
    fn a_propagation_names_what_the_replicas_add_to_the_notebook() {
        let propagation = Propagation {
            notebook: "sub/a.ipynb".into(),
            cause: Cause::Edit,
            from: vec!["sub/__marimo__/nbsync/a.percent.py".into()],
            to: vec!["sub/a.ipynb".into(), "sub/__marimo__/nbsync/a.marimo.py".into()],
            cells: 1,
            changes: Vec::new(),
            ms: 3,
        };
        assert_eq!(
            line(&Report::Propagated(propagation)),
            "sub/a.ipynb  percent.py -> ipynb, marimo.py  1 cell  3 ms"
        );
    }

    #[test]
    fn names_and_reasons_cannot_drive_the_terminal() {
        let report =
            Report::Held { notebook: "a\x1b[2J.ipynb".into(), reason: "line 1:\nbad".into() };
        assert_eq!(line(&report), "a\\u{1b}[2J.ipynb  held: line 1:\\nbad");
    }

    #[test]
    fn columns_grow_and_stay() {
        let mut columns = Columns::default();
        let mut held = |notebook: &str| {
            let report = Report::Held { notebook: notebook.into(), reason: "why".into() };
            let (_, line) = columns.line(None, &report, false).expect("a line");
            anstream::adapter::strip_str(&line).to_string()
        };
        assert_eq!(held("longer.ipynb"), "longer.ipynb  held: why");
        assert_eq!(held("a.ipynb"), "a.ipynb       held: why");
    }
}
