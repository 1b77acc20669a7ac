//! Policies of APIs as callers meet them: by address, page, time, TLS, listener and path; before
//! and after a JWT authorizer; in the definition, in the gateway file, in a file of its own.

use std::fs;

use crate::harness::{
    Answer, Client, Folder, Gateway, Launch, Upstream, eventually, ok, proxy_all, ringway,
};

const TRUSTING: &str = "trustedProxies: [127.0.0.0/8]";
const HOST: &str = "aaaaaaaaaa.execute-api.us-east-1.amazonaws.com";

/// A policy of these statements, each without its principal and action.
fn policy(statements: &[&str]) -> String {
    let whole = |statement: &&str| {
        format!("{{\"Principal\": \"*\", \"Action\": \"execute-api:Invoke\", {statement}}}")
    };
    let statements: Vec<_> = statements.iter().map(whole).collect();
    format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{}]}}", statements.join(", "))
}

const ALLOW: &str = r#""Effect": "Allow", "Resource": "execute-api:/*""#;

fn with(condition: &str) -> String {
    format!(r#"{ALLOW}, "Condition": {condition}"#)
}

/// A gateway whose API has this policy, its listener this too.
fn launch(upstream: &Upstream, listener: &str, policy: &str) -> Launch {
    let file = format!(
        "listeners: [{{address: '127.0.0.1:0', {listener}}}]\naccountId: '123456784321'\n\
         accessLog: {{destination: access.log}}\n\
         apis: [{{name: it, apiId: aaaaaaaaaa, definition: api.yaml, policy: {policy}}}]\n"
    );
    let definition = proxy_all(upstream.address());
    Launch::file("gateway.yaml", &file).beside("api.yaml", &definition).listeners_of_file()
}

fn ask(gateway: &Gateway, target: &str, lines: &str) -> Answer {
    let mut client = Client::connect(gateway.address);
    client.ask(format!("GET {target} HTTP/1.1\r\nhost: {HOST}\r\n{lines}\r\n"))
}

#[track_caller]
fn assert_denied(answer: &Answer, path: &str, is_explicit: bool) {
    let end = if is_explicit { " with an explicit deny" } else { "" };
    let words = format!(
        "{{\"Message\":\"User: anonymous is not authorized to perform: execute-api:Invoke on \
         resource: arn:aws:execute-api:us-east-1:********4321:aaaaaaaaaa/$default/GET{path}{end}\"}}"
    );
    assert_eq!((answer.status, answer.text()), (403, words));
    assert_eq!(answer.field("x-amzn-errortype"), Some("AccessDeniedException"));
}

#[test]
fn by_the_client_s_address() {
    let upstream = Upstream::answering(ok("in"));
    let deny = r#""Effect": "Deny", "Resource": "execute-api:/*",
        "Condition": {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32"]}}"#;
    let gateway = launch(&upstream, TRUSTING, &policy(&[ALLOW, deny]).replace('\n', " ")).start();
    let from = |address: &str| ask(&gateway, "/x", &format!("x-forwarded-for: {address}\r\n"));
    assert_eq!(ask(&gateway, "/x", "").status, 200);
    assert_eq!(from("198.51.100.7").status, 200);
    for address in ["203.0.113.9", "::ffff:203.0.113.9", "2001:DB8::1", "9.9.9.9, 203.0.113.9"] {
        assert_denied(&from(address), "/x", true);
    }
    // What the client itself says of the proxies before it counts for nothing.
    assert_eq!(from("203.0.113.9, 198.51.100.7").status, 200);
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn attack_an_address_that_is_only_claimed_changes_nothing() {
    let upstream = Upstream::answering(ok("in"));
    let allow = with(r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#);
    let gateway = launch(&upstream, "trustedProxies: []", &policy(&[&allow])).start();
    assert_denied(&ask(&gateway, "/x", "x-forwarded-for: 10.0.0.1\r\n"), "/x", false);
    assert!(upstream.requests().is_empty());
}

#[test]
fn by_page_program_time_and_tls() {
    let upstream = Upstream::answering(ok("in"));
    let check = |condition: &str, lines: &str, status: u16| {
        let gateway = launch(&upstream, TRUSTING, &policy(&[&with(condition)])).start();
        assert_eq!(ask(&gateway, "/x", lines).status, status, "{condition}: {lines}");
    };
    let referer = r#"{"StringLike": {"aws:Referer": "https://app.example.com/*"}}"#;
    check(referer, "Referer: https://app.example.com/a\r\n", 200);
    check(referer, "Referer: https://evil.example/https://app.example.com/\r\n", 403);
    check(referer, "Referer: https://evil/\r\nReferer: https://app.example.com/a\r\n", 403);
    check(referer, "Referer: https://app.example.com/a\r\nReferer: https://evil/\r\n", 403);
    check(referer, "", 403);
    check(r#"{"StringNotLike": {"aws:UserAgent": "bad*"}}"#, "User-Agent: bad/1\r\n", 403);
    check(r#"{"StringNotLike": {"aws:UserAgent": "bad*"}}"#, "", 200);
    check(r#"{"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}"#, "", 200);
    check(r#"{"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}"#, "", 403);
    let secure = r#"{"Bool": {"aws:SecureTransport": "true"}}"#;
    check(secure, "", 403);
    check(secure, "x-forwarded-proto: https\r\n", 200);
    check(secure, "x-forwarded-proto: https, http\r\n", 403);
}

/// What is denied under one name is not had under another.
#[test]
fn attack_encoded_paths_do_not_get_around_a_denial() {
    let upstream = Upstream::answering(ok("in"));
    let deny = r#""Effect": "Deny", "Resource": "execute-api:/*/GET/admin*""#;
    let gateway = launch(&upstream, "http2: true", &policy(&[ALLOW, deny])).start();
    for path in
        ["/admin", "/admin/x", "/%61dmin", "/%61%64%6d%69n/x", "//admin", "/%2Fadmin", "/%2f/admin"]
    {
        assert_denied(&ask(&gateway, path, ""), path, true);
    }
    for path in ["/x/../admin", "/%2e/admin", "/x/%2E%2e/admin"] {
        assert_eq!(ask(&gateway, path, "").status, 400, "{path}");
    }
    assert!(upstream.requests().is_empty());
    assert_eq!(ask(&gateway, "/pets/admin", "").status, 200);
    // The query is no part of it.
    assert_denied(&ask(&gateway, "/admin?x=1", ""), "/admin", true);
    // The same by HTTP/2, if curl is here.
    let url = format!("http://{}/%61dmin", gateway.address);
    let words = ["-s", "--http2-prior-knowledge", "-w", "%{http_code}", "-H"];
    let host = format!("host: {HOST}");
    let arguments = [&words[..], &[&host, &url]].concat();
    if crate::harness::has("curl") {
        let (is_well, output) = crate::harness::run("curl", &arguments, Folder::new().path());
        assert!(is_well && output.ends_with(b"403"), "{}", String::from_utf8_lossy(&output));
    }
}

/// Nor does an encoded path get what only another one is allowed.
#[test]
fn attack_a_path_longer_than_an_arn_may_be() {
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(&upstream, "", &policy(&[ALLOW])).start();
    assert_eq!(ask(&gateway, &format!("/a/{}", "x".repeat(1_000)), "").status, 200);
    assert_eq!(ask(&gateway, &format!("/a/{}", "x".repeat(1_600)), "").status, 414);
}

#[test]
fn attack_encoded_paths_do_not_get_into_an_allowance() {
    let upstream = Upstream::answering(ok("in"));
    let allow = r#""Effect": "Allow", "Resource": "execute-api:/*/GET/public/*""#;
    let gateway = launch(&upstream, "labels: [x]", &policy(&[allow])).start();
    assert_eq!(ask(&gateway, "/public/a", "").status, 200);
    assert_eq!(ask(&gateway, "/public/%61", "").status, 200);
    for path in ["/private", "/%70ublic/a", "//public/a", "/publi%63/a"] {
        assert_denied(&ask(&gateway, path, ""), path, false);
    }
    let mut client = Client::connect(gateway.address);
    let put = client.ask(format!("DELETE /public/a HTTP/1.1\r\nhost: {HOST}\r\n\r\n"));
    assert_eq!(put.status, 403);
}

/// A private API is for the listeners that its policy names.
#[test]
fn by_the_label_of_the_listener() {
    let (folder, upstream) = (Folder::new(), Upstream::answering(ok("in")));
    let unix = |name: &str| folder.join(name).display().to_string();
    let policy = policy(&[&with(r#"{"StringEquals": {"aws:SourceVpce": "internal"}}"#)]);
    let file = format!(
        "listeners:\n  - {{address: 'unix:{}'}}\n  - {{address: 'unix:{}', labels: [internal, vpn]}}\n\
         \x20 - {{address: 'unix:{}', labels: [office]}}\n\
         apis: [{{name: it, apiId: aaaaaaaaaa, definition: api.yaml, policy: policy.json, \
         endpointConfiguration: {{types: [PRIVATE]}}}}]\n",
        unix("public"),
        unix("internal"),
        unix("office")
    );
    let _gateway = Launch::file("gateway.yaml", &file)
        .beside("api.yaml", &proxy_all(upstream.address()))
        .beside("policy.json", &policy)
        .listeners_of_file()
        .start();
    let request = format!("GET /x HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    let ask = |listener: &str| Client::connect_unix(&folder.join(listener)).ask(&request);
    assert_eq!(ask("internal").status, 200);
    assert!(ask("office").text().contains("is not authorized to perform"));
    ask("public").assert_refusal(403, "Forbidden");
}

/// With an authorizer: what is denied to everybody needs no token, and a token is not enough.
#[test]
fn before_and_after_a_jwt_authorizer() {
    let upstream = Upstream::answering(ok("in"));
    let definition = format!(
        "openapi: 3.0.1\nx-amazon-apigateway-policy:\n  Version: '2012-10-17'\n  Statement:\n\
         \x20   - {{Effect: Allow, Principal: '*', Action: 'execute-api:Invoke', Resource: \
         'execute-api:/*/GET/pets'}}\n\
         \x20   - {{Effect: Deny, Principal: '*', Action: '*', Resource: '*', Condition: \
         {{StringEquals: {{'aws:UserAgent': bad}}}}}}\n\
         components: {{securitySchemes: {{jwt: {{type: oauth2, x-amazon-apigateway-authorizer: \
         {{type: jwt, identitySource: '$request.header.Authorization', jwtConfiguration: {{issuer: \
         'https://issuer.example', audience: [a], jwks: {{keys: [{{kty: EC, crv: P-256, kid: k, \
         x: 04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY, y: \
         UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw}}]}}}}}}}}}}}}\n\
         paths: {{/pets: {{get: {{security: [{{jwt: []}}], x-amazon-apigateway-integration: \
         &call {{type: http_proxy, httpMethod: ANY, uri: 'http://{}/', payloadFormatVersion: \
         '1.0'}}}}}}, /open: {{get: {{x-amazon-apigateway-integration: *call}}}}}}\n",
        upstream.address()
    );
    let gateway = Launch::file("api.yaml", &definition).start();
    let ask = |path: &str, agent: &str| {
        let mut client = Client::connect(gateway.address);
        client.ask(format!("GET {path} HTTP/1.1\r\nhost: it\r\nuser-agent: {agent}\r\n\r\n"))
    };
    // No token: 401, unless everybody is denied, token or not.
    assert_eq!(ask("/pets", "good").status, 401);
    let denied = ask("/pets", "bad");
    assert_eq!(denied.status, 403);
    assert!(denied.text().ends_with("with an explicit deny\"}"), "{}", denied.text());
    // Without an authorizer the policy alone has to allow it, and is silent.
    assert_eq!(ask("/open", "good").status, 403);
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_policy_in_a_file_of_its_own_is_watched() {
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(&upstream, "labels: [x]", "policy.json")
        .beside("policy.json", &policy(&[ALLOW]))
        .start();
    assert_eq!(ask(&gateway, "/x", "").status, 200);
    let path = gateway.folder.join("policy.json");
    fs::write(&path, policy(&[&ALLOW.replace("Allow", "Deny")])).unwrap();
    eventually("the new policy", || ask(&gateway, "/x", "").status == 403);
    let log = || fs::read_to_string(gateway.folder.join("access.log")).unwrap_or_default();
    eventually("a line in the log", || log().contains("a policy denies it"));
}

#[test]
fn validate_tells_what_is_wrong_and_what_never_matches() {
    let (folder, upstream) = (Folder::new(), Upstream::answering(ok("in")));
    let definition = proxy_all(upstream.address());
    let validate = |policy: &str| {
        folder.write("api.yaml", &format!("{definition}\nx-amazon-apigateway-policy: {policy}\n"));
        let ran = ringway(folder.path(), &["validate", "api.yaml"]);
        format!("{}{}", ran.output, ran.said)
    };
    let told = validate(&policy(&[&with(r#"{"StringIs": {"aws:UserAgent": "x"}}"#)]));
    assert!(told.contains("StringIs is no condition operator"), "{told}");
    let told = validate(&policy(&[&with(r#"{"StringEquals": {"aws:SourceArn": "x"}}"#)]));
    assert!(told.contains("never set here: the condition never holds"), "{told}");
    let told = validate(
        r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*",
        "Resource": {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:1:x/*"}}]}"#
            .replace('\n', " ")
            .as_str(),
    );
    assert!(told.contains("is not of this API"), "{told}");
}
