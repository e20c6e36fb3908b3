//! What arrives at a real socket.
//!
//! The socket is named by the environment, which a test can't change for itself
//! alone. So each test runs this program again, as a daemon that does one thing.

use std::env;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use super::*;

/// Says in the environment of the second run what to do there.
const STEP: &str = "NBSYNC_TEST_STEP";

/// The second run. Does nothing when it runs among the other tests.
#[test]
fn daemon() {
    let Ok(step) = env::var(STEP) else { return };
    let mut notifier = Notifier::from_env();
    let start = Instant::now();
    match step.as_str() {
        "start" => notifier.ready("2 notebooks\nWATCHDOG=trigger"),
        "reload" => {
            notifier.reloading();
            notifier.ready("3 notebooks");
        }
        "stop" => notifier.stopping(),
        "live" => {
            assert_eq!(notifier.deadline(), None);
            notifier.alive("idle", start);
            let deadline = notifier.deadline().unwrap();
            assert_eq!(deadline - start, Duration::from_secs(10), "a third of 30 s");
            notifier.alive("idle", start + Duration::from_millis(9_999));
            notifier.alive("busy", deadline);
        }
        "nobody listens" => {
            notifier.ready("");
            notifier.alive("idle", start);
            assert_eq!(notifier.deadline(), None);
        }
        step => panic!("unknown step {step}"),
    }
}

#[track_caller]
fn run(step: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "systemd::tests::daemon"])
        .stdout(Stdio::null())
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC")
        .env_remove("WATCHDOG_PID")
        .env(STEP, step)
        .envs(environment.iter().copied());
    assert!(command.status().unwrap().success(), "{step}");
}

/// Runs a step as systemd would, and returns the messages that came.
#[track_caller]
fn said(step: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    run(step, &[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "30000000")]);
    // The sender is gone, so all that will ever come is there.
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4096];
    let mut messages = Vec::new();
    while let Ok(len) = socket.recv(&mut buffer) {
        messages.push(String::from_utf8(buffer[..len].to_vec()).unwrap());
    }
    messages
}

#[test]
fn start_and_stop_are_said() {
    assert_eq!(said("start"), ["READY=1\nSTATUS=2 notebooks WATCHDOG=trigger\n"]);
    assert_eq!(said("stop"), ["STOPPING=1\n"]);
}

#[test]
fn reload_is_said_with_its_time() {
    let messages = said("reload");
    let time = messages[0].strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(time.trim_end().parse::<u64>().unwrap() > 0);
    assert_eq!(messages[1..], ["READY=1\nSTATUS=3 notebooks\n"]);
}

#[test]
fn life_is_said_when_it_is_time_and_status_when_it_changes() {
    assert_eq!(said("live"), ["STATUS=idle\n", "WATCHDOG=1\n", "STATUS=busy\n", "WATCHDOG=1\n"]);
}

#[test]
fn without_a_service_manager_nothing_is_said() {
    run("nobody listens", &[]);
}

/// systemd's own opinion of the units, for a user who has the program.
#[test]
fn units_are_valid() {
    let home = tempfile::tempdir().unwrap();
    let program = home.path().join(".cargo/bin/nbsync");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    fs::copy("/bin/true", &program).unwrap();
    let units = concat!(env!("CARGO_MANIFEST_DIR"), "/../systemd");
    let res = Command::new("systemd-analyze")
        .args(["--user", "verify", "nbsync.service", "nbsync@home-me-work.service"])
        .current_dir(home.path())
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env("SYSTEMD_UNIT_PATH", format!("{units}:"))
        .output();
    let Ok(output) = res else {
        println!("there is no systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    // It looks at the units that ours refer to as well.
    assert!(output.status.success() && !said.contains("nbsync"), "{said}");
}
