//! The heads of a request and of an answer: the buffer they came in, and offsets into it.

use super::{
    Authority, ConnectionOptions, FieldList, Fields, Framing, Method, Span, Status, Target,
};
use crate::base::{Buffer, Pool};

/// The protocol version of a message; others are refused (505).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2: the message was told in lines of HTTP/1.1, by our own codec.
    Http2,
}

/// Whether a listener speaks HTTP/2 beside HTTP/1.1: with TLS by ALPN, without it to clients that
/// begin with its preface (RFC 9113 3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Http2 {
    /// It does.
    Offered,
    /// It does not.
    #[default]
    NotOffered,
}

/// A request's head, checked: a codec filled it, nothing in it is open to two readings. Heads are
/// kept in a pool, and an empty one is one that no codec has filled.
pub struct RequestHead {
    /// The head's bytes, from the method to the empty line.
    pub bytes: Buffer,
    /// The method.
    pub method: Method,
    /// The version of the message on the wire.
    pub version: Version,
    /// The path, within `bytes`: starts with `/`, or is exactly `*` (`OPTIONS *`, which asks
    /// about the gateway itself and is never forwarded).
    pub path: Span,
    /// The query without its `?`, within `bytes`.
    pub query: Option<Span>,
    /// The host (from Host, or from an absolute-form target), within `bytes`; empty in HTTP/1.0
    /// without a Host field.
    pub host: Span,
    /// The port that came with the host.
    pub port: Option<u16>,
    /// Where the body ends; `UntilClose` in HTTP/2 only, where a stream's end is marked.
    pub framing: Framing,
    /// What the client asks of this connection.
    pub connection: ConnectionOptions,
    /// The client waits for a 100 before it sends its body (HTTP/1.1 with a body only).
    pub expects_continue: bool,
    /// The header fields' offsets.
    pub fields: FieldList,
}

impl Default for RequestHead {
    fn default() -> Self {
        Self {
            bytes: Buffer::empty(),
            method: Method::Get,
            version: Version::Http11,
            path: Span::default(),
            query: None,
            host: Span::default(),
            port: None,
            framing: Framing::None,
            connection: ConnectionOptions::default(),
            expects_continue: false,
            fields: FieldList::new(),
        }
    }
}

impl RequestHead {
    /// A pool of heads to fill, which keeps at most `kept_max`.
    #[must_use]
    pub fn pool(kept_max: usize) -> Pool<Self> {
        Pool::new(kept_max, Self::clear)
    }

    /// Gives its bytes back and keeps the list's memory, for the next head.
    fn clear(&mut self) {
        self.bytes = Buffer::empty();
        self.fields.clear();
    }

    /// Path and query.
    #[must_use]
    pub fn target(&self) -> Target<'_> {
        Target {
            path: self.path.of(&self.bytes),
            query: self.query.map(|query| query.of(&self.bytes)),
        }
    }

    /// `OPTIONS *`: a question to the gateway itself (RFC 9110 section 9.3.7).
    #[must_use]
    pub fn is_asterisk(&self) -> bool {
        self.path.of(&self.bytes) == b"*"
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> Authority<'_> {
        Authority { host: self.host.of(&self.bytes), port: self.port }
    }

    /// The header fields.
    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        Fields::new(&self.bytes, &self.fields)
    }
}

/// An upstream's head, checked; kept in a pool as [`RequestHead`].
pub struct ResponseHead {
    /// The head's bytes, from the version to the empty line.
    pub bytes: Buffer,
    /// The status.
    pub status: Status,
    /// The version of the message on the wire.
    pub version: Version,
    /// Where the body of an answer with a body ends, by the header fields alone: see
    /// `wire::http1::response_framing` for what the request and the status change about it.
    pub framing: Framing,
    /// What the upstream asks of this connection.
    pub connection: ConnectionOptions,
    /// The header fields' offsets.
    pub fields: FieldList,
}

impl Default for ResponseHead {
    fn default() -> Self {
        Self {
            bytes: Buffer::empty(),
            status: Status::OK,
            version: Version::Http11,
            framing: Framing::None,
            connection: ConnectionOptions::default(),
            fields: FieldList::new(),
        }
    }
}

impl ResponseHead {
    /// A pool of heads to fill, which keeps at most `kept_max`.
    #[must_use]
    pub fn pool(kept_max: usize) -> Pool<Self> {
        Pool::new(kept_max, Self::clear)
    }

    /// As [`RequestHead::clear`].
    fn clear(&mut self) {
        self.bytes = Buffer::empty();
        self.fields.clear();
    }

    /// The header fields.
    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        Fields::new(&self.bytes, &self.fields)
    }
}
