//! Bodies in both directions: framing, trailers, size, streaming, backpressure.

use std::{
    io::{Read, Write},
    thread,
    time::{Duration, Instant},
};

use crate::harness::{Client, Gateway, Launch, Upstream, ok, pattern, proxy_all, show};

fn start(upstream: &Upstream) -> Gateway {
    Launch::file("api.yaml", &proxy_all(upstream.address())).start()
}

fn post_chunked(chunks: &[&[u8]], trailers: &str) -> Vec<u8> {
    let mut bytes = b"POST /b HTTP/1.1\r\nhost: it\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in chunks {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(format!("0\r\n{trailers}\r\n").bytes());
    bytes
}

#[test]
fn a_request_keeps_its_framing() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    let answer = client.ask("POST /l HTTP/1.1\r\nhost: it\r\ncontent-length: 3\r\n\r\nabc");
    assert_eq!(answer.text(), "abc");
    assert_eq!(client.ask(post_chunked(&[b"wiki", b"pedia"], "")).text(), "wikipedia");
    assert_eq!(client.ask(post_chunked(&[], "")).text(), "");
    let answer = client.ask("POST /e HTTP/1.1\r\nhost: it\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(answer.text(), "");
    let requests = upstream.requests();
    assert_eq!(requests[0].field("content-length"), Some("3"));
    assert!(requests[1].is_chunked() && requests[2].is_chunked());
    // RFC 9110 8.6: a POST without content says so.
    assert_eq!(requests[3].field("content-length"), Some("0"));
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_get_without_a_body_declares_none() {
    let upstream = Upstream::answering(ok(""));
    let gateway = start(&upstream);
    Client::connect(gateway.address).get("/");
    let request = upstream.only_request();
    assert_eq!((request.field("content-length"), request.is_chunked()), (None, false));
}

#[test]
fn chunk_boundaries_may_fall_anywhere() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    let request = post_chunked(&[b"wiki", b"p", b"edia in chunks"], "");
    for size in [1, 2, 5, 11] {
        client.send_split(&request, size, Duration::from_micros(200));
        assert_eq!(client.answer().text(), "wikipedia in chunks");
    }
}

#[test]
fn chunk_extensions_are_dropped() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream);
    let answer = Client::connect(gateway.address).ask(
        "POST /x HTTP/1.1\r\nhost: it\r\ntransfer-encoding: chunked\r\n\r\n\
         3;name=value;q=\"a;b\"\r\nabc\r\n0;last\r\n\r\n",
    );
    // The upstream's reader fails on extensions.
    assert_eq!(answer.text(), "abc");
}

#[test]
fn request_trailers_travel() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    let answer = client.ask(post_chunked(&[b"sum me"], "x-checksum: 42\r\nx-second: b\r\n"));
    assert_eq!(answer.text(), "sum me");
    let request = upstream.only_request();
    let trailer = |name: &str| {
        let mut found = request.trailers.iter().filter(|field| field.0.eq_ignore_ascii_case(name));
        found.next().map(|field| field.1.clone())
    };
    assert_eq!(trailer("x-checksum").as_deref(), Some("42"), "{request:?}");
    assert_eq!(trailer("x-second").as_deref(), Some("b"), "{request:?}");
}

/// Trailers that would frame, route or authorise anything must never reach the upstream.
#[test]
fn dangerous_trailers_do_not_travel() {
    for name in ["content-length", "transfer-encoding", "host", "authorization", "content-type"] {
        let upstream = Upstream::echoing();
        let gateway = start(&upstream);
        let mut client = Client::connect(gateway.address);
        client.send(post_chunked(&[b"abc"], &format!("{name}: 1\r\n")));
        if let Ok(answer) = client.try_answer_to("POST") {
            assert!(matches!(answer.status, 200 | 400), "{name}: {answer:?}");
        }
        for request in upstream.requests() {
            assert!(request.trailers.is_empty(), "{name} was forwarded: {request:?}");
        }
    }
}

/// A fault behind good data: the decoder must not begin again at the bytes before the fault, where
/// `F_` would read as a chunk of 15 bytes and the rest as a well-formed body.
#[test]
fn a_fault_behind_a_good_chunk_is_a_fault() {
    let bodies = [
        "5\r\nhello\r\nF_\r\n0\r\n\r\nAAAAAA\r\n0\r\n\r\n",
        "5\r\nhello\r\n1_\r\nx\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\ncontent-length: 50\r\n\r\n",
        "5\r\nhello\r\n0\r\ntransfer-encoding: chunked\r\n\r\n",
        "5\r\nhello\r\n0\r\nx: y\n\r\n",
    ];
    for body in bodies {
        let upstream = Upstream::echoing();
        let gateway = start(&upstream);
        let mut client = Client::connect(gateway.address);
        client.send(format!(
            "POST /f HTTP/1.1\r\nhost: it\r\ntransfer-encoding: chunked\r\n\r\n{body}"
        ));
        client.answer_to("POST").assert_refusal(400, "Bad Request");
        client.assert_closed();
        assert_eq!(
            upstream.requests().len(),
            0,
            "{body:?} reached the upstream as a whole request"
        );
    }
}

