//! The PROXY protocol: raw bytes, curl and HAProxy in front.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::{listening, unix};
use crate::harness::{
    Client, Fault, Folder, Gateway, Server, Upstream, dead_address, eventually, has, ok, proxy_all,
};

const LINE: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.9 4242 443\r\n";
const GET: &[u8] = b"GET /a HTTP/1.1\r\nhost: it\r\n\r\n";
const EXPECTED: &str = "{address: '127.0.0.1:0', proxyProtocol: {trusted: [127.0.0.0/8]}}";

/// The same as [`LINE`] in version 2, with these values behind it.
fn binary(values: &[u8]) -> Vec<u8> {
    block(0x21, 0x11, &[&[192, 0, 2, 7, 198, 51, 100, 9, 0x10, 0x92, 1, 187], values].concat())
}

fn block(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[command, family], &length, block].concat()
}

/// An upstream that says what it was told of the client.
fn telling() -> (Upstream, String) {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            let field = |name| request.field(name).unwrap_or("-").to_owned();
            let told = ["x-forwarded-for", "x-forwarded-port", "forwarded"].map(field).join(" ");
            if !peer.send(ok(told)) {
                return;
            }
        }
    });
    let definition = proxy_all(upstream.address());
    (upstream, definition)
}

const TOLD: &str = "192.0.2.7 443 by=198.51.100.9;for=192.0.2.7;host=it;proto=http";

/// How many connections were closed for this reason.
fn closed(gateway: &Gateway, reason: &str) -> u64 {
    let metrics = gateway.metrics();
    let name = "ringway_proxy_protocol_refused_total{shard=\"0\",";
    let line = format!("{name}reason=\"{reason}\"}} ");
    let found = metrics.lines().find_map(|known| known.strip_prefix(&line));
    found.unwrap_or_else(|| panic!("no {line}:\n{metrics}")).parse().unwrap()
}

#[test]
fn what_the_header_says_is_the_client_everywhere() {
    let (_upstream, definition) = telling();
    let launch = listening(&[EXPECTED], &definition);
    let mut gateway = launch.start();
    for header in [LINE, &binary(b""), &binary(b"\x04\x00\x03abc\x05\x00\x01x")] {
        let mut client = Client::connect(gateway.address);
        client.send([header, GET].concat());
        assert_eq!(client.answer().text(), TOLD);
        // The connection stays the client's.
        assert_eq!(client.get("/b").text(), TOLD);
    }
    let mut client = Client::connect(gateway.address);
    client.send(b"PROXY TCP6 2001:db8::7 2001:db8::9 1 8443\r\n");
    let told = "2001:db8::7 8443 by=\"[2001:db8::9]\";for=\"[2001:db8::7]\";host=it;proto=http";
    assert_eq!(client.get("/").text(), told);
    let mut client = Client::connect(gateway.address);
    client.send(b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.9 1 443\r\n");
    assert_eq!(client.get("/").text(), TOLD);
    gateway.signal("TERM");
    assert!(gateway.wait().success());
}

#[test]
fn the_access_log_has_the_client_s_address() {
    let (_upstream, definition) = telling();
    let more = format!("listeners: [{EXPECTED}]\naccessLog: {{destination: access.log}}");
    let file = crate::harness::gateway_file("api.yaml", &["{stageName: $default}"], &more);
    let gateway = crate::harness::Launch::file("gateway.yaml", &file)
        .beside("api.yaml", &definition)
        .listeners_of_file()
        .start();
    let mut client = Client::connect(gateway.address);
    client.send([LINE, GET].concat());
    assert_eq!(client.answer().status, 200);
    client.send("NONSENSE\r\n\r\n");
    assert_eq!(client.answer().status, 400);
    let log = gateway.folder.join("access.log");
    let lines = || fs::read_to_string(&log).unwrap_or_default().matches("192.0.2.7").count();
    eventually("both lines name the client", || lines() == 2);
}

/// The proxy's own connections, and clients of whom it knows no IP address.
#[test]
fn a_header_that_names_nobody_leaves_the_connection_s_own_ends() {
    let (_upstream, definition) = telling();
    let gateway = listening(&[EXPECTED], &definition).start();
    let port = gateway.address.port();
    let own = format!("127.0.0.1 {port} by=127.0.0.1;for=127.0.0.1;host=it;proto=http");
    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN what ever\r\n".to_vec(),
        block(0x20, 0x00, b""),
        block(0x20, 0x11, &[1; 12]),
        block(0x21, 0x00, b""),
        block(0x21, 0x31, &[0; 216]),
    ] {
        let mut client = Client::connect(gateway.address);
        client.send([&header, GET].concat());
        assert_eq!(client.answer().text(), own, "{}", header.escape_ascii());
    }
}

