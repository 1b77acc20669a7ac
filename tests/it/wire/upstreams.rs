//! The other hop: malformed answers, pools, the one retry, timeouts, dead upstreams.

use std::{
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use crate::harness::{
    Client, Gateway, Launch, Upstream, dead_address, eventually, exchange, ok, proxy_all,
    proxy_all_in,
};

fn start(upstream: &Upstream) -> Gateway {
    Launch::file("api.yaml", &proxy_all(upstream.address())).start()
}

const GET: &str = "GET /m HTTP/1.1\r\nhost: it\r\n\r\n";

/// Held to the same rules as a client's bytes: 502, and that connection is not used again.
#[test]
fn a_malformed_answer_is_a_bad_gateway() {
    let cases: [(&str, &[u8]); 19] = [
        ("no status line", b"nonsense\r\n\r\n"),
        ("bare LF", b"HTTP/1.1 200 OK\ncontent-length: 0\n\n"),
        ("bare LF in a field", b"HTTP/1.1 200 OK\r\ncontent-length: 0\nx: y\r\n\r\n"),
        ("bare CR", b"HTTP/1.1 200 OK\r\nx: a\rb\r\ncontent-length: 0\r\n\r\n"),
        ("NUL", b"HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n"),
        ("obs-fold", b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n"),
        ("space before the colon", b"HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n"),
        ("bad name", b"HTTP/1.1 200 OK\r\nx(y: 1\r\ncontent-length: 0\r\n\r\n"),
        (
            "both framings",
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"),
        ("bad length", b"HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\nabc"),
        ("negative length", b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
        ("huge length", b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n"),
        ("another coding", b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        (
            "chunked twice",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        ),
        ("status 99", b"HTTP/1.1 99 Low\r\ncontent-length: 0\r\n\r\n"),
        ("status 2000", b"HTTP/1.1 2000 High\r\ncontent-length: 0\r\n\r\n"),
        ("version 2", b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n"),
        ("no field name", b"HTTP/1.1 200 OK\r\n: x\r\ncontent-length: 0\r\n\r\n"),
    ];
    for (what, bytes) in cases {
        let upstream = Upstream::start(move |mut peer| {
            let is_bad = peer.number == 0;
            while peer.request().is_some() {
                if !is_bad {
                    peer.send(ok("good"));
                    continue;
                }
                peer.send(bytes);
            }
        });
        let gateway = start(&upstream);
        let mut client = Client::connect(gateway.address);
        let answer = client.ask(GET);
        assert_eq!(answer.status, 502, "{what}: {answer:?}");
        answer.assert_refusal(502, "Bad Gateway");
        assert_eq!(client.ask(GET).text(), "good", "{what}: the client's connection is fine");
        assert_eq!(upstream.connections(), 2, "{what}: the bad connection was used again");
    }
}

#[test]
fn an_upstream_that_closes_within_its_head_gave_no_answer() {
    let upstream = Upstream::start(|mut peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\ncontent-le");
    });
    let gateway = start(&upstream);
    let answer = exchange(gateway.address, GET);
    assert!(matches!(answer.status, 502 | 503), "{answer:?}");
    assert_eq!(upstream.requests().len(), 1, "it had begun to answer: no second try");
}

#[test]
fn a_head_without_end_is_a_bad_gateway() {
    let upstream = Upstream::start(|mut peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\n");
        while peer.send("x-more: and more\r\n") {}
    });
    let gateway = start(&upstream);
    let before = gateway.memory_kib();
    exchange(gateway.address, GET).assert_refusal(502, "Bad Gateway");
    assert!(gateway.memory_kib() < before + 8 * 1024);
}

#[test]
fn a_malformed_chunk_cuts_the_answer() {
    let bodies: [&[u8]; 5] = [
        b"3\r\nabcX\r\n0\r\n\r\n",
        b"zz\r\n",
        b"3\nabc\n0\n\n",
        b"-1\r\n",
        b" 3\r\nabc\r\n0\r\n\r\n",
    ];
    for body in bodies {
        let upstream = Upstream::start(move |mut peer| {
            while peer.request().is_some() {
                peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n");
                thread::sleep(Duration::from_millis(10));
                peer.send(body);
            }
        });
        let gateway = start(&upstream);
        let mut client = Client::connect(gateway.address);
        client.send(GET);
        let read = client.try_answer_to("GET");
        assert!(read.is_err(), "{:?} looked whole: {read:?}", body.escape_ascii().to_string());
        let _ = Client::connect(gateway.address).try_send(GET);
        eventually("the bad connection is closed", || {
            upstream.open() < upstream.connections().max(1)
        });
    }
}

/// Bytes that nobody asked for, after a whole answer: they must not become the next answer.
#[test]
fn bytes_after_an_answer_are_no_answer() {
    let upstream = Upstream::start(|mut peer| {
        while peer.request().is_some() {
            let mut bytes = ok("mine");
            bytes.extend(ok("forged"));
            peer.send(bytes);
        }
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    for _ in 0..5 {
        assert_eq!(client.ask(GET).text(), "mine");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(upstream.connections(), 5);
}

#[test]
fn pooled_connections_are_used_last_in_first_out() {
    let (gate, together) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3)));
    let both = Arc::clone(&together);
    let upstream = Upstream::start(move |mut peer| {
        while let Some(request) = peer.request() {
            if request.target == "/together" {
                both.wait();
            }
            peer.send(ok(peer.number.to_string()));
        }
    });
    let gateway = start(&upstream);
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (address, gate) = (gateway.address, Arc::clone(&gate));
            thread::spawn(move || {
                let mut client = Client::connect(address);
                gate.wait();
                client.get("/together").text()
            })
        })
        .collect();
    let mut used: Vec<String> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    used.sort();
    assert_eq!(used, ["0", "1", "2"], "three at once need three connections");
    let mut client = Client::connect(gateway.address);
    let first = client.get("/alone").text();
    for _ in 0..10 {
        assert_eq!(client.get("/alone").text(), first, "the warmest connection is used again");
    }
    assert_eq!(upstream.connections(), 3);
}

/// An idle pooled connection that the upstream closes is noticed, not used.
#[test]
fn a_closed_idle_connection_is_not_used() {
    let upstream = Upstream::start(|mut peer| {
        if peer.request().is_some() {
            peer.send(ok("once"));
        }
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    for _ in 0..5 {
        let post = "POST /p HTTP/1.1\r\nhost: it\r\ncontent-length: 1\r\n\r\nx";
        assert_eq!(client.ask(post).text(), "once", "not even a POST may meet the closed one");
        thread::sleep(Duration::from_millis(30));
    }
    assert_eq!(upstream.requests().len(), 5);
}

/// An upstream that says `Connection: close`, or speaks 1.0, gets no second request.
#[test]
fn an_upstream_that_closes_is_believed() {
    for head in ["HTTP/1.1 200 OK\r\nconnection: close", "HTTP/1.0 200 OK"] {
        let upstream = Upstream::answering(format!("{head}\r\ncontent-length: 2\r\n\r\nhi"));
        let gateway = start(&upstream);
        let mut client = Client::connect(gateway.address);
        for _ in 0..3 {
            let answer = client.ask(GET);
            assert_eq!((answer.version.as_str(), answer.text().as_str()), ("HTTP/1.1", "hi"));
            assert!(!answer.says_close(), "the hops are separate: {answer:?}");
        }
        assert_eq!(upstream.connections(), 3, "{head}");
    }
}

/// Serves one request per connection, then dies on the second one without a byte of answer.
fn dies_on_the_second() -> Upstream {
    Upstream::start(|mut peer| {
        if peer.request().is_some() {
            peer.send(ok(peer.number.to_string()));
            if peer.request().is_some() {
                peer.reset();
            }
        }
    })
}

#[test]
fn a_dead_reused_connection_is_retried_once() {
    let upstream = dies_on_the_second();
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    assert_eq!(client.ask(GET).text(), "0");
    assert_eq!(client.ask(GET).text(), "1", "sent again on a new connection");
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn what_is_not_idempotent_is_not_retried() {
    for method in ["POST", "PATCH"] {
        let upstream = dies_on_the_second();
        let gateway = start(&upstream);
        let mut client = Client::connect(gateway.address);
        let request = format!("{method} /p HTTP/1.1\r\nhost: it\r\ncontent-length: 1\r\n\r\nx");
        assert_eq!(client.ask(&request).status, 200);
        let answer = client.ask(&request);
        assert!(matches!(answer.status, 502 | 503), "{answer:?}");
        assert_eq!(upstream.requests().len(), 2, "{method} was sent again");
    }
}

#[test]
fn a_new_connection_that_dies_is_not_retried() {
    let upstream = Upstream::start(|mut peer| {
        if peer.request().is_some() {
            peer.reset();
        }
    });
    let gateway = start(&upstream);
    let answer = exchange(gateway.address, GET);
    assert!(matches!(answer.status, 502 | 503), "{answer:?}");
    assert_eq!(upstream.requests().len(), 1, "a new connection tells that the upstream is ill");
}

/// 2.5: an integration's timeout is 503, after `timeoutInMillis`.
#[test]
fn an_upstream_that_never_answers_times_out() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            if request.target != "/never" {
                peer.send(ok("quick"));
            }
        }
    });
    let gateway = Launch::file("api.yaml", &proxy_all_in(upstream.address(), 300)).start();
    let mut client = Client::connect(gateway.address);
    let started = Instant::now();
    let answer = client.get("/never");
    let waited = started.elapsed();
    answer.assert_refusal(503, "Service Unavailable");
    assert!(waited >= Duration::from_millis(280), "{waited:?}");
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    assert_eq!(client.get("/quick").text(), "quick");
    assert_eq!(upstream.connections(), 2, "the late answer must not meet the next request");
    eventually("the timed-out connection is closed", || upstream.open() == 1);
}

#[test]
fn a_refused_connection_is_unavailable() {
    let gateway = Launch::file("api.yaml", &proxy_all(dead_address())).start();
    let mut client = Client::connect(gateway.address);
    for _ in 0..3 {
        client.ask(GET).assert_refusal(503, "Service Unavailable");
    }
    let post = "POST /p HTTP/1.1\r\nhost: it\r\ncontent-length: 4\r\n\r\nbody";
    client.ask(post).assert_refusal(503, "Service Unavailable");
    client.ask(GET).assert_refusal(503, "Service Unavailable");
}

/// Receives that a long answer armed again kept earlier sends from being confirmed, and a
/// connection with an unconfirmed send is not put back: six of ten long answers cost a new one.
#[test]
fn connections_are_kept_after_long_answers_to_many_clients() {
    const CLIENTS: usize = 16;
    let body = "x".repeat(64 * 1_024);
    let upstream = Upstream::start(move |mut peer| {
        while peer.request().is_some() {
            peer.send(ok(&body));
        }
    });
    let gateway = Launch::file("api.yaml", &proxy_all(upstream.address())).shards(1).start();
    let address = gateway.address;
    let clients = (0..CLIENTS).map(|_| {
        thread::spawn(move || {
            let mut client = Client::connect(address);
            for _ in 0..100 {
                assert_eq!(client.ask(GET).text().len(), 64 * 1_024);
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    // Two may meet while one's connection is on its way back.
    let made = upstream.connections();
    assert!(made <= 2 * CLIENTS, "{made} connections for {CLIENTS} clients");
}
