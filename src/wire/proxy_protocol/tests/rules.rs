//! The specification's rules, one by one.

use super::{Fault, Header, IPV4, Progress, parse, proxied, read, v2};
use crate::base::{crc32c, limits::PROXY_HEADER_BYTES_MAX};

#[track_caller]
fn accepts(bytes: &[u8], header: Header) {
    let expected = Progress::Complete { header, consumed: bytes.len() };
    assert_eq!(read(bytes), Ok(expected));
    // What is behind it changes nothing.
    assert_eq!(parse(&[bytes, b"GET / HTTP/1.1\r\n"].concat()), Ok(expected));
    assert_eq!(parse(&[bytes, b"\r\n\r\n"].concat()), Ok(expected));
}

#[track_caller]
fn refuses(bytes: &[u8], fault: Fault) {
    assert_eq!(read(bytes), Err(fault), "{}", bytes.escape_ascii());
}

#[test]
fn lines_of_version_1() {
    let ends = proxied("192.168.0.1:56324", "192.168.0.11:443");
    accepts(b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", ends);
    let ends = proxied("255.255.255.255:65535", "255.255.255.255:65535");
    accepts(b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", ends);
    accepts(b"PROXY TCP6 2001:DB8::1 ::1 0 1\r\n", proxied("[2001:db8::1]:0", "[::1]:1"));
    let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    let line = format!("PROXY TCP6 {full} {full} 65535 65535\r\n");
    assert_eq!(line.len(), 104);
    let end = format!("[{full}]:65535");
    accepts(line.as_bytes(), proxied(&end, &end));
    accepts(b"PROXY UNKNOWN\r\n", Header::Own);
    accepts(b"PROXY UNKNOWN \x01\xff whatever\r\n", Header::Own);
    let longest = format!("PROXY UNKNOWN {full} {full} 65535 65535\r\n");
    assert_eq!(longest.len(), 107);
    accepts(longest.as_bytes(), Header::Own);
}

#[test]
fn faults_of_version_1() {
    let line = |rest: &str| format!("PROXY {rest}\r\n").into_bytes();
    for rest in [
        "",
        " TCP4 1.2.3.4 5.6.7.8 80 443",
        "TCP4",
        "TCP4 ",
        "TCP4 1.2.3.4 5.6.7.8 80",
        "TCP4 1.2.3.4 5.6.7.8 80 443 ",
        "TCP4  1.2.3.4 5.6.7.8 80 443",
        "TCP4 1.2.3.4\t5.6.7.8 80 443",
        "TCP4 1.2.3 5.6.7.8 80 443",
        "TCP4 1.2.3.04 5.6.7.8 80 443",
        "TCP4 1.2.3.256 5.6.7.8 80 443",
        "TCP4 ::1 ::1 80 443",
        "TCP6 1.2.3.4 5.6.7.8 80 443",
        "TCP6 1::2::3 ::1 80 443",
        "TCP6 [::1] ::1 80 443",
        "TCP6 fe80::1%1 ::1 80 443",
        "TCP6 12345::1 ::1 80 443",
        "TCP4 1.2.3.4 5.6.7.8 +80 443",
        "TCP4 1.2.3.4 5.6.7.8 080 443",
        "TCP4 1.2.3.4 5.6.7.8 00 443",
        "TCP4 1.2.3.4 5.6.7.8 65536 443",
        "TCP4 1.2.3.4 5.6.7.8 8a 443",
        "TCP4 1.2.3.4 5.6.7.8 80 -1",
        "TCP4 1.2.3.4 5.6.7.\u{0663} 80 1",
        "tcp4 1.2.3.4 5.6.7.8 80 443",
        "UDP4 1.2.3.4 5.6.7.8 80 443",
        "UNKNOWNX",
        "unknown",
    ] {
        refuses(&line(rest), Fault::Line);
    }
    refuses(b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443\n", Fault::Line);
    refuses(b"PROXY TCP4 1.2.3.4 5.6.7.8 80 443\r\r\n", Fault::Line);
    refuses(b"PROXY UNKNOWN a\rb\r\n", Fault::Line);
    refuses(b"PROXY UNKNOWN a\nb\r\n", Fault::Line);
    refuses(b"proxy TCP4 1.2.3.4 5.6.7.8 80 443\r\n", Fault::Absent);
    refuses(b"PROXYTCP4 1.2.3.4 5.6.7.8 80 443\r\n", Fault::Absent);
    refuses(b" PROXY UNKNOWN\r\n", Fault::Absent);
    refuses(b"\r\nPROXY UNKNOWN\r\n", Fault::Absent);
    refuses(b"GET / HTTP/1.1\r\n\r\n", Fault::Absent);
    // What TLS begins with.
    refuses(&[0x16, 3, 1, 2, 0], Fault::Absent);
    assert_eq!(read(b""), Ok(Progress::Partial));
}

#[test]
fn a_line_is_bounded() {
    let line = |count: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(count - 16));
    accepts(line(107).as_bytes(), Header::Own);
    refuses(line(108).as_bytes(), Fault::TooLong);
    refuses(line(109).as_bytes(), Fault::TooLong);
    refuses(&[b"PROXY UNKNOWN ".as_slice(), &[b'x'; 93]].concat(), Fault::TooLong);
    let one_less = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 92]].concat();
    assert_eq!(read(&one_less), Ok(Progress::Partial));
}

