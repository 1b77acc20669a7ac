//! Header fields on their way: what is dropped, what is added, what must stay as it was.

use std::{collections::HashSet, net::SocketAddr};

use crate::harness::{Client, Gateway, Launch, Upstream, exchange, gateway_file, ok, proxy_all};

fn start(upstream: &Upstream) -> Gateway {
    Launch::file("api.yaml", &proxy_all(upstream.address())).start()
}

const HOP_BY_HOP: [&str; 8] = [
    "keep-alive: timeout=5",
    "proxy-connection: keep-alive",
    "proxy-authenticate: Basic",
    "proxy-authorization: Basic eDp5",
    "te: trailers",
    "trailer: x-sum",
    "upgrade: h2c",
    "x-private: 1",
];

#[test]
fn hop_by_hop_fields_of_a_request_end_here() {
    let upstream = Upstream::answering(ok(""));
    let gateway = start(&upstream);
    let request = format!(
        "GET /h HTTP/1.1\r\nhost: it\r\nconnection: keep-alive, X-Private\r\n{}\r\n\
         x-public: 1\r\n\r\n",
        HOP_BY_HOP.join("\r\n")
    );
    assert_eq!(exchange(gateway.address, request).status, 200);
    let request = upstream.only_request();
    for line in HOP_BY_HOP {
        let name = line.split(':').next().unwrap();
        assert_eq!(request.field(name), None, "{name} reached the upstream: {request:?}");
    }
    assert_eq!(request.field("x-public"), Some("1"));
}

#[test]
fn hop_by_hop_fields_of_an_answer_end_here() {
    let hop_by_hop = "keep-alive: timeout=5\r\nproxy-connection: keep-alive\r\nupgrade: h2c\r\n\
                      x-private: 1\r\nconnection: X-Private, keep-alive";
    let upstream = Upstream::answering(format!(
        "HTTP/1.1 200 OK\r\n{hop_by_hop}\r\nx-public: 1\r\ncontent-length: 0\r\n\r\n"
    ));
    let gateway = start(&upstream);
    let answer = exchange(gateway.address, "GET /h HTTP/1.1\r\nhost: it\r\n\r\n");
    for name in ["keep-alive", "proxy-connection", "upgrade", "x-private"] {
        assert_eq!(answer.field(name), None, "{name}: {answer:?}");
    }
    assert_eq!(answer.field("x-public"), Some("1"));
}

/// RFC 9110 7.6.1: `Connection` may not name what is meant for the far end, least of all framing.
#[test]
fn connection_cannot_drop_end_to_end_fields() {
    let upstream = Upstream::echoing();
    let gateway = start(&upstream);
    let answer = exchange(
        gateway.address,
        "POST /h HTTP/1.1\r\nhost: it\r\nconnection: content-length, host\r\n\
         content-length: 3\r\n\r\nabc",
    );
    assert!(matches!(answer.status, 200 | 400), "{answer:?}");
    if answer.status == 200 {
        assert_eq!(answer.text(), "abc");
        assert_eq!(upstream.only_request().field("content-length"), Some("3"));
        assert!(upstream.only_request().field("host").is_some());
    }
}

#[test]
fn end_to_end_fields_keep_their_values_and_order() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nX-Mixed: Case\r\nset-cookie: b=2\r\n\
         server: theirs\r\nx-empty:\r\nx-obs: caf\u{e9}\r\ncontent-length: 0\r\n\r\n",
    );
    let gateway = start(&upstream);
    let answer = exchange(
        gateway.address,
        "GET /f?b=2&a=1&a=%20x HTTP/1.1\r\nhost: it\r\ncookie: a=1\r\nx-list: one\r\n\
         X-List: two\r\n\
         accept: */*\r\nauthorization: Basic eDp5\r\nx-empty:\r\nx-space:   kept inside   \r\n\r\n",
    );
    let cookies: Vec<&str> = answer.all("set-cookie").collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(answer.field("x-mixed"), Some("Case"));
    assert_eq!(answer.field("x-empty"), Some(""));
    assert_eq!(answer.field("x-obs"), Some("caf\u{e9}"));
    let request = upstream.only_request();
    assert_eq!(request.target, "/f?b=2&a=1&a=%20x");
    let list: Vec<&str> = request
        .fields
        .iter()
        .filter(|field| field.0.eq_ignore_ascii_case("x-list"))
        .map(|field| field.1.as_str())
        .collect();
    assert!(list == ["one", "two"] || list == ["one,two"] || list == ["one, two"], "{list:?}");
    assert_eq!(request.field("authorization"), Some("Basic eDp5"));
    assert_eq!(request.field("x-space"), Some("kept inside"));
    assert_eq!(request.field("cookie"), Some("a=1"));
    assert!(request.field("host").is_some());
}

