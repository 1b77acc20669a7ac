//! What the gateway says no to, byte by byte, and that nothing of it reaches the upstream.

use std::time::Duration;

use crate::harness::{Client, Gateway, Launch, Route, Upstream, exchange, ok, openapi};

fn start(upstream: &Upstream) -> Gateway {
    let to = upstream.address();
    let routes = [
        Route::new("GET", "/pets", format!("http://{to}/pets")),
        Route::new("POST", "/pets", format!("http://{to}/pets")),
        Route::new("ANY", "/any/{proxy+}", format!("http://{to}/{{proxy}}")),
    ];
    Launch::file("api.yaml", &openapi(&routes)).start()
}

/// Whether the connection survives the refusal.
#[derive(Clone, Copy, PartialEq, Debug)]
enum After {
    Kept,
    Closed,
}

#[test]
fn the_error_catalogue_byte_by_byte() {
    let upstream = Upstream::answering(ok(""));
    let gateway = start(&upstream);
    let mut cases = open_cases();
    cases.extend(closing_cases());
    for (what, request, status, message, after) in cases {
        let mut client = Client::connect(gateway.address);
        client.send(&request);
        let answer = client.answer();
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        answer.assert_refusal(status, message);
        assert!(answer.field("apigw-requestid").is_some(), "{what}: {answer:?}");
        assert_eq!(answer.says_close(), after == After::Closed, "{what}: {answer:?}");
        match after {
            After::Kept => assert_eq!(client.get("/pets").status, 200, "{what}"),
            After::Closed => client.assert_closed(),
        }
    }
    assert!(upstream.requests().iter().all(|request| request.target == "/pets"));
}

type Case = (&'static str, String, u16, &'static str, After);

fn get(rest: &str) -> String {
    format!("GET {rest}\r\n\r\n")
}

fn post(rest: &str) -> String {
    format!("POST /pets HTTP/1.1\r\nhost: it\r\n{rest}\r\n\r\n")
}

fn open_cases() -> Vec<Case> {
    let not_found = |what, request| (what, request, 404, "Not Found", After::Kept);
    vec![
        not_found("no such path", get("/none HTTP/1.1\r\nhost: it")),
        not_found("no such verb", "DELETE /pets HTTP/1.1\r\nhost: it\r\n\r\n".into()),
        not_found("trailing slash", get("/pets/ HTTP/1.1\r\nhost: it")),
    ]
}

fn closing_cases() -> Vec<Case> {
    let bad = |what, request| (what, request, 400, "Bad Request", After::Closed);
    let other = |what, request, status, text| (what, request, status, text, After::Closed);
    let long = |bytes| "x".repeat(bytes);
    let many = "x-many: 1\r\n".repeat(101);
    let fields = "Request Header Fields Too Large";
    vec![
        bad("two hosts", get("/pets HTTP/1.1\r\nhost: it\r\nhost: it")),
        bad("no host", get("/pets HTTP/1.1\r\nx: y")),
        bad("space before the colon", get("/pets HTTP/1.1\r\nhost : it")),
        bad("obs-fold", get("/pets HTTP/1.1\r\nhost: it\r\nx: a\r\n b")),
        bad("both framings", post("content-length: 5\r\ntransfer-encoding: chunked")),
        bad("bad length", post("content-length: 5x")),
        other("another coding", post("transfer-encoding: gzip, chunked"), 501, "Not Implemented"),
        other("too large", post("content-length: 10485761"), 413, "Request Entity Too Large"),
        other(
            "another expectation",
            post("expect: x\r\ncontent-length: 0"),
            417,
            "Expectation Failed",
        ),
        other(
            "long target",
            get(&format!("/{} HTTP/1.1\r\nhost: it", long(8_192))),
            414,
            "URI Too Long",
        ),
        other(
            "long head",
            get(&format!("/pets HTTP/1.1\r\nhost: it\r\nx: {}", long(10_240))),
            431,
            fields,
        ),
        other(
            "many fields",
            get(&format!("/pets HTTP/1.1\r\nhost: it\r\n{}", many.trim_end())),
            431,
            fields,
        ),
        other(
            "another version",
            get("/pets HTTP/2.0\r\nhost: it"),
            505,
            "HTTP Version Not Supported",
        ),
    ]
}

#[test]
fn a_refusal_of_head_has_no_body() {
    let upstream = Upstream::answering(ok(""));
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    for _ in 0..2 {
        let answer = client.ask("HEAD /none HTTP/1.1\r\nhost: it\r\n\r\n");
        assert_eq!((answer.status, answer.field("content-length")), (404, Some("23")));
    }
}

