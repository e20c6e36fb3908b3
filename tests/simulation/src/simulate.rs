//! Runs seeds.

use std::collections::BTreeMap;
use std::time::Instant;

use nbsync_daemon::simulation::{Failure, Tally, shorten, simulate};

use crate::parallel;

/// Run the engine with random editors, faults, crashes and lost events
///
/// Every seed stands for one run, which is the same each time. For a seed that fails the steps
/// that it needs to fail are printed. Exits with 1 if one failed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many seeds to run
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,

    /// The first one
    #[arg(long, default_value_t = 0)]
    from: u64,

    /// How many failures to print with their traces
    #[arg(long, default_value_t = 3)]
    show: usize,
}

#[derive(Default)]
struct Found {
    n_runs: u64,
    tally: Tally,
    failures: Vec<Failure>,
}

pub(crate) fn run(args: &Args) -> bool {
    let started = Instant::now();
    let found =
        parallel::for_each(args.from..args.from + args.seeds, Found::default, |it, seed| {
            it.n_runs += 1;
            match simulate(seed) {
                Ok(tally) => add(&mut it.tally, tally),
                Err(failure) => it.failures.push(*failure),
            }
            true
        });
    let mut total = Found::default();
    for it in found {
        total.n_runs += it.n_runs;
        add(&mut total.tally, it.tally);
        total.failures.extend(it.failures);
    }
    total.failures.sort_by_key(|it| it.script.seed);
    let mut by_invariant: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for failure in &total.failures {
        by_invariant.entry(failure.invariant).or_default().push(failure.script.seed);
    }
    for (invariant, seeds) in &by_invariant {
        println!("FAIL {invariant}: {} seeds: {:?}", seeds.len(), &seeds[..seeds.len().min(20)]);
    }
    for failure in total.failures.iter().take(args.show) {
        let short = shorten(failure);
        println!("\nseed {}, {}: {}", failure.script.seed, short.invariant, short.what);
        println!("{} of {} steps are enough:", short.script.len(), failure.script.len());
        for line in &short.trace {
            println!("    {line}");
        }
    }
    let Tally { saves, faults, crashes, late, steps, .. } = total.tally;
    println!(
        "simulation: {} seeds, {saves} saves ({late} too late), {faults} faults, {crashes} crashes, {steps} steps, lost = {}, {} s",
        total.n_runs,
        total.failures.len(),
        started.elapsed().as_secs(),
    );
    total.failures.is_empty()
}

pub(crate) fn add(sum: &mut Tally, tally: Tally) {
    sum.saves += tally.saves;
    sum.faults += tally.faults;
    sum.crashes += tally.crashes;
    sum.late += tally.late;
    sum.steps += tally.steps;
}
