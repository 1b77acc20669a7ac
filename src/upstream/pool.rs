//! The pool of one upstream on one shard: newest idle connection first, all bounded.

use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
};

use rustls::ClientConfig;

use super::shared::Shared;
use crate::{
    base::{Address, Moment, limits},
    http::Http2,
    net::{HandshakeFault, Stream},
    runtime::Runtime,
    tls::{self, Caller},
};

/// What the log says of an upstream that does not begin a handshake.
const NO_TLS: &str = "it does not speak TLS";
/// And of one that does not do what its section says.
const NO_HTTP2: &str = "it does not agree on HTTP/2 (protocolVersion: HTTP2)";

/// Connections to one `host:port`, kept by one shard; survives a reload that keeps the upstream.
pub struct Pool {
    pub(super) runtime: Runtime,
    idle: RefCell<Vec<Idle>>,
    open: Cell<usize>,
    addresses: RefCell<Vec<Address>>,
    next_address: Cell<usize>,
    tally: Rc<Tally>,
    /// How its upstream is called by TLS.
    secured: Option<Secured>,
    /// Connections that take many requests, when the upstream speaks HTTP/2.
    shared: Option<Shared>,
}

/// What happened on a shard's pools so far, for the metrics.
#[derive(Default)]
pub struct Tally {
    /// Connections made.
    pub connected: Cell<u64>,
    /// Connections that could not be made.
    pub failed: Cell<u64>,
    /// Requests that found an idle connection.
    pub reused: Cell<u64>,
}

/// A shard's share of calling an upstream by TLS: the sessions are its own.
struct Secured {
    config: Arc<ClientConfig>,
    caller: Arc<Caller>,
}

struct Idle {
    stream: Stream,
    until: Moment,
}

/// Why no connection could be had.
#[derive(Debug)]
pub enum CheckoutFault {
    /// The host's name has no address (yet).
    NoAddress,
    /// `UPSTREAM_CONNECTIONS_MAX` connections of this shard are in use.
    PoolFull,
    /// Every address was tried; the last one said this.
    Connect(io::Error),
    /// The last one is not to be trusted, or does not speak TLS: why, for the log.
    Untrusted(&'static str),
}

/// A connection on loan, and whether it had been used before.
pub struct Checkout {
    /// The connection.
    pub connection: Connection,
    /// It carried requests before, so the peer may just be closing it.
    pub reused: bool,
}

/// A connection of a pool; closed when dropped, kept when [`Connection::put_back`].
pub struct Connection {
    stream: Option<Stream>,
    /// Whose `open` it counts in; `None` once it was put back.
    place: Option<Rc<Pool>>,
}

impl Pool {
    /// An empty pool; nothing is connected before the first request.
    #[must_use]
    pub fn new(
        runtime: Runtime,
        addresses: Vec<Address>,
        http2: Http2,
        caller: Option<&Arc<Caller>>,
        tally: Rc<Tally>,
    ) -> Rc<Self> {
        let secured = caller
            .map(|caller| Secured { config: caller.config_of_shard(), caller: Arc::clone(caller) });
        Rc::new(Self {
            secured,
            shared: (http2 == Http2::Offered).then(Shared::default),
            runtime,
            idle: RefCell::default(),
            open: Cell::new(0),
            addresses: RefCell::new(addresses),
            next_address: Cell::new(0),
            tally,
        })
    }

    /// Replaces what the host's name resolves to. Connections to addresses that are gone from it
    /// are closed: the idle ones now, those in use after their exchange.
    pub fn set_addresses(&self, addresses: Vec<Address>) {
        if *self.addresses.borrow() == addresses {
            return;
        }
        self.next_address.set(0);
        *self.addresses.borrow_mut() = addresses;
        self.keep_idle(|idle| self.leads_to(idle.stream.peer()));
        if let Some(shared) = &self.shared {
            shared.keep(|client| self.leads_to(client.stream().peer()));
        }
    }

    /// Connections of this pool: in use and idle.
    #[must_use]
    pub fn census(&self) -> (usize, usize) {
        let idle = self.idle.borrow().len();
        (self.open.get() - idle, idle)
    }

    /// The idle connection used last, or a new one.
    ///
    /// # Errors
    /// See [`CheckoutFault`].
    pub async fn check_out(self: &Rc<Self>, deadline: Moment) -> Result<Checkout, CheckoutFault> {
        if let Some(shared) = &self.shared {
            return self.share(shared, deadline).await;
        }
        if let Some(stream) = self.take_idle() {
            self.tally.reused.set(self.tally.reused.get() + 1);
            let connection = Connection { stream: Some(stream), place: Some(Rc::clone(self)) };
            return Ok(Checkout { connection, reused: true });
        }
        self.connect(deadline).await
    }

    /// A new connection, to the next address that takes one.
    ///
    /// # Errors
    /// See [`CheckoutFault`].
    pub async fn connect(self: &Rc<Self>, deadline: Moment) -> Result<Checkout, CheckoutFault> {
        if let Some(shared) = &self.shared {
            return self.share(shared, deadline).await;
        }
        if self.open.get() >= limits::UPSTREAM_CONNECTIONS_MAX {
            return Err(CheckoutFault::PoolFull);
        }
        // Counted before it is made, so that many tasks connecting at once stay within the bound.
        let mut connection = self.reserve();
        connection.stream = Some(self.reach(deadline).await?);
        Ok(Checkout { connection, reused: false })
    }

