//! Clients of HTTP/2 that ask for much and take nothing: everybody else is still served.

use std::{thread, time::Duration};

use crate::{
    harness::proxy_all,
    hogs::{assert_serves, upstream},
};

use super::{
    client::RawClient,
    frame::{WHOLE, headers},
    hpack::block,
    target::{launch, request},
};

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
