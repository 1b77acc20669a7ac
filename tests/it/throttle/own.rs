//! Ringway's own limits: by address, header, for all; dry runs; and what clients may be told.

use std::net::TcpListener;

use super::{ALICE, World, api_keys, bucket, definition, launch, plan, request};
use crate::harness::{Answer, Client, Gateway, Upstream, exchange, ok};

fn limits(list: &str) -> String {
    format!("throttling: {{limits: [{list}]}}\n")
}

/// A limit by address with a burst of 2; `key` goes on.
fn by_address(key: &str) -> String {
    limits(&format!("{{name: mine, key: {{type: ADDRESS{key}}}, rateLimit: 0.001, burstLimit: 2}}"))
}

/// A gateway that listens there and believes loopback, and one shard.
fn behind_proxy(address: &str, traffic: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::answering(ok("good"));
    let listeners = format!(
        "listeners: [{{address: '{address}', trustedProxies: [127.0.0.0/8, '::1']}}]\n{traffic}"
    );
    let launch = launch(&definition(&upstream), &["{stageName: $default}"], &listeners);
    (launch.listeners_of_file().start(), upstream)
}

fn ask_for(gateway: &Gateway, client: &str) -> u16 {
    let line = format!("x-forwarded-for: {client}\r\n");
    exchange(gateway.address, request("/open", &line)).status
}

#[test]
fn a_limit_by_address_is_each_clients() {
    let (gateway, _upstream) = behind_proxy("127.0.0.1:0", &by_address(""));
    let statuses = |client: &str| [(); 3].map(|()| ask_for(&gateway, client));
    assert_eq!(statuses("192.0.2.7"), [200, 200, 429]);
    assert_eq!(statuses("192.0.2.8"), [200, 200, 429]);
    assert_eq!(statuses("192.0.2.7"), [429; 3]);
    // The nearest that is not trusted is the client: more lines, and more in a line.
    assert_eq!(statuses("10.9.8.7, 192.0.2.8"), [429; 3]);
    assert_eq!(ask_for(&gateway, "192.0.2.8, 127.0.0.1"), 429);
}

/// From an address that is not trusted, nothing is believed.
#[test]
fn a_client_cannot_choose_its_address() {
    let world = World::start(&by_address(""));
    let statuses = ["192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.10"].map(|client| {
        let lines = format!("x-forwarded-for: {client}\r\nforwarded: for={client}\r\n");
        world.ask("/open", &lines).status
    });
    assert_eq!(statuses, [200, 200, 429, 429]);
}

#[test]
fn a_prefix_makes_one_client_of_a_network() {
    let key = ", ipv4PrefixLength: 24";
    let (gateway, _upstream) = behind_proxy("127.0.0.1:0", &by_address(key));
    let statuses = ["192.0.2.7", "192.0.2.8", "192.0.2.255", "192.0.3.7", "::ffff:192.0.2.9"]
        .map(|client| ask_for(&gateway, client));
    assert_eq!(statuses, [200, 200, 429, 200, 429]);
}

#[test]
fn an_ipv6_client_is_its_network_of_64_bits() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED: no IPv6 here");
        return;
    }
    let (mut gateway, _upstream) = behind_proxy("[::]:0", &by_address(""));
    gateway.address = format!("[::1]:{}", gateway.address.port()).parse().unwrap();
    let table = [
        ("2001:db8::1", 200),
        ("2001:db8::ffff:0:0:2", 200),
        ("2001:db8:0:0:1:2:3:4", 429),
        ("2001:db8:0:1::1", 200),
        ("\"[2001:db8::5]:4711\"", 429),
    ];
    for (client, expected) in table {
        if client.starts_with('"') {
            continue;
        }
        assert_eq!(ask_for(&gateway, client), expected, "{client}");
    }
    // Without a proxy's word: ::1, and the same listener's IPv4 clients, are clients of their own.
    let direct = |host: &str| {
        let address = format!("{host}:{}", gateway.address.port()).parse().unwrap();
        Client::connect(address).get("/open").status
    };
    assert_eq!([(); 3].map(|()| direct("[::1]")), [200, 200, 429]);
    assert_eq!([(); 3].map(|()| direct("127.0.0.1")), [200, 200, 429]);
}

#[test]
fn a_limit_by_header_is_each_values_and_one_for_those_without() {
    let list = "{name: mine, key: {type: HEADER, name: X-Tenant}, rateLimit: 0.001, burstLimit: 2}";
    let world = World::start(&limits(list));
    let ask = |lines: &str| [(); 3].map(|()| world.ask("/open", lines).status);
    assert_eq!(ask("x-tenant: a\r\n"), [200, 200, 429]);
    assert_eq!(ask("X-TENANT: b\r\n"), [200, 200, 429]);
    assert_eq!(ask("x-tenant: A\r\n"), [200, 200, 429], "values are told apart by case");
    assert_eq!(ask(""), [200, 200, 429]);
    assert_eq!(ask("x-tenant: a\r\nx-tenant: z\r\n"), [429; 3], "the first one counts");
    assert_eq!(world.refused("ringway_throttled_total", "mine"), 7);
}

