//! The command line: what each command prints, and how it exits.

use std::{net::TcpListener, thread, time::Duration};

use crate::harness::{
    Authority, Client, Folder, Launch, Route, Upstream, dead_address, eventually, exchange,
    gateway_file, ok, openapi, proxy_all, ringway,
};

#[track_caller]
fn check_contains(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
}

/// A fresh user's first command.
#[test]
fn the_demo_answers_at_once() {
    let gateway = Launch::demo().start();
    let mut client = Client::connect(gateway.address);
    let answer = client.get("/pets");
    assert_eq!(answer.status, 200, "{answer:?}");
    check_contains(&answer.text(), &["\"name\""]);
    let one = client.get("/pets/1");
    assert_eq!(one.status, 200, "{one:?}");
    eventually("the URLs to try are printed", || gateway.said().contains("/metrics"));
    // What it says to try must work.
    let origin = format!("curl 'http://{}", gateway.address);
    let said = gateway.said();
    let targets: Vec<&str> = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix(&origin)?.strip_suffix('\''))
        .collect();
    assert!(targets.len() >= 2, "{said}");
    for target in targets {
        assert_eq!(client.get(target).status, 200, "{target}");
    }
}

#[test]
fn the_private_port_has_health_and_metrics() {
    let upstream = Upstream::answering(ok("x"));
    let gateway = Launch::file("api.yaml", &proxy_all(upstream.address())).shards(2).start();
    let mut client = Client::connect(gateway.address);
    for _ in 0..10 {
        assert_eq!(client.get("/pets").status, 200);
    }
    let health = exchange(gateway.admin, "GET /healthz HTTP/1.1\r\nhost: it\r\n\r\n");
    assert_eq!(health.status, 200, "{health:?}");
    let metrics = exchange(gateway.admin, "GET /metrics HTTP/1.1\r\nhost: it\r\n\r\n");
    assert_eq!(metrics.status, 200, "{metrics:?}");
    gateway.await_number("ringway_count_total", 10);
    // The public port knows nothing of it.
    assert!(
        !exchange(gateway.address, "GET /metrics HTTP/1.1\r\nhost: it\r\n\r\n")
            .text()
            .contains("ringway_")
    );
}

#[test]
fn validate_tells_every_problem_and_binds_nothing() {
    let folder = Folder::new();
    folder.write("good.yaml", &proxy_all(dead_address()));
    let good = ringway(folder.path(), &["validate", "good.yaml"]);
    assert_eq!(good.code, Some(0), "{good:?}");

    folder.write(
        "bad.yaml",
        &openapi(&[Route::new("GET", "/a", "http://127.0.0.1:9000/").timeout(60_000)]),
    );
    let bad = ringway(folder.path(), &["validate", "bad.yaml"]);
    assert_eq!(bad.code, Some(1), "{bad:?}");
    let text = format!("{}{}", bad.output, bad.said);
    check_contains(&text, &["bad.yaml", "timeoutInMillis", "60000", "30000"]);

    folder.write("typo.yaml", &gateway_file("good.yaml", &["{stageNam: $default}"], ""));
    let typo = ringway(folder.path(), &["validate", "typo.yaml"]);
    assert_eq!(typo.code, Some(1), "{typo:?}");
    check_contains(&format!("{}{}", typo.output, typo.said), &["did you mean", "stageName"]);
}

