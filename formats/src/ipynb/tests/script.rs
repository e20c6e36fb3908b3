use super::*;

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
fn script_cell_comes_before_a_cell_that_looks_like_it() {
    let text = with_block_cell();
    let first = Slot::New(Cell::new(CellKind::Markdown, "m"));
    // Now the script is the second cell, behind the markdown cell.
    let mut moved = update(&text, &[Slot::Keep(0)], &[]).unwrap();
    let (block, x) = (raw_cell(&moved, 0), raw_cell(&moved, 1));
    moved = moved.replace(&block, "*").replace(&x, &block).replace('*', &x);
    let second = Cell::new(CellKind::Code, "# /// script\n# ///");
    let slots = [Slot::New(second.clone()), Slot::Keep(0), first];
    let printed = parse(&moved).unwrap().update(&slots, &[], Carry::All).unwrap();
    let notebook = printed.document.notebook();
    assert_eq!(notebook.script.as_deref(), Some(BLOCK));
    assert_eq!(notebook.cells[0], second);
    // Without such a cell it stays where it is.
    let kept = update(&moved, &[Slot::Keep(0)], &[]).unwrap();
    assert_eq!(kept, moved);
}

fn raw_cell(text: &str, at: usize) -> String {
    let parsed = crate::ipynb::read::parse(text).unwrap();
    text[parsed.layout.cells[at].object.span.clone()].to_owned()
}

#[test]
fn block_of_the_cell_wins() {
    let mut notebook = Notebook { script: Some(BLOCK.to_owned()), ..Notebook::default() };
    let header = "\"doc\"\n\n# /// script\n# ///\n";
    notebook.marimo.insert("header".to_owned(), json!(header));
    let text = print(&notebook);
    // As `juv add` leaves it, which knows the cell only.
    let text = text.replacen("# dependencies = []\\n\",", "# dependencies = [1]\\n\",", 1);
    let document = parse(&text).unwrap();
    assert_eq!(document.notebook().script.as_deref(), Some(&*BLOCK.replace("[]", "[1]")));
    assert_eq!(document.notebook().marimo["header"], header);
}

#[test]
fn script_of_the_header_wins_over_a_new_cell() {
    let header = serde_json::to_string(BLOCK).unwrap();
    let marimo = format!("  \"marimo\": {{\"header\": {header}}},\n  \"kernelspec\"");
    let text = JUPYTER.replace("  \"kernelspec\"", &marimo);
    let second = Cell::new(CellKind::Code, "# /// script\n# ///");
    let printed =
        parse(&text).unwrap().update(&[Slot::New(second.clone())], &[], Carry::All).unwrap();
    let notebook = printed.document.notebook();
    assert_eq!(notebook.script.as_deref(), Some(BLOCK));
    assert_eq!(notebook.cells, [second]);
}
