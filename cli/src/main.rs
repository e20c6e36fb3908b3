//! The `nbsync` command.

fn main() {}
