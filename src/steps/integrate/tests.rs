use std::net::SocketAddr;

use super::*;
use crate::{
    http::{FieldList, Fields},
    json::Body,
    steps::{
        context::{Facts, Parameters, StageVariables},
        fixture::{self, Said, TRACE},
        mapping::{ResponseMapping, Scope},
        reject::{Client, Reject},
    },
};

/// A request and its integration, with what most tests leave alone.
struct Case<'a> {
    uri: &'a str,
    append_path: PathRule,
    mapping: &'a [(&'a str, &'a str)],
    path: &'a str,
    id: &'a str,
    query: Option<&'a str>,
    fields: &'a [(&'a str, &'a str)],
    host: &'a str,
    peer: &'a str,
    upgrade: Upgrade<'a>,
}

const PLAIN: Case<'static> = Case {
    uri: "http://backend:9000/v1/{id}",
    append_path: PathRule::Template,
    mapping: &[],
    path: "/pets/7",
    id: "7",
    query: None,
    fields: &[],
    host: "api.example.com",
    peer: "203.0.113.9:4711",
    upgrade: Upgrade::No,
};

impl Case<'_> {
    fn run(&self) -> Result<Said, Reject> {
        let variables = StageVariables::default();
        let scope = Scope { parameters: &["id"], variables: &variables };
        let integration = Integration {
            method: IntegrationMethod::Client,
            uri: Uri::parse(self.uri, &["id"]).unwrap(),
            tls: TlsConfig::default(),
            path: self.append_path,
            request: RequestMapping::compile(self.mapping.iter().copied(), scope).unwrap(),
            response: ResponseMapping::new(),
            timeout: TIMEOUT_MAX,
        };
        let (bytes, list): (Vec<u8>, FieldList) = fixture::fields(self.fields);
        let path = self.path.as_bytes();
        let values = fixture::spans(path, &[self.id]);
        let names = ["id".to_owned()];
        let (body, origin) = (Body::empty(), fixture::origin(self.peer));
        let facts = Facts::new(fixture::arrival(Method::Get, path));
        let incoming = Incoming {
            method: Method::Get,
            path,
            query: self.query.map(str::as_bytes),
            fields: Fields::new(&bytes, &list),
            host: self.host.as_bytes(),
            parameters: Parameters { names: &names, values: &values, path },
            body: &body,
            upgrade: self.upgrade,
            origin: &origin,
        };
        let mut said = Said::default();
        prepare(&integration, &incoming, &facts, &mut Scratch::default(), &mut said)?;
        Ok(said)
    }

    #[track_caller]
    fn target(&self, expected: &str) {
        assert_eq!(self.run().unwrap().start, format!("GET {expected}"));
    }

    /// The fields that begin with one of the names asked for.
    #[track_caller]
    fn says(&self, names: &[&str], expected: &[&str]) {
        let said = self.run().unwrap();
        let asked = |line: &&String| names.iter().any(|name| line.starts_with(&format!("{name}:")));
        let found: Vec<_> = said.fields.iter().filter(asked).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_plain_request_whole() {
    let fields = [
        ("Host", "api.example.com"),
        ("User-Agent", "curl/8"),
        ("Accept", "*/*"),
        ("Connection", "keep-alive, X-Private"),
        ("X-Private", "1"),
        ("Keep-Alive", "5"),
        ("TE", "trailers"),
        ("Trailer", "x"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "5"),
        ("Content-Type", "text/plain"),
        ("Expect", "100-continue"),
        ("Upgrade", "h2c"),
        ("Proxy-Connection", "close"),
        ("Proxy-Authorization", "x"),
        ("Authorization", "Bearer t"),
        ("X-Mine", "a"),
        ("X-Mine", "b"),
    ];
    let said = Case { fields: &fields, ..PLAIN }.run().unwrap();
    let trace = format!("x-amzn-trace-id: {TRACE}");
    let expected = [
        "host: backend:9000",
        "User-Agent: curl/8",
        "Accept: */*",
        "Content-Type: text/plain",
        "Authorization: Bearer t",
        "X-Mine: a",
        "X-Mine: b",
        "x-forwarded-for: 203.0.113.9",
        "x-forwarded-port: 8080",
        "x-forwarded-proto: http",
        "forwarded: by=192.0.2.1;for=203.0.113.9;host=api.example.com;proto=http",
        "via: HTTP/1.1 AmazonAPIGateway",
        &trace,
    ];
    assert_eq!(said.start, "GET /v1/7");
    assert_eq!(said.fields, expected);
}

#[test]
fn targets_are_made_from_template_path_and_query() {
    PLAIN.target("/v1/7");
    Case { id: "a%2Fb", path: "/pets/a%2Fb", ..PLAIN }.target("/v1/a%2Fb");
    Case { query: Some("a=b&c"), ..PLAIN }.target("/v1/7?a=b&c");
    Case { query: Some(""), ..PLAIN }.target("/v1/7?");
    Case { uri: "http://h?x=1", query: Some("y"), ..PLAIN }.target("/?x=1&y");
    Case { uri: "http://h/p?x={id}", id: "a&b=c+d", path: "/pets/a&b=c+d", ..PLAIN }
        .target("/p?x=a%26b%3Dc%2Bd");
    let append = PathRule::AppendRequestPath;
    Case { uri: "http://h", append_path: append, ..PLAIN }.target("/pets/7");
    Case { uri: "http://h/base/", append_path: append, ..PLAIN }.target("/base/pets/7");
    Case { uri: "http://h/base", append_path: append, query: Some("q"), ..PLAIN }
        .target("/base/pets/7?q");
}

#[test]
fn mappings_edit_target_and_fields() {
    Case { mapping: &[("overwrite:path", "/x/${request.path.id}")], query: Some("q"), ..PLAIN }
        .target("/x/7?q");
    Case { mapping: &[("append:querystring.n", "$request.path.id")], ..PLAIN }.target("/v1/7?n=7");
    let fields = [("X-A", "client"), ("X-B", "client"), ("X-C", "client")];
    let mapping = [
        ("overwrite:header.X-A", "$request.header.none"),
        ("overwrite:header.X-B", "gateway"),
        ("append:header.X-C", "gateway"),
    ];
    Case { fields: &fields, mapping: &mapping, ..PLAIN }.says(
        &["X-A", "X-B", "X-C", "x-a", "x-b", "x-c"],
        &["X-C: client", "x-b: gateway", "x-c: gateway"],
    );
    let mapping =
        [("overwrite:header.x-forwarded-port", "1"), ("overwrite:header.Host", "other:1")];
    Case { mapping: &mapping, ..PLAIN }
        .says(&["host", "x-forwarded-port"], &["host: other:1", "x-forwarded-port: 1"]);
    Case { mapping: &[("overwrite:header.host", "a b")], ..PLAIN }
        .says(&["host"], &["host: backend:9000"]);
}

#[test]
fn a_mapped_path_cannot_climb() {
    let fields = [("X-Path", "/../admin")];
    let mapping = [("overwrite:path", "$request.header.x-path")];
    let refused = Case { fields: &fields, mapping: &mapping, ..PLAIN }.run().unwrap_err();
    assert_eq!(refused, Reject::Client(Client::MappedPath));
}

#[test]
fn what_an_untrusted_peer_says_about_origins_is_replaced() {
    let fields = [
        ("X-Forwarded-For", "1.1.1.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Host", "evil"),
        ("Forwarded", "for=1.1.1.1"),
        ("Via", "1.1 proxy"),
    ];
    let names = [
        "x-forwarded-for",
        "x-forwarded-port",
        "x-forwarded-proto",
        "forwarded",
        "via",
        "X-Forwarded-For",
        "X-Forwarded-Port",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "Forwarded",
        "Via",
    ];
    let expected = [
        "x-forwarded-for: 203.0.113.9",
        "x-forwarded-port: 8080",
        "x-forwarded-proto: http",
        "forwarded: by=192.0.2.1;for=203.0.113.9;host=api.example.com;proto=http",
        "via: 1.1 proxy, HTTP/1.1 AmazonAPIGateway",
    ];
    Case { fields: &fields, ..PLAIN }.says(&names, &expected);
    let expected = [
        "X-Forwarded-Host: evil",
        "x-forwarded-for: 1.1.1.1, 10.0.0.7",
        "x-forwarded-port: 443",
        "x-forwarded-proto: https",
        "forwarded: for=1.1.1.1, by=192.0.2.1;for=10.0.0.7;host=api.example.com;proto=http",
        "via: 1.1 proxy, HTTP/1.1 AmazonAPIGateway",
    ];
    Case { fields: &fields, peer: "10.0.0.7:1", ..PLAIN }.says(&names, &expected);
    let expected =
        ["forwarded: by=192.0.2.1;for=\"[2001:db8::1]\";host=api.example.com;proto=http"];
    Case { peer: "[2001:db8::1]:1", ..PLAIN }.says(&["forwarded"], &expected);
    let expected = ["forwarded: by=192.0.2.1;for=203.0.113.9;proto=http"];
    Case { host: "", ..PLAIN }.says(&["forwarded"], &expected);
}

#[test]
fn a_sound_trace_is_kept_another_replaced() {
    let sound = "Root=1-00000001-0123456789abcdefdeadbeef;Parent=53995c3f42cd8ad8;Sampled=1";
    let names = ["X-Amzn-Trace-Id", "x-amzn-trace-id"];
    Case { fields: &[("X-Amzn-Trace-Id", sound)], ..PLAIN }
        .says(&names, &[&format!("X-Amzn-Trace-Id: {sound}")]);
    Case { fields: &[("X-Amzn-Trace-Id", "Root=zzz")], ..PLAIN }
        .says(&names, &[&format!("x-amzn-trace-id: {TRACE}")]);
}

#[test]
fn an_accepted_upgrade_is_passed_on() {
    let fields = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
    let names = ["connection", "upgrade", "Connection", "Upgrade"];
    Case { fields: &fields, ..PLAIN }.says(&names, &[]);
    Case { fields: &fields, upgrade: Upgrade::To(b"websocket"), ..PLAIN }
        .says(&names, &["connection: upgrade", "upgrade: websocket"]);
}

#[track_caller]
fn source_ip(peer: &str, forwarded: &[(&str, &str)], expected: &str) {
    let (bytes, list) = fixture::fields(forwarded);
    let origin = fixture::origin(peer);
    let (ip, parsed) = origin.source_ip(Fields::new(&bytes, &list), &fixture::trusted());
    assert_eq!(str::from_utf8(ip).unwrap().parse::<std::net::IpAddr>().unwrap(), parsed);
    assert_eq!(str::from_utf8(ip).unwrap(), expected);
}

#[test]
fn the_source_is_the_last_that_is_no_trusted_proxy() {
    let name = "X-Forwarded-For";
    source_ip("203.0.113.9:1", &[(name, "1.1.1.1")], "203.0.113.9");
    source_ip("10.0.0.1:1", &[], "10.0.0.1");
    source_ip("10.0.0.1:1", &[(name, "1.1.1.1")], "1.1.1.1");
    source_ip("10.0.0.1:1", &[(name, "6.6.6.6, 1.1.1.1, 10.9.9.9")], "1.1.1.1");
    source_ip("10.0.0.1:1", &[(name, "6.6.6.6"), (name, "1.1.1.1")], "1.1.1.1");
    source_ip("10.0.0.1:1", &[(name, "1.1.1.1, unknown")], "10.0.0.1");
    source_ip("10.0.0.1:1", &[(name, "10.0.0.2,10.0.0.3")], "10.0.0.2");
    source_ip("[fd00::1]:1", &[(name, "2001:db8::7")], "2001:db8::7");
    source_ip("[::ffff:10.0.0.1]:1", &[(name, "1.1.1.1")], "1.1.1.1");
}

#[test]
fn networks_are_parsed_and_hold_their_addresses() {
    let blocks = TrustedProxies::parse(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "0.0.0.0/0"]);
    assert!(blocks.unwrap().contains("8.8.8.8".parse().unwrap()));
    let blocks = TrustedProxies::parse(["10.1.0.0/16", "192.0.2.7", "2001:db8::/32"]).unwrap();
    let holds = |ip: &str| blocks.contains(ip.parse().unwrap());
    assert!(holds("10.1.255.255") && holds("192.0.2.7") && holds("2001:db8:ffff::1"));
    assert!(!holds("10.2.0.0") && !holds("192.0.2.8") && !holds("2001:db9::"));
    for bad in ["10.0.0.0/33", "::/129", "proxy", "10.0.0.0/", "10.0.0/8", ""] {
        assert!(TrustedProxies::parse([bad]).unwrap_err()[0].contains("10.0.0.0/8"), "{bad}");
    }
}

#[test]
fn the_longest_addresses_fit_their_texts() {
    let long: SocketAddr = "[1111:2222:3333:4444:5555:6666:7777:8888]:65535".parse().unwrap();
    let origin = Origin::new(long, long, Protocol::Https, &TrustedProxies::default());
    let node = "\"[1111:2222:3333:4444:5555:6666:7777:8888]\"";
    assert_eq!(origin.node_text(), format!("by={node};for={node}").as_bytes());
    assert_eq!((origin.peer_text().len(), origin.port_text()), (39, b"65535".as_slice()));
    assert!(origin.lines().ends_with(b"]\";host="));
    assert_eq!(origin.protocol(), b"https");
    assert!(!origin.is_trusted());
}
