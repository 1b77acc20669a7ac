//! CORS by clients that nobody here wrote: curl, over HTTP/1.1 and HTTP/2.

use crate::harness::{Folder, Launch, has, run};

use super::{APP, CORS, definition, telling};

#[test]
fn curl_asks_as_a_browser_does() {
    if !has("curl") {
        return;
    }
    let upstream = telling();
    let gateway = Launch::file("api.yaml", &definition(&upstream, CORS))
        .flag("--listen-tls", "127.0.0.1:0")
        .start();
    let folder = Folder::new();
    let origin = format!("Origin: {APP}");
    let ask = |version: &str, target: &str, more: &[&str]| {
        let url = format!("https://{}{target}", gateway.tls[0]);
        let mut arguments = vec!["-skD", "-", "-o", "/dev/null", version];
        arguments.extend(more);
        arguments.push(&url);
        let (done, output) = run("curl", &arguments, folder.path());
        assert!(done, "{arguments:?}");
        let text = String::from_utf8(output).unwrap();
        let is_told = |line: &str| {
            ["HTTP", "access-control", "vary", "x-told"].iter().any(|start| line.starts_with(start))
        };
        let lines = text.lines().map(str::trim).filter(|line| is_told(line));
        let mut lines: Vec<_> = lines.map(|line| line.replace("access-control-", "")).collect();
        // HTTP/2's fields of one name come together.
        lines[1..].sort_unstable();
        lines
    };
    for (version, shown) in [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2")] {
        let preflight =
            ["-X", "OPTIONS", "-H", &origin, "-H", "Access-Control-Request-Method: PUT"];
        let answer = ask(version, "/pets", &preflight);
        assert!(answer[0].starts_with(&format!("{shown} 204")), "{answer:?}");
        let expected = [
            "allow-credentials: true",
            "allow-headers: x-one,authorization",
            "allow-methods: GET,PUT",
            "allow-origin: https://app.example.com",
            "max-age: 300",
        ];
        assert_eq!(answer[1..], expected);
        let told = [
            "allow-credentials: true",
            "allow-origin: https://app.example.com",
            "expose-headers: x-told,date",
            "vary: origin",
        ];
        let answer = ask(version, "/pets", &["-X", "PUT", "-d", "x=1", "-H", &origin]);
        assert!(answer[0].starts_with(&format!("{shown} 200")), "{answer:?}");
        assert_eq!(answer[1..4], told[..3]);
        assert_eq!(answer[4..], ["vary: accept", "vary: origin", "x-told: yes"]);
        let answer = ask(version, "/nowhere", &["-H", &origin]);
        assert!(answer[0].starts_with(&format!("{shown} 404")), "{answer:?}");
        assert_eq!(answer[1..], told);
        let answer = ask(version, "/pets", &["-H", "Origin: https://evil.example"]);
        assert_eq!(answer[1..], ["vary: accept", "vary: origin", "x-told: yes"]);
    }
}
