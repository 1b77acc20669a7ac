//! What the seeds have found, each once more by itself, byte for byte.

use std::{future::Future, net::SocketAddr, rc::Rc, time::Duration};

use ringway::{
    base::limits,
    gateway::Local,
    http::Flood,
    ledger::Ledger,
    net::{Outgoing, Stream},
    ring::simulation::{Faults, Simulation},
    runtime::{Runtime, simulate},
};

use super::{
    PLANS, in_flight,
    message::{Broken, Framing, Reader},
    open_gateway, open_gateway_of,
    script::GOOD_KEY,
};

/// A gateway with one upstream that a case plays.
struct Scene {
    runtime: Runtime,
    local: Rc<Local>,
    client: Rc<Stream>,
}

/// Sends that arrive late, through a narrow window.
fn slow() -> Faults {
    Faults { delay_max: Duration::from_millis(20), window_bytes: 2_048, ..Faults::none() }
}

/// Plays a case on some seeds. The upstream answers each request with `answer`, 100 ms late.
#[track_caller]
fn play<Work: Future<Output = ()> + 'static>(
    answer: &'static str,
    client: impl Fn(Scene) -> Work + Copy + 'static,
) {
    for seed in 0..20 {
        let simulation = Simulation::new(seed, slow());
        let run = move |runtime: Runtime| async move {
            open_upstream(&runtime, answer);
            let gateway = SocketAddr::from(([127, 0, 0, 1], 8080));
            let local = open_gateway(&runtime, gateway);
            let until = runtime.now() + Duration::from_secs(1);
            let stream = Stream::connect(&runtime, gateway, until).await.unwrap();
            stream.set_deadline(None);
            client(Scene { runtime: runtime.clone(), local, client: Rc::new(stream) }).await;
            assert_eq!(runtime.panics(), 0, "seed {seed}");
        };
        simulate(simulation.kernel(), run).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

fn open_upstream(runtime: &Runtime, answer: &'static str) {
    let listener = ringway::net::Listener::bind(runtime, super::address(1), false).unwrap();
    let own = runtime.clone();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            own.spawn(answer_all(own.clone(), Rc::new(stream), answer));
        }
    });
}

async fn answer_all(runtime: Runtime, stream: Rc<Stream>, answer: &'static str) {
    let mut reader = Reader::new(Rc::clone(&stream));
    while let Ok(head) = reader.head().await {
        let framing = head.framing(Framing::Length(0)).unwrap();
        let (_, end) = reader.body(framing).await;
        end.unwrap();
        runtime.sleep(Duration::from_millis(100)).await;
        let mut text = answer.replace("BODY", &"x".repeat(BODY_BYTES)).into_bytes();
        let cut = head.only("x-cut") == Ok(Some("yes"));
        if cut {
            text.truncate(text.len() - BODY_BYTES + 5_000);
        }
        if stream.send(Outgoing { text, pieces: Vec::new() }).await.is_err() || cut {
            return;
        }
    }
}

/// More than a window, in several sends of the gateway.
const BODY_BYTES: usize = 20_000;
const LENGTH: &str = "HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\nBODY";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                           4e20\r\nBODY\r\n0\r\n\r\n";

async fn say(stream: &Stream, text: &str) {
    let text = text.as_bytes().to_vec();
    stream.send(Outgoing { text, pieces: Vec::new() }).await.unwrap();
}

/// The next answer is a whole one.
async fn expect_answer(reader: &mut Reader, otherwise: Framing) {
    let head = reader.head().await.unwrap();
    assert!(head.start.starts_with("HTTP/1.1 200 "), "{head:?}");
    let (body, end) = reader.body(head.framing(otherwise).unwrap()).await;
    end.unwrap();
    assert_eq!(body.len(), BODY_BYTES);
}

