//! A connection. All methods take `&self`, so that one task may receive while another sends.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{ClientConfig, pki_types::ServerName};

use super::{
    tcp::Tcp,
    tls::{End, HandshakeFault, Negotiated, Party, Tls},
};
use crate::{
    base::{Buffer, Moment},
    ring::{Outgoing, Socket},
    runtime::Runtime,
    tls::Face,
};

/// A connection; dropping it cancels what is under way, then closes.
pub struct Stream {
    wire: Wire,
}

/// What the bytes go over.
enum Wire {
    Plain(Tcp),
    Tls(Box<Tls>),
}

impl Stream {
    pub(super) const fn new(socket: Socket) -> Self {
        Self { wire: Wire::Plain(Tcp::new(socket)) }
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
        let tcp = Tcp::connect(runtime, address, deadline).await?;
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
            Wire::Tls(_) => self,
        }
    }

    /// Runs the handshake of TLS; in plain text there is none. The stream's deadline bounds it.
    ///
    /// # Errors
    /// See [`HandshakeFault`]; the stream is of no more use then.
    pub async fn handshake(&self) -> Result<(), HandshakeFault> {
        match &self.wire {
            Wire::Plain(_) => Ok(()),
            Wire::Tls(tls) => tls.handshake().await,
        }
    }

    /// What the handshake agreed on; `None` in plain text.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        match &self.wire {
            Wire::Plain(_) => None,
            Wire::Tls(tls) => tls.negotiated(),
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
            Wire::Plain(_) => None,
            Wire::Tls(tls) => tls.end(),
        }
    }

    /// The next bytes; `None` at the end of the stream.
    ///
    /// # Errors
    /// `TimedOut` when nothing is there and the deadline has expired; what recv(2) says.
    /// `UnexpectedEof` when TLS was cut off: what came may not be all.
    pub fn poll_receive(&self, context: &Context<'_>) -> Poll<io::Result<Option<Buffer>>> {
        match &self.wire {
            Wire::Plain(tcp) => tcp.poll_receive(context),
            Wire::Tls(tls) => tls.poll_receive(context),
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
        match &self.wire {
            Wire::Plain(tcp) => tcp.start_send(outgoing),
            Wire::Tls(tls) => tls.start_send(outgoing),
        }
    }

    /// Sends in plain text to whoever did not begin a handshake: nothing else can be said to him.
    ///
    /// # Panics
    /// As [`Stream::start_send`].
    pub fn start_send_plain(&self, outgoing: Outgoing) {
        self.tcp().start_send(outgoing);
    }

    /// Ready when the next send may be started: at once, unless an earlier one finds no room in
    /// the socket. At most two are under way, so a peer that does not read stops the sender here.
    ///
    /// # Errors
    /// `TimedOut` when the deadline expired before (drop the stream then); what send(2) said of
    /// this or an earlier send.
    pub fn poll_sent(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        match &self.wire {
            Wire::Plain(tcp) => tcp.poll_sent(context),
            Wire::Tls(tls) => tls.poll_sent(context),
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
        self.tcp().set_deadline(deadline);
    }

    /// A body streams in: receive into large blocks from now on; `false`: into small ones.
    pub fn stream_body(&self, large: bool) {
        self.tcp().stream_body(large);
    }

    /// Ready when the connection broke: the peer reset it, or a send failed. A FIN is no failure,
    /// the peer may still be reading. Takes nothing from what was received.
    pub fn poll_failure(&self, context: &Context<'_>) -> Poll<()> {
        match &self.wire {
            Wire::Plain(tcp) => tcp.poll_failure(context),
            Wire::Tls(tls) => tls.poll_failure(context),
        }
    }

    /// An idle pooled connection may be used: nothing came unasked, it is open, it had no error.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        match &self.wire {
            Wire::Plain(tcp) => tcp.is_reusable(),
            Wire::Tls(tls) => tls.is_reusable(),
        }
    }

    /// What the peer of an idle connection did up to the last turn is known: it is heard since an
    /// earlier one.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.tcp().is_watched()
    }

    /// Sends FIN after what was sent; under TLS `close_notify` before it.
    pub fn shutdown_send(&self) {
        match &self.wire {
            Wire::Plain(tcp) => tcp.shutdown_send(),
            Wire::Tls(tls) => tls.shutdown_send(),
        }
    }

    /// What was sent is not all: under TLS the end is to look like a cut, without `close_notify`.
    /// Plain text has no other end.
    pub fn omit_farewell(&self) {
        match &self.wire {
            Wire::Plain(_) => {}
            Wire::Tls(tls) => tls.omit_farewell(),
        }
    }

    /// The own side's address: one system call.
    ///
    /// # Errors
    /// As getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().local_addr()
    }

    /// The other side's address.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.tcp().peer()
    }

    fn tcp(&self) -> &Tcp {
        match &self.wire {
            Wire::Plain(tcp) => tcp,
            Wire::Tls(tls) => &tls.tcp,
        }
    }
}
