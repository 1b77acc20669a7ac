//! Clients of HTTP/2 that nobody here wrote: curl, nghttp, h2load, httpx; each by prior knowledge
//! on a plain listener, and by ALPN under TLS.

use std::{fs, path::Path, process::Command};

use crate::harness::{Folder, Gateway, Launch, Upstream, has, ok, pattern, proxy_all, python, run};

use super::target::launch;

/// How the clients come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Plain,
    /// With a certificate that the gateway made for itself.
    Tls,
}

/// An upstream that answers with the request's body, and a gateway before it.
struct Echo {
    _upstream: Upstream,
    _gateway: Gateway,
    url: String,
}

fn echo(door: Door) -> Echo {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            let body = if request.method == "HEAD" { Vec::new() } else { request.body };
            if !peer.send(ok(body)) {
                return;
            }
        }
    });
    let api = proxy_all(upstream.address());
    let (gateway, url) = match door {
        Door::Plain => {
            let gateway = launch(&api, "").start();
            let url = format!("http://{}/up", gateway.address);
            (gateway, url)
        }
        Door::Tls => {
            let gateway =
                Launch::file("api.yaml", &api).flag("--listen-tls", "127.0.0.1:0").start();
            let url = format!("https://{}/up", gateway.tls[0]);
            (gateway, url)
        }
    };
    Echo { _upstream: upstream, _gateway: gateway, url }
}

/// Under prior knowledge one request for each connection: curl 7.88 cannot use one again (error 16,
/// with nghttpd as with us).
#[test]
fn curl() {
    if !has("curl") {
        return;
    }
    let folder = Folder::new();
    let body = pattern(9, 3_000_000);
    fs::write(folder.join("body"), &body).unwrap();
    for (door, flag) in [(Door::Plain, "--http2-prior-knowledge"), (Door::Tls, "--http2")] {
        let echo = echo(door);
        let base = ["-sS", "--fail", "--max-time", "20", "-k", flag];
        let table: [&[&str]; 4] = [
            &["--data-binary", "@body"],
            &["-H", "content-type: text/plain", "-H", "cookie: a=1", "--data-binary", "@body"],
            &["-T", "body"],
            &["-H", "expect: 100-continue", "--data-binary", "@body"],
        ];
        for more in table {
            let arguments = [&base[..], more, &[echo.url.as_str()]].concat();
            let (done, output) = run("curl", &arguments, folder.path());
            assert!(done && output == body, "{door:?}, curl {more:?}: {} bytes", output.len());
        }
        let head = [&base[..], &["-I", &echo.url]].concat();
        let (done, output) = run("curl", &head, folder.path());
        assert!(done && output.starts_with(b"HTTP/2 200"), "{}", output.escape_ascii());
    }
}

#[test]
fn curl_keeps_its_connection_under_tls() {
    if !has("curl") {
        return;
    }
    let echo = echo(Door::Tls);
    let said = " %{http_version} %{num_connects}\n";
    let url = echo.url.as_str();
    let arguments = ["-sS", "-k", "--max-time", "20", "-w", said, "-d", "x", url, url, url];
    let (done, output) = run("curl", &arguments, Folder::new().path());
    assert!(done && output == b"x 2 1\nx 2 0\nx 2 0\n", "{}", output.escape_ascii());
    let forty = format!("{url}/[1-40]");
    let parallel = ["-sS", "-k", "--max-time", "20", "-Z", "-w", "%{http_version}\n", &forty];
    let (done, output) = run("curl", &parallel, Folder::new().path());
    assert!(done && output == b"2\n".repeat(40), "{}", output.escape_ascii());
}

/// `--http2` on a plain listener asks for an upgrade (RFC 7540 3.2), which RFC 9113 has no more.
#[test]
fn curl_that_asks_for_an_upgrade_stays_with_http1() {
    if !has("curl") {
        return;
    }
    let echo = echo(Door::Plain);
    let said = "%{http_version}";
    let arguments = ["-sS", "--fail", "--max-time", "20", "--http2", "-w", said, &echo.url];
    let (done, output) = run("curl", &arguments, Folder::new().path());
    assert!(done && output == b"1.1", "{}", output.escape_ascii());
}

#[test]
fn nghttp() {
    if !has("nghttp") {
        return;
    }
    let folder = Folder::new();
    let body = pattern(11, 500_000);
    fs::write(folder.join("body"), &body).unwrap();
    for door in [Door::Plain, Door::Tls] {
        let echo = echo(door);
        let url = echo.url.as_str();
        for more in [&[][..], &["--no-content-length"], &["--trailer", "x-sum: 1"], &["-p", "200"]]
        {
            let arguments = [&["-d", "body"], more, &[url]].concat();
            let (done, output) = run("nghttp", &arguments, folder.path());
            assert!(done && output == body, "{door:?}, nghttp {more:?}: {} bytes", output.len());
        }
        let verbose = ["-nv", "-m", "20", "-H", ":method: PUT", "-d", "body", url];
        let (done, output) = run("nghttp", &verbose, folder.path());
        let text = String::from_utf8_lossy(&output);
        assert!(done && text.matches(":status: 200").count() == 20, "{door:?}: {text}");
    }
}

#[test]
fn h2load() {
    if !has("h2load") {
        return;
    }
    let folder = Folder::new();
    fs::write(folder.join("body"), pattern(12, 2_000)).unwrap();
    for door in [Door::Plain, Door::Tls] {
        let echo = echo(door);
        for more in [&[][..], &["-d", "body"]] {
            let base = ["-n", "4000", "-c", "8", "-m", "16", "-T", "20", "-N", "20"];
            let arguments = [&base[..], more, &[echo.url.as_str()]].concat();
            let (done, output) = run("h2load", &arguments, folder.path());
            let text = String::from_utf8_lossy(&output);
            let all = "4000 total, 4000 started, 4000 done, 4000 succeeded, 0 failed, 0 errored";
            assert!(done && text.contains(all) && text.contains("4000 2xx"), "{more:?}: {text}");
        }
    }
}

#[test]
fn httpx() {
    let Some(python) = python() else { return };
    for door in [Door::Plain, Door::Tls] {
        let echo = echo(door);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/http2/httpx_client.py");
        let output = Command::new(python).arg(script).arg(&echo.url).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && output.stdout == b"fine\n", "{door:?}: {said}");
    }
}
