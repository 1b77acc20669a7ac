//! The trailer section of a chunked body (RFC 9112 section 7.1.2).
//!
//! A trailer field about framing is refused. Others that RFC 9110 6.5.1 forbids in a trailer
//! (routing, authentication, controls, content description) are dropped: they came too late to
//! have been checked, and an upstream might merge them into the head.

use super::{ChunkFault, Fault};
use crate::{
    base::{
        append,
        limits::{HEAD_FIELDS_MAX, TRAILER_BYTES_MAX},
    },
    http::{Name, is_hop_by_hop},
};

/// The trailer fields that may be forwarded. Allocates only when a body has trailers, at most
/// `TRAILER_BYTES_MAX`.
#[derive(Debug, Default)]
pub struct Trailers {
    text: Vec<u8>,
}

impl Trailers {
    /// Trailers that came as lines with the empty one, as HTTP/2's are told.
    ///
    /// # Errors
    /// A field about framing, or more than `TRAILER_BYTES_MAX`.
    pub fn of_lines(text: Vec<u8>) -> Result<Self, ChunkFault> {
        if text.len() > TRAILER_BYTES_MAX {
            return Err(ChunkFault::Trailer(Fault::HeadTooLong));
        }
        let trailers = Self { text };
        trailers.check().map(|()| trailers)
    }

    /// The fields that may be forwarded, as lines of which each ends in CRLF.
    #[must_use]
    pub fn lines(&self) -> Vec<u8> {
        let mut lines = Vec::with_capacity(self.text.len());
        self.visit(|name, value| {
            append!(&mut lines, name, b": ", value, b"\r\n");
        });
        lines
    }

    /// The fields that may be forwarded, in order: name as sent, value.
    ///
    /// `visit` instead of an iterator: the parsed fields borrow a local table.
    pub fn visit(&self, mut visit: impl FnMut(&[u8], &[u8])) {
        self.parse(|name, bytes, value| {
            if may_be_forwarded(name, bytes) {
                visit(bytes, value);
            }
        });
    }

    /// Whether the section had no field at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Adds bytes of the section; the decoder bounds their sum.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    /// Refuses fields about framing, once the section is whole.
    pub(super) fn check(&self) -> Result<(), ChunkFault> {
        let mut framing = false;
        self.parse(|name, _, _| {
            framing |= matches!(name, Name::ContentLength | Name::TransferEncoding);
        });
        if framing { Err(ChunkFault::FramingTrailer) } else { Ok(()) }
    }

    fn parse(&self, mut visit: impl FnMut(Name, &[u8], &[u8])) {
        if self.text.is_empty() {
            return;
        }
        let mut fields = [httparse::EMPTY_HEADER; HEAD_FIELDS_MAX];
        let parsed = httparse::parse_headers(&self.text, &mut fields);
        let Ok(httparse::Status::Complete((_, fields))) = parsed else { return };
        for field in fields {
            let name = field.name.as_bytes();
            visit(Name::of(name), name, field.value);
        }
    }
}

/// RFC 9110 6.5.1: not framing, routing, request modifiers, authentication, controls, or how to
/// read the content; and nothing that ends at this hop.
fn may_be_forwarded(name: Name, bytes: &[u8]) -> bool {
    let decides = matches!(
        name,
        Name::Authorization
            | Name::ContentEncoding
            | Name::ContentLength
            | Name::ContentType
            | Name::Cookie
            | Name::Date
            | Name::Expect
            | Name::Forwarded
            | Name::Host
            | Name::Origin
            | Name::Trailer
            | Name::Via
            | Name::XAmznTraceId
            | Name::XForwardedFor
            | Name::XForwardedHost
            | Name::XForwardedPort
            | Name::XForwardedProto
    );
    !decides && !is_hop_by_hop(name) && !is_control(bytes)
}

/// Names that decide nothing in the gateway but much in a server that merges them.
fn is_control(name: &[u8]) -> bool {
    const CONTROLS: [&[u8]; 16] = [
        b"age",
        b"cache-control",
        b"content-disposition",
        b"content-location",
        b"content-range",
        b"expires",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-unmodified-since",
        b"location",
        b"max-forwards",
        b"pragma",
        b"range",
        b"set-cookie",
        b"www-authenticate",
    ];
    CONTROLS.iter().any(|control| name.eq_ignore_ascii_case(control))
}
