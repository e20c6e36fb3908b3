//! Knows all pairings of a root, and decides when to look at which.
//!
//! Events come in, files get written; nothing here waits. The shell
//! ([`run`](crate::run)) hands in events and the time, and asks when to come back.
//!
//! **Invariant:** an event only says where to look. What happened is decided by
//! comparing contents, so lost, late and doubled events do no harm.
//!
//! **Invariant:** a base is stored after the files that it describes are written. A
//! crash in between leaves files that all have the same edit, which the next cycle
//! takes as one.

mod apply;
mod archive;
mod bases;
mod claims;
mod conflicts;
mod describe;
mod discover;
mod fights;
mod flush;
mod gather;
mod history;
mod moves;
mod pairing;
mod pending;
mod restore;
mod revisions;
mod sessions;
mod status;
mod tasks;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use crate::clock::Clock;
use crate::config::Config;
use crate::config::jupytext::{JupytextConfigs, is_jupytext_config};
use crate::dirs::Dirs;
use crate::disk::{Disk, Stamp};
use crate::error::chain;
use crate::git::GitOperation;
use crate::planted::{Bug, is_planted};
use crate::report::{DaemonState, Propagation, Report};
use crate::run::Reporter;
use crate::store::Store;
use crate::tree::Tree;
use crate::trust::Notary;
use crate::walk::Walker;
use crate::watch::{WatchEvent, WatchMode, Watcher};
use archive::Archive;
use bases::Bases;
use claims::File;
use flush::Waiting;
use history::LateWriter;
use moves::Ended;
use pairing::{Due, Pairing};
use revisions::Unrecorded;
use tasks::WaitingTask;

pub(crate) use tasks::look_up;

/// How often known files are looked at although no event said so. Longer if it
/// takes long.
const SWEEP: Duration = Duration::from_secs(5);

/// How often the whole tree is walked although no event said so.
const WALK: Duration = Duration::from_mins(10);

/// How often old versions are forgotten.
const COLLECT: Duration = Duration::from_hours(1);

/// How long jupytext may take from one file of a pair to the next.
const JUPYTEXT: Duration = Duration::from_millis(300);

/// What an engine is made of.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) tree: Box<dyn Tree>,
    pub(crate) clock: Arc<dyn Clock>,
    /// `None` if nothing is watched, for a single cycle.
    pub(crate) watcher: Option<Box<dyn Watcher>>,
    /// To read the settings anew.
    pub(crate) dirs: Dirs,
    pub(crate) reporter: Reporter,
}

/// All pairings of a root.
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub(crate) struct Engine {
    parts: Parts,
    pairings: BTreeMap<Utf8PathBuf, Pairing>,
    /// The notebooks of the user, and what they say about pairs.
    files: BTreeMap<Utf8PathBuf, File>,
    /// Files of which that may have changed.
    to_ask: Vec<Utf8PathBuf>,
    /// Whether files may belong together otherwise than they did.
    needs_forming: bool,
    jupytext: JupytextConfigs,
    notary: Option<Notary>,
    /// Pairings whose files jupytext is writing, and until when that is to be expected.
    busy: BTreeMap<Utf8PathBuf, Instant>,
    /// Pairings whose saves are gathered into one step, and until when at most.
    gathering: BTreeMap<Utf8PathBuf, Instant>,
    /// The source of the pairing that a file belongs to.
    by_path: HashMap<Utf8PathBuf, Utf8PathBuf>,
    due: BTreeMap<Utf8PathBuf, Due>,
    /// Pairings that the first scan found, and that were not worked on to an end yet.
    unscanned: BTreeSet<Utf8PathBuf>,
    /// Pairings whose source is gone, in case it comes back.
    ended: BTreeMap<Utf8PathBuf, Ended>,
    /// When a file last went, by its folder.
    removals: HashMap<Utf8PathBuf, Instant>,
    bases: Bases,
    /// Candidates that are no notebooks, as they were then.
    plain: HashMap<Utf8PathBuf, Option<Stamp>>,
    /// What looks like a notebook but is left alone, and folders that can't be
    /// read.
    skipped: BTreeMap<Utf8PathBuf, String>,
    displaced: Vec<LateWriter>,
    /// The folders in which replaced files of an earlier process were looked for.
    recovered: BTreeSet<Utf8PathBuf>,
    waiting: Vec<Waiting>,
    /// What waits until everything saved before is propagated.
    tasks: Vec<WaitingTask>,
    state: DaemonState,
    reason: Option<String>,
    next_sweep: Instant,
    next_walk: Instant,
    /// Whether to write; otherwise only find out what would be written.
    writes: bool,
    n_created: usize,
    /// Whether the replicas of a pairing are written side by side.
    threads: bool,
    n_jobs: usize,
    /// What git is doing, for which writing waits.
    git: Option<GitOperation>,
    /// Whether a person said that many deletions at once are meant.
    deletions_are_meant: bool,
    /// Pairings whose records are to be stored.
    dirty: BTreeSet<Utf8PathBuf>,
    /// Pairings whose records are to be removed.
    removed: BTreeSet<Utf8PathBuf>,
    /// Sources that got another path, in the order in which they did.
    renamed: Vec<(String, String)>,
    /// Pairings whose bases the store did not take.
    unstored: BTreeSet<Utf8PathBuf>,
    /// Whether a power cut may undo something that was written. No base is stored until the disk
    /// is flushed.
    is_unflushed: bool,
    /// Versions that are not in the store yet.
    unrecorded: Vec<Unrecorded>,
    archive: Archive,
    next_collect: Instant,
    /// What was propagated and no flush has told yet, by number.
    propagated: VecDeque<(u64, Propagation)>,
    n_propagated: u64,
}

