use super::*;

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
    let lines: Vec<_> = crate::ipynb::source::lines("a\r\nb\rc\u{c}d\u{2028}\n\ne").collect();
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
fn code_has_no_attachments() {
    let text =
        JUPYTER.replace("\"id\": \"m\"", "\"attachments\": {\"a.png\": {}},\n   \"id\": \"m\"");
    let to = |kind| update(&text, &[change(0, Change::Kind(kind)), Slot::Keep(1)], &[]).unwrap();
    assert!(to(CellKind::Raw).contains("a.png"));
    assert!(!to(CellKind::Code).contains("a.png"));
}

#[test]
fn missing_members_are_added_when_needed() {
    let text = "{\"cells\": [{\"cell_type\": \"raw\"}], \"nbformat\": 4, \"nbformat_minor\": 5}";
    let slot = Slot::Change {
        origin: 0,
        changes: vec![
            Change::Source("a".to_owned()),
            Change::Attribute(Attribute::Metadata("b".to_owned()), Some(json!([1]))),
        ],
    };
    let title = (NotebookAttribute::Metadata("title".to_owned()), Some(json!("t")));
    assert_eq!(
        update(text, &[slot], &[title]).unwrap(),
        "{\"cells\": [{\"cell_type\": \"raw\", \"metadata\": {\"b\": [1]}, \"source\": [\"a\"]}], \
         \"metadata\": {\"title\": \"t\"}, \"nbformat\": 4, \"nbformat_minor\": 5}"
    );
}

#[test]
fn blanks_before_line_breaks_and_tabs_are_the_style_too() {
    let python2 = |text: &str| text.replace(",\n", ", \n").replace("\n ", "\n\t");
    let text = python2(JUPYTER);
    let cell =
        |id: &str| Slot::New(Cell { id: Some(id.to_owned()), ..Cell::new(CellKind::Raw, "a\nb") });
    let res = update(&text, &[cell("n"), Slot::Keep(0)], &[]).unwrap();
    assert_eq!(res.matches(",\n").count(), 0, "{res}");
    assert!(res.contains("[\n\t\t\t\t\"a\\n\", \n\t\t\t\t\"b\"\n"), "{res}");
    let empty = update(&text, &[], &[]).unwrap();
    let res = update(&empty, &[cell("n"), cell("m")], &[]).unwrap();
    assert_eq!(res.matches(",\n").count(), 0, "{res}");
}

#[test]
fn escapes_of_control_characters_do_not_make_a_file_ascii() {
    let text = JUPYTER.replace("\"NaN\"", "\"\\u001b \\\\u00e9\"");
    check(&text, &[Slot::Keep(0), source(1, "é")], "x = 1\\n\",\n    \"x\"", "é\"");
    let text = format!("\u{feff}{}", JUPYTER.replace("\"NaN\"", "\"\\u00e9\""));
    check(&text, &[Slot::Keep(0), source(1, "é")], "x = 1\\n\",\n    \"x\"", "\\u00e9\"");
}

#[test]
fn lines_that_come_back_keep_their_spelling() {
    let text = JUPYTER.replace("x = 1\\n", "\\u0078 = 1\\n");
    check(
        &text,
        &[Slot::Keep(0), source(1, "x\nx = 1\nx")],
        "[\n    \"\\u0078",
        "[\n    \"x\\n\",\n    \"\\u0078",
    );
    // A unit that ends within a line is only kept with the rest of the line.
    let text = JUPYTER.replace("x = 1\\n\",", "x = \", \"1\\n\",");
    check(&text, &[Slot::Keep(0), source(1, "x = 1\ny")], "\"x\"", "\"y\"");
    check(&text, &[Slot::Keep(0), source(1, "x = 2\nx")], "x = \", \"1\\n\",", "x = 2\\n\",");
}

#[test]
fn ids_follow_from_the_content() {
    let new = Slot::New(Cell::new(CellKind::Code, "a"));
    let slots = [new.clone(), Slot::Keep(0), new];
    let ids = |text: &str| -> Vec<_> {
        parse(text).unwrap().notebook().cells.iter().map(|cell| cell.id.clone().unwrap()).collect()
    };
    let res = update(JUPYTER, &slots, &[]).unwrap();
    let found = ids(&res);
    assert_ne!(found[0], found[2]);
    assert!(found[0].len() == 8 && found[1] == "m", "{found:?}");
    assert_eq!(res, update(JUPYTER, &slots, &[]).unwrap());
}

#[test]
fn list_stays_one_line_an_item() {
    check(JUPYTER, &[Slot::Keep(0), source(1, "x = 1\nyx")], "\"x\"\n", "\"yx\"\n");
    // `\r\n` is one line end.
    let text = COMPACT.replace("a = '\\u00e9\\/'\\nb", "\\u0061\\r\\nb\\nc");
    check(&text, &[source(0, "z\na\r\ny\nc")], "\\u0061\\r\\nb", "z\\n\\u0061\\r\\ny");
    check(COMPACT, &[source(0, "a = 'é/'\n\u{7f}")], "\\nb", "\\n\\u007f");
}
