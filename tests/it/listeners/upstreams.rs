//! Upstreams whose connections go elsewhere than their hosts: `connectTo`.

use std::{os::unix::net::UnixStream, path::Path};

use crate::harness::Route;
use crate::{
    harness::{
        Client, Folder, Launch, Peer, Upstream, eventually, exchange, gateway_file, has, ok,
        openapi, ringway,
    },
    peers::{fill, nginx_on},
};

/// A gateway whose only integration calls `http://orders.internal`, with these `upstreams` (YAML,
/// flow form).
fn calling(upstreams: &[&str]) -> Launch {
    let definition =
        openapi(&[Route::new("ANY", "/{proxy+}", "http://orders.internal/{proxy}".to_owned())]);
    Launch::file("gateway.yaml", &file(upstreams)).beside("api.yaml", &definition)
}

fn file(upstreams: &[&str]) -> String {
    let lines: String = upstreams.iter().map(|one| format!("  - {one}\n")).collect();
    gateway_file("api.yaml", &["{stageName: $default}"], &format!("upstreams:\n{lines}"))
}

fn to(path: &Path) -> String {
    format!("{{origin: http://orders.internal, connectTo: 'unix:{}'}}", path.display())
}

fn script(name: &'static str) -> impl Fn(Peer) + Send + Sync + 'static {
    move |mut peer| {
        while let Some(request) = peer.request() {
            if !peer.send(ok(format!("{name} {}", request.body.len()))) {
                return;
            }
        }
    }
}

#[test]
fn an_upstream_on_a_unix_socket_is_called_by_its_host() {
    let folder = Folder::new();
    let path = folder.join("orders.sock");
    let upstream = Upstream::start_unix(&path, script("orders")).unwrap();
    let gateway = calling(&[&to(&path)]).start();
    let mut client = Client::connect(gateway.address);
    for _ in 0..5 {
        assert_eq!(client.get("/a?b=c").text(), "orders 0");
    }
    let body = "x".repeat(300_000);
    let length = body.len();
    let post = format!("POST /p HTTP/1.1\r\nhost: it\r\ncontent-length: {length}\r\n\r\n{body}");
    assert_eq!(client.ask(post).text(), "orders 300000");
    let requests = upstream.requests();
    assert_eq!(requests[0].field("host"), Some("orders.internal"));
    assert_eq!(requests[0].target, "/a?b=c");
    assert_eq!(upstream.connections(), 1, "its connection is kept");
    assert!(!gateway.said().contains("has no address"), "{}", gateway.said());
}

#[test]
fn an_upstream_at_another_address_is_called_by_its_host() {
    let upstream = Upstream::start(script("there"));
    let entry = format!("{{origin: http://orders.internal, connectTo: '{}'}}", upstream.address());
    let gateway = calling(&[&entry]).start();
    let answer = exchange(gateway.address, "GET /x HTTP/1.1\r\nhost: it\r\n\r\n");
    assert_eq!(answer.text(), "there 0");
    assert_eq!(upstream.only_request().field("host"), Some("orders.internal"));
}

#[test]
fn a_socket_that_is_not_there_or_refuses_is_503_and_comes_back() {
    let folder = Folder::new();
    let path = folder.join("orders.sock");
    let gateway = calling(&[&to(&path)]).start();
    let mut client = Client::connect(gateway.address);
    client.get("/x").assert_refusal(503, "Service Unavailable");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    client.get("/x").assert_refusal(503, "Service Unavailable");
    std::fs::remove_file(&path).unwrap();
    let _upstream = Upstream::start_unix(&path, script("back")).unwrap();
    assert_eq!(client.get("/x").text(), "back 0");
}

/// A queue that is full: the connect waits, for its bound, and keeps nobody else waiting.
#[test]
fn a_socket_whose_queue_is_full_is_503_in_time() {
    let folder = Folder::new();
    let path = folder.join("orders.sock");
    let full = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    full.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    full.listen(0).unwrap();
    let _waits = UnixStream::connect(&path).unwrap();
    let gateway = calling(&[&to(&path)]).start();
    let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(gateway.address)).collect();
    let before = gateway.cpu_ticks();
    clients.iter_mut().for_each(|client| client.send("GET /x HTTP/1.1\r\nhost: it\r\n\r\n"));
    let health = exchange(gateway.admin, "GET /healthz HTTP/1.1\r\nhost: it\r\n\r\n");
    assert_eq!(health.status, 200);
    for client in &mut clients {
        client.answer().assert_refusal(503, "Service Unavailable");
    }
    let spent = gateway.cpu_ticks() - before;
    assert!(spent < 100, "it waited busily: {spent} ticks");
}

