use proptest::prelude::*;
use serde_json::{Value, json};

use super::Marimo;
use crate::{
    Attribute, Carry, Cell, CellKind, Change, Document, Format, Notebook, NotebookAttribute,
    ParseErrorKind, PrintError, Printed, Slot,
};

fn parse(text: &str) -> Box<dyn Document> {
    Marimo.parse(text.into(), ".py").unwrap()
}

fn print(notebook: &Notebook) -> Printed {
    Marimo.print(notebook, ".py", Carry::All).unwrap()
}

fn update(document: &dyn Document, slots: &[Slot]) -> Result<Printed, PrintError> {
    document.update(slots, &[], Carry::Shown)
}

fn notebook(cells: Vec<Cell>) -> Notebook {
    Notebook { cells, ..Notebook::default() }
}

fn code(source: &str) -> Cell {
    Cell::new(CellKind::Code, source)
}

fn markdown(source: &str) -> Cell {
    Cell::new(CellKind::Markdown, source)
}

fn named(name: &str, cell: Cell) -> Cell {
    let mut cell = cell;
    cell.set_attribute(&Attribute::Marimo("name".to_owned()), Some(json!(name)));
    cell
}

/// A script of these cells, as marimo writes it.
fn script(cells: &[&str]) -> String {
    let start = "import marimo\n\n__generated_with = \"0.20.1\"\napp = marimo.App()\n\n";
    let end = "\n\n\nif __name__ == \"__main__\":\n    app.run()\n";
    format!("{start}\n{}{end}", cells.join("\n\n\n"))
}

#[track_caller]
fn check_print(cells: Vec<Cell>, expected: &[&str]) {
    let printed = print(&notebook(cells));
    assert_eq!(**printed.document.text(), script(expected).replace("0.20.1", "0.25.2"));
}

#[test]
fn cells_have_arguments_and_return_what_others_use() {
    check_print(
        vec![code("import os\nx = 1"), code("import sys"), code("y = x + os.n"), code("")],
        &[
            "@app.cell\ndef _():\n    import os\n    x = 1\n    return os, x",
            "@app.cell\ndef _():\n    import sys\n\n    return",
            "@app.cell\ndef _(os, x):\n    y = x + os.n\n    return",
            "@app.cell\ndef _():\n    return",
        ],
    );
}

#[test]
fn private_names_in_annotations_have_the_number_of_their_cell() {
    let definition = "class _T: ...\n\nx: _T = _T()\ny: _Late = None\n_Late = 1";
    let body = "    class _T: ...\n\n    x: _T = _T()\n    y: _Late = None\n    _Late = 1";
    check_print(
        vec![code("a = 1"), code(definition), code("x, y")],
        &[
            "@app.cell\ndef _():\n    a = 1\n    return",
            &format!("@app.cell\ndef _():\n{body}\n    return x, y"),
            "@app.cell\ndef _(x: \"_cell_1_T\", y: _cell_1_Late):\n    x, y\n    return",
        ],
    );
}

#[test]
fn pure_functions_and_classes_stand_alone() {
    check_print(
        vec![
            code("def f(x):\n    return g(x)\n    # c"),
            code("def g(x):\n    return x"),
            code("class A:\n    pass"),
            code("def h():\n    return y"),
        ],
        &[
            "@app.function\ndef f(x):\n    return g(x)\n    # c",
            "@app.function\ndef g(x):\n    return x",
            "@app.class_definition\nclass A:\n    pass",
            "@app.cell\ndef _(y):\n    def h():\n        return y\n\n    return",
        ],
    );
}

#[test]
fn markdown_brings_the_import_that_it_needs() {
    let printed = print(&notebook(vec![markdown("# A"), code("1")]));
    assert_eq!(printed.origins, [None, Some(0), Some(1)]);
    let expected = script(&[
        "@app.cell\ndef _():\n    import marimo as mo\n\n    return (mo,)",
        "@app.cell(hide_code=True)\ndef _(mo):\n    mo.md(r\"\"\"\n    # A\n    \"\"\")\n    return",
        "@app.cell\ndef _():\n    1\n    return",
    ]);
    assert_eq!(**printed.document.text(), expected.replace("0.20.1", "0.25.2"));
    let printed = print(&notebook(vec![markdown("# A"), code("import marimo as mo")]));
    assert_eq!(printed.origins, [Some(0), Some(1)]);
}

