//! Looks at what marimo remembers of its runs of a notebook.

use nbsync_formats::{FormatName, Session, format, read_session};
use serde::{Deserialize, Serialize};

use super::{Context, Replica};
use crate::disk::{Lock, Stamp};
use crate::error::chain;
use crate::sync::Digest;
use crate::sync::runs::{Runs, session_of};

/// What is known of the session of a notebook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionNote {
    /// What the system said of the file when it was read; `None` if there was none.
    stamp: Option<Stamp>,
    /// What it held.
    digest: Option<Digest>,
    runs: Runs,
}

impl SessionNote {
    /// Whether the file has to be read.
    pub(crate) fn is_old(&self, stamp: &Stamp) -> bool {
        !self.stamp.is_some_and(|it| it.same_content(stamp))
    }
}

/// A session that was read.
#[derive(Debug)]
pub(super) struct Look {
    stamp: Stamp,
    digest: Option<Digest>,
    /// What marimo remembers; `None` if that is nothing new, or can't be read.
    pub(super) session: Option<Session>,
    /// What was known of it.
    before: Option<SessionNote>,
}

impl Look {
    /// What it held before, `None` if nobody has looked.
    pub(super) fn before(&self) -> Option<&Runs> {
        self.before.as_ref().map(|it| &it.runs)
    }

    /// Whether it was saved after a replica.
    pub(super) fn is_newer(&self, replica: &Replica) -> bool {
        replica.stamp.is_none_or(|it| it.mtime_ns < self.stamp.mtime_ns)
    }

    /// What is known of it from now on, with the runs in it if it was read.
    pub(super) fn note(&self, runs: Option<Runs>) -> SessionNote {
        let runs = runs.or_else(|| Some(self.before.as_ref()?.runs.clone())).unwrap_or_default();
        SessionNote { stamp: Some(self.stamp), digest: self.digest, runs }
    }
}

/// Looks at the session of a notebook, if there is something new about it.
///
/// `is_saved` says of each replica whether its file has changed.
pub(super) fn look(
    context: &Context<'_>,
    known: &[Replica],
    before: Option<&SessionNote>,
    is_saved: impl Fn(usize) -> bool,
) -> Option<Look> {
    let (script, stamp) = find(context, known)?;
    // What ran before the script was saved may be in it now.
    let is_awaited = before.is_some_and(|it| it.runs.has_unknown) && is_saved(script);
    if !is_awaited && before.is_some_and(|it| !it.is_old(&stamp)) {
        return None;
    }
    let path = context.disk.root().join(session_of(&known[script].spec.path));
    let mut look = Look { stamp, digest: None, session: None, before: before.cloned() };
    let read = context.disk.read(&path, context.config.max_size, Lock::None);
    let bytes = match read {
        Ok(contents) => {
            look.stamp = contents.stamp;
            contents.bytes
        }
        Err(err) => {
            tracing::debug!("{}", chain(&err));
            return Some(look);
        }
    };
    look.digest = Some(Digest::of(&bytes));
    if before.is_some_and(|it| it.digest == look.digest) && !is_awaited {
        return Some(look);
    }
    // One that is being written comes again when it is whole.
    match std::str::from_utf8(&bytes).map(read_session) {
        Ok(Ok(session)) => look.session = Some(session),
        Ok(Err(err)) => tracing::debug!(%path, "no session of marimo: {}", chain(&err)),
        Err(err) => tracing::debug!(%path, "no session of marimo: {err}"),
    }
    Some(look)
}

/// Whether the session of a notebook may have something new.
pub(super) fn has_news(
    context: &Context<'_>,
    known: &[Replica],
    before: Option<&SessionNote>,
) -> bool {
    let found = find(context, known);
    found.is_some_and(|(_, stamp)| before.is_none_or(|it| it.is_old(&stamp)))
}

/// The position of the script that marimo runs, and what the system says of its session.
fn find(context: &Context<'_>, known: &[Replica]) -> Option<(usize, Stamp)> {
    let has_place = |it: &Replica| format(it.spec.dialect.format).has_outputs();
    if !context.config.marimo_outputs || !known.iter().any(has_place) {
        return None;
    }
    let script = known.iter().position(|it| it.spec.dialect.format == FormatName::Marimo)?;
    let path = context.disk.root().join(session_of(&known[script].spec.path));
    Some((script, context.disk.glance(&path)?))
}
