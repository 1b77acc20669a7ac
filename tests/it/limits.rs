//! What is left of limits, as `GET /limits` and `ringway explain --key` tell it while a gateway
//! with two shards runs.

use serde_json::Value;

use crate::harness::{
    Client, Folder, Gateway, Launch, Upstream, dead_address, eventually, exchange, ok, proxy_all,
    ringway,
};

const VALUE: &str = "alice-0123456789-0123456789";

const FILE: &str = "
admin: {address: 127.0.0.1:0}
apis:
  - name: it
    apiId: it00000001
    definition: api.yaml
    stages: [{stageName: $default}]
apiKeys:
  - {name: alice, value: alice-0123456789-0123456789}
  - {name: bob, value: bob-0123456789-0123456789}
  - {name: lonely, value: lonely-0123456789-0123456789}
usagePlans:
  - name: gold
    apiStages: [{api: it, stage: $default, throttle: {/slow/GET: {rateLimit: 0.001, burstLimit: 2}}}]
    throttle: {rateLimit: 0.001, burstLimit: BURST}
    quota: {limit: QUOTA, period: MONTH}
    apiKeys: [alice, bob]
throttling:
  reconciliationMillis: ROUND
  account: {rateLimit: 0.001, burstLimit: 5000}
  limits:
    - {name: per-client, key: {type: ADDRESS}, rateLimit: 0.001, burstLimit: 3000}
    - {name: per-tenant, key: {type: HEADER, name: x-tenant}, rateLimit: 0.001, burstLimit: 40}
    - {name: at-once, key: {type: ALL}, concurrentRequests: 7}
";

fn start(upstream: &Upstream, burst: u32, quota: u32, round: u32) -> Gateway {
    let integration = format!(
        "security: [{{key: []}}], x-amazon-apigateway-integration: {{type: http_proxy, httpMethod: \
         ANY, uri: 'http://{}/', payloadFormatVersion: '1.0'}}",
        upstream.address()
    );
    let api = format!(
        "openapi: 3.0.1\ncomponents:\n  securitySchemes:\n    key: {{type: apiKey, name: x-api-key, \
         in: header}}\npaths:\n  /fast: {{get: {{{integration}}}}}\n  /slow: {{get: \
         {{{integration}}}}}\n"
    );
    let numbers = [("BURST", burst), ("QUOTA", quota), ("ROUND", round)];
    let file = numbers
        .iter()
        .fold(FILE.to_owned(), |file, (name, number)| file.replace(name, &number.to_string()));
    Launch::file("gateway.yaml", &file).beside("api.yaml", &api).shards(2).start()
}

/// How many of so many requests, each on a connection of its own, were let through and refused.
fn send(gateway: &Gateway, requests: usize, target: &str, more: &str) -> [u64; 2] {
    let mut counts = [0, 0];
    for _ in 0..requests {
        let head = format!("GET {target} HTTP/1.1\r\nhost: it\r\nx-api-key: {VALUE}\r\n{more}\r\n");
        match exchange(gateway.address, head).status {
            200 => counts[0] += 1,
            429 => counts[1] += 1,
            other => panic!("{other}"),
        }
    }
    counts
}

fn ask(gateway: &Gateway, query: &str) -> Value {
    let answer = Client::connect(gateway.admin).get(&format!("/limits{query}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.text().contains(VALUE));
    serde_json::from_slice(&answer.body).unwrap()
}

#[track_caller]
fn limit<'a>(told: &'a Value, name: &str) -> &'a Value {
    let limits = told["limits"].as_array().unwrap();
    limits.iter().find(|limit| limit["name"] == name).unwrap_or_else(|| panic!("{name}: {told}"))
}

/// What the ledger and the shards have, added up: tokens, and refusals.
fn sums(limit: &Value) -> [u64; 2] {
    let number = |value: &Value| value.as_u64().unwrap();
    let shards = limit["shards"].as_array().unwrap();
    assert_eq!(shards.len(), 2, "{limit}");
    let sum = |name: &str| shards.iter().map(|shard| number(&shard[name])).sum::<u64>();
    let ledger = &limit["ledger"];
    [number(&ledger["level"]) + sum("tokens"), number(&ledger["refused"]) + sum("refused")]
}