impl Engine {
    /// Makes an engine that knows what the store knows.
    pub(crate) fn new(parts: Parts, now: Instant) -> Self {
        let archive =
            Archive::new(Arc::clone(&parts.disk), Arc::clone(&parts.store), parts.tree.root());
        let jupytext = parts.tree.jupytext(&parts.dirs);
        let notary = parts.dirs.jupyter_data.as_deref().map(Notary::new);
        let mut engine = Self {
            notary,
            parts,
            pairings: BTreeMap::new(),
            files: BTreeMap::new(),
            to_ask: Vec::new(),
            needs_forming: false,
            jupytext,
            busy: BTreeMap::new(),
            gathering: BTreeMap::new(),
            by_path: HashMap::new(),
            due: BTreeMap::new(),
            unscanned: BTreeSet::new(),
            ended: BTreeMap::new(),
            removals: HashMap::new(),
            bases: Bases::default(),
            plain: HashMap::new(),
            skipped: BTreeMap::new(),
            displaced: Vec::new(),
            recovered: BTreeSet::new(),
            waiting: Vec::new(),
            tasks: Vec::new(),
            state: DaemonState::Scanning,
            reason: None,
            next_sweep: now + SWEEP,
            next_walk: now + WALK,
            writes: true,
            n_created: 0,
            threads: false,
            n_jobs: 0,
            git: None,
            deletions_are_meant: false,
            dirty: BTreeSet::new(),
            removed: BTreeSet::new(),
            renamed: Vec::new(),
            unstored: BTreeSet::new(),
            is_unflushed: false,
            unrecorded: Vec::new(),
            archive,
            next_collect: now + COLLECT,
            propagated: VecDeque::new(),
            n_propagated: 0,
        };
        engine.load(now);
        // Not while everything else starts.
        engine.next_collect = now + engine.until_collect().max(WALK);
        engine
    }

    /// Only finds out what would be written from now on.
    pub(crate) fn write_nothing(&mut self) {
        self.writes = false;
    }

    /// Takes in an event.
    pub(crate) fn event(&mut self, event: WatchEvent, now: Instant) {
        match event {
            WatchEvent::Touched(path) => self.touched(&path, now),
            WatchEvent::Appeared(folder) => self.appeared(&folder, now),
            WatchEvent::Gone(path) => self.gone(&path, now),
            WatchEvent::Replacing(path) => self.replacing(&path, now),
            WatchEvent::Overflow => self.rescan(now),
            WatchEvent::Failed(reason) => {
                tracing::warn!(reason, "watching failed; the tree is read again");
                self.rescan(now);
            }
        }
    }

    pub(super) fn touched(&mut self, path: &Utf8Path, now: Instant) {
        let Some(path) = self.parts.tree.relative(path).map(Utf8Path::to_owned) else { return };
        if self.mark(&path, now) || self.session_touched(&path, now) {
            return;
        }
        if path.file_name() == Some(".gitignore") {
            // What was left alone may be wanted now.
            self.walk_below(path.parent().unwrap_or(Utf8Path::new("")), now);
        } else if path.file_name().is_some_and(is_jupytext_config) {
            self.pair_anew(now);
        } else if self.parts.tree.is_candidate(&path) {
            self.discover(vec![path], now);
        }
    }

    /// Leaves a pairing alone for a moment, because jupytext is writing all its files. It
    /// refuses to go on when one of them changes meanwhile.
    fn replacing(&mut self, path: &Utf8Path, now: Instant) {
        let path = self.parts.tree.relative(path);
        if let Some(source) = path.and_then(|path| self.by_path.get(path)) {
            self.busy.insert(source.clone(), now + JUPYTEXT);
        }
    }

    fn appeared(&mut self, folder: &Utf8Path, now: Instant) {
        let Some(folder) = self.parts.tree.relative(folder).map(Utf8Path::to_owned) else {
            return;
        };
        if self.session_folder_appeared(&folder, now) {
            return;
        }
        if self.parts.tree.admits_folder(&folder) {
            self.walk_below(&folder, now);
        }
    }

