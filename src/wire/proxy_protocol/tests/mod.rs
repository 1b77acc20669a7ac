//! The header's tests: a third-party suite, the specification's rules one by one, and chance.

mod fuzz;
mod rules;
mod suite;

use super::{Fault, Header, Progress, parse};

/// What becomes of `bytes`, and of every start of them: a start is never judged otherwise than by
/// asking for more, or by the fault that the whole has.
#[track_caller]
fn read(bytes: &[u8]) -> Result<Progress, Fault> {
    let whole = parse(bytes);
    for end in 0..bytes.len() {
        let part = parse(&bytes[..end]);
        match (part, whole) {
            (Ok(Progress::Partial), _) => {}
            (Ok(Progress::Complete { consumed, .. }), _) => {
                assert!(consumed <= end && part == whole, "{end}: {part:?}, {whole:?}");
            }
            (Err(_), _) => assert_eq!(part, whole, "the first {end}"),
        }
    }
    whole
}

/// A version 2 header.
fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).expect("short").to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[command, family], &length, block].concat()
}

/// The block of an IPv4 connection from 192.0.2.1:1000 to 198.51.100.2:443.
const IPV4: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 2, 3, 232, 1, 187];

fn proxied(source: &str, destination: &str) -> Header {
    let address = |text: &str| text.parse().expect("an address");
    Header::Proxied { source: address(source), destination: address(destination) }
}
