//! Many short connections, and memory and descriptors back at their start.

use std::{
    env,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use crate::harness::{Client, Launch, Upstream, eventually, ok, proxy_all};

/// Connections of one request each from `threads` clients.
fn short_connections(address: SocketAddr, count: usize, threads: usize) {
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for number in 0..count / threads {
                    let mut client = Client::connect(address);
                    // Some say that they close, some just go, some go in the middle.
                    match number % 4 {
                        0 => {
                            let request =
                                "GET /s HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n";
                            assert_eq!(client.ask(request).status, 200);
                            client.assert_closed();
                        }
                        3 => client.send("GET /s HTT"),
                        _ => assert_eq!(client.get("/s").status, 200),
                    }
                }
            });
        }
    });
}

/// `RINGWAY_SOAK=1000000 cargo test --test it short_connections` runs the million.
#[test]
fn short_connections_leave_nothing_behind() {
    let count = env::var("RINGWAY_SOAK").map_or(20_000, |text| text.parse().unwrap());
    let upstream = Upstream::answering(ok("soak"));
    let gateway = Launch::file("api.yaml", &proxy_all(upstream.address())).start();
    // Pools, buffers and the allocator have their working size after some thousands.
    short_connections(gateway.address, 4_000, 4);
    eventually("the clients are gone", || gateway.descriptors() < 100);
    thread::sleep(Duration::from_millis(200));
    let (memory, descriptors) = (gateway.memory_kib(), gateway.descriptors());
    let started = Instant::now();
    short_connections(gateway.address, count, 4);
    let rate = count as f64 / started.elapsed().as_secs_f64();
    eventually("descriptors are back", || gateway.descriptors() <= descriptors + 4);
    let grown = gateway.memory_kib().saturating_sub(memory);
    eprintln!("{count} connections, {rate:.0} a second: memory grew by {grown} KiB");
    // 20,000 connections that leaked 64 bytes each would be 1,280 KiB.
    assert!(grown < 1_024, "memory grew by {grown} KiB over {count} connections");
    assert_eq!(Client::connect(gateway.address).get("/s").text(), "soak");
}
