//! Records and handshakes as they may come over a wire: in pieces, cut, forged, not at all.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use rustls::ClientConnection;

use super::{Shown, greeting};
use crate::harness::{Client, PATIENCE, TlsClient, Upstream, eventually, ok, pattern};

const GET: &str = "GET / HTTP/1.1\r\nhost: it\r\n\r\n";

fn raw(shown: &Shown) -> TcpStream {
    let socket = TcpStream::connect(shown.gateway.tls[0]).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// What rustls would send now.
fn take_records(connection: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// Sends what rustls has to say, so many bytes at a time.
fn push(connection: &mut ClientConnection, socket: &mut TcpStream, size: usize) {
    for piece in take_records(connection).chunks(size) {
        socket.write_all(piece).unwrap();
        thread::sleep(Duration::from_micros(300));
    }
}

#[test]
fn handshake_and_request_come_byte_by_byte() {
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    for size in [1, 3, 7] {
        let mut socket = raw(&shown);
        let name = "localhost".try_into().unwrap();
        let mut connection = ClientConnection::new(shown.client.clone(), name).unwrap();
        while connection.is_handshaking() {
            push(&mut connection, &mut socket, size);
            if connection.wants_read() {
                connection.read_tls(&mut socket).unwrap();
                connection.process_new_packets().unwrap();
            }
        }
        for _ in 0..3 {
            connection.writer().write_all(GET.as_bytes()).unwrap();
            push(&mut connection, &mut socket, size);
            let mut answer = Vec::new();
            while !answer.ends_with(b"hello") {
                connection.read_tls(&mut socket).unwrap();
                connection.process_new_packets().unwrap();
                let _ = connection.reader().read_to_end(&mut answer);
            }
        }
    }
    shown.gateway.await_number("ringway_tls_handshakes_total", 3);
}

#[test]
fn a_client_that_has_nothing_to_say_yet_gets_its_tickets() {
    // Else Nagle's rule keeps its first request back until our side's kernel acknowledges.
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    let mut socket = raw(&shown);
    let name = "localhost".try_into().unwrap();
    let mut connection = ClientConnection::new(shown.client, name).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).unwrap();
    }
    while connection.tls13_tickets_received() == 0 {
        connection.read_tls(&mut socket).unwrap();
        connection.process_new_packets().unwrap();
    }
}

#[test]
fn bodies_of_all_sizes_go_both_ways_unchanged() {
    let upstream = Upstream::echoing();
    let shown = Shown::start(&upstream);
    let mut client = shown.connect();
    // Around a record, a small block, a large block, and what is sealed into a text.
    let sizes = [0, 1, 1_300, 1_400, 4_000, 4_096, 8_191, 8_192, 8_193, 16_383, 16_384, 16_385];
    for size in sizes.into_iter().chain([65_535, 65_536, 65_537, 300_000]) {
        let body = pattern(size as u64, size);
        client.send(format!("POST / HTTP/1.1\r\nhost: it\r\ncontent-length: {size}\r\n\r\n"));
        client.send(&body);
        let answer = client.answer();
        assert_eq!(answer.status, 200);
        assert!(answer.body == body, "{size} bytes came back changed");
    }
}

#[test]
fn ten_megabytes_go_up_and_down() {
    let body = pattern(1, 10 * 1024 * 1024);
    let answer = ok(&body);
    let expected = body.clone();
    let upstream = Upstream::start(move |mut peer| {
        while let Some(request) = peer.request() {
            assert!(request.body.is_empty() || request.body == expected);
            peer.send(if request.method == "GET" { answer.clone() } else { ok("taken") });
        }
    });
    let shown = Shown::start(&upstream);
    let mut client = shown.connect();
    assert!(client.get("it", "/").body == body);
    let length = body.len();
    client.send(format!("PUT / HTTP/1.1\r\nhost: it\r\ncontent-length: {length}\r\n\r\n"));
    client.send(&body);
    assert_eq!(client.answer().text(), "taken");
}

#[test]
fn pipelined_requests_in_one_record_and_in_many_are_answered_in_order() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            peer.send(ok(&request.target));
        }
    });
    let shown = Shown::start(&upstream);
    let mut client = shown.connect();
    let request = |number: usize| format!("GET /{number} HTTP/1.1\r\nhost: it\r\n\r\n");
    client.send((0..100).map(request).collect::<String>());
    (0..100).for_each(|number| assert_eq!(client.answer().text(), format!("/{number}")));
    // A record for each byte: whole blocks of tiny records.
    let (connection, socket) = client.parts();
    for byte in (0..20).map(request).collect::<String>().bytes() {
        connection.writer().write_all(&[byte]).unwrap();
    }
    let records = take_records(connection);
    socket.write_all(&records).unwrap();
    (0..20).for_each(|number| assert_eq!(client.answer().text(), format!("/{number}")));
}