#[test]
fn explain_names_the_winner_and_the_losers() {
    let folder = Folder::new();
    let routes = [
        Route::new("GET", "/pets/{id}", "http://127.0.0.1:9000/pets/{id}"),
        Route::new("ANY", "/{proxy+}", "http://127.0.0.1:9000/{proxy}"),
    ];
    folder.write("api.yaml", &openapi(&routes));
    let ran = ringway(folder.path(), &["explain", "api.yaml", "GET", "/pets/7"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    check_contains(&ran.output, &["GET /pets/{id}", "ANY /{proxy+}", "$default"]);
    let ran = ringway(folder.path(), &["explain", "api.yaml", "GET", "http://x/"]);
    check_contains(&format!("{}{}", ran.output, ran.said), &["404"]);
    // It went on to the API, which the gateway does not.
    let ran = ringway(folder.path(), &["explain", "api.yaml", "OPTIONS", "*"]);
    assert!(ran.output.starts_with("Answer 204") && ran.output.lines().count() == 1, "{ran:?}");
}

#[test]
fn explain_tells_what_a_domain_asks_and_that_tls_is_called() {
    let folder = Folder::new();
    let route = Route::new("GET", "/pets", "https://pets.internal/pets")
        .more("tlsConfig: {insecureSkipVerification: true}");
    folder.write("api.yaml", &openapi(&[route]));
    folder.write("ca.pem", &Authority::new("clients").pem);
    let domain = "domainNames: [{domainName: a.example.com, endpointAccessMode: STRICT, \
                  apiMappings: [{api: it, stage: $default}], \
                  mutualTlsAuthentication: {truststoreUri: ca.pem}}]\n\
                  upstreams: [{origin: 'https://pets.internal', protocolVersion: HTTP2}]\n";
    folder.write("gateway.yaml", &gateway_file("api.yaml", &["{stageName: $default}"], domain));
    let url = "https://a.example.com/pets";
    let ran = ringway(folder.path(), &["explain", "gateway.yaml", "GET", url]);
    check_contains(
        &ran.output,
        &[
            "by clients that show a certificate of its trust store",
            "by connections whose handshake names this host",
            "Calls  GET https://pets.internal/pets",
            "x-forwarded-port: 443",
            "x-forwarded-proto: https",
            "over HTTP/2",
            "by TLS, whatever certificate it shows",
        ],
    );
    // What the gateway says to those who come without TLS.
    let ran = ringway(folder.path(), &["explain", "gateway.yaml", "GET", &url.replace("s:", ":")]);
    check_contains(&ran.output, &["Answer 403 {\"message\":\"Forbidden\"}"]);
    assert!(!ran.output.contains("Calls"), "{ran:?}");
}

#[test]
fn schema_completions_man_and_help_print() {
    let folder = Folder::new();
    let schema = ringway(folder.path(), &["schema"]);
    assert_eq!(schema.code, Some(0));
    let json: serde_json::Value = serde_json::from_str(&schema.output).unwrap();
    for key in ["listeners", "apis", "usagePlans", "apiKeys", "domainNames", "accessLog"] {
        assert!(json["properties"][key].is_object(), "{key} is missing in the schema");
    }
    for shell in ["bash", "zsh", "fish"] {
        let ran = ringway(folder.path(), &["completions", shell]);
        assert_eq!(ran.code, Some(0), "{shell}");
        check_contains(&ran.output, &["ringway", "validate"]);
    }
    let man = ringway(folder.path(), &["man"]);
    assert_eq!(man.code, Some(0));
    check_contains(&man.output, &[".TH"]);
    for words in [&["--help"][..], &["run", "--help"], &["validate", "--help"]] {
        let help = ringway(folder.path(), words);
        assert_eq!(help.code, Some(0), "{words:?}");
        let width = help.output.lines().map(str::len).max().unwrap();
        assert!(width <= 120, "a help line of {width} columns");
    }
    check_contains(
        &ringway(folder.path(), &["run", "--help"]).output,
        &["--listen", "--shards", "--set", "--admin"],
    );
}

#[test]
fn wrong_lines_and_missing_files_are_told_apart() {
    let folder = Folder::new();
    let cases: [(&[&str], i32, &[&str]); 5] = [
        (&["run", "missing.yaml"], 1, &["missing.yaml"]),
        (&["validate", "missing.yaml"], 1, &["missing.yaml"]),
        (&["explain", "missing.yaml", "GET", "/"], 1, &["missing.yaml"]),
        (&["run", "--listen", "nonsense"], 2, &["--listen"]),
        (&["serve"], 2, &["serve"]),
    ];
    for (words, code, said) in cases {
        let ran = ringway(folder.path(), words);
        assert_eq!(ran.code, Some(code), "{words:?}: {ran:?}");
        check_contains(&format!("{}{}", ran.output, ran.said), said);
        assert!(!ran.said.contains("panicked"), "{ran:?}");
    }
}

#[test]
fn a_port_in_use_is_one_clear_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let document = proxy_all(dead_address());
    for flag in ["--listen", "--admin"] {
        let started = Launch::file("api.yaml", &document).flag(flag, &address).try_start();
        let Err((status, said)) = started else { panic!("it bound {address}") };
        let code = status.and_then(|status| status.code());
        assert!(code.is_some_and(|code| code != 0), "{code:?}: {said}");
        check_contains(&said, &[&address, "in use", flag]);
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_broken_file_does_not_start() {
    let started = Launch::file("api.yaml", "openapi: 3.0.1\npaths: [").try_start();
    let Err((status, said)) = started else { panic!("it serves a broken file") };
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{said}");
    check_contains(&said, &["api.yaml"]);
}

#[test]
fn an_access_log_that_cannot_be_opened_is_named() {
    let log = "accessLog: {destination: none/access.log}";
    let file = gateway_file("api.yaml", &["{stageName: $default}"], log);
    let launch = Launch::file("gateway.yaml", &file).beside("api.yaml", &proxy_all(dead_address()));
    let Err((status, said)) = launch.try_start() else { panic!("it starts") };
    assert_eq!(status.and_then(|status| status.code()), Some(1), "{said}");
    check_contains(&said, &["none/access.log", "No such file"]);
}

/// What the machine lacks: one sentence with the remedy, exit 78. Descriptors can be taken away.
#[test]
fn too_few_descriptors_are_told_at_the_start() {
    let started = Launch::file("api.yaml", &proxy_all(dead_address())).ulimit("-n 12").try_start();
    let Err((status, said)) = started else { panic!("it starts with 12 descriptors") };
    assert_eq!(status.and_then(|status| status.code()), Some(78), "{said}");
    check_contains(&said, &["descriptor"]);
}

#[test]
fn several_listeners_serve_the_same() {
    let upstream = Upstream::answering(ok("both"));
    let gateway = Launch::file("api.yaml", &proxy_all(upstream.address()))
        .flag("--listen", "127.0.0.1:0")
        .flag("--listen", "127.0.0.1:0")
        .shards(2)
        .start();
    let addresses: Vec<String> = gateway
        .said()
        .lines()
        .filter_map(|line| Some(line.split_once("listening on http://")?.1.trim().to_owned()))
        .collect();
    assert_eq!(addresses.len(), 2, "{}", gateway.said());
    for address in addresses {
        assert_eq!(Client::connect(address.parse().unwrap()).get("/x").text(), "both");
    }
}

#[test]
fn the_access_log_has_one_json_line_per_request() {
    let upstream = Upstream::answering(ok("logged"));
    let gateway = Launch::file(
        "gateway.yaml",
        &gateway_file(
            "api.yaml",
            &["{stageName: $default}"],
            "accessLog: {destination: access.log}",
        ),
    )
    .beside("api.yaml", &proxy_all(upstream.address()))
    .start();
    let mut client = Client::connect(gateway.address);
    let id = client.get("/pets?q=%22x%22").field("apigw-requestid").unwrap().to_owned();
    client.ask("GET /other HTTP/1.1\r\nhost: it\r\nuser-agent: a\"b\\c\r\n\r\n");
    client.ask("GET /other HTTP/1.1\r\nhost: it\r\nx : y\r\n\r\n");
    let path = gateway.folder.join("access.log");
    let lines = || -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    eventually("three lines are written", || lines().len() >= 3);
    let lines = lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0]["requestId"].as_str(), Some(id.as_str()), "{}", lines[0]);
    let statuses: Vec<String> = lines.iter().map(|line| line["status"].to_string()).collect();
    let statuses: Vec<&str> = statuses.iter().map(|text| text.trim_matches('"')).collect();
    assert_eq!(statuses, ["200", "200", "400"]);
}

#[test]
fn an_answer_cut_short_has_a_mark_in_the_access_log() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            let half = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
            let goes_on = match request.target.as_str() {
                "/cut" => !peer.send(half),
                "/left" => peer.send(half) && !peer.wait_for_close(),
                "/early" => !peer.wait_for_close(),
                _ => peer.send(ok("whole")),
            };
            if !goes_on {
                return;
            }
        }
    });
    let settings = "accessLog: {destination: access.log}";
    let file = gateway_file("api.yaml", &["{stageName: $default}"], settings);
    let gateway = Launch::file("gateway.yaml", &file)
        .beside("api.yaml", &proxy_all(upstream.address()))
        .start();
    let check = |target: &str, leaves: bool, status: u16, name: &str, reason: &str| {
        let mut client = Client::connect(gateway.address);
        client.send(format!("GET {target} HTTP/1.1\r\nhost: it\r\n\r\n"));
        if leaves {
            thread::sleep(Duration::from_millis(100));
            client.reset();
        } else {
            let _ = client.try_answer_to("GET");
        }
        let path = gateway.folder.join("access.log");
        let mut line = serde_json::Value::Null;
        eventually("its line is written", || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
            line = lines.into_iter().find(|line: &serde_json::Value| line["path"] == target).into();
            !line.is_null()
        });
        assert_eq!(line["status"], status, "{line}");
        let told = ["errorMessage", "integrationErrorMessage"].map(|name| line.get(name).is_some());
        assert_eq!(told.iter().filter(|told| **told).count(), usize::from(!name.is_empty()));
        if !name.is_empty() {
            assert_eq!(line[name], reason, "{line}");
        }
    };
    check("/whole", false, 200, "", "");
    let integration = "integrationErrorMessage";
    check("/cut", false, 200, integration, "the integration closed within its answer");
    let error = "errorMessage";
    check("/left", true, 200, error, "the client left before it had all of the answer");
    check("/early", true, 400, error, "the client left before its answer came");
}

