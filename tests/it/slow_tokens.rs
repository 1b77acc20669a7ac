//! Tokens whose signatures take longer than a turn of a shard has for all of them, as callers meet
//! them: another thread verifies them, the shard goes on with others, and no more wait than may.

use std::net::SocketAddr;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::harness::{Answer, Client, Gateway, Launch, Upstream, ok};

/// `SIGNATURES_OF_ADDRESS_MAX`, and many more.
const PLACES: usize = 512;
const FLOOD: usize = 1_600;

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Who signs with P-384; beside that key the issuer has one that nobody has: 8,192 bits and an
/// exponent of 32 ones make it as slow as keys may be.
struct Issuer(EcdsaKeyPair);

impl Issuer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
    }

    fn jwks(&self) -> String {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(48);
        let (x, y, n, e) = (encode(x), encode(y), encode([0xf1; 1_024]), encode([0xff; 4]));
        format!(
            r#"{{"keys": [{{"kty": "EC", "crv": "P-384", "kid": "p384", "x": "{x}", "y": "{y}"}},
            {{"kty": "RSA", "kid": "huge", "n": "{n}", "e": "{e}"}}]}}"#
        )
    }

    fn unsigned(alg: &str, kid: &str, sub: &str) -> String {
        let claims = format!(
            r#"{{"iss":"https://issuer.example","aud":"pets","sub":"{sub}","exp":4102444800}}"#
        );
        format!("{}.{}", encode(format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#)), encode(claims))
    }

    fn token(&self, sub: &str) -> String {
        let signed = Self::unsigned("ES384", "p384", sub);
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature))
    }

    fn huge(number: usize) -> String {
        let signature = encode([0x5a; 1_024]);
        format!("{}.{signature}", Self::unsigned("RS256", "huge", &number.to_string()))
    }
}

fn launch(issuer: &Issuer, upstream: SocketAddr) -> Launch {
    let integration = format!(
        "x-amazon-apigateway-integration: {{type: http_proxy, httpMethod: ANY, uri: \
         'http://{upstream}/', payloadFormatVersion: '1.0', requestParameters: \
         {{overwrite:header.x-sub: $context.authorizer.claims.sub}}}}"
    );
    let definition = format!(
        "openapi: 3.0.1\ncomponents:\n  securitySchemes:\n    jwt: {{type: oauth2, \
         x-amazon-apigateway-authorizer: {{type: jwt, identitySource: \
         $request.header.Authorization, jwtConfiguration: {{issuer: 'https://issuer.example', \
         audience: [pets], jwksFile: keys.json, algorithms: [RS256, ES384]}}}}}}\npaths:\n  \
         /pets: {{get: {{security: [{{jwt: []}}], {integration}}}}}\n  /open: {{get: \
         {{{integration}}}}}\n"
    );
    let file = "listeners: [{address: '127.0.0.1:0', trustedProxies: [127.0.0.0/8]}]\n\
                apis: [{name: it, definition: api.yaml}]\n";
    Launch::file("gateway.yaml", file)
        .beside("api.yaml", &definition)
        .beside("keys.json", &issuer.jwks())
        .listeners_of_file()
}

fn head(token: &str, address: &str) -> String {
    format!(
        "GET /pets HTTP/1.1\r\nhost: it\r\nx-forwarded-for: {address}\r\nauthorization: Bearer \
         {token}\r\n\r\n"
    )
}

fn ask(gateway: &Gateway, token: &str, address: &str) -> Answer {
    Client::connect(gateway.address).ask(head(token, address))
}

#[test]
fn tokens_that_take_long_are_judged_as_others_are() {
    let (issuer, upstream) = (Issuer::new(), Upstream::answering(ok("in")));
    let gateway = launch(&issuer, upstream.address()).shards(2).start();
    for sub in ["alice", "bob", "alice"] {
        let token = issuer.token(sub);
        for _ in 0..4 {
            assert_eq!(ask(&gateway, &token, "10.0.0.1").status, 200);
            assert_eq!(upstream.requests().last().unwrap().field("x-sub"), Some(sub));
        }
    }
    let unsound = Issuer::new().token("alice");
    for token in [unsound, Issuer::huge(0)] {
        let answer = ask(&gateway, &token, "10.0.0.1");
        assert_eq!(answer.status, 401);
        let challenge = answer.field("www-authenticate").unwrap();
        assert!(challenge.contains("the token does not have a valid signature"), "{challenge}");
    }
    assert_eq!(upstream.requests().len(), 12);
}

/// All of one address ask for the slowest there is; others are served meanwhile, their tokens too.
#[test]
fn a_flood_of_slow_tokens_keeps_nobody_out_and_has_a_bound() {
    let (issuer, upstream) = (Issuer::new(), Upstream::answering(ok("in")));
    let gateway = launch(&issuer, upstream.address()).start();
    let mut flood: Vec<Client> = (0..FLOOD).map(|_| Client::connect(gateway.address)).collect();
    let mut other = Client::connect(gateway.address);
    let tokens: Vec<String> =
        (0..FLOOD).map(|number| head(&Issuer::huge(number), "192.0.2.6")).collect();
    for (client, request) in flood.iter_mut().zip(&tokens) {
        client.send(request);
    }
    assert_eq!(other.get("/open").status, 200);
    // Taking turns with all those of the other address.
    assert_eq!(ask(&gateway, &issuer.token("alice"), "10.0.0.1").status, 200);
    // Some do not wait for it.
    flood.truncate(FLOOD - 50);
    let statuses: Vec<u16> = flood.iter_mut().map(|client| client.answer().status).collect();
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!(count(401) + count(503), statuses.len(), "{statuses:?}");
    eprintln!("{} verified, {} refused", count(401), count(503));
    assert!(count(503) > 0, "more than {PLACES} of one address were taken: {statuses:?}");
    assert!(count(401) >= PLACES - 50, "{statuses:?}");
    // It is over: there is room again.
    assert_eq!(ask(&gateway, &Issuer::huge(FLOOD), "192.0.2.6").status, 401);
    assert_eq!(ask(&gateway, &issuer.token("bob"), "192.0.2.6").status, 200);
}
