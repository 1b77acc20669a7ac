//! Who may call a route that asks for an API key, and what those who may not are told.

use std::fs;

use super::{
    ALICE, BOB, DISABLED, UNKNOWN, WITHOUT_PLAN, World, api_keys, bucket, definition, launch, plan,
};
use crate::harness::{Client, Upstream, eventually, ok};

fn keys_and_plan(terms: &str) -> String {
    api_keys() + &plan(terms)
}

#[test]
fn without_a_key_of_a_plan_of_the_stage_a_request_is_forbidden() {
    let world = World::start(&keys_and_plan("throttle: {rateLimit: 100, burstLimit: 100}"));
    let line = |key: &str| format!("x-api-key: {key}\r\n");
    let longer = format!("{ALICE}0");
    let table = [
        String::new(),
        line(UNKNOWN),
        line(DISABLED),
        line(WITHOUT_PLAN),
        line(""),
        line("alice"),
        line("alice-1"),
        line(&ALICE[..ALICE.len() - 1]),
        line(&longer),
        line(&ALICE.to_uppercase()),
        line(&"x".repeat(4_000)),
        // Two, whoever comes first, and also the same one twice.
        line(ALICE) + &line(UNKNOWN),
        line(UNKNOWN) + &line(ALICE),
        line(ALICE) + &line(ALICE),
        line(&format!("{ALICE}, {ALICE}")),
        // Other places.
        format!("authorization: {ALICE}\r\n"),
        format!("cookie: x-api-key={ALICE}\r\n"),
    ];
    for lines in &table {
        let answer = world.ask("/pets", lines);
        answer.assert_refusal(403, "Forbidden");
        // HTTP APIs do not say an error's type.
        assert_eq!(answer.field("x-amzn-errortype"), None, "{lines}");
        assert_eq!(answer.field("content-type"), Some("application/json"), "{lines}");
    }
    let in_query = world.get(&format!("/pets?x-api-key={ALICE}"), None);
    in_query.assert_refusal(403, "Forbidden");
    assert_eq!(world.upstream.requests().len(), 0, "no refused request went on");
    for key in [ALICE, BOB] {
        assert_eq!(world.get("/pets", Some(key)).status, 200);
        assert_eq!(world.ask("/pets/1", &format!("X-API-KEY:   {key}  \r\n")).status, 200);
    }
}

/// A refusal says nothing of why: no oracle for guessing keys.
#[test]
fn all_who_are_forbidden_get_the_same_bytes() {
    let world = World::start(&keys_and_plan("throttle: {rateLimit: 1, burstLimit: 1}"));
    let heads = [None, Some(UNKNOWN), Some(DISABLED), Some(WITHOUT_PLAN)].map(|key| {
        let answer = world.get("/pets", key);
        let is_own = |name: &str| !["date", "apigw-requestid"].contains(&name);
        let fields = answer.fields.into_iter().filter(|(name, _)| is_own(name));
        (answer.status, fields.collect::<Vec<_>>(), answer.body)
    });
    assert!(heads.windows(2).all(|pair| pair[0] == pair[1]), "{heads:?}");
}

/// AWS: a method without `apiKeyRequired` does not consult the plan.
#[test]
fn a_route_that_asks_for_no_key_does_not_look_at_it() {
    let world = World::start(&keys_and_plan(&format!("throttle: {}", bucket(2))));
    for key in [ALICE, DISABLED, UNKNOWN] {
        assert_eq!(world.admitted(4, "/open", Some(key)), 4);
    }
    let twice = format!("x-api-key: {ALICE}\r\nx-api-key: {BOB}\r\n");
    assert_eq!(world.ask("/open", &twice).status, 200);
    assert_eq!(world.admitted(4, "/pets", Some(ALICE)), 2, "the plan was not asked before");
}

#[test]
fn a_path_that_no_route_has_is_not_found_with_and_without_a_key() {
    let world = World::start(&keys_and_plan(&format!("throttle: {}", bucket(1))));
    for key in [None, Some(ALICE), Some(DISABLED)] {
        world.get("/nowhere", key).assert_refusal(404, "Not Found");
    }
    assert_eq!(world.admitted(2, "/pets", Some(ALICE)), 1);
}

/// Two upstreams' worth of routes: `/pets` asks for a key, and `/open` does not.
#[test]
fn the_access_log_has_the_keys_id_where_it_is_known() {
    let upstream = Upstream::answering(ok("good"));
    let traffic = keys_and_plan(&format!("throttle: {}", bucket(1)));
    let launch = launch(&definition(&upstream), &["{stageName: $default}"], &traffic);
    let gateway = launch.logging("access.log").start();
    let mut client = Client::connect(gateway.address);
    let table = [
        ("/pets", Some(ALICE), Some("alice-1"), None),
        ("/pets", Some(ALICE), Some("alice-1"), Some("a throttle has no token for it")),
        ("/pets", Some(BOB), Some("bob"), None),
        ("/pets", Some(DISABLED), Some("carol-1"), Some("the API key is disabled")),
        (
            "/pets",
            Some(WITHOUT_PLAN),
            Some("dave-1"),
            Some("the API key is in no usage plan of this stage"),
        ),
        ("/pets", Some(UNKNOWN), None, Some("no API key has this value")),
        ("/pets", None, None, Some("no x-api-key, or several")),
        ("/open", Some(ALICE), None, None),
    ];
    for (target, key, ..) in &table {
        let line = key.map_or(String::new(), |key| format!("x-api-key: {key}\r\n"));
        client.ask(super::request(target, &line));
    }
    let path = gateway.folder.join("access.log");
    let log = || fs::read_to_string(&path).unwrap_or_default();
    eventually("all lines are written", || log().lines().count() == table.len());
    for (line, (target, _, id, why)) in log().lines().zip(&table) {
        let found: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(found["path"], *target, "{line}");
        assert_eq!(found["apiKeyId"].as_str(), *id, "{line}");
        assert_eq!(found["errorMessage"].as_str(), *why, "{line}");
    }
}
