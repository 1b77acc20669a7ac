//! Clients that nobody here wrote: curl, openssl, Python.

use std::{
    fs,
    io::{Read, Write},
    net::SocketAddr,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use rustls::crypto::{SupportedKxGroup, aws_lc_rs::kx_group};

use super::{Shown, greeting, launch, with_pair};
use crate::harness::{Authority, Gateway, Upstream, Wish, eventually, has, ok, pattern, python};

/// Runs a program to its end with something to read.
fn run(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("curl, openssl and python3 are needed");
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// `openssl s_client` with these flags; what it says. It ends when the gateway answers the
/// request, or when there is no handshake.
fn s_client(gateway: &Gateway, flags: &[&str]) -> String {
    let address = gateway.tls[0].to_string();
    let mut command = Command::new("timeout");
    command.args(["20", "openssl", "s_client", "-connect", &address, "-ign_eof"]);
    if !flags.contains(&"-servername") {
        command.args(["-servername", "localhost"]);
    }
    command.args(flags).current_dir(gateway.folder.path());
    let request = "GET / HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n";
    text(&run(&mut command, request.as_bytes()))
}

#[track_caller]
fn agrees(gateway: &Gateway, flags: &[&str]) -> String {
    let said = s_client(gateway, flags);
    assert!(said.contains("hello"), "{flags:?}:\n{said}");
    said
}

#[track_caller]
fn disagrees(gateway: &Gateway, flags: &[&str]) {
    let said = s_client(gateway, flags);
    assert!(!said.contains("hello"), "{flags:?}:\n{said}");
    let refused = ["alert", "no protocols available", "unsupported protocol", "no ciphers"];
    assert!(refused.iter().any(|word| said.contains(word)), "{flags:?}:\n{said}");
}

#[test]
fn curl_speaks_to_it_with_each_version_and_alpn() {
    if !has("curl") {
        return;
    }
    let body = pattern(9, 3_000_000);
    let upstream = Upstream::echoing();
    let shown = Shown::start(&upstream);
    let folder = &shown.gateway.folder;
    folder.write("ca.pem", &shown.authority.pem);
    fs::write(folder.join("body"), &body).unwrap();
    let url = format!("https://localhost:{}/", shown.gateway.tls[0].port());
    for flags in [
        &["--tlsv1.3", "--http1.1"][..],
        &["--tls-max", "1.2", "--http1.1"],
        &["--http2"],
        &["--no-alpn", "--http1.1"],
    ] {
        let mut command = Command::new("curl");
        command.args(["-sS", "--cacert", "ca.pem", "--data-binary", "@body", &url]).args(flags);
        let output = run(command.current_dir(folder.path()), b"");
        assert!(output.stdout == body, "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let output = run(Command::new("curl").args(["-sS", &url]), b"");
    assert!(!output.status.success(), "an unknown authority is not trusted");
}

/// AWS's policies as real clients meet them: versions, suites and groups that are agreed on, and
/// those that are not.
struct Case {
    policy: &'static str,
    tls13: &'static [&'static str],
    tls12: &'static [&'static str],
    /// Offered in the handshake, as OpenSSL 3.0 knows them.
    groups: &'static [&'static str],
    quantum: bool,
}

const SUITES_13: [&str; 3] =
    ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
const SUITES_12: [&str; 14] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    // Known to AWS or to old clients, and not to rustls.
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES256-SHA384",
    "ECDHE-RSA-AES128-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA256",
    "DHE-RSA-AES128-GCM-SHA256",
];
const GROUPS: [&str; 5] = ["X25519", "P-256", "P-384", "P-521", "X448"];
const NO_FIPS: &[&str] = &["X25519", "P-256", "P-384"];
const FIPS: &[&str] = &["P-256", "P-384"];

const fn case(
    policy: &'static str,
    (tls13, tls12): (&'static [&'static str], usize),
    groups: &'static [&'static str],
    quantum: bool,
) -> Case {
    let (tls12, _) = SUITES_12.as_slice().split_at(tls12);
    Case { policy, tls13, tls12, groups, quantum }
}

