//! Streams on the simulated kernel: everything unkind, nothing lost.

use std::{cell::Cell, io::ErrorKind, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use super::{Listener, Outgoing, Stream};
use crate::{
    base::limits::RECEIVE_QUEUE_BYTES_MAX,
    http::Http2,
    ring::{
        Holdings,
        simulation::{Faults, Simulation},
    },
    runtime::{Runtime, mailbox, simulate},
    tls::{self, Caller, CallerParts, Certificate, Face, FaceDraft, Policy},
};

const WAIT: Duration = Duration::from_secs(600);

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 80))
}

/// Runs `main` on a simulation for each seed; afterwards nothing may be left.
#[track_caller]
fn for_seeds<Work: Future<Output = ()> + 'static>(
    count: u64,
    faults: Faults,
    main: impl Fn(Runtime, Simulation) -> Work + Copy + 'static,
) {
    for seed in Simulation::seeds(count) {
        let simulation = Simulation::new(seed, faults);
        let machine = simulation.clone();
        let run = move |runtime: Runtime| async move {
            main(runtime.clone(), machine.clone()).await;
            machine.set_faults(Faults::none());
            settle(&runtime).await;
            let left = runtime.holdings();
            let expected = Holdings { lent_blocks: left.lent_blocks, ..Holdings::default() };
            assert_eq!(left, expected, "seed {seed}: something was left behind");
            assert_eq!(runtime.panics(), 0, "seed {seed}");
        };
        simulate(simulation.kernel(), run).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(simulation.descriptors(), 0, "seed {seed}: descriptors are left");
        assert_eq!(simulation.operations(), 0, "seed {seed}: operations are left");
    }
}

/// Waits until the tasks and sockets that were dropped are gone.
async fn settle(runtime: &Runtime) {
    let deadline = runtime.now() + WAIT;
    let busy = |held: Holdings| held.sockets > 0 || held.listeners > 0;
    while (busy(runtime.holdings()) || runtime.tasks() > 1) && runtime.now() < deadline {
        runtime.sleep(Duration::from_millis(50)).await;
    }
}

/// The byte at `offset` of the stream that `name` sends.
fn byte_of(name: u64, offset: usize) -> u8 {
    let mixed = name.wrapping_mul(0x9e37_79b9).wrapping_add(offset as u64 * 31) >> 3;
    mixed.to_le_bytes()[0]
}

/// Sends `total` bytes of `name`'s stream in random portions and ways, then FIN.
async fn send_stream(stream: Rc<Stream>, name: u64, total: usize, runtime: Runtime) {
    let mut random = fastrand::Rng::with_seed(name);
    let mut sent = 0;
    while sent < total {
        let portion = random.usize(1..=12_000).min(total - sent);
        let bytes: Vec<u8> = (sent..sent + portion).map(|offset| byte_of(name, offset)).collect();
        let mut outgoing = Outgoing::default();
        let text = random.usize(0..=portion);
        outgoing.text.extend_from_slice(&bytes[..text]);
        for piece in bytes[text..].chunks(1_000) {
            let shelf = runtime.driver().small_shelf();
            outgoing.pieces.push(shelf.gather(&[piece]).expect("enough blocks"));
        }
        stream.send(outgoing).await.expect("sends");
        sent += portion;
        if random.u8(0..10) == 0 {
            runtime.sleep(Duration::from_millis(random.u64(0..30))).await;
        }
    }
    stream.shutdown_send();
}

/// Receives `name`'s stream to its end, now fast, now slow, into both kinds of buffers.
async fn receive_stream(stream: &Stream, name: u64, total: usize, runtime: &Runtime) {
    let mut random = fastrand::Rng::with_seed(!name);
    let mut received = 0;
    while let Some(buffer) = stream.receive().await.expect("receives") {
        for &byte in &*buffer {
            assert_eq!(byte, byte_of(name, received), "stream {name} at {received}");
            received += 1;
        }
        match random.u8(0..20) {
            0 => stream.stream_body(true),
            1 => stream.stream_body(false),
            2 => runtime.sleep(Duration::from_millis(random.u64(0..80))).await,
            _ => {}
        }
    }
    assert_eq!(received, total, "stream {name} has ended early");
}

