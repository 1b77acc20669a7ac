//! Request heads.

use std::mem::MaybeUninit;

use super::{
    Fault, HeadLimits, Progress, Refusal,
    fields::{self as lines, Coding, Notes, Once},
    scan::Scan,
    start_line::{METHOD_BYTES_MAX, RequestLine},
    target::{self, HostPort},
};
use crate::{
    base::{Buffer, Pooled, limits::HEAD_FIELDS_MAX},
    http::{Framing, Method, RequestHead, Version},
};

/// Where the reading of a request head stands; fresh between messages.
pub type RequestScan = Scan<RequestLine>;

/// Parses the request head at the start of `buffer`.
///
/// Call it with the same `scan` each time bytes have been added behind the same ones; it is fresh
/// again after a whole head. `filled` is an empty head to fill; it goes back to its pool unless the
/// head is whole.
///
/// # Errors
/// As soon as no more bytes could make it a head that is accepted: answer with the refusal's
/// status and close.
pub fn parse_request(
    buffer: &Buffer,
    scan: &mut RequestScan,
    mut filled: Pooled<RequestHead>,
    limits: &HeadLimits,
) -> Result<Progress<Pooled<RequestHead>>, Refusal> {
    let bytes: &[u8] = buffer;
    if scan.seen() > 0 && !scan.feed(&bytes[scan.seen()..], limits)?.1 {
        return Ok(Progress::Partial);
    }
    let mut slots = [const { MaybeUninit::uninit() }; HEAD_FIELDS_MAX];
    let slots = &mut slots[..limits.fields_max.min(HEAD_FIELDS_MAX)];
    let mut parsed = httparse::Request::new(&mut []);
    let Ok(httparse::Status::Complete(consumed)) = parsed.parse_with_uninit_headers(bytes, slots)
    else {
        return explain(scan, bytes, limits);
    };
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else {
        return explain(scan, bytes, limits);
    };
    let skipped = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let head = &bytes[skipped..consumed];
    let well_formed = lines::span_in(head, method.as_bytes()).start == 0
        && consumed <= limits.head_bytes_max
        && method.len() <= METHOD_BYTES_MAX
        && target.len() <= limits.target_bytes_max
        && target.is_ascii();
    if !well_formed {
        return explain(scan, bytes, limits);
    }
    let Some(notes) = lines::collect(head, parsed.headers, &mut filled.fields) else {
        return explain(scan, bytes, limits);
    };
    let version = if parsed.version == Some(0) { Version::Http10 } else { Version::Http11 };
    *scan = RequestScan::default();

    let method = Method::parse(method.as_bytes()).ok_or(Refusal::MethodUnknown)?;
    let parts = target::parse(head, target.as_bytes(), method)?;
    let HostPort { host, port } = find_host(head, &notes, version, parts.authority)?;
    let framing = decide_framing(head, &notes, version, limits)?;
    if notes.expect_other {
        return Err(Refusal::Expectation);
    }
    let mut own = buffer.clone();
    own.advance(skipped);
    own.truncate(consumed - skipped);
    let fields = std::mem::take(&mut filled.fields);
    *filled = RequestHead {
        bytes: own,
        method,
        version,
        path: parts.path,
        query: parts.query,
        host,
        port,
        framing,
        connection: notes.options.decide(version, notes.upgrade),
        // RFC 9110 10.1.1: ignored in HTTP/1.0, and nothing to wait for without a body.
        expects_continue: notes.expect_continue && version == Version::Http11 && framing.has_body(),
        fields,
    };
    Ok(Progress::Complete { head: filled, consumed })
}

/// Where the body of this request ends; never `UntilClose`.
#[must_use]
pub const fn request_framing(head: &RequestHead) -> Framing {
    head.framing
}

/// The way of a head that is not whole, or that httparse or the line ends speak against: the
/// byte-wise machine reads it from the start and has the last word.
#[cold]
fn explain(
    scan: &mut RequestScan,
    bytes: &[u8],
    limits: &HeadLimits,
) -> Result<Progress<Pooled<RequestHead>>, Refusal> {
    *scan = RequestScan::default();
    let (_, ended) = scan.feed(bytes, limits)?;
    // No head is known that the machine takes and httparse does not; it would be refused.
    debug_assert!(!ended, "httparse is at least as lenient");
    if ended { Err(Fault::FieldName.into()) } else { Ok(Progress::Partial) }
}

/// RFC 9112 3.2: exactly one valid Host in HTTP/1.1, at most one in HTTP/1.0. With an absolute
/// target both must name the same host and port: two servers may look at either.
fn find_host(
    head: &[u8],
    notes: &Notes,
    version: Version,
    from_target: Option<HostPort>,
) -> Result<HostPort, Refusal> {
    let from_field = match notes.host {
        Once::Several => return Err(Refusal::HostTwice),
        Once::Absent if version == Version::Http11 => return Err(Refusal::HostMissing),
        Once::Absent => return Ok(from_target.unwrap_or_default()),
        Once::One(span) => target::parse_authority(head, span.of(head)).ok_or(Refusal::Host)?,
    };
    let Some(from_target) = from_target else { return Ok(from_field) };
    let same_name = from_target.host.of(head).eq_ignore_ascii_case(from_field.host.of(head));
    // The target's port is known by its scheme; a Host without one means the same default.
    let same_port = from_field.port.is_none_or(|port| Some(port) == from_target.port)
        && (from_field.port.is_some() || matches!(from_target.port, Some(80 | 443)));
    if same_name && same_port { Ok(from_target) } else { Err(Refusal::HostMismatch) }
}

fn decide_framing(
    head: &[u8],
    notes: &Notes,
    version: Version,
    limits: &HeadLimits,
) -> Result<Framing, Refusal> {
    match notes.framing(head, version)? {
        (None, None) => Ok(Framing::None),
        (Some(length), _) if length > limits.body_bytes_max => Err(Refusal::BodyTooLarge),
        (Some(length), _) => Ok(Framing::Length(length)),
        (None, Some(Coding::Chunked)) => Ok(Framing::Chunked),
        (None, Some(Coding::Unknown)) => Err(Refusal::CodingUnknown),
        (None, Some(Coding::Wrong)) => Err(Fault::Coding.into()),
    }
}
