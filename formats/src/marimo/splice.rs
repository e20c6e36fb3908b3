//! Puts a script together from old and new cells.

use std::borrow::Cow;

use super::content::{Content, is_blank};
use super::layout::{Layout, Role};
use crate::lines::{trim, trim_end};

/// What stands between two cells.
const GAP: &str = "\n\n\n";

/// A cell of the new text.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// Which cell of the old text it is.
    pub(super) origin: Option<usize>,
    /// Its text, or `None` if that is the old one.
    pub(super) new: Option<Cow<'a, str>>,
    /// Whether it is `with app.setup:`.
    pub(super) is_setup: bool,
}

/// Returns the new text of a file.
///
/// What stands between the cells (comments, and statements that marimo doesn't
/// know) stays above the cell that it stood above; if that is gone, above the
/// next one.
pub(super) fn splice(
    content: &Content,
    layout: &Layout,
    preamble: String,
    parts: &[&Part<'_>],
) -> String {
    let gap = content.with_breaks(GAP);
    let n_old = layout.blocks.len();
    let mut stays = vec![false; n_old];
    for origin in parts.iter().filter_map(|it| it.origin) {
        stays[origin] = true;
    }
    // What stood above a cell that is gone, by the cell that follows; the last
    // is the end.
    let mut above: Vec<Vec<&str>> = vec![Vec::new(); n_old + 1];
    let mut pending = Vec::new();
    for (idx, above) in above.iter_mut().enumerate() {
        if stays.get(idx).copied().unwrap_or(true) {
            *above = std::mem::take(&mut pending);
        } else if 0 < idx {
            pending.push(trim(between(content, layout, idx)));
        }
    }
    let mut res = preamble;
    let mut last = None;
    for (idx, part) in parts.iter().enumerate() {
        let lead = part.origin.filter(|origin| 0 < *origin);
        let lead = lead.map(|origin| between(content, layout, origin));
        if idx == 0 {
            let first = between(content, layout, 0);
            let was_setup = layout.blocks.first().is_some_and(|it| it.role == Role::Setup);
            if n_old == 0 || part.is_setup != was_setup {
                res.push_str(trim_end(first));
                res.push_str(&content.with_breaks(if part.is_setup { "\n\n" } else { GAP }));
            } else {
                res.push_str(first);
            }
            // The first cell has no gap above it but this one.
            if let Some(lead) = lead.map(trim).filter(|it| !it.is_empty()) {
                res.push_str(lead);
                res.push_str(&gap);
            }
        } else {
            match lead {
                Some(lead) if part.origin == last.map(|it: usize| it + 1) => res.push_str(lead),
                Some(lead) if is_blank(lead) => res.push_str(lead),
                Some(lead) => {
                    res.push_str(&gap);
                    res.push_str(lead.trim_start());
                }
                None => res.push_str(&gap),
            }
        }
        if let Some(origin) = part.origin {
            for text in above[origin].iter().filter(|it| !it.is_empty()) {
                res.push_str(text);
                res.push_str(&gap);
            }
        }
        match (&part.new, part.origin) {
            (Some(new), _) => res.push_str(new),
            (None, Some(origin)) => {
                res.push_str(content.slice(layout.blocks[origin].range.clone()));
            }
            (None, None) => {}
        }
        last = part.origin;
    }
    end(content, layout, &above[n_old], parts, &mut res);
    res
}

/// Appends what follows the last cell.
fn end(content: &Content, layout: &Layout, above: &[&str], parts: &[&Part<'_>], res: &mut String) {
    let n_old = layout.blocks.len();
    let text = content.text();
    let gap = content.with_breaks(GAP);
    if parts.is_empty() && 0 < n_old {
        res.push_str(trim_end(between(content, layout, 0)));
        res.push_str(&content.with_breaks("\n\n"));
    }
    for text in above.iter().filter(|it| !it.is_empty()) {
        res.push_str(&gap);
        res.push_str(text);
    }
    let tail = between(content, layout, n_old);
    let has_guard = layout.guard < text.len();
    let is_lone_setup = matches!(parts, [part] if part.is_setup);
    let was_lone_setup = matches!(layout.blocks.as_slice(), [it] if it.role == Role::Setup);
    // Above the first cell if there was none before.
    let is_tail_used = n_old == 0 && !parts.is_empty();
    if is_tail_used || (is_blank(tail) && has_guard && is_lone_setup != was_lone_setup) {
        // marimo leaves the room for cells that could follow the setup cell.
        for _ in 0..usize::from(has_guard) + usize::from(has_guard && is_lone_setup) {
            res.push_str(&gap);
        }
    } else {
        res.push_str(tail);
    }
    res.push_str(content.slice(layout.guard..text.len()));
    res.push_str(content.after());
}

/// Returns what stands above an old cell: since the one before it, or since the
/// app.
fn between<'a>(content: &'a Content, layout: &Layout, idx: usize) -> &'a str {
    let start = match idx.checked_sub(1) {
        Some(before) => layout.blocks[before].range.end,
        None => layout.app.end,
    };
    let end = layout.blocks.get(idx).map_or(layout.guard, |it| it.range.start);
    content.slice(start..end.max(start))
}