/// It was said while the answer before it was still being sent, which panicked.
#[test]
fn continue_waits_for_the_pipelined_answer_before_it() {
    play(LENGTH, async |scene| {
        let ask = "GET /plain/1 HTTP/1.1\r\nhost: a\r\n\r\n\
                   PUT /plain/2 HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\
                   content-length: 4\r\n\r\n";
        say(&scene.client, ask).await;
        let mut reader = Reader::new(Rc::clone(&scene.client));
        expect_answer(&mut reader, Framing::UntilClose).await;
        let interim = reader.head().await.unwrap();
        assert_eq!(interim.start, "HTTP/1.1 100 Continue");
        say(&scene.client, "body").await;
        expect_answer(&mut reader, Framing::UntilClose).await;
    });
}

/// The gateway saw the FIN while the last send still waited, and closed without it.
#[test]
fn a_half_closed_client_gets_all_of_its_answer() {
    for answer in [LENGTH, CHUNKED] {
        play(answer, async |scene| {
            say(&scene.client, "GET /plain/1 HTTP/1.1\r\nhost: a\r\n\r\n").await;
            scene.client.shutdown_send();
            let mut reader = Reader::new(Rc::clone(&scene.client));
            expect_answer(&mut reader, Framing::UntilClose).await;
            assert!(matches!(reader.more().await, Err(Broken::Ended)));
        });
    }
}

/// The next request had come by then; closing over it reset the connection.
#[test]
fn a_drain_does_not_lose_the_answer_to_a_client_that_pipelines() {
    play(LENGTH, async |scene| {
        say(&scene.client, "GET /plain/1 HTTP/1.1\r\nhost: a\r\n\r\n").await;
        scene.runtime.sleep(Duration::from_millis(50)).await;
        scene.local.start_draining(Duration::from_secs(5));
        let (runtime, client) = (scene.runtime.clone(), Rc::clone(&scene.client));
        scene.runtime.spawn(async move {
            for _ in 0..400 {
                let text = b"GET /plain/2 HTTP/1.1\r\nhost: a\r\n\r\n".to_vec();
                if client.send(Outgoing { text, pieces: Vec::new() }).await.is_err() {
                    return;
                }
                runtime.sleep(Duration::from_millis(1)).await;
            }
        });
        let mut reader = Reader::new(Rc::clone(&scene.client));
        expect_answer(&mut reader, Framing::UntilClose).await;
        assert!(matches!(reader.more().await, Err(Broken::Ended)));
    });
}

/// The cut answer was shown by closing over the requests behind it, which reset the connection.
#[test]
fn a_cut_answer_does_not_take_the_one_before_it_along() {
    play(LENGTH, async |scene| {
        let (runtime, client) = (scene.runtime.clone(), Rc::clone(&scene.client));
        scene.runtime.spawn(async move {
            for place in 0..400 {
                let cut = if place == 1 { "x-cut: yes\r\n" } else { "" };
                let text = format!("GET /plain/{place} HTTP/1.1\r\nhost: a\r\n{cut}\r\n");
                let outgoing = Outgoing { text: text.into_bytes(), pieces: Vec::new() };
                if client.send(outgoing).await.is_err() {
                    return;
                }
                runtime.sleep(Duration::from_millis(1)).await;
            }
        });
        let mut reader = Reader::new(Rc::clone(&scene.client));
        expect_answer(&mut reader, Framing::UntilClose).await;
        let head = reader.head().await.unwrap();
        let (body, end) = reader.body(head.framing(Framing::UntilClose).unwrap()).await;
        assert!(matches!(end, Err(Broken::Ended)));
        assert_eq!(body.len(), 5_000);
    });
}

/// A client that takes nothing is given up after `SEND_WAIT`, and not before.
#[test]
fn a_deaf_client_is_given_up() {
    play(LENGTH, async |scene| {
        // More answers than fit what is received for it, and what is under way.
        let ask = "GET /plain/1 HTTP/1.1\r\nhost: a\r\n\r\n".repeat(40);
        say(&scene.client, &ask).await;
        scene.runtime.sleep(limits::SEND_WAIT).await;
        assert_eq!(scene.local.seats.len(), 1);
        scene.runtime.sleep(Duration::from_secs(10)).await;
        assert!(scene.local.seats.is_empty());
    });
}

