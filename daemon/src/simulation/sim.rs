//! Runs a script.

mod troubles;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nbsync_formats::{Carry, FormatName, Notebook};

use super::actors::{Editors, Shared, Slow, Way};
use super::audit::{Audit, audit};
use super::exhaust::Counting;
use super::invariant::{Invariant, Violation, ensure};
use super::rng::Rng;
use super::script::{Act, Script, What};
use super::world::{QUIET, WALL, World, at};
use crate::config::Config;
use crate::control::Command;
use crate::git::GitOperation;
use crate::sync::Digest;
use crate::watch::WatchEvent;

/// What happened in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Saves of editors.
    pub saves: usize,
    /// Calls that failed.
    pub faults: usize,
    /// Ends of the process, or of the power, at some step.
    pub crashes: usize,
    /// Saves into files that had been replaced.
    pub late: usize,
    /// Steps of writes of the daemon.
    pub steps: usize,
    /// Calls to the file system and the store, where they are counted.
    pub calls: usize,
}

/// A run in which an invariant did not hold.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What happened.
    pub script: Script,
    /// What did not hold.
    pub invariant: Invariant,
    /// In which way.
    pub what: String,
    /// All that happened, if that was asked for.
    pub trace: Vec<String>,
}

/// Runs a seed.
pub fn simulate(seed: u64) -> Result<Tally, Box<Failure>> {
    run(&Script::new(seed), false).map(|it| it.0)
}

/// Runs a script, and returns all that happened as well.
pub fn simulate_with_trace(script: &Script) -> Result<(Tally, Vec<String>), Box<Failure>> {
    run(script, true)
}

pub(super) fn run(script: &Script, traced: bool) -> Result<(Tally, Vec<String>), Box<Failure>> {
    run_with(script, traced, None)
}

/// Runs a script, and counts calls if `trouble` says which of them goes wrong.
pub(super) fn run_with(
    script: &Script,
    traced: bool,
    trouble: Option<Counting>,
) -> Result<(Tally, Vec<String>), Box<Failure>> {
    let mut sim = Sim::new(script, traced);
    sim.trouble = trouble;
    let end = catch_unwind(AssertUnwindSafe(|| sim.run(script)));
    let trace = || {
        let mut trace = sim.editors().trace.clone().unwrap_or_default();
        if traced {
            let reports = sim.world.reports.lock().unwrap_or_else(PoisonError::into_inner);
            trace.extend(reports.iter().map(|it| format!("{it:?}")));
        }
        trace
    };
    let violation = match end {
        Ok(Ok(())) => {
            let mut tally = sim.tally;
            tally.saves = sim.editors().n_saves;
            tally.faults = *sim.n_faults.lock().unwrap_or_else(PoisonError::into_inner);
            tally.steps = sim.audit().n_steps;
            tally.calls = sim.world.calls().n();
            return Ok((tally, trace()));
        }
        Ok(Err(violation)) => violation,
        Err(panic) => {
            let what = panic.downcast_ref::<String>().cloned();
            let what = what.or_else(|| panic.downcast_ref::<&str>().map(|&it| it.to_owned()));
            Violation::new(Invariant::NoPanic, what.unwrap_or_default())
        }
    };
    let Violation { invariant, what } = violation;
    Err(Box::new(Failure { script: script.clone(), invariant, what, trace: trace() }))
}

pub(super) struct Sim {
    pub(super) world: World,
    editors: Shared,
    audit: Arc<Mutex<Audit>>,
    pub(super) rng: Rng,
    /// Events on their way.
    queue: Vec<WatchEvent>,
    /// Saves that are to end, and when.
    slow: Vec<(Instant, Slow)>,
    /// Saves that ended before their end, and when.
    torn: Vec<(Instant, Slow)>,
    /// From when on the store works again.
    store_fails: Option<Instant>,
    is_paused: bool,
    pub(super) has_cut_power: bool,
    has_new: bool,
    n_faults: Arc<Mutex<usize>>,
    tally: Tally,
    /// Which call goes wrong, if calls are counted.
    trouble: Option<Counting>,
}

