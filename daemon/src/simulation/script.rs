//! What happens, in order.

use super::rng::Rng;

/// What happens in one run, in order. Steps can be left out; the others stay the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The seed that it came from.
    pub seed: u64,
    pub(crate) start: u64,
    pub(crate) acts: Vec<Act>,
}

/// One step, and the seed of what it needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Act {
    pub(crate) what: What,
    pub(crate) seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// An editor loads a file, edits it and saves it in one go.
    Save,
    /// The same, but the save takes its time.
    SlowSave,
    /// An editor saves at some step of the next writes.
    SaveDuringWrite,
    /// An editor ends in the middle of a save; somebody mends the file at the end.
    TornSave,
    /// An editor loads a file and keeps it.
    Load,
    /// An editor edits and saves what it loaded long ago.
    StaleSave,
    /// Two replicas get the same edit, as by `jupytext --sync`.
    SaveTwo,
    /// Git replaces files.
    Checkout,
    DeleteShadow,
    NewNotebook,
    /// Some of the next writes fail.
    Fault,
    /// Some of the next looks at files fail.
    BlindFault,
    /// The process ends at one of the next steps.
    Crash,
    /// So does everything else.
    PowerCut,
    Stop,
    StoreFails,
    StoreWorks,
    GitBegins,
    GitEnds,
    Flush,
    Pause,
    Resume,
    /// The clock on the wall is set.
    SetClock,
    /// The machine sleeps.
    Suspend,
    /// A file is rewritten with what it holds.
    Touch,
    /// Some time passes.
    Pass,
    /// A second passes; only in scenarios.
    Settle,
}

/// How often each comes.
const WEIGHTS: [(What, usize); 26] = [
    (What::Save, 16),
    (What::SlowSave, 8),
    (What::SaveDuringWrite, 9),
    (What::TornSave, 1),
    (What::Load, 3),
    (What::StaleSave, 4),
    (What::SaveTwo, 2),
    (What::Checkout, 1),
    (What::DeleteShadow, 2),
    (What::NewNotebook, 1),
    (What::Fault, 3),
    (What::BlindFault, 2),
    (What::Crash, 3),
    (What::PowerCut, 2),
    (What::Stop, 2),
    (What::StoreFails, 2),
    (What::StoreWorks, 3),
    (What::GitBegins, 1),
    (What::GitEnds, 2),
    (What::Flush, 2),
    (What::Pause, 1),
    (What::Resume, 3),
    (What::SetClock, 1),
    (What::Suspend, 1),
    (What::Touch, 1),
    (What::Pass, 26),
];

impl Script {
    /// Writes the script of a seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let start = rng.next();
        let total: usize = WEIGHTS.iter().map(|(_, weight)| weight).sum();
        // Most are short, so that there can be many.
        let n_acts = if rng.one_in(8) { 4 + rng.below(36) } else { 3 + rng.below(12) };
        let acts = (0..n_acts)
            .map(|_| {
                let mut at = rng.below(total);
                let found = WEIGHTS.iter().find(|(_, weight)| {
                    let is_it = at < *weight;
                    at = at.saturating_sub(*weight);
                    is_it
                });
                Act { what: found.map_or(What::Pass, |it| it.0), seed: rng.next() }
            })
            .collect();
        Self { seed, start, acts }
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.acts.len()
    }

    /// Whether nothing happens.
    pub fn is_empty(&self) -> bool {
        self.acts.is_empty()
    }
}
