//! `nbsync hold`, `release` and `flush`, and what `docs/agents.md` says of them.

use std::process::Command;

use crate::sandbox::{PERCENT, Sandbox};

const MARIMO: &str = "__marimo__/nbsync/a.marimo.py";
const IPYNB: &str = "__marimo__/nbsync/a.ipynb";

/// A command of the page, and the lines that it is said to print.
struct Example<'a> {
    command: &'a str,
    output: Vec<&'a str>,
}

/// Returns the examples of a page of the documentation.
fn examples(page: &str) -> Vec<Example<'_>> {
    let mut examples: Vec<Example<'_>> = Vec::new();
    let mut is_console = false;
    for line in page.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if is_console && let Some(command) = line.strip_prefix("$ ") {
            examples.push(Example { command, output: Vec::new() });
        } else if is_console {
            examples.last_mut().unwrap().output.push(line);
        }
    }
    examples
}

/// Cuts the id and the time off a line of `nbsync log`, which are other ones each time.
fn without_id(line: &str) -> &str {
    match line.split_at_checked(8) {
        Some((id, rest)) if id.bytes().all(|it| (b'k'..=b'z').contains(&it)) => {
            rest.get(23..).filter(|_| rest.starts_with("  20")).unwrap_or(line)
        }
        _ => line,
    }
}

#[test]
fn every_command_of_the_page_for_agents_does_what_it_says() {
    let sandbox = Sandbox::new();
    sandbox.write("draft.py", PERCENT);
    drop(sandbox.run(&["convert", "draft.py", "--to", "ipynb", "-o", "analysis.ipynb"]));
    std::fs::remove_file(sandbox.path("draft.py")).unwrap();
    let _daemon = sandbox.watch();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_nbsync")).parent().unwrap();
    let found = examples(include_str!("../../docs/agents.md"));
    assert!(found.len() > 10);
    for Example { command, output } in found {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(sandbox.notebooks()).env_clear();
        shell.envs(sandbox.command([""; 0]).get_envs().filter_map(|(k, v)| Some((k, v?))));
        shell.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        shell.env("COLUMNS", "200");
        let said = sandbox.print(&shell.output().unwrap()).replace("[DIR]", "/home/ada/project");
        let mut lines = said.lines();
        for line in &output {
            let found = lines.any(|it| without_id(it) == without_id(line));
            assert!(found, "`{command}` did not say `{line}`:\n{said}");
        }
        let fails = output.iter().any(|line| line.starts_with("[exit status"));
        assert_eq!(said.contains("[exit status"), fails, "`{command}` said:\n{said}");
    }
}

#[test]
fn held_saves_of_several_copies_become_one_step() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let _daemon = sandbox.watch();
    assert_eq!(sandbox.run(&["hold", "-q", MARIMO]), "");
    let others = [sandbox.read(MARIMO), sandbox.read(IPYNB)];
    sandbox.edit("a.py", "x = 1", "x = 1000");
    sandbox.edit("a.py", "# # Title", "# # Another");
    let (report, code) = sandbox.json(&["flush", "--json"]);
    assert_eq!((code, &report["propagated"]), (1, &serde_json::json!([])), "{report:#}");
    assert_eq!(report["out_of_sync"][0]["state"], "pending");
    assert_eq!([sandbox.read(MARIMO), sandbox.read(IPYNB)], others);
    sandbox.edit(MARIMO, "print(x)", "print(x + 1)");

    let (report, code) = sandbox.json(&["release", "a.py", "--json"]);
    assert_eq!(code, 0, "{report:#}");
    let steps = report["propagated"].as_array().unwrap();
    assert_eq!((steps.len(), &steps[0]["cells"]), (1, &serde_json::json!(3)), "{report:#}");
    for path in ["a.py", MARIMO, IPYNB] {
        let text = sandbox.read(path);
        assert!(text.contains("x = 1000") && text.contains("print(x + 1)"), "{path}: {text}");
    }
    // What was told once is not told again, and one step takes it all back.
    assert_eq!(sandbox.json(&["flush", "--json"]).0["propagated"], serde_json::json!([]));
    drop(sandbox.run(&["undo", "a.py"]));
    assert_eq!(sandbox.read("a.py"), PERCENT);
    assert_eq!([sandbox.read(MARIMO), sandbox.read(IPYNB)], others);
}

#[test]
fn a_hold_ends_by_itself() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    sandbox.write("b.py", PERCENT);
    let mut daemon = sandbox.watch();
    assert_eq!(sandbox.run(&["hold", "-q", "a.py", "--for", "1s"]), "");
    sandbox.edit("a.py", "x = 1", "x = 1000");
    sandbox.edit("b.py", "x = 1", "x = 2000");
    // Other notebooks are not held up.
    assert_eq!(daemon.wait_for("propagated")["notebook"], "b.py");
    assert_eq!(daemon.wait_for("propagated")["notebook"], "a.py");
    assert!(sandbox.read(MARIMO).contains("x = 1000"));
}

#[test]
fn hold_says_what_it_cannot_do() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let without = sandbox.run(&["hold", "a.py"]);
    assert!(without.contains("no daemon watches") && without.contains("status: 4"), "{without}");
    let _daemon = sandbox.watch();
    insta::assert_snapshot!(sandbox.run(&["hold", "other.py"]), @"
    --- stderr
    error: there is no notebook to hold
    hint: `nbsync status` lists them
    [exit status: 3]
    ");
    let time = sandbox.run(&["hold", "a.py", "--for", "soon"]);
    assert!(time.contains("a time is `30s`, `5min` or `1h`"), "{time}");
}

#[test]
fn flush_tells_where_a_file_can_not_be_read() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let _daemon = sandbox.watch();
    sandbox.write(IPYNB, "{\"cells\": [\n  {\"cell_type\"\n");
    let (report, code) = sandbox.json(&["flush", "--json"]);
    assert_eq!(code, 1);
    let held = &report["out_of_sync"][0];
    assert_eq!((&held["state"], &held["unreadable"]["path"]), (&"held".into(), &IPYNB.into()));
    assert!(held["unreadable"]["message"].is_string(), "{held:#}");
    // It goes when the file is whole.
    drop(sandbox.run(&["restore", "a.py@~0"]));
    let (status, _) = sandbox.json(&["status", "--json"]);
    assert!(status["notebooks"][0].get("unreadable").is_none(), "{status:#}");
}
