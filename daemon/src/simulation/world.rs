//! A root, the hours, and an engine between them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::FormatName;
use tokio::sync::oneshot;

use super::cells;
use super::exhaust::Calls;
use super::store::SimStore;
use super::tree::MemoryTree;
use crate::clock::Clock;
use crate::config::Config;
use crate::control::{Call, Command, Reply};
use crate::dirs::Dirs;
use crate::disk::{Crashed, MemoryDisk, Stamp, Step};
use crate::engine::{Engine, Parts};
use crate::git::GitOperation;
use crate::report::{DaemonState, NotebookState, Report};
use crate::sync::pairing::extension;
use crate::watch::{WatchError, WatchEvent, WatchMode, Watcher, is_ignored_name};

pub(crate) const ROOT: &str = "/w";

/// Longer than anything that the engine waits for, but for walks.
pub(crate) const QUIET: Duration = Duration::from_secs(30);

/// What the clock on the wall says: much later than the memory disk's, where time is a count
/// of changes.
pub(crate) const WALL: Duration = Duration::from_secs(1_000_000_000);

/// Is asked before every step of a write; see [`World::interfere`].
pub(crate) type Interference = Box<dyn FnMut(Step, &Utf8Path) -> io::Result<()> + Send>;

/// A root, the hours, and an engine between them.
pub(crate) struct World {
    pub(crate) disk: MemoryDisk,
    pub(crate) store: SimStore,
    pub(crate) engine: Option<Engine>,
    pub(crate) reports: Arc<Mutex<Vec<Report>>>,
    /// How long an update waits for an editor that has just saved.
    pub(crate) patience: Duration,
    /// How long one waits for the next save of marimo.
    pub(crate) marimo_patience: Duration,
    pub(crate) git: Arc<Mutex<Option<GitOperation>>>,
    clock: Arc<TestClock>,
    steps: Arc<Mutex<Vec<(Step, Utf8PathBuf)>>>,
    interference: Arc<Mutex<Option<Interference>>>,
    /// Is asked first, and sees everything.
    auditor: Arc<Mutex<Option<Interference>>>,
    watched: Arc<Mutex<BTreeSet<Utf8PathBuf>>>,
    /// The files as of the last events.
    seen: BTreeMap<Utf8PathBuf, Stamp>,
    n_changes: u64,
}

