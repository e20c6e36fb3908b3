//! `nbsync pair`, `unpair` and `ignore`.

use serde_json::Value;

use crate::sandbox::{PERCENT, Sandbox};

/// The notebooks: their state, and their replicas with the first letter of the role.
fn notebooks(sandbox: &Sandbox) -> Vec<String> {
    let (status, _) = sandbox.json(&["status", "--json"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let replica = |it: &Value| format!("{}:{}", &text(&it["role"])[..1], text(&it["path"]));
    let notebooks = status["notebooks"].as_array().unwrap().iter();
    notebooks
        .map(|it| {
            let replicas = it["replicas"].as_array().unwrap().iter().map(replica);
            format!("{} {}", text(&it["state"]), replicas.collect::<Vec<_>>().join(" "))
        })
        .collect()
}

#[test]
fn files_of_one_name_are_held_until_they_are_paired() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    drop(sandbox.run(&["convert", "a.py", "--to", "ipynb", "-o", "a.ipynb"]));
    sandbox.write("nbsync.toml", "# mine\nformats = [\"ipynb\", \"percent\"]  # no marimo\n");
    assert_eq!(notebooks(&sandbox), ["held s:a.ipynb", "held s:a.py"]);

    let said = sandbox.run(&["pair", "a.py", "a.ipynb"]);
    assert!(said.contains("paired, in") && said.contains("nbsync.toml"), "{said}");
    assert_eq!(
        sandbox.read("nbsync.toml"),
        "# mine\nformats = [\"ipynb\", \"percent\"]  # no marimo\npairs = [[\"a.py\", \"a.ipynb\"]]\n"
    );
    let before = sandbox.read("a.ipynb");
    drop(sandbox.run(&["sync"]));
    assert_eq!(notebooks(&sandbox), ["synced s:a.py p:a.ipynb"]);
    assert_eq!(sandbox.read("a.ipynb"), before);
    let again = sandbox.run(&["pair", "a.py", "b.ipynb"]);
    assert!(again.contains("is in a pair already") && again.contains("exit status: 2"), "{again}");

    drop(sandbox.run(&["unpair", "a.ipynb"]));
    assert_eq!(notebooks(&sandbox), ["held s:a.ipynb", "held s:a.py"]);
    let again = sandbox.run(&["unpair", "a.ipynb"]);
    assert!(again.contains("is in no pair of the configuration"), "{again}");

    drop(sandbox.run(&["ignore", "a.py"]));
    assert!(sandbox.read("nbsync.toml").starts_with("# mine\n"));
    drop(sandbox.run(&["sync"]));
    let percent = "__marimo__/nbsync/a.percent.py";
    assert_eq!(notebooks(&sandbox), [format!("synced s:a.ipynb s:{percent}")]);
    assert_eq!(sandbox.read("a.py"), PERCENT);
}

#[test]
fn a_running_daemon_goes_by_it_at_once() {
    let sandbox = Sandbox::new();
    sandbox.write("src/a.py", PERCENT);
    let daemon = sandbox.watch();
    drop(sandbox.run(&["pair", "src/a.py", "notebooks/a.ipynb"]));
    drop(sandbox.run(&["flush"]));
    let found = notebooks(&sandbox);
    let expected = "synced s:src/a.py p:notebooks/a.ipynb s:src/__marimo__/nbsync/a.marimo.py";
    assert_eq!(found, [expected]);
    assert!(sandbox.read("notebooks/a.ipynb").contains("nbformat"));
    daemon.kill();
}