/// Every way in which the bytes may come in pieces, and what is behind the header kept in order.
#[test]
fn a_header_may_come_in_pieces_and_with_what_follows() {
    let (_upstream, definition) = telling();
    let gateway = listening(&[EXPECTED], &definition).start();
    let body = "x".repeat(70_000);
    let post = format!("POST /p HTTP/1.1\r\nhost: it\r\ncontent-length: 70000\r\n\r\n{body}");
    let all = |header: &[u8]| [header, GET, GET, post.as_bytes(), GET].concat();
    for header in [LINE.to_vec(), binary(&[[4, 0x0b, 0xb8].as_slice(), &[9; 3_000]].concat())] {
        let mut client = Client::connect(gateway.address);
        client.send(all(&header));
        (0..4).for_each(|_| assert_eq!(client.answer().text(), TOLD));
        let mut client = Client::connect(gateway.address);
        let end = header.len().min(60);
        client.send_split(&header[..end], 1, Duration::from_millis(1));
        client.send(&header[end..]);
        client.send(all(b""));
        (0..4).for_each(|_| assert_eq!(client.answer().text(), TOLD));
        let mut client = Client::connect(gateway.address);
        client.send_split(&all(&header)[..header.len() + 200], 97, Duration::from_millis(1));
        client.send(&all(&header)[header.len() + 200..]);
        (0..4).for_each(|_| assert_eq!(client.answer().text(), TOLD));
    }
}

