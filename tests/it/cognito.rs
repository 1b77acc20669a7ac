//! Cognito user pools as callers meet them: PyJWT signs ID and access tokens of two pools, sound
//! ones and confused ones; what is answered, and what the integration sees.

use std::{net::SocketAddr, sync::OnceLock};

use serde_json::Value;

use crate::harness::{
    Answer, Client, Folder, Gateway, Launch, Upstream, eventually, ok, python, ringway, run,
};

const POOL: &str = "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_";
const UNAUTHORIZED: &str = r#"{"message":"Unauthorized"}"#;

/// What `cognito_tokens.py` made: once, an hour's worth.
fn made() -> Option<&'static Value> {
    static MADE: OnceLock<Value> = OnceLock::new();
    let python = python()?.to_str().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/cognito_tokens.py");
    Some(MADE.get_or_init(|| {
        let (is_well, output) = run(python, &[script], Folder::new().path());
        assert!(is_well, "cognito_tokens.py failed");
        serde_json::from_slice(&output).unwrap()
    }))
}

fn token<'m>(made: &'m Value, name: &str) -> &'m str {
    made["tokens"][name].as_str().unwrap_or_else(|| panic!("no token {name}"))
}

/// `/id` for ID tokens of both pools, `/read` for access tokens, `/client` and `/client-read` with
/// an expression, `/oidc` and `/oidc-read` of a server that stands in for a pool.
fn definition(upstream: SocketAddr) -> String {
    let scheme = |name: &str, pools: &[&str], more: &str| {
        let arns: Vec<String> = pools.iter().map(|pool| format!("'{POOL}{pool}'")).collect();
        format!(
            "    {name}: {{type: apiKey, in: header, name: Authorization, \
             x-amazon-apigateway-authtype: cognito_user_pools, x-amazon-apigateway-authorizer: \
             {{type: cognito_user_pools, providerARNs: [{}]{more}}}}}\n",
            arns.join(", ")
        )
    };
    let expression = ", identityValidationExpression: 'client[0-9]'";
    let schemes = [
        scheme("pools", &["A", "B"], ""),
        scheme("client", &["A", "B"], expression),
        scheme("oidc", &["Oidc"], ""),
    ];
    let route = |path: &str, security: &str| {
        format!(
            "  /{path}: {{get: {{security: [{security}], x-amazon-apigateway-integration: {{type: \
             http_proxy, httpMethod: ANY, uri: 'http://{upstream}/', payloadFormatVersion: '1.0', \
             requestParameters: {{overwrite:header.x-sub: $context.authorizer.claims.sub, \
             overwrite:header.x-role: \"$context.authorizer.claims['custom:role']\", \
             overwrite:header.x-role-too: '$context.authorizer.claims.custom:role'}}}}}}}}\n"
        )
    };
    let routes = [
        route("id", "{pools: []}"),
        route("read", "{pools: [pets/admin, pets/read]}"),
        route("client", "{client: []}"),
        route("client-read", "{client: [pets/read]}"),
        route("oidc", "{oidc: []}"),
        route("oidc-read", "{oidc: [pets/read]}"),
    ];
    let (schemes, routes) = (schemes.concat(), routes.concat());
    format!("openapi: 3.0.1\ncomponents:\n  securitySchemes:\n{schemes}paths:\n{routes}")
}

fn file() -> String {
    format!(
        "apis: [{{name: it, definition: api.yaml}}]\nuserPools:\n  - {{arn: '{POOL}A', jwksFile: \
         a.json}}\n  - {{arn: '{POOL}B', jwksFile: b.json}}\n  - {{arn: '{POOL}Oidc', issuer: \
         'https://oidc.example', jwksFile: a.json}}\n"
    )
}

fn launch(made: &Value, upstream: SocketAddr) -> Launch {
    Launch::file("gateway.yaml", &file())
        .beside("api.yaml", &definition(upstream))
        .beside("a.json", &made["a"].to_string())
        .beside("b.json", &made["b"].to_string())
}

fn with(gateway: &Gateway, path: &str, authorization: &str) -> Answer {
    let mut client = Client::connect(gateway.address);
    client.ask(format!("GET {path} HTTP/1.1\r\nhost: it\r\nauthorization: {authorization}\r\n\r\n"))
}

/// Refused in REST APIs' words.
#[track_caller]
fn check_refused(answer: &Answer, body: &str, what: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (401, body), "{what}");
    assert_eq!(answer.field("x-amzn-errortype"), Some("UnauthorizedException"), "{what}");
    assert_eq!(answer.field("www-authenticate"), None, "{what}");
}

