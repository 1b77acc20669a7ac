//! Change under load: reloads, broken files, the end, upstreams that come and go.

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::harness::{
    Client, Fault, Folder, Gateway, Launch, Route, Upstream, eventually, gateway_file, ok, openapi,
    proxy_all,
};

/// Clients that ask without pause until stopped; everything that is not as wished is kept.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<()>>,
}

/// What a client takes as success besides a 200.
#[derive(Clone, Copy)]
struct Tolerance {
    statuses: &'static [u16],
    /// The gateway may close before it has read a request (it is ending).
    closing: bool,
}

const NONE: Tolerance = Tolerance { statuses: &[], closing: false };

impl Load {
    fn start(address: SocketAddr, clients: usize, tolerance: Tolerance) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicUsize::new(0));
        let failures = Arc::new(Mutex::new(Vec::new()));
        let threads = (0..clients)
            .map(|number| {
                let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
                let failures = Arc::clone(&failures);
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if let Err(why) = ask_while(address, number, tolerance, &stop, &done) {
                            failures.lock().unwrap().push(why);
                            return;
                        }
                    }
                })
            })
            .collect();
        Self { stop, done, failures, threads }
    }

    fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Stops; fails if any request failed. How many succeeded.
    #[track_caller]
    fn finish(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let failures = self.failures.lock().unwrap();
        let done = self.done.load(Ordering::Relaxed);
        assert!(failures.is_empty(), "{} failed beside {done}: {failures:?}", failures.len());
        done
    }
}

/// One connection's worth of requests; even numbers keep their connection, odd ones do not.
fn ask_while(
    address: SocketAddr,
    number: usize,
    tolerance: Tolerance,
    stop: &AtomicBool,
    done: &AtomicUsize,
) -> Result<(), String> {
    let mut client = match Client::try_connect(address) {
        Ok(client) => client,
        Err(_) if tolerance.closing => {
            stop.store(true, Ordering::Relaxed);
            return Ok(());
        }
        Err(error) => return Err(format!("connect: {error}")),
    };
    let keeps = number.is_multiple_of(2);
    let close = if keeps { "" } else { "connection: close\r\n" };
    let request = format!("GET /load HTTP/1.1\r\nhost: it\r\n{close}\r\n");
    while !stop.load(Ordering::Relaxed) {
        let is_sent = client.try_send(&request).is_ok();
        match client.try_answer_to("GET") {
            Ok(answer) if answer.status == 200 => {
                done.fetch_add(1, Ordering::Relaxed);
                if answer.says_close() {
                    return Ok(());
                }
            }
            Ok(answer) if tolerance.statuses.contains(&answer.status) => {
                if answer.says_close() {
                    return Ok(());
                }
            }
            // RFC 9112 9.3.1: the end of an idle connection may cross a request.
            Err(Fault::Closed | Fault::Broken(_)) if tolerance.closing => return Ok(()),
            other => return Err(format!("sent {is_sent}: {other:?}")),
        }
    }
    Ok(())
}

fn version_document(upstream: &Upstream, version: usize) -> String {
    let uri = format!("http://{}/v{version}", upstream.address());
    openapi(&[Route::new("GET", "/load", uri.clone()), Route::new("GET", "/version", uri)])
}

fn telling() -> Upstream {
    Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            if !peer.send(ok(request.target)) {
                return;
            }
        }
    })
}

fn version(gateway: &Gateway) -> String {
    Client::connect(gateway.address).get("/version").text()
}

fn reload_under_load(times: usize, by_signal: impl Fn(usize) -> bool) {
    let upstream = telling();
    let gateway = Launch::file("api.yaml", &version_document(&upstream, 0)).shards(2).start();
    let load = Load::start(gateway.address, 6, NONE);
    for number in 1..=times {
        gateway.folder.write("api.yaml", &version_document(&upstream, number));
        if by_signal(number) {
            gateway.signal("HUP");
        }
        let wanted = format!("/v{number}");
        eventually(&format!("version {number} is served"), || version(&gateway) == wanted);
    }
    let done = load.finish();
    assert!(done > times, "only {done} requests");
}

#[test]
fn thirty_reloads_by_signal_fail_no_request() {
    reload_under_load(30, |_| true);
}

#[test]
fn a_changed_file_is_taken_without_a_signal() {
    reload_under_load(5, |_| false);
}

