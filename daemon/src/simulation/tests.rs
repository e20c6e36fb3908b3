//! Seeds, those that once failed among them.

use super::script::Script;
use super::{Failure, simulate, simulate_with_trace};

#[track_caller]
fn passes(seed: u64) {
    if let Err(failure) = simulate(seed) {
        let Failure { invariant, what, .. } = *failure;
        panic!("seed {seed}: {invariant}: {what}");
    }
}

#[test]
fn nothing_is_lost_whatever_happens() {
    // `cargo run --release -p nbsync-simulation -- simulate` runs many more.
    (0..150).for_each(passes);
}

#[test]
fn same_seed_gives_the_same_trace() {
    for seed in 0..50 {
        let [first, second] = [seed, seed].map(|seed| simulate_with_trace(&Script::new(seed)));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(!first.1.is_empty());
        assert_eq!(first, second, "{seed}");
    }
}
