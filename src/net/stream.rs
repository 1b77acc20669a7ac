//! A connection. All methods take `&self`, so that one task may receive while another sends.

use std::{
    cell::Cell,
    io,
    net::SocketAddr,
    task::{Context, Poll},
};

use super::http2::Lane;
use crate::{
    base::{Buffer, Moment},
    ring::{Outgoing, Socket},
    runtime::Runtime,
};

/// A connection, or one HTTP/2 stream in the shape of one; dropping it cancels what is under way,
/// then closes.
pub struct Stream {
    kind: Kind,
    /// It receives into large blocks.
    large: Cell<bool>,
}

enum Kind {
    Plain(Socket),
    Lane(Box<Lane>),
}

impl Stream {
    pub(super) const fn new(socket: Socket) -> Self {
        Self { kind: Kind::Plain(socket), large: Cell::new(false) }
    }

    pub(super) fn of_lane(lane: Lane) -> Self {
        Self { kind: Kind::Lane(Box::new(lane)), large: Cell::new(false) }
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
        match &self.kind {
            Kind::Plain(socket) => socket.poll_receive(context),
            Kind::Lane(lane) => lane.poll_receive(context),
        }
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
        match &self.kind {
            Kind::Plain(socket) => socket.start_send(outgoing),
            Kind::Lane(lane) => lane.start_send(outgoing),
        }
    }

    /// [`Stream::start_send`] of the last bytes of a message. On an HTTP/2 stream this is its end:
    /// `trailers` follow, as lines of which each ends in CRLF. A connection's messages end by their
    /// framing.
    pub fn start_last(&self, outgoing: Outgoing, trailers: Option<Vec<u8>>) {
        match &self.kind {
            Kind::Plain(_) if outgoing.is_empty() => {}
            Kind::Plain(socket) => socket.start_send(outgoing),
            Kind::Lane(lane) => lane.start_last(outgoing, trailers),
        }
    }

    /// A message's end is marked by the stream ([`Stream::start_last`]), not by framing: this
    /// is an HTTP/2 stream.
    #[must_use]
    pub const fn marks_ends(&self) -> bool {
        matches!(self.kind, Kind::Lane(_))
    }

    /// On an HTTP/2 stream: what followed the body, as lines with the empty one.
    #[must_use]
    pub fn take_trailers(&self) -> Option<Vec<u8>> {
        match &self.kind {
            Kind::Plain(_) => None,
            Kind::Lane(lane) => lane.take_trailers(),
        }
    }

    /// On an HTTP/2 stream: what was to be sent is cut off, and the peer must see that. A
    /// connection is closed instead.
    pub fn reset(&self) {
        if let Kind::Lane(lane) = &self.kind {
            lane.reset();
        }
    }

    /// Ready when the next send may be started: at once, unless an earlier one finds no room in
    /// the socket. At most two are under way, so a peer that does not read stops the sender here.
    ///
    /// # Errors
    /// `TimedOut` when the deadline expired before (drop the stream then); what send(2) said of
    /// this or an earlier send.
    pub fn poll_sent(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        match &self.kind {
            Kind::Plain(socket) => socket.poll_sent(context),
            Kind::Lane(lane) => lane.poll_sent(context),
        }
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
        match &self.kind {
            Kind::Plain(socket) => socket.set_deadline(deadline),
            Kind::Lane(lane) => lane.set_deadline(deadline),
        }
    }

    /// A body streams in: receive into large blocks from now on; `false`: into small ones.
    pub fn stream_body(&self, large: bool) {
        if let Kind::Plain(socket) = &self.kind
            && self.large.replace(large) != large
        {
            socket.stream_body(large);
        }
    }

    /// Ready when the connection broke: the peer reset it, or a send failed. A FIN is no failure,
    /// the peer may still be reading. Takes nothing from what was received.
    pub fn poll_failure(&self, context: &Context<'_>) -> Poll<()> {
        match &self.kind {
            Kind::Plain(socket) => socket.poll_failure(context),
            Kind::Lane(lane) => lane.poll_failure(context),
        }
    }

    /// An idle pooled connection may be used: nothing came unasked, it is open, it had no error.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        matches!(&self.kind, Kind::Plain(socket) if socket.is_reusable())
    }

    /// What the peer of an idle connection did up to the last turn is known: it is heard since an
    /// earlier one.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        matches!(&self.kind, Kind::Plain(socket) if socket.is_watched())
    }

    /// Sends FIN after what was sent. An HTTP/2 stream has [`Stream::start_last`].
    pub fn shutdown_send(&self) {
        if let Kind::Plain(socket) = &self.kind {
            socket.shutdown_send();
        }
    }

    /// The own side's address: one system call.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.kind {
            Kind::Plain(socket) => socket.local_addr(),
            Kind::Lane(lane) => lane.connection().local_addr(),
        }
    }

    /// The other side's address.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        match &self.kind {
            Kind::Plain(socket) => socket.peer(),
            Kind::Lane(lane) => lane.connection().peer(),
        }
    }
}
