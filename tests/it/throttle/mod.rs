//! Keys, usage plans, throttles and limits as clients meet them.
//!
//! Buckets here fill up so slowly (one token in about a quarter of an hour) that what they let
//! through is their burst, however slow the machine is. Not here: how exact it is under load
//! (`exact`), quotas over restarts (`quota`), HTTP/2
//! (`http2::in_flight`).

mod exact;
mod in_flight;
mod keys;
mod own;
mod plans;
mod routes;
mod secrets;

use crate::harness::{
    Answer, Client, Gateway, Launch, Route, Upstream, exchange, gateway_file, ok, openapi,
};

/// Values of the keys; `UNKNOWN` is nobody's.
const ALICE: &str = "alice-5ecret-0123456789";
const BOB: &str = "bob-5ecret-0123456789";
const DISABLED: &str = "carol-5ecret-0123456789";
const WITHOUT_PLAN: &str = "dave-5ecret-0123456789";
const UNKNOWN: &str = "nobody-5ecret-0123456789";

/// The keys in a gateway file.
fn api_keys() -> String {
    format!(
        "apiKeys:\n\
         - {{name: alice, id: alice-1, value: {ALICE}}}\n\
         - {{name: bob, value: {BOB}}}\n\
         - {{name: carol, id: carol-1, value: {DISABLED}, enabled: false}}\n\
         - {{name: dave, id: dave-1, value: {WITHOUT_PLAN}}}\n"
    )
}

/// A usage plan of alice, bob and carol on the stage `$default`.
fn plan(terms: &str) -> String {
    plan_on("{api: it, stage: $default}", terms)
}

fn plan_on(stages: &str, terms: &str) -> String {
    format!(
        "usagePlans:\n- {{name: gold, apiStages: [{stages}], {terms}, apiKeys: [alice, bob, carol]}}\n"
    )
}

/// What a token bucket that practically never fills up says.
fn bucket(burst: u32) -> String {
    format!("{{rateLimit: 0.001, burstLimit: {burst}}}")
}

/// GET `/open`, and GET `/pets` and `/pets/{id}`, which ask for a key.
fn definition(upstream: &Upstream) -> String {
    let uri = |path: &str| format!("http://{}{path}", upstream.address());
    openapi(&[
        Route::new("GET", "/open", uri("/open")),
        Route::new("GET", "/other", uri("/other")),
        Route::new("GET", "/pets", uri("/pets")).keyed(),
        Route::new("GET", "/pets/{id}", uri("/pets/{id}")).keyed(),
    ])
}

/// A gateway of one shard before an upstream that answers everything.
struct World {
    gateway: Gateway,
    upstream: Upstream,
}

impl World {
    /// One `$default` stage; `traffic` are keys of the gateway file.
    fn start(traffic: &str) -> Self {
        Self::with_stages(&["{stageName: $default}"], traffic)
    }

    fn with_stages(stages: &[&str], traffic: &str) -> Self {
        let upstream = Upstream::answering(ok("good"));
        let gateway = launch(&definition(&upstream), stages, traffic).start();
        Self { gateway, upstream }
    }

    /// One request on a connection of its own, with that key.
    fn get(&self, target: &str, key: Option<&str>) -> Answer {
        match key {
            Some(key) => self.ask(target, &format!("x-api-key: {key}\r\n")),
            None => self.ask(target, ""),
        }
    }

    /// The same with those lines in its head.
    fn ask(&self, target: &str, lines: &str) -> Answer {
        exchange(self.gateway.address, request(target, lines))
    }

    /// Asks so often on one connection: how many were let through, the others being 429.
    #[track_caller]
    fn admitted(&self, times: usize, target: &str, key: Option<&str>) -> usize {
        let line = key.map_or(String::new(), |key| format!("x-api-key: {key}\r\n"));
        admitted(&mut Client::connect(self.gateway.address), times, &request(target, &line))
    }

    /// What a limit refused, as `/metrics` tells it; 0 where it is not told of.
    fn refused(&self, name: &str, limit: &str) -> u64 {
        let line = format!("{name}{{limit=\"{limit}\"}} ");
        let metrics = self.gateway.metrics();
        let found = metrics.lines().find_map(|known| known.strip_prefix(&line));
        found.map_or(0, |number| number.parse().unwrap())
    }
}

fn launch(definition: &str, stages: &[&str], traffic: &str) -> Launch {
    let file = gateway_file("api.yaml", stages, traffic);
    Launch::file("gateway.yaml", &file).beside("api.yaml", definition)
}

fn request(target: &str, lines: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: it\r\n{lines}\r\n")
}

#[track_caller]
fn admitted(client: &mut Client, times: usize, request: &str) -> usize {
    let mut count = 0;
    for _ in 0..times {
        let answer = client.ask(request);
        match answer.status {
            200 => count += 1,
            _ => answer.assert_refusal(429, "Too Many Requests"),
        }
    }
    count
}
