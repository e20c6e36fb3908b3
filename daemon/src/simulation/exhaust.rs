//! Every call of a scenario goes wrong in turn, in every way.

use std::io;

use super::rng::Rng;
use super::script::{Act, Script, What};
use super::sim::{Failure, Tally, run_with};
use crate::disk::{Crashed, Step};

/// What becomes of a call to the file system or the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It fails with this number.
    Error(i32),
    /// The process ends there.
    Crash,
    /// So does the power: what is not on the device is there in part or not at all.
    PowerCut,
}

impl Trouble {
    /// ENOSPC, EACCES, EIO, EINTR, EXDEV; the end of the process, of the power.
    pub const ALL: [Self; 7] = [
        Self::Error(28),
        Self::Error(13),
        Self::Error(5),
        Self::Error(4),
        Self::Error(18),
        Self::Crash,
        Self::PowerCut,
    ];
}

/// Which call is to go wrong, counted from 1.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counting {
    pub(crate) at: Option<(usize, Trouble)>,
}

/// Counts calls, and has one of them go wrong.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    n: usize,
    at: Option<(usize, Trouble)>,
    is_counting: bool,
}

impl Calls {
    /// Begins to count.
    pub(crate) fn count(&mut self, Counting { at }: Counting) {
        *self = Self { n: 0, at, is_counting: true };
    }

    /// Lets all calls be.
    pub(crate) fn stop(&mut self) {
        self.is_counting = false;
    }

    pub(crate) fn is_counting(&self) -> bool {
        self.is_counting
    }

    pub(crate) fn n(&self) -> usize {
        self.n
    }

    /// Whether the power is to end with the process.
    pub(crate) fn is_power_cut(&self) -> bool {
        matches!(self.at, Some((at, Trouble::PowerCut)) if at <= self.n)
    }

    /// A call is about to be made; a step of a write, or a look.
    pub(crate) fn before(&mut self, step: Option<Step>) -> io::Result<()> {
        if !self.is_counting {
            return Ok(());
        }
        self.n += 1;
        match self.at {
            Some((at, Trouble::Error(errno))) if at == self.n => {
                // What can't be read after the exchange is looked at again later, so the real
                // disk has no such error.
                if matches!(step, Some(Step::Inspect | Step::Keep)) {
                    return Ok(());
                }
                Err(io::Error::from_raw_os_error(errno))
            }
            Some((at, Trouble::Crash | Trouble::PowerCut)) if at == self.n => {
                self.is_counting = false;
                Err(io::Error::other(Crashed))
            }
            _ => Ok(()),
        }
    }
}

/// What happens while calls go wrong.
const SCENARIOS: [(&str, &[What]); 12] = [
    ("first start", &[]),
    ("save", &[What::Save]),
    ("two saves", &[What::Save, What::Save]),
    ("equal saves", &[What::SaveTwo]),
    ("slow save", &[What::SlowSave]),
    ("save during a write", &[What::SaveDuringWrite, What::Save]),
    ("stale save", &[What::Load, What::Save, What::Settle, What::StaleSave]),
    ("deleted shadow", &[What::DeleteShadow]),
    ("new notebook", &[What::NewNotebook, What::Save]),
    ("checkout", &[What::Checkout, What::GitEnds]),
    ("restart", &[What::Save, What::Stop, What::Save]),
    ("late save", &[What::Save, What::SlowSave, What::Settle, What::Touch]),
];

/// One scenario, with one choice of editors and edits.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What happens.
    pub name: &'static str,
    script: Script,
}

/// Returns all scenarios, each in some variants.
pub fn scenarios(n_variants: u64) -> Vec<Scenario> {
    let mut res = Vec::new();
    for (name, acts) in SCENARIOS {
        for seed in 0..n_variants {
            let mut rng = Rng(seed);
            let start = rng.next();
            let acts = acts.iter().map(|&what| Act { what, seed: rng.next() }).collect();
            res.push(Scenario { name, script: Script { seed, start, acts } });
        }
    }
    res
}

impl Scenario {
    /// Runs it with nothing going wrong. Returns how many calls it makes.
    pub fn n_calls(&self) -> Result<usize, Box<Failure>> {
        run_with(&self.script, false, Some(Counting::default())).map(|it| it.0.calls)
    }

    /// Runs it with the `n`-th call, counted from 1, going wrong.
    pub fn run(&self, n: usize, trouble: Trouble) -> Result<Tally, Box<Failure>> {
        run_with(&self.script, false, Some(Counting { at: Some((n, trouble)) })).map(|it| it.0)
    }

    /// The same, with all that happened.
    pub fn trace(&self, n: usize, trouble: Trouble) -> Vec<String> {
        match run_with(&self.script, true, Some(Counting { at: Some((n, trouble)) })) {
            Ok((_, trace)) => trace,
            Err(failure) => failure.trace,
        }
    }
}
