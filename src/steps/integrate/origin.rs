//! Where a connection comes from, as text made once per connection; and which peers are believed
//! when they say where a request comes from.

use std::{
    fmt::{Display, Formatter},
    io::Write,
    net::{IpAddr, SocketAddr},
};

use crate::http::{Fields, Name, Span};

/// [`Origin`]'s text: names and punctuation are 91 bytes; an IPv6 address is at most 39, twice with
/// quotes and brackets; a port at most 5 and a protocol too.
const TEXT_BYTES_MAX: usize = 91 + 3 * 39 + 2 * 4 + 5 + 5;

/// The protocol that the client spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

/// The two ends of a client's connection, and whether what the peer says is believed.
#[derive(Clone, Copy)]
pub struct Origin {
    /// The lines of an upstream's head that tell of them; the values below are parts of it.
    text: [u8; TEXT_BYTES_MAX],
    peer: Span,
    peer_ip: IpAddr,
    port: Span,
    /// `by=..;for=..`
    node: Span,
    protocol: Protocol,
    trust: Trust,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Believed,
    NotBelieved,
}

/// Networks whose `X-Forwarded-*` is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<(IpAddr, u32)>);

/// Whether a connection begins with a header of the PROXY protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// It does not.
    #[default]
    Off,
    /// It does, and comes from one of these networks; others may not connect at all.
    From(TrustedProxies),
}

impl Origin {
    /// The texts of a connection from `peer` to `local`.
    #[must_use]
    pub fn new(
        peer: SocketAddr,
        local: SocketAddr,
        protocol: Protocol,
        trusted: &TrustedProxies,
    ) -> Self {
        let peer_ip = peer.ip().to_canonical();
        let local_ip = local.ip().to_canonical();
        let trust = if trusted.contains(peer_ip) { Trust::Believed } else { Trust::NotBelieved };
        let mut text = [0; TEXT_BYTES_MAX];
        let mut end = 0;
        let mut write = |piece: std::fmt::Arguments<'_>| {
            let mut rest = &mut text[end..];
            let room = rest.len();
            rest.write_fmt(piece).expect("the longest address fits");
            let start = end;
            end += room - rest.len();
            let narrow = |place: usize| u16::try_from(place).expect("shorter than a head");
            Span { start: narrow(start), end: narrow(end) }
        };
        write(format_args!("x-forwarded-for: "));
        let peer = write(format_args!("{peer_ip}"));
        write(format_args!("\r\nx-forwarded-port: "));
        let port = write(format_args!("{}", local.port()));
        write(format_args!("\r\nx-forwarded-proto: {}\r\nforwarded: ", protocol.as_str()));
        let node = write(format_args!("by={};for={}", Node(local_ip), Node(peer_ip)));
        write(format_args!(";host="));
        Self { text, peer, peer_ip, port, node, protocol, trust }
    }

    /// The peer's address as text.
    #[must_use]
    pub fn peer_text(&self) -> &[u8] {
        self.peer.of(&self.text)
    }

    /// The peer's address; one of IPv4 within IPv6 is one of IPv4.
    #[must_use]
    pub const fn peer(&self) -> IpAddr {
        self.peer_ip
    }

    /// The port that the client connected to, as text.
    pub(super) fn port_text(&self) -> &[u8] {
        self.port.of(&self.text)
    }

    /// An element of `forwarded` up to the host: `by=..;for=..`.
    pub(super) fn node_text(&self) -> &[u8] {
        self.node.of(&self.text)
    }

    /// `x-forwarded-for`, `-port` and `-proto`, and `forwarded` up to the host, as lines of a head
    /// that has none of them yet.
    pub(super) fn lines(&self) -> &[u8] {
        &self.text[..usize::from(self.node.end) + b";host=".len()]
    }

    /// Whether the peer is one of the trusted proxies.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.trust == Trust::Believed
    }

    /// `http` or `https`.
    #[must_use]
    pub const fn protocol(&self) -> &'static [u8] {
        self.protocol.as_str().as_bytes()
    }

    /// Whether the client came by TLS: to here, or to the trusted proxy that the peer is, if it
    /// says so. Where it says several things, all have to say so.
    #[must_use]
    pub fn is_secure(&self, fields: Fields<'_>) -> bool {
        let is_https = |text: &[u8]| text.trim_ascii().eq_ignore_ascii_case(b"https");
        let mut said = fields.all(Name::XForwardedProto).peekable();
        if self.trust == Trust::NotBelieved || said.peek().is_none() {
            return self.protocol == Protocol::Https;
        }
        said.all(|value| value.split(|&byte| byte == b',').all(is_https))
    }

    /// The client's address (`$context.identity.sourceIp`): the peer's, or the last address in
    /// `X-Forwarded-For` that is not itself a trusted proxy, when the peer is one. Entries that
    /// are no addresses end the search: nothing before them is believed. As text, and parsed.
    #[must_use]
    pub fn source_ip<'a>(
        &'a self,
        fields: Fields<'a>,
        trusted: &TrustedProxies,
    ) -> (&'a [u8], IpAddr) {
        let mut client = (self.peer_text(), self.peer_ip);
        if self.trust == Trust::NotBelieved || fields.find(Name::XForwardedFor).is_none() {
            return client;
        }
        // The last field comes last; a handful of fields at most are walked again for each.
        let count = fields.all(Name::XForwardedFor).count();
        for place in (0..count).rev() {
            let value = fields.all(Name::XForwardedFor).nth(place).unwrap_or_default();
            for entry in value.rsplit(|&byte| byte == b',') {
                let text = entry.trim_ascii();
                let ip = str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok());
                let Some(ip) = ip else { return client };
                client = (text, ip);
                if !trusted.contains(ip.to_canonical()) {
                    return client;
                }
            }
        }
        client
    }
}

impl TrustedProxies {
    /// Parses addresses and CIDR blocks: `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`.
    ///
    /// # Errors
    /// One sentence for each entry that is neither.
    pub fn parse<'t>(entries: impl IntoIterator<Item = &'t str>) -> Result<Self, Vec<String>> {
        let mut networks = Vec::new();
        let mut problems = Vec::new();
        for entry in entries {
            match network(entry) {
                Some(network) => networks.push(network),
                None => problems.push(format!(
                    "trusted proxy '{entry}': expected an IP address or a block such as 10.0.0.0/8"
                )),
            }
        }
        if problems.is_empty() { Ok(Self(networks)) } else { Err(problems) }
    }

    /// Whether an address lies in one of the networks.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|&(network, bits)| match (network, ip) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                u32::from(network) & mask == u32::from(ip) & mask
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                u128::from(network) & mask == u128::from(ip) & mask
            }
            _ => false,
        })
    }
}

impl Protocol {
    /// `http` or `https`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// An address as a value of `forwarded`. RFC 7239 section 6: an IPv6 address is in brackets, and
/// so has to be quoted.
struct Node(IpAddr);

impl Display for Node {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => write!(out, "{ip}"),
            IpAddr::V6(ip) => write!(out, "\"[{ip}]\""),
        }
    }
}

fn network(entry: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = match entry.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
        None => (entry, None),
    };
    let ip: IpAddr = address.parse().ok()?;
    let width = if ip.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(width);
    (bits <= width).then_some((ip, bits))
}
