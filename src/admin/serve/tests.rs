//! The private port over real sockets, with shards that answer, are slow, or are stuck.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::mpsc,
};

use super::*;
use crate::{
    admin::Census,
    base::limits::STATISTICS_WAIT,
    runtime::{ExecutorSpec, mailbox, start},
    telemetry::{
        Reported, StageNames, Telemetry,
        prometheus::{self, ProcessNumbers},
    },
};

const WAIT: Duration = Duration::from_secs(20);

/// Shard 0 answers, shard 1 is stuck.
struct Process<Ask> {
    runtime: Runtime,
    census: Census<Ask>,
}

impl<Ask: Fn(usize, u64) -> bool + 'static> Inspected for Process<Ask> {
    fn health(&self) -> Health {
        Health { draining: false, shards_up: 2, shards: 2, generation: 1 }
    }

    fn plan(&self) -> PlanView {
        let (listeners, domain_names) = (Vec::new(), Vec::new());
        PlanView { generation: 1, listeners, domain_names, stages: names() }
    }

    async fn metrics(&self) -> String {
        let reports = self.census.take(&self.runtime).await;
        prometheus::render(&reports, &ProcessNumbers::default())
    }

    async fn reload(&self) -> Result<u64, String> {
        Err("pets.yaml:1:1: no".to_owned())
    }

    async fn usage(&self, question: UsageQuestion) -> Answer {
        answers::message(Status::OK, &format!("{question:?}"))
    }

    async fn limits(&self, question: LimitsQuestion) -> Answer {
        answers::message(Status::OK, &format!("{question:?}"))
    }
}

fn names() -> Vec<StageNames> {
    vec![StageNames { api: "pets".into(), stage: "prod".into(), routes: vec!["GET /pets".into()] }]
}

/// Serves on an executor of its own while `client` runs here; shard 1 reports only when `works`.
fn with_port(works: bool, client: impl FnOnce(SocketAddr)) {
    let (tell, told) = mpsc::channel();
    let (end, mailbox_end) = mailbox::<()>(1);
    let spec = ExecutorSpec { name: "admin".to_owned(), cpu: None };
    let executor = start(spec, move |runtime| async move {
        let (sender, reports) = mailbox::<Reported>(4);
        let ask = move |shard, round| {
            let mut telemetry = Telemetry::default();
            telemetry.adopt(&names());
            telemetry.shard.panics = round;
            let report = Reported { shard, round, snapshot: telemetry.snapshot() };
            let answers = shard == 0 || works;
            !answers || sender.try_send(report).is_ok()
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Listener::bind(&runtime, address, false).expect("binds");
        tell.send(listener.local_addr().ip().expect("TCP")).expect("the test listens");
        let process = Process { runtime: runtime.clone(), census: Census::new(2, ask, reports) };
        runtime.spawn(serve(runtime.clone(), listener, process));
        mailbox_end.receive(&runtime).await;
    })
    .expect("io_uring works here");
    client(told.recv_timeout(WAIT).expect("bound"));
    end.try_send(()).expect("room for one");
    executor.join().expect("no panic");
}

/// Sends `request` as it is and reads until the end of the connection.
fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(WAIT)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("read to the end");
    text
}

