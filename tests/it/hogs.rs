//! Clients that keep receive blocks to themselves: everybody else is still served.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use crate::harness::{Client, Gateway, Launch, Route, Upstream, ok, openapi, proxy_all};

/// How long `/middle` is.
const MIDDLE: usize = 1 << 20;

/// `/never` is not answered for long, `/endless` never ends.
pub(crate) fn upstream() -> Upstream {
    Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            match request.target.as_str() {
                "/never" => drop(peer.wait_for_close()),
                "/endless" => {
                    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
                    let piece = vec![b'e'; 65_536];
                    while peer.send(&piece) {}
                    return;
                }
                "/middle" => drop(peer.send(ok(vec![b'm'; MIDDLE]))),
                _ => drop(peer.send(ok("good"))),
            }
        }
    })
}

fn start(upstream: &Upstream) -> Gateway {
    Launch::file("api.yaml", &proxy_all(upstream.address())).start()
}

/// Everybody else is served, and soon.
#[track_caller]
pub(crate) fn assert_serves(gateway: &Gateway) {
    let mut client = Client::connect(gateway.address);
    client.set_patience(Duration::from_secs(5));
    for _ in 0..3 {
        assert_eq!(client.get("/good").text(), "good");
        assert_eq!(client.get("/middle").body.len(), MIDDLE);
    }
}

/// 64 connections with 256 KiB of pipelined requests each had all small blocks.
#[test]
fn pipelining_behind_a_slow_answer_holds_nobody_else() {
    let upstream = upstream();
    let gateway = start(&upstream);
    let mut hogs: Vec<Client> = (0..100).map(|_| Client::connect(gateway.address)).collect();
    for hog in &mut hogs {
        hog.send("GET /never HTTP/1.1\r\nhost: it\r\n\r\n");
    }
    thread::sleep(Duration::from_millis(300));
    let more = "GET /good HTTP/1.1\r\nhost: it\r\n\r\n".repeat(10_000);
    for hog in &hogs {
        let mut sender = hog.sender();
        sender.set_nonblocking(true).unwrap();
        for _ in 0..4 {
            let _ = std::io::Write::write(&mut sender, more.as_bytes());
        }
    }
    thread::sleep(Duration::from_millis(500));
    assert_serves(&gateway);
}

/// Takes connections and never answers; one thread for all of them.
fn silent_upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let _kept: Vec<TcpStream> = listener.incoming().map_while(Result::ok).collect();
    });
    address
}

/// `count` clients whose requests are not answered, at two upstreams: each takes 4,096 at most.
fn start_pipelining(upstream: &Upstream, count: usize) -> (Gateway, Vec<TcpStream>) {
    let good = format!("http://{}/{{proxy}}", upstream.address());
    let [one, two] = [silent_upstream(), silent_upstream()];
    let routes = [
        Route::new("GET", "/never/0", format!("http://{one}/")),
        Route::new("GET", "/never/1", format!("http://{two}/")),
        Route::new("ANY", "/{proxy+}", good),
    ];
    let gateway = Launch::file("api.yaml", &openapi(&routes)).start();
    let hogs = (0..count).map(|number| {
        let mut hog = TcpStream::connect(gateway.address).unwrap();
        hog.set_nodelay(true).unwrap();
        let request = format!("GET /never/{} HTTP/1.1\r\nhost: it\r\n\r\n", number % 2);
        hog.write_all(request.as_bytes()).unwrap();
        hog
    });
    let hogs = hogs.collect();
    // All of them wait.
    gateway.await_number("ringway_requests_in_flight", count as u64);
    (gateway, hogs)
}

/// Each piece kept a whole block: four of each of 5,000 clients are more than there are.
#[test]
fn five_thousand_clients_that_pipeline_tiny_pieces_hold_nobody_else() {
    let upstream = upstream();
    let (gateway, mut hogs) = start_pipelining(&upstream, 5_000);
    for piece in "GET /good HTTP/1.1\r\n".as_bytes().chunks(3) {
        hogs.iter_mut().for_each(|hog| hog.write_all(piece).unwrap());
    }
    thread::sleep(Duration::from_millis(300));
    assert_serves(&gateway);
}

/// An armed multishot receive takes up to 32 blocks in one go, so 500 such clients had them all.
#[test]
fn a_thousand_clients_that_pipeline_in_bulk_hold_nobody_else() {
    let upstream = upstream();
    let (gateway, hogs) = start_pipelining(&upstream, 1_000);
    let more = "GET /good HTTP/1.1\r\nhost: it\r\n\r\n".repeat(5_000);
    for mut hog in &hogs {
        hog.set_nonblocking(true).unwrap();
        let _ = hog.write(more.as_bytes());
    }
    thread::sleep(Duration::from_millis(300));
    assert_serves(&gateway);
}

/// 86 downloads that are not read had all large blocks.
#[test]
fn downloads_that_are_not_read_hold_nobody_else() {
    let upstream = upstream();
    let gateway = start(&upstream);
    let mut hogs: Vec<Client> = (0..160).map(|_| Client::connect(gateway.address)).collect();
    for hog in &mut hogs {
        hog.shrink_receive_buffer();
        hog.send("GET /endless HTTP/1.1\r\nhost: it\r\n\r\n");
    }
    thread::sleep(Duration::from_millis(1_500));
    assert_serves(&gateway);
}
