//! Fuzz targets that also run briefly here (`cargo bolero test NAME` runs them long). Inputs are
//! put together from pieces of HTTP, so that many come close to being valid. A failure prints its
//! input and seed (`BOLERO_RANDOM_SEED` replays it).

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{
    super::*,
    reader::{Requests, Responses, Side, read_pieces, tell_request},
};
use crate::{
    base::{Pooled, Shelf},
    http::{Case, HeadSink, RequestHead},
};

const ITERATIONS: usize = 4_000;

const PIECES: [&str; 64] = [
    "GET / HTTP/1.1\r\n",
    "POST /a?b HTTP/1.1\r\n",
    "GET / HTTP/1.0\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 204\r\n",
    "HTTP/1.0 304 Not Modified\r\n",
    "HTTP/1.1 100 \r\n",
    "GET http://h.test/x HTTP/1.1\r\n",
    "Host: h.test\r\n",
    "Host: h.test\r\n\r\n",
    "Host: [::1]:1\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 3\r\n\r\nabc",
    "Content-Length: 0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\n\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive, x\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: websocket\r\n",
    "3\r\nabc\r\n",
    "a;x=\"y\"\r\n0123456789\r\n",
    "0\r\n",
    "0\r\n\r\n",
    "X: y\r\n",
    "X:\ty \r\n",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    ";",
    "=",
    "\"",
    "\\",
    "\0",
    "\u{7f}",
    "/",
    "?",
    "#",
    "%41",
    "%",
    "..",
    ".",
    "*",
    "http://",
    "HTTP/1.1",
    "HTTP/1.",
    "GET",
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    ",",
    "chunked",
    "5",
    "f",
    "-",
    "+",
    "_",
    "@",
    "GET /%2e/ HTTP/1.1\r\nHost: a\r\n",
];

/// Bytes from the fuzzer as a message: below 192 a piece of HTTP, above a byte as it is.
fn compose(recipe: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in recipe {
        match part {
            0..192 => bytes.extend_from_slice(PIECES[usize::from(*part) % PIECES.len()].as_bytes()),
            _ => bytes.push(*part),
        }
    }
    bytes
}

/// Runs a target. `check` says whether the input was accepted: a target that accepts next to
/// nothing tests next to nothing, so it fails. `prefix` starts half of the inputs.
fn fuzz(prefix: &'static [u8], check: impl Fn(&[u8]) -> bool + std::panic::RefUnwindSafe) {
    let accepted = AtomicUsize::new(0);
    bolero::check!().with_iterations(ITERATIONS).with_type::<(bool, Vec<u8>)>().for_each(
        |(with_prefix, recipe)| {
            let start = if *with_prefix { prefix } else { b"" };
            let is_accepted = check(&[start, &compose(recipe)].concat());
            accepted.fetch_add(usize::from(is_accepted), Ordering::Relaxed);
        },
    );
    let accepted = accepted.into_inner();
    assert!(accepted > ITERATIONS / 400, "only {accepted} of {ITERATIONS} were accepted");
}

/// Whole, byte by byte and in thirds: the same reading.
fn check_splits<S: Side>(bytes: &[u8]) -> bool {
    let whole = read_pieces::<S>(&[bytes]);
    assert!(whole.consumed <= bytes.len());
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read_pieces::<S>(&single), whole);
    let thirds: Vec<&[u8]> = bytes.chunks(bytes.len() / 3 + 1).collect();
    assert_eq!(read_pieces::<S>(&thirds), whole);
    whole.heads > 0
}

fn parse_one(bytes: &[u8]) -> Option<(Pooled<RequestHead>, usize)> {
    let shelf = Shelf::new(1 << 16, 1);
    let buffer = shelf.gather(&[bytes])?;
    let pool = RequestHead::pool(1);
    let mut scan = RequestScan::default();
    match parse_request(&buffer, &mut scan, pool.take(), &HeadLimits::REQUEST) {
        Ok(Progress::Complete { head, consumed }) => Some((head, consumed)),
        _ => None,
    }
}

#[test]
fn requests() {
    fuzz(b"POST /a HTTP/1.1\r\nHost: h.test\r\n", |bytes| {
        check_splits::<Requests>(bytes);
        let Some((head, consumed)) = parse_one(bytes) else { return false };
        check_against_httparse(&bytes[..consumed], &head);
        check_rewritten(&head);
        true
    });
}

/// httparse sees the same fields.
fn check_against_httparse(bytes: &[u8], head: &RequestHead) {
    let mut slots = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut slots);
    assert_eq!(parsed.parse(bytes), Ok(httparse::Status::Complete(bytes.len())));
    assert_eq!(parsed.method, Some(head.method.as_str()));
    let theirs = parsed.headers.iter().map(|header| (header.name.as_bytes(), header.value));
    assert!(head.fields().iter().map(|(_, name, value)| (name, value)).eq(theirs));
}

/// Written anew, it is read as the same request.
fn check_rewritten(head: &RequestHead) {
    let mut text = Vec::new();
    let mut writer = HeadWriter::new(&mut text);
    let mut target = head.target().path.to_vec();
    if let Some(query) = head.target().query {
        target.push(b'?');
        target.extend_from_slice(query);
    }
    writer.request_line(head.method, &target);
    writer.forward(&head.bytes, &head.fields, Case::AsSent, |_, _| true);
    assert_eq!(writer.end(), 0);
    let again = parse_one(&text);
    if head.version == crate::http::Version::Http10 {
        // It is written as HTTP/1.1, which needs a Host.
        return;
    }
    let (again, consumed) = again.expect("what was accepted once is accepted again");
    assert_eq!(consumed, text.len());
    if head.bytes.windows(3).any(|window| window == b"://") {
        // An absolute target's port was the scheme's default.
        assert_eq!(again.target(), head.target());
        return;
    }
    assert_eq!(tell_request(&again), tell_request(head));
}

#[test]
fn responses() {
    fuzz(b"HTTP/1.1 200 OK\r\n", check_splits::<Responses>);
}

#[test]
fn chunked_bodies() {
    fuzz(b"3\r\nabc\r\n", |bytes| {
        let whole = decode([bytes].into_iter());
        assert_eq!(decode(bytes.chunks(1)), whole);
        assert_eq!(decode(bytes.chunks(bytes.len() / 3 + 1)), whole);
        let Some((data, trailers)) = whole else { return false };
        let mut text = Vec::new();
        for piece in data.chunks(7) {
            write_chunk_head(&mut text, piece.len());
            text.extend_from_slice(piece);
            text.extend_from_slice(CHUNK_END);
        }
        text.extend_from_slice(&trailers);
        assert_eq!(decode([text.as_slice()].into_iter()), Some((data, trailers)));
        true
    });
}

/// The data and the rewritten end of a whole body; `None` when it is refused or not whole.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut decoder = ChunkedDecoder::new();
    let mut data = Vec::new();
    for mut rest in pieces {
        while !rest.is_empty() {
            let consumed = match decoder.decode(rest).ok()? {
                ChunkEvent::Data { range, consumed } => {
                    data.extend_from_slice(&rest[range]);
                    consumed
                }
                ChunkEvent::More { consumed } => consumed,
                ChunkEvent::End { .. } => {
                    assert_eq!(decoder.decoded(), data.len() as u64);
                    let mut end = Vec::new();
                    write_last_chunk(&mut end, &decoder.take_trailers());
                    return Some((data, end));
                }
            };
            assert!(consumed > 0 && consumed <= rest.len());
            rest = &rest[consumed..];
        }
    }
    None
}
