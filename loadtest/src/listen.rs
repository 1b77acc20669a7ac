//! Listeners of the upstream and the floor, and the addresses that children tell their parent.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ChildStdout;

use socket2::{Domain, Socket, Type};

const BACKLOG: i32 = 4096;

/// A listener whose connections inherit `TCP_NODELAY`.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Prints the bound address as the first line, for [`announced`].
pub(crate) fn announce(listener: &TcpListener) -> io::Result<()> {
    println!("{}", listener.local_addr()?);
    io::stdout().flush()
}

/// Reads the address that a child of this program announced.
pub(crate) fn announced(stdout: ChildStdout) -> io::Result<SocketAddr> {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    line.trim().parse().map_err(|_| {
        io::Error::other(format!("the child printed {line:?} where its address was expected"))
    })
}

/// A loopback address that nobody listened on a moment ago.
pub(crate) fn unused() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