#[test]
fn a_limit_holds_on_its_routes_and_all_of_them_are_asked() {
    let list = "{name: all, key: {type: ALL}, rateLimit: 0.001, burstLimit: 5}, \
                {name: one, key: {type: ALL}, rateLimit: 0.001, burstLimit: 2, \
                 routes: [{api: it, routeKey: \"GET /other\"}]}";
    let world = World::start(&limits(list));
    assert_eq!(world.admitted(4, "/other", None), 2);
    // What `one` refused cost `all` nothing.
    assert_eq!(world.admitted(9, "/open", None), 3);
    assert_eq!(world.refused("ringway_throttled_total", "one"), 2);
    assert_eq!(world.refused("ringway_throttled_total", "all"), 6);
}

#[test]
fn a_dry_run_counts_and_refuses_nothing() {
    let list = "{name: dry, key: {type: ADDRESS}, rateLimit: 0.001, burstLimit: 2, dryRun: true}, \
                {name: zero, key: {type: ALL}, rateLimit: 0, burstLimit: 0, dryRun: true}";
    let world = World::start(&limits(list));
    assert_eq!(world.admitted(6, "/open", None), 6);
    assert_eq!(world.refused("ringway_throttled_dry_total", "dry"), 4);
    assert_eq!(world.refused("ringway_throttled_dry_total", "zero"), 6);
    assert_eq!(world.refused("ringway_throttled_total", "dry"), 0);
}

/// AWS says none of these.
#[test]
fn a_refusal_says_when_to_come_back_only_where_the_file_says_so() {
    let told = ["retry-after", "ratelimit", "ratelimit-policy"];
    let all = |answer: &Answer| told.map(|name| answer.field(name).map(str::to_owned));
    let plan = api_keys() + &plan(&format!("throttle: {}", bucket(2)));
    let start = |members: &str| {
        let traffic = format!("{plan}throttling: {{{members}}}\n");
        let world = World::start(&traffic);
        [(); 3].map(|()| world.get("/pets", Some(ALICE)))
    };
    let [first, _, refused] = start("account: {rateLimit: 100, burstLimit: 100}");
    assert_eq!((first.status, refused.status), (200, 429));
    assert_eq!((all(&first), all(&refused)), ([None, None, None], [None, None, None]));
    let [first, _, refused] = start("retryAfter: true");
    assert_eq!(all(&first), [None, None, None]);
    let [Some(wait), None, None] = all(&refused) else { panic!("{refused:?}") };
    let wait: u32 = wait.parse().unwrap();
    assert!((900..=1_000).contains(&wait), "{wait}");
    let [first, second, refused] = start("rateLimitHeaders: true");
    let policy = Some("\"gold\";q=2;w=2000".to_owned());
    for (answer, remaining) in [(&first, 1), (&second, 0), (&refused, 0)] {
        let [None, Some(state), found] = all(answer) else { panic!("{answer:?}") };
        assert_eq!(found, policy);
        assert!(state.starts_with(&format!("\"gold\";r={remaining};t=")), "{state}");
    }
    let [_, _, refused] = start("retryAfter: true, rateLimitHeaders: true");
    assert!(all(&refused).iter().all(Option::is_some), "{refused:?}");
    refused.assert_refusal(429, "Too Many Requests");
}

/// An exhausted quota tells the seconds to its period's end; a limit that blocks tells no time.
#[test]
fn what_is_told_of_quotas_and_of_limits_that_block() {
    let told = "throttling: {retryAfter: true, rateLimitHeaders: true, limits: [{name: none, key: \
                {type: ALL}, rateLimit: 0, routes: [{routeKey: \"GET /open\"}]}]}\n";
    let traffic = api_keys() + &plan("quota: {limit: 1, period: DAY}") + told;
    let world = World::start(&traffic);
    assert_eq!(world.get("/pets", Some(ALICE)).status, 200);
    let refused = world.get("/pets", Some(ALICE));
    refused.assert_refusal(429, "Limit Exceeded");
    let wait: u32 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&wait), "{wait}");
    assert_eq!(refused.field("ratelimit-policy"), Some("\"gold\";q=1;w=86400"));
    let blocked = world.get("/open", None);
    blocked.assert_refusal(429, "Too Many Requests");
    assert_eq!(blocked.field("retry-after"), None);
}
