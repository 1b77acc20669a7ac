//! Keys that are fetched: a small OpenID Connect issuer in Python, which rotates its keys under
//! load, breaks and goes away.

use std::{
    io::Write,
    net::SocketAddr,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use serde_json::Value;

use crate::harness::{
    Authority, Client, Gateway, Launch, Server, TlsUpstream, Upstream, Wish, dead_address,
    eventually, exchange, ok, python, read_head, showing,
};

/// The issuer as a process.
struct Issuer {
    address: SocketAddr,
    server: Option<Server>,
}

impl Issuer {
    fn start() -> Option<Self> {
        let python = python()?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/jwt_issuer.py");
        let address = dead_address();
        let mut command = Command::new(python);
        command.arg(script).arg(address.port().to_string());
        Some(Self { address, server: Some(Server::start(&mut command, address)) })
    }

    fn get(&self, path: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n");
        exchange(self.address, head).text()
    }

    /// How often its keys were asked for.
    fn count(&self) -> u64 {
        let counts: Value = serde_json::from_str(&self.get("/counts")).unwrap();
        counts["keys"].as_u64().unwrap()
    }

    fn definition(&self, upstream: SocketAddr) -> String {
        definition(&format!("http://{}", self.address), "", upstream)
    }
}

fn definition(issuer: &str, more: &str, upstream: SocketAddr) -> String {
    format!(
        "openapi: 3.0.1
components:
  securitySchemes:
    jwt:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: {{issuer: '{issuer}', audience: [pets]{more}}}
security: [{{jwt: []}}]
paths:
  /pets:
    get:
      x-amazon-apigateway-integration:
        {{type: http_proxy, httpMethod: ANY, uri: 'http://{upstream}/', payloadFormatVersion: '1.0'}}
"
    )
}

fn head(token: &str) -> String {
    format!("GET /pets HTTP/1.1\r\nhost: it\r\nauthorization: Bearer {token}\r\n\r\n")
}

fn status(gateway: &Gateway, token: &str) -> u16 {
    Client::connect(gateway.address).ask(head(token)).status
}

/// A sound token's header with another key's id: its signature is looked at last.
fn with_unknown_key(token: &str, number: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // Nine bytes before the number and three in it: whole groups of base64url.
    let header = format!(r#"{{"alg":"RS256","kid":"no{number:03}"}}  "#);
    let bytes = header.as_bytes();
    let mut encoded = String::new();
    for chunk in bytes[..bytes.len() / 3 * 3].chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        for place in (0..4).rev() {
            encoded.push(char::from(ALPHABET[(bits >> (6 * place) & 63) as usize]));
        }
    }
    format!("{encoded}{}", &token[token.find('.').unwrap()..])
}

#[test]
fn keys_rotate_under_load_and_no_valid_token_is_refused() {
    let Some(issuer) = Issuer::start() else { return };
    let upstream = Upstream::answering(ok("in"));
    let gateway =
        Launch::file("api.yaml", &issuer.definition(upstream.address())).shards(2).start();
    let old = issuer.get("/token");
    assert_eq!(status(&gateway, &old), 200);
    let current = Mutex::new(old.clone());
    let (ended, sent, refused) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::connect(gateway.address);
                while !ended.load(Ordering::Relaxed) {
                    let token = current.lock().unwrap().clone();
                    let answer = client.ask(head(&token));
                    // What was rotated away meanwhile may be refused.
                    let is_current = *current.lock().unwrap() == token;
                    sent.fetch_add(1, Ordering::Relaxed);
                    refused.fetch_add(
                        usize::from(answer.status != 200 && is_current),
                        Ordering::Relaxed,
                    );
                }
            });
        }
        let sent_by = |count| {
            let before = sent.load(Ordering::Relaxed);
            eventually("requests go on", || sent.load(Ordering::Relaxed) > before + count);
        };
        sent_by(100);
        {
            let mut current = current.lock().unwrap();
            issuer.get("/rotate");
            *current = issuer.get("/token");
        }
        sent_by(200);
        ended.store(true, Ordering::Relaxed);
    });
    assert_eq!(refused.load(Ordering::Relaxed), 0, "valid tokens were refused");
    // Both shards have the new set: the key is gone, remembered tokens with it.
    eventually("the old key is gone", || (0..8).all(|_| status(&gateway, &old) == 401));
    assert_eq!(status(&gateway, &issuer.get("/token")), 200);
    // The first set, and one more for the key that was new.
    assert_eq!(issuer.count(), 2);
}