#[test]
fn response_trailers_travel() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
         5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n",
    );
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    for _ in 0..3 {
        let answer = client.get("/t");
        assert_eq!(answer.text(), "hello");
        assert_eq!(answer.trailers, [("x-sum".to_owned(), "7".to_owned())]);
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_close_delimited_answer_is_reframed() {
    let upstream = Upstream::start(|mut peer| {
        peer.request();
        peer.send_split(
            b"HTTP/1.1 200 OK\r\nx-a: b\r\n\r\nuntil the end",
            9,
            Duration::from_millis(3),
        );
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    for _ in 0..3 {
        let answer = client.get("/c");
        assert_eq!(answer.text(), "until the end");
        assert!(answer.is_chunked(), "a 1.1 client can keep its connection: {answer:?}");
    }
    assert_eq!(upstream.connections(), 3);
}

/// 10 MB is the largest request body; both ways, both framings, checked byte by byte.
#[test]
fn big_bodies_arrive_whole() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            if request.target == "/chunked" {
                peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
                for (index, piece) in request.body.chunks(99_991).enumerate() {
                    peer.send(format!("{:X}\r\n", piece.len()));
                    peer.send(piece);
                    peer.send("\r\n");
                    if index % 40 == 0 {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
                peer.send("0\r\n\r\n");
            } else {
                peer.send(ok(&request.body));
            }
        }
    });
    let gateway = start(&upstream);
    let body = pattern(7, 10 * 1024 * 1024);
    for (target, is_chunked) in [("/length", false), ("/chunked", false), ("/chunked", true)] {
        let mut client = Client::connect(gateway.address);
        let (mut sender, body_sent) = (client.sender(), body.clone());
        let sending = thread::spawn(move || {
            let framing = match is_chunked {
                true => "transfer-encoding: chunked".to_owned(),
                false => format!("content-length: {}", body_sent.len()),
            };
            let head = format!("POST {target} HTTP/1.1\r\nhost: it\r\n{framing}\r\n\r\n");
            sender.write_all(head.as_bytes()).unwrap();
            if !is_chunked {
                return sender.write_all(&body_sent).unwrap();
            }
            for piece in body_sent.chunks(70_001) {
                sender.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
                sender.write_all(piece).unwrap();
                sender.write_all(b"\r\n").unwrap();
            }
            sender.write_all(b"0\r\n\r\n").unwrap();
        });
        let answer = client.answer_to("POST");
        sending.join().unwrap();
        assert!(answer.body == body, "{target}: {} of {} bytes", answer.body.len(), body.len());
    }
}

/// No buffering: the first bytes arrive while the rest does not even exist.
#[test]
fn both_directions_stream() {
    let upstream = Upstream::start(|mut peer| {
        let mut request = peer.head().unwrap();
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        for _ in 0..3 {
            let piece = peer.read(64);
            peer.send(format!("{:x}\r\n", piece.len()));
            peer.send(&piece);
            peer.send("\r\n");
            request.body.extend(piece);
        }
        peer.send("0\r\n\r\n");
        peer.record(&request);
        peer.wait_for_close();
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    client.send("POST /s HTTP/1.1\r\nhost: it\r\ncontent-length: 9\r\n\r\n");
    let mut raw = client.read("HTTP/1.1 200 OK\r\n".len());
    for piece in ["one", "two", "six"] {
        client.send(piece);
        // Each echo comes before the next piece is sent: neither hop waits for more.
        while !raw.ends_with(format!("{piece}\r\n").as_bytes()) {
            raw.extend(client.read(1));
        }
    }
    assert!(client.read(5) == *b"0\r\n\r\n", "{}", show(&raw));
    assert_eq!(upstream.only_request().body, b"onetwosix");
}

/// A slow reader stops the upstream; the gateway does not hold the difference in memory.
#[test]
fn a_slow_reader_costs_no_memory() {
    const LENGTH: usize = 64 * 1024 * 1024;
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            if request.target == "/small" {
                peer.send(ok("small"));
                continue;
            }
            peer.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n"));
            let piece = pattern(3, 1024 * 1024);
            for _ in 0..LENGTH / piece.len() {
                peer.send(&piece);
            }
        }
    });
    let gateway = start(&upstream);
    assert_eq!(Client::connect(gateway.address).get("/small").status, 200);
    let before = gateway.memory_kib();
    let mut client = Client::connect(gateway.address);
    client.send("GET /big HTTP/1.1\r\nhost: it\r\n\r\n");
    thread::sleep(Duration::from_millis(700));
    let grown = gateway.memory_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "memory grew by {grown} KiB for a client that reads nothing");
    let answer = client.answer();
    assert_eq!(answer.body.len(), LENGTH);
    let piece = pattern(3, 1024 * 1024);
    assert!(answer.body.chunks(piece.len()).all(|part| part == piece), "the body was changed");
}

