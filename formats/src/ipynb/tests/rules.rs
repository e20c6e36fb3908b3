use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    Attribute, Carry, Cell, CellKind, Change, Document, Notebook, NotebookAttribute, ParseError,
    ParseErrorKind, PrintError, Slot, format,
};

fn parse(text: &str) -> Result<Box<dyn Document>, ParseError> {
    format(crate::FormatName::Ipynb).parse(Arc::from(text), ".ipynb")
}

fn print(notebook: &Notebook) -> String {
    let printed = format(crate::FormatName::Ipynb).print(notebook, ".ipynb", Carry::All).unwrap();
    printed.document.text().to_string()
}

fn update(
    text: &str,
    slots: &[Slot],
    attributes: &[(NotebookAttribute, Option<Value>)],
) -> Result<String, PrintError> {
    let printed = parse(text).unwrap().update(slots, attributes, Carry::Shown)?;
    Ok(printed.document.text().to_string())
}

fn keep_all(text: &str) -> Vec<Slot> {
    (0..parse(text).unwrap().notebook().cells.len()).map(Slot::Keep).collect()
}

/// Checks what an update of a text does, by what it replaces.
#[track_caller]
fn check(text: &str, slots: &[Slot], old: &str, new: &str) {
    assert!(old.is_empty() || text.matches(old).count() == 1, "{old:?} is not there once");
    let wanted = text.replacen(old, new, 1);
    assert_eq!(update(text, slots, &[]).unwrap(), wanted);
}

#[track_caller]
fn check_attribute(
    text: &str,
    attribute: NotebookAttribute,
    value: Option<Value>,
    old: &str,
    new: &str,
) {
    assert!(text.matches(old).count() == 1, "{old:?} is not there once");
    let res = update(text, &keep_all(text), &[(attribute, value)]).unwrap();
    assert_eq!(res, text.replacen(old, new, 1));
}

fn change(origin: usize, change: Change) -> Slot {
    Slot::Change { origin, changes: vec![change] }
}

fn source(origin: usize, text: &str) -> Slot {
    change(origin, Change::Source(text.to_owned()))
}

fn set(origin: usize, key: &str, value: Option<Value>) -> Slot {
    change(origin, Change::Attribute(Attribute::Metadata(key.to_owned()), value))
}

fn set_marimo(origin: usize, key: &str, value: Option<Value>) -> Slot {
    change(origin, Change::Attribute(Attribute::Marimo(key.to_owned()), value))
}

#[track_caller]
fn error(text: &str) -> ParseError {
    match parse(text) {
        Ok(document) => panic!("{document:?}"),
        Err(error) => error,
    }
}

/// As JupyterLab writes it.
const JUPYTER: &str = r##"{
 "cells": [
  {
   "cell_type": "markdown",
   "id": "m",
   "metadata": {},
   "source": [
    "# Title"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 1,
   "id": "c",
   "metadata": {
    "tags": [
     "a"
    ]
   },
   "outputs": [
    {
     "data": {
      "text/plain": [
       "NaN"
      ]
     },
     "value": NaN
    }
   ],
   "source": [
    "x = 1\n",
    "x"
   ]
  }
 ],
 "metadata": {
  "kernelspec": {
   "display_name": "Python 3",
   "name": "python3"
  }
 },
 "nbformat": 4,
 "nbformat_minor": 5
}
"##;

/// On one line, unsorted, with strings for sources, escapes, and no ids.
const COMPACT: &str = "{\"nbformat\":4,\"nbformat_minor\":2,\"metadata\":{\"b\":1e5,\"a\":\"\\u00e9\"},\
    \"cells\":[{\"cell_type\":\"code\",\"source\":\"a = '\\u00e9\\/'\\nb\",\"metadata\":{},\
    \"outputs\":[{\"x\":\"\\ud800\"}],\"execution_count\":null}]}";

#[test]
fn view_has_what_the_file_says() {
    let document = parse(JUPYTER).unwrap();
    let notebook = document.notebook();
    assert_eq!(notebook.cells.len(), 2);
    assert_eq!(notebook.cells[1].source, "x = 1\nx");
    assert_eq!(notebook.cells[1].id.as_deref(), Some("c"));
    assert_eq!(notebook.cells[1].metadata["tags"], json!(["a"]));
    assert_eq!(notebook.metadata["kernelspec"]["name"], "python3");
    assert_eq!(parse(COMPACT).unwrap().notebook().cells[0].source, "a = 'é/'\nb");
}

