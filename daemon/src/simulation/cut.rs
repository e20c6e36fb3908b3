//! Leaves out of a script what a failure does not need.

use super::script::Script;
use super::sim::{Failure, run};

/// How many runs a failure is worth.
const MAX_RUNS: usize = 400;

/// Returns the failure of a shorter script that violates the same invariant, with its trace.
pub fn shorten(failure: &Failure) -> Failure {
    let mut best = failure.script.clone();
    let mut n_runs = 0;
    let mut size = best.len().div_ceil(2);
    while 0 < size {
        let mut start = 0;
        while start < best.len() && n_runs < MAX_RUNS {
            let mut shorter = best.clone();
            let end = (start + size).min(shorter.acts.len());
            shorter.acts.drain(start..end);
            n_runs += 1;
            match run(&shorter, false) {
                Err(other) if other.invariant == failure.invariant => best = shorter,
                _ => start += size,
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    run(&best, true).err().map_or_else(|| failure.clone(), |it| *it)
}

/// Keeps only these steps of a script.
impl Script {
    /// Returns the script with only these steps, by position.
    #[must_use]
    pub fn only(mut self, steps: &[usize]) -> Self {
        self.acts = steps.iter().filter_map(|&idx| self.acts.get(idx).copied()).collect();
        self
    }
}
