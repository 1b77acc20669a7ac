//! A plan's throttle on two shards under more than twice its allowance: never more is let through
//! than `burst + rate * t`, and nearly all of it, wherever the connections are.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{ALICE, api_keys, definition, launch, plan, request};
use crate::harness::{Client, Gateway, Upstream, has, ok, run};

const RATE: f64 = 200.0;
/// A second's worth: a machine that stands still for so long loses nothing.
const BURST: f64 = 200.0;
const DURATION: Duration = Duration::from_secs(6);

/// A gateway of two shards before an upstream that counts.
struct World {
    gateway: Gateway,
    upstream: Upstream,
}

impl World {
    fn start() -> Self {
        let upstream = Upstream::answering(ok("good"));
        let traffic =
            api_keys() + &plan(&format!("throttle: {{rateLimit: {RATE}, burstLimit: {BURST}}}"));
        let launch = launch(&definition(&upstream), &["{stageName: $default}"], &traffic);
        Self { gateway: launch.shards(2).start(), upstream }
    }

    /// `most` is from before the first request to after the last, `least` what was surely asked in.
    #[track_caller]
    fn check(&self, most: Duration, least: Duration) {
        let admitted = self.upstream.requests().len();
        let allowance = |time: Duration| BURST + RATE * time.as_secs_f64();
        let refused = self.gateway.number("ringway_throttled_total");
        let story = format!("{admitted} in {least:?} to {most:?}, {refused} refused");
        assert!(refused as f64 >= allowance(most), "not enough was asked: {story}");
        assert!(admitted as f64 <= allowance(most), "more than the allowance: {story}");
        assert!(admitted as f64 >= 0.98 * allowance(least), "less than 98 percent: {story}");
    }

    /// By wrk over so many connections.
    fn check_wrk(&self, connections: usize) {
        let url = format!("http://{}/pets", self.gateway.address);
        let key = format!("x-api-key: {ALICE}");
        let (connections, seconds) = (connections.to_string(), DURATION.as_secs().to_string());
        let arguments = ["-t", "1", "-c", &connections, "-d", &seconds, "-H", &key, &url];
        let started = Instant::now();
        let (done, output) = run("wrk", &arguments, Path::new("/"));
        let most = started.elapsed();
        let output = String::from_utf8_lossy(&output).into_owned();
        assert!(done, "{output}");
        // `  12345 requests in 6.00s, 1.23MB read`
        let took = output.split(" requests in ").nth(1).and_then(|rest| rest.split('s').next());
        let took = Duration::from_secs_f64(took.unwrap().parse().unwrap());
        // Its clock runs before its first request leaves, and after its last.
        self.check(most, took.min(most).saturating_sub(Duration::from_millis(100)));
    }

    /// Connections that each shard has taken so far.
    fn accepted(&self) -> [u64; 2] {
        let metrics = self.gateway.metrics();
        [0, 1].map(|shard| {
            let line = format!("ringway_connections_accepted_total{{shard=\"{shard}\"}} ");
            let found = metrics.lines().find_map(|known| known.strip_prefix(&line));
            found.unwrap_or_else(|| panic!("{metrics}")).parse().unwrap()
        })
    }

    /// A connection to each shard: the kernel chooses, so until both have one.
    fn connect_to_each(&self) -> [Client; 2] {
        let mut clients = [None, None];
        for _ in 0..64 {
            let before = self.accepted();
            let mut client = Client::connect(self.gateway.address);
            assert_eq!(client.get("/open").status, 200);
            let after = self.accepted();
            let shard = usize::from(after[1] > before[1]);
            clients[shard].get_or_insert(client);
            if let [Some(_), Some(_)] = clients {
                return clients.map(Option::unwrap);
            }
        }
        panic!("64 connections came to one of two shards");
    }

    /// Asks on these connections, one after the other, each for that long.
    fn check_turns(&self, clients: &mut [&mut Client], turn: Duration) {
        let request = request("/pets", &format!("x-api-key: {ALICE}\r\n"));
        let before = self.upstream.requests().len();
        let started = Instant::now();
        let mut now = started;
        while now < started + DURATION {
            let place = (now - started).as_millis() / turn.as_millis();
            let client = &mut clients[place as usize % clients.len()];
            let status = client.ask(&request).status;
            assert!(matches!(status, 200 | 429), "{status}");
            now = Instant::now();
        }
        let took = started.elapsed();
        // What was asked to find the shards is not the plan's.
        let admitted = self.upstream.requests().len() - before;
        assert!(admitted > 0 && before < 70);
        let allowance = BURST + RATE * took.as_secs_f64();
        let refused = self.gateway.number("ringway_throttled_total");
        let story = format!("{admitted} of {allowance} in {took:?}, {refused} refused");
        assert!(refused as f64 >= allowance, "not enough was asked: {story}");
        assert!(admitted as f64 <= allowance, "more than the allowance: {story}");
        assert!(admitted as f64 >= 0.98 * allowance, "less than 98 percent: {story}");
    }
}

#[test]
fn connections_on_both_shards() {
    if has("wrk") {
        World::start().check_wrk(16);
    }
}

/// One connection is on one shard.
#[test]
fn one_connection() {
    if has("wrk") {
        World::start().check_wrk(1);
    }
}

#[test]
fn traffic_that_moves_from_shard_to_shard() {
    let world = World::start();
    let [mut one, mut other] = world.connect_to_each();
    world.check_turns(&mut [&mut one, &mut other], Duration::from_millis(700));
}

/// And that comes back to a bucket which has filled up meanwhile: a burst, not more.
#[test]
fn traffic_that_rests() {
    let world = World::start();
    let mut clients = world.connect_to_each();
    let request = request("/pets", &format!("x-api-key: {ALICE}\r\n"));
    let started = Instant::now();
    let mut admitted = 0;
    for round in 0..3 {
        let stops = Instant::now() + Duration::from_millis(600);
        while Instant::now() < stops {
            admitted += usize::from(clients[round % 2].ask(&request).status == 200);
        }
        thread::sleep(Duration::from_millis(300));
    }
    let allowance = BURST + RATE * started.elapsed().as_secs_f64();
    assert!(admitted as f64 <= allowance, "{admitted} of {allowance}");
    assert!(admitted as f64 > BURST, "{admitted}");
}
