//! The PROXY protocol's header, versions 1 and 2, of which a listener that expects it gets one
//! before anything else: who the client of the proxy is, and where it had connected to.
//!
//! Strict and bounded: what does not match the specification is a [`Fault`], as soon as it is seen.
//! Whether a peer may say such a thing is not decided here, nor who takes which address.
//!
//! References "2.1", "2.2" are to haproxy's `proxy-protocol.txt`.

mod checksum;
mod v1;
mod v2;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use crate::base::limits::PROXY_HEADER_BYTES_MAX;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The ends are those of the connection itself: the proxy's own check of health (`LOCAL`), or a
    /// client of whom it cannot tell an IP address (`UNKNOWN`, `UNSPEC`, a Unix socket's).
    Own,
    /// The connection is made for a client.
    Proxied {
        /// The client.
        source: SocketAddr,
        /// Where it had connected to.
        destination: SocketAddr,
    },
}

/// How far the header is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More is needed.
    Partial,
    /// It is here whole.
    Complete {
        /// What it says.
        header: Header,
        /// Its length; what is behind it belongs to the stream.
        consumed: usize,
    },
}

/// Why this is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It begins otherwise: perhaps nobody has told the sender to send one.
    Absent,
    /// It is longer than the version allows, or than [`PROXY_HEADER_BYTES_MAX`].
    TooLong,
    /// The line of version 1 is not as it should be.
    Line,
    /// A version 2 header of another version, or an unknown command or family.
    Unknown,
    /// A version 2 header too short for its addresses.
    Short,
    /// What follows the addresses is not a row of types, lengths and values.
    Values,
    /// The checksum is not the header's.
    Checksum,
}

/// Reads the header that `bytes` begin with. Called again with more when it was not whole.
///
/// # Errors
/// See [`Fault`]; more bytes would not mend it.
pub fn parse(bytes: &[u8]) -> Result<Progress, Fault> {
    if begins(bytes, v1::START) {
        return v1::parse(bytes);
    }
    if begins(bytes, v2::SIGNATURE) {
        return v2::parse(bytes);
    }
    Err(Fault::Absent)
}

/// Whether `bytes` are the start of something that begins so, as far as they are here.
fn begins(bytes: &[u8], with: &[u8]) -> bool {
    let known = bytes.len().min(with.len());
    bytes[..known] == with[..known]
}

const _: () = assert!(v1::LINE_BYTES_MAX <= PROXY_HEADER_BYTES_MAX);
