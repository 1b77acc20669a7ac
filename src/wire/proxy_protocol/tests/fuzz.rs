//! Chance: headers put together from pieces, cut anywhere; and headers made of addresses, which are
//! read as those.

use std::{
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{Header, IPV4, Progress, parse, read, v2};
use crate::base::limits::PROXY_HEADER_BYTES_MAX;

const ITERATIONS: usize = 4_000;

const PIECES: [&[u8]; 24] = [
    b"PROXY ",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n",
    b"TCP4 ",
    b"TCP6 ",
    b"UNKNOWN",
    b"1.2.3.4 ",
    b"::1 ",
    b"65535 ",
    b"80",
    b" ",
    b"\r\n",
    b"\r",
    b"\n",
    b"\r\n\r\n\0\r\nQUIT\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x13",
    b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x02",
    b"\x21\x11",
    b"\x00\x0c",
    IPV4,
    b"\x03\x00\x04",
    b"\x04\x00\x00",
    b"\0\0\0\0",
    b"\x20\x00",
];

fn compose(recipe: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in recipe {
        match part {
            0..216 => bytes.extend_from_slice(PIECES[usize::from(*part) % PIECES.len()]),
            _ => bytes.push(*part),
        }
    }
    bytes
}

/// Never more than is there, never more than the bound, and never another judgement for a start.
#[test]
fn whatever_comes_is_judged_the_same_piece_by_piece() {
    let accepted = AtomicUsize::new(0);
    bolero::check!().with_iterations(ITERATIONS).with_type::<Vec<u8>>().for_each(|recipe| {
        let bytes = compose(recipe);
        if let Ok(Progress::Complete { consumed, .. }) = read(&bytes) {
            assert!(consumed <= bytes.len() && consumed <= PROXY_HEADER_BYTES_MAX);
            assert_eq!(parse(&bytes[..consumed]), parse(&bytes));
            accepted.fetch_add(1, Ordering::Relaxed);
        }
        if let Ok(Progress::Partial) = parse(&bytes) {
            assert!(bytes.len() < PROXY_HEADER_BYTES_MAX);
        }
    });
    let accepted = accepted.into_inner();
    assert!(accepted > ITERATIONS / 100, "only {accepted} of {ITERATIONS} were accepted");
}

#[test]
fn what_is_written_is_read() {
    bolero::check!()
        .with_iterations(ITERATIONS)
        .with_type::<([u8; 16], [u8; 16], u16, u16, bool, Vec<u8>)>()
        .for_each(|(one, other, from, to, is_six, more)| {
            let ip = |bytes: &[u8; 16]| match is_six {
                true => IpAddr::from(*bytes),
                false => IpAddr::from([bytes[0], bytes[1], bytes[2], bytes[3]]),
            };
            let source = SocketAddr::new(ip(one), *from);
            let destination = SocketAddr::new(ip(other), *to);
            let header = Header::Proxied { source, destination };
            let word = if *is_six { "TCP6" } else { "TCP4" };
            let (source, destination) = (source.ip(), destination.ip());
            let line = format!("PROXY {word} {source} {destination} {from} {to}\r\n");
            let width = if *is_six { 16 } else { 4 };
            let block = [&one[..width], &other[..width], &from.to_be_bytes(), &to.to_be_bytes()];
            let family = if *is_six { 0x21 } else { 0x11 };
            for bytes in [line.into_bytes(), v2(0x21, family, &block.concat())] {
                let consumed = bytes.len();
                let found = parse(&[bytes.as_slice(), more].concat());
                assert_eq!(found, Ok(Progress::Complete { header, consumed }));
            }
        });
}