#[test]
fn long_lines_are_wrapped() {
    let names: Vec<String> = (0..12).map(|idx| format!("name_{idx:02}")).collect();
    let source = format!("{} = x", names.join(" = "));
    let printed = print(&notebook(vec![code(&source), code(&names.join("\n"))]));
    let list: String = names.iter().fold(String::new(), |list, it| list + "        " + it + ",\n");
    let text = printed.document.text();
    assert!(text.contains(&format!("    return (\n{list}    )\n")), "{text}");
    let list: String = names.iter().fold(String::new(), |list, it| list + "    " + it + ",\n");
    assert!(text.contains(&format!("def _(\n{list}):\n")), "{text}");
}

#[test]
fn code_that_does_not_compile_is_kept() {
    check_print(
        vec![code("x = ("), named("a b", code("y = '''\n\"\"\"'''")), code("return")],
        &[
            "app._unparsable_cell(\n    r\"\"\"\n    x = (\n    \"\"\",\n    name=\"_\"\n)",
            "app._unparsable_cell(\n    \"\"\"\n    y = '''\n    \\\"\\\"\\\"'''\n    \"\"\",\n    name=\"a b\"\n)",
            "app._unparsable_cell(\n    r\"\"\"\n    return\n    \"\"\",\n    name=\"_\"\n)",
        ],
    );
}

#[test]
fn setup_comes_first() {
    let setup = named("setup", code("import os"));
    let printed = print(&notebook(vec![code("os"), setup]));
    assert_eq!(printed.origins, [Some(1), Some(0)]);
    let text = printed.document.text();
    let cells = "app = marimo.App()\n\nwith app.setup:\n    import os\n\n\n@app.cell\ndef _():\n    os\n    return\n";
    assert!(text.contains(cells), "{text}");
}

#[test]
fn only_what_changes_is_written_anew() {
    let text = script(&[
        "@app.cell\ndef _(z, y):\n    x = 1\n\n\n    return x,  # mine",
        "# above\n@app.cell\ndef f(x): return",
        "@app.cell\ndef _(x):\n    x\n    # c",
    ]);
    let document = parse(&text);
    let slots = [
        Slot::Keep(0),
        Slot::Keep(1),
        Slot::Change { origin: 2, changes: vec![Change::Source("x + 1".to_owned())] },
    ];
    let updated = update(&*document, &slots).unwrap();
    let expected = text.replace("    x\n    # c", "    x + 1\n    return");
    assert_eq!(**updated.document.text(), expected);
    // The first cell doesn't return `x` any more once nobody uses it.
    let updated = update(&*document, &[Slot::Keep(0), Slot::Keep(1)]).unwrap();
    let text = updated.document.text();
    assert!(text.contains("def _():\n    x = 1\n\n\n    return\n"), "{text}");
    assert!(text.contains("# above\n@app.cell\ndef f(x): return\n"), "{text}");
}

#[test]
fn what_stands_between_cells_stays() {
    let text = script(&[
        "@app.cell\ndef _():\n    a\n    return",
        "lost = 1  # b\n\n@app.cell\ndef _():\n    b\n    return",
        "# c\n@app.cell\ndef _():\n    c\n    return",
    ]);
    let document = parse(&text);
    for slots in [
        vec![Slot::Keep(0), Slot::Keep(2)],
        vec![Slot::Keep(0)],
        vec![],
        vec![Slot::Keep(2), Slot::New(code("d")), Slot::Keep(0)],
        vec![Slot::Keep(1), Slot::Keep(0), Slot::Keep(2)],
    ] {
        let updated = update(&*document, &slots).unwrap();
        let text = updated.document.text();
        assert!(text.contains("lost = 1  # b\n") && text.contains("# c\n"), "{text}");
        // marimo gives a notebook without cells an empty one.
        assert_eq!(updated.document.notebook().cells.len(), slots.len().max(1));
    }
}