const CASES: [Case; 11] = [
    case("TLS_1_2", (&[], 4), NO_FIPS, false),
    case("SecurityPolicy_TLS13_1_3_2025_09", (&SUITES_13, 0), NO_FIPS, true),
    case("SecurityPolicy_TLS13_1_3_FIPS_2025_09", (&[SUITES_13[0], SUITES_13[1]], 0), FIPS, true),
    case("SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09", (&SUITES_13, 4), NO_FIPS, true),
    case(
        "SecurityPolicy_TLS13_1_2_FIPS_PQ_2025_09",
        (&[SUITES_13[0], SUITES_13[1]], 4),
        FIPS,
        true,
    ),
    case(
        "SecurityPolicy_TLS13_1_2_FIPS_PFS_PQ_2025_09",
        (&[SUITES_13[0], SUITES_13[1]], 4),
        FIPS,
        true,
    ),
    case("SecurityPolicy_TLS13_1_2_PQ_2025_09", (&SUITES_13, 4), NO_FIPS, true),
    case("SecurityPolicy_TLS13_1_2_2021_06", (&SUITES_13, 4), NO_FIPS, false),
    case("SecurityPolicy_TLS13_2025_EDGE", (&SUITES_13, 0), NO_FIPS, true),
    case("SecurityPolicy_TLS12_PFS_2025_EDGE", (&SUITES_13, 6), NO_FIPS, true),
    case("SecurityPolicy_TLS12_2018_EDGE", (&SUITES_13, 6), NO_FIPS, false),
];

#[test]
fn each_policy_offers_exactly_what_its_name_says() {
    if !has("openssl") {
        return;
    }
    let upstream = greeting();
    let authority = Authority::new("it");
    let short = authority.sign(&Wish::host(&["localhost"]));
    let long = authority.sign(&Wish { is_rsa: true, ..Wish::host(&["localhost"]) });
    for case in CASES {
        let tls = format!(
            "securityPolicy: {}, certificates: [{{certificate: rsa.pem, privateKey: rsa.key}}, \
             {{certificate: ec.pem, privateKey: ec.key}}]",
            case.policy
        );
        let launch = with_pair(launch(&upstream, &tls, ""), "ec", &short);
        let gateway = with_pair(launch, "rsa", &long).start();
        check_versions(&gateway, &case);
        for suite in SUITES_13 {
            let flags = ["-tls1_3", "-ciphersuites", suite];
            match case.tls13.contains(&suite) {
                true => assert!(agrees(&gateway, &flags).contains(suite), "{}", case.policy),
                false => disagrees(&gateway, &flags),
            }
        }
        for suite in SUITES_12 {
            let flags = ["-tls1_2", "-cipher", suite];
            match case.tls12.contains(&suite) {
                true => assert!(agrees(&gateway, &flags).contains(suite), "{}", case.policy),
                false => disagrees(&gateway, &flags),
            }
        }
        for group in GROUPS {
            // In TLS 1.2 the groups are also the curves that a certificate may have.
            let flags = ["-groups", group, "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"];
            match case.groups.contains(&group) {
                true => drop(agrees(&gateway, &flags)),
                false => disagrees(&gateway, &flags),
            }
        }
        for group in [kx_group::X25519MLKEM768, kx_group::SECP256R1MLKEM768] {
            let speaks = speaks_quantum(&gateway, &authority, group);
            assert_eq!(speaks, case.quantum, "{} {:?}", case.policy, group.name());
        }
    }
}

fn check_versions(gateway: &Gateway, case: &Case) {
    // OpenSSL 3 speaks these only when it is told to be insecure.
    let insecure = ["-cipher", "ALL:@SECLEVEL=0"];
    for version in ["-tls1", "-tls1_1"] {
        disagrees(gateway, &[version, insecure[0], insecure[1]]);
    }
    for (version, suites) in [("-tls1_3", case.tls13), ("-tls1_2", case.tls12)] {
        match suites.is_empty() {
            true => disagrees(gateway, &[version]),
            false => drop(agrees(gateway, &[version])),
        }
    }
}

/// OpenSSL 3.0 has no post-quantum groups: this asks with rustls.
fn speaks_quantum(
    gateway: &Gateway,
    authority: &Authority,
    group: &'static dyn SupportedKxGroup,
) -> bool {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.kx_groups = vec![group];
    let config = crate::harness::trusting_with(authority, provider);
    crate::harness::TlsClient::try_connect(gateway.tls[0], &config.into(), "localhost").is_ok()
}

#[test]
fn rsa_and_ecdsa_are_shown_side_by_side() {
    if !has("openssl") {
        return;
    }
    let upstream = greeting();
    let authority = Authority::new("it");
    let short = authority.sign(&Wish { name: "short", ..Wish::host(&["localhost"]) });
    let long = authority.sign(&Wish { name: "long", is_rsa: true, ..Wish::host(&["localhost"]) });
    let tls = "certificates: [{certificate: rsa.pem, privateKey: rsa.key}, \
               {certificate: ec.pem, privateKey: ec.key}]";
    let launch = with_pair(launch(&upstream, tls, ""), "ec", &short);
    let gateway = with_pair(launch, "rsa", &long).start();
    assert!(agrees(&gateway, &[]).contains("subject=CN = short"));
    let rsa = ["-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"];
    assert!(agrees(&gateway, &rsa).contains("subject=CN = long"));
    assert!(agrees(&gateway, &["-sigalgs", "ECDSA+SHA256"]).contains("subject=CN = short"));
    let rsa12 = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"];
    assert!(agrees(&gateway, &rsa12).contains("subject=CN = long"));
}

