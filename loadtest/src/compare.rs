//! The comparison: every gateway on one core, upstream and generator on another, all gateways up at
//! once and driven in turns (A B C, B C A, ..), so that what disturbs the machine disturbs all.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use crate::children::{Process, Scratch};
use crate::drive::own::{self, Pace, Stop};
use crate::drive::{Generator, Load};
use crate::peers::{Peer, Running, Site, ringway};
use crate::record::{self, FixedRate, Record, Row, Run, Table, Workload};
use crate::{account, chart, clock, listen, sys, verdict};

const CONNECTIONS_AT_FIXED_RATE: usize = 64;
/// Of the slowest gateway's throughput in the closed loop.
const FIXED_RATE_SHARE: f64 = 0.5;
const BODY_PATH: &str = "/64k";

/// What to compare, and how long.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Rounds over all gateways, each workload
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Seconds each gateway is driven in a round: short, so that a round is over before a machine's
    /// speed changes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Keep-alive connections, one table each
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    connections: Vec<usize>,
    /// Only these gateways: floor, ringway, nginx, haproxy, envoy
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// One more program to compare, started as PROGRAM LISTEN UPSTREAM
    #[arg(long, value_name = "NAME=PROGRAM")]
    also: Vec<String>,
    /// The ringway binary [default: built from this workspace]
    #[arg(long)]
    ringway: Option<PathBuf>,
    /// Who drives the closed loops
    #[arg(long, value_enum, default_value = "auto")]
    generator: Generator,
    /// Leave out the table with bodies of 64 KiB
    #[arg(long)]
    no_bodies: bool,
    /// Leave out the runs at a fixed rate
    #[arg(long)]
    no_fixed_rate: bool,
    /// The core of the gateway under test
    #[arg(long, default_value_t = 0)]
    core: usize,
    /// The core of upstream and generator
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// A smoke run of seconds: one round of some hundred requests, figures without meaning
    #[arg(long)]
    quick: bool,
    /// Where the results go [default: loadtest/results; none with --quick]
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Runs the comparison, prints and records it. Fails when a row had errors or a ratio was missed.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    // Asked before this thread is pinned: one core is left to it then.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let generator = if options.quick { Generator::Own } else { options.generator.resolve() };
    let peers = choose_peers(options)?;
    sys::process::raise_descriptor_limit(65_536)?;
    sys::process::pin_to(options.load_core)?;
    let scratch = Scratch::new()?;
    let upstream = Upstream::start(options.load_core, Duration::ZERO)?;
    let site = Site { upstream: upstream.address, folder: scratch.path(), core: options.core };
    let mut gateways = vec![];
    for peer in &peers {
        gateways.push(peer.start(site)?);
    }
    // What a gateway does after its first answer (opening its files, say) belongs to its start.
    clock::pause(Duration::from_millis(500));
    let mut resident_at_start = vec![];
    for gateway in &gateways {
        let bytes = account::resident_bytes(gateway.process.id())?;
        resident_at_start.push((gateway.name.clone(), bytes));
    }
    let mut session = Session { options, generator, gateways };
    let mut tables = vec![];
    for workload in workloads(options) {
        if workload.path == BODY_PATH {
            session.swap_floor(site)?;
        }
        tables.push(session.measure(workload)?);
    }
    let fixed_rate = session.at_fixed_rate(&tables)?;
    let (commit, dirty) = record::commit(&ringway::workspace())?;
    let (kernel, cpu) = record::machine();
    let found = Record {
        date: clock::utc(),
        commit,
        dirty,
        kernel,
        cpu,
        cores,
        command_line: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        generator: format!("{generator:?}").to_lowercase(),
        rounds: session.rounds(),
        seconds_each: options.seconds,
        versions: session.gateways.iter().map(|g| (g.name.clone(), g.version.clone())).collect(),
        // A smoke run measures nothing that could be judged.
        verdicts: match options.quick {
            true => vec![],
            false => verdict::judge(&tables, &resident_at_start),
        },
        resident_at_start,
        tables,
        fixed_rate,
    };
    finish(options, &found)
}

fn finish(options: &Options, found: &Record) -> io::Result<ExitCode> {
    println!("{}", found.markdown());
    let folder = match (&options.out, options.quick) {
        (Some(folder), _) => Some(folder.clone()),
        (None, true) => None,
        (None, false) => Some(ringway::workspace().join("loadtest/results")),
    };
    if let Some(folder) = folder {
        std::fs::create_dir_all(&folder)?;
        let stem = format!("{}-{}", found.date.replace(':', ""), found.commit);
        let files = [
            ("json", serde_json::to_string_pretty(found)? + "\n"),
            ("md", found.markdown()),
            ("svg", chart::render(found)),
        ];
        for (extension, text) in files {
            let path = folder.join(format!("{stem}.{extension}"));
            std::fs::write(&path, text)?;
            println!("wrote {}", path.display());
        }
    }
    let good = found.is_valid() && found.verdicts.iter().all(|verdict| verdict.met);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn workloads(options: &Options) -> Vec<Workload> {
    let small = options.connections.iter().map(|&connections| ("/", connections));
    let bodies = (!options.no_bodies).then_some((BODY_PATH, 64));
    let all = small.chain(bodies);
    all.map(|(path, connections)| Workload { path: path.to_owned(), connections }).collect()
}

fn choose_peers(options: &Options) -> io::Result<Vec<Peer>> {
    let known = ["floor", "ringway", "nginx", "haproxy", "envoy"];
    if let Some(unknown) = options.only.iter().find(|name| !known.contains(&name.as_str())) {
        let message = format!("--only {unknown}: expected some of {}", known.join(", "));
        return Err(io::Error::other(message));
    }
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|o| o == name);
    let mut peers = vec![];
    if wanted("floor") {
        peers.push(Peer::Floor);
    }
    if wanted("ringway") {
        peers.push(Peer::Ringway { program: ringway::program(options.ringway.clone())? });
    }
    for also in &options.also {
        let (name, program) = also
            .split_once('=')
            .ok_or_else(|| io::Error::other(format!("--also {also}: expected NAME=PROGRAM")))?;
        peers.push(Peer::Other { name: name.to_owned(), program: program.into() });
    }
    for peer in [Peer::Nginx, Peer::Haproxy, Peer::Envoy] {
        if !wanted(peer.name()) {
            continue;
        }
        if peer.version().is_some() {
            peers.push(peer);
        } else {
            println!("{} is left out: not found in PATH", peer.name());
        }
    }
    Ok(peers)
}