    fn gone(&mut self, path: &Utf8Path, now: Instant) {
        let Some(path) = self.parts.tree.relative(path).map(Utf8Path::to_owned) else { return };
        if let Some(folder) = path.parent() {
            self.removals.insert(folder.to_owned(), now);
        }
        if self.mark(&path, now) {
            return;
        }
        // A folder: everything in it went with it.
        let below: Vec<Utf8PathBuf> = self
            .pairings
            .iter()
            .filter(|(_, pairing)| pairing.is_below(std::slice::from_ref(&path)))
            .map(|(source, _)| source.clone())
            .collect();
        for source in below {
            self.make_due(&source, now);
        }
        self.skipped.retain(|skipped, _| !skipped.starts_with(&path));
        self.parts.tree.forget(&path);
        let folder = self.parts.tree.absolute(&path);
        if let Some(watcher) = &mut self.parts.watcher {
            watcher.unwatch(&folder);
        }
        if path.file_name() == Some(".gitignore") {
            self.walk_below(path.parent().unwrap_or(Utf8Path::new("")), now);
        } else if path.file_name().is_some_and(is_jupytext_config) {
            self.pair_anew(now);
        }
    }

    /// Reads the configurations of jupytext anew.
    fn pair_anew(&mut self, now: Instant) {
        self.jupytext.forget();
        let paths: Vec<Utf8PathBuf> = self.files.keys().cloned().collect();
        // Whether a file's language matters depends on them.
        for (path, found) in paths.iter().zip(self.detect(&paths)) {
            if let (Ok(Some((_, said))), Some(file)) = (found, self.files.get_mut(path)) {
                file.said = said;
            }
        }
        self.claim_all_anew();
        self.form(now);
    }

    /// Makes the pairing of a file due, if it has one.
    fn mark(&mut self, path: &Utf8Path, now: Instant) -> bool {
        let Some(source) = self.by_path.get(path).cloned() else { return false };
        let idx = self.pairings.get(&source).and_then(|pairing| pairing.position(path));
        let due = self.make_due(&source, now);
        due.touched.extend(idx);
        due.attempt = 0;
        true
    }

    pub(super) fn make_due(&mut self, source: &Utf8Path, now: Instant) -> &mut Due {
        let due = self.due.entry(source.to_owned()).or_insert_with(|| Due::new(now));
        due.at = due.at.min(now);
        due
    }

    /// Returns when [`step`](Self::step) has something to do.
    pub(crate) fn deadline(&self) -> Instant {
        let due = self.due.values().map(|due| due.at);
        let late = self.displaced.iter().map(|late| late.at);
        let flush = self.waiting.iter().map(|waiting| waiting.until);
        let tasks = self.tasks.iter().map(|task| task.until);
        due.chain(late)
            .filter(|_| !self.is_still())
            .chain(flush)
            .chain(tasks)
            .chain([self.next_sweep])
            .min()
            .unwrap_or(self.next_sweep)
    }

    /// Whether nothing may be written for now.
    fn is_still(&self) -> bool {
        matches!(self.state, DaemonState::Paused | DaemonState::Halted)
    }

    /// Does what is due.
    pub(crate) fn step(&mut self, now: Instant) {
        if self.next_sweep <= now {
            self.sweep(now);
        }
        self.work(now);
        for path in std::mem::take(&mut self.to_ask) {
            self.claim_anew(&path);
        }
        self.form(now);
        self.commit();
        self.look_for_late_writers(now);
        self.answer_flushes(now);
        self.do_tasks(now);
    }

    /// Looks at all known files, because events can be lost.
    fn sweep(&mut self, now: Instant) {
        if self.next_walk <= now {
            self.rescan(now);
            return;
        }
        let started = self.parts.clock.now();
        self.check_root();
        if !is_planted(Bug::IgnoreLostEvents) {
            self.look_at_stamps(&[], now);
            self.look_at_sessions(&[], sessions::RUNNING, now);
        }
        let took = self.parts.clock.now().duration_since(started);
        if self.next_collect <= now {
            self.next_collect = now + COLLECT;
            self.collect();
        }
        // At most a thousandth of a core.
        self.next_sweep = now + SWEEP.max(took * 1000);
    }

    /// Walks the whole tree, and looks at all known files.
    pub(crate) fn rescan(&mut self, now: Instant) {
        self.next_walk = now + WALK;
        self.next_sweep = now + SWEEP;
        self.check_root();
        self.walk_below(Utf8Path::new(""), now);
        self.look_at_stamps(&[], now);
        self.look_at_sessions(&[], sessions::RUNNING, now);
    }

