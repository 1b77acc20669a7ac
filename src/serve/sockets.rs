//! Listening sockets, bound on the main thread so that every error is told before a shard starts.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::base::{Problem, Severity};

/// Connections that the kernel holds until a shard accepts them (bounded by `net.core.somaxconn`).
const BACKLOG: i32 = 4_096;

/// One listening address: a socket for each shard, all on the same port.
pub(super) struct Bound {
    /// The address as the kernel has it (port 0 was replaced).
    pub(super) address: SocketAddr,
    /// One socket for each shard, in shard order.
    pub(super) sockets: Vec<TcpListener>,
}

/// Binds `address` once for each of `shards`.
///
/// # Errors
/// A problem that names the address and the way out, when it is taken or not ours to take.
pub(super) fn bind(address: SocketAddr, shards: usize) -> Result<Bound, Problem> {
    bind_all(address, shards).map_err(|error| explain(address, &error))
}

fn bind_all(address: SocketAddr, shards: usize) -> io::Result<Bound> {
    // SO_REUSEPORT would let a second gateway of the same user share the port in silence.
    if address.port() != 0 {
        drop(socket(address, false)?);
    }
    let first = socket(address, true)?;
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..shards {
        sockets.push(socket(address, true)?);
    }
    Ok(Bound { address, sockets })
}

fn socket(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
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
        io::ErrorKind::AddrInUse => (
            format!("{address} is in use by another program"),
            format!(
                "stop it (`ss -ltnp 'sport = :{}'` names it) or choose another with --listen",
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
        let bound = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        assert_eq!(bound.sockets.len(), 3);
        for socket in &bound.sockets {
            assert_eq!(socket.local_addr().unwrap(), bound.address);
        }
    }

    #[test]
    fn a_taken_port_is_told_even_when_its_owner_set_reuse_port() {
        let first = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let Err(problem) = bind(first.address, 1) else { panic!("bound twice") };
        assert!(problem.message.contains("in use"), "{problem}");
        assert!(problem.fix.contains("--listen"), "{problem}");
    }
}
