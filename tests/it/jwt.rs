//! JWT authorizers as callers meet them: PyJWT signs, sound tokens and forged ones; what is
//! answered, what the integration sees, what is logged, and how keys rotate.

use std::{fs, net::SocketAddr, sync::OnceLock};

use serde_json::Value;

use crate::harness::{
    Answer, Client, Folder, Gateway, Launch, Upstream, eventually, ok, python, ringway, run,
};

/// What `jwt_tokens.py` made: once, an hour's worth.
fn made() -> Option<&'static Value> {
    static MADE: OnceLock<Value> = OnceLock::new();
    let python = python()?.to_str().unwrap();
    Some(MADE.get_or_init(|| made_by(python)))
}

fn made_by(python: &str) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/jwt_tokens.py");
    let (is_well, output) = run(python, &[script], Folder::new().path());
    assert!(is_well, "jwt_tokens.py failed");
    serde_json::from_slice(&output).unwrap()
}

fn token<'m>(made: &'m Value, name: &str) -> &'m str {
    made["tokens"][name].as_str().unwrap_or_else(|| panic!("no token {name}"))
}

/// `GET /pets` for any token, `/read` and `/write` for scopes, `/aws` for AWS's algorithms,
/// `/query` with the token in the query, `/keyed` with an API key too, `/open`.
fn definition(upstream: SocketAddr) -> String {
    let scheme = |name: &str, source: &str, more: &str| {
        format!(
            "    {name}: {{type: oauth2, x-amazon-apigateway-authorizer: {{type: jwt, \
             identitySource: '{source}', jwtConfiguration: {{issuer: 'https://issuer.example', \
             audience: [pets], jwksFile: keys.json{more}}}}}}}\n"
        )
    };
    let all = ", algorithms: [RS256, RS512, ES256, EdDSA]";
    let header = "$request.header.Authorization";
    let schemes = [
        scheme("jwt", header, all),
        scheme("aws", header, ""),
        scheme("query", "$request.querystring.token", ""),
        "    key: {type: apiKey, name: x-api-key, in: header}\n".to_owned(),
    ];
    let route = |path: &str, security: &str| {
        format!(
            "  /{path}: {{get: {{security: [{security}], x-amazon-apigateway-integration: {{type: \
             http_proxy, httpMethod: ANY, uri: 'http://{upstream}/', payloadFormatVersion: '1.0', \
             requestParameters: {{overwrite:header.x-sub: $context.authorizer.claims.sub, \
             overwrite:header.x-roles: $context.authorizer.claims.roles}}}}}}}}\n"
        )
    };
    let routes = [
        route("pets", "{jwt: []}"),
        route("read", "{jwt: [pets.admin, pets.read]}"),
        route("write", "{jwt: [pets.write]}"),
        route("aws", "{aws: []}"),
        route("query", "{query: []}"),
        route("keyed", "{jwt: [], key: []}"),
        route("open", ""),
    ];
    format!(
        "openapi: 3.0.1\ncomponents:\n  securitySchemes:\n{}paths:\n{}",
        schemes.concat(),
        routes.concat()
    )
}

const FILE: &str = "
apis: [{name: it, definition: api.yaml}]
apiKeys: [{name: alice, value: alice-0123456789-0123456789}]
usagePlans: [{name: gold, apiStages: [{api: it, stage: $default}], apiKeys: [alice]}]
";

fn launch(made: &Value, upstream: SocketAddr) -> Launch {
    Launch::file("gateway.yaml", FILE)
        .beside("api.yaml", &definition(upstream))
        .beside("keys.json", &made["jwks"].to_string())
}

fn get(gateway: &Gateway, target: &str, lines: &str) -> Answer {
    let mut client = Client::connect(gateway.address);
    client.ask(format!("GET {target} HTTP/1.1\r\nhost: it\r\n{lines}\r\n"))
}

