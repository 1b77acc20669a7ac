//! HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112): bytes to checked heads and bodies, and back.
//!
//! What it is not: no socket, no clock, no buffer management, no forwarding decision. A connection
//! loop owns the bytes and a [`Scan`] per direction and calls in.
//!
//! # How a head is parsed
//!
//! The usual case, a whole head in one buffer, is one pass of httparse; its slices become 16-bit
//! offsets, and the line ends between them are checked (httparse accepts a bare LF). Everything
//! else goes to [`Scan`], a byte-wise machine that never looks at a byte twice: it finds the end of
//! a head that comes in pieces, refuses at the first byte that makes the head invalid, and says
//! why. So the result depends on the bytes only, never on how they were split.
//!
//! # The law
//!
//! Framing is refused, never repaired: see [`Fault`] and [`Refusal`] for the whole list.

mod chunked;
mod class;
mod connection;
mod fields;
mod refusal;
mod request;
mod response;
mod scan;
mod start_line;
mod target;
mod trailers;
mod write;

use crate::base::limits;

pub use crate::http::Framing;
pub use chunked::{ChunkEvent, ChunkFault, ChunkLimits, ChunkedDecoder};
pub use refusal::{Fault, Malformed, Refusal};
pub use request::{RequestScan, parse_request, request_framing};
pub use response::{ResponseScan, parse_response, response_framing};
pub use scan::{Scan, StartLine};
pub use start_line::{RequestLine, StatusLine};
pub use trailers::Trailers;
pub use write::{
    CHUNK_END, HeadWriter, LAST_CHUNK, write_chunk_head, write_chunked, write_content_length,
    write_last_chunk,
};

/// The bounds of one head, as values so that a test can stand at a limit.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// All of the head, up to and with the empty line; at most 65,535.
    pub head_bytes_max: usize,
    /// The request target.
    pub target_bytes_max: usize,
    /// Header fields; at most [`limits::HEAD_FIELDS_MAX`].
    pub fields_max: usize,
    /// The largest Content-Length of a request; answers have no such bound.
    pub body_bytes_max: u64,
}

impl HeadLimits {
    /// A request's, from `base::limits`.
    pub const REQUEST: Self = Self {
        head_bytes_max: limits::REQUEST_HEAD_BYTES_MAX,
        target_bytes_max: limits::TARGET_BYTES_MAX,
        fields_max: limits::HEAD_FIELDS_MAX,
        body_bytes_max: limits::REQUEST_BODY_BYTES_MAX,
    };
    /// An upstream's answer's, from `base::limits`.
    pub const RESPONSE: Self = Self {
        head_bytes_max: limits::RESPONSE_HEAD_BYTES_MAX,
        target_bytes_max: 0,
        fields_max: limits::HEAD_FIELDS_MAX,
        body_bytes_max: u64::MAX,
    };
}

/// What parsing came to, short of a refusal.
pub enum Progress<T> {
    /// The head has not ended; call again with more bytes behind the same ones.
    Partial,
    /// A whole head.
    Complete {
        /// The head, checked.
        head: T,
        /// Bytes of the buffer that belong to it; the body (or the next message) follows.
        consumed: usize,
    },
}

#[cfg(test)]
mod tests;