#[test]
fn a_key_used_and_refused_adds_up_over_two_shards() {
    let upstream = Upstream::answering(ok("x"));
    let gateway = start(&upstream, 10, 1_000, 50);
    let [admitted, refused] = send(&gateway, 30, "/fast", "");
    assert!((1..=10).contains(&admitted), "{admitted}");
    let (left, mut told) = (10 - admitted, Value::Null);
    // Shards tell the quota's ledger within two rounds.
    eventually("the numbers add up", || {
        told = ask(&gateway, "?keyId=alice&sourceIp=127.0.0.1");
        let gold = limit(&told, "gold");
        let quota = &told["usagePlans"][0]["quota"];
        sums(gold) == [left, refused]
            && gold["remaining"] == left
            && gold["refused"] == refused
            && quota["used"] == admitted
            && quota["leased"] == 0
    });
    let gold = limit(&told, "gold");
    assert_eq!((&gold["level"], &gold["usagePlanId"]), (&"KEY".into(), &"gold".into()));
    assert_eq!((&gold["rateLimit"], &gold["burstLimit"]), (&0.001.into(), &10.into()));
    assert_eq!(gold["byAll"]["refused"], refused);
    let levels: Vec<&str> = told["limits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["level"].as_str().unwrap())
        .collect();
    assert_eq!(levels, ["OWN", "OWN", "OWN", "KEY_AND_METHOD", "KEY", "ACCOUNT"]);
    // Ringway's own are asked before the key's, and keep what they counted.
    assert_eq!(limit(&told, "per-client")["remaining"], 2_970);
    assert_eq!(limit(&told, "account")["remaining"], 5_000 - admitted);
    assert_eq!(limit(&told, "at-once")["ledger"]["out"], 0);
    assert_eq!(limit(&told, "at-once")["remaining"], 7);
    assert!(limit(&told, "per-tenant")["ledger"].is_null());
    let quota = &told["usagePlans"][0]["quota"];
    assert_eq!((&quota["limit"], &quota["period"]), (&1_000.into(), &"MONTH".into()));
    assert_eq!(quota["remaining"], 1_000 - admitted);
    assert_eq!(told["shardsMissing"], Value::Array(Vec::new()));
    // Another key of the plan has accounts of its own.
    let bob = ask(&gateway, "?keyId=bob");
    assert_eq!(limit(&bob, "gold")["remaining"], 10);
    assert_eq!(limit(&bob, "gold")["byAll"]["refused"], refused);
    assert_eq!(bob["usagePlans"][0]["quota"]["used"], 0);
    let lonely = ask(&gateway, "?keyId=lonely");
    assert_eq!(lonely["usagePlans"], Value::Array(Vec::new()));
}

/// While a key is in use, shards hold tokens and have spent some that the ledger does not know of.
#[test]
fn leases_are_told_by_shard() {
    let upstream = Upstream::answering(ok("x"));
    let gateway = start(&upstream, 2_900, 100_000, 1_000);
    let (mut admitted, mut tenant) = (0, 0);
    eventually("a shard holds tokens, and all add up", || {
        let mut client = Client::connect(gateway.address);
        tenant += 1;
        for _ in 0..20 {
            let head = format!(
                "GET /fast HTTP/1.1\r\nhost: it\r\nx-api-key: {VALUE}\r\nx-tenant: {tenant}\r\n\r\n"
            );
            admitted += u64::from(client.ask(head).status == 200);
        }
        let told = ask(&gateway, "?keyId=alice");
        let gold = limit(&told, "gold");
        let shards = gold["shards"].as_array().unwrap();
        let holds = |shard: &Value| shard["tokens"] != 0 && shard["spent"] != 0;
        let quota = &told["usagePlans"][0]["quota"];
        let of_quota = quota["shards"].as_array().unwrap();
        shards.iter().any(holds)
            && gold["ledger"]["out"] != 0
            && sums(gold)[0] == 2_900 - admitted
            && quota["used"] == admitted
            && of_quota.iter().any(|shard| shard["left"] != 0 && shard["spent"] != 0)
    });
}

#[test]
fn clients_and_header_values_have_accounts_of_their_own() {
    let upstream = Upstream::answering(ok("x"));
    let gateway = start(&upstream, 100, 1_000, 50);
    let [admitted, refused] = send(&gateway, 50, "/fast", "x-tenant: blue\r\n");
    let remaining =
        |query: &str, name: &str| limit(&ask(&gateway, query), name)["remaining"].clone();
    eventually("the tenant's numbers add up", || {
        let told = ask(&gateway, "?header=X-Tenant:%20blue");
        let tenant = limit(&told, "per-tenant");
        sums(tenant) == [40 - admitted, refused] && tenant["byAll"]["refused"] == refused
    });
    assert_eq!(remaining("?header=x-tenant:green", "per-tenant"), 40);
    assert_eq!(remaining("?sourceIp=127.0.0.2", "per-client"), 3_000);
    eventually("the client's are told", || {
        // A limit behind it refused: its token came back.
        remaining("?sourceIp=127.0.0.1", "per-client") == 3_000 - admitted
    });
    // Of a client only Ringway's own limits are asked, of nobody all that are everybody's.
    let names = |query: &str| {
        let told = ask(&gateway, query);
        let limits = told["limits"].as_array().unwrap().clone();
        limits.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("?sourceIp=127.0.0.1"), ["per-client", "per-tenant", "at-once"]);
    assert_eq!(names(""), ["per-client", "per-tenant", "at-once", "account"]);
}

#[test]
fn a_quota_that_is_used_up_names_itself() {
    let upstream = Upstream::answering(ok("x"));
    let gateway = start(&upstream, 100, 5, 50);
    let mut sum = [0, 0];
    // A shard refuses while the other one has the last of it leased.
    eventually("the quota is used", || {
        let counts = send(&gateway, 5, "/fast", "");
        sum = [sum[0] + counts[0], sum[1] + counts[1]];
        assert!(sum[0] <= 5, "{sum:?}");
        let told = ask(&gateway, "?keyId=alice");
        let quota = &told["usagePlans"][0]["quota"];
        quota["used"] == 5
            && quota["used"] == sum[0]
            && quota["remaining"] == 0
            && quota["refusedByAll"] == sum[1]
            && limit(&told, "gold")["byAll"]["refused"] == 0
    });
}

#[test]
fn a_key_that_is_switched_off_is_told_so() {
    let upstream = Upstream::answering(ok("x"));
    let gateway = start(&upstream, 10, 1_000, 50);
    assert_eq!(ask(&gateway, "?keyId=alice")["key"]["enabled"], true);
    let patch = r#"{"patchOperations":[{"op":"replace","path":"/enabled","value":"false"}]}"#;
    let length = patch.len();
    let answer = exchange(
        gateway.admin,
        format!(
            "PATCH /apikeys/alice HTTP/1.1\r\nhost: it\r\ncontent-length: {length}\r\n\r\n{patch}"
        ),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(ask(&gateway, "?keyId=alice")["key"]["enabled"], false);
    let status = |target: &str| Client::connect(gateway.admin).get(target).status;
    assert_eq!(status("/limits?keyId=nobody"), 404);
    assert_eq!(status("/limits?keyid=alice"), 400);
    assert_eq!(status("/limits?header=a%20b:c"), 400);
    assert_eq!(
        Client::connect(gateway.address).get("/limits").status,
        404,
        "not on the public port"
    );
}

#[test]
fn explain_asks_the_running_gateway() {
    let upstream = Upstream::answering(ok("x"));
    let gateway = start(&upstream, 10, 1_000, 50);
    let [admitted, refused] = send(&gateway, 30, "/fast", "");
    let private = gateway.admin.to_string();
    let explain = |more: &[&str]| {
        let line = [&["explain", "gateway.yaml", "--private", &private], more].concat();
        ringway(gateway.folder.path(), &line)
    };
    let left = (10 - admitted).to_string();
    let mut shown = String::new();
    eventually("the table tells what is left", || {
        let ran = explain(&["--key", "alice", "--source-ip", "127.0.0.1"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let row = ran.output.lines().find(|line| line.starts_with("gold  ")).unwrap().to_owned();
        let cells: Vec<&str> = row.split_whitespace().skip(5).collect();
        shown = ran.output;
        let refused = refused.to_string();
        cells == [&left, &refused, &refused, &left, "0", "0"]
    });
    for words in [
        "Key    alice: enabled\nPlan   gold: on it00000001/$default\n",
        &format!("Quota  1000 a month: {admitted} used, {} left (", 1_000 - admitted),
        "LIMIT ",
        "LEDGER  SHARD 0  SHARD 1\n",
        "-H 'x-tenant: VALUE'",
    ] {
        assert!(shown.contains(words), "{words:?} is missing in:\n{shown}");
    }
    let json = explain(&["--key", "alice", "--json"]);
    let json: Value = serde_json::from_str(&json.output).unwrap();
    assert_eq!(json["key"]["id"], "alice");
    let nobody = explain(&["--key", "nobody"]);
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.said.contains("has no API key with this id"), "{nobody:?}");
    // The file's port is 0: nobody can know where that is.
    let unknown = ringway(gateway.folder.path(), &["explain", "gateway.yaml", "--limits"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.said.contains("--private ADDR"), "{unknown:?}");
}

#[test]
fn explain_says_how_to_mend_it_when_nobody_answers() {
    let folder = Folder::new();
    folder.write("api.yaml", &proxy_all(dead_address()));
    let dead = dead_address().to_string();
    let ran = ringway(folder.path(), &["explain", "api.yaml", "--limits", "--private", &dead]);
    assert_eq!((ran.code, ran.output.as_str()), (Some(1), ""), "{ran:?}");
    assert_eq!(ran.said.lines().count(), 1, "{ran:?}");
    for words in [&dead, "nobody answers", "ringway run api.yaml", "--private ADDR"] {
        assert!(ran.said.contains(words), "{words:?} is missing in: {}", ran.said);
    }
    // A web server is none.
    let upstream = Upstream::answering(ok("x"));
    let other = upstream.address().to_string();
    let ran = ringway(folder.path(), &["explain", "api.yaml", "--limits", "--private", &other]);
    assert!(ran.said.contains("no private port"), "{ran:?}");
    let ran = ringway(folder.path(), &["explain", "api.yaml"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.said.contains("<--key <ID>|--source-ip <IP>|--limits>"), "{ran:?}");
}
