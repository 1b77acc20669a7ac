//! Private APIs: reached by the listeners that have their labels, and by no others.

use std::{fs, process::Command};

use crate::harness::{
    Answer, Client, Folder, Gateway, Launch, Upstream, eventually, exchange, has, ok, proxy_all,
    ringway,
};

/// The gateway file of an API `pets` that has this in its entry (YAML, flow form), and of the
/// public API `orders`; listeners on Unix sockets in `folder`: `public`, `internal`, `vpn`.
fn file(folder: &Folder, pets: &str) -> String {
    let unix = |name: &str| folder.join(name).display().to_string();
    let (public, internal, vpn) = (unix("public"), unix("internal"), unix("vpn"));
    format!(
        "listeners:\n  - {{address: 'unix:{public}'}}\n\
         \x20 - {{address: 'unix:{internal}', labels: [internal], http2: true}}\n\
         \x20 - {{address: 'unix:{vpn}', labels: [vpn, office]}}\n\
         accessLog: {{destination: access.log}}\n\
         domainNames: [{{domainName: pets.example.com, apiMappings: [{{api: pets, stage: $default}}]}}]\n\
         apis:\n  - {{name: pets, apiId: aaaaaaaaaa, definition: api.yaml, {pets}}}\n\
         \x20 - {{name: orders, apiId: bbbbbbbbbb, definition: api.yaml}}\n"
    )
}

const INTERNAL: &str = "endpointConfiguration: {types: [PRIVATE], vpcEndpointIds: [internal]}";

struct Stand {
    gateway: Gateway,
    folder: Folder,
    _upstream: Upstream,
}

impl Stand {
    fn new(pets: &str) -> Self {
        Self::with(pets, proxy_all)
    }

    fn with(pets: &str, definition: fn(std::net::SocketAddr) -> String) -> Self {
        let (folder, upstream) = (Folder::new(), Upstream::answering(ok("pets")));
        let gateway = Launch::file("gateway.yaml", &file(&folder, pets))
            .beside("api.yaml", &definition(upstream.address()))
            .listeners_of_file()
            .start();
        Self { gateway, folder, _upstream: upstream }
    }

    fn client(&self, listener: &str) -> Client {
        Client::connect_unix(&self.folder.join(listener))
    }

    /// Asks for a path at this host by this listener.
    fn ask(&self, listener: &str, host: &str) -> Answer {
        self.client(listener).ask(format!("GET /x HTTP/1.1\r\nhost: {host}\r\n\r\n"))
    }
}

const BY_ID: &str = "aaaaaaaaaa.execute-api.us-east-1.amazonaws.com";
const BY_ID_AND_LABEL: &str = "aaaaaaaaaa-internal.execute-api.us-east-1.amazonaws.com";
const BY_DOMAIN: &str = "pets.example.com";

#[test]
fn a_private_api_is_reached_by_its_listener_only() {
    let stand = Stand::new(INTERNAL);
    for host in [BY_ID, BY_ID_AND_LABEL, BY_DOMAIN] {
        assert_eq!(stand.ask("internal", host).text(), "pets", "{host}");
        for listener in ["public", "vpn"] {
            let refused = stand.ask(listener, host);
            refused.assert_refusal(403, "Forbidden");
            assert_eq!(refused.field("content-type"), Some("application/json"));
            assert!(refused.field("apigw-requestid").is_some());
        }
    }
    let header = "GET /x HTTP/1.1\r\nhost: it\r\nx-apigw-api-id: aaaaaaaaaa\r\n\r\n";
    assert_eq!(stand.client("internal").ask(header).text(), "pets");
    stand.client("public").ask(header).assert_refusal(403, "Forbidden");
    for listener in ["public", "internal", "vpn"] {
        let host = "bbbbbbbbbb.execute-api.us-east-1.amazonaws.com";
        assert_eq!(stand.ask(listener, host).text(), "pets", "the public one by {listener}");
    }
    // The connection stays: another API may be asked next.
    let mut client = stand.client("public");
    client.ask(header).assert_refusal(403, "Forbidden");
    assert_eq!(client.ask(header.replace("aaaaaaaaaa", "bbbbbbbbbb")).status, 200);
    let log = stand.gateway.folder.join("access.log");
    let reason = "\"errorMessage\":\"the API is private to other listeners\"";
    let told = || fs::read_to_string(&log).unwrap_or_default().matches(reason).count();
    eventually("the log says why", || told() == 8);
    let metrics = stand.gateway.metrics();
    assert!(metrics.contains("reason=\"forbidden\"} 8\n"), "{metrics}");
}