#[test]
fn changed_source_replaces_lines() {
    check(JUPYTER, &[Slot::Keep(0), source(1, "x = 2\nx")], "x = 1\\n", "x = 2\\n");
    check(
        JUPYTER,
        &[Slot::Keep(0), source(1, "x = 1\ny = \"é\"\nx")],
        "\"x = 1\\n\",\n",
        "\"x = 1\\n\",\n    \"y = \\\"é\\\"\\n\",\n",
    );
    check(JUPYTER, &[Slot::Keep(0), source(1, "")], "[\n    \"x = 1\\n\",\n    \"x\"\n   ]", "[]");
    // The lines that stay keep their spelling, others get that of the file.
    check(COMPACT, &[source(0, "a = 'é/'\nb = 'é/'")], "\\nb", "\\nb = '\\u00e9/'");
    check(COMPACT, &[source(0, "c\na = 'é/'\nb")], "\"a = ", "\"c\\na = ");
    check(COMPACT, &[source(0, "")], "a = '\\u00e9\\/'\\nb", "");
}

#[test]
fn empty_list_is_filled_in_the_style_of_the_file() {
    let text = JUPYTER.replace("[\n    \"# Title\"\n   ]", "[]");
    check(
        &text,
        &[source(0, "a\nb\n"), Slot::Keep(1)],
        "\"source\": []",
        "\"source\": [\n    \"a\\n\",\n    \"b\\n\"\n   ]",
    );
}

#[test]
fn lines_split_as_python_splits_them() {
    let lines: Vec<_> = super::super::source::lines("a\r\nb\rc\u{c}d\u{2028}\n\ne").collect();
    assert_eq!(lines, ["a\r\n", "b\r", "c\u{c}", "d\u{2028}", "\n", "\n", "e"]);
}

#[test]
fn cells_move_as_they_are() {
    let cells = JUPYTER.find("  {\n   \"cell_type\": \"markdown\"").unwrap();
    let second = JUPYTER.find("  {\n   \"cell_type\": \"code\"").unwrap();
    let end = JUPYTER.find("\n ],\n \"metadata\"").unwrap();
    let wanted = format!(
        "{}{},\n{}{}",
        &JUPYTER[..cells],
        &JUPYTER[second..end],
        JUPYTER[cells..second].trim_end_matches(",\n"),
        &JUPYTER[end..],
    );
    assert_eq!(update(JUPYTER, &[Slot::Keep(1), Slot::Keep(0)], &[]).unwrap(), wanted);
    let wanted = format!("{}{}", &JUPYTER[..cells], &JUPYTER[second..]);
    assert_eq!(update(JUPYTER, &[Slot::Keep(1)], &[]).unwrap(), wanted);
}

#[test]
fn last_cell_leaves_an_empty_list_and_returns() {
    let empty = update(JUPYTER, &[], &[]).unwrap();
    assert!(empty.starts_with("{\n \"cells\": [],\n \"metadata\""), "{empty}");
    let cell = Cell { id: Some("m".to_owned()), ..Cell::new(CellKind::Markdown, "# Title") };
    let back = update(&empty, &[Slot::New(cell)], &[]).unwrap();
    assert_eq!(back, update(JUPYTER, &[Slot::Keep(0)], &[]).unwrap());
}

#[test]
fn new_cell_is_written_as_its_neighbours() {
    let cell = Cell { id: Some("n".to_owned()), ..Cell::new(CellKind::Code, "y") };
    check(
        JUPYTER,
        &[Slot::Keep(0), Slot::New(cell.clone()), Slot::Keep(1)],
        "\"# Title\"\n   ]\n  },\n",
        "\"# Title\"\n   ]\n  },\n  {\n   \"cell_type\": \"code\",\n   \"execution_count\": null,\n   \
         \"id\": \"n\",\n   \"metadata\": {},\n   \"outputs\": [],\n   \"source\": [\n    \"y\"\n   ]\n  },\n",
    );
    // No id before nbformat 4.5, and the order of the other cells.
    check(
        COMPACT,
        &[Slot::Keep(0), Slot::New(cell)],
        "null}]",
        "null},{\"cell_type\":\"code\",\"source\":\"y\",\"metadata\":{},\"outputs\":[],\
         \"execution_count\":null}]",
    );
}

