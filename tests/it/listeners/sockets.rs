//! The sockets themselves.

use std::{fs, net::TcpListener, os::unix::fs::MetadataExt, path::Path, process::Command, thread};

use super::{listening, total, unix};
use crate::harness::{Client, Folder, Launch, Upstream, eventually, has, ok, proxy_all};

/// Passes sockets on as systemd does: `NAME=IP:PORT` and `NAME=/path` before `--`.
const SYSTEMD: &str = r#"
import os, socket, sys
at = sys.argv.index("--")
names, sockets = [], []
for word in sys.argv[1:at]:
    name, address = word.split("=")
    if address.startswith("/"):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.bind(address)
    else:
        host, port = address.rsplit(":", 1)
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.bind((host, int(port)))
    made.listen(128)
    names.append(name)
    sockets.append(os.dup2(made.fileno(), 100 + len(sockets)))
for place, number in enumerate(sockets):
    os.dup2(number, 3 + place, inheritable=True)
    os.close(number)
os.environ["LISTEN_FDS"] = str(len(sockets))
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDNAMES"] = ":".join(names)
os.execv("/bin/sh", ["sh", "-c", 'exec "$0" "$@"'] + sys.argv[at + 1:])
"#;

fn with_systemd(launch: Launch, sockets: &[String]) -> Launch {
    let mut words = vec!["python3", "-c", SYSTEMD];
    words.extend(sockets.iter().map(String::as_str));
    words.push("--");
    launch.by(&words)
}

fn echoing() -> (Upstream, String) {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            if !peer.send(ok(request.field("x-forwarded-for").unwrap())) {
                return;
            }
        }
    });
    let definition = proxy_all(upstream.address());
    (upstream, definition)
}

#[test]
fn a_unix_socket_serves_as_a_port_does() {
    let (upstream, definition) = echoing();
    let folder = Folder::new();
    let path = folder.join("http.sock");
    let mut gateway = listening(&[&unix(&path, ", mode: \"0600\"")], &definition).start();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let mut client = Client::connect_unix(&path);
    for _ in 0..3 {
        assert_eq!(client.get("/a").text(), "127.0.0.1");
    }
    let request = &upstream.requests()[0];
    assert_eq!(request.field("x-forwarded-port"), Some("80"));
    let forwarded = "by=127.0.0.1;for=127.0.0.1;host=it;proto=http";
    assert_eq!(request.field("forwarded"), Some(forwarded));
    assert!(gateway.said().contains(&format!("listening on unix:{}\n", path.display())));
    gateway.signal("TERM");
    assert!(gateway.wait().success(), "{}", gateway.said());
    assert!(!path.exists(), "the socket's file is left");
}

