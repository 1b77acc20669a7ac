//! Answers on their way from HTTP/1.1 to HTTP/2: heads, bodies, trailers, and bodies that were cut.
//!
//! The raw client judges the form: names in lower case, no field of the connection, no block that
//! cannot be decoded.

use crate::harness::{Gateway, Route, Upstream, ok, openapi, proxy_all};

use super::{
    client::{Answer, End, Event, RawClient},
    frame::{self, END_HEADERS, END_STREAM, NO_ERROR, data, headers, kind},
    hpack::block,
    target::{launch, request},
};

fn start(upstream: &Upstream) -> Gateway {
    launch(&proxy_all(upstream.address()), "").start()
}

/// The answer to one GET, by an upstream that sends these bytes and closes.
fn answer_to(method: &str, bytes: impl AsRef<[u8]>) -> Result<Answer, End> {
    let bytes = bytes.as_ref().to_vec();
    let upstream = Upstream::start(move |mut peer| {
        if peer.request().is_some() {
            peer.send(&bytes);
        }
    });
    let gateway = start(&upstream);
    let mut client = RawClient::open(gateway.address);
    let answer = client.ask(1, &request(method, "/"), b"");
    // Whatever became of the stream, the connection lives on.
    client.send(&frame::ping(0, *b"alive?!\0"));
    client.wait_for(kind::PING).unwrap_or_else(|why| panic!("{why}: {}", client.story()));
    answer
}

#[track_caller]
fn whole(method: &str, bytes: impl AsRef<[u8]>) -> Answer {
    answer_to(method, bytes).unwrap_or_else(|end| panic!("{method}: {end}"))
}

#[test]
fn a_head_of_http1_becomes_one_of_http2() {
    let answer = whole(
        "GET",
        "HTTP/1.1 200 Fine By Me\r\nX-Mixed-Case: Value\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\n\
         connection: x-private\r\nx-private: 1\r\nkeep-alive: timeout=5\r\nupgrade: h2c\r\n\
         proxy-connection: close\r\nx-empty:\r\nx-latin: caf\u{e9}\r\ncontent-length: 4\r\n\r\nbody",
    );
    assert_eq!((answer.status, answer.text().as_str()), (200, "body"));
    assert_eq!(answer.all("x-mixed-case"), ["Value"]);
    assert_eq!(answer.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(answer.all("content-length"), ["4"]);
    assert_eq!(answer.all("x-empty"), [""]);
    assert_eq!(answer.all("x-latin"), ["caf\u{e9}"]);
    assert_eq!(answer.all("x-private"), [""; 0], "named by connection");
    assert_eq!(answer.all("keep-alive"), [""; 0]);
    assert_eq!(answer.all("apigw-requestid").len(), 1);
}

#[test]
fn chunks_become_data_and_trailers_stay() {
    let answer = whole(
        "GET",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
         4\r\nfour\r\n4\r\nfour\r\n0\r\nX-Sum: 8\r\n\r\n",
    );
    assert_eq!(answer.text(), "fourfour");
    assert_eq!(answer.all("content-length"), [""; 0]);
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "8".to_owned())]);
    let empty = whole("GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_eq!((empty.text().as_str(), empty.trailers.len()), ("", 0));
}

#[test]
fn a_body_that_ends_with_its_connection_is_whole() {
    let answer = whole("GET", "HTTP/1.1 200 OK\r\n\r\nuntil the end");
    assert_eq!(answer.text(), "until the end");
}

#[test]
fn answers_without_a_body_end_with_their_head() {
    let head = whole("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n");
    assert_eq!((head.status, head.all("content-length"), head.body.len()), (200, vec!["1234"], 0));
    for bytes in [
        "HTTP/1.1 204 No Content\r\nx-a: 1\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nx-a: 1\r\ncontent-length: 7\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 0\r\n\r\n",
    ] {
        let upstream = Upstream::answering(bytes);
        let gateway = start(&upstream);
        let mut client = RawClient::open(gateway.address);
        client.send(&headers(1, frame::WHOLE, block(&request("GET", "/"))));
        let head = client.wait_for(kind::HEADERS).unwrap();
        assert!(head.has(END_STREAM), "{bytes:?}: {}", client.story());
    }
}

/// As in HTTP/1.1, where the final answer stands for all.
#[test]
fn interim_answers_of_the_upstream_stay_behind() {
    let answer = whole(
        "GET",
        "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody",
    );
    assert_eq!((answer.interims.len(), answer.status), (0, 200));
    assert_eq!(answer.text(), "body");
}

/// A body that was cut must not look like one that ended (RFC 9113 8.1).
#[test]
fn a_cut_body_resets_its_stream() {
    for bytes in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nnot a hundred",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n5\r\ncu",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\nzz\r\n",
    ] {
        let outcome = answer_to("GET", bytes);
        assert!(
            matches!(outcome, Err(End::Reset(code)) if code != NO_ERROR),
            "{bytes:?}: {outcome:?}"
        );
    }
}

#[test]
fn what_is_no_answer_is_a_bad_gateway() {
    for bytes in [
        "",
        "HTTP/1.1 200 OK\nx: y\n\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let answer = whole("GET", bytes);
        assert!(matches!(answer.status, 502 | 503), "{bytes:?}: {answer:?}");
        assert!(answer.text().starts_with("{\"message\":"), "{answer:?}");
    }
}

