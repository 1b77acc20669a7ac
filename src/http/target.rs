//! The request target (RFC 9112 section 3.2) under one normalisation policy.
//!
//! The policy: nothing is decoded, collapsed or resolved. What two parsers could read differently
//! is refused before routing (400): dot segments, also percent-encoded; a percent sign that is
//! not followed by two hex digits; `%00`, and any encoded control byte in the path; a fragment;
//! bytes outside RFC 3986's path and query characters (but those that browsers send raw are let
//! through: `[]^|` in path and query, `"<>`{}` in the query only).
//! Double slashes stay as they are. A trailing slash is significant (HTTP API).

/// A checked target in origin form: an absolute path and the query, as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path, starting with `/`, percent-encoding untouched.
    pub path: &'a [u8],
    /// What follows `?`, without it; `None` when there is no `?`.
    pub query: Option<&'a [u8]>,
}

/// Host and optional port, as sent in Host or in an absolute-form target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub host: &'a [u8],
    /// The port's number when one was given.
    pub port: Option<u16>,
}
