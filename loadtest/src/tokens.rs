//! A flood of tokens that were not seen before, forged and valid, from 64 connections at one shard,
//! and what a client without a token sees of it on an open route.
//!
//! The client asks at a fixed rate; its latency counts from when each request should have left. It
//! shares its core with the flood and the upstream, and the flood costs requests whatever is in
//! them: so there is a run beside as many connections whose one token is remembered, too.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::json;

use crate::children::{Process, Scratch};
use crate::compare::Upstream;
use crate::drive::own::{self, Stop};
use crate::drive::{self, Callers, Driven, Load};
use crate::issuer::{Algorithm, Issuer, SCOPE};
use crate::peers::{self, ringway, tokens};
use crate::{clock, listen, sys};

const PATIENCE: Duration = Duration::from_secs(5);
/// The client's requests each second.
const RATE: u32 = 500;
/// Before the client begins.
const LEAD: Duration = Duration::from_millis(300);
/// Tokens of a flood, used in turn: so many more than a shard remembers (4,096) that each is new
/// again when its turn comes.
const TOKENS: u64 = 12_288;

/// How long, and how much.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// The ringway binary [default: built from this workspace]
    #[arg(long)]
    ringway: Option<PathBuf>,
    /// Seconds of each of the six runs
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Connections of the flood
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// The core of the gateway
    #[arg(long, default_value_t = 0)]
    core: usize,
    /// The core of upstream, flood and client
    #[arg(long, default_value_t = 1)]
    load_core: usize,
}

/// What the flood brings.
#[derive(Clone, Copy, Debug)]
enum Flood {
    None,
    /// One token, which is remembered.
    Remembered,
    Forged(Algorithm),
    Valid(Algorithm),
}

impl Flood {
    const ALL: [Self; 6] = [
        Self::None,
        Self::Remembered,
        Self::Forged(Algorithm::Rs256),
        Self::Valid(Algorithm::Rs256),
        Self::Forged(Algorithm::Es384),
        Self::Valid(Algorithm::Es384),
    ];

    fn name(self) -> String {
        match self {
            Self::None => "nothing".to_owned(),
            Self::Remembered => "one token, remembered".to_owned(),
            Self::Forged(algorithm) => format!("forged tokens, {}", algorithm.name()),
            Self::Valid(algorithm) => format!("new tokens, {}", algorithm.name()),
        }
    }

    /// Its tokens, of the issuers RS256 and ES384.
    fn tokens(self, [rs256, es384]: &[Issuer; 2]) -> io::Result<Vec<String>> {
        let of = |algorithm| if algorithm == Algorithm::Rs256 { rs256 } else { es384 };
        match self {
            Self::None => Ok(vec![]),
            Self::Remembered => Ok(vec![rs256.token(0)?]),
            Self::Forged(algorithm) => Ok((0..TOKENS).map(|n| of(algorithm).forged(n)).collect()),
            Self::Valid(algorithm) => (0..TOKENS).map(|n| of(algorithm).token(n)).collect(),
        }
    }

    /// What answers may be, beside 503 when too many wait.
    fn expected(self) -> u16 {
        if matches!(self, Self::Forged(_)) { 401 } else { 200 }
    }
}

/// What the client saw, in microseconds.
#[derive(Clone, Debug)]
struct Seen {
    p50: u64,
    p99: u64,
    longest: u64,
}