#[test]
fn users_of_both_pools_are_let_in_and_their_claims_reach_the_integration() {
    let Some(made) = made() else { return };
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(made, upstream.address()).start();
    let sound = [
        ("/id", "id-a"),
        ("/id", "id-b"),
        ("/id", "id-with-scope"),
        ("/id", "id-other-client"),
        ("/id", "id-no-aud"),
        ("/read", "access-a"),
        ("/read", "access-b"),
        ("/client", "id-a"),
        ("/client-read", "access-a"),
    ];
    for (path, name) in sound {
        // Verified, then found among those that were; with and without the word.
        for before in ["", "Bearer "] {
            let authorization = format!("{before}{}", token(made, name));
            assert_eq!(with(&gateway, path, &authorization).status, 200, "{path} {name}");
        }
    }
    let requests = upstream.requests();
    assert_eq!(requests.len(), 2 * sound.len());
    for request in &requests[..4] {
        assert_eq!(request.field("x-sub"), Some("alice"));
        assert_eq!(request.field("x-role"), Some("admin"));
        assert_eq!(request.field("x-role-too"), Some("admin"));
    }
}

#[test]
fn attack_tokens_of_the_wrong_use_or_pool_are_refused_in_the_words_of_rest_apis() {
    let Some(made) = made() else { return };
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(made, upstream.address()).start();
    let wrong = [
        // An access token where an ID token is needed, and the reverse.
        ("/id", "access-a"),
        ("/read", "id-a"),
        ("/read", "id-with-scope"),
        ("/id", "use-none"),
        ("/read", "use-none"),
        ("/id", "use-odd"),
        ("/id", "use-list"),
        ("/read", "use-list"),
        ("/oidc", "oidc-at"),
        // 401 where HTTP APIs have 403.
        ("/read", "access-poor"),
        ("/client", "id-other-client"),
        ("/client", "id-no-aud"),
        ("/client-read", "access-other-client"),
        // Keys of one pool, tokens of another; both call their key by the same id.
        ("/id", "iss-a-key-b"),
        ("/id", "iss-b-key-a"),
        ("/id", "iss-other"),
        ("/id", "iss-none"),
        ("/id", "iss-longer"),
        ("/id", "evil"),
        ("/id", "new"),
        ("/id", "oidc"),
        ("/oidc", "id-a"),
        ("/id", "rs512"),
    ];
    for (path, name) in wrong {
        for _ in 0..2 {
            let answer = with(&gateway, path, token(made, name));
            check_refused(&answer, UNAUTHORIZED, &format!("{path} {name}"));
        }
    }
    let expired = r#"{"message":"The incoming token has expired"}"#;
    check_refused(&with(&gateway, "/id", token(made, "expired")), expired, "expired");
    check_refused(&with(&gateway, "/id", ""), UNAUTHORIZED, "nothing");
    check_refused(&with(&gateway, "/id", "Bearer x.y.z"), UNAUTHORIZED, "nonsense");
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn a_server_that_stands_in_for_a_pool_needs_no_token_use() {
    let Some(made) = made() else { return };
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(made, upstream.address()).start();
    for (path, name) in [("/oidc", "oidc"), ("/oidc-read", "oidc"), ("/oidc-read", "oidc-at")] {
        assert_eq!(with(&gateway, path, token(made, name)).status, 200, "{path} {name}");
    }
}

#[test]
fn a_pool_rotates_its_keys_and_the_other_does_not_notice() {
    let Some(made) = made() else { return };
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(made, upstream.address()).start();
    let status = |gateway: &Gateway, name: &str| with(gateway, "/id", token(made, name)).status;
    assert_eq!((status(&gateway, "id-a"), status(&gateway, "new")), (200, 401));
    gateway.folder.write("a.json", &made["rotated"].to_string());
    eventually("the new key is taken", || status(&gateway, "new") == 200);
    // Though it is remembered.
    eventually("the old key is gone", || (0..8).all(|_| status(&gateway, "id-a") == 401));
    assert_eq!(status(&gateway, "id-b"), 200);
}

#[test]
fn explain_tells_which_pool_and_which_use() {
    let Some(made) = made() else { return };
    let folder = Folder::new();
    folder.write("gateway.yaml", &file());
    folder.write("api.yaml", &definition(SocketAddr::from(([127, 0, 0, 1], 9000))));
    folder.write("a.json", &made["a"].to_string());
    folder.write("b.json", &made["b"].to_string());
    let explain = |path: &str, name: &str| {
        let header = format!("authorization: {}", token(made, name));
        let ran = ringway(folder.path(), &["explain", "gateway.yaml", "GET", path, "-H", &header]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.output
    };
    let said = explain("/id", "id-b");
    assert!(said.contains("an ID token") && said.contains("it says that it is of"), "{said}");
    assert!(said.contains("eu-west-1_B\n       sound:"), "{said}");
    let said = explain("/read", "id-a");
    assert!(said.contains("refused: the token is not an access token"), "{said}");
    assert!(!said.contains(token(made, "id-a")), "{said}");
}
