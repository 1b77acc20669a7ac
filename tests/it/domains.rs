//! Custom domain names through the real program: several APIs and stages on several hosts
//! (`api-gateway.md` 1.6, 1.7).

use std::{fmt::Write, fs, time::Duration};

use crate::harness::{
    Client, Gateway, Launch, Route, Upstream, eventually, exchange, ok, openapi, ringway,
};

/// Answers with what it was asked for and what the mapping told it.
fn telling() -> Upstream {
    Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            let told = ["x-base", "x-rule", "x-seen", "x-path", "x-domain", "x-prefix"];
            let mut text = request.target.clone();
            for name in told {
                let _ = write!(text, " {}", request.field(name).unwrap_or("-"));
            }
            peer.send(ok(text));
        }
    })
}

/// Everything goes to `/NAME` of the upstream; the stage says which name.
fn definition(upstream: &Upstream, more: &str) -> String {
    let to = format!("http://{}/${{stageVariables.name}}", upstream.address());
    let mapping = "requestParameters:\n  \
        overwrite:header.x-base: $context.customDomain.basePathMatched\n  \
        overwrite:header.x-rule: $context.customDomain.routingRuleIdMatched\n  \
        overwrite:header.x-seen: $request.path\n  \
        overwrite:header.x-path: $context.path\n  \
        overwrite:header.x-domain: $context.domainName\n  \
        overwrite:header.x-prefix: $context.domainPrefix";
    let routes = [
        Route::new("ANY", "/", format!("{to}/")).more(mapping),
        Route::new("ANY", "/{proxy+}", format!("{to}/{{proxy}}")).more(mapping),
    ];
    openapi(&routes) + more
}

const FILE: &str = "
region: eu-central-1
domainSuffix: example.internal
accessLog: {destination: access.log}
apis:
  - name: pets
    apiId: pets000001
    definition: api.yaml
    stages:
      - {stageName: $default, stageVariables: {name: pets}}
      - {stageName: beta, stageVariables: {name: pets-beta}}
  - name: orders
    apiId: orders0001
    definition: api.yaml
    disableExecuteApiEndpoint: true
    stages: [{stageName: prod, stageVariables: {name: orders}}]
  - name: hidden
    apiId: hidden0001
    definition: hidden.yaml
    stages: [{stageName: $default, stageVariables: {name: hidden}}]
domainNames:
  - domainName: api.example.com
    apiMappings:
      - {api: pets, stage: $default}
      - {api: pets, stage: beta, apiMappingKey: pets/beta}
      - {api: orders, stage: prod, apiMappingKey: orders}
      - {api: orders, stage: prod, apiMappingKey: orders/v1/items}
  - domainName: '*.example.com'
    apiMappings: [{api: orders, stage: prod, apiMappingKey: v1}]
  - domainName: rules.example.com
    routingMode: ROUTING_RULE_THEN_API_MAPPING
    apiMappings: [{api: pets, stage: $default, apiMappingKey: pets}]
    routingRules:
      - priority: 30
        conditions: {matchBasePaths: {anyOf: [pets/old, orders]}}
        action: {api: orders, stage: prod, stripBasePath: true}
      - priority: 20
        routingRuleId: beta-users
        conditions:
          matchHeaders:
            - anyOf: [{header: X-Version, valueGlob: beta*}, {header: x-tester, valueGlob: '*'}]
            - anyOf: [{header: accept, valueGlob: '*json'}]
          matchBasePaths: {anyOf: [pets]}
        action: {api: pets, stage: beta}
  - domainName: only.example.com
    routingMode: ROUTING_RULE_ONLY
    routingRules:
      - {priority: 1, conditions: {matchHeaders: [{anyOf: [{header: host, valueGlob: 'only*'}]}]},
         action: {api: hidden, stage: $default}}
";

fn start(upstream: &Upstream, file: &str) -> Gateway {
    let extension = "servers:\n  - url: https://x.test/\n    \
        x-amazon-apigateway-endpoint-configuration: {disableExecuteApiEndpoint: true}\n";
    Launch::file("gateway.yaml", file)
        .beside("api.yaml", &definition(upstream, ""))
        .beside("hidden.yaml", &definition(upstream, extension))
        .start()
}

/// `request` is `HOST PATH`, then header lines; `expected` is what the upstream was asked for (as
/// far as it is given), or the status of a refusal.
#[track_caller]
fn check(gateway: &Gateway, request: &str, expected: &str) {
    let (line, more) = request.split_once('|').unwrap_or((request, ""));
    let (host, path) = line.split_once(' ').unwrap();
    let lines: String =
        more.split('|').filter(|line| !line.is_empty()).fold(String::new(), |mut lines, line| {
            let _ = write!(lines, "{line}\r\n");
            lines
        });
    let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{lines}\r\n");
    let answer = exchange(gateway.address, head);
    let found = match answer.status {
        200 => answer.text(),
        status => status.to_string(),
    };
    assert!(found.starts_with(expected), "{request}: {found}, not {expected}");
}

