//! Which certificate a client sees, and what becomes of it when its files change.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use super::{Shown, greeting, launch, with_pair};
use crate::harness::{Authority, Launch, Pair, TlsClient, Wish, eventually, run, trusting};

fn pair(authority: &Authority, name: &str, hosts: &[&str]) -> Pair {
    authority.sign(&Wish { name, ..Wish::host(hosts) })
}

#[test]
fn the_name_decides_exact_then_wildcard_then_the_first() {
    let upstream = greeting();
    let authority = Authority::new("it");
    let tls = "certificates: [{certificate: first.pem, privateKey: first.key}], \
               certificateFolder: more";
    let domains = "domainNames:\n  - domainName: own.example.com\n    certificates: [{certificate: \
                   own.pem, privateKey: own.key}]\n    apiMappings: [{api: it, stage: $default}]\n\
                   \x20 - {domainName: '*.example.com', apiMappings: [{api: it, stage: $default}]}\n";
    let mut launch = launch(&upstream, tls, domains);
    for (name, hosts) in [
        ("first", &["localhost"][..]),
        ("more/exact", &["exact.example.com"]),
        ("more/wild", &["*.example.com", "*.example.org"]),
        ("own", &["own.example.com"]),
    ] {
        launch = with_pair(launch, name, &pair(&authority, name, hosts));
    }
    let gateway = launch.start();
    let client = Arc::new(trusting(&authority, None));
    let check = |name: &str, shown: &str| {
        let connected = TlsClient::connect(gateway.tls[0], &client, name);
        assert_eq!(connected.shown(), shown, "{name}");
        connected
    };
    check("localhost", "first");
    check("exact.example.com", "more/exact");
    check("other.example.com", "more/wild");
    check("a.example.org", "more/wild");
    let mut own = check("own.example.com", "own");
    assert_eq!(own.get("own.example.com", "/").text(), "hello");
    // Names that nobody has see the first, which is not for them.
    let error = TlsClient::try_connect(gateway.tls[0], &client, "elsewhere.com").err().unwrap();
    assert!(error.to_string().contains("not valid for name"), "{error}");
}

#[test]
fn a_listener_without_a_certificate_for_a_name_says_so() {
    let upstream = greeting();
    let authority = Authority::new("it");
    let domains = "domainNames:\n  - {domainName: a.example.com, apiMappings: [{api: it, stage: \
                   $default}], certificates: [{certificate: a.pem, privateKey: a.key}]}\n";
    let file = crate::harness::gateway_file(
        "api.yaml",
        &["{stageName: $default}"],
        &format!("listeners: [{{address: '127.0.0.1:0', tls: {{certificates: []}}}}]\n{domains}"),
    );
    let launch = Launch::file("gateway.yaml", &file)
        .listeners_of_file()
        .beside("api.yaml", &crate::harness::proxy_all(upstream.address()));
    let gateway = with_pair(launch, "a", &pair(&authority, "a", &["a.example.com"])).start();
    let client = Arc::new(trusting(&authority, None));
    let mut known = TlsClient::connect(gateway.tls[0], &client, "a.example.com");
    assert_eq!(known.get("a.example.com", "/").text(), "hello");
    let error = TlsClient::try_connect(gateway.tls[0], &client, "b.example.com").err().unwrap();
    assert!(error.to_string().contains("UnrecognisedName"), "{error}");
}

/// Clients that shake hands and ask, again and again; nothing may fail.
struct Handshakes {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Handshakes {
    fn start(shown: &Shown) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let threads = (0..4).map(|_| {
            let (address, client) = (shown.gateway.tls[0], Arc::clone(&shown.client));
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut client = TlsClient::connect(address, &client, "localhost");
                    assert_eq!(client.get("it", "/").text(), "hello");
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        let threads = threads.collect();
        Self { stop, done, threads }
    }

    #[track_caller]
    fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            assert!(thread.join().is_ok(), "a handshake or a request failed");
        }
        self.done.load(Ordering::Relaxed)
    }
}