#[test]
fn kind_takes_outputs_along() {
    let to = |origin, kind| change(origin, Change::Kind(kind));
    let raw = update(JUPYTER, &[Slot::Keep(0), to(1, CellKind::Raw)], &[]).unwrap();
    assert!(
        raw.contains("{\n   \"cell_type\": \"raw\",\n   \"id\": \"c\",\n   \"metadata\""),
        "{raw}"
    );
    assert!(!raw.contains("outputs"), "{raw}");
    check(
        JUPYTER,
        &[to(0, CellKind::Code), Slot::Keep(1)],
        "\"markdown\",\n   \"id\": \"m\",\n   \"metadata\": {},\n",
        "\"code\",\n   \"execution_count\": null,\n   \"id\": \"m\",\n   \"metadata\": {},\n   \"outputs\": [],\n",
    );
    let raw = update(COMPACT, &[to(0, CellKind::Raw)], &[]).unwrap();
    assert_eq!(
        update(&raw, &[to(0, CellKind::Code)], &[]).unwrap(),
        COMPACT
            .replace(
                "[{\"x\":\"\\ud800\"}],\"execution_count\":null",
                "[],\"execution_count\":null"
            )
            .replace(
                "\"metadata\":{},\"outputs\":[],\"execution_count\":null",
                "\"metadata\":{},\"execution_count\":null,\"outputs\":[]"
            ),
    );
}

#[test]
fn metadata_changes_one_key() {
    check(
        JUPYTER,
        &[Slot::Keep(0), set(1, "name", Some(json!({"b": 1, "a": []})))],
        "\"metadata\": {\n    \"tags\"",
        "\"metadata\": {\n    \"name\": {\n     \"a\": [],\n     \"b\": 1\n    },\n    \"tags\"",
    );
    check(
        JUPYTER,
        &[Slot::Keep(0), set(1, "tags", None)],
        "{\n    \"tags\": [\n     \"a\"\n    ]\n   }",
        "{}",
    );
    check(
        JUPYTER,
        &[set(0, "x", Some(json!("é"))), Slot::Keep(1)],
        "\"id\": \"m\",\n   \"metadata\": {}",
        "\"id\": \"m\",\n   \"metadata\": {\n    \"x\": \"é\"\n   }",
    );
    check(
        COMPACT,
        &[set(0, "x", Some(json!("é")))],
        ",\"metadata\":{},",
        ",\"metadata\":{\"x\":\"\\u00e9\"},",
    );
}

#[test]
fn notebook_metadata_changes_one_key() {
    let metadata = |key: &str| NotebookAttribute::Metadata(key.to_owned());
    let (old, new) = ("\"a\":\"\\u00e9\"}", "\"a\":\"\\u00e9\",\"c\":2}");
    check_attribute(COMPACT, metadata("c"), Some(json!(2)), old, new);
    check_attribute(COMPACT, metadata("b"), Some(json!(2)), "1e5", "2");
    check_attribute(COMPACT, metadata("b"), None, "\"b\":1e5,", "");
    let spec = json!({"display_name": "P", "language": "python", "name": "python3"});
    check_attribute(
        JUPYTER,
        metadata("kernelspec"),
        Some(spec),
        "\"Python 3\",\n",
        "\"P\",\n   \"language\": \"python\",\n",
    );
}

