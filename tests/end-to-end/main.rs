//! Drives the real binary the way users do.

// A test that can't set its stage has nothing better to do than to panic.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod agents;
mod conflicts;
mod convert;
mod doctor;
mod errors;
mod help;
mod history;
mod marimo;
mod open;
mod outputs;
mod pairs;
mod runs;
mod sandbox;
mod saves;
mod service;
mod status;
mod watch;

/// A file that no `mod` names would never run, and nobody would notice.
#[test]
fn no_file_is_forgotten() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/end-to-end");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") else {
            continue;
        };
        let line = format!("\nmod {module};\n");
        assert!(include_str!("main.rs").contains(&line), "`{name}` is not in `main.rs`");
    }
}
