//! Where a connection comes from, as text made once per connection; and which peers are believed
//! when they say where a request comes from.

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
};

use crate::http::{Fields, Name};

/// An IPv6 address with brackets and quotes is at most 49 bytes.
const TEXT_BYTES_MAX: usize = 56;

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
    /// The peer's address, plain.
    pub(super) peer: Text,
    /// The peer's address as a value of `forwarded` (IPv6 in quotes and brackets).
    pub(super) peer_node: Text,
    /// The gateway's own address as such a value.
    pub(super) local_node: Text,
    /// The port that the client connected to.
    pub(super) port: Text,
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

/// A short text without an allocation.
#[derive(Clone, Copy)]
pub(super) struct Text {
    bytes: [u8; TEXT_BYTES_MAX],
    len: u8,
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
        Self {
            peer: Text::new(format_args!("{peer_ip}")),
            peer_node: node(peer_ip),
            local_node: node(local_ip),
            port: Text::new(format_args!("{}", local.port())),
            protocol,
            trust,
        }
    }

    /// The peer's address as text.
    #[must_use]
    pub fn peer_text(&self) -> &[u8] {
        self.peer.as_bytes()
    }

    /// Whether the peer is one of the trusted proxies.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.trust == Trust::Believed
    }

    /// `http` or `https`.
    #[must_use]
    pub const fn protocol(&self) -> &'static [u8] {
        match self.protocol {
            Protocol::Http => b"http",
            Protocol::Https => b"https",
        }
    }

    /// The client's address (`$context.identity.sourceIp`): the peer's, or the last address in
    /// `X-Forwarded-For` that is not itself a trusted proxy, when the peer is one. Entries that
    /// are no addresses end the search: nothing before them is believed.
    #[must_use]
    pub fn source_ip<'a>(&'a self, fields: Fields<'a>, trusted: &TrustedProxies) -> &'a [u8] {
        let mut client = self.peer.as_bytes();
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
                client = text;
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

impl Text {
    fn new(text: std::fmt::Arguments<'_>) -> Self {
        let mut bytes = [0; TEXT_BYTES_MAX];
        let mut rest = &mut bytes[..];
        rest.write_fmt(text).expect("an address fits");
        let len = TEXT_BYTES_MAX - rest.len();
        Self { bytes, len: u8::try_from(len).expect("shorter than 256") }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// RFC 7239 section 6: an IPv6 address is in brackets, and so has to be quoted.
fn node(ip: IpAddr) -> Text {
    match ip {
        IpAddr::V4(ip) => Text::new(format_args!("{ip}")),
        IpAddr::V6(ip) => Text::new(format_args!("\"[{ip}]\"")),
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
