//! gRPC through the gateway, with the client and the server of Python's grpcio: HTTP/2 on both
//! sides, trailers, streams that go both ways at the same time.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use crate::harness::{Authority, Folder, Gateway, Launch, Wish, gateway_file, proxy_all, python};

use super::target::launch;

/// Functions of `grpc_client.py`.
const CASES: [&str; 13] = [
    "unary",
    "large",
    "empty",
    "server_streaming",
    "client_streaming",
    "bidirectional",
    "resting",
    "error",
    "error_in_the_middle",
    "unknown_method",
    "deadline",
    "cancellation",
    "side_by_side",
];

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/http2").join(name)
}

/// A server in Python; killed on drop.
struct Server(Child);

impl Server {
    /// The server, and its port.
    fn start(python: &Path, arguments: &[PathBuf]) -> (Self, u16) {
        let mut command = Command::new(python);
        command.arg(script("grpc_server.py")).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Self(child), line.trim().parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(port: u16) -> Gateway {
    let upstream = ([127, 0, 0, 1], port).into();
    let more = format!("upstreams: [{{origin: 'http://{upstream}', protocolVersion: HTTP2}}]");
    launch(&proxy_all(upstream), &more).start()
}

fn call(python: &Path, gateway: &Gateway, case: &str) -> Result<(), String> {
    call_at(python, gateway.address, case, &[])
}

/// With the file of an authority: by TLS.
fn call_at(python: &Path, address: SocketAddr, case: &str, more: &[PathBuf]) -> Result<(), String> {
    let mut command = Command::new(python);
    command.arg(script("grpc_client.py")).arg(address.to_string()).arg(case).args(more);
    let output = command.output().unwrap();
    if output.status.success() && output.stdout == b"fine\n" {
        return Ok(());
    }
    Err(format!("{case}:\n{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn every_kind_of_call() {
    let Some(python) = python() else { return };
    let (_server, port) = Server::start(python, &[]);
    let gateway = start(port);
    check_all(|case| call(python, &gateway, case));
}

/// The same by TLS from end to end; the upstream asks the gateway for a certificate.
#[test]
fn every_kind_of_call_by_tls() {
    let Some(python) = python() else { return };
    let authority = Authority::new("it");
    let folder = Folder::new();
    let pair = authority.sign(&Wish::host(&["localhost"]));
    pair.write(&folder, "a");
    let ca = folder.write("ca.pem", &authority.pem);
    let files = [folder.join("a.pem"), folder.join("a.key"), ca];
    let (_server, port) = Server::start(python, &files);
    let [chain, key, ca] = files.map(|path| path.display().to_string());
    let origin = format!("https://localhost:{port}");
    let more = format!(
        "listeners:\n  - {{address: '127.0.0.1:0', tls: {{certificates: [{{certificate: '{chain}', \
         privateKey: '{key}'}}]}}}}\n  - {{address: '127.0.0.2:0'}}\n\
         upstreams: [{{origin: '{origin}', protocolVersion: HTTP2, \
         connectTo: '127.0.0.1:{port}', tls: {{caCertificates: '{ca}', \
         clientCertificate: {{certificate: '{chain}', privateKey: '{key}'}}}}}}]"
    );
    let file = gateway_file("api.yaml", &["{stageName: $default}"], &more);
    let upstream = ([127, 0, 0, 1], port).into();
    let definition = proxy_all(upstream).replace(&format!("http://{upstream}"), &origin);
    let launch = Launch::file("gateway.yaml", &file).listeners_of_file();
    let gateway = launch.beside("api.yaml", &definition).start();
    check_all(|case| call_at(python, gateway.tls[0], case, &[PathBuf::from(&ca)]));
}

fn check_all(call: impl Fn(&str) -> Result<(), String> + Sync) {
    let failures: Vec<String> = thread::scope(|scope| {
        let call = &call;
        let calls = CASES.map(|case| scope.spawn(move || call(case)));
        calls.into_iter().filter_map(|call| call.join().unwrap().err()).collect()
    });
    assert!(failures.is_empty(), "{} cases:\n\n{}", failures.len(), failures.join("\n\n"));
}

/// What a gRPC client makes of a gateway whose upstream is gone: an answer, not a hang.
#[test]
fn a_server_that_is_gone() {
    let Some(python) = python() else { return };
    let (server, port) = Server::start(python, &[]);
    let gateway = start(port);
    assert_eq!(call(python, &gateway, "unary"), Ok(()));
    drop(server);
    let failed = call(python, &gateway, "unary").unwrap_err();
    assert!(failed.contains("StatusCode.UNAVAILABLE"), "{failed}");
}
