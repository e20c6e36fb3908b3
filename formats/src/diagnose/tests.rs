use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::{FormatName, format};

fn diagnostics(name: FormatName, text: &str) -> Vec<Diagnostic> {
    let document = format(name).parse(Arc::from(text), ".py").unwrap();
    diagnose(document.as_ref())
}

/// Checks what is found in a script of cells; each place is a cell and a line in
/// it.
#[track_caller]
fn check(cells: &[&str], expected: &[&str]) {
    let mut text = String::new();
    for cell in cells {
        write!(text, "# %%\n{cell}\n\n").unwrap();
    }
    let found: Vec<String> = diagnostics(FormatName::Percent, &text)
        .into_iter()
        .map(|it| {
            let place = |it: &Place| format!("{}:{}", it.cell.unwrap(), it.cell_line.unwrap());
            let places: Vec<String> = it.places.iter().map(place).collect();
            format!("{} {}: {}", it.code, places.join(" "), it.message)
        })
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn fine_notebooks_have_no_problems() {
    check(&["import a", "x = a.b\n_y = x", "def f():\n    return x", "_y = f()"], &[]);
}

#[test]
fn a_name_of_several_cells_is_named_with_all_of_them() {
    check(
        &["x = 1", "y = 2\nx = y", "import x", "_z = 1", "_z = 2"],
        &[
            "multiple-definition 1:1 2:2 3:1: `x` is defined in cells 1, 2 and 3, so marimo runs none of them; give each its own name, or `_x` if it is used in its cell only",
        ],
    );
    // What a comprehension or a function binds is its own.
    check(&["[i for i in range(3)]", "def f(i):\n    j = i", "for i in f(1):\n    j = i"], &[]);
}

#[test]
fn cells_that_need_each_other_are_a_cycle() {
    check(
        &["a = 1", "b = c", "def c():\n    return d", "x = a", "d = b"],
        &[
            "cycle 2:1 3:2 5:1: cells 2, 3 and 5 need each other, so marimo runs none of them: cell 2 needs `c` of cell 3, cell 3 needs `d` of cell 5, cell 5 needs `b` of cell 2",
            "order 2:1: `c` is needed in cell 2, above cell 3, which defines it; a run from top to bottom fails there",
        ],
    );
    // Both have to run last.
    check(
        &["x = 1", "del x", "del x"],
        &[
            "cycle 2:1 3:1: cells 2 and 3 need each other, so marimo runs none of them: cell 2 needs `x` of cell 3, cell 3 needs `x` of cell 2",
        ],
    );
}

#[test]
fn the_setup_cell_needs_nothing() {
    let text = "# %% marimo={\"name\": \"setup\"}\nimport a\nb = a + c\n\n# %%\nc = 1\n";
    let found = diagnostics(FormatName::Percent, text);
    let codes: Vec<_> = found.iter().map(|it| it.code).collect();
    assert_eq!(codes, [DiagnosticCode::SetupDepends, DiagnosticCode::Order]);
    let place =
        Place { cell: Some(1), name: Some("setup".to_owned()), cell_line: Some(2), line: Some(3) };
    assert_eq!(found[0].places, [place]);
}

#[test]
fn what_does_not_compile_is_named_with_its_line() {
    check(
        &["x = 1", "y = 2\nz = (", "from os import *\ngetcwd()", "return x"],
        &[
            "syntax-error 2:2: not valid Python: unexpected EOF while parsing",
            "import-star 3:1: marimo does not run a cell with `import *`, because it cannot know which names that defines; name them, or import the module",
            "syntax-error 4:1: not valid Python: `return` statement outside of a function",
        ],
    );
}

#[test]
fn a_private_name_is_seen_in_its_cell_only() {
    check(
        &["_x = 1\nprint(_x)", "def f():\n    return _x", "_x = 2\n_x; _ = 1", "__y = 1", "__y, _"],
        &[
            "private-name 2:2: `_x` of cells 1 and 3 is not seen in cell 2 by marimo: a name that starts with an underscore stays in its cell",
        ],
    );
}

#[test]
fn order_counts_from_top_to_bottom() {
    check(
        &["x = a", "print(a, b)", "a = 1", "b = a", "c = b"],
        &[
            "order 1:1 2:1: `a` is needed in cells 1 and 2, above cell 3, which defines it; a run from top to bottom fails there",
            "order 2:1: `b` is needed in cell 2, above cell 4, which defines it; a run from top to bottom fails there",
        ],
    );
    // A function needs its names once it is called.
    check(&["def f():\n    return a", "a = 1", "f()"], &[]);
    check(
        &["def f():\n    return g()", "def g():\n    return a", "x = 1\nf()", "a = 1"],
        &[
            "order 3:2: `g` needs `a` in cell 3, above cell 4, which defines it; a run from top to bottom fails there",
        ],
    );
    // What nobody defines may come from anywhere; what IPython or Python has is there.
    check(&["display(undefined)", "print(1)", "x = print"], &[]);
    let found =
        diagnostics(FormatName::Percent, "# %%\nfrom a import *\n\n# %%\nb\n\n# %%\nb = 1\n");
    assert!(found.iter().all(|it| it.code != DiagnosticCode::Order), "{found:?}");
}

#[test]
fn magics_are_comments_in_marimo() {
    check(
        &["# %matplotlib inline\nimport a", "x = 1\n# files = !ls -l\nx"],
        &[
            "magic 2:2: `files = !ls -l` is a comment in marimo, so `files` is not defined there",
            "magic 1:1: `%matplotlib inline` is a comment in marimo",
        ],
    );
    let text = "# %%\nx = 1\n\n# %% language=\"bash\"\n# ls\n";
    let found = diagnostics(FormatName::Percent, text);
    assert_eq!(found[0].code, DiagnosticCode::OtherLanguage);
    assert_eq!((found[0].places[0].cell, found[0].places[0].line), (Some(2), Some(4)));
}

#[test]
fn commands_that_could_be_code_are_explained() {
    let find = |cells: &str| {
        diagnostics(FormatName::Hydrogen, cells)
            .into_iter()
            .map(|it| (it.code, it.severity, it.places[0].cell_line))
            .collect::<Vec<_>>()
    };
    let code = DiagnosticCode::IpythonSyntax;
    assert_eq!(find("# %%\nx = 1\nx?\n"), [(code, Severity::Error, Some(2))]);
    assert_eq!(find("# %%\nls -l\n"), [(code, Severity::Warning, Some(1))]);
    // Code, prose, and another mistake.
    assert_eq!(find("# %%\nls = 1\nl = 2\n\n# %%\nls -l\n"), []);
    assert_eq!(find("# %%\n# Why?\n# copy the data\n"), []);
    let syntax = DiagnosticCode::SyntaxError;
    assert_eq!(find("# %%\nls -l\nx = (\n"), [(syntax, Severity::Error, Some(2))]);
}

#[test]
fn places_are_those_of_the_file() {
    let marimo = "import marimo\n\n__generated_with = \"0.25.2\"\napp = marimo.App()\n\n\n@app.cell\ndef first():\n    # a\n    x = 1\n    return\n\n\n@app.cell(hide_code=True)\ndef _():\n    x = 2\n    return\n";
    let found = diagnostics(FormatName::Marimo, marimo);
    let place = |cell, name: Option<&str>, cell_line, line| Place {
        cell: Some(cell),
        name: name.map(str::to_owned),
        cell_line: Some(cell_line),
        line: Some(line),
    };
    assert_eq!(found[0].places, [place(1, Some("first"), 2, 10), place(2, None, 1, 16)]);

    // The cell with the PEP 723 block counts.
    let percent =
        "# %%\n# /// script\n# dependencies = []\n# ///\n\n# %%\nx = 1\n\n# %%\n\nx = 2\n";
    let found = diagnostics(FormatName::Percent, percent);
    assert_eq!(found[0].places, [place(2, None, 1, 7), place(3, None, 2, 11)]);

    let cell = |source: &str| {
        format!(
            "{{\"cell_type\": \"code\", \"metadata\": {{}}, \"outputs\": [], \"source\": {source:?}}}"
        )
    };
    let ipynb = format!(
        "{{\"cells\": [{}, {}, {}], \"metadata\": {{}}, \"nbformat\": 4, \"nbformat_minor\": 4}}",
        cell("# /// script\n# ///"),
        cell("x = 1"),
        cell("x = 2")
    );
    let found = diagnostics(FormatName::Ipynb, &ipynb);
    assert_eq!(
        found[0].places.iter().map(|it| (it.cell, it.line)).collect::<Vec<_>>(),
        [(Some(2), None), (Some(3), None)]
    );
}

#[test]
fn notebooks_in_other_languages_have_no_marimo_copy() {
    let text = "# ---\n# jupyter:\n#   kernelspec:\n#     language: R\n# ---\n\n# %%\nx <- 1\n";
    let found = diagnostics(FormatName::Percent, text);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].code, found[0].severity), (DiagnosticCode::NoMarimo, Severity::Note));
}

#[test]
fn long_chains_are_no_recursion() {
    let mut text = String::new();
    for n in 0..20_000 {
        write!(text, "# %%\ndef f{n}():\n    return f{}()\n\n", (n + 1) % 20_000).unwrap();
    }
    text.push_str("# %%\nf0()\n");
    let found = diagnostics(FormatName::Percent, &text);
    assert_eq!(found.iter().map(|it| it.code).collect::<Vec<_>>(), [DiagnosticCode::Cycle]);
    assert_eq!(found[0].places.len(), 20_000);
}