#[test]
fn comments_outside_of_the_code_are_kept_above_the_cell() {
    let text = script(&[
        "# above\n@app.cell  # decorator\ndef _():  # header\n    # code\n    x = 1\n    return  # end",
        "@app.cell\ndef _():\n    y = 1\n    return",
    ]);
    let document = parse(&text);
    let change = |source: &str| {
        let changes = vec![Change::Source(source.to_owned())];
        let slots = [Slot::Keep(0), Slot::Change { origin: 1, changes }];
        update(&*document, &slots).unwrap().document.text().to_string()
    };
    // Nothing has to be written anew.
    assert!(change("z = 1").starts_with(text.split("@app.cell\ndef").next().unwrap()));
    let expected = script(&[
        "# above\n# decorator\n# header\n# end\n@app.cell\ndef _():\n    # code\n    x = 1\n    return (x,)",
        "@app.cell\ndef _(x):\n    y = x\n    return",
    ]);
    assert_eq!(change("y = x"), expected);
}

#[test]
fn names_in_sql_stay_arguments_while_they_are_in_it() {
    let text = script(&[
        "@app.cell\ndef _():\n    table = 1\n    return (table,)",
        "@app.cell\ndef _(mo, other, table, tables):\n    mo.sql(\"SELECT a FROM Table\")\n    return",
    ]);
    let document = parse(&text);
    let change = |source: &str| {
        let changes = vec![Change::Source(source.to_owned())];
        let slots = [Slot::Keep(0), Slot::Change { origin: 1, changes }];
        update(&*document, &slots).unwrap().document.text().to_string()
    };
    let expected = script(&[
        "@app.cell\ndef _():\n    table = 1\n    return (table,)",
        "@app.cell\ndef _(mo, table, x):\n    mo.sql(f\"SELECT {x} FROM Table\")\n    return",
    ]);
    assert_eq!(change("mo.sql(f\"SELECT {x} FROM Table\")"), expected);
    let expected = script(&[
        "@app.cell\ndef _():\n    table = 1\n    return",
        "@app.cell\ndef _(mo):\n    mo.sql(\"SELECT 1\")\n    return",
    ]);
    assert_eq!(change("mo.sql(\"SELECT 1\")"), expected);
}

#[test]
fn decorators_that_would_be_lost_are_not_written_over() {
    let text = script(&[
        "@app.cell\n@cache\ndef _():\n    x = 1\n    return",
        "@app.cell\ndef _():\n    y = 1\n    return",
    ]);
    let document = parse(&text);
    let change = |source: &str| {
        let changes = vec![Change::Source(source.to_owned())];
        update(&*document, &[Slot::Keep(0), Slot::Change { origin: 1, changes }])
    };
    assert!(change("z = 1").is_ok());
    assert!(matches!(change("y = x"), Err(PrintError::Lossy { line: 7 })));
}

#[test]
fn header_and_options_are_attributes() {
    let block = "# /// script\n# dependencies = []\n# ///";
    let text = format!("#!/bin/sh\n{block}\n\n\n{}", script(&["@app.cell\ndef _():\n    return"]))
        .replace("App()", "App(width=\"full\", app_title=None)");
    let document = parse(&text);
    let notebook = document.notebook();
    assert_eq!(notebook.script.as_deref(), Some(block));
    let expected = json!({"width": "full", "header": "#!/bin/sh\n# /// script\n# ///"});
    assert_eq!(Value::Object(notebook.marimo.clone()), expected);

    let set = |attribute: NotebookAttribute, value: Option<Value>| {
        let updated = document.update(&[Slot::Keep(0)], &[(attribute, value)], Carry::Shown);
        updated.unwrap().document.text().to_string()
    };
    let marimo = |key: &str| NotebookAttribute::Marimo(key.to_owned());
    let expected =
        text.replace("width=\"full\", app_title=None", "app_title=\"A \\\"b\\\"\", width");
    assert_ne!(set(marimo("app_title"), Some(json!("A \"b\""))), expected);
    assert_eq!(
        set(marimo("app_title"), Some(json!("A"))),
        text.replace("app_title=None", "app_title=\"A\"")
    );
    assert_eq!(set(marimo("width"), None), text.replace("width=\"full\", app_title=None", ""));
    assert_eq!(set(marimo("unknown"), Some(json!(1))), text);
    assert_eq!(set(NotebookAttribute::Metadata("kernelspec".to_owned()), Some(json!({}))), text);
    let other = block.replace("[]", "[\"a\"]");
    assert_eq!(set(NotebookAttribute::Script, Some(json!(other))), text.replace(block, &other));
    assert_eq!(set(NotebookAttribute::Script, None), text.replace(&format!("\n{block}"), ""));
    assert_eq!(set(marimo("header"), None), text.replace("#!/bin/sh\n", ""));
}

