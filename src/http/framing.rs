//! How a message's body is delimited on the wire, and what its `Connection` field asks of this
//! hop. Decided once, by the codec that parsed the head; everybody after it reads the decision.

/// Where a body ends (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body: neither Content-Length nor Transfer-Encoding, or an answer that never has one.
    None,
    /// Exactly this many bytes.
    Length(u64),
    /// Chunks, then a trailer section.
    Chunked,
    /// Everything up to the close of the connection; answers only.
    UntilClose,
}

impl Framing {
    /// Whether body bytes (or chunk lines) follow the head.
    #[must_use]
    pub const fn has_body(self) -> bool {
        !matches!(self, Self::None | Self::Length(0))
    }
}

/// The connection options of a message (RFC 9110 section 7.6.1), with the version's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// The sender wants the connection kept: HTTP/1.1 without `close`, or HTTP/1.0 with
    /// `keep-alive` and without `close`.
    pub keep_alive: bool,
    /// `upgrade` was listed, an Upgrade field is there and the version is HTTP/1.1.
    pub upgrade: bool,
    /// The sender listed names other than close, keep-alive, upgrade and te: fields of these names
    /// are for this hop only.
    pub lists_fields: bool,
}
