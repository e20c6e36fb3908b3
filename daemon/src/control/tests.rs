//! Over real sockets, with an engine of one line.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::mpsc;

use super::*;
use crate::report::{DaemonState, DaemonStatus};

const ROOT: &str = "/notebooks";

/// A daemon that answers with what it was asked, until it is told to stop.
struct Daemon {
    socket: Utf8PathBuf,
    thread: Option<thread::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Daemon {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Utf8Path::from_path(folder.path()).unwrap();
        let socket = socket_path(&runtime.join("nbsync"), Utf8Path::new(ROOT));
        let (bound, is_bound) = std::sync::mpsc::channel();
        let path = socket.clone();
        let thread = thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = bind(&path).unwrap();
                bound.send(()).unwrap();
                let (sender, calls) = mpsc::channel(1);
                tokio::join!(serve(listener, ROOT.into(), sender), answer(calls));
            });
        });
        is_bound.recv().unwrap();
        Self { socket, thread: Some(thread), _folder: folder }
    }

    fn connect(&self) -> Client {
        Client::connect(&self.socket).unwrap().expect("a daemon")
    }

    fn wait(mut self) -> Utf8PathBuf {
        self.thread.take().unwrap().join().unwrap();
        self.socket.clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take()
            && let Ok(Some(mut client)) = Client::connect(&self.socket)
            && client.request(Command::Stop).is_ok()
        {
            thread.join().unwrap();
        }
    }
}

async fn answer(mut calls: mpsc::Receiver<Call>) {
    // Asked to flush, it waits for a status request.
    let mut waiting: Vec<Call> = Vec::new();
    while let Some(call) = calls.recv().await {
        let reply = match &call.command {
            Command::Flush { .. } => {
                waiting.push(call);
                continue;
            }
            Command::Status { .. } => {
                for call in waiting.drain(..) {
                    let report = SyncReport { version: 1, n_notebooks: 7, ..SyncReport::default() };
                    call.reply.send(Reply::Synced(report)).unwrap();
                }
                Reply::Status(status())
            }
            Command::Stop => {
                call.reply.send(Reply::Done).unwrap();
                return;
            }
            _ => Reply::Done,
        };
        call.reply.send(reply).unwrap();
    }
}

fn status() -> StatusReport {
    let daemon = DaemonStatus {
        running: true,
        pid: Some(4711),
        state: Some(DaemonState::Watching),
        reason: None,
    };
    StatusReport { version: 1, root: ROOT.into(), daemon, notebooks: Vec::new() }
}

/// Sends a line as it is, and returns the answer.
#[track_caller]
fn send(daemon: &Daemon, line: &[u8]) -> String {
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    stream.write_all(line).unwrap();
    stream.write_all(b"\n").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer
}

#[test]
fn several_requests_go_over_one_connection() {
    let daemon = Daemon::start();
    let mut client = daemon.connect();
    let paths = vec![Utf8PathBuf::from("/notebooks/a.ipynb")];
    assert_eq!(client.request(Command::Status { paths }).unwrap(), Reply::Status(status()));
    assert_eq!(client.request(Command::Pause).unwrap(), Reply::Done);
    assert_eq!(
        client.request(Command::Status { paths: Vec::new() }).unwrap(),
        Reply::Status(status())
    );
    assert_eq!(u32::try_from(client.pid()).unwrap(), std::process::id());
}

#[test]
fn clients_that_say_nothing_or_wait_hold_up_nobody() {
    let daemon = Daemon::start();
    let _silent = daemon.connect();
    let mut half = UnixStream::connect(&daemon.socket).unwrap();
    half.write_all(b"{\"version\":").unwrap();
    thread::scope(|scope| {
        let mut client = daemon.connect();
        let flush = scope.spawn(move || client.request(Command::Flush { paths: Vec::new() }));
        // Until the flush came through, asking again is harmless.
        while !flush.is_finished() {
            daemon.connect().request(Command::Status { paths: Vec::new() }).unwrap();
        }
        let report = SyncReport { version: 1, n_notebooks: 7, ..SyncReport::default() };
        assert_eq!(flush.join().unwrap().unwrap(), Reply::Synced(report));
    });
}

