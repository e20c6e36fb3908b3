//! How errors are told in one line.

use std::error::Error;
use std::fmt::Write as _;

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
