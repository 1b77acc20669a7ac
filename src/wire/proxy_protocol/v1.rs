//! Version 1 (2.1): one line of text.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use super::{Fault, Header, Progress};

/// What a line begins with.
pub(super) const START: &[u8] = b"PROXY ";
/// The longest line, its end included.
pub(super) const LINE_BYTES_MAX: usize = 107;

/// `bytes` begin as a line does, as far as they are here.
pub(super) fn parse(bytes: &[u8]) -> Result<Progress, Fault> {
    let window = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = memchr::memchr2(b'\r', b'\n', window) else {
        return if window.len() < LINE_BYTES_MAX {
            Ok(Progress::Partial)
        } else {
            Err(Fault::TooLong)
        };
    };
    match (bytes[end], window.get(end + 1)) {
        (b'\r', Some(b'\n')) => {}
        (b'\r', None) if window.len() < LINE_BYTES_MAX => return Ok(Progress::Partial),
        (b'\r', None) => return Err(Fault::TooLong),
        // A CR or LF alone does not end it.
        _ => return Err(Fault::Line),
    }
    let header = read(&bytes[START.len()..end]).ok_or(Fault::Line)?;
    Ok(Progress::Complete { header, consumed: end + 2 })
}

/// The line behind its first word.
fn read(line: &[u8]) -> Option<Header> {
    let text = str::from_utf8(line);
    let mut words = line.split(|&byte| byte == b' ');
    match words.next()? {
        // What follows means nothing.
        b"UNKNOWN" => Some(Header::Own),
        b"TCP4" => read_ends::<Ipv4Addr>(text.ok()?),
        b"TCP6" => read_ends::<Ipv6Addr>(text.ok()?),
        _ => None,
    }
}

/// `TCPx source destination port port`, one space between two of them.
fn read_ends<Ip: FromStr + Into<IpAddr>>(text: &str) -> Option<Header> {
    let mut words = text.split(' ').skip(1);
    let (source, destination) = (ip::<Ip>(words.next()?)?, ip::<Ip>(words.next()?)?);
    let (from, to) = (port(words.next()?)?, port(words.next()?)?);
    if words.next().is_some() {
        return None;
    }
    let source = SocketAddr::new(source, from);
    Some(Header::Proxied { source, destination: SocketAddr::new(destination, to) })
}

fn ip<Ip: FromStr + Into<IpAddr>>(word: &str) -> Option<IpAddr> {
    word.parse::<Ip>().ok().map(Into::into)
}

/// 0 to 65535 without a sign or zeros in front.
fn port(word: &str) -> Option<u16> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = word == "0" || !word.starts_with('0');
    word.parse().ok().filter(|_| is_plain && is_short)
}
