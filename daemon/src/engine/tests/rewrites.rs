//! What an editor's save rewrites by itself is no edit: it reaches no other replica, and stays.
//!
//! The files are as JupyterLab 4.6, VS Code 1.139 and marimo 0.25.2 were seen to leave them.

use camino::Utf8Path;
use serde_json::{Value, json};

use super::files::{MARIMO, indented, notebook, saved, with};
use super::world::{QUIET, World, at};
use crate::sync::pairing::extension;

/// A file as somebody left it, and as an editor saves it in which nobody typed.
struct Case {
    what: &'static str,
    before: String,
    after: String,
}

/// The line that somebody types where it is to be seen that edits still travel.
const LINE: (&str, &str) = ("print(y)", "print(y, 'typed')");

fn ipynb_cases() -> Vec<Case> {
    let case = |what, before: String, after: &Value| Case { what, before, after: saved(after) };
    let whole = notebook();
    let short = with(|it| it["metadata"]["language_info"] = json!({"name": "python"}));
    let none =
        with(|it| drop(it["metadata"].as_object_mut().unwrap().shift_remove("language_info")));
    let without_ids = with(|it| {
        it["nbformat_minor"] = json!(4);
        let cells = it["cells"].as_array_mut().unwrap().iter_mut();
        cells.for_each(|cell| drop(cell.as_object_mut().unwrap().shift_remove("id")));
    });
    let strings = with(|it| {
        it["cells"][2]["source"] = json!("y = 2 * x\ny");
        it["cells"][2]["outputs"][0]["data"]["text/html"] = json!("<b>\n2</b>");
        it["cells"][0]["source"] = json!("# Café\n\none");
    });
    let png = with(|it| {
        it["cells"][2]["outputs"][0]["data"]["image/png"] = json!("iVBORw0KGgo=");
    });
    let counts = with(|it| it["cells"][3]["execution_count"] = json!(null));
    let twins = with(|it| it["cells"][1]["metadata"]["jupyter"] = json!({"outputs_hidden": true}));
    let run = with(|it| {
        it["cells"][3]["execution_count"] = json!(9);
        it["cells"][3]["outputs"][0]["text"] = json!(["2\n", "more\n"]);
        it["cells"][3]["metadata"]["execution"] = json!({"iopub.execute_input": "2026-11-01"});
    });
    vec![
        case("one space instead of two", indented(&whole, "  ") + "\n", &whole),
        case("one line", whole.to_string(), &whole),
        case("keys in order", indented(&whole, " ") + "\n", &whole),
        case("a newline at the end", saved(&whole).trim_end().to_owned(), &whole),
        case("é for an escape", saved(&whole).replace('é', "\\u00e9"), &whole),
        case("line feeds", saved(&whole).replace('\n', "\r\n"), &whole),
        case("lists of lines", saved(&strings), &whole),
        case("no newline behind an image", saved(&whole), &png),
        case("a count that is reset", saved(&whole), &counts),
        case("the other key for folded outputs", saved(&whole), &twins),
        case("a full language_info", saved(&short), &whole),
        case("a language_info where there was none", saved(&none), &whole),
        case("no ids in an older notebook", indented(&without_ids, "  "), &without_ids),
        case("what a run has left", saved(&whole), &run),
    ]
}

/// The cell that does not parse as somebody typed it, and as marimo keeps it.
const BROKEN: [&str; 2] = [
    "@app.cell\ndef _():\n    print(x\n    return\n",
    "app._unparsable_cell(\n    r\"\"\"\n    print(x\n    \"\"\",\n    name=\"_\"\n)\n",
];

fn marimo_cases() -> Vec<Case> {
    let case = |what, replaced: &[(&str, &str)]| {
        let mut before = MARIMO.to_owned();
        for (ours, theirs) in replaced {
            assert!(before.contains(ours), "{what}");
            before = before.replace(ours, theirs);
        }
        Case { what, before, after: MARIMO.to_owned() }
    };
    let end = "\n\nif __name__";
    let broken = |no: usize| MARIMO.replace(end, &format!("\n\n{}\n\nif __name__", BROKEN[no]));
    vec![
        case("the version of marimo", &[("0.25.2", "0.20.0")]),
        case("returns", &[("return (x,)", "return"), ("return (y,)", "return (x, y)")]),
        case("parameters", &[("def _(x)", "def _(z)"), ("def _(y)", "def _(x, y)")]),
        case("quotes", &[("\"medium\"", "'medium'"), ("\"0.25.2\"", "'0.25.2'")]),
        case(
            "no comment between cells",
            &[("\n\n\n@app.cell\ndef _(x)", "\n\n\n# A comment.\n\n@app.cell\ndef _(x)")],
        ),
        case("a newline at the end", &[("app.run()\n", "app.run()")]),
        case("line feeds", &[("\n", "\r\n")]),
        case("blank lines", &[("\n\n\n@app", "\n\n@app")]),
        Case { what: "a cell that does not parse", before: broken(0), after: broken(1) },
    ]
}