fn with(gateway: &Gateway, target: &str, token: &str) -> Answer {
    get(gateway, target, &format!("authorization: Bearer {token}\r\n"))
}

#[test]
fn tokens_of_pyjwt_are_let_in_and_their_claims_reach_the_integration() {
    let Some(made) = made() else { return };
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(made, upstream.address()).start();
    for name in ["sound", "rs512", "es256", "eddsa", "by-client", "writer"] {
        // Verified, then found among those that were.
        for _ in 0..2 {
            assert_eq!(with(&gateway, "/pets", token(made, name)).status, 200, "{name}");
        }
    }
    let requests = upstream.requests();
    assert_eq!(requests.len(), 12);
    for request in &requests {
        assert_eq!(request.field("x-sub"), Some("alice"));
        assert_eq!(request.field("x-roles"), Some("[a b]"));
    }
    let sound = token(made, "sound");
    assert_eq!(get(&gateway, "/pets", &format!("Authorization: {sound}\r\n")).status, 200);
    assert_eq!(get(&gateway, &format!("/query?token={sound}"), "").status, 200);
    assert_eq!(with(&gateway, "/query", sound).status, 401);
    assert_eq!(get(&gateway, "/open", "").status, 200);
    // AWS's algorithms are RSA's; the same keys, another authorizer.
    assert_eq!(with(&gateway, "/aws", sound).status, 200);
    assert_eq!(with(&gateway, "/aws", token(made, "es256")).status, 401);
}

