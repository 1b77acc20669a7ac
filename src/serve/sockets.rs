//! Listening sockets, bound on the main thread so that every error is told before a shard starts.
//!
//! A TCP address has a socket for each shard, on the same port (`SO_REUSEPORT`): the kernel spreads
//! connections over them. A Unix socket cannot be bound twice, and one that systemd passes on is
//! what it is: of those there is one, and a shard that accepts for all (`shard/doors.rs`).

use std::{io, net::SocketAddr, os::fd::OwnedFd, thread, time::Duration};

use socket2::{Domain, Protocol, Socket, Type};

use super::{
    Patience,
    inherited::InheritedSockets,
    unix_socket::{self, SocketFile},
};
use crate::{
    base::{Address, ListenAddress, Problem, Severity},
    config::Listener,
};

/// Connections that the kernel holds until a shard accepts them (bounded by `net.core.somaxconn`).
pub(super) const BACKLOG: i32 = 4_096;
/// How long an address may stay taken. The kernel takes an ended process's rings apart after its
/// end, and they hold its sockets: a restart would find the old one's ports in use.
const TAKEN_WAIT: Duration = Duration::from_millis(1_500);
const TAKEN_STEP: Duration = Duration::from_millis(10);

/// One listening address.
pub(super) struct Bound {
    /// The address as the kernel has it (port 0 was replaced).
    pub(super) address: Address,
    /// One for each shard, in shard order; or one for all.
    pub(super) sockets: Vec<OwnedFd>,
    /// A Unix socket's place among the files.
    pub(super) file: Option<SocketFile>,
}

/// Which connections a listener on `[::]` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Those to IPv4 addresses too, unless the system says otherwise.
    Both,
    /// IPv6 alone: another listener has the port in IPv4.
    Own,
}

/// What is bound for a listener: one address, or as many as systemd passes by its name. Waits a
/// while for an address that is taken.
///
/// # Errors
/// A problem that names the address and the way out, when it is taken or not ours to take.
pub(super) fn bind(
    listener: &Listener,
    family: Family,
    shards: usize,
    inherited: &mut InheritedSockets,
) -> Result<Vec<Bound>, Problem> {
    match &listener.address {
        ListenAddress::Ip(address) => bind_ip(*address, family, shards).map(|bound| vec![bound]),
        ListenAddress::Unix(path) => {
            let made = wait_until_free(|| unix_socket::bind(path, listener.mode));
            let (socket, file) = made.map_err(|error| unix_socket::explain(path, &error))?;
            let address = Address::Unix(path.clone());
            Ok(vec![Bound { address, sockets: vec![socket], file: Some(file) }])
        }
        ListenAddress::Systemd(name) => {
            let taken = inherited.take(name)?.into_iter();
            let bound = |(address, socket)| Bound { address, sockets: vec![socket], file: None };
            Ok(taken.map(bound).collect())
        }
    }
}

/// Binds a TCP address once for each of `shards`.
///
/// # Errors
/// As [`bind`].
pub(super) fn bind_ip(
    address: SocketAddr,
    family: Family,
    shards: usize,
) -> Result<Bound, Problem> {
    wait_until_free(|| bind_all(address, family, shards)).map_err(|error| explain(address, &error))
}

fn wait_until_free<Made>(bind: impl Fn() -> io::Result<Made>) -> io::Result<Made> {
    let patience = Patience::new(TAKEN_WAIT);
    loop {
        match bind() {
            Err(error) if is_taken(&error) && !patience.left().is_zero() => {
                thread::park_timeout(TAKEN_STEP);
            }
            outcome => return outcome,
        }
    }
}

fn is_taken(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse
}

fn bind_all(address: SocketAddr, family: Family, shards: usize) -> io::Result<Bound> {
    // SO_REUSEPORT would let a second gateway of the same user share the port in silence.
    if address.port() != 0 {
        drop(socket(address, family, false)?);
    }
    let first = socket(address, family, true)?;
    let address = first.local_addr()?.as_socket().unwrap_or(address);
    let mut sockets = vec![first.into()];
    for _ in 1..shards {
        sockets.push(socket(address, family, true)?.into());
    }
    Ok(Bound { address: address.into(), sockets, file: None })
}

fn socket(address: SocketAddr, family: Family, reuse_port: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() && family == Family::Own {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    if reuse_port {
        socket.listen(BACKLOG)?;
    }
    Ok(socket)
}

fn explain(address: SocketAddr, error: &io::Error) -> Problem {
    let (what, fix) = match error.kind() {
        _ if is_taken(error) => (
            format!("{address} is in use by another program"),
            format!(
                "stop it (`ss -ltnp 'sport = :{}'` names it) or choose another with --listen, \
                 and --admin for the private port",
                address.port()
            ),
        ),
        io::ErrorKind::PermissionDenied => (
            format!("this user may not listen on {address}"),
            "use a port above 1023, or give the program CAP_NET_BIND_SERVICE".to_owned(),
        ),
        io::ErrorKind::AddrNotAvailable => (
            format!("no interface of this machine has the address of {address}"),
            "`ip address` lists what it has; 0.0.0.0 stands for all".to_owned(),
        ),
        _ => (format!("cannot listen on {address}: {error}"), String::new()),
    };
    Problem { severity: Severity::Error, place: None, message: what, fix }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(text: &str, family: Family, shards: usize) -> Result<Bound, Problem> {
        bind_ip(text.parse().unwrap(), family, shards)
    }

    #[test]
    fn every_shard_gets_a_socket_on_the_same_port() {
        let bound = bind("127.0.0.1:0", Family::Both, 3).unwrap();
        assert_eq!(bound.sockets.len(), 3);
        for socket in bound.sockets {
            let local = Socket::from(socket).local_addr().unwrap();
            assert_eq!(local.as_socket(), bound.address.ip());
        }
    }

    #[test]
    fn a_taken_port_is_told_even_when_its_owner_set_reuse_port() {
        let first = bind("127.0.0.1:0", Family::Both, 1).unwrap();
        let address = first.address.ip().unwrap();
        let Err(error) = bind_all(address, Family::Both, 1) else { panic!("bound twice") };
        let problem = explain(address, &error);
        assert!(problem.message.contains("in use"), "{problem}");
        assert!(problem.fix.contains("--listen"), "{problem}");
    }

    /// A gateway that was started right after the end of another one did not start.
    #[test]
    fn an_address_that_is_given_up_soon_is_waited_for() {
        let first = bind("127.0.0.1:0", Family::Both, 1).unwrap();
        let address = first.address.to_string();
        let waiting = thread::spawn(move || bind(&address, Family::Both, 2).is_ok());
        thread::park_timeout(5 * TAKEN_STEP);
        drop(first);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn both_families_can_have_a_listener_on_one_port() {
        let four = bind("0.0.0.0:0", Family::Own, 2).unwrap();
        let six = format!("[::]:{}", four.address.ip().unwrap().port());
        assert_eq!(bind(&six, Family::Own, 2).unwrap().address.to_string(), six);
    }
}
