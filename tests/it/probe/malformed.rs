//! Malformed input, normalisation: refused, never repaired.

use super::{BAD, Case, OK, Want, case, chunked, get, post};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = whole();
    cases.extend(targets());
    cases.extend(fields());
    cases
}

fn whole() -> Vec<Case> {
    let too_large = Want::Statuses(&[431]);
    let garbage: Vec<u8> = (0..256_u16).map(|byte| (byte * 7 + 128).to_le_bytes()[0]).collect();
    let many = "x-h: v\r\n".repeat(10_000);
    vec![
        case("MAL-BINARY-GARBAGE", BAD, garbage),
        case("MAL-EMPTY-REQUEST", Want::Nothing, ""),
        case("MAL-INCOMPLETE-REQUEST", Want::Nothing, "GET / HTTP/1.1\r\nhost: it\r\nx-te"),
        case("MAL-WHITESPACE-ONLY-LINE", BAD, "   \r\n\r\n"),
        case(
            "MAL-H2-PREFACE",
            Want::OneOf(&[400, 505]),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        ),
        case(
            "MAL-LONG-METHOD",
            BAD,
            format!("{} / HTTP/1.1\r\nhost: it\r\n\r\n", "A".repeat(100_000)),
        ),
        case("MAL-MANY-HEADERS", too_large, get(&many)),
        case("MAL-LONG-HEADER-NAME", too_large, get(&format!("{}: v\r\n", "n".repeat(100_000)))),
        case("MAL-LONG-HEADER-VALUE", too_large, get(&format!("x: {}\r\n", "v".repeat(100_000)))),
        case(
            "MAL-CHUNK-EXT-64K",
            Want::OneOf(&[400, 431]),
            chunked(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "e".repeat(65_536))),
        ),
        case("MAL-CHUNK-SIZE-OVERFLOW", BAD, chunked("FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n")),
    ]
}

fn targets() -> Vec<Case> {
    let target = |text: &[u8]| [b"GET ", text, b" HTTP/1.1\r\nhost: it\r\n\r\n"].concat();
    let long = format!("/{}", "a".repeat(100_000));
    vec![
        case("MAL-LONG-URL", Want::Statuses(&[414]), target(long.as_bytes())),
        case("MAL-NON-ASCII-URL", BAD, target("/caf\u{e9}".as_bytes())),
        case("MAL-NUL-IN-URL", BAD, target(b"/te\0st")),
        case("MAL-URL-BACKSLASH", BAD, target(b"/path\\file")),
        case("MAL-URL-OVERLONG-UTF8", BAD, target(b"/\xc0\xaf")),
        case("MAL-URL-PERCENT-CRLF", BAD, target(b"/%0d%0aX-Injected:true")),
        case("MAL-URL-PERCENT-NULL", BAD, target(b"/file%00.html")),
    ]
}

fn fields() -> Vec<Case> {
    vec![
        case("MAL-CL-EMPTY", BAD, post("content-length: \r\n", "")),
        case("MAL-CL-OVERFLOW", BAD, post("content-length: 99999999999999999999\r\n", "")),
        case("MAL-CL-TAB-BEFORE-VALUE", OK, post("content-length:\t5\r\n", "hello")),
        case("MAL-CONTROL-CHARS-HEADER", BAD, get("x-test: a\x01\x02\x7fb\r\n")),
        case(
            "MAL-NON-ASCII-HEADER-NAME",
            BAD,
            [b"GET / HTTP/1.1\r\nhost: it\r\nX-T\xc3\xa9st: v\r\n\r\n".as_slice()].concat(),
        ),
        case("MAL-NUL-IN-HEADER-VALUE", BAD, get("x-test: a\0b\r\n")),
        case(
            "MAL-POST-CL-HUGE-NO-BODY",
            Want::Statuses(&[413]),
            post("content-length: 999999999999\r\n", ""),
        ),
        case("MAL-RANGE-OVERLAPPING", OK, get("range: bytes=0-,0-,0-,0-,0-,0-,0-\r\n")),
        case("NORM-CASE-TE", OK, post("TRANSFER-ENCODING: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")),
        case("NORM-SP-BEFORE-COLON-CL", BAD, post("content-length : 5\r\n", "hello")),
        case("NORM-TAB-IN-NAME", BAD, post("content\t-length: 5\r\n", "hello")),
        case("NORM-UNDERSCORE-CL", BAD, post("content_length: 5\r\n", "hello")),
        case(
            "NORM-UNDERSCORE-TE",
            BAD,
            post("transfer_encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        ),
    ]
}