struct Session<'o> {
    options: &'o Options,
    generator: Generator,
    gateways: Vec<Running>,
}

impl Session<'_> {
    fn rounds(&self) -> usize {
        if self.options.quick { 1 } else { usize::from(self.options.rounds) }
    }

    fn measure(&self, workload: Workload) -> io::Result<Table> {
        let (count, rounds) = (self.gateways.len(), self.rounds());
        let mut runs: Vec<Vec<Run>> = vec![vec![]; count];
        for gateway in &self.gateways {
            self.drive(gateway, &workload, Duration::from_secs(1))?;
        }
        for round in 0..rounds {
            eprintln!("{}: round {} of {rounds}", workload.title(), round + 1);
            for turn in 0..count {
                let index = (round + turn) % count;
                let time = Duration::from_secs(self.options.seconds);
                runs[index].push(self.drive(&self.gateways[index], &workload, time)?);
            }
        }
        let named = self.gateways.iter().zip(runs);
        let rows = named.map(|(gateway, runs)| Row::new(&gateway.name, runs)).collect();
        Ok(Table::new(workload, rows))
    }

    fn drive(&self, gateway: &Running, workload: &Workload, time: Duration) -> io::Result<Run> {
        let (path, connections) = (workload.path.as_str(), workload.connections);
        let load = Load { target: gateway.address, path, connections, duration: time };
        let id = gateway.process.id();
        let before = account::cpu_nanoseconds(id)?;
        let driven = if self.options.quick {
            let stop = Stop { after_requests: Some(300), ..Stop::default() };
            own::drive(load, Pace::Closed, &stop)?
        } else {
            self.generator.drive(load)?
        };
        let used = account::cpu_nanoseconds(id)? - before;
        if driven.errors > 0 {
            let first = driven.first_error.as_deref().unwrap_or("unnamed");
            eprintln!("INVALID RUN: {}: {} errors, {first}", gateway.name, driven.errors);
        }
        #[expect(clippy::cast_precision_loss, reason = "both stay far below 2^53")]
        let cpu_us_per_request = used as f64 / 1e3 / driven.requests.max(1) as f64;
        let resident_bytes = account::resident_bytes(id)?;
        let requests_per_second = driven.requests_per_second();
        Ok(Run { cpu_us_per_request, requests_per_second, resident_bytes, driven })
    }

    /// Bodies deserve the floor with large buffers: it would otherwise be no floor.
    fn swap_floor(&mut self, site: Site<'_>) -> io::Result<()> {
        if let Some(floor) = self.gateways.iter_mut().find(|gateway| gateway.name == "floor") {
            *floor = Peer::FloorForBodies.start(site)?;
        }
        Ok(())
    }

    fn at_fixed_rate(&self, tables: &[Table]) -> io::Result<Vec<FixedRate>> {
        let busiest = tables.iter().find(|table| {
            table.workload.is_small() && table.workload.connections == CONNECTIONS_AT_FIXED_RATE
        });
        let (Some(busiest), false) = (busiest, self.options.no_fixed_rate) else {
            return Ok(vec![]);
        };
        let slowest = busiest.rows.iter().map(|row| row.requests_per_second);
        let requests_per_second =
            (slowest.fold(f64::INFINITY, f64::min) * FIXED_RATE_SHARE).floor();
        let mut found = vec![];
        for gateway in &self.gateways {
            eprintln!("fixed rate of {requests_per_second}/s: {}", gateway.name);
            let seconds = if self.options.quick { 1 } else { 2 * self.options.seconds };
            let load = Load {
                target: gateway.address,
                path: "/",
                connections: CONNECTIONS_AT_FIXED_RATE,
                duration: Duration::from_secs(seconds),
            };
            let driven = own::drive(load, Pace::PerSecond(requests_per_second), &Stop::default())?;
            found.push(FixedRate { gateway: gateway.name.clone(), requests_per_second, driven });
        }
        Ok(found)
    }
}

/// The upstream as a child: this program, started as `loadtest upstream`.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    /// Held for its guard.
    _process: Process,
}

impl Upstream {
    pub(crate) fn start(core: usize, delay: Duration) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["upstream", "--listen", "127.0.0.1:0"]);
        command.arg(format!("--delay-ms={}", delay.as_millis())).stdout(Stdio::piped());
        let mut process = Process::start(&mut command, core)?;
        let stdout = process.stdout().expect("stdout was piped above");
        Ok(Self { address: listen::announced(stdout)?, _process: process })
    }
}
