//! What the writers write, what they refuse to write, and the bounds of chunked bodies.

use super::super::*;
use crate::{
    base::Shelf,
    http::{Case, HeadSink, Method, Name, RequestHead, Status},
};

fn head(write: impl FnOnce(&mut HeadWriter<'_>)) -> (String, u32) {
    let mut text = Vec::new();
    let mut writer = HeadWriter::new(&mut text);
    write(&mut writer);
    let dropped = writer.end();
    (String::from_utf8(text).expect("ASCII"), dropped)
}

#[test]
fn heads_are_written_as_rfc_9112_draws_them() {
    let (text, dropped) = head(|writer| {
        writer.request_line(Method::Put, b"/a?b=c");
        writer.field(b"Host", &[b"h.test", b":", b"80"]);
        writer.number(b"X-Number", 42);
        writer.framing(Framing::Length(7));
        writer.framing(Framing::None);
    });
    let expected =
        "PUT /a?b=c HTTP/1.1\r\nHost: h.test:80\r\nX-Number: 42\r\ncontent-length: 7\r\n\r\n";
    assert_eq!((text.as_str(), dropped), (expected, 0));
    let (text, _) = head(|writer| {
        writer.status_line(Status::GATEWAY_TIMEOUT);
        writer.framing(Framing::Chunked);
    });
    assert_eq!(text, "HTTP/1.1 504 Gateway Timeout\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_eq!(head(|writer| writer.status_line(Status::OK)).0, "HTTP/1.1 200 OK\r\n\r\n");
}

#[test]
fn nothing_written_can_end_a_line_early() {
    let (text, dropped) = head(|writer| {
        writer.request_line(Method::Get, b"/a b\r\nc\0\xE9");
        writer.field(b"A", &[b"b\r\nC: d"]);
        writer.field(b"A", &[b"b", b"\n"]);
        writer.field(b"A", &[b"\0"]);
        writer.field(b"A: b\r\nC", &[b"d"]);
        writer.field(b"", &[b"d"]);
        writer.field(b"A B", &[b"d"]);
        writer.field(b"Kept", &[b"tab\tand space"]);
        writer.field(b"Empty", &[]);
    });
    let expected = "GET /a%20b%0D%0Ac%00%E9 HTTP/1.1\r\nKept: tab\tand space\r\nEmpty: \r\n\r\n";
    assert_eq!((text.as_str(), dropped), (expected, 6));
}

#[test]
fn fields_are_forwarded_without_their_odd_spaces() {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n\
        Connection: close\r\nC:3\r\nD: \t4 \r\nE: 5\r\nF:\r\n\r\n";
    let shelf = Shelf::new(4096, 1);
    let buffer = shelf.gather(&[request]).expect("fits");
    let pool = RequestHead::pool(1);
    let mut scan = RequestScan::default();
    let parsed = parse_request(&buffer, &mut scan, pool.take(), &HeadLimits::REQUEST);
    let Ok(Progress::Complete { head: parsed, .. }) = parsed else { panic!("not parsed") };
    let (text, _) = head(|writer| {
        writer.forward(&parsed.bytes, &parsed.fields, Case::AsSent, |name, bytes| {
            name != Name::Connection && bytes != b"B"
        });
    });
    assert_eq!(text, "Host: a\r\nA: 1\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: \r\n\r\n");
    let (text, _) = head(|writer| {
        writer.forward(&parsed.bytes, &parsed.fields, Case::Lower, |_, bytes| bytes != b"B");
    });
    let lower = "host: a\r\na: 1\r\nconnection: close\r\nc: 3\r\nd: 4\r\ne: 5\r\nf: \r\n\r\n";
    assert_eq!(text, lower);
    let (text, _) = head(|writer| {
        writer.forward(&parsed.bytes, &parsed.fields, Case::AsSent, |_, _| false);
    });
    assert_eq!(text, "\r\n");
}

#[test]
fn chunk_heads_are_hex() {
    for (size, line) in [
        (1, "1\r\n"),
        (15, "f\r\n"),
        (16, "10\r\n"),
        (0xABC, "abc\r\n"),
        (65_536, "10000\r\n"),
        (usize::MAX, "ffffffffffffffff\r\n"),
    ] {
        let mut text = Vec::new();
        write_chunk_head(&mut text, size);
        assert_eq!(text, line.as_bytes());
    }
}

const LIMITS: ChunkLimits =
    ChunkLimits { line_bytes_max: 10, trailer_bytes_max: 20, fields_max: 2 };

/// The first fault, or `None` when the bytes are fine as far as they go; whole and byte by byte.
fn fault_of(body: &[u8]) -> Option<ChunkFault> {
    let whole = decode_all([body].into_iter()).err();
    assert_eq!(decode_all(body.chunks(1)).err(), whole, "{}", body.escape_ascii());
    whole
}

fn decode_all<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<ChunkedDecoder, ChunkFault> {
    let mut decoder = ChunkedDecoder::with_limits(LIMITS);
    for mut rest in pieces {
        while !rest.is_empty() {
            let consumed = match decoder.decode(rest)? {
                ChunkEvent::Data { consumed, .. } | ChunkEvent::More { consumed } => consumed,
                ChunkEvent::End { .. } => break,
            };
            rest = &rest[consumed..];
        }
    }
    Ok(decoder)
}

#[test]
fn chunked_bodies_at_their_limits_pass_and_one_beyond_is_refused() {
    for (body, fault) in [
        ("1;a=bcde\r\n", None),
        ("1;a=bcdef\r\n", Some(ChunkFault::LineTooLong)),
        ("0\r\nA: 345678901234\r\n\r\n", None),
        ("0\r\nA: 3456789012345678\r\n", Some(ChunkFault::Trailer(Fault::HeadTooLong))),
        ("0\r\nA:\r\nB:\r\n\r\n", None),
        ("0\r\nA:\r\nB:\r\nC:\r\n\r\n", Some(ChunkFault::Trailer(Fault::TooManyFields))),
    ] {
        assert_eq!(fault_of(body.as_bytes()), fault, "{body:?}");
    }
    let mut decoder = ChunkedDecoder::new();
    assert!(decoder.decode(b"ffffffffffffffff\r\n").is_ok());
    let mut decoder = ChunkedDecoder::new();
    assert_eq!(decoder.decode(b"00000000000000001\r\n"), Err(ChunkFault::Size));
}

#[test]
fn data_is_given_as_ranges_and_counted() {
    let mut decoder = ChunkedDecoder::new();
    let body = b"5\r\nhello\r\n0\r\n\r\nnext";
    assert_eq!(decoder.decode(body), Ok(ChunkEvent::Data { range: 3..8, consumed: 8 }));
    assert_eq!(decoder.decode(&body[8..]), Ok(ChunkEvent::End { consumed: 7 }));
    assert_eq!(decoder.decode(&body[15..]), Ok(ChunkEvent::End { consumed: 0 }));
    assert_eq!(decoder.decoded(), 5);
    assert!(decoder.take_trailers().is_empty());
}

#[test]
fn trailers_that_may_not_be_forwarded_are_dropped() {
    let mut decoder = ChunkedDecoder::new();
    let body = b"0\r\nX-Sum: 1\r\nHost: evil\r\nSet-Cookie: a\r\nConnection: b\r\nX-Two:2\r\n\r\n";
    assert_eq!(decoder.decode(body), Ok(ChunkEvent::End { consumed: body.len() }));
    let trailers = decoder.take_trailers();
    let mut text = Vec::new();
    write_last_chunk(&mut text, &trailers);
    assert_eq!(text, b"0\r\nX-Sum: 1\r\nX-Two: 2\r\n\r\n");
    let mut text = Vec::new();
    write_last_chunk(&mut text, &Trailers::default());
    assert_eq!(text, LAST_CHUNK);
}
