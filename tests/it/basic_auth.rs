//! Basic authentication as callers meet it: users of an htpasswd file, strange credentials,
//! reloads, a flood of wrong passwords, and what is never told.

use std::{
    fs,
    net::SocketAddr,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::harness::{Answer, Client, Gateway, Launch, Upstream, eventually, has, ok, ringway};

const UNAUTHORIZED: &str = r#"{"message":"Unauthorized"}"#;
const CHALLENGE: &str = "Basic realm=\"pets\", charset=\"UTF-8\"";

fn definition(upstream: SocketAddr, users: &str) -> String {
    let integration = format!(
        "x-amazon-apigateway-integration: {{type: http_proxy, httpMethod: ANY, uri: \
         'http://{upstream}/', payloadFormatVersion: '1.0', requestParameters: \
         {{overwrite:header.x-user: $context.authorizer.principalId}}}}"
    );
    format!(
        "openapi: 3.0.1\ncomponents:\n  securitySchemes:\n    basic: {{type: http, scheme: basic, \
         x-ringway-authorizer: {{type: basic, realm: pets, {users}}}}}\npaths:\n  /pets: {{get: \
         {{security: [{{basic: []}}], {integration}}}}}\n  /open: {{get: {{{integration}}}}}\n"
    )
}

fn line(user: &str, password: &str, cost: u32) -> String {
    format!("{user}:{}\n", bcrypt::hash(password, cost).unwrap())
}

fn launch(users: &str, upstream: SocketAddr) -> Launch {
    let file = "listeners: [{address: '127.0.0.1:0', trustedProxies: [127.0.0.0/8], http2: true}]\n\
                apis: [{name: it, definition: api.yaml}]\n";
    Launch::file("gateway.yaml", file)
        .beside("api.yaml", &definition(upstream, "usersFile: users"))
        .beside("users", users)
        .logging("access.log")
        .listeners_of_file()
}

fn head(target: &str, credentials: &str, address: &str) -> String {
    let encoded = STANDARD.encode(credentials);
    format!(
        "GET {target} HTTP/1.1\r\nhost: it\r\nx-forwarded-for: {address}\r\nauthorization: Basic \
         {encoded}\r\n\r\n"
    )
}

fn ask(gateway: &Gateway, credentials: &str) -> Answer {
    Client::connect(gateway.address).ask(head("/pets", credentials, "10.0.0.1"))
}

#[test]
fn users_are_let_in_and_their_names_reach_the_integration() {
    let upstream = Upstream::answering(ok("in"));
    let users = line("alice", "open sesame", 5) + &line("bøb", "pass:wörd", 5);
    let gateway = launch(&users, upstream.address()).shards(2).start();
    for _ in 0..2 {
        assert_eq!(ask(&gateway, "alice:open sesame").status, 200);
        assert_eq!(ask(&gateway, "bøb:pass:wörd").status, 200);
    }
    let requests = upstream.requests();
    assert_eq!(requests[0].field("x-user"), Some("alice"));
    assert!(requests.iter().all(|request| request.field("authorization").is_none()));
    // Nobody else's business stays nobody else's.
    let mut client = Client::connect(gateway.address);
    assert_eq!(client.ask(head("/open", "alice:x", "10.0.0.1")).status, 200);
    assert!(upstream.requests().last().unwrap().field("authorization").is_some());
    for wrong in ["alice:Open sesame", "alice:", "mallory:open sesame", "Alice:open sesame"] {
        let answer = ask(&gateway, wrong);
        assert_eq!((answer.status, answer.text().as_str()), (401, UNAUTHORIZED), "{wrong}");
        assert_eq!(answer.field("www-authenticate"), Some(CHALLENGE), "{wrong}");
    }
    assert_eq!(upstream.requests().len(), 5);
    let log = gateway.folder.join("access.log");
    eventually("the user is logged", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains(r#""principalId":"alice""#))
    });
}

#[test]
fn strange_credentials_are_refused_and_asked_for() {
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(&line("a", "b", 4), upstream.address()).start();
    let mut client = Client::connect(gateway.address);
    let sound = "authorization: Basic YTpi\r\n";
    for lines in [
        String::new(),
        sound.repeat(2),
        "authorization: Bearer YTpi\r\n".to_owned(),
        "authorization: Basic YTpi=\r\n".to_owned(),
        "authorization: Basic YTp i\r\n".to_owned(),
        format!("authorization: Basic {}\r\n", STANDARD.encode("a:\0b")),
        format!("authorization: Basic {}\r\n", STANDARD.encode("a:".to_owned() + &"b".repeat(600))),
    ] {
        let answer = client.ask(format!("GET /pets HTTP/1.1\r\nhost: it\r\n{lines}\r\n"));
        assert_eq!((answer.status, answer.text().as_str()), (401, UNAUTHORIZED), "{lines}");
        assert_eq!(answer.field("www-authenticate"), Some(CHALLENGE), "{lines}");
    }
    let answer = client.ask(format!("GET /pets HTTP/1.1\r\nhost: it\r\n{sound}\r\n"));
    assert_eq!((answer.status, upstream.requests().len()), (200, 1));
}

#[test]
fn curl_is_let_in_over_both_protocols() {
    if !has("curl") {
        return;
    }
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(&line("alice", "secret", 5), upstream.address()).start();
    let url = format!("http://{}/pets", gateway.address);
    for (flag, user, expected) in [
        ("--http1.1", "alice:secret", "200"),
        ("--http2-prior-knowledge", "alice:secret", "200"),
        ("--http2-prior-knowledge", "alice:secreT", "401"),
    ] {
        let arguments = [flag, "-s", "-o", "/dev/null", "-w", "%{http_code}", "-u", user, &url];
        let output = Command::new("curl").args(arguments).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{flag} {user}");
    }
}

#[test]
fn files_of_users_reload() {
    let upstream = Upstream::answering(ok("in"));
    let bob = line("bob", "same", 4);
    let users = line("alice", "old", 4) + &bob;
    let gateway = launch(&users, upstream.address()).start();
    assert_eq!(ask(&gateway, "alice:old").status, 200);
    assert_eq!(ask(&gateway, "bob:same").status, 200);
    gateway.folder.write("users", &(line("alice", "new", 4) + &bob));
    eventually("the new password holds", || ask(&gateway, "alice:new").status == 200);
    assert_eq!(ask(&gateway, "alice:old").status, 401);
    assert_eq!(ask(&gateway, "bob:same").status, 200);
    gateway.folder.write("users", &bob);
    eventually("alice is gone", || ask(&gateway, "alice:new").status == 401);
    gateway.folder.write("users", "bob:$apr1$9Cv/OMGj$ZomWQzuQL.3TRCS81A1g4/\n");
    eventually("the fault is told", || gateway.said().contains("the hash of bob is MD5"));
    assert!(gateway.said().contains("htpasswd -nB"));
    assert_eq!(ask(&gateway, "bob:same").status, 200);
}

/// One client tries passwords as fast as it can; others go on, and a right password gets in.
#[test]
fn a_flood_of_wrong_passwords_keeps_nobody_out() {
    let upstream = Upstream::answering(ok("in"));
    let gateway = launch(&line("alice", "secret", 8), upstream.address()).start();
    let (is_over, address) = (AtomicBool::new(false), gateway.address);
    let flood = |number: usize| {
        let mut statuses = Vec::new();
        for round in 0..200 {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            let mut client = Client::connect(address);
            let wrong = format!("alice:{number}-{round}");
            statuses.push(client.ask(head("/pets", &wrong, "192.0.2.66")).status);
        }
        statuses
    };
    thread::scope(|scope| {
        let floods: Vec<_> = (0..80).map(|number| scope.spawn(move || flood(number))).collect();
        thread::sleep(Duration::from_millis(300));
        let begin = Instant::now();
        assert_eq!(ask(&gateway, "alice:secret").status, 200);
        let waited = begin.elapsed();
        let mut client = Client::connect(address);
        let mut waits: Vec<Duration> = (0..100)
            .map(|_| {
                let begin = Instant::now();
                assert_eq!(client.get("/open").status, 200);
                begin.elapsed()
            })
            .collect();
        is_over.store(true, Ordering::Relaxed);
        let statuses: Vec<u16> = floods.into_iter().flat_map(|one| one.join().unwrap()).collect();
        waits.sort_unstable();
        eprintln!("the right password: {waited:?}; others: p99 {:?}", waits[98]);
        assert!(statuses.contains(&429) && statuses.contains(&401), "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
        assert!(waited < Duration::from_secs(9), "{waited:?}");
    });
}

#[test]
fn nothing_secret_is_told() {
    let upstream = Upstream::answering(ok("in"));
    let users = line("alice", "sesame-4711", 4);
    let hash = users.trim().split_once(':').unwrap().1.to_owned();
    let gateway = launch(&users, upstream.address()).start();
    assert_eq!(ask(&gateway, "alice:sesame-4711").status, 200);
    assert_eq!(ask(&gateway, "alice:sesame-4712").status, 401);
    let log = gateway.folder.join("access.log");
    eventually("it is logged", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("user or password is wrong"))
    });
    let encoded = STANDARD.encode("alice:sesame-4711");
    let explain = |credentials: &str| {
        let header = format!("authorization: Basic {}", STANDARD.encode(credentials));
        let arguments = ["explain", "gateway.yaml", "GET", "http://it/pets", "-H", &header];
        let ran = ringway(gateway.folder.path(), &arguments);
        format!("{}{}", ran.output, ran.said)
    };
    let (right, wrong) = (explain("alice:sesame-4711"), explain("alice:sesame-4712"));
    assert!(right.contains("alice: the password is right"), "{right}");
    assert!(wrong.contains("refused: user or password is wrong"), "{wrong}");
    // In the document, beside a fault.
    let inline = format!("users: {{alice: '{hash}', bob: '{{SHA}}x4711'}}");
    gateway.folder.write("inline.yaml", &definition(upstream.address(), &inline));
    let ran = ringway(gateway.folder.path(), &["validate", "inline.yaml"]);
    let validated = format!("{}{}", ran.output, ran.said);
    assert!(validated.contains("the hash of bob is SHA-1"), "{validated}");
    let kind = definition(upstream.address(), "usersFile: users").replace("type: basic", "type: b");
    gateway.folder.write("kind.yaml", &kind);
    let ran = ringway(gateway.folder.path(), &["validate", "kind.yaml"]);
    assert!(format!("{}{}", ran.output, ran.said).contains("there is no type b here"), "{ran:?}");
    let texts =
        [fs::read_to_string(&log).unwrap(), gateway.said(), gateway.metrics(), right, wrong];
    for text in texts.iter().chain([&validated]) {
        for secret in ["sesame-47", &encoded, &hash, "x4711"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
