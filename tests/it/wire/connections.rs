//! Keep-alive, pipelining, HTTP/1.0, `Connection: close`, HEAD: whose connection lives how long.

use std::{
    fmt::Write,
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use crate::harness::{Client, Gateway, Launch, PATIENCE, Upstream, ok, proxy_all};

fn start(upstream: &Upstream) -> Gateway {
    Launch::file("api.yaml", &proxy_all(upstream.address())).start()
}

#[test]
fn one_connection_carries_many_requests() {
    let upstream = Upstream::answering(ok("pets"));
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    for _ in 0..100 {
        let answer = client.get("/pets");
        assert_eq!((answer.status, answer.text().as_str()), (200, "pets"));
        assert!(!answer.says_close());
    }
    assert_eq!(upstream.connections(), 1, "one request at a time needs one upstream connection");
    client.assert_silent(Duration::from_millis(50));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            // The first requests are the slowest: whoever answers out of order is found out.
            let number: u64 = request.target.trim_start_matches('/').parse().unwrap();
            thread::sleep(Duration::from_millis(10_u64.saturating_sub(number)));
            peer.send(ok(request.target));
        }
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    let mut text = String::new();
    for number in 0..20 {
        let _ = write!(text, "GET /{number} HTTP/1.1\r\nhost: it\r\n\r\n");
    }
    client.send(text);
    for number in 0..20 {
        assert_eq!(client.answer().text(), format!("/{number}"));
    }
}

/// A client that pipelines and does not read must be stopped by TCP, not held in memory.
#[test]
fn pipelining_is_bounded() {
    let upstream = Upstream::answering(ok(vec![b'x'; 1000]));
    let gateway = start(&upstream);
    let client = Client::connect(gateway.address);
    client.shrink_receive_buffer();
    let before = gateway.memory_kib();
    let mut sender = client.sender();
    sender.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let batch = "GET /p HTTP/1.1\r\nhost: it\r\n\r\n".repeat(1_000);
    let mut sent = 0_usize;
    while sent < 64 * 1024 * 1024 {
        match std::io::Write::write(&mut sender, batch.as_bytes()) {
            Ok(count) => sent += count,
            Err(_) => break,
        }
    }
    assert!(sent < 64 * 1024 * 1024, "the gateway took {sent} bytes of unanswered requests");
    let grown = gateway.memory_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "memory grew by {grown} KiB");
    assert_eq!(Client::connect(gateway.address).get("/other").status, 200);
}

#[test]
fn a_request_in_many_segments_is_one_request() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    let request = b"POST /s HTTP/1.1\r\nhost: it\r\ncontent-length: 5\r\n\r\nhello";
    for size in [1, 2, 3, 7] {
        client.send_split(request, size, Duration::from_micros(300));
        assert_eq!(client.answer().text(), "hello");
    }
}

#[test]
fn http_1_0_closes_unless_keep_alive_was_asked() {
    let upstream = Upstream::answering(ok("old"));
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    let answer = client.ask("GET /a HTTP/1.0\r\nhost: it\r\n\r\n");
    assert_eq!((answer.status, answer.text().as_str()), (200, "old"));
    client.assert_closed();

    let mut client = Client::connect(gateway.address);
    for _ in 0..3 {
        let answer = client.ask("GET /a HTTP/1.0\r\nhost: it\r\nconnection: keep-alive\r\n\r\n");
        assert_eq!(answer.text(), "old");
        let kept = answer.field("connection").map(str::to_ascii_lowercase);
        assert_eq!(kept.as_deref(), Some("keep-alive"), "1.0 keeps only what is said: {answer:?}");
    }
}

/// RFC 9112 6.1: no chunked to a 1.0 client; the end of the connection ends the body.
#[test]
fn an_http_1_0_client_gets_a_chunked_answer_until_close() {
    let answer =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npets\r\n3\r\n!!!\r\n0\r\n\r\n";
    let upstream = Upstream::answering(answer);
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    let answer = client.ask("GET /a HTTP/1.0\r\nhost: it\r\nconnection: keep-alive\r\n\r\n");
    assert!(!answer.is_chunked() && answer.field("content-length").is_none(), "{answer:?}");
    assert_eq!(answer.text(), "pets!!!");
    assert_eq!(upstream.only_request().version, "HTTP/1.1", "the hop behind is our own");
}

