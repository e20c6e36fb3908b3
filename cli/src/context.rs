//! From paths on the command line to a root and its daemon.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_daemon::config::{self, Config};
use nbsync_daemon::control::{Client, socket_path};
use nbsync_daemon::dirs::Dirs;
use nbsync_daemon::run::{self, Options};
use nbsync_daemon::store::{is_known, root_id};

use crate::arguments::Global;
use crate::error::{CliError, Kind};

/// How long to wait for a root that another process has.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often to look whether it is over.
const PAUSE: Duration = Duration::from_millis(20);

/// A root, and the paths in it that a command is about.
#[derive(Debug)]
pub(crate) struct Target {
    /// The root, absolute and without links.
    pub(crate) root: Utf8PathBuf,
    /// The paths, absolute; none means all.
    pub(crate) paths: Vec<Utf8PathBuf>,
    socket: Utf8PathBuf,
    dirs: Dirs,
}

impl Target {
    /// Finds the root of some paths, which all have to be in it.
    pub(crate) fn find(global: &Global, paths: &[PathBuf]) -> Result<Self, CliError> {
        let (target, outside) = Self::find_any(global, paths)?;
        if let Some(path) = outside.first() {
            return Err(CliError::usage(format!("`{path}` is not in `{}`", target.root))
                .hint("`--root DIR` says which folder is meant"));
        }
        Ok(target)
    }

    /// Finds the root of the first of some paths. Those that are not in it are
    /// returned beside it.
    pub(crate) fn find_any(
        global: &Global,
        paths: &[PathBuf],
    ) -> Result<(Self, Vec<Utf8PathBuf>), CliError> {
        let dirs = dirs()?;
        let paths = paths.iter().map(|path| absolute(path)).collect::<Result<Vec<_>, _>>()?;
        let root = match (&global.root, paths.first()) {
            (Some(root), _) => folder(root)?,
            (None, Some(path)) if path.is_dir() => find_root(path, &dirs)?,
            (None, Some(path)) => find_root(path.parent().unwrap_or(path), &dirs)?,
            (None, None) => find_root(&folder(Path::new("."))?, &dirs)?,
        };
        let (paths, outside) = paths.into_iter().partition(|path| path.starts_with(&root));
        let socket = socket_path(&dirs.runtime, &root);
        Ok((Self { root, paths, socket, dirs }, outside))
    }

    /// Finds the root of some paths, which need not exist, nor their folders.
    pub(crate) fn find_former(global: &Global, paths: &[PathBuf]) -> Result<Self, CliError> {
        let dirs = dirs()?;
        let paths = paths.iter().map(|path| former(path)).collect::<Result<Vec<_>, _>>()?;
        let there = paths.first().and_then(|path| path.ancestors().find(|it| it.is_dir()));
        let root = match (&global.root, there) {
            (Some(root), _) => folder(root)?,
            (None, Some(folder)) => find_root(folder, &dirs)?,
            (None, None) => find_root(&folder(Path::new("."))?, &dirs)?,
        };
        if let Some(path) = paths.iter().find(|path| !path.starts_with(&root)) {
            return Err(CliError::usage(format!("`{path}` is not in `{root}`"))
                .hint("`--root DIR` says which folder is meant"));
        }
        let socket = socket_path(&dirs.runtime, &root);
        Ok(Self { root, paths, socket, dirs })
    }

    /// Finds the root of one file, which need not exist any more.
    pub(crate) fn find_one(global: &Global, path: &Path) -> Result<(Self, Utf8PathBuf), CliError> {
        let target = Self::find_former(global, &[path.to_owned()])?;
        let path = target.paths[0].clone();
        Ok((target, path))
    }

    /// A whole root.
    pub(crate) fn whole(root: &Path) -> Result<Self, CliError> {
        let dirs = dirs()?;
        let root = folder(root)?;
        let socket = socket_path(&dirs.runtime, &root);
        Ok(Self { root, paths: Vec::new(), socket, dirs })
    }

    /// What the engine needs to know.
    pub(crate) fn options(&self) -> Result<Options, CliError> {
        let config = Config::load(&self.root, &self.dirs)?;
        Ok(Options { root: self.root.clone(), config, dirs: self.dirs.clone() })
    }

    /// Connects to the daemon, if one runs.
    pub(crate) fn daemon(&self) -> Result<Option<Client>, CliError> {
        Ok(Client::connect(&self.socket)?)
    }

    /// Where a daemon that runs in the background writes what needs attention.
    pub(crate) fn log(&self) -> Utf8PathBuf {
        self.dirs.state.join(root_id(&self.root)).join("watch.log")
    }