/// Whoever is not on the list of trusted proxies cannot say who it is (default: nobody is).
#[test]
fn forwarded_fields_of_a_stranger_are_replaced() {
    let upstream = Upstream::answering(ok(""));
    let gateway = start(&upstream);
    exchange(
        gateway.address,
        "GET /x HTTP/1.1\r\nhost: it\r\nx-forwarded-for: 1.2.3.4\r\nx-forwarded-proto: https\r\n\
         x-forwarded-port: 443\r\n\r\n",
    );
    let request = upstream.only_request();
    let port = gateway.address.port().to_string();
    assert_eq!(request.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(request.field("x-forwarded-proto"), Some("http"));
    assert_eq!(request.field("x-forwarded-port"), Some(port.as_str()));
}

#[test]
fn forwarded_fields_of_a_trusted_proxy_are_extended() {
    let upstream = Upstream::answering(ok(""));
    let listeners = "listeners: [{address: '127.0.0.1:0', trustedProxies: [127.0.0.0/8]}]";
    let file = gateway_file("api.yaml", &["{stageName: $default}"], listeners);
    let gateway = Launch::file("gateway.yaml", &file)
        .listeners_of_file()
        .beside("api.yaml", &proxy_all(upstream.address()))
        .start();
    let asked = "GET /x HTTP/1.1\r\nhost: it\r\nx-forwarded-for: 203.0.113.9\r\n\
                 x-forwarded-proto: https\r\nx-forwarded-port: 443\r\n\r\n";
    assert_eq!(exchange(gateway.address, asked).status, 200);
    let request = upstream.only_request();
    assert_eq!(request.field("x-forwarded-for"), Some("203.0.113.9, 127.0.0.1"));
    assert_eq!(request.field("x-forwarded-proto"), Some("https"));
    assert_eq!(request.field("x-forwarded-port"), Some("443"));
}

/// A listener on all addresses has none of its own to tell.
#[test]
fn forwarded_tells_which_address_the_client_came_to() {
    let upstream = Upstream::answering(ok(""));
    let gateway = Launch::file("api.yaml", &proxy_all(upstream.address()))
        .flag("--listen", "0.0.0.0:0")
        .start();
    let address = SocketAddr::from(([127, 0, 0, 2], gateway.address.port()));
    assert_eq!(exchange(address, "GET /x HTTP/1.1\r\nhost: it\r\n\r\n").status, 200);
    let forwarded = upstream.only_request().field("forwarded").unwrap().to_owned();
    assert_eq!(forwarded, "by=127.0.0.2;for=127.0.0.1;host=it;proto=http");
}

#[test]
fn every_request_has_a_trace_id() {
    let upstream = Upstream::answering(ok(""));
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    for _ in 0..20 {
        client.get("/t");
    }
    let mut roots = HashSet::new();
    for request in upstream.requests() {
        let trace = request.field("x-amzn-trace-id").expect("a trace id").to_owned();
        let root = trace.split(';').find_map(|part| part.strip_prefix("Root=")).expect("a root");
        let parts: Vec<&str> = root.split('-').collect();
        assert!(parts.len() == 3 && parts[0] == "1", "{trace}");
        assert!(parts[1].len() == 8 && parts[2].len() == 24, "{trace}");
        assert!(parts[1..].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit())));
        assert!(roots.insert(root.to_owned()), "{root} came twice");
    }
    assert_eq!(roots.len(), 20);
}

#[test]
fn every_answer_has_a_request_id_of_its_own() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\napigw-requestid: forged\r\ncontent-length: 0\r\n\r\n",
    );
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let answer = client.get("/id");
        let id = answer.field("apigw-requestid").expect("apigw-requestid").to_owned();
        assert!(id.ends_with('=') && id.len() == 16, "like JKJaXmPLvHcESHA=: {id}");
        assert!(seen.insert(id), "the same id twice");
    }
    let refusal =
        exchange(gateway.address, "GET / HTTP/1.1\r\nhost: it\r\ncontent-length: x\r\n\r\n");
    assert_eq!(refusal.status, 400);
    assert!(refusal.field("apigw-requestid").is_some(), "refusals have one too: {refusal:?}");
}

/// RFC 9110 6.6.1: an answer has a date; ours where the upstream gave none.
#[test]
fn every_answer_has_one_date() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            let date = match request.target.as_str() {
                "/dated" => "date: Tue, 15 Nov 1994 08:12:31 GMT\r\n",
                _ => "",
            };
            peer.send(format!("HTTP/1.1 200 OK\r\n{date}content-length: 0\r\n\r\n"));
        }
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    assert_eq!(client.get("/dated").field("date"), Some("Tue, 15 Nov 1994 08:12:31 GMT"));
    let answer = client.get("/none");
    let date = answer.field("date").expect("a date");
    assert!(date.len() == 29 && date.ends_with(" GMT"), "IMF-fixdate: {date}");
}
