//! Recognises a text that looks like an accident rather than an edit.

use nbsync_formats::Notebook;

/// Why a text doesn't travel, or not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// The text ends in the middle of what the last one had, or before its first cell: a
    /// write that stopped half-way. It waits for the next save.
    Truncated {
        /// How many cells are missing, the cut one included.
        lost: usize,
    },
    /// The same, but it ends where a line ends. Somebody may have deleted just that, so it
    /// waits a moment for a second write, then counts as meant.
    CutAtLine {
        /// How many cells are missing, the cut one included.
        lost: usize,
    },
    /// The last newline is gone, and other things changed too. It waits a moment for a
    /// second write, then counts as meant.
    EndGone,
    /// Most cells are gone, but the text is whole. It waits a moment for a second
    /// write, then counts as meant.
    MostCellsGone {
        /// How many are gone.
        lost: usize,
        /// How many there were.
        of: usize,
    },
}

/// The most cells that a notebook may have.
pub const MAX_CELLS: usize = 50_000;

/// How long a line of a cell may be, in bytes. Outputs may have longer ones, since no line of
/// those is ever compared.
pub const MAX_LINE: usize = 10 << 20;

/// More than any notebook that somebody wrote has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// Too many cells.
    #[error("has {n} cells; no more than {MAX_CELLS} are synced, so split the notebook")]
    Cells {
        /// How many there are.
        n: usize,
    },
    /// A line that is too long.
    #[error(
        "cell {cell} has a line of {size} bytes; no more than {MAX_LINE} are synced, so read it from a file"
    )]
    Line {
        /// The number of the cell, from 1.
        cell: usize,
        /// How long the line is.
        size: usize,
    },
}

/// Returns what a notebook has too much of. All that is decided about one takes time that goes
/// with its size, and others wait meanwhile.
pub fn excess(notebook: &Notebook) -> Option<Excess> {
    let n = notebook.cells.len();
    if MAX_CELLS < n {
        return Some(Excess::Cells { n });
    }
    notebook.cells.iter().enumerate().find_map(|(idx, cell)| {
        let size = cell.source.split('\n').map(str::len).max().unwrap_or(0);
        (MAX_LINE < size).then_some(Excess::Line { cell: idx + 1, size })
    })
}

/// Compares what an editor saved with what was there.
pub fn suspicion(
    old_text: &str,
    old: &Notebook,
    new_text: &str,
    new: &Notebook,
) -> Option<Suspicion> {
    let lost = old.cells.len().saturating_sub(new.cells.len());
    if is_cut(old_text, old, new_text, new) {
        let lost = lost.max(1);
        return Some(if new_text.ends_with('\n') && !new.cells.is_empty() {
            Suspicion::CutAtLine { lost }
        } else {
            Suspicion::Truncated { lost }
        });
    }
    if lost_its_end(old_text, new_text) {
        return Some(Suspicion::EndGone);
    }
    // Two cells of three aren't most cells of a notebook yet.
    if 4 <= old.cells.len() && old.cells.len() < 2 * lost {
        return Some(Suspicion::MostCellsGone { lost, of: old.cells.len() });
    }
    None
}

/// Whether the new text looks like the first part of a save that is still being written:
/// editors that end files with a newline go on doing so.
fn lost_its_end(old_text: &str, new_text: &str) -> bool {
    let old_text = old_text.strip_suffix('\n').unwrap_or_default();
    // An editor that doesn't takes the newline and nothing else, or adds something.
    !new_text.ends_with('\n') && new_text.len() < old_text.trim_end().len()
}

/// Whether the new text is the old one up to somewhere inside a cell.
///
/// Deleting the last cells leaves a beginning of the old text too, but one that
/// ends where a cell ends.
fn is_cut(old_text: &str, old: &Notebook, new_text: &str, new: &Notebook) -> bool {
    if new_text.len() >= old_text.len() || !old_text.starts_with(new_text) {
        return false;
    }
    let Some(last) = new.cells.last() else { return true };
    // Without its end a text may have more cells: what is between quotes that never end.
    let before = old.cells.get(new.cells.len() - 1..).unwrap_or_default();
    // The last cell is one of those that were there at the cut, or the very last, if
    // those above it were deleted.
    let is_whole = before
        .first()
        .into_iter()
        .chain(old.cells.last())
        .any(|cell| cell.source.trim_end() == last.source.trim_end());
    !(is_whole && (new_text.ends_with('\n') || !old_text.ends_with('\n')))
        // Characters removed at the very end of the last cell are typing.
        && (before.len() > 1 || !new_text.ends_with('\n'))
        && !(before.len() == 1 && old_text.len() - new_text.len() <= 1)
}

