//! IP rules as callers meet them: who may come, what is logged and counted, files that reload, and
//! that nobody pays a limit's token for being refused.

use std::{fs, net::SocketAddr};

use crate::harness::{Answer, Client, Gateway, Launch, Upstream, eventually, ok, ringway};

const FORBIDDEN: &str = r#"{"message":"Forbidden"}"#;

fn definition(upstream: SocketAddr) -> String {
    let route = |path: &str| {
        format!(
            "  /{path}: {{get: {{x-amazon-apigateway-integration: {{type: http_proxy, httpMethod: \
             ANY, uri: 'http://{upstream}/', payloadFormatVersion: '1.0'}}}}}}\n"
        )
    };
    format!("openapi: 3.0.1\npaths:\n{}{}", route("pets"), route("admin"))
}

/// Clients say by `X-Forwarded-For` where they come from: loopback is a trusted proxy.
fn launch(rules: &str, upstream: SocketAddr) -> Launch {
    let file = format!(
        "listeners: [{{address: '127.0.0.1:0', trustedProxies: [127.0.0.0/8], http2: true}}]\n\
         apis: [{{name: it, definition: api.yaml, corsConfiguration: {{allowOrigins: ['*'], \
         allowMethods: [GET]}}}}]\n{rules}\n"
    );
    Launch::file("gateway.yaml", &file)
        .beside("api.yaml", &definition(upstream))
        .logging("access.log")
        .listeners_of_file()
}

fn from(gateway: &Gateway, target: &str, address: &str) -> Answer {
    let mut client = Client::connect(gateway.address);
    let head = format!("GET {target} HTTP/1.1\r\nhost: it\r\nx-forwarded-for: {address}\r\n\r\n");
    client.ask(head)
}

#[track_caller]
fn check(gateway: &Gateway, target: &str, address: &str, status: u16) {
    let answer = from(gateway, target, address);
    assert_eq!(answer.status, status, "{target} from {address}");
    if status == 403 {
        assert_eq!(answer.text(), FORBIDDEN);
    }
}

fn logged(gateway: &Gateway, text: &str) {
    let path = gateway.folder.join("access.log");
    eventually(text, || fs::read_to_string(&path).is_ok_and(|log| log.contains(text)));
}