#[test]
fn paths_outside_the_root_are_refused() {
    let daemon = Daemon::start();
    for path in ["/etc/passwd", "/notebooks/../etc/passwd", "/notebooks2/a.ipynb", "a.ipynb", ""] {
        let paths = vec![path.into()];
        let error = daemon.connect().request(Command::Sync { paths }).unwrap_err();
        assert_eq!(error.to_string(), format!("`{path}` is not in `/notebooks`"));
    }
    let mut client = daemon.connect();
    let paths = vec!["/notebooks".into(), "/notebooks/sub/a.ipynb".into()];
    client.request(Command::Sync { paths }).unwrap();
}

#[test]
fn another_version_is_told_what_to_do() {
    let daemon = Daemon::start();
    let answer = send(&daemon, br#"{"version":2,"command":"dance","x":1}"#);
    assert!(answer.contains("speaks version 1"), "{answer}");
    assert!(answer.contains("restart the daemon"), "{answer}");
}

#[test]
fn a_line_that_is_no_request_is_answered_and_the_connection_goes_on() {
    let daemon = Daemon::start();
    for line in [&b"hello"[..], b"", b"{}", b"\xff\xfe", br#"{"version":1,"command":"dance"}"#] {
        let mut stream = UnixStream::connect(&daemon.socket).unwrap();
        stream.write_all(line).unwrap();
        stream.write_all(b"\n{\"version\":1,\"command\":\"pause\"}\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(first.contains("not a request"), "{first}");
        assert_eq!(lines.next().unwrap().unwrap(), r#"{"reply":"done"}"#);
    }
}

#[test]
fn an_endless_line_is_refused() {
    let daemon = Daemon::start();
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    let chunk = vec![b'x'; 1 << 16];
    // The daemon stops reading at some point, and then closes.
    while stream.write_all(&chunk).is_ok() {}
    daemon.connect().request(Command::Pause).unwrap();
}

#[test]
fn after_stop_the_answer_arrives_and_the_socket_is_gone() {
    let daemon = Daemon::start();
    let _idle = daemon.connect();
    assert_eq!(daemon.connect().request(Command::Stop).unwrap(), Reply::Done);
    let socket = daemon.wait();
    assert!(!socket.exists());
    assert!(Client::connect(&socket).unwrap().is_none());
}

#[tokio::test]
async fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Utf8Path::from_path(folder.path()).unwrap();
    let socket = socket_path(&runtime.join("nbsync"), Utf8Path::new(ROOT));

    drop(bind(&socket).unwrap());
    assert!(socket.exists());
    assert!(Client::connect(&socket).unwrap().is_none());

    let _listener = bind(&socket).unwrap();
    let mode = |path: &Utf8Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
    assert!(matches!(bind(&socket), Err(SocketError::InUse { .. })));
}

#[tokio::test]
async fn a_folder_in_which_others_can_put_a_socket_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Utf8Path::from_path(folder.path()).unwrap();
    let socket = socket_path(&runtime.join("nbsync"), Utf8Path::new(ROOT));
    let _listener = bind(&socket).unwrap();
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(socket.parent().unwrap(), open).unwrap();
    assert!(matches!(Client::connect(&socket), Err(SocketError::Unsafe { .. })));
    assert!(matches!(bind(&socket), Err(SocketError::Unsafe { .. })));

    let elsewhere = tempfile::tempdir_in(runtime).unwrap();
    let link = runtime.join("link");
    std::os::unix::fs::symlink(elsewhere.path(), &link).unwrap();
    let socket = socket_path(&link, Utf8Path::new(ROOT));
    assert!(matches!(bind(&socket), Err(SocketError::Unsafe { .. })));
}

#[test]
fn a_runtime_folder_that_is_too_long_falls_back() {
    let root = Utf8Path::new(ROOT);
    let short = socket_path(Utf8Path::new("/run/user/7/nbsync"), root);
    assert!(short.starts_with("/run/user/7/nbsync"));
    assert_ne!(short, socket_path(Utf8Path::new("/run/user/7/nbsync"), Utf8Path::new("/other")));
    let long = socket_path(Utf8Path::new(&format!("/{}", "x".repeat(90))), root);
    assert!(long.starts_with("/tmp"), "{long}");
    assert_eq!(long.file_name(), short.file_name());
}