    /// Halts when the root is gone, as it is when a disk isn't mounted: that is no
    /// deletion of notebooks.
    fn check_root(&mut self) {
        let root = self.parts.tree.root().to_owned();
        let is_there = matches!(self.parts.disk.list(&root), Ok(Some(_)));
        if !is_there && !self.pairings.is_empty() {
            self.halt(format!("the folder `{root}` is gone; nothing is written until it is back"));
        } else if is_there && self.state == DaemonState::Halted {
            match self.all_gone_reason() {
                Some(reason) => self.halt(reason),
                None => self.resume(),
            }
        }
    }

    fn halt(&mut self, reason: String) {
        if self.state == DaemonState::Halted {
            self.reason = Some(reason);
        } else {
            tracing::error!(reason, "halted");
            self.set_state(DaemonState::Halted, Some(reason));
        }
    }

    fn set_state(&mut self, state: DaemonState, reason: Option<String>) {
        if (self.state, &self.reason) != (state, &reason) {
            self.state = state;
            self.reason.clone_from(&reason);
            self.report(&Report::State { state, reason });
        }
    }

    /// Goes on after a pause or a halt.
    pub(crate) fn resume(&mut self) {
        let (state, reason) = match self.parts.watcher.as_ref().map(|watcher| watcher.mode()) {
            Some(WatchMode::Native) | None => (DaemonState::Watching, None),
            Some(mode) => (DaemonState::Degraded, Some(mode.to_string())),
        };
        self.set_state(state, reason);
    }

    /// Does what no edit waits for on a thread of its own from now on.
    pub(crate) fn use_threads(&mut self) -> std::io::Result<()> {
        self.threads = true;
        self.archive.start()
    }

    /// Reads the tree for the first time.
    pub(crate) fn scan(&mut self, now: Instant) {
        self.report(&Report::Scanning { root: self.parts.tree.root().to_owned() });
        let known = self.folders();
        self.recover(&known, now);
        self.rescan(now);
        self.unscanned = self.due.keys().cloned().collect();
    }

    /// Reads the settings again.
    pub(crate) fn reload(&mut self, now: Instant) -> Result<(), String> {
        let root = self.parts.tree.root().to_owned();
        let config = Config::load(&root, &self.parts.dirs).map_err(|err| chain(&err))?;
        let tree = Walker::new(&root, &config, &self.parts.dirs).map_err(|err| chain(&err))?;
        self.parts.config = config;
        self.parts.tree = Box::new(tree);
        self.jupytext.forget();
        // What is left alone now is no longer paired; its files stay as they are.
        let left: Vec<Utf8PathBuf> = self
            .pairings
            .iter()
            .filter(|(_, it)| !it.owned().any(|spec| self.parts.tree.admits_file(&spec.path)))
            .map(|(source, _)| source.clone())
            .collect();
        for source in left {
            for spec in self.pairings.get(&source).into_iter().flat_map(Pairing::owned) {
                self.files.remove(&spec.path);
            }
            self.forget(&source);
        }
        let tree = &self.parts.tree;
        self.files.retain(|path, _| !tree.is_excluded(path));
        self.needs_forming = true;
        self.plain.clear();
        self.claim_all_anew();
        self.rescan(now);
        let all: Vec<Utf8PathBuf> = self.pairings.keys().cloned().collect();
        for source in all {
            if let Some(pairing) = self.pairings.get_mut(&source) {
                pairing.is_complete = false;
            }
            self.make_due(&source, now);
        }
        Ok(())
    }

    /// Ends a pairing without touching its files.
    pub(super) fn forget(&mut self, source: &Utf8Path) {
        if let Some(pairing) = self.pairings.remove(source) {
            for replica in pairing.replicas {
                self.by_path.remove(&replica.spec.path);
            }
        }
        self.due.remove(source);
        self.dirty.remove(source);
        self.removed.insert(source.to_owned());
    }

    /// Takes it that many deletions at once are meant.
    fn accept_deletions(&mut self, now: Instant) {
        if self.state == DaemonState::Halted {
            self.deletions_are_meant = true;
            for due in self.due.values_mut() {
                due.at = due.at.min(now);
            }
        }
    }

    /// Finishes what can't wait for the next start.
    ///
    /// Replaced files can: an editor may still have them open. What was saved into them
    /// until now can't: the next process knows nothing of that editor.
    pub(crate) fn stop(&mut self) {
        if self.writes {
            self.end_sparing();
            self.take_up_late_saves();
            self.commit();
        }
        self.archive.stop();
        self.report(&Report::Stopped);
    }

    /// Reports that something could not be done.
    pub(crate) fn error(&mut self, reason: String) {
        self.report(&Report::Error { notebook: None, reason });
    }

    fn report(&mut self, report: &Report) {
        (self.parts.reporter)(report);
    }
}

#[cfg(test)]
mod tests;