impl Sim {
    fn new(script: &Script, traced: bool) -> Self {
        let mut world = World::new();
        if script.start.is_multiple_of(2) {
            let config = Config::default();
            (world.patience, world.marimo_patience) = (config.patience, config.marimo_patience);
        }
        let editors = Arc::new(Mutex::new(Editors::new(world.disk.clone(), traced)));
        let audit = audit(&world, &editors);
        let mut sim = Self {
            world,
            editors,
            audit,
            rng: Rng(script.start),
            queue: Vec::new(),
            slow: Vec::new(),
            torn: Vec::new(),
            store_fails: None,
            is_paused: false,
            has_cut_power: false,
            has_new: false,
            n_faults: Arc::default(),
            tally: Tally::default(),
            trouble: None,
        };
        sim.editors().rng = Rng(script.start ^ 1);
        let n_notebooks = if sim.rng.one_in(3) { 2 } else { 1 };
        for _ in 0..n_notebooks {
            sim.new_notebook();
        }
        sim
    }

    pub(super) fn editors(&self) -> MutexGuard<'_, Editors> {
        self.editors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shared(&self) -> Shared {
        Arc::clone(&self.editors)
    }

    fn audit(&self) -> MutexGuard<'_, Audit> {
        self.audit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_notebook(&mut self) {
        let n = self.editors().notebooks.len();
        let (name, format, extension) = match self.rng.below(2) {
            0 => (format!("n{n}.py"), FormatName::Percent, ".py"),
            _ => (format!("d/n{n}.ipynb"), FormatName::Ipynb, ".ipynb"),
        };
        let mut editors = self.editors();
        let cells = editors.cells(&name);
        let notebook = Notebook { cells, ..Notebook::default() };
        let format = nbsync_formats::format(format);
        let Ok(printed) = format.print(&notebook, extension, Carry::All) else { return };
        let text = printed.document.text();
        editors.log(|| format!("new {name}"));
        editors.written.insert((name.clone(), Digest::of(text.as_bytes())));
        editors.disk.save(&at(&name), text.as_bytes());
        editors.notebooks.push(name);
    }

    fn log(&self, what: impl FnOnce() -> String) {
        let elapsed = self.world.elapsed();
        self.editors().log(|| format!("{elapsed:?} {}", what()));
    }

    fn run(&mut self, script: &Script) -> Result<(), Violation> {
        if let Some(trouble) = self.trouble {
            if !script.is_empty() {
                self.world.start();
                self.world.run(QUIET);
            }
            self.world.calls().count(trouble);
            self.world.count_looks();
        }
        if self.world.engine.is_none() {
            self.world.start();
        }
        for act in &script.acts {
            self.act(*act)?;
            self.audit().check()?;
        }
        self.end(script.start)
    }

