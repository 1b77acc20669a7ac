//! A network as it is written: an address and the length of its prefix, or one address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A block of addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// First and last address of IPv4.
    V4(u32, u32),
    /// First and last address of IPv6.
    V6(u128, u128),
}

/// What may be wrong with a network's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkFault {
    /// It is no address and no block.
    NotANetwork,
    /// The prefix is longer than an address.
    Prefix,
}

impl Network {
    /// Reads `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`; `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
    /// Bits behind the prefix count for nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NetworkFault> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkFault::NotANetwork)?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(text) if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(NetworkFault::NotANetwork);
            }
            Some(text) => text.parse().map_err(|_| NetworkFault::Prefix)?,
        };
        match address {
            _ if bits > width => Err(NetworkFault::Prefix),
            IpAddr::V4(address) => Ok(Self::v4(address, bits)),
            IpAddr::V6(address) => Ok(match address.to_ipv4_mapped() {
                Some(mapped) if bits >= 96 => Self::v4(mapped, bits - 96),
                _ => Self::v6(address, bits),
            }),
        }
    }

    fn v4(address: Ipv4Addr, bits: u32) -> Self {
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        Self::V4(u32::from(address) & mask, u32::from(address) | !mask)
    }

    fn v6(address: Ipv6Addr, bits: u32) -> Self {
        let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
        Self::V6(u128::from(address) & mask, u128::from(address) | !mask)
    }
}

impl NetworkFault {
    /// The end of a sentence that begins with the text.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotANetwork => "is no IP network and no address",
            Self::Prefix => "has a prefix that is longer than its address",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_what_they_say() {
        let parse = Network::parse;
        assert_eq!(parse("10.0.0.0/8"), Ok(Network::V4(0x0A00_0000, 0x0AFF_FFFF)));
        assert_eq!(parse("10.9.9.9/8"), parse("10.0.0.0/8"));
        assert_eq!(parse("0.0.0.0/0"), Ok(Network::V4(0, u32::MAX)));
        assert_eq!(parse("192.0.2.7"), parse("192.0.2.7/32"));
        assert_eq!(parse("::/0"), Ok(Network::V6(0, u128::MAX)));
        assert_eq!(parse("::1"), Ok(Network::V6(1, 1)));
        assert_eq!(parse("::ffff:10.0.0.0/104"), parse("10.0.0.0/8"));
        assert_eq!(parse("::ffff:0:0/95").unwrap(), Network::V6(0xFFFE << 32, (1 << 48) - 1));
        let not = [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0/8",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "x",
            "10.0.0.0/8/8",
            "010.0.0.1",
            "[::1]",
            "::1%lo",
            "10.0.0.1:80",
            " 10.0.0.1",
        ];
        for text in not {
            assert_eq!(parse(text), Err(NetworkFault::NotANetwork), "{text}");
        }
        for text in ["10.0.0.0/33", "::/129", "::/99999999999999999999"] {
            assert_eq!(parse(text), Err(NetworkFault::Prefix), "{text}");
        }
    }
}