/// Runs all; fails when a request of the client's failed, or one of the flood's was answered
/// otherwise than its token deserves.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    sys::process::raise_descriptor_limit(65_536)?;
    sys::process::pin_to(options.load_core)?;
    let issuers = [Issuer::new(Algorithm::Rs256)?, Issuer::new(Algorithm::Es384)?];
    let gateway = Gateway::start(options, &issuers)?;
    println!("| beside | client's p50 us | p99 us | longest us | flood/s | its answers |");
    println!("|---|--:|--:|--:|--:|---|");
    let mut good = true;
    for flood in Flood::ALL {
        let requests = flood.tokens(&issuers)?;
        let request = |token| drive::token_request(tokens::PATH, gateway.address, token);
        let requests = requests.iter().map(|token| request(token)).collect();
        let (seen, driven, statuses) = measure(options, gateway.address, requests)?;
        let Seen { p50, p99, longest } = seen;
        let answers: Vec<String> =
            statuses.iter().map(|(status, count)| format!("{count} x {status}")).collect();
        let rate = driven.as_ref().map_or(0.0, Driven::requests_per_second);
        let name = flood.name();
        println!("| {name} | {p50} | {p99} | {longest} | {rate:.0} | {} |", answers.join(", "));
        let is_expected = |status: &u16| *status == flood.expected() || *status == 503;
        let failed = driven.and_then(|driven| driven.first_error);
        if let Some(error) = &failed {
            println!("  FAILED: {error}");
        }
        good &= failed.is_none() && statuses.keys().all(is_expected);
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The client beside a flood of these requests.
fn measure(
    options: &Options,
    target: SocketAddr,
    requests: Vec<String>,
) -> io::Result<(Seen, Option<Driven>, BTreeMap<u16, u64>)> {
    let duration = Duration::from_secs(options.seconds);
    let (stop, is_flood) = (Stop::default(), !requests.is_empty());
    let load = Load {
        target,
        path: tokens::PATH,
        connections: usize::from(options.connections),
        callers: Callers::Unnamed,
        // The client ends it.
        duration: 2 * duration + PATIENCE,
    };
    thread::scope(|scope| {
        let flood = is_flood.then(|| scope.spawn(|| own::flood(load, requests, &stop)));
        clock::pause(LEAD);
        let seen = ask_at_rate(target, duration);
        stop.flag.store(true, Ordering::Relaxed);
        let flooded = flood
            .map(|thread| thread.join().map_err(|_| io::Error::other("the flood panicked"))?);
        match flooded.transpose()? {
            Some((driven, statuses)) => Ok((seen?, Some(driven), statuses)),
            None => Ok((seen?, None, BTreeMap::new())),
        }
    })
}

/// Asks the open route, one request after the other on one connection.
fn ask_at_rate(target: SocketAddr, duration: Duration) -> io::Result<Seen> {
    sys::process::exact_timers();
    let mut stream = TcpStream::connect(target)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = drive::request("/", target);
    let mut times =
        Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).map_err(io::Error::other)?;
    let start = clock::now();
    for number in 0.. {
        let due = start + Duration::from_secs(1) * number / RATE;
        if due >= start + duration {
            break;
        }
        clock::pause(due.saturating_duration_since(clock::now()));
        drive::exchange(&mut stream, &request)?;
        times.saturating_record(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    let at = |quantile| times.value_at_quantile(quantile);
    Ok(Seen { p50: at(0.5), p99: at(0.99), longest: times.max() })
}

/// Ringway with one shard, and what belongs to it; dropped in this order.
struct Gateway {
    _process: Process,
    _upstream: Upstream,
    _scratch: Scratch,
    address: SocketAddr,
}

impl Gateway {
    fn start(options: &Options, issuers: &[Issuer]) -> io::Result<Self> {
        let program = ringway::program(options.ringway.clone())?;
        let scratch = Scratch::new()?;
        let upstream = Upstream::start(options.load_core, Duration::ZERO)?;
        let address = listen::unused()?;
        write_files(scratch.path(), address, upstream.address, issuers)?;
        let log = std::fs::File::create(scratch.path().join("ringway.log"))?;
        let mut command = Command::new(&program);
        command.arg("run").arg(scratch.path().join("gateway.json"));
        command.arg(format!("--admin={}", listen::unused()?)).arg("--shards=1");
        command.stdout(log.try_clone()?).stderr(log);
        let mut process = Process::start(&mut command, options.core)?;
        let deadline = clock::now() + PATIENCE;
        while !peers::ask(address, "/").is_ok_and(|status| status == 200) {
            if process.ended()?.is_some() || clock::now() > deadline {
                let said = std::fs::read_to_string(scratch.path().join("ringway.log"))?;
                return Err(io::Error::other(format!("ringway does not answer: {}", said.trim())));
            }
            clock::pause(Duration::from_millis(20));
        }
        println!("ringway at {address}, 1 shard; {} connections\n", options.connections);
        let (_process, _upstream, _scratch) = (process, upstream, scratch);
        Ok(Self { _process, _upstream, _scratch, address })
    }
}

fn write_files(
    folder: &Path,
    address: SocketAddr,
    upstream: SocketAddr,
    issuers: &[Issuer],
) -> io::Result<()> {
    let operation = json!({"x-amazon-apigateway-integration": {
        "type": "http_proxy", "httpMethod": "GET", "uri": format!("http://{upstream}/"),
        "payloadFormatVersion": "1.0", "connectionType": "INTERNET"}});
    let mut guarded = operation.clone();
    guarded["security"] = json!([{"issuer": [SCOPE]}]);
    let definition = json!({
        "openapi": "3.0.1", "info": {"title": "tokens", "version": "1"},
        "paths": {"/": {"get": operation}, tokens::PATH: {"get": guarded}},
        "components": {"securitySchemes": {"issuer": tokens::scheme("keys.json")}},
    });
    let gateway = json!({
        "listeners": [{"address": address}],
        "accessLog": {"destination": "off"},
        "apis": [{"name": "tokens", "protocol": "HTTP", "definition": "api.json",
            "stages": [{"stageName": "$default"}]}],
    });
    let keys: Vec<_> = issuers.iter().map(Issuer::jwk).collect();
    std::fs::write(folder.join("keys.json"), json!({"keys": keys}).to_string())?;
    std::fs::write(folder.join("api.json"), definition.to_string())?;
    std::fs::write(folder.join("gateway.json"), gateway.to_string())
}