#[test]
fn it_may_be_private_to_several_labels_and_listeners_have_several() {
    let several = "endpointConfiguration: {vpcEndpointIds: [office, internal]}";
    let stand = Stand::new(several);
    assert_eq!(stand.ask("internal", BY_ID).status, 200);
    assert_eq!(stand.ask("vpn", BY_ID).status, 200);
    assert_eq!(stand.ask("public", BY_ID).status, 403);
    for public in ["{types: [REGIONAL]}", "{types: [EDGE]}", "{types: []}", "{}"] {
        let stand = Stand::new(&format!("endpointConfiguration: {public}"));
        assert_eq!(stand.ask("public", BY_ID).status, 200, "{public}");
    }
}

#[test]
fn streams_of_http2_are_held_to_it_too() {
    if !has("curl") {
        return;
    }
    let stand = Stand::new("endpointConfiguration: {types: [PRIVATE], vpcEndpointIds: [vpn]}");
    let ask = |host: &str| {
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "20", "--http2-prior-knowledge", "--unix-socket"])
            .arg(stand.folder.join("internal"))
            .args([&format!("http://{host}/x"), "-w", " %{http_code} %{http_version}"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(ask(BY_ID), "{\"message\":\"Forbidden\"} 403 2");
    assert_eq!(ask("bbbbbbbbbb.execute-api.local"), "pets 200 2");
}

/// As OpenAPI documents say it: in a server.
fn private_definition(upstream: std::net::SocketAddr) -> String {
    proxy_all(upstream).replace(
        "paths:",
        "servers:\n  - url: /\n    x-amazon-apigateway-endpoint-configuration:\n\
         \x20     vpcEndpointIds: [internal]\npaths:",
    )
}

#[test]
fn a_definition_may_say_it_and_the_gateway_file_goes_over_it() {
    let stand = Stand::with("", private_definition);
    assert_eq!(stand.ask("internal", BY_ID).status, 200);
    assert_eq!(stand.ask("public", BY_ID).status, 403);
    let moved = "endpointConfiguration: {types: [PRIVATE], vpcEndpointIds: [vpn]}";
    let stand = Stand::with(moved, private_definition);
    assert_eq!(stand.ask("internal", BY_ID).status, 403);
    assert_eq!(stand.ask("vpn", BY_ID).status, 200);
}

/// Labels of APIs change by a reload, also for connections that are open; those of listeners are
/// the listener's from start to end.
#[test]
fn labels_of_apis_reload_and_labels_of_listeners_restart() {
    let stand = Stand::new(INTERNAL);
    let reload = |text: &str| {
        stand.gateway.folder.write("gateway.yaml", text);
        exchange(stand.gateway.admin, "POST /reload HTTP/1.1\r\nhost: it\r\n\r\n")
    };
    let mut open = stand.client("internal");
    let request = format!("GET /x HTTP/1.1\r\nhost: {BY_ID}\r\n\r\n");
    assert_eq!(open.ask(&request).status, 200);
    let to_vpn = "endpointConfiguration: {types: [PRIVATE], vpcEndpointIds: [vpn, internal]}";
    for (pets, internal, vpn, public) in [
        ("endpointConfiguration: {vpcEndpointIds: [vpn]}", 403, 200, 403),
        (to_vpn, 200, 200, 403),
        ("endpointConfiguration: {types: [REGIONAL]}", 200, 200, 200),
        (INTERNAL, 200, 403, 403),
    ] {
        assert_eq!(reload(&file(&stand.folder, pets)).status, 200);
        assert_eq!(open.ask(&request).status, internal, "{pets}");
        assert_eq!(stand.ask("vpn", BY_ID).status, vpn, "{pets}");
        assert_eq!(stand.ask("public", BY_ID).status, public, "{pets}");
    }
    let said = "restart to apply that";
    assert!(!stand.gateway.said().contains(said), "{}", stand.gateway.said());
    // The file gives the label to another listener: the running ones do not change.
    let text = file(&stand.folder, INTERNAL);
    let swapped = text
        .replace("labels: [internal]", "labels: [OTHER]")
        .replace("labels: [vpn, office]", "labels: [internal]")
        .replace("OTHER", "other");
    assert_eq!(reload(&swapped).status, 200);
    eventually("the restart is asked for", || stand.gateway.said().contains(said));
    assert_eq!(stand.ask("internal", BY_ID).status, 200);
    assert_eq!(stand.ask("vpn", BY_ID).status, 403);
    // A label that only the next start will have opens nothing until then.
    let later = text
        .replace("labels: [internal]", "labels: [internal, later]")
        .replace("vpcEndpointIds: [internal]", "vpcEndpointIds: [later]");
    assert_eq!(reload(&later).status, 200);
    assert_eq!(stand.ask("internal", BY_ID).status, 403);
    // And a broken file changes nothing.
    let broken = text.replace("vpcEndpointIds: [internal]", "vpcEndpointIds: [interna]");
    assert_eq!(reload(&broken).status, 422);
    assert_eq!(stand.ask("internal", BY_ID).status, 403);
}

#[test]
fn what_is_wrong_with_endpoints_is_told_with_its_place() {
    let folder = Folder::new();
    folder.write("api.yaml", &proxy_all("127.0.0.1:9000".parse().unwrap()));
    let check = |pets: &str, flags: &[&str], expected: &[&str]| {
        let path = folder.write("gateway.yaml", &file(&folder, pets)).display().to_string();
        let command = if flags.is_empty() { "validate" } else { "run" };
        let ran = ringway(folder.path(), &[&[command, path.as_str()], flags].concat());
        let told = format!("{}{}", ran.output, ran.said);
        assert_eq!(ran.code, Some(1), "{told}");
        expected.iter().for_each(|part| assert!(told.contains(part), "{part}: {told}"));
    };
    let configured = |value: &str| format!("endpointConfiguration: {value}");
    let line = "gateway.yaml:8:";
    let private = |labels: &str| configured(&format!("{{types: [PRIVATE], {labels}}}"));
    let known = "it is private to interna, and no listener has that label";
    check(
        &private("vpcEndpointIds: [vpn, interna]"),
        &[],
        &[line, known, "did you mean internal?"],
    );
    let give = "give a listener of the gateway file labels: [elsewhere]";
    check(&private("vpcEndpointIds: [elsewhere]"), &[], &[line, give]);
    check(&private(""), &[], &[line, "PRIVATE without vpcEndpointIds and without a policy"]);
    let public = configured("{types: [REGIONAL], vpcEndpointIds: [vpn]}");
    check(&public, &[], &[line, "vpcEndpointIds has vpn, but its type lets everybody in"]);
    let two = configured("{types: [EDGE, PRIVATE], vpcEndpointIds: [vpn]}");
    check(&two, &[], &["2 items; at most 1 are taken"]);
    check(&configured("{types: [PRIVAT]}"), &[], &["did you mean PRIVATE?"]);
    let written = "\"Internal\" does not fit";
    check(&private("vpcEndpointIds: [Internal]"), &[], &[written, "write 1 to 63 of a-z 0-9 -"]);
    let flags = ["--listen", "127.0.0.1:0"];
    let replaced = "--listen replaces the file's listeners with their labels";
    check(INTERNAL, &flags, &[line, "no listener has that label", replaced]);
}

#[test]
fn explain_says_to_whom_an_api_is_private() {
    let folder = Folder::new();
    folder.write("api.yaml", &proxy_all("127.0.0.1:9000".parse().unwrap()));
    let both = "endpointConfiguration: {vpcEndpointIds: [vpn, internal]}";
    let path = folder.write("gateway.yaml", &file(&folder, both)).display().to_string();
    let url = format!("http://{BY_ID_AND_LABEL}/x");
    let ran = ringway(folder.path(), &["explain", &path, "GET", &url]);
    let line = "       private to listeners labelled vpn or internal\n";
    assert!(ran.output.contains(line), "{ran:?}");
}
