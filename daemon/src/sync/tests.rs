//! Several replicas of one notebook, edited at will.

use std::sync::Arc;

use nbsync_formats::{Carry, Cell, CellKind, Document, FormatName, Notebook};
use proptest::prelude::*;

use super::adopt::adopt;
use super::base::{Base, Dialect};
use super::conflict::is_conflict_cell;
use super::reconcile::{Outcome, Seen, reconcile};

fn dialect() -> Dialect {
    Dialect {
        format: FormatName::Ipynb,
        extension: ".ipynb".to_owned(),
        carry: Carry::All,
        options: Arc::default(),
    }
}

fn document(cells: &[&str]) -> Arc<dyn Document> {
    let cells = cells.iter().map(|it| Cell::new(CellKind::Code, *it)).collect();
    let notebook = Notebook { cells, ..Notebook::default() };
    dialect().format().print(&notebook, ".ipynb", Carry::All).unwrap().document.into()
}

/// A base with three replicas; cells are separated by blanks.
fn base(cells: &str) -> Base {
    let cells: Vec<&str> = cells.split(' ').collect();
    let mut base = Base::of_source(dialect(), document(&cells));
    base.add_replica(dialect()).unwrap();
    base.add_replica(dialect()).unwrap();
    base
}

fn cells(document: &dyn Document) -> String {
    let cells = &document.notebook().cells;
    let shown = cells.iter().map(|cell| {
        if is_conflict_cell(cell) {
            cell.source.lines().nth(3).map(|line| format!("!{line}")).unwrap_or_default()
        } else {
            cell.source.replace('\n', "+")
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Saves these cells in each replica (`-` for no save) and checks what all have
/// afterwards. `+` separates the lines of a cell, `!` marks the other version of a
/// conflict.
#[track_caller]
fn check(before: &str, saves: [&str; 3], expected: &str) {
    let outcome = run(before, saves);
    for replica in &outcome.base.replicas {
        assert_eq!(cells(replica.document.as_ref()), expected, "{before} {saves:?}");
    }
}

fn run(before: &str, saves: [&str; 3]) -> Outcome {
    let base = base(&before.replace('+', "\n"));
    let seen: Vec<Seen> = saves
        .iter()
        .map(|save| {
            if *save == "-" {
                return Seen::Unchanged;
            }
            let cells: Vec<String> =
                save.split_whitespace().map(|cell| cell.replace('+', "\n")).collect();
            // Ids would make it too easy.
            Seen::Changed(document(&cells.iter().map(String::as_str).collect::<Vec<_>>()))
        })
        .collect();
    let outcome = reconcile(&base, &seen).unwrap();
    // All agree now, so another round changes nothing.
    let again = reconcile(&outcome.base, &[Seen::Unchanged, Seen::Unchanged, Seen::Unchanged]);
    for (now, then) in outcome.base.replicas.iter().zip(again.unwrap().base.replicas) {
        assert_eq!(now.document.text(), then.document.text());
    }
    outcome
}

#[test]
fn edit_of_one_replica_reaches_the_others() {
    check("a b c", ["-", "a x c", "-"], "a x c");
    check("a b c", ["-", "-", "a b c d"], "a b c d");
    check("a b c", ["-", "a c", "-"], "a c");
    check("a b c", ["-", "c a b", "-"], "c a b");
    check("a b c", ["x a b c", "-", "-"], "x a b c");
}

#[test]
fn edits_of_different_cells_both_stand() {
    check("a b c", ["x b c", "a b y", "-"], "x b y");
    check("a b c", ["x b c", "a y c", "a b z"], "x y z");
    check("a b c", ["a b c x", "y a b c", "-"], "y a b c x");
    check("a b c d", ["a c d", "a b c x", "-"], "a c x");
}

#[test]
fn insertions_at_one_place_both_stand_the_source_first() {
    check("a b", ["a new1 b", "a other2 b", "-"], "a new1 other2 b");
    check("a b", ["a same b", "a same b", "-"], "a same b");
    check("a", ["a x y", "a p q", "-"], "a x y p q");
}

#[test]
fn edit_stands_against_deletion() {
    check("a b c", ["a c", "a b1 c", "-"], "a b1 c");
    check("a b c", ["a b1 c", "a c", "-"], "a b1 c");
}

#[test]
fn different_lines_of_a_cell_both_stand() {
    check("a+b+c+d", ["x+b+c+d", "a+b+c+y", "-"], "x+b+c+y");
}

#[test]
fn one_line_edited_twice_keeps_both_versions() {
    let outcome = run("a b c", ["a b1 c", "a b2 c", "-"]);
    assert_eq!(outcome.conflicts.len(), 1);
    for replica in &outcome.base.replicas {
        assert_eq!(cells(replica.document.as_ref()), "a b1 !b2 c");
    }
}

#[test]
fn without_a_base_equal_files_are_adopted() {
    let files = [
        (dialect(), Some(document(&["a", "b"]))),
        (dialect(), Some(document(&["a", "b"]))),
        (dialect(), None),
    ];
    let outcome = adopt(&files).unwrap().unwrap();
    assert_eq!(outcome.conflicts, []);
    for replica in &outcome.base.replicas {
        assert_eq!(cells(replica.document.as_ref()), "a b");
    }
}

#[test]
fn without_a_base_what_differs_is_kept_twice() {
    let files = [
        (dialect(), Some(document(&["a", "print(value)", "c"]))),
        (dialect(), Some(document(&["a", "print(value, 2)", "c", "d"]))),
    ];
    let outcome = adopt(&files).unwrap().unwrap();
    assert_eq!(outcome.conflicts.len(), 1);
    for replica in &outcome.base.replicas {
        assert_eq!(
            cells(replica.document.as_ref()),
            "a print(value) !print(value, 2) c d".to_owned()
        );
    }
}

proptest! {
    /// Whatever is saved where: all agree afterwards, the same input gives the same
    /// result, and every line that somebody wrote is still there.
    #[test]
    fn nothing_that_was_written_is_lost(
        before in prop::collection::vec("[ab]{1,2}", 0..5),
        saves in prop::collection::vec(
            prop::option::of(prop::collection::vec("[a-e]{1,2}", 0..6)), 3),
    ) {
        let cells: Vec<&str> = before.iter().map(String::as_str).collect();
        let mut base = Base::of_source(dialect(), document(&cells));
        base.add_replica(dialect()).unwrap();
        base.add_replica(dialect()).unwrap();
        let seen: Vec<Seen> = saves
            .iter()
            .map(|save| save.as_ref().map_or(Seen::Unchanged, |cells| {
                Seen::Changed(document(&cells.iter().map(String::as_str).collect::<Vec<_>>()))
            }))
            .collect();
        let outcome = reconcile(&base, &seen).unwrap();
        let texts: Vec<&Arc<str>> =
            outcome.base.replicas.iter().map(|it| it.document.text()).collect();
        let views: Vec<&Notebook> =
            outcome.base.replicas.iter().map(|it| it.document.notebook()).collect();
        prop_assert_eq!(views[0], views[1]);
        prop_assert_eq!(views[0], views[2]);
        let again = reconcile(&base, &seen).unwrap();
        for (text, again) in texts.iter().zip(&again.base.replicas) {
            prop_assert_eq!(*text, again.document.text());
        }
        let all: Vec<&str> = views[0].cells.iter().map(|cell| cell.source.as_str()).collect();
        let all = all.join("\n");
        for line in saves.iter().flatten().flatten() {
            if !before.contains(line) {
                prop_assert!(all.contains(line.as_str()), "{line} is not in {all}");
            }
        }
    }
}
