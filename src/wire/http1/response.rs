//! Response heads of upstreams, held to the rules of request heads.

use std::mem::MaybeUninit;

use super::{
    Fault, HeadLimits, Malformed, Progress,
    fields::{self as lines, Coding, Notes},
    scan::Scan,
    start_line::StatusLine,
};
use crate::{
    base::{Buffer, Pooled, limits::HEAD_FIELDS_MAX},
    http::{Framing, Method, ResponseHead, Status, Version},
};

/// Where the reading of a response head stands; fresh between messages.
pub type ResponseScan = Scan<StatusLine>;

/// Parses the response head at the start of `buffer`; as `parse_request`. Interim answers (1xx)
/// are heads like others: the caller reads on behind them.
///
/// # Errors
/// As soon as no more bytes could make it a head that is accepted: 502, and the connection is not
/// used again.
pub fn parse_response(
    buffer: &Buffer,
    scan: &mut ResponseScan,
    mut filled: Pooled<ResponseHead>,
    limits: &HeadLimits,
) -> Result<Progress<Pooled<ResponseHead>>, Malformed> {
    let bytes: &[u8] = buffer;
    if scan.seen() > 0 && !scan.feed(&bytes[scan.seen()..], limits)?.1 {
        return Ok(Progress::Partial);
    }
    let mut slots = [const { MaybeUninit::uninit() }; HEAD_FIELDS_MAX];
    let slots = &mut slots[..limits.fields_max.min(HEAD_FIELDS_MAX)];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let outcome = config.parse_response_with_uninit_headers(&mut parsed, bytes, slots);
    let Ok(httparse::Status::Complete(consumed)) = outcome else {
        return explain(scan, bytes, limits);
    };
    // No empty line is skipped before a status line: after a body it would be an answer's rest.
    if consumed > limits.head_bytes_max || bytes[0] != b'H' {
        return explain(scan, bytes, limits);
    }
    let head = &bytes[..consumed];
    // Without fields, the status line's end is the head's: both are looked at.
    let Some(notes) = lines::collect(head, parsed.headers, &mut filled.fields) else {
        return explain(scan, bytes, limits);
    };
    let version = if parsed.version == Some(0) { Version::Http10 } else { Version::Http11 };
    *scan = ResponseScan::default();

    let status = parsed.code.and_then(Status::new).ok_or(Malformed::Status)?;
    let framing = decide_framing(head, &notes, version)?;
    let mut own = buffer.clone();
    own.truncate(consumed);
    let connection = notes.options.decide(version, notes.upgrade);
    let fields = std::mem::take(&mut filled.fields);
    *filled = ResponseHead { bytes: own, status, version, framing, connection, fields };
    Ok(Progress::Complete { head: filled, consumed })
}

/// Where the body of the answer to a request of this method ends (RFC 9112 section 6.3): nowhere
/// for HEAD, 1xx, 204 and 304, whatever the fields say. After a 101 the connection is no longer
/// HTTP/1.1.
#[must_use]
pub const fn response_framing(method: Method, head: &ResponseHead) -> Framing {
    if matches!(method, Method::Head) || head.status.has_no_body() {
        return Framing::None;
    }
    head.framing
}

/// As in `request`: the byte-wise machine has the last word.
#[cold]
fn explain(
    scan: &mut ResponseScan,
    bytes: &[u8],
    limits: &HeadLimits,
) -> Result<Progress<Pooled<ResponseHead>>, Malformed> {
    *scan = ResponseScan::default();
    let (_, ended) = scan.feed(bytes, limits)?;
    debug_assert!(!ended, "httparse is at least as lenient");
    if ended { Err(Fault::FieldName.into()) } else { Ok(Progress::Partial) }
}

fn decide_framing(head: &[u8], notes: &Notes, version: Version) -> Result<Framing, Malformed> {
    match notes.framing(head, version)? {
        (None, None) => Ok(Framing::UntilClose),
        (Some(length), _) => Ok(Framing::Length(length)),
        (None, Some(Coding::Chunked)) => Ok(Framing::Chunked),
        (None, Some(Coding::Unknown | Coding::Wrong)) => Err(Fault::Coding.into()),
    }
}