#[test]
fn headers_of_version_2() {
    let ends = proxied("192.0.2.1:1000", "198.51.100.2:443");
    accepts(&v2(0x21, 0x11, IPV4), ends);
    accepts(&v2(0x21, 0x12, IPV4), ends);
    let mut six = vec![0; 36];
    six[15] = 1;
    six[31] = 2;
    six[33] = 80;
    six[35] = 81;
    accepts(&v2(0x21, 0x21, &six), proxied("[::1]:80", "[::2]:81"));
    accepts(&v2(0x21, 0x22, &six), proxied("[::1]:80", "[::2]:81"));
    accepts(&v2(0x21, 0x31, &[b'/'; 216]), Header::Own);
    accepts(&v2(0x21, 0x32, &[0; 216]), Header::Own);
    accepts(&v2(0x21, 0x00, b""), Header::Own);
    accepts(&v2(0x21, 0x00, b"anything"), Header::Own);
    // Unspecified in one half: the addresses are ignored.
    for family in [0x01, 0x02, 0x10, 0x20, 0x30] {
        accepts(&v2(0x21, family, IPV4), Header::Own);
    }
    // A proxy's own connection: the block is discarded, whatever it says.
    for family in [0x00, 0x11, 0x21, 0x31, 0x99, 0xff] {
        accepts(&v2(0x20, family, b""), Header::Own);
        accepts(&v2(0x20, family, b"\x03\xff\xff!"), Header::Own);
    }
}

#[test]
fn faults_of_version_2() {
    for command in [0x00, 0x01, 0x10, 0x11, 0x22, 0x2f, 0x30, 0x31, 0xff] {
        refuses(&v2(command, 0x11, IPV4), Fault::Unknown);
    }
    for family in [0x13, 0x1f, 0x23, 0x33, 0x40, 0x41, 0xf1, 0xff] {
        refuses(&v2(0x21, family, IPV4), Fault::Unknown);
    }
    refuses(&v2(0x21, 0x11, &IPV4[..11]), Fault::Short);
    refuses(&v2(0x21, 0x21, &[0; 35]), Fault::Short);
    refuses(&v2(0x21, 0x31, &[0; 215]), Fault::Short);
    refuses(b"\r\n\r\n\0\r\nQUIT\r", Fault::Absent);
    refuses(b"\r\n\r\n\x01", Fault::Absent);
    assert_eq!(read(b"\r\n\r\n"), Ok(Progress::Partial));
}

/// An IPv4 header with these values behind the addresses.
fn with_values(values: &[u8]) -> Vec<u8> {
    v2(0x21, 0x11, &[IPV4, values].concat())
}

#[test]
fn values_fill_the_header() {
    let ends = proxied("192.0.2.1:1000", "198.51.100.2:443");
    for values in [
        b"\x02\x00\x03a.b".as_slice(),
        b"\x04\x00\x00",
        b"\x05\x00\x01x\xea\x00\x02yz",
        // HAProxy's and AWS's, and one nobody knows yet.
        b"\x20\x00\x05\x01\0\0\0\0\xff\x00\x01!",
        // Zeros, as some senders pad with: a row of empty values, and one or two over.
        &[0; 72],
        &[0; 73],
        &[0; 74],
        b"\x02\x00\x01a\0\0",
    ] {
        accepts(&with_values(values), ends);
    }
    for values in [
        b"\x02".as_slice(),
        b"\x02\x00",
        b"\x02\x00\x01",
        b"\x02\x00\x03ab",
        b"\x02\xff\xffab",
        b"\x02\x00\x01ab",
        b"\x02\x00\x01a\0\x01",
    ] {
        refuses(&with_values(values), Fault::Values);
    }
}

#[test]
fn a_checksum_is_checked() {
    assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
    let sealed = |before: &[u8], behind: &[u8]| {
        let mut header = with_values(&[before, b"\x03\x00\x04\0\0\0\0", behind].concat());
        let at = header.len() - behind.len() - 4;
        let sum = crc32c(header.iter().copied()).to_be_bytes();
        header[at..at + 4].copy_from_slice(&sum);
        header
    };
    let ends = proxied("192.0.2.1:1000", "198.51.100.2:443");
    accepts(&sealed(b"", b""), ends);
    accepts(&sealed(b"\x02\x00\x03a.b", b"\x04\x00\x01\0"), ends);
    let right = sealed(b"\x05\x00\x01x", b"");
    // Without its type it would be no checksum.
    let type_at = right.len() - 4 - 3;
    for place in (16..right.len()).filter(|place| *place != type_at) {
        let mut wrong = right.clone();
        wrong[place] ^= 0x40;
        assert!(read(&wrong).is_err(), "byte {place} is changed");
    }
    refuses(&with_values(b"\x03\x00\x04\0\0\0\0"), Fault::Checksum);
    refuses(&with_values(b"\x03\x00\x03\0\0\0"), Fault::Values);
    refuses(&with_values(b"\x03\x00\x05\0\0\0\0\0"), Fault::Values);
    refuses(&with_values(b"\x03\x00\x04\0\0\0\0\x03\x00\x04\0\0\0\0"), Fault::Values);
}

#[test]
fn a_header_is_bounded() {
    let noop = |total: usize| {
        let length = total - 16 - IPV4.len() - 3;
        let size = u16::try_from(length).unwrap().to_be_bytes();
        with_values(&[&[4, size[0], size[1]], vec![7; length].as_slice()].concat())
    };
    let ends = proxied("192.0.2.1:1000", "198.51.100.2:443");
    accepts(&noop(PROXY_HEADER_BYTES_MAX), ends);
    refuses(&noop(PROXY_HEADER_BYTES_MAX + 1), Fault::TooLong);
    // Told before the rest comes, and of a block that is ignored too.
    refuses(&v2(0x21, 0x11, &[0; 65_535])[..16], Fault::TooLong);
    refuses(&v2(0x20, 0x00, &[0; 65_535])[..16], Fault::TooLong);
}
