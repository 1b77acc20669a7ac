//! Networks of addresses: what `IpAddress` compares with.

use std::net::IpAddr;

/// `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    V4 { bits: u32, mask: u32 },
    V6 { bits: u128, mask: u128 },
}

impl Network {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (ip, length) = match text.split_once('/') {
            Some((ip, length)) => (ip, Some(length.parse::<u32>().ok()?)),
            None => (text, None),
        };
        match ip.parse().ok()? {
            IpAddr::V4(ip) => {
                let length = length.unwrap_or(32);
                let mask = u32::MAX.checked_shl(32_u32.checked_sub(length)?).unwrap_or(0);
                Some(Self::V4 { bits: u32::from(ip) & mask, mask })
            }
            IpAddr::V6(ip) => {
                let length = length.unwrap_or(128);
                // Clients of IPv4 have addresses of IPv4, whichever socket they come by.
                if let (Some(ip), Some(rest)) = (ip.to_ipv4_mapped(), length.checked_sub(96)) {
                    return Self::parse(&format!("{ip}/{rest}"));
                }
                let mask = u128::MAX.checked_shl(128_u32.checked_sub(length)?).unwrap_or(0);
                Some(Self::V6 { bits: u128::from(ip) & mask, mask })
            }
        }
    }

    pub(super) fn contains(self, ip: IpAddr) -> bool {
        match (self, ip) {
            (Self::V4 { bits, mask }, IpAddr::V4(ip)) => u32::from(ip) & mask == bits,
            (Self::V6 { bits, mask }, IpAddr::V6(ip)) => u128::from(ip) & mask == bits,
            _ => false,
        }
    }
}

/// An address as text; one of IPv4 within IPv6 is one of IPv4.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    Some(str::from_utf8(text).ok()?.parse::<IpAddr>().ok()?.to_canonical())
}