/// A refused request's body is taken (when small) and never read as the next request.
#[test]
fn the_body_of_a_refused_request_is_not_a_request() {
    let upstream = Upstream::answering(ok("pets"));
    let gateway = start(&upstream);
    let inner = "GET /pets HTTP/1.1\r\nhost: it\r\n\r\n";
    let length = inner.len();
    let mut client = Client::connect(gateway.address);
    client.send(format!(
        "POST /none HTTP/1.1\r\nhost: it\r\ncontent-length: {length}\r\n\r\n{inner}"
    ));
    let answer = client.answer();
    answer.assert_refusal(404, "Not Found");
    if answer.says_close() {
        client.assert_closed();
    } else {
        client.assert_silent(Duration::from_millis(100));
        assert_eq!(client.get("/pets").text(), "pets");
    }
    assert!(upstream.requests().len() <= 1);
}

#[test]
fn limits_hold_at_the_limit_and_one_more() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            peer.send(ok(request.body.len().to_string()));
        }
    });
    let gateway = start(&upstream);
    // The target alone.
    let target = |length: usize| format!("/any/{}", "t".repeat(length - "/any/".len()));
    let ask =
        |text: &str| exchange(gateway.address, format!("GET {text} HTTP/1.1\r\nhost: it\r\n\r\n"));
    assert_eq!(ask(&target(8_192)).status, 200);
    assert_eq!(ask(&target(8_193)).status, 414);
    // The whole head.
    let head = |length: usize| {
        let frame = "GET /pets HTTP/1.1\r\nhost: it\r\nx: \r\n\r\n".len();
        format!("GET /pets HTTP/1.1\r\nhost: it\r\nx: {}\r\n\r\n", "v".repeat(length - frame))
    };
    assert_eq!(exchange(gateway.address, head(10_240)).status, 200);
    assert_eq!(exchange(gateway.address, head(10_241)).status, 431);
    // The number of fields, Host among them.
    let fields = |count: usize| {
        format!("GET /pets HTTP/1.1\r\nhost: it\r\n{}\r\n", "a: b\r\n".repeat(count - 1))
    };
    assert_eq!(exchange(gateway.address, fields(100)).status, 200);
    assert_eq!(exchange(gateway.address, fields(101)).status, 431);
}

/// A chunked body has no announced length: the limit is met on the way.
#[test]
fn a_chunked_body_over_the_limit_is_refused_on_the_way() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            peer.send(ok(request.body.len().to_string()));
        }
    });
    let gateway = start(&upstream);
    const LIMIT: usize = 10 * 1024 * 1024;
    let send = |length: usize| {
        let mut client = Client::connect(gateway.address);
        client.send("POST /pets HTTP/1.1\r\nhost: it\r\ntransfer-encoding: chunked\r\n\r\n");
        let piece = vec![b'c'; 1024 * 1024];
        let mut left = length;
        while left > 0 {
            let size = left.min(piece.len());
            let mut chunk = format!("{size:x}\r\n").into_bytes();
            chunk.extend_from_slice(&piece[..size]);
            chunk.extend(b"\r\n");
            if client.try_send(&chunk).is_err() {
                break;
            }
            left -= size;
        }
        let _ = client.try_send("0\r\n\r\n");
        client.try_answer_to("POST")
    };
    let answer = send(LIMIT).unwrap();
    assert_eq!((answer.status, answer.text()), (200, LIMIT.to_string()));
    let answer = send(LIMIT + 1).unwrap();
    answer.assert_refusal(413, "Request Entity Too Large");
    assert!(upstream.requests().iter().all(|request| request.body.len() <= LIMIT));
}

/// `limits::HEAD_WAIT` is 10 seconds; an idle connection before its first byte may wait longer.
#[test]
fn a_head_that_does_not_end_is_given_up() {
    let upstream = Upstream::answering(ok("pets"));
    let gateway = start(&upstream);
    let mut slow = Client::connect(gateway.address);
    let mut idle = Client::connect(gateway.address);
    slow.send("GET /pets HTTP/1.1\r\n");
    let started = std::time::Instant::now();
    let answer = slow.answer();
    let waited = started.elapsed();
    answer.assert_refusal(408, "Request Timeout");
    slow.assert_closed();
    assert!(waited > Duration::from_secs(9) && waited < Duration::from_secs(12), "{waited:?}");
    assert_eq!(idle.get("/pets").text(), "pets");
}
