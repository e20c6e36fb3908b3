use super::*;

#[test]
fn other_files_are_refused() {
    use ParseErrorKind::{ConflictMarkers, Empty, Json, NotANotebook, Unsupported};
    assert_eq!(error(" \n").kind, Empty);
    assert_eq!(error("\u{feff}").kind, Empty);
    assert_eq!(error("{\n<<<<<<< a\n}").kind, ConflictMarkers);
    assert!(matches!(error("[]").kind, NotANotebook(_)));
    assert!(matches!(error("{}").kind, NotANotebook(_)));
    assert!(matches!(error("{\"cells\": []}").kind, NotANotebook(_)));
    assert!(matches!(error("{\"nbformat\": 4}").kind, NotANotebook(_)));
    let old = error("{\"nbformat\": 3, \"worksheets\": []}");
    assert!(old.to_string().contains("nbconvert"), "{old}");
    assert!(matches!(error("{\"nbformat\": 5, \"cells\": []}").kind, Unsupported(_)));

    let half = &JUPYTER[..JUPYTER.len() / 2];
    assert!(matches!(error(half).kind, Json(_)));
    for (old, new, line) in [
        ("\"markdown\"", "\"heading\"", 4),
        ("\"id\": \"m\"", "\"source\": []", 7),
        ("\"tags\"", "\"x\": NaN, \"tags\"", 16),
        ("\"# Title\"", "\"\\ud800\"", 8),
        ("\"# Title\"", "1", 7),
        ("\"name\"", "\"display_name\"", 39),
    ] {
        let error = error(&JUPYTER.replace(old, new));
        assert!(matches!(error.kind, Unsupported(_)), "{new}: {error}");
        assert_eq!(error.line, Some(line), "{new}: {error}");
    }
    assert_eq!(error(&JUPYTER.replace("\"nbformat\": 4,", "\"nbformat\": 4")).line, Some(43));
}

#[test]
fn slot_of_a_cell_that_is_not_there_is_an_error() {
    assert!(matches!(update(JUPYTER, &[Slot::Keep(2)], &[]), Err(PrintError::Unfaithful(_))));
}

#[test]
fn slot_that_is_used_twice_is_an_error() {
    let slots = [Slot::Keep(0), Slot::Keep(0)];
    assert!(matches!(update(JUPYTER, &slots, &[]), Err(PrintError::Unfaithful(_))));
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let with = |depth| JUPYTER.replace("NaN\n    }", &format!("{}\n    }}", nested(depth)));
    assert!(parse(&with(500)).is_ok());
    assert!(matches!(error(&with(10_000)).kind, ParseErrorKind::Json(_)));
    let metadata =
        JUPYTER.replace("\"tags\": [", &format!("\"x\": {}, \"tags\": [", nested(10_000)));
    assert!(matches!(error(&metadata).kind, ParseErrorKind::Json(_)));
}

#[test]
fn text_is_detected_by_its_start() {
    let ipynb = format(crate::FormatName::Ipynb);
    assert!(ipynb.detect("\u{feff}\n{", ".ipynb"));
    assert!(!ipynb.detect("{", ".json"));
    assert!(!ipynb.detect("# %%", ".ipynb"));
}
