//! The `ringway` program. No logic of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringway::cli::main(ringway::serve::run)
}
