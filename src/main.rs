//! The `ringway` program: flags, load, start, signals, exit codes. No logic of its own.

fn main() {}
