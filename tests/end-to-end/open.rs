//! `nbsync which`, `open` and `run`. The editors here only say how they were started.

use std::fs;

use serde_json::Value;

use crate::sandbox::{PERCENT, Sandbox};

/// Writes down where it was started, and with what.
const EDITOR: &str = "#!/bin/sh\n\
    { echo \"in $PWD\"; echo \"imports $PYTHONPATH\"; for it in \"$0\" \"$@\"; do echo \"${it##*/bin/}\"; done; } \
    > \"$HOME/started\"\nexit 7\n";

/// A sandbox with editors. Ends the daemon that a command may have started.
struct Desk(Sandbox);

impl Desk {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        for editor in ["marimo", "jupyter", "code"] {
            sandbox.program(editor, EDITOR);
        }
        // A root below the home would be fine; here it is beside it.
        sandbox.write("team/a.py", PERCENT);
        sandbox.write("nbsync.toml", "");
        Self(sandbox)
    }

    /// Opens a notebook, and returns how the editor was started.
    #[track_caller]
    fn open(&self, args: &[&str]) -> String {
        let said = self.0.run(args);
        assert!(said.ends_with("[exit status: 7]\n"), "the editor's exit code is ours: {said}");
        let started = fs::read_to_string(self.0.home().join("started")).unwrap();
        started.replace(self.0.notebooks().to_str().unwrap(), "[DIR]")
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        drop(self.0.run(&["stop"]));
    }
}

#[test]
fn which_names_the_copies_and_makes_them() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let marimo = "[DIR]/__marimo__/nbsync/a.marimo.py\n";
    assert_eq!(sandbox.run(&["which", "a.py", "--format", "marimo"]), marimo);
    assert!(sandbox.read("__marimo__/nbsync/a.marimo.py").contains("x = 1"));
    // What was saved is in it.
    sandbox.edit("a.py", "x = 1", "x = 1000");
    let ipynb = sandbox.run(&["which", "__marimo__/nbsync/a.marimo.py", "--format", "ipynb"]);
    assert_eq!(ipynb, "[DIR]/__marimo__/nbsync/a.ipynb\n");
    assert!(sandbox.read("__marimo__/nbsync/a.ipynb").contains("x = 1000"));
    insta::assert_snapshot!(sandbox.run(&["which", "a.py"]), @"
    percent  [DIR]/a.py
    ipynb    [DIR]/__marimo__/nbsync/a.ipynb
    marimo   [DIR]/__marimo__/nbsync/a.marimo.py
    ");

    let _daemon = sandbox.watch();
    sandbox.edit("a.py", "x = 1000", "x = 2000");
    assert_eq!(sandbox.run(&["which", "a.py", "--format", "marimo"]), marimo);
    assert!(sandbox.read("__marimo__/nbsync/a.marimo.py").contains("x = 2000"));
}

