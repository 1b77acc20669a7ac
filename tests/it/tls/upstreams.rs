//! TLS toward upstreams: whom the gateway trusts, what it shows, what it says when it does not.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use super::with_pair;
use crate::harness::{
    Authority, Client, Folder, Gateway, Launch, Route, Server, TlsUpstream, Upstream, Wish,
    dead_address, eventually, exchange, gateway_file, has, ok, openapi, pattern, read_head,
    showing,
};

/// A gateway whose routes go to `https://HOST:PORT`, with this upstream section.
fn launch(host: &str, address: SocketAddr, tls: &str, more: &str) -> Launch {
    let origin = format!("https://{host}:{}", address.port());
    let uri = format!("{origin}/{{proxy}}");
    let route = Route::new("ANY", "/{proxy+}", uri).more(more);
    let section = match tls {
        "" => String::new(),
        tls => format!("upstreams: [{{origin: '{origin}', tls: {{{tls}}}}}]\n"),
    };
    let file = gateway_file("api.yaml", &["{stageName: $default}"], &section);
    Launch::file("gateway.yaml", &file).beside("api.yaml", &openapi(&[route]))
}

fn get(gateway: &Gateway) -> crate::harness::Answer {
    Client::connect(gateway.address).get("/a")
}

/// Fails unless the gateway does not trust the upstream, and the log says why.
#[track_caller]
fn refuses(launch: Launch, why: &str) {
    let gateway = launch.logging("log").start();
    get(&gateway).assert_refusal(502, "Bad Gateway");
    gateway.await_number("ringway_upstream_tls_failures_total", 1);
    let log = || fs::read_to_string(gateway.folder.join("log")).unwrap_or_default();
    let line = format!("no TLS connection to the integration: {why}");
    eventually(&line, || log().contains(&line));
}

struct Nginx {
    address: SocketAddr,
    _server: Server,
    _folder: Folder,
}

impl Nginx {
    fn start(authority: &Authority, asks: bool) -> Self {
        let (folder, address) = (Folder::new(), dead_address());
        authority.sign(&Wish::host(&["up.example.com", "localhost"])).write(&folder, "a");
        folder.write("ca.pem", &authority.pem);
        let root = folder.path().display();
        let asks = if asks { "ssl_verify_client on;" } else { "" };
        let server = format!(
            "listen {address} ssl; ssl_protocols TLSv1.2 TLSv1.3;\n\
             ssl_certificate {root}/a.pem; ssl_certificate_key {root}/a.key;\n\
             ssl_client_certificate {root}/ca.pem; {asks}\n\
             location / {{ return 200 \"$ssl_protocol $ssl_server_name $ssl_client_s_dn $host\"; }}"
        );
        let listens = || TcpStream::connect(address).is_ok();
        Self { address, _server: Server::nginx(&folder, &server, listens), _folder: folder }
    }
}

#[test]
fn nginx_is_trusted_for_its_authority_and_its_name() {
    if !has("nginx") {
        return;
    }
    let authority = Authority::new("it");
    let nginx = Nginx::start(&authority, false);
    let launch = |host: &str, tls: &str, more: &str| {
        launch(host, nginx.address, tls, more).beside("ca.pem", &authority.pem)
    };
    let ca = "caCertificates: ca.pem";
    let answers = |launch: Launch, text: &str| {
        let gateway = launch.start();
        let answer = get(&gateway);
        assert_eq!(answer.text().trim_end(), text, "{answer:?}");
        assert_eq!(gateway.number("ringway_upstream_tls_failures_total"), 0);
    };
    answers(launch("localhost", ca, ""), "TLSv1.3 localhost  localhost");
    // The wrong name, and the right one said.
    refuses(launch("127.0.0.1", ca, ""), "its certificate is for another name");
    let named = format!("{ca}, serverNameToVerify: up.example.com");
    answers(launch("127.0.0.1", &named, ""), "TLSv1.3 up.example.com  127.0.0.1");
    let of_route = "tlsConfig: {serverNameToVerify: up.example.com}";
    answers(launch("127.0.0.1", ca, of_route), "TLSv1.3 up.example.com  127.0.0.1");
    // The wrong authority, and none at all.
    let other = Authority::new("other");
    let wrong = launch("localhost", ca, "").beside("ca.pem", &other.pem);
    refuses(wrong, "its certificate is of an unknown authority");
    refuses(launch("localhost", "", ""), "its certificate is of an unknown authority");
    // Not asked for.
    answers(launch("127.0.0.1", "insecureSkipVerification: true", ""), "TLSv1.3   127.0.0.1");
    let of_route = "tlsConfig: {insecureSkipVerification: true}";
    answers(launch("127.0.0.1", "", of_route), "TLSv1.3   127.0.0.1");
    // The system's authorities, as its environment names them.
    let of_system = launch("localhost", "", "").variable("SSL_CERT_FILE", "ca.pem");
    answers(of_system, "TLSv1.3 localhost  localhost");
}

