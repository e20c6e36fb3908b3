//! Several replicas of one notebook, edited at will.

use std::collections::BTreeSet;
use std::sync::Arc;

use nbsync_formats::{Carry, Cell, CellKind, Document, FormatName, Notebook};
use proptest::prelude::*;
use serde_json::json;

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
fn edit_that_all_have_is_one_even_if_only_one_knows_its_cells() {
    let before = ["first = 1", "second = 2", "third = 3"];
    let mut base = Base::of_source(dialect(), document(&before));
    base.add_replica(dialect()).unwrap();
    base.add_replica(dialect()).unwrap();
    // The second cell has another text, and is the first one now.
    let after = ["other()", before[0], before[2]];
    let old = &base.replicas[0].document.notebook().cells;
    let moved = Cell { source: after[0].to_owned(), ..old[1].clone() };
    let cells = vec![moved, old[0].clone(), old[2].clone()];
    let with_ids = Notebook { cells, ..Notebook::default() };
    let with_ids = dialect().format().print(&with_ids, ".ipynb", Carry::All).unwrap().document;
    let seen = [document(&after), document(&after), with_ids.into()];
    let seen = seen.map(Seen::Changed);
    let outcome = reconcile(&base, &seen).unwrap();
    for replica in &outcome.base.replicas {
        let found = replica.document.notebook().cells.iter().map(|it| &*it.source);
        assert_eq!(found.collect::<Vec<_>>(), after);
    }
}

#[test]
fn insertions_that_are_the_same_have_what_each_says_of_them() {
    let base = base("a b");
    let with = |metadata: serde_json::Value| {
        let mut cells = base.replicas[0].document.notebook().cells.clone();
        let mut new = Cell::new(CellKind::Code, "new");
        new.metadata = metadata.as_object().unwrap().clone();
        cells.push(new);
        let notebook = Notebook { cells, ..Notebook::default() };
        let printed = dialect().format().print(&notebook, ".ipynb", Carry::All).unwrap();
        Seen::Changed(printed.document.into())
    };
    let seen = [
        with(json!({"tags": ["one"], "name": "first"})),
        with(json!({})),
        with(json!({"tags": ["two"], "name": "other", "own": 1})),
    ];
    let outcome = reconcile(&base, &seen).unwrap();
    let expected = json!({"tags": ["one", "two"], "name": "first", "own": 1});
    for replica in &outcome.base.replicas {
        let cells = &replica.document.notebook().cells;
        assert_eq!((cells.len(), json!(cells[2].metadata)), (3, expected.clone()));
    }
}

