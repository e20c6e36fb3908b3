//! What editors find of the files that they have just saved. `nbsync flush` is the barrier.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use crate::sandbox::{PERCENT, Sandbox};

const MARIMO: &str = "__marimo__/nbsync/a.marimo.py";
const IPYNB: &str = "__marimo__/nbsync/a.ipynb";

/// What an editor that looks at a file can see of it.
fn seen(sandbox: &Sandbox, name: &str) -> (u64, i64, i64, String) {
    let it = fs::metadata(sandbox.path(name)).unwrap();
    (it.ino(), it.mtime(), it.mtime_nsec(), sandbox.read(name))
}

/// Saves as Jupyter's server does.
fn save_in_jupyter(sandbox: &Sandbox, change: impl FnOnce(&mut Value)) {
    let (path, copy) = (sandbox.path(IPYNB), sandbox.path("__marimo__/nbsync/.~a.ipynb"));
    let mut notebook: Value = serde_json::from_str(&sandbox.read(IPYNB)).unwrap();
    change(&mut notebook);
    fs::copy(&path, &copy).unwrap();
    fs::write(&path, format!("{notebook:#}\n")).unwrap();
    fs::remove_file(copy).unwrap();
}

#[track_caller]
fn flush(sandbox: &Sandbox) {
    let (report, code) = sandbox.json(&["flush", "--json"]);
    assert_eq!(code, 0, "{report:#}");
}

/// So that JupyterLab asks nothing, and VS Code and marimo load nothing.
#[test]
fn a_save_leaves_its_own_file_as_it_is() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let _daemon = sandbox.watch();
    let saves: [(&str, &dyn Fn()); 5] = [
        ("a.py", &|| sandbox.edit("a.py", "x = 1", "x = 2")),
        (MARIMO, &|| sandbox.edit(MARIMO, "x = 2", "x = 3")),
        (IPYNB, &|| {
            save_in_jupyter(&sandbox, |it| it["cells"][1]["source"] = json!(["x = 4"]));
        }),
        // A run, and a cell that is new.
        (IPYNB, &|| {
            save_in_jupyter(&sandbox, |it| {
                let text = json!(["4\n"]);
                it["cells"][2]["outputs"] =
                    json!([{"name": "stdout", "output_type": "stream", "text": text}]);
                it["cells"][2]["execution_count"] = json!(2);
            });
        }),
        (IPYNB, &|| {
            save_in_jupyter(&sandbox, |it| {
                let cell = json!({
                    "cell_type": "code", "execution_count": null, "id": "new", "metadata": {},
                    "outputs": [], "source": ["y = 1"],
                });
                it["cells"].as_array_mut().unwrap().push(cell);
            });
        }),
    ];
    for (no, (path, save)) in saves.iter().enumerate() {
        let names = ["a.py", MARIMO, IPYNB];
        let before = names.map(|name| seen(&sandbox, name));
        save();
        let saved = seen(&sandbox, path);
        flush(&sandbox);
        assert_eq!(seen(&sandbox, path), saved, "{path}");
        for (name, before) in names.iter().zip(before).filter(|it| it.0 != path) {
            let now = seen(&sandbox, name);
            if no == 3 {
                assert_eq!(now, before, "{name}: a run is nobody else's");
            } else {
                assert!((before.1, before.2) < (now.1, now.2), "{name}: {before:?} {now:?}");
            }
        }
    }
}

/// They are left alone for a while. No other copy waits for that, and no other notebook.
#[test]
fn replicas_that_were_saved_at_once_wait() {
    let sandbox = Sandbox::new();
    sandbox.write("nbsync.toml", "patience = \"1min\"\n");
    sandbox.write("a.py", PERCENT);
    sandbox.write("b.py", PERCENT);
    let mut daemon = sandbox.watch();
    // Both are there when the daemon looks.
    assert!(sandbox.run(&["pause", "-q"]).is_empty());
    sandbox.edit("a.py", "x = 1", "x = 1000");
    sandbox.edit(IPYNB, "print(x)", "print(x, 0)");
    let saved = ["a.py", IPYNB].map(|name| seen(&sandbox, name));
    assert!(sandbox.run(&["resume", "-q"]).is_empty());
    sandbox.edit("b.py", "x = 1", "x = 2");
    assert_eq!(daemon.wait_for("propagated")["notebook"], "b.py");
    assert_eq!(["a.py", IPYNB].map(|name| seen(&sandbox, name)), saved);
    let marimo = sandbox.read(MARIMO);
    assert!(marimo.contains("x = 1000") && marimo.contains("print(x, 0)"), "{marimo}");
    let (status, _) = sandbox.json(&["status", "--json"]);
    let notebooks = status["notebooks"].as_array().unwrap();
    let states: Vec<&Value> = notebooks.iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["pending", "synced"], "{status:#}");
    flush(&sandbox);
    for name in ["a.py", MARIMO, IPYNB] {
        let text = sandbox.read(name);
        assert!(text.contains("x = 1000") && text.contains("print(x, 0)"), "{name}: {text}");
    }
}
