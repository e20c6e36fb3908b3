//! Reading and writing marimo scripts takes time in proportion to their size,
//! and little stack.

#![allow(clippy::cast_precision_loss, reason = "times are short")]
#![allow(clippy::print_stdout, reason = "the figures are for the log")]

use std::sync::Arc;
use std::thread;

use nbsync_formats::{
    Carry, Change, Document, FormatName, Slot, format, marimo_violations, outline_marimo,
    regenerate_marimo,
};
use rustix::time::{ClockId, clock_gettime};

const START: &str = "import marimo\n\n__generated_with = \"0.25.2\"\napp = marimo.App()\n";
const GUARD: &str = "\n\nif __name__ == \"__main__\":\n    app.run()\n";

fn notebook(cells: impl Iterator<Item = String>) -> String {
    format!("{START}\n\n{}{GUARD}", cells.collect::<Vec<_>>().join("\n\n"))
}

fn cell(code: &str) -> String {
    format!("@app.cell\ndef _():\n    {}\n    return\n", code.replace('\n', "\n    "))
}

/// Makes a text of any size.
type Shape = fn(usize) -> String;

/// Notebooks of one shape in any size.
fn shapes() -> Vec<(&'static str, Shape)> {
    vec![
        ("cells that use each other", |n| {
            notebook((0..n).map(|no| cell(&format!("x_{no} = x_{}\nprint(x_{no})", no / 2))))
        }),
        ("functions that use each other", |n| {
            notebook((0..n).map(|no| {
                format!("@app.function\ndef f_{no}(x):\n    return f_{}(x)\n", (no + 1) % n)
            }))
        }),
        ("syntax errors", |n| notebook((0..n).map(|no| cell(&format!("x_{no} = ("))))),
        ("strings that are never closed", |n| notebook((0..n).map(|_| cell("x = \"\"\"a")))),
        ("decorators", |n| format!("{START}{}x = (", "@app.cell\n".repeat(10 * n))),
        ("statements and comments between the cells", |n| {
            notebook((0..n).map(|no| format!("# {no}\nx = {no}\n{}", cell("# a"))))
        }),
        ("blank lines", |n| notebook((0..n).map(|_| format!("{}\n\n\n", cell("\n\n\n"))))),
        ("long lines", |n| notebook(["a", "b"].iter().map(|it| cell(&it.repeat(500 * n))))),
        ("carriage returns", |n| {
            notebook((0..n).map(|no| cell(&format!("x_{no}")))).replace('\n', "\r\n")
        }),
    ]
}

/// The processor time of some work, in seconds: the shortest of a few.
fn time(work: impl Fn()) -> f64 {
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
    };
    let once = || {
        let start = now();
        work();
        now() - start
    };
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn parse(text: &str) -> Option<Box<dyn Document>> {
    format(FormatName::Marimo).parse(Arc::from(text), ".py").ok()
}

/// An edit after which every cell is written anew.
fn rewrite(document: &dyn Document) {
    let cells = &document.notebook().cells;
    let change = |origin| {
        let changes = vec![Change::Source(format!("y_{origin} = 1"))];
        Slot::Change { origin, changes }
    };
    let slots: Vec<Slot> = (0..cells.len()).map(change).collect();
    // Some shapes can't be written, which is to be found out fast as well.
    let _res: Result<_, _> = document.update(&slots, &[], Carry::All);
}

/// Eight times the text must not take more than 20 times as long; if every cell
/// looked at all others, it would take 64 times as long.
#[track_caller]
fn assert_linear(name: &str, text: fn(usize) -> String, work: impl Fn(&str)) {
    let n = 100;
    let (small, large) = (text(n), text(8 * n));
    let small = time(|| work(&small));
    let large = time(|| work(&large));
    let ratio = large / small;
    println!("8 times {name}: {ratio:.1} times as long");
    assert!(ratio < 20.0, "8 times {name}: {ratio:.1} times as long ({small:.4} s, {large:.4} s)");
}

#[test]
fn reading_takes_linear_time() {
    for (name, text) in shapes() {
        assert_linear(name, text, |text| {
            parse(text);
            let _res: Result<_, _> = marimo_violations(text);
        });
    }
}

#[test]
fn writing_takes_linear_time() {
    for (name, text) in shapes() {
        assert_linear(name, text, |text| {
            let _res: Result<_, _> = regenerate_marimo(text);
        });
        assert_linear(name, text, |text| {
            if let Some(document) = parse(text) {
                rewrite(&*document);
            }
        });
    }
}

/// Does with a text all that can be done, with as little stack as threads have
/// anywhere.
fn exercise(text: &str) -> bool {
    thread::scope(|scope| {
        let work = || {
            let document = parse(text);
            if let Some(document) = &document {
                rewrite(&**document);
            }
            let _res: Result<_, _> = marimo_violations(text);
            let _res: Result<_, _> = outline_marimo(text);
            let _res: Result<_, _> = regenerate_marimo(text);
            document.is_some()
        };
        let thread = thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, work);
        thread.expect("a thread can be started").join().expect("nothing panics")
    })
}

#[test]
fn deep_nesting_takes_little_stack() {
    const N: usize = 100_000;
    let deep: [(&str, String); 9] = [
        ("parentheses", format!("{}{}", "(".repeat(N), ")".repeat(N))),
        ("brackets that are never closed", "[".repeat(N)),
        ("attributes", format!("x{}", ".a".repeat(N))),
        ("operators", format!("x{}", " + x".repeat(N))),
        ("negations", format!("{}x", "not ".repeat(N))),
        ("powers", format!("x{}", "**x".repeat(N))),
        ("lambdas", format!("{}x", "lambda: ".repeat(N))),
        ("indentation", (0..2000).map(|n| " ".repeat(n) + "if x:\n").collect()),
        ("f-strings", format!("{}{}", "f'{".repeat(2000), "}'".repeat(2000))),
    ];
    for (name, code) in deep {
        println!("{name}");
        // Whether it is read, or refused: it comes to an end.
        exercise(&notebook([cell(&code), cell("y")].into_iter()));
        exercise(&format!("{START}{code}\n{}{GUARD}", cell("y")));
    }
}

#[test]
fn a_line_of_five_megabytes_is_read() {
    let long = "x".repeat(5 << 20);
    assert!(exercise(&notebook([cell(&format!("'{long}'")), cell("y")].into_iter())));
    assert!(exercise(&notebook([cell(&format!("x = ({long}")), cell("y")].into_iter())));
}