    fn act(&mut self, Act { what, seed }: Act) -> Result<(), Violation> {
        self.rng = Rng(seed);
        self.editors().rng = Rng(seed ^ 1);
        match what {
            What::Save => {
                let plan = self.editors().plan_any();
                let way = Way::any(&mut self.rng);
                if let Some(plan) = plan {
                    self.editors().save(plan, way);
                }
            }
            What::SlowSave => {
                let plan = self.editors().plan_any();
                let way = Way::any(&mut self.rng);
                // The engine makes a missing shadow again after half a second.
                let wait = Duration::from_millis(self.rng.below(400) as u64);
                if let Some(plan) = plan {
                    let slow = self.editors().begin(plan, way);
                    self.slow.push((self.world.now() + wait, slow));
                }
            }
            What::SaveDuringWrite => self.save_during_a_write(),
            What::TornSave => {
                let plan = self.editors().plan_any();
                if let Some(plan) = plan {
                    let slow = self.editors().begin(plan, Way::Halves);
                    self.torn.push((self.world.now(), slow));
                }
            }
            What::Load => self.editors().load(),
            What::StaleSave => {
                let plan = self.editors().plan_stale();
                let way = Way::any(&mut self.rng);
                if let Some(plan) = plan {
                    self.editors().save(plan, way);
                }
            }
            What::SaveTwo => {
                let plans = self.editors().plan_two();
                if let Some((first, second)) = plans {
                    self.editors().save(first, Way::InPlace);
                    self.editors().save(second, Way::InPlace);
                }
            }
            What::Checkout => {
                self.set_git(Some(GitOperation::Command));
                for _ in 0..=self.rng.below(2) {
                    let plan = self.editors().plan_any();
                    if let Some(plan) = plan {
                        self.editors().save(plan, Way::Recreate);
                    }
                }
            }
            What::DeleteShadow => {
                let disk = self.world.disk.clone();
                let known: Vec<String> = self.digests();
                self.editors().delete_shadow(|path| {
                    let bytes = disk.bytes(&at(path)).unwrap_or_default();
                    known.contains(&Digest::of(&bytes).to_string())
                });
            }
            What::NewNotebook => {
                if self.editors().notebooks.len() < 4 {
                    self.has_new = true;
                    self.new_notebook();
                }
            }
            What::Fault => self.fault(),
            What::BlindFault => self.blind_fault(),
            What::Crash => self.crash(),
            What::PowerCut => return self.cut_power(),
            What::Stop => self.stop(),
            What::StoreFails => {
                self.log(|| "the store fails".to_owned());
                self.store_fails = Some(self.world.now() + Duration::from_hours(1));
                self.world.store.inner.set_failing(true);
            }
            What::StoreWorks => self.store_works(),
            What::GitBegins => self.set_git(Some(GitOperation::Command)),
            What::GitEnds => self.set_git(None),
            What::Flush => self.call(Command::Flush { paths: Vec::new() }),
            What::Pause => {
                self.is_paused = true;
                self.call(Command::Pause);
            }
            What::Resume => {
                self.is_paused = false;
                self.call(Command::Resume);
            }
            What::SetClock => {
                let walls = [Duration::ZERO, WALL / 2, WALL, WALL + Duration::from_hours(24)];
                let wall = *self.rng.pick(&walls);
                self.log(|| format!("the clock says {wall:?}"));
                self.world.set_wall_clock(wall);
            }
            What::Suspend => {
                self.log(|| "sleep".to_owned());
                self.world.set_time(self.world.now() + Duration::from_hours(2));
            }
            What::Touch => self.editors().touch(),
            What::Settle => return self.pass(Duration::from_secs(1)),
            What::Pass => {
                let waits = [0, 1, 30, 100, 600, 2500, 7000];
                let wait = Duration::from_millis(*self.rng.pick(&waits));
                return self.pass(wait);
            }
        }
        Ok(())
    }

    fn store_works(&mut self) {
        let soon = self.world.now() + Duration::from_secs(10);
        self.store_fails = self.store_fails.map(|until| until.min(soon));
        self.world.store.inner.set_failing(false);
    }

    fn stop(&mut self) {
        if self.world.engine.is_none() {
            return;
        }
        self.log(|| "stop".to_owned());
        self.world.stop();
        self.forget_late();
    }

    /// A process that ends forgets who has a replaced file open. What is saved into that, or
    /// was and could not be merged, is only kept.
    fn forget_late(&mut self) {
        let late = std::mem::take(&mut self.editors().late);
        self.tally.late += late.len();
        self.editors().weak.extend(late);
        self.editors().weaken_replaced();
        let slow = std::mem::take(&mut self.slow);
        for (_, slow) in &slow {
            self.editors().weaken_open(slow);
        }
        self.slow = slow;
    }

    fn set_git(&self, operation: Option<GitOperation>) {
        self.log(|| format!("git {operation:?}"));
        *self.world.git.lock().unwrap_or_else(PoisonError::into_inner) = operation;
    }

    pub(super) fn digests(&self) -> Vec<String> {
        let Some(engine) = &self.world.engine else { return Vec::new() };
        let replicas = engine.status(&[]).notebooks.into_iter().flat_map(|it| it.replicas);
        replicas.filter_map(|it| it.digest).collect()
    }

    fn call(&mut self, command: Command) {
        if self.world.engine.is_some() {
            self.log(|| format!("{command:?}"));
            // Some clients don't wait.
            drop(self.world.call(command));
        }
    }

