//! Webhooks as their providers send them: signatures made by Python's hmac and by stripe's own
//! package, bodies in every framing, secrets that rotate, and what is never told.

use std::{
    fs,
    net::SocketAddr,
    process::Command,
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::harness::{
    Client, Gateway, Launch, Upstream, eventually, has, ok, python, ringway, run,
};

const UNAUTHORIZED: &str = r#"{"message":"Unauthorized"}"#;
const GITHUB: &str = "It's a Secret to Everybody";
const SLACK: &str = "8f742231b10e8888abcd99yyyzzz85a5";
const STRIPE: &str = "whsec_4711";

fn definition(upstream: SocketAddr, github: &str) -> String {
    let scheme = |name: &str, header: &str, members: &str| {
        format!(
            "    {name}: {{type: apiKey, in: header, name: {header}, x-ringway-authorizer: {{type: \
             webhook, provider: {}, {members}}}}}\n",
            name.to_uppercase()
        )
    };
    let route = |name: &str| {
        format!(
            "  /{name}: {{post: {{security: [{{{name}: []}}], x-amazon-apigateway-integration: \
             {{type: http_proxy, httpMethod: ANY, uri: 'http://{upstream}/', payloadFormatVersion: \
             '1.0'}}}}}}\n"
        )
    };
    let schemes = [
        scheme("github", "X-Hub-Signature-256", github),
        scheme("stripe", "Stripe-Signature", "secretEnvironment: STRIPE_SECRET"),
        scheme("slack", "X-Slack-Signature", &format!("secret: {SLACK}")),
    ];
    let routes = ["github", "stripe", "slack"].map(route);
    let (schemes, routes) = (schemes.concat(), routes.concat());
    format!("openapi: 3.0.1\ncomponents:\n  securitySchemes:\n{schemes}paths:\n{routes}")
}

fn start(upstream: SocketAddr) -> Gateway {
    let file = "listeners: [{address: '127.0.0.1:0', http2: true}]\n\
                apis: [{name: it, definition: api.yaml}]\n";
    Launch::file("gateway.yaml", file)
        .beside("api.yaml", &definition(upstream, "secretFile: github.secret"))
        .beside("github.secret", &format!("{GITHUB}\n"))
        .variable("STRIPE_SECRET", STRIPE)
        .logging("access.log")
        .listeners_of_file()
        .start()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// HMAC-SHA256 in hex, by OpenSSL.
fn hmac(secret: &str, text: &str) -> String {
    let folder = crate::harness::Folder::new();
    folder.write("text", text);
    let key = format!("key:{secret}");
    let arguments = ["dgst", "-sha256", "-mac", "HMAC", "-macopt", &key, "text"];
    let (is_well, output) = run("openssl", &arguments, folder.path());
    assert!(is_well);
    String::from_utf8(output).unwrap().rsplit(' ').next().unwrap().trim().to_owned()
}

fn post(gateway: &Gateway, target: &str, lines: &str, body: &str) -> u16 {
    let length = body.len();
    let head = format!("POST {target} HTTP/1.1\r\nhost: it\r\n{lines}content-length: {length}\r\n");
    let answer = Client::connect(gateway.address).ask(format!("{head}\r\n{body}"));
    if answer.status == 401 {
        assert_eq!(answer.text(), UNAUTHORIZED);
    }
    answer.status
}

fn github(secret: &str, body: &str) -> String {
    format!("x-hub-signature-256: sha256={}\r\n", hmac(secret, body))
}

#[test]
fn providers_are_let_in_and_others_are_not() {
    if !has("openssl") {
        return;
    }
    let upstream = Upstream::answering(ok("in"));
    let gateway = start(upstream.address());
    let body = "{\"zen\": \"a\u{e9}\"}\n";
    let time = now();
    let slack = |text: &str| {
        let hex = hmac(SLACK, text);
        format!("x-slack-signature: v0={hex}\r\nx-slack-request-timestamp: {time}\r\n")
    };
    let stripe = |time: u64| {
        let hex = hmac(STRIPE, &format!("{time}.{body}"));
        format!("stripe-signature: t={time},v0={hex},v1={},v1={hex}\r\n", "00".repeat(32))
    };
    for (target, lines, status) in [
        ("/github", github(GITHUB, body), 200),
        ("/github", github("another", body), 401),
        ("/github", github(GITHUB, "{}"), 401),
        ("/github", github(GITHUB, body).repeat(2), 401),
        ("/github", String::new(), 401),
        ("/slack", slack(&format!("v0:{time}:{body}")), 200),
        ("/slack", slack(body), 401),
        ("/stripe", stripe(time), 200),
        ("/stripe", stripe(time - 400), 401),
        ("/stripe", stripe(time + 400), 401),
        ("/stripe", github(GITHUB, body), 401),
    ] {
        assert_eq!(post(&gateway, target, &lines, body), status, "{target} {lines}");
    }
    // In chunks, one byte after the other; the signature is over what they hold.
    let mut client = Client::connect(gateway.address);
    let lines = github(GITHUB, body);
    client.send(format!(
        "POST /github HTTP/1.1\r\nhost: it\r\n{lines}transfer-encoding: chunked\r\n\r\n"
    ));
    for byte in body.as_bytes() {
        client.send([b"1\r\n".as_slice(), &[*byte], b"\r\n"].concat());
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.answer_to("POST").status, 200);
    // A body that is none.
    assert_eq!(post(&gateway, "/github", &github(GITHUB, ""), ""), 200);
    let requests = upstream.requests();
    assert_eq!(requests.len(), 5);
    assert!(requests[..4].iter().all(|request| request.body == body.as_bytes()));
    let log = gateway.folder.join("access.log");
    for reason in ["is not of this body and secret", "is too old", "there is no webhook signature"]
    {
        eventually(reason, || fs::read_to_string(&log).is_ok_and(|log| log.contains(reason)));
    }
}

#[test]
fn curl_sends_one_over_http2() {
    if !has("curl") || !has("openssl") {
        return;
    }
    let upstream = Upstream::answering(ok("in"));
    let gateway = start(upstream.address());
    let body = "x".repeat(200_000);
    gateway.folder.write("body", &body);
    let (url, line) = (format!("http://{}/github", gateway.address), github(GITHUB, &body));
    for (file, expected) in [("@body", "200"), ("@gateway.yaml", "401")] {
        let arguments = [
            "--http2-prior-knowledge",
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-H",
            line.trim(),
            "--data-binary",
            file,
            &url,
        ];
        let folder = gateway.folder.path();
        let output = Command::new("curl").args(arguments).current_dir(folder).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }
    assert_eq!(upstream.requests()[0].body, body.as_bytes());
}

#[test]
fn large_bodies_are_refused() {
    if !has("openssl") {
        return;
    }
    let upstream = Upstream::answering(ok("in"));
    let gateway = start(upstream.address());
    let most = "x".repeat(1024 * 1024);
    assert_eq!(post(&gateway, "/github", &github(GITHUB, &most), &most), 200);
    let lines = github(GITHUB, &most);
    let mut client = Client::connect(gateway.address);
    let head = format!("POST /github HTTP/1.1\r\nhost: it\r\n{lines}");
    client.send(format!("{head}content-length: {}\r\n\r\n", most.len() + 1));
    assert_eq!(client.answer_to("POST").status, 413);
    let mut client = Client::connect(gateway.address);
    client.send(format!("{head}transfer-encoding: chunked\r\n\r\n100001\r\n{most}x\r\n"));
    assert_eq!(client.answer_to("POST").status, 413);
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn secrets_rotate() {
    if !has("openssl") {
        return;
    }
    let upstream = Upstream::answering(ok("in"));
    let gateway = start(upstream.address());
    let ask = |secret: &str| post(&gateway, "/github", &github(secret, "{}"), "{}");
    assert_eq!((ask(GITHUB), ask("new")), (200, 401));
    let both = "secrets: [{secretFile: github.secret}, new]";
    gateway.folder.write("api.yaml", &definition(upstream.address(), both));
    eventually("both hold", || ask("new") == 200);
    assert_eq!(ask(GITHUB), 200);
    gateway.folder.write("github.secret", "other");
    eventually("the file is read again", || ask("other") == 200);
    assert_eq!((ask(GITHUB), ask("new")), (401, 200));
}

/// Stripe's own package, in a folder below `target/`, made once with pip.
fn stripe() -> Option<&'static str> {
    static FOLDER: OnceLock<bool> = OnceLock::new();
    const PATH: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/stripe");
    let python = python()?.to_str().unwrap();
    let is_here = FOLDER.get_or_init(|| {
        let folder = crate::harness::Folder::new();
        let install = ["-m", "pip", "install", "--quiet", "--target", PATH, "stripe==12.5.1"];
        fs::metadata(format!("{PATH}/stripe")).is_ok() || run(python, &install, folder.path()).0
    });
    assert!(*is_here || std::env::var("CI").is_err(), "no stripe by pip");
    is_here.then_some(PATH)
}

const STRIPE_CLIENT: &str = "
import sys, time, urllib.request
sys.path.insert(0, sys.argv[1])
import stripe
body = '{\"id\": \"evt_1\"}'
now = int(time.time())
hex = stripe.WebhookSignature._compute_signature(f'{now}.{body}', sys.argv[3])
header = f't={now},v1={hex}'
assert stripe.WebhookSignature.verify_header(body, header, sys.argv[3], 300)
ask = urllib.request.Request(sys.argv[2], body.encode(), {'Stripe-Signature': header})
print(urllib.request.urlopen(ask, timeout=10).status)
";

#[test]
fn stripe_s_own_package_signs() {
    let Some(path) = stripe() else {
        eprintln!("SKIPPED: no stripe by pip");
        return;
    };
    let upstream = Upstream::answering(ok("in"));
    let gateway = start(upstream.address());
    let url = format!("http://{}/stripe", gateway.address);
    let arguments = ["-c", STRIPE_CLIENT, path, &url, STRIPE];
    let (is_well, output) =
        run(python().unwrap().to_str().unwrap(), &arguments, gateway.folder.path());
    assert_eq!((is_well, String::from_utf8_lossy(&output).trim()), (true, "200"));
}

#[test]
fn secrets_are_not_told() {
    let upstream = Upstream::answering(ok("in"));
    let gateway = start(upstream.address());
    let sound = "sha256=".to_owned() + &"ab".repeat(32);
    let header = format!("X-Hub-Signature-256: {sound}");
    assert_eq!(post(&gateway, "/github", &format!("{header}\r\n"), "{}"), 401);
    let folder = gateway.folder.path();
    let tell = |arguments: &[&str]| {
        let ran = ringway(folder, arguments);
        format!("{}{}", ran.output, ran.said)
    };
    let api = definition(upstream.address(), "secretFile: github.secret");
    gateway
        .folder
        .write("plain.yaml", &api.replace("secretEnvironment: STRIPE_SECRET", "secret: q"));
    let explained = tell(&["explain", "plain.yaml", "POST", "http://it/github", "-H", &header]);
    assert!(explained.contains("its form and time are sound"), "{explained}");
    let explained = explained + &tell(&["explain", "plain.yaml", "POST", "http://it/slack"]);
    assert!(explained.contains("refused: there is no webhook signature"), "{explained}");
    for (wrong, sentence) in [
        ("secrett: hidden-4711", "secrett is no field here"),
        ("secret: hidden-4711, secretFile: x", "it has no secret, or several ways to one"),
        ("secret: hidden-4711, toleranceSeconds: 5", "GITHUB signs no time"),
        ("secretEnvironment: NO_SUCH_4712", "NO_SUCH_4712 is not in the environment"),
        ("secretFile: nowhere", "nowhere cannot be read"),
    ] {
        gateway.folder.write("wrong.yaml", &definition(upstream.address(), wrong));
        let told = tell(&["validate", "wrong.yaml"]);
        assert!(told.contains(sentence), "{told}");
        assert!(!told.contains("hidden-4711"), "{told}");
    }
    let log = gateway.folder.join("access.log");
    eventually("it is logged", || fs::read_to_string(&log).is_ok_and(|log| !log.is_empty()));
    let texts = [fs::read_to_string(&log).unwrap(), gateway.said(), gateway.metrics(), explained];
    for text in &texts {
        for secret in [GITHUB, SLACK, STRIPE, &sound[7..]] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
