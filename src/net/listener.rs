//! A listening socket of one shard.

use std::{io, os::fd::OwnedFd};

use super::stream::Stream;
use crate::{base::Address, ring, runtime::Runtime};

/// A listening socket; dropping it stops it.
pub struct Listener {
    listener: ring::Listener,
}

impl Listener {
    /// Listens on `address`; with `reuse_port` beside the other shards' listeners.
    ///
    /// # Errors
    /// As bind(2) and listen(2).
    pub fn bind(
        runtime: &Runtime,
        address: impl Into<Address>,
        reuse_port: bool,
    ) -> io::Result<Self> {
        Ok(Self { listener: runtime.driver().listen(&address.into(), reuse_port)? })
    }

    /// Accepts on a socket that listens already, bound before the shard was started.
    ///
    /// # Errors
    /// When it has no address.
    pub fn adopt(runtime: &Runtime, socket: OwnedFd) -> io::Result<Self> {
        Ok(Self { listener: runtime.driver().adopt(socket)? })
    }

    /// The next connection and its peer.
    ///
    /// # Errors
    /// `NotConnected` after [`Listener::stop`], once all accepted connections were handed out.
    pub async fn accept(&self) -> io::Result<(Stream, Address)> {
        let accepted = std::future::poll_fn(|context| self.listener.poll_accept(context));
        let stream = Stream::new(accepted.await?);
        let peer = stream.peer().clone();
        Ok((stream, peer))
    }

    /// The next connection, for any shard to take in ([`Stream::take_in`]).
    ///
    /// # Errors
    /// As [`Listener::accept`].
    pub async fn accept_for_others(&self) -> io::Result<OwnedFd> {
        std::future::poll_fn(|context| self.listener.poll_accept_for_others(context)).await
    }

    /// The bound address, with the port that the kernel chose for port 0.
    #[must_use]
    pub const fn local_addr(&self) -> &Address {
        self.listener.local_addr()
    }

    /// Accepts no more; what was accepted before is still handed out.
    pub fn stop(&self) {
        self.listener.stop();
    }
}