/// It said no more than that the message is malformed, and nobody could tell which client to mend.
#[test]
fn the_access_log_tells_what_is_wrong_with_a_message() {
    let upstream = Upstream::start(|mut peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\nabc");
    });
    let settings = "accessLog: {destination: access.log}";
    let file = gateway_file("api.yaml", &["{stageName: $default}"], settings);
    let gateway = Launch::file("gateway.yaml", &file)
        .beside("api.yaml", &proxy_all(upstream.address()))
        .start();
    let check = |request: &str, place: usize, status: u16, reason: &str| {
        assert_eq!(Client::connect(gateway.address).ask(request).status, status);
        let path = gateway.folder.join("access.log");
        let read = || std::fs::read_to_string(&path).unwrap_or_default();
        eventually("its line is written", || read().lines().count() == place + 1);
        let line: serde_json::Value = serde_json::from_str(read().lines().last().unwrap()).unwrap();
        assert_eq!(line["errorMessage"], reason, "{line}");
    };
    let malformed = "the request is malformed: both Content-Length and Transfer-Encoding";
    let both = "content-length: 1\r\ntransfer-encoding: chunked";
    check(&format!("GET /a HTTP/1.1\r\nhost: it\r\n{both}\r\n\r\n"), 0, 400, malformed);
    let length =
        "the integration's answer is malformed: Content-Length is not a plain decimal number";
    check("GET /a HTTP/1.1\r\nhost: it\r\n\r\n", 1, 502, length);
}