#[test]
fn the_longest_mapping_of_the_host_s_domain_is_taken() {
    let upstream = telling();
    let gateway = start(&upstream, FILE);
    let table = [
        ("api.example.com /cat/7?a=b", "/pets/cat/7?a=b - - /cat/7 /cat/7 api.example.com api"),
        ("api.example.com /", "/pets/ - - / / api.example.com api"),
        // A stage's name is no segment of a mapped path.
        ("api.example.com /beta/x", "/pets/beta/x - - /beta/x /beta/x"),
        ("api.example.com /pets/beta/x", "/pets-beta/x pets/beta - /x /pets/beta/x"),
        ("api.example.com /pets/beta", "/pets-beta/ pets/beta - / /pets/beta"),
        ("api.example.com /pets/betas", "/pets/pets/betas - - /pets/betas"),
        ("api.example.com /orders/7", "/orders/7 orders - /7 /orders/7"),
        ("api.example.com /orders/v1/items/7", "/orders/7 orders/v1/items - /7"),
        ("api.example.com /orders/v1/item", "/orders/v1/item orders -"),
        ("api.example.com /Orders/7", "/pets/Orders/7"),
        ("api.example.com /%6Frders/7", "/pets/%6Frders/7"),
        ("api.example.com /orders%2F7", "/pets/orders%2F7"),
        ("API.EXAMPLE.COM:8080 /orders/7", "/orders/7 orders - /7 /orders/7 API.EXAMPLE.COM API"),
        ("api.example.com. /orders/7", "/orders/7 orders"),
        ("api.example.com.:80 /orders/7", "/orders/7 orders"),
        ("x.example.com /v1/a", "/orders/a v1 - /a /v1/a x.example.com x"),
        ("my_x.example.com /v1", "/orders/ v1"),
        ("x.example.com /v2", "404"),
        ("x.example.com /", "404"),
        ("y.x.example.com /v1", "404"),
        ("example.com /v1", "404"),
    ];
    for (request, expected) in table {
        check(&gateway, request, expected);
    }
    let head = "GET http://x.example.com/v1/abs HTTP/1.1\r\nhost: x.example.com\r\n\r\n";
    assert!(exchange(gateway.address, head).text().starts_with("/orders/abs v1 - /abs /v1/abs"));
}

#[test]
fn routing_rules_are_asked_before_mappings() {
    let upstream = telling();
    let gateway = start(&upstream, FILE);
    let json = "accept: application/json";
    let table = [
        ("/pets/7|x-version: beta-2|accept: text/json", "/pets-beta/pets/7 pets beta-users"),
        ("/pets/7|x-version: alpha|x-version: beta|accept: text/json", "/pets-beta/pets/7"),
        ("/pets/7|x-tester:|accept: application/json", "/pets-beta/pets/7 pets beta-users"),
        ("/pets/7|x-version: beta-2", "/pets/7 pets -"),
        ("/pets/7|x-version: Beta|accept: application/json", "/pets/7 pets -"),
        ("/pets/old/7", "/orders/7 pets/old 30 /7 /pets/old/7"),
        ("/orders", "/orders/ orders 30 / /orders"),
        ("/pets/older", "/pets/older pets -"),
        ("/cats", "404"),
    ];
    for (request, expected) in table {
        check(&gateway, &format!("rules.example.com {request}"), expected);
    }
    check(&gateway, &format!("rules.example.com /v1|x-version: beta|{json}"), "404");
    // One rule, for the host as the client writes it; a mapping would take the other.
    check(&gateway, "only.example.com /a", "/hidden/a - 1 /a /a");
    check(&gateway, "ONLY.example.com /a", "404");
}

