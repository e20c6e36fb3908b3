//! The ways into the engine: a daemon, and a single cycle without one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::clock::RealClock;
use crate::config::{Config, ConfigError};
use crate::control::{self, Command, Reply, SocketError};
use crate::dirs::Dirs;
use crate::disk::{ReadError, RealDisk, notebook_locks};
use crate::engine::{Engine, Parts, look_up};
use crate::report::{Report, StatusReport, SyncReport};
use crate::store::{DiskStore, Opened, StoreError};
use crate::systemd::Notifier;
use crate::walk::Walker;
use crate::watch::{FolderWatcher, WatchError, Watcher};

/// What a run needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder whose notebooks are kept in sync, absolute.
    pub root: Utf8PathBuf,
    /// The settings for it.
    pub config: Config,
    /// The user's folders.
    pub dirs: Dirs,
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
    /// Another process has the root.
    #[error("`{root}` is already watched by process {pid}")]
    AlreadyRunning {
        /// The root.
        root: Utf8PathBuf,
        /// The other process.
        pid: u32,
    },
    /// Another process has a root above or below this one.
    #[error(transparent)]
    Nested(StoreError),
    /// The root can't be read.
    #[error("cannot read `{path}`")]
    Root {
        /// The root.
        path: Utf8PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The root can't be opened.
    #[error(transparent)]
    Disk(ReadError),
    /// The settings can't be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store can't be opened.
    #[error(transparent)]
    Store(StoreError),
    /// The control socket can't be made.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// Nothing can be watched.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The system refused something that every daemon needs.
    #[error("cannot start the daemon")]
    System(#[source] std::io::Error),
}

/// Where a run reports what happens.
pub type Reporter = Box<dyn FnMut(&Report) + Send>;

/// Watches the root until it is told to stop, by the control socket or a
/// signal. What was begun is finished first.
pub async fn watch(options: Options, reporter: Reporter) -> Result<(), Error> {
    let started = Instant::now();
    let root = options.root.clone();
    let (event_sender, mut events) = mpsc::unbounded_channel();
    let mut engine = {
        let mut parts = parts(&options, reporter)?;
        let watcher = FolderWatcher::start(&options.config, event_sender)?;
        parts.watcher = Some(Box::new(watcher) as Box<dyn Watcher>);
        Engine::new(parts, started)
    };
    let listener = control::bind(&control::socket_path(&options.dirs.runtime, &root))?;
    let (call_sender, mut calls) = mpsc::channel(16);
    let server = tokio::spawn(control::serve(listener, root, call_sender));
    let mut signals = Signals::new().map_err(Error::System)?;
    let mut notifier = Notifier::from_env();

    engine.use_threads().map_err(Error::System)?;
    engine.scan(started);
    loop {
        while let Ok(event) = events.try_recv() {
            engine.event(event, Instant::now());
        }
        engine.step(Instant::now());
        if engine.has_scanned(Instant::now()) {
            engine.ready(millis(started.elapsed()));
            notifier.ready(&engine.summary());
        }
        notifier.alive(&engine.summary(), Instant::now());
        let deadline =
            notifier.deadline().map_or(engine.deadline(), |it| it.min(engine.deadline()));
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => engine.event(event, Instant::now()),
                None => break,
            },
            Some(call) = calls.recv() => {
                // What was saved before the request comes first.
                while let Ok(event) = events.try_recv() {
                    engine.event(event, Instant::now());
                }
                if !engine.call(call, Instant::now()) {
                    break;
                }
            }
            Some(()) = signals.terminate.recv() => break,
            Some(()) = signals.interrupt.recv() => break,
            Some(()) = signals.hangup.recv() => {
                notifier.reloading();
                if let Err(reason) = engine.reload(Instant::now()) {
                    engine.error(reason);
                }
                notifier.ready(&engine.summary());
            }
            () = tokio::time::sleep_until(deadline.into()) => (),
        }
    }
    notifier.stopping();
    // The last answers go out and the socket is removed while the root is still
    // ours; a moment later it could be the next daemon's.
    drop(calls);
    if let Err(err) = server.await {
        tracing::error!("the control socket failed: {err}");
    }
    engine.stop();
    Ok(())
}