#[test]
fn edit_of_metadata_stands_against_deletion_but_not_what_editors_note() {
    use nbsync_formats::Attribute;
    for (name, value, expected) in
        [("tags", json!(["keep"]), "a b c"), ("collapsed", json!(true), "a c")]
    {
        let base = base("a b c");
        let mut edited = base.replicas[0].document.notebook().cells.clone();
        edited[1].set_attribute(&Attribute::Metadata(name.to_owned()), Some(value));
        let tagged = Notebook { cells: edited, ..Notebook::default() };
        let tagged = dialect().format().print(&tagged, ".ipynb", Carry::All).unwrap();
        let tagged = Seen::Changed(tagged.document.into());
        for seen in [
            [tagged.clone(), save(&["a".into(), "c".into()])],
            [save(&["a".into(), "c".into()]), tagged.clone()],
        ] {
            let seen = [seen[0].clone(), seen[1].clone(), Seen::Unchanged];
            let outcome = reconcile(&base, &seen).unwrap();
            assert_eq!(cells(outcome.base.replicas[2].document.as_ref()), expected);
        }
    }
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
fn equal_insertions_of_any_number_of_replicas_are_one() {
    check("a b", ["a same b", "a same b", "a same b"], "a same b");
    check("a b", ["a same b", "a same same b", "a same b"], "a same same b");
}

#[test]
fn moves_and_edits_both_stand() {
    check("a b c", ["c a b", "a b1 c", "-"], "c a b1");
    check("a b c", ["a b1 c", "c a b", "-"], "c a b1");
    check("a b c d e", ["b a c d e", "a b c e d", "-"], "b a c e d");
    // Of two orders the source's.
    check("a b c", ["c a b", "b a c", "-"], "c b a");
    check("a b c", ["a c", "c b a", "-"], "c a");
    check("a b c d", ["d a b c", "a b new c d", "-"], "d a b new c");
}

/// Both ways round: the order of the replicas decides nothing here.
#[track_caller]
fn check_both(before: &str, one: &str, other: &str, expected: &str) {
    check(before, [one, other, "-"], expected);
    check(before, ["-", other, one], expected);
}

#[test]
fn split_cell_that_is_edited_elsewhere_stays_split() {
    check_both("aa+bb+cc z", "aa+bb cc z", "aa+bb+c2 z", "aa+bb c2 z");
    check_both("aa+bb+cc z", "aa+bb cc z", "a2+bb+cc z", "a2+bb cc z");
    check_both("aa+bb+cc", "aa bb cc", "a2+bb+c2", "a2 bb c2");
    check_both("aa+bb+cc", "aa bb+cc", "aa+bb+new+cc", "aa bb+new+cc");
    // What comes in at the cut goes on with what is above it.
    check_both("aa+bb", "aa bb", "aa+new+bb", "aa+new bb");
    check_both("aa++bb", "aa bb", "aa++new+bb", "aa new+bb");
    // Of a part that is deleted elsewhere nothing is left, whichever it is.
    check_both("aa+bb+cc", "aa bb cc", "aa+cc", "aa cc");
    check_both("aa+bb+cc", "aa bb cc", "aa+bb", "aa bb");
    check_both("aa+bb+cc", "aa bb cc", "bb+cc", "bb cc");
    // It moves as one.
    check_both("aa+bb y z", "aa bb y z", "y aa+bb z", "y aa bb z");
    check_both("one+two=2 y z", "one two=2 y z", "y one+two=22 z", "y one two=22 z");
    check_both("aa+bb y", "aa bb y", "y", "aa bb y");
}

#[test]
fn joined_cells_that_are_edited_elsewhere_stay_joined() {
    check_both("aa bb z", "aa+bb z", "aa b2 z", "aa+b2 z");
    check_both("aa bb z", "aa+bb z", "a2 bb z", "a2+bb z");
    check_both("aa bb cc", "aa++bb+cc", "a2 bb c2", "a2++bb+c2");
    check_both("aa bb", "aa+bb", "aa+end bb", "aa+end+bb");
    check_both("aa bb z", "aa+bb z", "aa z", "aa+bb z");
    check_both("aa bb z", "aa+bb z", "aa new bb z", "aa+bb new z");
}

#[test]
fn equal_splits_are_one() {
    check("aa+bb", ["aa bb", "aa bb", "aa bb"], "aa bb");
    check("aa bb", ["aa+bb", "aa+bb", "-"], "aa+bb");
}

#[test]
fn part_that_another_replica_has_too_keeps_what_that_has() {
    let saves =
        ["old10=1 old5=1+old10=1", "old10=1 new=1+old5=1+old10=1", "old10=1+old5=1+old10=1+more=1"];
    let outcome = run("old10=1+old5=1+old10=1", saves);
    for replica in &outcome.base.replicas {
        let text = replica.document.text();
        for line in ["old10=1", "old5=1", "new=1", "more=1"] {
            assert!(text.contains(line), "{line} is lost: {text}");
        }
    }
}

#[test]
fn edit_across_a_cut_keeps_both_versions() {
    let outcome = run("aa+bb+cc", ["aa bb+cc", "xx+cc", "-"]);
    assert_eq!(outcome.conflicts.len(), 1);
    assert_eq!(cells(outcome.base.replicas[2].document.as_ref()), "aa bb+cc !xx");
}

#[test]
fn both_edits_of_a_joined_cell_are_shown_below_it() {
    let outcome = run("aa bb z", ["aa+bb z", "aa b2 z", "aa b3 z"]);
    assert_eq!(cells(outcome.base.replicas[0].document.as_ref()), "aa+b2 !b3 z");
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
fn without_a_base_a_cell_of_the_format_has_any_place() {
    let marimo = Dialect {
        format: FormatName::Marimo,
        extension: ".py".to_owned(),
        carry: Carry::Shown,
        ..dialect()
    };
    let mut cells: Vec<Cell> =
        ["x = 1", "y = 2", "x = 1"].map(|it| Cell::new(CellKind::Code, it)).to_vec();
    cells.push(Cell::new(CellKind::Markdown, "text"));
    let source = Notebook { cells: cells.clone(), ..Notebook::default() };
    let source = dialect().format().print(&source, ".ipynb", Carry::All).unwrap();
    cells.insert(2, Cell::new(CellKind::Code, "import marimo as mo"));
    let script = Notebook { cells, ..Notebook::default() };
    let script = marimo.format().print(&script, ".py", Carry::Shown).unwrap();
    let files: [(Dialect, Option<Arc<dyn Document>>); 2] =
        [(dialect(), Some(source.document.into())), (marimo, Some(script.document.into()))];
    let outcome = adopt(&files).unwrap().unwrap();
    for (replica, (_, document)) in outcome.base.replicas.iter().zip(&files) {
        assert_eq!(replica.document.text(), document.as_ref().unwrap().text());
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

/// Notebooks with few lines, so that much of one is in another: `+` between lines, and each
/// line more than once.
fn any_cells() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-d]x(\\+[a-e]x){0,3}", 0..5)
}

fn save(cells: &[String]) -> Seen {
    let cells: Vec<String> = cells.iter().map(|it| it.replace('+', "\n")).collect();
    Seen::Changed(document(&cells.iter().map(String::as_str).collect::<Vec<_>>()))
}

fn base_of(cells: &[String]) -> Base {
    if cells.is_empty() {
        let mut base = Base::of_source(dialect(), document(&[]));
        base.add_replica(dialect()).unwrap();
        base.add_replica(dialect()).unwrap();
        return base;
    }
    base(&cells.join(" ").replace('+', "\n"))
}

fn lines(outcome: &Outcome) -> BTreeSet<String> {
    let cells = &outcome.base.replicas[0].document.notebook().cells;
    let lines = cells.iter().flat_map(|it| it.source.lines());
    lines.filter(|it| it.ends_with('x') && it.len() == 2).map(str::to_owned).collect()
}

proptest! {
    /// What only one replica did is what all have.
    #[test]
    fn edit_of_one_replica_is_what_all_have(before in any_cells(), after in any_cells()) {
        let base = base_of(&before);
        for idx in 0..3 {
            let mut seen = vec![Seen::Unchanged; 3];
            seen[idx] = save(&after);
            let outcome = reconcile(&base, &seen).unwrap();
            prop_assert_eq!(&outcome.conflicts, &[]);
            for replica in &outcome.base.replicas {
                prop_assert_eq!(cells(replica.document.as_ref()), after.join(" "));
            }
        }
    }

    /// What all did alike is done once.
    #[test]
    fn equal_edits_of_all_replicas_are_one(before in any_cells(), after in any_cells()) {
        let outcome = reconcile(&base_of(&before), &vec![save(&after); 3]).unwrap();
        prop_assert_eq!(&outcome.conflicts, &[]);
        for replica in &outcome.base.replicas {
            prop_assert_eq!(cells(replica.document.as_ref()), after.join(" "));
        }
    }

    /// The order of the replicas decides where things stand, and not what is kept.
    #[test]
    fn what_is_kept_does_not_depend_on_the_order_of_the_replicas(
        before in any_cells(), one in any_cells(), other in any_cells(),
    ) {
        let base = base_of(&before);
        let [one, other] = [one, other].map(|it| save(&it));
        let first = reconcile(&base, &[one.clone(), other.clone(), Seen::Unchanged]).unwrap();
        let second = reconcile(&base, &[other, one, Seen::Unchanged]).unwrap();
        prop_assert_eq!(lines(&first), lines(&second));
        prop_assert_eq!(first.conflicts.len(), second.conflicts.len());
    }

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
