//! The comparison: every gateway on one core, upstream and generator on another, all gateways up at
//! once and driven in turns (A B C, B C A, ..), so that what disturbs the machine disturbs all.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use crate::certificate::Certificate;
use crate::children::{Process, Scratch};
use crate::drive::clients::Clients;
use crate::drive::{Generator, h2load};
use crate::idle::{self, Idle};
use crate::peers::setup::Setup;
use crate::peers::{CLIENTS_MAX, Door, Peer, Site, ringway};
use crate::record::{self, FixedRate, Negotiated, NotMeasured, Record, Table};
use crate::session::Session;
use crate::tls::{self, Beginning, Client, Version};
use crate::workload::{self, Workload};
use crate::{account, chart, clock, listen, sys, verdict};

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
    /// What to measure, one table each: groups (plain, tls, handshakes, h2, h2c, limits, jwt),
    /// single rows by name (h2/64k), idle (the memory of idle TLS connections), or all (about 20
    /// minutes)
    #[arg(long, value_delimiter = ',', default_value = "plain")]
    rows: Vec<String>,
    /// Keep-alive connections of the small rows of plain and tls, one table each
    #[arg(long, value_delimiter = ',', default_value = "1,64")]
    connections: Vec<usize>,
    /// Only these gateways: floor, ringway, nginx, haproxy, envoy
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// One more program to compare, started as PROGRAM LISTEN UPSTREAM
    #[arg(long, value_name = "NAME=PROGRAM")]
    also: Vec<String>,
    /// One more ringway binary to compare, such as one of an earlier commit
    #[arg(long, value_name = "NAME=RINGWAY")]
    beside: Vec<String>,
    /// The ringway binary [default: built from this workspace]
    #[arg(long)]
    ringway: Option<PathBuf>,
    /// Who drives the closed loops of HTTP/1.1
    #[arg(long, value_enum, default_value = "auto")]
    generator: Generator,
    /// Leave out the tables with bodies of 64 KiB and 1 MiB
    #[arg(long)]
    no_bodies: bool,
    /// Leave out the runs at a fixed rate
    #[arg(long)]
    no_fixed_rate: bool,
    /// Connections of the row idle
    #[arg(long, default_value_t = 20_000, value_parser = idle::one_to_a_million())]
    idle_connections: u64,
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

/// Runs the comparison, prints and records it. Fails when a row had errors, a gateway could not be
/// measured or a ratio was missed.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    // Asked before this thread is pinned: one core is left to it then.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (workloads, idle) = choose_rows(options)?;
    let peers = choose_peers(options)?;
    let descriptors = idle::descriptors(options.idle_connections, CLIENTS_MAX).max(65_536);
    let descriptors_max = sys::process::raise_descriptor_limit(descriptors)?;
    sys::process::pin_to(options.load_core)?;
    let scratch = Scratch::new()?;
    let certificate = Certificate::make(scratch.path())?;
    let upstream = Upstream::start(options.load_core, Duration::ZERO)?;
    let bench = Bench {
        options,
        generator: if options.quick { Generator::Own } else { options.generator.resolve() },
        peers,
        scratch: &scratch,
        certificate: &certificate,
        upstream: upstream.address,
        descriptors_max,
    };
    let mut found = Found::default();
    for door in Door::ALL {
        let rows: Vec<_> = workloads.iter().filter(|row| row.door() == door).cloned().collect();
        if !rows.is_empty() {
            bench.measure(door, rows, &mut found)?;
        }
    }
    if idle {
        bench.measure_idle(&mut found)?;
    }
    let record = bench.record(found, cores)?;
    finish(options, &record)
}

/// What all gateways stand in.
struct Bench<'b> {
    options: &'b Options,
    generator: Generator,
    peers: Vec<Peer>,
    scratch: &'b Scratch,
    certificate: &'b Certificate,
    upstream: SocketAddr,
    descriptors_max: u64,
}

/// What was found so far.
#[derive(Default)]
struct Found {
    versions: Vec<(String, String)>,
    resident_at_start: Vec<(String, u64)>,
    tables: Vec<Table>,
    fixed_rate: Vec<FixedRate>,
    negotiated: Vec<Negotiated>,
    idle: Vec<Idle>,
    not_measured: Vec<NotMeasured>,
}

impl Found {
    fn cannot_measure(&mut self, peer: &Peer, what: &str, error: &io::Error) {
        let (gateway, what, why) = (peer.name().to_owned(), what.to_owned(), error.to_string());
        eprintln!("NOT MEASURED: {gateway}, {what}: {why}");
        self.not_measured.push(NotMeasured { gateway, what, why });
    }
}

