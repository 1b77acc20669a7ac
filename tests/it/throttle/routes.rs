//! Throttles of routes and stages, for all callers together; and the account's, over all APIs.

use std::fs::read_to_string;

use super::{ALICE, BOB, World, api_keys, bucket, launch, plan, request};
use crate::harness::{Client, Launch, Route, Upstream, ok, openapi};

const SETTINGS: &str = "throttlingRateLimit: 0.001, throttlingBurstLimit:";

#[test]
fn default_route_settings_give_each_route_a_bucket_of_its_own() {
    let stage = format!("{{stageName: $default, defaultRouteSettings: {{{SETTINGS} 2}}}}");
    let world = World::with_stages(&[&stage, "{stageName: beta}"], "");
    assert_eq!(world.admitted(5, "/open", None), 2);
    assert_eq!(world.admitted(5, "/other", None), 2);
    assert_eq!(world.admitted(5, "/beta/open", None), 5, "another stage");
    let open = world.refused("ringway_throttled_total", "it/$default GET /open");
    assert_eq!(open, 3, "{}", world.gateway.metrics());
}

#[test]
fn route_settings_go_over_the_default() {
    let stage = format!(
        "{{stageName: $default, defaultRouteSettings: {{{SETTINGS} 2}}, \
         routeSettings: {{\"GET /open\": {{{SETTINGS} 4}}}}}}"
    );
    let world = World::with_stages(&[&stage], "");
    assert_eq!(world.admitted(6, "/open", None), 4);
    assert_eq!(world.admitted(6, "/other", None), 2);
}

/// All callers share it, whatever their keys.
#[test]
fn a_routes_bucket_is_everybodys() {
    let stage =
        format!("{{stageName: $default, routeSettings: {{\"GET /pets\": {{{SETTINGS} 3}}}}}}");
    let world =
        World::with_stages(&[&stage], &(api_keys() + &plan("quota: {limit: 50, period: DAY}")));
    assert_eq!(world.admitted(2, "/pets", Some(ALICE)), 2);
    assert_eq!(world.admitted(3, "/pets", Some(BOB)), 1);
    assert_eq!(world.admitted(3, "/pets/1", Some(BOB)), 3);
}

#[test]
fn the_account_level_is_of_all_apis_together() {
    let upstream = Upstream::answering(ok("good"));
    let api = |path: &'static str| {
        openapi(&[Route::new("GET", path, format!("http://{}/", upstream.address()))])
    };
    let file = format!(
        "throttling: {{account: {}}}\napis:\n\
         - {{name: one, apiId: aaaaaaaaaa, definition: one.yaml, stages: [{{stageName: $default}}]}}\n\
         - {{name: two, apiId: bbbbbbbbbb, definition: two.yaml, stages: [{{stageName: $default}}]}}\n",
        bucket(5)
    );
    let gateway = Launch::file("gateway.yaml", &file)
        .beside("one.yaml", &api("/one"))
        .beside("two.yaml", &api("/two"))
        .start();
    let ask = |times, target: &str, api: &str| {
        let request = request(target, &format!("x-apigw-api-id: {api}\r\n"));
        super::admitted(&mut Client::connect(gateway.address), times, &request)
    };
    assert_eq!(ask(3, "/one", "aaaaaaaaaa"), 3);
    assert_eq!(ask(4, "/two", "bbbbbbbbbb"), 2);
    assert_eq!(ask(4, "/one", "aaaaaaaaaa"), 0);
    // What no route matches spends nothing, and is not refused.
    let nowhere = request("/nowhere", "x-apigw-api-id: aaaaaaaaaa\r\n");
    assert_eq!(Client::connect(gateway.address).ask(nowhere).status, 404);
}

/// The route's bucket is asked before the account's, which loses nothing by what that refuses.
#[test]
fn a_routes_refusal_takes_nothing_from_the_account() {
    let stage =
        format!("{{stageName: $default, routeSettings: {{\"GET /open\": {{{SETTINGS} 1}}}}}}");
    let traffic = format!("throttling: {{account: {}}}\n", bucket(3));
    let world = World::with_stages(&[&stage], &traffic);
    assert_eq!(world.admitted(6, "/open", None), 1);
    assert_eq!(world.admitted(6, "/other", None), 2);
}

/// A bucket is filled up again: at 20 a second a token is there within a second, however slow the
/// machine is.
#[test]
fn tokens_come_back_with_time() {
    let settings = "throttlingRateLimit: 20, throttlingBurstLimit: 1";
    let stage = format!("{{stageName: $default, defaultRouteSettings: {{{settings}}}}}");
    let world = World::with_stages(&[&stage], "");
    crate::harness::eventually("ten tokens", {
        let mut count = 0;
        let world = &world;
        move || {
            count += usize::from(world.get("/open", None).status == 200);
            count >= 10
        }
    });
}

/// A definition's own upstream is asked as often as was let through, not more.
#[test]
fn what_is_refused_never_reaches_the_upstream() {
    let upstream = Upstream::answering(ok("good"));
    let stage = format!("{{stageName: $default, defaultRouteSettings: {{{SETTINGS} 3}}}}");
    let definition = super::definition(&upstream);
    let gateway = launch(&definition, &[&stage], "").logging("access.log").start();
    let mut client = Client::connect(gateway.address);
    assert_eq!(super::admitted(&mut client, 8, &request("/open", "")), 3);
    assert_eq!(upstream.requests().len(), 3);
    gateway.await_number("ringway_count_total", 8);
    gateway.await_number("ringway_4xx_total", 5);
    let log = gateway.folder.join("access.log");
    crate::harness::eventually("the log is written", || {
        let log = read_to_string(&log).unwrap_or_default();
        log.lines().filter(|line| line.contains("\"status\":429")).count() == 5
    });
}

/// A body that was not asked for does not become the next request, and no client is asked for it.
#[test]
fn a_refused_request_with_a_body_leaves_the_connection_sound() {
    let upstream = Upstream::echoing();
    let stage = format!("{{stageName: $default, defaultRouteSettings: {{{SETTINGS} 1}}}}");
    let definition = crate::harness::proxy_all(upstream.address());
    let gateway = launch(&definition, &[&stage], "").start();
    let mut client = Client::connect(gateway.address);
    let body = "GET /smuggled HTTP/1.1\r\nhost: it\r\n\r\n";
    let post = |more: &str, body: &str| {
        let length = body.len();
        format!("POST /a HTTP/1.1\r\nhost: it\r\ncontent-length: {length}\r\n{more}\r\n{body}")
    };
    assert_eq!(client.ask(post("", body)).text(), body);
    for _ in 0..4 {
        let answer = client.ask(post("", body));
        answer.assert_refusal(429, "Too Many Requests");
        if answer.says_close() {
            client.assert_closed();
            client = Client::connect(gateway.address);
        }
    }
    // The root has a bucket of its own.
    assert_eq!(client.get("/").status, 200);
    let mut waits = Client::connect(gateway.address);
    waits.send("POST /a HTTP/1.1\r\nhost: it\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n");
    waits.answer().assert_refusal(429, "Too Many Requests");
    assert_eq!(upstream.requests().len(), 2);
    let head = Client::connect(gateway.address).ask("HEAD /a HTTP/1.1\r\nhost: it\r\n\r\n");
    assert_eq!((head.status, head.body.len()), (429, 0));
}