/// `api.yaml` is reached over links that are swapped, as deployments and ConfigMaps do it; also
/// the file behind the links may be written.
#[test]
fn a_changed_target_of_a_link_is_taken() {
    let upstream = telling();
    let folder = Folder::new();
    let put = |place: &str, version: usize| {
        folder.write(place, &version_document(&upstream, version));
    };
    let link = |target: &str, name: &str| {
        let new = folder.join("new");
        std::os::unix::fs::symlink(target, &new).unwrap();
        fs::rename(new, folder.join(name)).unwrap();
    };
    put("releases/1/api.yaml", 1);
    fs::create_dir_all(folder.join("conf")).unwrap();
    link("../releases/1", "conf/..data");
    link("conf/..data", "current");
    let place = folder.join("current/api.yaml");
    let gateway = Launch::file(
        "gateway.yaml",
        &gateway_file(place.to_str().unwrap(), &["{stageName: $default}"], ""),
    )
    .start();
    let expect = |wanted: &str| {
        eventually(&format!("{wanted} is served"), || version(&gateway) == wanted);
    };
    expect("/v1");
    put("releases/1/api.yaml", 2);
    expect("/v2");
    put("releases/2/api.yaml", 3);
    link("../releases/2", "conf/..data");
    expect("/v3");
    put("releases/2/api.yaml", 4);
    expect("/v4");
    put("other/api.yaml", 5);
    link(folder.join("other").to_str().unwrap(), "current");
    expect("/v5");
    put("other/else.yaml", 6);
    link("else.yaml", "other/api.yaml");
    expect("/v6");
    put("other/else.yaml", 7);
    expect("/v7");
}

/// The number; `cargo test --test it -- --ignored two_hundred`.
#[test]
#[ignore = "takes about a minute; thirty run always"]
fn two_hundred_reloads_fail_no_request() {
    reload_under_load(200, |number| number % 2 == 0);
}

#[test]
fn a_broken_file_changes_nothing_and_says_why() {
    let upstream = telling();
    let gateway = Launch::file("api.yaml", &version_document(&upstream, 1)).start();
    assert_eq!(version(&gateway), "/v1");
    let broken = version_document(&upstream, 2).replace("type: http_proxy", "type: htp_proxy");
    gateway.folder.write("api.yaml", &broken);
    gateway.signal("HUP");
    eventually("the fault is told", || {
        let said = gateway.said();
        said.contains("htp_proxy") && said.contains("api.yaml")
    });
    assert_eq!(version(&gateway), "/v1");
    gateway.folder.write("api.yaml", &version_document(&upstream, 3));
    gateway.signal("HUP");
    eventually("the mended file is served", || version(&gateway) == "/v3");
}

/// A request that is under way keeps its plan; the next one on the connection has the new one.
#[test]
fn a_request_sees_one_plan() {
    let upstream = Upstream::start(|mut peer| {
        while let Some(request) = peer.request() {
            thread::sleep(Duration::from_millis(600));
            peer.send(ok(request.target));
        }
    });
    let gateway = Launch::file("api.yaml", &version_document(&upstream, 1)).start();
    let mut client = Client::connect(gateway.address);
    client.send("GET /version HTTP/1.1\r\nhost: it\r\n\r\n");
    thread::sleep(Duration::from_millis(50));
    gateway.folder.write("api.yaml", &version_document(&upstream, 2));
    gateway.signal("HUP");
    assert_eq!(client.answer().text(), "/v1");
    eventually("the new plan is served", || client.get("/version").text() == "/v2");
}

#[test]
fn term_under_load_fails_no_request() {
    let upstream = Upstream::start(|mut peer| {
        while peer.request().is_some() {
            thread::sleep(Duration::from_millis(5));
            if !peer.send(ok("x")) {
                return;
            }
        }
    });
    let mut gateway = Launch::file("api.yaml", &proxy_all(upstream.address())).shards(2).start();
    let load = Load::start(gateway.address, 8, Tolerance { statuses: &[], closing: true });
    eventually("the load runs", || load.done() > 100);
    gateway.signal("TERM");
    let status = gateway.wait_at_most(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0), "{}", gateway.said());
    load.finish();
}

/// Requests that came together before SIGTERM are all in flight: only the first was answered.
#[test]
fn pipelined_requests_at_sigterm_are_all_answered() {
    let upstream = Upstream::start(|mut peer| {
        while peer.request().is_some() {
            thread::sleep(Duration::from_millis(100));
            peer.send(ok("late"));
        }
    });
    let mut gateway = Launch::file("api.yaml", &proxy_all(upstream.address())).start();
    let mut client = Client::connect(gateway.address);
    let get = "GET /a HTTP/1.1\r\nhost: it\r\n\r\n";
    client.send(get.repeat(4));
    eventually("the first is on its way", || upstream.requests().len() == 1);
    gateway.signal("TERM");
    for place in 0..4 {
        let answer = client.answer();
        assert_eq!((answer.status, answer.says_close()), (200, place == 3), "{place}");
    }
    client.assert_closed();
    assert_eq!(gateway.wait().code(), Some(0));
}