#[test]
fn certificates_change_under_load_without_a_failed_request() {
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    let mut old = shown.connect();
    assert_eq!(old.get("it", "/").text(), "hello");
    let load = Handshakes::start(&shown);
    for round in 0..5 {
        let name = format!("round-{round}");
        let wish = Wish { name: &name, serial: 100 + round, ..Wish::host(&["localhost"]) };
        shown.authority.sign(&wish).write(&shown.gateway.folder, "a");
        eventually("the new certificate is shown", || shown.connect().shown() == name);
        // The connection that is there notices nothing.
        assert_eq!(old.get("it", "/").text(), "hello");
    }
    eventually("some hundred handshakes", || load.done.load(Ordering::Relaxed) > 300);
    assert!(load.end() > 300);
}

#[test]
fn a_broken_new_file_keeps_the_old_certificate_and_is_told() {
    let upstream = greeting();
    let shown = Shown::start(&upstream);
    let folder = &shown.gateway.folder;
    folder.write("a.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n");
    eventually("the fault is told", || shown.gateway.said().contains("no sound PEM file"));
    let kept = "the old plan stays in force";
    eventually("the old plan is told of", || shown.gateway.said().contains(kept));
    assert_eq!(shown.connect().get("it", "/").text(), "hello");
    let renewed = shown.authority.sign(&Wish { name: "renewed", ..Wish::host(&["localhost"]) });
    folder.write("a.pem", &renewed.chain);
    let mismatch = "does not belong to the certificate";
    eventually("the mismatch is told", || shown.gateway.said().contains(mismatch));
    assert_eq!(shown.connect().shown(), "localhost");
    folder.write("a.key", &renewed.key);
    eventually("the new pair is shown", || shown.connect().shown() == "renewed");
}

#[test]
fn a_certificate_that_is_put_into_the_folder_is_shown() {
    let upstream = greeting();
    let authority = Authority::new("it");
    let launch = launch(&upstream, "certificateFolder: certs", "");
    let first = pair(&authority, "first", &["localhost"]);
    let gateway = with_pair(launch, "certs/a", &first).start();
    let client = Arc::new(trusting(&authority, None));
    pair(&authority, "second", &["b.example.com"]).write(&gateway.folder, "certs/b");
    let shown = || {
        TlsClient::try_connect(gateway.tls[0], &client, "b.example.com")
            .is_ok_and(|client| client.shown() == "second")
    };
    eventually("the second certificate is shown", shown);
    fs::remove_file(gateway.folder.join("certs/b.pem")).unwrap();
    eventually("it is not shown any more", || !shown());
    assert_eq!(TlsClient::connect(gateway.tls[0], &client, "localhost").shown(), "first");
}

/// Opening a FIFO waits for its writer, and with the reload waited signals and all else.
#[test]
fn a_fifo_in_the_folder_stops_nothing() {
    let upstream = greeting();
    let authority = Authority::new("it");
    let launch = launch(&upstream, "certificateFolder: certs", "");
    let first = pair(&authority, "first", &["localhost"]);
    let mut gateway = with_pair(launch, "certs/a", &first).start();
    gateway.folder.write("certs/b.key", &first.key);
    run("mkfifo", &["certs/b.pem"], gateway.folder.path());
    eventually("it is told", || gateway.said().contains("b.pem is a FIFO, not a file"));
    gateway.signal("TERM");
    assert!(gateway.wait().success());
}

#[test]
fn what_clients_will_hold_against_a_certificate_is_warned_of() {
    let upstream = greeting();
    let authority = Authority::new("it");
    let old = authority.sign_with(&Wish::host(&["localhost"]), |params| {
        params.not_before = rcgen::date_time_ymd(2019, 5, 28);
        params.not_after = rcgen::date_time_ymd(2021, 8, 5);
    });
    let launch = launch(&upstream, "certificates: [{certificate: a.pem, privateKey: a.key}]", "");
    let gateway = with_pair(launch, "a", &old).start();
    assert!(gateway.said().is_empty() || gateway.said().contains("has expired"));
    let told = "a.pem has expired on Aug  5 00:00:00 2021 GMT";
    eventually("the warning", || gateway.said().contains(told));
}

