//! Mutual TLS and STRICT domains: who is let in, over which connection, and what is told of him.

use std::{fs, sync::Arc};

use rcgen::ExtendedKeyUsagePurpose;

use super::with_pair;
use crate::harness::{
    Authority, Client, Gateway, Launch, Pair, Route, TlsClient, Upstream, Wish, eventually,
    gateway_file, has, ok, openapi, run, trusting,
};

const DOMAINS: &str = "
listeners:
  - {address: '127.0.0.1:0', tls: {certificates: [{certificate: a.pem, privateKey: a.key}]}}
  - {address: '127.0.0.2:0'}
domainNames:
  - domainName: mutual.example.com
    apiMappings: [{api: it, stage: $default}]
    mutualTlsAuthentication: {truststoreUri: clients.pem}
  - domainName: revoking.example.com
    apiMappings: [{api: it, stage: $default}]
    mutualTlsAuthentication: {truststoreUri: clients.pem, certificateRevocationList: clients.crl}
  - domainName: strict.example.com
    apiMappings: [{api: it, stage: $default}]
    endpointAccessMode: STRICT
  - domainName: open.example.com
    apiMappings: [{api: it, stage: $default}]
  - domainName: '*.example.com'
    apiMappings: [{api: it, stage: $default}]
    mutualTlsAuthentication: {truststoreUri: others.pem}
";

struct World {
    gateway: Gateway,
    upstream: Upstream,
    /// Signs the gateway's certificate.
    servers: Authority,
    clients: Authority,
    others: Authority,
}

const TOLD: &str = "requestParameters: {
  'append:header.x-subject': $context.identity.clientCert.subjectDN,
  'append:header.x-issuer': $context.authentication.clientCert.issuerDN,
  'append:header.x-serial': $context.identity.clientCert.serialNumber,
  'append:header.x-from': $context.identity.clientCert.validity.notBefore,
  'append:header.x-until': $context.identity.clientCert.validity.notAfter,
  'append:header.x-version': $context.tlsVersion,
  'append:header.x-suite': $context.cipherSuite }";

impl World {
    fn start() -> Self {
        let upstream = Upstream::answering(ok("hello"));
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let others = Authority::new("others");
        let route = Route::new("GET", "/", format!("http://{}/", upstream.address())).more(TOLD);
        let file = gateway_file("api.yaml", &["{stageName: $default}"], DOMAINS);
        let launch = Launch::file("gateway.yaml", &file)
            .listeners_of_file()
            .beside("api.yaml", &openapi(&[route]))
            .beside("clients.pem", &clients.pem)
            .beside("clients.crl", &clients.revoke(&[66]))
            .beside("others.pem", &others.pem);
        let names = ["localhost", "*.example.com"];
        let gateway = with_pair(launch, "a", &servers.sign(&Wish::host(&names)));
        let gateway = gateway.logging("log").start();
        Self { gateway, upstream, servers, clients, others }
    }

    fn try_connect(&self, name: &str, own: Option<&Pair>) -> std::io::Result<TlsClient> {
        let config = Arc::new(trusting(&self.servers, own));
        let mut client = TlsClient::try_connect(self.gateway.tls[0], &config, name)?;
        // In TLS 1.3 a server says what it thinks of a certificate after the client's last word.
        client.try_send(format!("GET / HTTP/1.1\r\nhost: {name}\r\n\r\n"))?;
        match client.try_answer() {
            Ok(answer) if answer.status == 200 => Ok(client),
            Ok(answer) => Err(std::io::Error::other(format!("{answer:?}"))),
            Err(fault) => Err(std::io::Error::other(format!("{fault:?}"))),
        }
    }

    #[track_caller]
    fn connect(&self, name: &str, own: Option<&Pair>) -> TlsClient {
        self.try_connect(name, own).unwrap()
    }

    #[track_caller]
    fn refuses(&self, name: &str, own: Option<&Pair>, alert: &str) {
        let error = self.try_connect(name, own).err().expect("refused").to_string();
        assert!(error.contains(alert), "{error}");
    }
}

fn client(authority: &Authority, serial: u64) -> Pair {
    authority.sign(&Wish { name: "orders", serial, ..Wish::host(&["orders.example.com"]) })
}

