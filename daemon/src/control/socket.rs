//! Where the control socket of a root is, and how it comes to be there.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::{env, fs};

use camino::{Utf8Path, Utf8PathBuf};
use tokio::net::UnixListener;

/// The longest path of a socket on Linux: `sun_path` has 108 bytes, the last of
/// which is a NUL.
const MAX_PATH_LEN: usize = 107;

/// Why there can be no control socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The folder of the socket couldn't be made or looked at.
    #[error("cannot use the folder `{path}`; set XDG_RUNTIME_DIR to a folder of your own")]
    Folder {
        /// The folder.
        path: Utf8PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Somebody else could put a socket of theirs into the folder.
    #[error(
        "the folder `{path}` {reason}, so it cannot hold a control socket; \
         set XDG_RUNTIME_DIR to a folder of your own"
    )]
    Unsafe {
        /// The folder.
        path: Utf8PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Another process listens there.
    #[error("another process listens at `{path}`")]
    InUse {
        /// The socket.
        path: Utf8PathBuf,
    },
    /// The socket couldn't be opened or connected to.
    #[error("cannot use the control socket `{path}`")]
    Socket {
        /// The socket.
        path: Utf8PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Returns where the daemon of a root listens.
///
/// In `$XDG_RUNTIME_DIR/nbsync`, or where that would be if the variable were
/// set, so that a client started by cron or over SSH finds the daemon that
/// systemd started. Without such a folder, or if the path would be too long for
/// a socket, in `/tmp/nbsync-UID`.
pub fn socket_path(root: &Utf8Path) -> Utf8PathBuf {
    let uid = rustix::process::geteuid().as_raw();
    let runtime = env::var("XDG_RUNTIME_DIR")
        .ok()
        .map(Utf8PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| {
            Some(format!("/run/user/{uid}").into()).filter(|path: &Utf8PathBuf| path.is_dir())
        });
    path_in(runtime.as_deref(), uid, root)
}

pub(super) fn path_in(runtime: Option<&Utf8Path>, uid: u32, root: &Utf8Path) -> Utf8PathBuf {
    let id = blake3::hash(root.as_str().as_bytes()).to_hex();
    let name = format!("{}.sock", &id[..16]);
    runtime
        .map(|runtime| runtime.join("nbsync").join(&name))
        .filter(|path| path.as_str().len() <= MAX_PATH_LEN)
        .unwrap_or_else(|| format!("/tmp/nbsync-{uid}/{name}").into())
}

/// Listens at a path from [`socket_path`].
///
/// A socket that a killed daemon left behind is removed. The caller holds the
/// lock of the root, so nobody else is between these steps for this path.
pub fn bind(path: &Utf8Path) -> Result<UnixListener, SocketError> {
    let socket_error = |source| SocketError::Socket { path: path.to_owned(), source };
    make_folder(folder_of(path))?;
    match UnixStream::connect(path) {
        Ok(_) => return Err(SocketError::InUse { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(socket_error)?;
        }
        Err(error) => return Err(socket_error(error)),
    }
    let listener = UnixListener::bind(path).map_err(socket_error)?;
    // The folder is what keeps others out, also before this call.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(socket_error)?;
    Ok(listener)
}

fn make_folder(folder: &Utf8Path) -> Result<(), SocketError> {
    let made = fs::DirBuilder::new().mode(0o700).create(folder);
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(SocketError::Folder { path: folder.to_owned(), source: error })
        }
        _ => check_folder(folder),
    }
}

/// Refuses a folder in which others could have put a socket.
pub(super) fn check_folder(folder: &Utf8Path) -> Result<(), SocketError> {
    let unsafe_because = |reason| SocketError::Unsafe { path: folder.to_owned(), reason };
    let metadata = fs::symlink_metadata(folder)
        .map_err(|source| SocketError::Folder { path: folder.to_owned(), source })?;
    if !metadata.is_dir() {
        return Err(unsafe_because("is not a folder"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(unsafe_because("belongs to somebody else"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(unsafe_because("is open to others (`chmod 700` closes it)"));
    }
    Ok(())
}

/// The folder of a socket.
pub(super) fn folder_of(socket: &Utf8Path) -> &Utf8Path {
    socket.parent().unwrap_or(Utf8Path::new("/"))
}
