//! What heads say once parsed, and every bound at its limit and one beyond.

use super::super::*;
use crate::{
    base::{Pooled, Shelf},
    http::{
        ConnectionOptions, Method, Name, RequestHead, ResponseHead, Status, Version,
        listed_in_connection,
    },
};

const LIMITS: HeadLimits =
    HeadLimits { head_bytes_max: 100, target_bytes_max: 10, fields_max: 3, body_bytes_max: 1000 };

/// Parses whole and byte by byte under these limits; both must agree on the refusal.
fn parse(text: &[u8], limits: &HeadLimits) -> Result<Option<Pooled<RequestHead>>, Refusal> {
    let shelf = Shelf::new(1 << 16, 4);
    let pool = RequestHead::pool(4);
    let buffer = |end: usize| shelf.gather(&[&text[..end]]).expect("fits");
    let whole =
        parse_request(&buffer(text.len()), &mut RequestScan::default(), pool.take(), limits);
    let mut scan = RequestScan::default();
    let mut last = None;
    for end in 1..=text.len() {
        last = Some(parse_request(&buffer(end), &mut scan, pool.take(), limits));
        if !matches!(last, Some(Ok(Progress::Partial))) {
            break;
        }
    }
    let told = |outcome: &Result<Progress<Pooled<RequestHead>>, Refusal>| match outcome {
        Ok(Progress::Partial) => "partial".to_owned(),
        Ok(Progress::Complete { consumed, .. }) => format!("{consumed} bytes"),
        Err(refusal) => format!("{refusal:?}"),
    };
    assert_eq!(last.as_ref().map(told), Some(told(&whole)), "{}", text.escape_ascii());
    match whole? {
        Progress::Partial => Ok(None),
        Progress::Complete { head, .. } => Ok(Some(head)),
    }
}

fn parse_whole(text: &str) -> Pooled<RequestHead> {
    parse(text.as_bytes(), &HeadLimits::REQUEST).expect("accepted").expect("whole")
}

#[track_caller]
fn check_status(text: &str, status: u16) {
    let told = match parse(text.as_bytes(), &LIMITS) {
        Ok(Some(_)) => 200,
        Ok(None) => 0,
        Err(refusal) => refusal.status().code(),
    };
    assert_eq!(told, status, "{text:?}");
}

/// A head of exactly this many bytes.
fn head_of(bytes: usize) -> String {
    let frame = "GET / HTTP/1.0\r\nA: \r\n\r\n".len();
    format!("GET / HTTP/1.0\r\nA: {}\r\n\r\n", "x".repeat(bytes - frame))
}

#[test]
fn heads_at_their_limits_pass_and_one_beyond_is_refused() {
    check_status(&head_of(100), 200);
    check_status(&head_of(101), 431);
    check_status(&format!("\r\n{}", head_of(98)), 200);
    check_status(&format!("\r\n{}", head_of(99)), 431);
    check_status("GET /123456789 HTTP/1.0\r\n\r\n", 200);
    check_status("GET /1234567890 HTTP/1.0\r\n\r\n", 414);
    check_status("GET / HTTP/1.0\r\nA:\r\nB:\r\nC:\r\n\r\n", 200);
    check_status("GET / HTTP/1.0\r\nA:\r\nB:\r\nC:\r\nD:\r\n\r\n", 431);
    check_status("GET / HTTP/1.0\r\nContent-Length: 1000\r\n\r\n", 200);
    check_status("GET / HTTP/1.0\r\nContent-Length: 1001\r\n\r\n", 413);
    check_status(&format!("{} / HTTP/1.0\r\n\r\n", "M".repeat(32)), 501);
    check_status(&format!("{} / HTTP/1.0\r\n\r\n", "M".repeat(33)), 400);
}

#[test]
fn a_head_that_cannot_become_valid_is_refused_before_its_end() {
    for (text, status) in [
        ("\u{16}", 400),
        ("GET /12345678901", 414),
        ("GET / HTTP/1.1\r\nA:\r\nB:\r\nC:\r\nD", 431),
        ("GET / HTTP/3.0\r", 505),
        ("GET / HTTX", 400),
        ("GET / HTTP/1.1\r\nbad name", 400),
        ("GET / HTTP/1.1\r\nA: \0", 400),
    ] {
        check_status(text, status);
    }
    let endless = format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(81));
    check_status(&endless[..99], 0);
    check_status(&endless[..100], 431);
}

