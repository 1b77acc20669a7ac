//! The command line: what was asked for, done. Each command is one file; each returns the
//! process's exit code: 0, 1 for a file with errors, 2 for a wrong command line (clap), 70 for a
//! fault of our own, 75 while another gateway uses the state folder, 78 for a machine that lacks
//! something.
//!
//! Not here: serving (`serve`), reading files (`config`).

mod args;
mod explain;
mod print;
mod private;
mod run;
mod usage;
mod validate;

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Parser;

use self::args::{Args, Command, RunArgs};
use crate::{
    base::WallTime,
    config::{Loaded, Overrides, Source, report::Colours},
};

/// The file has errors.
pub const INVALID_FILE: u8 = 1;
/// A fault of our own (`EX_SOFTWARE`).
pub const INTERNAL: u8 = 70;

/// What `ringway run` asks to be served.
pub struct Start {
    /// Where the plan comes from, now and at every reload.
    pub source: Source,
    /// What the command line says over it.
    pub overrides: Overrides,
    /// What came of loading it, with a plan, its problems told; `None` for the demo, which is
    /// loaded when its upstream has an address: `overrides` gets it as [`crate::demo::BACKEND`],
    /// unless the user set that already (then no upstream of the demo's own is needed).
    pub loaded: Option<Loaded>,
}

/// Reads the command line and does what it says. Ends the process when the line is wrong (2), or
/// asks for help or the version (0). `serve` is what `run` ends in.
#[must_use]
pub fn main(serve: fn(Start) -> ExitCode) -> ExitCode {
    let args = Args::parse();
    // A panic of this thread is a fault of our own; its message is on stderr already.
    std::panic::catch_unwind(|| dispatch(args, serve)).unwrap_or(ExitCode::from(INTERNAL))
}

fn dispatch(args: Args, serve: fn(Start) -> ExitCode) -> ExitCode {
    match args.command {
        None => run::run(RunArgs::default(), serve),
        Some(Command::Run(args)) => run::run(args, serve),
        Some(Command::Validate(args)) => validate::validate(&args),
        Some(Command::Explain(args)) => explain::explain(&args),
        Some(Command::Usage(args)) => usage::usage(&args),
        Some(Command::Schema) => print::schema(),
        Some(Command::Completions { shell }) => print::completions(shell),
        Some(Command::Man { command }) => print::man(command.as_deref()),
    }
}

/// What time it is: certificates expire.
#[expect(clippy::disallowed_methods, reason = "the command line has no shard's clock")]
pub(crate) fn now() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Writes to standard output. A reader that went away (`ringway schema | head`) is no error.
fn print(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("ringway: cannot write to standard output: {error}\n"));
            ExitCode::from(INTERNAL)
        }
    }
}

/// Writes to standard error; when nobody can read it, there is nobody to tell.
fn tell(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Colours for a terminal, unless the user wants none (<https://no-color.org>).
fn colours(stream: &impl IsTerminal) -> Colours {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if stream.is_terminal() && !unwanted { Colours::On } else { Colours::Off }
}