/// Whoever observes a disk has it, and the disk has them.
impl Drop for World {
    fn drop(&mut self) {
        for observer in [&self.auditor, &self.interference] {
            observer.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let start = Instant::now();
        let disk = MemoryDisk::new(ROOT);
        // So that there is a root.
        disk.save("/w/readme.md".into(), b"");
        let world = Self {
            disk,
            store: SimStore::default(),
            engine: None,
            reports: Arc::default(),
            patience: Duration::ZERO,
            marimo_patience: Duration::ZERO,
            git: Arc::default(),
            clock: Arc::new(TestClock { start, now: Mutex::new(start), wall: Mutex::new(WALL) }),
            steps: Arc::default(),
            interference: Arc::default(),
            auditor: Arc::default(),
            watched: Arc::default(),
            seen: BTreeMap::new(),
            n_changes: 0,
        };
        world.observe();
        world
    }

    /// A world with notebooks, each with its name and its cells, and an engine that has made
    /// their shadows.
    pub(crate) fn with(notebooks: &[(&str, &str)]) -> Self {
        let mut world = Self::new();
        for (path, line) in notebooks {
            world.create(path, line);
        }
        world.start();
        world.run(QUIET);
        world.forget();
        world
    }

    fn observe(&self) {
        let (steps, interference) = (Arc::clone(&self.steps), Arc::clone(&self.interference));
        let auditor = Arc::clone(&self.auditor);
        let store = self.store.clone();
        self.disk.restart(Some(Arc::new(move |step, path: &Utf8Path| {
            steps.lock().unwrap().push((step, path.to_owned()));
            called(&store, Some(step))?;
            if let Some(auditor) = auditor.lock().unwrap().as_mut() {
                auditor(step, path)?;
            }
            // Taken out, so that it may use the disk.
            let taken = interference.lock().unwrap().take();
            let Some(mut taken) = taken else { return Ok(()) };
            let res = taken(step, path);
            interference.lock().unwrap().get_or_insert(taken);
            res
        })));
    }

    /// Has somebody act at every step of a write, or make it fail.
    pub(crate) fn interfere(
        &self,
        act: impl FnMut(Step, &Utf8Path) -> io::Result<()> + Send + 'static,
    ) {
        *self.interference.lock().unwrap() = Some(Box::new(act));
    }

    /// Has somebody see every step of a write.
    pub(crate) fn audit(
        &self,
        see: impl FnMut(Step, &Utf8Path) -> io::Result<()> + Send + 'static,
    ) {
        *self.auditor.lock().unwrap() = Some(Box::new(see));
    }

    pub(crate) fn stop_interfering(&self) {
        *self.interference.lock().unwrap() = None;
    }

    /// Has looks at files and folders count as calls.
    pub(crate) fn count_looks(&self) {
        let store = self.store.clone();
        self.disk.observe_looks(Some(Arc::new(move |_: &Utf8Path| called(&store, None))));
    }

    /// The calls of the daemon.
    pub(crate) fn calls(&self) -> MutexGuard<'_, Calls> {
        self.store.calls.lock().unwrap()
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Sets the clock on the wall, which the engine should not mind.
    pub(crate) fn set_wall_clock(&self, since_epoch: Duration) {
        *self.clock.wall.lock().unwrap() = since_epoch;
    }

    pub(crate) fn set_time(&self, now: Instant) {
        *self.clock.now.lock().unwrap() = now;
    }

    /// How long the world has been there.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now().duration_since(self.clock.start)
    }

    pub(crate) fn engine(&mut self) -> &mut Engine {
        self.engine.as_mut().unwrap()
    }

    /// Starts a daemon.
    pub(crate) fn start(&mut self) {
        self.store.is_gone.store(false, Ordering::SeqCst);
        self.observe();
        if self.calls().is_counting() {
            self.count_looks();
        }
        self.watched.lock().unwrap().clear();
        self.n_changes = 0;
        let reports = Arc::clone(&self.reports);
        let parts = Parts {
            config: Config {
                marimo_outputs: false,
                patience: self.patience,
                marimo_patience: self.marimo_patience,
                ..Config::default()
            },
            disk: Arc::new(self.disk.clone()),
            store: Arc::new(self.store.clone()),
            tree: Box::new(MemoryTree { disk: self.disk.clone(), git: Arc::clone(&self.git) }),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            watcher: Some(Box::new(TestWatcher(Arc::clone(&self.watched)))),
            dirs: Dirs::below("/nowhere".into()),
            reporter: Box::new(move |report| reports.lock().unwrap().push(report.clone())),
        };
        let now = self.now();
        let mut engine = Engine::new(parts, now);
        engine.scan(now);
        self.engine = Some(engine);
        // What happened before is not watched.
        self.events();
    }

    /// Ends the daemon in an orderly way.
    pub(crate) fn stop(&mut self) {
        self.engine.take().unwrap().stop();
    }

