//! What goes wrong before anything is synced, and which exit code says so.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::sandbox::{PERCENT, Sandbox};

#[test]
fn without_a_daemon_says_how_to_start_one() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&["flush"]), @"
    --- stderr
    error: no daemon watches `[DIR]`
    hint: start one with `nbsync watch`, or `nbsync service install`
    [exit status: 4]
    ");
    for command in ["pause", "resume", "stop"] {
        let output = sandbox.run(&[command]);
        assert!(output.contains("no daemon watches `[DIR]`"), "{output}");
        assert!(output.ends_with("[exit status: 4]\n"), "{output}");
    }
}

#[test]
fn a_command_that_does_not_exist_is_a_usage_error() {
    insta::assert_snapshot!(Sandbox::new().run(&["snyc"]), @"
    --- stderr
    error: unrecognized subcommand 'snyc'

      tip: a similar subcommand exists: 'sync'

    Usage: nbsync [OPTIONS] <COMMAND>

    For more information, try '--help'.
    [exit status: 2]
    ");
}

#[test]
fn a_folder_that_does_not_exist_is_an_input_error() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&["watch", "nowhere"]), @"
    --- stderr
    error: cannot use the folder `nowhere`
    caused by: No such file or directory (os error 2)
    [exit status: 3]
    ");
    insta::assert_snapshot!(sandbox.run(&["sync", "nowhere/a.ipynb"]), @"
    --- stderr
    error: cannot find `nowhere/a.ipynb`
    caused by: No such file or directory (os error 2)
    [exit status: 3]
    ");
}

#[test]
fn a_folder_whose_name_is_not_text_is_an_input_error() {
    let sandbox = Sandbox::new();
    let name = OsStr::from_bytes(b"caf\xe9");
    std::fs::create_dir(sandbox.notebooks().join(name)).unwrap();
    let output = sandbox.command([OsStr::new("watch"), name]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("is not valid UTF-8"), "{stderr}");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_path_of_another_root_is_a_usage_error() {
    let sandbox = Sandbox::new();
    sandbox.write("a/x.py", PERCENT);
    sandbox.write("b/x.py", PERCENT);
    insta::assert_snapshot!(sandbox.run(&["status", "--root", "a", "b/x.py"]), @"
    --- stderr
    error: `[DIR]/b/x.py` is not in `[DIR]/a`
    hint: `--root DIR` says which folder is meant
    [exit status: 2]
    ");
    insta::assert_snapshot!(sandbox.run(&["watch", "--root", "a", "b"]), @"
    --- stderr
    error: `watch` takes its folders as arguments or by `--root`, not both
    [exit status: 2]
    ");
}

#[test]
fn a_mistake_in_the_configuration_is_named_and_nothing_is_written() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", PERCENT);
    sandbox.write("nbsync.toml", "formats = [\"ipynb\"]\nexlude = [\"drafts\"]\n");
    for command in ["watch", "sync", "status"] {
        let output = sandbox.run(&[command]);
        assert!(output.contains("line 2"), "{output}");
        assert!(output.contains("did you mean `exclude`"), "{output}");
        assert!(output.ends_with("[exit status: 2]\n"), "{output}");
    }
    assert_eq!(sandbox.files(), ["a.py", "nbsync.toml"]);
}

#[test]
fn a_mistake_in_the_log_filter_is_a_usage_error() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(["status"]);
    let output = command.env("NBSYNC_LOG", "nbsync=loud").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("error: cannot read NBSYNC_LOG=nbsync=loud"), "{stderr}");
    assert_eq!(output.status.code(), Some(2));
}
