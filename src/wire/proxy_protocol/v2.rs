//! Version 2 (2.2): a signature, four bytes, the addresses, and values that say more.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Fault, Header, Progress, checksum};
use crate::base::limits::PROXY_HEADER_BYTES_MAX;

/// What a header begins with.
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and protocol, length.
const FIXED_BYTES: usize = 16;
/// `PP2_TYPE_CRC32C`: the value is the checksum of the header with zeros in its place.
const CHECKSUM_TYPE: u8 = 0x03;
/// Type and length of a value.
const VALUE_HEAD_BYTES: usize = 3;

/// What the fixed part says of the rest.
#[derive(Clone, Copy)]
enum Block {
    /// It is skipped.
    Ignored,
    /// The two addresses, then values.
    Addresses(Family),
}

#[derive(Clone, Copy)]
enum Family {
    Ipv4,
    Ipv6,
    /// Paths of 108 bytes each.
    Unix,
}

impl Family {
    const fn bytes(self) -> usize {
        match self {
            Self::Ipv4 => 2 * 4 + 2 * 2,
            Self::Ipv6 => 2 * 16 + 2 * 2,
            Self::Unix => 2 * 108,
        }
    }
}

/// `bytes` begin as a header does, as far as they are here.
pub(super) fn parse(bytes: &[u8]) -> Result<Progress, Fault> {
    let Some(&command) = bytes.get(SIGNATURE.len()) else { return Ok(Progress::Partial) };
    if !matches!(command, 0x20 | 0x21) {
        return Err(Fault::Unknown);
    }
    let Some(&family) = bytes.get(SIGNATURE.len() + 1) else { return Ok(Progress::Partial) };
    let block = block(command, family)?;
    let Some(length) = bytes.get(FIXED_BYTES - 2..FIXED_BYTES) else {
        return Ok(Progress::Partial);
    };
    let consumed = FIXED_BYTES + usize::from(u16::from_be_bytes([length[0], length[1]]));
    if consumed > PROXY_HEADER_BYTES_MAX {
        return Err(Fault::TooLong);
    }
    let address_bytes = match block {
        Block::Ignored => 0,
        Block::Addresses(family) => family.bytes(),
    };
    if consumed < FIXED_BYTES + address_bytes {
        return Err(Fault::Short);
    }
    let Some(whole) = bytes.get(..consumed) else { return Ok(Progress::Partial) };
    let header = match block {
        Block::Ignored => Header::Own,
        Block::Addresses(family) => {
            check_values(whole, FIXED_BYTES + address_bytes)?;
            read(family, &whole[FIXED_BYTES..])
        }
    };
    Ok(Progress::Complete { header, consumed })
}

/// `LOCAL` discards the block "including the family which is ignored". Of a family or protocol
/// that is unspecified the addresses are ignored; all else must be one of 2.2's combinations.
fn block(command: u8, family: u8) -> Result<Block, Fault> {
    if command == 0x20 {
        return Ok(Block::Ignored);
    }
    match (family >> 4, family & 0xf) {
        (0x1, 0x1 | 0x2) => Ok(Block::Addresses(Family::Ipv4)),
        (0x2, 0x1 | 0x2) => Ok(Block::Addresses(Family::Ipv6)),
        (0x3, 0x1 | 0x2) => Ok(Block::Addresses(Family::Unix)),
        (0x0, 0x0..=0x2) | (0x1..=0x3, 0x0) => Ok(Block::Ignored),
        _ => Err(Fault::Unknown),
    }
}

/// The addresses at the start of `block`, which is long enough.
fn read(family: Family, block: &[u8]) -> Header {
    let port = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
    let end = |ip: std::net::IpAddr, port| SocketAddr::new(ip, port);
    match family {
        Family::Ipv4 => {
            let ip = |at: usize| {
                Ipv4Addr::new(block[at], block[at + 1], block[at + 2], block[at + 3]).into()
            };
            Header::Proxied { source: end(ip(0), port(8)), destination: end(ip(4), port(10)) }
        }
        Family::Ipv6 => {
            let ip = |at: usize| {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&block[at..at + 16]);
                Ipv6Addr::from(bytes).into()
            };
            Header::Proxied { source: end(ip(0), port(32)), destination: end(ip(16), port(34)) }
        }
        Family::Unix => Header::Own,
    }
}

/// Values are skipped, but have to fill the header: type, length, so many bytes, and again. A rest
/// of one or two zeros is padding. The checksum is checked where there is one.
fn check_values(header: &[u8], mut at: usize) -> Result<(), Fault> {
    let mut checksum_at = None;
    while header.len() - at >= VALUE_HEAD_BYTES {
        let length = usize::from(u16::from_be_bytes([header[at + 1], header[at + 2]]));
        let value = at + VALUE_HEAD_BYTES;
        if header.len() - value < length {
            return Err(Fault::Values);
        }
        if header[at] == CHECKSUM_TYPE {
            if length != 4 || checksum_at.is_some() {
                return Err(Fault::Values);
            }
            checksum_at = Some(value);
        }
        at = value + length;
    }
    if header[at..].iter().any(|&byte| byte != 0) {
        return Err(Fault::Values);
    }
    match checksum_at {
        Some(at) if !checksum::is_right(header, at) => Err(Fault::Checksum),
        Some(_) | None => Ok(()),
    }
}