#[test]
fn what_is_no_handshake_is_told_apart_and_counted() {
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    let address = shown.gateway.tls[0];
    let answer = Client::connect(address).get("/");
    answer.assert_refusal(400, "Bad Request");
    assert!(answer.says_close());
    shown.gateway.await_number("ringway_tls_plain_total", 1);
    for garbage in [&b"\0\0\0\0"[..], b"SSH-2.0-x\r\n", b"\x80\x2e\x01\x03\x01", b"hello, world"] {
        let mut client = Client::connect(address);
        client.send(garbage);
        client.assert_closed();
    }
    // The beginning of a record, and then another version's.
    let mut client = Client::connect(address);
    client.send(b"\x16\x09\x01\x00\x01\x01");
    client.assert_closed();
    shown.gateway.await_number("ringway_tls_garbage_total", 5);
    // A handshake record with nonsense in it is answered with an alert.
    let mut client = Client::connect(address);
    client.send(b"\x16\x03\x01\x00\x04\x01\x02\x03\x04");
    client.finish_sending();
    let alert = client.read_to_end();
    assert!(alert.first() == Some(&21) || alert.is_empty(), "{alert:?}");
    // Nobody's first message has 64 KiB.
    let mut client = Client::connect(address);
    let mut record = vec![0; 5 + 16_384];
    record[..9].copy_from_slice(b"\x16\x03\x01\x40\x00\x01\x00\xff\xf0");
    client.send(&record);
    // The next record would be too much; it need not come whole.
    client.send(&record[..5]);
    client.assert_closed();
    shown.gateway.await_number("ringway_tls_handshakes_broken_total", 1);
    assert_eq!(shown.connect().get("it", "/").text(), "hello");
}

#[test]
fn a_port_that_is_only_looked_at_is_nobodys_fault() {
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    drop(Client::connect(shown.gateway.tls[0]));
    assert_eq!(shown.connect().get("it", "/").text(), "hello");
    assert_eq!(shown.gateway.number("ringway_tls_handshakes_broken_total"), 0);
    assert_eq!(shown.gateway.number("ringway_tls_handshakes_refused_total"), 0);
    let mut client = Client::connect(shown.gateway.tls[0]);
    client.send(b"\x16\x03\x01\x02\x00\x01");
    drop(client);
    shown.gateway.await_number("ringway_tls_handshakes_broken_total", 1);
}

#[test]
fn a_handshake_that_does_not_end_is_ended() {
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    let begun = Instant::now();
    let mut silent = Client::connect(shown.gateway.tls[0]);
    let mut slow = Client::connect(shown.gateway.tls[0]);
    slow.send(b"\x16\x03\x01\x02\x00\x01");
    let mut sender = slow.sender();
    let trickle = thread::spawn(move || {
        while begun.elapsed() < Duration::from_secs(30) && sender.write_all(b"\0").is_ok() {
            thread::sleep(Duration::from_millis(200));
        }
    });
    slow.assert_closed();
    silent.assert_closed();
    let took = begun.elapsed();
    assert!((9..14).contains(&took.as_secs()), "{took:?}");
    trickle.join().unwrap();
}

#[test]
fn a_forged_or_cut_record_ends_the_connection_with_an_alert() {
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    let mut client = shown.connect();
    assert_eq!(client.get("it", "/").text(), "hello");
    let (connection, socket) = client.parts();
    connection.writer().write_all(GET.as_bytes()).unwrap();
    let mut record = take_records(connection);
    *record.last_mut().unwrap() ^= 1;
    socket.write_all(&record).unwrap();
    let error = client.read_to_end().unwrap_err().to_string();
    assert!(error.contains("BadRecordMac"), "{error}");
    shown.gateway.await_number("ringway_tls_alerts_sent_total", 1);
    // Longer than a record may be.
    let mut client = shown.connect();
    client.parts().1.write_all(&[23, 3, 3, 0x41, 1]).unwrap();
    let error = client.read_to_end().unwrap_err().to_string();
    assert!(error.contains("RecordOverflow"), "{error}");
    // Plain text within the connection.
    let mut client = shown.connect();
    client.parts().1.write_all(&[22, 3, 3, 0, 1, 0]).unwrap();
    let error = client.read_to_end().unwrap_err().to_string();
    assert!(error.contains("UnexpectedMessage"), "{error}");
    shown.gateway.await_number("ringway_tls_alerts_sent_total", 3);
}