#[test]
fn other_hosts_than_the_file_s_reach_nothing() {
    let upstream = telling();
    let gateway = start(&upstream, FILE);
    let own = "execute-api.eu-central-1.example.internal";
    let table = [
        (format!("pets000001.{own} /a"), "/pets/a - - /a /a"),
        (format!("PETS000001.{}.:81 /beta/a", own.to_uppercase()), "/pets-beta/a - - /a /beta/a"),
        ("localhost /a|x-apigw-api-id: pets000001".to_owned(), "/pets/a"),
        // No header leads around what a domain is mapped to.
        ("x.example.com /v1/a|x-apigw-api-id: pets000001".to_owned(), "/orders/a v1"),
        // Disabled in the file; disabled by the definition.
        (format!("orders0001.{own} /prod/a"), "404"),
        ("localhost /prod/a|x-apigw-api-id: orders0001".to_owned(), "404"),
        (format!("hidden0001.{own} /a"), "404"),
        ("only.example.com /a|x-apigw-api-id: pets000001".to_owned(), "/hidden/a"),
        ("pets000001.execute-api.local /a".to_owned(), "404"),
        (format!("other00001.{own} /a"), "404"),
        (format!("{own} /a"), "404"),
    ];
    for (request, expected) in table {
        check(&gateway, &request, expected);
    }
    for host in ["localhost", "127.0.0.1:8080", "[::1]", "[::ffff:1.2.3.4]:80", "a", "com", "-"] {
        check(&gateway, &format!("{host} /a"), "404");
    }
    let answer = exchange(gateway.address, "GET /a HTTP/1.0\r\n\r\n");
    answer.assert_refusal(404, "Not Found");
    assert!(upstream.requests().iter().all(|request| !request.target.contains("prod")));
}

/// Hosts that mean harm: each gets one answer, and the gateway goes on.
#[test]
fn hostile_hosts_belong_to_nobody() {
    let upstream = telling();
    let gateway = start(&upstream, FILE);
    let label = format!("{}.example.com", "a".repeat(64));
    let long = format!("{}example.com", "a.".repeat(2_000));
    let (longer, dots) = (&long[long.len() - 411..], ".".repeat(5_000));
    let table: [(&[u8], u16); 18] = [
        (label.as_bytes(), 404),
        (longer.as_bytes(), 404),
        (long.as_bytes(), 404),
        (dots.as_bytes(), 404),
        (b".example.com", 404),
        (b"..example.com", 404),
        (b"api..example.com", 404),
        (b"api.example.com..", 404),
        (b"b\xC3\xBC.example.com", 400),
        (b"\xFF.example.com", 400),
        (b"user@api.example.com", 400),
        (b"user:pass@api.example.com", 400),
        (b"*.example.com", 400),
        (b"api.example.com, api.example.com", 400),
        (b"api.example.com/v1", 400),
        (b"[::1].example.com", 400),
        (b"[example.com]", 400),
        (b"api.example.com:99999", 400),
    ];
    for (host, status) in table {
        let mut request = b"GET /v1 HTTP/1.1\r\nhost: ".to_vec();
        request.extend_from_slice(host);
        request.extend_from_slice(b"\r\n\r\n");
        let answer = exchange(gateway.address, request);
        assert_eq!(answer.status, status, "{}", host.escape_ascii());
    }
    check(&gateway, "api.example.com /a", "/pets/a");
    assert_eq!(upstream.requests().len(), 1);
}

/// On every custom domain, before its rules and mappings, and on no other host.
#[test]
fn health_checks_are_answered_by_the_gateway() {
    let upstream = telling();
    let gateway = start(&upstream, FILE);
    let mut client = Client::connect(gateway.address);
    for host in ["api.example.com", "x.example.com", "rules.example.com:80", "ONLY.example.com."] {
        for path in ["/ping", "/sping", "/ping?x=1"] {
            let answer = client.ask(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
            assert_eq!((answer.status, answer.text().as_str()), (200, "healthy"), "{host}{path}");
            assert_eq!(answer.field("content-type"), Some("text/plain"));
            assert_eq!(answer.field("content-length"), Some("7"));
            assert!(answer.field("apigw-requestid").is_some(), "{answer:?}");
        }
    }
    let answer = client.ask("HEAD /ping HTTP/1.1\r\nhost: api.example.com\r\n\r\n");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.field("content-length"), Some("7"));
    let post = "POST /ping HTTP/1.1\r\nhost: api.example.com\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(client.ask(post).text(), "healthy");
    assert!(upstream.requests().is_empty(), "no API is asked");
    check(&gateway, "api.example.com /ping/", "/pets/ping/");
    check(&gateway, "x.example.com /v1/ping", "/orders/ping");
    check(&gateway, "localhost /ping|x-apigw-api-id: pets000001", "/pets/ping");
    check(&gateway, "localhost /ping", "404");
}

