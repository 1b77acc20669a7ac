//! The request target and the host (RFC 9112 section 3.2), under the policy of `http::target`.

use std::net::Ipv6Addr;

use super::{Refusal, class, fields::span_in};
use crate::http::{Method, Span, hex_digit};

/// Host and port as offsets into the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HostPort {
    pub(super) host: Span,
    pub(super) port: Option<u16>,
}

/// A target, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) path: Span,
    pub(super) query: Option<Span>,
    /// Of an absolute-form target; the port is never `None` (the scheme has a default).
    pub(super) authority: Option<HostPort>,
}

/// Takes `target`, a slice of `head`, apart and checks it.
///
/// # Errors
/// 400: `TargetForm`, `TargetByte`, `TargetPercent`, `TargetDots`.
pub(super) fn parse(head: &[u8], target: &[u8], method: Method) -> Result<Parts, Refusal> {
    if target.first() == Some(&b'/') {
        let (path, query) = parse_path(head, target)?;
        return Ok(Parts { path, query, authority: None });
    }
    if target == b"*" && method == Method::Options {
        return Ok(Parts { path: span_in(head, target), query: None, authority: None });
    }
    parse_absolute(head, target)
}

fn parse_absolute(head: &[u8], target: &[u8]) -> Result<Parts, Refusal> {
    let (rest, default_port) = if let Some(rest) = strip_scheme(target, b"http://") {
        (rest, 80)
    } else if let Some(rest) = strip_scheme(target, b"https://") {
        (rest, 443)
    } else {
        return Err(Refusal::TargetForm);
    };
    let end = memchr::memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    let Some(mut authority) = parse_authority(head, authority) else {
        return Err(Refusal::TargetForm);
    };
    authority.port = authority.port.or(Some(default_port));
    if after.first() == Some(&b'/') {
        let (path, query) = parse_path(head, after)?;
        return Ok(Parts { path, query, authority: Some(authority) });
    }
    // An empty path is "/" (RFC 9110 4.2.3): the last slash of "://" stands for it.
    let slash = span_in(head, &target[target.len() - rest.len() - 1..][..1]);
    let query = match after.split_first() {
        None => None,
        Some((b'?', query)) => Some(check_query(head, query)?),
        Some(_) => return Err(Refusal::TargetByte),
    };
    Ok(Parts { path: slash, query, authority: Some(authority) })
}

fn strip_scheme<'a>(target: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = target.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

fn parse_path(head: &[u8], target: &[u8]) -> Result<(Span, Option<Span>), Refusal> {
    let (path, query) = match memchr::memchr(b'?', target) {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    };
    let sets = class::common(path);
    if sets & class::PATH_PLAIN == 0 {
        check_path(path, sets)?;
    }
    let query = match query {
        Some(query) => Some(check_query(head, query)?),
        None => None,
    };
    Ok((span_in(head, path), query))
}

/// The rarer path: with a dot or a percent sign, or with a byte that is refused.
fn check_path(path: &[u8], sets: u8) -> Result<(), Refusal> {
    if sets & class::PATH == 0 {
        return Err(Refusal::TargetByte);
    }
    // All control bytes: no two servers agree what a path with an encoded CR, LF or DEL means.
    check_percent(path, |byte| !byte.is_ascii_control())?;
    let dots = path.split(|byte| *byte == b'/').any(is_dot_segment);
    if dots { Err(Refusal::TargetDots) } else { Ok(()) }
}

/// The query's offsets. Form fields have encoded line ends in them: only NUL is refused.
fn check_query(head: &[u8], query: &[u8]) -> Result<Span, Refusal> {
    let sets = class::common(query);
    if sets & class::QUERY_PLAIN == 0 {
        if sets & class::QUERY == 0 {
            return Err(Refusal::TargetByte);
        }
        check_percent(query, |byte| byte != 0)?;
    }
    Ok(span_in(head, query))
}

/// Every `%` is followed by two hex digits that make an allowed byte.
fn check_percent(mut text: &[u8], is_allowed: impl Fn(u8) -> bool) -> Result<(), Refusal> {
    while let Some(at) = memchr::memchr(b'%', text) {
        let byte = text.get(at + 1..at + 3).and_then(|pair| {
            let [high, low] = [hex_digit(pair[0])?, hex_digit(pair[1])?];
            Some(high << 4 | low)
        });
        if !byte.is_some_and(&is_allowed) {
            return Err(Refusal::TargetPercent);
        }
        text = &text[at + 3..];
    }
    Ok(())
}

fn is_dot_segment(segment: &[u8]) -> bool {
    let after = |text: &'_ [u8]| -> Option<usize> {
        match text {
            [b'.', ..] => Some(1),
            [b'%', b'2', b'e' | b'E', ..] => Some(3),
            _ => None,
        }
    };
    let Some(first) = after(segment) else { return false };
    let rest = &segment[first..];
    rest.is_empty() || after(rest).is_some_and(|second| second == rest.len())
}

/// Host and optional port of `text`, a slice of `head`; `None` when it is not one name, IPv4
/// address or bracketed IPv6 address. An empty port (`name:`) is no port (RFC 3986 3.2.3).
pub(super) fn parse_authority(head: &[u8], text: &[u8]) -> Option<HostPort> {
    let (host, port) = if text.first() == Some(&b'[') {
        let end = memchr::memchr(b']', text)? + 1;
        let address = str::from_utf8(&text[1..end - 1]).ok()?;
        address.parse::<Ipv6Addr>().ok()?;
        text.split_at(end)
    } else {
        let end = memchr::memchr(b':', text).unwrap_or(text.len());
        let (host, port) = text.split_at(end);
        if host.is_empty() || class::common(host) & class::HOST == 0 {
            return None;
        }
        (host, port)
    };
    let port = match port.split_first() {
        None => None,
        Some((b':', digits)) => parse_port(digits)?,
        Some(_) => return None,
    };
    Some(HostPort { host: span_in(head, host), port })
}

/// `Some(None)` for no digits at all; `None` for what is no port.
fn parse_port(digits: &[u8]) -> Option<Option<u16>> {
    if digits.is_empty() {
        return Some(None);
    }
    if digits.len() > 5 {
        return None;
    }
    let number = digits.iter().try_fold(0_u32, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
    })?;
    u16::try_from(number).ok().map(Some)
}
