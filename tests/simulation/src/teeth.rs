//! Plants bugs, and sees whether the simulation finds them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use nbsync_daemon::simulation::{Bug, plant, simulate};

use crate::parallel;

/// Plant bugs into the engine, one at a time, and see that seeds find each
///
/// Exits with 1 if a bug was not found.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many seeds to try for each bug
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
}

pub(crate) fn run(args: &Args) -> bool {
    let started = Instant::now();
    let mut n_found = 0;
    for bug in Bug::ALL {
        let first = AtomicU64::new(u64::MAX);
        let found = parallel::for_each(
            0..args.seeds,
            || None,
            |found, seed| {
                plant(Some(bug));
                let res = simulate(seed);
                plant(None);
                // One that fails anyway shows nothing.
                if let Err(failure) = res
                    && simulate(seed).is_ok()
                {
                    first.fetch_min(seed, Ordering::Relaxed);
                    found.get_or_insert((seed, failure.invariant));
                }
                first.load(Ordering::Relaxed) == u64::MAX
            },
        );
        match found.into_iter().flatten().min() {
            Some((seed, invariant)) => {
                n_found += 1;
                println!("found    {bug:?}: seed {seed}, {invariant}");
            }
            None => println!("FAIL {bug:?}: not found in {} seeds", args.seeds),
        }
    }
    let n_bugs = Bug::ALL.len();
    println!("teeth: {n_found} of {n_bugs} planted bugs found, {} s", started.elapsed().as_secs());
    n_found == n_bugs
}