/// A file that is the source of its notebook, or a shadow of a script.
fn synced(path: &str, before: &str) -> World {
    let mut world = World::new();
    if path.contains("__marimo__") {
        world.create("a.py", "# Café++one | x = 1 | y = 2 * x | print(y)");
        world.start();
        world.run(QUIET);
    }
    world.disk.save(&at(path), before.as_bytes());
    if world.engine.is_none() {
        world.start();
    }
    world.run(QUIET);
    assert_eq!(world.text(path), before, "{path}");
    world.forget();
    world
}

/// The files that people and nbsync have of a notebook, but for one.
fn others(world: &World, path: &str) -> Vec<(String, String)> {
    let files = world.disk.files().into_iter();
    let files = files.filter(|(it, _)| *it != at(path) && !it.as_str().contains(".displaced"));
    files.map(|(it, bytes)| (it.into_string(), String::from_utf8(bytes).unwrap())).collect()
}

/// Checks that saves without typing change no other file, that they stay, and that edits of
/// this file and of the others travel afterwards and bring nothing else.
fn check(paths: &[&str], cases: &[Case]) {
    for path in paths {
        for Case { what, before, after } in cases {
            let what = format!("{what}, {path}");
            let mut world = synced(path, before);
            let was = others(&world, path);
            world.disk.save(&at(path), after.as_bytes());
            world.run(QUIET);
            assert_eq!(world.written(), [""; 0], "{what}");
            assert_eq!(others(&world, path), was, "{what}");
            assert_eq!(world.text(path), *after, "{what}");

            // An edit elsewhere changes its line, and nothing of what the editor rewrote.
            let script =
                was.iter().find(|(it, _)| extension(Utf8Path::new(it)) == ".py").unwrap().0.clone();
            let script = script.trim_start_matches("/w/");
            world.disk.save(&at(script), world.text(script).replace(LINE.0, LINE.1).as_bytes());
            world.run(QUIET);
            assert_eq!(world.text(path), after.replace(LINE.0, LINE.1), "{what}");

            // The same save with something typed in it is an edit of just that.
            let mut world = synced(path, before);
            world.disk.save(&at(path), after.replace(LINE.0, LINE.1).as_bytes());
            world.run(QUIET);
            assert!(!world.written().contains(&(*path).to_owned()), "{what}");
            for ((other, before), (_, now)) in was.iter().zip(others(&world, path)) {
                assert_eq!(now, before.replace(LINE.0, LINE.1), "{what}, {other}");
            }
        }
    }
}

#[test]
fn rewriting_an_ipynb_is_no_edit() {
    check(&["a.ipynb", "__marimo__/nbsync/a.ipynb"], &ipynb_cases());
}

#[test]
fn rewriting_a_marimo_script_is_no_edit() {
    check(&["a.py", "__marimo__/nbsync/a.marimo.py"], &marimo_cases());
}

/// JupyterLab asks for a kernel if a notebook names none, and that is its user's choice: the
/// script says it as well, as jupytext would have it.
#[test]
fn choosing_a_kernel_is_an_edit_of_the_script_with_a_header() {
    let bare = with(|it| it["metadata"] = json!({}));
    let chosen = with(|it| drop(it["metadata"].as_object_mut().unwrap().shift_remove("team")));
    let mut world = synced("a.ipynb", &saved(&bare));
    world.disk.save(&at("a.ipynb"), saved(&chosen).as_bytes());
    world.run(QUIET);
    let script = "__marimo__/nbsync/a.percent.py";
    assert_eq!(world.written(), [script]);
    assert!(world.text(script).contains("#   kernelspec:\n#     display_name: Python 3\n"));
    assert!(!world.text(script).contains("language_info"));
}