    /// A stream to the next address that takes one.
    pub(super) async fn reach(&self, deadline: Moment) -> Result<Stream, CheckoutFault> {
        let mut fault = CheckoutFault::NoAddress;
        let tries = self.addresses.borrow().len();
        // Others who connect meanwhile take turns too: this one's goes round by itself.
        let turn = self.next_address.get();
        self.next_address.set(turn.wrapping_add(1));
        for number in 0..tries {
            let Some(address) = self.address_at(turn.wrapping_add(number)) else { break };
            let now = self.runtime.now();
            let until = deadline.min(now + limits::CONNECT_WAIT);
            match self.try_address(address, until, deadline).await {
                Ok(stream) => {
                    self.tally.connected.set(self.tally.connected.get() + 1);
                    return Ok(stream);
                }
                Err(of_address) => {
                    self.tally.failed.set(self.tally.failed.get() + 1);
                    fault = of_address;
                }
            }
            if self.runtime.now() >= deadline {
                break;
            }
        }
        Err(fault)
    }

    async fn try_address(
        &self,
        address: Address,
        until: Moment,
        deadline: Moment,
    ) -> Result<Stream, CheckoutFault> {
        let connecting = Stream::connect(&self.runtime, address, until);
        let stream = connecting.await.map_err(CheckoutFault::Connect)?;
        let Some(Secured { config, caller }) = &self.secured else { return Ok(stream) };
        let stream = stream.with_trust(Arc::clone(config), caller.name().clone());
        let until = deadline.min(self.runtime.now() + limits::TLS_HANDSHAKE_WAIT);
        stream.set_deadline(Some(until));
        stream.handshake().await.map_err(|fault| match fault {
            HandshakeFault::Refused(error) => CheckoutFault::Untrusted(tls::explain(&error)),
            HandshakeFault::Broken(kind) => CheckoutFault::Connect(kind.into()),
            HandshakeFault::Silent => CheckoutFault::Connect(io::ErrorKind::UnexpectedEof.into()),
            HandshakeFault::PlainHttp | HandshakeFault::Garbage | HandshakeFault::NoCertificate => {
                CheckoutFault::Untrusted(NO_TLS)
            }
        })?;
        if caller.speaks_http2() && stream.alpn() != Some(b"h2") {
            return Err(CheckoutFault::Untrusted(NO_HTTP2));
        }
        Ok(stream)
    }

    /// A lane on a connection that is shared with other requests.
    async fn share(
        self: &Rc<Self>,
        shared: &Shared,
        deadline: Moment,
    ) -> Result<Checkout, CheckoutFault> {
        if self.open.get() >= limits::UPSTREAM_CONNECTIONS_MAX {
            return Err(CheckoutFault::PoolFull);
        }
        let mut connection = self.reserve();
        let (lane, reused) = shared.open(self, deadline).await?;
        if reused {
            self.tally.reused.set(self.tally.reused.get() + 1);
        }
        connection.stream = Some(lane);
        Ok(Checkout { connection, reused })
    }

    /// Closes what has been idle for too long or was closed by the peer. Called every few seconds.
    pub fn sweep(&self, now: Moment) {
        self.keep_idle(|idle| idle.until > now && idle.stream.is_reusable());
        if let Some(shared) = &self.shared {
            shared.sweep(now);
        }
    }

    /// Closes every idle connection: the shard is ending.
    pub fn close_idle(&self) {
        self.keep_idle(|_| false);
        if let Some(shared) = &self.shared {
            shared.keep(|client| client.lanes() > 0);
        }
    }

    fn keep_idle(&self, keep: impl FnMut(&Idle) -> bool) {
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        idle.retain(keep);
        self.open.set(self.open.get() - (before - idle.len()));
    }

    pub(super) fn leads_to(&self, address: &Address) -> bool {
        self.addresses.borrow().contains(address)
    }

    /// One whose peer is not known to have closed. A body that was held back for a slow client
    /// may have the peer's FIN behind it: such a connection is left until it has been heard again.
    fn take_idle(&self) -> Option<Stream> {
        let now = self.runtime.now();
        let mut idle = self.idle.borrow_mut();
        for place in (0..idle.len()).rev() {
            let Idle { stream, until } = &idle[place];
            if *until <= now || !stream.is_reusable() {
                idle.remove(place);
                self.open.set(self.open.get() - 1);
            } else if stream.is_watched() {
                return Some(idle.remove(place).stream);
            }
        }
        None
    }

    fn reserve(self: &Rc<Self>) -> Connection {
        self.open.set(self.open.get() + 1);
        Connection { stream: None, place: Some(Rc::clone(self)) }
    }

    fn address_at(&self, turn: usize) -> Option<Address> {
        let addresses = self.addresses.borrow();
        addresses.get(turn % addresses.len().max(1)).cloned()
    }
}

impl Connection {
    /// The stream to talk on.
    ///
    /// # Panics
    /// Never: only a connection that is made leaves this file.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        self.stream.as_ref().expect("a connection that was lent is made")
    }

    /// Keeps the connection for the next request, if there is room and nothing is left over on it.
    /// It is not to be used again by whoever calls this.
    pub fn put_back(&mut self) {
        let (Some(stream), Some(pool)) = (self.stream.take(), self.place.take()) else { return };
        let mut idle = pool.idle.borrow_mut();
        let has_room = idle.len() < limits::UPSTREAM_IDLE_MAX;
        if has_room && pool.leads_to(stream.peer()) && stream.is_reusable() {
            stream.set_deadline(None);
            // It takes its place in `open` along.
            idle.push(Idle { stream, until: pool.runtime.now() + limits::UPSTREAM_IDLE_WAIT });
        } else {
            pool.open.set(pool.open.get() - 1);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(pool) = &self.place {
            pool.open.set(pool.open.get() - 1);
        }
    }
}

#[cfg(test)]
mod tests;
