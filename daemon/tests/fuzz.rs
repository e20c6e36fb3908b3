//! The fuzz targets on their seeds, and on texts that are made of them.
//!
//! The numbers are those of a release build, which `tests/run fuzz` makes: without optimization it
//! would take many minutes, so there it is a part of them, but with overflow checks.

#[path = "../../fuzz/checks.rs"]
mod checks;

use std::fs;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// What mutations put into texts.
const TOKENS: [&str; 32] = [
    "# %%",
    "\n# %% [markdown]\n",
    "'''",
    "\"\"\"",
    "```",
    "~~~",
    "# ---",
    "\r\n",
    "\n\n\n",
    "\\",
    "\u{c}",
    "\u{2028}",
    "\u{feff}",
    "é",
    "😀",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "=",
    "%",
    "!",
    "0",
    "\t",
    "<<<<<<<",
    "\0",
    "NaN",
    "\\ud800",
    "# ///",
];

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end.max(1)
    }

    fn range(&mut self, len: usize) -> Range<usize> {
        let start = self.below(len + 1);
        let end = (start + 1 + self.below(20)).min(len);
        start.min(end)..end
    }

    fn mutated(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut data = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            let range = self.range(data.len());
            match self.below(7) {
                0 => drop(data.splice(range, [])),
                1 => {
                    let copy = data[range].to_vec();
                    let at = self.below(data.len() + 1);
                    drop(data.splice(at..at, copy));
                }
                2 if range.start < data.len() => {
                    data[range.start] = u8::try_from(self.below(256)).unwrap_or(0);
                }
                3 => {
                    let other = &seeds[self.below(seeds.len())];
                    let part = other[self.range(other.len())].to_vec();
                    drop(data.splice(range, part));
                }
                4 if self.below(4) == 0 => data.truncate(range.start),
                _ => {
                    let token = TOKENS[self.below(TOKENS.len())].bytes();
                    drop(data.splice(range.start..range.start, token));
                }
            }
        }
        data
    }
}

fn run(name: &str, check: fn(&[u8]), n_mutations: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(name);
    let entries = fs::read_dir(folder).expect("seeds are checked in");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let seeds: Vec<_> = files.iter().map(|file| fs::read(file).expect("a seed")).collect();
    assert!(seeds.len() >= 2, "{name} has too few seeds");
    let try_one = |data: &[u8]| {
        assert!(
            catch_unwind(AssertUnwindSafe(|| check(data))).is_ok(),
            "`{name}` fails for {:?}",
            String::from_utf8_lossy(data)
        );
    };
    for seed in &seeds {
        try_one(seed);
    }
    let n_mutations = if cfg!(debug_assertions) { n_mutations / 25 } else { n_mutations };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..n_mutations {
        try_one(&random.mutated(&seeds));
    }
}

#[test]
fn ipynb() {
    run("ipynb", checks::ipynb, 50_000);
}

#[test]
fn percent() {
    run("percent", checks::percent, 50_000);
}

#[test]
fn hydrogen() {
    run("hydrogen", checks::hydrogen, 20_000);
}

#[test]
fn marimo() {
    run("marimo", checks::marimo, 4_000);
}

#[test]
fn yaml() {
    run("yaml", checks::yaml, 20_000);
}

#[test]
fn session() {
    run("session", checks::session, 10_000);
}

#[test]
fn update() {
    run("update", checks::update, 10_000);
}

#[test]
fn merge() {
    run("merge", checks::merge, 2_000);
}
