//! Clients without sense: frames at random out of a seed, cut off at random. Whatever they send,
//! the gateway answers others, keeps nothing of them, and does not die.
//!
//! ```text
//! RINGWAY_SEED=17 cargo test --test it http2::chaos -- --nocapture
//! RINGWAY_SEEDS=20000 cargo test --test it http2::chaos
//! ```

use std::{env, sync::Mutex, thread, time::Duration};

use crate::harness::{Gateway, Upstream, ok, proxy_all};

use super::{
    client::{Event, RawClient},
    frame::{self, EXCLUSIVE, Frame, data, headers, kind},
    hpack::{Block, Coding, FIRST_DYNAMIC, Literal, block},
    target::{launch, request},
};

const SEEDS: u64 = 400;

#[test]
fn random_frames() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            let body = if request.target == "/long" { vec![b'l'; 100_000] } else { request.body };
            if !peer.send(ok(body)) {
                return;
            }
        }
    });
    let mut gateway = launch(&proxy_all(upstream.address()), "").start();
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("RINGWAY_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("RINGWAY_SEEDS").unwrap_or(SEEDS),
    };
    let left = Mutex::new(seeds);
    let before = gateway.memory_kib();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some(seed) = left.lock().unwrap().next() else { return };
                    play(&gateway, &mut fastrand::Rng::with_seed(seed));
                }
            });
        }
    });
    assert!(gateway.is_running() && !gateway.said().contains("panicked"), "{}", gateway.said());
    let mut client = RawClient::open(gateway.address);
    assert_eq!(client.ask(1, &request("GET", "/good"), b"").unwrap().status, 200);
    drop(client);
    gateway.await_number("ringway_requests_in_flight", 0);
    let grown = gateway.memory_kib().saturating_sub(before);
    assert!(grown < 64 * 1024, "the gateway grew by {grown} KiB");
}

/// One connection: some of it sound, some not, and an end at any time.
fn play(gateway: &Gateway, random: &mut fastrand::Rng) {
    let mut client = RawClient::connect(gateway.address);
    if client.shake_hands().is_err() {
        return;
    }
    let mut next_stream = 1;
    for _ in 0..random.usize(1..60) {
        let mut bytes = Vec::new();
        for _ in 0..random.usize(1..6) {
            bytes.extend(any_frame(random, &mut next_stream).to_bytes());
        }
        if random.u8(..) < 4 {
            bytes.truncate(random.usize(..bytes.len()));
        }
        if !client.send_bytes(&bytes) {
            return;
        }
        while let Event::Frame(frame) = client.next_within(Duration::ZERO) {
            if frame.kind == kind::DATA && random.bool() {
                client.open_windows(&frame);
            }
        }
    }
    if random.bool() {
        client.finish_sending();
    }
    if random.bool() {
        let _ = client.next_within(Duration::from_millis(random.u64(..30)));
    }
}

/// Mostly a request, or something about one; sometimes bytes that mean nothing.
fn any_frame(random: &mut fastrand::Rng, next_stream: &mut u32) -> Frame {
    let known = 1 + 2 * random.u32(..*next_stream / 2 + 1);
    match random.u8(..24) {
        0..=7 => {
            let stream = *next_stream;
            *next_stream += 2;
            headers(
                stream,
                if random.bool() { frame::WHOLE } else { frame::END_HEADERS },
                any_head(random),
            )
        }
        8..=13 => {
            let most = [2, 300, 16_384][random.usize(..3)];
            let length = random.usize(..most);
            data(known, u8::from(random.bool()), vec![b'x'; length])
        }
        14 => frame::reset(known, random.u32(..16)),
        15 => frame::window_update(if random.bool() { 0 } else { known }, random.u32(1..100_000)),
        16 => frame::ping(0, random.u64(..).to_be_bytes()),
        17 => frame::settings(&[(random.u16(1..7), random.u32(..70_000))]),
        18 => frame::priority(known, random.u32(..) | EXCLUSIVE, random.u8(..)),
        19 => headers(known, frame::WHOLE, block(&[("x-trailer", "1")])),
        20 => frame::padded(data(known, 0, "padded"), random.u8(..)),
        21 => frame::continuation(known, frame::END_HEADERS, any_head(random)),
        22 => headers(*next_stream, 0, any_head(random)),
        _ => {
            let length = random.usize(..64);
            let payload: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            Frame::new(random.u8(..12), random.u8(..), random.u32(..64), payload)
        }
    }
}

fn any_head(random: &mut fastrand::Rng) -> Vec<u8> {
    let method = ["GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT"][random.usize(..6)];
    let path = ["/", "/long", "/a?b", "*", "x", ""][random.usize(..6)];
    let mut head = Block::new().raw(&block(&request(method, path)));
    for _ in 0..random.usize(..4) {
        let value: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(..)).collect();
        head = match random.u8(..5) {
            0 => head.field("content-length", random.u16(..400).to_string()),
            1 => head.literal(Literal::Indexed, Coding::Huffman, b"x-any", &value),
            2 => head.indexed(FIRST_DYNAMIC + random.usize(..2)),
            3 => head.field("cookie", "a=1"),
            _ => head.literal(Literal::NeverIndexed, Coding::Plain, b"x-plain", b"value"),
        };
    }
    head.into_bytes()
}