#[test]
fn a_path_without_a_route_is_not_found() {
    let upstream = Upstream::answering(ok("never"));
    let route = Route::new("GET", "/here", format!("http://{}/", upstream.address()));
    let gateway = launch(&openapi(&[route]), "").start();
    let mut client = RawClient::open(gateway.address);
    let answer = client.ask(1, &request("GET", "/elsewhere"), b"").unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (404, "{\"message\":\"Not Found\"}"));
    // With a body that nobody reads, too.
    let answer = client.ask(3, &request("POST", "/elsewhere"), &[b'x'; 60_000]).unwrap();
    assert_eq!(answer.status, 404, "{}", client.story());
    assert_eq!(client.ask(5, &request("GET", "/here"), b"").unwrap().status, 200);
    assert_eq!(upstream.requests().len(), 1);
}

/// The client waits for 100 before it sends a byte (RFC 9110 10.1.1).
#[test]
fn a_client_that_expects_100_gets_it() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream);
    let mut client = RawClient::open(gateway.address);
    let mut fields = request("POST", "/");
    fields.extend([("expect", "100-continue"), ("content-length", "4")]);
    client.send(&headers(1, END_HEADERS, block(&fields)));
    let interim = client.wait_for(kind::HEADERS).unwrap();
    assert!(!interim.has(END_STREAM), "{}", client.story());
    assert_eq!(client.interim_of(interim), Ok(100));
    client.send(&data(1, END_STREAM, "body"));
    let answer = client.answer(1).unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "body"));
}

/// The upstream says no before it has read everything; the client still hears it.
#[test]
fn an_answer_may_overtake_the_body() {
    let upstream = Upstream::start(|mut peer| {
        if peer.head().is_some() {
            peer.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
            peer.wait_for_close();
        }
    });
    let gateway = start(&upstream);
    let mut client = RawClient::open(gateway.address);
    client.send(&headers(1, END_HEADERS, block(&request("POST", "/"))));
    client.send(&data(1, 0, [b'x'; 1_000]));
    let answer = client.answer(1).unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (403, "no"), "{}", client.story());
    let answer = client.ask(3, &request("GET", "/"), b"");
    assert_eq!(answer.map(|answer| answer.status), Ok(403), "{}", client.story());
}

/// The host of a stream is its `:authority`; each of them may go to another domain.
#[test]
fn streams_of_one_connection_go_to_the_domains_they_name() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            peer.send(ok(request.target));
        }
    });
    let domains = "domainNames:
  - {domainName: a.example.com, apiMappings: [{api: it, stage: $default, apiMappingKey: v1}]}
  - domainName: '*.b.example.com'
    routingMode: ROUTING_RULE_ONLY
    routingRules:
      - priority: 1
        conditions: {matchHeaders: [{anyOf: [{header: host, valueGlob: x.*}]}]}
        action: {api: it, stage: $default}\n";
    let gateway = launch(&proxy_all(upstream.address()), domains).start();
    let mut client = RawClient::open(gateway.address);
    let mut ask = |stream: u32, authority: &str, path: &str| {
        let fields =
            [(":method", "GET"), (":scheme", "http"), (":authority", authority), (":path", path)];
        let answer = client.ask(stream, &fields, b"");
        answer.map(|answer| (answer.status, answer.text())).unwrap_or_else(|end| panic!("{end}"))
    };
    assert_eq!(ask(1, "a.example.com", "/v1/x"), (200, "/x".to_owned()));
    assert_eq!(ask(3, "x.B.example.com.:8080", "/v1/x"), (200, "/v1/x".to_owned()));
    assert_eq!(ask(5, "y.b.example.com", "/v1/x").0, 404);
    assert_eq!(ask(7, "a.example.com", "/v2").0, 404);
    assert_eq!(ask(9, "127.0.0.1", "/v1/x").0, 404);
    assert_eq!(ask(11, "A.example.com", "/ping"), (200, "healthy".to_owned()));
}

/// curl 7.88 loses an answer that a RST_STREAM comes along with, whatever its code: a client that
/// sends on what nobody wants is heard out for a while, as over HTTP/1.1.
#[test]
fn a_refusal_before_the_body_comes_without_a_reset() {
    let upstream = Upstream::answering(ok("known"));
    let route = Route::new("GET", "/known", format!("http://{}/", upstream.address()));
    let gateway = launch(&openapi(&[route]), "").start();
    let mut client = RawClient::open(gateway.address);
    client.send(&headers(1, END_HEADERS, block(&request("POST", "/nowhere"))));
    let answer = client.answer(1).unwrap_or_else(|end| panic!("{end}"));
    assert_eq!(answer.status, 404);
    for piece in 0..20 {
        let flags = if piece == 19 { END_STREAM } else { 0 };
        client.send(&data(1, flags, vec![b'x'; 10_000]));
    }
    client.send(&frame::ping(0, *b"alive?!\0"));
    loop {
        match client.next() {
            Event::Frame(frame) if frame.kind == kind::PING => break,
            Event::Frame(frame) => assert!(frame.kind != kind::RST_STREAM, "{}", client.story()),
            Event::Closed | Event::Silence => panic!("{}", client.story()),
        }
    }
    // Who sends nothing more is let go.
    client.send(&headers(3, END_HEADERS, block(&request("POST", "/nowhere"))));
    assert_eq!(client.answer(3).map(|answer| answer.status).ok(), Some(404));
    let reset = client.wait_for(kind::RST_STREAM).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((reset.stream, reset.code()), (3, Some(NO_ERROR)));
}
