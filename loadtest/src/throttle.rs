//! A usage plan's throttle on two shards, asked for much more than it allows: what is let through
//! is at most `burst + rate * t` and at least 98 percent of it, with the connections on both shards
//! and with all of them on one.
//!
//! Requests leave at a fixed rate whatever comes back, as long as a connection is free; an answer
//! takes a fraction of a millisecond, so that few are.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::children::{Process, Scratch};
use crate::compare::Upstream;
use crate::peers::{self, ringway};
use crate::{clock, drive, listen, message, sys};

/// The plan of the issue.
const RATE: f64 = 100.0;
const BURST: u32 = 200;
/// Of the allowance, once more is asked for.
const LEAST: f64 = 0.98;
const SHARDS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(5);
/// The kernel chooses a shard for each connection: so many tries for all of them.
const CONNECTS_MAX: usize = 2_000;
/// A bucket of its own for each run, and the name of its key.
const RUNS: [(&str, &str); 2] =
    [("both shards", "both-0123456789abcdef"), ("one shard", "one-0123456789abcdef")];

/// How long, and how much.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// The ringway binary [default: built from this workspace]
    #[arg(long)]
    ringway: Option<PathBuf>,
    /// Seconds of each of the two runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Requests each second
    #[arg(long, default_value_t = 1_000, value_parser = per_second())]
    per_second: u64,
    /// Keep-alive connections
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(2..=64))]
    connections: u8,
}

/// Twice the plan's rate at least.
fn per_second() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(200..=20_000)
}

/// Runs both; fails when one let through too much or too little, or a request failed.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let gateway = Gateway::start(options)?;
    let mut good = true;
    for (index, (name, key)) in RUNS.into_iter().enumerate() {
        let wanted = usize::from(options.connections);
        let per_shard = if index == 0 { [wanted.div_ceil(2), wanted / 2] } else { [wanted, 0] };
        let connections = gateway.connect(per_shard)?;
        println!("{name}: {} and {} connections", per_shard[0], per_shard[1]);
        let counted = drive(connections, gateway.address, key, options)?;
        good &= report(&counted);
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ringway with two shards, and what belongs to it; dropped in this order.
struct Gateway {
    _process: Process,
    _upstream: Upstream,
    _scratch: Scratch,
    address: SocketAddr,
    private: SocketAddr,
}

impl Gateway {
    fn start(options: &Options) -> io::Result<Self> {
        let program = ringway::program(options.ringway.clone())?;
        let scratch = Scratch::new()?;
        let upstream = Upstream::start(0, Duration::ZERO)?;
        let (address, private) = (listen::unused()?, listen::unused()?);
        write_files(scratch.path(), address, upstream.address)?;
        let log = std::fs::File::create(scratch.path().join("ringway.log"))?;
        let mut command = Command::new(&program);
        command.arg("run").arg(scratch.path().join("gateway.json"));
        command.arg(format!("--admin={private}")).arg(format!("--shards={SHARDS}"));
        command.stdout(log.try_clone()?).stderr(log);
        let mut process = Process::start_on_all(&mut command)?;
        let deadline = clock::now() + PATIENCE;
        // Without a key: nothing of a bucket is gone.
        while !peers::ask(address, "/").is_ok_and(|status| status == 403) {
            if process.ended()?.is_some() || clock::now() > deadline {
                let said = std::fs::read_to_string(scratch.path().join("ringway.log"))?;
                return Err(io::Error::other(format!("ringway does not answer: {}", said.trim())));
            }
            clock::pause(Duration::from_millis(20));
        }
        println!("ringway at {address}, {SHARDS} shards: {RATE} each second, burst {BURST}");
        let (_process, _upstream, _scratch) = (process, upstream, scratch);
        Ok(Self { _process, _upstream, _scratch, address, private })
    }

    /// Connections of which each shard has as many as it says.
    fn connect(&self, mut wanted: [usize; SHARDS]) -> io::Result<Vec<TcpStream>> {
        let mut kept = Vec::new();
        for _ in 0..CONNECTS_MAX {
            if wanted == [0; SHARDS] {
                return Ok(kept);
            }
            let before = self.accepted()?;
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            // Answered, it is counted. Without a key: nothing of a bucket is gone.
            ask(&mut stream, drive::request("/", self.address).as_bytes())?;
            let after = self.accepted()?;
            let shard = (0..SHARDS).find(|&shard| after[shard] > before[shard]);
            if let Some(shard) = shard.filter(|&shard| wanted[shard] > 0) {
                wanted[shard] -= 1;
                kept.push(stream);
            }
        }
        Err(io::Error::other(format!("{CONNECTS_MAX} connections, and {wanted:?} are missing")))
    }

    /// How many connections each shard has taken.
    fn accepted(&self) -> io::Result<[u64; SHARDS]> {
        let mut stream = TcpStream::connect(self.private)?;
        stream.write_all(drive::last_request("/metrics", self.private).as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let mut accepted = [0; SHARDS];
        for (shard, count) in accepted.iter_mut().enumerate() {
            let start = format!("ringway_connections_accepted_total{{shard=\"{shard}\"}} ");
            let found = text.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok());
            *count = found.ok_or_else(|| io::Error::other(format!("no {start}in /metrics")))?;
        }
        Ok(accepted)
    }
}

fn write_files(folder: &Path, address: SocketAddr, upstream: SocketAddr) -> io::Result<()> {
    let definition = json!({
        "openapi": "3.0.1", "info": {"title": "throttle", "version": "1"},
        "paths": {"/": {"get": {"security": [{"key": []}], "x-amazon-apigateway-integration": {
            "type": "http_proxy", "httpMethod": "GET", "uri": format!("http://{upstream}/"),
            "payloadFormatVersion": "1.0", "connectionType": "INTERNET"}}}},
        "components": {"securitySchemes": {
            "key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}},
    });
    let keys = RUNS.map(|(name, value)| json!({"name": name, "value": value}));
    let gateway = json!({
        "listeners": [{"address": address}],
        "accessLog": {"destination": "off"},
        "apiKeys": keys,
        "usagePlans": [{"name": "plan", "throttle": {"rateLimit": RATE, "burstLimit": BURST},
            "apiStages": [{"api": "throttle", "stage": "$default"}],
            "apiKeys": RUNS.map(|(name, _)| name)}],
        "apis": [{"name": "throttle", "protocol": "HTTP", "definition": "api.json",
            "stages": [{"stageName": "$default"}]}],
    });
    std::fs::write(folder.join("api.json"), definition.to_string())?;
    std::fs::write(folder.join("gateway.json"), gateway.to_string())
}

/// What became of the requests.
#[derive(Clone, Debug, Default)]
struct Counted {
    admitted: u64,
    refused: u64,
    /// From before the first byte to after the last answer.
    seconds: f64,
    /// Of those, how much a request left late at most.
    latest: Duration,
}

/// Asks from all connections, each on a thread of its own that takes the next request when it is
/// free.
fn drive(
    connections: Vec<TcpStream>,
    host: SocketAddr,
    key: &str,
    options: &Options,
) -> io::Result<Counted> {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nx-api-key: {key}\r\n\r\n");
    let pace = Pace {
        next: AtomicU64::new(0),
        // The last one at the very end.
        count: options.seconds * options.per_second + 1,
        per_second: options.per_second,
        start: clock::now(),
    };
    let (pace, request) = (&pace, request.as_bytes());
    thread::scope(|scope| {
        let threads: Vec<_> = connections
            .into_iter()
            .map(|stream| scope.spawn(move || ask_paced(stream, request, pace)))
            .collect();
        let mut all = Counted::default();
        for thread in threads {
            let one = thread.join().map_err(|_| io::Error::other("a client panicked"))??;
            all.admitted += one.admitted;
            all.refused += one.refused;
            all.latest = all.latest.max(one.latest);
        }
        all.seconds = pace.start.elapsed().as_secs_f64();
        Ok(all)
    })
}

/// Request `n` leaves at `start + n / per_second`.
struct Pace {
    next: AtomicU64,
    count: u64,
    per_second: u64,
    start: Instant,
}

impl Pace {
    /// When the next request is due; `None` when all were taken.
    fn take(&self) -> Option<Instant> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u128::from(number) * 1_000_000_000 / u128::from(self.per_second);
        let due = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        (number < self.count).then(|| self.start + due)
    }
}

fn ask_paced(mut stream: TcpStream, request: &[u8], pace: &Pace) -> io::Result<Counted> {
    sys::process::exact_timers();
    let mut counted = Counted::default();
    while let Some(due) = pace.take() {
        clock::pause(due.saturating_duration_since(clock::now()));
        counted.latest = counted.latest.max(due.elapsed());
        match ask(&mut stream, request)? {
            200 => counted.admitted += 1,
            429 => counted.refused += 1,
            status => return Err(io::Error::other(format!("status {status}"))),
        }
    }
    Ok(counted)
}

/// One request; the status of its answer, which is read whole.
fn ask(stream: &mut TcpStream, request: &[u8]) -> io::Result<u16> {
    stream.write_all(request)?;
    let mut answer = Vec::with_capacity(1024);
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Err(io::Error::other("a connection was closed within an answer"));
        }
        answer.extend_from_slice(&piece[..read]);
        let Some(end) = message::head_end(&answer) else { continue };
        let length = message::content_length(&answer[..end]).unwrap_or(0);
        if answer.len() as u64 >= end as u64 + length {
            return message::status(&answer)
                .ok_or_else(|| io::Error::other("the answer was not an HTTP/1.1 response"));
        }
    }
}

