//! What versions are called.

use crate::store::NewEntry;
use crate::sync::Digest;

/// How many letters of an id are shown.
pub const SHORT: usize = 8;

/// Returns the id of a version: 64 letters from `k` to `z`, of which the first few will do.
///
/// Letters only, so that no id looks like an age (`2d`) or a date. An id stays when the
/// notebook is renamed.
pub fn version_id(version: &NewEntry) -> String {
    let mut bytes = version.time_ms.to_be_bytes().to_vec();
    bytes.extend(version.digest.as_bytes());
    if version.revision.is_none() {
        bytes.extend(version.replica.as_str().bytes());
    }
    let letter = |digit: char| digit.to_digit(16).and_then(|it| char::from_digit(35 - it, 36));
    Digest::of(&bytes).to_string().chars().filter_map(letter).collect()
}