#[test]
fn a_given_certificate_and_a_made_one() {
    let upstream = greeting();
    let authority = Authority::new("it");
    let given = authority.sign(&Wish::host(&["localhost"]));
    let api = crate::harness::proxy_all(upstream.address());
    let launch = with_pair(Launch::file("api.yaml", &api), "a", &given);
    let gateway = launch
        .flag("--listen-tls", "127.0.0.1:0")
        .flag("--tls-cert", "a.pem")
        .flag("--tls-key", "a.key")
        .start();
    let client = Arc::new(trusting(&authority, None));
    let mut connected = TlsClient::connect(gateway.tls[0], &client, "localhost");
    assert_eq!(connected.get("it", "/").text(), "hello");
    given.write(&gateway.folder, "a");
    thread::sleep(Duration::from_millis(200));
    drop(gateway);
    let gateway = Launch::file("api.yaml", &api).flag("--listen-tls", "127.0.0.1:0").start();
    assert!(gateway.said().contains("self-signed certificate for localhost"));
    let error = TlsClient::try_connect(gateway.tls[0], &client, "localhost").err().unwrap();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
}

/// What is wrong with the certificate of the command line is a sentence, at the start as later.
#[test]
fn a_given_certificate_that_is_missing_or_wrong_is_told() {
    let upstream = greeting();
    let authority = Authority::new("it");
    let [given, other] = [0, 1].map(|_| authority.sign(&Wish::host(&["localhost"])));
    let api = crate::harness::proxy_all(upstream.address());
    let launch = |certificate: &str, key: &str| {
        let launch = with_pair(Launch::file("api.yaml", &api), "a", &given);
        with_pair(launch, "b", &other)
            .flag("--listen-tls", "127.0.0.1:0")
            .flag("--tls-cert", certificate)
            .flag("--tls-key", key)
    };
    for (certificate, key, told) in [
        ("no.pem", "a.key", "no.pem cannot be read"),
        ("a.pem", "no.key", "no.key cannot be read"),
        ("a.pem", "b.key", "the key b.key does not belong to the certificate a.pem"),
        ("a.key", "a.key", "a.key holds no certificate"),
        (".", "a.key", ". is a folder, not a file"),
    ] {
        let (status, said) = launch(certificate, key).try_start().err().expect("refused");
        assert_eq!(status.and_then(|status| status.code()), Some(1), "{said}");
        assert!(said.contains(&format!("error: {told}")), "{said}");
    }
    let gateway = launch("a.pem", "a.key").start();
    std::fs::remove_file(gateway.folder.join("a.pem")).unwrap();
    eventually("told", || gateway.said().contains("the old plan stays in force"));
    let client = Arc::new(trusting(&authority, None));
    let mut connected = TlsClient::connect(gateway.tls[0], &client, "localhost");
    assert_eq!(connected.get("it", "/").text(), "hello");
}

#[test]
fn what_a_file_asks_of_trust_is_told_with_its_place() {
    let folder = crate::harness::Folder::new();
    folder.write("api.yaml", &crate::harness::proxy_all(([127, 0, 0, 1], 9000).into()));
    let check = |more: &str, code: i32, told: &[&str]| {
        let file = crate::harness::gateway_file("api.yaml", &["{stageName: $default}"], more);
        let path = folder.write("gateway.yaml", &file).display().to_string();
        let ran = crate::harness::ringway(folder.path(), &["validate", &path]);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        let all = format!("{}{}", ran.output, ran.said);
        assert!(told.iter().all(|words| all.contains(words)), "{ran:?}");
    };
    check(
        "upstreams: [{origin: 'https://a.internal', tls: {insecureSkipVerification: true}}]",
        0,
        &["warning: upstreams[0].tls: any certificate is taken", "for tests only"],
    );
    check(
        "domainNames: [{domainName: a.example.com, apiMappings: [{api: it, stage: $default}], \
         mutualTlsAuthentication: {truststoreUri: 's3://bucket/ca.pem'}}]",
        1,
        &["truststoreUri: s3://bucket/ca.pem is AWS's storage", "copy the object"],
    );
}
