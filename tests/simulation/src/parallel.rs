//! Work on all cores.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many seeds a thread takes at a time.
const PORTION: u64 = 64;

/// Does something for every seed, on all cores, and returns what each thread came to.
///
/// `work` is given a portion of the seeds. It ends the thread by returning false.
pub(crate) fn for_each<T: Send>(
    seeds: Range<u64>,
    new: impl Fn() -> T + Sync,
    work: impl Fn(&mut T, u64) -> bool + Sync,
) -> Vec<T> {
    let next = AtomicU64::new(seeds.start);
    let n_threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let run = || {
            let mut res = new();
            loop {
                let start = next.fetch_add(PORTION, Ordering::Relaxed);
                if seeds.end <= start {
                    return res;
                }
                for seed in start..seeds.end.min(start + PORTION) {
                    if !work(&mut res, seed) {
                        return res;
                    }
                }
            }
        };
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(run)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}