#[test]
fn the_access_log_says_what_matched() {
    let upstream = telling();
    let mut gateway = start(&upstream, FILE);
    check(&gateway, "api.example.com /orders/7", "/orders/7");
    check(&gateway, "rules.example.com /orders/7", "/orders/7");
    check(&gateway, "api.example.com /", "/pets/");
    check(&gateway, "x.example.com /none", "404");
    check(&gateway, "api.example.com /ping", "healthy");
    gateway.signal("TERM");
    gateway.wait();
    let text = fs::read_to_string(gateway.folder.join("access.log")).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |line: usize, name: &str| lines[line][name].as_str().unwrap_or("").to_owned();
    let members = ["domainName", "path", "apiId", "stage", "basePathMatched"];
    let line = |line: usize| members.map(|name| said(line, name)).join(" ");
    assert_eq!(line(0), "api.example.com /orders/7 orders0001 prod orders");
    assert_eq!(line(1), "rules.example.com /orders/7 orders0001 prod orders");
    assert_eq!(said(0, "routingRuleIdMatched"), "");
    assert_eq!(said(1, "routingRuleIdMatched"), "30");
    assert_eq!(line(2), "api.example.com / pets000001 $default ");
    assert_eq!(line(3), "x.example.com /none - - ");
    let why = "no routing rule or API mapping of the domain matches";
    assert_eq!(said(3, "errorMessage"), why);
    assert_eq!(
        (line(4).as_str(), said(4, "errorMessage")),
        ("api.example.com /ping - - ", String::new())
    );
    assert_eq!(lines.len(), 5, "{text}");
}

/// A request sees the domains of one plan.
#[test]
fn a_reload_changes_what_a_host_leads_to() {
    let upstream = telling();
    let gateway = start(&upstream, FILE);
    let mut client = Client::connect(gateway.address);
    let mut ask = |host: &str| {
        let answer = client.ask(format!("GET /v1/a HTTP/1.1\r\nhost: {host}\r\n\r\n"));
        (answer.status, answer.text().split(' ').next().unwrap().to_owned())
    };
    assert_eq!(ask("x.example.com"), (200, "/orders/a".to_owned()));
    assert_eq!(ask("y.example.org").0, 404);
    gateway.folder.write("gateway.yaml", &FILE.replace("'*.example.com'", "'*.example.org'"));
    eventually("the new name leads somewhere", || ask("y.example.org").0 == 200);
    assert_eq!(ask("x.example.com").0, 404);
    // A name that stands twice changes nothing.
    let broken = FILE.replace("only.example.com", "API.example.com");
    gateway.folder.write("gateway.yaml", &broken);
    eventually("the fault is told", || gateway.said().contains("domain name API.example.com"));
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(ask("y.example.org").0, 200);
}

#[test]
fn explain_tells_domain_rule_and_mapping() {
    let upstream = telling();
    let gateway = start(&upstream, FILE);
    let explain = |url: &str, header: &str| {
        let arguments = ["explain", "gateway.yaml", "GET", url, "-H", header];
        let ran = ringway(gateway.folder.path(), &arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.said);
        ran.output
    };
    let told = explain("https://rules.example.com/pets/old/7", "accept: text/json");
    for part in [
        "Domain rules.example.com: it is the host rules.example.com\n",
        "Rule   20 (beta-users): a header condition does not hold\n",
        "       x-version: beta* or x-tester: * and accept: *json and base path pets",
        "Rule   30: decides\n       base path pets/old or orders -> orders, stage prod\n",
        "API    orders (orders0001): the routing rule leads to it\n",
        "       its routes see the path /7\n",
        "       x-base: pets/old\n",
    ] {
        assert!(told.contains(part), "{part:?} in\n{told}");
    }
    let told = explain("http://x.example.com./v1/7", "a: b");
    for part in [
        "Domain *.example.com: it covers the host x.example.com., and no exact name does\n",
        "Key    v1 -> orders, stage prod: it is the longest mapping key",
        "API    orders (orders0001): the API mapping leads to it\n",
    ] {
        assert!(told.contains(part), "{part:?} in\n{told}");
    }
    let told = explain("http://1.2.3.4/", "a: b");
    for part in [
        "Answer 404 {\"message\":\"Not Found\"} (no API for this host)\n",
        "  pets: host pets000001.execute-api.eu-central-1.example.internal, or the header",
        "  orders: by custom domain names only\n",
        "custom domain names are api.example.com, *.example.com, rules.example.com",
    ] {
        assert!(told.contains(part), "{part:?} in\n{told}");
    }
}

/// The names of many tenants, on many shards' tables.
#[test]
fn thousands_of_domains_are_served() {
    let upstream = telling();
    let mut file = FILE.split("domainNames:").next().unwrap().to_owned() + "domainNames:\n";
    for number in 0..3_000 {
        let _ = writeln!(
            file,
            "  - {{domainName: t{number}.example.com, apiMappings: [{{api: orders, stage: prod, \
             apiMappingKey: k{number}}}]}}"
        );
    }
    let file = file.replace("    definition: hidden.yaml", "    definition: api.yaml");
    let gateway = start(&upstream, &file);
    for number in [0, 1, 77, 1_499, 2_999] {
        let host = format!("T{number}.example.com");
        check(&gateway, &format!("{host} /k{number}/a"), &format!("/orders/a k{number}"));
        check(&gateway, &format!("{host} /k{}/a", number + 1), "404");
    }
    check(&gateway, "t3000.example.com /k3000", "404");
}
