//! Streams on the real kernel, over loopback.

use std::{
    cell::Cell,
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    rc::Rc,
    sync::mpsc,
    time::Duration,
};

use super::{Listener, Outgoing, Stream};
use crate::{
    base::limits::{LARGE_BLOCK_BYTES, SEND_PIECES_MAX},
    ring::Holdings,
    runtime::{ExecutorSpec, Runtime, start},
};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const WAIT: Duration = Duration::from_secs(20);

fn spec(name: &str) -> ExecutorSpec {
    ExecutorSpec { name: name.to_owned(), cpu: None }
}

fn text(bytes: &[u8]) -> Outgoing {
    Outgoing { text: bytes.to_vec(), pieces: Vec::new() }
}

/// Runs `main` on an executor of its own and waits for its end.
fn on_the_ring<Work: Future<Output = ()> + 'static>(
    main: impl FnOnce(Runtime) -> Work + Send + 'static,
) {
    start(spec("test"), main).expect("io_uring works here").join().expect("no panic");
}

/// Sends back what comes, until the end of the stream.
async fn echo(stream: Stream) -> io::Result<()> {
    while let Some(buffer) = stream.receive().await? {
        let mut outgoing = Outgoing::default();
        outgoing.pieces.push(buffer);
        stream.send(outgoing).await?;
    }
    stream.shutdown_send();
    Ok(())
}

/// An echo server on `listener` until it stops.
async fn serve(runtime: Runtime, listener: Rc<Listener>) {
    while let Ok((stream, _)) = listener.accept().await {
        runtime.spawn(async move {
            let _ = echo(stream).await;
        });
    }
}

fn listen(runtime: &Runtime) -> Rc<Listener> {
    Rc::new(Listener::bind(runtime, LOOPBACK, true).expect("binds"))
}

async fn connect(runtime: &Runtime, to: &Listener) -> Stream {
    let deadline = runtime.now() + WAIT;
    Stream::connect(runtime, to.local_addr(), deadline).await.expect("connects")
}

fn ip(listener: &Listener) -> SocketAddr {
    listener.local_addr().ip().expect("TCP")
}

fn pattern(offset: usize) -> u8 {
    u8::try_from(offset % 251).expect("below 251")
}

async fn receive_exactly(stream: &Stream, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        let buffer = stream.receive().await.expect("receives").expect("not yet the end");
        bytes.extend_from_slice(&buffer);
    }
    bytes
}