    /// Whether everything that the user has is in the root.
    pub(crate) fn is_home_or_above(&self) -> bool {
        let home = self.dirs.home.canonicalize_utf8();
        home.unwrap_or_else(|_| self.dirs.home.clone()).starts_with(&self.root)
    }

    /// Asks the daemon, or does it without one.
    ///
    /// A daemon that has just started has the root, and doesn't listen yet; and two
    /// commands can't have the root at once. Both are over in a moment.
    pub(crate) fn ask_or_do<T>(
        &self,
        mut ask: impl FnMut(Client) -> Result<T, CliError>,
        mut alone: impl FnMut() -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let started = Instant::now();
        loop {
            if let Some(daemon) = self.daemon()? {
                return ask(daemon);
            }
            match alone() {
                Err(error) if !is_in_use(&error) => return Err(error),
                Err(_) if started.elapsed() < PATIENCE => thread::sleep(PAUSE),
                Err(error) => {
                    return Err(error.hint(format!(
                        "nobody listens at `{}`; XDG_RUNTIME_DIR may be another one than that \
                         process has",
                        self.socket
                    )));
                }
                done => return done,
            }
        }
    }

    /// Connects to the daemon, without which the command is pointless.
    pub(crate) fn require_daemon(&self) -> Result<Client, CliError> {
        self.daemon()?.ok_or_else(|| CliError {
            kind: Kind::NoDaemon,
            source: format!("no daemon watches `{}`", self.root).into(),
            hints: vec!["start one with `nbsync watch`, or `nbsync service install`".to_owned()],
        })
    }
}

/// Whether another process has the root.
fn is_in_use(error: &CliError) -> bool {
    matches!(error.source.downcast_ref(), Some(run::Error::AlreadyRunning { .. }))
}

/// The user's folders.
pub(crate) fn dirs() -> Result<Dirs, CliError> {
    Dirs::from_env().map_err(CliError::usage)
}

/// The root that a folder belongs to: the nearest one upwards that was synced
/// before, or else the nearest with a configuration, or else itself.
///
/// What was a root stays one when a configuration turns up elsewhere: its bases
/// are kept under its name.
fn find_root(start: &Utf8Path, dirs: &Dirs) -> Result<Utf8PathBuf, CliError> {
    match start.ancestors().find(|root| is_known(&dirs.state, root)) {
        Some(root) => Ok(root.to_owned()),
        None => Ok(config::find_root(start)?),
    }
}

/// The absolute path of an existing folder, without links.
pub(crate) fn folder(path: &Path) -> Result<Utf8PathBuf, CliError> {
    let cannot =
        |source| CliError::io(format!("cannot use the folder `{}`", path.display()), source);
    let absolute = fs::canonicalize(path).map_err(cannot)?;
    if !absolute.is_dir() {
        return Err(cannot(io::ErrorKind::NotADirectory.into()));
    }
    utf8(absolute)
}

/// The absolute path of a file, which need not exist; its folder does.
///
/// Links are followed up to the file's folder only: a notebook that is a link is
/// known by its own name.
fn absolute(path: &Path) -> Result<Utf8PathBuf, CliError> {
    let cannot = |source| CliError::io(format!("cannot find `{}`", path.display()), source);
    let Some(name) = path.file_name().filter(|_| !path.is_dir()) else {
        return utf8(fs::canonicalize(path).map_err(cannot)?);
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = fs::canonicalize(parent.unwrap_or(Path::new("."))).map_err(cannot)?;
    utf8(parent.join(name))
}

/// The absolute path of a file whose folder need not exist either.
fn former(path: &Path) -> Result<Utf8PathBuf, CliError> {
    let whole = std::path::absolute(path)
        .map_err(|source| CliError::io(format!("cannot find `{}`", path.display()), source))?;
    let there = whole.ancestors().skip(1).find(|it| it.is_dir());
    let has_dots = path.components().any(|it| it == std::path::Component::ParentDir);
    match there {
        Some(there) if Some(there) != whole.parent() && !has_dots => {
            let rest = whole.strip_prefix(there).unwrap_or(&whole).to_owned();
            let there = fs::canonicalize(there).map_err(|source| {
                CliError::io(format!("cannot find `{}`", path.display()), source)
            })?;
            utf8(there.join(rest))
        }
        _ => absolute(path),
    }
}

/// Paths stand in JSON and in messages, so they have to be text.
fn utf8(path: PathBuf) -> Result<Utf8PathBuf, CliError> {
    Utf8PathBuf::from_path_buf(path).map_err(|path| {
        CliError::input(format!("the path `{}` is not valid UTF-8", path.display()))
    })
}
