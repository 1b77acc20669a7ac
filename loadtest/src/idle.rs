//! What an idle keep-alive connection costs: the gateway's resident memory before and after many of
//! them, each having made one request, over TLS or not. Kernel memory (sockets) is not in it, as in
//! issue 2.

use std::io;
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use crate::peers::{Door, Running};
use crate::soak::connect_from;
use crate::subject::Choice;
use crate::tls::{Beginning, Client, Version};
use crate::{account, clock, drive};

/// Connections a source address opens before the next one takes over.
const PER_SOURCE: u64 = 10_000;
/// Descriptors that a process has besides connections: Ringway keeps 1,024 from clients.
const DESCRIPTORS_RESERVED: u64 = 1_300;
const BYTES_EACH_MAX: u64 = 2048;
/// Connections before memory is first read.
const WARM_UP: u64 = 64;
/// Clients that must be served beside the idle ones.
const OTHERS: u64 = 64;

/// How many connections, and through what.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    choice: Choice,
    #[arg(long, default_value_t = 20_000, value_parser = one_to_a_million())]
    connections: u64,
    /// Connections before memory is first read
    #[arg(long, default_value_t = WARM_UP)]
    warm_up: u64,
    /// Over TLS, each with a full handshake; there is no limit then for what one costs
    #[arg(long)]
    tls: bool,
}

pub(crate) fn one_to_a_million() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=1_000_000)
}

/// What idle connections cost one gateway.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Idle {
    pub(crate) gateway: String,
    pub(crate) connections: u64,
    /// That many were asked for; descriptors may have been short.
    pub(crate) connections_wanted: u64,
    pub(crate) resident_bytes_before: u64,
    pub(crate) resident_bytes: u64,
    pub(crate) bytes_each: u64,
    /// All were still open at the end, and another client was served meanwhile.
    pub(crate) all_well: bool,
}

/// Runs it; fails when a connection costs over 2 KiB (without TLS) or another client is not served
/// meanwhile.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let Options { choice, connections, warm_up, tls } = options;
    let (door, wanted) =
        (if *tls { Door::Tls } else { Door::Plain }, descriptors(*connections, *warm_up));
    let subject = choice.start_for(wanted, door, clients_max(*connections, *warm_up))?;
    let client = tls
        .then(|| Client::new(&subject.certificate, Version::Tls13, Beginning::Full))
        .transpose()?;
    let plan = Plan {
        connections: *connections,
        warm_up: *warm_up,
        descriptors_max: subject.descriptors_max,
        client: client.as_ref(),
    };
    let idle = plan.measure(&subject.gateway)?;
    let good = idle.all_well && (*tls || idle.bytes_each <= BYTES_EACH_MAX);
    let word = if good { "met" } else { "MISSED" };
    match tls {
        true => println!("{word}: all are open and others are served"),
        false => println!("{word}: at most {BYTES_EACH_MAX} bytes each"),
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many descriptors it takes.
pub(crate) fn descriptors(connections: u64, warm_up: u64) -> u64 {
    connections + warm_up + DESCRIPTORS_RESERVED
}

fn clients_max(connections: u64, warm_up: u64) -> u64 {
    connections + warm_up + OTHERS
}

/// How many connections of what kind.
pub(crate) struct Plan<'c> {
    pub(crate) connections: u64,
    pub(crate) warm_up: u64,
    /// What this process and the gateway may have each.
    pub(crate) descriptors_max: u64,
    /// Makes the connections ones over TLS.
    pub(crate) client: Option<&'c Client>,
}

impl<'c> Plan<'c> {
    /// Twenty thousand, say, over TLS, behind the usual warm-up.
    pub(crate) fn over_tls(connections: u64, descriptors_max: u64, client: &'c Client) -> Self {
        Self { connections, warm_up: WARM_UP, descriptors_max, client: Some(client) }
    }

    /// How many clients the gateway will have at once, with room for others.
    pub(crate) fn clients_max(&self) -> u64 {
        clients_max(self.connections, self.warm_up)
    }

    /// Opens them, lets them be, and says what they cost.
    pub(crate) fn measure(&self, gateway: &Running) -> io::Result<Idle> {
        let (wanted, id) = (self.connections, gateway.process.id());
        let room = self.descriptors_max.saturating_sub(self.warm_up + DESCRIPTORS_RESERVED);
        let count = wanted.min(room);
        if count < wanted {
            println!(
                "ONLY {count} of {wanted} connections: the descriptor limit is {} and cannot be \
                 raised here",
                self.descriptors_max
            );
        }
        let warm_up = self.open_many(gateway, 0, self.warm_up)?;
        clock::pause(Duration::from_secs(1));
        let before = account::resident_bytes(id)?;
        println!("{} connections: {} KiB resident", warm_up.len(), before / 1024);
        let idle = self.open_many(gateway, self.warm_up, count)?;
        clock::pause(Duration::from_secs(1));
        let after = account::resident_bytes(id)?;
        let each = after.saturating_sub(before) / count.max(1);
        println!("{} more: {} KiB resident, {each} bytes each", idle.len(), after / 1024);
        let others = gateway.ask("/").is_ok_and(|status| status == 200);
        let alive = idle.iter().filter(|stream| is_open(stream)).count();
        println!("{alive} of {} are still open; another client is served: {others}", idle.len());
        Ok(Idle {
            gateway: gateway.name.clone(),
            connections: count,
            connections_wanted: wanted,
            resident_bytes_before: before,
            resident_bytes: after,
            bytes_each: each,
            all_well: others && alive == idle.len(),
        })
    }

    fn open_many(&self, to: &Running, before: u64, count: u64) -> io::Result<Vec<TcpStream>> {
        let open = |number| {
            self.open(to, number)
                .map_err(|error| io::Error::other(format!("connection {number}: {error}")))
        };
        (before..before + count).map(open).collect()
    }

    /// One that was answered once. What its client kept of TLS is dropped: it would fill memory.
    fn open(&self, to: &Running, number: u64) -> io::Result<TcpStream> {
        let mut stream = connect_from(to.address, 2 + number / PER_SOURCE)?;
        let request = drive::request("/", to.address);
        let Some(client) = self.client else {
            return drive::exchange(&mut stream, &request).map(|()| stream);
        };
        let mut connection = client.connect(stream)?;
        drive::exchange(&mut connection, &request)?;
        Ok(connection.sock)
    }
}

fn is_open(stream: &TcpStream) -> bool {
    let unread = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0; 1]));
    unread.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
