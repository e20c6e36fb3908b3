//! Where the control socket of a root is, and how it comes to be there.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::net::UnixListener;

use crate::store::root_id;

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

/// Returns where the daemon of a root listens: in the folder for sockets, such
/// as `/run/user/1000/nbsync`.
///
/// If the path would be too long for a socket, `/tmp/nbsync-UID` takes the place
/// of the folder.
pub fn socket_path(runtime: &Utf8Path, root: &Utf8Path) -> Utf8PathBuf {
    let name = format!("{}.sock", root_id(root));
    let path = runtime.join(&name);
    if path.as_str().len() <= MAX_PATH_LEN {
        return path;
    }
    let uid = rustix::process::geteuid().as_raw();
    format!("/tmp/nbsync-{uid}/{name}").into()
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

/// Makes the folder of a socket, for its owner alone.
fn make_folder(folder: &Utf8Path) -> Result<(), SocketError> {
    let folder_error = |source| SocketError::Folder { path: folder.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(folder_error)?;
    let mode = check_folder(folder)?;
    if mode & 0o077 != 0 {
        // systemd makes it with 0755.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(folder_error)?;
    }
    Ok(())
}

/// Refuses a folder in which others could have put a socket; returns its mode.
pub(super) fn check_folder(folder: &Utf8Path) -> Result<u32, SocketError> {
    let unsafe_because = |reason| SocketError::Unsafe { path: folder.to_owned(), reason };
    let metadata = fs::symlink_metadata(folder)
        .map_err(|source| SocketError::Folder { path: folder.to_owned(), source })?;
    if !metadata.is_dir() {
        return Err(unsafe_because("is not a folder"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(unsafe_because("belongs to somebody else"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(unsafe_because("can be written to by others (`chmod 700` ends that)"));
    }
    Ok(metadata.mode())
}

/// The folder of a socket.
pub(super) fn folder_of(socket: &Utf8Path) -> &Utf8Path {
    socket.parent().unwrap_or(Utf8Path::new("/"))
}