#[test]
fn a_hundred_connections_echo_at_once() {
    on_the_ring(async |runtime| {
        let listener = listen(&runtime);
        runtime.spawn(serve(runtime.clone(), Rc::clone(&listener)));
        let left = Rc::new(Cell::new(100));
        for name in 0..100_u32 {
            let (runtime_, listener, left) = (runtime.clone(), Rc::clone(&listener), left.clone());
            runtime.spawn(async move {
                let stream = connect(&runtime_, &listener).await;
                for round in 0..20_u32 {
                    let said = format!("connection {name} round {round}");
                    stream.send(text(said.as_bytes())).await.expect("sends");
                    let heard = receive_exactly(&stream, said.len()).await;
                    assert_eq!(heard, said.as_bytes());
                }
                assert!(stream.is_reusable());
                stream.shutdown_send();
                assert!(stream.receive().await.expect("ends well").is_none());
                assert!(!stream.is_reusable());
                left.set(left.get() - 1);
            });
        }
        let deadline = runtime.now() + WAIT;
        while left.get() > 0 && runtime.now() < deadline {
            runtime.sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(left.get(), 0);
        assert_eq!(runtime.panics(), 0);
    });
}

#[test]
fn a_slow_reader_stops_a_fast_sender() {
    on_the_ring(async |runtime| {
        const TOTAL: usize = 24 * 1024 * 1024;
        let listener = listen(&runtime);
        let sent = Rc::new(Cell::new(0));
        let (runtime_, listener_, sent_) = (runtime.clone(), Rc::clone(&listener), sent.clone());
        runtime.spawn(async move {
            let stream = connect(&runtime_, &listener_).await;
            let chunk: Vec<u8> = (0..LARGE_BLOCK_BYTES).map(pattern).collect();
            while sent_.get() < TOTAL {
                stream.send(text(&chunk)).await.expect("sends");
                sent_.set(sent_.get() + chunk.len());
            }
        });
        let (stream, _) = listener.accept().await.expect("accepts");
        stream.stream_body(true);
        runtime.sleep(Duration::from_millis(300)).await;
        // The kernel's own socket buffers hold a few megabytes.
        assert!(sent.get() < TOTAL, "the sender was not stopped");
        assert!(runtime.driver().large_shelf().blocks_made() < 64, "the queue has no bound");
        let mut received = 0;
        while let Some(buffer) = stream.receive().await.expect("receives") {
            for &byte in &*buffer {
                assert_eq!(byte, pattern(received % LARGE_BLOCK_BYTES), "at {received}");
                received += 1;
            }
        }
        assert_eq!(received, TOTAL);
    });
}

#[test]
fn a_deadline_ends_a_receive_and_a_send() {
    on_the_ring(async |runtime| {
        let listener = listen(&runtime);
        let stream = connect(&runtime, &listener).await;
        let (_other, _) = listener.accept().await.expect("accepts");
        stream.set_deadline(Some(runtime.now() + Duration::from_millis(20)));
        let error = stream.receive().await.err().expect("nothing comes");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        stream.set_deadline(Some(runtime.now() + Duration::from_millis(100)));
        let error = loop {
            if let Err(error) = stream.send(text(&[0; 1 << 20])).await {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn what_was_sent_arrives_although_the_stream_is_dropped() {
    on_the_ring(async |runtime| {
        let listener = listen(&runtime);
        let stream = connect(&runtime, &listener).await;
        let (other, _) = listener.accept().await.expect("accepts");
        // More than the socket takes at once, so the rest is sent after the drop.
        stream.send(text(&vec![3; 8 << 20])).await.expect("is taken");
        drop(stream);
        let mut received = 0;
        while let Some(buffer) = other.receive().await.expect("receives") {
            received += buffer.len();
        }
        assert_eq!(received, 8 << 20);
    });
}

#[test]
fn a_reset_is_an_error_and_a_refusal_too() {
    on_the_ring(async |runtime| {
        let listener = listen(&runtime);
        let address = ip(&listener);
        let client = socket2::Socket::from(TcpStream::connect(address).expect("connects"));
        let (stream, peer) = listener.accept().await.expect("accepts");
        assert_eq!(peer.ip(), client.local_addr().expect("bound").as_socket());
        client.set_linger(Some(Duration::ZERO)).expect("sets");
        drop(client);
        let error = stream.receive().await.err().expect("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(!stream.is_reusable());
        drop(listener);
        runtime.sleep(Duration::from_millis(20)).await;
        let deadline = runtime.now() + WAIT;
        let error = Stream::connect(&runtime, address, deadline).await.err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_close_of_an_idle_connection_is_known() {
    on_the_ring(async |runtime| {
        let listener = listen(&runtime);
        let stream = connect(&runtime, &listener).await;
        let (other, _) = listener.accept().await.expect("accepts");
        assert!(stream.is_reusable());
        drop(other);
        runtime.sleep(Duration::from_millis(20)).await;
        assert!(!stream.is_reusable());
    });
}

#[test]
fn a_panic_ends_one_connection() {
    on_the_ring(async |runtime| {
        let listener = listen(&runtime);
        let (runtime_, listener_) = (runtime.clone(), Rc::clone(&listener));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener_.accept().await {
                runtime_.spawn(async move {
                    let heard = stream.receive().await.expect("receives").expect("a byte");
                    assert_eq!(&*heard, b"fine", "this panic is part of the test");
                    stream.send(text(&heard)).await.expect("sends");
                });
            }
        });
        for said in [&b"bad"[..], b"fine", b"bad", b"fine"] {
            let stream = connect(&runtime, &listener).await;
            stream.send(text(said)).await.expect("sends");
            let heard = stream.receive().await.expect("receives");
            assert_eq!(heard.as_deref(), (said == b"fine").then_some(said));
        }
        assert_eq!(runtime.panics(), 2);
    });
}

#[test]
fn a_mailbox_wakes_a_waiting_shard() {
    let (sender, mailbox) = crate::runtime::mailbox::<u32>(4);
    let (report, reports) = mpsc::channel();
    let handle = start(spec("mailbox"), move |runtime| async move {
        for _ in 0..3 {
            let message = mailbox.receive(&runtime).await;
            report.send(message).expect("the test waits");
        }
    });
    for message in 0..3 {
        sender.try_send(message).expect("room");
        assert_eq!(reports.recv_timeout(WAIT), Ok(message));
    }
    handle.expect("starts").join().expect("ends well");
}

#[test]
fn the_end_of_main_closes_everything() {
    let (report, reports) = mpsc::channel();
    let (sender, mailbox) = crate::runtime::mailbox::<()>(1);
    let handle = start(spec("ends"), move |runtime| async move {
        let listener = listen(&runtime);
        report.send(ip(&listener)).expect("the test waits");
        runtime.spawn(serve(runtime.clone(), Rc::clone(&listener)));
        mailbox.receive(&runtime).await;
    });
    let handle = handle.expect("starts");
    let address = reports.recv().expect("an address");
    let mut clients: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect(address).expect("connects")).collect();
    let mut byte = [0];
    for client in &mut clients {
        client.write_all(b"x").expect("writes");
        client.read_exact(&mut byte).expect("reads");
        // Traffic under way while it ends.
        client.write_all(&[0; 10_000]).expect("writes");
    }
    sender.try_send(()).expect("room");
    handle.join().expect("ends well");
    for mut client in clients {
        client.set_read_timeout(Some(WAIT)).expect("sets");
        let ended = client.read_to_end(&mut Vec::new());
        assert!(ended.is_ok() || ended.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
    }
    assert!(TcpStream::connect(address).is_err(), "somebody still listens");
}

#[test]
fn a_stopped_listener_hands_out_what_it_had() {
    on_the_ring(async |runtime| {
        let listener = listen(&runtime);
        let _client = TcpStream::connect(ip(&listener)).expect("connects");
        runtime.sleep(Duration::from_millis(10)).await;
        listener.stop();
        assert!(listener.accept().await.is_ok());
        let error = listener.accept().await.err().expect("stopped");
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        runtime.sleep(Duration::from_millis(10)).await;
        assert!(TcpStream::connect(ip(&listener)).is_err());
    });
}

#[test]
fn two_thousand_short_connections_leave_nothing() {
    on_the_ring(async |runtime| {
        let listener = listen(&runtime);
        runtime.spawn(serve(runtime.clone(), Rc::clone(&listener)));
        let mut blocks = 0;
        for round in 0..20 {
            let left = Rc::new(Cell::new(100));
            for _ in 0..100 {
                let (runtime_, listener) = (runtime.clone(), Rc::clone(&listener));
                let left = Rc::clone(&left);
                runtime.spawn(async move {
                    let stream = connect(&runtime_, &listener).await;
                    stream.send(text(b"hello")).await.expect("sends");
                    assert_eq!(receive_exactly(&stream, 5).await, b"hello");
                    left.set(left.get() - 1);
                });
            }
            let deadline = runtime.now() + WAIT;
            while left.get() > 0 && runtime.now() < deadline {
                runtime.sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(left.get(), 0);
            if round == 10 {
                blocks = runtime.driver().small_shelf().blocks_made();
            }
        }
        runtime.sleep(Duration::from_millis(50)).await;
        let held = runtime.holdings();
        let expected = Holdings { listeners: 1, lent_blocks: held.lent_blocks, ..held };
        assert_eq!(held, expected);
        assert_eq!((held.sockets, held.starved, held.strays), (0, 0, 0));
        // Main and the accept loop.
        assert_eq!(runtime.tasks(), 2);
        let made = runtime.driver().small_shelf().blocks_made();
        assert!(made <= blocks.max(held.lent_blocks) + 16, "{blocks} blocks became {made}");
    });
}

#[test]
fn a_full_gathered_send_arrives_whole() {
    on_the_ring(async |runtime| {
        const SENDS: usize = 12;
        let listener = listen(&runtime);
        let (runtime_, listener_) = (runtime.clone(), Rc::clone(&listener));
        runtime.spawn(async move {
            let stream = connect(&runtime_, &listener_).await;
            for _ in 0..SENDS {
                let piece: Vec<u8> = (0..LARGE_BLOCK_BYTES).map(pattern).collect();
                let shelf = runtime_.driver().large_shelf();
                let gathered = || shelf.gather(&[&piece]).expect("enough blocks");
                let pieces = (0..SEND_PIECES_MAX).map(|_| gathered()).collect();
                let text = b"head".to_vec();
                stream.send(Outgoing { text, pieces }).await.expect("sends");
            }
        });
        let (stream, _) = listener.accept().await.expect("accepts");
        // The socket fills up: sends are short and continued in the middle of a piece.
        runtime.sleep(Duration::from_millis(100)).await;
        let bytes = receive_exactly(&stream, SENDS * (4 + SEND_PIECES_MAX * LARGE_BLOCK_BYTES));
        let bytes = bytes.await;
        assert!(stream.receive().await.expect("ends").is_none());
        for send in bytes.chunks(4 + SEND_PIECES_MAX * LARGE_BLOCK_BYTES) {
            assert_eq!(&send[..4], b"head");
            for (offset, &byte) in send[4..].iter().enumerate() {
                assert_eq!(byte, pattern(offset % LARGE_BLOCK_BYTES));
            }
        }
        assert_eq!(runtime.panics(), 0);
    });
}

#[test]
fn one_piece_too_many_is_a_bug_of_the_caller() {
    on_the_ring(async |runtime| {
        let listener = listen(&runtime);
        let stream = connect(&runtime, &listener).await;
        runtime.spawn(async move {
            let pieces = vec![crate::base::Buffer::empty(); SEND_PIECES_MAX + 1];
            stream.start_send(Outgoing { text: Vec::new(), pieces });
        });
        runtime.sleep(Duration::from_millis(5)).await;
        assert_eq!(runtime.panics(), 1);
    });
}

#[test]
fn a_busy_task_does_not_keep_the_driver_from_the_kernel() {
    on_the_ring(async |runtime| {
        let done = Rc::new(Cell::new(false));
        let done_ = Rc::clone(&done);
        runtime.spawn(std::future::poll_fn(move |context| {
            context.waker().wake_by_ref();
            if done_.get() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        }));
        let listener = listen(&runtime);
        runtime.spawn(serve(runtime.clone(), Rc::clone(&listener)));
        let stream = connect(&runtime, &listener).await;
        stream.send(text(b"still here")).await.expect("sends");
        assert_eq!(receive_exactly(&stream, 10).await, b"still here");
        runtime.sleep(Duration::from_millis(5)).await;
        done.set(true);
    });
}

/// A relay that asks upstream and streams what it answers, as the gateway does.
async fn relay(runtime: Runtime, client: Stream, upstream: Stream, size: usize) {
    while let Ok(Some(_)) = client.receive().await {
        upstream.send(text(b"more")).await.expect("sends");
        let mut left = size;
        upstream.stream_body(true);
        while left > 0 {
            let buffer = upstream.receive().await.expect("receives").expect("not yet the end");
            left -= buffer.len();
            let mut outgoing = runtime.outgoing();
            outgoing.pieces.push(buffer);
            client.send(outgoing).await.expect("sends");
        }
        upstream.stream_body(false);
    }
}

/// Writing behind must not leave anybody waiting until a control tick.
#[test]
fn a_streamed_body_does_not_wait_for_a_tick() {
    const SIZE: usize = 66_000;
    let listener = std::net::TcpListener::bind(LOOPBACK).expect("binds");
    let upstream = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (mut server, _) = listener.accept().expect("accepts");
        while server.read(&mut [0; 100]).is_ok_and(|count| count > 0) {
            server.write_all(&[5; SIZE]).expect("writes");
        }
    });
    let (report, reports) = mpsc::channel();
    let handle = start(spec("relay"), move |runtime| async move {
        let front = listen(&runtime);
        report.send(ip(&front)).expect("the test waits");
        let deadline = runtime.now() + WAIT;
        let to_upstream = Stream::connect(&runtime, upstream, deadline).await.expect("connects");
        let (client, _) = front.accept().await.expect("accepts");
        relay(runtime, client, to_upstream, SIZE).await;
    });
    let handle = handle.expect("starts");
    let address = reports.recv_timeout(WAIT).expect("an address");
    let mut client = TcpStream::connect(address).expect("connects");
    client.set_read_timeout(Some(WAIT)).expect("sets");
    let mut waits = Vec::new();
    for _ in 0..20 {
        #[expect(clippy::disallowed_methods, reason = "outside of the shard")]
        let start = std::time::Instant::now();
        client.write_all(b"more").expect("writes");
        client.read_exact(&mut [0; SIZE]).expect("reads");
        waits.push(start.elapsed());
    }
    drop(client);
    handle.join().expect("ends well");
    waits.sort();
    assert!(waits[10] < Duration::from_millis(50), "{waits:?}");
}
