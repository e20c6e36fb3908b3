//! What goes wrong in a run.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::actors::Way;
use super::super::invariant::Violation;
use super::Sim;
use crate::disk::{Crashed, Step};

/// ENOSPC, EIO, EACCES, EINTR, EXDEV.
const ERRORS: [i32; 5] = [28, 5, 13, 4, 18];

impl Sim {
    /// Has editors save at some of the next steps of writes.
    pub(super) fn save_during_a_write(&mut self) {
        let editors = Arc::clone(&self.editors);
        let mut left = self.rng.below(12);
        let (mut n_saves, between) = (1 + self.rng.below(3), self.rng.below(8));
        let mut rng = self.rng.clone();
        self.world.interfere(move |step, path| {
            if left == 0 && 0 < n_saves {
                let mut editors = editors.lock().unwrap_or_else(PoisonError::into_inner);
                editors.log(|| format!("during {step:?} of {path}"));
                let plan = editors.plan_any();
                let way = Way::any(&mut rng);
                if let Some(plan) = plan {
                    editors.save(plan, way);
                }
                n_saves -= 1;
                left = between + 1;
            }
            left = left.saturating_sub(1);
            Ok(())
        });
    }

    /// Has some of the next steps of writes fail.
    pub(super) fn fault(&mut self) {
        let (first, n) = (self.rng.below(12), self.rng.below(8));
        let errno = *self.rng.pick(&ERRORS);
        self.log(|| format!("fault {first} {n} {errno}"));
        let mut idx = 0;
        let n_faults = Arc::clone(&self.n_faults);
        self.world.interfere(move |step, _| {
            // What can't be read after the exchange is looked at again later, so the real disk
            // has no such error.
            if matches!(step, Step::Inspect | Step::Keep) {
                return Ok(());
            }
            idx += 1;
            if (first..=first + n).contains(&idx) {
                *n_faults.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                return Err(io::Error::from_raw_os_error(errno));
            }
            Ok(())
        });
    }

    /// Has some of the next looks at files fail.
    pub(super) fn blind_fault(&mut self) {
        let (first, n) = (self.rng.below(20), self.rng.below(4));
        let errno = *self.rng.pick(&ERRORS);
        self.log(|| format!("blind {first} {n} {errno}"));
        let idx = Mutex::new(0);
        let n_faults = Arc::clone(&self.n_faults);
        self.world.disk.observe_looks(Some(Arc::new(move |_: &camino::Utf8Path| {
            let mut idx = idx.lock().unwrap_or_else(PoisonError::into_inner);
            *idx += 1;
            if (first..=first + n).contains(&*idx) {
                *n_faults.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                return Err(io::Error::from_raw_os_error(errno));
            }
            Ok(())
        })));
    }

    /// Has the process end at one of the next steps of writes.
    pub(super) fn crash(&mut self) {
        let mut left = self.rng.below(12);
        self.log(|| format!("crash {left}"));
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

    /// Lets the process work a little, and ends the power at some step of that.
    pub(super) fn cut_power(&mut self) -> Result<(), Violation> {
        self.crash();
        let wait = Duration::from_millis(*self.rng.pick(&[0, 1, 100, 2500]));
        self.pass(wait)?;
        self.end_power()
    }

    pub(super) fn end_process(&mut self) {
        self.tally.crashes += 1;
        self.world.engine = None;
        self.forget_late();
        self.world.stop_interfering();
    }

    pub(super) fn end_power(&mut self) -> Result<(), Violation> {
        self.log(|| "power cut".to_owned());
        self.end_process();
        self.has_cut_power = true;
        let mut rng = self.rng.clone();
        self.world.disk.cut_power(&mut |n| rng.below(n));
        self.world.store.inner.cut_power(&mut |n| rng.below(n));
        self.audit().check_texts(&self.world.disk, &self.editors)
    }
}
