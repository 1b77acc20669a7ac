//! API keys as callers meet them: who is let in, files of keys that change, what `explain` tells.

use std::net::SocketAddr;

use crate::harness::{Client, Folder, Gateway, Launch, Upstream, eventually, ok, ringway};

/// A definition with `GET /open`, and `GET /closed` for which a key is needed.
fn definition(upstream: SocketAddr) -> String {
    let integration = format!(
        "x-amazon-apigateway-integration: {{type: http_proxy, httpMethod: ANY, uri: \
         'http://{upstream}/', payloadFormatVersion: '1.0'}}"
    );
    format!(
        "openapi: 3.0.1\ncomponents:\n  securitySchemes:\n    key: {{type: apiKey, name: X-API-Key, \
         in: header}}\npaths:\n  /open: {{get: {{{integration}}}}}\n  /closed: {{get: {{security: \
         [{{key: []}}], {integration}}}}}\n"
    )
}

const FILE: &str = "
apis:
  - name: it
    definition: api.yaml
    stages: [{stageName: $default}, {stageName: dev}]
apiKeys:
  - {name: alice, id: alice-1, value: alice-0123456789-0123456789}
  - {name: off, value: off-0123456789-0123456789, enabled: false}
  - {name: dev, value: dev-0123456789-0123456789}
  # printf %s hashed-0123456789-0123456789 | sha256sum
  - {name: hashed, valueSha256: DIGEST}
apiKeyFiles: [keys.csv]
usagePlans:
  - name: gold
    apiStages: [{api: it, stage: $default, throttle: {/closed/GET: {rateLimit: 50, burstLimit: 60}}}]
    throttle: {rateLimit: 1000, burstLimit: 1000}
    quota: {limit: 100000, period: MONTH}
    apiKeys: [alice, off, hashed]
  - {name: dev, apiStages: [{api: it, stage: dev}], apiKeys: [dev]}
throttling:
  account: {rateLimit: 5000, burstLimit: 5000}
  limits:
    - {name: per-client, key: {type: ADDRESS}, rateLimit: 2000.5, burstLimit: 3000, dryRun: true}
";
const HASHED: &str = "80d47badfb839e41f0a53b92c8e9e9f10a7879498bd75e3d5986fbf6b37ac8af";
const KEYS: &str = "Name,Key,Description,Enabled,UsagePlanIds\n\
                    partner,partner-0123456789-0123456789,\"one, of many\",true,gold\n";

fn start(upstream: &Upstream) -> Gateway {
    Launch::file("gateway.yaml", &FILE.replace("DIGEST", HASHED))
        .beside("api.yaml", &definition(upstream.address()))
        .beside("keys.csv", KEYS)
        .start()
}

