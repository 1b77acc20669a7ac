//! Drives load through whatever listens at an address, and says what came back.
//!
//! Closed loop (each connection asks again as soon as it was answered): wrk where it is installed,
//! else the generator in `own.rs` or, over TLS, the clients in `clients.rs`. Open loop (a fixed
//! rate): always `own.rs`. New connections for each request: always `clients.rs`. HTTP/2: h2load.

mod answer;
pub(crate) mod clients;
pub(crate) mod h2load;
pub(crate) mod own;
mod tally;
pub(crate) mod wrk;

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use crate::peers::limits;
use answer::Answer;

/// What to drive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load<'a> {
    pub(crate) target: SocketAddr,
    pub(crate) path: &'a str,
    pub(crate) connections: usize,
    pub(crate) callers: Callers<'a>,
    pub(crate) duration: Duration,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Callers<'a> {
    /// Nobody in particular.
    Unnamed,
    /// So many API keys, in turn.
    Keys(u32),
    /// Somebody with this token.
    Token(&'a str),
}

/// What came back.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Driven {
    /// Answered requests, errors not counted.
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    /// Closed loop: from sent to answered. Open loop: from when it should have been sent.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    /// Non-2xx answers, lost connections, timeouts. A row with any is invalid.
    pub(crate) errors: u64,
    /// What the first error was.
    pub(crate) first_error: Option<String>,
}

impl Driven {
    pub(crate) fn requests_per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let requests = self.requests as f64;
        requests / self.seconds
    }
}

/// The request of every generator here.
pub(crate) fn request(path: &str, host: SocketAddr) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// The same of somebody with a token.
pub(crate) fn token_request(path: &str, host: SocketAddr, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nauthorization: Bearer {token}\r\n\r\n")
}

/// The request of the first of a load's callers.
fn request_of(load: Load<'_>) -> String {
    let Load { target, path, .. } = load;
    match load.callers {
        Callers::Unnamed => request(path, target),
        Callers::Keys(_) => {
            let key = limits::key(0);
            format!("GET {path} HTTP/1.1\r\nHost: {target}\r\nx-api-key: {key}\r\n\r\n")
        }
        Callers::Token(token) => token_request(path, target, token),
    }
}

/// The same, on a connection that is closed behind the answer.
pub(crate) fn last_request(path: &str, host: SocketAddr) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

/// Sends a request and reads its answer, which is checked.
pub(crate) fn exchange(stream: &mut (impl Read + Write), request: &str) -> io::Result<()> {
    stream.write_all(request.as_bytes())?;
    let mut answer = Answer::default();
    let mut piece = [0; 16 << 10];
    loop {
        let length = stream.read(&mut piece)?;
        if length == 0 {
            return Err(io::Error::other("a connection was closed before the end of an answer"));
        }
        match answer.read(&piece[..length]) {
            answer::Read::Partial => {}
            answer::Read::Complete { .. } => return Ok(()),
            answer::Read::Wrong(what) => return Err(io::Error::other(what)),
        }
    }
}

/// One run of the own generator against anything that listens.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    target: SocketAddr,
    #[arg(long, default_value = "/")]
    path: String,
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Requests per second [default: a closed loop]
    #[arg(long)]
    rate: Option<f64>,
    /// The core to run on
    #[arg(long)]
    core: Option<usize>,
}

/// Drives and prints what came back; fails when there were errors.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    options.core.map_or(Ok(()), crate::sys::process::pin_to)?;
    let load = Load {
        target: options.target,
        path: &options.path,
        connections: usize::from(options.connections),
        callers: Callers::Unnamed,
        duration: Duration::from_secs(options.seconds),
    };
    let pace = options.rate.map_or(own::Pace::Closed, own::Pace::PerSecond);
    let driven = own::drive(load, pace, &own::Stop::default())?;
    println!("{:.0} requests per second", driven.requests_per_second());
    println!("{}", serde_json::to_string_pretty(&driven)?);
    Ok(if driven.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Who drives closed loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Generator {
    /// wrk where it is installed, else own.
    Auto,
    Wrk,
    Own,
}

impl Generator {
    /// Decides what `Auto` means on this machine.
    pub(crate) fn resolve(self) -> Self {
        match self {
            Self::Auto if crate::peers::version_of("wrk", "-v").is_some() => Self::Wrk,
            Self::Auto => Self::Own,
            chosen => chosen,
        }
    }

    /// One closed-loop run. `Auto` must have been resolved.
    pub(crate) fn drive(self, load: Load<'_>) -> io::Result<Driven> {
        match self {
            Self::Wrk => wrk::drive(load, "http"),
            Self::Auto | Self::Own => own::drive(load, own::Pace::Closed, &own::Stop::default()),
        }
    }
}
