//! Clients of HTTP/2 that ask for much and take nothing: everybody else is still served.

use std::{thread, time::Duration};

use crate::harness::{Client, Gateway, Upstream, ok, proxy_all};

use super::{
    client::RawClient,
    frame::{WHOLE, headers},
    hpack::block,
    target::{launch, request},
};

const MIDDLE: usize = 1 << 20;

/// `/endless` never ends.
fn upstream() -> Upstream {
    Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            match request.target.as_str() {
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

#[track_caller]
fn assert_serves(gateway: &Gateway) {
    let mut client = Client::connect(gateway.address);
    client.set_patience(Duration::from_secs(5));
    for _ in 0..3 {
        assert_eq!(client.get("/good").text(), "good");
        assert_eq!(client.get("/middle").body.len(), MIDDLE);
    }
}

#[test]
fn downloads_that_are_not_read_hold_nobody_else() {
    let upstream = upstream();
    let gateway = launch(&proxy_all(upstream.address()), "").start();
    let before = gateway.memory_kib();
    let mut hogs: Vec<RawClient> = (0..10).map(|_| RawClient::open(gateway.address)).collect();
    for hog in &mut hogs {
        for number in 0..100 {
            hog.send(&headers(1 + 2 * number, WHOLE, block(&request("GET", "/endless"))));
        }
    }
    thread::sleep(Duration::from_millis(2_000));
    assert_serves(&gateway);
    let grown = gateway.memory_kib() - before;
    assert!(grown < 160 * 1_024, "{grown} KiB");
}