#[test]
fn sessions_are_resumed_also_over_a_reload_and_another_shard() {
    if !has("openssl") {
        return;
    }
    let upstream = greeting();
    let authority = Authority::new("it");
    let pair = authority.sign(&Wish::host(&["localhost"]));
    let tls = "certificates: [{certificate: a.pem, privateKey: a.key}]";
    let gateway = with_pair(launch(&upstream, tls, ""), "a", &pair).shards(2).start();
    for version in ["-tls1_3", "-tls1_2"] {
        let first = agrees(&gateway, &[version, "-sess_out", "session"]);
        assert!(first.contains("New, TLSv1"), "{first}");
        for _ in 0..6 {
            let again = agrees(&gateway, &[version, "-sess_in", "session"]);
            assert!(again.contains("Reused, TLSv1"), "{again}");
        }
    }
    let wish = Wish { name: "renewed", ..Wish::host(&["localhost"]) };
    authority.sign(&wish).write(&gateway.folder, "a");
    crate::harness::eventually("the new one is shown", || {
        agrees(&gateway, &[]).contains("CN = renewed")
    });
    let again = agrees(&gateway, &["-tls1_2", "-sess_in", "session"]);
    assert!(again.contains("Reused, TLSv1"), "{again}");
    assert_eq!(gateway.number("ringway_tls_resumed_total"), 13);
}

#[test]
fn an_ocsp_answer_is_stapled() {
    if !has("openssl") {
        return;
    }
    let upstream = greeting();
    let authority = Authority::new("it");
    let pair = authority.sign(&Wish::host(&["localhost"]));
    let tls = "certificates: [{certificate: a.pem, privateKey: a.key, ocspStaple: a.ocsp}]";
    let launch = with_pair(launch(&upstream, tls, ""), "a", &pair);
    // An answer of openssl's own responder about this certificate.
    let folder = crate::harness::Folder::new();
    pair.write(&folder, "a");
    folder.write("ca.pem", &authority.pem);
    folder.write("ca.key", &authority.key());
    folder.write("index", "V\t990101000000Z\t\t07\tunknown\t/CN=localhost\n");
    let mut command = Command::new("openssl");
    command.current_dir(folder.path()).args([
        "ocsp",
        "-index",
        "index",
        "-rsigner",
        "ca.pem",
        "-rkey",
        "ca.key",
        "-CA",
        "ca.pem",
        "-issuer",
        "ca.pem",
        "-cert",
        "a.pem",
        "-respout",
        "a.ocsp",
        "-noverify",
    ]);
    let made = run(&mut command, b"");
    assert!(made.status.success(), "{}", text(&made));
    let answer = fs::read(folder.join("a.ocsp")).unwrap();
    let gateway = launch.beside_bytes("a.ocsp", &answer).start();
    for version in ["-tls1_3", "-tls1_2"] {
        let said = agrees(&gateway, &[version, "-status"]);
        assert!(said.contains("OCSP Response Status: successful"), "{said}");
        assert!(said.contains("Cert Status: good"), "{said}");
    }
}

/// A talk with `openssl s_client`: of each pair, what it has to say before it is told the other.
/// All that it said.
#[track_caller]
fn converse(address: SocketAddr, version: &str, talk: &[(&str, &str)]) -> String {
    let words = "exec timeout 60 openssl s_client -servername localhost -crlf";
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{words} -connect {address} {version} 2>&1")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&said);
    let listening = thread::spawn(move || {
        let mut piece = [0; 4_096];
        while let Ok(count @ 1..) = stdout.read(&mut piece) {
            eprint!("{}", String::from_utf8_lossy(&piece[..count]));
            heard.lock().unwrap().extend_from_slice(&piece[..count]);
        }
    });
    let so_far = || String::from_utf8_lossy(&said.lock().unwrap()).into_owned();
    for (awaited, answer) in talk {
        eventually(&format!("openssl says {awaited}"), || so_far().contains(awaited));
        // It may have ended with what it said.
        let _ = stdin.write_all(answer.as_bytes());
    }
    drop(stdin);
    child.wait().unwrap();
    listening.join().unwrap();
    so_far()
}

