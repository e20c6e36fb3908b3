//! How errors are told in one line, and what an error inside nbsync does.

use std::error::Error;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Returns an error and its causes, from the outermost to the root.
pub fn chain(err: &dyn Error) -> String {
    let mut res = err.to_string();
    let mut cause = err.source();
    while let Some(err) = cause {
        write!(res, ": {err}").ok();
        cause = err.source();
    }
    res
}

/// What a notebook says whose work ended in an error inside nbsync.
pub(crate) const PANICKED: &str = "an error inside nbsync, which the log tells more of; it is tried again when one of its files changes";

/// Does the work for one notebook, and returns `None` if that panics: no other notebook
/// may suffer from it.
///
/// What the work was about to change must be whole wherever it ends.
pub(crate) fn guarded<T>(notebook: &str, work: impl FnOnce() -> T) -> Option<T> {
    let res = catch_unwind(AssertUnwindSafe(work)).ok();
    if res.is_none() {
        tracing::error!(notebook, "an error inside nbsync; the notebook is held");
    }
    res
}
