//! Random editors, faults, crashes and lost events, from a seed.
//!
//! `NBSYNC_SIM_SEEDS=1000..9000` runs other seeds than `cargo test` does.

use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nbsync_formats::{Carry, FormatName, Notebook};

use super::editors::{Editors, Rest, Rng, litter, sources, tokens};
use super::world::{QUIET, World, at, replicas};
use crate::control::Command;
use crate::disk::{Crashed, Step};
use crate::git::GitOperation;
use crate::report::NotebookState;
use crate::sync::Digest;
use crate::watch::WatchEvent;

struct Sim {
    world: World,
    editors: Arc<Mutex<Editors>>,
    rng: Rng,
    /// Events on their way.
    queue: Vec<WatchEvent>,
    /// Saves that are to end, and when.
    rests: Vec<(Instant, Rest)>,
    /// Saves that ended, and when.
    ended: Vec<(Instant, Rest)>,
    /// Until when bases may be missing in the store.
    store_fails: Option<Instant>,
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let world = World::new();
        let editors = Editors::new(world.disk.clone(), Rng(rng.below(1 << 40) as u64));
        let mut sim = Self {
            world,
            editors: Arc::new(Mutex::new(editors)),
            rng,
            queue: Vec::new(),
            rests: Vec::new(),
            ended: Vec::new(),
            store_fails: None,
        };
        for n in 0..=sim.rng.below(3) {
            let (name, format, extension) = match sim.rng.below(2) {
                0 => (format!("n{n}.py"), FormatName::Percent, ".py"),
                _ => (format!("d/n{n}.ipynb"), FormatName::Ipynb, ".ipynb"),
            };
            let cells = sim.editors().cells(&name);
            let notebook = Notebook { cells, ..Notebook::default() };
            let printed = nbsync_formats::format(format).print(&notebook, extension, Carry::All);
            let text = printed.unwrap().document.text().to_string();
            sim.world.disk.save(&at(&name), text.as_bytes());
            sim.editors().notebooks.push(name);
        }
        sim
    }

    fn editors(&self) -> MutexGuard<'_, Editors> {
        self.editors.lock().unwrap()
    }

    fn log(&self, what: impl Into<String>) {
        let what = format!("{:?} {}", self.world.elapsed(), what.into());
        self.editors().trace.push(what);
    }

    fn run(&mut self) {
        self.world.start();
        for _ in 0..10 + self.rng.below(60) {
            self.act();
        }
        self.end();
    }

    fn act(&mut self) {
        match self.rng.below(40) {
            0..=9 => self.editors().save(),
            10..=12 => {
                let rest = self.editors().begin();
                // The engine makes a missing shadow again after half a second.
                let wait = Duration::from_millis(self.rng.below(400) as u64);
                self.rests.extend(rest.map(|rest| (self.world.now() + wait, rest)));
            }
            13..=15 => self.save_during_a_write(),
            16 => {
                let disk = self.world.disk.clone();
                let known: Vec<String> = self.digests();
                self.editors().delete_shadow(|path| {
                    let bytes = disk.bytes(&at(path)).unwrap_or_default();
                    known.contains(&Digest::of(&bytes).to_string())
                });
            }
            17 => self.fault(),
            18 => self.crash(),
            19 if self.world.engine.is_some() => {
                self.log("stop");
                self.world.stop();
                let has_crashed = self.world.store.is_gone.load(Ordering::SeqCst);
                self.weaken(Duration::from_secs(if has_crashed { 10 } else { 0 }));
            }
            20 => {
                self.log("the store fails");
                self.store_fails = Some(self.world.now() + Duration::from_hours(1));
                self.world.store.inner.set_failing(true);
            }
            21..=22 => {
                let soon = self.world.now() + Duration::from_secs(10);
                self.store_fails = self.store_fails.map(|until| until.min(soon));
                self.world.store.inner.set_failing(false);
            }
            23 => *self.world.git.lock().unwrap() = Some(GitOperation::Command),
            24..=25 => *self.world.git.lock().unwrap() = None,
            26 => self.call(Command::Flush { paths: Vec::new() }),
            27 if self.rng.one_in(3) => self.call(Command::Pause),
            28 => self.call(Command::Resume),
            _ => {
                let waits = [0, 1, 30, 100, 600, 2500, 7000];
                let wait = Duration::from_millis(*self.rng.pick(&waits));
                self.pass(wait);
            }
        }
    }

    /// A daemon that did not store a base, or forgot who has a replaced file open, can only
    /// keep what is saved into that.
    fn weaken(&self, time: Duration) {
        let now = self.world.now();
        let recent = self.ended.iter().filter(|(at, _)| now < *at + time);
        for (_, rest) in self.rests.iter().chain(recent) {
            self.editors().weaken(rest);
        }
    }

    fn digests(&self) -> Vec<String> {
        let Some(engine) = &self.world.engine else { return Vec::new() };
        let replicas = engine.status(&[]).notebooks.into_iter().flat_map(|it| it.replicas);
        replicas.filter_map(|it| it.digest).collect()
    }

    fn call(&mut self, command: Command) {
        if self.world.engine.is_some() {
            self.log(format!("{command:?}"));
            // Some clients don't wait.
            drop(self.world.call(command));
        }
    }

    /// Has an editor save at one of the next steps of a write.
    fn save_during_a_write(&mut self) {
        let editors = Arc::clone(&self.editors);
        let mut left = self.rng.below(12);
        self.world.interfere(move |step, path| {
            if left == 0 {
                let mut editors = editors.lock().unwrap();
                editors.trace.push(format!("during {step:?} of {path}"));
                editors.save();
            }
            left = left.wrapping_sub(1);
            Ok(())
        });
    }

    /// Has some of the next steps of writes fail.
    fn fault(&mut self) {
        let (first, n) = (self.rng.below(12), self.rng.below(8));
        let errno = *self.rng.pick(&[28, 5, 13]);
        self.log(format!("fault {first} {n} {errno}"));
        let mut idx = 0;
        self.world.interfere(move |step, _| {
            // What can't be read after the exchange is looked at again later, so the real disk
            // has no such error.
            if matches!(step, Step::Inspect | Step::Keep) {
                return Ok(());
            }
            idx += 1;
            let fails = (first..=first + n).contains(&idx);
            if fails { Err(io::Error::from_raw_os_error(errno)) } else { Ok(()) }
        });
    }

    /// Has the process end at one of the next steps of writes.
    fn crash(&mut self) {
        let mut left = self.rng.below(12);
        self.log(format!("crash {left}"));
        let is_gone = Arc::clone(&self.world.store.is_gone);
        self.world.interfere(move |_, _| {
            if left == 0 {
                is_gone.store(true, Ordering::SeqCst);
                return Err(io::Error::other(Crashed));
            }
            left -= 1;
            Ok(())
        });
    }

    /// Lets time pass, with some events, late, twice and in any order.
    fn pass(&mut self, time: Duration) {
        let end = self.world.now() + time;
        self.log(format!("pass {time:?}"));
        let mut n_steps = 0;
        loop {
            n_steps += 1;
            assert!(n_steps < 10_000, "the engine spins");
            let now = self.world.now();
            let (ripe, rests): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.rests).into_iter().partition(|(at, _)| *at <= now);
            self.rests = rests;
            for (_, rest) in ripe {
                self.editors().end(&rest);
                self.ended.push((now, rest));
            }
            if self.store_fails.is_some_and(|until| now < until) {
                self.weaken(Duration::from_secs(10));
            }
            if self.world.engine.is_none() && self.rng.one_in(3) {
                self.restart();
            }
            self.deliver();
            if self.world.engine.is_some() {
                self.world.step();
                if self.world.store.is_gone.load(Ordering::SeqCst) {
                    self.log("crashed");
                    self.world.engine = None;
                    self.weaken(Duration::from_secs(10));
                    self.world.stop_interfering();
                }
            }
            let rest = self.rests.iter().map(|(at, _)| *at).min();
            let engine = self.world.engine.as_ref().map(super::super::Engine::deadline);
            let next = rest.into_iter().chain(engine).min().unwrap_or(end).max(now);
            if end < next || now == end {
                self.world.set_time(end);
                return;
            }
            // The process does not always come at once.
            let late = Duration::from_millis(self.rng.below(3) as u64);
            self.world.set_time((next + late).min(end));
        }
    }

    fn deliver(&mut self) {
        let new = self.world.events();
        for event in new {
            if self.rng.one_in(20) {
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
        self.log(format!("start {forget}"));
        if forget == 0 {
            self.world.store.inner.lose_index();
        }
        // Who finds a file missing at the start has no reason to wait for it.
        let (deleted, rests): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.rests).into_iter().partition(|(_, rest)| rest.is_deleted);
        self.rests = rests;
        for (_, rest) in deleted {
            self.editors().end(&rest);
        }
        self.weaken(Duration::ZERO);
        self.queue.clear();
        self.world.stop_interfering();
        self.world.start();
    }

    /// Lets everything come to rest, and checks what came of it.
    fn end(&mut self) {
        self.pass(Duration::from_secs(1));
        self.world.stop_interfering();
        self.world.store.inner.set_failing(false);
        *self.world.git.lock().unwrap() = None;
        if self.world.engine.is_none() {
            self.restart();
        }
        self.call(Command::Resume);
        let now = self.world.now();
        self.world.engine().event(WatchEvent::Overflow, now);
        self.log("end");
        self.world.run(QUIET * 6);
        self.check();
    }

    fn check(&mut self) {
        let live = self.editors().live.clone();
        let weak = self.editors().weak.clone();
        let notebooks = self.editors().notebooks.clone();
        for source in &notebooks {
            let (state, reason) = self.world.state(source);
            let is_fine = matches!(state, NotebookState::Synced | NotebookState::Conflict);
            assert!(is_fine, "{source}: {state:?}, {reason}");
            let expected = sources(source, &self.world.text(source)).unwrap();
            for path in replicas(source) {
                let text = self.world.text(&path);
                let digest = Digest::of(text.as_bytes()).to_string();
                assert!(self.digests().contains(&digest), "`{path}` is not as it is known");
                assert_eq!(sources(&path, &text).unwrap(), expected, "{path}");
                let document = super::cells::parse(&path, &text).unwrap();
                let found = tokens(&document.notebook().cells);
                for (token, _) in live.iter().filter(|(_, it)| *it == source) {
                    let is_there = found.contains_key(token)
                        || (weak.contains(token) && self.world.is_kept(token));
                    assert!(is_there, "{token} is lost from {path}: {expected:#?}");
                }
            }
        }
        assert_eq!(litter(&self.world.disk), [""; 0]);
        self.world.forget();
        self.world.run(Duration::from_hours(1));
        assert_eq!(self.world.n_writes(), 0, "{:?}", self.world.written());
    }
}