#[test]
fn a_syntax_error_leaves_other_cells_alone() {
    let text = script(&[
        "@app.cell(hide_code=True)\ndef a():\n    x = (\n    return x,",
        "@app.cell\ndef b(x):\n    x\n    return",
        "@app.cell\ndef c():\n    y = \"\"\"\n    return",
        "@app.cell\ndef d():\n    z\n    return",
    ]);
    let document = parse(&text);
    let cells = &document.notebook().cells;
    let sources: Vec<&str> = cells.iter().map(|it| it.source.as_str()).collect();
    assert_eq!(sources, ["x = (", "x", "y = \"\"\"", "z"]);
    assert_eq!(Value::Object(cells[0].marimo.clone()), json!({"name": "a", "hide_code": true}));
    let slots = [
        Slot::Keep(0),
        Slot::Change { origin: 1, changes: vec![Change::Source("w".to_owned())] },
        Slot::Keep(2),
        Slot::Keep(3),
    ];
    let updated = update(&*document, &slots).unwrap();
    let expected = text.replace("def b(x):\n    x\n", "def b(w):\n    w\n");
    assert_eq!(**updated.document.text(), expected);
}

#[test]
fn other_files_are_no_notebooks() {
    let kind = |text: &str| Marimo.parse(text.into(), ".py").unwrap_err().kind;
    for text in ["x = 1\n", "# a\n", "from marimo import App\n", "import marimo\nprint(1)\n"] {
        assert!(matches!(kind(text), ParseErrorKind::NotANotebook(_)), "{text}");
        assert!(!Marimo.detect(text, ".py"));
    }
    let broken = script(&["@app.cell\ndef _():\n    return"]).replace("import marimo", "import (");
    let error = Marimo.parse(broken.as_str().into(), ".py").unwrap_err();
    assert!(matches!(error.kind, ParseErrorKind::Python(_)), "{error}");
    assert_eq!(error.line, Some(1));
    let good = script(&["@app.cell\ndef _():\n    return"]);
    assert!(Marimo.detect(&good, ".py"));
    assert!(!Marimo.detect(&good, ".R"));
}

const SOURCES: [&str; 24] = [
    "x = 1",
    "y = x",
    "x\ny",
    "import marimo as mo",
    "def f(a):\n    return g(a)",
    "def g(a=1):\n    return a\n# c",
    "class A(B):\n    z: int = 1",
    "w: 'int' = x\nv: x = 1",
    "s = '''\na\n   b\n\n'''\n",
    "%time x\n!ls \\\n  -l",
    "%%bash\nls",
    "await x",
    "x = (",
    "'''",
    "  indented",
    "# only a comment",
    "",
    "pass",
    "return",
    "from os import *",
    "x = 1\n\n\n# c\n\n",
    "if x:\n\ty = '\u{2028}'",
    "print('é', x);",
    "mo.md('a')",
];

const TEXTS: [&str; 6] =
    ["# A\n\n$x$", "", "a  \nb", "say \"\"\"x\"\"\"", "\\\"\"", "  - a\n  - b"];

fn any_cell() -> impl Strategy<Value = Cell> {
    let source = prop::sample::select(&SOURCES[..]).prop_map(code);
    let text = prop::sample::select(&TEXTS[..]).prop_map(markdown);
    let raw = prop::sample::select(&SOURCES[..]).prop_map(|it| Cell::new(CellKind::Raw, it));
    let cell = prop_oneof![4 => source, 2 => text, 1 => raw];
    let name = prop_oneof![6 => Just(None), 1 => Just(Some("f")), 1 => Just(Some("setup")), 1 => Just(Some("a b"))];
    (cell, name, prop::option::weighted(0.2, any::<bool>())).prop_map(|(mut cell, name, hide)| {
        if let Some(name) = name {
            cell = named(name, cell);
        }
        if let Some(hide) = hide
            && hide != (cell.kind == CellKind::Markdown)
        {
            cell.marimo.insert("hide_code".to_owned(), json!(hide));
        }
        cell
    })
}

/// Cells of which at most one is set up: of two, marimo makes one of another
/// form.
fn any_cells() -> impl Strategy<Value = Vec<Cell>> {
    prop::collection::vec(any_cell(), 0..7).prop_map(|mut cells| {
        let mut has_setup = false;
        for cell in &mut cells {
            let is_code = cell.kind == CellKind::Code && !cell.source.starts_with("mo.md(");
            if cell.marimo.get("name") == Some(&json!("setup")) {
                if has_setup || !is_code {
                    cell.marimo.shift_remove("name");
                }
                has_setup = true;
            }
        }
        cells
    })
}