/// Both ways at once.
async fn exchange(stream: Stream, out: (u64, usize), back: (u64, usize), runtime: Runtime) {
    let stream = Rc::new(stream);
    runtime.spawn(send_stream(Rc::clone(&stream), out.0, out.1, runtime.clone()));
    receive_stream(&stream, back.0, back.1, &runtime).await;
}

/// Out of descriptors connections are shed: refused, but not whole.
const fn with_descriptors() -> Faults {
    Faults { no_descriptors: 0, ..Faults::unkind() }
}

#[test]
fn nothing_is_lost_doubled_or_reordered() {
    for_seeds(12, with_descriptors(), async |runtime, simulation| {
        exchange_all(runtime, simulation, Ends::Plain, 8, 60_000).await;
    });
}

/// The same under TLS: both ends are ours, the network is as unkind, and records come in any
/// pieces.
#[test]
fn nothing_is_lost_doubled_or_reordered_under_tls() {
    for_seeds(12, with_descriptors(), async |runtime, simulation| {
        let (face, caller) = tls_ends();
        let ends = Ends::Tls(face, Rc::new(caller));
        exchange_all(runtime, simulation, ends, 6, 90_000).await;
    });
}

/// What the two ends of a connection speak.
#[derive(Clone)]
enum Ends {
    Plain,
    Tls(Arc<Face>, Rc<Caller>),
}

impl Ends {
    async fn connect(&self, runtime: &Runtime) -> Stream {
        let at = runtime.now() + WAIT;
        let stream = Stream::connect(runtime, address(), at).await.expect("connects");
        let Self::Tls(_, caller) = self else { return stream };
        let stream = stream.with_trust(caller.config_of_shard(), caller.name().clone());
        stream.handshake().await.expect("agrees");
        stream
    }

    async fn welcome(&self, stream: Stream, runtime: &Runtime) -> Stream {
        let Self::Tls(face, _) = self else { return stream };
        let stream = stream.with_face(Arc::clone(face));
        stream.set_deadline(Some(runtime.now() + WAIT));
        stream.handshake().await.expect("agrees");
        stream
    }
}

