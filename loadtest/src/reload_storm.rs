//! Reloads under load: no request may fail, and every new plan must come into force.

use std::io;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::drive::own::{self, Pace, Stop};
use crate::drive::{Callers, Driven, Load};
use crate::peers::{self, ringway};
use crate::subject::{Choice, Subject};
use crate::sys::process::Signal;
use crate::{clock, sys};

const CONNECTIONS: usize = 64;
const RELOAD_PATIENCE: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(1200);

/// How many reloads, and how close.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    choice: Choice,
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    reloads: u32,
    /// Milliseconds between a plan in force and the next one
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(..=10_000))]
    pause_ms: u64,
}

/// Runs the storm; fails when a request failed or a reload did not come into force.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    if !options.choice.is_ringway() {
        return Err(io::Error::other("reload-storm knows only how ringway reloads"));
    }
    let mut subject = options.choice.start(4096)?;
    let stop = Stop::default();
    let target = subject.gateway.address;
    let load_stop = stop.clone();
    // The thread inherits this one's core.
    let load = std::thread::spawn(move || {
        let load = Load {
            target,
            path: "/",
            connections: CONNECTIONS,
            callers: Callers::Unnamed,
            duration: LONGEST,
        };
        own::drive(load, Pace::Closed, &load_stop)
    });
    let started = clock::now();
    let reloaded = reload_many(&mut subject, options);
    stop.flag.store(true, Ordering::Relaxed);
    let driven = load.join().map_err(|_| io::Error::other("the generator panicked"))??;
    let (in_force, slowest) = reloaded?;
    let seconds = started.elapsed().as_secs_f64();
    report(options, &driven, in_force, seconds, slowest);
    let good = driven.errors == 0 && driven.requests > 0 && in_force == options.reloads;
    println!(
        "{}: every reload in force and no failed request",
        if good { "met" } else { "MISSED" }
    );
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(options: &Options, driven: &Driven, in_force: u32, seconds: f64, slowest: Duration) {
    println!("{in_force} of {} reloads in force within {seconds:.1} s", options.reloads);
    println!("slowest reload: {:.1} ms from the signal", slowest.as_secs_f64() * 1e3);
    println!(
        "{} requests answered ({:.0}/s, p99 {:.0} us, p99.9 {:.0} us), {} failed",
        driven.requests,
        driven.requests_per_second(),
        driven.p99_us,
        driven.p999_us,
        driven.errors
    );
    if let Some(error) = &driven.first_error {
        println!("first failure: {error}");
    }
}

/// Each reload brings a route that no other plan has; it is in force when that route answers.
fn reload_many(subject: &mut Subject, options: &Options) -> io::Result<(u32, Duration)> {
    let (mut in_force, mut slowest) = (0, Duration::ZERO);
    for number in 0..options.reloads {
        let route = format!("/reload-{number}");
        ringway::write_files(subject.site(), subject.gateway.address, Some(&route))?;
        let asked = clock::now();
        subject.gateway.process.signal(Signal::Hangup)?;
        if wait_for(subject, &route)? {
            in_force += 1;
            slowest = slowest.max(asked.elapsed());
        }
        clock::pause(Duration::from_millis(options.pause_ms));
    }
    Ok((in_force, slowest))
}

fn wait_for(subject: &mut Subject, route: &str) -> io::Result<bool> {
    sys::process::exact_timers();
    let deadline = clock::now() + RELOAD_PATIENCE;
    while clock::now() < deadline {
        if let Some(status) = subject.gateway.process.ended()? {
            return Err(io::Error::other(format!("the gateway ended under reloads: {status}")));
        }
        if peers::ask(subject.gateway.address, route).is_ok_and(|status| status == 200) {
            return Ok(true);
        }
        clock::pause(Duration::from_millis(2));
    }
    println!("{route} was not in force after {RELOAD_PATIENCE:?}");
    Ok(false)
}