#[test]
fn the_bounds_of_the_crate_hold_too() {
    let limits = HeadLimits::REQUEST;
    let long = head_of(limits.head_bytes_max);
    let parsed = parse_one(long.as_bytes(), &limits).expect("at the limit");
    assert_eq!(parsed.fields().find(Name::Other).map(<[u8]>::len), Some(long.len() - 23));
    let longer = head_of(limits.head_bytes_max + 1);
    assert_eq!(
        parse_one(longer.as_bytes(), &limits).err(),
        Some(Refusal::Fault(Fault::HeadTooLong))
    );
    let fields = |count: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert!(parse_one(fields(limits.fields_max).as_bytes(), &limits).is_ok());
    let refusal = parse_one(fields(limits.fields_max + 1).as_bytes(), &limits).err();
    assert_eq!(refusal, Some(Refusal::Fault(Fault::TooManyFields)));
}

fn parse_one(text: &[u8], limits: &HeadLimits) -> Result<Pooled<RequestHead>, Refusal> {
    let shelf = Shelf::new(1 << 16, 1);
    let buffer = shelf.gather(&[text]).expect("fits");
    let pool = RequestHead::pool(1);
    match parse_request(&buffer, &mut RequestScan::default(), pool.take(), limits)? {
        Progress::Complete { head, .. } => Ok(head),
        Progress::Partial => panic!("not whole"),
    }
}

#[test]
fn a_request_head_says_what_was_sent() {
    let head = parse_whole(
        "\r\nPOST /a%20b?c=d HTTP/1.1\r\nHost: Example.test:8080\r\nX-A:  one \t\r\n\
         Content-Length: 3\r\nExpect: 100-continue\r\nConnection: Upgrade, X-A\r\n\
         Upgrade: websocket\r\nEmpty:\r\n\r\nabc",
    );
    assert_eq!((head.method, head.version), (Method::Post, Version::Http11));
    assert_eq!(head.target().path, b"/a%20b");
    assert_eq!(head.target().query, Some(&b"c=d"[..]));
    assert_eq!(head.authority().host, b"Example.test");
    assert_eq!(head.authority().port, Some(8080));
    assert_eq!(head.framing, Framing::Length(3));
    assert!(head.expects_continue);
    let connection = ConnectionOptions { keep_alive: true, upgrade: true, lists_fields: true };
    assert_eq!(head.connection, connection);
    assert!(
        listed_in_connection(head.fields(), b"x-a") && !listed_in_connection(head.fields(), b"x-b")
    );
    assert_eq!(head.fields().named(b"x-a").next(), Some(&b"one"[..]));
    assert_eq!(head.fields().named(b"empty").next(), Some(&b""[..]));
    assert!(head.bytes.starts_with(b"POST") && head.bytes.ends_with(b"\r\n\r\n"));
}

#[test]
fn an_absolute_target_gives_path_and_host() {
    for (target, path, query, port) in [
        ("http://h.test", "/", None, 80),
        ("http://h.test?q=1", "/", Some("q=1"), 80),
        ("http://h.test:80/a?b", "/a", Some("b"), 80),
        ("https://h.test/a", "/a", None, 443),
    ] {
        let head = parse_whole(&format!("GET {target} HTTP/1.1\r\nHost: H.test\r\n\r\n"));
        assert_eq!(head.target().path, path.as_bytes(), "{target}");
        assert_eq!(head.target().query, query.map(str::as_bytes), "{target}");
        assert_eq!(head.authority().host, b"h.test");
        assert_eq!(head.port, Some(port));
    }
    assert!(parse_whole("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").is_asterisk());
}

#[test]
fn keep_alive_follows_version_and_connection() {
    for (version, connection, keep_alive) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: keep-alive, CLOSE\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let head = parse_whole(&format!("GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n"));
        assert_eq!(head.connection.keep_alive, keep_alive, "{version} {connection}");
    }
    let old = parse_whole("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert!(!old.connection.upgrade, "an Upgrade in HTTP/1.0 is ignored (RFC 9110 7.8)");
}