#[test]
fn layout_of_text_formats_stays_in_the_file() {
    let text = COMPACT
        .replace(
            "\"a\":",
            "\"jupytext\":{\"formats\":\"ipynb,py\",\"text_representation\":{}},\"a\":",
        )
        .replace(",\"metadata\":{},", ",\"metadata\":{\"lines_to_next_cell\":2},");
    let document = parse(&text).unwrap();
    assert_eq!(document.notebook().metadata["jupytext"], json!({"formats": "ipynb,py"}));
    assert!(document.notebook().cells[0].metadata.is_empty());

    let jupytext = || NotebookAttribute::Metadata("jupytext".to_owned());
    let value = json!({"formats": "ipynb", "text_representation": {"extension": ".py"}});
    check_attribute(&text, jupytext(), Some(value), "\"ipynb,py\"", "\"ipynb\"");
    check(&text, &[set(0, "lines_to_next_cell", Some(json!(1)))], "", "");
    check(&text, &[set(0, "cell_marker", Some(json!("+")))], "", "");
    assert!(!update(&text, &keep_all(&text), &[(jupytext(), None)]).unwrap().contains("jupytext"));
}

#[test]
fn marimo_options_are_written_as_marimo_does() {
    check(
        COMPACT,
        &[set_marimo(0, "name", Some(json!("f")))],
        ",\"metadata\":{},",
        ",\"metadata\":{\"marimo\":{\"name\":\"f\"}},",
    );
    check(COMPACT, &[set_marimo(0, "hide_code", Some(json!(false)))], "", "");
    let text = JUPYTER.replace(
        "\"metadata\": {}",
        "\"metadata\": {\"marimo\": {\"config\": {\"hide_code\": true}}}",
    );
    let document = parse(&text).unwrap();
    assert!(document.notebook().cells[0].metadata.is_empty());
    assert!(document.notebook().cells[0].marimo.is_empty());
    // What is a default depends on the kind.
    let code = change(0, Change::Kind(CellKind::Code));
    let code = update(&text, &[code, Slot::Keep(1)], &[]).unwrap();
    assert!(!code.contains("marimo"), "{code}");
}

const BLOCK: &str = "# /// script\n# dependencies = []\n# ///";

fn with_block_cell() -> String {
    let mut notebook = Notebook { script: Some(BLOCK.to_owned()), ..Notebook::default() };
    notebook.cells.push(Cell::new(CellKind::Code, "x"));
    print(&notebook)
}

#[test]
fn script_is_the_first_cell() {
    let text = with_block_cell();
    let document = parse(&text).unwrap();
    assert_eq!(document.notebook().script.as_deref(), Some(BLOCK));
    assert_eq!(document.notebook().cells, [Cell::new(CellKind::Code, "x")]);
    assert!(text.find("/// script").unwrap() < text.find("\"x\"").unwrap());

    let new = "# /// script\n# dependencies = [\"a\"]\n# ///";
    let script = || NotebookAttribute::Script;
    check_attribute(&text, script(), Some(json!(new)), "= []", "= [\\\"a\\\"]");
    let without = update(&text, &[Slot::Keep(0)], &[(script(), None)]).unwrap();
    assert!(!without.contains("script"), "{without}");
    assert_eq!(
        update(&without, &[Slot::Keep(0)], &[(script(), Some(json!(BLOCK)))]).unwrap(),
        text
    );
    // Cells around it come and go.
    let only = update(&text, &[], &[]).unwrap();
    assert_eq!(parse(&only).unwrap().notebook().script.as_deref(), Some(BLOCK));
}

#[test]
fn new_cell_with_nothing_but_a_block_becomes_the_script() {
    let block = Slot::New(Cell::new(CellKind::Code, BLOCK));
    let slots = [Slot::Keep(0), block, Slot::Keep(1)];
    let printed = parse(JUPYTER).unwrap().update(&slots, &[], Carry::All).unwrap();
    assert_eq!(printed.document.notebook().script.as_deref(), Some(BLOCK));
    assert_eq!(printed.origins, [Some(0), Some(2)]);
    // There is one already: this one stays a cell.
    let text = with_block_cell();
    let second = Cell::new(CellKind::Code, "# /// script\n# ///");
    let slots = [Slot::New(second.clone()), Slot::Keep(0)];
    let printed = parse(&text).unwrap().update(&slots, &[], Carry::All).unwrap();
    assert_eq!(printed.document.notebook().script.as_deref(), Some(BLOCK));
    assert_eq!(printed.document.notebook().cells[0], second);
    assert_eq!(printed.origins, [Some(0), Some(1)]);
}

