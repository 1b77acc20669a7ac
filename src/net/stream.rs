//! A connection. All methods take `&self`, so that one task may receive while another sends.

use std::{
    io,
    os::fd::OwnedFd,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{ClientConfig, pki_types::ServerName};

use super::{
    http2::Lane,
    tcp::Tcp,
    tls::{End, HandshakeFault, Negotiated, Party, Tls},
};
use crate::{
    base::{Address, Buffer, Moment},
    ring::{Outgoing, Socket},
    runtime::Runtime,
    tls::Face,
};

/// A connection, or one HTTP/2 stream in the shape of one; dropping it cancels what is under way,
/// then closes.
pub struct Stream {
    wire: Wire,
}

/// What the bytes go over.
enum Wire {
    Plain(Tcp),
    Tls(Box<Tls>),
    Lane(Box<Lane>),
}

impl Stream {
    pub(super) const fn new(socket: Socket) -> Self {
        Self { wire: Wire::Plain(Tcp::new(socket)) }
    }

    pub(super) fn of_lane(lane: Lane) -> Self {
        Self { wire: Wire::Lane(Box::new(lane)) }
    }

    /// Connects to `address`. The deadline stays set; see [`Stream::set_deadline`].
    ///
    /// # Errors
    /// As connect(2), or `TimedOut` after the deadline.
    pub async fn connect(
        runtime: &Runtime,
        address: impl Into<Address>,
        deadline: Moment,
    ) -> io::Result<Self> {
        let tcp = Tcp::connect(runtime, address.into(), deadline).await?;
        Ok(Self { wire: Wire::Plain(tcp) })
    }

    /// Speaks TLS from here on, as the side that was connected to. [`Stream::handshake`] comes
    /// first.
    #[must_use]
    pub fn with_face(self, face: Arc<Face>) -> Self {
        self.with_tls(Party::Server(face))
    }

    /// Speaks TLS from here on, as the side that connected; the other one must prove that it has
    /// this name. [`Stream::handshake`] comes first.
    #[must_use]
    pub fn with_trust(self, config: Arc<ClientConfig>, name: ServerName<'static>) -> Self {
        self.with_tls(Party::Client(config, name))
    }

    fn with_tls(self, party: Party) -> Self {
        match self.wire {
            Wire::Plain(tcp) => Self { wire: Wire::Tls(Box::new(Tls::new(tcp, party))) },
            // TLS within TLS is nobody's wish.
            Wire::Tls(_) | Wire::Lane(_) => self,
        }
    }

    /// Runs the handshake of TLS; in plain text there is none. The stream's deadline bounds it.
    ///
    /// # Errors
    /// See [`HandshakeFault`]; the stream is of no more use then.
    pub async fn handshake(&self) -> Result<(), HandshakeFault> {
        match &self.wire {
            Wire::Plain(_) | Wire::Lane(_) => Ok(()),
            Wire::Tls(tls) => tls.handshake().await,
        }
    }

    /// What the handshake agreed on; `None` in plain text.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        match &self.wire {
            Wire::Plain(_) => None,
            Wire::Tls(tls) => tls.negotiated(),
            Wire::Lane(lane) => lane.connection().negotiated(),
        }
    }

    /// The protocol that TLS agreed on (ALPN).
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.negotiated()?.alpn.as_deref()
    }

    /// Why TLS receives nothing more; `None` as long as it does, and in plain text.
    #[must_use]
    pub fn tls_end(&self) -> Option<End> {
        match &self.wire {
            Wire::Plain(_) | Wire::Lane(_) => None,
            Wire::Tls(tls) => tls.end(),
        }
    }

    /// A connection that another shard has accepted.
    ///
    /// # Errors
    /// When it broke meanwhile, or the shard has as many sockets as it may.
    pub fn take_in(runtime: &Runtime, connection: OwnedFd) -> io::Result<Self> {
        runtime.driver().take_in(connection).map(Self::new)
    }

    /// The next bytes; `None` at the end of the stream.
    ///
    /// # Errors
    /// `TimedOut` when nothing is there and the deadline has expired; what recv(2) says.
    /// `UnexpectedEof` when TLS was cut off: what came may not be all.
    #[inline]
    pub fn poll_receive(&self, context: &Context<'_>) -> Poll<io::Result<Option<Buffer>>> {
        match &self.wire {
            Wire::Plain(tcp) => tcp.poll_receive(context),
            Wire::Tls(tls) => tls.poll_receive(context),
            Wire::Lane(lane) => lane.poll_receive(context),
        }
    }

    /// What the socket received, whatever is spoken over it: for bytes that nobody reads, behind a
    /// handshake that failed.
    ///
    /// # Errors
    /// As [`Stream::poll_receive`].
    pub fn poll_receive_raw(&self, context: &Context<'_>) -> Poll<io::Result<Option<Buffer>>> {
        match &self.wire {
            Wire::Plain(tcp) => tcp.poll_receive(context),
            Wire::Tls(tls) => tls.tcp.poll_receive(context),
            Wire::Lane(lane) => lane.poll_receive(context),
        }
    }

    /// As [`Stream::poll_receive`].
    ///
    /// # Errors
    /// The same.
    pub async fn receive(&self) -> io::Result<Option<Buffer>> {
        std::future::poll_fn(|context| self.poll_receive(context)).await
    }

    /// Puts bytes back that were received: whoever receives next gets them first.
    ///
    /// # Panics
    /// When TLS is spoken, or on an HTTP/2 stream: the bytes are not what the socket received.
    pub fn unread(&self, buffer: Buffer) {
        match &self.wire {
            Wire::Plain(tcp) => tcp.unread(buffer),
            Wire::Tls(_) | Wire::Lane(_) => panic!("bytes are put back that no socket received"),
        }
    }

    /// Starts sending. The bytes are the driver's from now on: they are sent also when nobody asks
    /// and when the stream is dropped.
    ///
    /// # Panics
    /// When an earlier send still waits (`poll_sent` was not ready), or with more than
    /// `SEND_PIECES_MAX` pieces.
    #[inline]
    pub fn start_send(&self, outgoing: Outgoing) {
        match &self.wire {
            Wire::Plain(tcp) => tcp.start_send(outgoing),
            Wire::Tls(tls) => tls.start_send(outgoing),
            Wire::Lane(lane) => lane.start_send(outgoing),
        }
    }

    /// Sends in plain text to whoever did not begin a handshake: nothing else can be said to him.
    ///
    /// # Panics
    /// As [`Stream::start_send`].
    pub fn start_send_plain(&self, outgoing: Outgoing) {
        match &self.wire {
            Wire::Plain(tcp) => tcp.start_send(outgoing),
            Wire::Tls(tls) => tls.tcp.start_send(outgoing),
            Wire::Lane(lane) => lane.start_send(outgoing),
        }
    }

    /// [`Stream::start_send`] of the last bytes of a message. On an HTTP/2 stream this is its end:
    /// `trailers` follow, as lines of which each ends in CRLF. A connection's messages end by their
    /// framing.
    #[inline]
    pub fn start_last(&self, outgoing: Outgoing, trailers: Option<Vec<u8>>) {
        match &self.wire {
            Wire::Lane(lane) => lane.start_last(outgoing, trailers),
            Wire::Plain(_) | Wire::Tls(_) if outgoing.is_empty() => {}
            Wire::Plain(tcp) => tcp.start_send(outgoing),
            Wire::Tls(tls) => tls.start_send(outgoing),
        }
    }

    /// A message's end is marked by the stream ([`Stream::start_last`]), not by framing: this is an
    /// HTTP/2 stream.
    #[must_use]
    pub const fn marks_ends(&self) -> bool {
        matches!(self.wire, Wire::Lane(_))
    }

    /// On an HTTP/2 stream: what followed the body, as lines with the empty one.
    #[must_use]
    pub fn take_trailers(&self) -> Option<Vec<u8>> {
        match &self.wire {
            Wire::Plain(_) | Wire::Tls(_) => None,
            Wire::Lane(lane) => lane.take_trailers(),
        }
    }

    /// Ready when the next send may be started: at once, unless an earlier one finds no room in
    /// the socket. At most two are under way, so a peer that does not read stops the sender here.
    ///
    /// # Errors
    /// `TimedOut` when the deadline expired before (drop the stream then); what send(2) said of
    /// this or an earlier send.
    #[inline]
    pub fn poll_sent(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        match &self.wire {
            Wire::Plain(tcp) => tcp.poll_sent(context),
            Wire::Tls(tls) => tls.poll_sent(context),
            Wire::Lane(lane) => lane.poll_sent(context),
        }
    }

    /// [`Stream::poll_sent`], and on an HTTP/2 stream of a client: there is room for more among the
    /// answers that it has not taken.
    ///
    /// # Errors
    /// As [`Stream::poll_sent`].
    pub fn poll_room(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        match &self.wire {
            Wire::Lane(lane) => lane.poll_room(context),
            Wire::Plain(_) | Wire::Tls(_) => self.poll_sent(context),
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
    #[inline]
    pub fn set_deadline(&self, deadline: Option<Moment>) {
        match &self.wire {
            Wire::Plain(tcp) => tcp.set_deadline(deadline),
            Wire::Tls(tls) => tls.tcp.set_deadline(deadline),
            Wire::Lane(lane) => lane.set_deadline(deadline),
        }
    }

    /// A body streams in: receive into large blocks from now on; `false`: into small ones.
    pub fn stream_body(&self, large: bool) {
        if let Some(tcp) = self.tcp() {
            tcp.stream_body(large);
        }
    }

    /// Ready when the connection broke: the peer reset it, or a send failed. A FIN is no failure,
    /// the peer may still be reading. Takes nothing from what was received.
    #[inline]
    pub fn poll_failure(&self, context: &Context<'_>) -> Poll<()> {
        match &self.wire {
            Wire::Plain(tcp) => tcp.poll_failure(context),
            Wire::Tls(tls) => tls.poll_failure(context),
            Wire::Lane(lane) => lane.poll_failure(context),
        }
    }

    /// An idle pooled connection may be used: nothing came unasked, it is open, it had no error.
    #[must_use]
    #[inline]
    pub fn is_reusable(&self) -> bool {
        match &self.wire {
            Wire::Plain(tcp) => tcp.is_reusable(),
            Wire::Tls(tls) => tls.is_reusable(),
            Wire::Lane(_) => false,
        }
    }

    /// What the peer of an idle connection did up to the last turn is known: it is heard since an
    /// earlier one.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.tcp().is_some_and(Tcp::is_watched)
    }

    /// Sends FIN after what was sent; under TLS `close_notify` before it. An HTTP/2 stream has
    /// [`Stream::start_last`].
    pub fn shutdown_send(&self) {
        match &self.wire {
            Wire::Plain(tcp) => tcp.shutdown_send(),
            Wire::Tls(tls) => tls.shutdown_send(),
            Wire::Lane(_) => {}
        }
    }

    /// What was sent is not all, and the peer must see that: under TLS the end is to look like a
    /// cut, without `close_notify`; an HTTP/2 stream is reset. Plain text has no other end.
    pub fn omit_farewell(&self) {
        match &self.wire {
            Wire::Plain(_) => {}
            Wire::Tls(tls) => tls.omit_farewell(),
            Wire::Lane(lane) => lane.reset(),
        }
    }

    /// The own side's address: one system call.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn local_addr(&self) -> io::Result<Address> {
        match &self.wire {
            Wire::Plain(tcp) => tcp.local_addr(),
            Wire::Tls(tls) => tls.tcp.local_addr(),
            Wire::Lane(lane) => lane.connection().local_addr(),
        }
    }

    /// The other side's address.
    #[must_use]
    pub fn peer(&self) -> &Address {
        match &self.wire {
            Wire::Plain(tcp) => tcp.peer(),
            Wire::Tls(tls) => tls.tcp.peer(),
            Wire::Lane(lane) => lane.connection().peer(),
        }
    }

    fn tcp(&self) -> Option<&Tcp> {
        match &self.wire {
            Wire::Plain(tcp) => Some(tcp),
            Wire::Tls(tls) => Some(&tls.tcp),
            Wire::Lane(_) => None,
        }
    }
}