fn ask(address: SocketAddr, line: &str) -> String {
    exchange(address, &format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
}

#[test]
fn each_question_is_answered_over_a_socket() {
    with_port(true, |address| {
        let health = ask(address, "GET /healthz");
        assert!(health.starts_with("HTTP/1.1 200 OK\r\n"), "{health}");
        assert!(health.contains("{\"status\":\"ok\""), "{health}");
        let plan = ask(address, "GET /plan?x=1");
        assert!(plan.contains("\"routes\":[\"GET /pets\"]"), "{plan}");
        let head = ask(address, "HEAD /plan");
        assert!(head.contains("Content-Length: ") && head.ends_with("\r\n\r\n"), "{head}");
        let metrics = ask(address, "GET /metrics");
        assert!(metrics.contains("ringway_shard_up{shard=\"1\"} 1\n"), "{metrics}");
        let reload = ask(address, "POST /reload");
        assert!(reload.starts_with("HTTP/1.1 422 "), "{reload}");
        let post = ask(address, "POST /metrics");
        assert!(post.starts_with("HTTP/1.1 405 ") && post.contains("Allow: GET, HEAD\r\n"));
        assert!(ask(address, "GET /").starts_with("HTTP/1.1 404 "));
    });
}

#[test]
fn a_connection_carries_several_requests_in_any_pieces() {
    with_port(true, |address| {
        let two = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2);
        let last = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let text = exchange(address, &format!("{two}{last}"));
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3, "{text}");
        let mut stream = TcpStream::connect(address).expect("connects");
        stream.set_nodelay(true).expect("no delay");
        for byte in last.as_bytes() {
            stream.write_all(&[*byte]).expect("sent");
        }
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("read");
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 1, "{text}");
    });
}

#[test]
fn what_is_no_request_is_refused_and_closed() {
    with_port(true, |address| {
        assert!(exchange(address, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
        let body = "POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx";
        let refused = exchange(address, body);
        assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
        assert!(refused.contains("Connection: close\r\n"), "{refused}");
    });
}

#[test]
fn a_stuck_shard_delays_the_metrics_by_the_bound_and_is_named() {
    with_port(false, |address| {
        #[expect(clippy::disallowed_methods, reason = "a test's client has a clock of its own")]
        let start = std::time::Instant::now();
        let metrics = ask(address, "GET /metrics");
        let took = start.elapsed();
        assert!(took >= STATISTICS_WAIT && took < 5 * STATISTICS_WAIT, "{took:?}");
        assert!(metrics.contains("ringway_shard_up{shard=\"0\"} 1\n"), "{metrics}");
        assert!(metrics.contains("ringway_shard_up{shard=\"1\"} 0\n"), "{metrics}");
        assert!(metrics.contains("ringway_count_total{api=\"pets\",stage=\"prod\"} 0\n"));
        assert!(ask(address, "GET /healthz").starts_with("HTTP/1.1 200 "), "others go on");
    });
}

#[test]
fn two_scrapes_at_once_both_get_everybodys_numbers() {
    with_port(true, |address| {
        let scrapes: Vec<_> =
            (0..8).map(|_| std::thread::spawn(move || ask(address, "GET /metrics"))).collect();
        for scrape in scrapes {
            let text = scrape.join().expect("no panic");
            assert!(text.contains("ringway_shard_up{shard=\"1\"} 1\n"), "{text}");
        }
    });
}

#[test]
fn at_the_bound_a_connection_is_closed_and_a_free_seat_is_used_again() {
    with_port(true, |address| {
        let mut seats: Vec<TcpStream> = (0..ADMIN_CONNECTIONS_MAX)
            .map(|_| {
                let mut stream = TcpStream::connect(address).expect("connects");
                stream.set_read_timeout(Some(WAIT)).expect("a timeout");
                stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
                let mut text = [0; 15];
                stream.read_exact(&mut text).expect("answered");
                assert_eq!(&text, b"HTTP/1.1 200 OK");
                stream
            })
            .collect();
        let mut extra = TcpStream::connect(address).expect("connects");
        extra.set_read_timeout(Some(WAIT)).expect("a timeout");
        // Closed without a word: an end, or a reset.
        assert!(matches!(extra.read(&mut [0; 1]), Ok(0) | Err(_)));
        drop(seats.pop());
        let answered = (0..200).any(|_| {
            std::thread::park_timeout(Duration::from_millis(10));
            let mut stream = TcpStream::connect(address).expect("connects");
            let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            let mut text = String::new();
            stream.write_all(request).is_ok()
                && stream.read_to_string(&mut text).is_ok()
                && text.starts_with("HTTP/1.1 200 OK")
        });
        assert!(answered, "the seat was not given back");
    });
}