impl Bench<'_> {
    /// Starts every gateway that has this door and measures the rows there.
    fn measure(&self, door: Door, rows: Vec<Workload>, found: &mut Found) -> io::Result<()> {
        let folder = self.folder(door.speaks())?;
        let site = self.site(door, &folder, CLIENTS_MAX);
        let mut gateways = vec![];
        for peer in self.peers.iter().filter(|peer| peer.has(door)) {
            match peer.start(site) {
                Ok(gateway) => gateways.push(gateway),
                Err(error) => found.cannot_measure(peer, door.speaks(), &error),
            }
        }
        // What a gateway does after its first answer (opening its files, say) belongs to its start.
        clock::pause(Duration::from_millis(500));
        for gateway in &gateways {
            if door == Door::Plain {
                let bytes = account::resident_bytes(gateway.process.id())?;
                found.resident_at_start.push((gateway.name.clone(), bytes));
            }
            if door == Door::Tls {
                let agreed = tls::describe(gateway.address, self.certificate)
                    .map_err(|error| io::Error::other(format!("{}: {error}", gateway.name)))?;
                found.negotiated.push(Negotiated { gateway: gateway.name.clone(), agreed });
            }
            let version = (gateway.name.clone(), gateway.version.clone());
            if !found.versions.contains(&version) {
                found.versions.push(version);
            }
        }
        let clients = Clients::new(self.certificate);
        let Options { quick, seconds, no_fixed_rate, .. } = *self.options;
        let (generator, rounds) = (self.generator, self.rounds());
        let mut session = Session { quick, rounds, seconds, generator, clients, gateways, site };
        let mut tables = vec![];
        for row in rows {
            tables.push(session.measure(row)?);
        }
        if door == Door::Plain && !no_fixed_rate {
            found.fixed_rate = session.at_fixed_rate(&tables)?;
        }
        found.tables.append(&mut tables);
        Ok(())
    }

    /// Idle connections over TLS, through one gateway after the other, each started for them.
    fn measure_idle(&self, found: &mut Found) -> io::Result<()> {
        let count = if self.options.quick { 100 } else { self.options.idle_connections };
        let client = Client::new(self.certificate, Version::Tls13, Beginning::Full)?;
        let plan = idle::Plan::over_tls(count, self.descriptors_max, &client);
        let folder = self.folder(workload::IDLE)?;
        for peer in self.peers.iter().filter(|peer| peer.has(Door::Tls)) {
            let gateway = peer.start(self.site(Door::Tls, &folder, plan.clients_max()));
            match gateway.and_then(|gateway| plan.measure(&gateway)) {
                Ok(idle) => found.idle.push(idle),
                Err(error) => found.cannot_measure(peer, "idle TLS connections", &error),
            }
        }
        Ok(())
    }

    fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.scratch.path().join(name.replace(['/', ' '], "-"));
        std::fs::create_dir_all(&folder).map(|()| folder)
    }

    fn site<'s>(&'s self, door: Door, folder: &'s Path, clients_max: u64) -> Site<'s> {
        let Self { upstream, certificate, .. } = *self;
        Site { upstream, folder, core: self.options.core, door, certificate, clients_max }
    }

    fn rounds(&self) -> usize {
        if self.options.quick { 1 } else { usize::from(self.options.rounds) }
    }

    fn record(&self, found: Found, cores: usize) -> io::Result<Record> {
        let (commit, dirty) = record::commit(&ringway::workspace())?;
        let (kernel, cpu) = record::machine();
        Ok(Record {
            date: clock::utc(),
            commit,
            dirty,
            kernel,
            cpu,
            cores,
            command_line: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
            generator: format!("{:?}", self.generator).to_lowercase(),
            rounds: self.rounds(),
            seconds_each: self.options.seconds,
            // A smoke run measures nothing that could be judged.
            verdicts: match self.options.quick {
                true => vec![],
                false => verdict::judge(&found.tables, &found.resident_at_start),
            },
            versions: found.versions,
            resident_at_start: found.resident_at_start,
            tables: found.tables,
            fixed_rate: found.fixed_rate,
            negotiated: found.negotiated,
            idle: found.idle,
            not_measured: found.not_measured,
        })
    }
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
        let mut files = vec![
            (".json".to_owned(), serde_json::to_string_pretty(found)? + "\n"),
            (".md".to_owned(), found.markdown()),
        ];
        let charts = chart::sort(&found.tables).into_iter();
        files.extend(charts.map(|(ending, tables)| (ending, chart::render(found, &tables))));
        for (ending, text) in files {
            let path = folder.join(format!("{stem}{ending}"));
            std::fs::write(&path, text)?;
            println!("wrote {}", path.display());
        }
    }
    let complete = found.is_valid() && found.not_measured.is_empty();
    let good = complete && found.verdicts.iter().all(|verdict| verdict.met);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The rows that were asked for, as far as this machine has who drives them.
fn choose_rows(options: &Options) -> io::Result<(Vec<Workload>, bool)> {
    let Options { rows, connections, no_bodies, .. } = options;
    let (mut workloads, idle) = workload::choose(rows, connections, !no_bodies)?;
    if workloads.iter().any(Workload::is_http2) && h2load::version().is_none() {
        println!("HTTP/2 is left out: h2load is not found in PATH (Debian: nghttp2-client)");
        workloads.retain(|row| !row.is_http2());
    }
    Ok((workloads, idle))
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
        let program = ringway::program(options.ringway.clone())?;
        let with = |setup| Peer::RingwayWith { setup, program: program.clone() };
        peers.extend(Setup::compared().map(with));
        peers.push(Peer::Ringway { program });
    }
    for beside in &options.beside {
        let (name, program) = split("--beside", beside)?;
        let program = ringway::program(Some(program))?;
        peers.push(Peer::RingwayBeside { name, program });
    }
    for also in &options.also {
        let (name, program) = split("--also", also)?;
        peers.push(Peer::Other { name, program });
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

fn split(flag: &str, value: &str) -> io::Result<(String, PathBuf)> {
    let parts = value.split_once('=').map(|(name, program)| (name.to_owned(), program.into()));
    parts.ok_or_else(|| io::Error::other(format!("{flag} {value}: expected NAME=PROGRAM")))
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