#[test]
fn a_rule_holds_for_every_request_or_for_its_routes() {
    let upstream = Upstream::answering(ok("in"));
    let rules = "ipRules:
      - {name: blocked, deny: [192.0.2.0/24, '2001:db8::/32']}
      - {name: office, allow: [10.0.0.0/8], deny: [10.6.6.0/24], routes: [{routeKey: GET /admin}]}";
    let gateway = launch(rules, upstream.address()).start();
    for (target, address, status) in [
        ("/pets", "198.51.100.1", 200),
        ("/pets", "10.6.6.6", 200),
        ("/admin", "10.1.2.3", 200),
        ("/admin", "::ffff:10.1.2.3", 200),
        ("/admin", "10.6.6.6", 403),
        ("/admin", "198.51.100.1", 403),
        ("/pets", "192.0.2.9", 403),
        ("/pets", "::ffff:192.0.2.9", 403),
        ("/pets", "2001:db8:1::1", 403),
        ("/admin", "192.0.2.9", 403),
        // Also where there is no route, so that nobody learns which there are.
        ("/nothing", "192.0.2.9", 403),
        ("/nothing", "10.1.2.3", 404),
    ] {
        check(&gateway, target, address, status);
    }
    let mut client = Client::connect(gateway.address);
    let preflight = "OPTIONS /pets HTTP/1.1\r\nhost: it\r\norigin: https://a.example\r\n\
                     access-control-request-method: GET\r\nx-forwarded-for: 192.0.2.9\r\n\r\n";
    assert_eq!(client.ask(preflight).status, 403);
    assert_eq!(client.ask(preflight.replace("192.0.2.9", "10.1.2.3")).status, 204);
    let star = "OPTIONS * HTTP/1.1\r\nhost: it\r\nx-forwarded-for: 192.0.2.9\r\n\r\n";
    assert_eq!(client.ask(star).status, 403);
    assert_eq!(upstream.requests().len(), 4);
    logged(&gateway, r#""ipRule":"blocked""#);
    logged(&gateway, "an IP rule denies the client's address");
    logged(&gateway, "an IP rule does not allow the client's address");
    let metrics = gateway.metrics();
    assert!(metrics.contains("ringway_ip_refused_total{rule=\"blocked\"} 7"), "{metrics}");
    assert!(metrics.contains("ringway_ip_refused_total{rule=\"office\"} 2"), "{metrics}");
}

#[test]
fn a_refused_address_costs_no_token_of_a_limit() {
    let upstream = Upstream::answering(ok("in"));
    let rules = "ipRules: [{name: blocked, deny: [192.0.2.0/24], routes: [{routeKey: GET /pets}]}]
throttling: {limits: [{name: few, key: {type: ALL}, rateLimit: 0.001, burstLimit: 2}]}";
    let gateway = launch(rules, upstream.address()).start();
    for _ in 0..10 {
        check(&gateway, "/pets", "192.0.2.9", 403);
    }
    check(&gateway, "/pets", "10.0.0.1", 200);
    check(&gateway, "/pets", "10.0.0.1", 200);
    check(&gateway, "/pets", "10.0.0.1", 429);
    check(&gateway, "/pets", "192.0.2.9", 403);
}

#[test]
fn files_of_networks_reload_and_broken_ones_change_nothing() {
    let upstream = Upstream::answering(ok("in"));
    let rules = "ipRules: [{name: blocked, denyFile: blocked.txt}]";
    let gateway =
        launch(rules, upstream.address()).beside("blocked.txt", "192.0.2.0/24 # a\n").start();
    check(&gateway, "/pets", "192.0.2.9", 403);
    check(&gateway, "/pets", "10.0.0.1", 200);
    gateway.folder.write("blocked.txt", "# now\n10.0.0.0/8\n");
    eventually("the new list holds", || from(&gateway, "/pets", "10.0.0.1").status == 403);
    check(&gateway, "/pets", "192.0.2.9", 200);
    gateway.folder.write("blocked.txt", "10.0.0.0/8\n10.0.0.0/40\n");
    eventually("the fault is told", || gateway.said().contains("blocked.txt:2:1"));
    assert!(gateway.said().contains("has a prefix that is longer than its address"));
    check(&gateway, "/pets", "10.0.0.1", 403);
}

#[test]
fn a_client_of_a_unix_socket_counts_as_this_machine() {
    let upstream = Upstream::answering(ok("in"));
    let folder = crate::harness::Folder::new();
    let socket = folder.join("s.sock");
    for (deny, status) in [("127.0.0.1", 403), ("192.0.2.0/24", 200)] {
        let file = format!(
            "listeners: [{{address: 'unix:{}'}}]\napis: [{{name: it, definition: api.yaml}}]\n\
             ipRules: [{{name: blocked, deny: [{deny}]}}]\n",
            socket.display()
        );
        let _gateway = Launch::file("gateway.yaml", &file)
            .beside("api.yaml", &definition(upstream.address()))
            .listeners_of_file()
            .start();
        assert_eq!(Client::connect_unix(&socket).get("/pets").status, status);
    }
}

#[test]
fn faulty_rules_are_told() {
    let folder = crate::harness::Folder::new();
    folder.write("api.yaml", &definition(([127, 0, 0, 1], 1).into()));
    let file = "apis: [{name: it, definition: api.yaml}]
ipRules:
  - {name: a, deny: [10.0.0.0/33]}
  - {name: a, allow: [10.0.0.0/8], routes: [{routeKey: GET /pet}]}
  - {name: b}
  - {name: c, deni: [10.0.0.1]}
";
    folder.write("gateway.yaml", file);
    let said = ringway(folder.path(), &["validate", "gateway.yaml"]);
    assert_eq!(said.code, Some(1), "{}", said.output);
    for text in [
        "write an IP network or address, such as 10.0.0.0/8",
        "two IP rules have the name a: the first is in line 3",
        "IP rule b: it says neither who may come nor who may not",
        "did you mean deny?",
    ] {
        assert!(said.output.contains(text) || said.said.contains(text), "{text}: {said:?}");
    }
    folder.write("gateway.yaml", &file.lines().take(2).collect::<Vec<_>>().join("\n"));
    let wrong_route = "apis: [{name: it, definition: api.yaml}]
ipRules: [{name: a, deny: [10.0.0.1], routes: [{routeKey: GET /pet}]}]\n";
    folder.write("gateway.yaml", wrong_route);
    let said = ringway(folder.path(), &["validate", "gateway.yaml"]);
    let all = format!("{}{}", said.output, said.said);
    assert!(all.contains("IP rule a: there is no route GET /pet"), "{all}");
}