/// The same the other way: an upstream that does not read stops the uploading client.
#[test]
fn a_slow_upstream_costs_no_memory() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(mut request) = peer.head() {
            if request.target == "/u" {
                thread::sleep(Duration::from_millis(700));
            }
            peer.read_body(&mut request);
            peer.send(ok(request.body.len().to_string()));
        }
    });
    // One shard: the other one's blocks would not have been touched.
    let definition = proxy_all(upstream.address());
    let gateway = Launch::file("api.yaml", &definition).shards(1).start();
    let body = vec![b'u'; 10 * 1024 * 1024];
    let stall = || {
        let before = gateway.memory_kib();
        let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(gateway.address)).collect();
        let senders: Vec<_> = clients
            .iter()
            .map(|client| {
                let (mut sender, body) = (client.sender(), body.clone());
                thread::spawn(move || {
                    let head = format!(
                        "PUT /u HTTP/1.1\r\nhost: it\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    sender.write_all(head.as_bytes()).unwrap();
                    sender.write_all(&body).unwrap();
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(500));
        let grown = gateway.memory_kib().saturating_sub(before);
        for (client, sender) in clients.iter_mut().zip(senders) {
            assert_eq!(client.answer_to("PUT").text(), body.len().to_string());
            sender.join().unwrap();
        }
        grown
    };
    // The blocks that bodies are received into are memory once they are touched, in turn, and stay
    // it: growth means something when the same has been before. 40 MiB are sent each time.
    let grown: Vec<u64> = (0..4).map(|_| stall()).collect();
    let least = grown[1..].iter().min().unwrap();
    let all: u64 = grown.iter().sum();
    assert!(
        *least < 2 * 1024 && all < 36 * 1024,
        "memory grew by {grown:?} KiB for an upstream \
             that reads nothing"
    );
}

/// An upstream may answer (a 403, say) before it has read the body; the client gets that answer.
#[test]
fn an_early_answer_reaches_the_uploading_client() {
    let upstream = Upstream::start(|mut peer| {
        let Some(_) = peer.head() else { return };
        peer.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
        // As servers do: take what still comes for a moment.
        while !peer.read(65_536).is_empty() {}
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    client.send("POST /early HTTP/1.1\r\nhost: it\r\ncontent-length: 8000000\r\n\r\n");
    client.send(vec![b'e'; 100_000]);
    let answer = client.answer_to("POST");
    assert_eq!((answer.status, answer.text().as_str()), (403, "no"));
    // The other 7.9 MB were announced: nothing but the end can follow on this connection.
    let _ = client.try_send(vec![b'e'; 1000]);
    let start = Instant::now();
    drop(client.read_to_end());
    assert!(start.elapsed() < Duration::from_secs(10), "the connection was not ended");
}

/// The same with a keep-alive answer whose upstream never reads the rest.
#[test]
fn an_early_answer_does_not_poison_the_pool() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(mut request) = peer.head() {
            if request.method == "POST" {
                peer.send("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n");
                thread::sleep(Duration::from_millis(300));
                return;
            }
            peer.read_body(&mut request);
            peer.send(ok("fresh"));
        }
    });
    let gateway = start(&upstream);
    for _ in 0..3 {
        let mut client = Client::connect(gateway.address);
        client.send("POST /early HTTP/1.1\r\nhost: it\r\ncontent-length: 5000000\r\n\r\nabc");
        assert_eq!(client.answer_to("POST").status, 413);
        drop(client);
        // What the gateway still owed that upstream must not be joined with this one.
        assert_eq!(Client::connect(gateway.address).get("/next").text(), "fresh");
    }
}

/// An answer that ends early must not look complete.
#[test]
fn a_cut_answer_is_cut_for_the_client_too() {
    for head in ["content-length: 100", "transfer-encoding: chunked"] {
        let upstream = Upstream::start(move |mut peer| {
            peer.request();
            peer.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n10\r\n0123456789"));
            thread::sleep(Duration::from_millis(30));
        });
        let gateway = start(&upstream);
        let mut client = Client::connect(gateway.address);
        client.send("GET /cut HTTP/1.1\r\nhost: it\r\n\r\n");
        let fault = client.try_answer_to("GET");
        assert!(fault.is_err(), "a cut answer looked whole: {fault:?}");
    }
}

/// A client that gives up must not leave its upstream connection in the pool.
#[test]
fn a_client_that_leaves_ends_its_exchange() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            if request.target == "/slow" {
                peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nfirst");
                assert!(peer.wait_for_close(), "the gateway still waits for a client that left");
                return;
            }
            peer.send(ok("next"));
        }
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    client.send("GET /slow HTTP/1.1\r\nhost: it\r\n\r\n");
    let mut first = [0; 15];
    client.sender().read_exact(&mut first).unwrap();
    drop(client);
    crate::harness::eventually("the upstream connection ends", || upstream.open() == 0);
    assert_eq!(Client::connect(gateway.address).get("/next").text(), "next");
}
