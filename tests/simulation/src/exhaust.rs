//! Lets every call go wrong.

use std::time::Instant;

use nbsync_daemon::simulation::{Tally, Trouble, scenarios};

use crate::parallel;
use crate::simulate::add;

/// Let every call of twelve scenarios go wrong in turn: with five errors, a crash, a power cut
///
/// Exits with 1 if an invariant does not hold afterwards.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many variants of each scenario to run, with other editors and edits
    #[arg(long, default_value_t = 2)]
    variants: u64,

    /// How many failures to print with their traces
    #[arg(long, default_value_t = 3)]
    show: usize,
}

pub(crate) fn run(args: &Args) -> bool {
    let started = Instant::now();
    let mut cases = Vec::new();
    let mut failed = Vec::new();
    for (idx, scenario) in scenarios(args.variants).into_iter().enumerate() {
        match scenario.n_calls() {
            Ok(n_calls) => {
                let all = (1..=n_calls).flat_map(|n| Trouble::ALL.map(|it| (n, it)));
                cases.extend(all.map(|(n, trouble)| (idx, n, trouble)));
            }
            Err(failure) => failed.push((idx, 0, None, *failure)),
        }
    }
    let scenarios = scenarios(args.variants);
    let n_cases = cases.len() as u64;
    let found = parallel::for_each(0..n_cases, Default::default, |it: &mut (Tally, Vec<_>), no| {
        let (idx, n, trouble) = cases[usize::try_from(no).unwrap_or_default()];
        match scenarios[idx].run(n, trouble) {
            Ok(tally) => add(&mut it.0, tally),
            Err(failure) => it.1.push((idx, n, Some(trouble), *failure)),
        }
        true
    });
    let mut total = Tally::default();
    for (tally, more) in found {
        add(&mut total, tally);
        failed.extend(more);
    }
    failed.sort_by_key(|it| (it.0, it.1));
    for (no, (idx, n, trouble, failure)) in failed.iter().enumerate() {
        let scenario = &scenarios[*idx];
        println!(
            "FAIL {} ({}), call {n}, {trouble:?}: {}: {}",
            scenario.name, failure.script.seed, failure.invariant, failure.what
        );
        if let Some(trouble) = trouble.filter(|_| no < args.show) {
            for line in scenario.trace(*n, trouble) {
                println!("    {line}");
            }
        }
    }
    println!(
        "exhaust: {} scenarios, {n_cases} calls gone wrong, {} crashes, lost = {}, {} s",
        scenarios.len(),
        total.crashes,
        failed.len(),
        started.elapsed().as_secs(),
    );
    failed.is_empty()
}
