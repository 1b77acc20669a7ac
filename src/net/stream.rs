//! A connection. All methods take `&self`, so that one task may receive while another sends.

use std::{
    cell::Cell,
    io,
    net::SocketAddr,
    task::{Context, Poll},
};

use crate::{
    base::{Buffer, Moment},
    ring::{Outgoing, Socket},
    runtime::Runtime,
};

/// A connection; dropping it cancels what is under way, then closes.
pub struct Stream {
    socket: Socket,
    /// It receives into large blocks.
    large: Cell<bool>,
}

impl Stream {
    pub(super) const fn new(socket: Socket) -> Self {
        Self { socket, large: Cell::new(false) }
    }

    /// Connects to `address`. The deadline stays set; see [`Stream::set_deadline`].
    ///
    /// # Errors
    /// As connect(2), or `TimedOut` after the deadline.
    pub async fn connect(
        runtime: &Runtime,
        address: SocketAddr,
        deadline: Moment,
    ) -> io::Result<Self> {
        let socket = runtime.driver().connect(address)?;
        socket.set_deadline(Some(deadline));
        std::future::poll_fn(|context| socket.poll_connected(context)).await?;
        Ok(Self::new(socket))
    }

    /// The next bytes; `None` at the end of the stream.
    ///
    /// # Errors
    /// `TimedOut` when nothing is there and the deadline has expired; what recv(2) says.
    pub fn poll_receive(&self, context: &Context<'_>) -> Poll<io::Result<Option<Buffer>>> {
        self.socket.poll_receive(context)
    }

    /// As [`Stream::poll_receive`].
    ///
    /// # Errors
    /// The same.
    pub async fn receive(&self) -> io::Result<Option<Buffer>> {
        std::future::poll_fn(|context| self.poll_receive(context)).await
    }

    /// Starts sending. The bytes are the driver's from now on: they are sent also when nobody asks
    /// and when the stream is dropped.
    ///
    /// # Panics
    /// When an earlier send still waits (`poll_sent` was not ready), or with more than
    /// `SEND_PIECES_MAX` pieces.
    pub fn start_send(&self, outgoing: Outgoing) {
        self.socket.start_send(outgoing);
    }

    /// Ready when the next send may be started: at once, unless an earlier one finds no room in
    /// the socket. At most two are under way, so a peer that does not read stops the sender here.
    ///
    /// # Errors
    /// `TimedOut` when the deadline expired before (drop the stream then); what send(2) said of
    /// this or an earlier send.
    pub fn poll_sent(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_sent(context)
    }

    /// [`Stream::start_send`] and [`Stream::poll_sent`].
    ///
    /// # Errors
    /// As [`Stream::poll_sent`].
    pub async fn send(&self, outgoing: Outgoing) -> io::Result<()> {
        self.start_send(outgoing);
        std::future::poll_fn(|context| self.poll_sent(context)).await
    }

    /// After this moment whatever waits gets `TimedOut`, until a deadline is set again. Cheap
    /// enough for every request.
    pub fn set_deadline(&self, deadline: Option<Moment>) {
        self.socket.set_deadline(deadline);
    }

    /// A body streams in: receive into large blocks from now on; `false`: into small ones.
    pub fn stream_body(&self, large: bool) {
        if self.large.replace(large) != large {
            self.socket.stream_body(large);
        }
    }

    /// Ready when the connection broke: the peer reset it, or a send failed. A FIN is no failure,
    /// the peer may still be reading. Takes nothing from what was received.
    pub fn poll_failure(&self, context: &Context<'_>) -> Poll<()> {
        self.socket.poll_failure(context)
    }

    /// An idle pooled connection may be used: nothing came unasked, it is open, it had no error.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        self.socket.is_reusable()
    }

    /// What the peer of an idle connection did up to the last turn is known: it is heard since an
    /// earlier one.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.socket.is_watched()
    }

    /// Sends FIN after what was sent.
    pub fn shutdown_send(&self) {
        self.socket.shutdown_send();
    }

    /// The own side's address: one system call.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The other side's address.
    #[must_use]
    pub const fn peer(&self) -> SocketAddr {
        self.socket.peer()
    }
}