/// A text that some other tool wrote.
fn any_text() -> impl Strategy<Value = String> {
    let mangle = prop::sample::select(vec![
        ("\n\n\n", "\n"),
        ("\n\n\n@app", "\n\n\n# between\n@app"),
        ("\n\n\n@app", "\n\n\nlost = 1\n\n@app"),
        ("    return\n", ""),
        ("import marimo\n", "\"\"\"doc\"\"\"\nimport marimo\n"),
        ("if __name__", "# end\nif __name__"),
        ("app.run()\n", "app.run()"),
        ("def _():", "def _(x):  # c"),
        ("    return\n", "    return  # c\n    # d\n"),
    ]);
    let mangles = prop::collection::vec(mangle, 0..3);
    (any_cells(), mangles, any::<bool>(), any::<bool>()).prop_map(|(cells, mangles, crlf, bom)| {
        let mut text = print(&notebook(cells)).document.text().to_string();
        for (from, to) in mangles {
            text = text.replace(from, to);
        }
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        if bom { format!("\u{feff}{text}") } else { text }
    })
}

/// What to do with the cells of a text: positions are taken modulo their
/// number.
fn any_slots() -> impl Strategy<Value = Vec<(u8, usize, Cell)>> {
    let cell = any_cell().prop_map(|mut cell| {
        cell.marimo.retain(|_, value| *value != json!("setup"));
        cell
    });
    prop::collection::vec((0..8_u8, any::<usize>(), cell), 0..6)
}

fn slots(document: &dyn Document, actions: Vec<(u8, usize, Cell)>) -> Vec<Slot> {
    let mut res: Vec<Slot> = (0..document.notebook().cells.len()).map(Slot::Keep).collect();
    for (action, at, cell) in actions {
        if res.is_empty() || action == 0 {
            res.insert(at % (res.len() + 1), Slot::New(cell));
            continue;
        }
        let at = at % res.len();
        match (action, res[at].origin()) {
            (1, _) => {
                res.remove(at);
            }
            (2, _) => {
                let slot = res.remove(at);
                res.push(slot);
            }
            (3, _) => {
                let slot = res.remove(at);
                res.insert(0, slot);
            }
            (4 | 5, Some(origin)) => {
                let changes = vec![Change::Source(cell.source)];
                res[at] = Slot::Change { origin, changes };
            }
            (6, Some(origin)) => {
                let changes = vec![Change::Kind(cell.kind), Change::Source(cell.source)];
                res[at] = Slot::Change { origin, changes };
            }
            (_, Some(origin)) => {
                let name = Attribute::Marimo("name".to_owned());
                let value = cell.attribute(&name).cloned();
                let changes = vec![Change::Attribute(name, value)];
                res[at] = Slot::Change { origin, changes };
            }
            (_, None) => {}
        }
    }
    res
}

