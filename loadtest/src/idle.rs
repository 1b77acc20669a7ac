//! What an idle keep-alive connection costs: the gateway's resident memory before and after many of
//! them, each having made one request. Kernel memory (sockets) is not in it, as in issue 2.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use crate::soak::connect_from;
use crate::subject::Choice;
use crate::{account, clock, message, peers};

/// Connections a source address opens before the next one takes over.
const PER_SOURCE: u64 = 10_000;
/// Descriptors that a process has besides connections: Ringway keeps 1,024 from clients.
const DESCRIPTORS_RESERVED: u64 = 1_300;
const BYTES_EACH_MAX: u64 = 2048;

/// How many connections, and through what.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    choice: Choice,
    #[arg(long, default_value_t = 20_000, value_parser = one_to_a_million())]
    connections: u64,
    /// Connections before memory is first read
    #[arg(long, default_value_t = 64)]
    warm_up: u64,
}

fn one_to_a_million() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=1_000_000)
}

/// Runs it; fails when a connection costs over 2 KiB or another client is not served meanwhile.
pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let wanted = options.connections + options.warm_up + DESCRIPTORS_RESERVED;
    let subject = options.choice.start(wanted)?;
    let (address, id) = (subject.gateway.address, subject.gateway.process.id());
    let room = subject.descriptors_max.saturating_sub(options.warm_up + DESCRIPTORS_RESERVED);
    let count = options.connections.min(room);
    if count < options.connections {
        println!(
            "ONLY {count} of {} connections: the descriptor limit is {} and cannot be raised here",
            options.connections, subject.descriptors_max
        );
    }
    let warm_up = open_many(address, 0, options.warm_up)?;
    clock::pause(Duration::from_secs(1));
    let start = account::resident_bytes(id)?;
    println!("{} connections: {} KiB resident", warm_up.len(), start / 1024);
    let idle = open_many(address, options.warm_up, count)?;
    clock::pause(Duration::from_secs(1));
    let end = account::resident_bytes(id)?;
    let each = end.saturating_sub(start) / count.max(1);
    println!("{} more: {} KiB resident, {each} bytes each", idle.len(), end / 1024);
    let others = peers::ask(address, "/").is_ok_and(|status| status == 200);
    let alive = idle.iter().filter(|stream| is_open(stream)).count();
    println!("{alive} of {} are still open; another client is served: {others}", idle.len());
    let good = each <= BYTES_EACH_MAX && others && alive == idle.len();
    println!("{}: at most {BYTES_EACH_MAX} bytes each", if good { "met" } else { "MISSED" });
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn open_many(address: SocketAddr, before: u64, count: u64) -> io::Result<Vec<TcpStream>> {
    (before..before + count).map(|number| open(address, number)).collect()
}

fn open(address: SocketAddr, number: u64) -> io::Result<TcpStream> {
    let mut stream = connect_from(address, 2 + number / PER_SOURCE)?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut answer = vec![];
    loop {
        let mut piece = [0; 2048];
        let length = stream.read(&mut piece)?;
        answer.extend_from_slice(&piece[..length]);
        let Some(end) = message::head_end(&answer) else {
            if length == 0 {
                return Err(io::Error::other(format!("connection {number} was closed unanswered")));
            }
            continue;
        };
        if message::status(&answer) != Some(200) {
            return Err(io::Error::other(format!("connection {number} was not answered by 200")));
        }
        let body = message::content_length(&answer[..end]).unwrap_or(0);
        if (answer.len() - end) as u64 >= body {
            return Ok(stream);
        }
        if length == 0 {
            return Err(io::Error::other(format!("connection {number} was cut in its body")));
        }
    }
}

fn is_open(stream: &TcpStream) -> bool {
    let unread = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0; 1]));
    unread.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
