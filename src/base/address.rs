//! Where a stream socket is, or leads to: an IP address and port, or a path.
//!
//! [`ListenAddress`] is what a person writes for a listener: it may also name a socket that
//! systemd passes on.

use std::{
    fmt::{Display, Formatter},
    net::SocketAddr,
    path::Path,
    str::FromStr,
    sync::Arc,
};

/// What Linux takes of a path, without the zero behind it (`sun_path` has 108 bytes).
pub const UNIX_PATH_BYTES_MAX: usize = 107;

const UNIX: &str = "unix:";
const SYSTEMD: &str = "systemd:";

/// One end of a connection. Cloning allocates nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// TCP.
    Ip(SocketAddr),
    /// A Unix socket's path, at most [`UNIX_PATH_BYTES_MAX`] bytes.
    Unix(Arc<Path>),
    /// A client of a Unix socket: it has no name.
    Unnamed,
}

/// What a listener is told to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// TCP.
    Ip(SocketAddr),
    /// A Unix socket, made at this path.
    Unix(Arc<Path>),
    /// Sockets that listen already: systemd's of this name, or the one at this place.
    Systemd(Arc<str>),
}

impl Address {
    /// The IP address and port, if it has one.
    #[must_use]
    pub const fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) | Self::Unnamed => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl From<&Self> for Address {
    fn from(address: &Self) -> Self {
        address.clone()
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl FromStr for Address {
    type Err = &'static str;

    /// `10.0.0.7:8443`, `[::1]:80` or `unix:/path`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix(UNIX) {
            Some(path) => unix_path(path).map(Self::Unix),
            None => text
                .parse()
                .map(Self::Ip)
                .map_err(|_| "expected an IP address and a port, or unix:/path"),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    /// `0.0.0.0:80`, `[::]:80`, `unix:/path`, `systemd:NAME` or `systemd:0`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(name) = text.strip_prefix(SYSTEMD) {
            // As systemd has it: no control characters, no colon, at most 255.
            let plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b':';
            let is_sound = (1..=255).contains(&name.len()) && name.bytes().all(plain);
            return match is_sound {
                true => Ok(Self::Systemd(name.into())),
                false => Err("systemd: is followed by a socket's name, or its place from 0"),
            };
        }
        match text.parse()? {
            Address::Ip(address) => Ok(Self::Ip(address)),
            Address::Unix(path) => Ok(Self::Unix(path)),
            Address::Unnamed => Err("expected an address"),
        }
    }
}

/// Relative paths would be another file's in each working directory.
fn unix_path(path: &str) -> Result<Arc<Path>, &'static str> {
    if !path.starts_with('/') || path.ends_with('/') {
        return Err("unix: is followed by a path that begins with /");
    }
    if path.contains('\0') {
        return Err("a path has no zero byte");
    }
    if path.len() > UNIX_PATH_BYTES_MAX {
        return Err("the path of a Unix socket has at most 107 bytes");
    }
    Ok(Path::new(path).into())
}

impl Display for Address {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(out),
            Self::Unix(path) => write!(out, "{UNIX}{}", path.display()),
            Self::Unnamed => out.write_str(UNIX),
        }
    }
}

impl Display for ListenAddress {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(out),
            Self::Unix(path) => write!(out, "{UNIX}{}", path.display()),
            Self::Systemd(name) => write!(out, "{SYSTEMD}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, is_sound: bool) {
        let parsed = text.parse::<ListenAddress>();
        assert_eq!(parsed.is_ok(), is_sound, "{text}: {parsed:?}");
        if let Ok(address) = parsed {
            assert_eq!(address.to_string(), text);
        }
        if !text.starts_with(SYSTEMD) {
            assert_eq!(text.parse::<Address>().is_ok(), is_sound, "{text}");
        }
    }

    #[test]
    fn addresses_are_what_they_say() {
        for text in ["127.0.0.1:80", "[::]:0", "unix:/run/x.sock", "systemd:http", "systemd:0"] {
            check(text, true);
        }
        check(&format!("unix:/{}", "x".repeat(106)), true);
        check(&format!("unix:/{}", "x".repeat(107)), false);
        check(&format!("systemd:{}", "x".repeat(255)), true);
        check(&format!("systemd:{}", "x".repeat(256)), false);
        for text in ["", "localhost:80", "::1", "80", "unix:", "unix:x.sock", "unix:/", "unix:/a/"]
        {
            check(text, false);
        }
        for text in ["unix:/a\0b", "unix:@x", "systemd:", "systemd:a:b", "systemd:a\nb", "tcp:x"] {
            check(text, false);
        }
    }

    /// It is kept for each connection.
    #[test]
    fn an_address_is_no_larger_than_one_of_ip() {
        assert!(size_of::<Address>() <= size_of::<SocketAddr>() + 8);
    }
}
