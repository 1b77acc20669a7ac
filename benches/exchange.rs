//! Instructions of the gateway's tasks for one proxied GET: the real connection loop, steps, pool
//! and driver calls, on the simulated kernel. What the kernel and glommio cost is not in it.
//!
//! `cargo bench --bench exchange` runs itself under callgrind (valgrind has to be installed) and
//! prints instructions per request, from the difference of two runs. Under `cargo test --benches`,
//! and without valgrind, a few requests run and are checked. For a profile by function:
//!
//! ```text
//! valgrind --tool=callgrind --toggle-collect='*gateway::connection::serve*' BENCH exchange 2000
//! ```

use std::{
    cell::Cell,
    env,
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    process::Command,
    rc::Rc,
    sync::Arc,
};

use ringway::{
    config::{self, Overrides, Source},
    gateway::{
        Addresses, Local,
        connection::{self, Door, Terms},
    },
    http::Http2,
    ledger::Ledger,
    net::{Listener, Stream, http2::Client},
    plan::{Plan, Upstream},
    ring::simulation::{Faults, Simulation},
    runtime::{Runtime, simulate},
    telemetry::access_log,
};

/// HTTP/1.1, and HTTP/2 with 16 streams on each of 8 connections: instructions per request may be
/// so many. Ratchets: measured 12,482 and 39,588. Lower them with each gain.
const CASES: [(&str, Http2, u64); 2] =
    [("exchange", Http2::NotOffered, 12_700), ("exchange-http2", Http2::Offered, 40_500)];
/// Keep-alive connections, as in `loadtest compare`.
const CLIENTS: usize = 64;
const FEW: usize = 2_000;
const MANY: usize = 6_000;
const MULTIPLEXED_CLIENTS: usize = 8;
const STREAMS: usize = 16;

/// What `loadtest`'s generator and upstream say.
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nserver: upstream\r\ncontent-type: application/json\r\n\
    content-length: 64\r\n\r\n{\"id\":1,\"name\":\"Fluffy\",\"type\":\"cat\",\"price\":24.99,\"tags\":[\"a\"]}";

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().collect();
    if let [_, case, count] = arguments.as_slice()
        && let Ok(count) = count.parse()
    {
        let known = CASES.iter().find(|(name, ..)| name == case);
        let (_, http2, _) = known.expect("no such case");
        return run(*http2, count);
    }
    let asked = arguments.iter().any(|argument| argument == "--bench");
    let valgrind = asked && Command::new("valgrind").arg("--version").output().is_ok();
    let mut out = io::stdout().lock();
    for (case, http2, most) in CASES {
        if !valgrind {
            run(http2, 2 * MULTIPLEXED_CLIENTS * STREAMS)?;
            writeln!(out, "{case:<15} runs (no valgrind, or not asked to count)")?;
            continue;
        }
        let each = (count(case, MANY)? - count(case, FEW)?) / (MANY - FEW) as u64;
        writeln!(out, "{case:<15} {each:>6} instructions")?;
        assert!(each <= most, "over its budget of {most}");
    }
    Ok(())
}