/// Runs one cycle without a daemon, over the pairings with a replica at or below
/// `paths` (all if empty).
pub fn sync(
    options: &Options,
    paths: &[Utf8PathBuf],
    mode: SyncMode,
    reporter: Reporter,
) -> Result<SyncReport, Error> {
    let (mut engine, paths) = cycle(options, paths, mode, reporter)?;
    let report = engine.sync_report(&paths, 0);
    if mode == SyncMode::Apply {
        engine.collect_if_due();
    }
    engine.stop();
    Ok(report)
}

/// Answers a request about the history or conflicts without a daemon, and does what it asks
/// for. What was saved until now is propagated first, unless it makes no difference.
pub fn ask(options: &Options, command: &Command, reporter: Reporter) -> Result<Reply, Error> {
    match command {
        Command::Log { .. } | Command::Show { .. } => {
            let (store, _) = open_store(options)?;
            Ok(look_up(&store, &options.root, command))
        }
        _ => {
            let is_change = matches!(
                command,
                Command::Restore { .. } | Command::Undo { .. } | Command::Resolve { .. }
            );
            let mode = if is_change { SyncMode::Apply } else { SyncMode::DryRun };
            let (mut engine, _) = cycle(options, command.paths(), mode, reporter)?;
            let reply = engine.carry_out(command, Instant::now());
            engine.stop();
            Ok(reply)
        }
    }
}

/// Tells the state of the pairings without a daemon. Writes nothing.
pub fn status(options: &Options, paths: &[Utf8PathBuf]) -> Result<StatusReport, Error> {
    let (engine, paths) = cycle(options, paths, SyncMode::DryRun, Box::new(|_| ()))?;
    Ok(engine.status(&paths))
}

/// Runs the engine until nothing is due any more.
fn cycle(
    options: &Options,
    paths: &[Utf8PathBuf],
    mode: SyncMode,
    reporter: Reporter,
) -> Result<(Engine, Vec<Utf8PathBuf>), Error> {
    let mut engine = Engine::new(parts(options, reporter)?, Instant::now());
    if mode == SyncMode::DryRun {
        engine.write_nothing();
    }
    let mut below: BTreeSet<Utf8PathBuf> = BTreeSet::new();
    for path in paths {
        match path.strip_prefix(&options.root) {
            // The root itself is everything.
            Ok(path) if path.as_str().is_empty() => {
                below.clear();
                break;
            }
            Ok(path) => {
                below.insert(path.to_owned());
            }
            Err(_) => {}
        }
    }
    let below: Vec<Utf8PathBuf> = below.into_iter().collect();
    engine.look(&below, Instant::now());
    engine.ready(0);
    while engine.is_busy(&below, Instant::now()) {
        let wait = engine.deadline().saturating_duration_since(Instant::now());
        std::thread::sleep(wait);
        engine.step(Instant::now());
    }
    Ok((engine, below))
}

/// Opens what an engine needs, but for the watcher.
fn parts(options: &Options, reporter: Reporter) -> Result<Parts, Error> {
    let root = &options.root;
    let io = |source| Error::Root { path: root.clone(), source };
    if !std::fs::metadata(root).map_err(io)?.is_dir() {
        return Err(io(std::io::ErrorKind::NotADirectory.into()));
    }
    let (store, opened) = open_store(options)?;
    if let Opened::Rebuilt { kept_at, reason } = opened {
        tracing::warn!(
            "the store was damaged ({reason}); it was set aside as `{kept_at}`, and is made again from the files"
        );
    }
    let locks = notebook_locks(|name| std::env::var_os(name));
    Ok(Parts {
        config: options.config.clone(),
        disk: Arc::new(RealDisk::open(root).map_err(Error::Disk)?.with_notebook_locks(locks)),
        store: Arc::new(store),
        tree: Box::new(Walker::new(root, &options.config, &options.dirs).map_err(io)?),
        clock: Arc::new(RealClock),
        watcher: None,
        dirs: options.dirs.clone(),
        reporter,
    })
}

fn open_store(options: &Options) -> Result<(DiskStore, Opened), Error> {
    let root = &options.root;
    DiskStore::open(&options.dirs.state, root).map_err(|err| match err {
        StoreError::Locked { pid: Some(pid) } => Error::AlreadyRunning { root: root.clone(), pid },
        err @ StoreError::Overlaps { .. } => Error::Nested(err),
        err => Error::Store(err),
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