#[test]
fn renegotiation_is_refused_and_keys_are_renewed() {
    if !has("openssl") {
        return;
    }
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    let address = shown.gateway.tls[0];
    let request = "GET / HTTP/1.1\nhost: it\nconnection: close\n\n";
    let begun = "Verify return code";
    let said = converse(address, "-tls1_2", &[(begun, "R\n"), ("no renegotiation", request)]);
    assert!(!said.contains("hello"), "{said}");
    assert!(said.contains("RENEGOTIATING"), "{said}");
    for letter in ["k\n", "K\n"] {
        let talk = [(begun, letter), ("KEYUPDATE", request), ("hello", "")];
        converse(address, "-tls1_3", &talk);
    }
    assert_eq!(shown.gateway.number("ringway_panics_total"), 0);
}

const PYTHON: &str = r#"
import hashlib, http.client, ssl, sys
port, seed = int(sys.argv[1]), bytes(range(251))
context = ssl.create_default_context(cafile="ca.pem")
body = seed * 20000
connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
for _ in range(3):
    connection.request("POST", "/", body=body)
    answer = connection.getresponse().read()
    assert hashlib.sha256(answer).digest() == hashlib.sha256(body).digest()
print(connection.sock.version())
# The end of the connection is told properly: an unexpected one is an error here.
import socket
raw = context.wrap_socket(socket.create_connection(("localhost", port)), server_hostname="localhost",
                          suppress_ragged_eofs=False)
raw.sendall(b"GET / HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\r\n")
while raw.recv(65536): pass
raw.close()
for name in ("elsewhere", ):
    try:
        context.wrap_socket(socket.create_connection(("localhost", port)), server_hostname=name)
        raise SystemExit("trusted " + name)
    except ssl.SSLCertVerificationError: pass
print("done")
"#;

#[test]
fn python_speaks_to_it_as_to_any_server() {
    if !has("python3") {
        return;
    }
    let upstream = Upstream::echoing();
    let shown = Shown::start(&upstream);
    let folder = &shown.gateway.folder;
    folder.write("ca.pem", &shown.authority.pem);
    folder.write("client.py", PYTHON);
    let port = shown.gateway.tls[0].port().to_string();
    let mut command = Command::new("python3");
    command.args(["client.py", &port]).current_dir(folder.path());
    let output = run(&mut command, b"");
    assert!(text(&output).contains("TLSv1.3\ndone"), "{}", text(&output));
    shown.gateway.await_number("ringway_connections_open", 0);
}

const HTTPX: &str = r#"
import asyncio, httpx, ssl, sys
port, body = int(sys.argv[1]), bytes(range(256)) * 5000
context = ssl.create_default_context(cafile="ca.pem")
context.load_cert_chain("client.pem", "client.key")
async def main():
    async with httpx.AsyncClient(http2=True, verify=context, timeout=20) as client:
        url = f"https://localhost:{port}/"
        answers = await asyncio.gather(*[client.post(url, content=body) for _ in range(20)])
        assert all(a.http_version == "HTTP/2" and a.content == body for a in answers)
    async with httpx.AsyncClient(verify=context, timeout=20) as client:
        for _ in range(5):
            a = await client.post(url, content=body)
            assert a.http_version == "HTTP/1.1" and a.content == body
    bare = ssl.create_default_context(cafile="ca.pem")
    async with httpx.AsyncClient(verify=bare, timeout=20) as client:
        try: await client.get(url)
        except (httpx.HTTPError, ssl.SSLError): print("done")
asyncio.run(main())
"#;

#[test]
fn httpx_shows_its_certificate_with_both_versions_of_http() {
    let Some(python) = python() else { return };
    let upstream = Upstream::echoing();
    let authority = Authority::new("it");
    let tls = "certificates: [{certificate: a.pem, privateKey: a.key}]";
    let domain = "domainNames: [{domainName: localhost, apiMappings: [{api: it, stage: $default}], \
                  mutualTlsAuthentication: {truststoreUri: ca.pem}}]\n";
    let launch = launch(&upstream, tls, domain).beside("ca.pem", &authority.pem);
    let launch = with_pair(launch, "a", &authority.sign(&Wish::host(&["localhost"])));
    let gateway = with_pair(launch, "client", &authority.sign(&Wish::host(&["client"]))).start();
    gateway.folder.write("client.py", HTTPX);
    let port = gateway.tls[0].port().to_string();
    let mut command = Command::new(python);
    command.args(["client.py", &port]).current_dir(gateway.folder.path());
    let output = run(&mut command, b"");
    assert!(text(&output).contains("done"), "{}", text(&output));
}

#[test]
fn a_request_tells_that_it_came_by_tls() {
    let upstream = Upstream::answering(ok("hello"));
    let shown = Shown::start(&upstream);
    let mut client = shown.connect();
    assert_eq!(client.get("it", "/").text(), "hello");
    let request = upstream.only_request();
    assert_eq!(request.field("x-forwarded-proto"), Some("https"));
    assert!(request.field("forwarded").is_some_and(|value| value.contains("proto=https")));
}