/// What is in flight at SIGTERM is finished, and says that its connection ends.
#[test]
fn term_finishes_what_is_in_flight() {
    let upstream = Upstream::start(|mut peer| {
        while peer.request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf");
            thread::sleep(Duration::from_millis(700));
            peer.send("half");
        }
    });
    let mut gateway = Launch::file("api.yaml", &proxy_all(upstream.address())).start();
    let mut busy = Client::connect(gateway.address);
    let mut idle = Client::connect(gateway.address);
    busy.send("GET /slow HTTP/1.1\r\nhost: it\r\n\r\n");
    thread::sleep(Duration::from_millis(100));
    let started = Instant::now();
    gateway.signal("TERM");
    thread::sleep(Duration::from_millis(200));
    assert!(Client::try_connect(gateway.address).is_err(), "it still accepts");
    assert_eq!(busy.answer().text(), "halfhalf");
    busy.assert_closed();
    idle.assert_closed();
    assert_eq!(gateway.wait().code(), Some(0), "{}", gateway.said());
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

/// It got 408 after the second that is an idle connection's.
#[test]
fn a_client_within_its_head_at_term_is_answered() {
    let upstream = Upstream::answering(ok("good"));
    let mut gateway = Launch::file("api.yaml", &proxy_all(upstream.address())).start();
    let mut client = Client::connect(gateway.address);
    client.send("GET /slow HTTP/1.1\r\nhos");
    thread::sleep(Duration::from_millis(200));
    gateway.signal("TERM");
    client.assert_silent(Duration::from_millis(1_600));
    assert!(gateway.is_running());
    let answer = client.ask("t: it\r\n\r\n");
    assert_eq!((answer.status, answer.text().as_str()), (200, "good"));
    assert!(answer.says_close());
    client.assert_closed();
    drop(client);
    assert_eq!(gateway.wait_at_most(Duration::from_secs(2)).code(), Some(0));
}

/// It may be about to finish, but the drain has its end.
#[test]
fn a_client_that_stays_within_its_head_does_not_outlive_the_drain() {
    let upstream = Upstream::answering(ok("good"));
    let file = gateway_file("api.yaml", &["{stageName: $default}"], "drainSeconds: 2");
    let mut gateway = Launch::file("gateway.yaml", &file)
        .beside("api.yaml", &proxy_all(upstream.address()))
        .start();
    let mut client = Client::connect(gateway.address);
    client.send("GET /slow HTTP/1.1\r\nhos");
    thread::sleep(Duration::from_millis(200));
    gateway.signal("TERM");
    client.assert_silent(Duration::from_millis(1_600));
    assert_eq!(gateway.wait_at_most(Duration::from_secs(3)).code(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once() {
    let upstream = Upstream::start(|mut peer| {
        peer.request();
        peer.wait_for_close();
    });
    let mut gateway = Launch::file("api.yaml", &proxy_all(upstream.address())).start();
    let mut stuck = Client::connect(gateway.address);
    stuck.send("GET /never HTTP/1.1\r\nhost: it\r\n\r\n");
    thread::sleep(Duration::from_millis(100));
    gateway.signal("TERM");
    thread::sleep(Duration::from_millis(700));
    assert!(gateway.is_running(), "it must wait for what is in flight");
    gateway.signal("TERM");
    gateway.wait_at_most(Duration::from_secs(2));
    let _ = stuck.read_to_end();
}

/// A SIGTERM right after a SIGHUP or a changed file is a SIGTERM.
#[test]
fn an_end_during_a_reload_is_not_lost() {
    let upstream = telling();
    for by_file in [false, true] {
        let mut gateway = Launch::file("api.yaml", &version_document(&upstream, 1)).start();
        if by_file {
            gateway.folder.write("api.yaml", &version_document(&upstream, 2));
        } else {
            gateway.signal("HUP");
        }
        thread::sleep(Duration::from_millis(10));
        gateway.signal("TERM");
        assert_eq!(gateway.wait_at_most(Duration::from_secs(5)).code(), Some(0), "file: {by_file}");
    }
}

#[test]
fn an_upstream_that_dies_and_returns_recovers_whole() {
    let serve = |mut peer: crate::harness::Peer| {
        while peer.request().is_some() {
            if !peer.send(ok("up")) {
                return;
            }
        }
    };
    let upstream = Upstream::start(serve);
    let address = upstream.address();
    let gateway = Launch::file("api.yaml", &proxy_all(address)).shards(2).start();
    let tolerance = Tolerance { statuses: &[502, 503], closing: false };
    let load = Load::start(gateway.address, 6, tolerance);
    eventually("the load runs", || load.done() > 100);
    drop(upstream);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(Client::connect(gateway.address).get("/down").status, 503);
    let end = Instant::now() + Duration::from_secs(5);
    let upstream = loop {
        match Upstream::start_at(address, serve) {
            Ok(upstream) => break upstream,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        thread::sleep(Duration::from_millis(20));
    };
    let mut client = Client::connect(gateway.address);
    eventually("the upstream is found again", || client.get("/up").status == 200);
    // From here on everything succeeds again.
    for _ in 0..200 {
        assert_eq!(client.get("/up").status, 200);
    }
    load.finish();
    drop(upstream);
}
