//! Listening sockets, bound on the main thread so that every error is told before a shard starts.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};

use super::Patience;
use crate::base::{Problem, Severity};

/// Connections that the kernel holds until a shard accepts them (bounded by `net.core.somaxconn`).
const BACKLOG: i32 = 4_096;
/// How long an address may stay taken. The kernel takes an ended process's rings apart after its
/// end, and they hold its sockets: a restart would find the old one's ports in use.
const TAKEN_WAIT: Duration = Duration::from_millis(1_500);
const TAKEN_STEP: Duration = Duration::from_millis(10);

/// One listening address: a socket for each shard, all on the same port.
pub(super) struct Bound {
    /// The address as the kernel has it (port 0 was replaced).
    pub(super) address: SocketAddr,
    /// One socket for each shard, in shard order.
    pub(super) sockets: Vec<TcpListener>,
}

/// Which connections a listener on `[::]` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Those to IPv4 addresses too, unless the system says otherwise.
    Both,
    /// IPv6 alone: another listener has the port in IPv4.
    Own,
}

/// Binds `address` once for each of `shards`; waits a while for an address that is taken.
///
/// # Errors
/// A problem that names the address and the way out, when it is taken or not ours to take.
pub(super) fn bind(address: SocketAddr, family: Family, shards: usize) -> Result<Bound, Problem> {
    let patience = Patience::new(TAKEN_WAIT);
    loop {
        match bind_all(address, family, shards) {
            Err(error) if is_taken(&error) && !patience.left().is_zero() => {
                thread::park_timeout(TAKEN_STEP);
            }
            outcome => return outcome.map_err(|error| explain(address, &error)),
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
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..shards {
        sockets.push(socket(address, family, true)?);
    }
    Ok(Bound { address, sockets })
}

fn socket(address: SocketAddr, family: Family, reuse_port: bool) -> io::Result<TcpListener> {
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
    Ok(socket.into())
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

    #[test]
    fn every_shard_gets_a_socket_on_the_same_port() {
        let bound = bind("127.0.0.1:0".parse().unwrap(), Family::Both, 3).unwrap();
        assert_eq!(bound.sockets.len(), 3);
        for socket in &bound.sockets {
            assert_eq!(socket.local_addr().unwrap(), bound.address);
        }
    }

    #[test]
    fn a_taken_port_is_told_even_when_its_owner_set_reuse_port() {
        let first = bind("127.0.0.1:0".parse().unwrap(), Family::Both, 1).unwrap();
        let Err(error) = bind_all(first.address, Family::Both, 1) else { panic!("bound twice") };
        let problem = explain(first.address, &error);
        assert!(problem.message.contains("in use"), "{problem}");
        assert!(problem.fix.contains("--listen"), "{problem}");
    }

    /// A gateway that was started right after the end of another one did not start.
    #[test]
    fn an_address_that_is_given_up_soon_is_waited_for() {
        let first = bind("127.0.0.1:0".parse().unwrap(), Family::Both, 1).unwrap();
        let address = first.address;
        let waiting = thread::spawn(move || bind(address, Family::Both, 2).is_ok());
        thread::park_timeout(5 * TAKEN_STEP);
        drop(first);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn both_families_can_have_a_listener_on_one_port() {
        let four = bind("0.0.0.0:0".parse().unwrap(), Family::Own, 2).unwrap();
        let six = SocketAddr::new("::".parse().unwrap(), four.address.port());
        assert_eq!(bind(six, Family::Own, 2).unwrap().address, six);
    }
}
