//! Usage plans: what a key may ask for, and in which order what refuses is asked.

use std::fs;

use super::{ALICE, BOB, World, api_keys, bucket, plan, plan_on};
use crate::harness::eventually;

const STAGES: [&str; 3] = ["{stageName: $default}", "{stageName: beta}", "{stageName: elsewhere}"];

#[test]
fn a_plans_throttle_is_each_keys_own() {
    let world = World::start(&(api_keys() + &plan(&format!("throttle: {}", bucket(3)))));
    assert_eq!(world.admitted(6, "/pets", Some(ALICE)), 3);
    assert_eq!(world.admitted(6, "/pets", Some(BOB)), 3, "bob has his own bucket");
    assert_eq!(world.admitted(6, "/pets/1", Some(ALICE)), 0, "one bucket for all methods");
    assert_eq!(world.refused("ringway_throttled_total", "gold"), 12);
    assert_eq!(world.upstream.requests().len(), 6);
}

#[test]
fn a_plans_throttle_is_shared_by_its_stages() {
    let stages = "{api: it, stage: $default}, {api: it, stage: beta}";
    let traffic = api_keys() + &plan_on(stages, &format!("throttle: {}", bucket(5)));
    let world = World::with_stages(&STAGES, &traffic);
    assert_eq!(world.admitted(2, "/pets", Some(ALICE)), 2);
    assert_eq!(world.admitted(6, "/beta/pets", Some(ALICE)), 3);
    assert_eq!(world.admitted(2, "/pets", Some(ALICE)), 0);
    world.get("/elsewhere/pets", Some(ALICE)).assert_refusal(403, "Forbidden");
}

#[test]
fn a_methods_throttle_is_each_keys_and_comes_before_the_plans() {
    let stage = "{api: it, stage: $default, throttle: {\"/pets/{id}/GET\": {rateLimit: 0.001, \
                 burstLimit: 2}}}";
    let traffic = api_keys() + &plan_on(stage, &format!("throttle: {}", bucket(5)));
    let world = World::start(&traffic);
    assert_eq!(world.admitted(9, "/pets/1", Some(ALICE)), 2);
    assert_eq!(world.admitted(9, "/pets/2", Some(ALICE)), 0, "one bucket for all parameters");
    assert_eq!(world.admitted(9, "/pets/1", Some(BOB)), 2);
    // What the method's throttle refused took nothing from the plan's.
    assert_eq!(world.admitted(9, "/pets", Some(ALICE)), 3);
    assert_eq!(world.admitted(9, "/pets", Some(BOB)), 3);
    let method = world.refused("ringway_throttled_total", "gold it/$default GET /pets/{id}");
    assert_eq!((method, world.refused("ringway_throttled_total", "gold")), (23, 12));
}

/// Both are empty: the quota answers.
#[test]
fn a_quota_refuses_before_a_throttle() {
    let terms = format!("throttle: {}, quota: {{limit: 2, period: MONTH}}", bucket(2));
    let world = World::start(&(api_keys() + &plan(&terms)));
    for _ in 0..2 {
        assert_eq!(world.get("/pets", Some(ALICE)).status, 200);
    }
    for _ in 0..2 {
        world.get("/pets", Some(ALICE)).assert_refusal(429, "Limit Exceeded");
    }
    assert_eq!(world.get("/pets", Some(BOB)).status, 200, "bob has his own");
}

/// What a throttle refuses does not count against the quota.
#[test]
fn a_throttled_request_leaves_the_quota_alone() {
    let stage = "{api: it, stage: $default, throttle: {\"/pets/{id}/GET\": {rateLimit: 0.001, \
                 burstLimit: 1}}}";
    let traffic = api_keys() + &plan_on(stage, "quota: {limit: 3, period: DAY}");
    let world = World::start(&traffic);
    assert_eq!(world.admitted(8, "/pets/1", Some(ALICE)), 1);
    for _ in 0..2 {
        assert_eq!(world.get("/pets", Some(ALICE)).status, 200);
    }
    world.get("/pets", Some(ALICE)).assert_refusal(429, "Limit Exceeded");
}

