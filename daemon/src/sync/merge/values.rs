//! Three-way merge of JSON values.

use std::collections::BTreeSet;

use serde_json::Value;

/// Merges two edits of a JSON value, or returns `None` if they overlap.
///
/// Objects merge key by key, and lists of strings (tags) as sets.
#[allow(clippy::option_option, reason = "the outer says whether, the inner what")]
pub(super) fn merge_values(
    base: Option<&Value>,
    ours: Option<&Value>,
    theirs: Option<&Value>,
) -> Option<Option<Value>> {
    if ours == theirs || theirs == base {
        return Some(ours.cloned());
    }
    if ours == base {
        return Some(theirs.cloned());
    }
    match (ours, theirs) {
        (Some(Value::Object(ours)), Some(Value::Object(theirs))) => {
            let empty = serde_json::Map::new();
            let base = base.and_then(Value::as_object).unwrap_or(&empty);
            let mut res = ours.clone();
            let keys: BTreeSet<&String> =
                base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
            for key in keys {
                match merge_values(base.get(key), ours.get(key), theirs.get(key))? {
                    Some(value) => {
                        res.insert(key.clone(), value);
                    }
                    None => {
                        res.shift_remove(key);
                    }
                }
            }
            Some(Some(Value::Object(res)))
        }
        (Some(Value::Array(ours)), Some(Value::Array(theirs)))
            if ours.iter().chain(theirs).all(Value::is_string) =>
        {
            let empty = Vec::new();
            let base = base.and_then(Value::as_array).unwrap_or(&empty);
            let mut res: Vec<Value> = ours
                .iter()
                .filter(|it| theirs.contains(it) || !base.contains(it))
                .cloned()
                .collect();
            for value in theirs {
                if !base.contains(value) && !res.contains(value) {
                    res.push(value.clone());
                }
            }
            Some(Some(Value::Array(res)))
        }
        _ => None,
    }
}