#[test]
fn where_an_upstream_is_may_change_by_a_reload() {
    let folder = Folder::new();
    let (one, two) = (folder.join("one.sock"), folder.join("two.sock"));
    let _one = Upstream::start_unix(&one, script("one")).unwrap();
    let _two = Upstream::start_unix(&two, script("two")).unwrap();
    let gateway = calling(&[&to(&one)]).start();
    let mut client = Client::connect(gateway.address);
    assert_eq!(client.get("/x").text(), "one 0");
    gateway.folder.write("gateway.yaml", &file(&[&to(&two)]));
    eventually("the reload", || client.get("/x").text() == "two 0");
    assert!(!gateway.said().contains("restart to apply"), "{}", gateway.said());
}

#[test]
fn nginx_on_a_unix_socket() {
    if !has("nginx") {
        return;
    }
    let folder = Folder::new();
    let path = folder.join("nginx.sock");
    let big = fill(&folder);
    let is_there = || UnixStream::connect(&path).is_ok();
    let _server = nginx_on(&folder, &format!("unix:{}", path.display()), is_there);
    let gateway = calling(&[&to(&path)]).start();
    let mut client = Client::connect(gateway.address);
    for _ in 0..3 {
        assert_eq!(client.get("/a.txt").text(), "hello from a file\n");
        assert!(client.get("/big.bin").body == big);
        assert_eq!(client.get("/missing").status, 404);
    }
}

#[test]
fn what_is_wrong_with_upstreams_is_told_with_its_place() {
    let folder = Folder::new();
    let check = |upstreams: &[&str], code: i32, expected: &str| {
        let definition = openapi(&[Route::new("GET", "/x", "http://orders.internal/x".to_owned())]);
        folder.write("api.yaml", &definition);
        let path = folder.write("gateway.yaml", &file(upstreams)).display().to_string();
        let ran = ringway(folder.path(), &["validate", &path]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.output.contains(expected), "{ran:?}");
    };
    let at = "connectTo: 'unix:/run/x'";
    check(&[&format!("{{origin: http://orders.internal, {at}}}")], 0, "can be served");
    check(&[&format!("{{origin: http://orders.internal:80, {at}}}")], 0, "can be served");
    let misspelt = format!("{{origin: http://orders.interna, {at}}}");
    check(&[&misspelt], 0, "did you mean http://orders.internal:80?");
    check(&[&misspelt], 0, "gateway.yaml:2:14");
    check(&["{origin: http://orders.internal, connectTo: orders}"], 1, "\"orders\" does not fit");
    let sentence = "write an IP address and a port, such as 10.0.0.7:8080, or unix:/path";
    check(&["{origin: http://orders.internal, connectTo: 'unix:x'}"], 1, sentence);
    check(&["{origin: http://orders.internal/x}"], 1, "has a path");
    let twice = ["{origin: http://orders.internal}", "{origin: 'http://ORDERS.internal:80'}"];
    check(&twice, 1, "two upstreams are at orders.internal:80: the first is in line 2");
}

#[test]
fn explain_says_where_the_connection_goes() {
    let folder = Folder::new();
    let definition = openapi(&[Route::new("GET", "/x", "http://orders.internal/x".to_owned())]);
    folder.write("api.yaml", &definition);
    let entry = "{origin: http://orders.internal, connectTo: 'unix:/run/orders.sock'}";
    let path = folder.write("gateway.yaml", &file(&[entry])).display().to_string();
    let ran = ringway(folder.path(), &["explain", &path, "GET", "/x"]);
    assert!(ran.output.contains("Calls  GET http://orders.internal/x"), "{ran:?}");
    assert!(ran.output.contains("       over a connection to unix:/run/orders.sock"), "{ran:?}");
}