#[test]
fn a_request_cut_within_a_record_is_no_request() {
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    for keep in [1, 5, 20] {
        let mut client = shown.connect();
        let (connection, socket) = client.parts();
        connection.writer().write_all(GET.as_bytes()).unwrap();
        let record = take_records(connection);
        socket.write_all(&record[..keep]).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(client.read_to_end().unwrap_or_default().is_empty());
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_request_body_cut_by_a_fin_without_close_notify_does_not_look_whole() {
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    let mut client = shown.connect();
    client.send("POST / HTTP/1.1\r\nhost: it\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
    client.parts().1.shutdown(std::net::Shutdown::Write).unwrap();
    let rest = client.read_to_end().unwrap_or_default();
    assert!(!rest.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&rest));
    assert!(upstream.requests().is_empty());
}

/// An HTTP/1.0 client knows the end of such a body by the close alone.
#[test]
fn an_answer_without_length_ends_with_close_notify_only_when_it_is_whole() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
            if request.target == "/cut" {
                return;
            }
            peer.send("0\r\n\r\n");
        }
    });
    let shown = Shown::start(&upstream);
    let mut client = shown.connect();
    client.send("GET /whole HTTP/1.0\r\nhost: it\r\n\r\n");
    let whole = client.read_to_end().expect("a whole answer ends with close_notify");
    assert!(whole.ends_with(b"\r\n\r\nhello"));
    let mut client = shown.connect();
    client.send("GET /cut HTTP/1.0\r\nhost: it\r\n\r\n");
    let error = client.read_to_end().expect_err("a cut answer does not");
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_client_that_half_closes_gets_its_answer() {
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    let mut client = shown.connect();
    client.send("GET / HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n");
    let (connection, socket) = client.parts();
    connection.send_close_notify();
    let farewell = take_records(connection);
    socket.write_all(&farewell).unwrap();
    assert_eq!(client.answer().text(), "hello");
    assert!(client.read_to_end().unwrap().is_empty());
}

#[test]
fn keys_are_renewed_as_often_as_a_client_likes_within_reason() {
    let upstream = Upstream::echoing();
    let shown = Shown::start(&upstream);
    let mut client = shown.connect();
    for round in 0..100_u32 {
        client.parts().0.refresh_traffic_keys().unwrap();
        let body = pattern(round.into(), 20_000);
        client.send("POST / HTTP/1.1\r\nhost: it\r\ncontent-length: 20000\r\n\r\n");
        client.send(&body);
        assert!(client.answer().body == body, "round {round}");
    }
    // Without a byte of data between them they are work for nothing.
    let (connection, socket) = client.parts();
    for _ in 0..40 {
        connection.refresh_traffic_keys().unwrap();
        let records = take_records(connection);
        if socket.write_all(&records).is_err() {
            break;
        }
    }
    assert!(client.read_to_end().is_err());
    shown.gateway.await_number("ringway_tls_alerts_sent_total", 1);
}

#[test]
fn too_many_handshakes_cost_the_oldest() {
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    // It lets this process have as many descriptors as it may.
    let _ = ringway::ring::probe(1);
    // One more than the bound, and one that shakes hands among them.
    let mut silent: Vec<Client> = Vec::new();
    for _ in 0..=ringway::base::limits::TLS_HANDSHAKES_MAX {
        silent.push(Client::connect(shown.gateway.tls[0]));
    }
    shown.gateway.await_number("ringway_tls_handshakes_crowded_total", 1);
    silent[0].assert_closed();
    let mut client = shown.connect();
    assert_eq!(client.get("it", "/").text(), "hello");
    eventually("the connections are counted", || {
        shown.gateway.number("ringway_tls_handshakes_crowded_total") == 2
    });
    drop(silent);
    assert_eq!(client.get("it", "/").text(), "hello");
}

/// Nothing may be left of a connection that was closed in the middle of anything.
#[test]
fn clients_that_leave_at_any_moment_leave_nothing() {
    let body = pattern(3, 400_000);
    let upstream = Upstream::answering(ok(body));
    let shown = Shown::start(&upstream);
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..60 {
        let Ok(mut client) =
            TlsClient::try_connect(shown.gateway.tls[0], &shown.client, "localhost")
        else {
            panic!("no handshake");
        };
        let _ = client.try_send(GET);
        let wanted = random.usize(0..450_000);
        let mut got = vec![0; wanted.min(380_000)];
        if random.bool() {
            got = client.read(got.len());
        }
        drop(got);
    }
    eventually("all connections are gone", || {
        shown.gateway.number("ringway_connections_open") == 0
            && shown.gateway.number("ringway_requests_in_flight") == 0
    });
    assert_eq!(shown.gateway.number("ringway_panics_total"), 0);
}
