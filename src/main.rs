//! The `ringway` program. No logic of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringway::cli::main(|_start| {
        eprintln!("ringway: this build cannot serve yet; validate and explain work");
        ExitCode::from(ringway::cli::INTERNAL)
    })
}