/// Whether a cell is the one that was asked for, up to what a script can't
/// hold.
fn is_as_asked(cell: &Cell, asked: &Cell) -> bool {
    let plain = |cell: &Cell| match cell.kind {
        CellKind::Markdown => super::markdown::normalize(&cell.source),
        CellKind::Code | CellKind::Raw => {
            let lines = cell.source.trim().lines().map(str::trim);
            lines.collect::<Vec<_>>().join("\n").trim().to_owned()
        }
    };
    // `mo.md("a")` becomes markdown when it is written.
    let is_markdown = cell.kind == CellKind::Markdown && asked.source.starts_with("mo.md(");
    is_markdown || (cell.kind == asked.kind && plain(cell) == plain(asked))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn printed_cells_are_those_of_the_notebook(cells in any_cells()) {
        let notebook = notebook(cells);
        let printed = print(&notebook);
        let mut n_seen = 0;
        for (cell, origin) in printed.document.notebook().cells.iter().zip(&printed.origins) {
            if let Some(origin) = origin {
                let asked = &notebook.cells[*origin];
                prop_assert!(is_as_asked(cell, asked), "{:?} for {:?}", cell, asked);
                n_seen += 1;
            }
        }
        prop_assert_eq!(n_seen, notebook.cells.len());
        // What is printed is a fixed point.
        // Code that is read as markdown would get the import.
        let is_markdown = |it: &Cell| it.kind == CellKind::Code && it.source.contains("mo.md(");
        if !notebook.cells.iter().any(is_markdown) {
            let again = print(printed.document.notebook());
            prop_assert_eq!(again.document.text(), printed.document.text());
        }
    }

    #[test]
    fn any_source_can_be_printed(
        kind in prop::sample::select(vec![CellKind::Code, CellKind::Markdown, CellKind::Raw]),
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "x", " = ", "1", "\n", "\n    ", "\t", "'''", "\"\"\"", "\"", "'", "\\", "#", "# ",
                "%", "!ls", "(", ")", "def f():", "if x:", "\u{a0}", "\u{2028}", "\u{c}", "\r",
                " ", "@", "{", "}", "?", ";", "return", "%%bash", "\u{feff}", "é",
                "app._unparsable_cell(", "<<<<<<< ",
            ]),
            0..14,
        ),
    ) {
        let cell = Cell::new(kind, pieces.concat());
        let printed = print(&notebook(vec![cell, code("x")]));
        let cells = &printed.document.notebook().cells;
        let idx = printed.origins.iter().position(|it| *it == Some(0)).unwrap();
        prop_assert_eq!(cells[idx].kind, kind, "{}", printed.document.text());
        let read = parse(printed.document.text());
        prop_assert_eq!(read.notebook(), printed.document.notebook());
    }

    #[test]
    fn nothing_changes_without_an_edit(text in any_text()) {
        let document = parse(&text);
        let updated = update(&*document, &slots(&*document, Vec::new())).unwrap();
        prop_assert_eq!(&**updated.document.text(), &text);
    }

    #[test]
    fn an_edit_changes_what_it_says(text in any_text(), actions in any_slots()) {
        let document = parse(&text);
        let slots = slots(&*document, actions);
        // What belongs to a broken cell can't be told from what doesn't.
        prop_assume!(crate::python::parse_module(&text.replace(['\r', '\u{feff}'], "")).is_ok());
        let updated = update(&*document, &slots).unwrap();
        let old = &document.notebook().cells;
        let view = &updated.document.notebook().cells;
        prop_assert_eq!(view.len(), updated.origins.len());
        for (cell, origin) in view.iter().zip(&updated.origins) {
            let Some(origin) = *origin else { continue };
            let asked = match &slots[origin] {
                Slot::Keep(origin) => {
                    prop_assert_eq!(&cell.source, &old[*origin].source);
                    continue;
                }
                Slot::Change { origin, changes } => {
                    let mut cell = old[*origin].clone();
                    for change in changes {
                        change.apply(&mut cell);
                    }
                    cell
                }
                Slot::New(cell) => cell.clone(),
            };
            prop_assert!(is_as_asked(cell, &asked), "{:?} for {:?}", cell, asked);
        }
        // What isn't a cell is still there.
        let count = |text: &str, what: &str| text.matches(what).count();
        for what in ["lost = 1", "# between", "# end", "\"\"\"doc\"\"\""] {
            prop_assert_eq!(count(&text, what), count(updated.document.text(), what), "{}", what);
        }
        // The new document is the same as if it had been read.
        let read = parse(updated.document.text());
        prop_assert_eq!(read.notebook(), updated.document.notebook());
    }

    #[test]
    fn any_text_is_read_or_refused(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "import marimo\n", "app = marimo.App()\n", "@app.cell\n", "def _():\n", "    return\n",
                "    x\n", "with app.setup:\n", "app._unparsable_cell(", "\"\"\"", "'a'", ")", "\n",
                "if __name__ == '__main__':\n", "@app.function(", "\t", "\\", "#", "\r", "\u{feff}", ";", "async ",
            ]),
            0..40,
        ),
    ) {
        let text = pieces.concat();
        if let Ok(document) = Marimo.parse(text.as_str().into(), ".py") {
            let updated = update(&*document, &slots(&*document, Vec::new())).unwrap();
            prop_assert_eq!(&**updated.document.text(), &text);
            let mut slots = slots(&*document, Vec::new());
            slots.push(Slot::New(code("x")));
            if let Ok(updated) = update(&*document, &slots) {
                prop_assert_eq!(updated.document.notebook().cells.len(), slots.len());
            }
        }
    }
}
