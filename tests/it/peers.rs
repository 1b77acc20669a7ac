//! Clients and servers that nobody here wrote: curl, Python, nginx, `http.server`.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    process::Command,
};

use crate::harness::{
    Client, Folder, Launch, Server, Upstream, dead_address, has, ok, pattern, proxy_all, run,
};

fn nginx(folder: &Folder, address: SocketAddr) -> Server {
    nginx_on(folder, &address.to_string(), move || TcpStream::connect(address).is_ok())
}

/// nginx with the files of `folder`, at whatever its `listen` takes.
pub(crate) fn nginx_on(folder: &Folder, listen: &str, listens: impl FnMut() -> bool) -> Server {
    let www = folder.join("www");
    let server = format!(
        "listen {listen}; root {}; location = /moved {{ return 302 /a.txt; }}\n\
         gzip on; gzip_proxied any; gzip_min_length 1; gzip_types text/plain;\n\
         default_type text/plain;",
        www.display()
    );
    Server::nginx(folder, &server, listens)
}

pub(crate) fn fill(folder: &Folder) -> Vec<u8> {
    let www = folder.join("www");
    fs::create_dir_all(&www).unwrap();
    fs::write(www.join("a.txt"), "hello from a file\n").unwrap();
    let big = pattern(5, 5_000_000);
    fs::write(www.join("big.bin"), &big).unwrap();
    big
}

#[test]
fn nginx_behind_the_gateway() {
    if !has("nginx") {
        return;
    }
    let (folder, address) = (Folder::new(), dead_address());
    let big = fill(&folder);
    let _server = nginx(&folder, address);
    let gateway = Launch::file("api.yaml", &proxy_all(address)).start();
    let mut client = Client::connect(gateway.address);
    for _ in 0..3 {
        assert_eq!(client.get("/a.txt").text(), "hello from a file\n");
        assert!(client.get("/big.bin").body == big);
        assert_eq!(
            client.ask("HEAD /big.bin HTTP/1.1\r\nhost: it\r\n\r\n").field("content-length"),
            Some("5000000")
        );
        assert_eq!(client.get("/moved").status, 302);
        assert_eq!(client.get("/missing").status, 404);
        let part = client.ask("GET /a.txt HTTP/1.1\r\nhost: it\r\nrange: bytes=0-4\r\n\r\n");
        assert_eq!((part.status, part.text().as_str()), (206, "hello"));
        let packed = client.ask("GET /a.txt HTTP/1.1\r\nhost: it\r\naccept-encoding: gzip\r\n\r\n");
        assert!(packed.is_chunked() && packed.body.starts_with(&[0x1f, 0x8b]), "{packed:?}");
        let etag = client.get("/a.txt").field("etag").unwrap().to_owned();
        let request = format!("GET /a.txt HTTP/1.1\r\nhost: it\r\nif-none-match: {etag}\r\n\r\n");
        assert_eq!(client.ask(request).status, 304);
    }
}

#[test]
fn python_s_http_server_behind_the_gateway() {
    if !has("python3") {
        return;
    }
    let (folder, address) = (Folder::new(), dead_address());
    let big = fill(&folder);
    let port = address.port().to_string();
    let mut command = Command::new("python3");
    command
        .args(["-m", "http.server", &port, "--bind", "127.0.0.1"])
        .current_dir(folder.join("www"));
    let _server = Server::start(&mut command, address);
    let gateway = Launch::file("api.yaml", &proxy_all(address)).start();
    let mut client = Client::connect(gateway.address);
    for _ in 0..3 {
        // HTTP/1.0 behind, keep-alive in front.
        assert_eq!(client.get("/a.txt").text(), "hello from a file\n");
        assert!(client.get("/big.bin").body == big);
        assert_eq!(client.get("/missing").status, 404);
        assert!(client.get("/").text().contains("big.bin"));
    }
}

#[test]
fn curl_before_the_gateway() {
    if !has("curl") {
        return;
    }
    let upstream = Upstream::echoing();
    let gateway = Launch::file("api.yaml", &proxy_all(upstream.address())).start();
    let folder = Folder::new();
    let body = pattern(9, 3_000_000);
    fs::write(folder.join("body"), &body).unwrap();
    let url = format!("http://{}/up", gateway.address);
    let base = ["-sS", "--fail", "--max-time", "20"];
    let table: [&[&str]; 5] = [
        &["--data-binary", "@body"],
        &["-H", "transfer-encoding: chunked", "--data-binary", "@body"],
        &["-T", "body"],
        &["-H", "expect: 100-continue", "--data-binary", "@body"],
        &["--http1.0", "--data-binary", "@body"],
    ];
    for more in table {
        let arguments = [&base[..], more, &[url.as_str()]].concat();
        let (done, output) = run("curl", &arguments, folder.path());
        assert!(done && output == body, "curl {more:?}: {} bytes", output.len());
    }
    let several =
        [&base[..], &["-w", "%{num_connects}", "-d", "x", &url, "-d", "y", &url]].concat();
    let (done, output) = run("curl", &several, folder.path());
    assert!(done && output.ends_with(b"0"), "{}: keep-alive", output.escape_ascii());
    assert!(run("curl", &["-sS", "--fail", "-I", &url], folder.path()).0);
}

const PYTHON: &str = r#"
import http.client, sys, urllib.request
host = sys.argv[1]
connection = http.client.HTTPConnection(host, timeout=20)
body = bytes(range(256)) * 4000
for _ in range(5):
    connection.request("POST", "/p", body)
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read() == body
    connection.request("POST", "/p", iter([b"a" * 1000, b"b" * 5]), encode_chunked=True,
                       headers={"transfer-encoding": "chunked"})
    assert connection.getresponse().read() == b"a" * 1000 + b"b" * 5
    connection.request("GET", "/g")
    answer = connection.getresponse()
    assert answer.read() == b"" and answer.getheader("apigw-requestid")
    connection.request("HEAD", "/h")
    assert connection.getresponse().read() == b""
with urllib.request.urlopen("http://" + host + "/u", timeout=20) as answer:
    assert answer.status == 200
print("fine")
"#;

#[test]
fn python_s_clients_before_the_gateway() {
    if !has("python3") {
        return;
    }
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            let body = if request.method == "HEAD" { Vec::new() } else { request.body };
            if !peer.send(ok(body)) {
                return;
            }
        }
    });
    let gateway = Launch::file("api.yaml", &proxy_all(upstream.address())).start();
    let folder = Folder::new();
    let host = gateway.address.to_string();
    let (done, output) = run("python3", &["-c", PYTHON, &host], folder.path());
    assert!(done, "{}", String::from_utf8_lossy(&output));
}