#[test]
fn nginx_that_asks_for_a_certificate_gets_it() {
    if !has("nginx") {
        return;
    }
    let authority = Authority::new("it");
    let nginx = Nginx::start(&authority, true);
    let own = authority.sign(&Wish { name: "gateway", ..Wish::host(&["gateway.example.com"]) });
    let ca = "caCertificates: ca.pem";
    let shows = format!("{ca}, clientCertificate: {{certificate: own.pem, privateKey: own.key}}");
    let shown = launch("localhost", nginx.address, &shows, "").beside("ca.pem", &authority.pem);
    let gateway = with_pair(shown, "own", &own).start();
    assert_eq!(get(&gateway).text().trim_end(), "TLSv1.3 localhost CN=gateway localhost");
    let bare = launch("localhost", nginx.address, ca, "").beside("ca.pem", &authority.pem);
    let gateway = bare.start();
    // nginx tells in HTTP that the certificate is missing.
    assert_eq!(get(&gateway).status, 400);
}

/// A gateway in front of a scripted upstream that speaks TLS.
fn before(upstream: &TlsUpstream, authority: &Authority) -> Gateway {
    launch("localhost", upstream.address, "caCertificates: ca.pem", "")
        .beside("ca.pem", &authority.pem)
        .logging("log")
        .start()
}

#[test]
fn a_connection_is_kept_although_tickets_come_unasked() {
    let authority = Authority::new("it");
    let config = showing(&authority.sign(&Wish::host(&["localhost"])), None);
    let upstream = TlsUpstream::start(config, |peer| {
        loop {
            let head = read_head(peer)?;
            peer.get_mut().write_all(&ok("hello")).ok()?;
            if head.contains("connection: close") {
                return None;
            }
        }
    });
    let gateway = before(&upstream, &authority);
    for _ in 0..20 {
        assert_eq!(get(&gateway).text(), "hello");
    }
    assert_eq!(upstream.connections(), 1);
    assert_eq!(gateway.number("ringway_upstream_reuses_total"), 19);
    assert_eq!(upstream.certificates(), 0);
}

#[test]
fn the_next_connection_goes_on_with_the_session() {
    let authority = Authority::new("it");
    let config = showing(&authority.sign(&Wish::host(&["localhost"])), None);
    let upstream = TlsUpstream::start(config, |peer| {
        read_head(peer)?;
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
        peer.get_mut().write_all(answer.as_bytes()).ok()
    });
    let gateway = before(&upstream, &authority);
    for _ in 0..5 {
        assert_eq!(get(&gateway).text(), "hello");
    }
    assert_eq!((upstream.connections(), upstream.resumed()), (5, 4));
}

/// However the upstream ends a connection that is kept, nobody's request is lost with it.
#[test]
fn a_kept_connection_that_the_upstream_ends_is_not_used_again() {
    let authority = Authority::new("it");
    let config = showing(&authority.sign(&Wish::host(&["localhost"])), None);
    let turn = AtomicUsize::new(0);
    let upstream = TlsUpstream::start(config, move |peer| {
        read_head(peer)?;
        peer.get_mut().write_all(&ok("hello")).ok()?;
        let turn = turn.fetch_add(1, Ordering::SeqCst);
        // Says so, or leaves; or leaves only once there is another request.
        let stream = peer.get_mut();
        if turn.is_multiple_of(2) {
            stream.conn.send_close_notify();
            stream.flush().ok()?;
        }
        match turn % 5 {
            0 | 1 => {}
            2 | 3 => thread::sleep(Duration::from_millis(300)),
            _ => drop(stream.sock.read(&mut [0; 4096])),
        }
        Some(())
    });
    let gateway = before(&upstream, &authority);
    let mut client = Client::connect(gateway.address);
    // Lines of the log are written every 200 ms.
    let why = || {
        thread::sleep(Duration::from_secs(1));
        fs::read_to_string(gateway.folder.join("log")).unwrap_or_default()
    };
    for _ in 0..10 {
        let answer = client.get("/a");
        assert!(answer.text() == "hello", "{answer:?}\n{}", why());
        thread::sleep(Duration::from_millis(30));
        let post = client.ask("POST /a HTTP/1.1\r\nhost: it\r\ncontent-length: 0\r\n\r\n");
        // A request that changes something is not sent twice: the one that met the end is lost.
        assert!(matches!(post.status, 200 | 502), "{}", post.status);
        thread::sleep(Duration::from_millis(30));
    }
}

