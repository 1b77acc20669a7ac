//! A plan's throttle on two shards under more than twice its allowance: never more is let through
//! than `burst + rate * t`, and nearly all of it, wherever the connections are.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{ALICE, api_keys, definition, launch, plan, request};
use crate::harness::{Client, Gateway, Upstream, ok};

const RATE: f64 = 200.0;
/// A second's worth.
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

    /// What was let through since `before` was counted, of requests that were asked from `started`
    /// on at these times.
    #[track_caller]
    fn check(&self, before: usize, started: Instant, mut asked: Vec<Instant>) {
        let took = started.elapsed();
        asked.sort_unstable();
        let one = one_bucket(&asked);
        let admitted = self.upstream.requests().len() - before;
        let allowance = BURST + RATE * took.as_secs_f64();
        let refused = self.gateway.number("ringway_throttled_total");
        let story = format!("{admitted} of {allowance}, {one} by one bucket, {refused} refused");
        assert!(refused >= one, "not enough was asked: {story}");
        assert!(admitted as f64 <= allowance, "more than the allowance: {story}");
        assert!(admitted as f64 >= 0.98 * one as f64, "less than 98 percent: {story}");
    }

    /// Asks on all of these connections at once.
    #[track_caller]
    fn check_together(&self, clients: &mut [Client]) {
        let before = self.upstream.requests().len();
        let started = Instant::now();
        let stops = started + DURATION;
        let asked = thread::scope(|scope| {
            let asking = |client| scope.spawn(move || ask_until(client, stops));
            let threads: Vec<_> = clients.iter_mut().map(asking).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        self.check(before, started, asked);
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
    #[track_caller]
    fn check_turns(&self, clients: &mut [Client], turn: Duration) {
        // What was asked to find the shards is not the plan's.
        let before = self.upstream.requests().len();
        let started = Instant::now();
        let (mut asked, mut stops) = (Vec::new(), started);
        for place in (0..clients.len()).cycle() {
            stops += turn;
            asked.extend(ask_until(&mut clients[place], stops));
            if stops >= started + DURATION {
                break;
            }
        }
        self.check(before, started, asked);
    }
}

/// Asks without a pause: when.
fn ask_until(client: &mut Client, stops: Instant) -> Vec<Instant> {
    let request = request("/pets", &format!("x-api-key: {ALICE}\r\n"));
    let mut asked = vec![Instant::now()];
    while asked.last().is_some_and(|last| *last < stops) {
        let status = client.ask(&request).status;
        assert!(matches!(status, 200 | 429), "{status}");
        asked.push(Instant::now());
    }
    asked.pop();
    asked
}

/// What a single bucket would have let through of requests at these times, which are in order. On
/// a machine that stands still for longer than a burst takes to fill up that is less than the
/// allowance: nobody asks meanwhile.
fn one_bucket(asked: &[Instant]) -> u64 {
    let (mut level, mut admitted) = (BURST, 0);
    for (place, now) in asked.iter().enumerate() {
        let then = asked[place.saturating_sub(1)];
        level = BURST.min(level + RATE * (*now - then).as_secs_f64());
        if level >= 1.0 {
            level -= 1.0;
            admitted += 1;
        }
    }
    admitted
}

#[test]
fn connections_on_both_shards() {
    let world = World::start();
    let mut clients: Vec<_> = (0..4).flat_map(|_| world.connect_to_each()).collect();
    world.check_together(&mut clients);
}

/// One connection is on one shard.
#[test]
fn one_connection() {
    let world = World::start();
    let mut client = [Client::connect(world.gateway.address)];
    world.check_together(&mut client);
}

#[test]
fn traffic_that_moves_from_shard_to_shard() {
    let world = World::start();
    let mut clients = world.connect_to_each();
    world.check_turns(&mut clients, Duration::from_millis(700));
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