#[test]
fn header_holds_the_script_in_the_file_only() {
    let header = "\"doc\"\n\n# /// script\n# ///\n";
    let mut notebook = Notebook { script: Some(BLOCK.to_owned()), ..Notebook::default() };
    notebook.marimo.insert("header".to_owned(), json!(header));
    let text = print(&notebook);
    assert_eq!(text.matches("# dependencies").count(), 2);
    let read = parse(&text).unwrap().notebook().clone();
    assert_eq!((&read.script, &read.marimo), (&notebook.script, &notebook.marimo));

    let new = "# /// script\n# dependencies = [\"a\"]\n# ///";
    let script = || NotebookAttribute::Script;
    let changed = update(&text, &[], &[(script(), Some(json!(new)))]).unwrap();
    assert_eq!(changed, text.replace("= []", "= [\\\"a\\\"]"));
    let removed = update(&text, &[], &[(script(), None)]).unwrap();
    assert_eq!(parse(&removed).unwrap().notebook().marimo["header"], "\"doc\"\n\n");
}

#[test]
fn header_with_only_the_script_is_no_header() {
    let header = serde_json::to_string(BLOCK).unwrap();
    let text = JUPYTER.replace(
        "  \"kernelspec\"",
        &format!(
            "  \"marimo\": {{\"header\": {header}, \"marimo_version\": \"0.1\"}},\n  \"kernelspec\""
        ),
    );
    let document = parse(&text).unwrap();
    assert_eq!(document.notebook().script.as_deref(), Some(BLOCK));
    assert!(document.notebook().marimo.is_empty());
    // It has a place, so that no cell is added for it.
    let new = "# /// script\n# dependencies = [1]\n# ///";
    check_attribute(&text, NotebookAttribute::Script, Some(json!(new)), "= []", "= [1]");
    let width = NotebookAttribute::Marimo("width".to_owned());
    let wide = update(&text, &keep_all(&text), &[(width, Some(json!("full")))]).unwrap();
    assert!(wide.contains("= []") && wide.contains("\"marimo_version\": \"0.1\""), "{wide}");
}

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
fn bom_and_line_ends_are_kept() {
    let text = format!("\u{feff}{}", JUPYTER.replace('\n', "\r\n"));
    let cell = Slot::New(Cell { id: Some("n".to_owned()), ..Cell::new(CellKind::Raw, "é\na") });
    let res = update(&text, &[Slot::Keep(0), source(1, "a\nb"), cell], &[]).unwrap();
    assert_eq!(res.matches('\n').count(), res.matches("\r\n").count());
    assert!(res.starts_with('\u{feff}') && res.ends_with("}\r\n"));
}

#[test]
fn printed_notebook_is_that_of_nbformat() {
    let mut notebook = Notebook::default();
    notebook.cells.push(Cell { id: Some("a".to_owned()), ..Cell::new(CellKind::Code, "x\ny") });
    let text = print(&notebook);
    let start = "{\n \"cells\": [\n  {\n   \"cell_type\": \"code\",\n   \"execution_count\": null,\n   \
        \"id\": \"a\",\n   \"metadata\": {},\n   \"outputs\": [],\n   \"source\": [\n    \"x\\n\",\n    \"y\"\n   ]\n  }\n ],\n \
        \"metadata\": {\n  \"kernelspec\": {\n   \"display_name\": \"Python 3 (ipykernel)\",";
    assert!(text.starts_with(start), "{text}");
    assert!(text.ends_with(" },\n \"nbformat\": 4,\n \"nbformat_minor\": 5\n}\n"), "{text}");

    let spec = json!({"display_name": "Julia", "language": "julia", "name": "julia-1.9"});
    let mut julia = Notebook::default();
    julia.metadata.insert("kernelspec".to_owned(), spec);
    assert!(!print(&julia).contains("language_info"));
}

#[test]
fn numbers_made_from_floats_do_not_look_changed() {
    let value = json!(1e20);
    let printed = update(COMPACT, &[set(0, "x", Some(value))], &[]).unwrap();
    assert!(printed.contains("\"x\":1e+20"), "{printed}");
}

#[test]
fn slot_of_a_cell_that_is_not_there_is_an_error() {
    assert!(matches!(update(JUPYTER, &[Slot::Keep(2)], &[]), Err(PrintError::Unfaithful(_))));
}