fn report(counted: &Counted) -> bool {
    let Counted { admitted, refused, seconds, latest } = counted;
    let (most, least) = bounds(*seconds);
    println!(
        "  {} requests in {seconds:.3} s (at most {:.1} ms late): {admitted} let through, \
         {refused} refused",
        admitted + refused,
        latest.as_secs_f64() * 1e3
    );
    let not_more = *admitted <= most;
    let not_fewer = *admitted >= least;
    let verdict = |met| if met { "met" } else { "MISSED" };
    println!("  {}: no more than {most} ({BURST} + {RATE} each second)", verdict(not_more));
    println!("  {}: no fewer than {least} (98 percent of it)", verdict(not_fewer));
    not_more && not_fewer
}

/// What may be let through at most in that time, and must be at least.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
fn bounds(seconds: f64) -> (u64, u64) {
    let allowance = f64::from(BURST) + RATE * seconds;
    (allowance as u64, (LEAST * allowance).floor() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_the_bounds_of_the_issue() {
        assert_eq!(bounds(60.0), (6_200, 6_076));
        assert_eq!(bounds(60.009), (6_200, 6_076));
    }

    #[test]
    fn requests_are_due_by_number() {
        let start = clock::now();
        let pace = Pace { next: AtomicU64::new(999), count: 1_001, per_second: 1_000, start };
        assert_eq!(pace.take(), Some(start + Duration::from_millis(999)));
        assert_eq!(pace.take(), Some(start + Duration::from_secs(1)));
        assert_eq!(pace.take(), None);
    }
}