/// Instructions within the tasks of client connections, and of HTTP/2's requests.
fn count(case: &str, requests: usize) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*gateway::connection::serve*")
        .arg("--toggle-collect=*gateway::multiplexed::answer*")
        .arg(env::current_exe()?)
        .args([case, &requests.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected : "));
    let number = collected.and_then(|(_, number)| number.trim().parse().ok());
    number.ok_or_else(|| io::Error::other(format!("callgrind did not count: {text}")))
}

/// So many requests, over all clients.
fn run(http2: Http2, requests: usize) -> io::Result<()> {
    let simulation = Simulation::new(1, Faults { splits: 0, ..Faults::none() });
    simulate(simulation.kernel(), move |runtime| async move {
        let (gateway, upstream) = (address(8080), address(9001));
        answer_at(&runtime, upstream);
        open_gateway(&runtime, gateway, http2);
        let clients = match http2 {
            Http2::NotOffered => CLIENTS,
            Http2::Offered => MULTIPLEXED_CLIENTS,
        };
        let left = Rc::new(Cell::new(clients));
        for _ in 0..clients {
            let (own, left) = (runtime.clone(), Rc::clone(&left));
            runtime.spawn(async move {
                match http2 {
                    Http2::NotOffered => ask(&own, gateway, requests / clients).await,
                    Http2::Offered => ask_at_once(&own, gateway, requests / clients).await,
                }
                left.set(left.get() - 1);
            });
        }
        while left.get() > 0 {
            runtime.sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(runtime.panics(), 0);
    })
}

const fn address(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

async fn ask(runtime: &Runtime, gateway: SocketAddr, requests: usize) {
    let deadline = runtime.now() + std::time::Duration::from_secs(3_600);
    let stream = Stream::connect(runtime, gateway, deadline).await.expect("connects");
    for _ in 0..requests {
        say(runtime, &stream, REQUEST).await;
        let answer = stream.receive().await.expect("an answer").expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));
        assert!(answer.ends_with(b"[\"a\"]}"));
    }
}

/// Over HTTP/2, `STREAMS` requests side by side.
async fn ask_at_once(runtime: &Runtime, gateway: SocketAddr, requests: usize) {
    let deadline = runtime.now() + std::time::Duration::from_secs(3_600);
    let stream = Stream::connect(runtime, gateway, deadline).await.expect("connects");
    let client = Client::begin(runtime, stream).await.expect("HTTP/2");
    runtime.spawn(Rc::clone(&client).drive());
    let left = Rc::new(Cell::new(STREAMS));
    for _ in 0..STREAMS {
        let (client, own, left) = (Rc::clone(&client), runtime.clone(), Rc::clone(&left));
        runtime.spawn(async move {
            for _ in 0..requests / STREAMS {
                let lane = client.open().await.expect("a stream");
                let mut out = own.outgoing();
                out.text.extend_from_slice(REQUEST);
                lane.start_last(out, None);
                let head = lane.receive().await.expect("an answer").expect("an answer");
                assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&head));
                let body = lane.receive().await.expect("a body").expect("a body");
                assert!(body.ends_with(b"[\"a\"]}"));
            }
            left.set(left.get() - 1);
        });
    }
    while left.get() > 0 {
        runtime.sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn answer_at(runtime: &Runtime, address: SocketAddr) {
    let listener = Listener::bind(runtime, address, false).expect("the simulation has room");
    let runtime = runtime.clone();
    runtime.clone().spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let own = runtime.clone();
            runtime.spawn(async move {
                while let Ok(Some(request)) = stream.receive().await {
                    assert!(request.ends_with(b"\r\n\r\n"));
                    say(&own, &stream, ANSWER).await;
                }
            });
        }
    });
}

async fn say(runtime: &Runtime, stream: &Stream, text: &[u8]) {
    let mut out = runtime.outgoing();
    out.text.extend_from_slice(text);
    stream.send(out).await.expect("the peer is there");
}

fn open_gateway(runtime: &Runtime, address: SocketAddr, http2: Http2) {
    let upstream = Upstream::named("127.0.0.1", 9001);
    let addresses: Addresses = [(upstream, vec![self::address(9001).into()])].into();
    let (mut logs, chunks) = access_log::channel(1);
    let spends = (Arc::new(Ledger::new(1).0), 0);
    let local = Local::new(runtime.clone(), plan(), &addresses, logs.pop(), 1, spends);
    let local = Rc::new(local);
    let terms = Terms { http2, ..Terms::default() };
    let door = Rc::new(Door::new(address.into(), terms, None));
    let listener = Listener::bind(runtime, address, false).expect("the simulation has room");
    runtime.spawn(async move {
        // Nobody writes: full chunks are counted, dropped and used again.
        let _chunks = chunks;
        while let Ok((stream, _)) = listener.accept().await {
            let serving = connection::serve(Rc::clone(&local), Rc::clone(&door), stream);
            local.runtime.spawn(serving);
        }
    });
}

fn plan() -> std::sync::Arc<Plan> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/exchange.yaml");
    let loaded = config::load(&Source::File(path), &Overrides::default());
    loaded.plan.unwrap_or_else(|| panic!("exchange.yaml: {:?}", loaded.problems))
}
