//! Seeds, those that once failed among them.

use super::script::Script;
use super::{Failure, Trouble, scenarios, simulate, simulate_with_trace};

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

/// Seeds that once failed, and of what.
const FAILED: [(&str, &[u64]); 18] = [
    ("what was written of a torn save counted as an edit", &[2438]),
    ("the first part of a source at first sight", &[2284]),
    ("a cell marker as the text of a cell", &[1716]),
    ("a save during the first writes, which could not be made", &[10981, 12995, 14481]),
    ("a stale editor's second line in cells that had one", &[2515, 2780, 6034, 7088, 10102]),
    ("a power cut that brought back what was before the last base", &[9058, 14162]),
    ("all cells deleted in two replicas looked cut off", &[6931]),
    ("a late save while another editor had moved the source away", &[29754, 71837]),
    ("two saves of one replica during a cycle that failed", &[18083, 50232, 57309]),
    ("a shadow cut off at first sight, and mended later", &[43240, 50732, 74462]),
    ("all cells deleted: marimo shows an empty one", &[43157]),
    ("a save during a write, pending when the process ended", &[10049, 53520, 50643]),
    (
        "a save into a file that a failed cycle had not come to",
        &[33819, 70487, 78849, 79565, 116_891, 191_164],
    ),
    ("equal cells around a cell of marimo's own, without a store", &[12935, 38322]),
    ("a cell that two replicas inserted, with tags and without", &[38813]),
    ("an edit that all replicas have, of which one knows the ids", &[80566, 109_386]),
    ("a save over what only another editor had, unseen", &[26652, 35309, 136_283]),
    ("a save over a part of itself that was believed", &[68357, 111_433, 170_148]),
];

#[test]
fn what_once_failed_holds() {
    for (_, seeds) in FAILED {
        seeds.iter().copied().for_each(passes);
    }
}

/// Every call of a save goes wrong; `cargo run --release -p nbsync-simulation -- exhaust` has
/// more of them.
#[test]
fn nothing_is_lost_whatever_call_goes_wrong() {
    let scenario = scenarios(1).into_iter().find(|it| it.name == "save").unwrap();
    let n_calls = scenario.n_calls().unwrap();
    assert!(20 < n_calls, "{n_calls}");
    for n in 1..=n_calls {
        for trouble in Trouble::ALL {
            if let Err(failure) = scenario.run(n, trouble) {
                let Failure { invariant, what, .. } = *failure;
                panic!("call {n}, {trouble:?}: {invariant}: {what}");
            }
        }
    }
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
