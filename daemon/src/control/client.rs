//! The side of the control socket that asks.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use camino::Utf8Path;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};

use super::socket::{SocketError, check_folder, folder_of};
use super::{Command, Reply, Request, VERSION};

/// How long a daemon may take over what it can answer at once.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why a daemon did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The daemon said no.
    #[error("{message}")]
    Refused {
        /// Why, and what to do.
        message: String,
    },
    /// The daemon went away before it answered.
    #[error("the daemon (process {pid}) stopped before it answered")]
    Gone {
        /// The daemon.
        pid: i32,
    },
    /// The daemon is there, but doesn't answer.
    #[error("the daemon (process {pid}) does not answer")]
    Silent {
        /// The daemon.
        pid: i32,
    },
    /// The connection broke.
    #[error("cannot talk to the daemon (process {pid})")]
    Io {
        /// The daemon.
        pid: i32,
        /// What the operating system said.
        source: io::Error,
    },
    /// The answer is none that this version knows.
    #[error("cannot understand the daemon (process {pid}); it may be another version of nbsync")]
    Reply {
        /// The daemon.
        pid: i32,
        /// Where and why reading stopped.
        source: serde_json::Error,
    },
}

/// A connection to a daemon.
///
/// Blocking, so that a command that asks one question needs no runtime.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    pid: i32,
}

impl Client {
    /// Connects to the daemon that listens at a path from
    /// [`socket_path`](super::socket_path); `None` if none does.
    pub fn connect(path: &Utf8Path) -> Result<Option<Self>, SocketError> {
        let socket_error = |source| SocketError::Socket { path: path.to_owned(), source };
        let stream = match UnixStream::connect(path) {
            Ok(stream) => stream,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(source) => return Err(socket_error(source)),
        };
        check_folder(folder_of(path))?;
        let peer = rustix::net::sockopt::socket_peercred(&stream)
            .map_err(|errno| socket_error(errno.into()))?;
        if peer.uid != rustix::process::geteuid() {
            let source = io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the process that listens there belongs to another user",
            );
            return Err(socket_error(source));
        }
        Ok(Some(Self { stream: BufReader::new(stream), pid: peer.pid.as_raw_nonzero().get() }))
    }

    /// The process that listens.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Asks, and waits for the answer.
    ///
    /// A [`Reply::Error`] comes back as [`ClientError::Refused`].
    pub fn request(&mut self, command: Command) -> Result<Reply, ClientError> {
        let pid = self.pid;
        let patience = match command {
            Command::Status { .. }
            | Command::Pause
            | Command::Resume
            | Command::Release { .. }
            | Command::Reload => Some(PATIENCE),
            _ => None,
        };
        let line = self.exchange(command, patience).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset => ClientError::Gone { pid },
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent { pid },
            _ => ClientError::Io { pid, source },
        })?;
        match serde_json::from_str(&line).map_err(|source| ClientError::Reply { pid, source })? {
            Reply::Error { message } => Err(ClientError::Refused { message }),
            reply => Ok(reply),
        }
    }

    fn exchange(&mut self, command: Command, patience: Option<Duration>) -> io::Result<String> {
        let mut line = serde_json::to_string(&Request { version: VERSION, command })?;
        line.push('\n');
        let stream = self.stream.get_mut();
        stream.set_read_timeout(patience)?;
        stream.write_all(line.as_bytes())?;
        line.clear();
        self.stream.read_line(&mut line)?;
        if line.ends_with('\n') { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Tells the daemon to stop, and waits until its process has ended.
    ///
    /// When this returns, the root can be watched by another daemon.
    pub fn stop(mut self) -> Result<(), ClientError> {
        let pid = self.pid;
        let io_error = |source| ClientError::Io { pid, source };
        // Opened before the request: afterwards the number may be another's.
        let process = rustix::process::Pid::from_raw(pid)
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        match self.request(Command::Stop) {
            // Gone is what it was asked to be.
            Ok(_) | Err(ClientError::Gone { .. }) => {}
            Err(error) => return Err(error),
        }
        // Ends when the daemon closes the socket.
        match self.stream.read_to_end(&mut Vec::new()) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => {
                return Err(io_error(error));
            }
            _ => {}
        }
        let Some(process) = process else { return Ok(()) };
        let timeout = Timespec { tv_sec: 60, tv_nsec: 0 };
        let mut fds = [PollFd::new(&process, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => Err(ClientError::Silent { pid }),
            Ok(_) => Ok(()),
            Err(errno) => Err(io_error(errno.into())),
        }
    }
}

/// Whether an error of `connect` means that no daemon is there.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory
    )
}