#[test]
fn bodies_go_both_ways_unchanged() {
    let authority = Authority::new("it");
    let config = showing(&authority.sign(&Wish::host(&["localhost"])), None);
    let upstream = TlsUpstream::start(config, |peer| {
        loop {
            let head = read_head(peer)?;
            let length = head
                .split("content-length: ")
                .nth(1)
                .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
            let mut body = vec![0; length];
            peer.read_exact(&mut body).ok()?;
            peer.get_mut().write_all(&ok(body)).ok()?;
        }
    });
    let gateway = before(&upstream, &authority);
    let mut client = Client::connect(gateway.address);
    for size in [0, 1, 1_369, 16_384, 65_536, 70_000, 3_000_000, 10 * 1024 * 1024] {
        let body = pattern(size as u64, size);
        let mut sender = client.sender();
        let sent = body.clone();
        let upload = thread::spawn(move || {
            let head = format!("POST /a HTTP/1.1\r\nhost: it\r\ncontent-length: {size}\r\n\r\n");
            sender.write_all(head.as_bytes()).unwrap();
            sender.write_all(&sent).unwrap();
        });
        assert!(client.answer_to("POST").body == body, "{size} bytes");
        upload.join().unwrap();
    }
    assert_eq!(upstream.connections(), 1);
}

/// A body that lasts until the close is whole only when the close is told.
#[test]
fn an_answer_that_is_cut_off_is_cut_for_the_client_too() {
    let authority = Authority::new("it");
    let config = showing(&authority.sign(&Wish::host(&["localhost"])), None);
    let upstream = TlsUpstream::start(config, |peer| {
        let head = read_head(peer)?;
        let stream = peer.get_mut();
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello").ok()?;
        if head.starts_with("GET /whole") {
            stream.conn.send_close_notify();
            stream.flush().ok()?;
        }
        Some(())
    });
    let gateway = before(&upstream, &authority);
    assert_eq!(Client::connect(gateway.address).get("/whole").text(), "hello");
    let mut client = Client::connect(gateway.address);
    client.send("GET /cut HTTP/1.1\r\nhost: it\r\n\r\n");
    assert!(client.try_answer_to("GET").is_err(), "a cut body does not look whole");
}

#[test]
fn what_does_not_speak_tls_is_told() {
    let plain = Upstream::answering(ok("hello"));
    let skip = "insecureSkipVerification: true";
    // It answers only when something comes that it takes for a request.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((mut socket, _)) = listener.accept() {
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            let _ = socket.read(&mut [0; 4096]);
        }
    });
    refuses(launch("localhost", address, skip, ""), "it does not speak TLS");
    drop(plain);
    // Nobody is there, or says nothing.
    let gateway = launch("localhost", dead_address(), skip, "").start();
    get(&gateway).assert_refusal(503, "Service Unavailable");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let gateway =
        launch("localhost", silent.local_addr().unwrap(), skip, "timeoutInMillis: 500").start();
    get(&gateway).assert_refusal(503, "Service Unavailable");
}

#[test]
fn expired_and_early_certificates_are_told_apart() {
    let authority = Authority::new("it");
    let check = |from: i32, until: i32, why: &str| {
        let pair = authority.sign_with(&Wish::host(&["localhost"]), |params| {
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.not_after = rcgen::date_time_ymd(until, 1, 1);
        });
        let upstream = TlsUpstream::start(showing(&pair, None), |_| None);
        let launch = launch("localhost", upstream.address, "caCertificates: ca.pem", "");
        refuses(launch.beside("ca.pem", &authority.pem), why);
    };
    check(2019, 2021, "its certificate has expired");
    check(2090, 2099, "its certificate is not valid yet");
}

#[test]
fn other_authorities_take_effect_without_a_restart() {
    let authority = Authority::new("it");
    let config = showing(&authority.sign(&Wish::host(&["localhost"])), None);
    let upstream = TlsUpstream::start(config, |peer| {
        loop {
            read_head(peer)?;
            peer.get_mut().write_all(&ok("hello")).ok()?;
        }
    });
    let gateway = before(&upstream, &authority);
    assert_eq!(get(&gateway).text(), "hello");
    gateway.folder.write("ca.pem", &Authority::new("other").pem);
    eventually("the kept connection is not used any more", || get(&gateway).status == 502);
    gateway.folder.write("ca.pem", &authority.pem);
    eventually("it is trusted again", || get(&gateway).text() == "hello");
}

#[test]
fn http_and_https_to_one_port_are_two_upstreams() {
    let plain = Upstream::answering(ok("plain"));
    let authority = Authority::new("it");
    let config = showing(&authority.sign(&Wish::host(&["localhost"])), None);
    let secured = TlsUpstream::start(config, |peer| {
        read_head(peer)?;
        peer.get_mut().write_all(&ok("secured")).ok()
    });
    let uri =
        |scheme: &str, address: SocketAddr| format!("{scheme}://localhost:{}/", address.port());
    let routes = [
        Route::new("GET", "/plain", uri("http", plain.address())),
        Route::new("GET", "/secured", uri("https", secured.address))
            .more("tlsConfig: {insecureSkipVerification: true}"),
    ];
    let gateway = Launch::file("api.yaml", &openapi(&routes)).start();
    let ask = |target: &str| {
        exchange(gateway.address, format!("GET {target} HTTP/1.1\r\nhost: it\r\n\r\n")).text()
    };
    assert_eq!((ask("/plain").as_str(), ask("/secured").as_str()), ("plain", "secured"));
}
