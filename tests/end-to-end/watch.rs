//! `nbsync watch`, with edits. `nbsync flush` is the barrier; nothing sleeps.

use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::sandbox::{PERCENT, Sandbox};

const MARIMO_SHADOW: &str = "__marimo__/nbsync/a.marimo.py";
const IPYNB_SHADOW: &str = "__marimo__/nbsync/a.ipynb";

#[track_caller]
fn flush(sandbox: &Sandbox) -> Value {
    let (report, code) = sandbox.json(&["flush", "--json"]);
    assert_eq!(code, 0, "{report:#}");
    report
}

#[test]
fn an_edit_of_each_replica_reaches_the_others() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let mut daemon = sandbox.watch();
    let replicas = ["a.py", MARIMO_SHADOW, IPYNB_SHADOW];
    for (i, replica) in replicas.into_iter().enumerate() {
        let before = replicas.map(|replica| sandbox.read(replica));
        let (from, to) = (format!("x = {}", i + 1), format!("x = {}", i + 2));
        sandbox.edit(replica, &from, &to);
        flush(&sandbox);
        for (replica, before) in replicas.into_iter().zip(before) {
            // That edit, and no other byte.
            assert_eq!(sandbox.read(replica), before.replace(&from, &to), "{replica}");
        }
        let event = daemon.wait_for("propagated");
        assert_eq!(event["notebook"], "a.py");
        assert_eq!(event["from"], serde_json::json!([replica]));
        assert_eq!(event["to"].as_array().unwrap().len(), 2);
        assert_eq!(event["cells"], 1);
        assert!(event["time"].as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(sandbox.json(&["status", "--exit-code", "--json"]).1, 0);
}

#[test]
fn edits_of_two_cells_in_two_replicas_merge() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let _daemon = sandbox.watch();
    // Both are there before the daemon may write again.
    assert!(sandbox.run(&["pause", "-q"]).is_empty());
    sandbox.edit("a.py", "x = 1", "x = 1000");
    sandbox.edit(IPYNB_SHADOW, "print(x)", "print(x + 1)");
    assert!(sandbox.run(&["resume", "-q"]).is_empty());
    flush(&sandbox);
    for replica in ["a.py", MARIMO_SHADOW, IPYNB_SHADOW] {
        let text = sandbox.read(replica);
        assert!(text.contains("x = 1000") && text.contains("print(x + 1)"), "{replica}:\n{text}");
    }
}

#[test]
fn edits_made_while_no_daemon_ran_are_caught_up() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    sandbox.watch().kill();
    sandbox.edit(MARIMO_SHADOW, "x = 1", "x = 2");
    let _daemon = sandbox.watch();
    flush(&sandbox);
    assert_eq!(sandbox.read("a.py"), PERCENT.replace("x = 1", "x = 2"));
}

#[test]
fn a_second_daemon_is_refused_with_the_pid_of_the_first() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let daemon = sandbox.watch();
    let output = sandbox.run(&["watch"]).replace(&daemon.pid().to_string(), "[PID]");
    insta::assert_snapshot!(output, @"
    --- stderr
    error: `[DIR]` is already watched by process [PID]
    hint: `nbsync status` shows what it does, and `nbsync stop` ends it
    [exit status: 2]
    ");
    // The first one goes on.
    sandbox.edit("a.py", "x = 1", "x = 2");
    flush(&sandbox);
    assert!(sandbox.read(MARIMO_SHADOW).contains("x = 2"));
}

#[test]
fn stop_returns_when_the_daemon_has_ended() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let daemon = sandbox.watch();
    insta::assert_snapshot!(sandbox.run(&["stop"]), @"stopped the daemon of `[DIR]`");
    let (code, events) = daemon.wait();
    assert_eq!(code, Some(0));
    assert_eq!(events.last().unwrap()["event"], "stopped");
    // At once, because nobody has the root any more.
    let daemon = sandbox.watch();
    drop(daemon);
    assert!(sandbox.run(&["flush"]).contains("no daemon watches"));
}

#[test]
fn a_daemon_that_cannot_be_asked_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let daemon = sandbox.watch();
    let mut command = sandbox.command(["status"]);
    let output = command.env("XDG_RUNTIME_DIR", sandbox.home()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&format!("by process {}", daemon.pid())), "{stderr}");
    assert!(stderr.contains("XDG_RUNTIME_DIR"), "{stderr}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_look_at_what_would_change_leaves_a_running_daemon_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let _daemon = sandbox.watch();
    assert_eq!(sandbox.json(&["sync", "--check", "--json"]).1, 0);
    assert!(sandbox.run(&["pause", "-q"]).is_empty());
    sandbox.edit("a.py", "x = 1", "x = 2");
    let (report, code) = sandbox.json(&["sync", "--check", "--json"]);
    assert_eq!((&report["out_of_sync"][0]["state"], code), (&"pending".into(), 1));
    assert_eq!(sandbox.json(&["sync", "--dry-run", "--json"]).1, 0);
    assert!(sandbox.read(MARIMO_SHADOW).contains("x = 1"));
    assert!(sandbox.run(&["resume", "-q"]).is_empty());
    assert_eq!(sandbox.json(&["sync", "--json"]).1, 0);
    assert!(sandbox.read(MARIMO_SHADOW).contains("x = 2"));
}

