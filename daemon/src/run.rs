//! The ways into the engine: a daemon, and a single cycle without one.

use camino::Utf8PathBuf;

use crate::report::{Report, StatusReport, SyncReport};

/// What a run needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder whose notebooks are kept in sync, absolute.
    pub root: Utf8PathBuf,
}

/// How much a single cycle may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncMode {
    /// Propagate.
    Apply,
    /// Only find out what would be propagated.
    DryRun,
}

/// What stopped a run as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another daemon has the root.
    #[error("`{root}` is already watched by process {pid}")]
    AlreadyRunning {
        /// The root.
        root: Utf8PathBuf,
        /// The other daemon.
        pid: u32,
    },
    /// The root can't be read.
    #[error("cannot read `{path}`")]
    Root {
        /// The root.
        path: Utf8PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Where a run reports what happens.
pub type Reporter = Box<dyn FnMut(&Report) + Send>;

/// Watches the root until it is told to stop, by the control socket or a
/// signal.
#[allow(clippy::unused_async, reason = "placeholder")]
pub async fn watch(_options: Options, _reporter: Reporter) -> Result<(), Error> {
    Ok(())
}

/// Runs one cycle without a daemon, over the pairings with a replica at or below
/// `paths` (all if empty).
pub fn sync(
    _options: &Options,
    _paths: &[Utf8PathBuf],
    _mode: SyncMode,
    _reporter: Reporter,
) -> Result<SyncReport, Error> {
    Ok(SyncReport::default())
}

/// Tells the state of the pairings without a daemon. Writes nothing.
pub fn status(options: &Options, paths: &[Utf8PathBuf]) -> Result<StatusReport, Error> {
    let _ = (options, paths);
    Err(Error::AlreadyRunning { root: options.root.clone(), pid: 0 })
}