/// HEADERS with END_STREAM: `GET http://a/plain/1`.
fn request_frame(stream: u8) -> Vec<u8> {
    let block = [&[0x82, 0x86, 0x41, 1, b'a', 0x44, 8][..], b"/plain/1"].concat();
    let length = u8::try_from(block.len()).unwrap();
    [&[0, 0, length, 1, 5, 0, 0, 0, stream][..], &block].concat()
}

/// A client that asks over HTTP/2 and opens no window for the answers (CVE-2019-9517) is given up
/// with its connection, and not before its answers had their time.
#[test]
fn a_client_without_a_window_is_a_flood() {
    play(LENGTH, async |scene| {
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0];
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend_from_slice(&settings);
        let streams = u8::try_from(limits::HTTP2_STALLS_MAX + 1).unwrap();
        (0..streams).for_each(|number| bytes.extend(request_frame(2 * number + 1)));
        let outgoing = Outgoing { text: bytes, pieces: Vec::new() };
        scene.client.send(outgoing).await.unwrap();
        scene.runtime.sleep(limits::SEND_WAIT).await;
        assert_eq!(scene.local.seats.len(), 1);
        scene.runtime.sleep(Duration::from_secs(10)).await;
        assert!(scene.local.seats.is_empty());
        let floods = scene.local.snapshot().shard.floods;
        assert_eq!(floods[Flood::WindowStall as usize], 1);
    });
}