#[test]
fn curl_over_a_unix_socket() {
    if !has("curl") {
        return;
    }
    let (_upstream, definition) = echoing();
    let folder = Folder::new();
    let path = folder.join("http.sock");
    let _gateway = listening(&[&unix(&path, "")], &definition).start();
    let output = Command::new("curl")
        .args(["-sS", "--fail", "--max-time", "20", "--unix-socket"])
        .args([path.as_os_str(), "http://localhost/x".as_ref()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "127.0.0.1", "{output:?}");
}

#[test]
fn a_unix_socket_may_speak_tls() {
    if !has("curl") {
        return;
    }
    let (upstream, definition) = echoing();
    let folder = Folder::new();
    let path = folder.join("https.sock");
    let address = format!("unix:{}", path.display());
    let launch = Launch::file("api.yaml", &definition).listeners_of_file();
    let gateway = launch.flag("--listen-tls", &address).start();
    let output = Command::new("curl")
        .args(["-sSk", "--fail", "--max-time", "20", "https://localhost/", "--unix-socket"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "127.0.0.1", "{output:?}");
    let request = upstream.only_request();
    assert_eq!(request.field("x-forwarded-port"), Some("443"));
    assert_eq!(request.field("x-forwarded-proto"), Some("https"));
    assert!(gateway.said().contains(&format!("listening on {address} (TLS)\n")));
}

/// A local proxy on a Unix socket is believed when the listener trusts 127.0.0.1.
#[test]
fn a_unix_client_counts_as_this_machine() {
    let (_upstream, definition) = echoing();
    let folder = Folder::new();
    let (plain, trusting) = (folder.join("plain"), folder.join("trusting"));
    let listeners = [unix(&plain, ""), unix(&trusting, ", trustedProxies: [127.0.0.1]")];
    let _gateway = listening(&[&listeners[0], &listeners[1]], &definition).start();
    let request = "GET / HTTP/1.1\r\nhost: it\r\nx-forwarded-for: 192.0.2.7\r\n\r\n";
    assert_eq!(Client::connect_unix(&plain).ask(request).text(), "127.0.0.1");
    assert_eq!(Client::connect_unix(&trusting).ask(request).text(), "192.0.2.7, 127.0.0.1");
}

#[test]
fn a_dead_socket_is_taken_over_and_a_live_one_refused() {
    let (_upstream, definition) = echoing();
    let folder = Folder::new();
    let path = folder.join("http.sock");
    let launch = || listening(&[&unix(&path, "")], &definition);
    let mut killed = launch().start();
    killed.signal("KILL");
    let _ = killed.wait();
    assert!(path.exists(), "a killed process leaves its file");
    let mut gateway = launch().start();
    assert_eq!(Client::connect_unix(&path).get("/").status, 200);
    let Err((status, said)) = launch().try_start() else { panic!("two on one socket") };
    let sentence = format!("unix:{} is in use by another program", path.display());
    assert!(said.contains(&sentence), "{said}");
    assert_eq!(status.and_then(|status| status.code()), Some(1));
    assert_eq!(Client::connect_unix(&path).get("/").status, 200, "the first one still serves");
    gateway.signal("TERM");
    assert!(gateway.wait().success());
    fs::write(&path, "a file").unwrap();
    let Err((_, said)) = launch().try_start() else { panic!("over a file") };
    assert!(said.contains("is there and is no socket"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), b"a file");
}

/// The next one starts while this one finishes what is in flight; its file must outlive that.
#[test]
fn a_successor_keeps_its_socket() {
    let folder = Folder::new();
    let path = folder.join("http.sock");
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let upstream = Upstream::start(move |mut peer| {
        while let Some(request) = peer.request() {
            if request.target == "/slow" {
                let _ = held.lock().unwrap().recv();
            }
            if !peer.send(ok("done")) {
                return;
            }
        }
    });
    let definition = proxy_all(upstream.address());
    let launch = || listening(&[&unix(&path, "")], &definition);
    let mut first = launch().start();
    let mut slow = Client::connect_unix(&path);
    slow.send("GET /slow HTTP/1.1\r\nhost: it\r\n\r\n");
    eventually("it is on its way", || upstream.requests().len() == 1);
    first.signal("TERM");
    eventually("it lets go of the path", || !path.exists());
    let _second = launch().start();
    assert_eq!(Client::connect_unix(&path).get("/").text(), "done");
    release.send(()).unwrap();
    assert_eq!(slow.answer().text(), "done");
    assert!(first.wait().success());
    assert_eq!(Client::connect_unix(&path).get("/").text(), "done", "its file was taken away");
}

#[test]
fn shards_take_turns_on_a_unix_socket() {
    let (_upstream, definition) = echoing();
    let folder = Folder::new();
    let path = folder.join("http.sock");
    let gateway = listening(&[&unix(&path, "")], &definition).shards(2).start();
    let mut clients: Vec<Client> = (0..40).map(|_| Client::connect_unix(&path)).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").status, 200);
    }
    let accepted = total(&gateway.metrics(), "ringway_connections_accepted_total");
    assert_eq!(accepted, [20, 20]);
}

#[test]
fn the_private_port_may_be_a_unix_socket() {
    let (_upstream, definition) = echoing();
    let folder = Folder::new();
    let (path, admin) = (folder.join("http.sock"), folder.join("admin.sock"));
    let flag = format!("unix:{}", admin.display());
    let mut gateway = listening(&[&unix(&path, "")], &definition).flag("--admin", &flag).start();
    let health = Client::connect_unix(&admin).get("/healthz");
    assert!(health.text().contains("\"status\":\"ok\""), "{health:?}");
    let plan = Client::connect_unix(&admin).get("/plan").text();
    assert!(plan.contains(&format!("\"listeners\":[\"unix:{}\"]", path.display())), "{plan}");
    gateway.signal("TERM");
    assert!(gateway.wait().success());
    assert!(!path.exists() && !admin.exists());
}

#[test]
fn systemd_s_sockets_are_taken_by_name_and_by_place() {
    if !has("python3") {
        return;
    }
    let (upstream, definition) = echoing();
    let folder = Folder::new();
    let path = folder.join("local.sock");
    let passed = ["web=127.0.0.1:0".to_owned(), format!("local={}", path.display())];
    let listeners = ["{address: 'systemd:web'}", "{address: 'systemd:1'}"];
    let launch = with_systemd(listening(&listeners, &definition).shards(2), &passed);
    let mut gateway = launch.start();
    for _ in 0..20 {
        assert_eq!(Client::connect(gateway.address).get("/").text(), "127.0.0.1");
        assert_eq!(Client::connect_unix(&path).get("/").text(), "127.0.0.1");
    }
    let port = gateway.address.port().to_string();
    assert_eq!(upstream.requests()[0].field("x-forwarded-port"), Some(port.as_str()));
    let accepted = total(&gateway.metrics(), "ringway_connections_accepted_total");
    assert!(accepted.iter().all(|count| *count >= 10), "{accepted:?}");
    // A keep-alive connection outlives the bound on accept(2) that its listener's socket has.
    let mut idle = Client::connect(gateway.address);
    assert_eq!(idle.get("/").status, 200);
    thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(idle.get("/").status, 200);
    gateway.signal("TERM");
    assert!(gateway.wait().success());
    assert!(path.exists(), "systemd's file is systemd's");
}

#[test]
fn systemd_s_mistakes_are_told() {
    if !has("python3") {
        return;
    }
    let (_upstream, definition) = echoing();
    let passed = ["web=127.0.0.1:0".to_owned(), "more=127.0.0.1:0".to_owned()];
    let refused = |listeners: &[&str], passed: &[String]| {
        let launch = listening(listeners, &definition);
        let launch = if passed.is_empty() { launch } else { with_systemd(launch, passed) };
        let Err((status, said)) = launch.try_start() else { panic!("{listeners:?} started") };
        assert_eq!(status.and_then(|status| status.code()), Some(1), "{said}");
        said
    };
    let said = refused(&["{address: 'systemd:wep'}"], &passed);
    assert!(said.contains("systemd:wep: systemd passes no such socket, but web, more"), "{said}");
    let said = refused(&["{address: 'systemd:web'}"], &[]);
    assert!(said.contains("systemd passes no sockets to this process"), "{said}");
    let said = refused(&["{address: 'systemd:web'}", "{address: 'systemd:0'}"], &passed);
    assert!(said.contains("is another listener's too"), "{said}");
    let launch = listening(&["{address: 'systemd:web'}"], &definition);
    let gateway = with_systemd(launch, &passed).start();
    let told = "no listener takes systemd's socket more: its clients will wait";
    assert!(gateway.said().contains(told), "{}", gateway.said());
}

/// The real thing, as far as it goes without systemd as the first process.
#[test]
fn systemd_socket_activate_starts_it() {
    if !has("systemd-socket-activate") {
        return;
    }
    let (_upstream, definition) = echoing();
    let folder = Folder::new();
    let path = folder.join("local.sock");
    let listen = format!("--listen={}", path.display());
    let words = ["systemd-socket-activate", "--fdname=local", listen.as_str()];
    let launch = listening(&["{address: 'systemd:local'}"], &definition).by(&words);
    // It starts the program when the first client comes, who waits for that.
    let asking = thread::spawn(move || {
        let is_there = || Client::try_connect_unix(&path).is_ok();
        eventually("systemd-socket-activate listens", is_there);
        Client::connect_unix(&path).get("/").text()
    });
    let _gateway = launch.start();
    assert_eq!(asking.join().unwrap(), "127.0.0.1");
}

fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

#[test]
fn a_wildcard_of_ipv6_takes_ipv4_too_unless_that_has_a_listener_of_its_own() {
    if !has_ipv6() {
        eprintln!("SKIPPED: no IPv6 here");
        return;
    }
    let (upstream, definition) = echoing();
    let gateway = listening(&["{address: '[::]:0'}"], &definition).shards(2).start();
    let port = gateway.address.port();
    let ask = |host: &str| Client::connect(format!("{host}:{port}").parse().unwrap()).get("/");
    assert_eq!(ask("127.0.0.1").text(), "127.0.0.1", "not ::ffff:127.0.0.1");
    assert_eq!(ask("[::1]").text(), "::1");
    let by: Vec<String> =
        upstream.requests().iter().map(|one| one.field("forwarded").unwrap().to_owned()).collect();
    assert!(by[0].starts_with("by=127.0.0.1;for=127.0.0.1;"), "{by:?}");
    assert!(by[1].starts_with("by=\"[::1]\";for=\"[::1]\";"), "{by:?}");
    drop(gateway);
    let pair = ["{address: '0.0.0.0:PORT'}", "{address: '[::]:PORT'}"];
    let free = TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port().to_string();
    let pair = pair.map(|one| one.replace("PORT", &free));
    let gateway = listening(&[&pair[0], &pair[1]], &definition).start();
    let port = gateway.address.port();
    let ask = |host: &str| Client::connect(format!("{host}:{port}").parse().unwrap()).get("/");
    assert_eq!(ask("127.0.0.1").text(), "127.0.0.1");
    assert_eq!(ask("[::1]").text(), "::1");
}

#[test]
fn what_cannot_be_listened_on_is_told_with_its_place() {
    let check = |listeners: &[&str], expected: &str| {
        let launch = listening(listeners, "openapi: 3.0.1\npaths: {}\n");
        let Err((_, said)) = launch.try_start() else { panic!("{listeners:?} started") };
        assert!(said.contains(expected), "{said}");
    };
    let address = "listeners[0].address: \"unix:relative\" does not fit";
    check(&["{address: 'unix:relative'}"], address);
    check(&["{address: 'unix:/run/x', mode: '888'}"], "listeners[0].mode: \"888\" does not fit");
    check(&["{address: 'unix:/run/x', mode: 432}"], "put it in quotes");
    check(&["{address: '127.0.0.1:0', mode: '0660'}"], "mode is for a Unix socket that is made");
    let long = format!("{{address: 'unix:/{}'}}", "x".repeat(107));
    check(&[&long], "does not fit");
}

#[test]
fn short_connections_are_spread_over_the_shards() {
    let (_upstream, definition) = echoing();
    let folder = Folder::new();
    let path = folder.join("http.sock");
    let gateway = listening(&[&unix(&path, "")], &definition).shards(2).start();
    let ask = |path: &Path| {
        let mut client = Client::connect_unix(path);
        assert_eq!(client.get("/").status, 200);
    };
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            thread::spawn(move || (0..100).for_each(|_| ask(&path)))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let accepted = total(&gateway.metrics(), "ringway_connections_accepted_total");
    assert_eq!(accepted, [200, 200]);
}
