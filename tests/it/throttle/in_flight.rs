//! Limits of requests in flight: a place is held as long as the request is, and comes back however
//! it ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{launch, request};
use crate::harness::{
    Client, Gateway, PATIENCE, Peer, Route, Upstream, eventually, exchange, ok, openapi,
};

/// One place for all, a route that does what its name says, and one that answers at once.
struct World {
    gateway: Gateway,
    upstream: Upstream,
    /// Whoever waits for it goes on.
    released: Arc<AtomicBool>,
}

impl World {
    fn start(
        places: u32,
        act: impl Fn(&mut Peer, &AtomicBool) -> bool + Send + Sync + 'static,
    ) -> Self {
        let released = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&released);
        let upstream = Upstream::start(move |mut peer| {
            while let Some(request) = peer.request() {
                let goes_on = match request.target.as_str() {
                    "/quick" => peer.send(ok("quick")),
                    _ => act(&mut peer, &seen),
                };
                if !goes_on {
                    return;
                }
            }
        });
        let uri = |path: &str| format!("http://{}{path}", upstream.address());
        let definition = openapi(&[
            Route::new("GET", "/quick", uri("/quick")),
            Route::new("GET", "/slow", uri("/slow")).timeout(20_000),
            Route::new("GET", "/late", uri("/late")).timeout(300),
            Route::new("GET", "/keyed", uri("/quick")).keyed(),
        ]);
        let limit = format!(
            "throttling: {{limits: [{{name: places, key: {{type: ALL}}, concurrentRequests: \
             {places}}}]}}\n"
        );
        let gateway = launch(&definition, &["{stageName: $default}"], &limit).shards(2).start();
        Self { gateway, upstream, released }
    }

    /// Asks for `/slow`, and waits until the upstream has it.
    fn hold(&self) -> Client {
        let before = self.upstream.requests().len();
        let mut client = Client::connect(self.gateway.address);
        client.send(request("/slow", ""));
        eventually("the upstream is asked", || self.upstream.requests().len() > before);
        client
    }

    fn is_free(&self) -> bool {
        let answer = exchange(self.gateway.address, request("/quick", ""));
        if answer.status != 200 {
            answer.assert_refusal(429, "Too Many Requests");
        }
        answer.status == 200
    }

    #[track_caller]
    fn assert_free(&self, why: &str) {
        eventually(&format!("the place is free: {why}"), || self.is_free());
        assert!(self.is_free(), "and stays so");
    }
}

