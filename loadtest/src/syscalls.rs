//! System calls per request of a gateway's busiest thread under 64 connections, counted by strace.
//! strace slows the gateway down many times, which lets it batch less: the figure errs upwards.

use std::io;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use crate::children::Process;
use crate::drive::own::{self, Pace, Stop};
use crate::drive::{Callers, Load};
use crate::subject::Choice;
use crate::sys::process::Signal;
use crate::{account, clock};

const CONNECTIONS: usize = 64;
const AT_MOST: f64 = 0.5;

/// How long, and what.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    choice: Choice,
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
}

/// Counts; fails at 0.5 and more calls per request.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let subject = options.choice.start(4096)?;
    let drive = |seconds| {
        let duration = Duration::from_secs(seconds);
        let target = subject.gateway.address;
        let load = Load {
            target,
            path: "/",
            connections: CONNECTIONS,
            callers: Callers::Unnamed,
            duration,
        };
        own::drive(load, Pace::Closed, &Stop::default())
    };
    drive(1)?;
    let thread = account::busiest_thread(subject.gateway.process.id())?;
    let summary = subject.scratch.path().join("strace.txt");
    let mut command = Command::new("strace");
    command.arg("-c").arg("-p").arg(thread.to_string()).arg("-o").arg(&summary);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut strace = Process::start(&mut command, subject.core)?;
    clock::pause(Duration::from_millis(500));
    if let Some(status) = strace.ended()? {
        return Err(io::Error::other(format!("strace -p {thread} ended at once: {status}")));
    }
    let driven = drive(options.seconds)?;
    // strace -c prints its table when it is interrupted and has detached.
    strace.signal(Signal::Interrupt)?;
    strace.wait_until(clock::now() + Duration::from_secs(5))?;
    let table = std::fs::read_to_string(&summary)?;
    println!("{}", table.trim_end());
    let calls =
        total_calls(&table).ok_or_else(|| io::Error::other("strace printed no line of totals"))?;
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let each = calls as f64 / driven.requests.max(1) as f64;
    println!("{calls} calls for {} requests: {each:.3} each", driven.requests);
    println!("{}", if each < AT_MOST { "met: below 0.5" } else { "MISSED: not below 0.5" });
    let good = each < AT_MOST && driven.errors == 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `100.00    0.012345   12   3456   7 total`: the fourth column.
fn total_calls(table: &str) -> Option<u64> {
    let line = table.lines().find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::total_calls;

    #[test]
    fn the_line_of_totals_is_read() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            \x20100.00    0.058203          11      4911         3 io_uring_enter\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            \x20100.00    0.058203          11      4911         3 total\n";
        assert_eq!(total_calls(table), Some(4911));
        assert_eq!(total_calls("strace: nothing\n"), None);
    }
}