#[test]
fn only_clients_of_the_trust_store_are_let_in_and_told_of() {
    let world = World::start();
    let orders = client(&world.clients, 0xa107);
    let mut connected = world.connect("mutual.example.com", Some(&orders));
    let request = world.upstream.only_request();
    assert_eq!(request.field("x-subject"), Some("CN=orders"));
    assert_eq!(request.field("x-issuer"), Some("CN=clients"));
    assert_eq!(request.field("x-serial"), Some("a1:07"));
    assert_eq!(request.field("x-from"), Some("Jan  1 00:00:00 1975 GMT"));
    assert_eq!(request.field("x-until"), Some("Jan  1 00:00:00 4096 GMT"));
    assert_eq!(request.field("x-version"), Some("TLSv1.3"));
    assert!(request.field("x-suite").is_some_and(|suite| suite.starts_with("TLS_AES_")));
    assert_eq!(connected.get("mutual.example.com", "/").status, 200);
    let log = || fs::read_to_string(world.gateway.folder.join("log")).unwrap_or_default();
    let line = r#""clientCertSubjectDN":"CN=orders","clientCertIssuerDN":"CN=clients","clientCertSerialNumber":"a1:07","clientCertNotBefore":"Jan  1 00:00:00 1975 GMT","clientCertNotAfter":"Jan  1 00:00:00 4096 GMT""#;
    eventually("the log tells of the client", || log().contains(line));
    let refused = world.gateway.number("ringway_tls_handshakes_refused_total");
    world.refuses("mutual.example.com", None, "CertificateRequired");
    let other = client(&world.others, 1);
    world.refuses("mutual.example.com", Some(&other), "UnknownCA");
    world.gateway.await_number("ringway_tls_handshakes_refused_total", refused + 2);
    // Nobody is asked elsewhere, and nothing is told.
    let mut open = world.connect("open.example.com", Some(&orders));
    assert_eq!(open.get("open.example.com", "/").status, 200);
    assert_eq!(world.upstream.requests().last().unwrap().field("x-subject"), None);
}