#[test]
fn a_continue_is_expected_only_before_a_body_of_http11() {
    for (request, expected) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n", true),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", true),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n", false),
        ("POST / HTTP/1.1\r\nHost: a\r\n", false),
        ("POST / HTTP/1.0\r\nContent-Length: 1\r\n", false),
    ] {
        let head = parse_whole(&format!("{request}Expect: 100-continue\r\n\r\n"));
        assert_eq!(head.expects_continue, expected, "{request}");
    }
}

fn response(text: &str) -> Result<Pooled<ResponseHead>, Malformed> {
    let shelf = Shelf::new(1 << 16, 1);
    let buffer = shelf.gather(&[text.as_bytes()]).expect("fits");
    let pool = ResponseHead::pool(1);
    let mut scan = ResponseScan::default();
    match parse_response(&buffer, &mut scan, pool.take(), &HeadLimits::RESPONSE)? {
        Progress::Complete { head, .. } => Ok(head),
        Progress::Partial => panic!("not whole: {text:?}"),
    }
}

#[test]
fn the_framing_of_an_answer_follows_rfc_9112_6_3() {
    for (method, start, fields, framing) in [
        (Method::Get, "HTTP/1.1 200 OK", "", Framing::UntilClose),
        (Method::Get, "HTTP/1.1 200", "Content-Length: 5\r\n", Framing::Length(5)),
        (Method::Get, "HTTP/1.1 200 ", "Transfer-Encoding: CHUNKED\r\n", Framing::Chunked),
        (Method::Head, "HTTP/1.1 200 OK", "Content-Length: 5\r\n", Framing::None),
        (Method::Get, "HTTP/1.1 304 Not Modified", "Content-Length: 5\r\n", Framing::None),
        (Method::Get, "HTTP/1.0 204 No Content", "Content-Length: 0\r\n", Framing::None),
        (Method::Get, "HTTP/1.1 103 Early Hints", "", Framing::None),
        (Method::Get, "HTTP/1.1 101 Switching Protocols", "", Framing::None),
    ] {
        let head = response(&format!("{start}\r\n{fields}\r\n")).expect(start);
        assert_eq!(response_framing(method, &head), framing, "{start} {fields}");
    }
    assert_eq!(response("HTTP/1.1 599 \r\n\r\n").map(|head| head.status.code()), Ok(599));
    assert!(
        response("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            .is_ok_and(|head| head.status == Status::OK && !head.connection.keep_alive)
    );
}

#[test]
fn a_malformed_answer_is_named() {
    use Malformed::{Fault as Wrong, Reason, Status, Version};
    for (text, malformed) in [
        ("HTTP/1.1 099 \r\n\r\n", Status),
        ("HTTP/1.1 600 \r\n\r\n", Status),
        ("HTTP/1.1 20 OK\r\n\r\n", Status),
        ("HTTP/1.1 2000 OK\r\n\r\n", Status),
        ("HTTP/2.0 200 OK\r\n\r\n", Version),
        ("HTTP/1.2 200 OK\r\n\r\n", Version),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", Version),
        ("ICY 200 OK\r\n\r\n", Version),
        ("HTTP/1.1 200 O\0K\r\n\r\n", Reason),
        ("HTTP/1.1 200 OK\n\r\n", Wrong(Fault::BareLf)),
        ("HTTP/1.1 200 OK\n\n", Wrong(Fault::BareLf)),
        ("HTTP/1.1 200\n\r\n", Wrong(Fault::BareLf)),
        ("HTTP/1.1 200 OK\nA: b\r\n\r\n", Wrong(Fault::BareLf)),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", Wrong(Fault::Folded)),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Wrong(Fault::SpaceBeforeColon)),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            Wrong(Fault::LengthTwice),
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", Wrong(Fault::Length)),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            Wrong(Fault::LengthAndCoding),
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Wrong(Fault::Coding)),
        ("HTTP/1.1 204 OK\r\nTransfer-Encoding: gzip\r\n\r\n", Wrong(Fault::Coding)),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Wrong(Fault::CodingInHttp10)),
    ] {
        assert_eq!(response(text).err(), Some(malformed), "{text:?}");
    }
}
