//! A user with a home, a folder of notebooks, and nothing else.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::{fs, thread};

use serde_json::Value;

/// A percent script of three cells.
pub(crate) const PERCENT: &str = "# %% [markdown]\n# # Title\n\n# %%\nx = 1\n\n# %%\nprint(x)\n";

pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "run", "bin", "notebooks"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    /// The folder with the notebooks, which is also the current folder.
    pub(crate) fn notebooks(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("notebooks")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.notebooks().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Replaces a text in a file, in the way of an editor that saves in place.
    #[track_caller]
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{from}` is not in {name}:\n{text}");
        self.write(name, text.replace(from, to));
    }

    /// All files below the notebooks, but for hidden ones.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![self.notebooks()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.notebooks()).unwrap().to_str().unwrap();
                let is_hidden = path.file_name().unwrap().as_encoded_bytes().starts_with(b".");
                match path.is_dir() {
                    _ if is_hidden => {}
                    true => folders.push(path),
                    false => files.push(name.to_owned()),
                }
            }
        }
        files.sort();
        files
    }

    /// Puts a program on the path of the sandbox.
    pub(crate) fn program(&self, name: &str, script: &str) {
        let path = self.folder.path().join("bin").join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn command<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nbsync"));
        command
            .args(args)
            .current_dir(self.notebooks())
            .env_clear()
            .env("HOME", self.home())
            .env("XDG_RUNTIME_DIR", self.folder.path().join("run"))
            .env("PATH", format!("{}:/usr/bin:/bin", self.folder.path().join("bin").display()))
            .env("COLUMNS", "80")
            .stdin(Stdio::null());
        command
    }

    /// Runs `nbsync` and returns what it printed, in a form fit for snapshots.
    #[must_use = "snapshot the output"]
    pub(crate) fn run(&self, args: &[&str]) -> String {
        self.print(&self.command(args).output().unwrap())
    }

    /// Runs `nbsync` on a terminal that can show colours, or with stdout in a pipe, and returns
    /// what it printed there, escape sequences and all.
    #[track_caller]
    pub(crate) fn stdout(&self, args: &[&str], is_terminal: bool, env: &[(&str, &str)]) -> String {
        let mut command = self.command(args);
        if is_terminal {
            let words = args.iter().map(|arg| format!("'{arg}'")).collect::<Vec<_>>().join(" ");
            let line = format!("'{}' {words}", env!("CARGO_BIN_EXE_nbsync"));
            // Of util-linux; its shell gets no terminal's input.
            let terminal = ["script", "-qec", &line, "/dev/null"];
            let ours = command;
            command = Command::new(terminal[0]);
            command.args(&terminal[1..]).env_clear().stdin(Stdio::null());
            command.current_dir(self.notebooks());
            for (name, value) in ours.get_envs() {
                command.env(name, value.unwrap_or_default());
            }
        }
        command.env("TERM", "xterm-256color").envs(env.iter().copied());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
    }

    /// The same as [`run`](Self::run), with something on stdin.
    #[must_use = "snapshot the output"]
    pub(crate) fn run_with(&self, args: &[&str], stdin: &str) -> String {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        self.print(&child.wait_with_output().unwrap())
    }

    /// Runs `nbsync` and returns the JSON that it printed, and the exit code.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> (Value, i32) {
        let output = self.command(args).output().unwrap();
        let value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("not JSON:\n{}", self.print(&output)));
        (value, output.status.code().unwrap())
    }

    /// What a process printed, in the same form.
    pub(crate) fn print(&self, output: &Output) -> String {
        let text = |bytes: &[u8]| {
            let folder = self.folder.path().canonicalize().unwrap();
            String::from_utf8(bytes.to_vec())
                .unwrap()
                .replace(&self.notebooks().display().to_string(), "[DIR]")
                .replace(&folder.display().to_string(), "[SANDBOX]")
        };
        let mut res = text(&output.stdout);
        let stderr = text(&output.stderr);
        if !stderr.is_empty() {
            write!(res, "--- stderr\n{stderr}").unwrap();
        }
        if !output.status.success() {
            writeln!(res, "[{}]", output.status).unwrap();
        }
        res
    }

    /// Starts a daemon and waits until it is ready.
    #[track_caller]
    pub(crate) fn watch(&self) -> Daemon {
        self.watch_with(&[])
    }

    /// The same, with arguments.
    #[track_caller]
    pub(crate) fn watch_with(&self, args: &[&str]) -> Daemon {
        let mut command = self.command(["watch", "--log-format", "json"]);
        let mut child = command.args(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut daemon = Daemon {
            lines: BufReader::new(child.stdout.take().unwrap()),
            child,
            events: Vec::new(),
        };
        daemon.wait_for("ready");
        daemon
    }
}

/// A running daemon. Killed when it goes out of scope, so that a failed test
/// leaves nothing behind.
pub(crate) struct Daemon {
    child: Child,
    lines: BufReader<ChildStdout>,
    events: Vec<Value>,
}

impl Daemon {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads events up to the first of a kind, and returns it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, event: &str) -> Value {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            let value: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            self.events.push(value.clone());
            if value["event"] == event {
                return value;
            }
            line.clear();
        }
        panic!("the daemon ended without `{event}`: {:#?}", self.events);
    }

    /// Kills the daemon as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until the daemon ends by itself, and returns its exit code and the
    /// rest of its events.
    #[track_caller]
    pub(crate) fn wait(mut self) -> (Option<i32>, Vec<Value>) {
        let mut events = std::mem::take(&mut self.events);
        for line in (&mut self.lines).lines() {
            events.push(serde_json::from_str(&line.unwrap()).unwrap());
        }
        (self.child.wait().unwrap().code(), events)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            eprintln!("events of the daemon: {:#?}", self.events);
        }
    }
}
