//! `nbsync service`, with a `systemctl` that writes down what it is told.

use std::fs;

use crate::sandbox::Sandbox;

/// A `systemctl` that works, and one that has no manager to talk to.
const WORKS: &str = "#!/bin/sh\necho \"$*\" >> \"$HOME/calls\"\n\
    case \"$2\" in show) printf 'ActiveState=active\\nMainPID=4711\\nStatusText=2 notebooks\\n';; esac\n";
const FAILS: &str = "#!/bin/sh\n\
    echo 'Failed to connect to bus: No medium found' >&2\nexit 1\n";

fn calls(sandbox: &Sandbox) -> String {
    let folder = sandbox.notebooks().display().to_string().replace('/', "-");
    fs::read_to_string(sandbox.home().join("calls"))
        .unwrap_or_default()
        .replace(folder.trim_start_matches('-'), "[DIR]")
}

/// The name of the unit holds the folder in systemd's spelling.
fn shown(sandbox: &Sandbox, output: &str) -> String {
    let folder = sandbox.notebooks().display().to_string().replace('/', "-");
    output.replace(folder.trim_start_matches('-'), "[DIR]")
}

#[test]
fn install_writes_the_unit_and_starts_it() {
    let sandbox = Sandbox::new();
    sandbox.program("systemctl", WORKS);
    let output = shown(&sandbox, &sandbox.run(&["service", "install"]));
    insta::assert_snapshot!(output, @"
    `[DIR]` is watched from now on
    what happens: journalctl --user -f -u 'nbsync@[DIR].service'
    without a login: loginctl enable-linger
    ");
    insta::assert_snapshot!(calls(&sandbox), @"
    --user show --property=Version
    --user daemon-reload
    --user enable --now nbsync@[DIR].service
    ");
    let unit = sandbox.home().join(".config/systemd/user/nbsync@.service");
    let unit = fs::read_to_string(unit).unwrap();
    let start = format!("\nExecStart={} watch %f\n", env!("CARGO_BIN_EXE_nbsync"));
    assert!(unit.contains(&start), "{unit}");
}

#[test]
fn uninstall_takes_the_unit_away_with_its_last_instance() {
    let sandbox = Sandbox::new();
    sandbox.program("systemctl", WORKS);
    insta::assert_snapshot!(sandbox.run(&["service", "uninstall"]), @"
    --- stderr
    error: no service is installed for `[DIR]`
    hint: `nbsync service status` lists the services
    [exit status: 2]
    ");
    let folder = sandbox.home().join(".config/systemd/user");
    let output = sandbox.run(&["service", "install", "-q"]);
    assert_eq!(output, "");
    // What `systemctl enable` does.
    let calls = fs::read_to_string(sandbox.home().join("calls")).unwrap();
    let unit = calls.lines().last().unwrap().split(' ').next_back().unwrap().to_owned();
    fs::create_dir(folder.join("default.target.wants")).unwrap();
    let link = folder.join("default.target.wants").join(&unit);
    std::os::unix::fs::symlink(folder.join("nbsync@.service"), &link).unwrap();

    let status = sandbox.run(&["service", "status"]);
    insta::assert_snapshot!(status, @"active  [DIR]  2 notebooks");
    let output = shown(&sandbox, &sandbox.run(&["service", "uninstall", "--dry-run"]));
    insta::assert_snapshot!(output, @"
    would run `systemctl --user disable --now nbsync@[DIR].service`
    would remove `[SANDBOX]/home/.config/systemd/user/nbsync@.service`
    would run `systemctl --user daemon-reload`
    ");
    assert!(folder.join("nbsync@.service").exists());
    insta::assert_snapshot!(sandbox.run(&["service", "uninstall"]), @"`[DIR]` is no longer watched");
    assert!(!folder.join("nbsync@.service").exists());
}

#[test]
fn without_systemd_nothing_is_written() {
    let sandbox = Sandbox::new();
    sandbox.program("systemctl", FAILS);
    insta::assert_snapshot!(sandbox.run(&["service", "install"]), @"
    --- stderr
    error: `systemctl --user show --property=Version` failed (exit status: 1)
    caused by: Failed to connect to bus: No medium found
    hint: this needs the systemd of a logged-in user; `loginctl enable-linger` starts it without a login
    hint: without systemd, start `nbsync watch DIR` in another way, for example from your desktop's autostart
    [exit status: 3]
    ");
    assert!(!sandbox.home().join(".config").exists());
    let output = sandbox.run(&["service", "install", "--dry-run"]);
    assert!(output.contains("would run `systemctl --user enable --now"), "{output}");
    assert!(!sandbox.home().join(".config").exists());
}
