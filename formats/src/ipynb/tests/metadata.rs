use super::*;

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

#[test]
fn numbers_made_from_floats_do_not_look_changed() {
    let value = json!(1e20);
    let printed = update(COMPACT, &[set(0, "x", Some(value))], &[]).unwrap();
    assert!(printed.contains("\"x\":1e+20"), "{printed}");
}

#[test]
fn what_nbformat_drops_stays_in_the_file() {
    let text = JUPYTER.replace("\"metadata\": {}", "\"metadata\": {\"trusted\": true}").replace(
        "  \"kernelspec\"",
        "  \"signature\": \"\",\n  \"orig_nbformat\": 2,\n  \"kernelspec\"",
    );
    let document = parse(&text).unwrap();
    assert!(document.notebook().cells[0].metadata.is_empty());
    assert_eq!(document.notebook().metadata.len(), 1);
    check(&text, &[source(0, "# Titles"), Slot::Keep(1)], "# Title", "# Titles");
}

#[test]
fn nested_values_keep_what_does_not_change() {
    let text = JUPYTER.replace("\"Python 3\"", "\"\\u0050\"");
    let spec = json!({"name": "other", "display_name": "P"});
    let kernelspec = NotebookAttribute::Metadata("kernelspec".to_owned());
    check_attribute(&text, kernelspec, Some(spec), "\"python3\"", "\"other\"");
}

#[test]
fn marimo_options_follow_the_kind() {
    let name = |origin| set_marimo(origin, "name", Some(json!("f")));
    let named = update(JUPYTER, &[name(0), name(1)], &[]).unwrap();
    // marimo shows the code of a markdown cell that doesn't say otherwise.
    assert_eq!(named.matches("\"hide_code\": true").count(), 1, "{named}");
    let turned =
        [change(0, Change::Kind(CellKind::Code)), change(1, Change::Kind(CellKind::Markdown))];
    let turned = update(&named, &turned, &[]).unwrap();
    assert!(turned.rfind("hide_code") > turned.find("\"c\""), "{turned}");
    let options = |cell: &Cell| Value::Object(cell.marimo.clone());
    let cells = parse(&turned).unwrap().notebook().cells.clone();
    assert_eq!(
        cells.iter().map(options).collect::<Vec<_>>(),
        [json!({"name": "f"}), json!({"name": "f"})]
    );
}

#[test]
fn what_would_read_back_differently_is_an_error() {
    let text = JUPYTER.replace("\"metadata\": {}", "\"metadata\": {\"marimo\": 5}");
    let slots = [set_marimo(0, "name", Some(json!("f"))), Slot::Keep(1)];
    assert!(matches!(update(&text, &slots, &[]), Err(PrintError::Unfaithful(_))));
}