/// A key comes before the route's throttle, and Ringway's own limits before both.
#[test]
fn what_refuses_is_asked_in_order() {
    let stage = "{stageName: $default, defaultRouteSettings: {throttlingRateLimit: 0.001, \
                 throttlingBurstLimit: 2}}";
    let own = "throttling: {limits: [{name: mine, key: {type: HEADER, name: x-who}, rateLimit: \
               0.001, burstLimit: 1}]}\n";
    let traffic = api_keys() + &plan(&format!("throttle: {}", bucket(1))) + own;
    let world = World::with_stages(&[stage], &traffic);
    let ask = |key: &str, who: &str| {
        let answer = world.ask("/pets", &format!("x-api-key: {key}\r\nx-who: {who}\r\n"));
        (answer.status, world.refused("ringway_throttled_total", "mine"))
    };
    // Refused for the key: nothing of the route's bucket is gone.
    for who in ["1", "2", "3", "4"] {
        assert_eq!(ask("none", who), (403, 0));
    }
    assert_eq!(ask("none", "4"), (429, 1), "our own limit is asked before the key");
    assert_eq!(ask(ALICE, "5"), (200, 1));
    // The plan's bucket is empty, which leaves the route's second token to bob.
    assert_eq!(ask(ALICE, "6"), (429, 1));
    assert_eq!(world.refused("ringway_throttled_total", "gold"), 1);
    assert_eq!(ask(BOB, "7"), (200, 1));
    // Now the route's is, for everybody; but a key that is none is told first.
    assert_eq!(ask("none", "8"), (403, 1));
    assert_eq!(world.refused("ringway_throttled_total", "gold"), 1);
}

#[test]
fn a_rate_or_a_burst_of_zero_lets_nothing_through() {
    for zero in ["{rateLimit: 0, burstLimit: 9}", "{rateLimit: 9, burstLimit: 0}"] {
        let world = World::start(&(api_keys() + &plan(&format!("throttle: {zero}"))));
        assert_eq!(world.admitted(3, "/pets", Some(ALICE)), 0, "{zero}");
        assert_eq!(world.get("/open", None).status, 200);
        assert!(world.gateway.said().contains("warning"), "{}", world.gateway.said());
    }
}

/// From the first request under the new plan on; and what was used stays used.
#[test]
fn a_reload_raises_and_lowers_a_limit() {
    let traffic = |burst| api_keys() + &plan(&format!("throttle: {}", bucket(burst)));
    let world = World::start(&traffic(2));
    let file = fs::read_to_string(world.gateway.folder.join("gateway.yaml")).unwrap();
    let mut generation = 1;
    let mut set = |text: &str| {
        world.gateway.folder.write("gateway.yaml", text);
        world.gateway.signal("HUP");
        generation += 1;
        // The watch of the file may bring one more.
        eventually("the plan is in force", || {
            let plan = crate::harness::Client::connect(world.gateway.admin).get("/healthz").text();
            let found = plan.split("\"generation\":").nth(1).unwrap();
            let found: u32 = found.split(',').next().unwrap().parse().unwrap();
            let is_new = found >= generation;
            generation = generation.max(found);
            is_new
        });
    };
    assert_eq!(world.admitted(4, "/pets", Some(ALICE)), 2);
    set(&file.replace("rateLimit: 0.001, burstLimit: 2", "rateLimit: 1000, burstLimit: 1000"));
    eventually("the raised limit holds", || world.get("/pets", Some(ALICE)).status == 200);
    set(&file.replace("rateLimit: 0.001, burstLimit: 2", "rateLimit: 0.001, burstLimit: 1"));
    eventually("the lowered limit holds", || world.get("/pets", Some(ALICE)).status == 429);
    assert_eq!(world.admitted(4, "/pets", Some(ALICE)), 0);
    assert!(world.admitted(4, "/pets", Some(BOB)) <= 1, "burst 1");
    set(&file.replace("apiKeys: [alice, bob, carol]", "apiKeys: [bob]"));
    eventually("alice is out", || world.get("/pets", Some(ALICE)).status == 403);
}
