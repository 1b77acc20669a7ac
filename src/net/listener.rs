//! A listening socket of one shard.

use std::{io, net::SocketAddr};

use super::stream::Stream;
use crate::{ring, runtime::Runtime};

/// A listening socket; dropping it stops it.
pub struct Listener {
    listener: ring::Listener,
}

impl Listener {
    /// Listens on `address`; with `reuse_port` beside the other shards' listeners.
    ///
    /// # Errors
    /// As bind(2) and listen(2).
    pub fn bind(runtime: &Runtime, address: SocketAddr, reuse_port: bool) -> io::Result<Self> {
        Ok(Self { listener: runtime.driver().listen(address, reuse_port)? })
    }

    /// Accepts on a socket that listens already, bound before the shard was started.
    ///
    /// # Errors
    /// When it has no address.
    pub fn adopt(runtime: &Runtime, socket: std::net::TcpListener) -> io::Result<Self> {
        Ok(Self { listener: runtime.driver().adopt(socket)? })
    }

    /// The next connection and its peer.
    ///
    /// # Errors
    /// `NotConnected` after [`Listener::stop`], once all accepted connections were handed out.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        let accepted = std::future::poll_fn(|context| self.listener.poll_accept(context));
        let (socket, peer) = accepted.await?;
        Ok((Stream::new(socket), peer))
    }

    /// The bound address, with the port that the kernel chose for port 0.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// Accepts no more; what was accepted before is still handed out.
    pub fn stop(&self) {
        self.listener.stop();
    }
}
