//! Clients of HTTP/2 that nobody here wrote: curl, nghttp, h2load, httpx.

use std::{fs, path::Path, process::Command};

use crate::harness::{Folder, Gateway, Upstream, has, ok, pattern, proxy_all, python, run};

use super::target::launch;

/// An upstream that answers with the request's body, and a gateway before it.
fn echo() -> (Upstream, Gateway) {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            let body = if request.method == "HEAD" { Vec::new() } else { request.body };
            if !peer.send(ok(body)) {
                return;
            }
        }
    });
    let gateway = launch(&proxy_all(upstream.address()), "").start();
    (upstream, gateway)
}

/// One request for each connection: curl 7.88 cannot use one of prior knowledge again (error 16, with
/// nghttpd as with us).
#[test]
fn curl() {
    if !has("curl") {
        return;
    }
    let (_upstream, gateway) = echo();
    let folder = Folder::new();
    let body = pattern(9, 3_000_000);
    fs::write(folder.join("body"), &body).unwrap();
    let url = format!("http://{}/up", gateway.address);
    let base = ["-sS", "--fail", "--max-time", "20", "--http2-prior-knowledge"];
    let table: [&[&str]; 4] = [
        &["--data-binary", "@body"],
        &["-H", "content-type: text/plain", "-H", "cookie: a=1", "--data-binary", "@body"],
        &["-T", "body"],
        &["-H", "expect: 100-continue", "--data-binary", "@body"],
    ];
    for more in table {
        let arguments = [&base[..], more, &[url.as_str()]].concat();
        let (done, output) = run("curl", &arguments, folder.path());
        assert!(done && output == body, "curl {more:?}: {} bytes", output.len());
    }
    let head = [&base[..], &["-I", &url]].concat();
    let (done, output) = run("curl", &head, folder.path());
    assert!(done && output.starts_with(b"HTTP/2 200"), "{}", output.escape_ascii());
}

/// `--http2` on a plain listener asks for an upgrade (RFC 7540 3.2), which RFC 9113 has no more.
#[test]
fn curl_that_asks_for_an_upgrade_stays_with_http1() {
    if !has("curl") {
        return;
    }
    let (_upstream, gateway) = echo();
    let url = format!("http://{}/up", gateway.address);
    let arguments = ["-sS", "--fail", "--max-time", "20", "--http2", "-w", "%{http_version}", &url];
    let (done, output) = run("curl", &arguments, Folder::new().path());
    assert!(done && output == b"1.1", "{}", output.escape_ascii());
}

#[test]
fn nghttp() {
    if !has("nghttp") {
        return;
    }
    let (_upstream, gateway) = echo();
    let folder = Folder::new();
    let body = pattern(11, 500_000);
    fs::write(folder.join("body"), &body).unwrap();
    let url = format!("http://{}/up", gateway.address);
    for more in [&[][..], &["--no-content-length"], &["--trailer", "x-sum: 1"], &["-p", "200"]] {
        let arguments = [&["-d", "body"], more, &[&url]].concat();
        let (done, output) = run("nghttp", &arguments, folder.path());
        assert!(done && output == body, "nghttp {more:?}: {} bytes", output.len());
    }
    let verbose = ["-nv", "-m", "20", "-H", ":method: PUT", "-d", "body", &url];
    let (done, output) = run("nghttp", &verbose, folder.path());
    let text = String::from_utf8_lossy(&output);
    assert!(done && text.matches(":status: 200").count() == 20, "{text}");
}

#[test]
fn h2load() {
    if !has("h2load") {
        return;
    }
    let (_upstream, gateway) = echo();
    let folder = Folder::new();
    fs::write(folder.join("body"), pattern(12, 2_000)).unwrap();
    let url = format!("http://{}/up", gateway.address);
    for more in [&[][..], &["-d", "body"]] {
        let base = ["-n", "4000", "-c", "8", "-m", "16", "-T", "20", "-N", "20"];
        let (done, output) = run("h2load", &[&base[..], more, &[&url]].concat(), folder.path());
        let text = String::from_utf8_lossy(&output);
        let all = "4000 total, 4000 started, 4000 done, 4000 succeeded, 0 failed, 0 errored";
        assert!(done && text.contains(all) && text.contains("4000 2xx"), "{more:?}: {text}");
    }
}

#[test]
fn httpx() {
    let Some(python) = python() else { return };
    let (_upstream, gateway) = echo();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/http2/httpx_client.py");
    let url = format!("http://{}", gateway.address);
    let output = Command::new(python).arg(script).arg(url).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout == b"fine\n", "{said}");
}