fn wait_for(flag: &AtomicBool) {
    let end = Instant::now() + PATIENCE;
    while !flag.load(Ordering::SeqCst) && Instant::now() < end {
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_place_is_held_until_the_whole_answer_is_sent() {
    let world = World::start(1, |peer, released| {
        let is_sent = peer.send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf");
        wait_for(released);
        is_sent && peer.send("half")
    });
    let mut client = world.hold();
    let head = client.read("HTTP/1.1 200 OK\r\n".len());
    assert_eq!(head, b"HTTP/1.1 200 OK\r\n", "the answer is on its way");
    assert!(!world.is_free());
    world.released.store(true, Ordering::SeqCst);
    world.assert_free("the answer is over");
    assert!(world.gateway.number("ringway_throttled_total") > 0);
}

#[test]
fn as_many_as_there_are_places_are_in_flight() {
    let world = World::start(3, |peer, released| {
        wait_for(released);
        peer.send(ok("slow"))
    });
    let mut clients = vec![world.hold(), world.hold()];
    assert!(world.is_free());
    clients.push(world.hold());
    assert!(!world.is_free());
    world.released.store(true, Ordering::SeqCst);
    for client in &mut clients {
        assert_eq!(client.answer().text(), "slow");
    }
    world.assert_free("all are answered");
    // All three, and no fourth.
    world.released.store(false, Ordering::SeqCst);
    let again = [world.hold(), world.hold(), world.hold()];
    assert!(!world.is_free());
    again.into_iter().for_each(Client::reset);
    world.assert_free("all have left");
    world.released.store(true, Ordering::SeqCst);
}

#[test]
fn a_client_that_leaves_gives_its_place_up() {
    let world = World::start(1, |peer, released| {
        wait_for(released);
        peer.send(ok("slow"))
    });
    for _ in 0..3 {
        let client = world.hold();
        assert!(!world.is_free());
        client.reset();
        world.assert_free("it left");
    }
    world.released.store(true, Ordering::SeqCst);
}

/// A client that closes may only have said all that it has to say: its request goes on, and holds
/// its place until the upstream has answered.
#[test]
fn a_client_that_closes_keeps_its_place_until_it_is_answered() {
    let world = World::start(1, |peer, released| {
        wait_for(released);
        peer.send(ok("slow"))
    });
    let mut client = world.hold();
    client.finish_sending();
    let gone = Client::connect(world.gateway.address);
    drop(gone);
    assert!(!world.is_free());
    world.released.store(true, Ordering::SeqCst);
    assert_eq!(client.answer().text(), "slow");
    world.assert_free("it is answered");
    world.released.store(false, Ordering::SeqCst);
    drop(world.hold());
    world.released.store(true, Ordering::SeqCst);
    world.assert_free("it would be answered, were it there");
}

#[test]
fn a_client_that_leaves_within_its_answer_gives_its_place_up() {
    let world = World::start(1, |peer, released| {
        let is_sent = peer.send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf");
        wait_for(released);
        is_sent && peer.send("half")
    });
    let mut client = world.hold();
    client.read("HTTP/1.1 200 OK\r\n".len());
    client.reset();
    world.assert_free("it left");
    world.released.store(true, Ordering::SeqCst);
}

#[test]
fn an_upstream_that_dies_gives_the_place_up() {
    let table = [
        ("before its answer", ""),
        ("within its head", "HTTP/1.1 200 OK\r\ncontent-le"),
        ("within its body", "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf"),
    ];
    for (when, part) in table {
        let world = World::start(1, move |peer, _| {
            peer.send(part);
            false
        });
        for _ in 0..3 {
            let mut client = world.hold();
            assert!(client.try_answer_to("GET").map_or(true, |answer| answer.status >= 500));
            world.assert_free(when);
        }
    }
}

/// Nobody listens there.
#[test]
fn an_upstream_that_is_not_there_gives_the_place_up() {
    let nobody = crate::harness::dead_address();
    let definition = openapi(&[Route::new("GET", "/slow", format!("http://{nobody}/"))]);
    let limit = "throttling: {limits: [{name: places, key: {type: ALL}, concurrentRequests: 1}]}\n";
    let gateway = launch(&definition, &["{stageName: $default}"], limit).start();
    for _ in 0..4 {
        assert_eq!(exchange(gateway.address, request("/slow", "")).status, 503);
    }
}

#[test]
fn a_timeout_gives_the_place_up() {
    let world = World::start(1, |peer, released| {
        wait_for(released);
        peer.send(ok("late"))
    });
    for _ in 0..3 {
        assert_eq!(exchange(world.gateway.address, request("/late", "")).status, 503);
        world.assert_free("the integration timed out");
    }
    world.released.store(true, Ordering::SeqCst);
}

/// It was taken before the key was asked for.
#[test]
fn a_request_that_is_refused_later_gives_its_place_up() {
    let world = World::start(1, |peer, _| peer.send(ok("slow")));
    for _ in 0..4 {
        let answer = exchange(world.gateway.address, request("/keyed", ""));
        answer.assert_refusal(403, "Forbidden");
    }
    world.assert_free("all were refused");
}

#[test]
fn a_body_that_never_comes_gives_the_place_up_with_its_client() {
    let world = World::start(1, |peer, _| peer.send(ok("slow")));
    let mut client = Client::connect(world.gateway.address);
    client.send("GET /slow HTTP/1.1\r\nhost: it\r\ncontent-length: 9\r\n\r\nhalf");
    eventually("the head is passed on", || world.upstream.connections() == 1);
    assert!(!world.is_free());
    drop(client);
    world.assert_free("its client left");
}

/// One connection has one request in flight, however many it has sent.
#[test]
fn pipelined_requests_take_a_place_after_each_other() {
    let world = World::start(1, |peer, _| peer.send(ok("slow")));
    let mut client = Client::connect(world.gateway.address);
    client.send(request("/quick", "").repeat(6));
    for _ in 0..6 {
        assert_eq!(client.answer().status, 200);
    }
    world.assert_free("all are answered");
}

/// A tunnel is a request that lasts.
#[test]
fn a_tunnel_holds_its_place_until_it_ends() {
    let world = World::start(1, |peer, _| {
        peer.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: it\r\n\r\n");
        while !peer.read(100).is_empty() {}
        false
    });
    let mut client = Client::connect(world.gateway.address);
    let answer = client.ask(request("/slow", "connection: upgrade\r\nupgrade: it\r\n"));
    assert_eq!(answer.status, 101);
    assert!(!world.is_free());
    drop(client);
    world.assert_free("the tunnel ended");
}

/// A reload keeps the count: those in flight are still there.
#[test]
fn a_reload_forgets_no_place_that_is_held() {
    let world = World::start(2, |peer, released| {
        wait_for(released);
        peer.send(ok("slow"))
    });
    let _held = [world.hold(), world.hold()];
    assert!(!world.is_free());
    let path = world.gateway.folder.join("gateway.yaml");
    let file = std::fs::read_to_string(path).unwrap();
    let set = |places: u32| {
        let line = format!("concurrentRequests: {places}");
        world.gateway.folder.write("gateway.yaml", &file.replace("concurrentRequests: 2", &line));
        world.gateway.signal("HUP");
    };
    set(3);
    eventually("the third place is there", || world.is_free());
    let third = world.hold();
    assert!(!world.is_free(), "and no fourth");
    set(1);
    third.reset();
    thread::sleep(Duration::from_millis(300));
    assert!(!world.is_free(), "two are in flight, which is more than one");
    world.released.store(true, Ordering::SeqCst);
    world.assert_free("all are answered");
}