/// `pairs` connections at the same time, each with up to `most` bytes both ways.
async fn exchange_all(
    runtime: Runtime,
    simulation: Simulation,
    ends: Ends,
    pairs: u64,
    most: usize,
) {
    let listener = Rc::new(Listener::bind(&runtime, address(), false).expect("binds"));
    let left = Rc::new(Cell::new(2 * pairs));
    let mut random = fastrand::Rng::with_seed(simulation.seed());
    for name in 0..pairs {
        let (there, back) = (random.usize(0..most), random.usize(0..most));
        let (runtime_, left_, ends_) = (runtime.clone(), Rc::clone(&left), ends.clone());
        runtime.spawn(async move {
            let stream = ends_.connect(&runtime_).await;
            // Who it is, so that the other side knows what to expect.
            let hello = [name, there as u64, back as u64].map(u64::to_be_bytes).concat();
            let text = Outgoing { text: hello, pieces: Vec::new() };
            stream.send(text).await.expect("sends");
            exchange(stream, (name, there), (!name, back), runtime_).await;
            left_.set(left_.get() - 1);
        });
    }
    let (acceptor, runtime_, left_) = (Rc::clone(&listener), runtime.clone(), left.clone());
    runtime.spawn(async move {
        while let Ok((stream, _)) = acceptor.accept().await {
            let (runtime__, left__, ends_) = (runtime_.clone(), Rc::clone(&left_), ends.clone());
            runtime_.spawn(async move {
                let stream = ends_.welcome(stream, &runtime__).await;
                answer(stream, runtime__, left__).await;
            });
        }
    });
    let deadline = runtime.now() + WAIT;
    while left.get() > 0 && runtime.now() < deadline {
        assert_eq!(runtime.panics(), 0, "seed {}", simulation.seed());
        runtime.sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(left.get(), 0, "seed {}", simulation.seed());
    listener.stop();
}

/// The accepting side: reads the hello byte by byte, then exchanges.
async fn answer(stream: Stream, runtime: Runtime, left: Rc<Cell<u64>>) {
    let mut hello: Vec<u8> = Vec::new();
    let mut rest = None;
    while hello.len() < 24 {
        let mut buffer = stream.receive().await.expect("receives").expect("a hello");
        let front = buffer.split_to(buffer.len().min(24 - hello.len()));
        hello.extend_from_slice(&front);
        rest = Some(buffer);
    }
    let word = |at: usize| usize::from_be_bytes(hello[at..at + 8].try_into().expect("8 bytes"));
    let (name, there, back) = (word(0) as u64, word(8), word(16));
    let rest = rest.expect("at least one buffer");
    for (offset, &byte) in rest.iter().enumerate() {
        assert_eq!(byte, byte_of(name, offset));
    }
    let stream = Rc::new(stream);
    runtime.spawn(send_stream(Rc::clone(&stream), !name, back, runtime.clone()));
    let mut received = rest.len();
    drop(rest);
    while let Some(buffer) = stream.receive().await.expect("receives") {
        for &byte in &*buffer {
            assert_eq!(byte, byte_of(name, received));
            received += 1;
        }
    }
    assert_eq!(received, there, "connection {name}");
    left.set(left.get() - 1);
}

/// A certificate for localhost, and a caller that trusts it.
fn tls_ends() -> (Arc<Face>, Caller) {
    let (chain, key) = tls::self_signed().expect("randomness");
    let (chain, key) = (("chain", chain.as_bytes()), ("key", key.as_bytes()));
    let certificates = vec![Certificate::parse(chain, key, None).expect("sound")];
    let (policy, http2) = (Policy::default(), Http2::NotOffered);
    let face = Face::compile(FaceDraft { certificates, policy, http2 }, &[]).expect("a face");
    let mut parts = CallerParts::default();
    parts.trust(chain).expect("sound");
    (Arc::new(face), Caller::compile(&parts, "localhost", http2).expect("a caller"))
}

/// Connections that break and deadlines that expire at any moment of a handshake.
#[test]
fn handshakes_that_are_cut_anywhere_leave_nothing_behind() {
    let faults = Faults { cuts: 3, ..Faults::unkind() };
    for_seeds(20, faults, async |runtime, simulation| {
        let (face, caller) = tls_ends();
        let listener = Rc::new(Listener::bind(&runtime, address(), false).expect("binds"));
        let (acceptor, runtime_) = (Rc::clone(&listener), runtime.clone());
        runtime.spawn(async move {
            while let Ok((stream, _)) = acceptor.accept().await {
                let stream = stream.with_face(Arc::clone(&face));
                stream.set_deadline(Some(runtime_.now() + Duration::from_millis(300)));
                runtime_.spawn(async move {
                    if stream.handshake().await.is_err() {
                        return;
                    }
                    while let Ok(Some(buffer)) = stream.receive().await {
                        let outgoing = Outgoing { text: Vec::new(), pieces: vec![buffer] };
                        if stream.send(outgoing).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        for name in 0..20 {
            let runtime_ = runtime.clone();
            let mut random = fastrand::Rng::with_seed(simulation.seed() * 100 + name);
            let (config, host) = (caller.config_of_shard(), caller.name().clone());
            runtime.spawn(async move {
                let at = runtime_.now() + Duration::from_millis(random.u64(1..200));
                let Ok(stream) = Stream::connect(&runtime_, address(), at).await else { return };
                let stream = stream.with_trust(config, host);
                if stream.handshake().await.is_err() {
                    return;
                }
                for _ in 0..random.u8(0..6) {
                    let text = vec![7; random.usize(0..40_000)];
                    stream.start_send(Outgoing { text, pieces: Vec::new() });
                    stream.stream_body(random.bool());
                    if random.bool() || stream.receive().await.is_err() {
                        return;
                    }
                    if std::future::poll_fn(|context| stream.poll_sent(context)).await.is_err() {
                        return;
                    }
                }
            });
            runtime.sleep(Duration::from_millis(fastrand::Rng::with_seed(name).u64(0..20))).await;
        }
        runtime.sleep(Duration::from_secs(1)).await;
        listener.stop();
    });
}

/// Clients that come and go at any moment, on a network that breaks.
#[test]
fn sudden_ends_leave_nothing_behind() {
    let faults = Faults { cuts: 3, ..Faults::unkind() };
    for_seeds(60, faults, async |runtime, simulation| {
        let listener = Rc::new(Listener::bind(&runtime, address(), false).expect("binds"));
        let (acceptor, runtime_) = (Rc::clone(&listener), runtime.clone());
        runtime.spawn(async move {
            while let Ok((stream, _)) = acceptor.accept().await {
                stream.set_deadline(Some(runtime_.now() + Duration::from_millis(300)));
                runtime_.spawn(async move {
                    let mut outgoing = Outgoing::default();
                    while let Ok(Some(buffer)) = stream.receive().await {
                        outgoing.pieces.push(buffer);
                        if stream.send(std::mem::take(&mut outgoing)).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        for name in 0..30 {
            let runtime_ = runtime.clone();
            let mut random = fastrand::Rng::with_seed(simulation.seed() * 100 + name);
            runtime.spawn(async move {
                let at = runtime_.now() + Duration::from_millis(random.u64(1..100));
                let Ok(stream) = Stream::connect(&runtime_, address(), at).await else { return };
                for _ in 0..random.u8(0..6) {
                    let text = vec![7; random.usize(0..40_000)];
                    stream.start_send(Outgoing { text, pieces: Vec::new() });
                    if random.bool() {
                        return;
                    }
                    let at = runtime_.now() + Duration::from_millis(random.u64(0..50));
                    stream.set_deadline(Some(at));
                    stream.stream_body(random.bool());
                    if stream.receive().await.is_err() && random.bool() {
                        return;
                    }
                    if std::future::poll_fn(|context| stream.poll_sent(context)).await.is_err() {
                        return;
                    }
                }
            });
            runtime.sleep(Duration::from_millis(fastrand::Rng::with_seed(name).u64(0..20))).await;
        }
        runtime.sleep(Duration::from_secs(1)).await;
        listener.stop();
    });
}

#[test]
fn a_slow_reader_stops_the_sender() {
    for_seeds(10, with_descriptors(), async |runtime, _| {
        let listener = Listener::bind(&runtime, address(), false).expect("binds");
        let sent = Rc::new(Cell::new(0));
        let (runtime_, sent_) = (runtime.clone(), Rc::clone(&sent));
        runtime.spawn(async move {
            let at = runtime_.now() + WAIT;
            let stream = Stream::connect(&runtime_, address(), at).await.expect("connects");
            for _ in 0..200 {
                let text = vec![1; 10_000];
                let Ok(_) = stream.send(Outgoing { text, pieces: Vec::new() }).await else {
                    return;
                };
                sent_.set(sent_.get() + 10_000);
            }
        });
        let (stream, _) = listener.accept().await.expect("accepts");
        runtime.sleep(Duration::from_secs(20)).await;
        // The queue, the buffers that were filled before the cancel arrived, the network's
        // window, and two sends.
        let bound = 2 * RECEIVE_QUEUE_BYTES_MAX + Faults::unkind().window_bytes + 20_000;
        assert!(sent.get() <= bound, "{} bytes were taken from the sender", sent.get());
        let mut received = 0;
        while let Some(buffer) = stream.receive().await.expect("receives") {
            received += buffer.len();
        }
        assert_eq!(received, 2_000_000);
    });
}

/// A header in front of the stream is read by one who gives back what is behind it.
#[test]
fn what_is_put_back_is_received_first() {
    for_seeds(20, with_descriptors(), async |runtime, simulation| {
        let listener = Listener::bind(&runtime, address(), false).expect("binds");
        let at = runtime.now() + WAIT;
        let stream = Stream::connect(&runtime, address(), at).await.expect("connects");
        let (other, _) = listener.accept().await.expect("accepts");
        let name = simulation.seed();
        runtime.spawn(send_stream(Rc::new(stream), name, 30_000, runtime.clone()));
        let mut random = fastrand::Rng::with_seed(name);
        let (mut received, mut put_back) = (0, 0);
        while let Some(mut buffer) = other.receive().await.expect("receives") {
            let taken = random.usize(1..=buffer.len());
            let front = buffer.split_to(taken);
            for &byte in &*front {
                assert_eq!(byte, byte_of(name, received), "at {received}");
                received += 1;
            }
            put_back += buffer.len();
            other.unread(buffer);
        }
        assert_eq!(received, 30_000);
        assert!(put_back > 0, "nothing was put back");
    });
}

#[test]
fn deadlines_expire_in_virtual_time() {
    for_seeds(5, with_descriptors(), async |runtime, _| {
        let listener = Listener::bind(&runtime, address(), false).expect("binds");
        let at = runtime.now() + WAIT;
        let stream = Stream::connect(&runtime, address(), at).await.expect("connects");
        let (other, _) = listener.accept().await.expect("accepts");
        let deadline = runtime.now() + Duration::from_secs(30);
        stream.set_deadline(Some(deadline));
        let error = stream.receive().await.err().expect("nothing comes");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(runtime.now() >= deadline);
        assert!(runtime.now() <= deadline + Duration::from_millis(30));
        // A new deadline begins anew, and what comes is received.
        stream.set_deadline(Some(runtime.now() + WAIT));
        other.send(Outgoing { text: b"late".to_vec(), pieces: Vec::new() }).await.expect("sends");
        assert!(stream.receive().await.expect("receives").is_some());
        drop(stream);
        let gone = runtime.now() + WAIT;
        other.set_deadline(Some(gone));
        while let Ok(Some(_)) = other.receive().await {}
        assert!(runtime.now() < gone, "the close was not seen");
    });
}

/// A POST met a FIN that had come long before, behind a body that a slow client had held back: its
/// connection was lent again in the turn in which its receive was armed again (seed 12,057).
#[test]
fn a_connection_is_watched_from_the_turn_after_its_receive_is_armed() {
    for_seeds(20, Faults { no_descriptors: 0, ..Faults::none() }, async |runtime, _| {
        let listener = Listener::bind(&runtime, address(), false).expect("binds");
        let at = runtime.now() + WAIT;
        let stream = Stream::connect(&runtime, address(), at).await.expect("connects");
        let _other = listener.accept().await.expect("accepts");
        runtime.sleep(Duration::from_millis(5)).await;
        assert!(stream.is_watched());
        stream.stream_body(true);
        assert!(!stream.is_watched(), "its receive is being changed");
        runtime.sleep(Duration::from_millis(5)).await;
        assert!(stream.is_watched());
    });
}

/// The second of two sends was forgotten: a client that had half-closed lost the end of its answer.
#[test]
fn a_dropped_stream_still_sends_its_second_send() {
    for_seeds(20, with_descriptors(), async |runtime, _| {
        let listener = Listener::bind(&runtime, address(), false).expect("binds");
        let at = runtime.now() + WAIT;
        // What connects receives more than a client before somebody asks for it.
        let other = Stream::connect(&runtime, address(), at).await.expect("connects");
        let (stream, _) = listener.accept().await.expect("accepts");
        other.set_deadline(None);
        for _ in 0..2 {
            let text = vec![1; 40_000];
            stream.send(Outgoing { text, pieces: Vec::new() }).await.expect("sends");
        }
        stream.start_send(Outgoing { text: vec![1; 5_000], pieces: Vec::new() });
        drop(stream);
        let mut received = 0;
        while let Some(buffer) = other.receive().await.expect("receives") {
            received += buffer.len();
        }
        assert_eq!(received, 85_000);
    });
}

#[test]
fn nobody_listens_there() {
    for_seeds(5, Faults::unkind(), async |runtime, _| {
        let at = runtime.now() + WAIT;
        let error = Stream::connect(&runtime, address(), at).await.err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_mailbox_wakes_its_task() {
    for_seeds(1, Faults::none(), async |runtime, _| {
        let (sender, mailbox) = mailbox(2);
        let runtime_ = runtime.clone();
        let sum = Rc::new(Cell::new(0));
        let sum_ = Rc::clone(&sum);
        runtime.spawn(async move {
            for _ in 0..3 {
                sum_.set(sum_.get() + mailbox.receive(&runtime_).await);
            }
        });
        runtime.sleep(Duration::from_millis(10)).await;
        sender.try_send(1).expect("room");
        sender.try_send(10).expect("room");
        assert_eq!(sender.try_send(100).expect_err("full").0, 100);
        runtime.sleep(Duration::from_millis(300)).await;
        sender.try_send(100).expect("room again");
        runtime.sleep(Duration::from_millis(300)).await;
        assert_eq!(sum.get(), 111);
    });
}