#[test]
fn connection_close_is_kept() {
    let upstream = Upstream::answering(ok("bye"));
    let gateway = start(&upstream);
    for field in ["connection: close", "Connection: CLOSE", "connection: x-one, close"] {
        let mut client = Client::connect(gateway.address);
        let answer = client.ask(format!("GET /a HTTP/1.1\r\nhost: it\r\n{field}\r\n\r\n"));
        assert_eq!(answer.text(), "bye");
        assert!(answer.says_close(), "{field}: {answer:?}");
        client.assert_closed();
    }
    assert_eq!(upstream.connections(), 1, "the client's close is not the upstream's");
}

#[test]
fn what_follows_connection_close_is_not_served() {
    let upstream = Upstream::answering(ok("bye"));
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    client.send(
        "GET /first HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n\
         GET /second HTTP/1.1\r\nhost: it\r\n\r\n",
    );
    assert_eq!(client.answer().text(), "bye");
    client.assert_closed();
    assert_eq!(upstream.only_request().target, "/first");
}

/// A client that has sent all it wants (FIN) still gets its answer.
#[test]
fn a_half_closed_client_gets_its_answer() {
    let upstream = Upstream::start(|mut peer| {
        while peer.request().is_some() {
            thread::sleep(Duration::from_millis(50));
            peer.send(ok("still there"));
        }
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    client.send("GET /a HTTP/1.1\r\nhost: it\r\n\r\n");
    client.finish_sending();
    assert_eq!(client.answer().text(), "still there");
    client.assert_closed();
}

/// Its FIN is not an end: that may be half a close. But what is sent then is met by a reset, which
/// nobody waited for; the upstream was held for as long as it was silent, up to 30 s.
#[test]
fn a_client_that_left_within_an_answer_frees_its_upstream() {
    check_that_leaving_frees_the_upstream(drop);
}

/// One byte of a next request fills what a client may have waiting, so its receive had ended.
#[test]
fn a_pipelining_client_that_left_within_an_answer_frees_its_upstream() {
    check_that_leaving_frees_the_upstream(|mut client| {
        client.send("G");
        thread::sleep(Duration::from_millis(100));
        drop(client);
    });
}

/// The client has a part of an answer when it leaves; the upstream sends one more and is silent.
#[track_caller]
fn check_that_leaving_frees_the_upstream(leave: impl FnOnce(Client)) {
    const SOON: Duration = Duration::from_secs(3);
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let upstream = Upstream::start(move |mut peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\none");
        thread::sleep(Duration::from_millis(300));
        peer.send("two");
        let since = Instant::now();
        let _ = tell.lock().unwrap().send((peer.wait_for_close(), since.elapsed()));
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    client.send("GET /a HTTP/1.1\r\nhost: it\r\n\r\n");
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\none") {
        text.extend(client.read(1));
    }
    leave(client);
    let (closed, after) = told.recv_timeout(PATIENCE).unwrap();
    assert!(closed && after < SOON, "the upstream was let go: {closed}, after {after:?}");
}

#[test]
fn head_has_the_fields_and_no_body() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            assert_eq!(request.method, "HEAD");
            let field = match request.target.as_str() {
                "/length" => "content-length: 1000",
                "/chunked" => "transfer-encoding: chunked",
                _ => "x-none: 1",
            };
            peer.send(format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n"));
        }
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    let head = |target| format!("HEAD {target} HTTP/1.1\r\nhost: it\r\n\r\n");
    assert_eq!(client.ask(head("/length")).field("content-length"), Some("1000"));
    assert_eq!(client.ask(head("/chunked")).field("content-length"), None);
    assert_eq!(client.ask(head("/none")).status, 200);
    // Were a byte of body sent, it would be read as the next answer's head.
    assert_eq!(client.ask(head("/length")).status, 200);
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_204_and_a_304_end_with_their_heads() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            peer.send(match request.target.as_str() {
                "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
                // RFC 9110 15.4.5 lets a 304 tell the length that a 200 would have had.
                "/304" => "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\ncontent-length: 99\r\n\r\n",
                _ => "HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n",
            });
        }
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    for _ in 0..3 {
        assert_eq!(client.get("/204").status, 204);
        let answer = client.get("/304");
        assert_eq!((answer.status, answer.field("etag")), (304, Some("\"a\"")));
        assert_eq!(client.get("/205").status, 205);
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn the_reason_phrase_and_unknown_codes_pass() {
    let upstream = Upstream::answering("HTTP/1.1 299 Very Fine\r\ncontent-length: 0\r\n\r\n");
    let gateway = start(&upstream);
    assert_eq!(Client::connect(gateway.address).get("/").status, 299);
    let upstream = Upstream::answering("HTTP/1.1 599 \r\ncontent-length: 0\r\n\r\n");
    let gateway = start(&upstream);
    assert_eq!(Client::connect(gateway.address).get("/").status, 599);
}
