//! A limit of requests in flight, over HTTP/2: each stream is a request, and a reset ends it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use super::{
    client::RawClient,
    frame::{CANCEL, WHOLE, headers, reset},
    hpack::block,
    target::{launch, request},
};
use crate::harness::{Gateway, Upstream, eventually, ok, proxy_all};

/// A gateway with one place in flight, and an upstream that keeps `/hold` waiting until told.
fn start() -> (Gateway, Upstream, Arc<AtomicBool>) {
    let released = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&released);
    let upstream = Upstream::start(move |mut peer| {
        while let Some(request) = peer.request() {
            while request.target == "/hold" && !seen.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(2));
            }
            if !peer.send(ok("good")) {
                return;
            }
        }
    });
    let limit = "throttling: {limits: [{name: places, key: {type: ALL}, concurrentRequests: 1}]}";
    let gateway = launch(&proxy_all(upstream.address()), limit).start();
    (gateway, upstream, released)
}

fn hold(client: &mut RawClient, stream: u32, upstream: &Upstream) {
    let before = upstream.requests().len();
    client.send(&headers(stream, WHOLE, block(&request("GET", "/hold"))));
    eventually("the upstream is asked", || upstream.requests().len() > before);
}

/// The status of a quick request on that stream.
fn ask(client: &mut RawClient, stream: u32) -> u16 {
    client.ask(stream, &request("GET", "/quick"), b"").unwrap().status
}

#[test]
fn a_stream_that_is_reset_gives_its_place_up() {
    let (gateway, upstream, released) = start();
    let mut client = RawClient::open(gateway.address);
    hold(&mut client, 1, &upstream);
    let refused = client.ask(3, &request("GET", "/quick"), b"").unwrap();
    assert_eq!(refused.status, 429);
    assert_eq!(refused.text(), "{\"message\":\"Too Many Requests\"}");
    client.send(&reset(1, CANCEL));
    let mut stream = 3;
    eventually("the place is free", || {
        stream += 2;
        ask(&mut client, stream) == 200
    });
    released.store(true, Ordering::SeqCst);
    assert_eq!(ask(&mut client, stream + 2), 200);
}

#[test]
fn a_connection_that_ends_gives_the_places_of_its_streams_up() {
    let (gateway, upstream, released) = start();
    let mut leaves = RawClient::open(gateway.address);
    hold(&mut leaves, 1, &upstream);
    let mut stays = RawClient::open(gateway.address);
    assert_eq!(ask(&mut stays, 1), 429);
    drop(leaves);
    let mut stream = 1;
    eventually("the place is free", || {
        stream += 2;
        ask(&mut stays, stream) == 200
    });
    released.store(true, Ordering::SeqCst);
}

/// Answered, the stream is over: the next one on the same connection has the place.
#[test]
fn a_stream_that_is_answered_gives_its_place_up() {
    let (gateway, upstream, released) = start();
    let mut client = RawClient::open(gateway.address);
    hold(&mut client, 1, &upstream);
    released.store(true, Ordering::SeqCst);
    assert_eq!(client.answer(1).unwrap().status, 200);
    for stream in [3, 5, 7, 9] {
        assert_eq!(ask(&mut client, stream), 200);
    }
}
