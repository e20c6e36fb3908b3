//! Runs the engine of nbsync in a made-up world, many times.

#![allow(clippy::print_stdout, reason = "this is what it is for")]

mod exhaust;
mod hostile;
mod parallel;
mod plain;
mod planner;
mod simulate;
mod teeth;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the engine of nbsync in a made-up world, many times
#[derive(Debug, Parser)]
enum Command {
    Simulate(simulate::Args),
    Exhaust(exhaust::Args),
    Planner(planner::Args),
    Hostile(hostile::Args),
    Teeth(teeth::Args),
}

fn main() -> ExitCode {
    // A panic is a finding, and is printed as one.
    std::panic::set_hook(Box::new(|_| {}));
    let is_fine = match Command::parse() {
        Command::Simulate(args) => simulate::run(&args),
        Command::Exhaust(args) => exhaust::run(&args),
        Command::Planner(args) => planner::run(&args),
        Command::Hostile(args) => hostile::run(&args),
        Command::Teeth(args) => teeth::run(&args),
    };
    if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