#[test]
fn attack_unknown_keys_make_no_storm_and_hold_nobody() {
    let Some(issuer) = Issuer::start() else { return };
    let upstream = Upstream::answering(ok("in"));
    let gateway =
        Launch::file("api.yaml", &issuer.definition(upstream.address())).shards(2).start();
    let sound = issuer.get("/token");
    assert_eq!(status(&gateway, &sound), 200);
    let begun = Instant::now();
    for number in 0..200 {
        assert_eq!(status(&gateway, &with_unknown_key(&sound, number)), 401);
        assert_eq!(status(&gateway, &sound), 200);
    }
    // One refresh in each interval of 30 s, for both shards together.
    let intervals = 1 + begun.elapsed().as_secs() / 30;
    assert!(issuer.count() <= 1 + intervals, "{} fetches", issuer.count());
}

#[test]
fn known_keys_stay_when_the_issuer_breaks_or_is_down() {
    let Some(mut issuer) = Issuer::start() else { return };
    let upstream = Upstream::answering(ok("in"));
    let gateway = Launch::file("api.yaml", &issuer.definition(upstream.address())).start();
    let sound = issuer.get("/token");
    assert_eq!(status(&gateway, &sound), 200);
    issuer.get("/break");
    assert_eq!(status(&gateway, &with_unknown_key(&sound, 1)), 401);
    eventually("it is told", || {
        gateway.said().contains("its key set is not JSON; the keys that are known stay in force")
    });
    assert_eq!(status(&gateway, &sound), 200);
    let another = issuer.get("/token");
    issuer.server = None;
    assert_eq!((status(&gateway, &sound), status(&gateway, &another)), (200, 200));
}

#[test]
fn an_issuer_that_is_down_lets_nobody_in_and_is_told() {
    let Some(issuer) = Issuer::start() else { return };
    let sound = issuer.get("/token");
    let upstream = Upstream::answering(ok("in"));
    let dead = format!("http://{}", dead_address());
    let text = definition(&dead, "", upstream.address());
    let gateway = Launch::file("api.yaml", &text).start();
    let answer = Client::connect(gateway.address).ask(head(&sound));
    assert_eq!(answer.status, 401);
    let challenge = answer.field("www-authenticate").unwrap();
    assert!(challenge.contains("the keys of the issuer are not available"), "{challenge}");
    eventually("it is told", || gateway.said().contains("none of its tokens is let in"));
    // Another one in its place is followed by a reload.
    gateway.folder.write("api.yaml", &issuer.definition(upstream.address()));
    eventually("the other issuer's are", || status(&gateway, &sound) == 200);
}

