//! Clients that keep receive blocks to themselves: everybody else is still served.

use std::{thread, time::Duration};

use crate::harness::{Client, Gateway, Launch, Upstream, ok, proxy_all};

const MIDDLE: usize = 1 << 20;

/// `/never` is not answered for long, `/endless` never ends.
fn upstream() -> Upstream {
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

#[track_caller]
fn assert_serves(gateway: &Gateway) {
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

/// 43 downloads that are not read had all large blocks.
#[test]
fn downloads_that_are_not_read_hold_nobody_else() {
    let upstream = upstream();
    let gateway = start(&upstream);
    let mut hogs: Vec<Client> = (0..80).map(|_| Client::connect(gateway.address)).collect();
    for hog in &mut hogs {
        hog.shrink_receive_buffer();
        hog.send("GET /endless HTTP/1.1\r\nhost: it\r\n\r\n");
    }
    thread::sleep(Duration::from_millis(1_500));
    assert_serves(&gateway);
}
