//! 1xx answers of an upstream, and `Upgrade`.

use std::{thread, time::Duration};

use crate::harness::{Client, Gateway, Launch, PATIENCE, Upstream, eventually, ok, proxy_all};

fn start(upstream: &Upstream) -> Gateway {
    Launch::file("api.yaml", &proxy_all(upstream.address())).start()
}

/// They may pass or be dropped (RFC 9110 15.2): either way the final answer is the final answer.
#[test]
fn interim_answers_do_not_disturb_the_final_one() {
    let upstream = Upstream::start(|mut peer| {
        while peer.request().is_some() {
            peer.send(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
            );
            std::thread::sleep(Duration::from_millis(5));
            peer.send("HTTP/1.1 102 Processing\r\n\r\n");
            peer.send(ok("final"));
        }
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    for _ in 0..3 {
        let mut answer = client.get("/i");
        while answer.status < 200 {
            answer = client.answer();
        }
        assert_eq!((answer.status, answer.text().as_str()), (200, "final"));
    }
    assert_eq!(upstream.connections(), 1);

    // A 1.0 client must see none of them.
    let mut client = Client::connect(gateway.address);
    assert_eq!(client.ask("GET /i HTTP/1.0\r\nhost: it\r\n\r\n").status, 200);
}

#[test]
fn endless_interim_answers_are_a_bad_gateway() {
    let upstream = Upstream::start(|mut peer| {
        peer.request();
        while peer.send("HTTP/1.1 102 Processing\r\n\r\n") {}
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    let mut answer = client.get("/endless");
    let mut interim = 0;
    while answer.status < 200 {
        interim += 1;
        assert!(interim <= 8, "more than INTERIM_RESPONSES_MAX reached the client");
        answer = client.answer();
    }
    assert_eq!(answer.status, 502);
}

const UPGRADE: &str =
    "GET /chat HTTP/1.1\r\nhost: it\r\nconnection: Upgrade\r\nupgrade: echo/1\r\n\r\n";

#[test]
fn an_upgrade_becomes_a_tunnel() {
    let upstream = Upstream::start(|mut peer| {
        let Some(request) = peer.request() else { return };
        assert_eq!(request.field("upgrade"), Some("echo/1"));
        let connection = request.field("connection").unwrap().to_ascii_lowercase();
        assert!(connection.contains("upgrade"), "{connection}");
        // The first bytes of the new protocol come together with the 101.
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo/1\r\n\r\nhi!",
        );
        loop {
            let bytes = peer.read(1000);
            if bytes.is_empty() || !peer.send(&bytes) {
                return;
            }
        }
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    client.send(UPGRADE);
    let answer = client.answer();
    assert_eq!(answer.status, 101, "{answer:?}");
    assert_eq!(answer.field("upgrade"), Some("echo/1"));
    assert!(answer.field("connection").unwrap().eq_ignore_ascii_case("upgrade"), "{answer:?}");
    assert_eq!(client.read(3), b"hi!");
    let bytes = crate::harness::pattern(11, 200_000);
    for piece in bytes.chunks(50_000) {
        client.send(piece);
        assert!(client.read(piece.len()) == piece, "the tunnel changed bytes");
    }
    // Not HTTP any more: no byte of this is parsed.
    client.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.read(18), b"GET / HTTP/1.1\r\n\r\n");
    client.finish_sending();
    client.assert_closed();
    crate::harness::eventually("the tunnel's other half ends", || upstream.open() == 0);
}

/// Its FIN may be half a close; the reset that the next bytes meet is the end. Nobody waited for
/// it: such a tunnel was held for ten minutes when its upstream had nothing more to say.
#[test]
fn a_tunnel_ends_when_a_client_that_closed_is_gone() {
    let upstream = Upstream::start(|mut peer| {
        peer.request();
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo/1\r\n\r\n",
        );
        while !peer.read(100).is_empty() {}
        thread::sleep(Duration::from_millis(200));
        peer.send("still there?");
        thread::sleep(2 * PATIENCE);
    });
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    client.send(UPGRADE);
    assert_eq!(client.answer().status, 101);
    let before = gateway.descriptors();
    drop(client);
    eventually("the tunnel's sockets are closed", || gateway.descriptors() == before - 2);
}

#[test]
fn an_upgrade_may_be_declined() {
    let upstream = Upstream::answering(ok("plain"));
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    client.send(UPGRADE);
    assert_eq!(client.answer().text(), "plain");
    assert_eq!(client.get("/again").text(), "plain");
}

#[test]
fn an_unasked_101_is_a_bad_gateway() {
    let upstream = Upstream::answering(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo/1\r\n\r\n",
    );
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    client.get("/chat").assert_refusal(502, "Bad Gateway");
    // Upgrade without the connection option asks for nothing (RFC 9110 7.8), nor does HTTP/1.0.
    let mut client = Client::connect(gateway.address);
    let answer = client.ask("GET /chat HTTP/1.1\r\nhost: it\r\nupgrade: echo/1\r\n\r\n");
    assert_eq!(answer.status, 502);
    let mut client = Client::connect(gateway.address);
    assert_eq!(client.ask(UPGRADE.replace("HTTP/1.1", "HTTP/1.0")).status, 502);
    assert!(upstream.requests().iter().all(|request| request.field("upgrade").is_none()));
    assert_eq!(upstream.connections(), 3, "none of them may be used again");
}

/// Another protocol than the one asked for is as unasked as none.
#[test]
fn a_101_for_another_protocol_is_a_bad_gateway() {
    let upstream = Upstream::answering(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n",
    );
    let gateway = start(&upstream);
    let mut client = Client::connect(gateway.address);
    client.send(UPGRADE);
    assert_eq!(client.answer().status, 502);
}