    /// Lets time pass, with every event at once.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now() + time;
        let mut n_steps = 0;
        while self.step_until(end) {
            n_steps += 1;
            assert!(n_steps < 100_000, "the engine spins");
        }
    }

    /// Waits for the next thing to do, and does it, as the loop of the daemon does. Returns
    /// false if there is none until then.
    pub(crate) fn step_until(&mut self, end: Instant) -> bool {
        let events = self.events();
        let now = self.now();
        for event in &events {
            self.engine().event(event.clone(), now);
        }
        if !events.is_empty() {
            self.step();
            return true;
        }
        let next = self.engine().deadline().max(now);
        self.set_time(next.min(end));
        if end < next {
            return false;
        }
        self.step();
        true
    }

    pub(crate) fn step(&mut self) {
        let now = self.now();
        let engine = self.engine();
        engine.step(now);
        if engine.has_scanned(now) {
            engine.ready(0);
        }
    }

    /// Returns what a watcher would say of the changes since the last call.
    pub(crate) fn events(&mut self) -> Vec<WatchEvent> {
        let n_changes = self.disk.n_changes();
        if self.n_changes == n_changes {
            return Vec::new();
        }
        self.n_changes = n_changes;
        let now: BTreeMap<Utf8PathBuf, Stamp> = self.disk.stamps().into_iter().collect();
        let watched = self.watched.lock().unwrap();
        let is_told = |path: &Utf8PathBuf| {
            path.parent().is_some_and(|folder| watched.contains(folder))
                && !is_ignored_name(path.file_name().unwrap_or_default())
        };
        let mut events = Vec::new();
        for path in self.seen.keys().filter(|path| !now.contains_key(*path) && is_told(path)) {
            events.push(WatchEvent::Gone(path.clone()));
        }
        let mut new_folders = BTreeSet::new();
        for (path, stamp) in &now {
            if self.seen.get(path) == Some(stamp) {
                continue;
            }
            if is_told(path) {
                events.push(WatchEvent::Touched(path.clone()));
            }
            let above: Vec<&Utf8Path> = path.ancestors().skip(1).collect();
            let new = above.windows(2).filter(|pair| watched.contains(pair[1]));
            new_folders.extend(new.map(|pair| pair[0]).filter(|it| !watched.contains(*it)));
        }
        let new_folders = new_folders.into_iter().map(|it| WatchEvent::Appeared(it.to_owned()));
        events.extend(new_folders);
        drop(watched);
        self.seen = now;
        events
    }

    /// Makes a notebook, a percent script or an ipynb.
    pub(crate) fn create(&self, path: &str, line: &str) {
        let extension = extension(path.into());
        let format = if extension == ".ipynb" { FormatName::Ipynb } else { FormatName::Percent };
        self.disk.save(&at(path), cells::text(format, extension, line).as_bytes());
    }

    /// Has an editor open a file, give it these cells and save it.
    pub(crate) fn edit(&self, path: &str, line: &str) {
        let text = cells::edited(path, &self.text(path), line);
        self.disk.save(&at(path), text.as_bytes());
    }

    pub(crate) fn text(&self, path: &str) -> String {
        let bytes = self.disk.bytes(&at(path));
        String::from_utf8(bytes.unwrap_or_else(|| panic!("no `{path}`"))).unwrap()
    }

    /// Checks that all replicas of a notebook are there and have these cells.
    #[track_caller]
    pub(crate) fn check(&self, source: &str, expected: &str) {
        for path in replicas(source) {
            let shown = cells::shown(&path, &self.text(&path));
            assert_eq!(shown.as_deref(), Some(expected), "{path}");
        }
    }

    /// The files that were written since the last [`forget`](Self::forget), in order.
    pub(crate) fn written(&self) -> Vec<String> {
        let steps = self.steps.lock().unwrap();
        let written = steps.iter().filter(|(step, _)| matches!(step, Step::Exchange | Step::Place));
        written.map(|(_, path)| below(path)).collect()
    }

    /// How many steps towards a change of anything, the store included.
    pub(crate) fn n_writes(&self) -> usize {
        self.steps.lock().unwrap().len() + self.store.n_writes.load(Ordering::SeqCst)
    }

    pub(crate) fn forget(&self) {
        self.steps.lock().unwrap().clear();
        self.store.n_writes.store(0, Ordering::SeqCst);
        self.reports.lock().unwrap().clear();
    }

    /// Whether the engine has found a notebook.
    pub(crate) fn is_known(&self, source: &str) -> bool {
        let status = self.engine.as_ref().map(|it| it.status(&[source.into()]));
        status.is_some_and(|it| !it.notebooks.is_empty())
    }

    /// The state of a notebook, and why.
    pub(crate) fn state(&self, source: &str) -> (NotebookState, String) {
        let status = self.engine.as_ref().unwrap().status(&[source.into()]);
        let [notebook] = &status.notebooks[..] else { panic!("{status:?}") };
        (notebook.state, notebook.reason.clone().unwrap_or_default())
    }

    #[track_caller]
    pub(crate) fn check_state(&self, source: &str, state: NotebookState) {
        let found = self.state(source);
        assert_eq!(found.0, state, "{}", found.1);
    }

    pub(crate) fn daemon_state(&self) -> DaemonState {
        self.engine.as_ref().unwrap().status(&[]).daemon.state.unwrap()
    }

    /// Sends a request.
    pub(crate) fn call(&mut self, command: Command) -> oneshot::Receiver<Reply> {
        let (reply, answer) = oneshot::channel();
        let now = self.now();
        for event in self.events() {
            self.engine().event(event, now);
        }
        assert!(self.engine().call(Call { command, reply }, now));
        answer
    }

    /// Whether a text with this in it is still somewhere: in a file, or in the store.
    pub(crate) fn is_kept(&self, needle: &str) -> bool {
        use crate::store::Store as _;
        let has = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(needle);
        let store = &self.store.inner;
        let sources = store.sources_with_history().unwrap();
        let mut history = sources.iter().flat_map(|it| store.history(it).unwrap());
        self.disk.files().iter().any(|(_, bytes)| has(bytes))
            || history.any(|it| store.blob(it.version.digest).unwrap().is_some_and(|it| has(&it)))
    }
}