/// What an issuer answers to discovery and to the request for its keys, and what is told of that.
#[test]
fn attack_what_an_issuer_answers_wrongly_is_told_and_lets_nobody_in() {
    let with = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let key = r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let long = format!(r#"{{"keys":[{key}],"pad":"{}"}}"#, "x".repeat(150_000));
    // An empty discovery stands for the sound one.
    let cases = [
        (with("302 Found", ""), String::new(), "answers 302"),
        (with("200 OK", "{"), String::new(), "is no sound JSON"),
        (
            with("200 OK", r#"{"issuer":"https://a","jwks_uri":"https://a"}"#),
            String::new(),
            "is another issuer's",
        ),
        (String::new(), with("404 Not Found", "{}"), "/keys answers 404"),
        (String::new(), with("200 OK", &long), "it is too long"),
        (String::new(), with("200 OK", r#"{"keys":[]}"#), "has no key that can verify"),
        (
            String::new(),
            with("200 OK", &format!(r#"{{"keys":[{key},{key}]}}"#)),
            "two keys with the id",
        ),
        (
            String::new(),
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_owned(),
            "it ends too early",
        ),
        (String::new(), "SSH-2.0-x\r\n\r\n".to_owned(), "its head is not sound"),
        (
            String::new(),
            "HTTP/1.1 200 OK\r\n".to_owned() + "WAIT",
            "does not answer within 1500 ms",
        ),
    ];
    for (discovery, keys, expected) in cases {
        let issuer = Upstream::start(move |mut peer| {
            let Some(request) = peer.request() else { return };
            let host = request.field("host").unwrap();
            let sound = format!(r#"{{"issuer":"http://{host}","jwks_uri":"http://{host}/keys"}}"#);
            let answer = match (request.target.as_str(), discovery.is_empty()) {
                ("/keys", _) => keys.clone(),
                (_, true) => {
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{sound}", sound.len())
                }
                (_, false) => discovery.clone(),
            };
            peer.send(answer.trim_end_matches("WAIT"));
            if answer.ends_with("WAIT") {
                peer.wait_for_close();
            }
        });
        let upstream = Upstream::answering(ok("in"));
        let text = definition(&format!("http://{}", issuer.address()), "", upstream.address());
        let gateway = Launch::file("api.yaml", &text).start();
        eventually(expected, || gateway.said().contains(expected));
        assert_eq!(status(&gateway, "e30.e30.e30"), 401);
        assert_eq!(upstream.requests().len(), 0);
    }
}

/// An issuer of `https://`, whose authority `caCertificates` names, or does not.
#[test]
fn keys_come_by_tls_from_whom_the_authorities_named_vouch_for() {
    let authority = Authority::new("it");
    let config = showing(&authority.sign(&Wish::host(&["localhost"])), None);
    let address = Arc::new(Mutex::new(String::new()));
    let known = Arc::clone(&address);
    let issuer = TlsUpstream::start(config, move |peer| {
        let head = read_head(peer)?;
        let issuer = known.lock().unwrap().clone();
        let body = match head.starts_with("GET /keys ") {
            true => r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#.to_owned(),
            false => format!(r#"{{"issuer":"{issuer}","jwks_uri":"{issuer}/keys"}}"#),
        };
        // In chunks, as many servers answer.
        let (size, end) = (body.len(), "0\r\n\r\n");
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        peer.get_mut().write_all(format!("{head}{size:x}\r\n{body}\r\n{end}").as_bytes()).ok()
    });
    let name = format!("https://localhost:{}", issuer.address.port());
    address.lock().unwrap().clone_from(&name);
    let upstream = Upstream::answering(ok("in"));
    let more = ", algorithms: [EdDSA], caCertificates: ca.pem";
    let gateway = Launch::file("api.yaml", &definition(&name, more, upstream.address()))
        .beside("ca.pem", &authority.pem)
        .start();
    // The key is known, and the signature not its own.
    let token = "eyJhbGciOiJFZERTQSIsImtpZCI6ImEifQ.e30.AAAA";
    let answer = Client::connect(gateway.address).ask(head(token));
    let challenge = answer.field("www-authenticate").unwrap().to_owned();
    assert!(challenge.contains("does not have a valid signature"), "{challenge}");
    gateway.folder.write("ca.pem", &Authority::new("other").pem);
    eventually("the other authority is told", || gateway.said().contains("none of its tokens"));
    let answer = Client::connect(gateway.address).ask(head(token));
    let challenge = answer.field("www-authenticate").unwrap().to_owned();
    assert!(challenge.contains("keys of the issuer are not available"), "{challenge}");
}
