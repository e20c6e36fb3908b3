//! A look over the shoulder of every step, for tests.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use camino::Utf8Path;

/// One change that a disk is about to make, or a look that decides about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A folder is made.
    CreateFolder,
    /// A temporary file is made.
    CreateTemp,
    /// The new bytes go into the temporary file.
    Fill,
    /// The temporary file is flushed to the device.
    SyncFile,
    /// The notebook and the temporary file are exchanged.
    Exchange,
    /// What came out of the exchange is read.
    Inspect,
    /// What came out is moved to the displaced folder.
    Keep,
    /// The notebook is moved to the displaced folder, before the new one is in place.
    MoveOut,
    /// The new file gets a name that nothing has.
    Place,
    /// The new file is renamed over the old one.
    RenameOver,
    /// A shadow gets the name that goes with the new name of its notebook.
    Rename,
    /// The old file gets the new bytes.
    Overwrite,
    /// The folder is flushed to the device.
    SyncFolder,
    /// A displaced file is unlinked.
    Unlink,
}

/// Is asked before every [`Step`], and can make it fail.
///
/// A test can also use the moment to save like a very fast editor, or to end the
/// process.
pub trait Observer: Send + Sync {
    /// Called before `step` is taken for the file or folder at `path`.
    fn before(&self, step: Step, path: &Utf8Path) -> io::Result<()>;
}

impl<F> Observer for F
where
    F: Fn(Step, &Utf8Path) -> io::Result<()> + Send + Sync,
{
    fn before(&self, step: Step, path: &Utf8Path) -> io::Result<()> {
        self(step, path)
    }
}

/// What [`Faults::crash_at`] fails with. A [`MemoryDisk`](super::MemoryDisk) that has seen it
/// refuses everything until it is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the process was ended here by a test")]
pub struct Crashed;

impl Crashed {
    /// Whether an error is this.
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>)
    }
}

/// Fails at chosen steps, counted from 1.
#[derive(Debug, Default)]
pub struct Faults {
    taken: AtomicUsize,
    crash_at: Option<usize>,
    abort_at: Option<usize>,
    errors: Mutex<Vec<(usize, i32)>>,
}

impl Faults {
    /// Counts steps and fails at none.
    pub fn none() -> Self {
        Self::default()
    }

    /// Refuses the `n`-th step and all after it, as if the process had ended there.
    pub fn crash_at(n: usize) -> Self {
        Self { crash_at: Some(n), ..Self::default() }
    }

    /// Ends the process at the `n`-th step.
    pub fn abort_at(n: usize) -> Self {
        Self { abort_at: Some(n), ..Self::default() }
    }

    /// Also fails the `n`-th step with an error number of the system.
    #[must_use]
    pub fn error_at(self, n: usize, errno: i32) -> Self {
        if let Ok(mut errors) = self.errors.lock() {
            errors.push((n, errno));
        }
        self
    }

    /// How many steps were asked for.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

impl Observer for Faults {
    fn before(&self, _step: Step, _path: &Utf8Path) -> io::Result<()> {
        let n = self.taken.fetch_add(1, Ordering::SeqCst) + 1;
        if self.abort_at == Some(n) {
            std::process::abort();
        }
        if self.crash_at.is_some_and(|at| at <= n) {
            return Err(io::Error::other(Crashed));
        }
        let errors = self.errors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match errors.iter().find(|(at, _)| *at == n) {
            Some((_, errno)) => Err(io::Error::from_raw_os_error(*errno)),
            None => Ok(()),
        }
    }
}
