//! Many short connections, one request each: memory and descriptors must come back to their start.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::subject::Choice;
use crate::{account, clock, message};

/// Connections open at once.
const BATCH: u64 = 64;
/// Source addresses taken in turn, so that ports in TIME_WAIT do not run out.
const SOURCES: u64 = 64;
const SETTLE: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(5);
/// Descriptors that may remain: upstream connections that are kept alive.
const DESCRIPTORS_MORE_MAX: usize = 64;

/// How many connections, and through what.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    choice: Choice,
    /// Connections in all, after the warm-up
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    connections: u64,
    /// Connections before memory is first read: what a gateway caches, it has cached by then
    #[arg(long, default_value_t = 20_000)]
    warm_up: u64,
    /// KiB that resident memory may have grown by the end
    #[arg(long, default_value_t = 1024)]
    growth_kib_max: u64,
}

/// Runs the soak; fails when a request failed or something stayed.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let subject = options.choice.start(4096)?;
    let (address, id) = (subject.gateway.address, subject.gateway.process.id());
    let mut failed = Failures::default();
    connect_many(address, options.warm_up, &mut failed);
    let start = Usage::settled(id, None)?;
    println!("after {} connections: {start}", options.warm_up);
    let started = clock::now();
    let rounds = 10;
    for round in 0..rounds {
        let share =
            options.connections * (round + 1) / rounds - options.connections * round / rounds;
        connect_many(address, share, &mut failed);
        println!("round {}: {}", round + 1, Usage::read(id)?);
    }
    let seconds = started.elapsed().as_secs_f64();
    let end = Usage::settled(id, Some(&start))?;
    println!("at the end: {end}; {} connections in {seconds:.1} s", options.connections);
    let growth = end.resident_bytes.saturating_sub(start.resident_bytes);
    let kept = end.descriptors.saturating_sub(start.descriptors);
    println!("grown: {} KiB resident, {kept} descriptors; {} failed", growth / 1024, failed.count);
    if let Some(first) = failed.first {
        println!("first failure: {first}");
    }
    let memory_back = growth / 1024 <= options.growth_kib_max;
    let good = failed.count == 0 && memory_back && kept <= DESCRIPTORS_MORE_MAX;
    println!("{}", if good { "met: everything came back" } else { "MISSED" });
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Default)]
struct Failures {
    count: u64,
    first: Option<String>,
}

struct Usage {
    resident_bytes: u64,
    descriptors: usize,
}

impl Usage {
    fn read(id: u32) -> io::Result<Self> {
        let resident_bytes = account::resident_bytes(id)?;
        Ok(Self { resident_bytes, descriptors: account::descriptors(id)? })
    }

    /// Waits, bounded, until descriptors are back at `start` or, without one, stay what they are.
    fn settled(id: u32, start: Option<&Self>) -> io::Result<Self> {
        let deadline = clock::now() + SETTLE;
        let mut before = Self::read(id)?;
        loop {
            clock::pause(Duration::from_millis(500));
            let usage = Self::read(id)?;
            let calm = start.map_or(usage.descriptors == before.descriptors, |start| {
                usage.descriptors <= start.descriptors
            });
            if calm || clock::now() >= deadline {
                return Ok(usage);
            }
            before = usage;
        }
    }
}

impl std::fmt::Display for Usage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} KiB resident, {} descriptors", self.resident_bytes / 1024, self.descriptors)
    }
}

fn connect_many(address: SocketAddr, count: u64, failed: &mut Failures) {
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut done = 0;
    while done < count {
        let batch = BATCH.min(count - done);
        let open = (0..batch).map(|n| ask(address, (done + n) % SOURCES, request.as_bytes()));
        let open: Vec<_> = open.collect();
        for stream in open {
            if let Err(error) = stream.and_then(check_answer) {
                failed.count += 1;
                failed.first.get_or_insert_with(|| error.to_string());
            }
        }
        done += batch;
    }
}

fn ask(address: SocketAddr, source: u64, request: &[u8]) -> io::Result<TcpStream> {
    let mut stream = connect_from(address, 2 + source)?;
    stream.write_all(request)?;
    Ok(stream)
}

/// Connects from `127.0.x.y`: each source address has its own 28,000 ports.
pub(crate) fn connect_from(address: SocketAddr, source: u64) -> io::Result<TcpStream> {
    let [.., high, low] = source.to_be_bytes();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 0, high, low), 0).into())?;
    socket.connect(&address.into())?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The gateway answers and closes, so that TIME_WAIT is its and not ours.
fn check_answer(mut stream: TcpStream) -> io::Result<()> {
    let mut answer = Vec::with_capacity(512);
    stream.read_to_end(&mut answer)?;
    let end = message::head_end(&answer);
    match (message::status(&answer), end) {
        (Some(200), Some(_)) => Ok(()),
        (status, _) => Err(io::Error::other(format!("status {status:?}"))),
    }
}