    /// Lets time pass, with some events, late, twice and in any order.
    fn pass(&mut self, time: Duration) -> Result<(), Violation> {
        let end = self.world.now() + time;
        self.log(|| format!("pass {time:?}"));
        let mut n_steps = 0;
        loop {
            n_steps += 1;
            ensure!(n_steps < 5_000, Terminates, "the engine spins");
            let now = self.world.now();
            let (ripe, slow): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.slow).into_iter().partition(|(at, _)| *at <= now);
            self.slow = slow;
            for (_, slow) in ripe {
                self.editors().end(slow);
            }
            if self.store_fails.is_some_and(|until| now < until) {
                // Without the base of an editor its late save is only kept.
                self.forget_late();
            }
            if self.world.engine.is_none() && self.rng.one_in(3) {
                self.restart();
            }
            self.deliver();
            if self.world.engine.is_some() {
                self.world.step();
                if self.world.store.is_gone.load(Ordering::SeqCst) {
                    self.log(|| "crashed".to_owned());
                    if self.world.calls().is_power_cut() {
                        self.end_power()?;
                    } else {
                        self.end_process();
                        self.audit().check_texts(&self.world.disk, &self.editors)?;
                    }
                }
            }
            let slow = self.slow.iter().map(|(at, _)| *at).min();
            let engine = self.world.engine.as_ref().map(crate::engine::Engine::deadline);
            let next = slow.into_iter().chain(engine).min().unwrap_or(end).max(now);
            if end < next || now == end {
                self.world.set_time(end.max(now));
                return Ok(());
            }
            // The process does not always come at once.
            let late = Duration::from_millis(self.rng.below(3) as u64);
            self.world.set_time((next + late).min(end));
        }
    }

    fn deliver(&mut self) {
        let new = self.world.events();
        for event in new {
            if self.trouble.is_none() && self.rng.one_in(20) {
                continue;
            }
            if self.rng.one_in(10) {
                self.queue.push(event.clone());
            }
            self.queue.push(event);
        }
        if self.world.engine.is_none() {
            self.queue.clear();
        }
        let now = self.world.now();
        while !self.queue.is_empty() && !self.rng.one_in(10) {
            let event = self.queue.swap_remove(self.rng.below(self.queue.len()));
            self.world.engine().event(event, now);
        }
    }

    fn restart(&mut self) {
        let forget = self.rng.below(12);
        self.log(|| format!("start {forget}"));
        self.forget_late();
        if forget == 0 {
            self.lose_index();
        }
        // Who finds a file missing at the start has no reason to wait for it.
        let disk = self.world.disk.clone();
        let (absent, slow): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.slow).into_iter().partition(|(_, it)| it.is_absent(&disk));
        self.slow = slow;
        for (_, slow) in absent {
            self.editors().end(slow);
        }
        self.forget_late();
        self.queue.clear();
        self.world.stop_interfering();
        self.world.disk.observe_looks(None);
        self.is_paused = false;
        self.world.start();
    }

    /// The history goes with the index, and with it what is only there.
    pub(super) fn lose_index(&mut self) {
        self.world.store.inner.lose_index();
        let mut editors = self.editors();
        let weak = std::mem::take(&mut editors.weak);
        editors.live.retain(|token, _| !weak.contains(token));
    }

    /// Lets everything come to rest, and checks what came of it.
    fn end(&mut self, seed: u64) -> Result<(), Violation> {
        self.rng = Rng(seed ^ 2);
        self.editors().rng = Rng(seed ^ 3);
        self.pass(Duration::from_secs(1))?;
        self.world.calls().stop();
        self.world.stop_interfering();
        self.world.disk.observe_looks(None);
        self.world.store.inner.set_failing(false);
        self.world.set_wall_clock(WALL);
        self.set_git(None);
        for (at, slow) in std::mem::take(&mut self.torn) {
            if at + BELIEVED <= self.world.now() {
                self.editors().weaken_torn(&slow);
            }
            self.editors().mend(slow);
        }
        if self.world.engine.is_none() {
            self.restart();
        }
        self.call(Command::Resume);
        if self.rng.one_in(2) {
            let now = self.world.now();
            self.world.engine().event(WatchEvent::Overflow, now);
            self.log(|| "end".to_owned());
            self.world.run(QUIET * 6);
        } else {
            // New files are found without an event too, in time.
            self.log(|| "end, without an event".to_owned());
            self.world.events();
            // So is what could not be read.
            // So is a notebook of which only a part was there at the start.
            let notebooks = self.editors().notebooks.clone();
            let is_unknown = !notebooks.iter().all(|source| self.world.is_known(source));
            let is_new = self.has_new || self.trouble.is_some() || is_unknown;
            let time = if is_new { Duration::from_mins(12) } else { QUIET * 6 };
            self.world.run(time);
        }
        self.audit().check()?;
        self.check()?;
        self.calm()?;
        self.audit().check()
    }
}

/// After this time a part of a save that can be read counts as one.
const BELIEVED: Duration = Duration::from_secs(2);