/// A client asks for long answers on many streams and takes none: what they keep is bounded over
/// the connection, and another client is served meanwhile.
#[test]
fn answers_that_nobody_takes_keep_a_bounded_part_of_the_blocks() {
    const STREAMS: u8 = 100;
    let (runs, length) = (3, 400_000);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    let answer: &'static str = (answer + &"x".repeat(length)).leak();
    for seed in 0..runs {
        let simulation = Simulation::new(seed, Faults::none());
        let run = move |runtime: Runtime| async move {
            open_upstream(&runtime, answer);
            let gateway = SocketAddr::from(([127, 0, 0, 1], 8080));
            let _local = open_gateway(&runtime, gateway);
            let until = runtime.now() + Duration::from_secs(1);
            let greedy = Stream::connect(&runtime, gateway, until).await.unwrap();
            greedy.set_deadline(None);
            let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
            bytes.extend_from_slice(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
            (0..STREAMS).for_each(|number| bytes.extend(request_frame(2 * number + 1)));
            greedy.send(Outgoing { text: bytes, pieces: Vec::new() }).await.unwrap();
            runtime.sleep(Duration::from_secs(5)).await;
            let driver = runtime.driver();
            let out = |shelf: &ringway::base::Shelf, most: usize| {
                (most - shelf.available()) * shelf.block_bytes()
            };
            let large = out(driver.large_shelf(), limits::LARGE_BLOCKS_MAX);
            let small = out(driver.small_shelf(), limits::SMALL_BLOCKS_MAX);
            let lent = runtime.holdings().lent_blocks * limits::SMALL_BLOCK_BYTES;
            // The account; what lies in the queues of the upstreams' connections, and is on its
            // way into them.
            let queue = limits::RECEIVE_QUEUE_BYTES_MAX + 2 * limits::LARGE_BLOCK_BYTES;
            let queues = usize::from(STREAMS) * queue;
            let held = large + small - lent;
            assert!(held <= limits::HTTP2_HELD_BYTES_MAX + queues, "seed {seed}: {held} bytes");
            let other = Rc::new(
                Stream::connect(&runtime, gateway, until + Duration::from_secs(60)).await.unwrap(),
            );
            say(&other, "GET /plain/1 HTTP/1.1\r\nhost: a\r\n\r\n").await;
            let mut reader = Reader::new(other);
            let head = reader.head().await.unwrap();
            let (body, end) = reader.body(head.framing(Framing::UntilClose).unwrap()).await;
            assert!(end.is_ok() && body.len() == length, "seed {seed}: {end:?}");
        };
        simulate(simulation.kernel(), run).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

/// Each tiny piece kept a whole block, up to 64 of each client that pipelines behind a slow answer.
#[test]
fn pipelined_pieces_hold_two_blocks_of_each_client() {
    const CLIENTS: usize = 150;
    for seed in 0..3 {
        let faults = Faults { no_descriptors: 0, no_buffers: 0, ..Faults::unkind() };
        let simulation = Simulation::new(seed, faults);
        let run = move |runtime: Runtime| async move {
            let upstream = super::address(1);
            let _silent = ringway::net::Listener::bind(&runtime, upstream, false).unwrap();
            let gateway = SocketAddr::from(([127, 0, 0, 1], 8080));
            let local = open_gateway(&runtime, gateway);
            let mut clients = Vec::new();
            for _ in 0..CLIENTS {
                let until = runtime.now() + Duration::from_secs(1);
                let client = Stream::connect(&runtime, gateway, until).await.unwrap();
                client.set_deadline(None);
                say(&client, "GET /plain/1 HTTP/1.1\r\nhost: a\r\n\r\n").await;
                clients.push(client);
            }
            runtime.sleep(Duration::from_millis(100)).await;
            assert_eq!(local.seats.busy(), CLIENTS);
            for piece in ["GET /", "plain/2 ", "HTTP/1.1\r\n", "host: ", "a", "\r\n\r", "\n"] {
                for client in &clients {
                    say(client, piece).await;
                }
                runtime.sleep(Duration::from_millis(25)).await;
            }
            let driver = runtime.driver();
            let out = limits::SMALL_BLOCKS_MAX - driver.small_shelf().available();
            let held = out - runtime.holdings().lent_blocks;
            assert!(held <= 2 * CLIENTS, "seed {seed}: {held} blocks of {CLIENTS} clients");
        };
        simulate(simulation.kernel(), run).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

const QUOTA: &str = "
apiKeys: [{name: good, value: KEY}]
usagePlans:
  - {name: plan, apiStages: [{api: it, stage: $default}], apiKeys: [good], quota: {limit: 10, period: DAY}}
";

/// Each request waited two seconds and went on uncounted, so many as came.
#[test]
fn a_disk_that_hangs_lets_nothing_through_beyond_a_quota() {
    let simulation = Simulation::new(0, Faults::none());
    let plan = in_flight::load_with(QUOTA, PLANS[0]);
    let run = move |runtime: Runtime| async move {
        open_upstream(&runtime, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        let gateway = SocketAddr::from(([127, 0, 0, 1], 8080));
        // The keeper takes no wish: it waits for the disk.
        let (ledger, _asked) = Ledger::new(1);
        let _local = open_gateway_of(&runtime, gateway, plan, ledger);
        let until = runtime.now() + Duration::from_secs(1);
        let client = Rc::new(Stream::connect(&runtime, gateway, until).await.unwrap());
        client.set_deadline(None);
        let mut reader = Reader::new(Rc::clone(&client));
        let started = runtime.now();
        for number in 0..15 {
            say(
                &client,
                &format!("GET /plain/1 HTTP/1.1\r\nhost: a\r\nx-api-key: {GOOD_KEY}\r\n\r\n"),
            )
            .await;
            let head = reader.head().await.unwrap();
            reader.body(head.framing(Framing::UntilClose).unwrap()).await.1.unwrap();
            let expected = if number < 10 { "HTTP/1.1 200 " } else { "HTTP/1.1 429 " };
            assert!(head.start.starts_with(expected), "{number}: {head:?}");
        }
        let waited = runtime.now().since(started);
        assert!(waited >= 10 * limits::RESERVATION_WAIT, "nobody waited: {waited:?}");
    };
    simulate(simulation.kernel(), run).unwrap();
}