#[test]
fn certificates_that_are_not_sound_are_refused() {
    let world = World::start();
    let clients = &world.clients;
    let wish = Wish { name: "orders", serial: 5, ..Wish::host(&["orders.example.com"]) };
    let expired = clients.sign_with(&wish, |params| {
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    world.refuses("mutual.example.com", Some(&expired), "CertificateExpired");
    let server_only = clients.sign_with(&wish, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    world.refuses("mutual.example.com", Some(&server_only), "UnsupportedCertificate");
    // Another key than the certificate's cannot sign the handshake: rustls's client refuses such
    // a pair itself, so it is the revoked one that remains.
    let revoked = client(clients, 66);
    world.connect("mutual.example.com", Some(&revoked));
    world.refuses("revoking.example.com", Some(&revoked), "CertificateRevoked");
    world.connect("revoking.example.com", Some(&client(clients, 67)));
}

/// In TLS 1.3 a client that is refused has sent its request by then: no reset may take the alert.
#[test]
fn a_refused_client_hears_why_also_behind_what_it_sends() {
    let world = World::start();
    let config = Arc::new(trusting(&world.servers, None));
    let mut client =
        TlsClient::try_connect(world.gateway.tls[0], &config, "mutual.example.com").unwrap();
    // A reset would have ended the connection long before the last of these.
    for _ in 0..10 {
        client.try_send(vec![b'a'; 2_000]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(client.parts().1.peer_addr().is_ok());
    let error = client.read_to_end().unwrap_err().to_string();
    assert!(error.contains("CertificateRequired"), "{error}");
    world.gateway.await_number("ringway_connections_open", 0);
}

#[test]
fn a_chain_has_at_most_four_certificates() {
    let world = World::start();
    let mut authorities = vec![world.clients.below("one")];
    for name in ["two", "three"] {
        let below = authorities.last().unwrap().below(name);
        authorities.push(below);
    }
    // The root is not sent, and counts.
    world.connect("mutual.example.com", Some(&client(&authorities[0], 1)));
    world.connect("mutual.example.com", Some(&client(&authorities[1], 2)));
    world.refuses("mutual.example.com", Some(&client(&authorities[2], 3)), "CertificateUnknown");
    // Sent with its root it has as many.
    let mut with_root = client(&authorities[1], 4);
    with_root.chain.push_str(&world.clients.pem);
    world.connect("mutual.example.com", Some(&with_root));
}

#[test]
fn a_domain_with_mutual_tls_is_reached_over_its_own_connections_only() {
    let world = World::start();
    let orders = client(&world.clients, 1);
    let ask = |client: &mut TlsClient, host: &str| client.get(host, "/");
    // A handshake for a domain that asks nobody, and a request for the one that does.
    let mut open = world.connect("open.example.com", Some(&orders));
    let misdirected = ask(&mut open, "mutual.example.com");
    misdirected.assert_refusal(421, "Misdirected Request");
    ask(&mut open, "MUTUAL.example.com.").assert_refusal(421, "Misdirected Request");
    ask(&mut open, "mutual.example.com:443").assert_refusal(421, "Misdirected Request");
    assert_eq!(ask(&mut open, "open.example.com").status, 200, "the connection lives on");
    let absolute = "GET http://mutual.example.com/ HTTP/1.1\r\nhost: mutual.example.com\r\n\r\n";
    open.ask(absolute).assert_refusal(421, "Misdirected Request");
    // A certificate of another domain's trust store.
    let other = client(&world.others, 1);
    let mut wildcard = world.connect("a.example.com", Some(&other));
    ask(&mut wildcard, "mutual.example.com").assert_refusal(421, "Misdirected Request");
    assert_eq!(ask(&mut wildcard, "b.example.com").status, 200, "the same domain");
    // No name in the handshake at all, and plain text.
    let mut nameless = world.connect_without_name();
    ask(&mut nameless, "mutual.example.com").assert_refusal(421, "Misdirected Request");
    ask(&mut nameless, "a.example.com").assert_refusal(421, "Misdirected Request");
    let plain = |host: &str| {
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
        Client::connect(world.gateway.address).ask(request)
    };
    plain("mutual.example.com").assert_refusal(403, "Forbidden");
    plain("a.example.com").assert_refusal(403, "Forbidden");
    let ping = "GET /ping HTTP/1.1\r\nhost: mutual.example.com\r\n\r\n";
    Client::connect(world.gateway.address).ask(ping).assert_refusal(403, "Forbidden");
    // Nothing is told of what the domain leads to.
    let request = "GET /none HTTP/1.1\r\nhost: mutual.example.com\r\n\r\n";
    open.ask(request).assert_refusal(421, "Misdirected Request");
}

/// HTTP/2 clients use a connection for other names that its certificate is for.
#[test]
fn a_coalesced_request_is_misdirected_over_http2_too() {
    if !has("curl") {
        return;
    }
    let world = World::start();
    let folder = &world.gateway.folder;
    folder.write("servers.pem", &world.servers.pem);
    client(&world.clients, 1).write(folder, "orders");
    let ask = |name: &str, host: &str| {
        let url = format!("https://{name}/");
        let at = format!("::{}", world.gateway.tls[0]);
        let host = format!("host: {host}");
        let arguments = [
            "-s",
            "--http2",
            "--cacert",
            "servers.pem",
            "--cert",
            "orders.pem",
            "--key",
            "orders.key",
            "--connect-to",
            &at,
            "-H",
            &host,
            "-w",
            " %{http_version} %{http_code}",
            &url,
        ];
        String::from_utf8(run("curl", &arguments, folder.path()).1).unwrap()
    };
    let misdirected = "{\"message\":\"Misdirected Request\"} 2 421";
    assert_eq!(ask("mutual.example.com", "mutual.example.com"), "hello 2 200");
    assert_eq!(ask("open.example.com", "mutual.example.com"), misdirected);
    assert_eq!(ask("open.example.com", "a.example.com"), misdirected);
    assert_eq!(ask("open.example.com", "strict.example.com"), misdirected);
    assert_eq!(ask("mutual.example.com", "open.example.com"), "hello 2 200");
    let request = world.upstream.requests();
    assert_eq!(request[0].field("x-subject"), Some("CN=orders"));
}

impl World {
    /// An address is not sent as a name.
    fn connect_without_name(&self) -> TlsClient {
        let mut config = trusting(&self.servers, None);
        config.enable_sni = false;
        let config = Arc::new(config);
        TlsClient::connect(self.gateway.tls[0], &config, "localhost")
    }
}

#[test]
fn strict_wants_the_handshakes_name_to_be_the_requests() {
    let world = World::start();
    let mut strict = world.connect("strict.example.com", None);
    assert_eq!(strict.get("strict.example.com", "/").status, 200);
    assert_eq!(strict.get("Strict.Example.com:8443", "/").status, 200);
    // Nor does its connection lead elsewhere.
    strict.get("open.example.com", "/").assert_refusal(421, "Misdirected Request");
    strict.get("unknown.example.org", "/").assert_refusal(421, "Misdirected Request");
    let mut open = world.connect("open.example.com", None);
    open.get("strict.example.com", "/").assert_refusal(421, "Misdirected Request");
    let mut nameless = world.connect_without_name();
    nameless.get("strict.example.com", "/").assert_refusal(421, "Misdirected Request");
    let request = "GET / HTTP/1.1\r\nhost: strict.example.com\r\n\r\n";
    let plain = Client::connect(world.gateway.address).ask(request);
    plain.assert_refusal(421, "Misdirected Request");
}

/// A session that goes on shows no certificate again: none goes on here, whatever ticket comes.
#[test]
fn no_session_leads_around_the_certificate() {
    let world = World::start();
    let orders = client(&world.clients, 1);
    let config = {
        let mut config = trusting(&world.servers, Some(&orders));
        config.resumption = rustls::client::Resumption::in_memory_sessions(8);
        Arc::new(config)
    };
    for _ in 0..3 {
        let mut client = TlsClient::connect(world.gateway.tls[0], &config, "mutual.example.com");
        assert_eq!(client.get("mutual.example.com", "/").status, 200);
    }
    for _ in 0..3 {
        let mut client = TlsClient::connect(world.gateway.tls[0], &config, "open.example.com");
        assert_eq!(client.get("open.example.com", "/").status, 200);
    }
    // The open domain's sessions went on, those of mutual TLS did not.
    assert_eq!(world.gateway.number("ringway_tls_resumed_total"), 2);
}

/// A ticket that was given before the domain asked for certificates.
#[test]
fn a_ticket_from_before_a_reload_does_not_lead_around_it_either() {
    let world = World::start();
    let config = {
        let mut config = trusting(&world.servers, None);
        config.resumption = rustls::client::Resumption::in_memory_sessions(8);
        Arc::new(config)
    };
    let ask = || {
        let mut client =
            TlsClient::try_connect(world.gateway.tls[0], &config, "open.example.com").ok()?;
        client.try_send("GET / HTTP/1.1\r\nhost: open.example.com\r\n\r\n").ok()?;
        client.try_answer().ok().map(|answer| answer.status)
    };
    let mut kept = world.connect("open.example.com", None);
    assert_eq!(ask(), Some(200));
    assert_eq!(ask(), Some(200));
    let file = gateway_file("api.yaml", &["{stageName: $default}"], DOMAINS).replace(
        "domainName: open.example.com\n    apiMappings: [{api: it, stage: $default}]",
        "domainName: open.example.com\n    apiMappings: [{api: it, stage: $default}]\n    \
         mutualTlsAuthentication: {truststoreUri: clients.pem}",
    );
    world.gateway.folder.write("gateway.yaml", &file);
    eventually("the domain asks for certificates", || ask().is_none());
    for _ in 0..5 {
        assert_eq!(ask(), None);
    }
    // Nor does a connection that was there before.
    kept.get("open.example.com", "/").assert_refusal(421, "Misdirected Request");
    world.connect("open.example.com", Some(&client(&world.clients, 1)));
}

#[test]
fn another_trust_store_takes_effect_without_a_restart() {
    let world = World::start();
    let (orders, other) = (client(&world.clients, 1), client(&world.others, 1));
    let mut kept = world.connect("mutual.example.com", Some(&orders));
    world.gateway.folder.write("clients.pem", &world.others.pem);
    eventually("the other authority is trusted", || {
        world.try_connect("mutual.example.com", Some(&other)).is_ok()
    });
    world.refuses("mutual.example.com", Some(&orders), "UnknownCA");
    assert_eq!(kept.get("mutual.example.com", "/").status, 200, "live connections are left alone");
    world.gateway.folder.write("clients.pem", "nonsense");
    eventually("the fault is told", || world.gateway.said().contains("holds no certificate"));
    world.connect("mutual.example.com", Some(&other));
}

/// Whatever is left of the time before is worth nothing: connections, sessions, names written
/// otherwise.
#[test]
fn a_domain_that_begins_to_ask_for_certificates_lets_nobody_in_from_before() {
    let upstream = Upstream::answering(ok("hello"));
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let route = Route::new("GET", "/", format!("http://{}/", upstream.address()));
    let file = |asks: &str| {
        let domains = format!(
            "listeners:\n  - {{address: '127.0.0.1:0', tls: {{certificates: [{{certificate: a.pem, \
             privateKey: a.key}}]}}}}\n  - {{address: '127.0.0.2:0'}}\ndomainNames:\n  - {{domainName: \
             a.example.com, apiMappings: [{{api: it, stage: $default}}]{asks}}}\n  - {{domainName: \
             b.example.com, apiMappings: [{{api: it, stage: $default}}]}}\n"
        );
        gateway_file("api.yaml", &["{stageName: $default}"], &domains)
    };
    let launch = Launch::file("gateway.yaml", &file(""))
        .listeners_of_file()
        .beside("api.yaml", &openapi(&[route]))
        .beside("clients.pem", &clients.pem);
    let names = ["localhost", "*.example.com"];
    let gateway = with_pair(launch, "a", &servers.sign(&Wish::host(&names))).start();
    let mut config = trusting(&servers, None);
    config.resumption = rustls::client::Resumption::default();
    let config = Arc::new(config);
    let mut open: Vec<TlsClient> = ["a.example.com", "b.example.com"]
        .map(|name| TlsClient::connect(gateway.tls[0], &config, name))
        .into();
    open.iter_mut().for_each(|client| assert_eq!(client.get("a.example.com", "/").status, 200));
    let asks = ", mutualTlsAuthentication: {truststoreUri: clients.pem}";
    gateway.folder.write("gateway.yaml", &file(asks));
    let plain =
        || Client::connect(gateway.address).ask("GET / HTTP/1.1\r\nhost: a.example.com\r\n\r\n");
    eventually("it asks", || plain().status == 403);
    for client in &mut open {
        for host in ["a.example.com", "A.EXAMPLE.COM.", "a.example.com:80", "a.example.com.:443"] {
            assert_eq!(client.get(host, "/").status, 421, "{host}");
        }
    }
    // The session of before, which showed nothing.
    let again = TlsClient::try_connect(gateway.tls[0], &config, "a.example.com");
    let answered = again.and_then(|mut client| {
        client.try_send("GET / HTTP/1.1\r\nhost: a.example.com\r\n\r\n")?;
        client.try_answer().map_err(|fault| std::io::Error::other(format!("{fault:?}")))
    });
    assert!(answered.is_err(), "{answered:?}");
    let mut other = TlsClient::connect(gateway.tls[0], &config, "b.example.com");
    assert_eq!(other.get("a.example.com", "/").status, 421);
    for request in [
        "GET http://a.example.com/ HTTP/1.1\r\nhost: b.example.com\r\n\r\n",
        "GET http://b.example.com/ HTTP/1.1\r\nhost: a.example.com\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a.example.com\r\nhost: b.example.com\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: b.example.com, a.example.com\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x@a.example.com\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a%2Eexample.com\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a.example.com..\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost:\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nhost: a.example.com\r\n\r\n",
    ] {
        let mut client = TlsClient::connect(gateway.tls[0], &config, "b.example.com");
        assert_ne!(client.ask(request).status, 200, "{request}");
    }
}