#[cfg(test)]
mod tests {
    use nbsync_formats::{CellKind, FormatName};

    use super::*;

    #[track_caller]
    fn check(old: &str, new: &str, expected: Option<Suspicion>) {
        let parse = |text: &str| {
            let format = nbsync_formats::format(FormatName::Percent);
            format.parse(text.into(), ".py").unwrap().notebook().clone()
        };
        assert_eq!(suspicion(old, &parse(old), new, &parse(new)), expected, "{old:?} {new:?}");
    }

    const CELLS: &str = "# %%\na = 1\n\n# %%\nb = 2\nb = 3\n\n# %%\nc = 4\n";

    #[test]
    fn text_that_ends_within_a_cell_is_cut_off() {
        check(CELLS, "# %%\na = 1\n\n# %%\nb", Some(Suspicion::Truncated { lost: 1 }));
        check(CELLS, &CELLS[..CELLS.len() - 3], Some(Suspicion::Truncated { lost: 1 }));
    }

    #[test]
    fn text_that_ends_where_a_line_ends_may_be_meant() {
        check(CELLS, "# %%\na = 1\n\n# %%\nb = 2\n", Some(Suspicion::CutAtLine { lost: 1 }));
    }

    #[test]
    fn too_many_cells_and_too_long_lines_are_an_excess() {
        let cell = |source: String| nbsync_formats::Cell::new(CellKind::Code, source);
        let found =
            |cells: Vec<nbsync_formats::Cell>| excess(&Notebook { cells, ..Notebook::default() });
        assert_eq!(found(vec![cell(String::new()); MAX_CELLS]), None);
        let n = MAX_CELLS + 1;
        assert_eq!(found(vec![cell(String::new()); n]), Some(Excess::Cells { n }));
        assert_eq!(found(vec![cell("x".repeat(MAX_LINE) + "\nx")]), None);
        let long = "a\n".to_owned() + &"x".repeat(MAX_LINE + 1);
        let excess = Excess::Line { cell: 2, size: MAX_LINE + 1 };
        assert_eq!(found(vec![cell(String::new()), cell(long)]), Some(excess));
    }

    #[test]
    fn header_without_a_cell_is_cut_off() {
        let header = "# ---\n# jupyter:\n#   kernelspec:\n#     name: p\n# ---\n";
        let old = format!("{header}\n# %%\na = 1\n");
        check(&old, header, Some(Suspicion::Truncated { lost: 1 }));
    }

    #[test]
    fn deleting_cells_and_lines_is_an_edit() {
        check(CELLS, "# %%\na = 1\n\n# %%\nb = 2\nb = 3\n", None);
        check(CELLS, "# %%\na = 1\n\n# %%\nc = 4\n", None);
        check("# %%\na\nb\n", "# %%\na\n", None);
        // What is left is a beginning of the old text all the same.
        check("# %%\na\n\n# %%\nb\n\n# %%\n", "# %%\na\n\n# %%\n", None);
        check("# %%\na\n", "# %%\na", None);
    }

    #[test]
    fn text_without_its_last_newline_may_go_on() {
        check(CELLS, "# %%\na = 7\n\n# %%\nb = 2\nb =", Some(Suspicion::EndGone));
        check(CELLS, "# %%\na = 7\n\n# %%\nb = 2\nb = 3\n\n# %%\nc = 4", None);
        check(CELLS.trim_end(), "# %%\na = 7\n\n# %%\nb = 2", None);
    }

    #[test]
    fn loss_of_most_cells_is_unlikely() {
        let all: String =
            (0..6).map(|it| ["# %%\nx = ", &it.to_string(), "\n\n"].concat()).collect();
        let gone = Suspicion::MostCellsGone { lost: 4, of: 6 };
        check(&all, "# %%\nx = 0\n\n# %%\nx = 5\n", Some(gone));
        check(&all, "# %%\nx = 0\n\n# %%\nx = 1\n\n# %%\nx = 5\n", None);
    }
}