#[test]
fn attack_forged_tokens_get_401_and_reach_no_integration() {
    let Some(made) = made() else { return };
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(made, upstream.address()).start();
    let cases = [
        ("expired", "the token has expired"),
        ("early", "the token is not valid yet"),
        ("later", "the token was issued in the future"),
        ("eternal", "the token does not expire"),
        ("other-issuer", "the token does not have a valid issuer"),
        ("other-audience", "the token does not have a valid audience"),
        ("other-key", "the token does not have a valid signature"),
        ("unknown-key", "the token is signed with an unknown key"),
        ("pss", "the token does not have a valid signing algorithm"),
        ("none", "the token does not have three parts"),
        ("none-signed", "the token does not have a valid signing algorithm"),
        ("hmac", "the token does not have a valid signing algorithm"),
        ("own-key", "the token brings its own key"),
        ("own-address", "the token brings its own key"),
        ("path", "the token does not have a valid key id"),
        ("address", "the token does not have a valid key id"),
        ("critical", "the token has critical header members"),
        ("long", "the token is too long"),
    ];
    for (name, description) in cases {
        let answer = with(&gateway, "/pets", token(made, name));
        assert_eq!((answer.status, answer.text().as_str()), (401, UNAUTHORIZED), "{name}");
        let challenge = format!(
            "Bearer scope=\"\" error=\"invalid_token\" error_description=\"{description}\""
        );
        assert_eq!(answer.field("www-authenticate"), Some(challenge.as_str()), "{name}");
    }
    let sound = token(made, "sound");
    for lines in ["", "authorization:\r\n", "authorization: Bearer\r\n"] {
        let answer = get(&gateway, "/pets", lines);
        assert_eq!((answer.status, answer.text().as_str()), (401, UNAUTHORIZED), "{lines}");
        assert_eq!(answer.field("www-authenticate"), Some("Bearer"), "{lines}");
    }
    let twice = format!("authorization: Bearer {sound}\r\n").repeat(2);
    assert_eq!(get(&gateway, "/pets", &twice).status, 401);
    // Every part of it matters, also when it has just been verified.
    assert_eq!(with(&gateway, "/pets", sound).status, 200);
    for place in (0..sound.len()).step_by(29) {
        let mut bytes = sound.as_bytes().to_vec();
        bytes[place] = if bytes[place] == b'x' { b'y' } else { b'x' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(with(&gateway, "/pets", &changed).status, 401, "{place}");
    }
    assert_eq!(upstream.requests().len(), 1);
}

const UNAUTHORIZED: &str = r#"{"message":"Unauthorized"}"#;

#[test]
fn a_route_s_scopes_are_asked_for_and_the_authorizer_comes_before_the_api_key() {
    let Some(made) = made() else { return };
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(made, upstream.address()).start();
    let (reader, writer) = (token(made, "sound"), token(made, "writer"));
    for (target, token, status) in
        [("/read", reader, 200), ("/write", writer, 200), ("/read", writer, 403)]
    {
        assert_eq!(with(&gateway, target, token).status, status, "{target}");
    }
    let answer = with(&gateway, "/read", writer);
    assert_eq!(answer.text(), r#"{"message":"Forbidden"}"#);
    let challenge = "Bearer scope=\"pets.admin pets.read\" error=\"insufficient_scope\" \
                     error_description=\"the token does not have a required scope\"";
    assert_eq!(answer.field("www-authenticate"), Some(challenge));
    let key = "x-api-key: alice-0123456789-0123456789\r\n";
    let bearer = format!("authorization: Bearer {reader}\r\n");
    assert_eq!(get(&gateway, "/keyed", key).status, 401);
    assert_eq!(get(&gateway, "/keyed", &bearer).status, 403);
    assert_eq!(get(&gateway, "/keyed", &format!("{bearer}{key}")).status, 200);
}

#[test]
fn a_token_that_was_let_in_is_refused_from_the_moment_it_expires() {
    let Some(python) = python() else { return };
    // Its own, since one of its tokens holds for seconds only.
    let made = made_by(python.to_str().unwrap());
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(&made, upstream.address()).start();
    let short = token(&made, "short");
    eventually("it expires", || with(&gateway, "/pets", short).status == 401);
    let answer = with(&gateway, "/pets", short);
    assert!(answer.field("www-authenticate").unwrap().contains("the token has expired"));
    assert_eq!(with(&gateway, "/pets", token(&made, "sound")).status, 200);
}

#[test]
fn keys_rotate_with_their_file_and_a_broken_one_changes_nothing() {
    let Some(made) = made() else { return };
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(made, upstream.address()).shards(2).start();
    let status = |name: &str| with(&gateway, "/aws", token(made, name)).status;
    assert_eq!((status("sound"), status("new")), (200, 401));
    gateway.folder.write("keys.json", "{\"keys\":[");
    eventually("the fault is told", || gateway.said().contains("keys.json is not JSON"));
    assert_eq!((status("sound"), status("new")), (200, 401));
    gateway.folder.write("keys.json", &made["rotated"].to_string());
    eventually("the new key is taken", || status("new") == 200);
    // A connection sees one plan or the other; both shards have the new one soon.
    eventually("the old key is gone", || (0..8).all(|_| status("sound") == 401));
    assert_eq!(status("new"), 200);
}

#[test]
fn attack_a_claim_with_a_line_end_makes_no_header_field() {
    let Some(made) = made() else { return };
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(made, upstream.address()).start();
    let answer = with(&gateway, "/pets", token(made, "crlf"));
    for request in upstream.requests() {
        assert_eq!(request.field("x-injected"), None, "{answer:?}");
    }
}

#[test]
fn the_log_has_who_it_was_and_no_token() {
    let Some(made) = made() else { return };
    let upstream = Upstream::answering(ok("in"));
    let mut gateway = launch(made, upstream.address()).logging("log").start();
    let names = ["sound", "writer", "expired", "hmac"];
    for name in names {
        with(&gateway, "/read", token(made, name));
    }
    get(&gateway, &format!("/query?token={}", token(made, "sound")), "");
    gateway.signal("TERM");
    gateway.wait();
    let log = fs::read_to_string(gateway.folder.join("log")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = |line: &Value| {
        let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        (line["status"].as_u64().unwrap(), text("principalId"), text("errorMessage"))
    };
    let expected = [
        (200, "alice", "-"),
        (403, "alice", "the token does not have a required scope"),
        (401, "-", "the token has expired"),
        (401, "-", "the token does not have a valid signing algorithm"),
        (200, "alice", "-"),
    ];
    let expected = expected.map(|(status, who, why)| (status, who.to_owned(), why.to_owned()));
    assert_eq!(lines.iter().map(told).collect::<Vec<_>>(), expected);
    for text in [log, gateway.said()] {
        for name in names {
            let parts = token(made, name).split('.');
            assert!(!parts.into_iter().any(|part| text.contains(part)), "{name} is told");
        }
    }
}

#[test]
fn explain_tells_which_check_fails_and_no_token() {
    let Some(made) = made() else { return };
    let folder = Folder::new();
    folder.write("gateway.yaml", FILE);
    folder.write("api.yaml", &definition("127.0.0.1:9000".parse().unwrap()));
    folder.write("keys.json", &made["jwks"].to_string());
    let explain = |target: &str, name: Option<&str>| {
        let header = name.map(|name| format!("Authorization: Bearer {}", token(made, name)));
        let mut arguments = vec!["explain", "gateway.yaml", "GET", target];
        header.iter().for_each(|header| arguments.extend(["-H", header]));
        let ran = ringway(folder.path(), &arguments);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for part in name.map(|name| token(made, name)).into_iter().flat_map(|it| it.split('.')) {
            assert!(!ran.output.contains(part), "the token is told: {}", ran.output);
        }
        ran.output
    };
    let told = explain("/read", Some("sound"));
    for line in [
        "Token  asked for by jwt, in the header authorization: issuer https://issuer.example, \
         audience pets, RS256, RS512, ES256, EdDSA",
        "       with one of the scopes pets.admin pets.read",
        "       sound: signature, issuer, audience and times; it is of alice",
        "Calls  GET http://127.0.0.1:9000/",
        "Authorization: Bearer (the token)",
        "x-sub: alice",
    ] {
        assert!(told.contains(line), "{line}:\n{told}");
    }
    for (target, name, why) in [
        ("/read", None, "there is no token\nAnswer 401 {\"message\":\"Unauthorized\"}"),
        ("/read", Some("expired"), "the token has expired\nAnswer 401"),
        ("/read", Some("other-key"), "the token does not have a valid signature\nAnswer 401"),
        ("/read", Some("writer"), "the token does not have a required scope\nAnswer 403"),
    ] {
        let told = explain(target, name);
        assert!(told.contains(&format!("       refused: {why}")), "{why}:\n{told}");
        assert!(!told.contains("Calls"), "{told}");
    }
}

/// Ringway's own limits may tell callers apart by a claim: then they are asked behind the
/// authorizer, and a token that is refused spends nothing.
#[test]
fn a_limit_by_a_claim_counts_the_callers_of_tokens_apart() {
    let Some(made) = made() else { return };
    let upstream = Upstream::answering(ok("in"));
    let limit = "throttling: {retryAfter: true, limits: [{name: per-user, key: {type: CLAIM, name: \
                 sub}, rateLimit: 0.001, burstLimit: 2}]}\n";
    let gateway =
        launch(made, upstream.address()).beside("gateway.yaml", &format!("{FILE}{limit}")).start();
    let status = |path: &str, name: &str| {
        let answer = with(&gateway, path, token(made, name));
        (answer.status, answer.field("retry-after").is_some())
    };
    for _ in 0..5 {
        assert_eq!(status("/pets", "expired"), (401, false));
    }
    // Two tokens of one caller.
    assert_eq!(status("/pets", "sound"), (200, false));
    assert_eq!(status("/read", "sound"), (200, false));
    assert_eq!(status("/pets", "rs512"), (429, true));
    for expected in [(200, false), (200, false), (429, true)] {
        assert_eq!(status("/pets", "bob"), expected);
    }
    assert_eq!(status("/open", "bob"), (200, false), "no token is asked for there");
}
