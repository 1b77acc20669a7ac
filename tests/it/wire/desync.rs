//! Where two readers of one connection could come to differ: statuses and methods that a mapping
//! changes, faults behind good pieces, answers and switches that overtake a body.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::harness::{Client, Gateway, Launch, Route, Upstream, ok, openapi, proxy_all_in};

fn start(upstream: &Upstream, timeout_millis: u32) -> Gateway {
    Launch::file("api.yaml", &proxy_all_in(upstream.address(), timeout_millis)).start()
}

fn start_with(upstream: &Upstream, method: &'static str, more: &str) -> Gateway {
    let uri = format!("http://{}/x", upstream.address());
    let mapped = Route::new("ANY", "/x", uri).more(more);
    let text = openapi(&[mapped]).replace("httpMethod: ANY", &format!("httpMethod: {method}"));
    Launch::file("api.yaml", &text).start()
}

/// Sends `request` twice on one connection and fails unless both get a whole answer.
#[track_caller]
fn check_in_step(gateway: &Gateway, request: &str, status: u16, body: &str) {
    let mut client = Client::connect(gateway.address);
    for _ in 0..2 {
        let answer = client.ask(request);
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{answer:?}");
    }
    client.assert_silent(Duration::from_millis(100));
}

#[test]
fn head_of_an_integration_that_gets_has_no_body() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for bytes in [ok("abc"), chunked.as_bytes().to_vec()] {
        let upstream = Upstream::answering(bytes);
        let gateway = start_with(&upstream, "GET", "");
        check_in_step(&gateway, "HEAD /x HTTP/1.1\r\nhost: it\r\n\r\n", 200, "");
        check_in_step(&gateway, "GET /x HTTP/1.1\r\nhost: it\r\n\r\n", 200, "abc");
    }
}

#[test]
fn an_integration_that_heads_a_get_waits_for_no_body() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
    let gateway = start_with(&upstream, "HEAD", "");
    check_in_step(&gateway, "GET /x HTTP/1.1\r\nhost: it\r\n\r\n", 200, "");
}

fn overwriting(from: u16, to: u16) -> String {
    format!("responseParameters: {{'{from}': {{'overwrite:statuscode': '{to}'}}}}")
}

#[test]
fn a_status_mapped_to_one_without_a_body_has_none() {
    let upstream = Upstream::answering(ok("abc"));
    for status in [204, 304] {
        let gateway = start_with(&upstream, "ANY", &overwriting(200, status));
        check_in_step(&gateway, "GET /x HTTP/1.1\r\nhost: it\r\n\r\n", status, "");
    }
}

#[test]
fn a_status_mapped_from_one_without_a_body_says_so() {
    for (status, head) in [
        (204, "HTTP/1.1 204 No Content\r\n\r\n"),
        (304, "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n"),
    ] {
        let upstream = Upstream::answering(head);
        let gateway = start_with(&upstream, "ANY", &overwriting(status, 200));
        check_in_step(&gateway, "GET /x HTTP/1.1\r\nhost: it\r\n\r\n", 200, "");
    }
}

fn chunked(chunks: &[u8]) -> Vec<u8> {
    let mut bytes = b"POST /b HTTP/1.1\r\nhost: it\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    bytes.extend_from_slice(chunks);
    bytes
}

/// The decoder was asked again after the fault, and read on in the middle of a line.
#[test]
fn a_fault_behind_a_good_chunk_is_still_a_fault() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream, 5_000);
    let mut client = Client::connect(gateway.address);
    client.send(chunked(b"3\r\nabc\r\n5Xyyy\r\n0\r\n\r\n"));
    client.answer().assert_refusal(400, "Bad Request");
    client.assert_closed();
    assert!(upstream.requests().is_empty(), "{:?}", upstream.requests());
}

