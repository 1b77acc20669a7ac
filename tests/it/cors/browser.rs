//! A real browser, headless Chromium, with a page of another origin than the gateway: what the page
//! is let see of preflighted and credentialed requests, allowed and refused.

use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::harness::{Folder, Launch, PATIENCE, Server, Upstream, dead_address, has};

use super::definition;

const PAGE: &str = include_str!("page.html");

/// Answers with the cookie that came along, and sets one.
fn remembering() -> Upstream {
    Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            let body = format!("{} {}", request.method, request.field("cookie").unwrap_or("-"));
            let head = format!(
                "HTTP/1.1 200 OK\r\nset-cookie: seen=1\r\nx-told: yes\r\nx-hidden: yes\r\n\
                 access-control-allow-origin: *\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            if !peer.send(head + &body) {
                return;
            }
        }
    })
}

/// What Chromium's page says at its end; the browser is ended when it takes too long.
fn dump(folder: &Folder, url: &str) -> String {
    let output = folder.join("dom.html");
    let errors = folder.join("chromium.log");
    let file = |path| Stdio::from(std::fs::File::create(path).unwrap());
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let mut browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
        .args(["--no-proxy-server", "--dump-dom", "--virtual-time-budget=20000"])
        .args([&profile, url])
        .stdout(file(&output))
        .stderr(file(&errors))
        .spawn()
        .unwrap();
    let end = Instant::now() + 3 * PATIENCE;
    while browser.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            browser.kill().unwrap();
            browser.wait().unwrap();
            panic!("Chromium does not end: {}", std::fs::read_to_string(&errors).unwrap());
        }
        thread::sleep(Duration::from_millis(50));
    }
    let dom = std::fs::read_to_string(&output).unwrap();
    let text = dom.split("<pre id=\"saw\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let text = text.unwrap_or_else(|| panic!("no page: {dom}"));
    assert!(text.ends_with("end\n"), "the page is not through: {dom}");
    text.to_owned()
}

#[test]
fn chromium_lets_pages_see_what_cors_says() {
    if !(has("chromium") && has("python3")) {
        return;
    }
    let folder = Folder::new();
    folder.write("index.html", PAGE);
    let pages = dead_address();
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", "--bind", "127.0.0.1", &pages.port().to_string()]);
    let _pages = Server::start(command.current_dir(folder.path()), pages);
    // The page's host has a cookie of the gateway's too: a cookie knows no port.
    let allowed = format!("http://127.0.0.1:{}", pages.port());
    let refused = format!("http://localhost:{}", pages.port());
    let upstream = remembering();
    let cors = |credentials: bool| {
        format!(
            "x-amazon-apigateway-cors: {{allowOrigins: ['{allowed}'], allowMethods: [PUT], \
             allowHeaders: [x-one], exposeHeaders: [x-told], allowCredentials: {credentials}}}\n"
        )
    };
    let with = Launch::file("api.yaml", &definition(&upstream, &cors(true))).start();
    let without = Launch::file("api.yaml", &definition(&upstream, &cors(false))).start();
    let see = |from: &str, gateway: std::net::SocketAddr| {
        dump(&folder, &format!("{from}/index.html#http://{gateway}"))
    };
    let expected = "\
simple: 200 GET - told=yes hidden=null
preflighted: 200 PUT - told=yes hidden=null
credentials: 200 GET - told=yes hidden=null
both: 200 PUT seen=1 told=yes hidden=null
no route: 404 {\"message\":\"Not Found\"} told=null hidden=null
no key: 403 {\"message\":\"Forbidden\"} told=null hidden=null
method: blocked
header: blocked
end
";
    assert_eq!(see(&allowed, with.address), expected);
    let sent = upstream.requests();
    assert!(sent.iter().all(|request| ["GET", "PUT"].contains(&request.method.as_str())));
    assert_eq!(sent.len(), 4, "no preflight went on, and nothing that it forbade");
    let expected = "\
simple: 200 GET - told=yes hidden=null
preflighted: 200 PUT - told=yes hidden=null
credentials: blocked
both: blocked
no route: 404 {\"message\":\"Not Found\"} told=null hidden=null
no key: blocked
method: blocked
header: blocked
end
";
    assert_eq!(see(&allowed, without.address), expected);
    let blocked = see(&refused, with.address);
    assert_eq!(blocked.matches(": blocked\n").count(), 8, "{blocked}");
}