#[track_caller]
fn is_closed_unanswered(client: &mut Client) {
    match client.try_answer_to("GET") {
        Err(Fault::Closed | Fault::Broken(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_header_is_closed_without_a_word_and_counted() {
    let (upstream, definition) = telling();
    let gateway = listening(&[EXPECTED], &definition).start();
    let faulty: [(&[u8], &str); 8] = [
        (GET, "absent"),
        (b"\x16\x03\x01\x02\x00\x01", "absent"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "absent"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.9 4242 443\n", "malformed"),
        (b"PROXY TCP4 192.0.2.7 198.51.100.9 4242 99999\r\n", "malformed"),
        (&[b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat(), "malformed"),
        (&binary(b"\x03\x00\x04\0\0\0\0"), "malformed"),
        (&block(0x21, 0x11, &[0; 5_000]), "malformed"),
    ];
    let mut expected = std::collections::BTreeMap::new();
    for (bytes, reason) in faulty {
        let mut client = Client::connect(gateway.address);
        client.send([bytes, GET].concat());
        is_closed_unanswered(&mut client);
        *expected.entry(reason).or_insert(0) += 1;
        assert_eq!(closed(&gateway, reason), expected[reason], "{}", bytes.escape_ascii());
    }
    // A header that ends within itself; and somebody who only looks whether there is a listener.
    let mut client = Client::connect(gateway.address);
    client.send(&LINE[..20]);
    client.finish_sending();
    is_closed_unanswered(&mut client);
    assert_eq!(closed(&gateway, "malformed"), expected["malformed"] + 1);
    for _ in 0..3 {
        let mut client = Client::connect(gateway.address);
        client.finish_sending();
        is_closed_unanswered(&mut client);
    }
    assert_eq!(closed(&gateway, "malformed"), expected["malformed"] + 1);
    assert_eq!(closed(&gateway, "absent"), expected["absent"]);
    assert!(upstream.requests().is_empty());
}

/// Its bytes are not looked at: who is not trusted may not even say who he is not.
#[test]
fn whoever_is_not_trusted_is_closed_at_once() {
    let (_upstream, definition) = telling();
    let listener = "{address: '127.0.0.1:0', proxyProtocol: {trusted: [192.0.2.0/24, '::1']}}";
    let gateway = listening(&[listener], &definition).start();
    for bytes in [LINE, GET, b""] {
        let mut client = Client::connect(gateway.address);
        let _ = client.try_send(bytes);
        is_closed_unanswered(&mut client);
    }
    assert_eq!(closed(&gateway, "untrusted"), 3);
}

/// A drop every second keeps nothing open: the header has its time as a whole.
#[test]
fn a_header_that_trickles_is_given_up() {
    let (_upstream, definition) = telling();
    let gateway = listening(&[EXPECTED], &definition).start();
    let started = Instant::now();
    let mut slow: Vec<Client> = (0..20).map(|_| Client::connect(gateway.address)).collect();
    let silent = Client::connect(gateway.address);
    let mut place = 0;
    // Others are served meanwhile.
    while closed(&gateway, "too_slow") < 20 && started.elapsed() < Duration::from_secs(12) {
        for client in &mut slow {
            let _ = client.try_send(&LINE[place..=place]);
        }
        place += 1;
        let mut client = Client::connect(gateway.address);
        client.send([LINE, GET].concat());
        assert_eq!(client.answer().text(), TOLD);
        thread::sleep(Duration::from_millis(500));
    }
    let waited = started.elapsed();
    assert!(waited > Duration::from_secs(4), "given up after {waited:?}");
    slow.iter_mut().for_each(is_closed_unanswered);
    eventually("the silent one too", || closed(&gateway, "too_slow") == 21);
    drop(silent);
    // The last of the others has only just closed, and that has to be seen.
    gateway.await_number("ringway_connections_open", 0);
}

/// They are counted as clients, and do not keep the end waiting beyond the drain's time.
#[test]
fn connections_that_wait_for_a_header_are_clients() {
    let (_upstream, definition) = telling();
    let more = format!("listeners: [{EXPECTED}]\ndrainSeconds: 1");
    let file = crate::harness::gateway_file("api.yaml", &["{stageName: $default}"], &more);
    let launch =
        crate::harness::Launch::file("gateway.yaml", &file).beside("api.yaml", &definition);
    let mut gateway = launch.listeners_of_file().start();
    let _waiting: Vec<Client> = (0..7).map(|_| Client::connect(gateway.address)).collect();
    gateway.await_number("ringway_connections_open", 7);
    let started = Instant::now();
    gateway.signal("TERM");
    let _ = gateway.wait();
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

/// The header's client is the peer of which `trustedProxies` speaks.
#[test]
fn forwarded_fields_are_believed_of_the_header_s_client() {
    let (_upstream, definition) = telling();
    let listener = "{address: '127.0.0.1:0', trustedProxies: [192.0.2.0/24], \
                     proxyProtocol: {trusted: [127.0.0.1]}}";
    let gateway = listening(&[listener], &definition).start();
    let ask = |header: &[u8]| {
        let mut client = Client::connect(gateway.address);
        client.send(header);
        client.send("GET / HTTP/1.1\r\nhost: it\r\nx-forwarded-for: 203.0.113.5\r\n\r\n");
        client.answer().text()
    };
    assert!(ask(LINE).starts_with("203.0.113.5, 192.0.2.7 "));
    let other = b"PROXY TCP4 198.51.100.1 198.51.100.9 1 443\r\n";
    assert!(ask(other).starts_with("198.51.100.1 "));
    // The balancer itself is trusted to say who the client is, not what the client says.
    assert!(ask(b"PROXY UNKNOWN\r\n").starts_with("127.0.0.1 "));
}

#[test]
fn over_a_unix_socket_the_proxy_is_this_machine() {
    let (_upstream, definition) = telling();
    let folder = Folder::new();
    let (good, bad) = (folder.join("good"), folder.join("bad"));
    let listeners = [
        unix(&good, ", proxyProtocol: {trusted: [127.0.0.1]}"),
        unix(&bad, ", proxyProtocol: {trusted: [10.0.0.0/8]}"),
    ];
    let gateway = listening(&[&listeners[0], &listeners[1]], &definition).start();
    let mut client = Client::connect_unix(&good);
    client.send([&binary(b""), GET].concat());
    assert_eq!(client.answer().text(), TOLD);
    let mut client = Client::connect_unix(&bad);
    let _ = client.try_send(LINE);
    is_closed_unanswered(&mut client);
    assert_eq!(closed(&gateway, "untrusted"), 1);
}

#[test]
fn curl_with_a_header_speaks_both_versions_of_http() {
    if !has("curl") {
        return;
    }
    let (_upstream, definition) = telling();
    let listener = "{address: '127.0.0.1:0', http2: true, proxyProtocol: {trusted: [127.0.0.1]}}";
    let gateway = listening(&[listener], &definition).start();
    let url = format!("http://{}/", gateway.address);
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let output = Command::new("curl")
            .args(["-sS", "--fail", "--max-time", "20", "--haproxy-protocol", version, &url])
            .args(["-w", " %{http_version}"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.starts_with("127.0.0.1 "), "{version}: {output:?}");
        let expected = if version == "--http1.1" { " 1.1" } else { " 2" };
        assert!(text.ends_with(expected), "{version}: {text}");
    }
}

/// A listener that speaks TLS, with a certificate that openssl makes.
fn with_tls(folder: &Folder, listener: &str, definition: &str) -> Option<Gateway> {
    if !has("openssl") || !has("curl") {
        return None;
    }
    let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
    let made = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '))
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-keyout".as_ref(), key.as_os_str(), "-out".as_ref(), certificate.as_os_str()])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let (key, certificate) = (key.display(), certificate.display());
    let pair = format!("{{certificate: '{certificate}', privateKey: '{key}'}}");
    let listener = format!("{{{listener}, tls: {{certificates: [{pair}]}}}}");
    Some(listening(&[&listener], definition).start())
}

/// The header is in plain text, and what is behind it is TLS's.
#[test]
fn the_header_goes_before_tls() {
    let (upstream, definition) = telling();
    let folder = Folder::new();
    let listener = "address: '127.0.0.1:0', proxyProtocol: {trusted: [127.0.0.1]}";
    let Some(gateway) = with_tls(&folder, listener, &definition) else { return };
    let port = gateway.address.port();
    let ask = |more: &[&str]| {
        let output = Command::new("curl")
            .args(["-sSk", "--fail", "--max-time", "20", "-w", " %{http_version}"])
            .args(more)
            .arg(format!("https://localhost:{port}/"))
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let told = |version: &str| {
        format!("127.0.0.1 {port} by=127.0.0.1;for=127.0.0.1;host=localhost;proto=https {version}")
    };
    let header = "--haproxy-protocol";
    assert_eq!(ask(&[header, "--ipv4", "--http1.1"]), (true, told("1.1")));
    assert_eq!(ask(&[header, "--ipv4", "--http2"]), (true, told("2")));
    assert!(!ask(&["--ipv4"]).0, "without a header");
    assert_eq!(closed(&gateway, "absent"), 1);
    assert_eq!(upstream.requests().len(), 2);
    // In one segment with the first of TLS's bytes: HAProxy sends them so.
    if has("haproxy") {
        let (_server, front) = haproxy(&folder, gateway.address, "send-proxy-v2");
        let front = front.port().to_string();
        let to = format!("localhost:{port}:127.0.0.1:{front}");
        let (_, text) = ask(&["--connect-to", &to, "--http2"]);
        assert!(text.starts_with(&format!("127.0.0.1 {front} by=127.0.0.1;")), "{text}");
    }
}

/// HAProxy in front, sending the header as `how` says.
fn haproxy(folder: &Folder, to: SocketAddr, how: &str) -> (Server, SocketAddr) {
    let address = dead_address();
    let path = folder.write(
        &format!("{how}.cfg").replace(' ', "_"),
        &format!(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 20s\n\
             \x20 timeout server 20s\nlisten front\n  bind {address}\n  server it {to} {how}\n"
        ),
    );
    let mut command = Command::new("haproxy");
    command.args(["-db".as_ref(), "-f".as_ref(), path.as_os_str()]);
    let server = Server::start_until(&mut command, || TcpStream::connect(address).is_ok());
    (server, address)
}

#[test]
fn haproxy_in_front() {
    if !has("haproxy") {
        return;
    }
    let (_upstream, definition) = telling();
    let gateway = listening(&[EXPECTED], &definition).start();
    let folder = Folder::new();
    for how in [
        "send-proxy",
        "send-proxy-v2",
        "send-proxy-v2 proxy-v2-options crc32c,unique-id",
        "send-proxy-v2 check inter 100ms check-send-proxy",
    ] {
        let (_server, front) = haproxy(&folder, gateway.address, how);
        let mut client = Client::connect(front);
        let port = front.port();
        let told = format!("127.0.0.1 {port} by=127.0.0.1;for=127.0.0.1;host=it;proto=http");
        for _ in 0..3 {
            assert_eq!(client.get("/a").text(), told, "{how}");
        }
    }
    for reason in ["absent", "malformed", "untrusted", "too_slow"] {
        assert_eq!(closed(&gateway, reason), 0, "{reason}");
    }
    // And one that sends none.
    let (_server, front) = haproxy(&folder, gateway.address, "");
    let mut client = Client::connect(front);
    client.send(GET);
    is_closed_unanswered(&mut client);
    assert_eq!(closed(&gateway, "absent"), 1);
}

#[test]
fn a_list_of_nobody_is_a_mistake() {
    for (listener, expected) in [
        ("{address: '127.0.0.1:0', proxyProtocol: {trusted: []}}", "the list is empty"),
        ("{address: '127.0.0.1:0', proxyProtocol: {}}", "the key trusted is missing"),
        ("{address: '127.0.0.1:0', proxyProtocol: {trusted: [x]}}", "\"x\" does not fit"),
        ("{address: '127.0.0.1:0', proxyProtocol: true}", "expected a mapping"),
    ] {
        let launch = listening(&[listener], "openapi: 3.0.1\npaths: {}\n");
        let Err((_, said)) = launch.try_start() else { panic!("{listener} started") };
        assert!(said.contains(expected), "{said}");
    }
}