/// Counts a call of the disk, which may go wrong.
fn called(store: &SimStore, step: Option<Step>) -> io::Result<()> {
    let called = store.calls.lock().unwrap().before(step);
    if called.as_ref().is_err_and(Crashed::is) {
        store.is_gone.store(true, Ordering::SeqCst);
    }
    called
}

/// The replicas of a notebook, the source first.
pub(crate) fn replicas(source: &str) -> [String; 3] {
    let (folder, name) = source.rsplit_once('/').unwrap_or(("", source));
    let (stem, extension) = name.rsplit_once('.').unwrap();
    let folder = Utf8Path::new(folder).join("__marimo__/nbsync");
    let other =
        if extension == "ipynb" { format!("{stem}.percent.py") } else { format!("{stem}.ipynb") };
    [
        source.to_owned(),
        folder.join(other).into_string(),
        folder.join(format!("{stem}.marimo.py")).into_string(),
    ]
}

pub(crate) fn at(path: &str) -> Utf8PathBuf {
    Utf8Path::new(ROOT).join(path)
}

fn below(path: &Utf8Path) -> String {
    path.strip_prefix(ROOT).unwrap_or(path).to_string()
}

/// A clock that stands until the test moves it.
struct TestClock {
    start: Instant,
    now: Mutex<Instant>,
    /// Since 1970.
    wall: Mutex<Duration>,
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        *self.now.lock().unwrap()
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + *self.wall.lock().unwrap()
    }
}

/// Remembers what is watched.
struct TestWatcher(Arc<Mutex<BTreeSet<Utf8PathBuf>>>);

impl Watcher for TestWatcher {
    fn watch(&mut self, folder: &Utf8Path) -> Result<(), WatchError> {
        self.0.lock().unwrap().insert(folder.to_owned());
        Ok(())
    }

    fn unwatch(&mut self, folder: &Utf8Path) {
        self.0.lock().unwrap().retain(|it| !it.starts_with(folder));
    }

    fn mode(&self) -> WatchMode {
        WatchMode::Native
    }
}