#[test]
fn several_folders_are_watched_by_one_daemon() {
    let sandbox = Sandbox::new();
    sandbox.write("one/a.py", PERCENT);
    sandbox.write("two/a.py", PERCENT);
    let mut daemon = sandbox.watch_with(&["one", "two", "./one/"]);
    daemon.wait_for("ready");
    for folder in ["one", "two"] {
        sandbox.edit(&format!("{folder}/a.py"), "x = 1", "x = 2");
        assert_eq!(sandbox.json(&["flush", folder, "--json"]).1, 0);
        assert!(sandbox.read(&format!("{folder}/{MARIMO_SHADOW}")).contains("x = 2"));
        assert_eq!(daemon.wait_for("propagated")["root"], folder);
    }
    assert!(sandbox.run(&["stop", "-q", "--root", "one"]).is_empty());
    assert_eq!(daemon.wait().0, Some(0));
}

#[test]
fn a_folder_that_cannot_be_watched_ends_the_daemon_of_the_others() {
    let sandbox = Sandbox::new();
    sandbox.write("one/a.py", PERCENT);
    sandbox.write("two/a.py", PERCENT);
    sandbox.write("two/nbsync.toml", "layout = \"attic\"\n");
    let output = sandbox.run(&["watch", "-q", "one", "two"]);
    assert!(output.contains("two/nbsync.toml"), "{output}");
    assert!(output.ends_with("[exit status: 2]\n"), "{output}");
}

#[test]
fn the_journal_gets_priorities_and_no_times() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let log = sandbox.path("log");
    let stdout = std::fs::File::create(&log).unwrap();
    let stream = std::fs::metadata(&log).unwrap();
    let mut child = sandbox
        .command(["watch", "--color", "auto"])
        .env("JOURNAL_STREAM", format!("{}:{}", stream.dev(), stream.ino()))
        .env("CLICOLOR_FORCE", "1")
        .stdout(stdout)
        .spawn()
        .unwrap();
    // Asking is what waits here, until the daemon is there and has scanned.
    while sandbox.command(["flush", "-q"]).output().unwrap().status.code() == Some(4) {}
    sandbox.write("a.py", "");
    assert_eq!(sandbox.json(&["flush", "--json"]).1, 1);
    assert!(sandbox.run(&["stop", "-q"]).is_empty());
    assert!(child.wait().unwrap().success());
    let lines = sandbox.read("log").replace(sandbox.notebooks().to_str().unwrap(), "[DIR]");
    let lines = lines.lines().map(|line| match line.rsplit_once("  ") {
        Some((line, time)) if time.ends_with(" ms") => line,
        _ => line,
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    <5>watching 1 notebook in [DIR], made 2 shadows
    <4>a.py  held: `a.py`: the file is empty
    <5>stopped
    ");
}

#[test]
fn a_half_written_notebook_is_held_until_it_is_mended() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let mut daemon = sandbox.watch();
    let whole = sandbox.read(IPYNB_SHADOW);
    sandbox.write(IPYNB_SHADOW, &whole[..whole.len() / 2]);
    let (report, code) = sandbox.json(&["flush", "--json"]);
    assert_eq!(code, 1);
    assert_eq!(report["out_of_sync"][0]["state"], "held");
    assert!(report["out_of_sync"][0]["reason"].is_string());
    assert_eq!(daemon.wait_for("held")["notebook"], "a.py");
    assert_eq!(sandbox.read("a.py"), PERCENT);

    sandbox.write(IPYNB_SHADOW, whole.replace("x = 1", "x = 2"));
    flush(&sandbox);
    assert_eq!(sandbox.read("a.py"), PERCENT.replace("x = 1", "x = 2"));
}

#[test]
fn a_daemon_tells_its_state() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    let daemon = sandbox.watch();
    let (status, _) = sandbox.json(&["status", "--json"]);
    assert_eq!(status["daemon"]["pid"], daemon.pid());
    assert_eq!(status["daemon"]["state"], "watching");
    assert_eq!(sandbox.run(&["pause"]), "paused the daemon of `[DIR]`\n");
    let (status, _) = sandbox.json(&["status", "--json"]);
    assert_eq!(status["daemon"]["state"], "paused");
    assert_eq!(sandbox.run(&["resume"]), "resumed the daemon of `[DIR]`\n");
    // From below the root, the daemon is found as well.
    sandbox.write("sub/readme.txt", "");
    let output = sandbox.command(["status", "sub"]).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains(&format!("watched by process {}", daemon.pid())), "{stdout}");
}