#[test]
fn which_says_what_is_not_there() {
    let sandbox = Sandbox::new();
    sandbox.write("nbsync.toml", "formats = [\"percent\", \"ipynb\"]\n");
    sandbox.write("a.py", PERCENT);
    sandbox.write("plain.py", "x = 1\n");
    insta::assert_snapshot!(sandbox.run(&["which", "a.py", "--format", "marimo"]), @"
    --- stderr
    error: `a.py` has no marimo copy
    hint: `formats` in the configuration says which copies are made; `nbsync doctor a.py` says what this notebook can't have
    [exit status: 3]
    ");
    insta::assert_snapshot!(sandbox.run(&["which", "plain.py"]), @"
    --- stderr
    error: `[DIR]/plain.py` is no notebook that is kept in sync
    hint: `nbsync doctor plain.py` says why
    [exit status: 3]
    ");
    insta::assert_snapshot!(sandbox.run(&["which", "b.py"]), @"
    --- stderr
    error: there is no notebook `[DIR]/b.py`
    [exit status: 3]
    ");
    // One that is held has its files, and says so.
    assert_eq!(sandbox.run(&["sync", "-q"]), "");
    sandbox.write("a.py", "<<<<<<< HEAD\nx = 1\n");
    let held = sandbox.run(&["which", "a.py", "--format", "ipynb"]);
    assert!(held.starts_with("[DIR]/__marimo__/nbsync/a.ipynb\n"), "{held}");
    assert!(held.contains("warning: `a.py` is held") && held.contains("exit status: 1"), "{held}");
}

#[test]
fn open_starts_the_editor_on_its_copy_in_the_folder_of_the_source() {
    let desk = Desk::new();
    insta::assert_snapshot!(desk.open(&["open", "team/a.py", "--in", "marimo"]), @"
    in [DIR]/team
    imports [DIR]/team
    marimo
    edit
    --watch
    [DIR]/team/__marimo__/nbsync/a.marimo.py
    ");
    // The arguments of the user come before the path, and those of the notebook after it.
    let args = ["open", "team/a.py", "--in", "marimo", "--", "--port", "1", "--", "--n", "2"];
    insta::assert_snapshot!(desk.open(&args), @"
    in [DIR]/team
    imports [DIR]/team
    marimo
    edit
    --watch
    --port
    1
    [DIR]/team/__marimo__/nbsync/a.marimo.py
    --
    --n
    2
    ");
    insta::assert_snapshot!(desk.open(&["open", "team/a.py", "--in", "jupyter"]), @"
    in [DIR]/team
    imports 
    jupyter
    lab
    --ServerApp.root_dir=[DIR]/team/__marimo__/nbsync
    --MappingKernelManager.root_dir=[DIR]/team
    [DIR]/team/__marimo__/nbsync/a.ipynb
    ");
    insta::assert_snapshot!(desk.open(&["run", "team/a.py"]), @"
    in [DIR]/team
    imports [DIR]/team
    marimo
    run
    --watch
    [DIR]/team/__marimo__/nbsync/a.marimo.py
    ");
}

#[test]
fn vs_code_gets_the_named_file_and_a_folder_to_run_in() {
    let desk = Desk::new();
    insta::assert_snapshot!(desk.open(&["open", "team/a.py", "--in", "code"]), @"
    in [DIR]/team
    imports 
    code
    [DIR]
    [DIR]/team/a.py
    ");
    let args = ["open", "team/a.py", "--in", "code", "--format", "ipynb"];
    insta::assert_snapshot!(desk.open(&args), @"
    in [DIR]/team
    imports 
    code
    [DIR]/team/__marimo__/nbsync/nbsync.code-workspace
    [DIR]/team/__marimo__/nbsync/a.ipynb
    ");
    let workspace = desk.0.read("team/__marimo__/nbsync/nbsync.code-workspace");
    let workspace: Value = serde_json::from_str(&workspace).unwrap();
    assert_eq!(workspace["folders"][0]["path"], desk.0.path("team").to_str().unwrap());
    assert_eq!(workspace["settings"]["jupyter.notebookFileRoot"], "${workspaceFolder}");
    // The script is what a marimo notebook is in VS Code.
    let started = desk.open(&["open", "team/__marimo__/nbsync/a.marimo.py", "--in", "code"]);
    assert!(started.ends_with("\n[DIR]/team/a.py\n"), "{started}");
}

#[test]
fn vs_code_gets_its_setting_without_a_change_of_the_users_own() {
    let desk = Desk::new();
    let settings = "{\n  // mine\n  \"jupyter.notebookFileRoot\": \"/elsewhere\"\n}\n";
    let own = ["team/.vscode/settings.json", ".vscode/settings.json", "team/team.code-workspace"];
    for name in own {
        desk.0.write(name, settings);
    }
    drop(desk.open(&["open", "team/a.py", "--in", "code", "--format", "ipynb"]));
    // One that was changed by hand is made again.
    desk.0.write("team/__marimo__/nbsync/nbsync.code-workspace", "{}");
    drop(desk.open(&["open", "team/a.py", "--in", "code", "--format", "ipynb"]));
    assert!(
        desk.0.read("team/__marimo__/nbsync/nbsync.code-workspace").contains("notebookFileRoot")
    );
    for name in own {
        assert_eq!(desk.0.read(name), settings, "{name}");
    }
    let files = desk.0.files();
    let new = files.iter().filter(|it| !it.starts_with("team/__marimo__/nbsync/"));
    assert_eq!(new.collect::<Vec<_>>(), ["nbsync.toml", "team/a.py", "team/team.code-workspace"]);
}

#[test]
fn beside_the_source_nothing_needs_to_be_said() {
    let desk = Desk::new();
    desk.0.write("nbsync.toml", "layout = \"sibling\"\n");
    insta::assert_snapshot!(desk.open(&["open", "team/a.py", "--in", "jupyter"]), @"
    in [DIR]/team
    imports 
    jupyter
    lab
    [DIR]/team/a.ipynb
    ");
    insta::assert_snapshot!(desk.open(&["open", "team/a.py", "--in", "marimo"]), @"
    in [DIR]/team
    imports 
    marimo
    edit
    --watch
    [DIR]/team/a.marimo.py
    ");
}

#[test]
fn open_starts_one_daemon_that_stays() {
    let desk = Desk::new();
    let said = desk.0.run(&["open", "team/a.py", "--in", "marimo"]);
    assert!(said.contains("watching: `[DIR]` from now on, in process"), "{said}");
    let (status, _) = desk.0.json(&["status", "--json"]);
    let pid = status["daemon"]["pid"].clone();
    assert!(pid.is_u64(), "{status:#}");
    let again = desk.0.run(&["open", "team/a.py", "--in", "jupyter"]);
    assert!(!again.contains("watching"), "{again}");
    assert_eq!(desk.0.json(&["status", "--json"]).0["daemon"]["pid"], pid);
    // It does its work.
    desk.0.edit("team/__marimo__/nbsync/a.marimo.py", "x = 1", "x = 1000");
    drop(desk.0.run(&["flush"]));
    assert!(desk.0.read("team/a.py").contains("x = 1000"));
}

#[test]
fn open_says_what_is_missing() {
    let desk = Desk::new();
    fs::remove_file(desk.0.home().join("../bin/marimo")).unwrap();
    let said = desk.0.run(&["open", "-q", "team/a.py", "--in", "marimo"]);
    insta::assert_snapshot!(said, @"
    --- stderr
    error: cannot start `marimo`
    caused by: No such file or directory (os error 2)
    hint: `pip install marimo watchdog`, or activate the environment that has it
    [exit status: 3]
    ");
    let said = desk.0.run(&["open", "team/a.py", "--in", "jupyter", "--format", "percent"]);
    assert!(said.contains("error: `jupyter` can't open a notebook as percent"), "{said}");
}

#[test]
fn open_does_not_watch_the_whole_home_by_itself() {
    let sandbox = Sandbox::new();
    sandbox.program("marimo", EDITOR);
    let path = sandbox.home().join("a.py");
    fs::write(&path, PERCENT).unwrap();
    let said = sandbox.run(&["open", path.to_str().unwrap(), "--in", "marimo"]);
    insta::assert_snapshot!(said, @"
    --- stderr
    error: no daemon watches `[SANDBOX]/home`
    hint: start one with `nbsync watch`, or `nbsync service install`
    [exit status: 4]
    ");
    assert!(!sandbox.home().join("__marimo__").exists());
}