/// The status of a request with these more lines in its head.
fn status(gateway: &Gateway, target: &str, more: &str) -> u16 {
    let mut client = Client::connect(gateway.address);
    let answer = client.ask(format!("GET {target} HTTP/1.1\r\nhost: it\r\n{more}\r\n"));
    if answer.status == 403 {
        assert_eq!(answer.text(), r#"{"message":"Forbidden"}"#);
    }
    answer.status
}

#[test]
fn a_key_of_the_stage_s_usage_plan_is_let_in_and_no_other() {
    let upstream = Upstream::answering(ok("in"));
    let gateway = start(&upstream);
    let get = |target: &str, key: &str| {
        status(&gateway, target, &format!("X-Api-Key: {key}-0123456789-0123456789\r\n"))
    };
    for key in ["alice", "hashed", "partner"] {
        assert_eq!(get("/closed", key), 200, "{key}");
    }
    assert_eq!((get("/closed", "dev"), get("/dev/closed", "dev")), (403, 200));
    assert_eq!(get("/dev/closed", "alice"), 403);
    for key in ["off", "nobody", "ALICE", "", "alice-0123456789-0123456789 alice"] {
        assert_eq!(get("/closed", key), 403, "{key}");
    }
    assert_eq!(status(&gateway, "/closed", ""), 403);
    assert_eq!(status(&gateway, "/closed", "x-api-key:\r\n"), 403);
    let alice = "x-api-key: alice-0123456789-0123456789\r\n";
    assert_eq!(status(&gateway, "/closed", &alice.repeat(2)), 403);
    // Where none is needed, none is looked at.
    assert_eq!((status(&gateway, "/open", ""), get("/open", "nobody")), (200, 200));
    assert_eq!(upstream.requests().len(), 6);
}

#[test]
fn a_changed_file_of_keys_is_taken_and_a_broken_one_is_not() {
    let upstream = Upstream::answering(ok("in"));
    let gateway = start(&upstream);
    let get = |key: &str| {
        status(&gateway, "/closed", &format!("x-api-key: {key}-0123456789-0123456789\r\n"))
    };
    assert_eq!((get("partner"), get("newcomer")), (200, 403));
    let changed =
        KEYS.replace("true", "false") + "newcomer,newcomer-0123456789-0123456789,,,gold\n";
    gateway.folder.write("keys.csv", &changed);
    eventually("the new key is let in", || get("newcomer") == 200);
    assert_eq!(get("partner"), 403);
    gateway.folder.write("keys.csv", "Name,Key\nlate,late-0123456789-0123456789\nshort,short\n");
    eventually("the fault is told", || gateway.said().contains("keys.csv:3:1"));
    assert_eq!((get("newcomer"), get("late"), get("alice")), (200, 403, 200));
    let said = gateway.said();
    assert!(said.contains("key short: its value has 5 characters"), "{said}");
    assert!(!said.contains("0123456789"), "a value is told: {said}");
}

#[test]
fn explain_tells_the_key_and_what_it_comes_under() {
    let folder = Folder::new();
    folder.write("gateway.yaml", &FILE.replace("DIGEST", HASHED));
    folder.write("api.yaml", &definition("127.0.0.1:9000".parse().unwrap()));
    folder.write("keys.csv", KEYS);
    let explain = |target: &str, keys: &[&str]| {
        let keys: Vec<String> =
            keys.iter().map(|key| format!("X-API-Key: {key}-0123456789-0123456789")).collect();
        let mut arguments = vec!["explain", "gateway.yaml", "GET", target];
        keys.iter().for_each(|key| arguments.extend(["-H", key]));
        let ran = ringway(folder.path(), &arguments);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.output
    };
    let told = explain("/closed", &["alice"]);
    let order = [
        "Route  GET /closed",
        "Limit  per-client: 2000.5 a second, 3000 at once, by client address (IPv4 /32, IPv6 /64) \
         (dry run: it refuses nothing)",
        "Key    alice (id alice-1): enabled, usage plan gold",
        "Quota  gold: 100000 a month, UTC, by API key",
        "Limit  gold it/$default GET /closed: 50 a second, 60 at once, by API key",
        "Limit  gold: 1000 a second, 1000 at once, by API key",
        "Limit  account: 5000 a second, 5000 at once, all callers together",
        "Calls  GET http://127.0.0.1:9000/",
    ];
    let places: Vec<usize> = order
        .iter()
        .map(|line| told.find(line).unwrap_or_else(|| panic!("{line}:\n{told}")))
        .collect();
    assert!(places.is_sorted(), "{told}");
    for (keys, expected) in [
        (
            &[][..],
            "asked for, and the request has no x-api-key\nAnswer 403 {\"message\":\"Forbidden\"}",
        ),
        (&["alice", "alice"], "asked for, and the request has x-api-key twice\nAnswer 403"),
        (&["nobody"], "asked for, and none of 5 has this value\nAnswer 403"),
        (&["off"], "off: disabled\nAnswer 403"),
        (&["dev"], "dev: not in a usage plan of this stage, but in dev\nAnswer 403"),
    ] {
        let told = explain("/closed", keys);
        assert!(told.contains(expected), "{expected}:\n{told}");
        assert!(!told.contains("Calls") && !told.contains("Limit  account"), "{told}");
    }
    let told = explain("/open", &["alice"]);
    assert!(told.contains("not asked for by this route: no usage plan is consulted"), "{told}");
    assert!(told.contains("Limit  account") && !told.contains("Quota"), "{told}");
    assert!(!explain("/open", &[]).contains("Key "));
}