/// Runs a seed, and returns all that happened.
fn trace(seed: u64) -> Vec<String> {
    let mut sim = Sim::new(seed);
    let editors = Arc::clone(&sim.editors);
    let reports = Arc::clone(&sim.world.reports);
    let res = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sim.run()));
    let mut trace = editors.lock().unwrap_or_else(std::sync::PoisonError::into_inner).trace.clone();
    let reports = reports.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    trace.extend(reports.iter().map(|it| format!("{it:?}")));
    if let Err(panic) = res {
        if std::env::var_os("NBSYNC_SIM_TRACE").is_some() {
            println!("{}", trace.join("\n"));
        }
        println!("NBSYNC_SIM_SEEDS={seed}..{} shows this again", seed + 1);
        std::panic::resume_unwind(panic);
    }
    trace
}

fn seeds() -> Range<u64> {
    let seeds = std::env::var("NBSYNC_SIM_SEEDS").ok();
    let range = seeds.as_deref().and_then(|it| {
        let (start, end) = it.split_once("..")?;
        Some(start.parse().ok()?..end.parse().ok()?)
    });
    range.unwrap_or(0..60)
}

#[test]
fn nothing_is_lost_whatever_happens() {
    let failed: Vec<u64> =
        seeds().filter(|&seed| std::panic::catch_unwind(|| trace(seed)).is_err()).collect();
    assert_eq!(failed, [0; 0], "these seeds failed");
}

#[test]
fn same_seed_gives_the_same() {
    for seed in seeds().take(20) {
        assert_eq!(trace(seed), trace(seed), "{seed}");
    }
}