/// The piece over the limit was dropped, and the body ended as if it were whole.
#[test]
fn a_body_that_ends_right_behind_its_limit_is_too_long() {
    const LIMIT: usize = 10 * 1024 * 1024;
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            peer.send(ok(request.body.len().to_string()));
        }
    });
    let gateway = start(&upstream, 30_000);
    for (over, status) in [(0, 200), (1, 413)] {
        let mut chunks = format!("{:x}\r\n", LIMIT - 100).into_bytes();
        chunks.resize(chunks.len() + LIMIT - 100, b'x');
        let mut client = Client::connect(gateway.address);
        client.send(chunked(&chunks));
        thread::sleep(Duration::from_millis(200));
        let more = if over == 0 { "" } else { "1\r\ny\r\n" };
        client.send(format!("\r\n64\r\n{}\r\n{more}0\r\n\r\n", "z".repeat(100)));
        assert_eq!(client.answer().status, status, "{over} over");
    }
    assert_eq!(upstream.requests().len(), 1, "the long one did not go up whole");
}

/// AWS counts an integration's time from the whole request on.
#[test]
fn a_slow_upload_is_not_the_upstreams_delay() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream, 400);
    let mut client = Client::connect(gateway.address);
    client.send("POST /b HTTP/1.1\r\nhost: it\r\ncontent-length: 10\r\n\r\n");
    for _ in 0..10 {
        thread::sleep(Duration::from_millis(100));
        client.send("x");
    }
    assert_eq!(client.answer().text(), "xxxxxxxxxx");
}

#[test]
fn an_upstream_that_is_silent_after_a_slow_upload_times_out() {
    let upstream = Upstream::start(|mut peer| {
        peer.request();
        peer.wait_for_close();
    });
    let gateway = start(&upstream, 400);
    let mut client = Client::connect(gateway.address);
    client.send("POST /b HTTP/1.1\r\nhost: it\r\ncontent-length: 4\r\n\r\n");
    let mut last = Instant::now();
    for _ in 0..4 {
        thread::sleep(Duration::from_millis(150));
        last = Instant::now();
        client.send("x");
    }
    assert_eq!(client.answer().status, 503);
    assert!(last.elapsed() >= Duration::from_millis(350), "{:?}", last.elapsed());
}

/// Server-sent events: the head says that the stream is open, long before the first event.
#[test]
fn a_head_does_not_wait_for_its_body() {
    let (told, go) = mpsc::channel::<()>();
    let go = std::sync::Mutex::new(go);
    let upstream = Upstream::start(move |mut peer| {
        if peer.request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
            let _ = go.lock().unwrap().recv();
            peer.send("data: 1\n\n");
        }
    });
    let gateway = start(&upstream, 5_000);
    let mut client = Client::connect(gateway.address);
    client.set_patience(Duration::from_secs(3));
    client.send("GET /s HTTP/1.1\r\nhost: it\r\n\r\n");
    assert_eq!(client.read(17), b"HTTP/1.1 200 OK\r\n");
    told.send(()).unwrap();
}

const UPGRADE: &str = "host: it\r\nconnection: upgrade\r\nupgrade: echo\r\n";
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";

/// The deadlines of the exchange stayed in force until the first byte.
#[test]
fn a_tunnel_may_be_idle_longer_than_an_answer_may_take() {
    let upstream = Upstream::start(|mut peer| {
        if peer.request().is_some() {
            peer.send(SWITCH);
            let heard = peer.read(5);
            peer.send(heard);
        }
    });
    let gateway = start(&upstream, 300);
    let mut client = Client::connect(gateway.address);
    client.send(format!("GET /t HTTP/1.1\r\n{UPGRADE}\r\n"));
    assert_eq!(client.answer().status, 101);
    thread::sleep(Duration::from_millis(900));
    client.send("hello");
    assert_eq!(client.read(5), b"hello");
}

/// The rest of a body has no place in a tunnel, and a switch to h2c would hide requests from the
/// routes.
#[test]
fn no_switch_is_asked_for_with_a_body_or_to_another_http() {
    let upstream = Upstream::answering(ok("plain"));
    let gateway = start(&upstream, 5_000);
    for request in [
        format!("GET /t HTTP/1.1\r\n{UPGRADE}content-length: 2\r\n\r\nhi"),
        "GET /t HTTP/1.1\r\nhost: it\r\nconnection: upgrade, http2-settings\r\n\
         upgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
            .to_owned(),
    ] {
        let mut client = Client::connect(gateway.address);
        assert_eq!(client.ask(request).text(), "plain");
    }
    for request in upstream.requests() {
        assert_eq!(request.field("upgrade"), None, "{request:?}");
    }
}
