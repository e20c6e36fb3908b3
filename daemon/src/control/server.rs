//! The side of the control socket that answers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Call, Command, Reply, Request, VERSION};

/// The longest request. A request names files; more than this is none.
const MAX_LINE_LEN: usize = 1024 * 1024;

/// How many clients can be connected at once.
const MAX_CONNECTIONS: usize = 64;

/// How long a client may keep a connection without asking anything.
const IDLE: Duration = Duration::from_mins(10);

/// How long to wait when no connection can be accepted, say because the process
/// has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long clients may take to read their last answer.
const FAREWELL: Duration = Duration::from_secs(1);

/// Answers requests until the receiver of `calls` is gone; then sends what was
/// answered already, and removes the socket.
///
/// Every connection is its own task: a client that is slow or says nothing holds
/// up nobody else. Paths that are not below `root` are refused here, so that the
/// engine never sees them.
pub async fn serve(listener: UnixListener, root: Utf8PathBuf, calls: mpsc::Sender<Call>) {
    let root: Arc<Utf8Path> = root.into();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let root = Arc::clone(&root);
                    let is_full = connections.len() >= MAX_CONNECTIONS;
                    connections.spawn(connection(stream, is_full, root, calls.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection to the control socket");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection to the control socket failed");
                }
            }
            () = calls.closed() => break,
        }
    }
    // The lock of the root is still held, so this is our own socket.
    if let Ok(address) = listener.local_addr()
        && let Some(path) = address.as_pathname()
        && let Err(error) = std::fs::remove_file(path)
    {
        tracing::debug!(%error, "cannot remove the control socket");
    }
    let farewell = async { while connections.join_next().await.is_some() {} };
    if timeout(FAREWELL, farewell).await.is_err() {
        tracing::debug!("a client of the control socket did not read its answer");
    }
}

async fn connection(
    stream: UnixStream,
    is_full: bool,
    root: Arc<Utf8Path>,
    calls: mpsc::Sender<Call>,
) {
    if let Err(error) = converse(stream, is_full, &root, &calls).await {
        // Clients may leave whenever they like.
        tracing::debug!(%error, "a connection to the control socket ended");
    }
}

async fn converse(
    stream: UnixStream,
    is_full: bool,
    root: &Utf8Path,
    calls: &mpsc::Sender<Call>,
) -> io::Result<()> {
    let peer = stream.peer_cred()?;
    if peer.uid() != rustix::process::geteuid().as_raw() {
        tracing::warn!(
            uid = peer.uid(),
            "another user's process was refused at the control socket"
        );
        return Ok(());
    }
    let (reader, mut writer) = stream.into_split();
    if is_full {
        return send(&mut writer, error("too many clients are connected; try again later")).await;
    }
    let mut lines = BufReader::new(reader);
    loop {
        let line = tokio::select! {
            line = timeout(IDLE, read_line(&mut lines)) => line,
            () = calls.closed() => return Ok(()),
        };
        let reply = match line {
            Ok(Ok(Line::Text(line))) => match parse_request(&line, root) {
                Ok(command) => ask(command, calls).await,
                Err(reply) => reply,
            },
            Ok(Ok(Line::TooLong)) => {
                let message = format!("a request can have at most {MAX_LINE_LEN} bytes");
                // What follows is the rest of the line, so there's no going on.
                return send(&mut writer, error(message)).await;
            }
            Ok(Ok(Line::End)) | Err(_) => return Ok(()),
            Ok(Err(error)) => return Err(error),
        };
        send(&mut writer, reply).await?;
    }
}

enum Line {
    Text(Vec<u8>),
    TooLong,
    End,
}

/// Reads a line without ever holding more than the longest request.
async fn read_line(lines: &mut BufReader<OwnedReadHalf>) -> io::Result<Line> {
    let mut line = Vec::new();
    loop {
        let chunk = lines.fill_buf().await?;
        if chunk.is_empty() {
            return Ok(Line::End);
        }
        let end = chunk.iter().position(|&byte| byte == b'\n');
        let n = end.unwrap_or(chunk.len());
        if line.len() + n > MAX_LINE_LEN {
            return Ok(Line::TooLong);
        }
        line.extend_from_slice(&chunk[..n]);
        lines.consume(n + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(Line::Text(line));
        }
    }
}

/// The part of a request that every version has.
#[derive(Deserialize)]
struct AnyRequest {
    version: u32,
}

fn parse_request(line: &[u8], root: &Utf8Path) -> Result<Command, Reply> {
    let not_a_request = |reason: serde_json::Error| error(format!("not a request: {reason}"));
    // The version comes first: a command that this one doesn't know is another
    // mistake than a client of another version.
    let AnyRequest { version } = serde_json::from_slice(line).map_err(not_a_request)?;
    if version != VERSION {
        return Err(error(format!(
            "the daemon speaks version {VERSION} of the control protocol, and the client \
             version {version}; restart the daemon with the `nbsync` that you are using"
        )));
    }
    let Request { version: _, command } = serde_json::from_slice(line).map_err(not_a_request)?;
    if let Some(path) = command.paths().iter().find(|path| !is_below(path, root)) {
        return Err(error(format!("`{path}` is not in `{root}`")));
    }
    Ok(command)
}

/// Whether a path is a root or below it, whatever links are on the way.
///
/// Decided by the names alone, so a path with `..` is below nothing.
fn is_below(path: &Utf8Path, root: &Utf8Path) -> bool {
    path.starts_with(root) && !path.components().any(|part| part == Utf8Component::ParentDir)
}

async fn ask(command: Command, calls: &mpsc::Sender<Call>) -> Reply {
    let (reply, answer) = oneshot::channel();
    let stopping = || error("the daemon is stopping");
    if calls.send(Call { command, reply }).await.is_err() {
        return stopping();
    }
    tokio::select! {
        biased;
        reply = answer => reply.unwrap_or_else(|_| stopping()),
        // An engine that stops may keep what it can't answer any more.
        () = calls.closed() => stopping(),
    }
}

fn error(message: impl Into<String>) -> Reply {
    Reply::Error { message: message.into() }
}

async fn send(writer: &mut OwnedWriteHalf, reply: Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(&reply)?;
    line.push(b'\n');
    writer.write_all(&line).await
}
